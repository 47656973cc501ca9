//! One submission, judged by readings at chosen moments. Minutes and hours cost nothing here.

use std::time::{Duration, Instant};

use crate::job::{
    Action, Baseline, Evidence, Failure, InstanceStatus, JobRecord, LedgerEntry, Task,
};
use crate::run::evidence::*;

pub const RULES: Rules = Rules {
    settle: Duration::from_mins(5),
    poll_interval: Duration::from_secs(10),
    unseen_after: Duration::from_mins(10),
    rebuild_timeout: Duration::from_hours(1),
    request_timeout: Duration::from_mins(1),
    silence_counts: true,
    hooks: false,
    retries: 3,
};
pub const OLD: &str = "Debian-12";
pub const NEW: &str = "AlmaLinux-8";

pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// One submission, its readings at seconds after it was handed to the wire.
pub struct Scene {
    pub sent_at: Instant,
    pub record: JobRecord,
    pub tracker: Tracker,
    pub learned: Learned,
    pub rules: Rules,
    /// Seconds after the send at which the baseline of a control was read that shows by now.
    pub control_s: Option<u64>,
    pub more_to_come: bool,
    pub host_keys: HostKeys,
}

impl Scene {
    fn submitted(before: &str, outcome: &LedgerEntry) -> Self {
        let sent_at = Instant::now() + Duration::from_hours(100);
        let intent = LedgerEntry::Intent {
            task: Task::Rebuild {
                zone: "pub".to_owned(),
                target: Some(NEW.to_owned()),
            },
            baseline: Some(Baseline {
                image: Some(before.to_owned()),
                status: InstanceStatus::Active,
                age_ms: 0,
                name: None,
                ip: None,
                host_key: None,
                own_image: false,
            }),
        };
        let record = JobRecord::queued()
            .apply(&intent, 0)
            .and_then(|record| record.apply(outcome, 0))
            .unwrap();
        let mut learned = Learned::default();
        learned.effect_showed(Action::Rebuild, &record);
        learned.rebuild_lag.lagged(seconds(2));
        Self {
            sent_at,
            record,
            tracker: Tracker::new(sent_at, sent_at),
            learned,
            rules: RULES,
            control_s: Some(301),
            more_to_come: true,
            host_keys: HostKeys::default(),
        }
    }

    pub fn in_doubt(before: &str) -> Self {
        let failure = Failure::new("reset", "the connection ended");
        let unknown = LedgerEntry::Unknown {
            failure,
            submitted_ms: Some(0),
        };
        Self::submitted(before, &unknown)
    }

    pub fn accepted(before: &str) -> Self {
        Self::submitted(before, &LedgerEntry::Accepted { submitted_ms: 0 })
    }

    pub fn stood_in(mut self, status: &str) -> Self {
        if let Some(baseline) = &mut self.record.baseline {
            baseline.status = status.into();
        }
        self
    }

    /// The list is read `at_s` seconds after the send; negative: before it.
    fn observation(&self, at_s: i64, status: &str, image: &str) -> Observation {
        let distance = Duration::from_secs(at_s.unsigned_abs());
        let requested_at = if at_s < 0 {
            self.sent_at.checked_sub(distance).unwrap()
        } else {
            self.sent_at + distance
        };
        Observation {
            requested_at,
            status: status.into(),
            image: Some(image.to_owned()),
        }
    }

    pub fn doubt(&mut self, at_s: i64, status: &str, image: &str) -> Doubt {
        let observation = self.observation(at_s, status, image);
        let around = Surroundings {
            alive_since: self.control_s.map(|at_s| self.sent_at + seconds(at_s)),
            more_to_come: self.more_to_come,
            host_keys: self.host_keys,
        };
        let case = case(&self.record, &observation, &self.rules);
        judge_doubt(case, &self.learned, &mut self.tracker, around)
    }

    /// What becomes of it when everything stays as it was.
    pub fn quiet(mut self) -> Doubt {
        let status = self.record.baseline.clone().unwrap().status;
        let status = status.as_str();
        assert_eq!(self.doubt(10, status, OLD), Doubt::Open);
        assert_eq!(self.doubt(250, status, OLD), Doubt::Open);
        self.doubt(400, status, OLD)
    }

    pub fn progress(&mut self, at_s: i64, status: &str, image: &str) -> Progress {
        let observation = self.observation(at_s, status, image);
        let around = Surroundings {
            alive_since: self.control_s.map(|at_s| self.sent_at + seconds(at_s)),
            host_keys: self.host_keys,
            ..Surroundings::default()
        };
        let case = case(&self.record, &observation, &self.rules);
        let progress = judge_progress(case, &self.learned, &mut self.tracker, around);
        if progress == Progress::Begun {
            let entry = LedgerEntry::Sighted {
                status: observation.status,
                image: observation.image,
            };
            self.record = self.record.apply(&entry, 0).unwrap();
        }
        progress
    }
}

fn case<'a>(record: &'a JobRecord, observation: &'a Observation, rules: &'a Rules) -> Case<'a> {
    Case {
        action: Action::Rebuild,
        record,
        observation,
        rules,
    }
}

pub fn done(evidence: Evidence) -> Progress {
    Progress::Complete {
        evidence,
        remark: None,
    }
}

pub fn flagged(progress: Progress) -> Option<(Evidence, String)> {
    match progress {
        Progress::Complete {
            evidence,
            remark: Some(remark),
        } => Some((evidence, remark.error_kind.to_string())),
        _ => None,
    }
}

pub fn unclear(progress: Progress) -> Option<String> {
    match progress {
        Progress::Unclear(failure) => Some(failure.error_kind.to_string()),
        _ => None,
    }
}

#[track_caller]
pub fn assert_held(doubt: &Doubt, why: &str) {
    assert!(
        matches!(doubt, Doubt::Hold(reason) if reason.contains(why)),
        "{doubt:?}"
    );
}
