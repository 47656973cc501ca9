//! What calls are made of, and what they give.

use std::time::{Duration, Instant};

use super::answer::{Answer, ReadError};
use super::wire::Sent;

/// What came of one submission.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The generation of the token that was used; 0: there was none, and nothing was sent.
    pub generation: u64,
    /// When the form was handed to the wire; `None`: not a byte of it was written.
    pub sent: Option<Sent>,
    /// When the answer was there, or the call had failed, as Unix time.
    pub answered_ms: i64,
    /// The same moment on the monotonic clock.
    pub answered_at: Instant,
    pub answer: Answer,
    /// The pause that an overloaded API asks for beside an answer that says nothing more: at most 15
    /// minutes.
    pub pause: Option<Duration>,
}

/// What a read-only call gave.
#[derive(Debug, Clone)]
pub struct Reply<T> {
    pub value: T,
    /// The generation of the token that was used.
    pub generation: u64,
    /// When the request was begun: the document is not older than this.
    pub requested_at: Instant,
    /// When the document was there.
    pub answered_at: Instant,
    /// The same moment as Unix time.
    pub answered_ms: i64,
}

impl<T> Reply<T> {
    /// The same reply with what `to` makes of its value.
    pub fn map<U>(self, to: impl FnOnce(T) -> U) -> Reply<U> {
        Reply {
            value: to(self.value),
            generation: self.generation,
            requested_at: self.requested_at,
            answered_at: self.answered_at,
            answered_ms: self.answered_ms,
        }
    }
}

/// What came of a read-only call.
pub type Read<T> = Result<Reply<T>, ReadError>;
