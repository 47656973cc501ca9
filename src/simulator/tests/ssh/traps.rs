//! What may be odd about the SSH ports.

use super::*;

/// `SERVICE` is the first of the account; these follow it.
const SECOND: i64 = SERVICE + 1;
const THIRD: i64 = SERVICE + 2;

/// An account with this trap, whose rebuilds are done at once.
async fn trapped(words: &str) -> Simulator {
    answering(|config| {
        config.rebuild_duration = Duration::ZERO;
        config.odd = Oddities::parse(words.split(',')).unwrap();
    })
    .await
}

/// Submits a rebuild of a service, which is done at once.
async fn rebuild(simulator: &Simulator, service: i64) {
    let reply = submit_with(simulator, &[("elid", &service.to_string())]).await;
    assert!(reply.unwrap().is_ok());
}

/// A submission that is lost before it is executed.
async fn lost(simulator: &Simulator) {
    next(simulator, FaultKind::ResetBefore);
    assert!(submit(simulator).await.is_err());
    assert_eq!(truth(simulator).wiped, 0);
}

async fn ed25519(simulator: &Simulator, service: i64) -> Option<String> {
    key_of(simulator, service, ED25519).await
}

/// The first bytes that the first instance's port says, as far as they come before it is silent, or before
/// `bytes` have come; and whether the connection was closed then.
async fn heard(simulator: &Simulator, bytes: usize) -> (Vec<u8>, bool) {
    let port = simulator.ssh_port().unwrap();
    let mut stream = TcpStream::connect((&*address(simulator, SERVICE), port))
        .await
        .unwrap();
    // As a client does at once.
    stream.write_all(b"SSH-2.0-curious\r\n").await.unwrap();
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    while heard.len() < bytes {
        match timeout(Duration::from_millis(300), stream.read(&mut piece)).await {
            Ok(Ok(0) | Err(_)) => return (heard, true),
            Ok(Ok(length)) => heard.extend_from_slice(&piece[..length]),
            Err(_) => return (heard, false),
        }
    }
    (heard, false)
}

#[tokio::test]
async fn keys_may_be_baked_into_an_image() {
    let simulator = trapped("ssh=baked-keys").await;
    let before = ed25519(&simulator, SERVICE).await;
    assert_ne!(before, ed25519(&simulator, SECOND).await);
    rebuild(&simulator, SERVICE).await;
    rebuild(&simulator, SECOND).await;
    let baked = ed25519(&simulator, SERVICE).await;
    assert!(baked.is_some() && baked != before);
    assert_eq!(baked, ed25519(&simulator, SECOND).await);
    rebuild(&simulator, SERVICE).await;
    assert_eq!(baked, ed25519(&simulator, SERVICE).await);
    assert_ne!(baked, ed25519(&simulator, THIRD).await);
}

#[tokio::test]
async fn something_may_put_the_first_keys_back() {
    for (words, comes_back) in [
        ("ssh=restored-keys", true),
        ("ssh=restored-keys:1h", false),
        ("ssh=restored-keys:0s@5113120", false),
    ] {
        let simulator = trapped(words).await;
        let before = key(&simulator).await;
        rebuild(&simulator, SERVICE).await;
        rebuild(&simulator, SERVICE).await;
        assert_eq!(key(&simulator).await == before, comes_back, "{words}");
    }
    let simulator = trapped("ssh=restored-keys:200ms").await;
    let before = key(&simulator).await;
    rebuild(&simulator, SERVICE).await;
    let back = async || key(&simulator).await == before;
    assert!(!back().await);
    until("the first keys", back).await;
}

#[tokio::test]
async fn a_rebuild_that_shows_may_wait_while_the_old_system_answers() {
    for (wait, answers) in [("1h", true), ("0s", false)] {
        let simulator = answering(|config| {
            config.rebuild_duration = Duration::from_hours(1);
            config.odd = Oddities::parse([&*format!("ssh=queued:{wait}")]).unwrap();
        })
        .await;
        let before = key(&simulator).await;
        rebuild(&simulator, SERVICE).await;
        let (status, _) = listed(&simulator, SERVICE).await.unwrap();
        assert_eq!((&*status, truth(&simulator).wiped), ("rebuilding", 1));
        let now = key(&simulator).await;
        assert_eq!(now, before.filter(|_| answers));
    }
    // It cannot wait for longer than it takes.
    let simulator = trapped("ssh=queued:1h").await;
    let before = key(&simulator).await;
    rebuild(&simulator, SERVICE).await;
    let after = key(&simulator).await;
    assert!(after.is_some() && after != before);
}

/// The address that the list shows of the first instance.
async fn listed_address(simulator: &Simulator) -> String {
    let doc = authorised(simulator, &[("func", "instances")]).await;
    let doc = doc.unwrap().doc();
    doc["elem"][0]["ip"]["$"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_address_may_come_to_mean_another_machine() {
    const OWN: &str = "127.66.0.1";
    const OTHER: &str = "127.66.0.2";
    for (words, listed_before, listed_after) in [
        ("ssh=moved", OWN, OTHER),
        ("ssh=moved-late", OWN, OWN),
        ("ssh=moved-early", OTHER, OTHER),
        // It takes two.
        ("ssh=moved@5113120", OWN, OTHER),
    ] {
        let simulator = trapped(words).await;
        let port = simulator.ssh_port().unwrap();
        let at = async |ip| connect_to(ip, port, ED25519).await.unwrap().1;
        let (own, other) = (at(OWN).await, at(OTHER).await);
        assert_eq!(listed_address(&simulator).await, listed_before, "{words}");
        lost(&simulator).await;
        assert_eq!(listed_address(&simulator).await, listed_after, "{words}");
        assert_eq!((at(OWN).await, at(OTHER).await), (other, own), "{words}");
    }
    let simulator = trapped("ssh=moved@5113121").await;
    let before = key(&simulator).await;
    lost(&simulator).await;
    assert_eq!(key(&simulator).await, before);
}

#[tokio::test]
async fn something_in_front_may_answer_for_several_addresses() {
    let simulator = trapped("ssh=gateway").await;
    let always = ed25519(&simulator, SERVICE).await;
    assert!(always.is_some() && always == ed25519(&simulator, SECOND).await);
    rebuild(&simulator, SERVICE).await;
    assert_eq!(ed25519(&simulator, SERVICE).await, always);
    // It lets nobody in.
    let (ip, port) = (address(&simulator, SERVICE), simulator.ssh_port().unwrap());
    let (mut handle, _) = connect_to(&ip, port, ED25519).await.unwrap();
    let told = handle.authenticate_password("root", STRONG).await.unwrap();
    assert!(!told.success());

    let simulator = answering(|config| {
        config.rebuild_duration = Duration::from_hours(1);
        config.odd = Oddities::parse(["ssh=gateway-while-down"]).unwrap();
    })
    .await;
    let own = ed25519(&simulator, SERVICE).await;
    assert!(own.is_some() && own != always);
    rebuild(&simulator, SERVICE).await;
    rebuild(&simulator, SECOND).await;
    assert_eq!(ed25519(&simulator, SERVICE).await, always);
    assert_eq!(ed25519(&simulator, SECOND).await, always);
}

#[tokio::test]
async fn a_rebuild_may_change_the_algorithm_of_the_only_key() {
    let simulator = trapped("ssh=algorithm:rsa..ed25519").await;
    let rsa = Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    };
    assert!(key_of(&simulator, SERVICE, rsa.clone()).await.is_some());
    assert!(ed25519(&simulator, SERVICE).await.is_none());
    rebuild(&simulator, SERVICE).await;
    assert!(key_of(&simulator, SERVICE, rsa).await.is_none());
    assert!(ed25519(&simulator, SERVICE).await.is_some());
    assert!(key_of(&simulator, SERVICE, ECDSA).await.is_none());
}

#[tokio::test]
async fn a_port_may_say_anything_but_what_it_should() {
    let starts = |heard: &[u8], text: &str| heard.starts_with(text.as_bytes());
    let simulator = trapped("ssh=silent").await;
    assert_eq!(heard(&simulator, 1).await, (Vec::new(), false));
    let simulator = trapped("ssh=refused").await;
    assert_eq!(heard(&simulator, 1).await, (Vec::new(), true));

    let simulator = trapped("ssh=endless-lines").await;
    let (lines, closed) = heard(&simulator, 100_000).await;
    assert!(lines.len() >= 100_000 && !closed);
    assert!(lines.split(|byte| *byte == b'\n').count() > 1_000);
    assert!(!lines.starts_with(b"SSH-"));
    let simulator = trapped("ssh=endless-line").await;
    let (line, closed) = heard(&simulator, 100_000).await;
    assert!(line.len() >= 100_000 && !closed && !line.contains(&b'\n'));
    assert!(starts(&line, "SSH-2.0-"));
    let simulator = trapped("ssh=slow-line").await;
    assert_eq!(heard(&simulator, 9).await, (b"S".to_vec(), false));

    let simulator = trapped("ssh=http").await;
    let (page, closed) = heard(&simulator, usize::MAX).await;
    assert!(starts(&page, "HTTP/1.1 400") && closed);
    let simulator = trapped("ssh=garbage").await;
    let (garbage, closed) = heard(&simulator, usize::MAX).await;
    assert!(garbage.len() == 4096 && closed);
    // One instance only.
    let simulator = trapped("ssh=silent@5113120").await;
    assert!(key(&simulator).await.is_some());
}

#[tokio::test]
async fn a_connection_may_be_closed_at_any_byte_of_the_key_exchange() {
    for bytes in [0, 1, 10, 21, 300, 1_500] {
        let simulator = trapped(&format!("ssh=closed:{bytes}")).await;
        let (ip, port) = (address(&simulator, SERVICE), simulator.ssh_port().unwrap());
        assert!(connect_to(&ip, port, ED25519).await.is_err(), "{bytes}");
        // What follows would depend on what is said to it.
        let (said, closed) = heard(&simulator, usize::MAX).await;
        assert!(said.len() <= bytes, "{bytes}: {said:?}");
        assert_eq!(closed, bytes < 1_500, "{bytes}");
    }
    let simulator = trapped("ssh=closed:1000000").await;
    assert!(key(&simulator).await.is_some());
}

#[tokio::test]
async fn who_connects_too_often_without_logging_in_may_be_turned_away() {
    let simulator = trapped("ssh=penalties:3").await;
    rebuild(&simulator, SERVICE).await;
    let (ip, port) = (address(&simulator, SERVICE), simulator.ssh_port().unwrap());
    let connect = async || connect_to(&ip, port, ED25519).await;
    for _ in 0..5 {
        let (mut handle, _) = connect().await.unwrap();
        let told = handle.authenticate_password("root", STRONG).await.unwrap();
        assert!(told.success());
    }
    // A connection counts when its end is noticed.
    let mut taken = 0;
    let refused = async || {
        let seen = connect().await;
        taken += u64::from(seen.is_ok());
        seen.is_err()
    };
    until("the penalty", refused).await;
    assert!(taken >= 3, "{taken}");
    let (said, closed) = heard(&simulator, usize::MAX).await;
    assert_eq!(said, b"Not allowed at this time\r\n");
    assert!(closed);
    assert!(ed25519(&simulator, SECOND).await.is_some());
}

#[tokio::test]
async fn somebody_else_may_rebuild_what_a_submission_did_not() {
    for (words, image) in [
        ("panel-rebuild=same", "CentOS-7"),
        ("panel-rebuild=ordered", "AlmaLinux-8"),
        ("panel-rebuild=third", "Windows-2022"),
    ] {
        let simulator = trapped(&format!("{words},history")).await;
        let before = key(&simulator).await;
        lost(&simulator).await;
        let settled = async || {
            let now = listed(&simulator, SERVICE).await;
            now == Some(pair("active", image))
        };
        until(words, settled).await;
        let after = key(&simulator).await;
        assert!(after.is_some() && after != before, "{words}");
        let truth = truth(&simulator);
        let counts = (truth.wiped, truth.executed, truth.by_others.len());
        assert_eq!(counts, (0, 0, 1), "{words}");
        assert!(truth.wipes.is_empty());
        let elid = SERVICE.to_string();
        let asked = [("func", "service.history"), ("elid", &*elid)];
        let noted = authorised(&simulator, &asked).await.unwrap().doc();
        let newest = noted["elem"][0]["desc"]["$"].as_str().unwrap();
        assert!(newest.contains("rebuild"), "{newest}");
    }
    // Of what was executed, nobody else has to rebuild anything.
    let simulator = trapped("panel-rebuild=same").await;
    rebuild(&simulator, SERVICE).await;
    assert!(truth(&simulator).by_others.is_empty());
}

#[tokio::test]
async fn another_process_can_set_the_traps() {
    let simulator = answering(|_| {}).await;
    assert!(key(&simulator).await.is_some());
    let odd = json!({"odd": ["ssh=refused@5113119"]});
    assert_eq!(post(&simulator, "config", odd).await, 200);
    assert!(key(&simulator).await.is_none());
    assert!(ed25519(&simulator, SECOND).await.is_some());
    let odd = json!({"odd": ["ssh=loud"]});
    assert!(post(&simulator, "config", odd).await >= 400);
}
