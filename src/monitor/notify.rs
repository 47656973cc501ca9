//! A webhook, in the words of whoever stands behind it:
//!
//! * Slack: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/>
//! * Teams: a workflow's "when a Teams webhook request is received", which takes a message with adaptive cards
//!   (<https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>)
//! * ntfy: <https://docs.ntfy.sh/publish/>

use reqwest::header::HeaderValue;
use serde_json::json;

use super::document::End;
use super::http::{self, Post};
use super::options::{Format, Notify, When};
use super::{memory, message};

const JSON: &str = "application/json";

/// Tells it, where it is to be told.
pub(super) async fn end(notify: &Notify, end: &End) -> Result<(), String> {
    let told_last = notify.memory.as_deref().and_then(memory::recall);
    if is_told(notify.when, end, told_last) {
        http::post(post(notify, end)).await?;
    }
    // What did not arrive is told the next time.
    if notify.when == When::Change
        && let Some(path) = &notify.memory
    {
        memory::keep(path, end.exit.code()).map_err(|error| {
            format!("it was told; that cannot be kept, so it will be told again: {error}")
        })?;
    }
    Ok(())
}

fn is_told(when: When, end: &End, told_last: Option<u8>) -> bool {
    match when {
        When::Always => true,
        When::Problem => end.is_problem,
        When::Change => end.previous_died || told_last != Some(end.exit.code()),
    }
}

fn post(notify: &Notify, end: &End) -> Post {
    let mut headers = Vec::new();
    let (content_type, body) = match notify.format {
        Format::Json => (JSON, end.json().to_string()),
        Format::Slack => (
            JSON,
            json!({"text": slack(&message::public(end))}).to_string(),
        ),
        Format::Teams => (JSON, teams(end)),
        Format::Ntfy => {
            let [priority, tag] = if end.is_problem {
                ["high", "warning"]
            } else {
                ["default", "white_check_mark"]
            };
            headers.extend([
                ("title", HeaderValue::from_static("refleet")),
                ("priority", HeaderValue::from_static(priority)),
                ("tags", HeaderValue::from_static(tag)),
            ]);
            ("text/plain; charset=utf-8", message::public(end))
        }
    };
    Post {
        url: notify.to.url().clone(),
        content_type,
        headers,
        body,
    }
}

/// The three characters that mean something there.
fn slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn teams(end: &End) -> String {
    let text = message::public(end);
    let (head, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let colour = if end.is_problem { "attention" } else { "good" };
    let mut body = vec![json!({
        "type": "TextBlock", "text": head, "weight": "bolder", "color": colour, "wrap": true,
    })];
    // A line break within a block is none for every client.
    body.extend(
        rest.lines().map(
            |line| json!({"type": "TextBlock", "text": line, "wrap": true, "spacing": "small"}),
        ),
    );
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.2",
                "body": body,
            },
        }],
    })
    .to_string()
}
