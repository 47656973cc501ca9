//! What services leave alone, and why: told by whoever looks, and by the services themselves.

use super::error::CliError;
use super::global::Global;
use super::next::{self, command_for};
use crate::queue::{OpenOrder, OpenOrders, Overview as _, Queue};
use crate::{text, time};

/// Why no service takes an open order, and what to do about it; `None`: one takes it.
pub async fn why(
    global: &Global,
    queue: &mut Queue,
    open: &OpenOrders,
    order: &OpenOrder,
) -> Result<Option<String>, CliError> {
    let batch = &order.batch;
    if !order.is_ordered || batch.owner.is_none() {
        let what = if order.is_ordered {
            "it belongs to no account yet"
        } else {
            "it is loaded, and nobody has ordered it"
        };
        let options = queue.options(batch.id).await?;
        return Ok(Some(format!(
            "{what}: `{} {} --order-only` orders it in the account of your credentials",
            command_for(global, batch),
            next::run(batch, false, options.as_ref())
        )));
    }
    Ok(open.rests(order).map(|rest| {
        let until = match rest.until_ms {
            Some(until_ms) => format!("until {}", time::human(until_ms)),
            None => "until something happens to it".to_owned(),
        };
        format!("{until}: {}", text::brief(&rest.why, 300))
    }))
}
