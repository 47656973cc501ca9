//! Faults, by script and by plan.

use super::*;

#[tokio::test]
async fn resets_reset_and_the_record_says_whether_it_was_executed() {
    let simulator = slow().await;
    for (kind, wiped) in [(FaultKind::ResetBefore, 0), (FaultKind::ResetAfter, 1)] {
        next(&simulator, kind);
        let error = submit(&simulator).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{kind}");
        let record = truth(&simulator);
        assert_eq!((record.wiped, record.answered), (wiped, 0), "{kind}");
        assert_eq!(simulator.record().faults[&kind], 1);
    }
}

#[tokio::test]
async fn timeouts_give_no_answer_and_the_record_says_whether_it_was_executed() {
    let simulator = slow().await;
    for (kind, wiped) in [(FaultKind::TimeoutBefore, 0), (FaultKind::TimeoutAfter, 1)] {
        next(&simulator, kind);
        leave(&simulator, Duration::from_millis(20)).await;
        assert_eq!(truth(&simulator).wiped, wiped, "{kind}");
        // A bounded one closes the connection in the end.
        let fault = Fault {
            delay_ms: Some(1),
            executed: Some(false),
            ..Fault::new(kind)
        };
        next(&simulator, fault);
        let error = submit(&simulator).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{kind}");
    }
    assert_eq!(simulator.record().submissions_in_flight_max, 1);
}

#[tokio::test]
async fn an_execution_may_come_long_after_the_answer() {
    let simulator = slow().await;
    let fault = Fault {
        executed: Some(true),
        execute_after_ms: Some(300),
        ..Fault::new(FaultKind::Unavailable)
    };
    next(&simulator, fault);
    assert_eq!(submit(&simulator).await.unwrap().status, 503);
    assert_eq!(truth(&simulator).wiped, 0);
    until("the late execution", async || truth(&simulator).wiped == 1).await;
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_the_execution() {
    let simulator = slow().await;
    simulator.set(AccountChange {
        latency_ms: Some(300),
        ..AccountChange::default()
    });
    leave(&simulator, Duration::ZERO).await;
    until("the execution", async || truth(&simulator).wiped == 1).await;
    assert_eq!(truth(&simulator).answered, 0);
}

#[tokio::test]
async fn statuses_in_front_of_the_api_are_answered_as_told() {
    let simulator = slow().await;
    for (kind, status) in [
        (FaultKind::TooManyRequests, 429),
        (FaultKind::Unavailable, 503),
        (FaultKind::Forbidden, 403),
        (FaultKind::AddressBlocked, 460),
    ] {
        next(&simulator, kind);
        let reply = submit(&simulator).await.unwrap();
        assert_eq!((reply.status, reply.header("retry-after")), (status, None));
        for retry_after in ["7", "Mon, 23 Nov 2026 02:00:00 GMT"] {
            let retry_after = Some(retry_after.to_owned());
            next(
                &simulator,
                Fault {
                    retry_after: retry_after.clone(),
                    ..Fault::new(kind)
                },
            );
            let reply = submit(&simulator).await.unwrap();
            assert_eq!(reply.header("retry-after"), retry_after.as_deref());
        }
    }
    let fault = Fault {
        status: Some(302),
        body: Some("elsewhere".to_owned()),
        executed: Some(true),
        ..Fault::new(FaultKind::Html)
    };
    assert_eq!(truth(&simulator).wiped, 0);
    next(&simulator, fault);
    let reply = submit(&simulator).await.unwrap();
    assert_eq!((reply.status, &*reply.body), (302, &b"elsewhere"[..]));
    assert_eq!(truth(&simulator).wiped, 1);
}

#[tokio::test]
async fn answers_that_are_no_answers_follow_an_execution() {
    for kind in [
        FaultKind::Garbage,
        FaultKind::Truncated,
        FaultKind::OtherShape,
        FaultKind::Html,
    ] {
        for executed in [false, true] {
            let simulator = slow().await;
            next(
                &simulator,
                Fault {
                    executed: Some(executed),
                    ..Fault::new(kind)
                },
            );
            let reply = submit(&simulator).await.unwrap();
            assert_eq!(reply.status, 200, "{kind}");
            let parsed: Result<Value, _> = serde_json::from_slice(&reply.body);
            match kind {
                FaultKind::OtherShape => assert!(parsed.unwrap()["doc"].get("ok").is_none()),
                _ => assert!(parsed.is_err(), "{kind}: {reply:?}"),
            }
            let record = truth(&simulator);
            assert_eq!(
                (record.wiped, record.answered),
                (u64::from(executed), 0),
                "{kind}"
            );
        }
    }
}

#[tokio::test]
async fn a_connection_may_close_in_the_middle_of_the_body() {
    let simulator = slow().await;
    next(&simulator, FaultKind::CutOff);
    let error = submit(&simulator).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.answered), (1, 0));
}

#[tokio::test]
async fn slow_late_and_large_answers_are_right_in_the_end() {
    let simulator = slow().await;
    let list = |fault: Fault| simulator.script(Script::next(Call::Instances, fault));
    let read = async || {
        authorised(&simulator, &[("func", "instances")])
            .await
            .unwrap()
    };
    let begun = Instant::now();
    list(Fault {
        bytes: Some(500),
        delay_ms: Some(5),
        ..Fault::new(FaultKind::Trickle)
    });
    let reply = read().await;
    assert_eq!(reply.doc()["p_elems"]["$"], "12");
    let pauses = u32::try_from(reply.body.len().div_ceil(500) - 1).unwrap();
    assert!(pauses > 2 && begun.elapsed() >= pauses * Duration::from_millis(5));
    let begun = Instant::now();
    list(Fault {
        delay_ms: Some(30),
        ..Fault::new(FaultKind::Delay)
    });
    assert_eq!(read().await.doc()["p_elems"]["$"], "12");
    assert!(begun.elapsed() >= Duration::from_millis(30));
    list(Fault {
        bytes: Some(100_000),
        ..Fault::new(FaultKind::Huge)
    });
    let reply = read().await;
    assert!(reply.body.len() > 100_000);
    assert_eq!(reply.doc()["p_elems"]["$"], "12");
}

#[tokio::test]
async fn a_long_request_leads_to_the_answer_over_as_many_pages_as_told() {
    let simulator = slow().await;
    next(
        &simulator,
        Fault {
            pages: Some(3),
            ..Fault::new(FaultKind::LongRequest)
        },
    );
    let page = String::from_utf8(submit(&simulator).await.unwrap().body).unwrap();
    let link = page
        .split("href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    assert!(
        link.starts_with("/long") && link.ends_with("billmgr"),
        "{link}"
    );
    let follow = async || send(&simulator, "GET", &link, "", "").await;
    let again = follow().await.unwrap();
    assert!(String::from_utf8(again.body).unwrap().contains(&link));
    // A page that comes late is no answer either.
    let late = Fault {
        delay_ms: Some(1),
        ..Fault::new(FaultKind::Delay)
    };
    simulator.script(Script::next(Call::LongRequest, late));
    let again = follow().await.unwrap();
    assert!(String::from_utf8(again.body).unwrap().contains(&link));
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.answered), (1, 0));
    // That leg can fail, too, without losing the answer…
    simulator.script(Script::next(Call::LongRequest, FaultKind::ResetBefore));
    assert_eq!(
        follow().await.unwrap_err().kind(),
        io::ErrorKind::ConnectionReset
    );
    assert!(follow().await.unwrap().is_ok());
    assert_eq!(truth(&simulator).answered, 1);
    // …which is given once.
    assert_eq!(follow().await.unwrap().status, 404);
}

#[tokio::test]
async fn documented_errors_come_as_told_executed_or_not() {
    let simulator = slow().await;
    let fault = Fault {
        error_type: Some("limit".to_owned()),
        error_object: Some("quota".to_owned()),
        message: Some("Too much".to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    next(&simulator, fault.clone());
    let reply = submit(&simulator).await.unwrap();
    assert_eq!(reply.error(), pair("limit", "quota"));
    assert_eq!(reply.doc()["error"]["msg"]["$"], "Too much ");
    next(&simulator, FaultKind::Busy);
    assert_eq!(
        submit(&simulator).await.unwrap().error().1,
        "runningoperation"
    );
    assert_eq!(truth(&simulator).wiped, 0);
    next(
        &simulator,
        Fault {
            executed: Some(true),
            ..fault
        },
    );
    assert_eq!(
        submit(&simulator).await.unwrap().error(),
        pair("limit", "quota")
    );
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.answered), (1, 0));
}

#[tokio::test]
async fn a_session_that_expires_under_a_call_stays_dead() {
    let simulator = slow().await;
    next(&simulator, FaultKind::SessionExpiry);
    let refused = pair("access", "instances.fleio.rebuild");
    assert_eq!(submit(&simulator).await.unwrap().error(), refused);
    assert_eq!(submit(&simulator).await.unwrap().error(), refused);
    assert_eq!(truth(&simulator).wiped, 0);
}

#[tokio::test]
async fn an_instance_may_end_in_error() {
    let simulator = started(config()).await;
    next(&simulator, FaultKind::InstanceError);
    assert!(submit(&simulator).await.unwrap().is_ok());
    until("the error", async || truth(&simulator).status == "error").await;
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.answered, record.completed), (1, 1, 0));
}

#[tokio::test]
async fn every_kind_of_fault_can_hit_every_call_without_stopping_the_simulator() {
    let simulator = slow().await;
    let service = SERVICE.to_string();
    for kind in FaultKind::ALL {
        for (call_kind, fields) in [
            (
                Call::Auth,
                vec![
                    ("func", "auth"),
                    ("username", "simulator"),
                    ("password", STRONG),
                ],
            ),
            (Call::Keepalive, vec![("func", "keepalive")]),
            (Call::Instances, vec![("func", "instances")]),
            (Call::Preview, vec![REBUILD, ("elid", &service)]),
            (
                Call::Submission,
                vec![REBUILD, ("sok", "ok"), ("elid", &service)],
            ),
        ] {
            let fault = Fault {
                delay_ms: Some(1),
                bytes: Some(1000),
                executed: Some(false),
                ..Fault::new(*kind)
            };
            simulator.script(Script::next(call_kind, fault));
            let _ = authorised(&simulator, &fields).await;
        }
        assert_eq!(simulator.record().faults[kind], 5, "{kind}");
    }
    let info = [("func", "keepalive"), ("authinfo", "simulator:Simulator1")];
    assert!(call(&simulator, &info).await.unwrap().is_ok());
}

#[tokio::test]
async fn the_same_seed_and_the_same_calls_give_the_same_truth() {
    let plan = FaultPlan {
        rate: 0.5,
        kinds: vec![
            FaultKind::TooManyRequests,
            FaultKind::Unavailable,
            FaultKind::ResetBefore,
            FaultKind::ResetAfter,
            FaultKind::Garbage,
        ],
        seed: 42,
    };
    let mut runs = Vec::new();
    for order in [[0, 1, 2, 3, 4, 5, 6, 7], [7, 3, 5, 1, 6, 2, 4, 0]] {
        let rebuild_duration = Duration::from_hours(1);
        let faults = plan.clone();
        let simulator = started(Config {
            rebuild_duration,
            faults,
            ..config()
        })
        .await;
        for number in order {
            let elid = (SERVICE + number).to_string();
            for _ in 0..3 {
                let _ = submit_with(&simulator, &[("elid", &elid)]).await;
            }
        }
        let record = simulator.record();
        let wiped: Vec<_> = record
            .services
            .values()
            .map(|service| service.wiped)
            .collect();
        runs.push((wiped, record.faults));
    }
    assert_eq!(runs[0], runs[1]);
    assert!(!runs[0].1.is_empty());
}
