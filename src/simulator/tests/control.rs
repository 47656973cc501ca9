//! The control interface.

use super::*;

#[tokio::test]
async fn another_process_can_script_change_and_read_everything() {
    let simulator = slow().await;
    let script = json!({
        "call": "submission", "elid": SERVICE, "skip": 1, "times": 1,
        "fault": {"kind": "429", "retry_after": "3"},
    });
    assert_eq!(post(&simulator, "script", script).await, 200);
    let stop = json!({"status": "stopped", "image": "backup"});
    let service = format!("services/{SERVICE}");
    assert_eq!(post(&simulator, &service, stop).await, 200);
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("stopped", "backup"))
    );
    assert_eq!(
        post(
            &simulator,
            "config",
            json!({"page_size": 7, "list_lag_ms": 0})
        )
        .await,
        200
    );
    assert_eq!(page_ids(&simulator, &[]).await.len(), 7);
    let behaviour = json!({"next": {"outcome": "ignored"}});
    assert_eq!(post(&simulator, &service, behaviour).await, 200);
    assert!(submit(&simulator).await.unwrap().is_ok());
    let reply = submit(&simulator).await.unwrap();
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("3"))
    );
    assert!(submit(&simulator).await.unwrap().is_ok());

    let record: Record = serde_json::from_value(get(&simulator, "record").await.json()).unwrap();
    assert_eq!(record, simulator.record());
    let own: ServiceRecord =
        serde_json::from_value(get(&simulator, &service).await.json()).unwrap();
    assert_eq!((own.submissions, own.accepted, own.wiped), (3, 2, 1));
    assert_eq!(record.services[&SERVICE], own);
    let calls: Vec<CallRecord> =
        serde_json::from_value(get(&simulator, "calls").await.json()).unwrap();
    let submissions = calls.iter().filter(|call| call.call == Call::Submission);
    assert_eq!(
        submissions
            .filter(|call| call.elid == Some(SERVICE))
            .count(),
        3
    );
    assert!(calls.is_sorted_by_key(|call| call.at_us));
}

#[tokio::test]
async fn mistakes_in_control_requests_are_refused() {
    let simulator = slow().await;
    for (path, body) in [
        (
            "script",
            json!({"call": "submission", "fault": {"kind": "no-such-kind"}}),
        ),
        (
            "script",
            json!({"call": "submission", "fault": {"kind": "429", "retry-after": "3"}}),
        ),
        ("script", json!({"func": "auth", "fault": {"kind": "429"}})),
        ("config", json!({"list_lag": 5})),
        ("services/5113119", json!({"state": "active"})),
    ] {
        assert_eq!(
            post(&simulator, path, body.clone()).await,
            422,
            "{path} {body}"
        );
    }
    assert_eq!(post(&simulator, "services/4", json!({})).await, 404);
    assert_eq!(get(&simulator, "services/4").await.status, 404);
}

#[tokio::test]
async fn scripts_are_met_in_the_order_of_their_queue() {
    let simulator = slow().await;
    next(&simulator, FaultKind::TooManyRequests);
    next(&simulator, FaultKind::Forbidden);
    next(&simulator, FaultKind::AddressBlocked);
    for status in [429, 403, 460, 200] {
        assert_eq!(submit(&simulator).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn scripts_can_be_forgotten() {
    let simulator = slow().await;
    let everything = Script {
        times: u64::MAX,
        ..Script::next(Call::Submission, FaultKind::Forbidden)
    };
    simulator.script(everything);
    assert_eq!(submit(&simulator).await.unwrap().status, 403);
    assert_eq!(submit(&simulator).await.unwrap().status, 403);
    let reply = send(&simulator, "DELETE", "/_simulator/script", "", "")
        .await
        .unwrap();
    assert_eq!(reply.status, 200);
    assert!(submit(&simulator).await.unwrap().is_ok());
}
