//! What is odd about the account and its API all the time: the standing oddities.
//!
//! A [`Fault`](super::Fault) happens to one call; an oddity holds for the whole life of a simulator, or
//! from some event on. Whatever the answers say, the [`Record`](super::Record) stays exact. The one
//! fact to know: each oddity has a word, the same for [`Oddities::parse`], for the command line's
//! `--odd` and for the control interface.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::always::Always;
use super::freeze::{Freeze, FreezeAt};
use super::image_names::Names;
use super::panel::PanelRebuild;
use super::ssh_oddity::SshOddity;
use super::vocabulary::Term;
use crate::job::ServiceId;
use crate::text::brief;
use crate::time::parse_duration;

/// Everything that is odd about an account. Times after "the start" are counted from the start of
/// the simulator, or from the moment at which [`AccountChange::odd`](super::AccountChange::odd) was
/// given.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word of its own, and any of them go together"
)]
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
    /// `double-rows`: an instance to which something is being done has two rows, one as it was
    /// before.
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
    /// `history`: the panel keeps a history of each service. Without it the API has no such function, as
    /// nobody knows whether it has.
    pub history: bool,
    /// `panel-rebuild=…`: somebody else rebuilds what a submission did not.
    pub panel_rebuild: Option<PanelRebuild>,
    /// `ssh=…`: what is odd about the instances' SSH ports; of traps that exclude each other the first counts.
    pub ssh: Vec<SshOddity>,
    /// `retry-after=…`: the header of every 429, 503 and maintenance page that has none of its own.
    pub retry_after: Option<String>,
}

/// Why a word is no oddity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOddity {
    #[error("unknown oddity `{0}`: known are {known}", known = Term::list(Oddities::WORDS))]
    Unknown(String),
    /// The word is known, what follows it is not understood.
    #[error("`{word}` takes {takes}")]
    Value {
        word: &'static str,
        takes: &'static str,
    },
}

/// What a word does to the oddities.
#[derive(Debug, Clone, Copy)]
enum Setter {
    Plain(fn(&mut Oddities)),
    /// `None`: the value is not understood.
    Value(fn(&mut Oddities, &str) -> Option<()>),
}

use Setter::{Plain, Value};

const DURATION: &str = "a duration";
const SHARE: &str = "a share from 0 to 1";
const SERVICE: &str = "a service id";
const SSH: &str = "TRAP[:VALUE][@ID|@SHARE], where TRAP is baked-keys, restored-keys, queued, moved, moved-late, \
    moved-early, gateway, gateway-while-down, algorithm, silent, refused, endless-lines, endless-line, slow-line, \
    http, garbage, closed or penalties, for example `silent`, `queued:20s@5113119` or `baked-keys@0.5`";
const ALWAYS: &str = "KIND[@CALL][:FROM[..UNTIL]], for example `429@submission` or `403:2s..5s`";

impl Oddities {
    /// Every word, what it takes, and what it does.
    const WORDS: &[Term<Setter>] = &[
        Term::plain("never-shown", Plain(|odd| odd.never_shown = true)),
        Term::with(
            "freeze",
            "a duration, `rebuilding` or `renamed`",
            Value(|odd, value| set(&mut odd.frozen().at, FreezeAt::parse(value))),
        ),
        Term::plain("freeze-pages", Plain(|odd| odd.frozen().by_page = true)),
        Term::with(
            "thaw",
            DURATION,
            Value(|odd, value| set_some(&mut odd.frozen().thaw_after, duration(value))),
        ),
        Term::with(
            "status-lag",
            DURATION,
            Value(|odd, value| set(&mut odd.status_lag, duration(value))),
        ),
        Term::with(
            "name-lag",
            DURATION,
            Value(|odd, value| set(&mut odd.name_lag, duration(value))),
        ),
        Term::with(
            "names",
            "preview, case, punctuation, longer, family, template, mixed or broken",
            Value(|odd, value| set(&mut odd.names, Names::parse(value))),
        ),
        Term::plain("double-rows", Plain(|odd| odd.double_rows = true)),
        Term::with(
            "alien-rows",
            "a number of rows",
            Value(|odd, value| set(&mut odd.alien_rows, number(value))),
        ),
        Term::with(
            "endless",
            "a number of bytes",
            Value(|odd, value| set_some(&mut odd.endless, number(value))),
        ),
        Term::with(
            "shift",
            "a number of rows",
            Value(|odd, value| set(&mut odd.shift, number(value))),
        ),
        Term::with(
            "unlisted",
            SERVICE,
            Value(|odd, value| push(&mut odd.unlisted, service(value))),
        ),
        Term::with(
            "unreadable",
            SERVICE,
            Value(|odd, value| push(&mut odd.unreadable, service(value))),
        ),
        Term::with(
            "baseline",
            "a status",
            Value(|odd, value| set_some(&mut odd.baseline, Some(value.to_lowercase()))),
        ),
        Term::with(
            "fails-at-once",
            SHARE,
            Value(|odd, value| set(&mut odd.fails_at_once, share(value))),
        ),
        Term::with(
            "rolls-back",
            SHARE,
            Value(|odd, value| set(&mut odd.rolls_back, share(value))),
        ),
        Term::with(
            "ignored",
            SHARE,
            Value(|odd, value| set(&mut odd.ignored, share(value))),
        ),
        Term::with(
            "third-name",
            SHARE,
            Value(|odd, value| set(&mut odd.third_name, share(value))),
        ),
        Term::with(
            "preview-lacks",
            SERVICE,
            Value(|odd, value| push(&mut odd.preview_lacks, service(value))),
        ),
        Term::with(
            "preview-fails",
            SERVICE,
            Value(|odd, value| push(&mut odd.preview_fails, service(value))),
        ),
        Term::with(
            "zone",
            "a zone",
            Value(|odd, value| set_some(&mut odd.zone, Some(value.to_owned()))),
        ),
        Term::plain("strict-zone", Plain(|odd| odd.strict_zone = true)),
        Term::with(
            "session-calls",
            "a number of calls",
            Value(|odd, value| set_some(&mut odd.session_calls, number(value))),
        ),
        Term::with(
            "always",
            ALWAYS,
            Value(|odd, value| push(&mut odd.always, Always::parse(value))),
        ),
        Term::plain("history", Plain(|odd| odd.history = true)),
        Term::with(
            "panel-rebuild",
            "same, ordered or third",
            Value(|odd, value| set_some(&mut odd.panel_rebuild, PanelRebuild::parse(value))),
        ),
        Term::with(
            "ssh",
            SSH,
            Value(|odd, value| push(&mut odd.ssh, SshOddity::parse(value))),
        ),
        Term::with(
            "retry-after",
            "the header's text, or `past` for a date that has passed",
            Value(|odd, value| set_some(&mut odd.retry_after, Some(retry_after(value)))),
        ),
    ];

    pub fn words() -> impl Iterator<Item = &'static str> {
        Self::WORDS.iter().map(|known| known.word)
    }

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
        let Some(known) = Term::find(Self::WORDS, word) else {
            return Err(InvalidOddity::Unknown(brief(word, 40)));
        };
        let is_set = match (known.value, value) {
            (Plain(set), None) => {
                set(self);
                Some(())
            }
            (Value(set), Some(value)) => set(self, value),
            (Plain(_), Some(_)) | (Value(_), None) => None,
        };
        is_set.ok_or(InvalidOddity::Value {
            word: known.word,
            takes: match known.takes {
                "" => "no value",
                takes => takes,
            },
        })
    }

    fn frozen(&mut self) -> &mut Freeze {
        self.freeze.get_or_insert(Freeze {
            at: FreezeAt::After(Duration::ZERO),
            by_page: false,
            thaw_after: None,
        })
    }
}

fn set<T>(field: &mut T, value: Option<T>) -> Option<()> {
    *field = value?;
    Some(())
}

fn set_some<T>(field: &mut Option<T>, value: Option<T>) -> Option<()> {
    set(field, value.map(Some))
}

fn push<T>(list: &mut Vec<T>, value: Option<T>) -> Option<()> {
    list.push(value?);
    Some(())
}

fn duration(value: &str) -> Option<Duration> {
    parse_duration(value).ok()
}

fn number<N: FromStr>(value: &str) -> Option<N> {
    value.parse().ok()
}

fn service(value: &str) -> Option<ServiceId> {
    value.parse().ok()
}

fn share(value: &str) -> Option<f64> {
    let share = value.parse().ok()?;
    (0.0..=1.0).contains(&share).then_some(share)
}

fn retry_after(value: &str) -> String {
    match value {
        "past" => "Thu, 01 Jan 2015 00:00:00 GMT",
        text => text,
    }
    .to_owned()
}

impl TryFrom<Vec<String>> for Oddities {
    type Error = InvalidOddity;

    fn try_from(words: Vec<String>) -> Result<Self, InvalidOddity> {
        Self::parse(words.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_understood_and_changes_something() {
        for Term { word, takes, .. } in Oddities::WORDS {
            let value = match *takes {
                "" => "",
                "a duration" | "a duration, `rebuilding` or `renamed`" => "=2s",
                "a share from 0 to 1" => "=0.5",
                "a service id" | "a number of rows" | "a number of bytes" | "a number of calls" => {
                    "=7"
                }
                "a status" | "a zone" => "=error",
                _ if *word == "names" => "=family",
                _ if *word == "panel-rebuild" => "=third",
                _ if *word == "ssh" => "=silent",
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
            ("panel-rebuild=no", "ordered"),
            ("ssh=loud", "TRAP"),
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
    fn whoever_writes_an_unknown_trap_is_told_all_there_are() {
        let error = Oddities::parse(["ssh=loud"]).unwrap_err().to_string();
        let told: Vec<&str> = error.split(|c: char| ", ".contains(c)).collect();
        for word in SshOddity::words() {
            assert!(told.contains(&word), "{word}: {error}");
        }
    }

    #[test]
    fn words_about_one_thing_come_in_any_order() {
        let words = ["thaw=5s", "freeze-pages", "freeze=renamed"];
        let mut backwards = words;
        backwards.reverse();
        assert_eq!(Oddities::parse(words), Oddities::parse(backwards));
    }
}
