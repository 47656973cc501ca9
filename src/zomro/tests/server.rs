//! A server of raw sockets that plays a script, and clients of it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::job::{Access, Order, Rebuild};
use crate::zomro::settings::{Credentials, Settings};
use crate::zomro::{AccountField, Client, Endpoint, Submission, Submitted};

pub(super) const TOKEN: &str = "0123456789abcdef01234567";
pub(super) const OK: &str = r#"{"doc":{"ok":{},"tparams":{}}}"#;
/// Long enough never to matter.
pub(super) const PLENTY: Duration = Duration::from_secs(20);
/// Short enough to wait for, long enough for a busy machine to get the request through.
pub(super) const SHORT: Duration = Duration::from_millis(150);

/// What a server does with one request.
pub(super) enum Act {
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

pub(super) fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

pub(super) fn answer(body: &str) -> Act {
    Act::Answer(http("200 OK", "", body))
}

/// A server that plays a script, one act a request, and remembers the requests.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
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

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

pub(super) async fn serve(
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
pub(super) async fn read_request(stream: &mut TcpStream) -> Option<String> {
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

pub(super) fn settings(url: &str, timeout: Duration) -> Settings {
    Settings {
        endpoint: Endpoint::unchecked(url),
        credentials: Credentials::Token(SecretString::from(TOKEN)),
        account_field: AccountField::default(),
        timeout,
        follow_interval: Duration::from_millis(1),
        follow_timeout: PLENTY,
    }
}

pub(super) fn client(url: &str, timeout: Duration) -> Client {
    Client::new(settings(url, timeout)).unwrap()
}

pub(super) fn account(url: &str) -> Client {
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

pub(super) fn rebuild(access: Access) -> Submission {
    Submission {
        service: "5113119".parse().unwrap(),
        order: Order::Rebuild(Rebuild {
            image: "18d0ee2e-4d57-4f40-9b56-03c1773b5831".parse().unwrap(),
            zone: Some("pub".to_owned()),
            access,
        }),
    }
}

pub(super) async fn submit(client: &Client) -> Submitted {
    client
        .submit(
            &rebuild(Access::Password(SecretString::from("Secret77"))),
            None,
        )
        .await
}

/// Class and word.
pub(super) fn verdict(submitted: &Submitted) -> String {
    let class = submitted.answer.class();
    match submitted.answer.failure() {
        Some(failure) => format!("{class} {}", failure.error_kind),
        None => class.to_owned(),
    }
}

/// One submission to a server that does `act`: the verdict, and how many requests the server saw.
pub(super) async fn play(act: Act, timeout: Duration) -> (String, usize, Submitted) {
    let server = Server::start([act]).await;
    let submitted = submit(&client(&server.url(), timeout)).await;
    (verdict(&submitted), server.requests().len(), submitted)
}

/// Method, path and headers, then the fields.
pub(super) fn readable(request: &str) -> String {
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
