//! The hooks of an order that has ended delay no rebuild of the next one, and the service waits for them at its end.

use super::{Hosts, end};
use crate::rig::{FIRST, Running, manifest_of};

/// Says that it was started, and ends when it is allowed to.
const SLOW: &str = "echo started >> count; while [ ! -e go ]; do sleep 0.01; done";

impl Hosts {
    /// An order for the instances from `first` on, which a service is to take.
    fn leave_order(&self, first: i64, count: i64, more: &[&str]) {
        let first = FIRST + first;
        let manifest = format!("from-{first}.csv");
        self.rig.write(&manifest, manifest_of(first..first + count));
        let order = ["run", &manifest, "--yes", "--rate", "0", "--order-only"];
        self.call(&[&order, more].concat()).exit(0);
    }

    /// Hooks that were started.
    fn started(&self) -> usize {
        let count = std::fs::read_to_string(self.rig.path("count"));
        count.unwrap_or_default().lines().count()
    }
}

#[track_caller]
fn wait_until(service: &mut Running, is_so: impl FnMut() -> bool) {
    assert_eq!(service.wait_until(is_so), None, "{}", service.said());
}

#[test]
fn the_next_order_of_the_account_waits_for_no_hook() {
    let Some(hosts) = Hosts::new(2) else {
        return;
    };
    hosts.leave_order(0, 1, &["--on-done", SLOW]);
    hosts.leave_order(1, 1, &[]);
    let mut service = hosts.work("web1", &[]);
    wait_until(&mut service, || hosts.rig.wiped() == [1, 1]);
    assert_eq!(hosts.started(), 1);
    service.wait_for_word("hooks: 1 go on");
    service.wait_for_word("nothing to do for account ");
    let left = hosts.call(&["hooks", "--batch", "1"]).exit(0);
    left.says_out("carries it out");
    hosts.rig.write("go", "");
    service.wait_for_word("hooks of batch 1: all have ended well");
    end(service);
    assert_eq!(hosts.started(), 1);
    hosts.call(&["verify"]).exit(0).says_out("sound");
}

#[test]
fn a_service_that_ends_waits_for_the_hooks_of_ended_orders_and_a_second_signal_kills_them() {
    let Some(hosts) = Hosts::new(2) else {
        return;
    };
    hosts.leave_order(0, 2, &["--on-done", SLOW, "--hook-workers", "1"]);
    let mut service = hosts.work("web1", &[]);
    service.wait_for_word("nothing to do for account ");
    wait_until(&mut service, || hosts.started() == 1);
    service.signal("TERM");
    service.wait_for_word("a second signal ends them");
    service.signal("INT");
    let ended = service.end().exit(143);
    ended
        .says("1 cut off, 1 not carried out yet")
        .says(" hooks --batch 1`");
    assert_eq!(hosts.started(), 1);
    hosts.rig.write("go", "");

    // What was never started, another service carries out; the other one is somebody's to look at.
    let mut other = hosts.work("web2", &[]);
    other.wait_for_word("hooks of batch 1: 1 cut off");
    end(other);
    assert_eq!(hosts.started(), 2);
    hosts.call(&["verify"]).exit(0).says_out("sound");
}
