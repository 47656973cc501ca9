//! What is odd about the account and its API all the time: the standing oddities.
//!
//! A [`Fault`] happens to one call; an oddity holds for the whole life of a simulator, or from some
//! event on. Whatever the answers say, the [`Record`](super::Record) stays exact. The one fact to
//! know: each oddity has a word, the same for [`Oddities::parse`], for the command line's `--odd`
//! and for the control interface.

use std::time::Duration;

use serde::Deserialize;

use super::fault::{Call, Fault};
use super::kind::FaultKind;
use crate::job::ServiceId;
use crate::time::parse_duration;

/// How a list names images, compared with the preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// Alike: `AlmaLinux-8`.
    #[default]
    AsPreviewed,
    /// In other letter case: `ALMALINUX-8`.
    Case,
    /// With other punctuation: `almalinux_8`.
    Punctuation,
    /// With more words: `AlmaLinux 8 (x86_64)`.
    Longer,
    /// The family only: `AlmaLinux`.
    Family,
    /// Something else altogether: `template-` and a number that belongs to the name.
    Template,
    /// [`Longer`](Self::Longer) for every second instance, alike for the others.
    Mixed,
    /// With half a surrogate pair at the end: one image is no longer told from another by it.
    Broken,
}

impl Names {
    const WORDS: [(&str, Self); 8] = [
        ("preview", Self::AsPreviewed),
        ("case", Self::Case),
        ("punctuation", Self::Punctuation),
        ("longer", Self::Longer),
        ("family", Self::Family),
        ("template", Self::Template),
        ("mixed", Self::Mixed),
        ("broken", Self::Broken),
    ];

    /// What the list calls an image that the preview calls `name`, on instance `id`.
    pub(super) fn spell(self, name: &str, id: i64) -> String {
        match self {
            Self::AsPreviewed | Self::Broken => name.to_owned(),
            Self::Case => name.to_uppercase(),
            Self::Punctuation => name.to_lowercase().replace('-', "_"),
            Self::Longer => format!("{} (x86_64)", name.replace('-', " ")),
            Self::Family => name.split('-').next().unwrap_or_default().to_owned(),
            Self::Template => {
                let number = name
                    .bytes()
                    .fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 100_003);
                format!("template-{number}")
            }
            Self::Mixed if id % 2 == 0 => Self::Longer.spell(name, id),
            Self::Mixed => name.to_owned(),
        }
    }
}

/// When a list becomes a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeAt {
    /// So long after the start.
    After(Duration),
    /// When a reading first shows an instance `rebuilding`.
    Rebuilding,
    /// When a reading first shows an image's name that was not there from the start.
    Renamed,
}

/// A list that goes on showing one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    /// Which moment.
    pub at: FreezeAt,
    /// Each page freezes by itself: at its own event; after the nth multiple of the time.
    pub by_page: bool,
    /// How long it lasts; `None`: for ever.
    pub thaw_after: Option<Duration>,
}

/// A fault that meets every call, unless that meets another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Always {
    /// What they meet.
    pub fault: Fault,
    /// Which calls; `None`: all that the kind fits (see [`FaultKind::fits`]).
    pub call: Option<Call>,
    /// From so long after the start on.
    pub from: Duration,
    /// Until so long after the start; `None`: for ever.
    pub until: Option<Duration>,
}

impl Always {
    /// `fault` for all calls that its kind fits, for ever.
    pub fn new(fault: impl Into<Fault>) -> Self {
        Self {
            fault: fault.into(),
            call: None,
            from: Duration::ZERO,
            until: None,
        }
    }

    /// Does a call at this age of the simulator meet it?
    pub(super) fn meets(&self, call: Call, age: Duration) -> bool {
        let fits = match self.call {
            Some(wanted) => wanted == call,
            None => self.fault.kind.fits(call),
        };
        fits && age >= self.from && self.until.is_none_or(|until| age < until)
    }
}

/// Everything that is odd about an account. The start, for what begins some time after it: of the
/// simulator, or of the moment at which [`Settings::odd`](super::Settings::odd) was given.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Oddities {
    /// `never-shown`: the list shows no rebuild at all, neither its status nor its name.
    pub never_shown: bool,
    /// `freeze=…`, `freeze-pages`, `thaw=…`: the list is a cache from some moment on.
    pub freeze: Option<Freeze>,
    /// `status-lag=…`: how old the statuses are, beyond the list's own lag.
    pub status_lag: Duration,
    /// `name-lag=…`: how old the images' names are, beyond the list's own lag.
    pub name_lag: Duration,
    /// `names=…`: how the list names images.
    pub names: Names,
    /// `double-rows`: an instance that is being rebuilt has two rows, one as it was before.
    pub double_rows: bool,
    /// `alien-rows=…`: rows of each page that cannot be read: without an id, or of wrong types.
    pub alien_rows: usize,
    /// `endless=…`: the list has no end, and each page beyond the real ones so many bytes.
    pub endless: Option<usize>,
    /// `shift=…`: by how many rows the list's order moves after each call.
    pub shift: usize,
    /// `unlisted=…`: services that the owner's filter hides.
    pub unlisted: Vec<ServiceId>,
    /// `unreadable=…`: services whose rows cannot be read: they have no id.
    pub unreadable: Vec<ServiceId>,
    /// `baseline=…`: in which status all instances stand at the start of the simulator.
    pub baseline: Option<String>,
    /// `fails-at-once=…`: share of the rebuilds that end in `error` under the old name, and before
    /// anything could be seen of them.
    pub fails_at_once: f64,
    /// `rolls-back=…`: share that destroys the data, shows, and comes back under the old name.
    pub rolls_back: f64,
    /// `ignored=…`: share that is accepted and never begins; nothing is destroyed.
    pub ignored: f64,
    /// `third-name=…`: share that comes back under a name that is neither the old nor the new one.
    pub third_name: f64,
    /// `preview-lacks=…`: services whose rebuild form does not offer any image.
    pub preview_lacks: Vec<ServiceId>,
    /// `preview-fails=…`: services whose rebuild form is refused.
    pub preview_fails: Vec<ServiceId>,
    /// `zone=…`: where all images stand, from the start of the simulator on.
    pub zone: Option<String>,
    /// `strict-zone`: the zone `image` is not accepted for every image, only the right one is.
    pub strict_zone: bool,
    /// `session-calls=…`: a session is forgotten after so many calls.
    pub session_calls: Option<u64>,
    /// `always=…`: what every call meets that meets nothing else; the first that fits counts.
    pub always: Vec<Always>,
    /// `retry-after=…`: the header of every 429, 503 and maintenance page that has none of its own.
    pub retry_after: Option<String>,
}

/// Why a word is no oddity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOddity {
    /// No such word.
    #[error("unknown oddity `{0}`: known are {known}", known = known())]
    Unknown(String),
    /// The word is known, what follows it is not understood.
    #[error("`{word}` takes {takes}")]
    Value {
        /// The word.
        word: &'static str,
        /// What it takes.
        takes: &'static str,
    },
}

fn known() -> String {
    let words: Vec<_> = Oddities::WORDS.iter().map(|(word, ..)| *word).collect();
    words.join(", ")
}

impl Oddities {
    /// Every word, what it takes (empty: nothing), and what it does.
    pub const WORDS: &[(&str, &str, &str)] = &[
        (
            "never-shown",
            "",
            "the list shows no rebuild, neither status nor name",
        ),
        (
            "freeze",
            "a duration, `rebuilding` or `renamed`",
            "the list goes on showing that moment",
        ),
        ("freeze-pages", "", "each page freezes by itself"),
        ("thaw", "a duration", "how long it stays frozen"),
        (
            "status-lag",
            "a duration",
            "how old the statuses are in the list",
        ),
        (
            "name-lag",
            "a duration",
            "how old the images' names are in the list",
        ),
        (
            "names",
            "preview, case, punctuation, longer, family, template, mixed or broken",
            "how the list spells images",
        ),
        (
            "double-rows",
            "",
            "an instance has a second row, as it was, while it is rebuilt",
        ),
        (
            "alien-rows",
            "a number of rows",
            "rows of a page that cannot be read",
        ),
        (
            "endless",
            "a number of bytes",
            "the list never ends, with pages of so many bytes",
        ),
        (
            "shift",
            "a number of rows",
            "the list's order moves after each call",
        ),
        ("unlisted", "a service id", "a filter hides it"),
        ("unreadable", "a service id", "its row has no id"),
        ("baseline", "a status", "in which all instances begin"),
        (
            "fails-at-once",
            "a share from 0 to 1",
            "rebuilds that end in error, unseen, under the old name",
        ),
        (
            "rolls-back",
            "a share from 0 to 1",
            "rebuilds that destroy, and come back under the old name",
        ),
        (
            "ignored",
            "a share from 0 to 1",
            "rebuilds that are accepted and never begin",
        ),
        (
            "third-name",
            "a share from 0 to 1",
            "rebuilds that come back under a third name",
        ),
        (
            "preview-lacks",
            "a service id",
            "its rebuild form offers no image",
        ),
        (
            "preview-fails",
            "a service id",
            "its rebuild form is refused",
        ),
        ("zone", "a zone", "where all images stand"),
        ("strict-zone", "", "the zone `image` is refused"),
        (
            "session-calls",
            "a number of calls",
            "a session is forgotten after them",
        ),
        (
            "always",
            "KIND[@CALL][:FROM[..UNTIL]], for example `429@submission` or `403:2s..5s`",
            "a kind of fault that every call meets",
        ),
        (
            "retry-after",
            "the header's text, or `past` for a date that has passed",
            "of every 429 and 503",
        ),
    ];

    /// What these words describe.
    ///
    /// # Errors
    ///
    /// The first word that is not understood.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidOddity> {
        let mut oddities = Self::default();
        for word in words {
            oddities.add(word)?;
        }
        Ok(oddities)
    }

    /// One word more. `freeze-pages` and `thaw` speak of the `freeze` before or after them.
    fn add(&mut self, text: &str) -> Result<(), InvalidOddity> {
        let (word, value) = match text.split_once('=') {
            Some((word, value)) => (word.trim(), Some(value.trim())),
            None => (text.trim(), None),
        };
        let Some(&(word, takes, _)) = Self::WORDS.iter().find(|(known, ..)| *known == word) else {
            return Err(InvalidOddity::Unknown(crate::text::brief(word, 40)));
        };
        let wrong = InvalidOddity::Value {
            word,
            takes: if takes.is_empty() { "no value" } else { takes },
        };
        match (takes.is_empty(), value) {
            (true, None) => self.add_plain(word),
            (false, Some(value)) => self.add_value(word, value).ok_or(wrong)?,
            (true, Some(_)) | (false, None) => return Err(wrong),
        }
        Ok(())
    }

    fn frozen(&mut self) -> &mut Freeze {
        self.freeze.get_or_insert(Freeze {
            at: FreezeAt::After(Duration::ZERO),
            by_page: false,
            thaw_after: None,
        })
    }

    fn add_plain(&mut self, word: &str) {
        match word {
            "never-shown" => self.never_shown = true,
            "freeze-pages" => self.frozen().by_page = true,
            "double-rows" => self.double_rows = true,
            "strict-zone" => self.strict_zone = true,
            other => unreachable!("`{other}` is not among the words"),
        }
    }

    fn add_value(&mut self, word: &str, value: &str) -> Option<()> {
        let duration = || parse_duration(value).ok();
        let number = || value.parse::<usize>().ok();
        let service = || value.parse::<ServiceId>().ok();
        let share = || {
            let share = value.parse::<f64>().ok();
            share.filter(|share| (0.0..=1.0).contains(share))
        };
        match word {
            "freeze" => {
                self.frozen().at = match value {
                    "rebuilding" => FreezeAt::Rebuilding,
                    "renamed" => FreezeAt::Renamed,
                    _ => FreezeAt::After(duration()?),
                }
            }
            "thaw" => self.frozen().thaw_after = Some(duration()?),
            "status-lag" => self.status_lag = duration()?,
            "name-lag" => self.name_lag = duration()?,
            "names" => {
                let known = Names::WORDS.iter().find(|(word, _)| *word == value)?;
                self.names = known.1;
            }
            "alien-rows" => self.alien_rows = number()?,
            "endless" => self.endless = Some(number()?),
            "shift" => self.shift = number()?,
            "unlisted" => self.unlisted.push(service()?),
            "unreadable" => self.unreadable.push(service()?),
            "zone" => self.zone = Some(value.to_owned()),
            "baseline" => self.baseline = Some(value.to_lowercase()),
            "fails-at-once" => self.fails_at_once = share()?,
            "rolls-back" => self.rolls_back = share()?,
            "ignored" => self.ignored = share()?,
            "third-name" => self.third_name = share()?,
            "preview-lacks" => self.preview_lacks.push(service()?),
            "preview-fails" => self.preview_fails.push(service()?),
            "session-calls" => self.session_calls = Some(number()?.try_into().ok()?),
            "always" => self.always.push(parse_always(value)?),
            "retry-after" => {
                self.retry_after = Some(match value {
                    "past" => "Thu, 01 Jan 2015 00:00:00 GMT".to_owned(),
                    text => text.to_owned(),
                });
            }
            other => unreachable!("`{other}` is not among the words"),
        }
        Some(())
    }
}

impl TryFrom<Vec<String>> for Oddities {
    type Error = InvalidOddity;

    fn try_from(words: Vec<String>) -> Result<Self, InvalidOddity> {
        Self::parse(words.iter().map(String::as_str))
    }
}

fn parse_always(text: &str) -> Option<Always> {
    let (what, when) = match text.split_once(':') {
        Some((what, when)) => (what, Some(when)),
        None => (text, None),
    };
    let (kind, call) = match what.split_once('@') {
        Some((kind, call)) => (kind, Some(call)),
        None => (what, None),
    };
    let kind: FaultKind = kind.parse().ok()?;
    let call = match call {
        Some(word) => Some(Call::ALL.into_iter().find(|call| call.as_str() == word)?),
        None if kind.can_be_drawn() => None,
        None => return None,
    };
    let (from, until) = match when.map(|when| when.split_once("..").unwrap_or((when, ""))) {
        Some((from, "")) => (parse_duration(from).ok()?, None),
        Some((from, until)) => (
            parse_duration(from).ok()?,
            Some(parse_duration(until).ok()?),
        ),
        None => (Duration::ZERO, None),
    };
    Some(Always {
        fault: Fault::new(kind),
        call,
        from,
        until,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_understood_and_changes_something() {
        for (word, takes, _) in Oddities::WORDS {
            let value = match *takes {
                "" => "",
                "a duration" | "a duration, `rebuilding` or `renamed`" => "=2s",
                "a share from 0 to 1" => "=0.5",
                "a service id" | "a number of rows" | "a number of bytes" | "a number of calls" => {
                    "=7"
                }
                "a status" | "a zone" => "=error",
                _ if *word == "names" => "=family",
                _ if *word == "always" => "=429@submission:2s..5s",
                _ if *word == "retry-after" => "=past",
                other => panic!("{other}"),
            };
            let text = format!("{word}{value}");
            let odd = Oddities::parse([&*text]).unwrap();
            assert_ne!(odd, Oddities::default(), "{text}");
        }
    }

    #[test]
    fn what_is_no_oddity_is_refused_with_what_would_be() {
        for (text, word) in [
            ("freezing", "never-shown"),
            ("freeze", "a duration"),
            ("freeze=soon", "a duration"),
            ("never-shown=1", "no value"),
            ("third-name=1.5", "a share"),
            ("third-name=NaN", "a share"),
            ("unlisted=0", "a service id"),
            ("names=roman", "punctuation"),
            ("always=430", "KIND"),
            ("always=429@post", "KIND"),
            ("always=429:5s..soon", "KIND"),
            // It needs a script to say which error.
            ("always=error", "KIND"),
        ] {
            let error = Oddities::parse([text]).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn words_about_one_thing_come_in_any_order() {
        let words = ["thaw=5s", "freeze-pages", "freeze=renamed"];
        let mut backwards = words;
        backwards.reverse();
        assert_eq!(Oddities::parse(words), Oddities::parse(backwards));
    }

    #[test]
    fn always_is_for_the_calls_it_names_and_within_its_time() {
        let odd = Oddities::parse(["always=460@instances:2s..5s", "always=captcha"]).unwrap();
        let [blocked, captcha] = &odd.always[..] else {
            panic!("{odd:?}")
        };
        let second = Duration::from_secs;
        assert!(!blocked.meets(Call::Instances, second(1)));
        assert!(blocked.meets(Call::Instances, second(2)));
        assert!(!blocked.meets(Call::Auth, second(2)));
        assert!(!blocked.meets(Call::Instances, second(5)));
        assert!(captcha.meets(Call::Auth, second(9)));
        assert!(
            !captcha.meets(Call::Instances, second(9)),
            "it fits no list"
        );
    }

    #[test]
    fn names_are_spelled_as_the_field_spells_them() {
        for (names, spelled) in [
            (Names::AsPreviewed, "AlmaLinux-8"),
            (Names::Case, "ALMALINUX-8"),
            (Names::Punctuation, "almalinux_8"),
            (Names::Longer, "AlmaLinux 8 (x86_64)"),
            (Names::Family, "AlmaLinux"),
            (Names::Mixed, "AlmaLinux-8"),
        ] {
            assert_eq!(names.spell("AlmaLinux-8", 5), spelled);
        }
        assert_eq!(Names::Mixed.spell("AlmaLinux-8", 6), "AlmaLinux 8 (x86_64)");
        let template = |name| Names::Template.spell(name, 5);
        assert_eq!(template("CentOS-7"), template("CentOS-7"));
        assert_ne!(template("CentOS-7"), template("CentOS-8"));
    }
}
