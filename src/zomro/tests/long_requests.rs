//! Long requests: their pages, and where these lead.

use crate::zomro::settings::Settings;
use crate::zomro::{Answer, Client, ReadError};

use super::server::*;

fn long(link: &str) -> Act {
    answer(&format!("<html><a href=\"{link}\">wait</a></html>"))
}

#[tokio::test]
async fn a_long_request_is_followed_to_its_verdict() {
    let server = Server::start([
        long("/long/1/billmgr?id=7&amp;x=1"),
        long("/long/2/billmgr"),
        answer(OK),
    ])
    .await;
    let submitted = submit(&client(&server.url(), PLENTY)).await;
    assert_eq!(submitted.answer, Answer::Accepted);
    let requests = server.requests();
    let looks: Vec<String> = requests[1..].iter().map(|look| readable(look)).collect();
    insta::assert_snapshot!(looks.join("\n"), @r"
    GET /long/1/billmgr?id=7&x=1 HTTP/1.1
    accept: */*
    user-agent: refleet/0.1.0
    host: <host>

    GET /long/2/billmgr HTTP/1.1
    accept: */*
    user-agent: refleet/0.1.0
    host: <host>
    ");
}

#[tokio::test]
async fn what_goes_wrong_with_a_long_request_is_unknown() {
    let access = answer(r#"{"doc":{"error":{"$type":"access","msg":"no"}}}"#);
    let value = answer(r#"{"doc":{"error":{"$type":"value","msg":"no"}}}"#);
    for (act, timeout) in [
        (Act::Reset, PLENTY),
        (Act::Hang, SHORT),
        (access, PLENTY),
        (value, PLENTY),
        (answer("<html>"), PLENTY),
        (answer(r#"{"doc":{"slist":[]}}"#), PLENTY),
        (answer(r#"{"doc":{}}"#), PLENTY),
        (Act::Answer(http("403 Forbidden", "", "")), PLENTY),
        (Act::Answer(http("429 Slow", "", "")), PLENTY),
        (Act::Answer(http("502 Bad Gateway", "", "")), PLENTY),
        (
            Act::Answer(http("302 Found", "Location: /\r\n", "")),
            PLENTY,
        ),
    ] {
        let server = Server::start([long("/long/1/billmgr"), act]).await;
        let submitted = submit(&client(&server.url(), timeout)).await;
        assert_eq!(verdict(&submitted), "unknown long_request");
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_long_request_has_an_end() {
    let server = Server::start((0..10_000).map(|_| long("/long/1/billmgr"))).await;
    let settings = Settings {
        follow_timeout: SHORT,
        ..settings(&server.url(), PLENTY)
    };
    let submitted = submit(&Client::new(settings).unwrap()).await;
    assert_eq!(verdict(&submitted), "unknown long_request");
}

#[tokio::test]
async fn a_long_request_never_leads_to_another_server() {
    let elsewhere = Server::start([]).await;
    for link in [
        format!("{}long/1/billmgr", elsewhere.url()),
        format!("//{}/long/1/billmgr", elsewhere.address),
        "https://127.0.0.1/long/1/billmgr".to_owned(),
        "javascript:/long/1/billmgr".to_owned(),
    ] {
        let (verdict, requests, _) = play(long(&link), PLENTY).await;
        assert_eq!(
            (verdict.as_str(), requests),
            ("unknown long_request", 1),
            "{link}"
        );
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_long_reading_is_followed_or_fails() {
    let list = r#"{"doc":{"p_elems":{"$":"0"}}}"#;
    let server = Server::start([
        long("/long/1/billmgr"),
        answer(list),
        long("/long/1/billmgr"),
        answer(r#"{"doc":{"error":{"$type":"access"}}}"#),
    ])
    .await;
    let client = client(&server.url(), PLENTY);
    assert_eq!(client.list_page(1).await.unwrap().value.total, 0);
    let Err(ReadError::Failed(failure)) = client.list_page(1).await else {
        panic!("the look is without a session: that it is refused says nothing");
    };
    assert_eq!(failure.error_kind, "long_request");
}

#[tokio::test]
async fn a_path_of_the_endpoint_is_kept() {
    let server = Server::start([answer(OK)]).await;
    let client = client(&format!("{}billmgr", server.url()), PLENTY);
    assert_eq!(submit(&client).await.answer, Answer::Accepted);
    assert!(server.requests()[0].starts_with("POST /billmgr HTTP/1.1\r\n"));
}
