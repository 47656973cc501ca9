//! Ports and keys that deceive. Whatever they show, the simulator's record is what counts: no doubt is called
//! done that was not executed, none is called untouched that was, and nothing is wiped twice.
//!
//! Which deceit host keys cannot see through stands in `src/run/evidence/host_keys.rs`: it is accepted there,
//! and no test here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use refleet::job::{Executed, State};
use refleet::simulator::{InstanceChange, SshOddity, Step};

use super::{Blind, DONE, DOUBT};
use crate::rig::{FIRST, Rig, manifest_of, side_by_side};

/// Runs at once: they mostly wait.
const THREADS: usize = 16;

/// Keys that deceive, as `--odd ssh=` has them.
const KEYS: &[&str] = &[
    "baked-keys",
    "restored-keys",
    "restored-keys:200ms",
    "queued:150ms",
    "queued:900ms",
    "moved",
    "moved-late",
    "moved-early",
    "gateway",
    "gateway@0.5",
    "gateway-while-down",
    "algorithm:ed25519..ecdsa",
    "algorithm:ecdsa..ed25519",
    "penalties:1",
    "penalties:3",
];

/// Ports that show none.
const PORTS: &[&str] = &[
    "silent",
    "silent@0.5",
    "refused",
    "endless-lines",
    "endless-line",
    "slow-line",
    "http",
    "garbage",
    "closed",
    "closed:300",
];

/// One run: who is in doubt, and who of them was really executed.
#[derive(Debug, Clone, Copy)]
enum Doubts {
    /// Six instances: the first three were, so that of the three pairs of neighbours one is mixed.
    Half(Blind),
    /// One instance.
    One(Blind, bool),
}

impl Doubts {
    const ALL: [Self; 6] = [
        Self::Half(Blind::SameImage),
        Self::Half(Blind::Frozen),
        Self::Half(Blind::Killed),
        Self::One(Blind::SameImage, true),
        Self::One(Blind::SameImage, false),
        Self::One(Blind::Frozen, false),
    ];

    /// Lives through it. `Err` says what was decided wrongly.
    fn run(self, odd: &[&str]) -> Result<(), String> {
        let (blind, count) = match self {
            Self::Half(blind) => (blind, 6),
            Self::One(blind, _) => (blind, 1),
        };
        let is_executed = |nth: usize| match self {
            Self::Half(_) => nth < count / 2,
            Self::One(_, executed) => executed,
        };
        let mut rig = blind.rig(count, odd);
        rig.pace.set("--rebuild-timeout", "2s");
        blind.lose_answers(&rig, is_executed);
        let ended = blind.run(&rig);
        if !matches!(ended.code, DONE | DOUBT) {
            return Err(ended.to_string());
        }
        check(&rig, is_executed).map_err(|what| format!("{what}\n{ended}"))
    }
}

/// Nothing was decided wrongly.
fn check(rig: &Rig, is_executed: impl Fn(usize) -> bool) -> Result<(), String> {
    rig.check_end()?;
    for (nth, story) in rig.stories().unwrap().iter().enumerate() {
        let record = &story.record;
        let wiped = rig.truth(rig.services[nth]).wiped;
        if wiped != u64::from(is_executed(nth)) {
            return Err(format!("the {nth}th was wiped {wiped} times"));
        }
        let is_wrong = match record.executed() {
            Executed::Yes => wiped == 0,
            Executed::No => wiped > 0,
            Executed::Maybe => record.state != State::InDoubt || !record.held,
        };
        if is_wrong {
            return Err(format!("the {nth}th was wiped {wiped} times: {record:?}"));
        }
    }
    Ok(())
}

/// All of them, side by side.
fn assert_none_deceives(cases: &[(String, Doubts)]) {
    let results = side_by_side(THREADS, cases.len(), |nth| {
        let (words, doubts) = &cases[nth];
        let words: Vec<&str> = words.split(',').collect();
        doubts.run(&words)
    });
    let mut wrong = String::new();
    for ((words, doubts), result) in cases.iter().zip(results) {
        if let Err(what) = result {
            let _ = writeln!(wrong, "{words}, {doubts:?}: {what}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn no_trap_at_a_port_has_a_doubt_decided_wrongly() {
    let word = |trap: &&'static str| trap.split([':', '@']).next().unwrap();
    let known: BTreeSet<&str> = SshOddity::words().collect();
    let met: BTreeSet<&str> = KEYS.iter().chain(PORTS).map(word).collect();
    assert_eq!(met, known, "each trap is met");
    let cases = |traps: &[&str], doubts: &[Doubts]| -> Vec<_> {
        let of_trap = |trap: &&str| {
            let words = format!("ssh={trap}");
            let each = doubts.iter().map(move |doubts| (words.clone(), *doubts));
            each.collect::<Vec<_>>()
        };
        traps.iter().flat_map(of_trap).collect()
    };
    let mut all = cases(KEYS, &Doubts::ALL);
    all.extend(cases(PORTS, &[Doubts::Half(Blind::SameImage)]));
    assert_none_deceives(&all);
}

/// The second of each pair of neighbours is no part of the order, and nobody has ever looked at it.
#[test]
fn an_address_that_the_list_gives_to_an_unknown_machine_says_nothing() {
    for blind in [Blind::SameImage, Blind::Killed] {
        let mut rig = blind.rig(4, &["ssh=moved"]);
        let [first, third] = [0, 2].map(|nth| rig.services[nth].get());
        let rows = manifest_of(third..third + 1);
        let (_, row) = rows.split_once('\n').unwrap();
        rig.write("fleet.csv", manifest_of(first..first + 1) + row);
        rig.services
            .retain(|service| [first, third].contains(&service.get()));
        blind.lose_answers(&rig, |_| false);
        blind.run(&rig).exit(DOUBT);
        check(&rig, |_| false).unwrap();
    }
}

/// Where the list shows that it goes on, as the one that never shows ours does, it counts as executed; whose it
/// was is left to the operator.
#[test]
fn a_rebuild_of_somebody_elses_with_another_image_is_never_called_done() {
    for blind in [Blind::SameImage, Blind::Frozen, Blind::Killed] {
        let rig = blind.rig(1, &["panel-rebuild=third"]);
        blind.lose_answers(&rig, |_| false);
        let ended = blind.run(&rig).exit(DOUBT);
        assert_eq!(rig.record().services[&FIRST].by_others.len(), 1, "{ended}");
        rig.check_end().unwrap();
        if blind != Blind::Frozen {
            check(&rig, |_| false).unwrap();
        }
    }
}

/// The instance gets the image that it has, in no time: only its key tells.
#[test]
fn a_rebuild_of_somebody_elses_that_comes_too_late_is_never_taken_for_ours() {
    let blind = Blind::Killed;
    let mut rig = blind.rig(1, &[]);
    rig.pace.set("--rebuild-timeout", "300ms");
    blind.lose_answers(&rig, |_| false);
    let mut running = rig.start(&["--timeout", "50s"]);
    assert_eq!(running.wait_until(|| rig.submissions() > 0), None);
    running.kill();
    let sent = Instant::now();
    let step = |status: &str| Step {
        after_ms: 310,
        status: Some(status.to_owned()),
        image: None,
    };
    let in_the_panel = InstanceChange {
        steps: vec![step("rebuilding"), step("active")],
        ..InstanceChange::default()
    };
    rig.change(0, &in_the_panel);
    while rig.truth(rig.services[0]).by_others.is_empty() {
        assert!(sent.elapsed() < Duration::from_secs(10));
        std::thread::yield_now();
    }
    for _ in 0..2 {
        rig.run(&[]).exit(DOUBT);
        check(&rig, |_| false).unwrap();
    }
    let row = &rig.report()[0];
    assert_ne!(row["host_key"], row["host_key_before"], "{row}");
}
