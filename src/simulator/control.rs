//! The control interface under `/_simulator/`: for tests that drive a simulator in another process.
//!
//! | request | does |
//! |---|---|
//! | `GET record` | the truth, a [`Record`] |
//! | `GET services/{id}` | the truth about one service |
//! | `GET calls` | when which call arrived, the first 200,000 |
//! | `POST script` | a [`Script`]: exact faults for the next matching calls |
//! | `DELETE script` | forgets all scripts |
//! | `POST services/{id}` | an [`InstanceChange`] of that instance |
//! | `POST config` | [`Settings`] |
//!
//! What is posted is JSON; the answer is `{}`, or HTTP 4xx with the reason as text.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::account::{Login, Sessions};
use super::fault::Script;
use super::instance::{Behaviour, Step};
use super::kind::FaultKind;
use super::oddity::Oddities;
use super::record::{CallRecord, Record, ServiceRecord};
use super::serve::Shared;
use crate::job::ServiceId;

/// What somebody other than the client does to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InstanceChange {
    /// Status from now on. `rebuilding` is a rebuild of the owner's own.
    pub status: Option<String>,
    /// Image name from now on.
    pub image: Option<String>,
    /// Changes that come later, in ascending order of their time.
    pub steps: Vec<Step>,
    /// Does the list show it? `false`: the panel holds a filter.
    pub listed: Option<bool>,
    /// Does its row alone go on showing this moment, while its page lives? `false`: no longer.
    pub frozen: Option<bool>,
    /// Can its row be read? `false`: it has no id.
    pub readable: Option<bool>,
    /// How its next rebuild differs from the usual.
    pub next: Option<Behaviour>,
}

impl InstanceChange {
    pub(super) fn all_steps(&self) -> Vec<Step> {
        let mut steps = self.steps.clone();
        if self.status.is_some() || self.image.is_some() {
            let (status, image) = (self.status.clone(), self.image.clone());
            steps.push(Step {
                after_ms: 0,
                status,
                image,
            });
        }
        steps.sort_by_key(|step| step.after_ms);
        steps
    }
}

/// Changes of the account's behaviour; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How old the list is that a call gets.
    pub list_lag_ms: Option<u64>,
    /// By how many rows the list's order moves after each call.
    pub list_shift: Option<usize>,
    /// Rows of one page.
    pub page_size: Option<usize>,
    /// From the acceptance of a rebuild until its status shows.
    pub accept_lag_ms: Option<u64>,
    /// How long a rebuild then takes.
    pub rebuild_duration_ms: Option<u64>,
    /// How long each call takes.
    pub latency_ms: Option<u64>,
    /// A session unused for so long is forgotten.
    pub session_ttl_ms: Option<u64>,
    /// What happens to sessions.
    pub sessions: Option<Sessions>,
    /// What logins are answered with.
    pub login: Option<Login>,
    /// Share of the calls that meet a fault.
    pub fault_rate: Option<f64>,
    /// What they meet.
    pub fault_kinds: Option<Vec<FaultKind>>,
    /// What is odd from now on, in place of all that was odd before (a `baseline` stays what it
    /// was). As JSON: a list of the words of [`Oddities`].
    pub odd: Option<Oddities>,
}

type Simulated = State<Arc<Shared>>;

/// The routes, relative to `/_simulator`.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/record", get(record))
        .route("/services/{id}", get(service).post(change))
        .route("/calls", get(calls))
        .route("/script", post(script).delete(clear_scripts))
        .route("/config", post(config))
}

async fn record(State(shared): Simulated) -> Json<Record> {
    Json(shared.account().record(Instant::now()))
}

async fn service(
    State(shared): Simulated,
    Path(id): Path<ServiceId>,
) -> Result<Json<ServiceRecord>, StatusCode> {
    let record = shared.account().service(id, Instant::now());
    record.map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn calls(State(shared): Simulated) -> Json<Vec<CallRecord>> {
    Json(shared.account().calls())
}

async fn script(State(shared): Simulated, Json(script): Json<Script>) -> Json<Value> {
    shared.account().script(script);
    Json(json!({}))
}

async fn clear_scripts(State(shared): Simulated) -> Json<Value> {
    shared.account().clear_scripts();
    Json(json!({}))
}

async fn change(
    State(shared): Simulated,
    Path(id): Path<ServiceId>,
    Json(change): Json<InstanceChange>,
) -> Result<Json<Value>, StatusCode> {
    let found = shared.account().change(id, &change, Instant::now());
    found.then(|| Json(json!({}))).ok_or(StatusCode::NOT_FOUND)
}

async fn config(State(shared): Simulated, Json(settings): Json<Settings>) -> Json<Value> {
    shared.account().set(settings, Instant::now());
    Json(json!({}))
}
