//! One `refleet work` that works for many accounts at once.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use refleet::simulator::Simulator;
use tempfile::TempDir;

use super::end;
use crate::rig::{
    Cluster, FIRST, LOGIN_PASSWORD, QUICK, Running, account_of, bare, block_on, finish, manifest_of,
};

/// Jobs of each account.
const JOBS: i64 = 3;

/// Accounts on a simulator each, whose orders lie on one queue.
struct Many {
    folder: TempDir,
    simulators: Vec<Simulator>,
    address: String,
}

impl Many {
    /// `None`: PostgreSQL is not installed.
    fn new(count: usize) -> Option<Self> {
        let cluster = Cluster::shared()?;
        let mut many = Self {
            folder: tempfile::tempdir().unwrap(),
            simulators: Vec::new(),
            address: cluster.database("template0"),
        };
        let mut accounts = String::new();
        for nth in 0..count {
            let first = FIRST + 100 * i64::try_from(nth).unwrap();
            let mut config = account_of(first..first + JOBS);
            config.username = format!("shop{nth}");
            config.account = Some(format!("{}", 7000 + nth));
            config.rebuild_duration = Duration::from_millis(100);
            let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let simulator = block_on(Simulator::start(config, any_port)).unwrap();
            writeln!(
                accounts,
                "[account.shop{nth}]\nusername = \"shop{nth}\"\npassword = \"{LOGIN_PASSWORD}\"\napi_url = \"{}\"\n",
                simulator.url()
            )
            .unwrap();
            let sheet = manifest_of(first..first + JOBS);
            fs::write(many.path(&format!("shop{nth}.csv")), sheet).unwrap();
            many.simulators.push(simulator);
        }
        many.configure(&accounts);
        Some(many)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    fn configure(&self, accounts: &str) {
        let path = self.path("config.toml");
        fs::write(&path, accounts).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = bare(self.folder.path());
        command
            .args(["--config", "config.toml", "--db", &self.address])
            .args(args)
            .env("REFLEET_LEASE", "3s");
        command
    }

    fn work(&self, host: &str, more: &[&str]) -> Running {
        let mut command = self.command(&["work"]);
        command.env("REFLEET_HOST", host).args(QUICK).args(more);
        Running::start(command)
    }

    /// Each account's sheet is ordered.
    fn order_all(&self) {
        for nth in 0..self.simulators.len() {
            let sheet = format!("shop{nth}.csv");
            let account = format!("shop{nth}");
            let order = [
                "run",
                &sheet,
                "--account",
                &account,
                "--yes",
                "--order-only",
            ];
            finish(self.command(&[&order[..], &["--rate", "0"]].concat())).exit(0);
        }
    }

    fn sql(&self, statement: &str) -> String {
        let (_, database) = self.address.rsplit_once('/').unwrap();
        Cluster::shared().unwrap().sql(database, statement)
    }

    fn number(&self, statement: &str) -> usize {
        self.sql(statement).trim().parse().unwrap()
    }

    fn done(&self) -> usize {
        self.number("SELECT count(*) FROM refleet.job WHERE state = 'done'")
    }

    /// Accounts that somebody works for now.
    fn at_work(&self) -> usize {
        self.number(
            "SELECT count(*) FROM refleet.lease WHERE released_at IS NULL AND account <> ''",
        )
    }

    fn each_was_wiped_once(&self) {
        for simulator in &self.simulators {
            let record = simulator.record();
            assert_eq!(record.violations, [""; 0]);
            let mut services = record.services.values();
            assert!(services.all(|service| service.wiped == 1), "{record:?}");
        }
    }
}

/// Submissions that have arrived.
fn submissions(simulator: &Simulator) -> u64 {
    let record = simulator.record();
    record.services.values().map(|it| it.submissions).sum()
}

#[test]
fn accounts_are_worked_for_at_once_and_no_more_than_allowed_on_a_few_connections() {
    let Some(many) = Many::new(7) else {
        return;
    };
    many.order_all();
    for simulator in &many.simulators {
        simulator.hold_submissions(1);
    }
    let mut service = many.work("web1", &["--accounts", "5", "--timeout", "1m"]);
    let mut all = || {
        many.simulators
            .iter()
            .filter(|it| submissions(it) >= 1)
            .count()
            == 5
    };
    assert_eq!(service.wait_until(&mut all), None, "{}", service.said());
    assert_eq!(many.at_work(), 5);
    // One looks, one renews all leases, and the others are shared.
    let connections = many.number(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'refleet' AND datname = current_database()",
    );
    assert!(connections <= 7, "{connections}");
    for simulator in &many.simulators {
        simulator.release_submissions();
    }
    let jobs = 7 * usize::try_from(JOBS).unwrap();
    assert_eq!(
        service.wait_until(|| many.done() == jobs),
        None,
        "{}",
        service.said()
    );
    let said = end(service);
    // Each line says whose it is.
    assert!(said.err.contains("batch 7: "), "{said}");
    many.each_was_wiped_once();
    finish(many.command(&["verify"])).exit(0);
}

#[test]
fn what_is_wrong_with_one_login_is_that_accounts_and_ends_no_other() {
    let Some(many) = Many::new(3) else {
        return;
    };
    many.order_all();
    let accounts = fs::read_to_string(many.path("config.toml")).unwrap();
    let mistyped = format!("username = \"shop1\"\npassword = \"{LOGIN_PASSWORD}\"");
    assert!(accounts.contains(&mistyped));
    many.configure(&accounts.replace(&mistyped, "username = \"shop1\"\npassword = \"mistyped\""));
    let mut service = many.work("web1", &[]);
    service.wait_for_word("account shop1 is left alone");
    let jobs = 2 * usize::try_from(JOBS).unwrap();
    assert_eq!(
        service.wait_until(|| many.done() == jobs),
        None,
        "{}",
        service.said()
    );
    let said = end(service);
    assert_eq!(
        said.err.matches("account shop1 is left alone").count(),
        1,
        "{said}"
    );
    assert_eq!(submissions(&many.simulators[1]), 0);
}

#[test]
fn two_hosts_share_the_accounts_and_one_takes_over_what_the_other_had_begun() {
    let Some(many) = Many::new(4) else {
        return;
    };
    many.order_all();
    let mut first = many.work("web1", &["--accounts", "2", "--workers", "1"]);
    let mut second = many.work("web2", &["--accounts", "4", "--workers", "1"]);
    let begun = || many.simulators.iter().all(|it| submissions(it) >= 1);
    assert_eq!(first.wait_until(begun), None, "{}", first.said());
    first.kill();
    let jobs = 4 * usize::try_from(JOBS).unwrap();
    let settled =
        || many.number("SELECT count(*) FROM refleet.job WHERE state = 'done' OR held = 1") == jobs;
    assert_eq!(second.wait_until(settled), None, "{}", second.said());
    end(second);
    for simulator in &many.simulators {
        let record = simulator.record();
        let mut services = record.services.values();
        assert!(services.all(|service| service.wiped <= 1), "{record:?}");
    }
    let held = many.number("SELECT count(*) FROM refleet.job WHERE held = 1");
    assert!(held <= 2, "{held}: one of each account that the first had");
}
