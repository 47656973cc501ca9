//! The instances' SSH ports, as a client sees them.

mod traps;

use std::sync::{Arc, Mutex};

use russh::client::{self, Handle, Handler};
use russh::keys::ssh_key::HashAlg;
use russh::keys::{Algorithm, EcdsaCurve, PublicKeyOrCertificate};
use russh::{ChannelMsg, Preferred};
use tokio::task::JoinSet;

use super::*;

const ED25519: Algorithm = Algorithm::Ed25519;
const ECDSA: Algorithm = Algorithm::Ecdsa {
    curve: EcdsaCurve::NistP256,
};

/// A client that takes any key, and says which it was.
#[derive(Clone, Default)]
struct Curious(Arc<Mutex<Option<String>>>);

impl Handler for Curious {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            return Ok(false);
        };
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        *self.0.lock().unwrap() = Some(fingerprint);
        Ok(true)
    }
}

/// A connection to the first instance's address, and the fingerprint of the key that answers there.
async fn connect_to(
    ip: &str,
    port: u16,
    algorithm: Algorithm,
) -> Result<(Handle<Curious>, String), russh::Error> {
    let config = client::Config {
        preferred: Preferred {
            key: vec![algorithm].into(),
            ..Preferred::default()
        },
        ..client::Config::default()
    };
    let client = Curious::default();
    let connecting = client::connect(Arc::new(config), (ip, port), client.clone());
    let handle = timeout(PATIENCE, connecting).await.expect("it hangs")?;
    let seen = client.0.lock().unwrap().take();
    Ok((handle, seen.expect("a key was shown")))
}

fn address(simulator: &Simulator, service: i64) -> String {
    let account = simulator.shared.account();
    account.address(id(service)).unwrap()
}

/// The fingerprint of the key that a service shows; `None`: nothing answers.
async fn key_of(simulator: &Simulator, service: i64, algorithm: Algorithm) -> Option<String> {
    let ip = address(simulator, service);
    let port = simulator.ssh_port().unwrap();
    let seen = connect_to(&ip, port, algorithm).await;
    seen.ok().map(|(_, key)| key)
}

async fn key(simulator: &Simulator) -> Option<String> {
    key_of(simulator, SERVICE, ED25519).await
}

/// An account whose instances answer by SSH.
async fn answering(change: impl FnOnce(&mut Config)) -> Simulator {
    let mut config = Config {
        ssh_port: Some(0),
        ..config()
    };
    change(&mut config);
    started(config).await
}

/// Rebuilds the first instance; returns when that is complete.
async fn rebuilt(simulator: &Simulator) {
    let before = truth(simulator).completed;
    assert!(submit(simulator).await.unwrap().is_ok());
    let complete = async || truth(simulator).completed > before;
    until("the end of the rebuild", complete).await;
}

#[tokio::test]
async fn each_instance_shows_keys_of_its_own_and_others_after_a_rebuild() {
    let simulator = answering(|_| {}).await;
    for algorithm in [ED25519, ECDSA] {
        let first = key_of(&simulator, SERVICE, algorithm.clone()).await;
        let second = key_of(&simulator, SERVICE + 1, algorithm.clone()).await;
        assert!(first.is_some() && second.is_some() && first != second);
        assert_eq!(first, key_of(&simulator, SERVICE, algorithm.clone()).await);
        rebuilt(&simulator).await;
        let after = key_of(&simulator, SERVICE, algorithm.clone()).await;
        assert!(after.is_some() && after != first, "{after:?}");
        let untouched = key_of(&simulator, SERVICE + 1, algorithm).await;
        assert_eq!(second, untouched);
    }
}

#[tokio::test]
async fn the_old_system_answers_until_the_rebuild_begins_and_nothing_until_it_has_ended() {
    let simulator = answering(|config| config.accept_lag = Duration::from_hours(1)).await;
    let old = key(&simulator).await;
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(truth(&simulator).wiped, 1);
    assert_eq!(key(&simulator).await, old);

    let simulator = answering(|config| config.rebuild_duration = Duration::from_hours(1)).await;
    assert_eq!(key(&simulator).await, old);
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(key(&simulator).await, None);
    let mended = InstanceChange {
        status: Some("active".to_owned()),
        ..InstanceChange::default()
    };
    assert!(simulator.change(id(SERVICE), &mended));
    let new = key(&simulator).await;
    assert!(new.is_some() && new != old);
}

#[tokio::test]
async fn what_becomes_of_the_keys_follows_how_the_rebuild_ends() {
    for (outcome, answers) in [
        (Outcome::Active, true),
        (Outcome::RolledBack, true),
        (Outcome::Error, false),
        (Outcome::Never, false),
        (Outcome::Ignored, true),
    ] {
        let simulator = answering(|config| config.rebuild_duration = Duration::ZERO).await;
        let old = key(&simulator).await;
        let next = InstanceChange {
            next: Some(Behaviour {
                outcome: Some(outcome),
                ..Behaviour::default()
            }),
            ..InstanceChange::default()
        };
        assert!(simulator.change(id(SERVICE), &next));
        assert!(submit(&simulator).await.unwrap().is_ok());
        let new = key(&simulator).await;
        assert_eq!(new.is_some(), answers, "{outcome:?}");
        assert_eq!(new == old, outcome == Outcome::Ignored, "{outcome:?}");
    }
}

#[tokio::test]
async fn keys_survive_a_restart_with_the_same_journal() {
    let folder = tempfile::tempdir().unwrap();
    let kept = |config: &mut Config| config.journal = Some(folder.path().join("kept.ndjson"));
    let simulator = answering(kept).await;
    let old = key(&simulator).await;
    rebuilt(&simulator).await;
    let new = key(&simulator).await;
    simulator.shutdown().await;
    let simulator = answering(kept).await;
    assert_eq!(key(&simulator).await, new);
    assert_ne!(new, old);
}

#[tokio::test]
async fn the_port_stays_on_loopback_and_is_free_again_at_once() {
    let simulator = answering(|_| {}).await;
    let port = simulator.ssh_port().unwrap();
    // Nobody's address.
    assert!(connect_to("127.0.0.1", port, ED25519).await.is_err());
    // An address of this machine that other machines see, if it has one; nothing is sent to find it out.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    if socket.connect("192.0.2.1:9").is_ok() {
        let own = socket.local_addr().unwrap().ip().to_string();
        assert!(connect_to(&own, port, ED25519).await.is_err(), "{own}");
    }
    assert!(key(&simulator).await.is_some());
    simulator.shutdown().await;
    let again = answering(|config| config.ssh_port = Some(port)).await;
    assert!(key(&again).await.is_some());
}

/// Orders `command` and lets it read `stdin`; how it ends.
async fn carry_out(handle: &Handle<Curious>, command: &str, stdin: &str) -> Option<u32> {
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, command).await.unwrap();
    if !stdin.is_empty() {
        channel.data(stdin.as_bytes()).await.unwrap();
        channel.eof().await.unwrap();
    }
    let mut ended = None;
    while let Some(said) = timeout(PATIENCE, channel.wait()).await.unwrap() {
        if let ChannelMsg::ExitStatus { exit_status } = said {
            ended = Some(exit_status);
        }
    }
    ended
}

#[tokio::test]
async fn root_logs_in_with_the_password_of_the_last_rebuild_and_commands_are_recorded_only() {
    let simulator = answering(|_| {}).await;
    let (ip, port) = (address(&simulator, SERVICE), simulator.ssh_port().unwrap());
    let logs_in = async |user: &str, password: &str| {
        let (mut handle, _) = connect_to(&ip, port, ED25519).await.unwrap();
        let told = handle.authenticate_password(user, password).await.unwrap();
        told.success().then_some(handle)
    };
    assert!(logs_in("root", STRONG).await.is_none(), "never rebuilt");
    rebuilt(&simulator).await;
    assert!(logs_in("root", "Simulator2").await.is_none());
    assert!(logs_in("admin", STRONG).await.is_none());
    let (mut handle, _) = connect_to(&ip, port, ED25519).await.unwrap();
    assert!(!handle.authenticate_none("root").await.unwrap().success());

    let handle = logs_in("root", STRONG).await.unwrap();
    let script = format!("#!/bin/sh\necho root:{STRONG} | chpasswd\n");
    assert_eq!(carry_out(&handle, "sh -s", &script).await, Some(0));
    // What reads nothing need not be told that there is nothing.
    assert_eq!(carry_out(&handle, "touch /tmp/x", "").await, Some(0));
    assert!(!std::path::Path::new("/tmp/x").exists());
    let commands = truth(&simulator).commands;
    assert_eq!(commands[0].command, "sh -s");
    assert_eq!(commands[0].stdin_bytes, script.len() as u64);
    let kept = script.replace(STRONG, "[password]");
    assert_eq!(commands[0].stdin, kept);
    assert_eq!(commands[1].command, "touch /tmp/x");
    let told = get(&simulator, &format!("services/{SERVICE}")).await.json();
    assert_eq!(told["commands"][0]["command"], "sh -s");
    assert!(!told.to_string().contains(STRONG));

    // Another rebuild ends what is open, and with a key it closes that way in.
    let by_key = [("password", ""), ("enablessh", "on"), ("ssh_keys", "490")];
    assert!(submit_with(&simulator, &by_key).await.unwrap().is_ok());
    let complete = async || truth(&simulator).completed == 2;
    until("the end of the rebuild", complete).await;
    assert_eq!(carry_out(&handle, "too late", "x").await, None);
    assert_eq!(truth(&simulator).commands.len(), 2);
    assert!(logs_in("root", STRONG).await.is_none());
    let reached = simulator.record().ssh;
    assert_eq!((reached.connections, reached.login_attempts), (6, 6));
}

#[tokio::test]
async fn many_clients_are_answered_at_once() {
    let simulator = answering(|_| {}).await;
    let port = simulator.ssh_port().unwrap();
    let asked: JoinSet<_> = (0..96)
        .map(|nth| address(&simulator, SERVICE + nth % 12))
        .map(|ip| async move { connect_to(&ip, port, ED25519).await.map(|(_, key)| key) })
        .collect();
    let keys = asked.join_all().await;
    assert!(keys.iter().all(Result::is_ok));
}
