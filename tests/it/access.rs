//! Passwords and keys that are corrected in the file after it was ordered: a job of which nothing was
//! sent takes the corrected one, and the command says which jobs took it and which did not.
//!
//! All of it is field case C5.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::rig::{FIRST, IMAGE, OTHER_IMAGE, PASSWORD, Rig, manifest, quick};
use refleet::simulator::{Fault, FaultKind};
use sqlx::Row as _;

const CORRECTED: &str = "Corrected-Way-In-1";

/// `fleet.csv` with other passwords.
fn corrected() -> String {
    manifest(3).replace(PASSWORD, CORRECTED)
}

/// A proxy before the simulator that records what the clients send.
struct Tap {
    url: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    fn on(rig: &Rig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let behind = rig.simulator.url().trim_start_matches("http://");
        let behind = behind.trim_end_matches('/').to_owned();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&heard);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&behind).unwrap());
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let record = Arc::clone(&record);
                std::thread::spawn(move || pass_on(client, server, Some(&record)));
                std::thread::spawn(move || pass_on(back.0, back.1, None));
            }
        });
        Self { url, heard }
    }

    /// How often `text` was sent.
    fn heard(&self, text: &str) -> usize {
        let heard = self.heard.lock().unwrap();
        String::from_utf8_lossy(&heard).matches(text).count()
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, record: Option<&Mutex<Vec<u8>>>) {
    let mut bytes = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if let Some(record) = record {
            record.lock().unwrap().extend_from_slice(&bytes[..count]);
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn passwords(rig: &Rig) -> Vec<String> {
    rig.sql("SELECT password FROM secret ORDER BY job_id")
        .iter()
        .map(|row| row.get(0))
        .collect()
}

fn refusal() -> Fault {
    Fault {
        error_type: Some("value".to_owned()),
        error_object: Some("password".to_owned()),
        message: Some("too weak".to_owned()),
        ..Fault::new(FaultKind::Error)
    }
}

#[test]
fn after_a_load_the_corrected_password_is_the_one_that_is_set() {
    let rig = Rig::new(3);
    let tap = Tap::on(&rig);
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.write("fleet.csv", corrected());
    rig.run(&["--api-url", &tap.url])
        .exit(0)
        .says("3 queued jobs take the password or key that fleet.csv gives now\n");
    assert_eq!((tap.heard(PASSWORD), tap.heard(CORRECTED)), (0, 3));
    rig.assert_truth(1);
    // The ledger says that a password was changed, and holds neither the old nor the new one.
    let show = rig.call(&["show", &FIRST.to_string()]).exit(0);
    show.says_out("takes the password or key that fleet.csv gives now");
    let bytes = std::fs::read(rig.database()).unwrap();
    assert!(
        !bytes
            .windows(CORRECTED.len())
            .any(|bytes| bytes == CORRECTED.as_bytes())
    );
}

#[test]
fn a_load_of_the_corrected_file_is_enough_and_a_quiet_run_says_nothing() {
    let rig = Rig::new(3);
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.write("fleet.csv", corrected());
    rig.call(&["load", "fleet.csv"])
        .exit(0)
        .says("3 queued jobs take the password")
        .says("3 jobs are left");
    assert!(
        passwords(&rig)
            .iter()
            .all(|password| password.starts_with(CORRECTED))
    );
    rig.call(&["load", "./fleet.csv", "-q"])
        .exit(0)
        .said_nothing();
    rig.write("fleet.csv", manifest(3));
    rig.run(&["-q"]).exit(0).said_nothing();
    rig.assert_truth(1);
}

#[test]
fn after_an_interrupt_what_was_sent_keeps_its_own_and_the_rest_takes_the_new_one() {
    let rig = Rig::with(4, |config| {
        config.rebuild_duration = Duration::from_millis(1500);
    });
    rig.fleet(4);
    let tap = Tap::on(&rig);
    let one = ["--api-url", &tap.url, "--workers", "1"];
    let mut run = rig.watch(&one);
    run.wait_for(1, "done");
    run.wait_for(1, "in_progress");
    run.signal("INT");
    run.end().exit(130);
    rig.write("fleet.csv", manifest(4).replace(PASSWORD, CORRECTED));
    rig.run(&one).exit(0).says(
        "2 queued jobs take the password or key that fleet.csv gives now; the 2 that were sent before keep their own",
    );
    assert_eq!((tap.heard(PASSWORD), tap.heard(CORRECTED)), (2, 2));
    rig.assert_truth(1);
}

#[test]
fn a_job_that_failed_unsent_is_not_called_sent() {
    let rig = Rig::with(10, |config| {
        config.rebuild_duration = Duration::from_millis(1500);
    });
    // The eleventh is not in the account's list.
    rig.fleet(11);
    let mut run = rig.watch(&["--workers", "1"]);
    run.wait_for(1, "failed");
    run.wait_for(1, "in_progress");
    run.signal("INT");
    run.end().exit(130);
    rig.write("fleet.csv", manifest(11).replace(PASSWORD, CORRECTED));
    rig
        .call(&["load", "fleet.csv"])
        .exit(0)
        .says("9 queued jobs take the password or key that fleet.csv gives now; the 2 that were sent before, or failed unsent, keep their own")
        .says("1 job that failed untouched");
}

#[test]
fn a_job_that_may_have_been_wiped_keeps_its_password_and_that_is_said_under_q_too() {
    let rig = Rig::new(3);
    rig.doubt(0);
    rig.run(&[]).exit(3);
    let first = FIRST.to_string();
    let requeue = ["resolve", &first, "--as", "requeue", "--reason", "looked"];
    rig.call_once_settled(&requeue).exit(0);
    rig.write("fleet.csv", corrected());
    rig.run(&["-q"])
        .exit(0)
        .says("not taken by 1 job of batch 1 that was sent before");
    rig.assert_truth(1);
}

#[test]
fn another_file_with_other_access_needs_a_word() {
    let rig = Rig::new(3);
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.write("copy.csv", manifest(3));
    rig.call(&["load", "copy.csv"]).exit(0).says("is open");
    rig.write("copy.csv", corrected());
    for args in [quick("copy.csv", &[]), vec!["load", "copy.csv"]] {
        rig.call(&args)
            .exit(2)
            .says("another password, key or pin for 3 jobs of batch 1 than fleet.csv")
            .says("--update-access");
    }
    assert_eq!(rig.calls(), 0);
    assert!(
        passwords(&rig)
            .iter()
            .all(|password| password.starts_with(PASSWORD))
    );
    let tap = Tap::on(&rig);
    rig.call(&quick(
        "copy.csv",
        &["--update-access", "--api-url", &tap.url],
    ))
    .exit(0)
    .says("3 queued jobs take");
    assert_eq!((tap.heard(PASSWORD), tap.heard(CORRECTED)), (0, 3));
    rig.call(&["run", "--yes", "--update-access"])
        .exit(2)
        .says("MANIFEST");
}

#[test]
fn what_was_refused_takes_the_corrected_password_by_retry_from_and_the_hint_can_be_typed() {
    let rig = Rig::new(3);
    let tap = Tap::on(&rig);
    rig.fault(0, refusal());
    rig.fault(1, FaultKind::InstanceError);
    let url = ["--api-url", &tap.url];
    let run = rig.run(&url).exit(1);
    assert!(run.err.contains("--from fleet.csv"), "{}", run.err);
    rig.write("fleet.csv", corrected());
    let ended = rig.run(&url).exit(1).says("nothing to do");
    let hint = "retry --failed --batch 1 --from fleet.csv` puts";
    assert!(ended.err.contains(hint), "{}", ended.err);
    rig.call(&["retry", "--failed", "--batch", "1", "--from", "fleet.csv"])
        .exit(0)
        .says_out("1 job of batch 1 put back in the queue")
        .says(&format!(
            "left alone: service {} was, or may have been, wiped",
            FIRST + 1
        ));
    assert_eq!(passwords(&rig)[0], format!("{CORRECTED}-{FIRST}"));
    rig.run(&url).exit(1);
    assert_eq!((tap.heard(PASSWORD), tap.heard(CORRECTED)), (3, 1));
    assert_eq!(rig.wiped(), [1, 1, 1]);
    rig.assert_truth(1);
}

#[test]
fn retry_from_refuses_other_images_and_missing_rows_and_ignores_all_others() {
    let rig = Rig::new(3);
    for nth in 0..3 {
        rig.fault(nth, refusal());
    }
    rig.run(&[]).exit(1);
    rig.write(
        "part.csv",
        format!("service_id,image,password\n1,{IMAGE},\n{FIRST},{IMAGE},{CORRECTED}\n{},{OTHER_IMAGE},{CORRECTED}\n", FIRST + 1),
    );
    rig.call(&["retry", "--failed", "--from", "part.csv"])
        .exit(0)
        .says_out("1 job of batch 1")
        .says(&format!(
            "service {} has another image or zone in part.csv",
            FIRST + 1
        ))
        .says(&format!("service {} is not in part.csv", FIRST + 2));
    rig.call(&["retry", &(FIRST + 2).to_string(), "1", "--from", "part.csv"])
        .exit(2)
        .says("is not in part.csv")
        .says("service 1 is not in batch 1");
    rig.call(&["retry", &FIRST.to_string(), "--from", "part.csv"])
        .exit(2)
        .says("is queued");
    rig.write("part.csv", "service_id,image\n1,no image\n");
    rig.call(&["retry", "--failed", "--from", "part.csv"])
        .exit(2)
        .says("line 2");
    assert_eq!(
        passwords(&rig),
        [
            CORRECTED.to_owned(),
            format!("{PASSWORD}-{}", FIRST + 1),
            format!("{PASSWORD}-{}", FIRST + 2)
        ]
    );
    rig.call(&["verify"]).exit(0);
}

/// A manifest with an added key is still the same order, though the kind of access is part of what a
/// batch is known by.
#[test]
fn a_forgotten_key_makes_no_other_order_of_an_open_one() {
    let rig = Rig::new(3);
    let (mut without, mut with) = (
        "service_id,image\n".to_owned(),
        "service_id,image,ssh_key\n".to_owned(),
    );
    for service in FIRST..FIRST + 3 {
        writeln!(without, "{service},{IMAGE}").unwrap();
        writeln!(with, "{service},{IMAGE},490").unwrap();
    }
    rig.write("fleet.csv", without);
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.write("fleet.csv", &with);
    let tap = Tap::on(&rig);
    rig.run(&["--api-url", &tap.url])
        .exit(0)
        .says("3 queued jobs take the password or key that fleet.csv gives now")
        .says("resumes batch 1");
    assert_eq!(tap.heard("\r\n490\r\n"), 3);
    rig.run(&[]).exit(0).says("nothing to do: batch 1");
    // The key from another file is taken with `--update-access` only, too.
    rig.write("fleet.csv", with.replace("490", ""));
    rig.run(&["--again"]).exit(0);
    rig.assert_truth(2);
}

#[test]
fn a_forgotten_key_in_another_file_needs_a_word() {
    let rig = Rig::new(3);
    rig.write("fleet.csv", format!("service_id,image\n{FIRST},{IMAGE}\n"));
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.write(
        "copy.csv",
        format!("service_id,image,ssh_key\n{FIRST},{IMAGE},490\n"),
    );
    rig.call(&quick("copy.csv", &[]))
        .exit(2)
        .says("--update-access");
    rig.call(&quick("copy.csv", &["--update-access"]))
        .exit(0)
        .says("1 queued job takes");
    rig.assert_truth(1);
}

// Field case C9.
/// An open batch is finished the next night, without the rows that were taken out of the sheet since.
#[test]
fn what_was_taken_out_of_the_nightly_sheet_is_not_rebuilt_by_last_nights_batch() {
    let rig = Rig::new(3);
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.write("fleet.csv", manifest(2).replace(PASSWORD, CORRECTED));
    let gone = (FIRST + 2).to_string();
    let refused = rig.run(&["--every", "20h"]).exit(2).says(&gone);
    assert!(
        refused.err.contains(&format!("cancel {gone} --batch 1`")),
        "{}",
        refused.err
    );
    assert_eq!(rig.calls(), 0);
    rig.call(&["cancel", &gone, "--batch", "1"]).exit(0);
    let tap = Tap::on(&rig);
    rig.run(&["--every", "20h", "--api-url", &tap.url])
        .exit(0)
        .says("2 queued jobs take")
        .says("resumes batch 1");
    assert_eq!((tap.heard(CORRECTED), rig.wiped()), (2, vec![1, 1, 0]));
}

/// The hint covers all of the rows: one that named the first twenty would end in the same refusal.
#[test]
fn however_much_was_taken_out_of_the_sheet_the_hint_cures_it() {
    let rig = Rig::new(23);
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.fleet(2);
    rig.run(&["--every", "20h"])
        .exit(2)
        .says("… and 1 more")
        .says("cancel --all --batch 1`");
    rig.call(&["cancel", "--all", "--batch", "1"]).exit(0);
    rig.run(&["--every", "20h"]).exit(0).says("done 2");
    assert_eq!(rig.wiped().iter().sum::<u64>(), 2);
    rig.assert_truth(1);
}

/// A `load` while a run works changes no access, because the run may be sending it.
#[test]
fn a_load_beside_a_run_changes_no_access_and_retry_from_does() {
    let rig = Rig::with(3, |config| {
        config.rebuild_duration = Duration::from_millis(700);
    });
    rig.fleet(3);
    rig.fault(0, refusal());
    let mut run = rig.watch(&["--workers", "1"]);
    run.wait_for(1, "failed");
    run.wait_for(1, "in_progress");
    rig.write("fleet.csv", corrected());
    rig.call(&["load", "fleet.csv"]).exit(75);
    rig.call(&["retry", "--failed", "--from", "fleet.csv"])
        .exit(0)
        .says_out("1 job of batch 1 put back");
    run.end();
    let tap = Tap::on(&rig);
    rig.run(&["--api-url", &tap.url]).exit(0);
    assert_eq!(tap.heard(PASSWORD), 0);
    assert_eq!(rig.wiped(), [1, 1, 1]);
    rig.assert_truth(1);
}
