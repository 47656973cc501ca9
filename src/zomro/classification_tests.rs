//! The table of the design, walked row by row: every HTTP status, every error type, every fault.

use std::time::Duration;

use proptest::prelude::*;

use super::answer::{self, Answer, Finding, Received, retry_after};
use super::fault::Fault;

const OK: &str = r#"{"doc":{"$lang":"en","ok":{},"tparams":{"elid":{"$":"5113119"}}}}"#;
const OK_WITH_FORM: &str = r#"{"doc":{"ok":{"$type":"form"},"slist":[]}}"#;
const FORM: &str = r#"{"doc":{"elid":{"$":"1"},"slist":[{"$name":"zone","val":[]}],"tparams":{}}}"#;
const DATA: &str = r#"{"doc":{"elid":{"$":"1"},"tparams":{}}}"#;
const HTML: &str = "<html><body>Bad Gateway</body></html>";
const LONG: &str = r#"<html><a href="/long/1/billmgr?id=7">wait</a></html>"#;

fn error(kind: &str) -> String {
    format!(r#"{{"doc":{{"error":{{"$type":"{kind}","msg":{{"$":"some words "}}}}}}}}"#)
}

fn running(kind: &str) -> String {
    format!(
        r#"{{"doc":{{"error":{{"$type":"{kind}","$object":"runningoperation","msg":{{"$":"busy"}}}}}}}}"#
    )
}

fn find(status: u16, body: &str) -> Finding {
    let received = Received {
        status,
        retry_after: None,
        body: Ok(body.as_bytes().to_vec()),
    };
    answer::read(&received, &[])
}

/// Class and word of the answer to a submission.
fn class(status: u16, body: &str) -> String {
    let answer = match find(status, body) {
        Finding::Document(document) => answer::submission(Ok(document)),
        Finding::Obstacle(obstacle) => answer::submission(Err(obstacle)),
        Finding::LongRequest(_) => return "long request".to_owned(),
    };
    match &answer {
        Answer::Unknown(failure) | Answer::Refused(failure) | Answer::NotSent(failure) => {
            let word = failure
                .error_kind
                .replace(&format!("http_{status}"), "http_<status>");
            format!("{} {word}", answer.class())
        }
        Answer::Accepted
        | Answer::SlowDown { .. }
        | Answer::Unauthorized { .. }
        | Answer::Blocked { .. }
        | Answer::Form => answer.class().to_owned(),
    }
}

fn lines<T>(items: &[T], line: impl Fn(&T) -> String) -> String {
    let lines: Vec<String> = items.iter().map(line).collect();
    lines.join("\n")
}

/// `100..=199 class` for each stretch of statuses with the same class.
fn stretches(body: &str) -> String {
    let mut stretches: Vec<(u16, u16, String)> = Vec::new();
    for status in 100..=599 {
        let class = class(status, body);
        match stretches.last_mut() {
            Some((_, to, last)) if *last == class => *to = status,
            _ => stretches.push((status, status, class)),
        }
    }
    lines(&stretches, |(from, to, class)| {
        format!("{from}..={to} {class}")
    })
}

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
    100..=199 unknown http_<status>
    200..=200 form
    201..=402 unknown http_<status>
    403..=403 blocked
    404..=428 unknown http_<status>
    429..=429 slow_down
    430..=459 unknown http_<status>
    460..=460 blocked
    461..=599 unknown http_<status>
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
            status,
            retry_after: None,
            body: Err(Fault::Truncated("cut".to_owned())),
        };
        let Finding::Obstacle(obstacle) = answer::read(&received, &[]) else {
            panic!("a cut body is no document");
        };
        let answer = answer::submission(Err(obstacle));
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

#[test]
fn every_error_type() {
    let documented = [
        "value",
        "missed",
        "exists",
        "limit",
        "nofunc",
        "license",
        "auth",
        "access",
        "busy",
        "xml",
        "client",
        "api_error",
        "authtype",
        "runningoperation",
        "pricelist_min_order",
        "min_email_send_timeout",
        "Value",
        " value ",
        "",
        "two words",
        "timeout",
    ];
    let table = lines(&documented, |kind| {
        format!("{kind:?}: {}", class(200, &error(kind)))
    });
    insta::assert_snapshot!(table, @r#"
    "value": refused value
    "missed": refused missed
    "exists": refused exists
    "limit": refused limit
    "nofunc": refused nofunc
    "license": refused license
    "auth": unauthorized
    "access": unauthorized
    "busy": unknown busy
    "xml": unknown xml
    "client": unknown client
    "api_error": unknown api_error
    "authtype": unknown authtype
    "runningoperation": unknown running_operation
    "pricelist_min_order": unknown pricelist_min_order
    "min_email_send_timeout": unknown min_email_send_timeout
    "Value": unknown Value
    " value ": refused value
    "": unknown api_error
    "two words": unknown api_error
    "timeout": unknown timeout
    "#);
}

#[test]
fn a_running_operation_is_found_wherever_it_is_said() {
    for body in [
        running("value"),
        running("access"),
        running("auth"),
        r#"{"doc":{"error":{"$type":"value","$object":"{\"detail\":[\"runningoperation\"]}"}}}"#.to_owned(),
        r#"{"doc":{"error":{"$type":"value","$object":"\"runningoperation\""}}}"#.to_owned(),
        r#"{"doc":{"error":{"$type":"value","$object":"{\"x\":\"running\\u006fperation\"}"}}}"#.to_owned(),
        r#"{"doc":{"error":{"$type":"value","$object":{"$":"runningoperation"}}}}"#.to_owned(),
        r#"{"doc":{"error":{"$type":"value","$object":["runningoperation"]}}}"#.to_owned(),
        r#"{"doc":{"error":[{"$type":"value","$object":"runningoperation"}]}}"#.to_owned(),
        r#"{"doc":{"ok":{},"error":{"$type":"value","$object":"runningoperation"}}}"#.to_owned(),
        r#"{"doc":{"error":{"$type":"value","msg":{"$":"Request in process, please wait"}}}}"#.to_owned(),
        r#"{"doc":{"error":{"$type":"access","msg":"Ваш запрос обрабатывается, пожалуйста, подождите"}}}"#.to_owned(),
        r#"{"doc":{"error":{"$type":"value","detail":{"$":"Request in process"}}}}"#.to_owned(),
        r#"{"doc":{"error":{"$type":"value","msg":{"$":"Failed"},"detail":{"$":"Request in process"}}}}"#.to_owned(),
    ] {
        assert_eq!(class(200, &body), "unknown running_operation", "{body}");
    }
}

#[test]
fn an_error_counts_whatever_stands_beside_it() {
    for error in [
        r#""error":{}"#,
        r#""error":null"#,
        r#""error":[]"#,
        r#""error":"""#,
    ] {
        let body = format!(r#"{{"doc":{{"ok":{{}},"slist":[],{error}}}}}"#);
        assert_eq!(class(200, &body), "unknown api_error", "{body}");
    }
    let both = r#"{"doc":{"ok":{},"error":{"$type":"value","msg":{"$":"bad"}}}}"#;
    assert_eq!(class(200, both), "refused value");
}

#[test]
fn an_error_keeps_object_and_words_and_loses_secrets() {
    let body = r#"{"doc":{"error":{"$type":"value","$object":"{\"password\":[\"Pa\\\"ssw0rd\"]}",
        "msg":{"$":" The value Pa\"ssw0rd\n of \u001b[31mpassword is wrong "}},
        "tparams":{"password":{"$":"Pa\"ssw0rd"},"auth":{"$":"0123456789abcdef01234567"}}}}"#;
    let received = Received {
        status: 200,
        retry_after: None,
        body: Ok(body.as_bytes().to_vec()),
    };
    let Finding::Obstacle(obstacle) =
        answer::read(&received, &["0123456789abcdef01234567", "", "Pa\"ssw0rd"])
    else {
        panic!("an error is an obstacle");
    };
    insta::assert_debug_snapshot!(answer::submission(Err(obstacle)), @r#"
    Refused(
        Failure {
            error_kind: "value",
            error: "{\"password\":[\"***\"]}: The value *** of \\u{1b}[31mpassword is wrong",
        },
    )
    "#);
}

#[test]
fn every_fault_has_its_word() {
    let Finding::Obstacle(answer::Obstacle::Fault(api)) = find(200, &error("busy")) else {
        panic!("an unknown type is a fault");
    };
    let faults = [
        Fault::Dns("no such host".to_owned()),
        Fault::Connect("refused".to_owned()),
        Fault::Tls("unknown issuer".to_owned()),
        Fault::ConnectTimeout,
        Fault::Timeout,
        Fault::Reset("reset by peer".to_owned()),
        Fault::Truncated("unexpected end".to_owned()),
        Fault::BodyTooLarge { max: 1024 },
        Fault::Status {
            status: 502,
            message: String::new(),
        },
        Fault::Html,
        Fault::Garbled("no JSON at line 1 column 1".to_owned()),
        Fault::NoVerdict,
        Fault::RunningOperation("wait".to_owned()),
        Fault::LongRequest("no verdict".to_owned()),
        api,
    ];
    let table = lines(&faults, |fault| format!("{}: {fault}", fault.word()));
    insta::assert_snapshot!(table, @r"
    dns: the host name was not resolved: no such host
    connect: no connection: refused
    tls: the TLS handshake failed: unknown issuer
    connect_timeout: no connection within the time limit
    timeout: no answer within the time limit
    reset: the connection ended before the answer: reset by peer
    truncated: the connection ended within the answer: unexpected end
    body_too_large: the answer is longer than 1024 bytes
    http_502: the answer is HTTP 502
    html: the answer is a web page
    garbled: the answer is not understood: no JSON at line 1 column 1
    no_verdict: the answer says neither ok nor error
    running_operation: an operation is already running: wait
    long_request: the API took the request as a long one, and then: no verdict
    busy: some words
    ");
}

#[test]
fn every_class_says_what_a_ledger_keeps_of_it() {
    let failure = || crate::job::Failure::new("word", "words");
    let answers = [
        Answer::Accepted,
        Answer::NotSent(failure()),
        Answer::SlowDown { retry_after: None },
        Answer::Refused(failure()),
        Answer::Unauthorized {
            message: "no rights".to_owned(),
        },
        Answer::Blocked { status: 460 },
        Answer::Form,
        Answer::Unknown(failure()),
    ];
    let table = lines(&answers, |answer| match answer.failure() {
        Some(failure) => format!(
            "{}: {} ({})",
            answer.class(),
            failure.error_kind,
            failure.error
        ),
        None => answer.class().to_owned(),
    });
    insta::assert_snapshot!(table, @r"
    accepted
    not_sent: word (words)
    slow_down: rate_limited (the API asks to slow down (HTTP 429))
    refused: word (words)
    unauthorized: unauthorized (no rights)
    blocked: blocked_request (the API blocks this request (HTTP 460))
    form: form (the API answered with the form: it did not take this for a submission)
    unknown: word (words)
    ");
}

#[test]
fn retry_after_is_seconds_or_a_date_and_at_most_a_quarter_of_an_hour() {
    let now_ms = 1_795_399_200_000; // Mon, 23 Nov 2026 02:00:00 GMT
    for (value, seconds) in [
        ("0", Some(0)),
        (" 7 ", Some(7)),
        ("900", Some(900)),
        ("901", Some(900)),
        ("99999999999999999999999", Some(900)),
        ("Mon, 23 Nov 2026 02:00:30 GMT", Some(30)),
        ("Mon, 23 Nov 2026 01:00:00 GMT", Some(0)),
        ("Tue, 23 Nov 2027 02:00:00 GMT", Some(900)),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
    ] {
        let wait = retry_after(value, now_ms);
        assert_eq!(wait, seconds.map(Duration::from_secs), "{value:?}");
    }
}

/// JSON that looks like an answer, more or less.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f32>()
            .prop_filter("JSON has no infinity", |number| number.is_finite())
            .prop_map(|number| number.to_string()),
        prop_oneof![
            Just("value".to_owned()),
            Just("access".to_owned()),
            Just("runningoperation".to_owned()),
            any::<String>()
        ]
        .prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    let key = prop::sample::select(vec![
        "doc", "error", "ok", "slist", "$type", "$object", "msg", "detail", "$", "$orig", "elem",
        "val", "$key", "p_elems", "auth", "$id", "tparams",
    ]);
    let node = leaf.prop_recursive(6, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::hash_map(key.clone(), inner, 0..5).prop_map(|fields| {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(key, value)| format!("\"{key}\":{value}"))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    });
    node.prop_map(|doc| format!("{{\"doc\":{doc}}}"))
}

proptest! {
    #[test]
    fn any_bytes_have_a_class(status in 100u16..600, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let received = Received { status, retry_after: None, body: Ok(body) };
        let finding = answer::read(&received, &["secret"]);
        // Bytes at random are no document.
        prop_assert!(!matches!(finding, Finding::Document(_)));
    }

    #[test]
    fn any_json_has_a_class_and_only_an_ok_without_error_is_accepted(status in 200u16..203, body in json()) {
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        let doc = &value["doc"];
        let says_ok = status == 200 && doc.get("ok").is_some() && doc.get("error").is_none();
        let class = class(status, &body);
        if class == "accepted" {
            prop_assert!(says_ok, "{body}");
        }
        if says_ok {
            prop_assert!(class == "accepted" || class == "unknown garbled", "{class}: {body}");
        }
        let _ = super::instances::Page::decode(body.as_bytes(), 1);
        let _ = super::preview::Preview::decode(body.as_bytes());
        let _ = super::session::token(body.as_bytes());
    }
}
