//! What a document claims of the call that it answers: whether it is its answer at all, and where
//! its `ok` leads.
//!
//! A broken proxy hands out the answer to another request, and a session that waits for a second
//! factor answers everything with the same `ok`. So an `ok` counts only if nothing beside it says
//! that it belongs to somebody else, and if it leads nowhere.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::shape::{self, Many, Object, Text, Words};
use crate::job::{ImageId, ServiceId};

/// What our own call named, and its answer may echo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ours<'a> {
    pub(super) func: &'a str,
    pub(super) service: Option<ServiceId>,
    pub(super) image: Option<ImageId>,
    /// The call is a submission, so that only proof counts.
    pub(super) submits: bool,
}

/// What the API still asks the owner of a session for. Until it gets that, the session is not
/// complete, and every function answers with the same `ok`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HalfSession {
    /// A one-time code.
    SecondFactor,
    /// A login.
    Login,
}

impl fmt::Display for HalfSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SecondFactor => "a second factor",
            Self::Login => "a login",
        })
    }
}

/// Where an `ok` leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lead {
    /// As the API wrote it.
    pub(super) target: String,
    /// The second factor or a login, if it names these.
    pub(super) half: Option<HalfSession>,
}

/// The parts of a document that decide.
#[derive(Debug, Default)]
pub(super) struct Claims<'a> {
    /// The texts of `ok`; `None`: there is none, or it is `null` or `false`.
    pub(super) ok: Option<Words>,
    /// The nodes of `error`; `None`: there is none. An error that cannot be read is one node
    /// without words.
    pub(super) errors: Option<Vec<ErrorNode<'a>>>,
    /// There is an `slist`: forms have it.
    pub(super) is_form: bool,
    /// There are rows of a list: no answer to a submission has them.
    pub(super) is_list: bool,
    funcs: Words,
    services: Words,
    images: Words,
    /// It echoes a call without any of the parameters that only a submission has. Our own preview
    /// of the same instance is such a call, with the same function and the same id.
    echoes_no_submission: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorNode<'a> {
    #[serde(borrow, rename = "$type")]
    pub(super) kind: Text<'a>,
    /// A word, or JSON of the cloud behind the panel, which may come as a string or as JSON.
    #[serde(borrow, rename = "$object")]
    pub(super) object: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) msg: Text<'a>,
    #[serde(borrow)]
    pub(super) detail: Text<'a>,
}

/// Reads what a body claims.
pub(super) fn read(body: &str) -> serde_json::Result<Claims<'_>> {
    #[derive(Deserialize)]
    struct Root<'a> {
        #[serde(borrow)]
        doc: Object<Claims<'a>>,
        /// An error beside the document, as a gateway may put it there.
        #[serde(default, deserialize_with = "shape::present")]
        error: Option<IgnoredAny>,
    }

    let Object(root) = serde_json::from_str::<Object<Root<'_>>>(body)?;
    let Object(mut claims) = root.doc;
    if root.error.is_some() {
        let unknown = ErrorNode::default();
        claims.errors.get_or_insert_default().push(unknown);
    }
    Ok(claims)
}

impl Claims<'_> {
    /// It names another function, instance or image than `ours`. What it does not name, or spells
    /// in a way that cannot be compared, counts as ours.
    pub(super) fn is_foreign(&self, ours: &Ours<'_>) -> bool {
        let other_func = self.funcs.iter().any(|text| !names_func(text, ours.func));
        let other_service = ours.service.is_some_and(|service| {
            self.services
                .iter()
                .flat_map(|text| text.split([',', ' ']))
                .any(|id| !id.is_empty() && id.parse() != Ok(service.get()))
        });
        // A text that is no image id may be another spelling of ours.
        let other_image = ours.image.is_some_and(|image| {
            self.images
                .iter()
                .filter_map(|text| text.parse::<ImageId>().ok())
                .any(|id| id != image)
        });
        other_func || other_service || other_image
    }

    /// Its error answers a preview of this instance, and no submission. An `ok` needs no such
    /// check: a preview is answered by a form, never by an `ok`.
    pub(super) fn refuses_a_preview(&self) -> bool {
        self.errors.is_some() && self.echoes_no_submission
    }

    /// Where its `ok` leads, if it leads anywhere.
    pub(super) fn lead(&self) -> Option<Lead> {
        let words = self.ok.as_ref()?;
        let mut elsewhere = None;
        for text in words.iter() {
            let half = half_session(text);
            if half.is_some() || leads_elsewhere(text) {
                let lead = elsewhere.get_or_insert_with(|| Lead {
                    target: text.to_owned(),
                    half,
                });
                lead.half = lead.half.or(half);
            }
        }
        elsewhere
    }
}

/// `text` names `func`: by itself, or within an address.
fn names_func(text: &str, func: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-'))
        .any(|word| word.eq_ignore_ascii_case(func))
}

/// `func=…`, a path, an address, the name of a function: anything but words for people.
fn leads_elsewhere(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        let between_letters = |mark: char| {
            word.match_indices(mark).any(|(at, _)| {
                let follows = word[at + mark.len_utf8()..].chars().next();
                follows.is_some_and(char::is_alphanumeric)
                    && (mark != '.' && mark != ':' || {
                        let before = word[..at].chars().next_back();
                        before.is_some_and(char::is_alphabetic)
                            && follows.is_some_and(char::is_alphabetic)
                    })
            })
        };
        word.starts_with(['/', '\\', '?', '#'])
            || word.contains("//")
            || word.to_ascii_lowercase().contains("func=")
            || ['=', '/', '\\', '?', '#', '%', '.', ':']
                .into_iter()
                .any(between_letters)
    })
}

/// The second factor or a login, where `text` names one: `func=totp.confirm` and `totpconfirm` alike.
pub(super) fn half_session(text: &str) -> Option<HalfSession> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let names = |known: &[&str]| words.iter().any(|word| known.contains(word));
    let follow = |first: &str, second: &str| words.windows(2).any(|pair| pair == [first, second]);
    if names(&["otp", "hotp", "2fa", "mfa", "twofactor", "sms"])
        || lower.contains("totp")
        || follow("second", "factor")
        || follow("two", "factor")
    {
        Some(HalfSession::SecondFactor)
    } else if names(&[
        "logon",
        "login",
        "signin",
        "auth",
        "sso",
        "captcha",
        "recaptcha",
    ]) {
        Some(HalfSession::Login)
    } else {
        None
    }
}

/// The request's parameters, echoed.
#[derive(Default)]
struct Echo {
    funcs: Words,
    services: Words,
    images: Words,
    /// A parameter that a submission has, and a preview has not.
    submits: bool,
}

impl Echo {
    fn names_a_call(&self) -> bool {
        self.funcs
            .iter()
            .chain(self.services.iter())
            .next()
            .is_some()
    }
}

/// The names of fields are compared without regard to letter case, so that a foreign answer is
/// found out however it is written. A field that is given twice counts twice.
impl<'de: 'a, 'a> Deserialize<'de> for Claims<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Claims<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut claims = Claims::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match key.trimmed().to_ascii_lowercase().as_str() {
                        "ok" => {
                            let raw = map.next_value::<&RawValue>()?.get();
                            if !matches!(raw, "null" | "false") {
                                let words = serde_json::from_str(raw).map_err(M::Error::custom)?;
                                claims.ok.get_or_insert_default().extend(words);
                            }
                        }
                        "error" => {
                            let raw = map.next_value::<&RawValue>()?.get();
                            let Many(mut nodes) = serde_json::from_str::<Many<ErrorNode<'_>>>(raw)
                                .unwrap_or_default();
                            if nodes.is_empty() {
                                nodes.push(ErrorNode::default());
                            }
                            claims.errors.get_or_insert_default().extend(nodes);
                        }
                        "slist" => {
                            map.next_value::<IgnoredAny>()?;
                            claims.is_form = true;
                        }
                        "elem" | "p_elems" | "p_num" | "p_cnt" => {
                            map.next_value::<IgnoredAny>()?;
                            claims.is_list = true;
                        }
                        "func" | "$func" => claims.funcs.extend(map.next_value()?),
                        "elid" | "$elid" => claims.services.extend(map.next_value()?),
                        "tparams" | "$tparams" => {
                            let raw = map.next_value::<&RawValue>()?.get();
                            let Many(echoes) =
                                serde_json::from_str::<Many<Echo>>(raw).unwrap_or_default();
                            for echo in echoes {
                                claims.echoes_no_submission |= echo.names_a_call() && !echo.submits;
                                claims.funcs.extend(echo.funcs);
                                claims.services.extend(echo.services);
                                claims.images.extend(echo.images);
                            }
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(claims)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

impl<'de> Deserialize<'de> for Echo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Echo;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Echo, M::Error> {
                let mut echo = Echo::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match key.trimmed().to_ascii_lowercase().as_str() {
                        "func" | "$func" => echo.funcs.extend(map.next_value()?),
                        "elid" | "$elid" => echo.services.extend(map.next_value()?),
                        "select_rebuild" => {
                            echo.submits = true;
                            echo.images.extend(map.next_value()?);
                        }
                        "sok" | "zone" | "enablessh" | "password" | "ssh_keys" => {
                            echo.submits = true;
                            map.next_value::<IgnoredAny>()?;
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(echo)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}
