//! What the operator says.

use super::database::line;
use super::host::stop;
use super::rules::resolved;
use super::search::{Push as _, Steps};
use super::setting::{Assumption, Mutation, Setting};
use super::world::{JOBS, Job, Left, NOBODY, TENURES, World};
use crate::job::{Executed, LedgerEntry, State, Verdict};

const OPERATOR: &str = "operator";
/// One is enough for a database, unless a rule is broken.
const ADOPTIONS_MAX: u8 = 2;
/// Orders of an instance after the first.
const ORDERS_MAX: u8 = 1;

pub fn steps(setting: &Setting, world: &World, steps: &mut Steps) {
    if setting.bounds.pause && !world.db.paused && world.tenured > 0 {
        steps.push_step(world, OPERATOR, "pauses", |w| {
            w.db.paused = true;
            w.since_pause = Some(0);
            true
        });
    }
    if !setting.knows_itself(world) {
        if world.db.noticed == Some(0) && world.db.adoptions < ADOPTIONS_MAX {
            steps.push_step(world, OPERATOR, "adopts the database", |w| {
                adopt(w);
                true
            });
        }
        // Until then all is held.
        return;
    }
    if !setting.bounds.words {
        return;
    }
    fences(setting, world, steps);
    for number in 0..setting.bounds.jobs {
        speaks(setting, world, number, steps);
    }
}

fn fences(setting: &Setting, world: &World, steps: &mut Steps) {
    for index in 0..2 {
        let jobs = world.db.jobs.iter().filter(|job| job.orphaned);
        let left = world.db.left_by_order.iter().flatten();
        let left = left.filter(|left| left.orphaned).map(|left| left.sender);
        let senders = jobs.map(|job| job.sender).chain(left);
        let senders = senders.filter(|sender| *sender != NOBODY && world.host_of(*sender) == index);
        let mut left = senders.map(|sender| world.db.fenced[usize::from(sender)]);
        if !left.any(|fenced| fenced.is_none()) {
            continue;
        }
        let what = ["calls A down", "calls B down"][index];
        steps.push_step(world, OPERATOR, what, |w| {
            if setting.assumes(Assumption::FencedIsDown) {
                stop(&mut w.hosts[index]);
            }
            for tenure in 0..w.tenured {
                let fenced = &mut w.db.fenced[usize::from(tenure)];
                if usize::from(w.tenures[usize::from(tenure)].0) == index && fenced.is_none() {
                    *fenced = Some(0);
                }
            }
            true
        });
    }
}

/// The operator has looked at all that is not final, and goes on with this database.
fn adopt(world: &mut World) {
    world.spoken = [true; JOBS];
    let db = &mut world.db;
    db.batch = db.identity;
    db.adoptions += 1;
    db.noticed = None;
}

/// A word on a doubt or a failure.
fn speaks(setting: &Setting, world: &World, number: usize, steps: &mut Steps) {
    let job = world.db.jobs[number];
    let mut says = |what, entry: LedgerEntry, is_of_a_wipe: bool| {
        steps.push_step(world, OPERATOR, what, |w| {
            w.spoken[number] |= is_of_a_wipe;
            let is_written = w.db.jobs[number].write(&entry);
            line(setting, w);
            is_written
        });
    };
    let is_over = |broken| job.orphaned && setting.breaks(broken) || setting.is_over(world, job);
    if job.is_in_doubt() {
        if is_over(Mutation::RequeueWithoutFence) {
            says("requeues it", resolved(Verdict::Requeue), true);
        }
        says("calls it failed", resolved(Verdict::Failed), false);
    }
    if job.state == State::Failed {
        if is_over(Mutation::RetryWithoutFence) {
            says("sends it again", LedgerEntry::Retried, true);
        }
        if job.order < ORDERS_MAX {
            steps.push_step(world, OPERATOR, "orders it anew", |w| {
                order_anew(w, number);
                true
            });
        }
    }
}

/// Another job for the same instance. The attempts of the two are told apart by their numbers.
fn order_anew(world: &mut World, number: usize) {
    let job = world.db.jobs[number];
    world.db.left_by_order[number] = (job.now == Executed::Maybe).then_some(Left {
        attempt: job.attempt,
        sender: job.sender,
        orphaned: job.orphaned,
        age: job.age,
    });
    world.db.jobs[number] = Job {
        order: job.order + 1,
        attempt: job.attempt,
        ..Job::queued()
    };
    world.wiped[number] = false;
}

impl Setting {
    /// Nobody has to adopt it.
    fn knows_itself(&self, world: &World) -> bool {
        world
            .hosts
            .iter()
            .all(|host| self.knows(&world.db, host.mark))
    }
}

const _: () = assert!(TENURES < NOBODY as usize);
