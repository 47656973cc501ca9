//! What operators say of a batch as a whole.

use std::collections::HashSet;

use super::rig::{
    ACCEPTED, IMAGE, NOW_MS, acquire, begun, intent, load, rows, sound, step, stored, write,
};
use crate::job::{BatchId, ControlEntry, Instruction, JobRecord, Limits, RunId, State};
use crate::queue::{Admission, Backend, EnqueuePolicy, QueuedJob, Recorded};

fn entry(run: Option<RunId>, instruction: Instruction) -> ControlEntry {
    ControlEntry {
        run,
        at_ms: NOW_MS,
        operator: "anna".to_owned(),
        reason: Some("the backup is running".to_owned()),
        instruction,
    }
}

async fn say(store: &mut impl Backend, batch: BatchId, run: Option<RunId>, said: Instruction) {
    assert!(store.instruct(batch, &entry(run, said)).await.unwrap());
}

fn held(job: &QueuedJob) -> Recorded {
    Recorded {
        held: HashSet::from([job.id]),
        ..Recorded::default()
    }
}

pub(super) async fn while_a_batch_is_paused_nothing_is_begun_and_every_outcome_is_written(
    mut store: impl Backend,
) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2, 3]).await;
    let batch = lease.batch();
    write(&mut store, &lease, &mut jobs[0], [intent()]).await;
    say(&mut store, batch, None, Instruction::Pause).await;
    let accepted = step(&jobs[0], ACCEPTED);
    let begins = step(&jobs[1], intent());
    let both = [&begins, &accepted];
    assert_eq!(store.record(&lease, &both).await.unwrap(), held(&jobs[1]));
    let sent = stored(&mut store, &jobs[0]).await.record;
    assert_eq!(sent.state, State::InProgress);
    let waits = stored(&mut store, &jobs[1]).await.record;
    assert_eq!(waits, JobRecord::queued());
    assert_eq!(store.history(jobs[1].id).await.unwrap().len(), 0);
    // A hold is none of another batch, and no word of the process that died under it.
    let other = load(&mut store, 2, rows(&[4], IMAGE), EnqueuePolicy::default()).await;
    let other = acquire(&mut store, other.unwrap().batch.unwrap()).await;
    let mut fourth = store
        .ready(other.batch(), NOW_MS, 1, &Admission::default())
        .await
        .unwrap()
        .jobs;
    write(&mut store, &other, &mut fourth[0], [intent()]).await;
    let next = acquire(&mut store, batch).await;
    let recorded = store.record(&next, &[&begins]).await.unwrap();
    assert_eq!(recorded, held(&jobs[1]));
    assert!(
        store.record(&lease, &[&begins]).await.is_err(),
        "a lost lease is lost, whatever holds the batch back"
    );
    // What somebody else has moved is told beside it.
    let moved = step(&jobs[0], ACCEPTED);
    let both = [&begins, &moved];
    let recorded = store.record(&next, &both).await.unwrap();
    assert_eq!(recorded.held, HashSet::from([jobs[1].id]));
    assert_eq!(recorded.conflicts, HashSet::from([jobs[0].id]));
    say(&mut store, batch, None, Instruction::Go).await;
    assert!(store.record(&next, &[&begins]).await.unwrap().is_all());
    say(&mut store, batch, None, Instruction::Pause).await;
    let begins = step(&jobs[2], intent());
    let recorded = store.record(&next, &[&begins]).await.unwrap();
    assert_eq!(recorded, held(&jobs[2]));
    sound(&mut store).await;
}

pub(super) async fn a_run_that_is_drained_begins_nothing_and_the_next_one_does(
    mut store: impl Backend,
) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2]).await;
    let batch = lease.batch();
    write(&mut store, &lease, &mut jobs[0], [intent()]).await;
    say(&mut store, batch, Some(lease.run()), Instruction::Drain).await;
    let begins = step(&jobs[1], intent());
    let recorded = store.record(&lease, &[&begins]).await.unwrap();
    assert_eq!(recorded, held(&jobs[1]));
    write(&mut store, &lease, &mut jobs[0], [ACCEPTED]).await;
    let next = acquire(&mut store, batch).await;
    assert!(store.record(&next, &[&begins]).await.unwrap().is_all());
    sound(&mut store).await;
}

pub(super) async fn what_is_for_a_run_is_heard_only_while_it_is_at_work(mut store: impl Backend) {
    let (lease, _) = begun(&mut store, &[1]).await;
    let (batch, run) = (lease.batch(), lease.run());
    let other = load(&mut store, 2, rows(&[2], IMAGE), EnqueuePolicy::default()).await;
    let other = other.unwrap().batch.unwrap();
    let drain = entry(Some(run), Instruction::Drain);
    assert!(!store.instruct(other, &drain).await.unwrap());
    store.release(lease, NOW_MS, 0, None).await.unwrap();
    assert!(!store.instruct(batch, &drain).await.unwrap());
    for batch in [batch, other] {
        assert_eq!(store.control(batch, 0).await.unwrap(), []);
    }
}

pub(super) async fn what_was_said_is_read_from_any_place_on(mut store: impl Backend) {
    let (lease, _) = begun(&mut store, &[1]).await;
    let (batch, run) = (lease.batch(), Some(lease.run()));
    let limits = Limits {
        workers: Some(3),
        rate_per_s: Some(0.5),
        max_failures: Some("10%".parse().unwrap()),
    };
    let set = ControlEntry {
        reason: None,
        ..entry(run, Instruction::Set(limits))
    };
    let said = [
        entry(None, Instruction::Pause),
        set,
        entry(None, Instruction::Go),
        entry(run, Instruction::Drain),
    ];
    for entry in &said {
        assert!(store.instruct(batch, entry).await.unwrap());
    }
    let all = store.control(batch, 0).await.unwrap();
    let entries: Vec<_> = all.iter().map(|(_, entry)| entry.clone()).collect();
    assert_eq!(entries, said);
    assert!(all.is_sorted_by_key(|(seq, _)| *seq));
    let (second, last) = (all[1].0, all[3].0);
    assert_eq!(store.control(batch, second).await.unwrap(), all[2..]);
    assert_eq!(store.control(batch, last).await.unwrap(), []);
    sound(&mut store).await;
}
