//! Sessions that end one after the other while submissions are under way: neither list nor preview.

use std::time::{Duration, Instant};

use crate::job::{
    Access, Control, Counts, Expected, JobId, JobRecord, Order, Rebuild, ServiceId, State,
    StoredAccess,
};
use crate::queue::{Harm, QueuedJob, Ready, Recorded, RolloutProgress, Strays};
use crate::run::backoff::Backoff;
use crate::run::evidence::Rules;
use crate::run::machine::{
    Answer, Call, Finished, Input, LeftInFlight, Machine, Next, Output, Question, Start,
};
use crate::run::session::{LOGIN_PAUSE, Session};
use crate::run::{
    Durations, InstanceList, Now, Options, Rollout, Tolerance, Tolerances, Witnesses,
};
use crate::zomro::{self, Reply, Submitted};

fn start(now: Now) -> Run {
    let second = Duration::from_secs(1);
    let options = Options {
        workers: 8,
        rate_per_s: 0.0,
        backoff: Backoff {
            initial: second,
            max: second,
        },
        outage_timeout: 60 * second,
        rules: Rules {
            settle: second,
            poll_interval: second,
            unseen_after: second,
            rebuild_timeout: 60 * second,
            request_timeout: second,
            silence_counts: true,
            hooks: false,
            retries: 5,
        },
        tolerances: Tolerances {
            failures: Tolerance::Percent(100),
            mismatches: Tolerance::Percent(100),
        },
        // Neither list nor preview: nothing but sessions and submissions.
        rollout: Rollout::default(),
        witnesses: Witnesses::default(),
        no_wait: true,
        stale: false,
    };
    let start = Start {
        options,
        counts: counts(),
        owner: None,
        session: Session::new(true, 1, now.at),
        list: InstanceList::default(),
        in_flight: LeftInFlight::default(),
        failures: Harm::default(),
        durations: Durations::default(),
        control: Control::default(),
        seed: 7,
    };
    Run {
        machine: Machine::new(start, now),
        ended: Vec::new(),
    }
}

fn counts() -> Counts {
    let mut counts = Counts::default();
    *counts.of_mut(State::Queued) = 2;
    counts
}

/// A machine, and the calls that have ended since it was looked at.
struct Run {
    machine: Machine,
    ended: Vec<Finished>,
}

fn job(service: i64) -> QueuedJob {
    QueuedJob {
        id: JobId::from_stored(service),
        line: 1,
        service: ServiceId::new(service).unwrap(),
        order: Order::Rebuild(Rebuild {
            image: "18d0ee2e-4d57-4f40-9b56-03c1773b5831".parse().unwrap(),
            zone: Some("pub".to_owned()),
            access: StoredAccess::Known(Access::Image),
        }),
        expected: Expected::default(),
        group: None,
        ssh_port: None,
        note: None,
        record: JobRecord::queued(),
    }
}

impl Run {
    /// Hands over what the machine asks for, and returns whom it submits, or `login`, `keepalive`. The
    /// API names no account.
    fn next(&mut self, services: &[i64], now: Now) -> Vec<String> {
        let mut called = Vec::new();
        let mut input = Input::Finished(std::mem::take(&mut self.ended));
        loop {
            let Output { calls, next, .. } = self.machine.handle(input, now);
            for call in calls {
                called.push(match call {
                    Call::Submit(job, _) => job.to_string(),
                    Call::Login => "login".to_owned(),
                    Call::Keepalive => "keepalive".to_owned(),
                    Call::Owner => {
                        let nobody = self.nobody(now);
                        self.ended.push(nobody);
                        continue;
                    }
                    call => panic!("{call:?}"),
                });
            }
            input = match next {
                Next::Ask(Question::Ready { .. }) => {
                    let jobs = services.iter().map(|service| job(*service)).collect();
                    let ready = Ready {
                        jobs,
                        is_all: true,
                        next_ms: None,
                    };
                    Input::Answered(Ok(Answer::Ready(ready)))
                }
                Next::Ask(Question::Control { .. }) => {
                    Input::Answered(Ok(Answer::Control(Vec::new())))
                }
                Next::Ask(Question::Rollout(_)) => {
                    Input::Answered(Ok(Answer::Rollout(RolloutProgress::default())))
                }
                Next::Ask(Question::Strays) => {
                    Input::Answered(Ok(Answer::Strays(Strays::default())))
                }
                Next::Ask(Question::Counts) => Input::Answered(Ok(Answer::Counts(counts()))),
                Next::Record(steps) => {
                    for step in &steps {
                        assert_ne!(step.transition.entry.kind(), "untouched", "{step:?}");
                    }
                    Input::Recorded(steps, Ok(Recorded::default()))
                }
                Next::Wait(_) if self.ended.is_empty() => break,
                Next::Wait(_) => Input::Finished(std::mem::take(&mut self.ended)),
                other => panic!("{other:?}"),
            };
        }
        called.sort();
        called
    }

    fn nobody(&self, now: Now) -> Finished {
        Finished::Owner(Ok(Reply {
            value: None,
            generation: self.machine.gate.session().generation(),
            requested_at: now.at,
            answered_at: now.at,
            answered_ms: now.unix_ms,
        }))
    }

    fn refuse(&mut self, service: i64, generation: u64, now: Now) {
        let submitted = Submitted {
            generation,
            sent: None,
            answered_ms: now.unix_ms,
            answered_at: now.at,
            answer: zomro::Answer::Unauthorized {
                message: "insufficient privileges".to_owned(),
            },
            pause: None,
        };
        let service = ServiceId::new(service).unwrap();
        self.ended
            .push(Finished::Submit(service, Box::new(submitted)));
    }

    fn log_in(&mut self, generation: u64) {
        self.ended.push(Finished::Login(Ok(generation)));
    }
}

fn later(now: Now) -> Now {
    Now {
        at: now.at + LOGIN_PAUSE,
        unix_ms: now.unix_ms + 20_000,
    }
}

fn beginning() -> Now {
    Now {
        at: Instant::now(),
        unix_ms: 1_795_399_200_000,
    }
}

#[test]
fn whom_two_dying_sessions_refused_is_sent_again_with_the_third() {
    let now = beginning();
    let mut run = start(now);
    assert_eq!(run.next(&[1], now), ["1"]);
    run.refuse(1, 1, now);
    assert_eq!(run.next(&[1, 2], now), ["login"]);
    run.log_in(2);
    assert_eq!(run.next(&[1, 2], now), ["1", "2"]);
    // The second is refused for the first time: a login is due before anybody asks about the
    // first, and that the third session lives says nothing of the second one.
    run.refuse(2, 2, now);
    run.refuse(1, 2, now);
    assert!(run.next(&[], now).is_empty());
    let now = later(now);
    assert_eq!(run.next(&[1, 2], now), ["login"]);
    run.log_in(3);
    assert_eq!(run.next(&[1, 2], now), ["1", "2"]);
    // Refused again by a session that nobody has replaced: now it is to be explained.
    run.refuse(1, 3, now);
    assert_eq!(run.next(&[], now), ["keepalive"]);
}

#[test]
fn a_late_refusal_by_a_replaced_session_is_explained_by_that() {
    let now = beginning();
    let mut run = start(now);
    assert_eq!(run.next(&[1], now), ["1"]);
    run.refuse(1, 1, now);
    assert_eq!(run.next(&[1, 2], now), ["login"]);
    run.log_in(2);
    assert_eq!(run.next(&[1, 2], now), ["1", "2"]);
    run.refuse(2, 2, now);
    assert!(run.next(&[], now).is_empty());
    let now = later(now);
    assert_eq!(run.next(&[2], now), ["login"]);
    run.log_in(3);
    run.refuse(1, 2, now);
    assert_eq!(
        run.next(&[1], now),
        ["1", "2"],
        "it does not wait for an answer to a question that nobody asks"
    );
}
