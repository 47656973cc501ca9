//! The simulator from outside: raw HTTP over real sockets, so that nothing of a client hides what
//! is on the wire.

mod journal;
mod kinds;
mod odd;

use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::*;
use crate::job::ImageId;

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

// ---- sessions ----------------------------------------------------------------------------------

#[tokio::test]
async fn a_login_gives_a_session_that_works_for_every_encoding() {
    let simulator = started(config()).await;
    let login = [
        ("func", "auth"),
        ("username", "simulator"),
        ("password", STRONG),
    ];
    let doc = call(&simulator, &login).await.unwrap().doc();
    let token = doc["auth"]["$id"].as_str().unwrap();
    assert_eq!(token.len(), 24);
    assert!(
        token
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    );
    assert_eq!(doc["auth"]["$"], *token);
    assert_eq!(doc["tparams"]["password"]["$"], STRONG);

    let query = format!("func=keepalive&out=json&auth={token}");
    let form = "application/x-www-form-urlencoded";
    for (method, path, body) in [
        ("POST", "/".to_owned(), &*query),
        ("POST", "/billmgr".to_owned(), &query),
        ("GET", format!("/billmgr?{query}"), ""),
        ("GET", format!("/?{query}"), ""),
    ] {
        let reply = send(&simulator, method, &path, form, body).await.unwrap();
        assert!(reply.is_ok(), "{method} {path}");
    }
    assert!(
        call(&simulator, &[("func", "keepalive"), ("auth", token)])
            .await
            .unwrap()
            .is_ok()
    );
    assert_eq!(simulator.record().violations, [""; 0]);
}

#[tokio::test]
async fn wrong_credentials_and_dead_sessions_are_refused_as_documented() {
    let simulator = started(config()).await;
    let login = [
        ("func", "auth"),
        ("username", "simulator"),
        ("password", "wrong"),
    ];
    let reply = call(&simulator, &login).await.unwrap();
    assert_eq!(reply.error(), pair("auth", "badpassword"));
    for fields in [
        &[("func", "keepalive")][..],
        &[("func", "keepalive"), ("auth", "beef")],
    ] {
        assert_eq!(
            call(&simulator, fields).await.unwrap().error(),
            pair("access", "keepalive")
        );
    }
    let info = [("func", "keepalive"), ("authinfo", "simulator:Simulator1")];
    assert!(call(&simulator, &info).await.unwrap().is_ok());
    let info = [("func", "keepalive"), ("authinfo", "simulator:wrong")];
    assert_eq!(call(&simulator, &info).await.unwrap().error().0, "access");
}

#[tokio::test]
async fn sessions_expire_once_or_for_good_and_logins_can_be_refused() {
    let simulator = started(config()).await;
    let keepalive = [("func", "keepalive")];
    let login = [
        ("func", "auth"),
        ("username", "simulator"),
        ("password", STRONG),
    ];
    let set = |sessions| {
        simulator.set(Settings {
            sessions: Some(sessions),
            ..Settings::default()
        });
    };
    set(Sessions::Expire);
    assert_eq!(
        authorised(&simulator, &keepalive).await.unwrap().error().0,
        "access"
    );
    let doc = call(&simulator, &login).await.unwrap().doc();
    let renewed = [
        ("func", "keepalive"),
        ("auth", doc["auth"]["$id"].as_str().unwrap()),
    ];
    assert!(call(&simulator, &renewed).await.unwrap().is_ok());
    set(Sessions::Refuse);
    assert_eq!(
        call(&simulator, &renewed).await.unwrap().error().0,
        "access"
    );
    set(Sessions::Accept);
    assert!(call(&simulator, &renewed).await.unwrap().is_ok());
    simulator.set(Settings {
        login: Some(Login::BlockLogon),
        session_ttl_ms: Some(0),
        ..Settings::default()
    });
    assert_eq!(
        call(&simulator, &login).await.unwrap().error(),
        pair("auth", "blocklogon")
    );
    assert_eq!(
        call(&simulator, &renewed).await.unwrap().error().0,
        "access"
    );
}

// ---- the list ----------------------------------------------------------------------------------

#[tokio::test]
async fn the_list_comes_in_pages_and_ends_with_an_empty_one() {
    let simulator = started(config()).await;
    let doc = authorised(&simulator, &[("func", "instances")])
        .await
        .unwrap()
        .doc();
    assert_eq!(doc["p_cnt"]["$"], "5");
    assert_eq!(doc["p_num"]["$"], "1");
    assert_eq!(doc["p_elems"]["$"], "12");
    let row = &doc["elem"][0];
    assert_eq!(row["id"]["$"], SERVICE.to_string());
    assert_eq!(row["servername"]["$"], "web-01");
    assert_eq!(row["ip"]["$"], "192.0.2.1");
    assert_eq!(row["instances_os"]["$"], "CentOS-7");
    let mut all = Vec::new();
    for (page, rows) in [("1", 5), ("2", 5), ("3", 2), ("4", 0)] {
        let ids = page_ids(&simulator, &[("p_num", page)]).await;
        assert_eq!(ids.len(), rows, "page {page}");
        all.extend(ids);
    }
    assert_eq!(all, (SERVICE..SERVICE + 12).collect::<Vec<_>>());
    let last_first = page_ids(&simulator, &[("p_col", "-id")]).await;
    assert_eq!(last_first[0], SERVICE + 11);
    assert_eq!(simulator.record().violations, [""; 0]);
}

#[tokio::test]
async fn a_shifting_list_moves_rows_between_two_calls() {
    let simulator = started(config()).await;
    simulator.set(Settings {
        list_shift: Some(3),
        ..Settings::default()
    });
    let first = page_ids(&simulator, &[]).await;
    let second = page_ids(&simulator, &[("p_num", "2")]).await;
    assert_eq!(first[0], SERVICE);
    // Three rows were passed over.
    assert_eq!(second[0], SERVICE + 8);
}

#[tokio::test]
async fn a_filtered_instance_is_missing_and_comes_back() {
    let simulator = started(config()).await;
    let change = |listed| InstanceChange {
        listed: Some(listed),
        ..InstanceChange::default()
    };
    assert!(simulator.change(id(SERVICE), &change(false)));
    assert_eq!(page_ids(&simulator, &[]).await[0], SERVICE + 1);
    let doc = authorised(&simulator, &[("func", "instances")])
        .await
        .unwrap()
        .doc();
    assert_eq!(doc["p_elems"]["$"], "11");
    assert_eq!(page_ids(&simulator, &[("p_num", "3")]).await.len(), 1);
    assert!(simulator.change(id(SERVICE), &change(true)));
    assert_eq!(page_ids(&simulator, &[]).await[0], SERVICE);
    assert!(!simulator.change(id(4), &change(true)));
}

#[tokio::test]
async fn what_the_panel_would_remember_is_a_violation() {
    let simulator = started(config()).await;
    authorised(&simulator, &[("func", "instances"), ("p_cnt", "7")])
        .await
        .unwrap();
    assert_eq!(page_ids(&simulator, &[]).await.len(), 7);
    let filter = [("func", "instances.filter"), ("sok", "ok"), ("id", "5")];
    assert_eq!(
        authorised(&simulator, &filter).await.unwrap().error().0,
        "nofunc"
    );
    let violations = simulator.record().violations;
    assert_eq!(violations.len(), 2, "{violations:?}");
    assert!(violations[0].contains("p_cnt") && violations[1].contains("instances.filter"));
}

#[tokio::test]
async fn a_list_that_lags_shows_what_was_while_the_truth_goes_on() {
    let simulator = slow().await;
    simulator.set(Settings {
        list_lag_ms: Some(300_000),
        ..Settings::default()
    });
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("active", "CentOS-7"))
    );
    assert_eq!(truth(&simulator).status, "rebuilding");
    simulator.set(Settings {
        list_lag_ms: Some(0),
        ..Settings::default()
    });
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("rebuilding", "CentOS-7"))
    );
}

// ---- the rebuild -------------------------------------------------------------------------------

#[tokio::test]
async fn the_preview_names_images_zones_and_keys_and_touches_nothing() {
    let simulator = started(config()).await;
    let service = SERVICE.to_string();
    let doc = authorised(&simulator, &[REBUILD, ("elid", &service)])
        .await
        .unwrap()
        .doc();
    assert!(doc.get("ok").is_none());
    assert_eq!(doc["elid"]["$"], *service);
    let list = |name: &str| {
        let lists = doc["slist"].as_array().unwrap();
        let list = lists.iter().find(|list| list["$name"] == name).unwrap();
        list["val"].as_array().unwrap().clone()
    };
    let images = list("select_rebuild");
    assert_eq!(
        images[0],
        json!({"$key": IMAGE, "$": "AlmaLinux-8", "$depend": "pub"})
    );
    assert_eq!(images.last().unwrap()["$key"], "null");
    assert_eq!(list("ssh_keys"), [json!({"$key": "490", "$": "laptop"})]);
    assert_eq!(list("zone")[0]["$"], "pub");
    let record = truth(&simulator);
    assert_eq!((record.submissions, record.wiped), (0, 0));
    assert_eq!(simulator.record().calls[&Call::Preview], 1);
}

#[tokio::test]
async fn an_account_without_keys_offers_a_lone_none() {
    let simulator = started(Config {
        ssh_keys: Vec::new(),
        ..config()
    })
    .await;
    let service = SERVICE.to_string();
    let doc = authorised(&simulator, &[REBUILD, ("elid", &service)])
        .await
        .unwrap()
        .doc();
    assert_eq!(doc["slist"][2]["val"][0]["$key"], "none");
}

#[tokio::test]
async fn the_list_shows_how_far_a_rebuild_is() {
    let simulator = started(config()).await;
    for (offset, accept_lag_ms, duration_ms, shown) in [
        (0, 3_600_000, 0, pair("active", "CentOS-7")),
        (1, 0, 3_600_000, pair("rebuilding", "CentOS-7")),
        (2, 0, 0, pair("active", "AlmaLinux-8")),
    ] {
        let service = SERVICE + offset;
        let next = Some(Behaviour {
            accept_lag_ms: Some(accept_lag_ms),
            duration_ms: Some(duration_ms),
            ..Behaviour::default()
        });
        let change = InstanceChange {
            next,
            ..InstanceChange::default()
        };
        assert!(simulator.change(id(service), &change));
        let elid = service.to_string();
        let doc = submit_with(&simulator, &[("elid", &elid)])
            .await
            .unwrap()
            .doc();
        assert_eq!(doc["ok"], json!({}));
        assert_eq!(doc["tparams"]["password"]["$"], STRONG);
        assert_eq!(listed(&simulator, service).await, Some(shown));
    }
}

#[tokio::test]
async fn a_rebuild_comes_back_with_the_new_image_and_is_recorded() {
    let simulator = started(config()).await;
    assert!(submit(&simulator).await.unwrap().is_ok());
    let back = Some(pair("active", "AlmaLinux-8"));
    until("the new image", async || {
        listed(&simulator, SERVICE).await == back
    })
    .await;
    let record = truth(&simulator);
    let counts = (
        record.accepted,
        record.wiped,
        record.answered,
        record.completed,
    );
    assert_eq!(counts, (1, 1, 1, 1));
    assert_eq!(record.wipes[0].image_id, IMAGE);
    let completed_ms = record.wipes[0].completed_ms.unwrap();
    assert_eq!(completed_ms - record.wipes[0].at_ms, 40);
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(truth(&simulator).wiped, 2);
}

#[tokio::test]
async fn a_rebuild_during_a_rebuild_is_a_running_operation() {
    let simulator = slow().await;
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(
        submit(&simulator).await.unwrap().error().1,
        "runningoperation"
    );
    let record = truth(&simulator);
    assert_eq!(
        (record.submissions, record.accepted, record.wiped),
        (2, 1, 1)
    );
    assert_eq!(simulator.record().rebuilds_max, 1);
}

#[tokio::test]
async fn every_field_of_a_submission_is_validated() {
    let simulator = slow().await;
    for (changes, field) in [
        (&[("zone", "")][..], "zone"),
        (&[("zone", "own")], "zone"),
        (&[("select_rebuild", "")], "select_rebuild"),
        (
            &[("select_rebuild", "00000000-0000-4000-8000-000000000000")],
            "select_rebuild",
        ),
        (&[("enablessh", "")], "enablessh"),
        (&[("enablessh", "yes")], "enablessh"),
        (&[("password", "Short1")], "password"),
        (&[("password", "simulator1")], "password"),
        (&[("password", "Simulator")], "password"),
        (&[("ssh_keys", "490")], "ssh_keys"),
        (&[("enablessh", "on"), ("ssh_keys", "490")], "password"),
        (&[("enablessh", "on"), ("password", "")], "ssh_keys"),
        (
            &[("enablessh", "on"), ("password", ""), ("ssh_keys", "491")],
            "ssh_keys",
        ),
        (
            &[
                ("select_rebuild", WINDOWS),
                ("enablessh", "on"),
                ("password", ""),
                ("ssh_keys", "490"),
            ],
            "enablessh",
        ),
    ] {
        let reply = submit_with(&simulator, changes).await.unwrap();
        assert_eq!(reply.error(), pair("value", field), "{changes:?}");
    }
    for (elid, kind) in [
        ("", "missed"),
        ("4", "missed"),
        ("5, 6", "missed"),
        ("77", "access"),
    ] {
        let reply = submit_with(&simulator, &[("elid", elid)]).await.unwrap();
        assert_eq!(reply.error().0, kind, "{elid}");
    }
    let reply = submit_with(&simulator, &[("auth", "dead")]).await.unwrap();
    assert_eq!(reply.error().0, "access");
    assert_eq!(truth(&simulator).wiped, 0);
}

#[tokio::test]
async fn every_documented_way_of_access_is_accepted() {
    let simulator = slow().await;
    for (index, changes) in [
        &[("zone", "pub")][..],
        &[("password", "")],
        &[("enablessh", "on"), ("password", ""), ("ssh_keys", "490")],
        &[("select_rebuild", WINDOWS), ("zone", "own")],
        &[("select_rebuild", WINDOWS), ("zone", "image")],
        &[("select_rebuild", "18D0EE2E-4D57-4F40-9B56-03C1773B5831")],
    ]
    .into_iter()
    .enumerate()
    {
        let service = (SERVICE + i64::try_from(index).unwrap()).to_string();
        let changes = [changes, &[("elid", &*service)]].concat();
        assert!(
            submit_with(&simulator, &changes).await.unwrap().is_ok(),
            "{changes:?}"
        );
    }
    assert_eq!(simulator.record().rebuilds_max, 6);
}

#[tokio::test]
async fn states_decide_whether_a_rebuild_is_taken() {
    let simulator = slow().await;
    for (index, (status, error)) in [
        ("stopped", None),
        ("error", None),
        ("rebuilding", Some("runningoperation")),
        ("processing", Some("runningoperation")),
        ("rescued", Some("instance_status")),
        ("suspended", Some("instance_status")),
    ]
    .into_iter()
    .enumerate()
    {
        let service = SERVICE + i64::try_from(index).unwrap();
        let change = InstanceChange {
            status: Some(status.to_owned()),
            ..InstanceChange::default()
        };
        assert!(simulator.change(id(service), &change));
        let reply = submit_with(&simulator, &[("elid", &service.to_string())])
            .await
            .unwrap();
        match error {
            None => assert!(reply.is_ok(), "{status}"),
            Some(object) => assert_eq!(reply.error().1, object, "{status}"),
        }
    }
}

#[tokio::test]
async fn the_next_rebuild_can_be_told_how_to_go() {
    let simulator = started(config()).await;
    let next = |behaviour| {
        let next = Some(behaviour);
        let change = InstanceChange {
            next,
            ..InstanceChange::default()
        };
        assert!(simulator.change(id(SERVICE), &change));
    };
    next(Behaviour {
        duration_ms: Some(0),
        image_after: Some("Somebody's".to_owned()),
        ..Behaviour::default()
    });
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("active", "Somebody's"))
    );
    next(Behaviour {
        outcome: Some(Outcome::Ignored),
        ..Behaviour::default()
    });
    assert!(submit(&simulator).await.unwrap().is_ok());
    let record = truth(&simulator);
    assert_eq!(
        (record.accepted, record.wiped, record.image.as_str()),
        (2, 1, "Somebody's")
    );
    next(Behaviour {
        accept_lag_ms: Some(3_600_000),
        image_at: Some(ImageAt::Accept),
        ..Behaviour::default()
    });
    assert!(submit(&simulator).await.unwrap().is_ok());
    // The name is new while the disk is still being written.
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("active", "AlmaLinux-8"))
    );
    assert_eq!(
        submit(&simulator).await.unwrap().error().1,
        "runningoperation"
    );
}

// ---- faults ------------------------------------------------------------------------------------

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

#[tokio::test]
async fn resets_reset_and_the_record_says_whether_it_was_executed() {
    let simulator = slow().await;
    for (kind, wiped) in [(FaultKind::ResetBefore, 0), (FaultKind::ResetAfter, 1)] {
        next(&simulator, kind);
        let error = submit(&simulator).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{kind}");
        let record = truth(&simulator);
        assert_eq!((record.wiped, record.answered), (wiped, 0), "{kind}");
        assert_eq!(simulator.record().faults[&kind], 1);
    }
}

#[tokio::test]
async fn timeouts_give_no_answer_and_the_record_says_whether_it_was_executed() {
    let simulator = slow().await;
    for (kind, wiped) in [(FaultKind::TimeoutBefore, 0), (FaultKind::TimeoutAfter, 1)] {
        next(&simulator, kind);
        leave(&simulator, Duration::from_millis(20)).await;
        assert_eq!(truth(&simulator).wiped, wiped, "{kind}");
        // A bounded one closes the connection in the end.
        let fault = Fault {
            delay_ms: Some(1),
            executed: Some(false),
            ..Fault::new(kind)
        };
        next(&simulator, fault);
        let error = submit(&simulator).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{kind}");
    }
    assert_eq!(simulator.record().submissions_in_flight_max, 1);
}

#[tokio::test]
async fn an_execution_may_come_long_after_the_answer() {
    let simulator = slow().await;
    let fault = Fault {
        executed: Some(true),
        execute_after_ms: Some(300),
        ..Fault::new(FaultKind::Unavailable)
    };
    next(&simulator, fault);
    assert_eq!(submit(&simulator).await.unwrap().status, 503);
    assert_eq!(truth(&simulator).wiped, 0);
    until("the late execution", async || truth(&simulator).wiped == 1).await;
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_the_execution() {
    let simulator = slow().await;
    simulator.set(Settings {
        latency_ms: Some(300),
        ..Settings::default()
    });
    leave(&simulator, Duration::ZERO).await;
    until("the execution", async || truth(&simulator).wiped == 1).await;
    assert_eq!(truth(&simulator).answered, 0);
}

#[tokio::test]
async fn statuses_in_front_of_the_api_are_answered_as_told() {
    let simulator = slow().await;
    for (kind, status) in [
        (FaultKind::TooManyRequests, 429),
        (FaultKind::Unavailable, 503),
        (FaultKind::Forbidden, 403),
        (FaultKind::AddressBlocked, 460),
    ] {
        next(&simulator, kind);
        let reply = submit(&simulator).await.unwrap();
        assert_eq!((reply.status, reply.header("retry-after")), (status, None));
        for retry_after in ["7", "Mon, 23 Nov 2026 02:00:00 GMT"] {
            let retry_after = Some(retry_after.to_owned());
            next(
                &simulator,
                Fault {
                    retry_after: retry_after.clone(),
                    ..Fault::new(kind)
                },
            );
            let reply = submit(&simulator).await.unwrap();
            assert_eq!(reply.header("retry-after"), retry_after.as_deref());
        }
    }
    let fault = Fault {
        status: Some(302),
        body: Some("elsewhere".to_owned()),
        executed: Some(true),
        ..Fault::new(FaultKind::Html)
    };
    assert_eq!(truth(&simulator).wiped, 0);
    next(&simulator, fault);
    let reply = submit(&simulator).await.unwrap();
    assert_eq!((reply.status, &*reply.body), (302, &b"elsewhere"[..]));
    assert_eq!(truth(&simulator).wiped, 1);
}

#[tokio::test]
async fn answers_that_are_no_answers_follow_an_execution() {
    for kind in [
        FaultKind::Garbage,
        FaultKind::Truncated,
        FaultKind::OtherShape,
        FaultKind::Html,
    ] {
        for executed in [false, true] {
            let simulator = slow().await;
            next(
                &simulator,
                Fault {
                    executed: Some(executed),
                    ..Fault::new(kind)
                },
            );
            let reply = submit(&simulator).await.unwrap();
            assert_eq!(reply.status, 200, "{kind}");
            let parsed: Result<Value, _> = serde_json::from_slice(&reply.body);
            match kind {
                FaultKind::OtherShape => assert!(parsed.unwrap()["doc"].get("ok").is_none()),
                _ => assert!(parsed.is_err(), "{kind}: {reply:?}"),
            }
            let record = truth(&simulator);
            assert_eq!(
                (record.wiped, record.answered),
                (u64::from(executed), 0),
                "{kind}"
            );
        }
    }
}

#[tokio::test]
async fn a_connection_may_close_in_the_middle_of_the_body() {
    let simulator = slow().await;
    next(&simulator, FaultKind::CutOff);
    let error = submit(&simulator).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.answered), (1, 0));
}

#[tokio::test]
async fn slow_late_and_large_answers_are_right_in_the_end() {
    let simulator = slow().await;
    let list = |fault: Fault| simulator.script(Script::next(Call::Instances, fault));
    let read = async || {
        authorised(&simulator, &[("func", "instances")])
            .await
            .unwrap()
    };
    let begun = Instant::now();
    list(Fault {
        bytes: Some(500),
        delay_ms: Some(5),
        ..Fault::new(FaultKind::Trickle)
    });
    let reply = read().await;
    assert_eq!(reply.doc()["p_elems"]["$"], "12");
    let pauses = u32::try_from(reply.body.len().div_ceil(500) - 1).unwrap();
    assert!(pauses > 2 && begun.elapsed() >= pauses * Duration::from_millis(5));
    let begun = Instant::now();
    list(Fault {
        delay_ms: Some(30),
        ..Fault::new(FaultKind::Delay)
    });
    assert_eq!(read().await.doc()["p_elems"]["$"], "12");
    assert!(begun.elapsed() >= Duration::from_millis(30));
    list(Fault {
        bytes: Some(100_000),
        ..Fault::new(FaultKind::Huge)
    });
    let reply = read().await;
    assert!(reply.body.len() > 100_000);
    assert_eq!(reply.doc()["p_elems"]["$"], "12");
}

#[tokio::test]
async fn a_long_request_leads_to_the_answer_over_as_many_pages_as_told() {
    let simulator = slow().await;
    next(
        &simulator,
        Fault {
            pages: Some(3),
            ..Fault::new(FaultKind::LongRequest)
        },
    );
    let page = String::from_utf8(submit(&simulator).await.unwrap().body).unwrap();
    let link = page
        .split("href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    assert!(
        link.starts_with("/long") && link.ends_with("billmgr"),
        "{link}"
    );
    let follow = async || send(&simulator, "GET", &link, "", "").await;
    let again = follow().await.unwrap();
    assert!(String::from_utf8(again.body).unwrap().contains(&link));
    // A page that comes late is no answer either.
    let late = Fault {
        delay_ms: Some(1),
        ..Fault::new(FaultKind::Delay)
    };
    simulator.script(Script::next(Call::LongRequest, late));
    let again = follow().await.unwrap();
    assert!(String::from_utf8(again.body).unwrap().contains(&link));
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.answered), (1, 0));
    // That leg can fail, too, without losing the answer…
    simulator.script(Script::next(Call::LongRequest, FaultKind::ResetBefore));
    assert_eq!(
        follow().await.unwrap_err().kind(),
        io::ErrorKind::ConnectionReset
    );
    assert!(follow().await.unwrap().is_ok());
    assert_eq!(truth(&simulator).answered, 1);
    // …which is given once.
    assert_eq!(follow().await.unwrap().status, 404);
}

#[tokio::test]
async fn documented_errors_come_as_told_executed_or_not() {
    let simulator = slow().await;
    let fault = Fault {
        error_type: Some("limit".to_owned()),
        error_object: Some("quota".to_owned()),
        message: Some("Too much".to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    next(&simulator, fault.clone());
    let reply = submit(&simulator).await.unwrap();
    assert_eq!(reply.error(), pair("limit", "quota"));
    assert_eq!(reply.doc()["error"]["msg"]["$"], "Too much ");
    next(&simulator, FaultKind::Busy);
    assert_eq!(
        submit(&simulator).await.unwrap().error().1,
        "runningoperation"
    );
    assert_eq!(truth(&simulator).wiped, 0);
    next(
        &simulator,
        Fault {
            executed: Some(true),
            ..fault
        },
    );
    assert_eq!(
        submit(&simulator).await.unwrap().error(),
        pair("limit", "quota")
    );
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.answered), (1, 0));
}

#[tokio::test]
async fn a_session_that_expires_under_a_call_stays_dead() {
    let simulator = slow().await;
    next(&simulator, FaultKind::SessionExpiry);
    let refused = pair("access", "instances.fleio.rebuild");
    assert_eq!(submit(&simulator).await.unwrap().error(), refused);
    assert_eq!(submit(&simulator).await.unwrap().error(), refused);
    assert_eq!(truth(&simulator).wiped, 0);
}

#[tokio::test]
async fn an_instance_may_end_in_error() {
    let simulator = started(config()).await;
    next(&simulator, FaultKind::InstanceError);
    assert!(submit(&simulator).await.unwrap().is_ok());
    until("the error", async || truth(&simulator).status == "error").await;
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.answered, record.completed), (1, 1, 0));
}

#[tokio::test]
async fn every_kind_of_fault_can_hit_every_call_without_stopping_the_simulator() {
    let simulator = slow().await;
    let service = SERVICE.to_string();
    for kind in FaultKind::ALL {
        for (call_kind, fields) in [
            (
                Call::Auth,
                vec![
                    ("func", "auth"),
                    ("username", "simulator"),
                    ("password", STRONG),
                ],
            ),
            (Call::Keepalive, vec![("func", "keepalive")]),
            (Call::Instances, vec![("func", "instances")]),
            (Call::Preview, vec![REBUILD, ("elid", &service)]),
            (
                Call::Submission,
                vec![REBUILD, ("sok", "ok"), ("elid", &service)],
            ),
        ] {
            let fault = Fault {
                delay_ms: Some(1),
                bytes: Some(1000),
                executed: Some(false),
                ..Fault::new(*kind)
            };
            simulator.script(Script::next(call_kind, fault));
            let _ = authorised(&simulator, &fields).await;
        }
        assert_eq!(simulator.record().faults[kind], 5, "{kind}");
    }
    let info = [("func", "keepalive"), ("authinfo", "simulator:Simulator1")];
    assert!(call(&simulator, &info).await.unwrap().is_ok());
}

#[tokio::test]
async fn the_same_seed_and_the_same_calls_give_the_same_truth() {
    let plan = FaultPlan {
        rate: 0.5,
        kinds: vec![
            FaultKind::TooManyRequests,
            FaultKind::Unavailable,
            FaultKind::ResetBefore,
            FaultKind::ResetAfter,
            FaultKind::Garbage,
        ],
        seed: 42,
    };
    let mut runs = Vec::new();
    for order in [[0, 1, 2, 3, 4, 5, 6, 7], [7, 3, 5, 1, 6, 2, 4, 0]] {
        let rebuild_duration = Duration::from_hours(1);
        let faults = plan.clone();
        let simulator = started(Config {
            rebuild_duration,
            faults,
            ..config()
        })
        .await;
        for number in order {
            let elid = (SERVICE + number).to_string();
            for _ in 0..3 {
                let _ = submit_with(&simulator, &[("elid", &elid)]).await;
            }
        }
        let record = simulator.record();
        let wiped: Vec<_> = record
            .services
            .values()
            .map(|service| service.wiped)
            .collect();
        runs.push((wiped, record.faults));
    }
    assert_eq!(runs[0], runs[1]);
    assert!(!runs[0].1.is_empty());
}

// ---- the control interface ---------------------------------------------------------------------

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

#[tokio::test]
async fn another_process_can_script_change_and_read_everything() {
    let simulator = slow().await;
    let script = json!({
        "call": "submission", "elid": SERVICE, "skip": 1, "times": 1,
        "fault": {"kind": "429", "retry_after": "3"},
    });
    assert_eq!(post(&simulator, "script", script).await, 200);
    let stop = json!({"status": "stopped", "image": "backup"});
    let service = format!("services/{SERVICE}");
    assert_eq!(post(&simulator, &service, stop).await, 200);
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("stopped", "backup"))
    );
    assert_eq!(
        post(
            &simulator,
            "config",
            json!({"page_size": 7, "list_lag_ms": 0})
        )
        .await,
        200
    );
    assert_eq!(page_ids(&simulator, &[]).await.len(), 7);
    let behaviour = json!({"next": {"outcome": "ignored"}});
    assert_eq!(post(&simulator, &service, behaviour).await, 200);
    assert!(submit(&simulator).await.unwrap().is_ok());
    let reply = submit(&simulator).await.unwrap();
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("3"))
    );
    assert!(submit(&simulator).await.unwrap().is_ok());

    let record: Record = serde_json::from_value(get(&simulator, "record").await.json()).unwrap();
    assert_eq!(record, simulator.record());
    let own: ServiceRecord =
        serde_json::from_value(get(&simulator, &service).await.json()).unwrap();
    assert_eq!((own.submissions, own.accepted, own.wiped), (3, 2, 1));
    assert_eq!(record.services[&SERVICE], own);
    let calls: Vec<CallRecord> =
        serde_json::from_value(get(&simulator, "calls").await.json()).unwrap();
    let submissions = calls.iter().filter(|call| call.call == Call::Submission);
    assert_eq!(
        submissions
            .filter(|call| call.elid == Some(SERVICE))
            .count(),
        3
    );
    assert!(calls.is_sorted_by_key(|call| call.at_us));
}

#[tokio::test]
async fn mistakes_in_control_requests_are_refused() {
    let simulator = slow().await;
    for (path, body) in [
        (
            "script",
            json!({"call": "submission", "fault": {"kind": "no-such-kind"}}),
        ),
        (
            "script",
            json!({"call": "submission", "fault": {"kind": "429", "retry-after": "3"}}),
        ),
        ("script", json!({"func": "auth", "fault": {"kind": "429"}})),
        ("config", json!({"list_lag": 5})),
        ("services/5113119", json!({"state": "active"})),
    ] {
        assert_eq!(
            post(&simulator, path, body.clone()).await,
            422,
            "{path} {body}"
        );
    }
    assert_eq!(post(&simulator, "services/4", json!({})).await, 404);
    assert_eq!(get(&simulator, "services/4").await.status, 404);
}

#[tokio::test]
async fn scripts_are_met_in_the_order_of_their_queue() {
    let simulator = slow().await;
    next(&simulator, FaultKind::TooManyRequests);
    next(&simulator, FaultKind::Forbidden);
    next(&simulator, FaultKind::AddressBlocked);
    for status in [429, 403, 460, 200] {
        assert_eq!(submit(&simulator).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn scripts_can_be_forgotten() {
    let simulator = slow().await;
    let everything = Script {
        times: u64::MAX,
        ..Script::next(Call::Submission, FaultKind::Forbidden)
    };
    simulator.script(everything);
    assert_eq!(submit(&simulator).await.unwrap().status, 403);
    assert_eq!(submit(&simulator).await.unwrap().status, 403);
    let reply = send(&simulator, "DELETE", "/_simulator/script", "", "")
        .await
        .unwrap();
    assert_eq!(reply.status, 200);
    assert!(submit(&simulator).await.unwrap().is_ok());
}

// ---- the gate ----------------------------------------------------------------------------------

#[tokio::test]
async fn a_submission_that_is_held_is_executed_when_it_is_released_and_not_before() {
    let simulator = slow().await;
    simulator.hold_submissions(1);
    let state = || {
        let truth = truth(&simulator);
        (truth.submissions, truth.wiped)
    };
    let other = (SERVICE + 1).to_string();
    let first = submit_with(&simulator, &[("elid", &*other)]).await;
    assert!(first.unwrap().is_ok(), "it was let through");
    let held = submit(&simulator);
    let test = async {
        until("the arrival", async || state().0 == 1).await;
        // Whatever is no submission is answered.
        assert_eq!(page_ids(&simulator, &[]).await.len(), 5);
        assert_eq!(state(), (1, 0));
        simulator.release_submissions();
    };
    let (reply, ()) = tokio::join!(held, test);
    assert!(reply.unwrap().is_ok());
    assert_eq!(state(), (1, 1));
}

#[tokio::test]
async fn a_held_submission_outlives_its_client_but_not_the_simulator() {
    let simulator = slow().await;
    simulator.hold_submissions(0);
    leave(&simulator, Duration::ZERO).await;
    assert_eq!(truth(&simulator).wiped, 0);
    simulator.release_submissions();
    until("the execution", async || truth(&simulator).wiped == 1).await;

    let simulator = slow().await;
    simulator.hold_submissions(0);
    leave(&simulator, Duration::ZERO).await;
    assert_eq!(simulator.shutdown().await.services[&SERVICE].wiped, 0);
}

#[tokio::test]
async fn a_held_submission_meets_its_fault_when_it_is_released() {
    let simulator = slow().await;
    simulator.hold_submissions(0);
    next(&simulator, FaultKind::TooManyRequests);
    let test = async {
        until("the arrival", async || truth(&simulator).submissions == 1).await;
        simulator.release_submissions();
    };
    let (reply, ()) = tokio::join!(submit(&simulator), test);
    assert_eq!((reply.unwrap().status, truth(&simulator).wiped), (429, 0));
}

// ---- start and end -----------------------------------------------------------------------------

#[tokio::test]
async fn only_loopback_is_listened_on() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = Simulator::start(config(), address.parse().unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{address}");
    }
}

#[tokio::test]
async fn a_shutdown_frees_the_port_even_while_a_call_hangs() {
    let simulator = slow().await;
    let address: SocketAddr = simulator.url()["http://".len()..]
        .trim_end_matches('/')
        .parse()
        .unwrap();
    next(&simulator, FaultKind::TimeoutAfter);
    leave(&simulator, Duration::ZERO).await;
    next(&simulator, FaultKind::TimeoutBefore);
    let body = multipart(&[REBUILD, ("sok", "ok"), ("out", "json"), ("elid", "5113119")]);
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\
         Content-Type: multipart/form-data; boundary=x\r\n\r\n{body}"
    );
    let mut hanging = TcpStream::connect(address).await.unwrap();
    hanging.write_all(request.as_bytes()).await.unwrap();
    until("the arrival", async || truth(&simulator).submissions == 2).await;
    let record = simulator.shutdown().await;
    assert_eq!(record.services[&SERVICE].wiped, 1);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_dropped_simulator_stops_listening() {
    let simulator = slow().await;
    let address: SocketAddr = simulator.url()["http://".len()..]
        .trim_end_matches('/')
        .parse()
        .unwrap();
    drop(simulator);
    until("the port to be free", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn what_is_no_form_is_refused_and_remembered() {
    let simulator = slow().await;
    for (kind, body) in [
        ("text/plain", "func=auth"),
        ("multipart/form-data; boundary=x", "--x\r\n"),
        ("application/json", "{}"),
    ] {
        assert_eq!(
            send(&simulator, "POST", "/", kind, body)
                .await
                .unwrap()
                .status,
            400
        );
    }
    assert_eq!(
        send(&simulator, "PUT", "/", "text/plain", "")
            .await
            .unwrap()
            .status,
        405
    );
    assert_eq!(simulator.record().violations.len(), 3);
}
