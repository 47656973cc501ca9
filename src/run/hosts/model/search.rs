//! Breadth first through all states.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::setting::Setting;
use super::world::{Broken, World};
use super::{database, host, operator, promises, wire};

/// What happens between two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub who: &'static str,
    pub what: &'static str,
}

/// The steps out of a state.
pub type Steps = Vec<(Step, World)>;

pub trait Push {
    /// `change` happens, where it can.
    fn push_step(
        &mut self,
        from: &World,
        who: &'static str,
        what: &'static str,
        change: impl FnOnce(&mut World) -> bool,
    );
}

impl Push for Steps {
    fn push_step(
        &mut self,
        from: &World,
        who: &'static str,
        what: &'static str,
        change: impl FnOnce(&mut World) -> bool,
    ) {
        let mut world = *from;
        if change(&mut world) {
            self.push((Step { who, what }, world));
        }
    }
}

/// What a search has found.
pub struct Found {
    pub states: usize,
    pub broken: Option<(Broken, Vec<Step>)>,
    /// The history to a state from which no job ever ends, if there is one.
    pub stuck: Option<Vec<Step>>,
}

/// Lives all histories, until one breaks a promise.
pub fn search(setting: &Setting) -> Found {
    let mut graph = Graph::default();
    graph.add(World::new(setting), None);
    let mut steps = Steps::new();
    let mut at = 0;
    while at < graph.worlds.len() {
        let world = graph.worlds[at];
        steps.clear();
        host::steps(setting, &world, &mut steps);
        wire::steps(setting, &world, &mut steps);
        database::steps(setting, &world, &mut steps);
        operator::steps(setting, &world, &mut steps);
        for (step, mut next) in steps.drain(..) {
            let broken = next.broken.take();
            let broken = broken.or_else(|| promises::broken(setting, &next));
            let index = graph.add(next, Some((at, step)));
            if let Some(broken) = broken {
                let mut history = graph.history(at);
                history.push(step);
                return Found {
                    states: graph.worlds.len(),
                    broken: Some((broken, history)),
                    stuck: None,
                };
            }
            graph.arrows.push((at, index));
        }
        at += 1;
    }
    let stuck = graph.stuck(setting).map(|index| graph.history(index));
    Found {
        states: graph.worlds.len(),
        broken: None,
        stuck,
    }
}

/// All states that were seen. They are told apart by 64 bits of their hash, which for a million of them
/// errs once in forty million searches.
#[derive(Default)]
struct Graph {
    worlds: Vec<World>,
    from: Vec<Option<(usize, Step)>>,
    known: HashMap<u64, usize, BuildHasherDefault<Mixer>>,
    arrows: Vec<(usize, usize)>,
}

impl Graph {
    fn add(&mut self, world: World, from: Option<(usize, Step)>) -> usize {
        let mut mixer = Mixer::default();
        world.hash(&mut mixer);
        let next = self.worlds.len();
        let index = *self.known.entry(mixer.finish()).or_insert(next);
        if index == next {
            self.worlds.push(world);
            self.from.push(from);
        }
        index
    }

    fn history(&self, mut at: usize) -> Vec<Step> {
        let mut history = Vec::new();
        while let Some((from, step)) = self.from[at] {
            history.push(step);
            at = from;
        }
        history.reverse();
        history
    }

    /// The first state that leads to no end of all jobs.
    fn stuck(&self, setting: &Setting) -> Option<usize> {
        let mut into = vec![Vec::new(); self.worlds.len()];
        for (from, to) in &self.arrows {
            into[*to].push(*from);
        }
        let mut leads = vec![false; self.worlds.len()];
        let ends = |index: &usize| promises::has_ended(setting, &self.worlds[*index]);
        let mut todo: Vec<usize> = (0..self.worlds.len()).filter(ends).collect();
        while let Some(at) = todo.pop() {
            if !std::mem::replace(&mut leads[at], true) {
                todo.append(&mut into[at]);
            }
        }
        leads.iter().position(|leads| !leads)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states", self.states)?;
        let history = |f: &mut fmt::Formatter<'_>, steps: &[Step]| {
            steps
                .iter()
                .try_for_each(|step| write!(f, "\n    {}: {}", step.who, step.what))
        };
        if let Some((broken, steps)) = &self.broken {
            write!(f, ", {broken:?} after")?;
            history(f, steps)?;
        }
        if let Some(steps) = &self.stuck {
            write!(f, ", no end after")?;
            history(f, steps)?;
        }
        Ok(())
    }
}

/// The standard hasher takes half of a search's time.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.cast_unsigned() as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}
