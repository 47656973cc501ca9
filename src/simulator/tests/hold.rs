//! Submissions that are held.

use super::*;

#[tokio::test]
async fn a_submission_that_is_held_is_executed_when_it_is_released_and_not_before() {
    let simulator = slow().await;
    simulator.hold_submissions(1);
    let state = || {
        let truth = truth(&simulator);
        (truth.submissions, truth.wiped)
    };
    let other = (SERVICE + 1).to_string();
    let first = submit_with(&simulator, &[("elid", &*other)]).await;
    assert!(first.unwrap().is_ok(), "it was let through");
    let held = submit(&simulator);
    let test = async {
        until("the arrival", async || state().0 == 1).await;
        // Whatever is no submission is answered.
        assert_eq!(page_ids(&simulator, &[]).await.len(), 5);
        assert_eq!(state(), (1, 0));
        simulator.release_submissions();
    };
    let (reply, ()) = tokio::join!(held, test);
    assert!(reply.unwrap().is_ok());
    assert_eq!(state(), (1, 1));
}

#[tokio::test]
async fn a_held_submission_outlives_its_client_but_not_the_simulator() {
    let simulator = slow().await;
    simulator.hold_submissions(0);
    leave(&simulator, Duration::ZERO).await;
    assert_eq!(truth(&simulator).wiped, 0);
    simulator.release_submissions();
    until("the execution", async || truth(&simulator).wiped == 1).await;

    let simulator = slow().await;
    simulator.hold_submissions(0);
    leave(&simulator, Duration::ZERO).await;
    assert_eq!(simulator.shutdown().await.services[&SERVICE].wiped, 0);
}

#[tokio::test]
async fn a_held_submission_meets_its_fault_when_it_is_released() {
    let simulator = slow().await;
    simulator.hold_submissions(0);
    next(&simulator, FaultKind::TooManyRequests);
    let test = async {
        until("the arrival", async || truth(&simulator).submissions == 1).await;
        simulator.release_submissions();
    };
    let (reply, ()) = tokio::join!(submit(&simulator), test);
    assert_eq!((reply.unwrap().status, truth(&simulator).wiped), (429, 0));
}

#[tokio::test]
async fn a_late_execution_is_held_and_so_is_its_answer() {
    let simulator = slow().await;
    simulator.hold_submissions(0);
    let late = Fault {
        executed: Some(true),
        execute_after_ms: Some(1),
        ..Fault::new(FaultKind::Unavailable)
    };
    next(&simulator, late);
    let mut held = std::pin::pin!(submit(&simulator));
    let answered = timeout(Duration::from_millis(50), &mut held).await;
    assert!(answered.is_err(), "{answered:?}");
    assert_eq!(truth(&simulator).wiped, 0);
    simulator.release_submissions();
    assert_eq!(held.await.unwrap().status, 503);
    until("the execution", async || truth(&simulator).wiped == 1).await;
}
