//! Answers that wait behind a long-request page.

use std::collections::HashMap;

use super::random::random;

/// What a long-request page's link leads to.
#[derive(Debug)]
pub(super) enum Followed<A> {
    Answer(A),
    /// The same page again.
    NotYet,
    Unknown,
}

#[derive(Debug)]
struct Pending<A> {
    answer: A,
    pages: u32,
}

#[derive(Debug)]
pub(super) struct Deferred<A> {
    pending: HashMap<String, Pending<A>>,
    numbers: fastrand::Rng,
}

impl<A> Deferred<A> {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            pending: HashMap::new(),
            numbers: random(&[seed, 1]),
        }
    }

    /// Keeps `answer` behind a page that must be followed `pages` times; returns its number.
    pub(super) fn defer(&mut self, answer: A, pages: u32) -> String {
        let number = format!("{:016x}", self.numbers.u64(..));
        let pending = Pending { answer, pages };
        self.pending.insert(number.clone(), pending);
        number
    }

    /// One GET of the page's link.
    pub(super) fn follow(&mut self, number: &str) -> Followed<A> {
        match self.pending.get_mut(number) {
            None => Followed::Unknown,
            Some(pending) if pending.pages > 1 => {
                pending.pages -= 1;
                Followed::NotYet
            }
            Some(_) => match self.pending.remove(number) {
                Some(pending) => Followed::Answer(pending.answer),
                None => Followed::Unknown,
            },
        }
    }
}
