//! An account in virtual time: drives the run's pure machine through hours of rebuilds in
//! milliseconds, and counts what the API would have been asked.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

use refleet::job::{AccessKind, ImageId, JobId, JobRecord, LedgerEntry, ServiceId, State};
use refleet::queue::QueuedJob;
use refleet::run::backoff::Backoff;
use refleet::run::evidence::Rules;
use refleet::run::machine::{Call, Finished, Machine};
use refleet::run::session::Session;
use refleet::run::{InstanceList, MaxFailures, Now, Options};
use refleet::zomro::{Answer, Image, Instance, Keepalive, Page, Preview, Reply, Sent, Submitted};

/// How long each call takes.
const LATENCY: Duration = Duration::from_millis(200);
/// From the acceptance until the list shows `rebuilding`.
const ACCEPT_LAG: Duration = Duration::from_secs(3);
const IMAGE: &str = "18d0ee2e-4d57-4f40-9b56-03c1773b5831";

/// A fleet to rebuild.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    /// Instances.
    pub instances: usize,
    /// `--workers`
    pub workers: usize,
    /// `--rate`
    pub rate_per_s: f64,
    /// How long a rebuild takes.
    pub rebuild: Duration,
    /// Its spread, as a share of it.
    pub jitter: f64,
    /// Rows on a page of the list.
    pub page_rows: usize,
    /// `--poll-interval`
    pub poll_interval: Duration,
    /// The manifest's order is not the list's.
    pub shuffled: bool,
    /// Of all random things.
    pub seed: u64,
}

/// What it took.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Calls of every kind.
    pub calls: usize,
    /// Of these: pages of the list.
    pub pages: usize,
    /// Jobs that were done.
    pub done: usize,
    /// Of these: by having been seen `rebuilding`.
    pub observed: usize,
    /// From an instance being back to its `completed_at`, sorted.
    pub lags: Vec<Duration>,
    /// From the beginning to the end of the run.
    pub makespan: Duration,
}

impl Cost {
    /// The median lag.
    pub fn median_lag(&self) -> Duration {
        self.lags
            .get(self.lags.len() / 2)
            .copied()
            .unwrap_or_default()
    }
}

struct Virtual {
    service: ServiceId,
    /// When it shows `rebuilding`, and when it is back.
    rebuild: Option<(Duration, Duration)>,
}

/// Rebuilds all of `scene`.
pub fn rebuild_all(scene: Scene) -> Cost {
    let mut random = fastrand::Rng::with_seed(scene.seed);
    let image: ImageId = IMAGE.parse().expect("an image id");
    let mut account: Vec<Virtual> = (0..scene.instances)
        .map(|index| Virtual {
            service: service(index),
            rebuild: None,
        })
        .collect();
    let mut order: Vec<usize> = (0..scene.instances).collect();
    if scene.shuffled {
        random.shuffle(&mut order);
    }
    let places: HashMap<ServiceId, usize> = account
        .iter()
        .enumerate()
        .map(|(index, known)| (known.service, index))
        .collect();
    let mut jobs: Vec<QueuedJob> = order
        .iter()
        .zip(1..)
        .map(|(&index, line)| QueuedJob {
            id: JobId(line),
            line: line.unsigned_abs(),
            service: account[index].service,
            image,
            zone: None,
            access: AccessKind::Image,
            ssh_key: None,
            password: None,
            note: None,
            record: JobRecord::queued(),
        })
        .collect();

    let began = Instant::now();
    let unix_ms = refleet::time::now_ms();
    let at = |offset: Duration| Now {
        at: began + offset,
        unix_ms: unix_ms + ms(offset),
    };
    let mut now = Duration::ZERO;
    let mut machine = Machine::new(
        options(&scene),
        scene.instances as u64,
        Session::new(false, 1, began),
        InstanceList::default(),
        scene.seed,
        at(now),
    );
    let mut cost = Cost {
        calls: 0,
        pages: 0,
        done: 0,
        observed: 0,
        lags: Vec::new(),
        makespan: Duration::ZERO,
    };
    let mut under_way: BinaryHeap<Reverse<(Duration, usize)>> = BinaryHeap::new();
    let mut calls: Vec<Option<(Duration, Call)>> = Vec::new();
    loop {
        while let Some(&Reverse((due, number))) = under_way.peek()
            && due <= now
        {
            under_way.pop();
            let (asked, call) = calls[number].take().expect("each call ends once");
            let finished = answer(&scene, &mut account, &places, &mut random, asked, call, &at);
            machine.finished(finished, at(now));
        }
        if machine.wants_order() {
            let order: Vec<_> = jobs.iter().map(|job| (job.id, job.service)).collect();
            assert!(machine.check_order(&order).is_empty(), "all are listed");
        }
        while let Some((limit, until_ms)) = machine.wants_jobs(at(now)) {
            let due: Vec<QueuedJob> = jobs
                .iter()
                .filter(|job| {
                    job.record.state == State::Queued && job.record.not_before_ms <= until_ms
                })
                .take(limit)
                .cloned()
                .collect();
            let exhausted = due.len() < limit;
            machine.supplied(due, exhausted, None, at(now));
        }
        let tick = machine.tick(at(now));
        machine.take_events();
        for step in tick.steps {
            let transition = step.transition;
            let place = usize::try_from(transition.job.0 - 1).expect("a small number");
            jobs[place].record = transition.to.clone();
            if let LedgerEntry::Completed { evidence, .. } = transition.entry {
                cost.done += 1;
                cost.observed += usize::from(evidence == refleet::job::Evidence::Observed);
                let (_, back) = account[places[&step.service]]
                    .rebuild
                    .expect("it was rebuilt");
                let lag_ms = transition.at_ms - unix_ms - ms(back);
                cost.lags
                    .push(Duration::from_millis(lag_ms.max(0).unsigned_abs()));
            }
        }
        for call in tick.calls {
            cost.calls += 1;
            cost.pages += usize::from(matches!(call, Call::Page(_)));
            under_way.push(Reverse((now + LATENCY, calls.len())));
            calls.push(Some((now, call)));
        }
        if machine.is_over() {
            break;
        }
        if machine.wants_jobs(at(now)).is_some() {
            continue;
        }
        let wake = machine
            .wake_at(began + now)
            .saturating_duration_since(began);
        let next = under_way
            .peek()
            .map_or(wake, |Reverse((due, _))| wake.min(*due));
        // Something must move, however the machine counts.
        now = next.max(now + Duration::from_millis(1));
    }
    cost.lags.sort_unstable();
    cost.makespan = now;
    cost
}

fn answer(
    scene: &Scene,
    account: &mut [Virtual],
    places: &HashMap<ServiceId, usize>,
    random: &mut fastrand::Rng,
    asked: Duration,
    call: Call,
    at: &impl Fn(Duration) -> Now,
) -> Finished {
    let answered = at(asked + LATENCY);
    // What the server sees is half a call old.
    let seen = asked + LATENCY / 2;
    match call {
        Call::Login => Finished::Login(Ok(1)),
        Call::Keepalive => Finished::Keepalive(Keepalive::Alive),
        Call::Whoami => Finished::Whoami(Keepalive::Alive),
        Call::Page(number) => {
            let page = page(scene, account, number, seen);
            Finished::Page(number, Ok(reply(page, at(asked), answered)))
        }
        Call::Preview(id, service) => {
            let name = "Debian-13".to_owned();
            let images = vec![Image {
                id,
                name,
                zone: Some("pub".to_owned()),
            }];
            let preview = Preview {
                images,
                ssh_keys: Vec::new(),
            };
            Finished::Preview(id, service, Ok(reply(preview, at(asked), answered)))
        }
        Call::Submit(_, rebuild) => {
            let spread = 1.0 + scene.jitter * (2.0 * random.f64() - 1.0);
            let begun = seen + ACCEPT_LAG;
            let known = &mut account[places[&rebuild.service]];
            known.rebuild = Some((begun, seen + scene.rebuild.mul_f64(spread)));
            let sent = at(asked);
            let submitted = Submitted {
                generation: 1,
                sent: Some(Sent {
                    at_ms: sent.unix_ms,
                    at: sent.at,
                }),
                answered_ms: answered.unix_ms,
                answered_at: answered.at,
                answer: Answer::Accepted,
                pause: None,
            };
            Finished::Submit(rebuild.service, Box::new(submitted))
        }
    }
}

fn page(scene: &Scene, account: &[Virtual], number: u32, seen: Duration) -> Page {
    let first = (number as usize - 1) * scene.page_rows;
    let rows = account.iter().skip(first).take(scene.page_rows);
    let instances: Vec<Instance> = rows
        .map(|known| {
            let (status, image) = match known.rebuild {
                Some((begun, back)) if seen >= begun && seen < back => ("rebuilding", "CentOS-7"),
                Some((_, back)) if seen >= back => ("active", "Debian-13"),
                Some(_) | None => ("active", "CentOS-7"),
            };
            Instance {
                service: known.service,
                status: status.to_owned(),
                image: Some(image.to_owned()),
                name: None,
                ip: None,
            }
        })
        .collect();
    Page {
        number,
        per_page: u32::try_from(scene.page_rows).ok(),
        total: account.len() as u64,
        rows: instances.len() as u64,
        instances,
    }
}

fn reply<T>(value: T, asked: Now, answered: Now) -> Reply<T> {
    Reply {
        value,
        generation: 1,
        requested_at: asked.at,
        answered_at: answered.at,
        answered_ms: answered.unix_ms,
    }
}

fn options(scene: &Scene) -> Options {
    Options {
        workers: scene.workers,
        rate_per_s: scene.rate_per_s,
        retries: 5,
        backoff: Backoff {
            initial: Duration::from_secs(1),
            max: Duration::from_mins(1),
        },
        outage_timeout: Duration::from_mins(30),
        rules: Rules {
            settle: Duration::from_mins(5),
            poll_interval: scene.poll_interval,
            unseen_after: Duration::from_mins(10),
            rebuild_timeout: Duration::from_hours(1),
            silence_counts: true,
        },
        max_failures: MaxFailures::Percent(100),
        no_wait: false,
        stale: false,
    }
}

fn service(index: usize) -> ServiceId {
    let id = 5_000_000 + i64::try_from(index).expect("a small number");
    ServiceId::new(id).expect("a positive number")
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("not beyond the end of time")
}
