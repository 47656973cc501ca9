//! The files of examples/ work as they stand, and every hint can be typed as it stands.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::rig::{Ended, FIRST, IMAGE, LOGIN_PASSWORD, Rig, USERNAME, bare, finish, quick};
use refleet::simulator::FaultKind;

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name);
    fs::read_to_string(path).unwrap()
}

/// Lines that are neither empty nor comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A rig that uses the default database of its home, with `fleet.csv` done and the login in files.
fn nightly() -> Rig {
    let rig = Rig::new(3);
    rig.write("username", USERNAME);
    rig.write("password", LOGIN_PASSWORD);
    at_home(&rig, &quick(rig.path("fleet.csv").to_str().unwrap(), &[])).exit(0);
    rig
}

fn at_home(rig: &Rig, args: &[&str]) -> Ended {
    let mut command = rig.refleet(args);
    command.env_remove("REFLEET_DB");
    finish(command)
}

/// `line` with the program and the folder of this test in place of the installed ones.
fn here(rig: &Rig, line: &str) -> String {
    line.replace(
        "/usr/local/bin/refleet",
        bare(rig.folder.path()).get_program().to_str().unwrap(),
    )
    .replace("/etc/refleet", rig.folder.path().to_str().unwrap())
}

// Field case D9.
#[test]
fn the_crontab_works_as_cron_runs_it() {
    let rig = nightly();
    let crontab = example("crontab");
    let run_by_cron = || {
        let mut cron = Command::new("/bin/sh");
        cron.env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("SHELL", "/bin/sh")
            .env("HOME", rig.folder.path())
            .env("REFLEET_API_URL", rig.simulator.url())
            .current_dir(rig.folder.path());
        let mut jobs = 0;
        for line in lines(&crontab) {
            let line = here(&rig, line);
            match line.split_once('=') {
                Some((name, value)) if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') => {
                    cron.env(name, value);
                }
                _ => {
                    let (schedule, command) = line.split_once("  ").unwrap();
                    assert_eq!(schedule.split(' ').count(), 5, "{line}");
                    // cron makes a line feed of `%`.
                    assert!(!command.contains('%'), "{line}");
                    assert!(command.starts_with('/'), "{line}");
                    cron.args(["-c", command]);
                    jobs += 1;
                }
            }
        }
        assert_eq!(jobs, 1);
        finish(cron)
    };
    // Nothing is due: nothing is mailed.
    run_by_cron().exit(0).said_nothing();
    // What needs a human is mailed.
    rig.write("fleet.csv", "service_id,image\n5113119,nonsense\n");
    run_by_cron().exit(2).says("line 2");
}

// Field case D9.
#[test]
fn the_systemd_unit_starts_what_it_says_and_restarts_after_an_outage_only() {
    let rig = nightly();
    let unit = example("systemd/refleet.service");
    let values = |name: &str| -> Vec<String> {
        lines(&unit)
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(values("Restart"), ["no"]);
    assert_eq!(values("RestartForceExitStatus"), ["4"]);
    // systemd cuts a credential at 1 MB, so the manifest must not be one.
    assert!(
        values("LoadCredential")
            .iter()
            .all(|value| !value.contains("csv")),
        "{unit}"
    );
    let start = here(&rig, &values("ExecStart")[0]);
    let mut words = start.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.args(words).env_clear();
    let state = rig.folder.path().join(".local/state");
    for value in values("Environment") {
        let (name, value) = value.split_once('=').unwrap();
        let value = value
            .replace("%S", state.to_str().unwrap())
            .replace("%d", rig.folder.path().to_str().unwrap());
        command.env(name, value);
    }
    command.env("REFLEET_API_URL", rig.simulator.url());
    finish(command).exit(0).said_nothing();

    // Where systemd is installed, it checks the unit itself.
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        return;
    };
    assert!(version.status.success());
    let folder = tempfile::tempdir().unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]);
    for name in ["refleet.service", "refleet.timer", "refleet-work.service"] {
        let path = folder.path().join(name);
        // systemd checks that the program exists.
        let text = example(&format!("systemd/{name}")).replace("/usr/local/bin/refleet", "/bin/sh");
        fs::write(&path, text).unwrap();
        verify.arg(path);
    }
    finish(verify).exit(0).said_nothing();
}

/// The commands in what was said: in backticks, or on indented lines of their own.
fn commands(said: &str) -> BTreeSet<String> {
    let joined = said.replace('\n', "\n ");
    let in_backticks = joined.split('`').skip(1).step_by(2);
    let of_their_own = said
        .lines()
        .filter(|line| line.starts_with("    refleet "))
        .map(str::trim);
    in_backticks
        .chain(of_their_own)
        .filter(|command| command.starts_with("refleet "))
        .map(|command| command.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Types `command` into a shell, with its placeholders filled in.
fn typed(rig: &Rig, command: &str) -> Ended {
    let program = bare(rig.folder.path());
    let folder = Path::new(program.get_program())
        .parent()
        .unwrap()
        .to_owned();
    let command = command
        .replace("SERVICE_ID", &FIRST.to_string())
        .replace("WORD", "failed")
        .replace("TEXT", "looked")
        .replace("MANIFEST", "fleet.csv")
        .replace("--batch ID", "--batch 1");
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", &command])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("HOME", rig.folder.path())
        .env("ZOMRO_USERNAME", USERNAME)
        .env("ZOMRO_PASSWORD", LOGIN_PASSWORD)
        .stdin(std::process::Stdio::null())
        .current_dir(rig.folder.path());
    finish(shell)
}

/// Brings a run to some end, and gives back what was said on the way.
type Provoke = fn(&Rig) -> Vec<Ended>;

#[test]
#[expect(
    clippy::too_many_lines,
// Field case D9.
    reason = "a table of endings, each with its hints"
)]
fn every_hint_can_be_typed_as_it_stands() {
    let ends: &[(&str, Provoke)] = &[
        ("doubt, failure, done", |rig| {
            rig.doubt(0);
            rig.fault(1, FaultKind::Error);
            vec![by_options(rig, &["--settle", "100ms"])]
        }),
        ("ended", |rig| {
            by_options(rig, &[]).exit(0);
            vec![by_options(rig, &[]), at(rig, &["status"])]
        }),
        ("budget", |rig| {
            rig.fault(0, FaultKind::Error);
            vec![
                by_options(rig, &["--max-failures", "1", "--workers", "1"]),
                at(rig, &["status"]),
            ]
        }),
        ("killed", |rig| {
            let mut run = rig.watch(&["--workers", "1"]);
            run.wait_for(1, "done");
            run.signal("KILL");
            run.end();
            vec![at(rig, &["status"]), at(rig, &["load", "fleet.csv"])]
        }),
        ("untouched failure", |rig| {
            rig.fault(0, FaultKind::Error);
            by_options(rig, &[]).exit(1);
            vec![at(rig, &["retry", "--failed"])]
        }),
        ("shown", |rig| {
            rig.doubt(0);
            rig.fault(1, FaultKind::Error);
            by_options(rig, &["--settle", "100ms"]).exit(3);
            rig.write(
                "later.csv",
                format!("service_id,image\n{},{IMAGE}\n", FIRST + 9),
            );
            at(rig, &["load", "later.csv"]).exit(0);
            // Without `--batch` commands speak of the later order from now on.
            let shown = |service: i64| at(rig, &["show", &service.to_string()]).exit(0);
            shown(FIRST + 9).says_out(" run` goes on with it");
            vec![
                shown(FIRST).says_out("--batch 1`"),
                shown(FIRST + 1).says_out("--batch 1`"),
            ]
        }),
        ("unknown things", |rig| {
            vec![
                at(rig, &["status"]),
                at(rig, &["show", "1"]),
                at(rig, &["run"]),
            ]
        }),
    ];
    let mut tried = BTreeSet::new();
    for (name, provoke) in ends {
        let rig = Rig::new(4);
        let mut hints = BTreeSet::new();
        for ended in provoke(&rig) {
            assert!(ended.code != 70, "{name}: {}", ended.err);
            hints.extend(commands(&format!("{}\n{}", ended.out, ended.err)));
        }
        assert!(!hints.is_empty(), "{name}: no hint at all");
        for hint in &hints {
            let ended = typed(&rig, hint);
            // A hinted `run` has nobody to ask here, and says so.
            let nobody = ended.err.contains("there is no terminal to ask on");
            let usage = ended.err.contains("Usage:") || ended.err.contains("not found");
            assert!(!usage, "{name}: `{hint}`: {}", ended.err);
            assert!(
                ended.code != 2 || nobody || ended.err.contains("left alone"),
                "{name}: `{hint}`: {}{}",
                ended.out,
                ended.err
            );
            // The hint led to this very queue.
            assert!(
                !rig.folder.path().join(".local").exists(),
                "{name}: `{hint}` made a database of its own"
            );
            tried.insert(
                hint.split(' ')
                    .skip(1)
                    .find(|word| {
                        [
                            "list", "resolve", "retry", "run", "report", "status", "show", "cancel",
                        ]
                        .contains(word)
                    })
                    .unwrap_or_default()
                    .to_owned(),
            );
        }
    }
    for word in ["list", "resolve", "retry", "run", "report"] {
        assert!(
            tried.contains(word),
            "{word} was never hinted at: {tried:?}"
        );
    }
}

/// A command addressed by its options alone, so that a hint must repeat them.
fn at(rig: &Rig, args: &[&str]) -> Ended {
    let database = rig.database();
    let all = [
        &[
            "--db",
            database.to_str().unwrap(),
            "--api-url",
            rig.simulator.url(),
        ],
        args,
    ]
    .concat();
    let mut command = rig.refleet(&all);
    command
        .env_remove("REFLEET_DB")
        .env_remove("REFLEET_API_URL");
    finish(command)
}

fn by_options(rig: &Rig, more: &[&str]) -> Ended {
    at(rig, &quick("fleet.csv", more))
}
