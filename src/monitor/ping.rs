//! healthchecks.io, and what speaks like it (<https://healthchecks.io/docs/http_api/>): `/start`, and the exit
//! code as the last part of the path, both with the same `rid`. The body is what a person would have read.

use reqwest::Url;
use tokio::task::AbortHandle;

use super::document::End;
use super::http::{self, Post};
use super::options::Address;
use super::standing::{Command, Standing};
use super::{message, words};

/// Of the body no more is kept there.
const BYTES_MAX: usize = 100_000;

const TEXT: &str = "text/plain; charset=utf-8";

/// Tells that it has begun; nobody waits for that. A service has no end that a check could wait for, so its
/// start is only a line in the check's log.
pub(super) fn start(to: &Address, standing: &Standing) -> AbortHandle {
    let what = match standing.command {
        Command::Run => "start",
        Command::Work => "log",
    };
    let post = post(to, what, standing.id, message::start(standing));
    let task = tokio::spawn(async move {
        if let Err(error) = http::post(post).await {
            tracing::debug!(%error, "the start was not told");
        }
    });
    task.abort_handle()
}

/// Tells how it has ended.
pub(super) async fn end(to: &Address, end: &End) -> Result<(), String> {
    let code = end.exit.code().to_string();
    http::post(post(to, &code, end.id, end.told())).await
}

fn post(to: &Address, what: &str, id: uuid::Uuid, body: String) -> Post {
    Post {
        url: with_id(to.below(what), id),
        content_type: TEXT,
        headers: Vec::new(),
        body: words::cut(body, BYTES_MAX),
    }
}

fn with_id(mut url: Url, id: uuid::Uuid) -> Url {
    url.query_pairs_mut().append_pair("rid", &id.to_string());
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinged_bears_the_process_s_own_name_beside_what_was_given() {
        let to = Address::parse("https://hc-ping.com/key/nightly?create=1").unwrap();
        let post = post(&to, "3", uuid::Uuid::from_u128(7), "ä".repeat(60_000));
        assert_eq!(
            post.url.as_str(),
            "https://hc-ping.com/key/nightly/3?create=1&rid=00000000-0000-0000-0000-000000000007"
        );
        assert_eq!(post.body.len(), BYTES_MAX);
    }
}
