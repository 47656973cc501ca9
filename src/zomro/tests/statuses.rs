//! Every HTTP status, over every kind of body.

use crate::zomro::call_error::CallError;
use crate::zomro::finding::{self, Finding, Received};
use crate::zomro::meaning;

use super::classification::*;

#[test]
fn every_status_over_an_accepting_document() {
    insta::assert_snapshot!(stretches(OK), @r"
    100..=199 unknown http_<status>
    200..=200 accepted
    201..=599 unknown http_<status>
    ");
    assert_eq!(stretches(OK_WITH_FORM), stretches(OK));
}

#[test]
fn every_status_over_a_form() {
    insta::assert_snapshot!(stretches(FORM), @r"
    100..=599 unknown form
    ");
    insta::assert_snapshot!(stretches(DATA), @r"
    100..=199 unknown http_<status>
    200..=200 unknown no_verdict
    201..=402 unknown http_<status>
    403..=403 blocked
    404..=428 unknown http_<status>
    429..=429 slow_down
    430..=459 unknown http_<status>
    460..=460 blocked
    461..=599 unknown http_<status>
    ");
}

#[test]
fn every_status_over_an_error_document() {
    insta::assert_snapshot!(stretches(&error("value")), @r"
    100..=199 unknown http_<status>
    200..=200 refused value
    201..=402 unknown http_<status>
    403..=403 blocked
    404..=428 unknown http_<status>
    429..=429 slow_down
    430..=459 unknown http_<status>
    460..=460 blocked
    461..=599 unknown http_<status>
    ");
    insta::assert_snapshot!(stretches(&error("access")), @r"
    100..=199 unknown http_<status>
    200..=200 unauthorized
    201..=402 unknown http_<status>
    403..=403 blocked
    404..=428 unknown http_<status>
    429..=429 slow_down
    430..=459 unknown http_<status>
    460..=460 blocked
    461..=599 unknown http_<status>
    ");
}

#[test]
fn every_status_over_a_running_operation() {
    insta::assert_snapshot!(stretches(&running("value")), @"100..=599 unknown running_operation");
}

#[test]
fn every_status_over_a_page() {
    insta::assert_snapshot!(stretches(HTML), @r"
    100..=199 unknown http_<status>
    200..=200 unknown html
    201..=402 unknown http_<status>
    403..=403 blocked
    404..=428 unknown http_<status>
    429..=429 slow_down
    430..=459 unknown http_<status>
    460..=460 blocked
    461..=599 unknown http_<status>
    ");
    insta::assert_snapshot!(stretches(LONG), @r"
    100..=199 unknown http_<status>
    200..=200 long request
    201..=402 unknown http_<status>
    403..=403 blocked
    404..=428 unknown http_<status>
    429..=429 slow_down
    430..=459 unknown http_<status>
    460..=460 blocked
    461..=599 unknown http_<status>
    ");
}

#[test]
fn every_status_over_nothing_and_over_broken_json() {
    insta::assert_snapshot!(stretches(""), @r"
    100..=199 unknown http_<status>
    200..=200 unknown garbled
    201..=402 unknown http_<status>
    403..=403 blocked
    404..=428 unknown http_<status>
    429..=429 slow_down
    430..=459 unknown http_<status>
    460..=460 blocked
    461..=599 unknown http_<status>
    ");
    for body in [
        &OK[..OK.len() - 1],
        "null",
        "[]",
        "{}",
        r#"{"doc":[]}"#,
        r#"[{"doc":{"ok":{}}}]"#,
        r#"{"doc":["x"]}"#,
        r#"{"doc":"ok"}"#,
        "ok",
        "\u{0}",
    ] {
        assert_eq!(stretches(body), stretches(""), "{body}");
    }
}

#[test]
fn every_status_without_a_whole_body() {
    let mut classes = Vec::new();
    for status in [200, 204, 301, 403, 429, 460, 500] {
        let received = Received {
            body: Err(CallError::Truncated("cut".to_owned())),
            ..received(status, "")
        };
        let Finding::Obstacle(obstacle) = finding::read(&received, &ours(), &[]) else {
            panic!("a cut body is no document");
        };
        let answer = meaning::submission(Err(obstacle));
        let kind = answer.failure().unwrap().error_kind;
        classes.push(format!("{status} {} {kind}", answer.class()));
    }
    insta::assert_snapshot!(classes.join("\n"), @r"
    200 unknown truncated
    204 unknown http_204
    301 unknown http_301
    403 blocked blocked_request
    429 slow_down rate_limited
    460 blocked blocked_request
    500 unknown http_500
    ");
}
