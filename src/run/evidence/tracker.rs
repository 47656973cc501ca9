//! What this process knows of one submission beyond the ledger.

use std::time::{Duration, Instant};

use super::{KeyWatch, ListLag, Observation, Rules};

/// Shorter gaps between two readings are none, however short `--settle` is.
const GAP_MIN: Duration = Duration::from_secs(2);

/// Who has sent and watched a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// This process, and it has run ever since.
    Us,
    /// This process, and it was suspended for a while.
    UsWithAPause,
    /// An earlier process sent it.
    AnEarlierProcess,
}

/// How an instance is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Back {
    /// As it was ordered.
    AsOrdered,
    /// In any other way.
    Otherwise,
}

/// An unbroken series of readings that show the instance back in the same way.
#[derive(Debug, Clone)]
struct Series {
    back: Back,
    since: Instant,
    until: Instant,
}

/// One submission, watched.
#[derive(Debug, Clone)]
pub struct Tracker {
    /// When the request was handed to the wire: readings requested before say nothing.
    pub(super) sent_at: Instant,
    /// When its answer arrived, or failed to: readings requested before say nothing *against* it.
    pub(super) answered_at: Instant,
    pub(super) by: By,
    /// For some time no reading showed the instance.
    pub(super) blind: bool,
    /// The readings of this run that showed what became of it, or that the list has it not.
    read: Option<Readings>,
    /// Start of the unbroken series of readings that show what stood there before.
    pub(super) quiet_since: Option<Instant>,
    /// The readings up to now that show the instance back.
    back: Option<Series>,
    /// The effect was seen.
    pub(super) effect_seen: bool,
    /// When the latest reading was requested that showed the action at work.
    at_work_until: Option<Instant>,
    /// What its host keys have shown.
    pub(super) keys: KeyWatch,
}

/// When readings were requested.
#[derive(Debug, Clone, Copy)]
struct Readings {
    /// The first one since the process was suspended; `None`: none yet.
    since: Option<Instant>,
    until: Instant,
}

impl Tracker {
    /// Of a submission of this process.
    pub fn new(sent_at: Instant, answered_at: Instant) -> Self {
        Self {
            sent_at,
            answered_at,
            by: By::Us,
            blind: false,
            read: None,
            quiet_since: None,
            back: None,
            effect_seen: false,
            at_work_until: None,
            keys: KeyWatch::default(),
        }
    }

    /// Of a submission of an earlier process, `age` ago by the clock on the wall.
    pub fn inherited(now: Instant, age: Duration) -> Self {
        let sent_at = now.checked_sub(age).unwrap_or(now);
        Self {
            by: By::AnEarlierProcess,
            ..Self::new(sent_at, sent_at)
        }
    }

    /// The process was suspended: what happened meanwhile was not seen. `hidden`: how much longer
    /// that was than the monotonic clock says, which stands still while the machine sleeps.
    pub fn interrupt(&mut self, hidden: Duration) {
        if self.by == By::Us {
            self.by = By::UsWithAPause;
        }
        let earlier = |at: Instant| at.checked_sub(hidden).unwrap_or(at);
        self.sent_at = earlier(self.sent_at);
        self.answered_at = earlier(self.answered_at);
        self.read = self.read.map(|read| Readings {
            since: None,
            ..read
        });
        self.quiet_since = None;
        self.back = None;
    }

    pub(super) fn is_unbroken(&self) -> bool {
        self.by == By::Us
    }

    /// When the request was handed to the wire.
    pub fn sent_at(&self) -> Instant {
        self.sent_at
    }

    /// When its answer arrived, or failed to.
    pub fn answered_at(&self) -> Instant {
        self.answered_at
    }

    /// An executed action would have shown its effect by `at`, as far as this run knows the list.
    pub fn is_window_over(&self, list_lag: &ListLag, rules: &Rules, at: Instant) -> bool {
        at.saturating_duration_since(self.answered_at) > list_lag.window(rules.settle)
    }

    /// At `at` it has been watched for as long as an action may take: no more is to be expected.
    pub(super) fn is_patience_over(&self, rules: &Rules, at: Instant) -> bool {
        at.saturating_duration_since(self.answered_at) >= rules.rebuild_timeout
    }

    /// At `at` an accepted submission of which nothing was seen is complete by the API's word.
    pub(super) fn is_unseen_time_over(&self, rules: &Rules, at: Instant) -> bool {
        at.saturating_duration_since(self.answered_at) >= rules.unseen_after
    }

    /// A reading has shown it after its window had ended: what starts now on its page is a control.
    pub fn outlived_its_window(&self, list_lag: &ListLag, rules: &Rules) -> bool {
        self.read
            .is_some_and(|read| self.is_window_over(list_lag, rules, read.until))
    }

    /// Whether a sign of the action may be taken for this submission's. What happened while
    /// nobody watched is only taken for ours soon after the intent: later it may be anybody's.
    pub(super) fn positive_counts(&self, observation: &Observation, rules: &Rules) -> bool {
        self.is_ours(observation.requested_at, rules)
    }

    /// What happened until `at` may be taken for this submission's.
    pub(super) fn is_ours(&self, at: Instant, rules: &Rules) -> bool {
        self.is_unbroken() || at.saturating_duration_since(self.sent_at) < rules.rebuild_timeout
    }

    /// This process has read what becomes of it for so long.
    pub(super) fn has_looked_for(&self, long: Duration, at: Instant) -> bool {
        let since = self.read.and_then(|read| read.since);
        since.is_some_and(|since| at.saturating_duration_since(since) >= long)
    }

    /// What its host keys have shown.
    pub fn keys(&self) -> &KeyWatch {
        &self.keys
    }

    /// The same, to be added to.
    pub fn keys_mut(&mut self) -> &mut KeyWatch {
        &mut self.keys
    }

    /// A reading that was requested at `at` shows that the instance has not come back in time. How
    /// it went while nobody watched is not known: then this process looks for `--settle` before it
    /// gives up. Once the instance is back, other rules say when it is complete.
    pub(super) fn is_overdue(&self, rules: &Rules, at: Instant) -> bool {
        let is_late = at.saturating_duration_since(self.sent_at) >= rules.rebuild_timeout;
        let has_looked = self.is_unbroken() || self.has_looked_for(rules.settle, at);
        is_late && has_looked && self.back.is_none()
    }

    /// The list did not show it.
    pub(super) fn note_absence(&mut self, requested_at: Instant) {
        self.note_reading(requested_at);
        self.blind = true;
        self.quiet_since = None;
        self.back = None;
    }

    /// Between two readings of a doubt more time has passed than an executed action may stay unseen:
    /// it could have come and been undone.
    pub(super) fn note_gap(&mut self, requested_at: Instant, rules: &Rules) {
        let before = self.read.map_or(self.answered_at, |read| read.until);
        let longest = rules.settle.max(GAP_MIN);
        self.blind |= requested_at.saturating_duration_since(before) > longest;
    }

    /// A reading that was requested at `at` shows the action at work.
    pub(super) fn note_at_work(&mut self, at: Instant) {
        self.at_work_until = Some(at);
    }

    /// When the latest reading was requested that showed the action at work.
    pub fn at_work_until(&self) -> Option<Instant> {
        self.at_work_until
    }

    /// From when on one more reading that shows the instance back as the latest have shown it completes
    /// its action; `None`: they do not show it back as it was ordered.
    pub fn confirmed_from(&self, rules: &Rules) -> Option<Instant> {
        let series = self.back.as_ref()?;
        (series.back == Back::AsOrdered).then(|| series.since + rules.apart())
    }

    /// A reading of this run has been judged.
    pub(super) fn note_reading(&mut self, requested_at: Instant) {
        let read = self.read;
        self.read = Some(Readings {
            since: read.and_then(|read| read.since).or(Some(requested_at)),
            until: read.map_or(requested_at, |read| read.until.max(requested_at)),
        });
    }

    /// A reading that was requested at `at` shows the instance back. Returns since when all of them have
    /// shown it so.
    pub(super) fn is_back(&mut self, back: Back, at: Instant) -> Instant {
        let before = self.back.take().filter(|series| series.back == back);
        let since = before.map_or(at, |series| series.since);
        self.back = Some(Series {
            back,
            since,
            until: at,
        });
        since
    }

    /// A reading that was requested at `at` has been judged by an action's rules: where they have not
    /// found the instance back in it, it is not, and the series has ended.
    pub(super) fn note_judged(&mut self, at: Instant) {
        self.back = self.back.take().filter(|series| series.until == at);
    }

    /// The effect was seen in some reading.
    pub fn has_shown_its_effect(&self) -> bool {
        self.effect_seen
    }
}
