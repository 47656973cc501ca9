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
//! | `POST config` | [`AccountChange`] |
//!
//! What is posted is JSON; the answer is `{}`, or HTTP 4xx with the reason as text.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::change::{AccountChange, InstanceChange};
use super::fault::Script;
use super::record::{CallRecord, Record, ServiceRecord};
use super::shared::Shared;
use crate::job::ServiceId;

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

async fn config(State(shared): Simulated, Json(change): Json<AccountChange>) -> Json<Value> {
    shared.account().set(change, Instant::now());
    Json(json!({}))
}
