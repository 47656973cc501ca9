//! The machine in a world of the tests' own: what must hold at every instant, whatever goes wrong,
//! and what each kind of answer leads to.

mod calls;
mod control;
mod endings;
mod holds;
mod host_keys;
mod owner;
mod pins;
mod readings;
mod sequence;
mod sessions;
mod ssh;
mod window;
mod world;

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use crate::job::{Instruction, Limits, Tolerance};
use crate::run::{Halt, StartOrder};
use crate::time::{self, Window};
use ssh::Trap;
use world::{Chances, Fate, NEW, OWNER, Oddities, SECOND, World, options, service};

/// A world in which things go wrong by themselves.
#[derive(Debug, Clone)]
struct Weather {
    jobs: u64,
    workers: usize,
    rate_per_s: f64,
    max_failures: Tolerance,
    no_wait: bool,
    page_size: usize,
    shifts: usize,
    list_lag_s: u64,
    chances: Chances,
    can_login: bool,
    owners: Owners,
    /// Seconds after which the process dies, and for how long it is dead.
    crashes: Vec<(u64, u64)>,
    /// Instances that cannot be rebuilt, or are not listed, for a while.
    odd: Vec<(u64, u8, u64)>,
    /// When, and for how long, nothing gets through.
    outage: Option<(u64, u64)>,
    /// When, and for how long, the process stands still (false) or the machine sleeps (true).
    sleeps: Vec<(u64, u64, bool)>,
    oddities: Oddities,
    /// Each job expects its instance as it is at first, and so many of them may be otherwise.
    pinned: Option<Tolerance>,
    /// Instances that get another address, and after how many seconds.
    moved: Vec<(u64, u64)>,
    /// The minutes of the day from and to which work is allowed.
    window: Option<(u64, u64)>,
    /// How many seconds rebuilds of earlier batches took.
    before_s: Vec<u64>,
    /// What operators say, and after how many seconds, the earliest first.
    said: Vec<(u64, Instruction)>,
    /// So many go first.
    canary: Option<NonZeroU32>,
    /// Each job is in one of so many groups, of which so many may be down.
    groups: Option<(u64, NonZeroU32)>,
    /// The instances answer SSH, honestly or not.
    ssh: Option<Trap>,
    seed: u64,
}

/// What an operator says: a pause comes with its `go`.
fn said() -> impl Strategy<Value = Vec<(u64, Instruction)>> {
    let max_failures = prop_oneof![
        1 => Just(Tolerance::Percent(100)),
        2 => (1..6u64).prop_map(Tolerance::Jobs),
    ];
    let limits = (
        prop::option::of(1..8usize),
        prop::option::of(prop_oneof![Just(0.0), 0.2..5.0]),
        prop::option::weighted(0.3, max_failures),
    )
        .prop_map(|(workers, rate_per_s, max_failures)| Limits {
            workers,
            rate_per_s,
            max_failures,
        });
    let one = prop_oneof![
        3 => (0..900u64, 0..2000u64).prop_map(|(at, lasts)| vec![
            (at, Instruction::Pause),
            (at + lasts, Instruction::Go),
        ]),
        1 => (0..900u64).prop_map(|at| vec![(at, Instruction::Drain)]),
        1 => (0..2000u64).prop_map(|at| vec![(at, Instruction::Release)]),
        3 => (0..900u64, limits).prop_map(|(at, limits)| vec![(at, Instruction::Set(limits))]),
    ];
    prop::collection::vec(one, 0..4).prop_map(|said| {
        let mut said = said.concat();
        said.sort_by_key(|(at, _)| *at);
        said
    })
}

/// Whose the sessions are, and how long it takes to learn that.
#[derive(Debug, Clone)]
struct Owners {
    first: Option<&'static str>,
    later: Vec<Option<&'static str>>,
    lag_s: u64,
    /// Of the batch, before its first run.
    bound: bool,
}

fn owners() -> impl Strategy<Value = Owners> {
    let one = || prop_oneof![4 => Just(Some(OWNER)), 1 => Just(None), 1 => Just(Some("4712"))];
    (
        one(),
        prop::collection::vec(one(), 0..4),
        prop_oneof![2 => Just(0), 1 => 0..300u64],
        any::<bool>(),
    )
        .prop_map(|(first, later, lag_s, bound)| Owners {
            first,
            later,
            lag_s,
            bound,
        })
}

type Rollout = (Option<NonZeroU32>, Option<(u64, NonZeroU32)>);

fn rollout() -> impl Strategy<Value = Rollout> {
    let few = || (1..4u32).prop_filter_map("none", NonZeroU32::new);
    (
        prop::option::weighted(0.3, few()),
        prop::option::weighted(0.4, (1..6u64, few())),
    )
}

/// Each breaks an assumption of the argument why silence proves anything.
fn oddities() -> impl Strategy<Value = Oddities> {
    let interval = || (0..1500u64, 0..3000u64).prop_map(|(from, lasts)| (from, from + lasts));
    (
        prop::collection::vec(interval(), 0..2),
        prop::option::weighted(0.3, (1..4usize, interval())),
        prop_oneof![3 => Just(0), 1 => 0..200u64],
        prop::option::weighted(
            0.3,
            prop_oneof![
                Just("NEW!"),
                Just("the new one"),
                Just("n\u{fffd}w"),
                Just("old")
            ],
        ),
        prop::option::weighted(0.1, (1..20u64).prop_map(service)),
    )
        .prop_map(
            |(frozen_s, frozen_page, page_lag_s, new_name, twice)| Oddities {
                frozen_s,
                frozen_page_s: frozen_page.map(|(page, (from, until))| (page, from, until)),
                page_lag_s,
                new_name,
                twice,
            },
        )
}

/// Those of which no assumption that is accepted has to hold: see `evidence::host_keys`.
fn trap() -> impl Strategy<Value = Trap> {
    let minute = Duration::from_mins(1);
    prop::sample::select(vec![
        Trap::Baked,
        Trap::Restored(Duration::ZERO),
        Trap::Restored(minute),
        Trap::Gateway,
        Trap::Silent,
        Trap::OtherKind,
    ])
}

#[expect(
    clippy::too_many_lines,
    reason = "a table of chances, and the struct that they fill"
)]
fn weather() -> impl Strategy<Value = Weather> {
    let share = |most: f64| prop_oneof![2 => Just(0.0), 3 => 0.0..most];
    let chances = (
        share(0.5),
        share(0.3),
        share(0.2),
        share(0.3),
        share(0.4),
        share(0.05),
        share(0.3),
        prop_oneof![3 => Just(0.0), 1 => 0.0..0.01],
        prop_oneof![3 => Just(0.0), 1 => 0.0..0.3],
        prop_oneof![2 => Just(0.0), 1 => 0.0..0.5],
        prop_oneof![3 => Just(0.0), 1 => 0.0..0.1],
        prop_oneof![4 => Just(0.0), 1 => 0.0..0.05],
    )
        .prop_map(
            |(
                unknown,
                not_sent,
                slow_down,
                refused,
                read_fails,
                session_ends,
                broken,
                operator,
                ignored,
                late_name,
                busy,
                store_fails,
            )| {
                Chances {
                    unknown,
                    not_sent,
                    slow_down,
                    refused,
                    read_fails,
                    session_ends,
                    broken,
                    operator,
                    ignored,
                    late_name,
                    busy,
                    store_fails,
                }
            },
        );
    let max_failures = prop_oneof![
        1 => Just(Tolerance::Percent(100)),
        2 => (1..6u64).prop_map(Tolerance::Jobs),
    ];
    let tolerance = prop_oneof![
        1 => Just(Tolerance::Percent(100)),
        3 => (1..4u64).prop_map(Tolerance::Jobs),
    ];
    let pins = (
        prop::option::weighted(0.4, tolerance),
        prop::collection::vec((1..20u64, prop_oneof![Just(0), 0..900u64]), 0..5),
    );
    (
        (
            1..20u64,
            1..8usize,
            prop_oneof![Just(0.0), 0.2..5.0],
            max_failures,
        ),
        (prop::bool::weighted(0.15), 1..30usize, 0..4usize, 0..20u64),
        (chances, prop::bool::weighted(0.8)),
        prop_oneof![
            2 => Just(Owners { first: Some(OWNER), later: Vec::new(), lag_s: 0, bound: false }),
            1 => owners(),
        ],
        prop::collection::vec((0..600u64, 0..3000u64), 0..3),
        prop::collection::vec((1..20u64, 0..4u8, 0..1500u64), 0..4),
        prop::option::weighted(0.2, (0..600u64, 0..700u64)),
        prop::collection::vec((0..900u64, 0..5000u64, any::<bool>()), 0..2),
        (pins, rollout()),
        prop_oneof![2 => Just(Oddities::default()), 3 => oddities()],
        // The world begins at two o'clock.
        prop::option::weighted(
            0.4,
            (60..150u64, 5..120u64).prop_map(|(from, lasts)| (from, from + lasts)),
        ),
        (
            prop::collection::vec(1..2400u64, 0..9),
            prop_oneof![2 => Just(Vec::new()), 1 => said()],
            prop::option::of(prop_oneof![2 => Just(Trap::Honest), 1 => trap()]),
            any::<u64>(),
        ),
    )
        .prop_map(
            |(
                (jobs, workers, rate_per_s, max_failures),
                (no_wait, page_size, shifts, list_lag_s),
                (chances, can_login),
                owners,
                crashes,
                odd,
                outage,
                sleeps,
                ((pinned, moved), (canary, groups)),
                oddities,
                window,
                (before_s, said, ssh, seed),
            )| Weather {
                jobs,
                workers,
                rate_per_s,
                max_failures,
                no_wait,
                page_size,
                shifts,
                list_lag_s,
                chances,
                can_login,
                owners,
                crashes,
                odd,
                outage,
                sleeps,
                // A page that shifts shows an instance as it was earlier than the page before did.
                oddities: Oddities {
                    page_lag_s: if shifts == 0 { oddities.page_lag_s } else { 0 },
                    frozen_page_s: oddities.frozen_page_s.filter(|_| shifts == 0),
                    ..oddities
                },
                pinned: pinned.filter(|_| !no_wait),
                moved,
                window,
                before_s,
                said,
                // What reads no list never sees an instance come back: the command line refuses it.
                canary: canary.filter(|_| !no_wait),
                groups: groups.filter(|_| !no_wait),
                ssh: ssh.filter(|_| !no_wait),
                seed,
            },
        )
}

impl Weather {
    fn world(&self) -> World {
        let mut options = options();
        options.workers = self.workers;
        options.rate_per_s = self.rate_per_s;
        options.tolerances.failures = self.max_failures;
        options.no_wait = self.no_wait;
        options.witnesses.history = self
            .seed
            .is_multiple_of(3)
            .then(|| "service.history".parse().unwrap());
        options.rollout.window = self.window.map(|(from, to)| Window {
            hours: format!(
                "{:02}:{:02}-{:02}:{:02}",
                from / 60,
                from % 60,
                to / 60,
                to % 60
            )
            .parse()
            .unwrap(),
            zone: "UTC".parse().unwrap(),
        });
        options.rollout.canary = self.canary;
        options.rollout.order = [StartOrder::Auto, StartOrder::List][(self.seed % 2) as usize];
        if let Some((_, max_per_group)) = self.groups {
            options.rollout.max_per_group = max_per_group;
        }
        options.tolerances.mismatches = self.pinned.unwrap_or(options.tolerances.mismatches);
        let mut world = World::new(self.jobs, options);
        if let Some(trap) = self.ssh {
            world = world.with_ssh(trap);
        }
        if !self.can_login {
            world = world.with_bare_token();
        }
        world.owner = self.owners.first;
        world.later_owners = self.owners.later.iter().copied().collect();
        world.owner_lag = Duration::from_secs(self.owners.lag_s);
        let image = NEW.parse().ok();
        let before_s = self.before_s.iter();
        world.took_before(before_s.map(|s| (image, Duration::from_secs(*s))).collect());
        world.belongs_to(self.owners.bound.then_some(OWNER));
        if let Some((groups, _)) = self.groups {
            world.group(groups);
        }
        if world.options.rollout.order == StartOrder::List {
            world.turn_the_list();
        }
        world.random = fastrand::Rng::with_seed(self.seed);
        world.chances = self.chances.clone();
        world.page_size = self.page_size;
        world.shifts = self.shifts;
        world.list_lag = Duration::from_secs(self.list_lag_s);
        world.oddities = self.oddities.clone();
        if self.pinned.is_some() {
            world.pin();
        }
        world
    }

    fn set_up_the_odd(&self, world: &mut World) {
        for &(number, kind, _) in &self.odd {
            let number = 1 + number % self.jobs;
            match kind {
                0 => world.list(number, false),
                1 => world.show(number, "starting", "old"),
                2 => world.show(number, "error", "old"),
                _ => world.truth(number).always = Some(Fate::Unauthorized),
            }
        }
    }

    fn fall_asleep(world: &mut World, sleeps: &mut Vec<(u64, u64, bool)>) {
        sleeps.retain(|&(from, lasts, whole_machine)| {
            let is_due = (from..from + 60).contains(&world.elapsed().as_secs());
            let lasts = Duration::from_secs(lasts);
            world.stood_still |= is_due;
            match (is_due, whole_machine) {
                (true, true) => world.sleep(lasts),
                (true, false) => world.pass(lasts),
                (false, _) => {}
            }
            !is_due
        });
    }

    fn clear_up(&self, world: &mut World) {
        for &(number, seconds) in &self.moved {
            if self.pinned.is_some() && world.elapsed() >= Duration::from_secs(seconds) {
                world.give_address(1 + number % self.jobs, "192.0.2.200");
            }
        }
        for &(number, kind, seconds) in &self.odd {
            let number = 1 + number % self.jobs;
            if world.elapsed() < Duration::from_secs(seconds) {
                continue;
            }
            match kind {
                0 => world.list(number, true),
                1 if world
                    .truth(number)
                    .shown
                    .last()
                    .is_some_and(|last| last.status == "starting") =>
                {
                    world.show(number, "active", "old");
                }
                _ => {}
            }
        }
    }
}

proptest! {
    /// The bounds hold at every instant, no service is wiped twice, nothing is sent without an
    /// intent, what may start starts, and every run ends with everything settled: `World::turn`
    /// and `World::run` check it, through losses, refusals, outages, crashes and meddling.
    #[test]
    fn whatever_goes_wrong_the_invariants_hold_and_the_run_ends(weather in weather()) {
        let mut world = weather.world();
        let mut unsaid = weather.said.clone();
        weather.set_up_the_odd(&mut world);
        for &(after, pause) in &weather.crashes {
            let until = world.now.at + Duration::from_secs(after);
            drive(&weather, &mut world, &mut unsaid, Some(until));
            world.crash(Duration::from_secs(pause));
        }
        drive(&weather, &mut world, &mut unsaid, None);
        world.check_end();
        // The nights after this one, and the runs after those that somebody has had wait; what never fits
        // into a window is left over.
        for _ in 0..9 {
            match world.machine.halt() {
                Some(Halt::WindowClosed { opens_ms, .. }) => {
                    let closed = time::between(world.now.unix_ms, *opens_ms);
                    world.crash(closed);
                }
                Some(Halt::Paused { .. } | Halt::Drained { .. }) => {
                    world.lift_the_pause();
                    world.crash(SECOND);
                }
                _ => break,
            }
            drive(&weather, &mut world, &mut unsaid, None);
            world.check_end();
        }
        // A disk that fails ends one process, and the next one has to know what became of it.
        if world.machine.lost_its_store() {
            world.chances.store_fails = 0.0;
            world.lift_the_pause();
            world.crash(SECOND);
            drive(&weather, &mut world, &mut Vec::new(), None);
            world.check_end();
        }
    }
}

/// Works until `until`, or the end.
fn drive(
    weather: &Weather,
    world: &mut World,
    unsaid: &mut Vec<(u64, Instruction)>,
    until: Option<std::time::Instant>,
) {
    let mut asleep = weather.sleeps.clone();
    while !world.is_over() && until.is_none_or(|until| world.now.at < until) {
        world.down = weather.outage.is_some_and(|(from, lasts)| {
            let elapsed = world.elapsed().as_secs();
            elapsed >= from && elapsed < from + lasts
        });
        weather.clear_up(world);
        let now_s = world.elapsed().as_secs();
        let due = unsaid.partition_point(|(at, _)| *at <= now_s);
        for (_, instruction) in unsaid.drain(..due) {
            world.say(instruction);
        }
        Weather::fall_asleep(world, &mut asleep);
        let stop = world.now.at + 5 * SECOND;
        world.run_until(|world| world.now.at >= stop);
        // Time goes on, however short the turn was.
        if world.now.at < stop && !world.is_over() {
            world.run_for(SECOND);
        }
    }
}
