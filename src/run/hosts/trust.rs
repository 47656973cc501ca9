//! For how long the holder of a lease believes in it.
//!
//! The database's clock says when a lease ends, and the holder can't see that clock between two
//! renewals. So it trusts its lease for less than that, from the moment at which it *began* to ask: the
//! database has granted the lease no earlier, whenever the answer arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A reading of a clock that goes on while the machine sleeps.
///
/// It does not go on while a hypervisor holds the whole machine: no clock of a guest does. The model
/// names that as an assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(Duration);

impl BootTime {
    /// Reads the clock.
    pub fn now() -> Self {
        let read = rustix::time::clock_gettime(CLOCK);
        let seconds = u64::try_from(read.tv_sec).unwrap_or(0);
        let nanoseconds = u32::try_from(read.tv_nsec).unwrap_or(0);
        Self(Duration::new(seconds, nanoseconds))
    }

    /// So long after the machine has started.
    pub const fn after_start(time: Duration) -> Self {
        Self(time)
    }

    /// How long ago `earlier` was; zero if it was not.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    fn ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(target_os = "linux")]
const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
// On macOS this one goes on while the machine sleeps.
#[cfg(not(target_os = "linux"))]
const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

/// How long leases last, and what follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTerms {
    /// From each renewal, by the database's clock.
    pub lease: Duration,
}

impl LeaseTerms {
    /// After so much time a holder renews: three renewals may fail before it stops to trust.
    pub fn renew_every(self) -> Duration {
        self.lease / 6
    }

    /// So long after the start of a renewal its holder sends. The third that is left is for what can't
    /// be looked at any more: clocks that run at different rates, and a form on its way.
    pub fn trusted_for(self) -> Duration {
        self.lease * 2 / 3
    }
}

/// Until when a lease is trusted: shared between the thread that renews and those that send.
#[derive(Debug, Clone)]
pub struct Trust {
    terms: LeaseTerms,
    /// Milliseconds of [`BootTime`]; [`LOST`]: for ever over.
    until_ms: Arc<AtomicU64>,
}

const LOST: u64 = 0;

impl Trust {
    /// A lease was granted that was asked for at `began`.
    pub fn new(began: BootTime, terms: LeaseTerms) -> Self {
        Self {
            terms,
            until_ms: Arc::new(AtomicU64::new(until_ms(began, terms))),
        }
    }

    /// A renewal that began at `began` has succeeded. One that was overtaken by a later one shortens
    /// nothing, and none brings back what was lost.
    pub fn renewed(&self, began: BootTime) {
        let until_ms = until_ms(began, self.terms);
        let longer = |known| (known != LOST).then(|| until_ms.max(known));
        // An error only says that nothing was changed.
        let _ = self
            .until_ms
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, longer);
    }

    /// Somebody else has the lease, or the database is another one.
    pub fn lose(&self) {
        self.until_ms.store(LOST, Ordering::SeqCst);
    }

    /// It was lost, and no renewal helps.
    pub fn is_lost(&self) -> bool {
        self.until_ms.load(Ordering::SeqCst) == LOST
    }

    /// Nobody else can have the lease now.
    pub fn holds(&self, now: BootTime) -> bool {
        now.ms() < self.until_ms.load(Ordering::SeqCst)
    }
}

fn until_ms(began: BootTime, terms: LeaseTerms) -> u64 {
    BootTime(began.0.saturating_add(terms.trusted_for())).ms()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: LeaseTerms = LeaseTerms {
        lease: Duration::from_mins(1),
    };

    fn at(seconds: u64) -> BootTime {
        BootTime::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_lease_is_trusted_for_two_thirds_from_the_start_of_its_renewal() {
        let trust = Trust::new(at(100), TERMS);
        assert!(trust.holds(at(139)));
        assert!(!trust.holds(at(140)));
        trust.renewed(at(110));
        assert!(trust.holds(at(149)));
        assert!(!trust.holds(at(150)));
    }

    #[test]
    fn a_renewal_that_was_overtaken_shortens_nothing() {
        let trust = Trust::new(at(100), TERMS);
        trust.renewed(at(120));
        trust.renewed(at(110));
        assert!(trust.holds(at(159)));
    }

    #[test]
    fn what_was_lost_comes_back_by_no_renewal() {
        let trust = Trust::new(at(100), TERMS);
        let of_a_worker = trust.clone();
        trust.lose();
        trust.renewed(at(101));
        assert!(of_a_worker.is_lost());
        assert!(!of_a_worker.holds(at(101)));
    }

    #[test]
    fn part_of_a_millisecond_is_never_rounded_up() {
        let began = BootTime::after_start(Duration::from_micros(100_900));
        let trust = Trust::new(began, TERMS);
        let at = |after_us| BootTime::after_start(Duration::from_micros(after_us));
        assert!(!trust.holds(at(40_100_900)));
        assert!(trust.holds(at(40_099_900)));
    }

    #[test]
    fn the_clock_goes_on() {
        let one = BootTime::now();
        let two = BootTime::now();
        assert!(one > BootTime::after_start(Duration::ZERO));
        assert!(two >= one);
        assert_eq!(one.since(two), Duration::ZERO);
    }
}
