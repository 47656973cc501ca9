//! The way to the API, and time.

use super::rules::{FENCE_WAIT, FLIGHT, LEASE, SETTLED, SILENCE};
use super::search::{Push as _, Steps};
use super::setting::{Assumption, Mutation, Setting};
use super::world::{Broken, Db, Host, Renewal, Wire, Worker, World};
use crate::job::Executed;

/// So many ticks after a pause nothing is executed any more: the age of the intent, the silence that a
/// server bears, and the flight.
pub const PAUSE_BOUND: u8 = 1 + SILENCE + FLIGHT;

pub fn steps(setting: &Setting, world: &World, steps: &mut Steps) {
    for index in 0..world.formed {
        let form = world.forms[usize::from(index)];
        let Wire::Flying { .. } = form.wire else {
            continue;
        };
        steps.push_step(world, "API", "executes the form", |w| {
            execute(setting, w, index);
            true
        });
    }
    steps.push_step(world, "time", "a tick passes", |w| {
        tick(setting, w);
        true
    });
    if world.skew > 0 {
        steps.push_step(world, "time", "a tick of the database's clock alone", |w| {
            w.skew -= 1;
            tick_database(&mut w.db);
            true
        });
    }
}

/// The instance is wiped.
fn execute(setting: &Setting, world: &mut World, index: u8) {
    let form = *world.form(index);
    let job = usize::from(form.job);
    world.form(index).wire = Wire::Executed;
    let mut younger = world.forms[usize::from(index) + 1..usize::from(world.formed)].iter();
    if younger.any(|younger| younger.job == form.job && younger.wire != Wire::Unsent) {
        world.broken = Some(Broken::Overtaken);
        return;
    }
    if form.order != world.db.jobs[job].order {
        // It was ordered, late as it is, and what was ordered since was not sent yet.
        return;
    }
    if world.wiped[job] && !world.spoken[job] {
        world.broken = Some(Broken::WipedTwice);
    } else if !setting.bounds.late_forms && world.allowed > Some(form.tenure) {
        world.broken = Some(Broken::LateForm);
    } else if world.since_pause.is_some_and(|age| age > PAUSE_BOUND) {
        world.broken = Some(Broken::AfterThePause);
    }
    world.wiped[job] = true;
    world.spoken[job] = false;
}

fn tick(setting: &Setting, world: &mut World) {
    tick_database(&mut world.db);
    // For how long a doubt is watched, its watcher measures.
    for job in &mut world.db.jobs {
        if job.now == Executed::Maybe {
            grow(&mut job.age, SETTLED);
        }
    }
    for left in world.db.left_by_order.iter_mut().flatten() {
        grow(&mut left.age, SETTLED);
    }
    for host in &mut world.hosts {
        tick_host(setting, host);
    }
    for form in &mut world.forms {
        if let Wire::Flying { age } = &mut form.wire {
            if *age < FLIGHT {
                *age += 1;
            } else if setting.assumes(Assumption::ExecutedSoonOrNever) {
                form.wire = Wire::Gone;
            }
        }
    }
    if let Some(age) = &mut world.since_pause {
        grow(age, PAUSE_BOUND + 1);
    }
}

fn tick_database(db: &mut Db) {
    db.left = db.left.saturating_sub(1);
    if let Some(left) = &mut db.noticed {
        *left = left.saturating_sub(1);
    }
    for age in db.fenced.iter_mut().flatten() {
        grow(age, FENCE_WAIT);
    }
}

fn tick_host(setting: &Setting, host: &mut Host) {
    // What the kernel counts goes on: connections end, whatever the process believes.
    if let Worker::Looked { since, .. } = &mut host.worker {
        grow(since, SILENCE);
    }
    let is_held = host.asleep
        && (setting.breaks(Mutation::ClockThatSleeps)
            || !setting.assumes(Assumption::ClocksAreNeverHeld));
    if is_held {
        return;
    }
    if let Some(held) = &mut host.held {
        grow(&mut held.age, setting.trust_cap());
    }
    match &mut host.renewal {
        Renewal::None => {}
        Renewal::Asked { age } | Renewal::Granted { age } => grow(age, LEASE),
    }
    match &mut host.worker {
        Worker::Committing { age, .. } | Worker::Ready { age, .. } => grow(age, 2),
        Worker::Idle | Worker::Looked { .. } | Worker::Sent { .. } | Worker::Knows { .. } => {}
    }
}

fn grow(age: &mut u8, cap: u8) {
    *age = (*age + 1).min(cap);
}
