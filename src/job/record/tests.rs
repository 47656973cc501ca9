//! What may follow what, and what a record knows then.

use std::collections::BTreeSet;

use super::*;
use crate::job::{HookStep, Task};

fn after(entries: &[LedgerEntry]) -> Result<JobRecord, IllegalTransition> {
    let mut record = JobRecord::queued();
    for entry in entries {
        record = record.apply(entry, 7)?;
    }
    Ok(record)
}

fn intent() -> LedgerEntry {
    LedgerEntry::Intent {
        task: Task::Rebuild {
            zone: "pub".to_owned(),
            target: None,
        },
        baseline: None,
    }
}

#[test]
fn an_ending_by_somebodys_word_is_known_as_one() {
    let resolved = |verdict| LedgerEntry::Resolved {
        verdict,
        reason: "looked".to_owned(),
        hook: false,
    };
    let broken = || LedgerEntry::Broken {
        failure: Failure::new("timeout", "not back"),
    };
    let by_word = |entries: &[LedgerEntry]| after(entries).unwrap().by_word;
    for end in [
        resolved(Verdict::Failed),
        resolved(Verdict::Done),
        LedgerEntry::Cancelled,
    ] {
        assert!(by_word(&[intent(), unknown(), end]));
    }
    assert!(!by_word(&[intent(), ACCEPTED, broken()]));
    let left = [intent(), ACCEPTED, broken(), resolved(Verdict::Failed)];
    assert!(!by_word(&left), "it had ended before");
    let again = [
        intent(),
        unknown(),
        resolved(Verdict::Failed),
        LedgerEntry::Retried,
    ];
    assert!(!by_word(&again));
}

const ACCEPTED: LedgerEntry = LedgerEntry::Accepted { submitted_ms: 5 };

fn unknown() -> LedgerEntry {
    LedgerEntry::Unknown {
        failure: Failure::new("timeout", "no answer"),
        submitted_ms: Some(4),
    }
}

fn shown() -> ShownKey {
    ShownKey {
        address: "127.66.0.1:22".parse().unwrap(),
        key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
            .parse()
            .unwrap(),
    }
}

#[test]
fn a_key_that_was_shown_moves_nothing_and_a_new_intent_forgets_it() {
    let key_shown = LedgerEntry::KeyShown { shown: shown() };
    let doubt = after(&[intent(), unknown(), key_shown]).unwrap();
    assert_eq!(
        (doubt.state, &doubt.host_key),
        (State::InDoubt, &Some(shown()))
    );
    let again = LedgerEntry::Disproved { not_before_ms: 0 };
    let again = doubt.apply(&again, 8).unwrap().apply(&intent(), 9).unwrap();
    assert_eq!(again.host_key, None);
}

/// One entry of each kind; of a verdict, one for each.
fn entries() -> Vec<LedgerEntry> {
    let failure = || Failure::new("timeout", "no answer");
    let resolved = |verdict| LedgerEntry::Resolved {
        verdict,
        reason: "looked".to_owned(),
        hook: false,
    };
    vec![
        intent(),
        LedgerEntry::NotExecuted {
            failure: failure(),
            not_before_ms: 0,
        },
        LedgerEntry::Refused { failure: failure() },
        ACCEPTED,
        unknown(),
        LedgerEntry::Interrupted,
        LedgerEntry::Sighted {
            status: InstanceStatus::Rebuilding,
            image: None,
        },
        LedgerEntry::Rekeyed { shown: shown() },
        LedgerEntry::KeyShown { shown: shown() },
        LedgerEntry::Completed {
            evidence: Evidence::Observed,
            status: InstanceStatus::Active,
            image: None,
            remark: None,
            hook: false,
        },
        LedgerEntry::Broken { failure: failure() },
        LedgerEntry::Doubted { failure: failure() },
        LedgerEntry::Disproved { not_before_ms: 0 },
        LedgerEntry::Exhausted { failure: failure() },
        LedgerEntry::Held {
            reason: "no baseline".to_owned(),
        },
        LedgerEntry::HistoryRead {
            found: "1 of 2 operations names a rebuild".to_owned(),
            rebuilds: Some(1),
        },
        LedgerEntry::Untouched { failure: failure() },
        resolved(Verdict::Done),
        resolved(Verdict::Requeue),
        resolved(Verdict::Failed),
        LedgerEntry::Access {
            manifest: "fleet.csv".to_owned(),
        },
        LedgerEntry::Expects {
            manifest: "fleet.csv".to_owned(),
        },
        LedgerEntry::Retried,
        LedgerEntry::Cancelled,
        LedgerEntry::Hook(HookStep::Forgotten),
    ]
}

/// The arrows of the picture in `mod.rs`: `queued intent submitting`.
fn drawn() -> BTreeSet<String> {
    let text = include_str!("../mod.rs");
    let list = text.split("```").nth(1).unwrap().split("//!\n").nth(1);
    let (mut drawn, mut from) = (BTreeSet::new(), "");
    for line in list.unwrap().lines() {
        let mut rest = line.trim_start_matches("//!").trim();
        let known = State::ALL.iter().map(|state| state.as_str());
        for state in known.filter(|state| rest.starts_with(&format!("{state} "))) {
            (from, rest) = (state, rest[state.len()..].trim());
        }
        for (kinds, states) in rest
            .split(" · ")
            .filter_map(|arrow| arrow.split_once(" → "))
        {
            for kind in kinds.split(", ") {
                let states = states.split(", ").flat_map(|states| states.split(" or "));
                drawn.extend(states.map(|to| format!("{from} {kind} {to}")));
            }
        }
    }
    drawn
}

#[test]
fn the_picture_of_the_states_shows_every_arrow_and_no_other() {
    let refused = LedgerEntry::Refused {
        failure: Failure::new("value", "no"),
    };
    let broken = LedgerEntry::Broken {
        failure: Failure::new("rebuild_failed", "its status is `error`"),
    };
    let completed = entries().swap_remove(9);
    let requeued = LedgerEntry::Resolved {
        verdict: Verdict::Requeue,
        reason: "looked".to_owned(),
        hook: false,
    };
    let mut found = BTreeSet::new();
    for way in [
        vec![],
        vec![intent()],
        vec![intent(), ACCEPTED],
        vec![intent(), unknown()],
        vec![intent(), ACCEPTED, completed],
        vec![intent(), refused],
        vec![intent(), ACCEPTED, broken],
        vec![LedgerEntry::Cancelled],
        vec![intent(), unknown(), requeued],
    ] {
        let from = after(&way).unwrap();
        for entry in entries() {
            let to = from.apply(&entry, 8).map(|to| to.state);
            if let Some(to) = to.ok().filter(|to| *to != from.state) {
                found.insert(format!("{} {} {to}", from.state, entry.kind()));
            }
        }
    }
    assert_eq!(found, drawn());
}

#[test]
fn what_the_api_has_noted_moves_no_doubt() {
    let hint = || LedgerEntry::HistoryRead {
        found: "1 of 2 operations names a rebuild".to_owned(),
        rebuilds: Some(1),
    };
    let held = LedgerEntry::Held {
        reason: "no baseline".to_owned(),
    };
    let doubt = after(&[intent(), unknown()]).unwrap();
    assert_eq!(after(&[intent(), unknown(), hint()]).unwrap(), doubt);
    assert!(after(&[intent(), unknown(), hint(), held]).unwrap().held);
    for settled in [vec![], vec![intent()], vec![intent(), ACCEPTED]] {
        assert!(after(&[settled, vec![hint()]].concat()).is_err());
    }
}

#[test]
fn an_answer_that_comes_late_ends_the_doubt_like_one_that_came_in_time() {
    let in_time = after(&[intent(), ACCEPTED]).unwrap();
    let held = LedgerEntry::Held {
        reason: "no baseline".to_owned(),
    };
    for doubt in [
        vec![unknown()],
        vec![LedgerEntry::Interrupted],
        vec![unknown(), held],
    ] {
        let entries = [vec![intent()], doubt, vec![ACCEPTED]].concat();
        assert_eq!(after(&entries).unwrap(), in_time);
    }
}

#[test]
fn a_late_word_that_nothing_was_done_frees_a_doubt_and_none_that_was_seen() {
    let seen = after(&[intent(), unknown(), sighted(), doubted()]).unwrap();
    let held = LedgerEntry::Held {
        reason: "no baseline".to_owned(),
    };
    let failure = || Failure::new("connect", "no connection");
    let not_executed = LedgerEntry::NotExecuted {
        failure: failure(),
        not_before_ms: 3,
    };
    let refused = LedgerEntry::Refused { failure: failure() };
    for late in [not_executed, refused] {
        let in_time = after(&[intent(), late.clone()]).unwrap();
        let doubt = [intent(), unknown(), held.clone()];
        let mut freed = after(&[&doubt[..], std::slice::from_ref(&late)].concat()).unwrap();
        assert_eq!(freed.submitted_ms.take(), Some(4));
        assert_eq!(freed, in_time);
        assert!(seen.apply(&late, 8).is_err());
    }
}

#[test]
fn an_attempt_that_was_accepted_after_all_is_taken_out_of_the_queue_unless_it_was_disproved() {
    let requeued = LedgerEntry::Resolved {
        verdict: Verdict::Requeue,
        reason: "looked".to_owned(),
        hook: false,
    };
    let in_time = after(&[intent(), ACCEPTED]).unwrap();
    let late = after(&[intent(), unknown(), requeued, ACCEPTED]).unwrap();
    assert_eq!(late, in_time);
    assert!(after(&[ACCEPTED]).is_err());
    let disproved = LedgerEntry::Disproved { not_before_ms: 0 };
    assert!(after(&[intent(), unknown(), disproved, ACCEPTED]).is_err());
}

fn sighted() -> LedgerEntry {
    LedgerEntry::Sighted {
        status: InstanceStatus::Rebuilding,
        image: None,
    }
}

fn doubted() -> LedgerEntry {
    LedgerEntry::Doubted {
        failure: Failure::new("timeout", "it never came back"),
    }
}

#[test]
fn an_attempt_is_accepted_once_and_only_while_it_is_the_present_one() {
    let doubted = LedgerEntry::Doubted {
        failure: Failure::new("timeout", "it never came back"),
    };
    assert!(after(&[intent(), ACCEPTED, doubted, ACCEPTED]).is_err());
    let disproved = LedgerEntry::Disproved { not_before_ms: 0 };
    assert!(after(&[intent(), unknown(), disproved, ACCEPTED]).is_err());
}
