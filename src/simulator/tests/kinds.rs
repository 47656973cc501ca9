//! The kinds of faults that answer oddly: what is on the wire, and what the record says of it.

use super::*;

const RUSSIAN: &str = "\u{41c}\u{430}\u{433}\u{430}\u{437}\u{438}\u{43d}";

async fn list_with(kind: FaultKind) -> Reply {
    let simulator = slow().await;
    simulator.script(Script::next(Call::Instances, kind));
    authorised(&simulator, &[("func", "instances")])
        .await
        .unwrap()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle)
}

#[tokio::test]
async fn texts_for_people_come_broken_or_in_another_charset() {
    for (kind, charset, needle) in [
        (FaultKind::HalfSurrogate, "utf-8", &b"shop \\ud83d "[..]),
        (FaultKind::CutUtf8, "utf-8", b"\xd0\xb3\xd0web-01"),
        (FaultKind::ControlCharacters, "utf-8", b"\x1b[31m\x00"),
        (FaultKind::Windows1251, "windows-1251", b"\xcc\xe0\xe3\xe0"),
        (FaultKind::Koi8R, "KOI8-R", b"\xed\xc1\xc7\xc1"),
        (FaultKind::UnnamedCharset, "", b"\xcc\xe0\xe3\xe0"),
    ] {
        let reply = list_with(kind).await;
        assert_eq!(reply.status, 200);
        assert!(contains(&reply.body, needle), "{kind}");
        let content_type = reply.header("content-type").unwrap();
        let named = content_type
            .split_once("charset=")
            .map_or("", |(_, name)| name);
        assert_eq!(named, charset, "{kind}");
        assert!(!contains(&reply.body, RUSSIAN.as_bytes()), "{kind}");
        // Only one text is broken: everything else is as it was.
        assert!(contains(&reply.body, b"\"web-02\""), "{kind}");
    }
}

#[tokio::test]
async fn what_is_dressed_otherwise_is_executed_and_answered() {
    for kind in [
        FaultKind::HalfSurrogate,
        FaultKind::Windows1251,
        FaultKind::Gzip,
        FaultKind::HeaderNoise,
        FaultKind::CloseSoon,
    ] {
        let simulator = slow().await;
        next(&simulator, kind);
        let reply = submit(&simulator).await.unwrap();
        assert_eq!(reply.status, 200, "{kind}");
        let record = truth(&simulator);
        assert_eq!((record.wiped, record.answered), (1, 1), "{kind}");
    }
}

#[tokio::test]
async fn a_body_may_be_compressed_and_a_head_hold_lines_that_are_no_headers() {
    let reply = list_with(FaultKind::ByteOrderMark).await;
    assert!(reply.body.starts_with(b"\xef\xbb\xbf{\"doc\""));
    assert_eq!(list_with(FaultKind::Empty).await.body, b"");
    let reply = list_with(FaultKind::Gzip).await;
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert_eq!(reply.body[..2], [0x1f, 0x8b]);
    let reply = list_with(FaultKind::HeaderNoise).await;
    assert_eq!(reply.doc()["p_elems"]["$"], "12");
    let lines: Vec<_> = reply.head.lines().collect();
    assert!(lines[0].starts_with("HTTP/1.1 200"));
    assert_eq!(
        lines[1..4],
        ["X-Cache Status: HIT", "served by node 7", ": nameless"]
    );
}

#[tokio::test]
async fn a_connection_may_end_soon_after_its_answer() {
    let simulator = slow().await;
    let fault = Fault {
        delay_ms: Some(20),
        ..Fault::new(FaultKind::CloseSoon)
    };
    simulator.script(Script::next(Call::Keepalive, fault));
    let address = simulator.url()["http://".len()..].trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.unwrap();
    let path = "/?func=keepalive&out=json&auth=cafe";
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // Without the fault the server would wait for another request for ever.
    timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .unwrap()
        .unwrap();
    assert!(contains(&bytes, b"\"ok\":{}"));
}

#[tokio::test]
async fn what_stands_in_front_says_where_to_go_and_when_to_come_back() {
    let simulator = slow().await;
    for (kind, status, header, value) in [
        (
            FaultKind::Moved,
            301,
            "location",
            Some("https://panel.invalid/billmgr"),
        ),
        (FaultKind::NotFound, 404, "location", None),
        (FaultKind::MethodNotAllowed, 405, "retry-after", None),
        (FaultKind::Maintenance, 503, "retry-after", Some("1")),
        (FaultKind::Unavailable, 503, "retry-after", None),
    ] {
        next(&simulator, kind);
        let reply = submit(&simulator).await.unwrap();
        assert_eq!(
            (reply.status, reply.header(header)),
            (status, value),
            "{kind}"
        );
    }
    let moved = Fault {
        location: Some("/panel".to_owned()),
        ..Fault::new(FaultKind::Moved)
    };
    next(&simulator, moved);
    let reply = submit(&simulator).await.unwrap();
    assert_eq!(reply.header("location"), Some("/panel"));
    assert_eq!(truth(&simulator).wiped, 0);
    next(&simulator, FaultKind::LinkStorm);
    let reply = submit(&simulator).await.unwrap();
    assert!(reply.body.len() > 1_000_000 && contains(&reply.body, b"href= href="));
    assert_eq!(truth(&simulator).wiped, 1);
}

#[tokio::test]
async fn documents_that_contradict_or_lead_elsewhere_come_executed_or_not() {
    for executed in [false, true] {
        let answered = async |kind| {
            let simulator = slow().await;
            let fault = Fault {
                executed: Some(executed),
                ..Fault::new(kind)
            };
            next(&simulator, fault);
            let doc = submit(&simulator).await.unwrap().doc();
            let record = truth(&simulator);
            assert_eq!((record.wiped, record.answered), (u64::from(executed), 0));
            doc
        };
        let doc = answered(FaultKind::OkAndError).await;
        assert!(doc["ok"].is_object() && doc["error"]["$type"] == "value");
        let doc = answered(FaultKind::OkElsewhere).await;
        assert_eq!(doc["ok"]["$"], "func=instances");
        let doc = answered(FaultKind::OtherFunc).await;
        assert!(doc["ok"].is_object() && doc["$func"] == "keepalive");
        assert_eq!(doc["tparams"]["func"]["$"], "keepalive");
        let doc = answered(FaultKind::OtherElid).await;
        assert!(doc["ok"].is_object() && doc["$func"] == "instances.fleio.rebuild");
        assert_eq!(doc["tparams"]["elid"]["$"], (SERVICE + 1).to_string());
        let doc = answered(FaultKind::Form).await;
        assert!(doc.get("ok").is_none() && doc["slist"].is_array());
        assert_eq!(doc["elid"]["$"], SERVICE.to_string());
    }
}

#[tokio::test]
async fn another_page_comes_than_was_asked_for() {
    let simulator = slow().await;
    for (asked, given) in [(&[][..], "2"), (&[("p_num", "3")], "1")] {
        simulator.script(Script::next(Call::Instances, FaultKind::OtherPage));
        let fields = [&[("func", "instances")], asked].concat();
        let doc = authorised(&simulator, &fields).await.unwrap().doc();
        assert_eq!(doc["p_num"]["$"], given);
    }
}

#[tokio::test]
async fn half_a_session_and_a_captcha_let_nobody_do_anything() {
    let simulator = slow().await;
    next(&simulator, FaultKind::SecondFactor);
    let doc = submit(&simulator).await.unwrap().doc();
    assert_eq!(doc["ok"]["$"], "func=totp.confirm");
    simulator.script(Script::next(Call::Auth, FaultKind::Captcha));
    let login = [
        ("func", "auth"),
        ("username", "simulator"),
        ("password", STRONG),
    ];
    let reply = call(&simulator, &login).await.unwrap();
    assert_eq!(
        reply.error(),
        pair("captcha_required", "g-recaptcha-response")
    );
    assert_eq!(truth(&simulator).wiped, 0);
}

#[tokio::test]
async fn secrets_come_back_in_every_encoding_wherever_a_script_wants_them() {
    let simulator = slow().await;
    next(&simulator, FaultKind::SecretEcho);
    let error = submit(&simulator).await.unwrap().doc()["error"].clone();
    let message = error["msg"]["$"].as_str().unwrap();
    // The password and the session.
    for secret in [STRONG, "U2ltdWxhdG9yMQ==", "cafe", "Y2FmZQ=="] {
        assert!(message.contains(secret), "{message}");
    }
    let fault = Fault {
        error_type: Some("bad {secrets}".to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    next(&simulator, fault);
    let error = submit(&simulator).await.unwrap().doc()["error"].clone();
    assert!(error["$type"].as_str().unwrap().contains(STRONG));
    assert_eq!(truth(&simulator).wiped, 0);
}
