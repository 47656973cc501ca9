//! Every error type, and documents that prove nothing.

use crate::zomro::HalfSession;
use crate::zomro::call_error::CallError;
use crate::zomro::claims::Ours;
use crate::zomro::finding::{self, Finding};
use crate::zomro::form;
use crate::zomro::meaning;

use super::classification::*;

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

// Field case A5.
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

// Field case A6.
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

// Field case A6.
// The other request may be our own preview of the same instance.
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

// Field case A6.
// The answer to a reading of the list, whatever stands beside the rows.
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

// Field case A6.
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

// Field case A6.
#[test]
fn the_form_in_answer_to_a_submission_proves_nothing() {
    for status in [200, 403, 429, 460] {
        assert_eq!(class(status, FORM), "unknown form", "{status}");
    }
}

// Field case A7.
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

// Field cases A6 and A7.
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
    // A reading of something else is none either; what is refused is refused.
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
