//! A worker makes one call.

use std::time::Instant;

use super::machine::{Call, Finished, Sighting};
use crate::time;
use crate::witness::{self, Unseen, can_be_looked_at};
use crate::zomro::{Client, Gate};

/// Makes `call`. A submission goes out only as long as `gate` is open.
pub(super) async fn perform(client: Client, call: Call, gate: Option<Gate>) -> Finished {
    match call {
        Call::Login => Finished::Login(client.login().await),
        Call::Confirm => Finished::Login(client.confirm().await),
        Call::Keepalive => Finished::Keepalive(client.keepalive().await),
        Call::Whoami => Finished::Whoami(client.whoami().await),
        Call::Owner => Finished::Owner(client.owner().await),
        Call::Page(page) => Finished::Page(page, client.list_page(page).await),
        Call::Preview(image, service) => {
            Finished::Preview(image, service, client.preview(service).await)
        }
        Call::LookUp(lookup) => {
            let found = client.look_up(&lookup).await;
            Finished::LookUp(lookup, found)
        }
        Call::History(query) => {
            let history = client.history(&query).await;
            Finished::History(query.service, history)
        }
        Call::Look(service, look) => {
            let asked_at = Instant::now();
            let seen = if can_be_looked_at(look.address.ip(), client.is_local()) {
                witness::look(&look).await
            } else {
                Err(Unseen::Unreachable)
            };
            Finished::Look(Sighting {
                service,
                look,
                seen,
                asked_at,
                answered_ms: time::now_ms(),
            })
        }
        Call::Submit(_, submission) => {
            crate::failpoint!("before_send");
            let submitted = client.submit(&submission, gate).await;
            crate::failpoint!("after_answer");
            Finished::Submit(submission.service, Box::new(submitted))
        }
    }
}
