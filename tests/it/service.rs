//! `refleet work`: several hosts as services on one queue, of which one works for the account and the
//! others stand by.

mod accounts;
mod hooks;
mod watched;

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::rig::{Cluster, Ended, FIRST, Rig, Running, finish, manifest_of};

/// A fleet, and hosts that share its queue.
struct Hosts {
    rig: Rig,
    address: String,
}

impl Hosts {
    /// `None`: PostgreSQL is not installed.
    fn new(count: usize) -> Option<Self> {
        let cluster = Cluster::shared()?;
        Some(Self {
            rig: Rig::with(count, |config| {
                config.rebuild_duration = Duration::from_millis(300);
            }),
            address: cluster.database("template0"),
        })
    }

    /// A command on the shared queue, by a host of this name whose lease soon runs out.
    fn command(&self, host: &str, args: &[&str]) -> Command {
        let mut command = self.rig.refleet(args);
        command
            .env("REFLEET_DB", &self.address)
            .env("REFLEET_HOST", host)
            .env("REFLEET_LEASE", "3s");
        command
    }

    fn call(&self, args: &[&str]) -> Ended {
        finish(self.command("desk", args))
    }

    /// A service on a host of this name.
    fn work(&self, host: &str, more: &[&str]) -> Running {
        Running::start(self.work_command(host, more))
    }

    fn work_command(&self, host: &str, more: &[&str]) -> Command {
        let mut command = self.command(host, &["work"]);
        command.args(self.rig.pace.words()).args(more);
        command
    }

    /// An order that has been begun, and so belongs to the account.
    fn begin(&self, more: &[&str]) {
        let mut command = self.command("desk", &["run", "fleet.csv", "--yes"]);
        command.args(self.rig.pace.words()).args(more);
        let mut run = Running::start(command);
        let ended = run.wait_until(|| self.rig.submissions() >= 1);
        assert_eq!(ended, None, "{}", run.said());
        run.signal("TERM");
        run.end().exit(143);
    }

    fn report(&self) -> Vec<Value> {
        let report = self.call(&["report", "--format", "json"]).exit(0).json();
        report["results"].as_array().unwrap().clone()
    }

    /// What a superuser is told in the queue's database.
    fn sql(&self, statement: &str) -> String {
        let (_, database) = self.address.rsplit_once('/').unwrap();
        Cluster::shared().unwrap().sql(database, statement)
    }

    /// Results in this state.
    fn count(&self, state: &str) -> usize {
        let report = self.report();
        report.iter().filter(|row| row["state"] == state).count()
    }
}

/// A service is asked to end.
#[track_caller]
fn end(service: Running) -> Ended {
    service.signal("TERM");
    service.end().exit(143)
}

#[test]
fn another_host_stands_by_and_finishes_what_one_that_was_killed_had_begun() {
    let Some(hosts) = Hosts::new(24) else {
        return;
    };
    hosts.begin(&["--workers", "2"]);
    let before = hosts.rig.submissions();
    let mut first = hosts.work("web1", &[]);
    first.wait_for_word("working on batch 1 ");
    let mut second = hosts.work("web2", &[]);
    second.wait_for_word("on web1 works for account ");
    // One that does not wait is told until when it would have to.
    let refused = hosts.call(&["run", "--yes"]).exit(75);
    refused
        .says("its lease runs out at ")
        .says("`refleet --db postgres://");
    let ended = first.wait_until(|| hosts.rig.submissions() >= before + 4);
    assert_eq!(ended, None, "{}", first.said());
    first.kill();
    second.wait_for_word("working on batch 1 ");
    second.wait_for_word("nothing to do for account ");
    let said = end(second);
    assert_eq!(said.err.matches("standing by").count(), 1, "{said}");

    let wiped = hosts.rig.wiped();
    assert!(wiped.iter().all(|times| *times <= 1), "{wiped:?}");
    let report = hosts.report();
    for (row, times) in report.iter().zip(&wiped) {
        match row["state"].as_str().unwrap() {
            "done" => assert_eq!(*times, 1, "{row}"),
            // What was about to be sent when the first was killed: nobody knows, and nobody guesses.
            "in_doubt" => {}
            other => panic!("{other}: {row}"),
        }
    }
    assert!(hosts.count("in_doubt") <= 2, "{report:?}");
    assert_eq!(hosts.rig.record().violations, [""; 0]);
    hosts.call(&["verify"]).exit(0).says_out("sound");
}

#[test]
fn an_order_of_nobody_is_left_alone_and_named_with_what_binds_it() {
    let Some(hosts) = Hosts::new(3) else {
        return;
    };
    hosts.call(&["load", "fleet.csv"]).exit(0);
    // That its account is known, because names were looked up, makes no order of it.
    for owner in ["NULL", "'7'"] {
        hosts.sql(&format!("UPDATE refleet.batch SET account = {owner}"));
        let mut service = hosts.work("web1", &[]);
        service.wait_for_word("batch 1 is left alone: it is loaded, and nobody has ordered it");
        service.wait_for_word("nothing to do for account ");
        end(service);
    }
    assert_eq!(hosts.rig.submissions(), 0);
    let status = hosts.call(&["status"]).exit(0);
    status.says_out("nobody has ordered it");
    let status = hosts.call(&["status", "--json"]).exit(0).json();
    assert!(status["left_alone"].is_string(), "{status}");
    hosts.call(&["hosts"]).exit(0).says("nobody has ordered it");
}

#[test]
fn what_is_ordered_without_a_run_is_a_services_by_the_rules_of_the_order() {
    let Some(hosts) = Hosts::new(3) else {
        return;
    };
    hosts.call(&["load", "fleet.csv"]).exit(0);
    // Nothing is typed for it that would count before the order's rules.
    let mut service = Running::start(hosts.command("web1", &["work"]));
    service.wait_for_word("nobody has ordered it");
    let proposed = hosts.call(&["hosts"]).exit(0).proposed("run ");
    let mut words: Vec<&str> = proposed.iter().map(String::as_str).collect();
    assert_eq!(words.last(), Some(&"--order-only"));
    words.extend([
        "--yes",
        "--workers",
        "1",
        "--no-requeue",
        "--rebuild-timeout",
        "33m",
    ]);
    words.extend([
        "--rate",
        "99",
        "--settle",
        "2s",
        "--timeout",
        "20s",
        "--retries",
        "2",
    ]);
    words.extend(["--unseen-after", "7s", "--poll-interval", "300ms"]);
    words.extend([
        "--outage-timeout",
        "11m",
        "--backoff-initial",
        "2s",
        "--backoff-max",
        "9s",
    ]);
    hosts
        .call(&words)
        .exit(0)
        .says("batch 1 is ordered for account ")
        .says("3 jobs: `refleet work` works on it");
    let mut all = || hosts.count("done") == 3;
    assert_eq!(service.wait_until(&mut all), None, "{}", service.said());
    end(service);
    let [ordered, worked] = ["batch", "run"].map(|table| {
        let newest = format!("SELECT options FROM refleet.{table} ORDER BY id DESC LIMIT 1");
        let mut options: Value = serde_json::from_str(&hosts.sql(&newest)).unwrap();
        // As it would be typed again, in whatever order.
        options["repeated"].take();
        options
    });
    assert_eq!(worked, ordered);
    assert_eq!(worked["settle_ms"], 2000, "{worked}");
    hosts.rig.fleet(2);
    let again = [
        "run",
        "fleet.csv",
        "--yes",
        "--rate",
        "0",
        "--order-only",
        "--again",
    ];
    hosts
        .call(&again)
        .exit(0)
        .says("batch 2 is ordered for account ");
    let wiped = hosts.rig.wiped();
    hosts
        .call(&again)
        .exit(0)
        .says("by the rules that it was ordered with before");
    assert_eq!(hosts.rig.wiped(), wiped, "an order sends nothing");
    let in_file = Rig::new(1);
    let refused = in_file.call(&["run", "fleet.csv", "--yes", "--order-only"]);
    refused.exit(2).says("needs a queue on a PostgreSQL server");
}

#[test]
fn an_order_is_bound_to_no_account_but_that_of_its_login() {
    let Some(hosts) = Hosts::new(2) else {
        return;
    };
    hosts.call(&["load", "fleet.csv"]).exit(0);
    hosts.sql("UPDATE refleet.batch SET account = 'somebody-else'");
    let order = ["run", "fleet.csv", "--yes", "--rate", "0", "--order-only"];
    hosts.call(&order).exit(2).says("somebody-else");
    let mut service = hosts.work("web1", &[]);
    service.wait_for_word("nobody has ordered it");
    end(service);
    assert_eq!(hosts.rig.submissions(), 0);
}

#[test]
fn what_cannot_be_true_holds_its_order_and_no_other_one() {
    let Some(hosts) = Hosts::new(4) else {
        return;
    };
    hosts.begin(&["--workers", "1"]);
    // Another order of the same account, behind it.
    hosts
        .rig
        .write("other.csv", manifest_of(FIRST + 3..FIRST + 4));
    hosts.rig.fleet(3);
    hosts.sql(
        "INSERT INTO refleet.testimony (job_id, attempt, epoch, run_id, holder, host, said_at_ms, entry)
         SELECT job.id, 7, run.epoch, run.id, run.tenure, run.host, 0, '{\"kind\":\"accepted\",\"submitted_ms\":0}'
         FROM refleet.job, refleet.run WHERE job.line = 2",
    );
    hosts.call(&["cancel", &(FIRST + 3).to_string()]).exit(0);
    let other = [
        "run",
        "other.csv",
        "--yes",
        "--rate",
        "0",
        "--order-only",
        "--again",
    ];
    hosts.call(&other).exit(0);
    let sent = hosts.rig.submissions();
    let mut service = hosts.work("web1", &[]);
    service.wait_for_word("batch 1 is left alone: service ");
    let mut done = || {
        hosts
            .sql("SELECT state FROM refleet.job WHERE batch_id = 2")
            .trim()
            == "done"
    };
    assert_eq!(service.wait_until(&mut done), None, "{}", service.said());
    assert_eq!(hosts.rig.submissions(), sent + 1);
    let status = hosts.call(&["status", "--batch", "1"]).exit(0);
    status.says_out("left alone");
    service.signal("TERM");
    service.end().exit(70);
    // Another process leaves it alone just so.
    let mut other = hosts.work("web2", &[]);
    other.wait_for_word("nothing to do for account ");
    end(other);
    assert_eq!(hosts.rig.submissions(), sent + 1);
}

#[test]
fn a_paused_order_is_not_taken_again_before_somebody_has_spoken() {
    let Some(hosts) = Hosts::new(6) else {
        return;
    };
    hosts.begin(&["--workers", "1"]);
    hosts.call(&["pause", "--reason", "freeze"]).exit(0);
    let sent = hosts.rig.submissions();
    let mut service = hosts.work("web1", &[]);
    service.wait_for_word("nothing to do for account ");
    assert_eq!(hosts.rig.submissions(), sent);
    hosts.call(&["go", "--reason", "thaw"]).exit(0);
    let ended = service.wait_until(|| hosts.rig.submissions() == 6);
    assert_eq!(ended, None, "{}", service.said());
    let mut all = || hosts.count("done") == 6;
    assert_eq!(service.wait_until(&mut all), None);
    let said = end(service);
    assert_eq!(said.err.matches("working on batch 1 ").count(), 2, "{said}");
    assert_eq!(hosts.rig.wiped(), [1; 6]);
}

#[test]
fn a_service_keeps_to_the_rules_that_an_order_was_made_with() {
    let Some(hosts) = Hosts::new(5) else {
        return;
    };
    hosts.begin(&["--workers", "1", "--no-requeue"]);
    let mut service = hosts.work("web1", &["--retries", "3"]);
    service.wait_for_word("nothing to do for account ");
    end(service);
    let options = hosts.sql("SELECT options FROM refleet.run ORDER BY id DESC LIMIT 1");
    let options: Value = serde_json::from_str(&options).unwrap();
    assert_eq!(options["workers"], 1, "{options}");
    assert_eq!(options["no_requeue"], true, "{options}");
    assert_eq!(options["retries"], 3, "{options}");
}

#[test]
fn what_a_service_cannot_do_is_refused_at_once() {
    let rig = Rig::new(1);
    let file = rig.call(&["work"]).exit(2);
    file.says("a queue in a file is one machine's");
    let mut command = rig.refleet(&["work", "--no-wait"]);
    // Nothing listens there.
    command.env("REFLEET_DB", "postgres://fleet@127.0.0.1:1/refleet");
    finish(command).exit(2).says("--no-wait is for one run");
    let mut command = rig.refleet(&["work"]);
    command.env("REFLEET_DB", "postgres://fleet@127.0.0.1:1/refleet");
    finish(command).exit(74).says("can't be reached");
    // Whatever is at work elsewhere: without credentials it could never take over.
    let mut command = rig.refleet(&["work"]);
    command.env("REFLEET_DB", "postgres://fleet@127.0.0.1:1/refleet");
    for name in ["ZOMRO_AUTH", "ZOMRO_USERNAME", "ZOMRO_PASSWORD"] {
        command.env_remove(name);
    }
    finish(command).exit(2).says("credentials");
    assert_eq!(rig.calls(), 0);
}

#[test]
fn another_database_is_left_alone_until_it_is_adopted() {
    let Some(hosts) = Hosts::new(4) else {
        return;
    };
    hosts.begin(&["--workers", "1"]);
    let sent = hosts.rig.submissions();
    // As it is on a standby that was promoted.
    hosts.sql("UPDATE refleet.origin SET timeline = timeline - 1");
    let mut service = hosts.work("web1", &[]);
    service.wait_for_word("this is not the database that it was");
    assert_eq!(hosts.rig.submissions(), sent);
    assert!(service.said().contains("adopt --reason TEXT"));
    // Whatever may have been sent without a trace is somebody's to settle, and not the service's.
    hosts
        .call(&["adopt", "--wait", "--reason", "all is shut down"])
        .exit(3);
    service.wait_for_word("nothing to do for account ");
    end(service);
    assert!(hosts.rig.wiped().iter().all(|times| *times <= 1));
    assert_eq!(hosts.rig.submissions(), sent);
}

#[test]
fn a_host_needs_no_more_rights_than_the_readme_grants() {
    let Some(mut hosts) = Hosts::new(4) else {
        return;
    };
    hosts.begin(&["--workers", "1"]);
    hosts.sql("DROP ROLE IF EXISTS refleet_host");
    hosts.sql("CREATE ROLE refleet_host LOGIN");
    let (user, place) = hosts.address.split_once('@').unwrap();
    assert_eq!(user, "postgres://fleet");
    hosts.address = format!("postgres://refleet_host@{place}");
    // Not what runs out of disk, and nothing that passes by itself.
    let refused = finish(hosts.command("web1", &["work"])).exit(2);
    refused
        .says("permission denied")
        .says("GRANT USAGE ON SCHEMA refleet");

    let readme = include_str!("../../README.md");
    let grants = readme
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("GRANT "));
    let grants: Vec<&str> = grants.collect();
    assert!(grants.len() >= 3, "{grants:?}");
    for grant in grants {
        hosts.sql(grant);
    }
    let mut service = hosts.work("web1", &[]);
    service.wait_for_word("nothing to do for account ");
    end(service);
    assert_eq!(hosts.count("done"), 4);
    hosts.call(&["verify"]).exit(0).says_out("sound");
    hosts.sql("DROP OWNED BY refleet_host; DROP ROLE refleet_host");
}
