//! Standing faults: every call meets them that meets no other fault.

use std::time::Duration;

use super::call::Call;
use super::fault::Fault;
use super::kind::FaultKind;
use crate::time::parse_duration;

/// A fault that every call meets that meets no other one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Always {
    pub fault: Fault,
    /// Which calls; `None`: all that the kind fits (see [`FaultKind::fits`]).
    pub call: Option<Call>,
    /// How long after the start it begins.
    pub from: Duration,
    /// How long after the start it ends; `None`: never.
    pub until: Option<Duration>,
}

impl Always {
    /// `fault` for all calls that its kind fits, for ever.
    pub fn new(fault: impl Into<Fault>) -> Self {
        Self {
            fault: fault.into(),
            call: None,
            from: Duration::ZERO,
            until: None,
        }
    }

    /// Reads `KIND[@CALL][:FROM[..UNTIL]]`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (what, when) = match text.split_once(':') {
            Some((what, when)) => (what, Some(when)),
            None => (text, None),
        };
        let (kind, call) = match what.split_once('@') {
            Some((kind, call)) => (kind, Some(call)),
            None => (what, None),
        };
        let kind: FaultKind = kind.parse().ok()?;
        let call = match call {
            Some(word) => Some(Call::parse(word)?),
            None if kind.can_be_drawn() => None,
            None => return None,
        };
        let (from, until) = match when.map(|when| when.split_once("..").unwrap_or((when, ""))) {
            Some((from, "")) => (parse_duration(from).ok()?, None),
            Some((from, until)) => (
                parse_duration(from).ok()?,
                Some(parse_duration(until).ok()?),
            ),
            None => (Duration::ZERO, None),
        };
        Some(Self {
            fault: Fault::new(kind),
            call,
            from,
            until,
        })
    }

    /// Does a call at this age of the simulator meet it?
    pub(super) fn meets(&self, call: Call, age: Duration) -> bool {
        let fits = match self.call {
            Some(wanted) => wanted == call,
            None => self.fault.kind.fits(call),
        };
        fits && age >= self.from && self.until.is_none_or(|until| age < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn always_is_for_the_calls_it_names_and_within_its_time() {
        let [blocked, captcha] =
            ["460@instances:2s..5s", "captcha"].map(|text| Always::parse(text).unwrap());
        let second = Duration::from_secs;
        assert!(!blocked.meets(Call::Instances, second(1)));
        assert!(blocked.meets(Call::Instances, second(2)));
        assert!(!blocked.meets(Call::Auth, second(2)));
        assert!(!blocked.meets(Call::Instances, second(5)));
        assert!(captcha.meets(Call::Auth, second(9)));
        assert!(
            !captcha.meets(Call::Instances, second(9)),
            "it fits no list"
        );
    }
}
