//! The command line itself: help, and everything that is refused before anything is queued or sent.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::rig::{
    Ended, FIRST, IMAGE, LOGIN_PASSWORD, PASSWORD, Rig, USERNAME, bare, finish, manifest, quick,
    sql,
};

/// It was refused: exit 2, nothing was queued, nothing was sent, and no password is shown.
#[track_caller]
fn assert_refused(rig: &Rig, name: &str, refused: &Ended, says: &str) {
    assert_eq!(refused.code, 2, "{name}: {}{}", refused.out, refused.err);
    assert!(
        refused.err.contains(says),
        "{name}: {says:?} is not in:\n{}",
        refused.err
    );
    assert!(!refused.err.contains(PASSWORD), "{name}: {}", refused.err);
    assert_eq!(refused.out, "", "{name}");
    assert_eq!(rig.calls(), 0, "{name}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of manifests")]
fn a_bad_manifest_is_refused_before_anything_is_queued_or_sent() {
    let rig = Rig::new(3);
    let row = format!("{FIRST},{IMAGE},{PASSWORD},\n");
    let with = |header: &str, rows: &str| format!("{header}\n{rows}").into_bytes();
    let rows = |rows: &str| with("service_id,image,password,ssh_key", rows);
    let cell = |id: &str| rows(&format!("{row}{id},{IMAGE},,\n"));
    let utf16: Vec<u8> = manifest(2)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut latin = with("service_id,image,note", &format!("{FIRST},{IMAGE},"));
    latin.extend(b"M\xfcnchen\n");
    let mut tail = manifest(2).into_bytes();
    tail.extend([0; 64]);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty file", Vec::new(), "the file is empty"),
        ("header only", rows(""), "no row below it"),
        (
            "no id column",
            with("web,image", "1,2\n"),
            "the required column `service_id` is missing",
        ),
        (
            "no image column",
            with("id,name", "1,2\n"),
            "the required column `image` is missing",
        ),
        (
            "duplicate column",
            with("id,elid,image", &format!("1,2,{IMAGE}\n")),
            "two columns mean `service_id`",
        ),
        (
            "near miss",
            with("id,image,pasword", &format!("1,{IMAGE},{PASSWORD}\n")),
            "was `password` meant?",
        ),
        ("no header", with(&row, ""), "the first row holds data"),
        (
            "short row",
            rows(&format!("{row}{FIRST}\n")),
            "line 3: 1 cell instead of 4",
        ),
        (
            "long row",
            rows(&format!("{FIRST},{IMAGE},{PASSWORD},,\n")),
            "line 2: 5 cells instead of 4",
        ),
        (
            "unclosed quote",
            rows(&format!("{FIRST},{IMAGE},\"{PASSWORD},\n{row}")),
            "never closes it",
        ),
        (
            "line feed in a cell",
            rows(&format!("{FIRST},{IMAGE},\"{PASSWORD}\nx\",\n")),
            "line 2",
        ),
        ("Latin-1", latin, "the line is not UTF-8"),
        (
            "UTF-16 without a mark",
            utf16,
            "UTF-16 without a byte order mark",
        ),
        ("NUL bytes at the end", tail, "NUL bytes"),
        (
            "scientific notation",
            cell("5.113119E+06"),
            "scientific notation",
        ),
        ("decimal", cell("5113120.0"), "a decimal number"),
        ("decimal comma", cell("\"5113120,00\""), "a decimal number"),
        ("two values", cell("\"12,13\""), "several values"),
        ("three values", cell("5113120; 5113121;5"), "several values"),
        (
            "rounded",
            cell("5113119000000000000"),
            "rounded the id to 15 digits",
        ),
        ("error value", cell("#REF!"), "a spreadsheet's error"),
        (
            "leading zero",
            cell("05113120"),
            "does not begin with a zero",
        ),
        ("zero", cell("0"), "does not begin with a zero"),
        ("negative", cell("-5"), "this is no service id"),
        ("too large", cell("9223372036854775808"), "too large"),
        ("service twice", rows(&format!("{row}{row}")), "line 3"),
        (
            "bad UUID",
            rows(&format!("{FIRST},{},{PASSWORD},\n", &IMAGE[1..])),
            "neither an image id nor",
        ),
        (
            "short password",
            rows(&format!("{FIRST},{IMAGE},Short1,\n")),
            "shorter than 8 characters",
        ),
        (
            "no upper-case letter",
            rows(&format!("{FIRST},{IMAGE},mypassword1,\n")),
            "no upper-case letter",
        ),
        (
            "no digit",
            rows(&format!("{FIRST},{IMAGE},Mypassword,\n")),
            "no digit",
        ),
        (
            "password and key",
            rows(&format!("{FIRST},{IMAGE},{PASSWORD},490\n")),
            "a password and an SSH key",
        ),
        (
            "enablessh without key",
            with("id,image,enablessh", &format!("1,{IMAGE},on\n")),
            "gives no SSH key",
        ),
        (
            "enablessh off with key",
            with(
                "id,image,enablessh,ssh_key",
                &format!("1,{IMAGE},off,490\n"),
            ),
            "gives an SSH key",
        ),
    ];
    for (name, content, says) in cases {
        rig.write("fleet.csv", content);
        for args in [
            quick("fleet.csv", &[]),
            vec!["load", "fleet.csv"],
            vec!["check", "fleet.csv"],
        ] {
            let refused = rig.call(&args);
            assert!(refused.err.contains("fleet.csv"), "{name}: {}", refused.err);
            assert_refused(&rig, name, &refused, says);
        }
        assert!(!rig.database().exists(), "{name}: not even a database");
    }
}

#[test]
fn a_huge_or_invisible_manifest_is_refused_in_few_words_and_little_memory() {
    let rig = Rig::new(1);
    let row = |id: &str, note: &str| format!("service_id,image,note\n{id},{IMAGE},{note}\n");
    let many = "x,".repeat(10_000);
    let cases = [
        (row("1", &"x".repeat(10_000_000)), "line 2"),
        ("x".repeat(50_000_000), "line 1"),
        (
            format!("{many}service_id\n{many}1\n"),
            "line 1: 10001 columns",
        ),
        (row("1", "a\0b"), "line 2"),
        (row("1\u{200f}", ""), "line 2, column `service_id`"),
    ];
    for (content, place) in cases {
        rig.write("fleet.csv", content);
        // 128 MiB, of which the program itself is a part.
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "ulimit -v 131072; exec \"$0\" check fleet.csv"])
            .arg(bare(rig.folder.path()).get_program())
            .current_dir(rig.folder.path());
        let refused = finish(command).exit(2).says(place);
        assert!(refused.err.len() < 64 << 10, "{place}");
        assert!(!refused.err.contains(['\0', '\u{200f}']), "{place}");
    }
}

#[test]
fn all_faults_of_a_manifest_are_listed_at_once() {
    let rig = Rig::new(1);
    rig.write(
        "fleet.csv",
        "service_id,image,password\n5.1E+06,123,weak\n7,null,\n",
    );
    let refused = rig.call(&["check", "fleet.csv"]).exit(2).err;
    for fault in [
        "scientific",
        "neither an image id nor an image's name",
        "shorter than 8",
        "no digit",
        "placeholder",
    ] {
        assert!(refused.contains(fault), "{fault}: {refused}");
    }
}

#[test]
fn a_manifest_that_is_no_file_is_refused() {
    let rig = Rig::new(1);
    fs::create_dir(rig.path("folder")).unwrap();
    for name in ["missing.csv", "folder", "missing/fleet.csv"] {
        for args in [quick(name, &[]), vec!["load", name], vec!["check", name]] {
            assert_refused(&rig, name, &rig.call(&args), name);
        }
    }
    assert!(!rig.database().exists());
}

#[test]
fn check_prints_the_plan_and_needs_neither_credentials_nor_a_database() {
    let rig = Rig::new(3);
    let mut command = bare(rig.folder.path());
    command.args(["check", "fleet.csv"]);
    let plan = finish(command)
        .exit(0)
        .says_out("fleet.csv: sound")
        .says_out("3")
        .out;
    assert!(!plan.contains(PASSWORD), "{plan}");
    let mut files: Vec<_> = fs::read_dir(rig.folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(files.len(), 1, "{:?}", files.pop());
}

/// Commands on a database, `run` first.
const ON_A_DATABASE: &[&[&str]] = &[
    &["run", "fleet.csv", "--yes"],
    &["load", "fleet.csv"],
    &["status"],
    &["list"],
    &["show", "5113119"],
    &["report"],
    &["verify"],
    &["retry", "--failed"],
    &["resolve", "--all", "--as", "done", "--reason", "x"],
    &["cancel", "--all"],
];

/// Every command refuses the rig's database, and leaves it as it is.
fn assert_database_is_refused(rig: &Rig, says: &str) {
    rig.fleet(3);
    let content = fs::read(rig.database()).ok();
    for args in ON_A_DATABASE {
        assert_refused(rig, &args.join(" "), &rig.call(args), says);
    }
    assert!(
        fs::read(rig.database()).ok() == content,
        "it was left as it is"
    );
}

#[test]
fn a_database_that_is_a_directory_is_refused() {
    let rig = Rig::new(3);
    fs::create_dir_all(rig.database()).unwrap();
    assert_database_is_refused(&rig, "it is a directory");
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let rig = Rig::new(3);
    fs::create_dir(rig.path("state")).unwrap();
    fs::write(rig.database(), "service_id,image\n".repeat(500)).unwrap();
    close(&rig);
    assert_database_is_refused(&rig, "is no refleet database");
}

#[test]
fn a_database_of_another_program_is_refused() {
    let rig = Rig::new(3);
    fs::create_dir(rig.path("state")).unwrap();
    sql(&rig.database(), "CREATE TABLE job (id INTEGER PRIMARY KEY)");
    close(&rig);
    assert_database_is_refused(&rig, "is no refleet database");
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let rig = loaded();
    rig.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', 1, x'00', 0)",
    );
    assert_database_is_refused(
        &rig,
        "was written by a version of refleet that this one does not know",
    );
}

#[test]
fn a_database_of_a_version_that_was_never_released_is_refused() {
    let rig = loaded();
    rig.sql("UPDATE _sqlx_migrations SET checksum = x'00'");
    assert_database_is_refused(
        &rig,
        "was written by a version of refleet that this one does not know",
    );
}

#[test]
fn a_database_that_cannot_be_written_is_refused_by_all_that_write() {
    let rig = loaded();
    fs::set_permissions(rig.database(), fs::Permissions::from_mode(0o400)).unwrap();
    if fs::OpenOptions::new()
        .write(true)
        .open(rig.database())
        .is_ok()
    {
        // Permissions do not bind root; /proc does: nobody creates a file there.
        let mut command = rig.refleet(&["load", "fleet.csv", "--db", "/proc/refleet.db"]);
        command.env_remove("REFLEET_DB");
        assert_refused(
            &rig,
            "load",
            &finish(command),
            "cannot open the database /proc/refleet.db",
        );
        return;
    }
    for args in [
        &["run", "fleet.csv", "--yes"][..],
        &["load", "fleet.csv"],
        &["cancel", "--all"],
    ] {
        assert_refused(&rig, args[0], &rig.call(args), "cannot open the database");
    }
    rig.call(&["status"]).exit(0);
}

#[test]
fn commands_that_only_look_create_no_database() {
    let rig = Rig::new(1);
    for args in &ON_A_DATABASE[2..] {
        assert_refused(
            &rig,
            &args.join(" "),
            &rig.call(args),
            "there is no database",
        );
    }
    assert!(!rig.path("state").exists());
}

/// A database with three jobs queued.
fn loaded() -> Rig {
    let rig = Rig::new(3);
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig
}

fn close(rig: &Rig) {
    fs::set_permissions(rig.database(), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn an_address_that_cannot_be_meant_is_refused() {
    let rig = Rig::new(3);
    for url in [
        "http://api.zomro.com/",
        "http://192.0.2.7:8080/",
        "http://localhost.example.com/",
        "ftp://api.zomro.com/",
        "api.zomro.com",
        "https://user:Secret123@api.zomro.com/",
        "",
    ] {
        let refused = rig.call(&quick("fleet.csv", &["--api-url", url]));
        assert!(!refused.err.contains("Secret123"), "{}", refused.err);
        assert_refused(&rig, url, &refused, "address");
        assert!(!rig.database().exists(), "{url}");
    }
}

#[test]
fn a_run_without_whole_credentials_is_refused() {
    let rig = Rig::new(3);
    let missing = rig.path("missing").display().to_string();
    rig.write("empty", "\n");
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[], "there are no credentials"),
        (
            &[("ZOMRO_USERNAME", USERNAME)],
            "ZOMRO_USERNAME is set, ZOMRO_PASSWORD is not",
        ),
        (
            &[("ZOMRO_PASSWORD", LOGIN_PASSWORD)],
            "ZOMRO_PASSWORD is set, ZOMRO_USERNAME is not",
        ),
        (&[("ZOMRO_AUTH", "")], "ZOMRO_AUTH is empty"),
        (
            &[("ZOMRO_AUTH_FILE", &missing)],
            "cannot read the file that ZOMRO_AUTH_FILE names",
        ),
        (&[("ZOMRO_AUTH_FILE", "empty")], "the path of an empty file"),
    ];
    for (environment, says) in cases {
        let mut command = rig.order("fleet.csv", &[]);
        command
            .env_remove("ZOMRO_USERNAME")
            .env_remove("ZOMRO_PASSWORD");
        command.envs(environment.iter().copied());
        let refused = finish(command);
        assert!(!refused.err.contains(LOGIN_PASSWORD), "{}", refused.err);
        assert_refused(&rig, says, &refused, says);
        assert!(!rig.database().exists(), "{says}");
    }
}

#[test]
fn credentials_come_from_files_too() {
    let rig = Rig::new(1);
    rig.write("password", format!("{LOGIN_PASSWORD}\n"));
    let mut command = rig.order("fleet.csv", &[]);
    command
        .env_remove("ZOMRO_PASSWORD")
        .env("ZOMRO_PASSWORD_FILE", "password");
    finish(command).exit(0);
    assert_eq!(rig.wiped(), [1]);
}

#[test]
fn a_login_counts_before_a_token_and_that_is_said() {
    let rig = Rig::new(1);
    let both = |more: &[&str]| {
        let mut command = rig.order("fleet.csv", more);
        command.env("ZOMRO_AUTH", "5e55104e5e55104e5e55104e");
        finish(command).exit(0)
    };
    both(&[]).says("ZOMRO_AUTH is not used");
    both(&["--again", "-q"]).said_nothing();
    assert_eq!(rig.wiped(), [2]);
}

#[test]
fn credentials_that_the_api_refuses_end_the_run_and_fail_no_job() {
    let rig = Rig::new(2);
    let mut command = rig.order("fleet.csv", &[]);
    command.env("ZOMRO_PASSWORD", "Wrong-Password-1");
    let run = finish(command)
        .exit(7)
        .says("does not accept the credentials");
    assert!(!run.err.contains("Wrong-Password-1"), "{}", run.err);
    assert_eq!(rig.states()["queued"].len(), 2);
    rig.run(&[]).exit(0);
    rig.assert_truth(1);
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    let rig = Rig::new(3);
    for args in [
        &["--workers", "0"][..],
        &["--workers", "-1"],
        &["--workers", "many"],
        &["--max-failures", "0"],
        &["--max-failures", "0%"],
        &["--max-failures", "101%"],
        &["--rate", "-1"],
        &["--rate", "NaN"],
        &["--retries", "-1"],
        &["--timeout", "0s"],
        &["--settle", "5"],
        &["--poll-interval", "soon"],
        &["--again", "--every", "20h"],
        &["--every", "0s"],
        &["--again", "--skip-done"],
        &["--progress", "fancy"],
        &["--fault-rate", "0.5"],
        &["--simulate", "--fault-rate", "2"],
        &["--simulate", "--fault-kinds", "reset"],
        &["-q", "-v"],
        &["--password", PASSWORD],
    ] {
        let refused = rig.call(&[&["run", "fleet.csv", "--yes"], args].concat());
        assert_eq!(
            (refused.code, rig.calls()),
            (2, 0),
            "{args:?}: {}",
            refused.err
        );
        assert!(!rig.database().exists(), "{args:?}");
    }
    rig.call(&["load", "fleet.csv", "--every", "0s"])
        .exit(2)
        .says("must be more than zero; --again");
    for args in [
        &[][..],
        &["rebuild"],
        &["show"],
        &["show", "x"],
        &["retry"],
        &["resolve", "--all"],
        &["simulate"],
    ] {
        assert_eq!(rig.call(args).code, 2, "{args:?}");
    }
}

#[test]
fn a_run_without_yes_and_without_a_terminal_is_refused() {
    let rig = Rig::new(3);
    assert_refused(
        &rig,
        "run",
        &rig.call(&["run", "fleet.csv"]),
        "this destroys 3 instances, and there is no terminal",
    );
    assert_eq!(
        rig.sql("SELECT 1 FROM batch").len(),
        0,
        "nothing was queued"
    );
    // Neither the word from a pipe nor an unfinished batch changes that.
    let mut piped = assert_cmd::Command::from_std(rig.refleet(&["run", "fleet.csv"]));
    piped.write_stdin("3\nyes\n").assert().code(2);
    rig.call(&["load", "fleet.csv"]).exit(0);
    assert_refused(&rig, "run", &rig.call(&["run", "fleet.csv"]), "pass --yes");
    assert_refused(&rig, "run", &rig.call(&["run"]), "pass --yes");
}

#[test]
fn the_simulator_as_a_process_of_its_own_serves_a_run_and_tells_the_truth() {
    use std::io::{BufRead as _, BufReader, Read as _};
    let rig = Rig::new(0);
    rig.fleet(2);
    let mut command = bare(rig.folder.path());
    command.args([
        "simulate",
        "fleet.csv",
        "--rebuild-duration",
        "100ms",
        "--accept-lag",
        "10ms",
    ]);
    command
        .args(["--session", "5e55104e5e55104e5e55104e"])
        .stdout(std::process::Stdio::piped());
    let mut simulator = Killed(command.spawn().unwrap());
    let mut out = BufReader::new(simulator.0.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let url = line.trim().rsplit(' ').next().unwrap();

    let mut command = rig.order("fleet.csv", &["--api-url", url]);
    command
        .env_remove("ZOMRO_USERNAME")
        .env_remove("ZOMRO_PASSWORD");
    command.env("ZOMRO_AUTH", "5e55104e5e55104e5e55104e");
    finish(command).exit(0).says("done 2");

    let pid = simulator.0.id().to_string();
    Command::new("sh")
        .args(["-c", &format!("kill -TERM {pid}")])
        .status()
        .unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains("executed: 2, completed: 2; instances rebuilt more than once: 0"),
        "{rest}"
    );
    assert!(!rest.contains("violation"), "{rest}");
    assert_eq!(simulator.0.wait().unwrap().code(), Some(0));
}

/// A process that does not outlive its test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_help_of_every_command_tells_all_that_one_needs() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for args in [
        &["--help"][..],
        &["-h"],
        &["run", "-h"],
        &["run", "--help"],
        &["work", "--help"],
        &["check", "--help"],
        &["plan", "--help"],
        &["load", "--help"],
        &["status", "--help"],
        &["list", "--help"],
        &["show", "--help"],
        &["retry", "--help"],
        &["resolve", "--help"],
        &["cancel", "--help"],
        &["pause", "--help"],
        &["go", "--help"],
        &["set", "--help"],
        &["drain", "--help"],
        &["hooks", "--help"],
        &["hooks", "retry", "--help"],
        &["hooks", "forget", "--help"],
        &["report", "--help"],
        &["verify", "--help"],
        &["adopt", "--help"],
        &["hosts", "--help"],
        &["hosts", "fence", "--help"],
        &["services", "--help"],
        &["config", "show", "--help"],
        &["images", "--help"],
        &["keys", "--help"],
        &["simulate", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
    ] {
        let mut command = bare(folder.path());
        let help = finish({
            command.args(args).env("COLUMNS", "80");
            command
        });
        let help = help.exit(0).out;
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{args:?}: {line}");
        }
        writeln!(text, "$ refleet {}\n{help}", args.join(" ")).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn help_takes_the_option_that_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let said = |args: &[&str]| {
        let mut command = bare(folder.path());
        command.args(args);
        finish(command).exit(0).out
    };
    for option in ["--help", "-h"] {
        assert_eq!(said(&["help", option]), said(&["help"]));
        assert_eq!(said(&["help", "run", option]), said(&["help", "run"]));
    }
}

#[test]
fn the_help_documents_every_exit_code_and_never_shows_a_secret() {
    let rig = Rig::new(0);
    let mut command = rig.refleet(&["--help"]);
    command.env("ZOMRO_AUTH", "0123456789abcdef01234567");
    let help = finish(command).exit(0).out;
    let codes = help.split("Exit codes:").nth(1).unwrap();
    for code in [
        "0 ", "1 ", "2 ", "3 ", "4 ", "70 ", "74 ", "75 ", "130", "143",
    ] {
        assert!(codes.contains(code), "{code}: {codes}");
    }
    let commands = [
        "", "run", "check", "load", "status", "list", "show", "retry", "resolve", "cancel",
        "report", "verify", "services", "images", "keys", "simulate",
    ];
    for args in commands
        .map(|name| [[name, "--help"], [name, "-h"]])
        .as_flattened()
    {
        let mut command = rig.refleet(&args[usize::from(args[0].is_empty())..]);
        command.env("ZOMRO_AUTH", "0123456789abcdef01234567");
        let help = finish(command).exit(0).out;
        for secret in [LOGIN_PASSWORD, "0123456789abcdef", &format!("={USERNAME}")] {
            assert!(!help.contains(secret), "{args:?}: {help}");
        }
    }
    rig.call(&["--version"])
        .exit(0)
        .says_out(concat!("refleet ", env!("CARGO_PKG_VERSION")));
}
