//! No password and no token is left anywhere: not in the database's files, not in logs, events,
//! reports or errors, and never among a process's arguments.

use std::fs;
use std::path::PathBuf;

use crate::rig::{FIRST, LOGIN_PASSWORD, PASSWORD, Rig, Running, finish, quick};
use refleet::simulator::{Fault, FaultKind};

/// A session's token as the simulator makes them.
const TOKEN: &str = "0123456789abcdef76543210";

/// Every file in the rig's folder but the manifest: database, write-ahead log, lock, reports, …
fn files(rig: &Rig) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![rig.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("fleet.csv") {
                let content = fs::read(&path).unwrap();
                files.push((path, content));
            }
        }
    }
    files
}

fn holds(content: &[u8], secret: &str) -> bool {
    content
        .windows(secret.len())
        .any(|window| window == secret.as_bytes())
}

/// Words of 24 hexadecimal digits: every session of the simulator looks like that.
fn tokens(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_hexdigit())
        .filter(|word| word.len() == 24)
        .collect()
}

fn assert_clean(name: &str, content: &[u8]) {
    for secret in [PASSWORD, LOGIN_PASSWORD, TOKEN] {
        assert!(!holds(content, secret), "{name} holds {secret}");
    }
    let text = String::from_utf8_lossy(content);
    assert_eq!(tokens(&text), [""; 0], "{name}");
}

fn assert_all_clean(rig: &Rig) {
    let files = files(rig);
    assert!(
        files.iter().any(|(path, _)| path.ends_with("refleet.db")),
        "{files:?}"
    );
    for (path, content) in files {
        assert_clean(&path.display().to_string(), &content);
    }
}

/// Three services; the session ends once, and one answer is lost.
fn rig() -> Rig {
    let rig = Rig::with(3, |config| config.session = Some(TOKEN.to_owned()));
    rig.fleet(3);
    rig.fault(0, FaultKind::SessionExpiry);
    rig.fault(1, FaultKind::ResetAfter);
    rig
}

#[test]
fn after_a_finished_run_no_password_and_no_token_is_left_anywhere() {
    let rig = rig();
    let run = rig
        // One worker, so that the session that ends does not take the second submission with it.
        .run(&["-vvv", "--events", "events.ndjson", "--workers", "1"])
        .exit(0)
        .says("done 3");
    assert!(
        run.err.contains("instances.fleio.rebuild"),
        "the log is a log: {}",
        run.err
    );
    assert_clean("stdout", run.out.as_bytes());
    assert_clean("the log", run.err.as_bytes());
    for format in ["table", "csv", "json", "html"] {
        rig.call(&["report", "--format", format, "--output", format])
            .exit(0);
    }
    for args in [
        &["list", "--json"][..],
        &["show", "5113119", "--json"],
        &["status", "--json"],
    ] {
        assert_clean(args[0], rig.call(args).exit(0).out.as_bytes());
    }
    assert_all_clean(&rig);
}

#[test]
fn a_bare_token_is_not_left_anywhere_either() {
    let rig = Rig::with(3, |config| config.session = Some(TOKEN.to_owned()));
    rig.fleet(3);
    let mut command = rig.order("fleet.csv", &["-vvv", "--events", "events.ndjson"]);
    command
        .env_remove("ZOMRO_USERNAME")
        .env_remove("ZOMRO_PASSWORD");
    command.env("ZOMRO_AUTH", TOKEN);
    let run = finish(command).exit(0);
    assert_clean("the log", run.err.as_bytes());
    assert_all_clean(&rig);
}

#[test]
fn a_failed_job_keeps_its_password_for_a_retry_until_it_is_cancelled() {
    let rig = Rig::new(3);
    let refusal = Fault {
        error_type: Some("value".to_owned()),
        // The server quotes what it was sent.
        message: Some(format!("invalid password {PASSWORD}-{FIRST}")),
        ..Fault::new(FaultKind::Error)
    };
    rig.fault(0, refusal);
    rig.doubt(1);
    let run = rig.run(&["-vvv"]).exit(3);
    assert_clean("the log", run.err.as_bytes());
    let passwords = rig.sql("SELECT job_id FROM secret");
    assert_eq!(passwords.len(), 2, "of the failed job and of the doubt");

    let calls = rig.calls();
    rig.call(&["cancel", "--all"])
        .exit(0)
        .says_out("1 job of batch 1 cancelled");
    assert_eq!(
        rig.sql("SELECT job_id FROM secret").len(),
        1,
        "what failed is not meant"
    );
    rig.call(&["cancel", "--failed"])
        .exit(0)
        .says_out("1 job of batch 1 cancelled");
    assert_all_clean(&rig);
    rig.call(&["verify"]).exit(0);
    rig.run(&[]).exit(0).says("2 cancelled");
    assert_eq!(rig.calls(), calls);
}

#[test]
fn cancelling_what_was_only_loaded_erases_its_passwords() {
    let rig = Rig::new(3);
    rig.call(&["load", "fleet.csv"]).exit(0);
    assert!(
        files(&rig)
            .iter()
            .any(|(_, content)| holds(content, PASSWORD))
    );
    rig.call(&["cancel", "--all"]).exit(0);
    assert_all_clean(&rig);
}

#[cfg(any(debug_assertions, feature = "failpoints"))] // no other build has failpoints
#[test]
fn a_panic_shows_no_secret_and_the_next_run_goes_on() {
    // A panic in a worker, and one in the dispatcher.
    for place in ["before_send", "before_commit"] {
        for nth in 1..=3 {
            let rig = Rig::with(3, |config| config.session = Some(TOKEN.to_owned()));
            rig.fleet(3);
            let words = ["-vvv", "--workers", "2", "--events", "events.ndjson"];
            let mut command = rig.order("fleet.csv", &words);
            command
                .env("REFLEET_FAILPOINT", format!("panic@{place}:{nth}"))
                .env("RUST_BACKTRACE", "full");
            let run = finish(command)
                .exit(70)
                .says(&format!("the failpoint `{place}`"))
                .says("run again to resume");
            assert_clean("stdout", run.out.as_bytes());
            assert_clean("the log", run.err.as_bytes());
            for format in ["table", "csv", "json"] {
                let report = rig.call(&["report", "--format", format]).exit(0);
                assert_clean(format, report.out.as_bytes());
            }
            for (path, content) in files(&rig) {
                // The database still holds the passwords of jobs that are to be sent.
                if !path.starts_with(rig.path("state")) {
                    assert_clean(&path.display().to_string(), &content);
                }
            }
            let next = rig.run(&[]);
            assert!(matches!(next.code, 0 | 3), "{place}:{nth}: {}", next.err);
            rig.assert_truth(1);
            assert!(!rig.states().contains_key("queued"), "{}", next.err);
        }
    }
}

#[test]
fn no_secret_is_among_the_arguments_of_a_running_process() {
    if !PathBuf::from("/proc/self/cmdline").exists() {
        return;
    }
    let rig = Rig::new(3);
    let args = quick("fleet.csv", &["--events", "-"]);
    let mut run = Running::start(rig.refleet(&args));
    run.wait_for(1, "in_progress");
    let cmdline = fs::read(format!("/proc/{}/cmdline", run.pid())).unwrap();
    assert!(holds(&cmdline, "fleet.csv"));
    assert_clean("cmdline", &cmdline);
    assert_clean("events", run.end().exit(0).out.as_bytes());
}

#[test]
fn the_database_and_its_side_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let rig = Rig::new(3);
    let mut run = rig.watch(&["--workers", "1"]);
    run.wait_for(1, "in_progress");
    let state = rig.path("state");
    let mut names = Vec::new();
    for entry in fs::read_dir(&state).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(
        names,
        [
            "refleet.db",
            "refleet.db-shm",
            "refleet.db-wal",
            "refleet.db.lock"
        ]
    );
    assert_eq!(
        state.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
    run.end().exit(0);
}

#[test]
fn an_api_that_echoes_secrets_in_other_spellings_gives_none_away() {
    // These characters are written otherwise in URLs, HTML and JSON.
    const ODD: &str = "Pa\"ss <1>\\&+/~7";
    let rig = Rig::new(1);
    rig.write(
        "fleet.csv",
        format!(
            "service_id,image,password\n{FIRST},{},\"{}\"\n",
            crate::rig::IMAGE,
            ODD.replace('"', "\"\"")
        ),
    );
    rig.fault(0, FaultKind::SecretEcho);
    let run = rig.run(&["-v", "--events", "events.ndjson"]).exit(1);
    let shown = [
        run.out,
        run.err,
        fs::read_to_string(rig.path("events.ndjson")).unwrap(),
    ]
    .join("\n");
    let error = rig.report()[0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("***"), "{error}");
    for text in [&shown, &error] {
        // This part of the password is the same in every spelling.
        for piece in [
            "Pa\"ss",
            "Pa&quot;ss",
            "Pa%22ss",
            "ss+",
            "UGEic3",
            "\\u0050",
        ] {
            assert!(!text.contains(piece), "{piece} in {text}");
        }
    }
}

/// Who may read a process's memory, and whether a core dump of it is written, is one flag of the
/// kernel; a process that has it set belongs to root in `/proc`.
#[test]
fn a_process_that_holds_passwords_cannot_be_looked_into() {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::process::CommandExt as _;

    let rig = Rig::new(1);
    // As another user where this process is root's, whose processes always belong to root.
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = crate::rig::bare(rig.folder.path());
    command
        .args(["simulate", "fleet.csv"])
        .stdout(std::process::Stdio::piped());
    if is_root {
        fs::set_permissions(
            rig.folder.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        command.uid(65_534).gid(65_534);
    }
    let Ok(mut child) = command.spawn() else {
        return; // the folder of the build is closed to others
    };
    // It has protected itself once it says where it listens.
    let mut line = String::new();
    let out = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    let owner = fs::metadata(format!("/proc/{}/environ", child.id()))
        .unwrap()
        .uid();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(owner, 0, "{line}");
}
