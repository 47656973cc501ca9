//! What answers by SSH at an address, and with which keys.
//!
//! A rebuild installs a machine anew, and with that its host keys: they are a function of the
//! account's seed and of the [`Installation`]. The one fact to know: what answers follows the status that the
//! instance truly has. In any other than `active` nothing does, whatever the list shows:
//!
//! * until a rebuild begins ([`accept_lag`](super::Config::accept_lag)), the old installation;
//! * while it goes on, for ever where it never ends, and after one that ends in `error`: nothing;
//! * after one that is complete or rolled back, and after one that somebody has ended by other means: the
//!   new installation, for the data of the old one is gone.
//!
//! The journal does not keep what somebody else did, so a restart forgets those installations.
//!
//! [`SshOddity`](super::SshOddity) says what may be otherwise.

use std::time::Duration;

use tokio::time::Instant;

use super::addresses::Addresses;
use super::config::Config;
use super::fleet::Fleet;
use super::installation::Installation;
use super::instance::Instance;
use super::ssh_oddity::{KeyAlgorithm, PortTrap, SshTrap};

/// What a client meets at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Met {
    /// Whose machine it is.
    pub(super) service: i64,
    /// What is wrong with the port.
    pub(super) trap: Option<PortTrap>,
    /// `None`: it is down.
    pub(super) machine: Option<Machine>,
}

/// A machine that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) keys: KeyHolder,
    /// `None`: one of each algorithm that is quickly made.
    pub(super) only: Option<KeyAlgorithm>,
    /// Who may be logged in to; `None`: nobody may.
    pub(super) installation: Option<Installation>,
}

/// Whose keys a machine shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyHolder {
    /// Its own, made when it was installed.
    Installation(Installation),
    /// Those that are a part of the image with this id.
    Image(String),
    /// Those of something in front of it.
    Gateway,
}

/// What a client meets at `address`; `None`: no instance has it.
pub(super) fn met(config: &Config, fleet: &Fleet, address: &str, now: Instant) -> Option<Met> {
    let position = Addresses { config, fleet }.answering(address)?;
    let instance = fleet.at(position);
    let traps: Vec<SshTrap> = config.ssh_traps(instance.id).collect();
    let port = traps.iter().find_map(|trap| match trap {
        SshTrap::Port(port) => Some(*port),
        _ => None,
    });
    Some(Met {
        service: instance.id,
        trap: port,
        machine: machine(instance, &traps, now),
    })
}

/// What answers of an instance; `None`: nothing does.
pub(super) fn installation(
    config: &Config,
    instance: &Instance,
    now: Instant,
) -> Option<Installation> {
    let traps: Vec<SshTrap> = config.ssh_traps(instance.id).collect();
    instance.installation(queued(&traps), now)
}

fn machine(instance: &Instance, traps: &[SshTrap], now: Instant) -> Option<Machine> {
    let installation = instance.installation(queued(traps), now);
    let is_up = installation.is_some();
    let is_gateway = traps.iter().any(|trap| match trap {
        SshTrap::Gateway => true,
        SshTrap::GatewayWhileDown => !is_up,
        _ => false,
    });
    if is_gateway {
        return Some(Machine {
            keys: KeyHolder::Gateway,
            only: None,
            installation: None,
        });
    }
    let installation = installation?;
    let only = traps.iter().find_map(|trap| match trap {
        SshTrap::Algorithm { before, .. } if installation.is_first() => Some(*before),
        SshTrap::Algorithm { after, .. } => Some(*after),
        _ => None,
    });
    Some(Machine {
        keys: key_holder(instance, installation, traps, now),
        only,
        installation: Some(installation),
    })
}

fn key_holder(
    instance: &Instance,
    installation: Installation,
    traps: &[SshTrap],
    now: Instant,
) -> KeyHolder {
    let own = KeyHolder::Installation(installation);
    let Some(last) = instance.last_wipe(installation) else {
        return own;
    };
    let holder = traps.iter().find_map(|trap| match trap {
        SshTrap::BakedKeys => Some(KeyHolder::Image(last.image_id.to_owned())),
        SshTrap::RestoredKeys(after) if last.ended.is_some_and(|ended| ended + *after <= now) => {
            let first = Installation {
                wipes: 0,
                ..installation
            };
            Some(KeyHolder::Installation(first))
        }
        _ => None,
    });
    holder.unwrap_or(own)
}

/// How long a rebuild that shows already goes on waiting.
fn queued(traps: &[SshTrap]) -> Duration {
    let queued = traps.iter().find_map(|trap| match trap {
        SshTrap::Queued(queued) => Some(*queued),
        _ => None,
    });
    queued.unwrap_or_default()
}
