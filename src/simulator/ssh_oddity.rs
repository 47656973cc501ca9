//! What may be odd about the instances' SSH ports: the words after `ssh=`.

use std::time::Duration;

use super::random::random;
use super::vocabulary::Term;
use crate::job::ServiceId;
use crate::time::parse_duration;

/// What tells this choice from everything else that follows the seed.
const PURPOSE: u64 = 0x7373_685f_6f64_6479;

/// A trap at the SSH ports of some instances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SshOddity {
    pub trap: SshTrap,
    pub at: SshAt,
}

/// At which instances a trap is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SshAt {
    All,
    One(ServiceId),
    /// This share of them, 0 to 1; the seed decides which.
    Share(f64),
}

/// What is odd about a port, or about the keys that are shown there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SshTrap {
    /// `baked-keys`: keys are a part of the image, the same on all instances that are rebuilt with it.
    BakedKeys,
    /// `restored-keys[:AFTER]`: so long after a rebuild has ended (at once), something puts the first
    /// keys of the instance back.
    RestoredKeys(Duration),
    /// `queued:DURATION`: for so long a rebuild that the list shows waits, and the old system answers.
    /// (Where the list shows nothing either: that is the usual accept lag, if it is long.)
    Queued(Duration),
    /// `moved`, `moved-late`, `moved-early`: the instance and its neighbour (the first and the second of the
    /// account, the third and the fourth, …) swap their addresses when a submission of one of them has
    /// arrived, executed or not.
    Moved(Moved),
    /// `gateway`: something in front of them answers for several addresses, with one key.
    Gateway,
    /// `gateway-while-down`: the same, for instances that are down.
    GatewayWhileDown,
    /// `algorithm:BEFORE..AFTER`: there is a key of one algorithm only, and of another one after a rebuild.
    Algorithm {
        before: KeyAlgorithm,
        after: KeyAlgorithm,
    },
    /// The port itself is odd.
    Port(PortTrap),
}

/// When the list shows that two instances have swapped their addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// At the same moment.
    Listed,
    /// Never.
    ListedLate,
    /// All the time, before they do.
    ListedEarly,
}

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    Ed25519,
    /// On the curve P-256.
    Ecdsa,
    /// Of 2048 bits. To make one takes a good part of a second.
    Rsa,
}

/// What a port does instead of speaking SSH as it should, whether or not the instance is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortTrap {
    /// `silent`: it takes connections, and says nothing.
    Silent,
    /// `refused`: each connection is reset.
    Refused,
    /// `endless-lines`: lines before the identification, without end.
    EndlessLines,
    /// `endless-line`: one line, without end.
    EndlessLine,
    /// `slow-line`: the same, one byte a second.
    SlowLine,
    /// `http`: it is a web server.
    Http,
    /// `garbage`: bytes of no meaning.
    Garbage,
    /// `closed[:BYTES]`: the connection is closed after so many bytes (0) of what should come. Of an instance
    /// that is down, nothing comes.
    Closed(u64),
    /// `penalties:CONNECTIONS`: after so many connections within a minute in which nobody has logged in,
    /// others are turned away, as OpenSSH does it since 9.8.
    Penalties(usize),
}

impl KeyAlgorithm {
    const WORDS: &[Term<Self>] = &[
        Term::plain("ed25519", Self::Ed25519),
        Term::plain("ecdsa", Self::Ecdsa),
        Term::plain("rsa", Self::Rsa),
    ];

    fn parse(word: &str) -> Option<Self> {
        Term::find(Self::WORDS, word).map(|known| known.value)
    }
}

/// `None`: the value (empty where there is none) is not understood.
type Read = fn(&str) -> Option<SshTrap>;

impl SshOddity {
    const WORDS: &[Term<Read>] = &[
        Term::plain("baked-keys", |value| bare(value, SshTrap::BakedKeys)),
        Term::with("restored-keys", "[DURATION]", |value| {
            let after = if value.is_empty() { "0s" } else { value };
            Some(SshTrap::RestoredKeys(parse_duration(after).ok()?))
        }),
        Term::with("queued", "DURATION", |value| {
            Some(SshTrap::Queued(parse_duration(value).ok()?))
        }),
        Term::plain("moved", |value| bare(value, SshTrap::Moved(Moved::Listed))),
        Term::plain("moved-late", |value| {
            bare(value, SshTrap::Moved(Moved::ListedLate))
        }),
        Term::plain("moved-early", |value| {
            bare(value, SshTrap::Moved(Moved::ListedEarly))
        }),
        Term::plain("gateway", |value| bare(value, SshTrap::Gateway)),
        Term::plain("gateway-while-down", |value| {
            bare(value, SshTrap::GatewayWhileDown)
        }),
        Term::with("algorithm", "BEFORE..AFTER", |value| {
            let (before, after) = value.split_once("..")?;
            Some(SshTrap::Algorithm {
                before: KeyAlgorithm::parse(before)?,
                after: KeyAlgorithm::parse(after)?,
            })
        }),
        Term::plain("silent", |value| port(value, PortTrap::Silent)),
        Term::plain("refused", |value| port(value, PortTrap::Refused)),
        Term::plain("endless-lines", |value| port(value, PortTrap::EndlessLines)),
        Term::plain("endless-line", |value| port(value, PortTrap::EndlessLine)),
        Term::plain("slow-line", |value| port(value, PortTrap::SlowLine)),
        Term::plain("http", |value| port(value, PortTrap::Http)),
        Term::plain("garbage", |value| port(value, PortTrap::Garbage)),
        Term::with("closed", "[BYTES]", |value| {
            let bytes = if value.is_empty() { "0" } else { value };
            Some(SshTrap::Port(PortTrap::Closed(bytes.parse().ok()?)))
        }),
        Term::with("penalties", "CONNECTIONS", |value| {
            Some(SshTrap::Port(PortTrap::Penalties(value.parse().ok()?)))
        }),
    ];

    /// Every trap, by its word.
    pub fn words() -> impl Iterator<Item = &'static str> {
        Self::WORDS.iter().map(|known| known.word)
    }

    /// Reads `TRAP[:VALUE][@ID|@SHARE]`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (what, at) = match text.split_once('@') {
            Some((what, at)) => (what, SshAt::parse(at)?),
            None => (text, SshAt::All),
        };
        let (word, value) = what.split_once(':').unwrap_or((what, ""));
        let known = Term::find(Self::WORDS, word)?;
        let trap = (known.value)(value)?;
        Some(Self { trap, at })
    }

    /// Is the trap, the `nth` of its account, at this instance?
    pub(super) fn is_at(&self, service: i64, seed: u64, nth: usize) -> bool {
        match self.at {
            SshAt::All => true,
            SshAt::One(one) => one.get() == service,
            SshAt::Share(share) => {
                let words = [PURPOSE, seed, service.unsigned_abs(), nth as u64];
                random(&words).f64() < share
            }
        }
    }
}

impl SshAt {
    /// A share has a point, an id none.
    fn parse(text: &str) -> Option<Self> {
        if !text.contains('.') {
            return text.parse().ok().map(Self::One);
        }
        let share = text.parse().ok()?;
        (0.0..=1.0).contains(&share).then_some(Self::Share(share))
    }
}

fn bare(value: &str, trap: SshTrap) -> Option<SshTrap> {
    value.is_empty().then_some(trap)
}

fn port(value: &str, trap: PortTrap) -> Option<SshTrap> {
    bare(value, SshTrap::Port(trap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trap_is_read_with_what_it_takes_and_with_nothing_else() {
        for Term { word, takes, .. } in SshOddity::WORDS {
            let value = match *takes {
                "" | "[DURATION]" | "[BYTES]" => "",
                "DURATION" => ":2s",
                "BEFORE..AFTER" => ":rsa..ed25519",
                "CONNECTIONS" => ":3",
                other => panic!("{other}"),
            };
            for at in ["", "@5113119", "@0.5"] {
                let text = format!("{word}{value}{at}");
                assert!(SshOddity::parse(&text).is_some(), "{text}");
            }
            let text = format!("{word}:x");
            assert_eq!(SshOddity::parse(&text), None, "{text}");
        }
        for text in [
            "",
            "mute",
            "queued",
            "algorithm:rsa",
            "silent@",
            "silent@1.5",
            "silent@x",
        ] {
            assert_eq!(SshOddity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_share_of_the_instances_has_a_trap_and_the_same_ones_always() {
        let some = SshOddity::parse("silent@0.25").unwrap();
        let hit = |seed| -> Vec<i64> {
            let all = 1..=1_000;
            all.filter(|service| some.is_at(*service, seed, 0))
                .collect()
        };
        assert!((180..320).contains(&hit(1).len()));
        assert_eq!(hit(1), hit(1));
        assert_ne!(hit(1), hit(2));
    }
}
