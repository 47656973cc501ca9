//! Databases that are not the one in which the ledger was written: a standby that lagged and was promoted, a
//! dump that was restored, an older copy of the disk that was put back. What was sent last is missing in each
//! of them.

use std::process::Command;

use super::{SHORT, run_into_a_hold};
use crate::rig::{Cluster, Ended, Proxy, Rig, Running, finish};

/// Instances of a fleet.
const COUNT: usize = 9;

/// A fleet whose queue lies on a cluster of its own, behind a proxy.
struct Scene {
    cluster: Cluster,
    proxy: Proxy,
    rig: Rig,
}

impl Scene {
    /// `None`: PostgreSQL is not installed.
    fn new() -> Option<Self> {
        let cluster = Cluster::start()?;
        let proxy = Proxy::to(cluster.port());
        let mut rig = Rig::new(COUNT).on_server(&cluster);
        rig.server = rig.server.map(|address| proxy.address(&address));
        Some(Self {
            cluster,
            proxy,
            rig,
        })
    }

    /// The database's name.
    fn database(&self) -> String {
        let address = self.rig.server.as_ref().unwrap();
        address.rsplit_once('/').unwrap().1.to_owned()
    }

    fn run(&self) -> Command {
        self.rig
            .order("fleet.csv", &[SHORT, &["--workers", "2"]].concat())
    }

    /// A run that has sent so many forms, all in all.
    fn until(&self, submissions: u64) -> Running {
        let mut run = Running::start(self.run());
        let ended = run.wait_until(|| self.rig.submissions() >= submissions);
        assert_eq!(ended, None, "{}", run.said());
        run
    }

    /// Runs until so many forms were sent, and is asked to end.
    fn begin(&self, submissions: u64) {
        let run = self.until(submissions);
        run.signal("TERM");
        run.end().exit(143);
    }

    fn adopt(&self, more: &[&str]) -> Ended {
        let word = ["adopt", "--lease", "3s", "--reason", "the old one is off"];
        self.rig.call(&[&word[..], more].concat())
    }

    /// Nothing is sent by what is in the database before it is adopted; then all that is not final is held, and
    /// a look at the instances and a word finish it. `why`: what a run says of the database.
    fn is_held_until_somebody_has_looked(&self, why: &str) {
        let rig = &self.rig;
        let sent = rig.submissions();
        let refused = finish(self.run()).exit(6);
        refused.says(why).says("adopt --reason TEXT");
        let status = rig.call(&["status"]).exit(0);
        status
            .says_out("nothing is sent")
            .says_out(why)
            .says_out("adopt --reason TEXT` puts in doubt");
        for reader in ["hosts", "list", "report", "verify"] {
            let read = rig.call(&[reader]).exit(0);
            read.says(why).says("adopt --reason TEXT");
        }
        let all = ["resolve", "--all", "--as", "requeue", "--reason", "I guess"];
        rig.call(&all).exit(6);
        self.adopt(&[]).exit(75).says("it is too early");
        self.adopt(&["--wait"]).exit(3);
        self.adopt(&[]).exit(2);
        finish(self.run()).exit(3);
        assert_eq!(rig.submissions(), sent, "nothing is sent on a guess");
        for (nth, story) in rig.stories().unwrap().iter().enumerate() {
            if story.record.held {
                let held_for = rig.held_for(nth);
                assert!(held_for.contains("the old one is off"), "{held_for}");
                let was_wiped = rig.wiped()[nth] > 0;
                let verdict = if was_wiped { "done" } else { "requeue" };
                let service = rig.services[nth].to_string();
                let word = ["resolve", &service, "--as", verdict, "--reason", "looked"];
                rig.call_once_settled(&word).exit(0);
            } else {
                assert!(story.record.state.is_final(), "{story:?}");
            }
        }
        finish(self.run()).exit(0);
        super::each_was_wiped_once(rig);
    }
}

/// A run has found another database, or was in the middle of a statement when its own ended.
#[track_caller]
fn ends_without_its_database(ended: &Ended) {
    assert!([6, 74].contains(&ended.code), "{ended}");
    let hint = if ended.code == 6 {
        "adopt --reason TEXT"
    } else {
        "nothing was sent after the first failed write"
    };
    assert!(ended.err.contains(hint), "{ended}");
}

#[test]
fn a_standby_that_lagged_and_was_promoted_repeats_nothing() {
    let Some(scene) = Scene::new() else {
        return;
    };
    let replication = Proxy::to(scene.cluster.port());
    let standby = scene.cluster.standby(replication.port()).unwrap();
    scene.begin(2);
    // It has all until here, and nothing of what comes.
    let position = scene.cluster.sql("postgres", "SELECT pg_current_wal_lsn()");
    let has_it = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'");
    while standby.sql("postgres", &has_it) != "t" {
        std::thread::yield_now();
    }
    replication.cut();
    // A run of which the standby knows nothing is in the middle of its calls.
    scene.rig.simulator.hold_submissions(2);
    let run = run_into_a_hold(Running::start(scene.run()), &scene.rig);
    standby.promote().unwrap();
    scene.proxy.lead_to(standby.port());
    scene.cluster.stop("immediate").unwrap();
    scene.rig.simulator.release_submissions();
    ends_without_its_database(&run.end());
    scene.is_held_until_somebody_has_looked("a standby was promoted");
}

#[test]
fn a_server_that_can_only_be_read_is_told_from_one_that_is_gone() {
    let Some(scene) = Scene::new() else {
        return;
    };
    let standby = scene.cluster.standby(scene.cluster.port()).unwrap();
    scene.rig.simulator.hold_submissions(2);
    let run = run_into_a_hold(Running::start(scene.run()), &scene.rig);
    // Its address leads to a standby before that is promoted.
    scene.proxy.lead_to(standby.port());
    scene.cluster.stop("immediate").unwrap();
    scene.rig.simulator.release_submissions();
    run.end().exit(74).says("can only be read");
    finish(scene.run())
        .exit(2)
        .says("give the address of the primary");
    scene.rig.call(&["status"]).exit(0);
}

#[test]
fn a_dump_that_was_restored_elsewhere_repeats_nothing() {
    let (Some(scene), Some(other)) = (Scene::new(), Cluster::start()) else {
        return;
    };
    scene.begin(2);
    scene.cluster.dump(&scene.database()).unwrap();
    let mut run = scene.until(5);
    run.kill();
    other.restore(&scene.cluster, &scene.database()).unwrap();
    scene.proxy.lead_to(other.port());
    scene.cluster.stop("immediate").unwrap();
    scene.is_held_until_somebody_has_looked("a dump was restored");
}

#[test]
fn a_dump_that_was_restored_in_its_place_is_known_by_what_this_host_has_seen() {
    let Some(scene) = Scene::new() else {
        return;
    };
    scene.begin(2);
    scene.cluster.dump(&scene.database()).unwrap();
    scene.rig.simulator.hold_submissions(2);
    let run = run_into_a_hold(Running::start(scene.run()), &scene.rig);
    scene
        .cluster
        .restore(&scene.cluster, &scene.database())
        .unwrap();
    scene.rig.simulator.release_submissions();
    ends_without_its_database(&run.end());
    scene.is_held_until_somebody_has_looked("this host has seen line");
}

#[test]
fn an_older_copy_of_the_disk_is_known_by_what_this_host_has_seen() {
    let Some(scene) = Scene::new() else {
        return;
    };
    scene.begin(2);
    scene.cluster.stop("fast").unwrap();
    scene.cluster.set_aside().unwrap();
    scene.cluster.resume().unwrap();
    let mut run = scene.until(5);
    run.kill();
    scene.cluster.stop("immediate").unwrap();
    scene.cluster.put_back().unwrap();
    scene.cluster.resume().unwrap();
    scene.is_held_until_somebody_has_looked("this host has seen line");
}
