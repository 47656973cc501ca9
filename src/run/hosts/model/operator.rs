//! What the operator says.

use super::database::line;
use super::host::stop;
use super::rules::{FLIGHT, resolved};
use super::search::{Push as _, Steps};
use super::setting::{Assumption, Mutation, Setting};
use super::world::{JOBS, Job, NOBODY, TENURES, World};
use crate::job::{LedgerEntry, State, Verdict};

const OPERATOR: &str = "operator";
/// One is enough for a database, unless a rule is broken.
const ADOPTIONS_MAX: u8 = 2;

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
        let left = world.db.jobs.iter().filter(|job| {
            job.orphaned && job.sender != NOBODY && world.host_of(job.sender) == index
        });
        let mut left = left.map(|job| world.db.fenced[usize::from(job.sender)]);
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
    let is_free = |broken| setting.breaks(broken) || setting.is_free(world, job);
    if job.is_in_doubt() {
        if is_free(Mutation::RequeueWithoutFence) && has_looked(setting, job) {
            says("requeues it", resolved(Verdict::Requeue), true);
        }
        says("calls it failed", resolved(Verdict::Failed), false);
    }
    if job.state == State::Failed
        && is_free(Mutation::RetryWithoutFence)
        && has_looked(setting, job)
    {
        says("sends it again", LedgerEntry::Retried, true);
    }
}

/// An orphan is waited for by its own rule.
fn has_looked(setting: &Setting, job: Job) -> bool {
    job.orphaned || job.age > FLIGHT || !setting.assumes(Assumption::LooksBeforeTheWord)
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
