//! What goes wrong in a simulation, as the command line says it.

use clap::Args;

use crate::cli::headings::SIMULATION;
use crate::simulator::{FaultKind, FaultPlan, InvalidOddity, Oddities, UnknownFaultKind};

/// What goes wrong in a simulation.
#[derive(Debug, Clone, Default, Args)]
pub struct FaultArgs {
    /// Share of the simulated calls that go wrong, 0 to 1
    #[arg(long, help_heading = SIMULATION, value_name = "SHARE", default_value = "0", value_parser = parse_share)]
    pub fault_rate: f64,

    /// Kinds of faults, separated by commas [default: 429, 503, reset-before, reset-after, timeout-after, garbage, session-expiry, instance-error]
    ///
    /// Also known: 301, 403, 404, 405, 460, maintenance, html, link-storm, timeout-before, cut-off,
    /// close-soon, trickle, empty, truncated, other-shape, huge, long-request, bom, gzip,
    /// header-noise, half-surrogate, cut-utf8, control-characters, windows-1251, koi8-r, unnamed-charset, busy,
    /// secret-echo, ok-and-error, ok-elsewhere, other-func, other-elid, form, other-page,
    /// second-factor, captcha.
    #[arg(long, help_heading = SIMULATION, hide_short_help = true, value_name = "KIND,...", value_delimiter = ',', value_parser = parse_drawn_kind)]
    pub fault_kinds: Vec<FaultKind>,

    /// Lasting oddities of the simulated account, separated by commas; may be repeated
    ///
    /// The instance list: never-shown (it shows no rebuild); freeze=DURATION|rebuilding|renamed (it
    /// stays as it is after this time, or once it has shown a rebuild, or a new image name),
    /// freeze-pages (each page freezes by itself), thaw=DURATION (it is frozen for this long only);
    /// status-lag=DURATION, name-lag=DURATION (how old its statuses and its image names are);
    /// names=case|punctuation|longer|family|template|mixed|broken (how it spells image names);
    /// double-rows (an instance has a second row, with its old state, while it is rebuilt);
    /// alien-rows=ROWS (unreadable rows on each page); endless=BYTES (further pages of this
    /// many bytes, without end); shift=ROWS (how far its order moves after each call); unlisted=ID (an instance
    /// that it hides); unreadable=ID (an instance whose row has no id).
    ///
    /// Instances: baseline=STATUS (all have it at the start); fails-at-once=SHARE,
    /// rolls-back=SHARE, ignored=SHARE, third-name=SHARE (how many rebuilds end like this);
    /// preview-lacks=ID, preview-fails=ID (an instance whose rebuild form offers no image, or is refused);
    /// zone=ZONE (the zone of all images), strict-zone (the zone `image` is refused);
    /// session-calls=CALLS (how many calls a session lasts); panel-rebuild=same|ordered|third (somebody else
    /// rebuilds what a submission did not, with this image); history (the panel keeps a history of each service,
    /// which `run --history service.history` reads).
    ///
    /// SSH ports: ssh=TRAP[:VALUE][@ID|@SHARE], at all instances, at one, or at a share such as 0.5. Keys:
    /// baked-keys (all that are rebuilt with one image show the same), restored-keys[:DURATION] (the first ones
    /// come back, so long after a rebuild), algorithm:BEFORE..AFTER (a rebuild changes it; ed25519, ecdsa, rsa).
    /// Who answers: queued:DURATION (the old system, while a rebuild that shows waits so long), moved (two
    /// neighbours swap addresses when a submission of one arrives; moved-late, moved-early: the list never shows
    /// it, or all the time), gateway (something in front of them, with one key; gateway-while-down: only then).
    /// What answers: silent, refused, endless-lines, endless-line, slow-line (a byte a second), http,
    /// garbage, closed[:BYTES] (the connection ends after so many), penalties:CONNECTIONS (others are turned away
    /// after so many in a minute without a login). A port that drops everything cannot be had on loopback.
    ///
    /// Calls: always=KIND[@CALL][:FROM[..UNTIL]] (a fault that every call meets that meets no
    /// other, for example 429@submission, or 403:2s..5s after the start; calls are auth, keepalive,
    /// instances, preview, submission, long-request, history, other); retry-after=TEXT|past (what every 429
    /// and 503 says).
    #[allow(
        rustdoc::broken_intra_doc_links,
        reason = "the brackets are the command line's"
    )]
    #[arg(long, help_heading = SIMULATION, hide_short_help = true, value_name = "KIND[=VALUE],...", value_delimiter = ',', value_parser = parse_oddity)]
    pub odd: Vec<String>,

    /// Seed of the faults; the same seed gives the same ones
    #[arg(long, help_heading = SIMULATION, hide_short_help = true, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
}

impl FaultArgs {
    /// Whether they ask for anything that the usual simulation does not do.
    pub fn is_odd(&self) -> bool {
        self.fault_rate > 0.0 || !self.odd.is_empty()
    }

    /// The standing oddities that they describe.
    ///
    /// # Panics
    ///
    /// If a word is none: each has been read once before.
    pub fn oddities(&self) -> Oddities {
        let words = self.odd.iter().map(String::as_str);
        Oddities::parse(words).expect("each word was understood before")
    }

    /// The plan they describe.
    pub fn plan(&self) -> FaultPlan {
        let usual = FaultPlan::default();
        FaultPlan {
            rate: self.fault_rate,
            kinds: if self.fault_kinds.is_empty() {
                usual.kinds
            } else {
                self.fault_kinds.clone()
            },
            seed: self.seed,
        }
    }
}

/// Why a text is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a share from 0 to 1, for example 0.05")]
struct InvalidShare;

fn parse_share(text: &str) -> Result<f64, InvalidShare> {
    let share: f64 = text.parse().map_err(|_| InvalidShare)?;
    (0.0..=1.0)
        .contains(&share)
        .then_some(share)
        .ok_or(InvalidShare)
}

/// Why a word is no fault kind for a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum InvalidKind {
    #[error(transparent)]
    Unknown(#[from] UnknownFaultKind),
    #[error("`{0}` needs a script that says more: it cannot be drawn")]
    NeedsScript(FaultKind),
}

fn parse_drawn_kind(word: &str) -> Result<FaultKind, InvalidKind> {
    let kind: FaultKind = word.trim().parse()?;
    if kind.can_be_drawn() {
        Ok(kind)
    } else {
        Err(InvalidKind::NeedsScript(kind))
    }
}

fn parse_oddity(word: &str) -> Result<String, InvalidOddity> {
    Oddities::parse([word]).map(|_| word.trim().to_owned())
}
