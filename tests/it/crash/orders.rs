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

    /// What a run by that order is called with.
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
    pub fn write(self, rig: &Rig) {
        let plain = manifest(rig.services.len());
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
        writeln!(text, "{line},web-{number:02},192.0.2.{number}").unwrap();
    }
    text
}
