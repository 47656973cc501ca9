//! Doubts of which the account's list says nothing. Executed, they end by the instances' new keys; not
//! executed, they are held, and whoever looks finds the key of before and the same one since.
//!
//! `REFLEET_DOUBTS=1000` lets so many doubts of each kind arise.

use std::ops::AddAssign;
use std::time::Instant;

use refleet::job::{Evidence, State};
use serde_json::Value;

use super::{Blind, DONE, DOUBT};
use crate::rig::{Rig, side_by_side};

/// Runs at once: each has a dozen instances that are looked at all the time.
const THREADS: usize = 4;
/// Doubts of one run, unless it is the only one.
const DOUBTS_EACH: usize = 12;

/// What became of doubts.
#[derive(Debug, Default)]
struct Figures {
    doubts: usize,
    /// Done by their new key.
    settled: usize,
    /// Left to the operator.
    held: usize,
    /// Of those: without the same key before and since.
    hints_missing: usize,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.doubts += other.doubts;
        self.settled += other.settled;
        self.held += other.held;
        self.hints_missing += other.hints_missing;
    }
}

/// One run in which each submission becomes a doubt.
fn night(blind: Blind, executed: bool) -> Figures {
    let count = if blind == Blind::OnlyJob {
        1
    } else {
        DOUBTS_EACH
    };
    let rig = blind.rig(count, &[]);
    blind.lose_answers(&rig, |_| executed);
    let ended = blind.run(&rig);
    assert!(matches!(ended.code, DONE | DOUBT), "{blind:?}: {ended}");
    rig.check_end().unwrap();
    let mut figures = Figures::default();
    for (story, row) in rig.stories().unwrap().iter().zip(rig.report()) {
        let record = &story.record;
        figures.doubts += 1;
        let before = &record.baseline.as_ref().unwrap().host_key;
        match record.state {
            State::Done => {
                let case = format!("{blind:?}: {record:?}\n{ended}");
                assert_eq!(record.evidence, Some(Evidence::HostKey), "{case}");
                assert!(record.host_key.is_some(), "{case}");
                assert_ne!(record.host_key, *before, "{case}");
                assert_eq!(row["evidence"], "host_key");
                assert_ne!(row["host_key"], row["host_key_before"], "{row}");
                figures.settled += 1;
            }
            State::InDoubt if record.held => {
                figures.held += 1;
                let has_hint = before.is_some() && record.host_key == *before;
                figures.hints_missing += usize::from(!has_hint);
                if has_hint {
                    let fingerprint = &row["host_key_before"];
                    assert!(fingerprint.is_string(), "{row}");
                    assert_eq!(row["host_key"], *fingerprint, "{row}");
                }
            }
            _ => panic!("{blind:?}: {record:?}\n{ended}"),
        }
    }
    figures
}

/// So many doubts of each kind, and their figures.
fn nights(executed: bool) -> Figures {
    let doubts = std::env::var("REFLEET_DOUBTS").map_or(60, |text| text.parse().unwrap());
    let of_each = usize::div_ceil(doubts, Blind::ALL.len());
    let kinds: Vec<Blind> = (Blind::ALL.into_iter())
        .flat_map(|blind| {
            let each = if blind == Blind::OnlyJob {
                1
            } else {
                DOUBTS_EACH
            };
            vec![blind; of_each.div_ceil(each)]
        })
        .collect();
    let began = Instant::now();
    let mut all = Figures::default();
    for figures in side_by_side(THREADS, kinds.len(), |nth| night(kinds[nth], executed)) {
        all += figures;
    }
    #[expect(clippy::print_stderr, reason = "the figures are for those who look")]
    {
        let what = if executed { "executed" } else { "not executed" };
        eprintln!("{what}: {all:?} in {:?}", began.elapsed());
    }
    assert!(all.doubts >= doubts, "{all:?}");
    all
}

#[test]
fn of_a_thousand_executed_doubts_at_most_one_is_held() {
    let figures = nights(true);
    assert!(figures.held * 1000 <= figures.doubts, "{figures:?}");
    assert_eq!(figures.settled + figures.held, figures.doubts);
}

#[test]
fn doubts_that_were_not_executed_are_held_and_each_has_its_hint() {
    let figures = nights(false);
    assert_eq!(
        (figures.settled, figures.hints_missing),
        (0, 0),
        "{figures:?}"
    );
    assert_eq!(figures.held, figures.doubts);
}

#[test]
fn whoever_looks_at_a_doubt_finds_the_keys_of_before_and_since() {
    let blind = Blind::SameImage;
    let rig = blind.rig(2, &[]);
    blind.lose_answers(&rig, |nth| nth == 0);
    blind.run(&rig).exit(DOUBT);
    let rows = rig.report();
    for (nth, (row, state)) in rows.iter().zip(["done", "in_doubt, held"]).enumerate() {
        let shown = show(&rig, nth);
        let state = format!("state     {state}");
        assert!(shown.contains(&state), "{shown}");
        for (when, name) in [("before", "host_key_before"), ("since", "host_key")] {
            let fingerprint = fingerprint(row, name);
            let line = format!(
                "host key  {when}: ssh-ed25519 {fingerprint} at 127.66.0.{}",
                nth + 1
            );
            assert!(shown.contains(&line), "{line} is not in:\n{shown}");
        }
    }
    let is_same = |row: &Value| row["host_key"] == row["host_key_before"];
    assert_eq!([is_same(&rows[0]), is_same(&rows[1])], [false, true]);
    let csv = rig.call(&["report", "--format", "csv"]).exit(0).out;
    for row in &rows {
        assert!(csv.contains(fingerprint(row, "host_key")), "{csv}");
    }
}

fn show(rig: &Rig, nth: usize) -> String {
    let service = rig.services[nth].to_string();
    rig.call(&["show", &service]).exit(0).out
}

fn fingerprint<'a>(row: &'a Value, name: &str) -> &'a str {
    let fingerprint = row[name].as_str().unwrap_or_default();
    assert!(fingerprint.starts_with("SHA256:"), "{row}");
    fingerprint
}
