//! What the database does by itself, and what becomes of it.

use super::rules;
use super::search::{Push as _, Steps};
use super::setting::{Assumption, Setting};
use super::world::{Db, Intent, LINES, Renewal, World};
use crate::job::State;
use crate::run::hosts::Heard;

pub fn steps(setting: &Setting, world: &World, steps: &mut Steps) {
    for index in 0..world.formed {
        if world.forms[usize::from(index)].intent != Intent::OnItsWay {
            continue;
        }
        steps.push_step(world, "database", "processes the intent", |w| {
            let is_written = commit(setting, w, index);
            w.form(index).intent = if is_written {
                Intent::Committed
            } else {
                Intent::Lost
            };
            true
        });
        if world.faults > 0 {
            steps.push_step(world, "network", "loses the intent", |w| {
                w.faults -= 1;
                w.form(index).intent = Intent::Lost;
                true
            });
        }
    }
    let is_worked_on = world.hosts.iter().any(|host| host.up && host.linked);
    // Whoever hears has locked the lease before, and waited for what was being committed under it.
    let is_decided = |form: u8| world.forms[usize::from(form)].intent != Intent::OnItsWay;
    if world.db.testimony.is_some_and(|(form, _)| is_decided(form)) && is_worked_on {
        steps.push_step(world, "database", "the late word is heard", |w| {
            hear(setting, w);
            true
        });
    }
    copies(setting, world, steps);
}

/// Writes the intent of a form, if its tenure still holds, its job still waits for it, and nothing is on
/// its way from an orphan.
fn commit(setting: &Setting, world: &mut World, index: u8) -> bool {
    let form = *world.form(index);
    let number = usize::from(form.job);
    let job = world.db.jobs[number];
    let may_begin = setting.is_held(world, form.tenure)
        && setting.knows(&world.db, world.hosts[world.host_of(form.tenure)].mark)
        && job.state == State::Queued
        && job.attempt + 1 == form.attempt
        && !world.db.paused;
    if !may_begin {
        return false;
    }
    let job = &mut world.db.jobs[number];
    job.sender = form.tenure;
    job.write(&rules::intent()) && {
        line(setting, world);
        true
    }
}

/// The ledger has one line more.
pub fn line(setting: &Setting, world: &mut World) {
    if setting.bounds.copies == 0 {
        return;
    }
    let db = &mut world.db;
    let length = usize::from(db.length);
    assert!(
        length < LINES,
        "the ledger is longer than the model has room for"
    );
    db.lines[length] = world.copies;
    db.length += 1;
}

/// A host that talks to the database keeps how far it has seen the ledger.
pub fn see(setting: &Setting, world: &mut World, host: usize) {
    if setting.bounds.copies > 0 && world.db.length > 0 {
        world.hosts[host].mark = last_line(&world.db);
    }
}

fn last_line(db: &Db) -> (u8, u8, u8) {
    (
        db.adoptions,
        db.length,
        db.lines[usize::from(db.length) - 1],
    )
}

fn hear(setting: &Setting, world: &mut World) {
    let Some((index, said)) = world.db.testimony.take() else {
        return;
    };
    let form = *world.form(index);
    let number = usize::from(form.job);
    let (job, left) = (
        &mut world.db.jobs[number],
        &mut world.db.left_by_order[number],
    );
    if form.order != job.order {
        // Its sender has spoken, and what it had sent may still take effect.
        if let Some(left) = left.as_mut().filter(|left| left.attempt == form.attempt) {
            (left.orphaned, left.age) = (false, 0);
        }
    } else if let Heard::Write(entry) = setting.hear(world, form, said) {
        let job = &mut world.db.jobs[number];
        assert!(job.write(&entry), "{entry:?} may follow, says the rule");
        line(setting, world);
    }
    world.form(index).told = Some(said);
}

fn copies(setting: &Setting, world: &World, steps: &mut Steps) {
    if world.copies == 0 {
        return;
    }
    // What is lost then is the first intent.
    let is_time = world.formed == 1 && world.forms[0].intent == Intent::OnItsWay
        || setting.bounds.copies_at_any_time;
    if world.copy.is_none() && is_time {
        steps.push_step(world, "standby", "has all until here", |w| {
            // Its lease may have ended by the time at which it is used: that permits the most.
            w.copy = Some(Db { left: 0, ..w.db });
            true
        });
    }
    let Some(copy) = world.copy else {
        return;
    };
    steps.push_step(world, "standby", "is promoted", |w| {
        put_back(w, copy, copy.identity + 1);
        true
    });
    let is_seen = setting.assumes(Assumption::LossIsSeen);
    if is_seen && world.hosts.iter().any(|host| setting.trusts(host.held)) {
        return;
    }
    steps.push_step(
        world,
        "database",
        "an older copy of its disk is put back",
        |w| {
            if is_seen && w.db.length > 0 {
                let mark = last_line(&w.db);
                for host in &mut w.hosts {
                    host.mark = mark;
                }
            }
            put_back(w, copy, copy.identity);
            true
        },
    );
}

fn put_back(world: &mut World, copy: Db, identity: u8) {
    world.copies -= 1;
    world.copy = None;
    world.db = Db {
        identity,
        noticed: None,
        ..copy
    };
    for host in &mut world.hosts {
        host.renewal = Renewal::None;
    }
    for form in &mut world.forms {
        form.told = None;
        let job = &copy.jobs[usize::from(form.job)];
        let is_there = form.intent == Intent::Committed
            && job.order == form.order
            && (job.attempt > form.attempt
                || job.attempt == form.attempt && job.sender == form.tenure);
        if !is_there {
            form.intent = Intent::Lost;
        }
    }
}
