//! What the run and the threads that show it share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::mailbox::Mailbox;
use super::mode::{Mode, Verbosity};
use super::options::Options;
use super::tally::Tally;
use crate::event::Event;
use crate::job::Terms;

/// Events that may wait for a reader: minutes of the fastest run, and a few megabytes.
pub const QUEUED_MAX: usize = 65_536;

#[derive(Debug)]
pub struct Shared {
    pub started: Instant,
    pub label: Option<String>,
    pub mode: Mode,
    pub verbosity: Verbosity,
    pub terms: &'static Terms,
    pub command: String,
    pub tally: Mutex<Tally>,
    pub screen: Mailbox<Letter>,
    pub stream: Option<Mailbox<Letter>>,
    pub closing: Mutex<String>,
}

/// What the readers get.
#[derive(Debug)]
pub enum Letter {
    Event { at_ms: i64, event: Arc<Event> },
    Note(String),
}

impl Shared {
    /// `mode`: that of `options`, as far as stdout allows it.
    pub fn new(options: &Options, mode: Mode, has_stream: bool) -> Self {
        let terms = options.action.terms();
        Self {
            started: Instant::now(),
            label: options.label.clone(),
            mode,
            verbosity: options.verbosity,
            terms,
            command: options.command.clone(),
            tally: Mutex::new(Tally::new(terms, options.no_wait)),
            screen: Mailbox::new(QUEUED_MAX),
            stream: has_stream.then(|| Mailbox::new(QUEUED_MAX)),
            closing: Mutex::new(String::new()),
        }
    }

    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn closing(&self) -> String {
        self.closing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
