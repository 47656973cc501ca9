//! The client against real sockets: what each way in which a network can fail is taken for, and how
//! often the server saw the request.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::settings::{Credentials, Settings};
use super::transport::{self, Transport};
use super::wiped::Wiped;
use super::wire::{WatchedForm, Wire};
use super::{Answer, Client, Endpoint, Keepalive, LoginError, ReadError, Rebuild, Submitted};
use crate::job::Access;

const TOKEN: &str = "0123456789abcdef01234567";
const OK: &str = r#"{"doc":{"ok":{},"tparams":{}}}"#;
/// Long enough never to matter.
const PLENTY: Duration = Duration::from_secs(20);
/// Short enough to wait for, long enough for a busy machine to get the request through.
const SHORT: Duration = Duration::from_millis(150);

/// What a server does with one request.
enum Act {
    /// Answers, and waits for the next request on the same connection.
    Answer(String),
    /// Answers, and closes the connection; then a byte is written to the other socket.
    AnswerAndClose(String, UnixStream),
    /// Sends these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Sends these bytes and then one more from time to time.
    Trickle(String),
    /// Sends a head, and then zeros as long as anybody takes them; says how many were taken.
    Flood(&'static str, tokio::sync::oneshot::Sender<usize>),
    /// Resets the connection.
    Reset,
    /// Keeps the connection, and says nothing.
    Hang,
}

fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

fn answer(body: &str) -> Act {
    Act::Answer(http("200 OK", "", body))
}

/// A server that plays a script, one act a request, and remembers the requests.
struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
        };
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let requests = Arc::clone(&server.requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&requests)));
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Act>>>,
    requests: Arc<Mutex<Vec<String>>>,
) {
    while let Some(request) = read_request(&mut stream).await {
        requests.lock().unwrap().push(request);
        let act = script
            .lock()
            .unwrap()
            .pop_front()
            .expect("a request beyond the script");
        match act {
            Act::Answer(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Act::AnswerAndClose(text, mut closed) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                drop(stream);
                closed.write_all(b"!").await.unwrap();
                return;
            }
            Act::Raw(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                return;
            }
            Act::Trickle(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                while stream.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(SHORT / 6).await;
                }
                return;
            }
            Act::Flood(head, taken) => {
                stream.write_all(head.as_bytes()).await.unwrap();
                let mut bytes = 0;
                while let Ok(written) = stream.write(&[b' '; 1 << 14]).await {
                    bytes += written;
                }
                taken.send(bytes).unwrap();
                return;
            }
            Act::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Act::Hang => {
                let _ = stream.read(&mut [0]).await;
                return;
            }
        }
    }
}

/// A whole request, head and body; `None` where the connection ended instead.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn settings(url: &str, timeout: Duration) -> Settings {
    Settings {
        endpoint: Endpoint::unchecked(url),
        credentials: Credentials::Token(SecretString::from(TOKEN)),
        timeout,
        follow_interval: Duration::from_millis(1),
        follow_timeout: PLENTY,
    }
}

fn client(url: &str, timeout: Duration) -> Client {
    Client::new(settings(url, timeout)).unwrap()
}

fn account(url: &str) -> Client {
    let credentials = Credentials::Login {
        username: "owner@example.com".to_owned(),
        password: SecretString::from("Acc0unt-password"),
    };
    Client::new(Settings {
        credentials,
        ..settings(url, PLENTY)
    })
    .unwrap()
}

fn rebuild(access: Access) -> Rebuild {
    Rebuild {
        service: "5113119".parse().unwrap(),
        image: "18d0ee2e-4d57-4f40-9b56-03c1773b5831".parse().unwrap(),
        zone: "pub".to_owned(),
        access,
    }
}

async fn submit(client: &Client) -> Submitted {
    client
        .submit(&rebuild(Access::Password(SecretString::from("Secret77"))))
        .await
}

/// Class and word.
fn verdict(submitted: &Submitted) -> String {
    let class = submitted.answer.class();
    match submitted.answer.failure() {
        Some(failure) => format!("{class} {}", failure.error_kind),
        None => class.to_owned(),
    }
}

/// One submission to a server that does `act`: the verdict, and how many requests the server saw.
async fn play(act: Act, timeout: Duration) -> (String, usize, Submitted) {
    let server = Server::start([act]).await;
    let submitted = submit(&client(&server.url(), timeout)).await;
    (verdict(&submitted), server.requests().len(), submitted)
}

/// Method, path and headers, then the fields.
fn readable(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut text = Vec::new();
    let mut boundary = String::new();
    for line in head.lines() {
        text.push(match line.split_once(": ") {
            Some(("content-type", value)) => {
                boundary = value.split_once("boundary=").unwrap().1.to_owned();
                line.replace(&boundary, "<boundary>")
            }
            Some(("content-length", value)) => {
                assert_eq!(value.parse(), Ok(body.len()));
                "content-length: <exact>".to_owned()
            }
            Some(("host", _)) => "host: <host>".to_owned(),
            Some(_) | None => line.to_owned(),
        });
    }
    if boundary.is_empty() {
        assert_eq!(body, "");
    } else {
        let parts = body.strip_suffix(&format!("--{boundary}--\r\n")).unwrap();
        for part in parts.split(&format!("--{boundary}\r\n")).skip(1) {
            let (head, value) = part.split_once("\r\n\r\n").unwrap();
            let value = value.strip_suffix("\r\n").unwrap();
            text.push(format!("{head} = {value}"));
        }
    }
    text.join("\n") + "\n"
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
        let submitted = client.submit(&rebuild(access)).await;
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
    Client::with_transport(settings, transport)
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
            let rebuild = Rebuild {
                service: (number + 1).to_string().parse().unwrap(),
                ..rebuild(Access::Image)
            };
            tokio::spawn(async move { (client.submit(&rebuild).await, rebuild.service) })
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
