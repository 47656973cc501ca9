//! The house is as its map in `src/lib.rs` says. A rule that has an exception names it here, with
//! the reason; an exception that is no longer needed is refused too.

mod circles;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use circles::Modules;
use source::Source;

/// The rooms of the crate, each with those that it may use. `cli` uses all of them.
const ROOMS: &[(&str, &[&str])] = &[
    ("job", &[]),
    ("text", &[]),
    ("time", &[]),
    ("failpoint", &[]),
    ("config", &["text"]),
    ("exit", &["job"]),
    ("event", &["exit", "job"]),
    ("manifest", &["job", "text"]),
    ("queue", &["failpoint", "job", "manifest", "text", "time"]),
    ("zomro", &["failpoint", "job", "text", "time"]),
    (
        "run",
        &[
            "event",
            "failpoint",
            "job",
            "queue",
            "text",
            "time",
            "witness",
            "zomro",
        ],
    ),
    ("witness", &["job"]),
    ("log", &["text", "time"]),
    ("pace", &["time"]),
    (
        "progress",
        &["event", "exit", "job", "log", "pace", "text", "time"],
    ),
    ("shell", &["log"]),
    ("hook", &["failpoint", "job", "queue", "shell", "time"]),
    (
        "monitor",
        &["event", "exit", "job", "shell", "text", "time"],
    ),
    ("report", &["job", "pace", "text", "time"]),
    ("simulator", &["job", "text", "time"]),
];

/// Libraries that these rooms alone know.
const OF_ROOMS: &[(&str, &[&str])] = &[
    ("sqlx", &["queue"]),
    // The API's client, and those who are told how a run has ended: each with a client of its own.
    ("reqwest", &["zomro", "monitor"]),
    ("axum", &["simulator"]),
    ("russh", &["witness", "simulator"]),
    ("indicatif", &["progress"]),
    ("toml", &["config"]),
    ("clap", &["cli"]),
];

/// What the heart of the crate decides upon: a variant that is new must be thought of everywhere.
const DOMAIN: &[&str] = &[
    "State",
    "LedgerEntry",
    "Evidence",
    "Executed",
    "Exit",
    "FailureKind",
    "InstanceStatus",
    "Counter",
    "Verdict",
    "Access",
    "AccessKind",
    "Action",
    "Order",
    "Task",
    "Answer",
    "Doubt",
    "Halt",
    "Input",
    "Finished",
];

/// Lines that a file may have.
const LINES_MAX: usize = 700;

/// Fields that a struct of a run may have.
const FIELDS_MAX: usize = 10;

/// Files that are longer all the same.
const LONGER: &[(&str, &str)] = &[(
    "src/run/machine/tests/world.rs",
    "the world in which the property test lets a run live",
)];

#[test]
fn no_modules_of_a_room_use_each_other() {
    let circles = Modules::new(&Source::all("src")).circles();
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn a_room_uses_only_the_rooms_below_it() {
    let mut wrong = Vec::new();
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in Source::all("src").iter().filter(|source| !source.is_test()) {
        let room = source.room();
        if ["lib", "main", "cli"].contains(&room) {
            continue;
        }
        let Some((_, allowed)) = ROOMS.iter().find(|(known, _)| *known == room) else {
            wrong.push(format!("{}: what may {room} use?", source.path));
            continue;
        };
        for other in source.rooms().filter(|other| *other != room) {
            used.entry(room.to_owned())
                .or_default()
                .insert(other.to_owned());
            if !allowed.contains(&other) {
                wrong.push(format!("{}: {room} must not know {other}", source.path));
            }
        }
    }
    for (room, allowed) in ROOMS {
        let used = used.get(*room).cloned().unwrap_or_default();
        let unused = allowed.iter().filter(|other| !used.contains(**other));
        wrong.extend(unused.map(|other| format!("{room} does not use {other} any more")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_library_that_belongs_to_a_room_is_used_by_no_other() {
    for source in Source::all("src").iter().filter(|source| !source.is_test()) {
        for (library, rooms) in OF_ROOMS {
            let is_at_home = rooms.contains(&source.room());
            assert!(
                is_at_home || !source.uses(library),
                "{}: {library}",
                source.path
            );
        }
    }
}

#[test]
fn the_map_names_every_room() {
    let lib = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap();
    let (_, map) = lib.split_once("# The map of the house").unwrap();
    for (room, _) in ROOMS.iter().chain(&[("cli", &[][..])]) {
        let is_named =
            map.contains(&format!("[`{room}`]")) || map.contains(&format!("[`mod@{room}`]"));
        assert!(is_named, "{room}");
    }
}

#[test]
fn a_file_can_be_read_at_one_sitting() {
    let sources = ["src", "tests", "benches"].map(Source::all);
    let long: Vec<&str> = sources
        .iter()
        .flatten()
        .filter(|source| source.code.lines().count() > LINES_MAX)
        .map(|source| source.path.as_str())
        .collect();
    let expected: Vec<&str> = LONGER.iter().map(|(path, _)| *path).collect();
    assert_eq!(long, expected, "files of more than {LINES_MAX} lines");
}

#[test]
fn no_struct_of_a_run_knows_everything() {
    let sources = Source::all("src");
    let of_a_run = sources.iter().filter(|source| source.room() == "run");
    let of_a_run = of_a_run.filter(|source| !source.is_test());
    let large = of_a_run
        .flat_map(Source::structs)
        .filter(|(_, fields)| *fields > FIELDS_MAX);
    let large: Vec<(&str, usize)> = large.collect();
    assert!(large.is_empty(), "more than {FIELDS_MAX} fields: {large:?}");
}

#[test]
fn a_mod_rs_holds_documentation_and_names() {
    let holds_code = |source: &&Source| {
        let is_item = |line: &str| {
            let words = line
                .split_whitespace()
                .filter(|word| !word.starts_with("pub"));
            let items = [
                "async", "const", "enum", "fn", "impl", "static", "struct", "trait", "type",
            ];
            words.take(1).any(|word| items.contains(&word))
        };
        source.path.ends_with("/mod.rs") && source.code.lines().any(is_item)
    };
    let sources = Source::all("src");
    let found = sources
        .iter()
        .filter(|source| !source.is_test())
        .filter(holds_code);
    let found: Vec<&str> = found.map(|source| source.path.as_str()).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_match_on_the_domain_names_all_variants() {
    let mut wrong = Vec::new();
    for source in Source::all("src").iter().filter(|source| !source.is_test()) {
        for one in source.matches().iter().filter(|one| one.takes_the_rest()) {
            if DOMAIN.iter().any(|domain| one.is_on(domain)) {
                wrong.push(format!("{}:{}", source.path, one.line));
            }
        }
    }
    assert!(wrong.is_empty(), "one arm takes the rest at {wrong:#?}");
}
