//! What the instances of the world answer on their SSH ports, honest or not.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::world::{End, Rebuilding};
use crate::job::{HostKey, ServiceId};
use crate::witness::{Look, Unseen};

/// What deceives whoever trusts in host keys.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Trap {
    /// None: they are honest.
    #[default]
    Honest,
    /// The ordered image brings its keys along.
    Baked,
    /// A hook restores the old keys, so long after the rebuild.
    Restored(Duration),
    /// One machine answers at all addresses.
    Gateway,
    /// One machine answers for the instances that are down.
    GatewayWhileDown,
    /// A rebuild waits for so long before it begins, and the old system goes on answering.
    Waits(Duration),
    /// Nothing answers after the rebuild.
    Silent,
    /// The new system has keys of another kind.
    OtherKind,
    /// So long after each submission somebody else rebuilds the instance, with the image that it had.
    Foreign(Duration),
}

impl Trap {
    pub const ALL: [Self; 10] = [
        Self::Baked,
        Self::Restored(Duration::ZERO),
        Self::Restored(Duration::from_mins(1)),
        Self::Gateway,
        Self::GatewayWhileDown,
        Self::Waits(Duration::from_mins(6)),
        Self::Silent,
        Self::OtherKind,
        Self::Foreign(Duration::from_mins(5)),
        Self::Foreign(Duration::from_mins(15)),
    ];
}

/// What answers at an address.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Nothing,
    /// A key of this number.
    Key(u64),
    /// One of another kind.
    Other(u64),
}

/// The number of the key that an image brings along, and of the one that a gateway has.
const BAKED: u64 = 1;
const GATEWAY: u64 = 2;

/// All ports.
#[derive(Debug, Default)]
pub struct Ssh {
    pub trap: Trap,
    of_address: HashMap<IpAddr, ServiceId>,
    answers: HashMap<ServiceId, Vec<(Instant, Answer)>>,
    keys: u64,
    /// Looks that were made.
    pub looks: u64,
}

impl Ssh {
    /// An instance answers from now on. Returns its address.
    pub fn add(&mut self, service: ServiceId, now: Instant) -> String {
        let number = u32::try_from(self.of_address.len()).unwrap();
        let address = IpAddr::V4(Ipv4Addr::from(0x0a00_0001 + number));
        self.of_address.insert(address, service);
        let key = self.new_key();
        self.answers.insert(service, vec![(now, key)]);
        address.to_string()
    }

    /// Nothing answers anywhere.
    pub fn be_silent(&mut self) {
        self.of_address.clear();
    }

    fn new_key(&mut self) -> Answer {
        self.keys += 1;
        Answer::Key(GATEWAY + self.keys)
    }

    /// How long a rebuild waits before it begins.
    pub fn delay(&self) -> Duration {
        match self.trap {
            Trap::Waits(long) => long,
            _ => Duration::ZERO,
        }
    }

    /// A rebuild begins and ends then.
    pub fn rebuilt(&mut self, service: ServiceId, begins: Instant, rebuilding: &Rebuilding) {
        let ends = begins + rebuilding.takes;
        let before = self.answer(service, begins);
        let new = match self.trap {
            Trap::Baked => Answer::Key(BAKED),
            Trap::Silent => Answer::Nothing,
            Trap::OtherKind => {
                self.keys += 1;
                Answer::Other(GATEWAY + self.keys)
            }
            _ => self.new_key(),
        };
        let answers = self.answers.get_mut(&service).unwrap();
        if !matches!(self.trap, Trap::Foreign(_)) {
            answers.retain(|(at, _)| *at <= begins);
        }
        if rebuilding.ends == End::ErrorBefore {
            return;
        }
        answers.push((begins, Answer::Nothing));
        match rebuilding.ends {
            End::Back => answers.push((ends, new)),
            End::Undone => answers.push((ends, before)),
            End::Error | End::Never | End::ErrorBefore => {}
        }
        if let (Trap::Restored(after), End::Back) = (self.trap, rebuilding.ends) {
            answers.push((ends + after, before));
        }
    }

    fn answer(&self, service: ServiceId, at: Instant) -> Answer {
        let answers = &self.answers[&service];
        let later = answers.partition_point(|(from, _)| *from <= at);
        answers[later - 1].1
    }

    pub fn look(&mut self, look: &Look, at: Instant) -> Result<HostKey, Unseen> {
        self.looks += 1;
        let service = self.of_address.get(&look.address.ip());
        let answer = service.map_or(Answer::Nothing, |service| self.answer(*service, at));
        let answer = match (self.trap, answer) {
            (Trap::Gateway, _) | (Trap::GatewayWhileDown, Answer::Nothing) => Answer::Key(GATEWAY),
            _ => answer,
        };
        let key = match answer {
            Answer::Nothing => return Err(Unseen::Unreachable),
            Answer::Key(number) => key("ssh-ed25519", number),
            Answer::Other(number) => key("ecdsa-sha2-nistp256", number),
        };
        let is_wanted = (look.algorithm.as_deref()).is_none_or(|kind| kind == key.algorithm());
        if is_wanted {
            Ok(key)
        } else {
            Err(Unseen::NoKey)
        }
    }
}

/// An invented key.
fn key(algorithm: &str, number: u64) -> HostKey {
    let length = u32::try_from(algorithm.len()).unwrap();
    let mut blob = length.to_be_bytes().to_vec();
    blob.extend(algorithm.as_bytes());
    blob.extend(number.to_be_bytes());
    let text = format!("{algorithm} {}", STANDARD.encode(blob));
    text.parse().unwrap()
}
