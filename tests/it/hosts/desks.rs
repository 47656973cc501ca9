//! Two people, or two machines, that say the same in the same moment: one of them is heard, and the other is
//! told. Which is which nobody decides: both wait for one lock that the test holds.

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::rig;
use crate::rig::{Cluster, Ended, Rig, Running, block_on};

/// Those who load a sheet are one after the other by this lock.
const ONE_LOAD: &str = "SELECT pg_advisory_lock(32199637924668789)";

const JOBS: &str = "SELECT 1 FROM refleet.job FOR UPDATE";

const ORIGIN: &str = "SELECT 1 FROM refleet.origin FOR UPDATE";

/// Two processes with these arguments, which both have come to the point where they wait for `lock`; how
/// they ended, the smaller code first.
#[track_caller]
fn at_once(rig: &Rig, lock: &'static str, args: &[&str]) -> [Ended; 2] {
    let cluster = Cluster::shared().unwrap();
    let mut held = block_on(async {
        let address = rig.server.as_ref().unwrap();
        let mut held = PgConnection::connect(address).await.unwrap();
        held.execute("BEGIN").await.unwrap();
        held.execute(lock).await.unwrap();
        held
    });
    let mut both = [(); 2].map(|()| Running::start(rig.refleet(args)));
    let waiting = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let both_wait = || rig.ask(cluster, waiting).trim() == "2";
    let ended = both[0].wait_until(both_wait);
    assert_eq!(ended, None, "{}", both[0].said());
    block_on(async {
        held.execute("ROLLBACK").await.unwrap();
        held.close().await.unwrap();
    });
    let mut ended = both.map(Running::end);
    ended.sort_by_key(|ended| ended.code);
    ended
}

/// Exactly one of them said this.
#[track_caller]
fn one_said(ended: &[Ended; 2], what: &str) {
    let said = ended.iter().filter(|ended| ended.said().contains(what));
    assert_eq!(said.count(), 1, "{what:?}: {} and {}", ended[0], ended[1]);
}

#[track_caller]
fn codes(ended: &[Ended; 2], codes: [i32; 2]) {
    let found = [ended[0].code, ended[1].code];
    assert_eq!(found, codes, "{} and {}", ended[0], ended[1]);
}

#[test]
fn a_sheet_that_two_load_at_once_is_loaded_once_and_the_other_one_finds_it() {
    let Some(rig) = rig(3, |_| {}) else {
        return;
    };
    // The schema is there: it is made under another lock.
    rig.fleet(1);
    rig.load();
    rig.call(&["cancel", "--all"]).exit(0);
    rig.fleet(3);
    let ended = at_once(&rig, ONE_LOAD, &["load", "fleet.csv"]);
    codes(&ended, [0, 0]);
    one_said(&ended, "3 jobs queued as batch 2");
    one_said(&ended, "batch 2 of this manifest is open, 3 jobs are left");
}

#[test]
fn an_order_that_two_make_at_once_is_made_once() {
    let Some(rig) = rig(3, |_| {}) else {
        return;
    };
    rig.fleet(1);
    rig.load();
    rig.call(&["cancel", "--all"]).exit(0);
    rig.fleet(3);
    let order = ["run", "fleet.csv", "--yes", "--rate", "0", "--order-only"];
    let ended = at_once(&rig, ONE_LOAD, &order);
    codes(&ended, [0, 0]);
    for ended in ended {
        ended.says("batch 2 is ordered for account ");
    }
}

#[test]
fn of_two_who_settle_the_same_jobs_at_once_one_is_heard_and_the_other_told() {
    let Some(rig) = rig(3, |_| {}) else {
        return;
    };
    let cluster = Cluster::shared().unwrap();
    rig.load();
    let adopt = ["adopt", "--reason", "the old one is off"];
    rig.ask(cluster, "UPDATE refleet.origin SET timeline = timeline + 1");
    rig.call(&adopt).exit(75);
    // The time that has to pass since then has passed, and nothing takes effect late.
    let since = "UPDATE refleet.origin SET noticed_at = noticed_at - interval '1 hour'";
    rig.ask(cluster, since);
    let settled = "UPDATE refleet.batch SET options = '{\"settle_ms\": 0}'";
    rig.ask(cluster, settled);
    let ended = at_once(&rig, ORIGIN, &adopt);
    codes(&ended, [0, 3]);
    one_said(&ended, "3 jobs of batch 1 may have been sent");
    one_said(&ended, "was adopted by somebody else just now");

    let service = rig.services[0].to_string();
    let resolve = |verdict, which| ["resolve", which, "--as", verdict, "--reason", "looked"];
    let ended = at_once(&rig, JOBS, &resolve("failed", &service));
    codes(&ended, [0, 0]);
    let ended = at_once(&rig, JOBS, &["retry", &service, "--wiped"]);
    codes(&ended, [0, 0]);
    one_said(&ended, "1 job of batch 1 put back in the queue");
    one_said(&ended, &format!("service {service} is queued already"));
    let ended = at_once(&rig, JOBS, &resolve("done", "--all"));
    codes(&ended, [0, 0]);
    one_said(&ended, "2 jobs of batch 1 resolved as done");
    one_said(&ended, "nothing was changed");
    let ended = at_once(&rig, JOBS, &["cancel", &service]);
    codes(&ended, [0, 0]);
    one_said(&ended, "1 job of batch 1 cancelled");
    one_said(&ended, &format!("service {service} is cancelled already"));
    // Who means something else is told as ever.
    rig.call(&["retry", &service]).exit(2).says("is cancelled");
    rig.call(&["verify"]).exit(0).says_out("sound");
}
