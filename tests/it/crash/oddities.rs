//! What may be odd about the world of a history: drawn at random, as the field is odd at random.
//!
//! Left out is what nobody could see through: an API that executes much later than it received, one
//! row that freezes while its page lives, a status that still says `active` long after the name has
//! become the new one, be it that it lags or that the list froze between the two. Sessions that die
//! again and again are left to `session-calls`: each second renewal waits for 20 s.

use std::collections::BTreeMap;
use std::time::Duration;

use refleet::simulator::{Call, Config, Fault, FaultKind, ImageAt, Oddities, Script};

/// Kinds of faults that never stop a whole run for long: blocked addresses and refused sessions
/// have tests of their own.
pub const KINDS: [FaultKind; 15] = [
    FaultKind::TooManyRequests,
    FaultKind::Unavailable,
    FaultKind::ResetBefore,
    FaultKind::ResetAfter,
    FaultKind::TimeoutBefore,
    FaultKind::TimeoutAfter,
    FaultKind::Garbage,
    FaultKind::Truncated,
    FaultKind::CutOff,
    FaultKind::OtherShape,
    FaultKind::Html,
    FaultKind::LongRequest,
    FaultKind::InstanceError,
    FaultKind::Busy,
    FaultKind::Trickle,
];

/// The same of an API that answers oddly.
pub const ODD_KINDS: [FaultKind; 20] = [
    FaultKind::Maintenance,
    FaultKind::CloseSoon,
    FaultKind::LinkStorm,
    FaultKind::Gzip,
    FaultKind::ByteOrderMark,
    FaultKind::Empty,
    FaultKind::HeaderNoise,
    FaultKind::HalfSurrogate,
    FaultKind::CutUtf8,
    FaultKind::ControlCharacters,
    FaultKind::Windows1251,
    FaultKind::Koi8R,
    FaultKind::UnnamedCharset,
    FaultKind::SecretEcho,
    FaultKind::OkAndError,
    FaultKind::OkElsewhere,
    FaultKind::OtherFunc,
    FaultKind::OtherElid,
    FaultKind::Form,
    FaultKind::OtherPage,
];

/// Kinds that end a run at once where they meet its first calls: a submission may meet them.
const OF_SUBMISSIONS: [FaultKind; 6] = [
    FaultKind::Moved,
    FaultKind::NotFound,
    FaultKind::MethodNotAllowed,
    FaultKind::Forbidden,
    FaultKind::AddressBlocked,
    FaultKind::SecondFactor,
];

/// What a whole account may answer with all the time, and still be understood.
const DRESSES: [&str; 7] = [
    "gzip",
    "header-noise",
    "close-soon",
    "half-surrogate",
    "control-characters",
    "windows-1251",
    "koi8-r",
];

const SPELLINGS: [&str; 7] = [
    "case",
    "punctuation",
    "longer",
    "family",
    "template",
    "mixed",
    "broken",
];

/// What is odd beside the words of `--odd`: rebuilds shorter than any gap between two readings;
/// names that change at the acceptance; an old image of the new one's family; a filter that the
/// owner sets and takes away again, between two processes.
const OWN_WORDS: [&str; 4] = ["quick", "early", "relative", "filter"];

/// An odd world.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Words of `--odd`, and [`OWN_WORDS`].
    words: Vec<String>,
    /// What single submissions meet.
    pub scripts: Vec<Script>,
}

impl World {
    /// As `REFLEET_CRASH_ODD` says, else drawn.
    pub fn choose(random: &mut fastrand::Rng) -> Self {
        let drawn = Self::draw(random);
        std::env::var("REFLEET_CRASH_ODD").map_or(drawn, |words| Self::of(&words))
    }

    /// Nothing odd, or one to three things.
    fn draw(random: &mut fastrand::Rng) -> Self {
        let mut world = Self::default();
        if random.bool() {
            return world;
        }
        for _ in 0..random.u32(1..=3) {
            world.add(random);
        }
        for word in ["quick", "early", "relative"] {
            if random.u32(..4) == 0 {
                world.words.push(word.to_owned());
            }
        }
        if world.is("early") {
            let parts = ["status-lag", "freeze", "thaw"];
            let is_part = |word: &str| parts.iter().any(|known| word.starts_with(known));
            world.words.retain(|word| !is_part(word));
        }
        world
    }

    /// The world of these words, with commas between.
    fn of(words: &str) -> Self {
        Self {
            words: words.split(',').map(str::to_owned).collect(),
            scripts: Vec::new(),
        }
    }

    /// Is it odd in this way?
    pub fn is(&self, word: &str) -> bool {
        self.words.iter().any(|known| known == word)
    }

    fn add(&mut self, random: &mut fastrand::Rng) {
        let share = random.choice(["0.2", "0.5", "1"]).expect("one");
        let ms = |random: &mut fastrand::Rng, most| random.u64(1..=most);
        let word = match random.u32(..22) {
            0 | 1 => "never-shown".to_owned(),
            2 => format!("freeze={}ms", ms(random, 900)),
            3 => "freeze=renamed".to_owned(),
            4 => "freeze=rebuilding".to_owned(),
            5 => {
                self.words.push(format!("freeze={}ms", ms(random, 400)));
                "freeze-pages".to_owned()
            }
            6 => {
                let at = random.choice(["renamed", "rebuilding"]).expect("one");
                self.words.push(format!("freeze={at}"));
                if random.bool() {
                    self.words.push("freeze-pages".to_owned());
                }
                format!("thaw={}ms", ms(random, 900))
            }
            7 => format!("name-lag={}ms", ms(random, 1500)),
            8 => format!("status-lag={}ms", ms(random, 600)),
            9 | 10 => format!("names={}", random.choice(SPELLINGS).expect("one")),
            11 => "double-rows".to_owned(),
            12 => format!("alien-rows={}", random.u32(1..=7)),
            13 => "shift=1".to_owned(),
            14 => {
                self.words.push(format!("fails-at-once={share}"));
                "baseline=error".to_owned()
            }
            15 => {
                let fate = ["fails-at-once", "rolls-back", "ignored", "third-name"];
                format!("{}={share}", random.choice(fate).expect("one"))
            }
            16 => format!("session-calls={}", random.u32(4..=20)),
            17 => format!("always={}", random.choice(DRESSES).expect("one")),
            18 => "filter".to_owned(),
            19 | 20 => {
                let traps = [
                    "baked-keys",
                    "restored-keys:50ms",
                    "queued:200ms",
                    "gateway@0.5",
                    "algorithm:ed25519..ecdsa",
                    "refused@0.5",
                ];
                format!("ssh={}", random.choice(traps).expect("one"))
            }
            _ => {
                let kind = random.choice(OF_SUBMISSIONS).expect("one");
                let fault = Fault {
                    executed: Some(
                        !matches!(
                            kind,
                            FaultKind::SecondFactor
                                | FaultKind::Forbidden
                                | FaultKind::AddressBlocked
                        ) && random.bool(),
                    ),
                    ..Fault::new(kind)
                };
                self.scripts.push(Script {
                    skip: random.u64(..4),
                    ..Script::next(Call::Submission, fault)
                });
                return;
            }
        };
        self.words.push(word);
    }

    /// Makes `config` such a world.
    pub fn furnish(&self, config: &mut Config) {
        let words = self.words.iter().map(String::as_str);
        let words = words.filter(|word| !OWN_WORDS.contains(word));
        // A pause of seconds would only make the histories long.
        let words = words.chain(["retry-after=0"]);
        config.odd = Oddities::parse(words).expect("known words");
        if self.is("quick") {
            config.accept_lag = Duration::ZERO;
            // Now and then one of them is seen.
            config.rebuild_duration = Duration::from_millis(8);
        }
        if self.is("early") {
            config.image_at = ImageAt::Accept;
        }
        if self.is("relative") {
            for instance in &mut config.instances {
                "AlmaLinux-9".clone_into(&mut instance.image);
            }
        }
    }

    /// What is odd, one word each, for the figures.
    pub fn counted(&self) -> BTreeMap<String, u64> {
        let first = |word: &str| match word.split_once('=') {
            Some(("names" | "always" | "freeze", _)) if !word.ends_with("ms") => word.to_owned(),
            Some((name, _)) => name.to_owned(),
            None => word.to_owned(),
        };
        let words = self.words.iter().map(|word| first(word));
        let kinds = self.scripts.iter().map(|script| script.fault.kind);
        words
            .chain(kinds.map(|kind| format!("a submission's {kind}")))
            .map(|word| (word, 1))
            .collect()
    }

    /// For whoever repeats it.
    pub fn describe(&self) -> String {
        let scripts = self.scripts.iter().map(|script| {
            let (nth, kind) = (script.skip + 1, script.fault.kind);
            format!("submission {nth}: {kind}")
        });
        let words: Vec<_> = self.words.iter().cloned().chain(scripts).collect();
        words.join(",")
    }
}
