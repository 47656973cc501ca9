//! Orders, jobs and entries, as the suite uses them.

use std::convert::Infallible;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::job::{
    Access, Action, BatchId, Evidence, Expected, Failure, InstanceStatus, LedgerEntry, NewJob,
    Order, Rebuild, ServiceId, ShownKey, Task, Transition,
};
use crate::queue::{
    Admission, Backend, EnqueueError, EnqueuePolicy, Enqueued, Lease, NewBatch, NewRun, QueuedJob,
    Target,
};

pub const IMAGE: &str = "18d0ee2e-4d57-4f40-9b56-03c1773b5831";
pub const OTHER_IMAGE: &str = "18d0ee2e-4d57-4f40-9b56-03c1773b5832";
pub const NOW_MS: i64 = 1_795_399_200_000;

pub fn service(number: i64) -> ServiceId {
    ServiceId::new(number).unwrap()
}

pub fn services(numbers: &[i64]) -> Vec<ServiceId> {
    numbers.iter().copied().map(service).collect()
}

pub fn order(identity: u8) -> NewBatch {
    NewBatch {
        action: Action::Rebuild,
        identity: [identity; 32],
        provider: "api.zomro.com".to_owned(),
        api_url: "https://api.zomro.com/".to_owned(),
        owner: None,
        plan: None,
        options: None,
        manifest: "fleet.csv".to_owned(),
        path: PathBuf::from("/srv/fleet.csv"),
        sheet: None,
    }
}

/// A row for each of `numbers`, from line 2 on, as in a manifest with a header.
pub fn rows(numbers: &[i64], image: &str) -> Vec<NewJob> {
    let row = |(line, &number): (u64, &i64)| NewJob {
        line,
        service: service(number),
        order: Order::Rebuild(Rebuild {
            image: image.parse().unwrap(),
            zone: None,
            access: Access::Password(SecretString::from("Mypassword1")),
        }),
        expected: Expected::default(),
        group: None,
        ssh_port: None,
        note: None,
    };
    (2..).zip(numbers).map(row).collect()
}

pub type Loaded = Result<Enqueued, EnqueueError<Infallible>>;

pub async fn load(
    store: &mut impl Backend,
    identity: u8,
    rows: Vec<NewJob>,
    policy: EnqueuePolicy,
) -> Loaded {
    // What the preview says must be what happens, and nothing may happen by it.
    let before = store.batches().await.unwrap().len();
    let mut previewed = Vec::new();
    let preview = store
        .preview::<Infallible>(
            &order(identity),
            policy,
            &mut rows.clone().into_iter().map(Ok),
            &mut |row| previewed.push(row.service),
        )
        .await;
    assert_eq!(store.batches().await.unwrap().len(), before);
    let enqueued = store
        .enqueue(&order(identity), policy, &mut rows.into_iter().map(Ok))
        .await;
    match (&preview, &enqueued) {
        (Ok(preview), Ok(enqueued)) => {
            assert_eq!(preview.queued, enqueued.queued);
            assert_eq!(preview.queued, previewed.len() as u64);
            assert_eq!(
                format!("{:?}", preview.left_out),
                format!("{:?}", enqueued.left_out)
            );
            if let Some(batch) = enqueued.batch {
                assert_eq!(targets(store, batch).await, previewed);
            }
        }
        (Err(EnqueueError::Conflict(preview)), Err(EnqueueError::Conflict(enqueued))) => {
            assert_eq!(preview, enqueued);
        }
        other => panic!("{other:?}"),
    }
    enqueued
}

pub async fn targets(store: &mut impl Backend, batch: BatchId) -> Vec<ServiceId> {
    let mut targets = Vec::new();
    let mut add = |target: Target| targets.push(target.service);
    store.targets(batch, &mut add).await.unwrap();
    targets
}

/// A batch of these services, and the lease of a run that works on it.
pub async fn begun(store: &mut impl Backend, numbers: &[i64]) -> (Lease, Vec<QueuedJob>) {
    let rows = rows(numbers, IMAGE);
    let loaded = load(store, 1, rows, EnqueuePolicy::default()).await;
    let batch = loaded.unwrap().batch.unwrap();
    let lease = acquire(store, batch).await;
    let ready = store
        .ready(batch, NOW_MS, 1000, &Admission::default())
        .await
        .unwrap();
    (lease, ready.jobs)
}

pub async fn acquire(store: &mut impl Backend, batch: BatchId) -> Lease {
    let run = NewRun {
        batch,
        started_ms: NOW_MS,
        options: serde_json::json!({}),
    };
    store.acquire(&run).await.unwrap()
}

pub fn intent() -> LedgerEntry {
    LedgerEntry::Intent {
        task: Task::Rebuild {
            zone: "pub".to_owned(),
            target: None,
        },
        baseline: None,
    }
}

pub fn failure() -> Failure {
    Failure::new("timeout", "no answer")
}

pub const ACCEPTED: LedgerEntry = LedgerEntry::Accepted {
    submitted_ms: NOW_MS,
};

pub fn unknown() -> LedgerEntry {
    LedgerEntry::Unknown {
        failure: failure(),
        submitted_ms: Some(NOW_MS),
    }
}

pub fn held() -> LedgerEntry {
    LedgerEntry::Held {
        reason: "no baseline".to_owned(),
    }
}

pub fn completed() -> LedgerEntry {
    LedgerEntry::Completed {
        evidence: Evidence::Observed,
        status: InstanceStatus::Active,
        image: None,
        remark: None,
        hook: false,
    }
}

pub fn refused() -> LedgerEntry {
    LedgerEntry::Refused { failure: failure() }
}

pub fn step(job: &QueuedJob, entry: LedgerEntry) -> Transition {
    Transition::new(job.id, job.record.clone(), entry, NOW_MS).unwrap()
}

/// Writes these entries, one after the other.
/// What a doubt may be told of while nothing settles it, or its new host key does.
pub fn told() -> [LedgerEntry; 3] {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    let shown = ShownKey {
        address: "127.66.0.1:22".parse().unwrap(),
        key: key.parse().unwrap(),
    };
    [
        LedgerEntry::HistoryRead {
            found: "1 of 2 operations names a rebuild".to_owned(),
            rebuilds: Some(1),
        },
        LedgerEntry::KeyShown {
            shown: shown.clone(),
        },
        LedgerEntry::Rekeyed { shown },
    ]
}

pub async fn write(
    store: &mut impl Backend,
    lease: &Lease,
    job: &mut QueuedJob,
    entries: impl IntoIterator<Item = LedgerEntry>,
) {
    for entry in entries {
        let step = step(job, entry);
        assert!(store.record(lease, &[&step]).await.unwrap().is_all());
        job.record = step.to;
    }
}

pub async fn stored(store: &mut impl Backend, job: &QueuedJob) -> QueuedJob {
    let jobs = store.jobs_of(job.service).await.unwrap();
    let found = jobs.into_iter().find(|(_, stored)| stored.id == job.id);
    found.unwrap().1
}

pub async fn sound(store: &mut impl Backend) {
    let mut flaws = Vec::new();
    store.check(&mut |flaw| flaws.push(flaw)).await.unwrap();
    assert_eq!(flaws, []);
}
