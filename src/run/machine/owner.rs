//! Whose instances they are: a batch that was begun under one account goes on under no other.
//!
//! The one fact to know: nothing is sent before the session has said whose it is. A batch is bound
//! to that account when it is queued, where a question or a plan has named the account by then; when
//! the question before a resume is answered; and else before its first intent, and not earlier: an
//! order that nobody was asked about, and that halts before anything was sent (the list lacks its
//! services, because the credentials are another account's), is still free for the right one. Each
//! new session is asked anew, since a token may be another account's.
//!
//! Where the API names nobody, a batch of nobody's is sent all the same. A batch that is bound is not:
//! else one refused question would switch the rule off.

use std::time::{Duration, Instant};

use crate::job::Owner;
use crate::run::{Halt, Now};

/// Failures in a row before it counts that no answer is to be had, and answers in a row that name
/// nobody before a batch that is bound is given up.
const FAILURES_MIN: u32 = 3;

/// Whose the batch is, and whose the session.
#[derive(Debug)]
pub(super) struct Ownership {
    /// Of the batch, as the store says; `None`: nobody's so far.
    batch: Option<Owner>,
    /// What the session of this generation has said; `None` within: the API names nobody.
    session: Option<(u64, Option<Owner>)>,
    /// With the session of which generation it is being asked.
    asking: Option<u64>,
    not_before: Instant,
    /// Answers in a row that named nobody, where the batch is somebody's.
    nameless: u32,
    /// Questions in a row without an answer, and since when.
    failures: u32,
    failing_since: Option<Instant>,
    last_error: String,
    /// Generation of the token with which the question was refused.
    refused_generation: Option<u64>,
}

impl Ownership {
    pub(super) fn new(batch: Option<Owner>, now: Now) -> Self {
        Self {
            batch,
            session: None,
            asking: None,
            not_before: now.at,
            nameless: 0,
            failures: 0,
            failing_since: None,
            last_error: String::new(),
            refused_generation: None,
        }
    }

    /// The session of `generation` has said whose it is; for a batch of nobody's it is enough that the
    /// API does not say.
    pub(super) fn is_answered(&self, generation: u64) -> bool {
        self.session.as_ref().is_some_and(|(answered, owner)| {
            *answered == generation && (owner.is_some() || self.batch.is_none())
        })
    }

    /// Jobs may be sent with the session of `generation`: the batch is its account's.
    pub(super) fn may_send(&self, generation: u64) -> bool {
        match (&self.session, &self.batch) {
            (Some((answered, _)), _) if *answered != generation => false,
            (Some((_, Some(ours))), Some(theirs)) => theirs.is_same(ours),
            // Nobody can tell whose it is, and it is nobody's so far: the run has said so.
            (Some((_, None)), None) => true,
            (Some((_, Some(_))), None) | (Some((_, None)), Some(_)) | (None, _) => false,
        }
    }

    /// The account that a batch of nobody's is to be bound to.
    pub(super) fn unbound(&self, generation: u64) -> Option<&Owner> {
        let is_free = self.batch.is_none() && self.is_answered(generation);
        let (_, owner) = self.session.as_ref().filter(|_| is_free)?;
        owner.as_ref()
    }

    /// Whose the session is, as far as it has said so.
    pub(super) fn of_session(&self) -> Option<&Owner> {
        self.session.as_ref()?.1.as_ref()
    }

    /// How long it could not be asked counts from now on.
    pub(super) fn restart_clock(&mut self, now: Now) {
        self.failing_since = self.failing_since.map(|_| now.at);
    }

    /// Why the run cannot go on, if it could not be asked for `timeout`.
    pub(super) fn over_limit(&self, timeout: Duration, now: Now) -> Option<Halt> {
        let lasted = now.at.saturating_duration_since(self.failing_since?);
        (self.failures >= FAILURES_MIN && lasted >= timeout).then(|| Halt::Outage {
            lasted,
            error: format!("whose session it is: {}", self.last_error),
        })
    }

    /// `is_current`: that session has not been replaced meanwhile.
    pub(super) fn answered(&mut self, generation: u64, owner: Option<Owner>, is_current: bool) {
        self.session = Some((generation, owner));
        if !is_current {
            return;
        }
        self.nameless = 0;
        self.failures = 0;
        self.failing_since = None;
        self.refused_generation = None;
    }

    /// The API names nobody, and the batch is somebody's: it is asked again at `not_before`. Returns
    /// whose the batch is, where it has been asked often enough.
    pub(super) fn named_nobody(&mut self, not_before: Instant) -> Option<&Owner> {
        self.failures = 0;
        self.failing_since = None;
        self.nameless = self.nameless.saturating_add(1);
        self.not_before = not_before;
        self.batch
            .as_ref()
            .filter(|_| self.nameless >= FAILURES_MIN)
    }

    pub(super) fn failed(&mut self, error: String, not_before: Instant, now: Now) {
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now.at);
        self.last_error = error;
        self.not_before = not_before;
    }

    /// When the session of `generation` may be asked; `None`: it has answered, or is being asked.
    pub(super) fn may_ask(&self, generation: u64) -> Option<Instant> {
        let is_needed = self.asking.is_none() && !self.is_answered(generation);
        is_needed.then_some(self.not_before)
    }

    /// The session of `generation` is being asked.
    pub(super) fn asked(&mut self, generation: u64) {
        self.asking = Some(generation);
    }

    /// That has ended; returns which session was asked.
    pub(super) fn question_ended(&mut self) -> u64 {
        self.asking.take().unwrap_or_default()
    }

    /// The question was refused with the token of `generation`; returns with which it was before.
    pub(super) fn refused(&mut self, generation: u64) -> Option<u64> {
        self.refused_generation.replace(generation)
    }

    /// Questions in a row that did not tell whose the session is.
    pub(super) fn failures(&self) -> u32 {
        self.failures.max(self.nameless)
    }

    /// The batch is an account's.
    pub(super) fn is_bound(&self) -> bool {
        self.batch.is_some()
    }

    /// Whose the batch is, where it is not `ours`.
    pub(super) fn of_another(&self, ours: &Owner) -> Option<&Owner> {
        self.batch.as_ref().filter(|theirs| !theirs.is_same(ours))
    }

    /// The store says whose the batch is.
    pub(super) fn bound(&mut self, owner: Owner) {
        self.batch = Some(owner);
    }
}
