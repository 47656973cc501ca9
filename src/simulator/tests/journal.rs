//! The journal: what a simulator knows that was started after another one had ended or been killed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::account::Account;
use super::*;

const HOUR_MS: i64 = 3_600_000;

/// A file that goes away with its directory.
struct Place {
    path: PathBuf,
    _directory: TempDir,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    Place {
        path: directory.path().join("journal.ndjson"),
        _directory: directory,
    }
}

/// Rebuilds of an hour, kept in a file.
fn kept(path: &Path) -> Config {
    Config {
        rebuild_duration: Duration::from_hours(1),
        journal: Some(path.to_owned()),
        ..config()
    }
}

async fn start(path: &Path) -> io::Result<Simulator> {
    Simulator::start(kept(path), "127.0.0.1:0".parse().unwrap()).await
}

/// What `path` says is wrong with it.
async fn refused(path: &Path) -> String {
    let error = start(path).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    error.to_string()
}

/// Goes on as if all that the file tells had happened so much earlier.
fn let_pass(path: &Path, ms: i64) {
    let lines = fs::read_to_string(path).unwrap();
    let mut shifted = String::new();
    for line in lines.lines() {
        let mut value: Value = serde_json::from_str(line).unwrap();
        if let Some(accepted) = value.get_mut("accepted") {
            for name in ["at_ms", "begins_ms", "ends_ms"] {
                accepted[name] = json!(accepted[name].as_i64().unwrap() - ms);
            }
        }
        // As text: a `Value` does not keep the order of the head's names.
        shifted += &if value.get("journal").is_some() {
            line.to_owned()
        } else {
            value.to_string()
        };
        shifted.push('\n');
    }
    fs::write(path, shifted).unwrap();
}

fn behave(simulator: &Simulator, service: i64, next: Behaviour) {
    let next = Some(next);
    let change = InstanceChange {
        next,
        ..InstanceChange::default()
    };
    assert!(simulator.change(id(service), &change));
}

#[tokio::test]
async fn a_rebuild_goes_on_where_the_clock_is() {
    let place = place();
    let simulator = start(&place.path).await.unwrap();
    assert!(submit(&simulator).await.unwrap().is_ok());
    let before = simulator.shutdown().await;

    // Half-way through: the same truth, the same view, and no second rebuild.
    let simulator = start(&place.path).await.unwrap();
    let after = simulator.record();
    assert_eq!(after.services, before.services);
    assert_eq!(after.executions_max, 1);
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("rebuilding", "CentOS-7"))
    );
    assert_eq!(
        submit(&simulator).await.unwrap().error().1,
        "runningoperation"
    );
    drop(simulator);
    let_pass(&place.path, HOUR_MS - 60_000);
    let simulator = start(&place.path).await.unwrap();
    assert_eq!(truth(&simulator).status, "rebuilding");
    drop(simulator);

    // It has ended while nobody was there.
    let_pass(&place.path, 120_000);
    let simulator = start(&place.path).await.unwrap();
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("active", "AlmaLinux-8"))
    );
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.answered, record.completed), (1, 1, 1));
    let wipe = &record.wipes[0];
    assert_eq!(wipe.completed_ms, Some(wipe.at_ms + HOUR_MS));
    assert_eq!((&*wipe.image_id, &*wipe.image), (IMAGE, "AlmaLinux-8"));
    // A list that lags shows it under way.
    simulator.set(AccountChange {
        list_lag_ms: Some(120_000),
        ..AccountChange::default()
    });
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("rebuilding", "CentOS-7"))
    );
}

#[tokio::test]
async fn wipes_are_counted_over_restarts() {
    let place = place();
    for wiped in 1..=3 {
        let simulator = start(&place.path).await.unwrap();
        assert!(submit(&simulator).await.unwrap().is_ok());
        let record = simulator.shutdown().await;
        let service = &record.services[&SERVICE];
        assert_eq!(
            (service.submissions, service.accepted, service.wiped),
            (wiped, wiped, wiped)
        );
        assert_eq!((service.answered, service.completed), (wiped, wiped - 1));
        assert_eq!(record.executions_max, 1);
        let_pass(&place.path, 2 * HOUR_MS);
    }
}

#[tokio::test]
async fn every_way_a_rebuild_can_go_is_kept() {
    let place = place();
    let simulator = start(&place.path).await.unwrap();
    let mut service = SERVICE;
    for status in ["active", "stopped", "error"] {
        for outcome in [
            Outcome::Active,
            Outcome::Error,
            Outcome::Never,
            Outcome::Ignored,
        ] {
            let change = InstanceChange {
                status: Some(status.to_owned()),
                ..InstanceChange::default()
            };
            assert!(simulator.change(id(service), &change));
            let (image_at, image_after) = match service % 3 {
                0 => (ImageAt::Accept, None),
                1 => (ImageAt::End, Some("Somebody's \"own\"\n".to_owned())),
                _ => (ImageAt::Accept, Some("Other".to_owned())),
            };
            let next = Behaviour {
                accept_lag_ms: Some(1_234),
                duration_ms: None,
                outcome: Some(outcome),
                image_after,
                image_at: Some(image_at),
            };
            behave(&simulator, service, next);
            let elid = service.to_string();
            assert!(
                submit_with(&simulator, &[("elid", &elid)])
                    .await
                    .unwrap()
                    .is_ok()
            );
            service += 1;
        }
    }
    let during = simulator.record().services;
    assert_eq!(simulator.record().executions_max, 9);
    // What the first simulator itself would show much later.
    let later = {
        let account = simulator.shared.account();
        account
            .record(Instant::now() + Duration::from_hours(2))
            .services
    };
    drop(simulator);
    let simulator = start(&place.path).await.unwrap();
    for (service, mut record) in simulator.record().services {
        let mut expected = during[&service].clone();
        // Between the two readings the accept lag may have passed.
        record.status.clear();
        expected.status.clear();
        assert_eq!(record, expected, "{service}");
    }
    assert_eq!(simulator.record().executions_max, 9);
    drop(simulator);

    let_pass(&place.path, 2 * HOUR_MS);
    let simulator = start(&place.path).await.unwrap();
    for (service, mut record) in simulator.record().services {
        for wipe in &mut record.wipes {
            wipe.at_ms += 2 * HOUR_MS;
            wipe.completed_ms = wipe.completed_ms.map(|ms| ms + 2 * HOUR_MS);
        }
        assert_eq!(record, later[&service], "{service}");
    }
}

#[tokio::test]
async fn an_answer_that_did_not_get_through_stays_so() {
    let place = place();
    let simulator = start(&place.path).await.unwrap();
    next(&simulator, FaultKind::TooManyRequests);
    assert_eq!(submit(&simulator).await.unwrap().status, 429);
    next(&simulator, FaultKind::ResetAfter);
    assert!(submit(&simulator).await.is_err());
    drop(simulator);
    let simulator = start(&place.path).await.unwrap();
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.answered), (1, 0));
    // So the next one is the third, and meets the third one's fate.
    assert_eq!(record.submissions, 2);
}

#[tokio::test]
async fn what_a_client_can_know_is_in_the_file_by_then() {
    let place = place();
    let simulator = start(&place.path).await.unwrap();
    for (service, lines) in [(SERVICE, 3), (SERVICE + 1, 5)] {
        let elid = service.to_string();
        let reply = submit_with(&simulator, &[("elid", &elid)]).await;
        // Not closed, not flushed: what a killed process would leave behind.
        let text = fs::read_to_string(&place.path).unwrap();
        assert!(reply.unwrap().is_ok());
        assert_eq!(text.lines().count(), lines, "{text}");
        assert!(text.ends_with("}\n") && text.contains(&elid), "{text}");
        assert!(!text.contains(STRONG), "{text}");
    }
}

#[tokio::test]
async fn without_the_file_nothing_is_executed_and_nothing_answered() {
    let place = place();
    let simulator = start(&place.path).await.unwrap();
    // As when the disk is full.
    simulator.shared.account().close_journal();
    let error = submit(&simulator).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(truth(&simulator).wiped, 0);
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("active", "CentOS-7"))
    );
}

#[tokio::test]
async fn an_ok_that_cannot_be_kept_is_not_given() {
    let place = place();
    let simulator = start(&place.path).await.unwrap();
    next(&simulator, FaultKind::LongRequest);
    let page = String::from_utf8(submit(&simulator).await.unwrap().body).unwrap();
    let link = page.split('"').find(|part| part.starts_with("/long"));
    simulator.shared.account().close_journal();
    let error = send(&simulator, "GET", link.unwrap(), "", "")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.answered), (1, 0));
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_wherever_it_was_torn() {
    let place = place();
    let simulator = start(&place.path).await.unwrap();
    assert!(submit(&simulator).await.unwrap().is_ok());
    drop(simulator);
    let whole = fs::read(&place.path).unwrap();
    let ends: Vec<_> = (1..=whole.len())
        .filter(|end| whole[end - 1] == b'\n')
        .collect();
    assert_eq!(ends.len(), 3, "the head, the rebuild, the ok");
    let at_the_ends = ends.iter().flat_map(|end| [end - 1, *end]);
    for length in (0..whole.len()).step_by(23).chain(at_the_ends) {
        fs::write(&place.path, &whole[..length]).unwrap();
        let lines = ends.iter().filter(|end| **end <= length).count();
        let account = Account::new(kept(&place.path)).unwrap();
        let record = account.service(id(SERVICE), Instant::now()).unwrap();
        let expected = (u64::from(lines > 1), u64::from(lines > 2));
        assert_eq!((record.wiped, record.answered), expected, "{length}");
        // The head is written again where it was torn.
        let rest = fs::read(&place.path).unwrap();
        assert_eq!(rest, whole[..ends[lines.max(1) - 1]], "{length}");
    }
    // What is written next stands on a line of its own.
    fs::write(&place.path, &whole[..whole.len() - 5]).unwrap();
    let simulator = start(&place.path).await.unwrap();
    let elid = (SERVICE + 1).to_string();
    assert!(
        submit_with(&simulator, &[("elid", &elid)])
            .await
            .unwrap()
            .is_ok()
    );
    drop(simulator);
    let simulator = start(&place.path).await.unwrap();
    let record = simulator.record();
    assert_eq!(truth(&simulator).answered, 0);
    assert_eq!(record.services[&(SERVICE + 1)].answered, 1);
    assert_eq!(record.executions_max, 2);
}

#[tokio::test]
async fn another_shape_is_refused_with_file_and_line_and_left_as_it_is() {
    let place = place();
    let simulator = start(&place.path).await.unwrap();
    assert!(submit(&simulator).await.unwrap().is_ok());
    drop(simulator);
    let good = fs::read_to_string(&place.path).unwrap();
    let rebuild: Value = serde_json::from_str(good.lines().nth(1).unwrap()).unwrap();
    let with = |name: &str, value: Value| {
        let mut line = rebuild.clone();
        line["accepted"][name] = value;
        line.to_string()
    };
    let with_planned = |name: &str, value: Value| {
        let mut line = rebuild.clone();
        line["accepted"]["planned"]["rebuild"][name] = value;
        line.to_string()
    };
    let at_ms = rebuild["accepted"]["at_ms"].as_i64().unwrap();
    for (line, reason) in [
        (String::new(), "EOF"),
        ("\u{1b}[2J".to_owned(), "expected value"),
        ("{}".to_owned(), "expected value"),
        ("{\"accepted\":{}}".to_owned(), "missing field"),
        (with("colour", json!("red")), "unknown field"),
        (with_planned("colour", json!("red")), "unknown field"),
        (with("planned", json!({"paint": {}})), "unknown variant"),
        (with("outcome", json!("\u{1b}[2J")), "\\u{1b}"),
        (with("service", json!("5")), "invalid type"),
        (with("begins_ms", json!(at_ms - 1)), "out of order"),
        (with("ends_ms", json!(i64::MIN)), "out of order"),
        (with("ends_ms", json!(at_ms - 1)), "out of order"),
        (
            format!("{{\"answered\":{{\"service\":{SERVICE},\"nth\":1}}}}"),
            "execution 1 of service 5113119",
        ),
    ] {
        // The torn line after it is not cut off either.
        let text = format!("{good}{line}\n{{\"acc");
        fs::write(&place.path, &text).unwrap();
        let error = refused(&place.path).await;
        let place_in_file = format!("{}: line 4: ", place.path.display());
        assert!(
            error.starts_with(&place_in_file) && error.contains(reason),
            "{line:?}: {error}"
        );
        assert!(!error.contains('\u{1b}'), "{error:?}");
        assert_eq!(fs::read_to_string(&place.path).unwrap(), text);
    }
    for text in ["service_id,image\n5,6\n", "no line end", "\n"] {
        fs::write(&place.path, text).unwrap();
        let error = refused(&place.path).await;
        assert!(
            error.ends_with("line 1: not a journal of the simulator"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&place.path).unwrap(), text);
    }
}

#[tokio::test]
async fn services_that_the_account_does_not_hold_are_passed_over_and_come_back() {
    let place = place();
    let simulator = start(&place.path).await.unwrap();
    assert!(submit(&simulator).await.unwrap().is_ok());
    drop(simulator);
    let mut smaller = kept(&place.path);
    smaller.instances.remove(0);
    let simulator = started(smaller).await;
    assert_eq!(simulator.service(id(SERVICE)), None);
    assert_eq!(simulator.record().executions_max, 0);
    drop(simulator);
    let simulator = start(&place.path).await.unwrap();
    assert_eq!(truth(&simulator).wiped, 1);
}

#[tokio::test]
async fn a_rebuild_that_somebody_ended_is_over_where_another_one_follows() {
    let place = place();
    let simulator = start(&place.path).await.unwrap();
    behave(
        &simulator,
        SERVICE,
        Behaviour {
            outcome: Some(Outcome::Never),
            ..Behaviour::default()
        },
    );
    for _ in 0..2 {
        assert!(submit(&simulator).await.unwrap().is_ok());
        let change = InstanceChange {
            status: Some("active".to_owned()),
            ..InstanceChange::default()
        };
        assert!(simulator.change(id(SERVICE), &change));
    }
    assert!(submit(&simulator).await.unwrap().is_ok());
    drop(simulator);
    let_pass(&place.path, 2 * HOUR_MS);
    let simulator = start(&place.path).await.unwrap();
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.completed), (3, 1));
    assert_eq!((&*record.status, &*record.image), ("active", "AlmaLinux-8"));
    assert!(submit(&simulator).await.unwrap().is_ok());
}

#[tokio::test]
async fn one_journal_is_for_one_simulator_at_a_time() {
    let place = place();
    let first = start(&place.path).await.unwrap();
    let error = start(&place.path).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
    assert!(error.to_string().contains("journal.ndjson"), "{error}");
    first.shutdown().await;
    start(&place.path).await.unwrap();
}

#[tokio::test]
async fn a_shutdown_frees_the_journal_while_a_call_is_still_under_way() {
    let place = place();
    let simulator = start(&place.path).await.unwrap();
    let fault = Fault {
        executed: Some(true),
        execute_after_ms: Some(3_600_000),
        ..Fault::new(FaultKind::Unavailable)
    };
    next(&simulator, fault);
    assert_eq!(submit(&simulator).await.unwrap().status, 503);
    simulator.shutdown().await;
    let simulator = start(&place.path).await.unwrap();
    assert_eq!(truth(&simulator).wiped, 0);
}

#[tokio::test]
async fn only_its_owner_may_read_the_file_and_it_must_be_one() {
    let place = place();
    start(&place.path).await.unwrap();
    let mode = fs::metadata(&place.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let error = start(Path::new("/dev/zero")).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().starts_with("/dev/zero: "), "{error}");
}
