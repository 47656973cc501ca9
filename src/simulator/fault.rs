//! What may go wrong with a call, and when.
//!
//! A [`Fault`] is one thing that goes wrong once. It comes from a script (exactly this call) or
//! from the [`FaultPlan`] (a share of all calls). The plan is seeded *per call*: the nth submission
//! of a service always meets the same fate, however the workers' calls interleave.

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::kind::FaultKind;
use super::random::random;
use crate::job::ServiceId;

/// One thing that goes wrong once. Fields that do not concern its kind are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    /// Is the call executed all the same? `None`: as the kind says.
    #[serde(default)]
    pub executed: Option<bool>,
    /// The call is executed this much later than its answer says; such an execution never counts as
    /// answered.
    #[serde(default)]
    pub execute_after_ms: Option<u64>,
    /// Pause before the answer; for `trickle` (default 100) between its pieces; for `close-soon`
    /// (default 100) after the answer; for the time-outs (default: until the client leaves) before
    /// the connection closes.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// Another HTTP status than the kind's.
    #[serde(default)]
    pub status: Option<u16>,
    /// The header `Retry-After`, as it is.
    #[serde(default)]
    pub retry_after: Option<String>,
    /// The header `Location`, as it is; default of `301`: an address that nobody resolves.
    #[serde(default)]
    pub location: Option<String>,
    /// `$type` of an `error`, an `ok-and-error`, a `secret-echo`; default `value`. In this and in
    /// the next two, `{secrets}` becomes the call's secrets in every usual encoding.
    #[serde(default)]
    pub error_type: Option<String>,
    /// Its `$object`; default: none.
    #[serde(default)]
    pub error_object: Option<String>,
    /// Its text.
    #[serde(default)]
    pub message: Option<String>,
    /// The text of an `ok-elsewhere`'s ok; default `func=instances`.
    #[serde(default)]
    pub leads_to: Option<String>,
    /// Another body than the kind's own.
    #[serde(default)]
    pub body: Option<String>,
    /// `huge`: blanks before the answer (default 50 MB); `link-storm`: the page's length (default
    /// 1 MB); `trickle`: bytes at a time (default 1).
    #[serde(default)]
    pub bytes: Option<usize>,
    /// `long-request`: pages before the answer, the first one included (default 1).
    #[serde(default)]
    pub pages: Option<u32>,
}

impl Fault {
    /// A fault of this kind, as it usually looks.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            executed: None,
            execute_after_ms: None,
            delay_ms: None,
            status: None,
            retry_after: None,
            location: None,
            error_type: None,
            error_object: None,
            message: None,
            leads_to: None,
            body: None,
            bytes: None,
            pages: None,
        }
    }

    /// The same fault; where its kind may be executed or not, and nothing says which, chance
    /// decides.
    #[must_use]
    pub(super) fn decided(mut self, random: &mut fastrand::Rng) -> Self {
        if self.kind.tosses_a_coin() && self.executed.is_none() {
            self.executed = Some(random.bool());
        }
        self
    }

    /// Is the call that meets this fault executed?
    pub(super) fn is_executed(&self) -> bool {
        self.executed.unwrap_or(self.kind.executes_by_default())
    }
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self::new(kind)
    }
}

/// A fault for exactly the calls that it names. Scripts form a queue: the first that fits takes the
/// call, and those after it do not count it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Which call; `None`: any.
    #[serde(default)]
    pub call: Option<Call>,
    /// Of which service; `None`: any.
    #[serde(default)]
    pub elid: Option<ServiceId>,
    /// Matching calls that are let through first.
    #[serde(default)]
    pub skip: u64,
    /// Matching calls that meet the fault afterwards; default 1.
    #[serde(default = "once")]
    pub times: u64,
    pub fault: Fault,
}

fn once() -> u64 {
    1
}

impl Script {
    /// `fault` for the next `call`.
    pub fn next(call: Call, fault: impl Into<Fault>) -> Self {
        Self {
            call: Some(call),
            elid: None,
            skip: 0,
            times: 1,
            fault: fault.into(),
        }
    }

    /// Does this call meet the fault? Counts it. An exhausted script never matches.
    pub(super) fn matches(&mut self, call: Call, elid: Option<ServiceId>) -> bool {
        let fits = self.times > 0
            && self.call.is_none_or(|wanted| wanted == call)
            && (self.elid.is_none() || self.elid == elid);
        if !fits {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// Faults for a share of all calls.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultPlan {
    /// Share of the calls that meet a fault, 0 to 1.
    pub rate: f64,
    /// What they meet, each kind as often as the others that fit the call.
    pub kinds: Vec<FaultKind>,
    /// The same seed gives the same faults, and the same of everything else that is random.
    pub seed: u64,
}

impl Default for FaultPlan {
    /// No faults.
    fn default() -> Self {
        Self {
            rate: 0.0,
            kinds: FaultKind::USUAL.to_vec(),
            seed: 0,
        }
    }
}

impl FaultPlan {
    /// What the `nth` call of this kind that concerns `subject` meets.
    pub(super) fn draw(&self, call: Call, subject: u64, nth: u64) -> Option<Fault> {
        if self.rate <= 0.0 {
            return None;
        }
        let mut random = random(&[self.seed, call as u64, subject, nth]);
        if random.f64() >= self.rate {
            return None;
        }
        let fitting = || self.kinds.iter().filter(|kind| kind.fits(call));
        let count = fitting().count();
        if count == 0 {
            return None;
        }
        let kind = *fitting().nth(random.usize(..count))?;
        Some(Fault::new(kind).decided(&mut random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rate: f64, kinds: &[FaultKind]) -> FaultPlan {
        FaultPlan {
            rate,
            kinds: kinds.to_vec(),
            seed: 7,
        }
    }

    #[test]
    fn every_word_is_read_back_and_others_are_refused_with_the_list() {
        for kind in FaultKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        let error = "resett".parse::<FaultKind>().unwrap_err().to_string();
        assert!(
            error.contains("resett") && error.contains("reset-before"),
            "{error}"
        );
    }

    #[test]
    fn the_same_seed_gives_each_call_the_same_fate_in_any_order() {
        let plan = plan(0.5, FaultKind::ALL);
        let draw = |nth| plan.draw(Call::Submission, 5_113_119, nth);
        let forwards: Vec<_> = (0..200).map(draw).collect();
        let mut backwards: Vec<_> = (0..200).rev().map(draw).collect();
        backwards.reverse();
        assert_eq!(forwards, backwards);
        let other = FaultPlan {
            seed: 8,
            ..plan.clone()
        };
        let elsewhere: Vec<_> = (0..200)
            .map(|nth| other.draw(Call::Submission, 5_113_119, nth))
            .collect();
        assert_ne!(forwards, elsewhere);
    }

    #[test]
    fn the_rate_is_kept() {
        let plan = plan(0.3, &FaultKind::USUAL);
        let hits = (0..10_000)
            .filter(|service| plan.draw(Call::Submission, *service, 0).is_some())
            .count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
        let never = FaultPlan {
            rate: 0.0,
            ..plan.clone()
        };
        assert!((0..1_000).all(|nth| never.draw(Call::Auth, 0, nth).is_none()));
        let always = FaultPlan { rate: 1.0, ..plan };
        assert!((0..1_000).all(|nth| always.draw(Call::Auth, 0, nth).is_some()));
    }

    #[test]
    fn a_plan_draws_only_what_fits_the_call() {
        let plan = plan(1.0, &[FaultKind::InstanceError, FaultKind::SessionExpiry]);
        for nth in 0..100 {
            assert_eq!(plan.draw(Call::Auth, 0, nth), None);
            let fault = plan.draw(Call::Instances, 0, nth).unwrap();
            assert_eq!(fault.kind, FaultKind::SessionExpiry);
        }
        let drawn =
            |kind| (0..100).any(|nth| plan.draw(Call::Submission, 1, nth).unwrap().kind == kind);
        assert!(drawn(FaultKind::InstanceError) && drawn(FaultKind::SessionExpiry));
    }

    #[test]
    fn what_looks_the_same_to_the_client_is_sometimes_executed_and_sometimes_not() {
        let plan = plan(1.0, &[FaultKind::Garbage]);
        let executed = (0..100)
            .filter(|nth| plan.draw(Call::Submission, 1, *nth).unwrap().is_executed())
            .count();
        assert!((30..70).contains(&executed), "{executed}");
    }

    #[test]
    fn a_script_skips_then_hits_then_is_spent() {
        let service = ServiceId::new(5);
        let mut script = Script {
            elid: service,
            skip: 1,
            times: 2,
            ..Script::next(Call::Submission, FaultKind::Busy)
        };
        assert!(!script.matches(Call::Preview, service));
        assert!(!script.matches(Call::Submission, ServiceId::new(6)));
        let hits: Vec<_> = (0..5)
            .map(|_| script.matches(Call::Submission, service))
            .collect();
        assert_eq!(hits, [false, true, true, false, false]);
    }
}
