//! What each way in which a network can fail is taken for, and how often the server saw the request.

use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

use crate::job::Access;
use crate::zomro::settings::{Settings, Sources};
use crate::zomro::transport::{self, Transport};
use crate::zomro::wiped::Wiped;
use crate::zomro::wire::{WatchedForm, Wire};
use crate::zomro::{Answer, Client, Submission, Submitted};

use super::server::*;

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let submitted = submit(&client(&format!("http://{address}/"), PLENTY)).await;
    assert_eq!(verdict(&submitted), "not_sent connect");
    assert_eq!(submitted.sent, None);
}

/// A resolver without a network.
struct Unresolved {
    hangs: bool,
}

impl Resolve for Unresolved {
    fn resolve(&self, _: Name) -> Resolving {
        let hangs = self.hangs;
        Box::pin(async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Err::<Addrs, _>("no such host".into())
        })
    }
}

/// A client with an HTTP stack of the test's own, and no proxy.
fn client_over(http: reqwest::Client, settings: Settings) -> Client {
    let transport = Transport::with_http(settings.endpoint.clone(), http, None);
    Client::with_transport(settings, Sources::default(), transport)
}

async fn submit_unresolved(hangs: bool) -> Submitted {
    let settings = settings("http://nonexistent.invalid/", SHORT);
    let http = transport::builder(&settings)
        .no_proxy()
        .dns_resolver(Arc::new(Unresolved { hangs }))
        .build()
        .unwrap();
    submit(&client_over(http, settings)).await
}

#[tokio::test]
async fn an_unknown_host_is_not_sent() {
    let submitted = submit_unresolved(false).await;
    assert_eq!(verdict(&submitted), "not_sent dns");
    assert_eq!(submitted.sent, None);
    assert!(
        !submitted
            .answer
            .failure()
            .unwrap()
            .error
            .contains("nonexistent"),
        "no URL is quoted"
    );
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_in_time_is_not_sent() {
    let submitted = submit_unresolved(true).await;
    assert_eq!(verdict(&submitted), "not_sent connect_timeout");
    assert_eq!(submitted.sent, None);
}

#[tokio::test]
async fn a_failed_tls_handshake_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let settings = settings(&url, PLENTY);
    let http = transport::builder(&settings)
        .tls_backend_preconfigured(transport::trusting_nobody())
        .build()
        .unwrap();
    let submitted = submit(&client_over(http, settings)).await;
    assert_eq!(verdict(&submitted), "not_sent tls");
    assert_eq!(submitted.sent, None);
}

/// A server that reads nothing and resets the connection, at once or when a request has arrived.
async fn submit_to_resetting(waits_for_request: bool) -> Submitted {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        if waits_for_request {
            stream.peek(&mut [0]).await.unwrap();
        }
        stream.set_zero_linger().unwrap();
    });
    submit(&client(&url, PLENTY)).await
}

#[tokio::test]
async fn a_reset_after_the_request_was_written_is_never_taken_for_unsent() {
    let submitted = submit_to_resetting(true).await;
    assert_eq!(verdict(&submitted), "unknown reset");
    assert!(submitted.sent.is_some());
    // Here it depends on who is faster, and the verdict says truly who was.
    let submitted = submit_to_resetting(false).await;
    let expected = match submitted.sent {
        Some(_) => "unknown reset",
        None => "not_sent connect",
    };
    assert_eq!(verdict(&submitted), expected);
}

#[tokio::test]
async fn what_breaks_after_the_request_was_read_is_unknown() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (act, timeout, expected) in [
        (Act::Reset, PLENTY, "unknown reset"),
        (Act::Raw(Vec::new()), PLENTY, "unknown reset"),
        (Act::Raw(b"HTTP/1.1 200".to_vec()), PLENTY, "unknown reset"),
        (
            Act::Raw(b"\x16\x03\x01 what?\r\n\r\n".to_vec()),
            PLENTY,
            "unknown garbled",
        ),
        (
            Act::Raw(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
            PLENTY,
            "unknown garbled",
        ),
        (
            Act::Raw(format!("{head}{OK}").into_bytes()),
            PLENTY,
            "unknown truncated",
        ),
        (
            Act::Raw(format!("{chunked}1e\r\n{OK}\r\n").into_bytes()),
            PLENTY,
            "unknown truncated",
        ),
        (
            Act::Raw(format!("{chunked}zz\r\n").into_bytes()),
            PLENTY,
            "unknown truncated",
        ),
        (Act::Hang, SHORT, "unknown timeout"),
        (
            Act::Trickle(format!("{}{OK}", head.replace("100", "10000"))),
            SHORT,
            "unknown timeout",
        ),
        (
            Act::Trickle("HTTP/1.1 200 OK\r\nX: ".to_owned()),
            SHORT,
            "unknown timeout",
        ),
        (answer(""), PLENTY, "unknown garbled"),
        (answer("<html>"), PLENTY, "unknown html"),
        (answer(r#"{"doc":{}}"#), PLENTY, "unknown no_verdict"),
        (
            Act::Answer(http("502 Bad Gateway", "", "<html>")),
            PLENTY,
            "unknown http_502",
        ),
        (
            Act::Answer(http("101 Switching", "", "")),
            PLENTY,
            "unknown http_101",
        ),
    ] {
        let (verdict, requests, submitted) = play(act, timeout).await;
        assert_eq!((verdict.as_str(), requests), (expected, 1));
        assert!(submitted.sent.is_some(), "{expected}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_left_unread() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    ] {
        let (taken, bytes) = tokio::sync::oneshot::channel();
        let (verdict, requests, _) = play(Act::Flood(head, taken), PLENTY).await;
        assert_eq!((verdict.as_str(), requests), ("unknown body_too_large", 1));
        let bytes = bytes.await.unwrap();
        assert!(
            bytes < 25 << 20,
            "{bytes} bytes were taken: socket buffers hold less"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start([]).await;
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let headers = format!("Location: {}\r\n", elsewhere.url());
        let (verdict, requests, _) = play(Act::Answer(http(status, &headers, "")), PLENTY).await;
        assert_eq!(verdict, format!("unknown http_{}", &status[..3]));
        assert_eq!(requests, 1);
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn what_was_surely_not_executed_is_told_so() {
    let slow = Act::Answer(http("429 Slow", "Retry-After: 7\r\n", ""));
    let (_, _, submitted) = play(slow, PLENTY).await;
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(submitted.answer, Answer::SlowDown { retry_after });
    let (_, _, submitted) = play(Act::Answer(http("460 X", "", "")), PLENTY).await;
    assert_eq!(submitted.answer, Answer::Blocked { status: 460 });
    let (_, _, submitted) = play(answer(r#"{"doc":{"slist":[]}}"#), PLENTY).await;
    assert_eq!(submitted.answer.class(), "unknown");
}

#[tokio::test]
async fn an_echoed_secret_is_masked() {
    let echo = format!(
        r#"{{"doc":{{"error":{{"$type":"value","$object":"{TOKEN}","msg":{{"$":"bad Secret77"}}}}}}}}"#
    );
    let (_, _, submitted) = play(answer(&echo), PLENTY).await;
    assert_eq!(submitted.answer.failure().unwrap().error, "***: bad ***");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_sends_nothing_twice() {
    let (closed, mut seen) = UnixStream::pair().unwrap();
    let first = Act::AnswerAndClose(http("200 OK", "", OK), closed);
    let server = Server::start([first, answer(OK)]).await;
    let client = client(&server.url(), PLENTY);
    assert_eq!(submit(&client).await.answer, Answer::Accepted);
    // Once this byte is there, so is the end of the connection.
    seen.read_exact(&mut [0]).await.unwrap();
    assert_eq!(submit(&client).await.answer, Answer::Accepted);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_connection_that_resets_under_the_second_request_leaves_it_in_doubt() {
    let server = Server::start([answer(OK), Act::Reset]).await;
    let client = client(&server.url(), PLENTY);
    assert_eq!(submit(&client).await.answer, Answer::Accepted);
    assert_eq!(verdict(&submit(&client).await), "unknown reset");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn many_submissions_at_once_are_sent_once_each() {
    let server = Server::start((0..50).map(|_| answer(OK))).await;
    let client = client(&server.url(), PLENTY);
    let submissions: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { submit(&client).await })
        })
        .collect();
    for submission in submissions {
        assert_eq!(submission.await.unwrap().answer, Answer::Accepted);
    }
    assert_eq!(server.requests().len(), 50);
}

#[tokio::test]
async fn a_form_that_was_settled_as_unsent_leaves_no_byte_on_the_wire() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        bytes
    });
    let wire = Arc::new(Wire::default());
    assert_eq!(wire.settle(), None);
    let mut bytes = Wiped::default();
    bytes.push(b"form");
    let form = WatchedForm::new(bytes, wire);
    let http = transport::builder(&settings(&url, PLENTY)).build().unwrap();
    let request = http.post(&url).body(reqwest::Body::wrap(form));
    assert!(request.send().await.is_err());
    assert_eq!(server.await.unwrap(), b"", "not even the head is sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_has_read_is_never_called_unsent() {
    let server = Server::start((0..400).map(|_| answer(OK))).await;
    let submissions: Vec<_> = (0..400_u32)
        .map(|number| {
            // From "never" to "always in time", so that some time-outs meet the hand-over.
            let client = client(&server.url(), Duration::from_micros(u64::from(number) * 50));
            let submission = Submission {
                service: (number + 1).to_string().parse().unwrap(),
                ..rebuild(Access::Image)
            };
            tokio::spawn(
                async move { (client.submit(&submission, None).await, submission.service) },
            )
        })
        .collect();
    let mut unsent = Vec::new();
    for submission in submissions {
        let (submitted, service) = submission.await.unwrap();
        if submitted.sent.is_none() {
            assert_eq!(submitted.answer.class(), "not_sent");
            unsent.push(format!("name=\"elid\"\r\n\r\n{service}\r\n"));
        }
    }
    for request in server.requests() {
        assert!(!unsent.iter().any(|elid| request.contains(elid)));
    }
}
