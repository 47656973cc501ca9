//! The simulator from outside: raw HTTP over real sockets, so that nothing of a client hides what
//! is on the wire.

mod catalogue;
mod control;
mod faults;
mod hold;
mod journal;
mod kinds;
mod life;
mod list;
mod odd;
mod rebuild;
mod sessions;
#[cfg(target_os = "linux")]
mod ssh;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::*;
use crate::job::{ImageId, ServiceId};

const IMAGE: &str = "18d0ee2e-4d57-4f40-9b56-03c1773b5831";
const WINDOWS: &str = "00000000-0000-4000-8000-0000000000aa";
const SERVICE: i64 = 5_113_119;
const STRONG: &str = "Simulator1";
/// No wait in here may be longer, so that a mistake ends as a failure.
const PATIENCE: Duration = Duration::from_secs(5);

fn id(service: i64) -> ServiceId {
    ServiceId::new(service).unwrap()
}

/// A small account with a session `cafe` and quick rebuilds.
fn config() -> Config {
    let rows = Config::example_rows((SERVICE..SERVICE + 12).map(id));
    let mut config = Config {
        session: Some("cafe".to_owned()),
        foreign: vec![id(77)],
        ssh_keys: vec![SshKey {
            id: "490".to_owned(),
            label: "laptop".to_owned(),
        }],
        accept_lag: Duration::ZERO,
        rebuild_duration: Duration::from_millis(40),
        rebuild_jitter: 0.0,
        page_size: 5,
        ..Config::for_fleet(rows)
    };
    config.images.push(Image {
        id: WINDOWS.parse::<ImageId>().unwrap(),
        name: "Windows-2022".to_owned(),
        zone: "own".to_owned(),
        datacenter: None,
    });
    config
}

async fn started(config: Config) -> Simulator {
    Simulator::start(config, "127.0.0.1:0".parse().unwrap())
        .await
        .unwrap()
}

/// Rebuilds that outlast any test.
async fn slow() -> Simulator {
    let rebuild_duration = Duration::from_hours(1);
    started(Config {
        rebuild_duration,
        ..config()
    })
    .await
}

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn doc(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()["doc"].clone()
    }

    /// `$type` and `$object`.
    fn error(&self) -> (String, String) {
        let error = &self.doc()["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (text("$type"), text("$object"))
    }

    fn is_ok(&self) -> bool {
        let doc = self.doc();
        doc.get("ok").is_some() && doc.get("error").is_none()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (header, value) = line.split_once(": ")?;
            header.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// One request on a connection of its own; an answer that ends before its announced length is an
/// error of kind `UnexpectedEof`.
async fn raw(simulator: &Simulator, request: &[u8]) -> io::Result<Reply> {
    let address = simulator.url()["http://".len()..].trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await??;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let body = bytes.split_off(end.ok_or(io::ErrorKind::UnexpectedEof)? + 4);
    let head = String::from_utf8(bytes).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let reply = Reply { status, head, body };
    let length = reply
        .header("content-length")
        .unwrap()
        .parse::<usize>()
        .unwrap();
    if reply.body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(reply)
}

async fn send(
    simulator: &Simulator,
    method: &str,
    path: &str,
    kind: &str,
    body: &str,
) -> io::Result<Reply> {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    raw(simulator, request.as_bytes()).await
}

fn multipart(fields: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        let head = "--x\r\nContent-Disposition: form-data; name=\"";
        body += &[head, name, "\"\r\n\r\n", value, "\r\n"].concat();
    }
    body + "--x--\r\n"
}

/// A call as the vendor documents it: a multipart form with `out=json`.
async fn call(simulator: &Simulator, fields: &[(&str, &str)]) -> io::Result<Reply> {
    let body = multipart(&[fields, &[("out", "json")]].concat());
    send(
        simulator,
        "POST",
        "/",
        "multipart/form-data; boundary=x",
        &body,
    )
    .await
}

/// A call with the session that exists from the start.
async fn authorised(simulator: &Simulator, fields: &[(&str, &str)]) -> io::Result<Reply> {
    call(simulator, &[&[("auth", "cafe")], fields].concat()).await
}

const REBUILD: (&str, &str) = ("func", "instances.fleio.rebuild");

/// A valid submission, with `changes` to it; an empty value leaves the field out.
async fn submit_with(simulator: &Simulator, changes: &[(&str, &str)]) -> io::Result<Reply> {
    let service = SERVICE.to_string();
    let mut fields = vec![
        ("auth", "cafe"),
        REBUILD,
        ("sok", "ok"),
        ("elid", &*service),
        ("zone", "image"),
        ("select_rebuild", IMAGE),
        ("enablessh", "off"),
        ("password", STRONG),
    ];
    for change in changes {
        fields.retain(|(name, _)| name != &change.0);
        if !change.1.is_empty() {
            fields.push(*change);
        }
    }
    call(simulator, &fields).await
}

async fn submit(simulator: &Simulator) -> io::Result<Reply> {
    submit_with(simulator, &[]).await
}

fn truth(simulator: &Simulator) -> ServiceRecord {
    simulator.service(id(SERVICE)).unwrap()
}

/// Polls until `done`; the wait is bounded.
async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done().await {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Status (as the panel compares it) and image of a service on the first page.
async fn listed(simulator: &Simulator, service: i64) -> Option<(String, String)> {
    let doc = authorised(simulator, &[("func", "instances")])
        .await
        .unwrap()
        .doc();
    let (rows, id) = (doc["elem"].as_array()?, &service.to_string());
    let row = rows.iter().find(|row| row["id"]["$"] == *id)?;
    let text = |name: &str| row[name]["$"].as_str().unwrap_or_default().to_owned();
    let status = text("instance_status").trim().to_lowercase();
    Some((status, text("instances_os")))
}

async fn page_ids(simulator: &Simulator, fields: &[(&str, &str)]) -> Vec<i64> {
    let fields = [&[("func", "instances")], fields].concat();
    let doc = authorised(simulator, &fields).await.unwrap().doc();
    let rows = doc
        .get("elem")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    rows.iter()
        .map(|row| row["id"]["$"].as_str().unwrap().parse().unwrap())
        .collect()
}

fn pair(left: &str, right: &str) -> (String, String) {
    (left.to_owned(), right.to_owned())
}

async fn post(simulator: &Simulator, path: &str, body: Value) -> u16 {
    let path = format!("/_simulator/{path}");
    let reply = send(
        simulator,
        "POST",
        &path,
        "application/json",
        &body.to_string(),
    )
    .await;
    reply.unwrap().status
}

async fn get(simulator: &Simulator, path: &str) -> Reply {
    send(simulator, "GET", &format!("/_simulator/{path}"), "", "")
        .await
        .unwrap()
}

fn next(simulator: &Simulator, fault: impl Into<Fault>) {
    simulator.script(Script::next(Call::Submission, fault));
}

/// Submits, and leaves without an answer `patience` after the submission has arrived.
async fn leave(simulator: &Simulator, patience: Duration) {
    let before = truth(simulator).submissions;
    let left = async {
        let arrived = async || truth(simulator).submissions > before;
        until("the arrival", arrived).await;
        tokio::time::sleep(patience).await;
    };
    tokio::select! {
        reply = submit(simulator) => panic!("{reply:?}"),
        () = left => {}
    }
}
