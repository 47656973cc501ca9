//! What has to hold in each state.

use super::setting::Setting;
use super::world::{Broken, Form, Intent, Job, NOBODY, Said, Wire, World};
use crate::job::{Executed, State};

pub fn broken(setting: &Setting, world: &World) -> Option<Broken> {
    let senders = world
        .hosts
        .iter()
        .filter(|host| host.up && setting.trusts(host.held));
    if senders.count() > 1 {
        return Some(Broken::TwoSenders);
    }
    let jobs = &world.db.jobs[..setting.bounds.jobs];
    jobs.iter().enumerate().find_map(|(number, job)| {
        let forms = world
            .forms()
            .iter()
            .filter(|form| usize::from(form.job) == number);
        let forms =
            forms.filter(|form| form.intent == Intent::Committed && form.order == job.order);
        let mut forms = forms.filter(|form| form.attempt <= job.attempt);
        if forms.clone().any(|form| is_forgotten(*job, *form)) {
            Some(Broken::Forgotten)
        } else if forms.any(|form| is_unheard(*job, *form)) {
            Some(Broken::Unheard)
        } else {
            is_lost(world, *job).then_some(Broken::Lost)
        }
    })
}

/// The instance was wiped, and the ledger says that it was not.
fn is_forgotten(job: Job, form: Form) -> bool {
    let has_noticed = job.executed() != Executed::No;
    form.wire == Wire::Executed && !has_noticed
}

/// Its sender has said what became of it, and it is in doubt all the same.
fn is_unheard(job: Job, form: Form) -> bool {
    let is_told = matches!(form.told, Some(Said::Accepted | Said::NotSent));
    form.is_of(usize::from(form.job), job) && is_told && job.is_in_doubt()
}

/// It is being submitted by a tenure that has ended, so that nobody takes it over any more.
fn is_lost(world: &World, job: Job) -> bool {
    let db = &world.db;
    job.state == State::Submitting && db.holder != NOBODY && db.holder != job.sender
}

/// All jobs have come to an end, or the bounds have: what then could happen was not searched.
pub fn has_ended(setting: &Setting, world: &World) -> bool {
    let bounds = &setting.bounds;
    let jobs = &world.db.jobs[..bounds.jobs];
    jobs.iter().all(|job| job.is_final())
        || world.formed == bounds.forms
        || world.tenured == bounds.tenures
        || world.db.paused
}
