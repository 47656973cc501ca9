//! Whether a form may be handed to the wire.
//!
//! It is asked at the hand-over itself, and not when the intent was committed: between the two lie a
//! queue for the connection, the rate, and whatever the machine does meanwhile.

use std::fmt;
use std::time::Duration;

use super::trust::{BootTime, Trust};

/// A form is handed over within this time of the start of its intent's commit. So a pause, and whatever
/// else keeps intents from being committed, is known to be over with the wire soon after.
pub const INTENT_AGE_MAX: Duration = Duration::from_secs(5);

/// What has to hold when a form is handed over.
#[derive(Debug, Clone)]
pub struct Permit(Option<Leased>);

#[derive(Debug, Clone)]
struct Leased {
    intent_began: BootTime,
    trust: Trust,
}

impl Permit {
    /// The intent's commit was begun at `intent_began`, under a lease.
    pub fn leased(intent_began: BootTime, trust: Trust) -> Self {
        Self(Some(Leased {
            intent_began,
            trust,
        }))
    }

    /// Nobody else can work on the queue: this machine's lock on its file is the lease.
    pub fn without_lease() -> Self {
        Self(None)
    }

    /// Asked at the hand-over. What is refused was not sent, and never will be under this permit.
    pub fn allows(&self, now: BootTime) -> Result<(), Refusal> {
        let Some(Leased {
            intent_began,
            trust,
        }) = &self.0
        else {
            return Ok(());
        };
        let age = now.since(*intent_began);
        if !trust.holds(now) {
            Err(Refusal::Untrusted)
        } else if age > INTENT_AGE_MAX {
            Err(Refusal::Late { age })
        } else {
            Ok(())
        }
    }
}

/// Why a form was not handed to the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The lease was lost, or was not renewed for too long.
    Untrusted,
    /// The intent is too old.
    Late {
        /// So old.
        age: Duration,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted => f.write_str(
                "not sent: this host could not renew its lease of the account in time, so another host may have it",
            ),
            Self::Late { age } => write!(
                f,
                "not sent: {} passed between the intent and the connection, {} are allowed",
                crate::time::short(*age),
                crate::time::short(INTENT_AGE_MAX)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::LeaseTerms;
    use super::*;

    fn at(seconds: u64) -> BootTime {
        BootTime::after_start(Duration::from_secs(seconds))
    }

    fn trust() -> Trust {
        let lease = Duration::from_mins(1);
        Trust::new(at(100), LeaseTerms { lease })
    }

    #[test]
    fn a_form_goes_out_within_five_seconds_of_its_intent() {
        let permit = Permit::leased(at(110), trust());
        assert_eq!(permit.allows(at(115)), Ok(()));
        let age = Duration::from_secs(6);
        assert_eq!(permit.allows(at(116)), Err(Refusal::Late { age }));
    }

    #[test]
    fn a_form_goes_out_only_under_a_lease_that_is_trusted() {
        let trust = trust();
        let permit = Permit::leased(at(138), trust.clone());
        assert_eq!(permit.allows(at(139)), Ok(()));
        assert_eq!(permit.allows(at(140)), Err(Refusal::Untrusted));
        trust.lose();
        assert_eq!(permit.allows(at(139)), Err(Refusal::Untrusted));
    }

    #[test]
    fn without_a_lease_nothing_is_refused() {
        assert_eq!(Permit::without_lease().allows(at(1)), Ok(()));
    }

    #[test]
    fn a_refusal_says_that_nothing_was_sent() {
        let age = Duration::from_secs(6);
        for refusal in [Refusal::Untrusted, Refusal::Late { age }] {
            assert!(refusal.to_string().starts_with("not sent: "));
        }
    }
}
