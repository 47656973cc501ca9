//! Who goes first, and who is down.

use std::num::NonZeroU32;

use super::rig::{
    ACCEPTED, IMAGE, NOW_MS, OTHER_IMAGE, acquire, intent, load, refused, rows, services, unknown,
    write,
};
use crate::job::{
    BatchId, Failure, Group, ImageId, JobId, LedgerEntry, NewJob, ServiceId, State, Verdict,
};
use crate::queue::{Admission, Backend, EnqueuePolicy, QueuedJob, Selection};

/// A batch of `rows`, and its jobs.
async fn queued(store: &mut impl Backend, rows: Vec<NewJob>) -> (BatchId, Vec<QueuedJob>) {
    let loaded = load(store, 1, rows, EnqueuePolicy::default()).await;
    let batch = loaded.unwrap().batch.unwrap();
    let any = Admission::default();
    let ready = store.ready(batch, NOW_MS, 1000, &any).await.unwrap();
    (batch, ready.jobs)
}

async fn say(store: &mut impl Backend, batch: BatchId, number: i64, entry: LedgerEntry) {
    let selection = Selection::Services(services(&[number]));
    let states = [State::Queued, State::Failed, State::InDoubt];
    let decide = |_: &QueuedJob, _: Option<BatchId>| Ok(entry.clone());
    let said = store.command(batch, &selection, &states, &decide, NOW_MS);
    assert_eq!(said.await.unwrap().refused, []);
}

async fn admitted(
    store: &mut impl Backend,
    batch: BatchId,
    limit: usize,
    admission: &Admission,
) -> (Vec<ServiceId>, bool) {
    let ready = store.ready(batch, NOW_MS, limit, admission).await.unwrap();
    let services = ready.jobs.iter().map(|job| job.service).collect();
    (services, ready.is_all)
}

pub(super) async fn members_of_groups_are_down_until_they_are_back_or_somebody_has_spoken(
    mut store: impl Backend,
) {
    let mut members = rows(&[1, 2, 3, 4, 5, 6, 7, 8], IMAGE);
    let groups = ["Web", "web", "web", "db", "", "db", "db", "web "];
    for (row, group) in members.iter_mut().zip(groups) {
        row.group = Group::new(group);
    }
    let (batch, mut jobs) = queued(&mut store, members).await;
    let lease = acquire(&mut store, batch).await;
    assert_eq!(store.rollout(batch, None).await.unwrap().down, []);
    let broken = || LedgerEntry::Broken {
        failure: Failure::new("rebuild_failed", "its status is `error`"),
    };
    write(&mut store, &lease, &mut jobs[0], [intent()]).await;
    write(
        &mut store,
        &lease,
        &mut jobs[1],
        [intent(), ACCEPTED, broken()],
    )
    .await;
    write(&mut store, &lease, &mut jobs[2], [intent(), refused()]).await;
    write(&mut store, &lease, &mut jobs[3], [intent(), unknown()]).await;
    write(&mut store, &lease, &mut jobs[4], [intent(), ACCEPTED]).await;
    write(
        &mut store,
        &lease,
        &mut jobs[5],
        [intent(), ACCEPTED, broken()],
    )
    .await;
    let down = store.rollout(batch, None).await.unwrap().down;
    let found: Vec<_> = down
        .iter()
        .map(|down| (down.service, down.group.as_str(), down.state))
        .collect();
    let expected = [
        (services(&[1])[0], "web", State::Submitting),
        (services(&[2])[0], "web", State::Failed),
        (services(&[4])[0], "db", State::InDoubt),
        (services(&[6])[0], "db", State::Failed),
    ];
    assert_eq!(found, expected);

    // Somebody's word on the second and the fourth. The sixth is to be sent once more: still down.
    let failed = || LedgerEntry::Resolved {
        verdict: Verdict::Failed,
        reason: "it is out of service".to_owned(),
        hook: false,
    };
    say(&mut store, batch, 2, failed()).await;
    say(&mut store, batch, 4, failed()).await;
    say(&mut store, batch, 6, LedgerEntry::Retried).await;
    let down = store.rollout(batch, None).await.unwrap().down;
    let found: Vec<ServiceId> = down.iter().map(|down| down.service).collect();
    assert_eq!(found, services(&[1, 6]));

    // What is down already may go on where its group is full.
    let again = jobs[5].id;
    let full = |names: &[&str]| Admission {
        only: None,
        not_of: names.iter().filter_map(|name| Group::new(name)).collect(),
        but: vec![again],
        ..Admission::default()
    };
    for (names, limit, found) in [
        (&[][..], 9, (services(&[6, 7, 8]), true)),
        (&["web"], 9, (services(&[6, 7]), true)),
        (&["db"], 9, (services(&[6, 8]), true)),
        (&["db", "web"], 1, (services(&[6]), false)),
    ] {
        let admitted = admitted(&mut store, batch, limit, &full(names)).await;
        assert_eq!(admitted, found, "{names:?}");
    }
}

pub(super) async fn the_first_of_each_image_go_first(mut store: impl Backend) {
    let mut all = rows(&[1, 2, 3], IMAGE);
    let mut others = rows(&[4, 5], OTHER_IMAGE);
    for row in &mut others {
        row.line += 3;
    }
    all.append(&mut others);
    let (batch, jobs) = queued(&mut store, all).await;
    assert!(store.rollout(batch, None).await.unwrap().canaries.is_none());
    for (each, found) in [
        (1, vec![1, 4]),
        (2, vec![1, 2, 4, 5]),
        (9, vec![1, 2, 3, 4, 5]),
    ] {
        let canaries = store.rollout(batch, NonZeroU32::new(each)).await;
        let canaries = canaries.unwrap().canaries.unwrap();
        let canaries: Vec<ServiceId> = canaries.iter().map(|job| job.service).collect();
        assert_eq!(canaries, services(&found));
    }
    // What was cancelled proves nothing: the next one goes first.
    say(&mut store, batch, 1, LedgerEntry::Cancelled).await;
    let canaries = store.rollout(batch, NonZeroU32::new(1)).await;
    let canaries = canaries.unwrap().canaries.unwrap();
    let services_found: Vec<ServiceId> = canaries.iter().map(|job| job.service).collect();
    assert_eq!(services_found, services(&[2, 4]));
    let ids: Vec<JobId> = canaries.iter().map(|job| job.id).collect();
    assert_eq!(ids, [jobs[1].id, jobs[3].id]);
    let only = Admission {
        only: Some(ids),
        ..Admission::default()
    };
    let found = admitted(&mut store, batch, 9, &only).await;
    assert_eq!(found, (services(&[2, 4]), true));
}

pub(super) async fn jobs_of_some_images_are_left_where_they_are(mut store: impl Backend) {
    let mut all = rows(&[1, 2, 3, 4], IMAGE);
    let mut others = rows(&[5, 6], OTHER_IMAGE);
    for row in &mut others {
        row.line += 4;
    }
    all.append(&mut others);
    all[1].group = Group::new("web");
    let (batch, mut jobs) = queued(&mut store, all).await;
    let lease = acquire(&mut store, batch).await;
    // Unlike a member of a full group it waits although it was sent before.
    let broken = LedgerEntry::Broken {
        failure: Failure::new("rebuild_failed", "its status is `error`"),
    };
    let sent = [intent(), ACCEPTED, broken];
    write(&mut store, &lease, &mut jobs[0], sent).await;
    say(&mut store, batch, 1, LedgerEntry::Retried).await;
    let [one, other] = [IMAGE, OTHER_IMAGE].map(|image| image.parse().ok());
    let without = |images: &[Option<ImageId>]| Admission {
        not_images: images.to_vec(),
        ..Admission::default()
    };
    for (images, limit, found) in [
        (&[][..], 9, (services(&[1, 2, 3, 4, 5, 6]), true)),
        // What gives no image is of none of these.
        (&[None], 9, (services(&[1, 2, 3, 4, 5, 6]), true)),
        (&[None, one], 9, (services(&[5, 6]), true)),
        (&[one], 2, (services(&[5, 6]), false)),
        (&[other], 9, (services(&[1, 2, 3, 4]), true)),
        (&[one, other], 9, (vec![], true)),
    ] {
        let mut admitted = admitted(&mut store, batch, limit, &without(images)).await;
        admitted.0.sort_unstable();
        assert_eq!(admitted, found, "{images:?}");
    }
    // Together with the other rules.
    let ids = [1, 2, 4].map(|place: usize| jobs[place].id);
    let full = Group::new("web").unwrap();
    let both = Admission {
        not_of: vec![full],
        ..without(&[other])
    };
    let found = admitted(&mut store, batch, 9, &both).await;
    assert_eq!(found.0.len(), 3);
    let only = Admission {
        only: Some(ids.to_vec()),
        ..both
    };
    let found = admitted(&mut store, batch, 9, &only).await;
    assert_eq!(found, (services(&[3]), true));
}
