//! The queue against a real SQLite file: what is written is what the ledger says, and what the
//! rules forbid is refused by the database too.

use std::collections::HashSet;
use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use refleet::job::{
    Access, Action, Baseline, BatchId, ControlEntry, Evidence, Executed, Expected, Failure,
    HookEnd, HookExit, HookRunner, HookStep, InstanceStatus, Instruction, JobRecord, LedgerEntry,
    NewJob, Order, Rebuild, State, Task, Transition, Verdict,
};
use refleet::queue::{
    Admission, Conflict, DonePolicy, EnqueueError, EnqueuePolicy, Enqueued, Lease, Live, NewBatch,
    NewRun, Open, OpenError, QueuedJob, Selection, SqliteQueue, Store as _, Unfit,
};
use secrecy::SecretString;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

const IMAGE: &str = "18d0ee2e-4d57-4f40-9b56-03c1773b5831";
const NOW_MS: i64 = 1_795_399_200_000;

struct Fixture {
    _folder: tempfile::TempDir,
    path: PathBuf,
    queue: SqliteQueue,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/refleet.db");
    let queue = SqliteQueue::open_for_load(&path).await.unwrap();
    Fixture {
        _folder: folder,
        path,
        queue,
    }
}

fn row(line: u64, service: u64) -> NewJob {
    NewJob {
        line,
        service: service.to_string().parse().unwrap(),
        order: Order::Rebuild(Rebuild {
            image: IMAGE.parse().unwrap(),
            zone: None,
            access: Access::Password(SecretString::from("Mypassword1")),
        }),
        expected: Expected::default(),
        group: None,
        ssh_port: None,
        note: None,
    }
}

async fn load(
    queue: &mut SqliteQueue,
    identity: u8,
    services: &[u64],
    policy: EnqueuePolicy,
) -> Result<Enqueued, EnqueueError<Infallible>> {
    let mut line = 1;
    let rows: Vec<NewJob> = services
        .iter()
        .map(|&service| {
            line += 1;
            row(line, service)
        })
        .collect();
    let batch = NewBatch {
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
    };
    queue
        .enqueue(&batch, policy, &mut rows.into_iter().map(Ok))
        .await
}

async fn ready(queue: &mut SqliteQueue, batch: BatchId) -> Vec<QueuedJob> {
    queue
        .ready(batch, NOW_MS, 1000, &Admission::default())
        .await
        .unwrap()
        .jobs
}

fn intent() -> LedgerEntry {
    LedgerEntry::Intent {
        task: Task::Rebuild {
            zone: "pub".to_owned(),
            target: Some("AlmaLinux-8".to_owned()),
        },
        baseline: Some(Baseline {
            image: Some("Debian-12".to_owned()),
            status: InstanceStatus::Active,
            age_ms: 5,
            name: None,
            ip: None,
            host_key: None,
            own_image: false,
        }),
    }
}

async fn begin(queue: &mut SqliteQueue, batch: BatchId) -> Lease {
    let run = NewRun {
        batch,
        started_ms: NOW_MS,
        options: serde_json::json!({}),
    };
    queue.acquire(&run).await.unwrap()
}

async fn step(queue: &mut SqliteQueue, lease: &Lease, job: &mut QueuedJob, entry: LedgerEntry) {
    let step = Transition::new(job.id, job.record.clone(), entry, NOW_MS).unwrap();
    assert!(queue.record(lease, &[&step]).await.unwrap().is_all());
    job.record = step.to;
}

async fn flaws(queue: &mut SqliteQueue) -> Vec<String> {
    let mut found = Vec::new();
    queue
        .check(&mut |flaw| found.push(format!("{}: {}", flaw.subject(), flaw.what)))
        .await
        .unwrap();
    found
}

#[tokio::test]
async fn a_manifest_becomes_queued_jobs_in_its_order() {
    let mut fixture = fixture().await;
    let queue = &mut fixture.queue;
    let enqueued = load(queue, 1, &[30, 10, 20], EnqueuePolicy::default())
        .await
        .unwrap();
    let batch = enqueued.batch.unwrap();
    let jobs = ready(queue, batch).await;
    assert_eq!(
        jobs.iter().map(|job| job.service.get()).collect::<Vec<_>>(),
        [30, 10, 20]
    );
    assert!(
        jobs.iter()
            .all(|job| job.record == JobRecord::queued() && job.order.with_secret().is_some())
    );
    assert_eq!(queue.batches().await.unwrap()[0].counts.queued, 3);
    assert_eq!(flaws(queue).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_step_whose_job_has_moved_meanwhile_is_reported_and_not_forced() {
    let mut fixture = fixture().await;
    let queue = &mut fixture.queue;
    let batch = load(queue, 1, &[1, 2], EnqueuePolicy::default())
        .await
        .unwrap()
        .batch
        .unwrap();
    let jobs = ready(queue, batch).await;
    let lease = begin(queue, batch).await;
    let cancelled = queue
        .command(
            batch,
            &Selection::Services(vec![jobs[0].service]),
            &[State::Queued],
            &|_, _| Ok(LedgerEntry::Cancelled),
            NOW_MS,
        )
        .await
        .unwrap();
    assert_eq!(cancelled.changed, [jobs[0].service]);
    let steps: Vec<Transition> = jobs
        .iter()
        .map(|job| Transition::new(job.id, job.record.clone(), intent(), NOW_MS).unwrap())
        .collect();
    let steps: Vec<&Transition> = steps.iter().collect();
    let conflicts = queue.record(&lease, &steps).await.unwrap().conflicts;
    assert_eq!(conflicts, HashSet::from([jobs[0].id]));
    assert!(
        queue
            .history(jobs[0].id)
            .await
            .unwrap()
            .iter()
            .all(|line| line.entry == LedgerEntry::Cancelled)
    );
    // Written again, as after a commit of unknown outcome: nothing moves twice.
    let recorded = queue.record(&lease, &steps).await.unwrap();
    assert_eq!(recorded.conflicts.len(), 2);
    assert_eq!(flaws(queue).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_first_load_ends_in_the_write_ahead_log_also_while_somebody_looks() {
    for looked_at in [false, true] {
        let mut fixture = fixture().await;
        let reader = if looked_at {
            let mut reader = SqliteQueue::open(&fixture.path, Open::Read).await.unwrap();
            assert!(reader.batches().await.unwrap().is_empty());
            Some(reader)
        } else {
            None
        };
        let loaded = load(&mut fixture.queue, 1, &[5, 6], EnqueuePolicy::default()).await;
        assert_eq!(loaded.unwrap().queued, 2);
        let mut after = SqliteQueue::open(&fixture.path, Open::Read).await.unwrap();
        assert_eq!(after.batches().await.unwrap()[0].counts.queued, 2);
        let log = fixture.path.with_extension("db-wal");
        assert!(log.exists(), "looked at: {looked_at}");
        drop(reader);
    }
}

/// The database as a process leaves it that is killed in its first load, pages already written.
async fn cut_off(path: &Path, copy: &Path) {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .unwrap();
    for statement in [
        "PRAGMA journal_mode = TRUNCATE",
        "PRAGMA cache_size = 2",
        "BEGIN IMMEDIATE",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO batch (action, identity, provider, api_url, number, manifest, path, rows, created_ms)
         SELECT 'rebuild', zeroblob(32), 'api.zomro.com', 'https://api.zomro.com/', i, 'fleet.csv', x'2d', '{}', 0 FROM n",
    ] {
        sqlx::query(statement)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    for suffix in ["", "-journal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        std::fs::copy(name(path), name(copy)).unwrap();
    }
}

#[tokio::test]
async fn a_first_load_that_was_killed_is_undone_by_the_next_writer_and_readers_say_so() {
    let Fixture {
        _folder,
        path,
        queue,
    } = fixture().await;
    queue.close().await.unwrap();
    let copy = path.with_file_name("killed.db");
    cut_off(&path, &copy).await;
    let refused = SqliteQueue::open(&copy, Open::Read).await.unwrap_err();
    assert!(refused.to_string().contains("was cut off"), "{refused}");
    let mut queue = SqliteQueue::open_for_load(&copy).await.unwrap();
    assert!(queue.batches().await.unwrap().is_empty());
    let loaded = load(&mut queue, 1, &[5], EnqueuePolicy::default()).await;
    assert_eq!(loaded.unwrap().queued, 1);
}

#[tokio::test]
async fn a_service_has_one_live_job_over_all_batches() {
    let mut fixture = fixture().await;
    let queue = &mut fixture.queue;
    let first = load(queue, 1, &[1, 2], EnqueuePolicy::default())
        .await
        .unwrap()
        .batch
        .unwrap();
    match load(queue, 2, &[2, 3], EnqueuePolicy::default()).await {
        Err(EnqueueError::Conflict(Conflict::Live(live))) => {
            let expected = Live {
                service: "2".parse().unwrap(),
                batch: first,
                is_held: false,
            };
            assert_eq!(live, [expected]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        queue.batches().await.unwrap().len(),
        1,
        "nothing was queued"
    );
}

#[tokio::test]
async fn held_doubts_are_left_out_of_a_new_order_and_done_pairs_are_skipped() {
    let mut fixture = fixture().await;
    let queue = &mut fixture.queue;
    let batch = load(queue, 1, &[1, 2], EnqueuePolicy::default())
        .await
        .unwrap()
        .batch
        .unwrap();
    let mut jobs = ready(queue, batch).await;
    let lease = begin(queue, batch).await;
    step(queue, &lease, &mut jobs[0], intent()).await;
    step(queue, &lease, &mut jobs[0], LedgerEntry::Interrupted).await;
    step(
        queue,
        &lease,
        &mut jobs[0],
        LedgerEntry::Held {
            reason: "no baseline".to_owned(),
        },
    )
    .await;
    step(queue, &lease, &mut jobs[1], intent()).await;
    step(
        queue,
        &lease,
        &mut jobs[1],
        LedgerEntry::Accepted {
            submitted_ms: NOW_MS,
        },
    )
    .await;
    let completed = completed(Evidence::Observed);
    step(queue, &lease, &mut jobs[1], completed).await;

    let leave_out = EnqueuePolicy {
        leave_out_held: true,
        ..EnqueuePolicy::default()
    };
    match load(queue, 2, &[1, 2, 3], leave_out).await {
        Err(EnqueueError::Conflict(Conflict::AlreadyDone(1))) => {}
        other => panic!("{other:?}"),
    }
    let skip = EnqueuePolicy {
        done: DonePolicy::Skip,
        ..leave_out
    };
    let enqueued = load(queue, 2, &[1, 2, 3], skip).await.unwrap();
    assert_eq!((enqueued.queued, enqueued.left_out.done.len()), (1, 1));
    assert_eq!(enqueued.left_out.held, [(jobs[0].service, batch)]);
    let nothing = load(queue, 3, &[2], skip).await.unwrap();
    assert_eq!(nothing.batch, None);
    assert_eq!(queue.batches().await.unwrap().len(), 2);
    assert_eq!(flaws(queue).await, Vec::<String>::new());
}

#[tokio::test]
async fn passwords_are_erased_when_a_job_is_done_and_kept_when_it_failed() {
    let mut fixture = fixture().await;
    let queue = &mut fixture.queue;
    let batch = load(queue, 1, &[1, 2], EnqueuePolicy::default())
        .await
        .unwrap()
        .batch
        .unwrap();
    let mut jobs = ready(queue, batch).await;
    let lease = begin(queue, batch).await;
    for job in &mut jobs {
        step(queue, &lease, job, intent()).await;
    }
    step(
        queue,
        &lease,
        &mut jobs[0],
        LedgerEntry::Accepted {
            submitted_ms: NOW_MS,
        },
    )
    .await;
    let completed = completed(Evidence::Accepted);
    step(queue, &lease, &mut jobs[0], completed).await;
    step(
        queue,
        &lease,
        &mut jobs[1],
        LedgerEntry::Refused {
            failure: Failure::new("value", "zone"),
        },
    )
    .await;
    assert!(
        queue.jobs_of(jobs[0].service).await.unwrap()[0]
            .1
            .order
            .with_secret()
            .is_none()
    );
    assert!(
        queue.jobs_of(jobs[1].service).await.unwrap()[0]
            .1
            .order
            .with_secret()
            .is_some()
    );
    let cancel = Selection::Services(vec![jobs[1].service]);
    queue
        .command(
            batch,
            &cancel,
            &[State::Failed],
            &|_, _| Ok(LedgerEntry::Retried),
            NOW_MS,
        )
        .await
        .unwrap();
    queue
        .command(
            batch,
            &cancel,
            &[State::Queued],
            &|_, _| Ok(LedgerEntry::Cancelled),
            NOW_MS,
        )
        .await
        .unwrap();
    let Fixture {
        _folder,
        path,
        queue,
    } = fixture;
    queue.close().await.unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b"Mypassword1"));
}

#[tokio::test]
async fn the_ledger_cannot_be_changed_and_the_files_are_ours_alone() {
    let fixture = fixture().await;
    let Fixture {
        _folder,
        path,
        mut queue,
    } = fixture;
    let batch = load(&mut queue, 1, &[1], EnqueuePolicy::default())
        .await
        .unwrap()
        .batch
        .unwrap();
    let mut job = ready(&mut queue, batch).await.remove(0);
    let lease = begin(&mut queue, batch).await;
    step(&mut queue, &lease, &mut job, intent()).await;
    let pause = ControlEntry {
        run: None,
        at_ms: 7,
        operator: "anna".to_owned(),
        reason: None,
        instruction: Instruction::Pause,
    };
    assert!(queue.instruct(batch, &pause).await.unwrap());
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        let mode = std::fs::metadata(&name).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name:?}");
    }
    for statement in [
        "UPDATE ledger SET at_ms = 0",
        "DELETE FROM ledger",
        "PRAGMA recursive_triggers = ON; REPLACE INTO ledger SELECT * FROM ledger",
        "UPDATE control SET at_ms = 0",
        "DELETE FROM control",
        "PRAGMA recursive_triggers = ON; REPLACE INTO control SELECT * FROM control",
        "UPDATE job SET state = 'done'",
        "UPDATE job SET state = 'queued', completed_ms = 1",
        "UPDATE job SET held = 1",
        "UPDATE job SET line = line + 1",
    ] {
        let output = std::process::Command::new("sqlite3")
            .arg(&path)
            .arg(statement)
            .output();
        let Ok(output) = output else { return }; // no sqlite3 here: the triggers are tested elsewhere
        assert!(!output.status.success(), "{statement}");
    }
    assert_eq!(flaws(&mut queue).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    assert!(matches!(
        SqliteQueue::open(&path, Open::Read).await,
        Err(OpenError::NotFound { .. })
    ));
    assert!(!path.exists(), "a reader creates nothing");
    std::fs::write(
        &path,
        "not a database, but long enough to have a header of its own".repeat(20),
    )
    .unwrap();
    assert!(matches!(
        SqliteQueue::open_for_load(&path).await,
        Err(OpenError::Foreign { .. })
    ));
    assert_eq!(
        path.metadata().unwrap().permissions().mode() & 0o777,
        0o644,
        "what is not ours is nobody's to close"
    );
    assert!(matches!(
        SqliteQueue::open_for_load(folder.path()).await,
        Err(OpenError::Unfit(Unfit::Directory { .. }))
    ));
}

fn completed(evidence: Evidence) -> LedgerEntry {
    LedgerEntry::Completed {
        evidence,
        status: InstanceStatus::Active,
        image: None,
        remark: None,
        hook: false,
    }
}

fn any_hook_step() -> impl Strategy<Value = HookStep> {
    let runner = || HookRunner {
        host: "alpha".to_owned(),
        pid: 7,
        kernel: None,
        started: None,
        until_ms: NOW_MS,
    };
    let ended = |code: i32, again| HookStep::Ended {
        end: HookEnd {
            how: HookExit::Code(code),
            said: "a \"word\"".to_owned(),
        },
        again,
    };
    prop_oneof![
        Just(HookStep::Started {
            runner: runner(),
            by_word: false
        }),
        Just(HookStep::Started {
            runner: runner(),
            by_word: true
        }),
        Just(ended(1, true)),
        Just(ended(1, false)),
        Just(ended(0, false)),
        Just(HookStep::Forgotten),
    ]
}

fn any_entry() -> impl Strategy<Value = LedgerEntry> {
    let failure = || Failure::new("reset", "connection reset");
    prop_oneof![
        4 => Just(intent()),
        2 => Just(LedgerEntry::NotExecuted { failure: failure(), not_before_ms: 7 }),
        1 => Just(LedgerEntry::Refused { failure: failure() }),
        3 => Just(LedgerEntry::Accepted { submitted_ms: NOW_MS }),
        3 => Just(LedgerEntry::Unknown { failure: failure(), submitted_ms: Some(NOW_MS) }),
        1 => Just(LedgerEntry::Interrupted),
        2 => Just(LedgerEntry::Sighted { status: InstanceStatus::Rebuilding, image: None }),
        2 => Just(LedgerEntry::Completed { evidence: Evidence::Image, status: InstanceStatus::Active, image: None, remark: None, hook: false }),
        1 => Just(LedgerEntry::Completed { evidence: Evidence::Observed, status: InstanceStatus::Active, image: None, remark: Some(failure()), hook: false }),
        1 => Just(LedgerEntry::Broken { failure: failure() }),
        1 => Just(LedgerEntry::Doubted { failure: failure() }),
        1 => Just(LedgerEntry::Disproved { not_before_ms: 9 }),
        1 => Just(LedgerEntry::Exhausted { failure: failure() }),
        1 => Just(LedgerEntry::Held { reason: "nothing more to see".to_owned() }),
        1 => Just(LedgerEntry::HistoryRead { found: "2 of 3 operations name a rebuild".to_owned(), rebuilds: Some(2) }),
        1 => Just(LedgerEntry::Untouched { failure: failure() }),
        1 => Just(LedgerEntry::Resolved { verdict: Verdict::Requeue, reason: "seen".to_owned(), hook: false }),
        1 => Just(LedgerEntry::Resolved { verdict: Verdict::Done, reason: "seen".to_owned(), hook: false }),
        1 => Just(LedgerEntry::Resolved { verdict: Verdict::Failed, reason: "seen".to_owned(), hook: false }),
        1 => Just(LedgerEntry::Access { manifest: "fleet.csv".to_owned() }),
        1 => Just(LedgerEntry::Expects { manifest: "fleet.csv".to_owned() }),
        1 => Just(LedgerEntry::Retried),
        1 => Just(LedgerEntry::Cancelled),
        2 => Just(LedgerEntry::Completed { evidence: Evidence::Image, status: InstanceStatus::Active, image: None, remark: None, hook: true }),
        2 => any_hook_step().prop_map(LedgerEntry::Hook),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is allowed to follow: the constraints accept it, the stored state is the fold of
    /// the ledger, the tally counts it, and a service in doubt is never submitted.
    #[test]
    fn any_legal_history_is_stored_as_its_ledger_folds(
        steps in prop::collection::vec((0..4usize, any_entry()), 1..120)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut fixture = fixture().await;
            let queue = &mut fixture.queue;
            let batch = load(queue, 1, &[1, 2, 3, 4], EnqueuePolicy::default()).await.unwrap().batch.unwrap();
            let mut jobs = ready(queue, batch).await;
            let lease = begin(queue, batch).await;
            let mut written = Vec::new();
            for (job, entry) in steps {
                let job = &mut jobs[job];
                let before = job.record.clone();
                if let Ok(step) = Transition::new(job.id, before.clone(), entry, NOW_MS) {
                    assert!(!(before.state == State::InDoubt && step.to.state == State::Submitting));
                    assert!(before.executed() <= step.to.executed() || before.executed() == Executed::Maybe);
                    job.record = step.to.clone();
                    written.push(step);
                }
            }
            let written: Vec<&Transition> = written.iter().collect();
            for chunk in written.chunks(7) {
                assert!(queue.record(&lease, chunk).await.unwrap().is_all());
            }
            for job in &jobs {
                assert_eq!(queue.jobs_of(job.service).await.unwrap()[0].1.record, job.record);
            }
            assert_eq!(flaws(queue).await, Vec::<String>::new());
        });
    }
}

#[tokio::test]
async fn a_command_on_all_jobs_reaches_each_of_the_batch_and_none_of_another() {
    let mut fixture = fixture().await;
    let queue = &mut fixture.queue;
    let policy = EnqueuePolicy::default();
    // More than one reading's worth, so that the second begins where the first ended.
    let services: Vec<u64> = (1..=1500).collect();
    let first = load(queue, 1, &services, policy).await.unwrap();
    let second = load(queue, 2, &[7001, 7002], policy).await.unwrap();
    let (first, second) = (first.batch.unwrap(), second.batch.unwrap());
    let cancelled = queue
        .command(
            first,
            &Selection::All,
            &[State::Queued],
            &|_, _| Ok(LedgerEntry::Cancelled),
            NOW_MS,
        )
        .await
        .unwrap();
    assert_eq!(cancelled.changed.len(), 1500);
    assert_eq!(ready(queue, first).await.len(), 0);
    assert_eq!(ready(queue, second).await.len(), 2);
    assert_eq!(flaws(queue).await, Vec::<String>::new());
}
