//! From a request to its answer, through the fault that it meets.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tokio::time::{Instant, sleep};

use super::account::PreparedAnswer;
use super::asked::Asked;
use super::call::Call;
use super::control;
use super::deferred::Followed;
use super::document;
use super::form::Fields;
use super::hold::Ticket;
use super::kind::FaultKind;
use super::respond::{broken, intact, long_page, respond};
use super::shared::Shared;
use super::wire::Link;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", any(function))
        .route("/billmgr", any(function))
        .route("/long/{number}/billmgr", get(long_request))
        .nest("/_simulator", control::routes())
        .with_state(shared)
}

/// `POST /` and its variants: one call of the API.
async fn function(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(link): ConnectInfo<Link>,
    request: Request,
) -> Response {
    if !matches!(*request.method(), Method::POST | Method::GET) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let fields = match Fields::of(request).await {
        Ok(fields) => fields,
        Err(error) => {
            shared.account().traffic().violation(error.to_string());
            return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
        }
    };
    let call = Asked::of(&fields).call();
    let mut fields = Arc::new(fields);
    let _in_flight = (call == Call::Submission).then(|| InFlight::new(&shared));
    let (fault, latency, ticket) = {
        let mut account = shared.account();
        let fault = account.arrived(call, &fields, Instant::now());
        let ticket = (call == Call::Submission).then(|| shared.hold.arrive());
        (fault, account.latency(), ticket.flatten())
    };
    let after = latency / 2;
    let before = Before {
        ticket,
        pause: latency / 2,
    };
    let Some(fault) = fault else {
        let Some(answer) = execute(&shared, fields, None, before).await else {
            return broken(&link);
        };
        shared.pause(after).await;
        return intact(&shared, &link, answer);
    };
    if fault.kind == FaultKind::OtherPage {
        let other = match fields.get("p_num") {
            None | Some("1") => "2",
            Some(_) => "1",
        };
        fields = Arc::new(fields.with("p_num", other));
    }
    let asked = Arc::clone(&fields);
    let answer = match fault.execute_after_ms {
        Some(after_ms) if fault.is_executed() => {
            let (late_shared, body) = (Arc::clone(&shared), document::ok(&fields));
            let held = before.ticket.clone();
            let late = Before {
                pause: before.pause + Duration::from_millis(after_ms),
                ..before
            };
            let kind = fault.kind;
            tokio::spawn(async move { execute(&late_shared, fields, Some(kind), late).await });
            if shared.pass(held).await.is_err() {
                return broken(&link);
            }
            PreparedAnswer::plain(body)
        }
        None if fault.is_executed() => {
            match execute(&shared, fields, Some(fault.kind), before).await {
                Some(answer) => answer,
                None => return broken(&link),
            }
        }
        Some(_) | None => {
            if shared.pass(before.ticket).await.is_err() {
                return broken(&link);
            }
            if call == Call::Submission {
                shared.account().left_undone(&fields, Instant::now());
            }
            // A fault that shows a part of this answer shows an `ok` that is not true.
            PreparedAnswer::plain(document::ok(&fields))
        }
    };
    shared.pause(after).await;
    respond(&shared, &link, &asked, fault, answer).await
}

/// `GET /long/{number}/billmgr`: the link of a long-request page.
async fn long_request(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(link): ConnectInfo<Link>,
    Path(number): Path<String>,
) -> Response {
    let call = Call::LongRequest;
    let (fault, latency, followed) = {
        let mut account = shared.account();
        let fault = account.arrived(call, &Fields::default(), Instant::now());
        let untouched = fault.as_ref().is_some_and(|fault| !fault.is_executed());
        let followed = if untouched {
            Followed::NotYet
        } else {
            account.deferred().follow(&number)
        };
        (fault, account.latency(), followed)
    };
    shared.pause(latency).await;
    let fault = match fault {
        Some(fault) if fault.kind.shows_answer() && !matches!(followed, Followed::Answer(_)) => {
            // There is no answer yet that it could show.
            shared
                .pause(Duration::from_millis(fault.delay_ms.unwrap_or(0)))
                .await;
            None
        }
        other => other,
    };
    match (fault, followed) {
        (None, Followed::Answer(answer)) => intact(&shared, &link, answer),
        (None, Followed::NotYet) => long_page(&number),
        (None, Followed::Unknown) => StatusCode::NOT_FOUND.into_response(),
        (Some(fault), Followed::Answer(answer)) => {
            respond(&shared, &link, &Fields::default(), fault, answer).await
        }
        (Some(fault), Followed::NotYet | Followed::Unknown) => {
            let fields = Fields::default();
            let body = document::ok(&fields);
            let answer = PreparedAnswer::plain(body);
            respond(&shared, &link, &fields, fault, answer).await
        }
    }
}

/// Counts a submission as outstanding for as long as the client waits for it.
struct InFlight<'a>(&'a Shared);

impl<'a> InFlight<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.account().traffic().submission_begins();
        Self(shared)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.account().traffic().submission_ends();
    }
}

/// What a call waits for before it is executed.
struct Before {
    /// It is held until that is released.
    ticket: Option<Ticket>,
    pause: Duration,
}

/// Executes the call after a while, also when the client has left meanwhile: like the real thing,
/// which has the whole request by then. `None`: the simulator is going down, or cannot keep what it
/// would do.
async fn execute(
    shared: &Arc<Shared>,
    fields: Arc<Fields>,
    fault: Option<FaultKind>,
    before: Before,
) -> Option<PreparedAnswer> {
    if before.ticket.is_none() && before.pause.is_zero() {
        return shared.account().execute(&fields, fault, Instant::now());
    }
    let shared = Arc::clone(shared);
    let execution = async move {
        shared.pass(before.ticket).await.ok()?;
        sleep(before.pause).await;
        shared.account().execute(&fields, fault, Instant::now())
    };
    tokio::spawn(execution).await.ok().flatten()
}
