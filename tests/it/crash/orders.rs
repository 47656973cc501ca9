//! In which way the order of a history is made.

use std::fmt::Write as _;

use crate::rig::{IMAGE, Rig, manifest};

/// Where the plan lies in the rig's folder.
pub const PLAN: &str = "plan.json";

/// How the order is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The sheet by itself, perhaps loaded first.
    Sheet,
    /// The sheet says what must stand on its instances.
    Pins,
    /// The sheet names its image instead of giving its id.
    Names,
    /// The sheet with pins is planned, and run by the plan.
    Plan,
}

impl How {
    /// Drawn for a world, which may be odd: in one that contradicts itself, pins and plans are refused
    /// or leave instances out, and rightly so.
    pub fn choose(is_odd: bool, random: &mut fastrand::Rng) -> Self {
        let drawn = [Self::Sheet, Self::Pins, Self::Names, Self::Plan];
        let drawn = random.choice(drawn).expect("there are four");
        if is_odd { Self::Sheet } else { drawn }
    }

    /// What a run by that order is called with, besides its rules.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Self::Sheet | Self::Pins | Self::Names => &["-q"],
            Self::Plan => &["-q", "--plan", PLAN],
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Sheet => "sheet",
            Self::Pins => "pins",
            Self::Names => "names",
            Self::Plan => "plan",
        }
    }

    /// Writes the sheet of the rig's fleet.
    pub fn write(self, rules: &Rules, rig: &Rig) {
        let plain = rules.grouped(&manifest(rig.services.len()));
        let sheet = match self {
            Self::Sheet => plain,
            Self::Names => plain.replace(IMAGE, "AlmaLinux-8"),
            Self::Pins | Self::Plan => pinned(&plain),
        };
        rig.write("fleet.csv", sheet);
    }
}

/// The same, and what the account lists before anything was done to it.
fn pinned(plain: &str) -> String {
    let mut lines = plain.lines();
    let header = lines.next().expect("it has a header");
    let mut text = format!("{header},expect_name,expect_ip\n");
    for (number, line) in (1..).zip(lines) {
        writeln!(text, "{line},web-{number:02},127.66.0.{number}").unwrap();
    }
    text
}

/// Who goes first, and who never goes down together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// So many go first.
    canary: Option<u32>,
    /// Each is in one of so many groups.
    groups: Option<usize>,
}

impl Rules {
    /// Drawn for a world, which may be odd: in one that lies, nobody sees when an instance is back.
    pub fn choose(is_odd: bool, random: &mut fastrand::Rng) -> Self {
        let drawn = Self {
            canary: (random.u32(..4) == 0).then(|| random.u32(1..=2)),
            groups: (random.u32(..3) == 0).then(|| random.usize(1..=3)),
        };
        if is_odd { Self::default() } else { drawn }
    }

    pub fn are_any(self) -> bool {
        self.canary.is_some() || self.groups.is_some()
    }

    /// What a run, or a plan, is called with.
    pub fn options(self) -> Vec<String> {
        let canary = self
            .canary
            .map(|each| ["--canary".to_owned(), each.to_string()]);
        canary.into_iter().flatten().collect()
    }

    fn grouped(self, plain: &str) -> String {
        let Some(groups) = self.groups else {
            return plain.to_owned();
        };
        let mut lines = plain.lines();
        let mut text = format!("{},group\n", lines.next().expect("it has a header"));
        for (nth, line) in lines.enumerate() {
            writeln!(text, "{line},group {}", nth % groups).unwrap();
        }
        text
    }

    /// No two of a group were rebuilt at once, by the simulator's record: from the acceptance until the
    /// instance was back.
    pub fn check(self, rig: &Rig) -> Result<(), String> {
        let Some(groups) = self.groups else {
            return Ok(());
        };
        let record = rig.record();
        let wipes = record
            .services
            .values()
            .enumerate()
            .flat_map(|(nth, service)| {
                let wipes = service.wipes.iter();
                wipes.map(move |wipe| (nth, wipe.at_ms, wipe.completed_ms))
            });
        let wipes: Vec<(usize, i64, Option<i64>)> = wipes.collect();
        for (one, from, back) in &wipes {
            // Of what never comes back somebody has said so.
            let Some(back) = back else { continue };
            let meets = |(other, at, _): &&(usize, i64, Option<i64>)| {
                other != one && other % groups == one % groups && (from..back).contains(&at)
            };
            if let Some((other, ..)) = wipes.iter().find(meets) {
                return Err(format!(
                    "instances {one} and {other} of one group were down at once: {wipes:?}"
                ));
            }
        }
        Ok(())
    }
}
