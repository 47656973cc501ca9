//! What each call sends, and what its answers mean.

use std::sync::Arc;

use secrecy::SecretString;

use crate::job::{Access, Failure, FailureKind};
use crate::zomro::settings::{Credentials, Settings, Source, Sources};
use crate::zomro::{Answer, Client, Gate, HistoryQuery, Keepalive, LoginError, ReadError};

use super::server::*;

#[tokio::test]
async fn what_the_gate_keeps_back_is_not_sent() {
    let server = Server::start([answer(OK)]).await;
    let client = client(&server.url(), PLENTY);
    let gate: Gate = Arc::new(|| Err("the lease was lost".to_owned()));
    let barred = client.submit(&rebuild(Access::Image), Some(gate)).await;
    let failure = Failure::new(FailureKind::Barred, "the lease was lost");
    assert_eq!(barred.answer, Answer::NotSent(failure));
    assert_eq!(barred.sent, None);
    // The only answer is there for the next one: no request had arrived.
    let submitted = client.submit(&rebuild(Access::Image), None).await;
    assert_eq!(submitted.answer, Answer::Accepted);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_submission_carries_exactly_the_documented_fields() {
    let server = Server::start([answer(OK), answer(OK), answer(OK)]).await;
    let client = client(&server.url(), PLENTY);
    for access in [
        Access::Password(SecretString::from("Secret77")),
        Access::SshKey("490".to_owned()),
        Access::Image,
    ] {
        let submitted = client.submit(&rebuild(access), None).await;
        assert_eq!(submitted.answer, Answer::Accepted);
        assert_eq!(submitted.generation, 1);
        let sent = submitted.sent.unwrap();
        assert!(sent.at <= submitted.answered_at && sent.at_ms <= submitted.answered_ms);
    }
    let requests: Vec<String> = server
        .requests()
        .iter()
        .map(|request| readable(request))
        .collect();
    insta::assert_snapshot!(requests.join("\n"), @r#"
    POST / HTTP/1.1
    content-type: multipart/form-data; boundary=<boundary>
    content-length: <exact>
    accept: */*
    user-agent: refleet/0.1.0
    host: <host>
    Content-Disposition: form-data; name="func" = instances.fleio.rebuild
    Content-Disposition: form-data; name="auth" = 0123456789abcdef01234567
    Content-Disposition: form-data; name="out" = json
    Content-Disposition: form-data; name="sok" = ok
    Content-Disposition: form-data; name="elid" = 5113119
    Content-Disposition: form-data; name="zone" = pub
    Content-Disposition: form-data; name="select_rebuild" = 18d0ee2e-4d57-4f40-9b56-03c1773b5831
    Content-Disposition: form-data; name="enablessh" = off
    Content-Disposition: form-data; name="password" = Secret77
    Content-Disposition: form-data; name="lang" = en

    POST / HTTP/1.1
    content-type: multipart/form-data; boundary=<boundary>
    content-length: <exact>
    accept: */*
    user-agent: refleet/0.1.0
    host: <host>
    Content-Disposition: form-data; name="func" = instances.fleio.rebuild
    Content-Disposition: form-data; name="auth" = 0123456789abcdef01234567
    Content-Disposition: form-data; name="out" = json
    Content-Disposition: form-data; name="sok" = ok
    Content-Disposition: form-data; name="elid" = 5113119
    Content-Disposition: form-data; name="zone" = pub
    Content-Disposition: form-data; name="select_rebuild" = 18d0ee2e-4d57-4f40-9b56-03c1773b5831
    Content-Disposition: form-data; name="enablessh" = on
    Content-Disposition: form-data; name="ssh_keys" = 490
    Content-Disposition: form-data; name="lang" = en

    POST / HTTP/1.1
    content-type: multipart/form-data; boundary=<boundary>
    content-length: <exact>
    accept: */*
    user-agent: refleet/0.1.0
    host: <host>
    Content-Disposition: form-data; name="func" = instances.fleio.rebuild
    Content-Disposition: form-data; name="auth" = 0123456789abcdef01234567
    Content-Disposition: form-data; name="out" = json
    Content-Disposition: form-data; name="sok" = ok
    Content-Disposition: form-data; name="elid" = 5113119
    Content-Disposition: form-data; name="zone" = pub
    Content-Disposition: form-data; name="select_rebuild" = 18d0ee2e-4d57-4f40-9b56-03c1773b5831
    Content-Disposition: form-data; name="enablessh" = off
    Content-Disposition: form-data; name="lang" = en
    "#);
}

#[tokio::test]
async fn read_only_calls_carry_their_fields_and_never_sok_or_p_cnt() {
    let list = r#"{"doc":{"p_num":{"$":"3"},"p_elems":{"$":"1"},"elem":[{"id":{"$":"7"}}]}}"#;
    let form = r#"{"doc":{"slist":[{"$name":"ssh_keys","val":[{"$key":"490","$":"laptop"}]}]}}"#;
    let server = Server::start([answer(list), answer(form), answer(r#"{"doc":{}}"#)]).await;
    let client = client(&server.url(), PLENTY);
    let page = client.list_page(3).await.unwrap();
    assert_eq!(
        (page.value.number, page.value.total, page.value.rows),
        (3, 1, 1)
    );
    assert!(page.requested_at <= page.answered_at);
    let preview = client.preview("5113119".parse().unwrap()).await.unwrap();
    assert_eq!(preview.value.ssh_keys.len(), 1);
    assert_eq!(client.keepalive().await, Keepalive::Alive);
    let requests: Vec<String> = server
        .requests()
        .iter()
        .map(|request| readable(request))
        .collect();
    insta::assert_snapshot!(requests.join("\n"), @r#"
    POST / HTTP/1.1
    content-type: multipart/form-data; boundary=<boundary>
    content-length: <exact>
    accept: */*
    user-agent: refleet/0.1.0
    host: <host>
    Content-Disposition: form-data; name="func" = instances
    Content-Disposition: form-data; name="auth" = 0123456789abcdef01234567
    Content-Disposition: form-data; name="out" = json
    Content-Disposition: form-data; name="p_num" = 3
    Content-Disposition: form-data; name="lang" = en

    POST / HTTP/1.1
    content-type: multipart/form-data; boundary=<boundary>
    content-length: <exact>
    accept: */*
    user-agent: refleet/0.1.0
    host: <host>
    Content-Disposition: form-data; name="func" = instances.fleio.rebuild
    Content-Disposition: form-data; name="auth" = 0123456789abcdef01234567
    Content-Disposition: form-data; name="out" = json
    Content-Disposition: form-data; name="elid" = 5113119
    Content-Disposition: form-data; name="lang" = en

    POST / HTTP/1.1
    content-type: multipart/form-data; boundary=<boundary>
    content-length: <exact>
    accept: */*
    user-agent: refleet/0.1.0
    host: <host>
    Content-Disposition: form-data; name="func" = keepalive
    Content-Disposition: form-data; name="auth" = 0123456789abcdef01234567
    Content-Disposition: form-data; name="out" = json
    Content-Disposition: form-data; name="lang" = en
    "#);
}

/// Whatever it is called, and whatever it says of the password that was ordered.
#[tokio::test]
async fn a_history_is_asked_for_by_its_service_alone_and_tells_no_password() {
    let history = format!(
        r#"{{"doc":{{"p_elems":"1","elem":[{{"desc":"rebuild, Secret77, {TOKEN}"}}],"tparams":{{"elid":{{"$":"5113119"}}}}}}}}"#
    );
    let server = Server::start([answer(&history)]).await;
    let client = client(&server.url(), PLENTY);
    let query = HistoryQuery {
        service: "5113119".parse().unwrap(),
        shape: "instances.history".parse().unwrap(),
        password: Some("Secret77".into()),
    };
    let reply = client.history(&query).await.unwrap();
    assert_eq!(
        reply.value.to_string(),
        "1 of 1 operation names a rebuild; the first: `rebuild, ***, ***`"
    );
    let fields = readable(&server.requests()[0]);
    let fields = fields.lines().filter_map(|line| line.split_once("name="));
    let fields: Vec<&str> = fields.map(|(_, field)| field).collect();
    assert_eq!(
        fields,
        [
            r#""func" = instances.history"#,
            r#""auth" = 0123456789abcdef01234567"#,
            r#""out" = json"#,
            r#""elid" = 5113119"#,
            r#""p_num" = 1"#,
            r#""lang" = en"#,
        ]
    );
}

#[tokio::test]
async fn a_login_opens_a_session_that_later_calls_use() {
    let login = r#"{"doc":{"auth":{"$id":"abcdefabcdefabcdefabcdef","$level":"16"}}}"#;
    let again = r#"{"doc":{"auth":{"$id":"999999999999999999999999"}}}"#;
    let server = Server::start([answer(login), answer(OK), answer(again), answer(OK)]).await;
    let client = account(&server.url());
    assert!(client.can_login());
    assert_eq!(client.generation(), 0);
    assert_eq!(client.login().await, Ok(1));
    assert_eq!(submit(&client).await.generation, 1);
    assert_eq!(client.clone().login().await, Ok(2));
    assert_eq!(
        submit(&client).await.generation,
        2,
        "clones share the session"
    );
    let requests = server.requests();
    insta::assert_snapshot!(readable(&requests[0]), @r#"
    POST / HTTP/1.1
    content-type: multipart/form-data; boundary=<boundary>
    content-length: <exact>
    accept: */*
    user-agent: refleet/0.1.0
    host: <host>
    Content-Disposition: form-data; name="func" = auth
    Content-Disposition: form-data; name="out" = json
    Content-Disposition: form-data; name="sok" = ok
    Content-Disposition: form-data; name="username" = owner@example.com
    Content-Disposition: form-data; name="password" = Acc0unt-password
    Content-Disposition: form-data; name="lang" = en
    "#);
    assert!(readable(&requests[1]).contains(r#"name="auth" = abcdefabcdefabcdefabcdef"#));
    assert!(readable(&requests[3]).contains(r#"name="auth" = 999999999999999999999999"#));
}

#[tokio::test]
async fn without_a_session_nothing_is_sent() {
    let server = Server::start([]).await;
    let client = account(&server.url());
    let submitted = submit(&client).await;
    assert_eq!(verdict(&submitted), "unauthorized unauthorized");
    assert_eq!((submitted.generation, submitted.sent), (0, None));
    let list = client.list_page(1).await.unwrap_err();
    assert!(matches!(
        list,
        ReadError::Unauthorized { generation: 0, .. }
    ));
    assert!(matches!(client.keepalive().await, Keepalive::Dead { .. }));
    assert!(server.requests().is_empty());
    let token = self::client(&server.url(), PLENTY);
    assert!(!token.can_login());
    assert_eq!(token.login().await, Err(LoginError::NoCredentials));
}

#[tokio::test]
async fn every_way_to_refuse_a_login_is_told_apart() {
    let error = |kind: &str, object: &str| {
        answer(&format!(
            r#"{{"doc":{{"error":{{"$type":"{kind}","$object":"{object}","msg":{{"$":"no Acc0unt-password "}}}}}}}}"#
        ))
    };
    let server = Server::start([
        error("auth", "badpassword"),
        error("auth", "blocklogon"),
        error("busy", ""),
        answer(r#"{"doc":{}}"#),
        Act::Answer(http("460 Blocked", "", "")),
        Act::Answer(http("429 Slow", "Retry-After: 7\r\n", "")),
        Act::Answer(http("502 Bad Gateway", "", "")),
    ])
    .await;
    let client = account(&server.url());
    let mut verdicts = Vec::new();
    for is_temporary_lock in [false, true, false, false, false, false, false] {
        let error = client.login().await.unwrap_err();
        verdicts.push(format!("{error} [{error:?}]"));
        assert_eq!(error.is_temporary_lock(), is_temporary_lock, "{error}");
        assert_eq!(client.generation(), 0);
    }
    insta::assert_snapshot!(verdicts.join("\n"), @r#"
    the login was refused: badpassword: no *** [Refused { object: "badpassword", message: "badpassword: no ***" }]
    the login was refused: blocklogon: no *** [Refused { object: "blocklogon", message: "blocklogon: no ***" }]
    the login was refused: no *** [Refused { object: "", message: "no ***" }]
    the answer to the login holds no session token [NoToken]
    the API blocks this address (HTTP 460) [Blocked { status: 460 }]
    the API asks to slow down [SlowDown { retry_after: Some(7s) }]
    the login failed: the answer is HTTP 502 [Failed(Failure { error_kind: "http_502", error: "the answer is HTTP 502" })]
    "#);
}

#[tokio::test]
async fn every_way_to_refuse_a_reading_is_told_apart() {
    let error = |kind: &str| {
        answer(&format!(
            r#"{{"doc":{{"error":{{"$type":"{kind}","msg":"no"}}}}}}"#
        ))
    };
    let script = || {
        [
            error("access"),
            error("missed"),
            error("busy"),
            Act::Answer(http("403 Forbidden", "", "<html>")),
            Act::Answer(http("429 Slow", "Retry-After: 7\r\n", "")),
            Act::Answer(http("500 Oops", "", OK)),
            answer("<html>"),
        ]
    };
    let mut verdicts = Vec::new();
    let server = Server::start(script()).await;
    let reader = client(&server.url(), PLENTY);
    for _ in script() {
        verdicts.push(format!("{:?}", reader.list_page(1).await.unwrap_err()));
    }
    let server = Server::start(script()).await;
    let asker = client(&server.url(), PLENTY);
    for _ in script() {
        verdicts.push(format!("{:?}", asker.keepalive().await));
    }
    insta::assert_snapshot!(verdicts.join("\n"), @r#"
    Unauthorized { generation: 1, message: "no" }
    Failed(Failure { error_kind: "missed", error: "no" })
    Failed(Failure { error_kind: "busy", error: "no" })
    Blocked { status: 403 }
    SlowDown { retry_after: Some(7s) }
    Failed(Failure { error_kind: "http_500", error: "the answer is HTTP 500" })
    Failed(Failure { error_kind: "html", error: "the answer is a web page" })
    Dead { message: "no" }
    Failed(Failure { error_kind: "missed", error: "no" })
    Failed(Failure { error_kind: "busy", error: "no" })
    Blocked { status: 403 }
    SlowDown { retry_after: Some(7s) }
    Failed(Failure { error_kind: "http_500", error: "the answer is HTTP 500" })
    Failed(Failure { error_kind: "html", error: "the answer is a web page" })
    "#);
}

#[tokio::test]
async fn an_accepting_answer_to_a_preview_is_no_preview() {
    let server = Server::start([answer(OK)]).await;
    let preview = client(&server.url(), PLENTY)
        .preview("7".parse().unwrap())
        .await;
    let Err(ReadError::Failed(failure)) = preview else {
        panic!("a preview: {preview:?}");
    };
    assert_eq!(failure.error_kind, "garbled");
}

#[tokio::test]
async fn a_password_that_was_fetched_again_is_hidden_like_the_first() {
    const NEW: &str = "Plugh-Frotz-0815";
    let refused = r#"{"doc":{"error":{"$type":"auth","$object":"badpassword","msg":{"$":"no"}}}}"#;
    let accepted = format!(r#"{{"doc":{{"auth":{{"$id":"{TOKEN}"}}}}}}"#);
    let echo = format!(r#"{{"doc":{{"error":{{"$type":"odd","msg":{{"$":"so {NEW} it is"}}}}}}}}"#);
    let server = Server::start([
        answer(refused),
        answer(&accepted),
        answer(&echo),
        answer(&echo),
    ])
    .await;
    let credentials = Credentials::Login {
        username: "owner@example.com".to_owned(),
        password: SecretString::from("Acc0unt-password"),
    };
    let settings = Settings {
        credentials,
        ..settings(&server.url(), PLENTY)
    };
    let sources = Sources {
        password: Some(Source::new(|| async { Ok(SecretString::from(NEW)) })),
        code: None,
    };
    let client = Client::with_sources(settings, sources).unwrap();
    let login = client.login().await;
    assert!(
        matches!(login, Err(LoginError::PasswordChanged { .. })),
        "{login:?}"
    );
    assert_eq!(client.login().await, Ok(1));
    let page = format!("{:?}", client.list_page(1).await.map(|_| ()));
    let submitted = format!("{:?}", submit(&client).await.answer);
    for said in [page, submitted] {
        assert!(said.contains("so *** it is"), "{said}");
        assert!(!said.contains(NEW), "{said}");
    }
}
