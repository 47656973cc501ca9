//! The table of the design, walked row by row: every HTTP status, every error type, every fault.

use proptest::prelude::*;

use zeroize::Zeroizing;

use super::HalfSession;
use super::answer::Answer;
use super::call_error::CallError;
use super::finding::{self, Finding, Received};
use super::form;
use super::meaning;
use super::verdict::Ours;

const OK: &str = r#"{"doc":{"$lang":"en","ok":{},"tparams":{"elid":{"$":"5113119"}}}}"#;
const OK_WITH_FORM: &str = r#"{"doc":{"ok":{"$type":"form"},"slist":[]}}"#;
const FORM: &str =
    r#"{"doc":{"elid":{"$":"5113119"},"slist":[{"$name":"zone","val":[]}],"tparams":{}}}"#;
const DATA: &str = r#"{"doc":{"elid":{"$":"5113119"},"tparams":{}}}"#;
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

/// A submission for service 5113119.
fn ours() -> Ours {
    Ours {
        func: form::REBUILD,
        service: Some("5113119".parse().unwrap()),
        image: Some("18d0ee2e-4d57-4f40-9b56-03c1773b5831".parse().unwrap()),
        submits: true,
    }
}

fn received(status: u16, body: &str) -> Received {
    Received {
        status,
        retry_after: None,
        location: None,
        body: Ok(Zeroizing::new(body.to_owned())),
    }
}

fn find(status: u16, body: &str) -> Finding {
    finding::read(&received(status, body), &ours(), &[])
}

/// Class and word of the answer to a submission.
fn class(status: u16, body: &str) -> String {
    let answer = match find(status, body) {
        Finding::Document(document) => meaning::submission(Ok(document)),
        Finding::Obstacle(obstacle) => meaning::submission(Err(obstacle)),
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
        | Answer::HalfSession { .. }
        | Answer::Blocked { .. } => answer.class().to_owned(),
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
fn an_error_counts_whatever_its_shape() {
    for error in [
        "{}",
        "null",
        "[]",
        r#""""#,
        "5",
        "true",
        r#"{"$type":"x","$type":"y"}"#,
    ] {
        let body = format!(r#"{{"doc":{{"slist":[],"error":{error}}}}}"#);
        assert_eq!(class(200, &body), "unknown api_error", "{body}");
    }
}

#[test]
fn of_several_errors_the_one_that_proves_nothing_counts() {
    for (errors, expected) in [
        (
            r#""error":[{"$type":"value"},{"$type":"busy"}]"#,
            "unknown busy",
        ),
        (
            r#""error":[{"$type":"busy"},{"$type":"auth"}]"#,
            "unknown busy",
        ),
        (
            r#""error":{"$type":"value"},"error":{"$type":"busy"}"#,
            "unknown busy",
        ),
        (
            r#""error":{"$type":"value"},"error":5"#,
            "unknown api_error",
        ),
        (
            r#""error":{"$type":"value"},"error":[]"#,
            "unknown api_error",
        ),
        (
            r#""error":[{"$type":"value"},{"$type":"limit"}]"#,
            "refused value",
        ),
    ] {
        let body = format!(r#"{{"doc":{{{errors}}}}}"#);
        assert_eq!(class(200, &body), expected, "{body}");
    }
    let beside = r#"{"doc":{"error":{"$type":"value"}},"error":"upstream"}"#;
    assert_eq!(class(200, beside), "unknown api_error");
}

// field case A5
#[test]
fn ok_and_error_in_one_document_prove_nothing() {
    for error in ["value", "access", "auth", "missed", "busy"].map(error) {
        let both = error.replace(r#""error""#, r#""ok":{},"error""#);
        assert_eq!(class(200, &both), "unknown contradiction", "{both}");
    }
    for body in [
        r#"{"doc":{"ok":{},"error":null}}"#,
        r#"{"doc":{"error":[],"ok":{"$":"func=totp.confirm"}}}"#,
        r#"{"doc":{"ok":{},"Error":{"$type":"value"}}}"#,
        r#"{"doc":{"OK":"","error":5}}"#,
        r#"{"doc":{"ok":{}},"error":{"$type":"value"}}"#,
    ] {
        assert_eq!(class(200, body), "unknown contradiction", "{body}");
        assert_ne!(class(403, body), "blocked", "{body}");
        assert_ne!(class(429, body), "slow_down", "{body}");
    }
}

// field case A6
#[test]
fn the_answer_to_another_request_proves_nothing() {
    for field in [
        r#""$func":"keepalive""#,
        r#""$func":{"$":"instances"}"#,
        r#""$FUNC":"logon""#,
        r#""func":["instances.fleio.rebuild","desktop"]"#,
        r#""$func":7"#,
        r#""elid":{"$":"5113120"}"#,
        r#""elid":5113120"#,
        r#""elid":["5113119","5113120"]"#,
        r#""elid":{"$":"5113119, 5113120"}"#,
        r#""Elid":"none""#,
        r#""tparams":{"elid":{"$":"5113120"}}"#,
        r#""tparams":{"ELID":5113120}"#,
        r#""tparams":[{"elid":"5113119"},{"elid":"5113120"}]"#,
        r#""tparams":{"func":{"$":"instances.fleio.rescue"}}"#,
        r#""tparams":{"func":"instances.fleio.rebuild","select_rebuild":"28d0ee2e-4d57-4f40-9b56-03c1773b5831"}"#,
    ] {
        for rest in [
            r#""ok":{}"#,
            r#""error":{"$type":"value"}"#,
            r#""error":{"$type":"access"}"#,
            r#""slist":[]"#,
        ] {
            let body = format!(r#"{{"doc":{{{field},{rest}}}}}"#);
            for status in [200, 403, 429] {
                assert_eq!(class(status, &body), "unknown foreign", "{body}");
            }
        }
    }
}

// Of the kind of field case A6: the other request may be our own preview of the same instance.
#[test]
fn the_refusal_of_a_preview_proves_nothing_about_a_submission() {
    for echo in [
        r#"{"func":{"$":"instances.fleio.rebuild"},"elid":{"$":"5113119"},"out":{"$":"json"}}"#,
        r#"{"elid":"5113119"}"#,
        r#"{"FUNC":"instances.fleio.rebuild","lang":"en"}"#,
    ] {
        for kind in ["value", "access", "missed"] {
            let body = format!(r#"{{"doc":{{"tparams":{echo},"error":{{"$type":"{kind}"}}}}}}"#);
            for status in [200, 403, 429] {
                assert_eq!(class(status, &body), "unknown foreign", "{body}");
            }
        }
    }
    // The echo of a submission, or none at all: its refusal counts as before.
    for echo in [
        "{}",
        r#"{"out":"json"}"#,
        r#"{"func":"instances.fleio.rebuild","sok":"ok"}"#,
        r#"{"elid":"5113119","zone":{"$":"pub"}}"#,
        r#"{"elid":"5113119","Select_Rebuild":"18d0ee2e-4d57-4f40-9b56-03c1773b5831"}"#,
        r#"{"elid":"5113119","enablessh":"off","password":{}}"#,
    ] {
        let bare = r#"{"doc":{"error":{"$type":"value"}}}"#;
        let body = format!(r#"{{"doc":{{"tparams":{echo},"error":{{"$type":"value"}}}}}}"#);
        assert_eq!(class(200, &body), class(200, bare), "{body}");
    }
}

// Of the kind of field case A6: the answer to a reading of the list, whatever stands beside the rows.
#[test]
fn rows_of_a_list_are_no_answer_to_a_submission() {
    for rows in [
        r#""elem":[{"id":{"$":"5113119"}}]"#,
        r#""p_elems":{"$":"0"}"#,
    ] {
        for rest in [
            r#""ok":{}"#,
            r#""error":{"$type":"access"}"#,
            r#""error":{"$type":"value"}"#,
        ] {
            let body = format!(r#"{{"doc":{{{rows},{rest}}}}}"#);
            assert_eq!(class(200, &body), "unknown foreign", "{body}");
        }
    }
}

// field case A6
#[test]
fn an_echo_of_our_own_request_is_ours_in_any_dress() {
    for field in [
        r#""$func":"instances.fleio.rebuild""#,
        r#""$func":{"$":" Instances.Fleio.Rebuild "}"#,
        r#""$func":"""#,
        r#""$func":{}"#,
        r#""$func":null"#,
        r#""func":"/billmgr?func=instances.fleio.rebuild&out=json""#,
        r#""elid":5113119"#,
        r#""elid":{"$":" 5113119 "}"#,
        r#""elid":["5113119"]"#,
        r#""elid":"5113119, ""#,
        r#""tparams":{}"#,
        r#""tparams":[]"#,
        r#""tparams":"none of them""#,
        r#""tparams":7"#,
        r#""tparams":{"func":{"$":"instances.fleio.rebuild"},"elid":"5113119","select_rebuild":{"$":"18D0EE2E-4D57-4F40-9B56-03C1773B5831"},"password":{"$":"x"},"zone":"own"}"#,
        r#""tparams":{"select_rebuild":"AlmaLinux-8"}"#,
        r#""metadata":{"func":"other","elid":"7"}"#,
    ] {
        let body = format!(r#"{{"doc":{{{field},"ok":{{}}}}}}"#);
        assert_eq!(class(200, &body), "accepted", "{body}");
    }
}

// field case A6
#[test]
fn the_form_in_answer_to_a_submission_proves_nothing() {
    for status in [200, 403, 429, 460] {
        assert_eq!(class(status, FORM), "unknown form", "{status}");
    }
}

// field case A7
#[test]
fn an_ok_that_leads_elsewhere_is_no_acceptance() {
    for (ok, expected) in [
        (r#"{"$":"func=totp.confirm"}"#, "half_session"),
        (r#""func=totp.confirm""#, "half_session"),
        (r#"["",{"$":" FUNC=TOTP.Confirm "}]"#, "half_session"),
        (
            r#"{"$type":"url","$":"https://x.example/?func\u003dlogon"}"#,
            "half_session",
        ),
        (r#"{"url":{"$":"func=logon"}}"#, "half_session"),
        (r#""func=auth.2fa""#, "half_session"),
        (r#""second factor required""#, "half_session"),
        (r#""totp""#, "half_session"),
        (r#"{"$":"func=dashboard"}"#, "unknown elsewhere"),
        (
            r#"{"$":"/billmgr?startform=instances"}"#,
            "unknown elsewhere",
        ),
        (r#"{"$":"https://cp.zomro.com/"}"#, "unknown elsewhere"),
        (r#"{"$":"//cp.zomro.com"}"#, "unknown elsewhere"),
        (r#"{"$":"cp.zomro.com"}"#, "unknown elsewhere"),
        (r#"{"$":"instances.html"}"#, "unknown elsewhere"),
        (r#"{"$":"?x"}"#, "unknown elsewhere"),
        (r#"{"$":"javascript:history.back()"}"#, "unknown elsewhere"),
        (r#"[{},{"$":"func=desktop"}]"#, "unknown elsewhere"),
        ("null", "unknown no_verdict"),
        ("false", "unknown no_verdict"),
        ("{}", "accepted"),
        (r#""""#, "accepted"),
        (r#"{"$":""}"#, "accepted"),
        (r#"{"$":" \n "}"#, "accepted"),
        ("[]", "accepted"),
        ("true", "accepted"),
        (r#""ok""#, "accepted"),
        (r#"{"$type":"form"}"#, "accepted"),
        (r#"{"$type":"list","$":{}}"#, "accepted"),
        (
            r#"{"$":"The request was sent. Please wait: it takes a while."}"#,
            "accepted",
        ),
        (r#"{"$":"5113119"}"#, "accepted"),
    ] {
        let body = format!(r#"{{"doc":{{"ok":{ok}}}}}"#);
        assert_eq!(class(200, &body), expected, "{body}");
    }
    let twice = r#"{"doc":{"ok":{},"OK":{"$":"func=desktop"}}}"#;
    assert_eq!(class(200, twice), "unknown elsewhere");
}

// field case A7
#[test]
fn a_reading_that_asks_for_a_second_factor_is_none() {
    let reading = Ours {
        func: form::INSTANCES,
        service: None,
        image: None,
        submits: false,
    };
    let whole = |body: &str| match finding::read(&received(200, body), &reading, &[]) {
        Finding::Document(document) => meaning::whole(document),
        Finding::Obstacle(obstacle) => Err(obstacle),
        Finding::LongRequest(_) => panic!("no page"),
    };
    assert!(matches!(
        whole(r#"{"doc":{"ok":{"$":"func=totp.confirm"}}}"#),
        Err(finding::Obstacle::HalfSession(HalfSession::SecondFactor))
    ));
    assert!(whole(r#"{"doc":{"ok":{"$":"func=dashboard"}}}"#).is_ok());
    // field case A6: a reading of something else is none either; what is refused is refused.
    assert!(matches!(
        whole(r#"{"doc":{"$func":"desktop","elem":[]}}"#),
        Err(finding::Obstacle::Failed(CallError::Foreign))
    ));
    assert!(matches!(
        whole(r#"{"doc":{"$func":"logon","error":{"$type":"access"}}}"#),
        Err(finding::Obstacle::Unauthorized(_))
    ));
}

#[test]
fn an_error_keeps_object_and_words_and_loses_secrets() {
    let body = r#"{"doc":{"error":{"$type":"value","$object":"{\"password\":[\"Pa\\\"ssw0rd\"]}",
        "msg":{"$":" The value Pa\"ssw0rd\n of \u001b[31mpassword is wrong "}},
        "tparams":{"password":{"$":"Pa\"ssw0rd"},"auth":{"$":"0123456789abcdef01234567"}}}}"#;
    let secrets = ["0123456789abcdef01234567", "", "Pa\"ssw0rd"];
    let Finding::Obstacle(obstacle) = finding::read(&received(200, body), &ours(), &secrets) else {
        panic!("an error is an obstacle");
    };
    insta::assert_debug_snapshot!(meaning::submission(Err(obstacle)), @r#"
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
    let table = lines(&errors, |error| format!("{}: {error}", error.word()));
    insta::assert_snapshot!(table, @r"
    dns: the host name was not resolved: try again
    dns: the host name does not exist: name not known
    connect: no connection: refused
    tls: the TLS handshake failed: a record that is none
    tls: the server's certificate is not accepted: it has expired
    proxy: through the proxy proxy.example:3128: no connection within the time limit
    connect_timeout: no connection within the time limit
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
        let _ = super::instances::Page::decode(&body, 1);
        let _ = super::preview::Preview::decode(&body);
        let _ = super::login::token(&body);
    }
}
