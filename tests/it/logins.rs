//! The ways to log in: a password that a command prints, a second factor, and `authinfo` on each call.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::rig::{Ended, LOGIN_PASSWORD, Rig, USERNAME, bare, finish, quick};
use refleet::simulator::{Call, FaultKind, Script};

const CODE: &str = "246810";

/// The rig's account in a configuration, with these lines.
fn account(rig: &Rig, lines: &str) {
    let text = format!(
        "[account.only]\nusername = \"{USERNAME}\"\napi_url = \"{}\"\n{lines}\n",
        rig.simulator.url()
    );
    rig.write("config.toml", text);
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(rig.path("config.toml"), private).unwrap();
}

fn command(rig: &Rig, more: &[&str]) -> Command {
    let mut command = bare(rig.folder.path());
    command
        .env("PATH", "/usr/bin:/bin")
        .env("REFLEET_CONFIG", "config.toml")
        .args(quick("fleet.csv", more));
    command
}

fn run(rig: &Rig) -> Ended {
    finish(command(rig, &["-vvv"]))
}

fn with_code() -> Rig {
    Rig::with(2, |config| config.code = Some(CODE.to_owned()))
}

fn assert_hidden(ended: &Ended, secrets: &[&str]) {
    for secret in secrets {
        assert!(!ended.said().contains(secret), "{secret}: {ended}");
    }
}

#[test]
fn a_command_prints_the_password_and_only_its_first_line_counts() {
    let rig = Rig::new(2);
    rig.write("secret", format!("{LOGIN_PASSWORD}\nlogin: operator\n"));
    account(&rig, "password_command = \"cat secret; echo unlocked >&2\"");
    let ended = run(&rig).exit(0).says("unlocked\n").says("done 2");
    assert_hidden(&ended, &[LOGIN_PASSWORD]);
}

#[test]
fn a_command_that_fails_is_named_and_nothing_that_it_printed() {
    let rig = Rig::new(1);
    for (line, why) in [
        ("echo Sesame-9; exit 3", "it ended with exit code 3"),
        ("echo Sesame-9; kill -9 $$", "it was killed by signal 9"),
        ("true", "its first line is empty"),
        ("printf '\\\\377Sesame-9'", "its output is no UTF-8 text"),
        ("no-such-program", "it ended with exit code 127"),
    ] {
        account(&rig, &format!("password_command = \"{line}\""));
        let ended = run(&rig)
            .exit(7)
            .says("password_command (")
            .says(&format!("config.toml:4) gave nothing, {why}"))
            .says("nothing was sent");
        assert_hidden(&ended, &["Sesame-9"]);
    }
    assert_eq!(rig.calls(), 0);
}

#[test]
fn a_command_that_holds_a_secret_is_told_by_its_key_and_its_place_alone() {
    let rig = with_code();
    let events = ["--events", "-", "-vvv"];
    let line = "false Sesame-Seed-4711";
    account(
        &rig,
        &format!("password = \"{LOGIN_PASSWORD}\"\ntotp_command = \"{line}\""),
    );
    let ended = finish(command(&rig, &events))
        .exit(7)
        .says("there is no code for the second factor: totp_command (/")
        .says("config.toml:5) gave nothing, it ended with exit code 1");
    assert_hidden(&ended, &["Sesame-Seed"]);
    account(&rig, &format!("password_command = \"{line}\""));
    let ended = finish(command(&rig, &events))
        .exit(7)
        .says("config.toml:4) gave nothing, it ended with exit code 1");
    assert_hidden(&ended, &["Sesame-Seed"]);
    let mut command = rig.order("fleet.csv", &events);
    command
        .env("PATH", "/usr/bin:/bin")
        .env("ZOMRO_TOTP_COMMAND", line);
    let ended = finish(command)
        .exit(7)
        .says("ZOMRO_TOTP_COMMAND gave nothing");
    assert_hidden(&ended, &["Sesame-Seed"]);
    assert_eq!(rig.submissions(), 0);
}

#[test]
fn a_command_gets_none_of_the_secrets_that_refleet_was_given() {
    let rig = with_code();
    let mut command = rig.order("fleet.csv", &[]);
    command
        .env("PATH", "/usr/bin:/bin")
        .env("ZOMRO_AUTH", "0123456789abcdef76543210")
        .env("ZOMRO_TOTP_COMMAND", format!("env > seen; echo {CODE}"));
    finish(command).exit(0).says("done 2");
    let seen = fs::read_to_string(rig.path("seen")).unwrap();
    assert!(seen.contains("PATH=/usr/bin:/bin"), "{seen}");
    assert!(!seen.contains("ZOMRO_"), "{seen}");
}

#[test]
fn a_password_that_was_changed_meanwhile_is_fetched_once_more() {
    let rig = Rig::new(1);
    // The first time it prints the one of yesterday.
    let line = "test -e asked && cat secret || (touch asked; echo Yesterday-1)";
    rig.write("secret", LOGIN_PASSWORD);
    account(&rig, &format!("password_command = \"{line}\""));
    // A refused login is followed by a pause of 20 s, so that only the beginning is waited for.
    let mut running = crate::rig::Running::start(command(&rig, &[]));
    running.wait_for_word("the password is another one by now");
    assert!(!running.said().contains("Yesterday-1"));
    running.kill();
    // One that is as wrong as before is not tried again.
    account(&rig, "password_command = \"echo Yesterday-1\"");
    let ended = run(&rig).exit(7).says("badpassword");
    assert_hidden(&ended, &["Xyzzy"]);
    assert_eq!(rig.simulator.record().calls[&Call::Auth], 2);
}

#[test]
fn a_command_gives_the_code_of_a_second_factor_at_the_start_and_when_the_session_ends() {
    let rig = with_code();
    account(
        &rig,
        &format!(
            "password = \"{LOGIN_PASSWORD}\"\ntotp_command = \"echo {CODE}; echo asked >> asked\""
        ),
    );
    let mut script = Script::next(Call::Submission, FaultKind::SessionExpiry);
    script.times = 1;
    rig.simulator.script(script);
    let ended = finish(command(&rig, &["-vvv", "--workers", "1"]))
        .exit(0)
        .says("done 2");
    assert_hidden(&ended, &[LOGIN_PASSWORD]);
    let asked = fs::read_to_string(rig.path("asked")).unwrap();
    assert_eq!(asked.lines().count(), 2, "once for each session");
    assert_eq!(rig.simulator.record().violations, [""; 0]);
    // The same by a variable.
    let rig = with_code();
    let mut command = rig.order("fleet.csv", &[]);
    command
        .env("PATH", "/usr/bin:/bin")
        .env("ZOMRO_TOTP_COMMAND", format!("echo {CODE}"));
    finish(command).exit(0).says("done 2");
}

#[test]
fn without_a_code_or_with_a_wrong_one_the_run_ends_and_says_how_to_give_it() {
    let rig = with_code();
    rig.run(&[])
        .exit(7)
        .says("the account asks for a second factor")
        .says("ZOMRO_TOTP_COMMAND");
    for (line, why) in [
        (
            "echo 111111",
            "the API does not accept the code of the second factor: ",
        ),
        (
            "exit 5",
            "there is no code for the second factor: ZOMRO_TOTP_COMMAND gave nothing, it ended with exit code 5",
        ),
    ] {
        let mut command = rig.order("fleet.csv", &[]);
        command
            .env("PATH", "/usr/bin:/bin")
            .env("ZOMRO_TOTP_COMMAND", line);
        let ended = finish(command)
            .exit(7)
            .says(why)
            .says("this machine's clock");
        assert_hidden(&ended, &["111111\n"]);
    }
    assert_eq!(rig.submissions(), 0);
    assert_eq!(rig.states()["queued"].len(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn at_a_terminal_the_code_is_asked_for_before_anything_else() {
    use crate::rig::{Size, on_a_terminal};
    // A wrong one is told, and asked for again.
    let rig = with_code();
    let typed: &[(&str, &[u8])] = &[("Code: ", b"111111\r"), ("Code: ", b"246810\r")];
    let (code, said) = on_a_terminal(rig.order("fleet.csv", &[]), Size::WIDE, typed);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("The account asks for a second factor."),
        "{said}"
    );
    assert!(
        said.contains("does not accept the code of the second factor"),
        "{said}"
    );
    // Nobody answers: nothing was sent, and how it can be given stands there.
    let rig = with_code();
    let (code, said) = on_a_terminal(
        rig.order("fleet.csv", &[]),
        Size::WIDE,
        &[("Code: ", b"\r")],
    );
    assert_eq!(code, 7, "{said}");
    assert!(said.contains("totp_command"), "{said}");
    // Three wrong ones end it.
    let wrong: &[(&str, &[u8])] = &[("Code: ", b"1\r"), ("Code: ", b"2\r"), ("Code: ", b"3\r")];
    let (code, said) = on_a_terminal(rig.order("fleet.csv", &[]), Size::WIDE, wrong);
    assert_eq!(code, 7, "{said}");
    assert_eq!(rig.submissions(), 0);
    // Ctrl-C is no answer.
    let (code, said) = on_a_terminal(
        rig.order("fleet.csv", &[]),
        Size::WIDE,
        &[("Code: ", b"\x03")],
    );
    assert_eq!(code, 130, "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn every_command_that_reads_the_account_asks_for_the_code_at_a_terminal() {
    use crate::rig::{Size, on_a_terminal};
    let rig = with_code();
    let service = rig.services[0].to_string();
    for (args, shown) in [
        (&["services"][..], service.as_str()),
        (&["images", service.as_str()], "AlmaLinux-8"),
        (&["keys"], "490"),
    ] {
        let mut command = rig.refleet(args);
        command.args(["--rate", "0"]);
        let typed: &[(&str, &[u8])] = &[("Code: ", b"246810\r")];
        let (code, said) = on_a_terminal(command, Size::WIDE, typed);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(shown), "{said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn at_a_terminal_no_login_follows_at_once_on_one_that_was_refused_for_a_moment() {
    use crate::rig::{Size, on_a_terminal};
    let rig = with_code();
    let changed = "test -e asked && cat secret || (touch asked; echo Yesterday-1)";
    rig.write("secret", LOGIN_PASSWORD);
    account(&rig, &format!("password_command = \"{changed}\""));
    // What follows would be waited for for 20 s, so that Ctrl-C ends it.
    let typed: &[(&str, &[u8])] = &[("the next login is in 20 s", b"\x03")];
    let (code, said) = on_a_terminal(command(&rig, &[]), Size::WIDE, typed);
    assert_eq!(code, 130, "{said}");
    assert_eq!(rig.simulator.record().calls[&Call::Auth], 1);
}

#[test]
fn name_and_password_go_with_each_call_and_no_session_is_opened() {
    let rig = Rig::with(2, |config| config.authinfo_only = true);
    account(
        &rig,
        &format!("password = \"{LOGIN_PASSWORD}\"\nlogin = \"authinfo\""),
    );
    let pair = format!("{USERNAME}:{LOGIN_PASSWORD}");
    // What the API echoes of it is not shown in any spelling.
    rig.fault(0, FaultKind::SecretEcho);
    let ended = run(&rig).exit(1).says("done 1");
    assert_hidden(&ended, &[LOGIN_PASSWORD, &pair, "UGx1Z2gtRnJvdHot"]);
    assert!(ended.err.contains("***"), "{ended}");
    let record = rig.simulator.record();
    assert_eq!(record.calls.get(&Call::Auth), None);
    assert_eq!(record.violations, [""; 0]);
    // A session is not let in, and by a variable it goes too.
    rig.run(&["--again"]).exit(7);
    let mut command = rig.order("fleet.csv", &[]);
    command.env("ZOMRO_LOGIN", "authinfo");
    finish(command).exit(0);
    let mut command = rig.order("fleet.csv", &[]);
    command.env("ZOMRO_LOGIN", "cookie");
    finish(command)
        .exit(2)
        .says("ZOMRO_LOGIN is neither `session` nor `authinfo`");
}

#[test]
fn name_and_password_that_are_refused_end_the_run() {
    let rig = Rig::with(1, |config| config.authinfo_only = true);
    account(&rig, "password = \"Wrong-4711\"\nlogin = \"authinfo\"");
    let ended = run(&rig)
        .exit(7)
        .says("the API does not accept the credentials");
    assert_hidden(&ended, &["Wrong-4711"]);
    assert_eq!(rig.submissions(), 0);
    // So does an account that has got a second factor meanwhile.
    let rig = with_code();
    account(
        &rig,
        &format!("password = \"{LOGIN_PASSWORD}\"\nlogin = \"authinfo\""),
    );
    run(&rig).exit(7);
    assert_eq!(rig.submissions(), 0);
}

#[test]
fn the_simulator_says_how_to_log_in() {
    for (options, said) in [
        (&["--totp", CODE][..], "ZOMRO_TOTP_COMMAND='echo 246810'"),
        (&["--authinfo-only"], "ZOMRO_LOGIN=authinfo"),
    ] {
        let rig = Rig::new(1);
        let mut command = bare(rig.folder.path());
        command.args(["simulate", "fleet.csv"]).args(options);
        let mut simulator = crate::rig::Running::start(command);
        let export = loop {
            let text = simulator.said();
            if let Some(line) = text.lines().find(|line| line.contains("export ZOMRO_")) {
                break (
                    line.to_owned(),
                    text.lines()
                        .next()
                        .unwrap()
                        .rsplit(' ')
                        .next()
                        .unwrap()
                        .to_owned(),
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let (line, url) = export;
        assert!(line.contains(said), "{line}");
        // As it stands, it works.
        let mut shell = Command::new("sh");
        let binary = crate::rig::binary();
        shell
            .args(["-c", &format!("{line}; exec \"$0\" \"$@\"")])
            .arg(binary)
            .args(quick("fleet.csv", &[]))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", rig.folder.path())
            .env("REFLEET_API_URL", url)
            .current_dir(rig.folder.path())
            .stdin(std::process::Stdio::null());
        finish(shell).exit(0).says("done 1");
    }
}

/// A command that prints a secret may wait for a person for half a minute.
#[test]
fn a_signal_ends_a_command_that_is_waited_for_and_leaves_nothing_of_it() {
    let rig = with_code();
    let waits = "echo $$ > started; sleep 60; true";
    let password = format!("password_command = \"{waits}\"");
    let code = format!("password = \"{LOGIN_PASSWORD}\"\ntotp_command = \"{waits}\"");
    let run = ["run", "fleet.csv", "--yes", "--rate", "0"];
    for (lines, words) in [
        (&password, &run[..]),
        (&password, &["plan", "fleet.csv"]),
        (&password, &["services"]),
        (&code, &run),
        (&code, &["services", "--rate", "0"]),
    ] {
        account(&rig, lines);
        let _ = fs::remove_file(rig.path("started"));
        let mut command = bare(rig.folder.path());
        command
            .env("PATH", "/usr/bin:/bin")
            .env("REFLEET_CONFIG", "config.toml")
            .args(words);
        let mut running = crate::rig::Running::start(command);
        let mut group = String::new();
        let ended = running.wait_until(|| {
            group = fs::read_to_string(rig.path("started")).unwrap_or_default();
            group.ends_with('\n')
        });
        assert_eq!(ended, None, "{words:?}: {}", running.said());
        running.signal("INT");
        // Not until its pipes are closed: what it has left behind would hold them open.
        let code = running.wait_until(|| false);
        assert_eq!(code, Some(130), "{words:?}");
        let alive = format!("kill -s 0 -- -{}", group.trim());
        let is_alive = || {
            let kill = Command::new("sh").args(["-c", &alive]).output();
            kill.unwrap().status.success()
        };
        let began = Instant::now();
        while is_alive() {
            let waited = began.elapsed();
            assert!(waited < Duration::from_secs(20), "{words:?} left {group}");
        }
    }
    assert_eq!(rig.submissions(), 0);
}
