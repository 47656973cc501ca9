//! The words of errors and classes, and documents of any shape.

use proptest::prelude::*;

use crate::zomro::HalfSession;
use crate::zomro::answer::Answer;
use crate::zomro::call_error::CallError;
use crate::zomro::finding::{self, Finding};

use super::classification::*;

#[test]
fn every_fault_has_its_word() {
    let Finding::Obstacle(finding::Obstacle::Failed(api)) = find(200, &error("busy")) else {
        panic!("an unknown type proves nothing");
    };
    let errors = [
        CallError::Dns("try again".to_owned()),
        CallError::NoSuchHost("name not known".to_owned()),
        CallError::Connect("refused".to_owned()),
        CallError::Tls("a record that is none".to_owned()),
        CallError::Certificate("it has expired".to_owned()),
        CallError::Proxy {
            proxy: "proxy.example:3128".to_owned(),
            error: Box::new(CallError::ConnectTimeout),
        },
        CallError::ConnectTimeout,
        CallError::Barred("the lease was lost".to_owned()),
        CallError::Timeout,
        CallError::Reset("reset by peer".to_owned()),
        CallError::Truncated("unexpected end".to_owned()),
        CallError::BodyTooLarge { max: 1024 },
        CallError::Status {
            status: 502,
            message: String::new(),
        },
        CallError::Redirect {
            status: 301,
            location: "https://cp.zomro.com/".to_owned(),
        },
        CallError::Foreign,
        CallError::Contradiction,
        CallError::Form,
        CallError::Elsewhere("func=desktop".to_owned()),
        CallError::Html,
        CallError::Garbled("no JSON at line 1 column 1".to_owned()),
        CallError::NoVerdict,
        CallError::RunningOperation("wait".to_owned()),
        CallError::LongRequest("no verdict".to_owned()),
        api,
    ];
    let table = lines(&errors, |error| format!("{}: {error}", error.kind()));
    insta::assert_snapshot!(table, @r"
    dns: the host name was not resolved: try again
    dns: the host name does not exist: name not known
    connect: no connection: refused
    tls: the TLS handshake failed: a record that is none
    tls: the server's certificate is not accepted: it has expired
    proxy: through the proxy proxy.example:3128: no connection within the time limit
    connect_timeout: no connection within the time limit
    barred: the lease was lost
    timeout: no answer within the time limit
    reset: the connection ended before the answer: reset by peer
    truncated: the connection ended within the answer: unexpected end
    body_too_large: the answer is longer than 1024 bytes
    http_502: the answer is HTTP 502
    http_301: the answer is HTTP 301 and leads to https://cp.zomro.com/
    foreign: the answer belongs to another request
    contradiction: the answer says both ok and error
    form: the answer is the form: it may belong to another request
    elsewhere: the answer only leads elsewhere: func=desktop
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
        Answer::HalfSession {
            asks_for: HalfSession::SecondFactor,
            failure: failure(),
        },
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
    half_session: word (words)
    unknown: word (words)
    ");
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
    fn any_text_has_a_class(status in 100u16..600, body: String) {
        let finding = finding::read(&received(status, &body), &ours(), &["secret"]);
        // Characters at random are no document.
        prop_assert!(!matches!(finding, Finding::Document(_)));
    }

    #[test]
    fn any_json_has_a_class_and_only_an_ok_without_error_is_accepted(status in 200u16..203, body in json()) {
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        let doc = &value["doc"];
        let says_ok = status == 200 && doc.get("ok").is_some() && doc.get("error").is_none();
        let class = class(status, &body);
        if class == "accepted" || class == "half_session" {
            prop_assert!(says_ok, "{body}");
        }
        if says_ok {
            let unclear = ["accepted", "half_session", "unknown garbled", "unknown foreign", "unknown elsewhere",
                "unknown no_verdict", "unknown form"];
            prop_assert!(unclear.contains(&class.as_str()), "{class}: {body}");
        }
        let _ = crate::zomro::instances::Page::decode(&body, 1);
        let _ = crate::zomro::preview::Preview::decode(&body);
        let _ = crate::zomro::login::read(&body);
    }
}
