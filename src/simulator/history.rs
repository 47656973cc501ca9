//! What the panel has noted of a service, for accounts that have it (the oddity `history`): each rebuild
//! that destroyed its data, whoever ordered it, and what else happens to a server.
//!
//! The times are those of a clock three hours ahead: nobody knows which one the real panel goes by.

use std::cmp::Reverse;

use super::config::Config;
use super::form::Fields;
use super::json::Json;
use super::record::ServiceRecord;
use crate::time;

pub(super) const FUNC: &str = "service.history";

const HOUR_MS: i64 = 3_600_000;
const AHEAD_MS: i64 = 3 * HOUR_MS;

/// What had happened to each service before: how many hours before the start of the simulator, and what.
const BEFORE: [(i64, &str); 3] = [
    (30, "The reboot process is started"),
    (200, "The tariff was changed: Cloud VPS 1 -> Cloud VPS 2"),
    (900, "The service is created"),
];

/// One line of it.
struct Line<'a> {
    at_ms: i64,
    text: &'a str,
    user: &'a str,
    ip: &'a str,
}

/// A page of the history, the newest line first; all of what was `before` happened before `started_ms`.
pub(super) fn page(
    config: &Config,
    fields: &Fields,
    truth: &ServiceRecord,
    started_ms: i64,
) -> Vec<u8> {
    let rebuild = |at_ms: i64, ip| Line {
        at_ms,
        text: "The rebuild process is started ",
        user: &config.username,
        ip,
    };
    let ordered = truth
        .wipes
        .iter()
        .map(|wipe| rebuild(wipe.at_ms, "127.0.0.1"));
    let in_panel = truth
        .by_others
        .iter()
        .map(|at_ms| rebuild(*at_ms, "127.0.0.2"));
    let mut rebuilds: Vec<_> = ordered.chain(in_panel).collect();
    rebuilds.sort_by_key(|line| Reverse(line.at_ms));
    let before = BEFORE.iter().map(|(hours, text)| Line {
        at_ms: started_ms - hours * HOUR_MS,
        text,
        user: "-",
        ip: "-",
    });
    let lines: Vec<Line<'_>> = rebuilds.into_iter().chain(before).collect();
    let size = config.page_size.max(1);
    let number = fields.get("p_num").and_then(|text| text.parse().ok());
    let number = number.unwrap_or(1).max(1);
    let first = size.saturating_mul(number - 1).min(lines.len());
    let shown = &lines[first..first.saturating_add(size).min(lines.len())];
    let mut json = Json::head(fields);
    if !shown.is_empty() {
        json.raw("\"elem\":");
        json.many(shown, |json, nth, line| {
            json.raw("{").field("id", &(first + nth + 1).to_string());
            json.field("changedate", &by_its_clock(line.at_ms));
            json.field("desc", line.text).field("user", line.user);
            json.raw("\"ip\":{\"$\":").text(line.ip).raw("}}");
        });
        json.raw(",");
    }
    json.field("p_cnt", &size.to_string())
        .field("p_num", &number.to_string())
        .field("p_elems", &lines.len().to_string());
    json.echo(fields).raw("}}");
    json.0
}

/// `2026-11-26 23:10:02`
fn by_its_clock(unix_ms: i64) -> String {
    let text = time::rfc3339(unix_ms.saturating_add(AHEAD_MS));
    text.replace('T', " ").chars().take(19).collect()
}
