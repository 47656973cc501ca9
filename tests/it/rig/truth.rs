//! What really happened, what the report and the ledger say of it, and that they agree.

use std::collections::BTreeMap;

use refleet::job::{Evidence, Executed, JobRecord, LedgerEntry, ServiceId, State};
use refleet::queue::{Backend as _, LedgerLine, Location, Open, Queue};
use refleet::simulator::{Oddities, Record, ServiceRecord};
use serde_json::Value;

use super::fleet::{Rig, block_on};

/// What the ledger says of one instance.
#[derive(Debug)]
pub struct Story {
    /// Where its job stands.
    pub record: JobRecord,
    /// Everything that happened to it, in order.
    pub lines: Vec<LedgerLine>,
}

impl Rig {
    /// The truth.
    pub fn record(&self) -> Record {
        self.simulator.record()
    }

    /// How often each instance was really wiped, in the order of the services.
    pub fn wiped(&self) -> Vec<u64> {
        self.record()
            .services
            .values()
            .map(|service| service.wiped)
            .collect()
    }

    /// Calls that arrived so far, of every kind.
    pub fn calls(&self) -> u64 {
        self.record().calls.values().sum()
    }

    /// The results as `refleet report --format json` gives them.
    pub fn report(&self) -> Vec<Value> {
        let report = self.call(&["report", "--format", "json"]).exit(0).json();
        report["results"].as_array().unwrap().clone()
    }

    /// Services per state, by the report.
    pub fn states(&self) -> BTreeMap<String, Vec<i64>> {
        let mut states: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for row in self.report() {
            let state = row["state"].as_str().unwrap().to_owned();
            states
                .entry(state)
                .or_default()
                .push(row["service_id"].as_i64().unwrap());
        }
        states
    }

    /// Report and database say of every instance what the simulator knows to be true, nobody was
    /// wiped more often than `orders` times, and the database is sound.
    pub fn assert_truth(&self, orders: u64) {
        let record = self.record();
        assert_eq!(record.violations, [""; 0], "no client may ever do that");
        for row in self.report() {
            let service = row["service_id"].as_i64().unwrap();
            let truth = &record.services[&service];
            assert!(
                truth.wiped <= orders,
                "{service} was wiped twice: {row} {truth:?}"
            );
            let executed = row["executed"].as_str().unwrap();
            match row["state"].as_str().unwrap() {
                "done" => {
                    assert_eq!(executed, "yes", "{row}");
                    assert!(truth.wiped >= 1 && truth.completed >= 1, "{row} {truth:?}");
                    assert_eq!(truth.status, "active", "{row} {truth:?}");
                }
                "failed" if executed == "yes" => {
                    assert!(truth.wiped >= 1, "{row} {truth:?}");
                    assert_eq!(truth.status, "error", "{row} {truth:?}");
                }
                "failed" | "queued" | "cancelled" if executed == "no" => {
                    assert!(truth.wiped < orders, "{row} {truth:?}");
                }
                "in_doubt" => assert_ne!(executed, "no", "{row}"),
                other => panic!("{other}: {row} {truth:?}"),
            }
        }
        self.call(&["verify"]).exit(0).says_out("sound");
    }

    /// Submissions that arrived so far.
    pub fn submissions(&self) -> u64 {
        let record = self.record();
        record.services.values().map(|one| one.submissions).sum()
    }

    /// What the ledger says of every service; `None` where nothing is queued yet.
    pub fn stories(&self) -> Option<Vec<Story>> {
        if self.server.is_none() && !self.database().exists() {
            return None;
        }
        let location = Location::parse(&self.queue()).unwrap();
        block_on(async {
            let Ok(mut queue) = Queue::open(&location, Open::Read).await else {
                return None;
            };
            let mut stories = Vec::new();
            for service in &self.services {
                let jobs = queue.jobs_of(*service).await.expect("a job");
                let (_, job) = jobs.into_iter().next()?;
                let lines = queue.history(job.id).await.expect("its history");
                stories.push(Story {
                    record: job.record,
                    lines,
                });
            }
            Some(stories)
        })
    }

    /// Why the doubt about the `nth` instance was left to the operator.
    pub fn held_for(&self, nth: usize) -> String {
        let story = self.stories().unwrap().swap_remove(nth);
        let held = story.lines.into_iter().find_map(|line| match line.entry {
            LedgerEntry::Held { reason } => Some(reason),
            _ => None,
        });
        held.unwrap()
    }

    /// What really happened to `service`.
    pub fn truth(&self, service: ServiceId) -> ServiceRecord {
        self.simulator.service(service).expect("an instance")
    }

    /// What must hold at every moment at which no process works, however the last one ended.
    /// `Err` says what does not.
    pub fn check(&self) -> Result<(), String> {
        // The truth first: a request of a killed process may still arrive and be executed.
        let truths: Vec<_> = self.services.iter().map(|id| self.truth(*id)).collect();
        let Some(stories) = self.stories() else {
            return if truths.iter().all(|truth| truth.submissions == 0) {
                Ok(())
            } else {
                Err("something was sent, and there is no ledger of it".to_owned())
            };
        };
        for ((service, truth), story) in self.services.iter().zip(&truths).zip(&stories) {
            check_one(truth, story, &self.odd).map_err(|what| {
                let kinds: Vec<_> = story
                    .lines
                    .iter()
                    .map(|line| format!("{}#{}", line.entry.kind(), line.attempt))
                    .collect();
                format!(
                    "service {service}: {what}\nledger: {}\ntruth: {truth:?}",
                    kinds.join(" ")
                )
            })?;
        }
        Ok(())
    }

    /// [`check`](Self::check), and that the batch has come to its end and the database is sound.
    pub fn check_end(&self) -> Result<(), String> {
        self.check()?;
        let stories = self.stories().ok_or("nothing was ever queued")?;
        for (service, story) in self.services.iter().zip(&stories) {
            let record = &story.record;
            let ended = record.state.is_final() || record.held;
            if !ended {
                return Err(format!("service {service} is still {}", record.state));
            }
        }
        let verified = self.call(&["verify"]);
        if verified.code != 0 {
            return Err(format!("verify: {verified}"));
        }
        let violations = self.simulator.record().violations;
        match violations.first() {
            None => Ok(()),
            Some(first) => Err(format!("{} violations: {first}", violations.len())),
        }
    }
}

fn check_one(truth: &ServiceRecord, story: &Story, odd: &Oddities) -> Result<(), String> {
    let Story { record, lines } = story;
    if truth.wiped > 1 {
        return Err(format!("wiped {} times", truth.wiped));
    }
    // An API that says ok and does nothing.
    let may_ignore = odd.ignored > 0.0;
    if truth.accepted > truth.executed && !may_ignore {
        return Err("the simulator contradicts itself".to_owned());
    }
    let intents = lines
        .iter()
        .filter(|line| matches!(line.entry, LedgerEntry::Intent { .. }))
        .count();
    if truth.submissions > intents as u64 {
        return Err(format!(
            "{} submissions arrived, the ledger knows {intents}",
            truth.submissions
        ));
    }
    if truth.wiped == 1 && record.executed() == Executed::No {
        return Err(format!(
            "it was wiped, and the ledger says it was not ({})",
            record.state
        ));
    }
    let was_accepted = truth.wiped == 1 || (may_ignore && truth.accepted > 0);
    match record.state {
        State::Done if is_by_word_alone(record, odd) && was_accepted => Ok(()),
        State::Done if truth.wiped != 1 => Err("it is done, and was never wiped".to_owned()),
        State::Done if truth.completed != 1 => Err("it is done, and not complete".to_owned()),
        State::InProgress if !was_accepted => {
            Err("it is rebuilding, and was never wiped".to_owned())
        }
        State::Failed if record.executed() == Executed::Yes && !was_accepted => {
            Err("it failed as executed, and was never wiped".to_owned())
        }
        State::Queued
        | State::Submitting
        | State::InProgress
        | State::InDoubt
        | State::Done
        | State::Failed
        | State::Cancelled => Ok(()),
    }
}

/// Done because the API had said ok and nothing else could be seen, or flagged for a human, in a
/// world where that may be: the report says so, and it is all that anybody could know.
fn is_by_word_alone(record: &JobRecord, odd: &Oddities) -> bool {
    let hides = odd.never_shown || odd.freeze.is_some();
    let ends_otherwise = odd.fails_at_once + odd.rolls_back + odd.ignored > 0.0;
    let is_flagged = record.failure.is_some();
    (record.evidence == Some(Evidence::Accepted) && (hides || ends_otherwise))
        || (is_flagged && ends_otherwise)
}
