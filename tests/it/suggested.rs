//! What a person does with what the instances' host keys say: `resolve --suggested`, `show`, and the keys
//! for OpenSSH.

use crate::rig::{FIRST, Rig, Size, on_a_terminal};
use refleet::simulator::{Fault, FaultKind};

/// `count` instances that answer SSH, and the option that says where.
fn rig(count: usize) -> (Rig, String) {
    let rig = Rig::brisk(count, |config| config.ssh_port = Some(0));
    let port = rig.simulator.ssh_port().unwrap().to_string();
    (rig, port)
}

/// `count` doubts that were not executed, and wait for a word.
fn held(count: usize) -> (Rig, String) {
    let (rig, port) = rig(count);
    for nth in 0..count {
        rig.fault(nth, Fault::new(FaultKind::ResetBefore));
    }
    let options = [
        "--no-requeue",
        "--max-failures",
        "100%",
        "--ssh-port",
        &port,
    ];
    rig.run(&options).exit(3);
    (rig, port)
}

fn settle(rig: &Rig, word: &[u8]) -> (i32, String) {
    let command = rig.refleet(&["resolve", "--suggested"]);
    on_a_terminal(command, Size::USUAL, &[("to settle them so: ", word)])
}

#[test]
fn doubts_with_a_hint_are_shown_and_settled_by_one_word() {
    let (rig, port) = held(3);
    let first = FIRST.to_string();
    rig.call(&["show", &first])
        .exit(0)
        .says_out("hint      it still shows the SSH host key of before");
    let shown = rig.call(&["show", &first, "--json"]).exit(0).json();
    let job = &shown["jobs"][0];
    assert_eq!(job["key_hint"], "same");
    assert_eq!(job["host_key_before"], job["host_key"]);

    // A guess is for a person to make.
    rig.call(&["resolve", "--suggested"])
        .exit(2)
        .says("asks a person");
    for no in [&b"\n"[..], b"yes\n", b"\x04"] {
        let (code, said) = settle(&rig, no);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("nothing was changed"), "{said}");
    }
    let (code, said) = settle(&rig, b"settle\n");
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("To be sent again, and so wiped by the next run: 3."),
        "{said}"
    );
    rig.run(&["--ssh-port", &port]).exit(0);
    assert_eq!(rig.wiped(), [1, 1, 1]);
    let history = rig.call(&["show", &first]).exit(0).out;
    assert!(
        history.contains("its SSH host key is the one of before: SHA256:"),
        "{history}"
    );
    rig.call(&["verify"]).exit(0);

    let again = rig.refleet(&["resolve", "--suggested"]);
    let (code, said) = on_a_terminal(again, Size::USUAL, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("has no held doubts"), "{said}");
}

#[test]
fn who_was_told_not_to_look_has_nothing_to_suggest() {
    let (rig, port) = rig(1);
    rig.fault(0, Fault::new(FaultKind::ResetBefore));
    rig.run(&["--no-requeue", "--no-witness", "--ssh-port", &port])
        .exit(3);
    let command = rig.refleet(&["resolve", "--suggested"]);
    let (code, said) = on_a_terminal(command, Size::USUAL, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("of 1 held doubts of batch 1 none has a hint"),
        "{said}"
    );
}

#[test]
fn the_new_keys_of_what_is_done_are_printed_as_openssh_reads_them() {
    let (rig, port) = rig(3);
    rig.fault(1, Fault::new(FaultKind::ResetBefore));
    rig.run(&[
        "--no-requeue",
        "--max-failures",
        "100%",
        "--ssh-port",
        &port,
    ])
    .exit(3);
    let known_hosts = rig.call(&["report", "--format", "known-hosts"]).exit(0).out;
    let addresses = ["127.66.0.1", "127.66.0.3"];
    assert_eq!(
        known_hosts.lines().count(),
        addresses.len(),
        "{known_hosts}"
    );
    for (line, address) in known_hosts.lines().zip(addresses) {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[0], format!("[{address}]:{port}"));
        assert_eq!(words[1], "ssh-ed25519");
        assert_eq!(words.len(), 3);
    }
    let report = rig.call(&["report", "--json"]).exit(0).json();
    let done = &report["results"][0];
    assert_ne!(done["host_key"], done["host_key_before"]);
    assert!(done["host_key"].as_str().unwrap().starts_with("SHA256:"));
}
