//! tests/README.md promises nothing that no test proves, and README.md shows no command that does
//! not work.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::rig::{LOGIN_PASSWORD, Rig, USERNAME, bare, finish};

/// A file of the repository.
fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Words in backticks that look like the name of a test: many words joined by underscores.
fn named_tests(section: &str) -> BTreeSet<&str> {
    section
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.matches('_').count() >= 3 && !word.contains(['=', ' ']))
        .collect()
}

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let promises = document("tests/README.md");
    let names = named_tests(&promises);
    assert!(names.len() >= 60, "{names:?}");
    let mut text = String::new();
    sources(&root.join("src"), &mut text);
    sources(&root.join("tests"), &mut text);
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !text.contains(&format!("fn {name}(")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

// Field case E11.
#[test]
fn the_readme_has_what_a_new_user_needs_and_nothing_that_is_for_others() {
    let readme = document("README.md");
    let mut sections = readme.split("\n## ").skip(1);
    let install = sections.next().unwrap();
    for words in [
        "Install\n",
        "cargo build --release",
        "sudo install",
        "minutes",
    ] {
        assert!(install.contains(words), "{words}: {install}");
    }
    assert!(sections.next().unwrap().starts_with("Try it\n"));
    // The screen that asks or plans, and where what is to be typed into a manifest comes from.
    for words in [
        "    ALL DATA on 4 instances will be DESTROYED.\n",
        "**Where the ids come from.**",
    ] {
        assert!(readme.contains(words), "{words}");
    }
    // Which test proves which promise is said to those who work here.
    assert!(!readme.contains("## What it promises"));
    assert_eq!(named_tests(&readme), BTreeSet::new());
    for document in ["tests", "benches"] {
        assert!(readme.contains(&format!("({document}/README.md)")));
    }
}

#[test]
fn every_file_that_a_document_leads_to_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "tests/README.md",
        "benches/README.md",
    ];
    for name in documents {
        let text = document(name);
        let folder = root.join(name).parent().unwrap().to_owned();
        for link in text.split("](").skip(1) {
            let (path, _) = link.split_once(')').unwrap();
            let is_file = !path.contains("://");
            assert!(!is_file || folder.join(path).exists(), "{name}: {path}");
        }
        for path in text.split('`').skip(1).step_by(2) {
            let is_file = path.starts_with("src/") || path.starts_with("tests/");
            assert!(!is_file || root.join(path).exists(), "{name}: {path}");
        }
    }
}

#[test]
fn the_commands_of_the_readme_work_as_they_stand() {
    let rig = Rig::new(3);
    rig.doubt(0);
    let program = bare(rig.folder.path());
    let programs = Path::new(program.get_program())
        .parent()
        .unwrap()
        .to_owned();
    rig.run(&["--settle", "100ms"]).exit(3);
    let readme = document("README.md");
    let commands: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with("refleet "))
        .collect();
    assert!(commands.len() >= 5, "{commands:?}");
    let recommended = recommended_way(&readme);
    for command in commands {
        // These go together, and begin without a manifest.
        if recommended.contains(&command) {
            continue;
        }
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", command])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
            .env("HOME", rig.folder.path())
            .env("REFLEET_DB", rig.database())
            .env("REFLEET_API_URL", rig.simulator.url())
            .env("ZOMRO_USERNAME", USERNAME)
            .env("ZOMRO_PASSWORD", LOGIN_PASSWORD)
            .stdin(Stdio::null())
            .current_dir(rig.folder.path());
        let ended = finish(shell);
        // The order has ended in doubt; of that a run has to speak.
        assert!(
            ended.code == 0 || (ended.code == 3 && command.starts_with("refleet run")),
            "{command}: {} {}{}",
            ended.code,
            ended.out,
            ended.err
        );
    }
    assert_eq!(rig.states()["done"].len(), 3, "the doubt was settled");
}

/// The commands from the account to the report.
fn recommended_way(readme: &str) -> Vec<&str> {
    let (_, rest) = readme
        .split_once("\nFrom the account to the report:\n\n")
        .unwrap();
    let block = rest.lines().take_while(|line| line.starts_with("    "));
    let commands = block.map(str::trim_start);
    commands
        .filter(|line| line.starts_with("refleet "))
        .collect()
}

#[test]
fn the_recommended_way_leads_from_the_account_to_the_report() {
    let rig = Rig::new(3);
    let manifest = rig.path("fleet.csv");
    std::fs::remove_file(&manifest).unwrap();
    // The account's options are this test's pace.
    let pairs: Vec<&str> = rig.pace.words().collect();
    let option = |pair: &[&str]| format!("{} = \"{}\"\n", pair[0].trim_start_matches('-'), pair[1]);
    let options: String = pairs.chunks(2).map(option).collect();
    rig.write("config.toml", "[account.shop]\n".to_owned() + &options);
    let readme = document("README.md");
    let commands = recommended_way(&readme);
    let words = commands.iter().map(|command| command.split(' ').nth(1));
    let words: Vec<&str> = words.flatten().collect();
    assert_eq!(words, ["services", "plan", "plan", "run", "report"]);
    for command in commands {
        let command = command.split(" #").next().unwrap();
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let mut refleet = rig.refleet(&words);
        refleet.env("REFLEET_CONFIG", rig.path("config.toml"));
        finish(refleet).exit(0);
        if words[0] == "services" {
            let text = std::fs::read_to_string(&manifest).unwrap();
            assert_eq!(text.lines().count(), 4);
            let text = text.replace(",,web", ",AlmaLinux-8,web");
            rig.write("fleet.csv", text);
        }
    }
    assert_eq!(rig.wiped(), [1, 1, 1]);
    let results = std::fs::read_to_string(rig.path("results.csv")).unwrap();
    assert_eq!(results.matches(",done,yes,").count(), 3, "{results}");
}

// Field case E11.
#[test]
fn the_readme_names_every_exit_code_and_every_option_of_its_tables_exists() {
    let readme = document("README.md");
    let help = {
        let mut command = bare(Path::new("/"));
        command.args(["run", "--help"]);
        finish(command).exit(0).out
    };
    for option in readme.split('`').skip(1).step_by(2).filter_map(|code| {
        let option = code.split([' ', '=']).next()?;
        (option.starts_with("--") && option != "--as").then_some(option)
    }) {
        let elsewhere = [
            "--failed",
            "--from",
            "--output",
            "--format",
            "--json",
            "--fault-rate",
            "--accounts",
        ];
        assert!(
            help.contains(option) || elsewhere.contains(&option),
            "{option}"
        );
    }
    let (_, codes) = readme.split_once("## Exit codes").unwrap();
    let (codes, _) = codes.split_once("\n## ").unwrap();
    for code in [0, 1, 2, 3, 4, 6, 7, 8, 70, 74, 75, 130, 143] {
        let named = codes.lines().any(|line| {
            let cell = line.split('|').nth(1).unwrap_or_default();
            cell.split(',').any(|word| word.trim() == code.to_string())
        });
        assert!(named, "{code}");
    }
}
