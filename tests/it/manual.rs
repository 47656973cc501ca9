//! What packages install beside the program: completions for shells, and the manual.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

#[cfg(target_os = "linux")]
use crate::rig::{Size, on_a_terminal};
use crate::rig::{bare, finish};

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "elvish", "powershell"];

/// What `refleet` prints in a terminal that somebody says has `columns`.
fn printed(folder: &Path, args: &[&str], columns: &str) -> String {
    let mut command = bare(folder);
    command.args(args).env("COLUMNS", columns);
    let ended = finish(command).exit(0);
    assert_eq!(ended.err, "", "{args:?}");
    ended.out
}

/// A program of this machine; `None`: it is not installed.
fn installed(program: &str) -> Option<Command> {
    let mut looked = Command::new("sh");
    looked.args(["-c", &format!("command -v {program}")]);
    let found = looked.stdout(Stdio::null()).status().unwrap().success();
    #[expect(clippy::print_stderr, reason = "who reads the log is to know")]
    if !found {
        eprintln!("skipped what needs {program}: it is not installed");
    }
    found.then(|| Command::new(program))
}

/// The program has nothing to say against what it was given.
#[track_caller]
fn says_nothing(mut command: Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{command:?}: {said}"
    );
}

#[test]
fn each_shell_that_is_installed_takes_its_completions() {
    let folder = tempfile::tempdir().unwrap();
    for shell in SHELLS {
        let script = printed(folder.path(), &["completions", shell], "80");
        let again = printed(folder.path(), &["completions", shell], "200");
        assert_eq!(script, again, "{shell}: it depends on the terminal");
        assert!(script.contains("order-only"), "{shell}");
        fs::write(folder.path().join(shell), script).unwrap();
        // The others have no option that only reads a script.
        if ["bash", "zsh", "fish"].contains(&shell)
            && let Some(mut command) = installed(shell)
        {
            command.arg("-n").arg(folder.path().join(shell));
            says_nothing(command);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn bash_completes_options_and_the_names_of_files() {
    if installed("bash").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = printed(folder.path(), &["completions", "bash"], "80");
    fs::write(folder.path().join("refleet.bash"), script).unwrap();
    fs::write(folder.path().join("night-of-the-fleet.csv"), "").unwrap();
    let mut shell = Command::new("bash");
    shell
        .args(["--norc", "--noprofile", "-i"])
        .env_clear()
        .env("PS1", "ready> ")
        .env("TERM", "dumb")
        .current_dir(folder.path());
    // Ctrl-U forgets the line: nothing of it is carried out.
    let typed: [(&str, &[u8]); 5] = [
        ("ready> ", b"source ./refleet.bash\n"),
        ("ready> ", b"refleet run --order-o\t"),
        ("--order-only ", b"\x15refleet run ni\t"),
        ("night-of-the-fleet.csv ", b"\x15refleet run --events ni\t"),
        ("--events night-of-the-fleet.csv ", b"\x15exit\n"),
    ];
    let (code, said) = on_a_terminal(shell, Size::WIDE, &typed);
    assert_eq!(code, 0, "{said}");
}

/// The folder with all pages.
fn manual() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(printed(folder.path(), &["man", "a/b"], "40"), "");
    folder
}

fn pages(folder: &Path) -> Vec<(String, String)> {
    let files = fs::read_dir(folder).unwrap();
    let mut pages: Vec<(String, String)> = files
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    pages.sort();
    pages
}

#[test]
fn the_manual_has_a_page_for_each_command_and_is_the_same_each_time() {
    let folder = manual();
    let all = pages(&folder.path().join("a/b"));
    let names: BTreeSet<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["refleet.1", "refleet-run.1", "refleet-hosts-fence.1"] {
        assert!(names.contains(name), "{name} is not in {names:?}");
    }
    let main = printed(folder.path(), &["man"], "200");
    assert_eq!(
        main,
        fs::read_to_string(folder.path().join("a/b/refleet.1")).unwrap()
    );
    // Each command that the main page names has a page of its own.
    let commands = main.lines().filter_map(|line| line.strip_suffix("(1)"));
    let commands: Vec<String> = commands.map(|line| line.replace('\\', "") + ".1").collect();
    assert!(commands.len() > 20, "{commands:?}");
    for name in commands {
        assert!(names.contains(name.as_str()), "{name} is not in {names:?}");
    }
    printed(folder.path(), &["man", "again"], "200");
    assert_eq!(all, pages(&folder.path().join("again")));
}

#[test]
fn no_formatter_warns_of_a_page_of_the_manual() {
    let folder = manual();
    for (name, text) in pages(&folder.path().join("a/b")) {
        assert!(text.is_ascii(), "{name}");
        let path = folder.path().join("a/b").join(&name);
        if let Some(mut groff) = installed("groff") {
            groff.args(["-man", "-Tutf8", "-ww", "-z"]).arg(&path);
            says_nothing(groff);
        }
        if let Some(mut mandoc) = installed("mandoc") {
            // Pages without a date are the same each time they are built.
            mandoc.args(["-T", "lint", "-W", "error"]).arg(&path);
            says_nothing(mandoc);
        }
    }
    let Some(mut man) = installed("man") else {
        return;
    };
    man.args(["-E", "UTF-8", "-l"])
        .arg(folder.path().join("a/b/refleet-run.1"))
        .env("MANWIDTH", "100");
    let page = String::from_utf8(man.output().unwrap().stdout).unwrap();
    let example = "  refleet run fleet.csv --simulate --yes   rehearse, nothing real is touched";
    assert!(page.contains(example), "{page}");
    assert!(page.contains("refleet 0.1.0"), "{page}");
}
