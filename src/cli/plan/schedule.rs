//! When an order ends by its rules, if each of its instances takes as long as such ones usually do: the
//! starts and ends are gone through one by one, and nothing goes wrong.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::ServiceId;
use crate::queue::FirstOfEach;
use crate::time::Window;

/// A window in which nothing could start although something is left: so often in a row, and none ever
/// will fit. One alone may be shorter than others, when clocks are set.
const WINDOWS_IN_VAIN: u32 = 3;

/// An instance of the order.
#[derive(Debug, Clone, Copy)]
pub struct Planned {
    pub service: ServiceId,
    /// The number of its image.
    pub image: usize,
    /// The number of its group, if it has one.
    pub group: Option<usize>,
}

/// How long what gets an image takes.
#[derive(Debug, Clone, Copy)]
pub struct Takes {
    /// Usually.
    pub usual: Duration,
    /// As the window has to reckon with.
    pub at_most: Duration,
}

/// What keeps instances from starting.
#[derive(Debug, Clone)]
pub struct Limits {
    pub workers: usize,
    /// The failure budget lets no more of them be at risk at once.
    pub budget: usize,
    /// 0: none.
    pub rate_per_s: f64,
    /// Of each image so many go first.
    pub canary: Option<NonZeroU32>,
    pub max_per_group: usize,
    pub window: Option<Window>,
}

impl Limits {
    /// So many are rebuilt at once, at most.
    pub fn at_once(&self) -> usize {
        self.workers.min(self.budget)
    }
}

/// A rule that an instance waits for, whatever workers and rate allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// Those that go first.
    Canary,
    /// Members of its group.
    Group,
    /// The window.
    Window,
}

impl HeldBy {
    /// Where one starts that waits for it, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Canary => "behind the first",
            Self::Group => "behind its group",
            Self::Window => "in the window",
        }
    }
}

/// When one of the instances starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Start {
    /// From the beginning.
    pub after: Duration,
    /// The last rule that it waits for, and when that lets it go.
    pub held: Option<(HeldBy, Duration)>,
}

/// When an order ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// From the beginning to the end of the last one.
    pub whole: Duration,
    /// Windows in which something starts; without one, none.
    pub windows: u32,
    /// When each of them starts.
    pub starts: Vec<Start>,
}

impl Schedule {
    /// Of `planned`, begun at `begins_ms` as Unix time, and gone on with whenever the window opens; of
    /// each image, `takes` knows how long it takes. `None`: something never fits into the window.
    pub fn new(
        planned: &[Planned],
        takes: &[Takes],
        limits: &Limits,
        begins_ms: i64,
    ) -> Option<Self> {
        let groups = planned.iter().filter_map(|one| one.group).max();
        let mut clock = Clock {
            planned,
            takes,
            limits,
            begins_ms,
            now_us: 0,
            free_us: 0.0,
            opening: Opening::default(),
            windows: 0,
            down: BinaryHeap::new(),
            starts: vec![Start::default(); planned.len()],
            groups: vec![Group::default(); groups.map_or(0, |last| last + 1)],
        };
        let mut of_each = limits.canary.map(FirstOfEach::new);
        let mut is_canary = |one: &usize| {
            let of_each = of_each.as_mut();
            of_each.is_some_and(|first| first.is_one(planned[*one].image))
        };
        let (first, rest): (Vec<usize>, Vec<usize>) = (0..planned.len()).partition(&mut is_canary);
        clock.work_off(&first)?;
        if !first.is_empty() {
            let held = (HeldBy::Canary, clock.now());
            for one in &rest {
                clock.starts[*one].held = Some(held);
            }
        }
        clock.work_off(&rest)?;
        Some(Self {
            whole: clock.now(),
            windows: clock.windows,
            starts: clock.starts,
        })
    }
}

/// The state of the window, until that changes.
#[derive(Debug, Default)]
struct Opening {
    is_open: bool,
    /// On the clock of the schedule.
    since_us: i64,
    /// The same.
    until_us: i64,
    /// Something has started in it.
    is_used: bool,
}

/// The members of a group that are down, or are the next to be, and those that wait for that.
#[derive(Debug, Clone, Default)]
struct Group {
    down: usize,
    waiting: VecDeque<usize>,
}

/// What is left of an image, in the order in which it starts.
#[derive(Debug, Default)]
struct Lane {
    fresh: VecDeque<usize>,
    /// Those for which their group has just made room.
    admitted: BinaryHeap<Reverse<usize>>,
}

/// A moment of the order's work.
struct Clock<'a> {
    planned: &'a [Planned],
    takes: &'a [Takes],
    limits: &'a Limits,
    begins_ms: i64,
    /// From the beginning.
    now_us: i64,
    /// When the rate allows the next call.
    free_us: f64,
    opening: Opening,
    windows: u32,
    starts: Vec<Start>,
    /// Who is down, by when he is back.
    down: BinaryHeap<Reverse<(i64, usize)>>,
    groups: Vec<Group>,
}

impl Clock<'_> {
    fn now(&self) -> Duration {
        Duration::from_micros(self.now_us.unsigned_abs())
    }

    /// Goes on until all of `planned` are back.
    fn work_off(&mut self, planned: &[usize]) -> Option<()> {
        let mut lanes: Vec<Lane> = self.takes.iter().map(|_| Lane::default()).collect();
        for &one in planned {
            lanes[self.planned[one].image].fresh.push_back(one);
        }
        let (mut left, mut in_vain) = (planned.len(), 0);
        while left > 0 {
            self.look_at_the_window();
            let has_room = self.down.len() < self.limits.at_once();
            let next = has_room.then(|| self.next(&mut lanes)).flatten();
            let back_us = self.down.peek().map(|Reverse((back_us, _))| *back_us);
            match next {
                Some(one) if self.is_free() => {
                    self.start(one, &mut lanes);
                    (left, in_vain) = (left - 1, 0);
                }
                Some(_) => self.go_on_to(back_us, Some(self.next_call_us()), &mut lanes),
                None => {
                    let changes_us = self.window_opens_us();
                    if back_us.is_none() {
                        in_vain += 1;
                        if in_vain > WINDOWS_IN_VAIN {
                            return None;
                        }
                    }
                    self.go_on_to(back_us, changes_us, &mut lanes);
                }
            }
        }
        while let Some(Reverse((back_us, _))) = self.down.peek() {
            self.go_on_to(Some(*back_us), None, &mut lanes);
        }
        Some(())
    }

    /// The first in the order that may start now, as far as window and groups go.
    fn next(&mut self, lanes: &mut [Lane]) -> Option<usize> {
        let mut first: Option<usize> = None;
        for (lane, takes) in lanes.iter_mut().zip(self.takes) {
            if !self.opening.is_open || self.now_us + us(takes.at_most) > self.opening.until_us {
                continue;
            }
            while let Some(&one) = lane.fresh.front()
                && let Some(group) = self.planned[one].group.map(|group| &mut self.groups[group])
                && group.down >= self.limits.max_per_group
            {
                group.waiting.push_back(one);
                lane.fresh.pop_front();
            }
            let admitted = lane.admitted.peek().map(|Reverse(one)| *one);
            let of_lane = admitted
                .into_iter()
                .chain(lane.fresh.front().copied())
                .min();
            first = first.into_iter().chain(of_lane).min();
        }
        first
    }

    fn start(&mut self, one: usize, lanes: &mut [Lane]) {
        let Planned { image, group, .. } = self.planned[one];
        let lane = &mut lanes[image];
        if lane.fresh.front() == Some(&one) {
            lane.fresh.pop_front();
            if let Some(group) = group {
                self.groups[group].down += 1;
            }
        } else {
            lane.admitted.pop();
        }
        if !self.opening.is_used {
            self.opening.is_used = true;
            self.windows += u32::from(self.limits.window.is_some());
        }
        let after = self.now();
        let start = &mut self.starts[one];
        start.after = after;
        let opened = Duration::from_micros(self.opening.since_us.max(0).unsigned_abs());
        if opened > start.held.map_or(Duration::ZERO, |(_, until)| until) {
            start.held = Some((HeldBy::Window, opened));
        }
        if self.limits.rate_per_s > 0.0 {
            #[expect(clippy::cast_precision_loss, reason = "a forecast")]
            let now_us = self.now_us as f64;
            self.free_us = self.free_us.max(now_us) + 1e6 / self.limits.rate_per_s;
        }
        let back_us = self.now_us + us(self.takes[image].usual);
        self.down.push(Reverse((back_us, one)));
    }

    /// Time passes until the earlier of the two; who is back by then makes room.
    fn go_on_to(&mut self, one_us: Option<i64>, other_us: Option<i64>, lanes: &mut [Lane]) {
        let until_us = one_us.into_iter().chain(other_us).min();
        self.now_us = until_us.map_or(self.now_us, |until_us| until_us.max(self.now_us));
        let now = self.now();
        while let Some(&Reverse((back_us, one))) = self.down.peek()
            && back_us <= self.now_us
        {
            self.down.pop();
            let Some(group) = self.planned[one].group else {
                continue;
            };
            let group = &mut self.groups[group];
            match group.waiting.pop_front() {
                // It takes the place.
                Some(next) => {
                    self.starts[next].held = Some((HeldBy::Group, now));
                    let lane = &mut lanes[self.planned[next].image];
                    lane.admitted.push(Reverse(next));
                }
                None => group.down -= 1,
            }
        }
    }

    /// The rate allows a call.
    fn is_free(&self) -> bool {
        self.next_call_us() <= self.now_us
    }

    #[expect(clippy::cast_possible_truncation, reason = "a forecast")]
    fn next_call_us(&self) -> i64 {
        self.free_us as i64
    }

    fn look_at_the_window(&mut self) {
        let Some(window) = &self.limits.window else {
            self.opening.is_open = true;
            self.opening.until_us = i64::MAX;
            return;
        };
        if self.now_us < self.opening.until_us {
            return;
        }
        let now_ms = self.begins_ms + self.now_us.div_euclid(1000);
        let closes_ms = window.closes_at(now_ms);
        let until_ms = closes_ms.unwrap_or_else(|| window.opens_at(now_ms));
        self.opening = Opening {
            since_us: self.now_us,
            is_open: closes_ms.is_some(),
            until_us: (until_ms - self.begins_ms) * 1000,
            is_used: false,
        };
    }

    /// When the window opens next; `None`: there is none.
    fn window_opens_us(&self) -> Option<i64> {
        let window = self.limits.window.as_ref()?;
        if !self.opening.is_open {
            return Some(self.opening.until_us);
        }
        let closes_ms = self.begins_ms + self.opening.until_us.div_euclid(1000);
        Some((window.opens_at(closes_ms) - self.begins_ms) * 1000)
    }
}

fn us(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn minutes(minutes: u64) -> Duration {
        Duration::from_mins(minutes)
    }

    fn takes(usual: Duration) -> Takes {
        Takes {
            usual,
            at_most: usual,
        }
    }

    fn limits(workers: usize) -> Limits {
        Limits {
            workers,
            budget: usize::MAX,
            rate_per_s: 0.0,
            canary: None,
            max_per_group: 1,
            window: None,
        }
    }

    fn of_one_image(count: usize) -> Vec<Planned> {
        vec![
            Planned {
                service: ServiceId::new(1).unwrap(),
                image: 0,
                group: None
            };
            count
        ]
    }

    fn whole(planned: &[Planned], each: &[Takes], limits: &Limits) -> Duration {
        Schedule::new(planned, each, limits, 0).unwrap().whole
    }

    #[test]
    fn workers_the_rate_canaries_and_groups_take_their_time() {
        let five = [takes(minutes(5))];
        let fleet = of_one_image(500);
        assert_eq!(whole(&fleet, &five, &limits(50)), minutes(50));
        let by_rate = Limits {
            rate_per_s: 1.0,
            ..limits(500)
        };
        let last = Duration::from_secs(499);
        assert_eq!(whole(&fleet, &five, &by_rate), minutes(5) + last);
        let canary = Limits {
            canary: NonZeroU32::new(2),
            ..limits(500)
        };
        assert_eq!(whole(&fleet, &five, &canary), minutes(10));
        // Four groups of three.
        let mut grouped = of_one_image(12);
        for (nth, one) in grouped.iter_mut().enumerate() {
            one.group = Some(nth % 4);
        }
        assert_eq!(whole(&grouped, &five, &limits(12)), minutes(15));
        let two = Limits {
            max_per_group: 2,
            ..limits(12)
        };
        assert_eq!(whole(&grouped, &five, &two), minutes(10));
        assert_eq!(whole(&[], &five, &limits(1)), Duration::ZERO);
    }

    #[test]
    fn the_order_waits_for_the_next_window_with_what_does_not_fit() {
        let night = Limits {
            window: Some(Window {
                hours: "01:00-05:00".parse().unwrap(),
                zone: "UTC".parse().unwrap(),
            }),
            ..limits(1)
        };
        // Nine hours of one hour each, begun at midnight: four, four and one.
        let schedule = Schedule::new(&of_one_image(9), &[takes(HOUR)], &night, 0).unwrap();
        assert_eq!(schedule.windows, 3);
        assert_eq!(schedule.whole, Duration::from_hours(48 + 2));
        // What usually takes an hour may take two: three a night.
        let careful = Takes {
            usual: HOUR,
            at_most: 2 * HOUR,
        };
        let schedule = Schedule::new(&of_one_image(9), &[careful], &night, 0).unwrap();
        assert_eq!(schedule.windows, 3);
        assert_eq!(schedule.whole, Duration::from_hours(48 + 4));
        let never = Schedule::new(&of_one_image(1), &[takes(5 * HOUR)], &night, 0);
        assert_eq!(never, None);
    }

    fn order() -> impl Strategy<Value = (Vec<Planned>, Vec<Takes>)> {
        let planned = (0..3usize, prop::option::of(0..4usize));
        let planned = planned.prop_map(|(image, group)| {
            let service = ServiceId::new(1).unwrap();
            Planned {
                service,
                image,
                group,
            }
        });
        (
            prop::collection::vec(planned, 1..60),
            prop::collection::vec((1..90u64).prop_map(|usual| takes(minutes(usual))), 3),
        )
    }

    proptest! {
        /// Nothing is quicker than its workers, its longest group and its rate allow, and nothing slower
        /// than one after the other; and the window only makes it later.
        #[test]
        fn it_ends_within_simple_bounds(
            (planned, each) in order(), workers in 1..9usize, max_per_group in 1..4usize,
            rate in prop_oneof![Just(0.0), 0.001..1.0], canary in 0..4u32,
        ) {
            let canary = NonZeroU32::new(canary);
            let limits = Limits { workers, budget: usize::MAX, rate_per_s: rate, canary, max_per_group, window: None };
            let whole = whole(&planned, &each, &limits);
            let all: Duration = planned.iter().map(|one| each[one.image].usual).sum();
            prop_assert!(whole >= all / u32::try_from(workers).unwrap());
            for group in 0..4 {
                let members = planned.iter().filter(|one| one.group == Some(group));
                let chain: Duration = members.map(|one| each[one.image].usual).sum();
                prop_assert!(whole >= chain / u32::try_from(max_per_group).unwrap());
            }
            let mut calls = Duration::ZERO;
            if rate > 0.0 {
                let before_the_last = u32::try_from(planned.len() - 1).unwrap();
                calls = Duration::from_secs_f64(f64::from(before_the_last) / rate);
                prop_assert!(whole + Duration::from_millis(1) >= calls);
            }
            prop_assert!(whole <= all + calls + Duration::from_millis(1));
            let window = Window {
                hours: "22:00-04:00".parse().unwrap(),
                zone: "Europe/Berlin".parse().unwrap(),
            };
            let at_night = Limits { window: Some(window), ..limits.clone() };
            let at_night = Schedule::new(&planned, &each, &at_night, 0).unwrap();
            prop_assert!(at_night.windows > 0);
            if canary.is_none() && planned.iter().all(|one| one.group.is_none()) {
                prop_assert!(at_night.whole >= whole);
            }
        }

        /// Of a group never more than allowed are down at once, nothing else starts before those that go
        /// first are back, and nothing starts that would not be back before the window closes.
        #[test]
        fn it_keeps_to_every_rule(
            (planned, each) in order(), workers in 1..9usize, max_per_group in 1..4usize,
            canary in 0..4u32, has_window: bool,
        ) {
            let window = Window { hours: "22:00-04:00".parse().unwrap(), zone: "UTC".parse().unwrap() };
            let limits = Limits {
                workers,
                budget: usize::MAX,
                rate_per_s: 0.0,
                canary: NonZeroU32::new(canary),
                max_per_group,
                window: has_window.then_some(window.clone()),
            };
            let schedule = Schedule::new(&planned, &each, &limits, 0).unwrap();
            let back = |one: usize| schedule.starts[one].after + each[planned[one].image].usual;
            for (one, start) in schedule.starts.iter().enumerate() {
                let is_down = |other: &usize| {
                    schedule.starts[*other].after <= start.after && back(*other) > start.after
                };
                let down: Vec<usize> = (0..planned.len()).filter(is_down).collect();
                prop_assert!(down.len() <= workers);
                let group = planned[one].group;
                let of_group = down.iter().filter(|other| planned[**other].group == group);
                prop_assert!(group.is_none() || of_group.count() <= max_per_group);
                if let Some((_, until)) = start.held {
                    prop_assert!(until <= start.after);
                }
                if has_window {
                    let [starts, back] = [start.after, back(one)].map(|at| i64::try_from(at.as_millis()).unwrap());
                    prop_assert!(window.closes_at(starts).is_some_and(|closes| back <= closes));
                    let waits = window.closes_at(0).is_none();
                    prop_assert!(!waits || start.held.is_some());
                }
            }
            if let Some(each) = limits.canary {
                let mut of_each = FirstOfEach::new(each);
                let (first, rest): (Vec<usize>, Vec<usize>) =
                    (0..planned.len()).partition(|one| of_each.is_one(planned[*one].image));
                let proven = first.into_iter().map(back).max().unwrap();
                for one in rest {
                    prop_assert!(schedule.starts[one].after >= proven);
                    prop_assert!(schedule.starts[one].held.is_some());
                }
            }
        }

        /// Without groups and canaries, more workers and a higher rate never make it later.
        #[test]
        fn more_is_never_slower((mut planned, each) in order(), workers in 1..9usize, rate in 0.001..1.0) {
            for one in &mut planned {
                one.group = None;
            }
            let few = Limits { rate_per_s: rate, ..limits(workers) };
            let more = Limits { workers: workers + 1, ..few.clone() };
            let faster = Limits { rate_per_s: rate * 2.0, ..few.clone() };
            let [few, more, faster] = [few, more, faster].map(|limits| whole(&planned, &each, &limits));
            prop_assert!(more <= few && faster <= few, "{more:?} {faster:?} {few:?}");
        }
    }
}
