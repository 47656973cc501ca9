use std::io;
use std::path::PathBuf;

use clap::{CommandFactory, Parser};

use super::account::{FIRST_SERVICE, InvalidServices, Services, SimulateArgs, parse_services};
use super::command::{simulate, summary};
use crate::job::{Expected, ServiceId};
use crate::simulator::{Config, FaultKind, FaultPlan, FleetRow, Oddities, Record, SshOddity};

#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    args: SimulateArgs,
}

fn parse(words: &[&str]) -> Result<SimulateArgs, clap::Error> {
    Arguments::try_parse_from([&["simulate"], words].concat()).map(|line| line.args)
}

#[test]
fn services_are_a_number_or_a_range_with_both_ends() {
    assert_eq!(
        parse_services("3"),
        Ok(Services {
            first: 5_113_119,
            last: 5_113_121
        })
    );
    assert_eq!(parse_services("7..9"), Ok(Services { first: 7, last: 9 }));
    let largest = format!("{0}..{0}", i64::MAX);
    assert!(parse_services(&largest).is_ok());
    for text in [
        "",
        "0",
        "9..7",
        "0..5",
        "1..",
        "-3",
        "1..1000001",
        "1000001",
        "a..b",
    ] {
        assert_eq!(parse_services(text), Err(InvalidServices), "{text:?}");
    }
}

#[test]
fn the_defaults_are_a_world_without_faults() {
    let config = parse(&["--services", "120"]).unwrap().config([]);
    assert_eq!(config.instances.len(), 120);
    assert!(config.faults.rate.abs() < f64::EPSILON);
    assert_eq!(config.page_size, 50);
    let usual = Config::default();
    assert_eq!(config.accept_lag, usual.accept_lag);
    assert_eq!(config.rebuild_duration, usual.rebuild_duration);
    assert_eq!(config.session_ttl, usual.session_ttl);
    assert_eq!(config.journal, None);
}

#[test]
fn a_journal_is_kept_where_the_command_line_says() {
    let config = parse(&["--journal", "kept.ndjson"]).unwrap().config([]);
    assert_eq!(config.journal, Some(PathBuf::from("kept.ndjson")));
}

#[test]
fn faults_are_read_from_the_command_line() {
    let args = parse(&[
        "--fault-rate",
        "0.25",
        "--fault-kinds",
        "429,reset-after",
        "--seed",
        "9",
    ]);
    let plan = args.unwrap().faults.plan();
    let kinds = vec![FaultKind::TooManyRequests, FaultKind::ResetAfter];
    assert_eq!(
        plan,
        FaultPlan {
            rate: 0.25,
            kinds,
            seed: 9
        }
    );
    assert_eq!(parse(&[]).unwrap().faults.plan(), FaultPlan::default());
    for words in [
        ["--fault-rate", "1.5"],
        ["--fault-rate", "NaN"],
        ["--fault-kinds", "resett"],
        ["--fault-kinds", "error"],
        ["--services", "0"],
        ["--page-size", "0"],
    ] {
        assert!(parse(&words).is_err(), "{words:?}");
    }
}

#[test]
fn the_help_names_every_kind_and_the_usual_ones_as_default() {
    let help = Arguments::command().render_long_help().to_string();
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| c.is_whitespace() || ",.]".contains(c));
        words
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let kinds = help.split("--fault-kinds").nth(1).unwrap();
    let (usual, rest) = kinds.split_once("Also known:").unwrap();
    let (usual, rest) = (words(usual), words(rest.split("--odd").next().unwrap()));
    for kind in FaultKind::ALL {
        let word = kind.as_str().to_owned();
        let is_usual = FaultKind::USUAL.contains(kind);
        assert_eq!(usual.contains(&word), is_usual, "{kind}");
        assert_eq!(
            rest.contains(&word),
            kind.can_be_drawn() && !is_usual,
            "{kind}"
        );
    }
}

#[test]
fn oddities_are_read_from_the_command_line_and_all_are_named_in_its_help() {
    let args = parse(&["--odd", "freeze=2s,name-lag=1s", "--odd", "never-shown"]);
    let config = args.unwrap().config([]);
    let words = ["freeze=2s", "name-lag=1s", "never-shown"];
    assert_eq!(Ok(config.odd), Oddities::parse(words));
    assert_eq!(parse(&[]).unwrap().config([]).odd, Oddities::default());
    let error = parse(&["--odd", "freeze=soon"]).unwrap_err().to_string();
    assert!(error.contains("a duration"), "{error}");
    let help = Arguments::command().render_long_help().to_string();
    let help: Vec<_> = help
        .split(|c: char| c.is_whitespace() || "=,;:[()".contains(c))
        .collect();
    for word in Oddities::words().chain(SshOddity::words()) {
        assert!(help.contains(&word), "{word} is not in the help");
    }
}

#[test]
fn a_manifest_and_invented_services_may_overlap() {
    let args = parse(&["--services", "2"]).unwrap();
    let image = "00000000-0000-4000-8000-000000000001".parse().ok();
    let row = FleetRow {
        service: ServiceId::new(FIRST_SERVICE).unwrap(),
        image,
        image_name: None,
        zone: Some("own".to_owned()),
        ssh_key: None,
        key_label: None,
        expected: Expected::default(),
    };
    let config = args.config([row]);
    assert_eq!(config.instances.len(), 2);
    assert!(
        config
            .images
            .iter()
            .any(|known| Some(known.id) == image && known.zone == "own")
    );
}

#[tokio::test]
async fn other_addresses_than_loopback_are_refused_before_anything_is_said() {
    let args = parse(&["--listen", "0.0.0.0:0"]).unwrap();
    let mut out = Vec::new();
    let error = simulate(&args, [], &mut out).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(out.is_empty());
}

#[test]
fn the_closing_line_counts_what_happened_and_names_violations() {
    let mut record: Record = serde_json::from_str(
        r#"{"services":{"5":{"submissions":3,"accepted":2,"executed":2,"wiped":2,"completed":1,"answered":1,
            "status":"active","image":"x","wipes":[]}},"calls":{"submission":3,"auth":1},
            "faults":{"reset-after":1},"violations":[],"submissions_in_flight_max":1,
            "executions_max":1}"#,
    )
    .unwrap();
    let line = "calls: 4, faults: 1; submissions: 3, accepted: 2, executed: 2, completed: 1; \
                instances rebuilt more than once: 1\n";
    assert_eq!(summary(&record), line);
    record.violations.push("p_cnt\u{1b}".to_owned());
    assert_eq!(
        summary(&record),
        format!("{line}violation: p_cnt\\u{{1b}}\n")
    );
}
