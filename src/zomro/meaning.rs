//! What a finding means for the function that was called.

use super::answer::{Answer, Keepalive, LoginError, ReadError};
use super::call_error::CallError;
use super::claims::{HalfSession, Lead};
use super::destination::Destination;
use super::finding::{Document, Obstacle};

/// What a submission's answer means, long-request pages aside.
pub(super) fn submission(document: Result<Document, Obstacle>) -> Answer {
    match document {
        Ok(Document::Ok(None)) => Answer::Accepted,
        Ok(Document::Ok(Some(lead))) => {
            let half = lead.half;
            let failure = CallError::Elsewhere(lead.target).into();
            match half {
                Some(asks_for) => Answer::HalfSession { asks_for, failure },
                None => Answer::Unknown(failure),
            }
        }
        Ok(Document::Form) => Answer::Unknown(CallError::Form.into()),
        Ok(Document::Data) => Answer::Unknown(CallError::NoVerdict.into()),
        Err(Obstacle::Refused(error)) => Answer::Refused(error.failure()),
        Err(Obstacle::Unauthorized(error)) => Answer::Unauthorized {
            message: error.text(),
        },
        Err(Obstacle::SlowDown { retry_after }) => Answer::SlowDown { retry_after },
        Err(Obstacle::Blocked { status }) => Answer::Blocked { status },
        Err(Obstacle::Overloaded { error, .. } | Obstacle::Failed(error)) => {
            Answer::Unknown(error.into())
        }
        Err(Obstacle::HalfSession(asks_for)) => {
            Answer::Unknown(CallError::Elsewhere(asks_for.to_string()).into())
        }
    }
}

/// What the final document of a submission means that the API took as a long request: only a plain `ok`
/// is an acceptance, and anything else leaves it unknown what was done.
pub(super) fn long_submission(document: Result<Document, CallError>) -> Answer {
    let unknown =
        |error: &CallError| Answer::Unknown(CallError::LongRequest(error.to_string()).into());
    match document {
        Ok(Document::Ok(None)) => Answer::Accepted,
        Ok(Document::Ok(Some(lead))) => unknown(&CallError::Elsewhere(lead.target)),
        Ok(Document::Form | Document::Data) => unknown(&CallError::NoVerdict),
        Err(error) => Answer::Unknown(error.into()),
    }
}

/// The document of a read-only call. An `ok` that asks for a second factor or a login is none.
pub(super) fn whole(document: Document) -> Result<Document, Obstacle> {
    match document {
        Document::Ok(Some(Lead {
            half: Some(half), ..
        })) => Err(Obstacle::HalfSession(half)),
        Document::Ok(_) | Document::Form | Document::Data => Ok(document),
    }
}

/// What `keepalive` and `whoami` say of the session.
pub(super) fn keepalive(document: Result<(), Obstacle>, destination: &Destination) -> Keepalive {
    match document {
        Ok(()) => Keepalive::Alive,
        Err(Obstacle::Unauthorized(error)) => Keepalive::Dead {
            message: error.text(),
        },
        Err(Obstacle::HalfSession(half)) => Keepalive::Half(half),
        Err(Obstacle::Refused(error)) => Keepalive::Failed(error.failure()),
        Err(Obstacle::SlowDown { retry_after }) => Keepalive::SlowDown { retry_after },
        Err(Obstacle::Overloaded { retry_after, .. }) => Keepalive::SlowDown {
            retry_after: Some(retry_after),
        },
        Err(Obstacle::Blocked { status }) => Keepalive::Blocked { status },
        Err(Obstacle::Failed(error)) => match error.incurable(destination) {
            Some(incurable) => Keepalive::Incurable(incurable),
            None => Keepalive::Failed(error.into()),
        },
    }
}

/// Why a login gave no session. Any error of the API is a refusal: a captcha that was switched on for
/// the account has a type of its own, and asking again locks the account.
pub(super) fn login_error(obstacle: Obstacle, destination: &Destination) -> LoginError {
    match obstacle {
        Obstacle::Refused(error)
        | Obstacle::Unauthorized(error)
        | Obstacle::Failed(CallError::Api(error)) => LoginError::Refused {
            message: error.text(),
            object: error.object,
        },
        Obstacle::SlowDown { retry_after } => LoginError::SlowDown { retry_after },
        Obstacle::Overloaded { retry_after, .. } => LoginError::SlowDown {
            retry_after: Some(retry_after),
        },
        Obstacle::Blocked { status } => LoginError::Blocked { status },
        Obstacle::HalfSession(HalfSession::SecondFactor) => LoginError::SecondFactor,
        Obstacle::HalfSession(HalfSession::Login) => LoginError::NoToken,
        Obstacle::Failed(error) => match error.incurable(destination) {
            Some(incurable) => LoginError::Incurable(incurable),
            None => LoginError::Failed(error.into()),
        },
    }
}

/// Why a read-only call with the token of this `generation` gave nothing.
pub(super) fn read_error(
    obstacle: Obstacle,
    generation: u64,
    destination: &Destination,
) -> ReadError {
    match obstacle {
        Obstacle::Unauthorized(error) => ReadError::Unauthorized {
            generation,
            message: error.text(),
        },
        Obstacle::HalfSession(asks_for) => ReadError::HalfSession { asks_for },
        Obstacle::Refused(error) => ReadError::Failed(error.failure()),
        Obstacle::SlowDown { retry_after } => ReadError::SlowDown { retry_after },
        Obstacle::Overloaded { retry_after, .. } => ReadError::SlowDown {
            retry_after: Some(retry_after),
        },
        Obstacle::Blocked { status } => ReadError::Blocked { status },
        Obstacle::Failed(error) => match error.incurable(destination) {
            Some(incurable) => ReadError::Incurable(incurable),
            None => ReadError::Failed(error.into()),
        },
    }
}
