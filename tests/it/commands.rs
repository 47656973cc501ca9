//! The operator's own commands: what they change, what they leave alone, and what they say.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::rig::{FIRST, IMAGE, Rig, quick};
use refleet::simulator::{Fault, FaultKind, InstanceChange};

#[test]
fn a_refused_job_is_retried_on_request_and_a_wiped_one_only_on_a_second_word() {
    let rig = Rig::new(3);
    let refusal = Fault {
        error_type: Some("value".to_owned()),
        error_object: Some("password".to_owned()),
        message: Some("too simple".to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    rig.fault(0, refusal);
    rig.fault(1, FaultKind::InstanceError);
    rig.run(&[])
        .exit(1)
        .says("1 failed, not touched")
        .says("1 failed after it was wiped");
    let list = rig
        .call(&["list", "--state", "failed"])
        .exit(0)
        .says_out("too simple")
        .out;
    // Service, name, address, state, executed.
    let executed = |row: &str| row.split_whitespace().nth(4).map(str::to_owned);
    let executed: Vec<_> = list.lines().filter_map(executed).collect();
    assert_eq!(executed, ["executed", "no", "yes"], "{list}");
    rig.assert_truth(1);

    let [first, second] = [FIRST, FIRST + 1].map(|service| service.to_string());
    rig.call(&["retry", &second]).exit(2).says("pass --wiped");
    rig.call(&["retry", "--failed"])
        .exit(0)
        .says_out("1 job of batch 1")
        .says(&second);
    rig.call(&["retry", &first])
        .exit(0)
        .says("is queued already");
    rig.run(&[]).exit(1);
    assert_eq!(rig.wiped(), [1, 1, 1]);
    rig.call(&["retry", &second, "--wiped"]).exit(0);
    let active = InstanceChange {
        status: Some("active".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(1, &active);
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [1, 2, 1]);
    rig.assert_truth(2);
    rig.call(&["retry", "--failed"])
        .exit(0)
        .says_out("nothing was changed: no job of batch 1 has failed");
}

// Field case B4.
/// A retry in an old batch wipes nothing that a later order has rebuilt since.
#[test]
fn a_retry_in_an_old_batch_does_not_wipe_what_a_later_order_has_rebuilt() {
    let rig = Rig::new(3);
    let refusal = Fault {
        error_type: Some("value".to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    rig.fault(0, refusal.clone());
    rig.fault(1, refusal);
    rig.run(&[]).exit(1);
    rig.write("one.csv", format!("service_id,image\n{FIRST},{IMAGE}\n"));
    rig.call(&quick("one.csv", &[])).exit(0);
    rig.call(&["retry", "--failed", "--batch", "1"])
        .exit(0)
        .says_out("1 job of batch 1 put back")
        .says(&format!(
            "service {FIRST} was, or may have been, wiped by batch 2 since: pass --wiped"
        ));
    rig.run(&["--yes"]).exit(1);
    assert_eq!(rig.wiped(), [1, 1, 1]);
    let first = FIRST.to_string();
    let wiped = ["retry", &first, "--batch", "1", "--wiped"];
    rig.call(&wiped).exit(0).says_out("works on it");
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [2, 1, 1]);
}

/// A hint names the batch that the command spoke of, not the newest one.
#[test]
fn the_hints_of_a_run_on_an_older_batch_name_that_batch() {
    let rig = Rig::new(3);
    rig.write("one.csv", format!("service_id,image\n{FIRST},{IMAGE}\n"));
    let second = FIRST + 1;
    rig.write("two.csv", format!("service_id,image\n{second},{IMAGE}\n"));
    rig.call(&["load", "one.csv"]).exit(0);
    rig.call(&["load", "two.csv"]).exit(0);
    let refusal = Fault {
        error_type: Some("value".to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    rig.fault(0, refusal);
    rig.call(&quick("one.csv", &[]))
        .exit(1)
        .says(" retry --failed --batch 1\n")
        .says(" retry --failed --batch 1\n")
        .says("counts with --from one.csv")
        .says(" run one.csv --");
    rig.call(&["retry", "--failed", "--from", "one.csv", "--batch", "1"])
        .exit(0);
    rig.call(&quick("one.csv", &[])).exit(0);
    assert_eq!(rig.wiped(), [1, 0, 0]);
}

#[test]
fn resolve_takes_each_of_the_three_words_and_keeps_the_reason() {
    let rig = Rig::new(3);
    for nth in 0..3 {
        rig.doubt(nth);
    }
    rig.run(&[]).exit(3).says("3 held in doubt");
    let [first, second, third] = [FIRST, FIRST + 1, FIRST + 2].map(|service| service.to_string());
    let resolve = |service: &str, word: &str| {
        rig.call_once_settled(&[
            "resolve",
            service,
            "--as",
            word,
            "--reason",
            "seen in the panel",
        ])
    };
    rig.call(&["resolve", &first, "--as", "done"])
        .exit(2)
        .says("--reason");
    rig.call(&["resolve", &first, "--as", "maybe", "--reason", "x"])
        .exit(2);
    resolve("1", "done").exit(2).says("is not in batch 1");
    resolve(&first, "done").exit(0).says_out("resolved as done");
    resolve(&first, "done").exit(0).says("is done already");
    resolve(&first, "failed").exit(2).says("is done");
    resolve(&second, "failed").exit(0);
    resolve(&third, "requeue").exit(0);
    rig.run(&[]).exit(1);
    let rows = rig.report();
    assert_eq!(rows[0]["state"], "done");
    assert_eq!(rows[0]["evidence"], "operator");
    assert_eq!(
        (&rows[1]["state"], &rows[1]["executed"]),
        (&"failed".into(), &"maybe".into())
    );
    assert_eq!(
        (&rows[2]["state"], &rows[2]["attempts"]),
        (&"done".into(), &2.into())
    );
    rig.call(&["show", &first])
        .exit(0)
        .says_out("seen in the panel")
        .says_out("[operator]");
    rig.call(&["verify"]).exit(0);
}

#[test]
fn cancel_drops_what_has_not_started_and_nothing_else() {
    let rig = Rig::new(3);
    rig.call(&["load", "fleet.csv"]).exit(0);
    let first = FIRST.to_string();
    rig.call(&["cancel", &first])
        .exit(0)
        .says_out("1 job of batch 1 cancelled");
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [0, 1, 1]);
    rig.call(&["cancel", &(FIRST + 1).to_string()])
        .exit(2)
        .says("is done");
    rig.call(&["cancel", "--all"])
        .exit(0)
        .says_out("nothing was changed: no job of batch 1 is queued or in doubt");
    rig.call(&["cancel"]).exit(2);
    rig.assert_truth(1);
}

#[test]
fn cancel_all_and_resolve_all_mean_the_whole_batch() {
    let rig = Rig::new(3);
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.call(&["cancel", "--all"])
        .exit(0)
        .says_out("3 jobs of batch 1 cancelled");
    rig.run(&[]).exit(0).says("3 cancelled");
    assert_eq!(rig.calls(), 0);

    rig.doubt(0);
    rig.doubt(1);
    rig.run(&["--again"]).exit(3);
    rig.call(&[
        "resolve",
        "--all",
        "--as",
        "failed",
        "--reason",
        "looked at both",
    ])
    .exit(0)
    .says_out("2 jobs of batch 2 resolved as failed");
    rig.run(&[]).exit(1).says("2 failed, 0 in doubt");
    assert_eq!(rig.wiped(), [0, 0, 1]);
}

#[test]
fn list_show_status_and_report_tell_the_same_to_people_and_to_scripts() {
    let rig = Rig::new(3);
    rig.doubt(0);
    rig.run(&[]).exit(3);
    let [first, second] = [FIRST, FIRST + 1].map(|service| service.to_string());

    let list = rig.call(&["list"]).exit(0).out;
    // A header, and a line for each.
    let rows: Vec<&str> = list.lines().collect();
    assert_eq!(rows.len(), 4, "{list}");
    assert!(rows[0].starts_with("service "), "{list}");
    assert!(rows[1].starts_with(&format!("{first} ")), "{list}");
    assert!(rows[1].contains(" in_doubt held "), "{list}");
    let lines = rig.call(&["list", "--json", "--state", "done"]).exit(0).out;
    let rows: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["service_id"].to_string(), second);
    rig.call(&["list", "--state", "lost"]).exit(2);

    let status = rig.call(&["status"]).exit(0);
    status
        .says_out("done         2")
        .says_out("in doubt     1 (1 held")
        .says_out(&first);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["action"], "rebuild");
    assert_eq!(status["counts"]["done"], 2);
    assert_eq!(status["counts"]["held"], 1);
    assert_eq!(status["oldest_doubt"]["service_id"].to_string(), first);
    assert_eq!(status["last_run"]["exit_code"], 3);
    assert!(status["running"].is_null());

    rig.call(&["show", &second])
        .exit(0)
        .says_out("state     done, executed: yes")
        .says_out("accepted");
    let show = rig.call(&["show", &second, "--json"]).exit(0).json();
    assert_eq!(show["jobs"][0]["action"], "rebuild");
    assert_eq!(show["jobs"][0]["state"], "done");
    assert_eq!(show["jobs"][0]["history"][0]["entry"]["kind"], "intent");
    rig.call(&["show", "1"]).exit(2).says("in no batch");

    let table = rig.call(&["report"]).exit(0).out;
    assert!(
        table.contains(&first) && table.contains("in_doubt"),
        "{table}"
    );
    let csv = rig.call(&["report", "--format", "csv"]).exit(0).out;
    assert_eq!(
        csv.lines().next().unwrap(),
        "line,service_id,image,state,executed,evidence,attempts,submitted_at,completed_at,error_kind,error,note,name,ip,image_name,took_ms,host_key_before,host_key,hook"
    );
    assert_eq!(csv.lines().count(), 4);
    for format in ["table", "csv", "json"] {
        let out = rig.call(&["report", "--format", format]).exit(0).out;
        let written = rig
            .call(&["report", "--format", format, "--output", "results"])
            .exit(0)
            .says("3 jobs of batch 1 written to results as ");
        assert_eq!((written.out.as_str(), written.err.lines().count()), ("", 1));
        assert_eq!(std::fs::read_to_string(rig.path("results")).unwrap(), out);
    }
    rig.call(&["report", "--batch", "7"])
        .exit(2)
        .says("no batch 7");
    rig.call(&["report", "--output", "nowhere/results.csv"])
        .exit(74);
}

#[test]
fn every_event_is_a_json_object_on_one_line_and_quiet_runs_say_nothing() {
    let rig = Rig::new(3);
    let run = rig.run(&["--events", "-", "-q"]).exit(0);
    let (first, rest) = run.err.split_once('\n').unwrap();
    assert!(first.contains("is a new database"), "{first}");
    assert_eq!(rest, "");
    let mut kinds = Vec::new();
    for line in run.out.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["v"], 1, "{line}");
        kinds.push(event["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds.first().unwrap(), "run_started");
    assert_eq!(kinds.last().unwrap(), "run_ended");
    assert!(
        kinds.iter().filter(|kind| *kind == "job").count() >= 6,
        "{kinds:?}"
    );

    rig.run(&["--events", "events.ndjson", "--again"]).exit(0);
    rig.run(&["--events", "events.ndjson", "--again"]).exit(0);
    let events = std::fs::read_to_string(rig.path("events.ndjson")).unwrap();
    assert_eq!(
        events.matches("\"run_ended\"").count(),
        2,
        "the file is appended to"
    );
}

#[test]
fn verify_finds_what_somebody_changed_behind_our_back() {
    let rig = Rig::new(3);
    rig.run(&[]).exit(0);
    rig.call(&["verify"]).exit(0).says_out("sound, 3 jobs");
    rig.sql("UPDATE job SET evidence = 'accepted' WHERE line = 2");
    rig.call(&["verify"])
        .exit(1)
        .says_out(&FIRST.to_string())
        .says_out("1 flaws in 3 jobs");
}

#[test]
fn verify_finds_a_submission_that_nothing_permitted() {
    let rig = Rig::new(1);
    rig.run(&[]).exit(0);
    rig.sql(
        "INSERT INTO ledger (job_id, run_id, attempt, kind, at_ms, body)
         SELECT job_id, run_id, 2, kind, at_ms, body FROM ledger WHERE kind = 'intent'",
    );
    rig.call(&["verify"]).exit(1).says_out(
        "it submits a rebuild once more, without proof that the one before was not executed \
         and without an operator's word",
    );
}

/// The last row cannot be read: who reads on to the end learns of it, and whoever has seen enough does not.
#[test]
fn a_list_is_read_no_further_than_somebody_reads_it() {
    let rig = Rig::new(5000);
    rig.load();
    rig.sql("UPDATE job SET image = 'ffffffff-ffff-ffff-ffff-no-image-000' WHERE line = 5001");
    for options in [&["list"][..], &["list", "--json"]] {
        let whole = rig.call(options);
        assert_ne!(whole.code, 0, "{}", whole.err);
        let mut list = rig.refleet(options);
        let mut list = list.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        // It is closed right afterwards, as `head -1` does.
        let read = BufReader::with_capacity(64, list.stdout.take().unwrap()).read_line(&mut line);
        assert_ne!(read.unwrap(), 0);
        assert_eq!(list.wait().unwrap().code(), Some(0), "{line}");
    }
}
