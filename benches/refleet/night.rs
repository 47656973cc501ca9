//! A night in virtual time: drives the run's pure machine through hours of rebuilds in milliseconds, and
//! counts what the API would have been asked, and how long slots stood empty.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use refleet::event::Event;
use refleet::job::{
    Access, AccountId, BatchId, Control, ControlEntry, Counts, Evidence, Expected, Failure,
    ImageId, JobId, JobRecord, LedgerEntry, Order, Owner, Rebuild, RunId, ServiceId, State,
    StoredAccess, Transition,
};
use refleet::queue::{
    Admission, Harm, Lease, Pending, QueuedJob, Ready, Recorded, RolloutProgress, Store,
    StoreError, Strays,
};
use refleet::run::backoff::Backoff;
use refleet::run::driver::{Outside, drive};
use refleet::run::evidence::Rules;
use refleet::run::machine::{Call, Finished, Input, LeftInFlight, Machine, Start};
use refleet::run::session::Session;
use refleet::run::{
    Durations, InstanceList, Now, Options, Rollout, StartOrder, Tolerance, Tolerances, Witnesses,
};
use refleet::zomro::{
    Answer, Image, Instance, Keepalive, Page, Preview, ReadError, Reply, Sent, Submitted,
};

/// How long each call takes.
const LATENCY: Duration = Duration::from_millis(200);
/// From the acceptance until the list shows `rebuilding`.
const ACCEPT_LAG: Duration = Duration::from_secs(3);
const IMAGES: [&str; 2] = [
    "18d0ee2e-4d57-4f40-9b56-03c1773b5831",
    "18d0ee2e-4d57-4f40-9b56-03c1773b5832",
];

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
    /// Every second row gives another image, of which a rebuild takes so long.
    pub other: Option<Duration>,
    /// Earlier runs have shown how long rebuilds take.
    pub has_seen: bool,
    /// How far single ones are from that.
    pub spread: Spread,
    /// Rows on a page of the list.
    pub page_rows: usize,
    /// `--poll-interval`
    pub poll_interval: Duration,
    /// The manifest's order is not the list's.
    pub shuffled: bool,
    /// `--order`
    pub order: StartOrder,
    /// Of so many submissions one does not go through, is executed without an answer, or gets an answer
    /// that tells nothing of a rebuild that is never done; and so many readings fail. 0: none.
    pub fault_of: u32,
    /// The list shows so late what has happened.
    pub list_lag: Duration,
    /// Of all random things.
    pub seed: u64,
}

impl Scene {
    /// Which image this line of the manifest gives.
    fn image_of_line(&self, line: usize) -> usize {
        usize::from(self.other.is_some() && line.is_multiple_of(2))
    }

    /// How long a rebuild with this image takes.
    fn takes(&self, image: usize) -> Duration {
        [self.rebuild, self.other.unwrap_or(self.rebuild)][image]
    }

    /// Which images are given, and by how many rows.
    pub fn images(&self) -> HashMap<ImageId, u64> {
        let mut rows = HashMap::new();
        for line in 1..=self.instances {
            *rows.entry(images()[self.image_of_line(line)]).or_default() += 1;
        }
        rows
    }

    /// What earlier runs have shown.
    pub fn seen(&self) -> Durations {
        let mut durations = Durations::default();
        if self.has_seen {
            for (number, image) in images().into_iter().enumerate() {
                durations.extend([(Some(image), self.takes(number)); 5]);
            }
        }
        durations
    }
}

/// How long rebuilds take, beside the usual time.
#[derive(Debug, Clone, Copy)]
pub enum Spread {
    /// All take it, give or take this share of it.
    Even(f64),
    /// Most take less, and few up to four times as long.
    Skewed,
    /// Two thirds take half of it, one third twice as long.
    Bimodal,
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
    /// What the rebuilds took, all together.
    pub rebuilding: Duration,
    /// What the run told, and when.
    pub told: Vec<(Duration, Event)>,
}

impl Cost {
    /// What so many of a hundred lags did not exceed.
    pub fn lag(&self, percent: usize) -> Duration {
        let place = (self.lags.len() * percent / 100).min(self.lags.len().saturating_sub(1));
        self.lags.get(place).copied().unwrap_or_default()
    }

    /// How much longer it took than the shortest night that workers and rate allow.
    pub fn of_ideal(&self, scene: &Scene) -> f64 {
        let count = |number: usize| f64::from(u32::try_from(number).expect("a few thousand"));
        let (instances, workers) = (count(scene.instances), count(scene.workers));
        let (rebuild_s, rate) = (self.rebuilding.as_secs_f64() / instances, scene.rate_per_s);
        let by_slots_s = instances * rebuild_s / workers + workers / rate;
        let by_calls_s = instances / rate + rebuild_s;
        self.makespan.as_secs_f64() / by_slots_s.max(by_calls_s)
    }
}

struct Virtual {
    service: ServiceId,
    /// When it shows `rebuilding`, and when it is back.
    rebuild: Option<(Duration, Duration)>,
}

/// All that is around the machine.
struct World {
    scene: Scene,
    random: fastrand::Rng,
    instances: Vec<Virtual>,
    /// Where each service stands among them.
    places: HashMap<ServiceId, usize>,
    /// In the manifest's order.
    jobs: Vec<QueuedJob>,
    began: Now,
    now: Duration,
    /// When calls under way end, and which ones they are.
    under_way: BinaryHeap<Reverse<(Duration, usize)>>,
    calls: Vec<Option<(Duration, Call)>>,
    cost: Cost,
}

/// Rebuilds all of `scene`.
pub fn rebuild_all(scene: Scene) -> Cost {
    let mut world = World::new(scene);
    let mut counts = Counts::default();
    *counts.of_mut(State::Queued) = scene.instances as u64;
    let start = Start {
        options: options(&scene),
        counts,
        owner: None,
        session: Session::new(false, 1, world.began.at),
        list: InstanceList::default(),
        in_flight: LeftInFlight::default(),
        failures: Harm::default(),
        durations: scene.seen(),
        control: Control::default(),
        seed: scene.seed,
    };
    let mut machine = Machine::new(start, world.began);
    let lease = Lease::new(BatchId(1), RunId(1), 1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without anything in it");
    let fault = runtime.block_on(drive(&mut machine, &mut world, &lease, Input::Time));
    assert!(fault.is_none(), "this store never fails");
    let mut cost = world.cost;
    cost.lags.sort_unstable();
    cost.makespan = world.now;
    cost
}

impl World {
    fn new(scene: Scene) -> Self {
        let mut random = fastrand::Rng::with_seed(scene.seed);
        let images = images();
        let instances: Vec<Virtual> = (0..scene.instances)
            .map(|index| Virtual {
                service: service(index),
                rebuild: None,
            })
            .collect();
        let mut order: Vec<usize> = (0..scene.instances).collect();
        if scene.shuffled {
            random.shuffle(&mut order);
        }
        let job = |(&index, line): (&usize, usize)| QueuedJob {
            id: JobId::from_stored(i64::try_from(line).expect("a small number")),
            line: line as u64,
            service: instances[index].service,
            order: Order::Rebuild(Rebuild {
                image: images[scene.image_of_line(line)],
                zone: None,
                access: StoredAccess::Known(Access::Image),
            }),
            expected: Expected::default(),
            group: None,
            ssh_port: None,
            note: None,
            record: JobRecord::queued(),
        };
        Self {
            scene,
            random,
            places: (instances.iter().zip(0..))
                .map(|(known, index)| (known.service, index))
                .collect(),
            jobs: order.iter().zip(1..).map(job).collect(),
            instances,
            began: Now::read(),
            now: Duration::ZERO,
            under_way: BinaryHeap::new(),
            calls: Vec::new(),
            cost: Cost {
                calls: 0,
                pages: 0,
                done: 0,
                observed: 0,
                lags: Vec::new(),
                makespan: Duration::ZERO,
                rebuilding: Duration::ZERO,
                told: Vec::new(),
            },
        }
    }

    fn at(&self, offset: Duration) -> Now {
        Now {
            at: self.began.at + offset,
            unix_ms: self.began.unix_ms + ms(offset),
        }
    }

    fn place(&self, job: JobId) -> usize {
        let place = self.jobs.binary_search_by_key(&job, |job| job.id);
        place.expect("it is known")
    }

    fn waiting(&self) -> impl Iterator<Item = &QueuedJob> {
        let jobs = self.jobs.iter();
        jobs.filter(|job| job.record.state == State::Queued)
    }

    fn fails(&mut self) -> bool {
        let of = self.scene.fault_of;
        of > 0 && self.random.u32(0..of) == 0
    }

    /// How long the next rebuild with `image` takes.
    fn takes(&mut self, image: Option<ImageId>) -> Duration {
        let image = images().into_iter().position(|known| Some(known) == image);
        let usual = self.scene.takes(image.expect("one of them"));
        let share = match self.scene.spread {
            Spread::Even(share) => 1.0 + share * (2.0 * self.random.f64() - 1.0),
            Spread::Skewed => 0.7 + 0.3 * -self.random.f64().max(1e-5).ln(),
            Spread::Bimodal if self.random.u8(0..3) == 0 => 2.0,
            Spread::Bimodal => 0.5,
        };
        usual.mul_f64(share)
    }

    fn answer(&mut self, asked: Duration, call: Call) -> Finished {
        let (sent, answered) = (self.at(asked), self.at(asked + LATENCY));
        // What the server sees is half a call old.
        let seen = asked + LATENCY / 2;
        match call {
            Call::Login | Call::Confirm => Finished::Login(Ok(1)),
            Call::Keepalive => Finished::Keepalive(Keepalive::Alive),
            Call::Whoami => Finished::Whoami(Keepalive::Alive),
            Call::Owner => Finished::Owner(Ok(reply(Some(owner()), sent, answered))),
            Call::Page(number) => {
                if self.fails() {
                    return Finished::Page(number, Err(ReadError::Failed(fault())));
                }
                let shown = seen.saturating_sub(self.scene.list_lag);
                let page = page(&self.scene, &self.instances, number, shown);
                Finished::Page(number, Ok(reply(page, sent, answered)))
            }
            Call::LookUp(_) | Call::History(_) => unreachable!("a run looks nothing up"),
            Call::Look(..) => unreachable!("no instance of the night answers SSH"),
            Call::Preview(id, service) => {
                let images = vec![Image {
                    id,
                    name: "Debian-13".to_owned(),
                    zone: Some("pub".to_owned()),
                }];
                let preview = Preview {
                    images,
                    ssh_keys: Vec::new(),
                };
                Finished::Preview(id, service, Ok(reply(preview, sent, answered)))
            }
            Call::Submit(_, rebuild) => {
                let answer = match (self.fails(), self.random.u8(0..3)) {
                    (false, _) => Answer::Accepted,
                    (true, 0) => Answer::NotSent(fault()),
                    (true, _) => Answer::Unknown(fault()),
                };
                let was_sent = !matches!(answer, Answer::NotSent(_));
                if answer == Answer::Accepted || was_sent && self.random.bool() {
                    let takes = self.takes(rebuild.order.image());
                    self.cost.rebuilding += takes;
                    let known = &mut self.instances[self.places[&rebuild.service]];
                    known.rebuild = Some((seen + ACCEPT_LAG, seen + takes));
                }
                let submitted = Submitted {
                    generation: 1,
                    sent: was_sent.then_some(Sent {
                        at_ms: sent.unix_ms,
                        at: sent.at,
                    }),
                    answered_ms: answered.unix_ms,
                    answered_at: answered.at,
                    answer,
                    pause: None,
                };
                Finished::Submit(rebuild.service, Box::new(submitted))
            }
        }
    }
}

impl Outside for World {
    type Store = Self;

    fn store(&mut self) -> &mut Self {
        self
    }

    fn now(&self) -> Now {
        self.at(self.now)
    }

    fn tell(&mut self, event: Event) {
        self.cost.told.push((self.now, event));
    }

    fn call(&mut self, call: Call) {
        self.cost.calls += 1;
        self.cost.pages += usize::from(matches!(call, Call::Page(_)));
        self.under_way
            .push(Reverse((self.now + LATENCY, self.calls.len())));
        self.calls.push(Some((self.now, call)));
    }

    async fn next(&mut self, until: Instant) -> Input {
        let until = until.saturating_duration_since(self.began.at);
        let next = self.under_way.peek();
        let next = next.map_or(until, |Reverse((due, _))| until.min(*due));
        // Something must move, however the machine counts.
        self.now = next.max(self.now + Duration::from_millis(1));
        let mut ended = Vec::new();
        while let Some(&Reverse((due, number))) = self.under_way.peek()
            && due <= self.now
        {
            self.under_way.pop();
            let (asked, call) = self.calls[number].take().expect("each call ends once");
            ended.push(self.answer(asked, call));
        }
        Input::Finished(ended)
    }
}

impl Store for World {
    async fn ready(
        &mut self,
        _: BatchId,
        until_ms: i64,
        limit: usize,
        admission: &Admission,
    ) -> Result<Ready, StoreError> {
        let due = |job: &&QueuedJob| job.record.not_before_ms <= until_ms;
        let jobs: Vec<_> = match &admission.only {
            Some(only) => {
                let jobs = only.iter().map(|job| &self.jobs[self.place(*job)]);
                let queued = jobs.filter(|job| job.record.state == State::Queued);
                queued.filter(due).take(limit).cloned().collect()
            }
            None => self.waiting().filter(due).take(limit).cloned().collect(),
        };
        Ok(Ready {
            is_all: jobs.len() < limit,
            jobs,
            next_ms: None,
        })
    }

    async fn strays(&mut self, _: BatchId) -> Result<Strays, StoreError> {
        Ok(Strays::default())
    }

    async fn rollout(
        &mut self,
        _: BatchId,
        _: Option<NonZeroU32>,
    ) -> Result<RolloutProgress, StoreError> {
        Ok(RolloutProgress::default())
    }

    async fn in_flight(&mut self, _: BatchId, _: &[State]) -> Result<Vec<QueuedJob>, StoreError> {
        Ok(Vec::new())
    }

    async fn failures(&mut self, _: BatchId) -> Result<Harm, StoreError> {
        Ok(Harm::default())
    }

    async fn queued(
        &mut self,
        _: BatchId,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        let from = self.jobs.partition_point(|job| Some(job.id) <= after);
        Ok(self.jobs[from..]
            .iter()
            .take(limit)
            .map(Pending::from)
            .collect())
    }

    async fn queued_jobs(&mut self, _: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
        Ok(Vec::new())
    }

    async fn has_queued(&mut self, _: BatchId) -> Result<bool, StoreError> {
        Ok(self.waiting().next().is_some())
    }

    async fn counts(&mut self, _: BatchId) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        for job in &self.jobs {
            *counts.of_mut(job.record.state) += 1;
        }
        Ok(counts)
    }

    async fn bind(&mut self, _: BatchId, owner: &Owner) -> Result<Owner, StoreError> {
        Ok(owner.clone())
    }

    async fn control(
        &mut self,
        _: BatchId,
        _: i64,
    ) -> Result<Vec<(i64, ControlEntry)>, StoreError> {
        Ok(Vec::new())
    }

    async fn record(&mut self, _: &Lease, steps: &[&Transition]) -> Result<Recorded, StoreError> {
        for step in steps {
            let place = self.place(step.job);
            let job = &mut self.jobs[place];
            job.record = step.to.clone();
            if let LedgerEntry::Completed { evidence, .. } = step.entry {
                self.cost.done += 1;
                self.cost.observed += usize::from(evidence == Evidence::Observed);
                let known = &self.instances[self.places[&job.service]];
                let (_, back) = known.rebuild.expect("it was rebuilt");
                let lag_ms = step.at_ms - self.began.unix_ms - ms(back);
                self.cost
                    .lags
                    .push(Duration::from_millis(lag_ms.max(0).unsigned_abs()));
            }
        }
        Ok(Recorded::default())
    }
}

fn fault() -> Failure {
    Failure::new("timeout", "no answer within 60 s")
}

fn images() -> [ImageId; 2] {
    IMAGES.map(|id| id.parse().expect("an image id"))
}

fn owner() -> Owner {
    Owner {
        id: AccountId::new("70001"),
        label: None,
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
                status: status.into(),
                image: Some(image.to_owned()),
                name: None,
                ip: None,
                datacenter: None,
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
            request_timeout: Duration::from_mins(1),
            silence_counts: true,
            hooks: false,
            retries: 5,
        },
        tolerances: Tolerances {
            failures: Tolerance::Percent(100),
            mismatches: Tolerance::Percent(100),
        },
        rollout: Rollout {
            order: scene.order,
            ..Rollout::default()
        },
        witnesses: Witnesses::default(),
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
