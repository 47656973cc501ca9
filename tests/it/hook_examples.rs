//! The hooks of examples/ do on simulated instances what they are for: as far as loopback allows, where nothing
//! carries out what is ordered by SSH.
//!
//! `REFLEET_HOOK_TOOLS=1` insists on the programs that they need; elsewhere they are skipped without.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::rig::{FIRST, IMAGE, PASSWORD, Rig, block_on};
use refleet::simulator::Simulator;

/// Whether all of these programs are there.
fn has(programs: &[&str]) -> bool {
    let is_missing = |program: &&&str| {
        let mut look = Command::new("sh");
        look.args(["-c", &format!("command -v {program}")]);
        !look.stdout(Stdio::null()).status().unwrap().success()
    };
    let missing: Vec<_> = programs.iter().filter(is_missing).collect();
    let are_demanded = std::env::var_os("REFLEET_HOOK_TOOLS").is_some_and(|word| word == "1");
    assert!(
        missing.is_empty() || !are_demanded,
        "not installed: {missing:?}"
    );
    #[expect(
        clippy::print_stderr,
        reason = "who looks wants to know why nothing was tried"
    )]
    if !missing.is_empty() {
        eprintln!("skipped, because these are not installed: {missing:?}");
    }
    missing.is_empty()
}

/// An instance that answers by SSH, rebuilt with `hook` behind it; what that has ordered there.
fn ordered_by(hook: &str) -> Option<Vec<(String, String)>> {
    if !block_on(async { Simulator::has_ssh() }) {
        return None;
    }
    let rig = Rig::with(1, |config| config.ssh_port = Some(0));
    let port = rig.simulator.ssh_port().unwrap();
    rig.write(
        "fleet.csv",
        format!("service_id,image,password,ssh_port\n{FIRST},{IMAGE},{PASSWORD},{port}\n"),
    );
    rig.write("user-data.yaml", "#cloud-config\npackages: [htop]\n");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hooks");
    let hook = format!("exec {}/{hook}", examples.display());
    let ended = rig
        .run(&["--on-done", &hook, "--hook-retries", "0"])
        .exit(0);
    let why = rig.call(&["hooks", "--json"]).exit(0).out;
    assert!(!ended.said().contains("hooks:"), "{ended}\n{why}");
    let ordered = rig.truth(rig.services[0]).commands;
    Some(
        ordered
            .into_iter()
            .map(|it| (it.command, it.stdin))
            .collect(),
    )
}

#[test]
fn cloud_init_gets_its_user_data_over_ssh() {
    if !has(&["ssh", "sshpass", "python3"]) {
        return;
    }
    let Some(ordered) = ordered_by("cloud-init.sh user-data.yaml") else {
        return;
    };
    let [(command, stdin)] = ordered.as_slice() else {
        panic!("{ordered:?}");
    };
    assert!(command.contains("cloud-init init"), "{command}");
    assert_eq!(stdin, "#cloud-config\npackages: [htop]\n");
}

#[test]
fn ansible_plays_its_book_on_the_one_host() {
    if !has(&["ansible-playbook", "ssh", "sshpass", "python3"]) {
        return;
    }
    let Some(ordered) = ordered_by("ansible.sh") else {
        return;
    };
    let is_task = |(command, _): &&(String, String)| command.contains("set up by refleet");
    assert_eq!(ordered.iter().filter(is_task).count(), 1, "{ordered:?}");
}

#[test]
fn ansible_reads_the_inventory() {
    if !has(&["ansible-inventory"]) {
        return;
    }
    let rig = Rig::new(2);
    rig.run(&[]).exit(0);
    let report = [
        "report",
        "--format",
        "ansible-inventory",
        "--output",
        "fleet.json",
    ];
    rig.call(&report).exit(0).says("as an inventory");
    let mut ansible = Command::new("ansible-inventory");
    ansible.args(["--inventory", "fleet.json", "--list"]);
    let listed = ansible.current_dir(rig.folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&listed.stderr);
    assert!(
        listed.status.success() && !said.contains("WARNING"),
        "{said}"
    );
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let done = listed["done"]["hosts"].as_array().unwrap();
    assert_eq!(done.len(), 2);
    let host = &listed["_meta"]["hostvars"][done[0].as_str().unwrap()];
    assert_eq!(host["refleet_service"], FIRST);
    assert!(host["ansible_host"].is_string());
}
