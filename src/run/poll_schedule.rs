//! How long rebuilds take in this run, and so how long a page of the list may be left unread.
//!
//! The one fact to know: resting only ever delays a reading, and only where every job on the page
//! was seen `rebuilding` and none can be expected back yet by the quickest rebuild of this run. It
//! decides no job's fate: a rebuild that is quicker than all before is noticed a little late, once,
//! and is the quickest from then on.

use std::time::{Duration, Instant};

/// Rebuilds that were seen through before anything is concluded from them.
const SEEN_MIN: u32 = 3;

/// A page is read at least so often: once in so many poll intervals.
const INTERVALS_MAX: u32 = 6;

/// How a job that is watched stands, as far as resting is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Seen `rebuilding`, and sent at this moment.
    Seen(Instant),
    /// In doubt, not yet seen `rebuilding`, or not yet ready to start: each reading may tell.
    Open,
    /// In a doubt that only another rebuild can end, which is read for its own sake.
    Patient,
}

/// The quickest rebuild of this run.
#[derive(Debug, Clone, Copy, Default)]
pub struct PollSchedule {
    shortest: Option<Duration>,
    seen: u32,
}

impl PollSchedule {
    /// A rebuild was seen to begin and to end, so long after it had been sent.
    pub fn learn(&mut self, took: Duration) {
        self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
        self.seen = self.seen.saturating_add(1);
    }

    /// When the page of the job at `stage` is to be read again for its sake, if it was read at `read_at`.
    pub fn due_at(&self, stage: Stage, read_at: Instant, poll_interval: Duration) -> Instant {
        let next = read_at + poll_interval;
        match (stage, self.shortest) {
            (Stage::Seen(sent_at), Some(shortest)) if self.seen >= SEEN_MIN => {
                // It was noticed up to an interval after it was back; another one lies between
                // the first reading that may find this one back and the one after it.
                let early = shortest.saturating_sub(poll_interval * 2);
                let latest = read_at + poll_interval * INTERVALS_MAX;
                next.max(sent_at + early).min(latest)
            }
            (Stage::Patient, _) => read_at + poll_interval * INTERVALS_MAX,
            (Stage::Seen(_) | Stage::Open, _) => next,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    fn learned(took_s: &[u64]) -> PollSchedule {
        let mut poll_schedule = PollSchedule::default();
        for &took_s in took_s {
            poll_schedule.learn(Duration::from_secs(took_s));
        }
        poll_schedule
    }

    #[test]
    fn nothing_rests_before_enough_is_known() {
        let sent_at = Instant::now();
        let read_at = sent_at + INTERVAL;
        let due_at = |poll_schedule: PollSchedule| {
            poll_schedule.due_at(Stage::Seen(sent_at), read_at, INTERVAL)
        };
        assert_eq!(due_at(learned(&[])), read_at + INTERVAL);
        assert_eq!(due_at(learned(&[300, 300])), read_at + INTERVAL);
        assert!(due_at(learned(&[300, 300, 300])) > read_at + INTERVAL);
    }

    #[test]
    fn a_page_is_read_from_before_its_first_job_may_be_back() {
        let sent_at = Instant::now();
        let poll_schedule = learned(&[310, 250, 330]);
        let due_after = |read_after_s: u64| {
            let read_at = sent_at + Duration::from_secs(read_after_s);
            poll_schedule.due_at(Stage::Seen(sent_at), read_at, INTERVAL) - sent_at
        };
        assert_eq!(
            due_after(20),
            Duration::from_secs(80),
            "never longer than six intervals"
        );
        assert_eq!(due_after(200), Duration::from_secs(230));
        assert_eq!(due_after(229), Duration::from_secs(239));
        assert_eq!(due_after(300), Duration::from_secs(310));
    }

    proptest! {
        /// Whatever was learned: never before the interval, never beyond the bound, and an open
        /// question is asked at every interval.
        #[test]
        fn a_rest_is_bounded_and_an_open_question_never_rests(
            took_s in prop::collection::vec(0..10_000u64, 0..6),
            sent_s in 0..10_000u64, read_s in 0..10_000u64, interval_ms in 1..60_000u64,
        ) {
            let (start, interval) = (Instant::now(), Duration::from_millis(interval_ms));
            let (sent_at, read_at) = (start + Duration::from_secs(sent_s), start + Duration::from_secs(read_s));
            let poll_schedule = learned(&took_s);
            let due_at = poll_schedule.due_at(Stage::Seen(sent_at), read_at, interval);
            prop_assert!(due_at >= read_at + interval);
            prop_assert!(due_at <= read_at + interval * INTERVALS_MAX);
            prop_assert_eq!(poll_schedule.due_at(Stage::Open, read_at, interval), read_at + interval);
        }
    }
}
