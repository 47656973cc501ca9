//! Which instance answers at which address, and which address the list shows of it.

use super::config::Config;
use super::fleet::{Fleet, Position};
use super::ssh_oddity::{Moved, SshTrap};

/// The addresses of a fleet, as its oddities make them.
#[derive(Clone, Copy)]
pub(super) struct Addresses<'a> {
    pub(super) config: &'a Config,
    pub(super) fleet: &'a Fleet,
}

impl<'a> Addresses<'a> {
    /// Who answers at `address`; `None`: nobody.
    pub(super) fn answering(self, address: &str) -> Option<Position> {
        let owner = self.fleet.iter().position(|owner| owner.ip == address)?;
        let moved = self.swap(owner).filter(|swap| swap.has_happened);
        Some(moved.map_or(owner, |swap| swap.other))
    }

    /// The address that the list shows for an instance.
    pub(super) fn listed(self, position: Position) -> &'a str {
        let shown = self.swap(position).filter(|swap| match swap.moved {
            Moved::Listed => swap.has_happened,
            Moved::ListedLate => false,
            Moved::ListedEarly => true,
        });
        let shown = shown.map_or(position, |swap| swap.other);
        &self.fleet.at(shown).ip
    }

    /// With which instance this one swaps addresses; `None`: with none.
    fn swap(self, position: Position) -> Option<Swap> {
        if self.config.odd.ssh.is_empty() {
            return None;
        }
        let other = position ^ 1;
        if other >= self.fleet.iter().len() {
            return None;
        }
        let pair = [position, other].map(|position| self.fleet.at(position));
        let mut traps = pair.iter().flat_map(|one| self.config.ssh_traps(one.id));
        let moved = traps.find_map(|trap| match trap {
            SshTrap::Moved(moved) => Some(moved),
            _ => None,
        })?;
        Some(Swap {
            other,
            moved,
            has_happened: pair.iter().any(|one| one.submissions > 0),
        })
    }
}

/// Two instances that swap their addresses.
struct Swap {
    other: Position,
    moved: Moved,
    has_happened: bool,
}
