//! The bounded, lossy queue between a run and whoever shows it.
//!
//! The one fact to know: [`Mailbox::post`] never waits. When a terminal or a pipe stalls, letters
//! are lost and counted, and the run goes on.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Letters from a run to one reader.
#[derive(Debug)]
pub struct Mailbox<T> {
    inner: Mutex<Inner<T>>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct Inner<T> {
    letters: VecDeque<T>,
    lost: u64,
    closed: bool,
    done: bool,
}

/// What [`Mailbox::take`] found.
#[derive(Debug)]
pub struct Delivery<T> {
    pub letters: VecDeque<T>,
    /// Letters that found no room after these.
    pub lost: u64,
    /// No more will come.
    pub closed: bool,
}

impl<T> Mailbox<T> {
    pub fn new(capacity: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                letters: VecDeque::new(),
                lost: 0,
                closed: false,
                done: false,
            }),
            changed: Condvar::new(),
            capacity,
        }
    }

    /// Leaves a letter, or counts it as lost.
    pub fn post(&self, letter: T) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        if inner.letters.len() >= self.capacity {
            inner.lost += 1;
            return;
        }
        inner.letters.push_back(letter);
        let first = inner.letters.len() == 1;
        drop(inner);
        if first {
            self.changed.notify_all();
        }
    }

    /// Everything that came, not before `earliest` and not after `latest`; a letter or
    /// [`close`](Self::close) ends the wait in between.
    pub fn take(&self, earliest: Instant, latest: Option<Instant>) -> Delivery<T> {
        let mut inner = self.lock();
        while !inner.closed {
            let until = if inner.letters.is_empty() {
                latest
            } else {
                Some(earliest)
            };
            inner = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(wait) if wait.is_zero() => break,
                Some(wait) => {
                    self.changed
                        .wait_timeout(inner, wait)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .changed
                    .wait(inner)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        Delivery {
            letters: mem::take(&mut inner.letters),
            lost: mem::take(&mut inner.lost),
            closed: inner.closed,
        }
    }

    /// Nothing more will be posted.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The reader has dealt with everything.
    pub fn done(&self) {
        self.lock().done = true;
        self.changed.notify_all();
    }

    /// Waits for [`done`](Self::done), but not beyond `latest`.
    pub fn wait_done(&self, latest: Instant) {
        let mut inner = self.lock();
        while !inner.done {
            let wait = latest.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return;
            }
            inner = self
                .changed
                .wait_timeout(inner, wait)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_box_counts_what_it_refuses_and_keeps_the_order() {
        let mailbox = Mailbox::new(3);
        for number in 0..10 {
            mailbox.post(number);
        }
        let batch = mailbox.take(Instant::now(), None);
        assert_eq!(batch.letters, [0, 1, 2]);
        assert_eq!(batch.lost, 7);
        mailbox.post(10);
        let batch = mailbox.take(Instant::now(), None);
        assert_eq!((batch.letters.len(), batch.lost), (1, 0));
    }

    #[test]
    fn closing_ends_every_wait_and_hands_out_the_rest() {
        let mailbox = Mailbox::new(3);
        mailbox.post("last");
        mailbox.close();
        mailbox.post("too late");
        let far = Instant::now() + std::time::Duration::from_hours(1);
        let batch = mailbox.take(far, Some(far));
        assert!(batch.closed);
        assert_eq!(batch.letters, ["last"]);
    }

    #[test]
    fn a_reader_that_never_ends_is_not_waited_for() {
        let mailbox = Mailbox::<u8>::new(1);
        mailbox.close();
        mailbox.wait_done(Instant::now());
        mailbox.done();
        mailbox.wait_done(Instant::now() + std::time::Duration::from_hours(1));
    }

    #[test]
    fn a_letter_wakes_a_waiting_reader() {
        let mailbox = Mailbox::new(1);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| mailbox.take(Instant::now(), None));
            mailbox.post(7);
            assert_eq!(reader.join().unwrap().letters, [7]);
        });
    }
}
