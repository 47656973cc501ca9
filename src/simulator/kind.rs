//! The kinds of faults: their words, and what each means for the call that meets it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::vocabulary::Term;

/// Is the call that meets the fault executed all the same?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Execution {
    Never,
    /// A script decides, and where it says nothing, this does; a plan tosses a coin.
    Either(bool),
    Always,
}

/// Does the client see the call's own answer in the end?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnAnswer {
    Hidden,
    Shown,
}

/// Which calls may a plan draw the kind for?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fits {
    Any,
    /// Any but a look at a long request, which is no call of a function.
    Function,
    /// Those that need a session.
    WithinSession,
    Only(Call),
    /// Those that name an instance.
    AboutInstance,
    /// Any that the rebuild form does not answer.
    NotPreview,
    /// None: a script has to say which error, or how late.
    ScriptOnly,
}

use Execution::{Always, Either, Never};
use Fits::{AboutInstance, Any, Function, NotPreview, Only, ScriptOnly, WithinSession};
use OwnAnswer::{Hidden, Shown};

#[derive(Debug, Clone, Copy)]
struct Nature {
    execution: Execution,
    own_answer: OwnAnswer,
    fits: Fits,
}

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal: $execution:expr, $own:expr, $fits:expr;)*) => {
        /// What goes wrong.
        ///
        /// Where the text says "executed or not", a script decides with
        /// [`Fault::executed`](super::Fault::executed) and the plan tosses a coin: to the client it
        /// looks the same.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FaultKind {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl FaultKind {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// One for each kind, in the order of the kinds.
            const WORDS: &[Term<Nature>] = &[$(Term::plain($word, Nature {
                execution: $execution,
                own_answer: $own,
                fits: $fits,
            }),)*];
        }
    };
}

fault_kinds! {
    // ---- instead of the API: what stands in front of it ----
    /// HTTP 301 with a `Location`, executed or not (a script's default: not).
    Moved = "301": Either(false), Hidden, Any;
    /// HTTP 403 as a firewall in front of the API answers it, not executed.
    Forbidden = "403": Never, Hidden, Any;
    /// HTTP 404 with an HTML page, executed or not (a script's default: not).
    NotFound = "404": Either(false), Hidden, Any;
    /// HTTP 405 with an HTML page, executed or not (a script's default: not).
    MethodNotAllowed = "405": Either(false), Hidden, Any;
    /// HTTP 429, not executed.
    TooManyRequests = "429": Never, Hidden, Any;
    /// HTTP 460, the provider's own sign of a blocked address, not executed.
    AddressBlocked = "460": Never, Hidden, Any;
    /// HTTP 503 with an HTML page, executed or not (a script's default: not).
    Unavailable = "503": Either(false), Hidden, Any;
    /// HTTP 503 with a page about maintenance and `Retry-After: 1`, executed or not (a script's
    /// default: not).
    Maintenance = "maintenance": Either(false), Hidden, Any;
    /// HTTP 200 with an HTML page, executed or not.
    Html = "html": Either(true), Hidden, Any;
    /// HTTP 200 with an HTML page of a megabyte of `href=`, executed or not.
    LinkStorm = "link-storm": Either(true), Hidden, Any;

    // ---- the connection ----
    /// The connection is reset before anything was done.
    ResetBefore = "reset-before": Never, Hidden, Any;
    /// The connection is reset after the call was executed.
    ResetAfter = "reset-after": Always, Hidden, Any;
    /// No answer, and nothing was done.
    TimeoutBefore = "timeout-before": Never, Hidden, Any;
    /// No answer, but the call was executed.
    TimeoutAfter = "timeout-after": Always, Hidden, Any;
    /// The connection closes in the middle of the body, executed or not.
    CutOff = "cut-off": Either(true), Hidden, Any;
    /// The right answer; then the connection closes after 100 ms, whatever is sent on it by then.
    CloseSoon = "close-soon": Always, Shown, Any;
    /// The right answer, some bytes at a time.
    Trickle = "trickle": Always, Shown, Any;
    /// The right answer, late: only [`Fault::delay_ms`](super::Fault::delay_ms).
    Delay = "delay": Always, Shown, ScriptOnly;

    // ---- bytes that are no answer ----
    /// HTTP 200 with nothing in it, executed or not.
    Empty = "empty": Either(true), Hidden, Any;
    /// Bytes that are no JSON, executed or not.
    Garbage = "garbage": Either(true), Hidden, Any;
    /// A whole HTTP answer whose JSON stops in the middle, executed or not.
    Truncated = "truncated": Either(true), Hidden, Any;
    /// JSON of another shape, executed or not.
    OtherShape = "other-shape": Either(true), Hidden, Any;

    // ---- the right answer, in another encoding or form ----
    /// The right answer behind many megabytes of blanks.
    Huge = "huge": Always, Shown, Any;
    /// HTTP 200 with the page that links to the real answer, executed.
    LongRequest = "long-request": Always, Shown, Function;
    /// The right answer behind a byte order mark.
    ByteOrderMark = "bom": Always, Shown, Any;
    /// The right answer, compressed, whether or not the client asked for it.
    Gzip = "gzip": Always, Shown, Any;
    /// The right answer under header lines that are none: a name with a blank, no colon at all.
    HeaderNoise = "header-noise": Always, Shown, Any;
    /// The right answer; a text for people (a row's name, an error's words) holds one half of a
    /// surrogate pair, escaped.
    HalfSurrogate = "half-surrogate": Always, Shown, Any;
    /// The same with a UTF-8 sequence that was cut in the middle.
    CutUtf8 = "cut-utf8": Always, Shown, Any;
    /// The same with raw control characters, which JSON forbids.
    ControlCharacters = "control-characters": Always, Shown, Any;
    /// The same with Russian text in windows-1251, which the header says.
    Windows1251 = "windows-1251": Always, Shown, Any;
    /// The same with Russian text in koi8-r, which the header says.
    Koi8R = "koi8-r": Always, Shown, Any;
    /// The same with Russian text in windows-1251, of which the header says nothing.
    UnnamedCharset = "unnamed-charset": Always, Shown, Any;

    // ---- documents of the API, and not the right ones ----
    /// `doc.error` with `$object=runningoperation`, executed or not (a script's default: not).
    Busy = "busy": Either(false), Hidden, Only(Call::Submission);
    /// Any `doc.error`, see [`Fault::error_type`](super::Fault::error_type); executed or not (a
    /// script's default: not).
    Error = "error": Either(false), Hidden, ScriptOnly;
    /// A `doc.error` of type `value` that quotes the call's secrets in every usual encoding, not
    /// executed.
    SecretEcho = "secret-echo": Never, Hidden, Function;
    /// `doc.ok` and `doc.error` (as of [`Error`](Self::Error)) in one document, executed or not.
    OkAndError = "ok-and-error": Either(true), Hidden, Any;
    /// A `doc.ok` that leads elsewhere ([`Fault::leads_to`](super::Fault::leads_to)), executed or
    /// not.
    OkElsewhere = "ok-elsewhere": Either(true), Hidden, Any;
    /// A whole answer to another function, executed or not.
    OtherFunc = "other-func": Either(true), Hidden, Any;
    /// An ok to the same function that speaks of another service, executed or not.
    OtherElid = "other-elid": Either(true), Hidden, AboutInstance;
    /// The rebuild form, whatever was asked, executed or not.
    Form = "form": Either(true), Hidden, NotPreview;
    /// Another page of the list than was asked for.
    OtherPage = "other-page": Always, Shown, Only(Call::Instances);

    // ---- session ----
    /// The call's session is forgotten, the call is not executed.
    SessionExpiry = "session-expiry": Never, Hidden, WithinSession;
    /// `doc.ok` with `func=totp.confirm`, as every call is answered while a second factor is
    /// pending; not executed.
    SecondFactor = "second-factor": Never, Hidden, WithinSession;
    /// A login is refused with an error type that nobody has documented.
    Captcha = "captcha": Never, Hidden, Only(Call::Auth);

    // ---- the instance ----
    /// The rebuild is accepted and begins, and the instance ends in status `error`.
    InstanceError = "instance-error": Always, Shown, Only(Call::Submission);
}

/// Why a word is no fault kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown fault kind `{word}`: known are {}",
    Term::list(FaultKind::WORDS)
)]
pub struct UnknownFaultKind {
    word: String,
}

impl FromStr for FaultKind {
    type Err = UnknownFaultKind;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let mut kinds = Self::ALL.iter().copied();
        kinds
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| UnknownFaultKind {
                word: crate::text::brief(word, 40),
            })
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FaultKind {
    /// The kinds of a plan for which none were named.
    pub const USUAL: [Self; 8] = [
        Self::TooManyRequests,
        Self::Unavailable,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::TimeoutAfter,
        Self::Garbage,
        Self::SessionExpiry,
        Self::InstanceError,
    ];

    /// May a plan hold this kind? The others need a script to say which error, and how late.
    pub fn can_be_drawn(self) -> bool {
        Call::ALL.into_iter().any(|call| self.fits(call))
    }

    /// May a plan draw this kind for `call`?
    pub fn fits(self, call: Call) -> bool {
        match self.nature().fits {
            Any => true,
            Function => call != Call::LongRequest,
            WithinSession => !matches!(call, Call::Auth | Call::LongRequest),
            Only(wanted) => call == wanted,
            AboutInstance => matches!(call, Call::Submission | Call::Preview),
            NotPreview => !matches!(call, Call::Preview | Call::LongRequest),
            ScriptOnly => false,
        }
    }

    /// As the command line and the scripts write it.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize].word
    }

    fn nature(self) -> Nature {
        Self::WORDS[self as usize].value
    }

    /// Does the client see the call's own answer in the end?
    pub(super) fn shows_answer(self) -> bool {
        self.nature().own_answer == Shown
    }

    /// Is the call executed all the same, where no script decides?
    pub(super) fn executes_by_default(self) -> bool {
        match self.nature().execution {
            Never => false,
            Either(default) => default,
            Always => true,
        }
    }

    /// Does the real thing say when to come back, with this one?
    pub(super) fn has_retry_after(self) -> bool {
        matches!(
            self,
            Self::TooManyRequests | Self::Unavailable | Self::Maintenance
        )
    }

    /// Does a plan toss a coin over whether the call is executed?
    pub(super) fn tosses_a_coin(self) -> bool {
        matches!(self.nature().execution, Either(_))
    }
}
