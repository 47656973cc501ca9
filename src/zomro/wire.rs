//! The moment at which a form is handed to the connection: after it, the submission is on the wire
//! as far as anybody can know; without it, not one byte of the form was written.
//!
//! Why this holds: hyper's HTTP/1 dispatcher asks the body for its bytes when it has a connection,
//! and writes nothing of a body that it did not ask for. A request that waits for a connection, or
//! that is moved to a new one because the pooled one was found closed, has not been asked. So
//! "never asked" proves "not executed", whatever error the call ended with.
//!
//! The proof needs one more step. When a call times out while its request waits in the queue of a
//! connection, that connection's task may ask a moment *after* the verdict. [`Wire::settle`]
//! therefore closes the door: who asks later gets an error, and hyper drops the connection with
//! the buffered head unsent.
//!
//! A [`Gate`] closes the same door at the hand-over itself, where more than the call decides whether
//! a form may still go out.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use http_body::{Body, Frame, SizeHint};

use super::wiped::Wiped;
use crate::time;

/// When a request was handed to the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// As Unix time.
    pub at_ms: i64,
    /// On the monotonic clock.
    pub at: Instant,
}

/// Asked at the very moment at which a form would be handed over. `Err`: why it must not be, in words;
/// then it never is.
pub type Gate = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What became of one form, seen from both of its ends: the connection's and the caller's.
#[derive(Default)]
pub(super) struct Wire {
    stage: Mutex<Stage>,
    gate: Option<Gate>,
}

#[derive(Debug, Default, Clone)]
enum Stage {
    #[default]
    Waiting,
    Sent(Sent),
    Revoked,
    /// The gate was closed, for this reason.
    Barred(String),
}

impl Wire {
    /// Of a form that may be handed over as long as `gate` says so.
    pub(super) fn behind(gate: Option<Gate>) -> Self {
        Self {
            gate,
            ..Self::default()
        }
    }

    /// The connection asks for the form; `false`: it must not have it any more.
    fn hand_over(&self) -> bool {
        let mut stage = self.stage();
        if !matches!(*stage, Stage::Waiting) {
            return matches!(*stage, Stage::Sent(_));
        }
        // The last look: between it and the bytes on the wire lies nothing that could wait.
        let open = self.gate.as_ref().map_or(Ok(()), |gate| gate());
        *stage = match open {
            Ok(()) => Stage::Sent(Sent {
                at_ms: time::now_ms(),
                at: Instant::now(),
            }),
            Err(why) => Stage::Barred(why),
        };
        matches!(*stage, Stage::Sent(_))
    }

    /// When the form was handed over; if it was not, then it never will be.
    pub(super) fn settle(&self) -> Option<Sent> {
        let mut stage = self.stage();
        match *stage {
            Stage::Waiting => {
                *stage = Stage::Revoked;
                None
            }
            Stage::Sent(sent) => Some(sent),
            Stage::Revoked | Stage::Barred(_) => None,
        }
    }

    /// Why the gate kept the form back, if it did.
    pub(super) fn barred(&self) -> Option<String> {
        match &*self.stage() {
            Stage::Barred(why) => Some(why.clone()),
            Stage::Waiting | Stage::Sent(_) | Stage::Revoked => None,
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Chunk = <reqwest::Body as Body>::Data;

/// The call had ended before its turn came.
#[derive(Debug, thiserror::Error)]
#[error("the call has ended")]
pub(super) struct Revoked;

/// An encoded form that notes the moment of its hand-over, and is handed over in one piece.
pub(super) struct WatchedForm {
    /// `None`: it was handed over.
    form: Option<Chunk>,
    wire: Arc<Wire>,
}

impl WatchedForm {
    pub(super) fn new(form: Wiped, wire: Arc<Wire>) -> Self {
        Self {
            // Wiped when the connection is done with it.
            form: Some(Chunk::from_owner(form)),
            wire,
        }
    }
}

impl Body for WatchedForm {
    type Data = Chunk;
    type Error = Revoked;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, Revoked>>> {
        let this = self.get_mut();
        if !this.wire.hand_over() {
            return Poll::Ready(Some(Err(Revoked)));
        }
        let Some(form) = this.form.take() else {
            return Poll::Ready(None);
        };
        crate::failpoint!("form_handed_over");
        Poll::Ready(Some(Ok(Frame::data(form))))
    }

    fn is_end_stream(&self) -> bool {
        self.form.is_none()
    }

    /// Exact, so that the length is announced and the form not chunked.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.form.as_ref().map_or(0, |form| form.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn form(bytes: &[u8], wire: &Arc<Wire>) -> WatchedForm {
        let mut form = Wiped::default();
        form.push(bytes);
        WatchedForm::new(form, Arc::clone(wire))
    }

    fn poll(form: &mut WatchedForm) -> Poll<Option<Result<Frame<Chunk>, String>>> {
        Pin::new(form)
            .poll_frame(&mut Context::from_waker(Waker::noop()))
            .map(|frame| frame.map(|frame| frame.map_err(|error| error.to_string())))
    }

    #[test]
    fn the_first_request_for_bytes_is_the_moment_of_sending() {
        let wire = Arc::new(Wire::default());
        let mut form = form(b"form", &wire);
        assert_eq!(form.size_hint().exact(), Some(4));
        let Poll::Ready(Some(Ok(frame))) = poll(&mut form) else {
            panic!("no bytes");
        };
        assert_eq!(&frame.into_data().unwrap()[..], b"form");
        assert!(form.is_end_stream());
        let sent = wire.settle().unwrap();
        assert!(matches!(poll(&mut form), Poll::Ready(None)));
        assert_eq!(wire.settle(), Some(sent), "it is sent once");
    }

    #[test]
    fn a_form_is_handed_over_only_while_its_gate_is_open_and_never_after_it_was_closed() {
        let asked = Arc::new(Mutex::new(0));
        let count = Arc::clone(&asked);
        let gate: Gate = Arc::new(move || {
            *count.lock().unwrap() += 1;
            Err("the lease was lost".to_owned())
        });
        let wire = Arc::new(Wire::behind(Some(gate)));
        let mut form = form(b"form", &wire);
        assert_eq!(wire.barred(), None);
        for _ in 0..2 {
            let Poll::Ready(Some(Err(_))) = poll(&mut form) else {
                panic!("bytes behind a closed gate");
            };
        }
        assert_eq!(*asked.lock().unwrap(), 1, "what was refused stays refused");
        assert_eq!(wire.settle(), None);
        assert_eq!(wire.barred().as_deref(), Some("the lease was lost"));
    }

    #[test]
    fn a_form_that_was_settled_as_unsent_is_never_handed_over() {
        let wire = Arc::new(Wire::default());
        let mut form = form(b"form", &wire);
        assert_eq!(wire.settle(), None);
        let Poll::Ready(Some(Err(error))) = poll(&mut form) else {
            panic!("bytes after the verdict");
        };
        assert_eq!(error, "the call has ended");
        assert_eq!(wire.settle(), None);
    }
}
