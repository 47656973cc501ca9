//! Where a run looks and where it does not, how long it waits for what answers nothing, and what it says
//! there: as much as a key exchange takes, and nothing of any password.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use refleet::simulator::{Call, Oddities, SshRecord};
use serde_json::Value;

use super::{Blind, DONE};
use crate::rig::{IMAGE, LOGIN_PASSWORD, PASSWORD, Rig, USERNAME};

/// The messages of a client's half of a key exchange, by their numbers in SSH: what it offers, its part of
/// the secret, that it leaves, and that all after this one is encrypted. Asking for a login comes behind that.
const EXCHANGE: [u8; 4] = [20, 30, 1, ENCRYPTED];
const ENCRYPTED: u8 = 21;

/// Three seconds for what answers nothing, and time for a busy machine.
const WAITED_MAX: Duration = Duration::from_secs(8);

fn answering(count: usize, odd: &[&str]) -> Rig {
    Blind::SameImage.rig(count, odd)
}

fn keys(rig: &Rig) -> Vec<[bool; 2]> {
    let names = ["host_key_before", "host_key"];
    let of = |row: &Value| names.map(|name| row[name].is_string());
    rig.report().iter().map(of).collect()
}

#[test]
fn a_run_looks_at_the_ports_unless_nobody_would_compare_and_never_logs_in() {
    let nothing = SshRecord::default();
    for option in ["--no-witness", "--no-wait"] {
        let rig = answering(2, &[]);
        rig.run(&[option]).exit(DONE);
        assert_eq!(rig.record().ssh, nothing, "{option}");
        assert_eq!(keys(&rig), [[false; 2]; 2], "{option}");
    }
    let rig = answering(2, &[]);
    rig.run(&[]).exit(DONE);
    assert_eq!(keys(&rig), [[true; 2]; 2]);
    let SshRecord {
        connections,
        login_attempts,
    } = rig.record().ssh;
    assert!(connections >= 4, "{connections}");
    assert_eq!(login_attempts, 0);
}

#[test]
fn the_column_says_where_an_instance_answers() {
    let rig = answering(2, &[]);
    let port = rig.simulator.ssh_port().unwrap();
    let [first, second] = [0, 1].map(|nth| rig.services[nth]);
    let sheet = format!(
        "service_id,image,password,ssh_port\n{first},{IMAGE},{PASSWORD},{port}\n{second},{IMAGE},{PASSWORD},\n"
    );
    rig.write("fleet.csv", sheet);
    // Nothing answers at the port of which the option speaks.
    rig.run(&["--ssh-port", "1"]).exit(DONE);
    assert_eq!(keys(&rig), [[true; 2], [false; 2]]);
}

/// From the first call to the last submission.
fn until_all_were_sent(rig: &Rig) -> Duration {
    let calls = rig.simulator.calls();
    let sent = calls.iter().filter(|one| one.call == Call::Submission);
    let last_us = sent.map(|one| one.at_us).max().unwrap();
    Duration::from_micros(last_us - calls[0].at_us)
}

#[test]
fn a_port_that_answers_nothing_keeps_its_submission_waiting_for_three_seconds_at_most() {
    // The others answer, so it is waited for.
    let rig = answering(3, &["ssh=silent@5113120"]);
    rig.run(&["--workers", "1"]).exit(DONE);
    let waited = until_all_were_sent(&rig);
    assert!(waited < WAITED_MAX, "{waited:?}");
    assert_eq!(keys(&rig), [[true; 2], [false; 2], [true; 2]]);
}

#[test]
fn a_fleet_of_ports_that_answer_nothing_is_waited_for_once() {
    let mut rig = Rig::brisk(192, |config| {
        config.ssh_port = Some(0);
        config.odd = Oddities::parse(["ssh=silent"]).unwrap();
    });
    rig.pace.set("--workers", "48");
    let ended = rig.run(&["--progress", "plain"]).exit(DONE);
    let waited = until_all_were_sent(&rig);
    // As many at once as a run looks at, again and again, would take 18 seconds.
    assert!(waited < WAITED_MAX, "{waited:?}");
    assert_eq!(keys(&rig), [[false; 2]; 192]);
    ended.says("no instance shows a host key on its SSH port from here");
}

/// A way to an instance's SSH port, which keeps what its clients say.
struct Recorder {
    port: u16,
    said: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    /// At the address of `to`.
    fn before(to: SocketAddr) -> Self {
        let listener = TcpListener::bind((to.ip(), 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let said = Arc::new(Mutex::new(Vec::new()));
        let keeps = Arc::clone(&said);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let keeps = Arc::clone(&keeps);
                thread::spawn(move || keeps.lock().unwrap().push(hold(&client, to)));
            }
        });
        Self { port, said }
    }
}

/// Lets a client speak with `to` until one of them leaves; returns what the client has said.
fn hold(client: &TcpStream, to: SocketAddr) -> Vec<u8> {
    let server = TcpStream::connect(to).unwrap();
    let mut said = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            // Either may leave at any time.
            let _ = std::io::copy(&mut &server, &mut &*client);
            let _ = client.shutdown(Shutdown::Both);
        });
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = (&*client).read(&mut bytes) {
            said.extend_from_slice(&bytes[..count]);
            let _ = (&server).write_all(&bytes[..count]);
        }
        let _ = server.shutdown(Shutdown::Both);
    });
    said
}

/// The numbers of the messages that a client has sent in clear, behind the line that names it; and how much it
/// has said then.
fn messages(said: &[u8]) -> (BTreeSet<u8>, usize) {
    let line = said.iter().position(|byte| *byte == b'\n').unwrap();
    let mut rest = &said[line + 1..];
    let mut messages = BTreeSet::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>()
        && !messages.contains(&ENCRYPTED)
    {
        // Behind the length: that of the padding, then the message.
        messages.insert(behind[1]);
        rest = &behind[u32::from_be_bytes(*length) as usize..];
    }
    (messages, rest.len())
}

#[test]
fn what_is_said_at_a_port_is_a_key_exchange_and_nothing_of_a_password() {
    let rig = answering(1, &[]);
    let to = format!("127.66.0.1:{}", rig.simulator.ssh_port().unwrap());
    let recorder = Recorder::before(to.parse().unwrap());
    rig.run(&["--ssh-port", &recorder.port.to_string()])
        .exit(DONE);
    assert_eq!(keys(&rig), [[true; 2]]);
    let said = recorder.said.lock().unwrap();
    assert!(said.len() >= 2);
    for said in said.iter() {
        assert!(said.starts_with(b"SSH-2.0-refleet_"), "{said:?}");
        let (messages, behind) = messages(said);
        let is_exchange = messages.iter().all(|message| EXCHANGE.contains(message));
        assert!(is_exchange, "{messages:?}");
        assert_eq!(behind, 0, "{messages:?}");
        for secret in [PASSWORD, LOGIN_PASSWORD, USERNAME, "root"] {
            let mut windows = said.windows(secret.len());
            assert!(!windows.any(|window| window == secret.as_bytes()));
        }
    }
}
