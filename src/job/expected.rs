//! What an order expects to find on its instance.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Action, InstanceStatus, is_cut, same_image};

/// A text of the list is no longer than this, nor is a pin: a longer one is cut, and ends in `…`.
pub const EXPECTED_CHARS_MAX: usize = 120;

/// What must be read of an instance right before something is submitted for it: what whoever ordered
/// it had before their eyes, as pins of the manifest or in a plan.
///
/// `None`: whatever stands there. An empty text: the list gave none. Texts are as the list is read:
/// made safe to print, on one line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The owner's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Name of the image that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<InstanceStatus>,
    /// Somebody saw all of this in the account's list: it is no pin of a manifest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen: bool,
    /// What was seen is not what its manifest pins: somebody was shown that it is not sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contradicted: bool,
}

/// Something that stands there, and is not what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference<'a> {
    /// What it is, as people say it.
    pub what: &'static str,
    /// What was expected; empty: none.
    pub expected: &'a str,
    /// What stands there; empty: none.
    pub stands: &'a str,
}

impl Expected {
    /// Nothing was there to be seen.
    pub fn absent() -> Self {
        Self {
            name: Some(String::new()),
            ip: Some(String::new()),
            image: Some(String::new()),
            status: None,
            seen: true,
            contradicted: false,
        }
    }

    /// What must still stand there when `action` is submitted: in a status from which it does not begin
    /// the instance is waited for, so that another status then is no surprise.
    #[must_use]
    pub fn until(mut self, action: Action) -> Self {
        self.status = self.status.filter(|status| action.may_begin(status));
        self
    }

    /// Without the texts that were cut: they can never be found again.
    #[must_use]
    pub fn of_whole_texts(mut self) -> Self {
        for text in [&mut self.name, &mut self.ip, &mut self.image] {
            text.take_if(|text| is_cut(text));
        }
        self
    }

    /// Whatever stands there is well.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What is expected once the manifest, read again, has these `pins`. What somebody has seen and
    /// approved stays expected where they say nothing of it; a pin that is gone from the manifest is gone.
    #[must_use]
    pub fn repinned(&self, pins: &Self) -> Self {
        if !self.seen {
            return pins.clone();
        }
        let mended = self.with(pins);
        let is_as_before = self.contradicted
            && mended
                == Self {
                    contradicted: false,
                    ..self.clone()
                };
        if is_as_before || (!self.contradicted && pins.differences(self, false).is_empty()) {
            return self.clone();
        }
        mended
    }

    /// What is expected of an instance of which somebody has seen this, by a row with these `pins`. Where
    /// they contradict each other nothing is sent, until the pins are mended.
    #[must_use]
    pub fn and_pins(&self, pins: &Self) -> Self {
        if pins.differences(self, false).is_empty() {
            return self.clone();
        }
        Self {
            contradicted: true,
            ..self.with(pins)
        }
    }

    fn with(&self, pins: &Self) -> Self {
        let of = |pin: &Option<String>, seen: &Option<String>| pin.clone().or_else(|| seen.clone());
        Self {
            name: of(&pins.name, &self.name),
            ip: of(&pins.ip, &self.ip),
            image: of(&pins.image, &self.image),
            status: self.status.clone(),
            seen: true,
            contradicted: false,
        }
    }

    /// A fact that was expected `before` is not any more.
    pub fn expects_less(&self, before: &Self) -> bool {
        [
            (&self.name, &before.name),
            (&self.ip, &before.ip),
            (&self.image, &before.image),
        ]
        .iter()
        .any(|(now, before)| now.is_none() && before.is_some())
    }

    /// In what `stands`, what the list says of the instance, differs from what is expected. Of an
    /// instance that `may_differ`, since the order has touched it or something is being done to it,
    /// only name and address are compared.
    pub fn differences<'a>(&'a self, stands: &'a Self, may_differ: bool) -> Vec<Difference<'a>> {
        let mut differences = Vec::new();
        let mut compare = |what, expected: Option<&'a str>, stands: Option<&'a str>, same: Same| {
            let (Some(expected), stands) = (expected, stands.unwrap_or_default()) else {
                return;
            };
            let is_same = expected == stands && !is_cut(expected);
            if !is_same && !same(expected, stands) {
                differences.push(Difference {
                    what,
                    expected,
                    stands,
                });
            }
        };
        compare(
            "name",
            self.name.as_deref(),
            stands.name.as_deref(),
            exactly,
        );
        compare("address", self.ip.as_deref(), stands.ip.as_deref(), same_ip);
        if !may_differ {
            let image = self.image.as_deref();
            compare("image", image, stands.image.as_deref(), same_image);
            // What is about to change may have changed already.
            let settled = |status: &'a Option<InstanceStatus>| {
                let status = status.as_ref().filter(|status| !status.is_passing());
                status.map(InstanceStatus::as_str)
            };
            if let Some(now) = settled(&stands.status) {
                compare("status", settled(&self.status), Some(now), exactly);
            }
        }
        // Even where it has come right by now: somebody was shown that nothing is sent.
        if self.contradicted {
            differences.push(Difference {
                what: SHOWN_OTHERWISE,
                expected: "",
                stands: "",
            });
        }
        differences
    }
}

/// Said of an instance that was shown to be other than its row expects.
const SHOWN_OTHERWISE: &str = "it was other than its row expects when that was shown";

type Same = fn(&str, &str) -> bool;

/// As texts alone.
fn exactly(_: &str, _: &str) -> bool {
    false
}

/// Two spellings of one address.
fn same_ip(one: &str, other: &str) -> bool {
    let read = |text: &str| text.parse::<IpAddr>().ok();
    read(one).is_some_and(|one| read(other) == Some(one))
}

/// As it stands in a sentence: "its name is `web-2`, not `web-1`".
impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            expected,
            stands,
        } = self;
        match (*expected, *stands) {
            _ if *what == SHOWN_OTHERWISE => f.write_str(SHOWN_OTHERWISE),
            (_, "") => write!(f, "it has no {what}, not `{expected}`"),
            ("", _) => write!(f, "its {what} is `{stands}`, and it had none"),
            (..) => write!(f, "its {what} is `{stands}`, not `{expected}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(name: &str, ip: &str, image: &str, status: &str) -> Expected {
        let text = |text: &str| (text != "*").then(|| text.to_owned());
        Expected {
            name: text(name),
            ip: text(ip),
            image: text(image),
            status: text(status).map(InstanceStatus::from),
            seen: status != "*",
            contradicted: false,
        }
    }

    fn said(expected: &Expected, stands: &Expected, may_differ: bool) -> Vec<String> {
        let differences = expected.differences(stands, may_differ);
        differences.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_fact_is_compared_and_only_where_it_is_expected() {
        let stands = expected("web-2", "192.0.2.2", "Debian-12", "active");
        assert!(Expected::default().is_nothing());
        assert!(said(&Expected::default(), &stands, false).is_empty());
        assert!(said(&stands, &stands, false).is_empty());
        let all = expected("web-1", "192.0.2.1", "AlmaLinux-8", "stopped");
        let name = "its name is `web-2`, not `web-1`";
        let ip = "its address is `192.0.2.2`, not `192.0.2.1`";
        let image = "its image is `Debian-12`, not `AlmaLinux-8`";
        let status = "its status is `active`, not `stopped`";
        assert_eq!(said(&all, &stands, false), [name, ip, image, status]);
        assert_eq!(said(&all, &stands, true), [name, ip]);
    }

    #[test]
    fn what_the_list_did_not_give_must_still_be_missing() {
        let none = expected("", "", "", "*");
        assert!(said(&none, &expected("*", "", "*", "*"), false).is_empty());
        let found = said(&none, &expected("web-1", "*", "*", "active"), false);
        assert_eq!(found, ["its name is `web-1`, and it had none"]);
        let found = said(
            &expected("web-1", "*", "*", "*"),
            &Expected::default(),
            false,
        );
        assert_eq!(found, ["it has no name, not `web-1`"]);
    }

    #[test]
    fn spellings_of_an_address_or_an_image_do_not_count_and_those_of_a_name_do() {
        let stands = expected("Web-1", "2001:db8::1", "Alma Linux 8", "*");
        let same = expected("Web-1", "2001:DB8:0:0::1", "almalinux-8", "*");
        assert!(said(&same, &stands, false).is_empty());
        for other in [
            expected("web-1", "*", "*", "*"),
            expected("*", "2001:db8::2", "*", "*"),
            expected("*", "192.0.2.1", "*", "*"),
            expected("*", "*", "AlmaLinux-8.1", "*"),
            expected("*", "*", "almalinux-\u{fffd}", "*"),
        ] {
            assert_eq!(said(&other, &stands, false).len(), 1, "{other:?}");
        }
    }

    #[test]
    fn a_text_that_was_cut_never_matches_and_is_not_expected_by_who_has_seen_it() {
        let cut = expected("web-1 of …", "*", "AlmaLinux-8 with…", "active");
        let names = said(&cut, &cut, false);
        assert_eq!(names.len(), 2, "{names:?}");
        let seen = cut.clone().of_whole_texts();
        assert_eq!(seen, expected("*", "*", "*", "active"));
        assert!(said(&seen, &cut, false).is_empty());
    }

    #[test]
    fn a_manifest_that_was_mended_changes_its_pins_and_not_what_somebody_has_seen() {
        let pins = expected("web-1", "*", "Debian-12", "*");
        let none = Expected::default();
        assert_eq!(none.repinned(&pins), pins);
        assert_eq!(pins.repinned(&none), none);
        assert!(none.expects_less(&pins) && !pins.expects_less(&none));
        let moved = expected("*", "192.0.2.1", "Debian-12", "*");
        assert!(moved.expects_less(&pins) && !pins.expects_less(&pins));
        let seen = expected("web-1", "192.0.2.1", "debian 12", "active");
        for same in [&none, &pins, &seen] {
            assert_eq!(seen.repinned(same), seen);
        }
        let other = expected("web-2", "*", "*", "*");
        let mended = expected("web-2", "192.0.2.1", "debian 12", "active");
        assert_eq!(seen.repinned(&other), mended);
        assert_eq!(Expected::absent().repinned(&none), Expected::absent());
    }

    #[test]
    fn a_status_counts_where_both_are_settled() {
        let active = expected("*", "*", "*", "active");
        for (word, differences) in [
            ("active", 0),
            ("stopped", 1),
            ("error", 1),
            ("suspended", 1),
            ("rebuilding", 0),
            ("rebooting", 0),
            ("", 0),
        ] {
            let other = expected("*", "*", "*", word);
            assert_eq!(said(&active, &other, false).len(), differences, "{word}");
            assert_eq!(said(&other, &active, false).len(), differences, "{word}");
        }
    }

    #[test]
    fn what_was_shown_to_be_otherwise_says_how_it_still_is() {
        let seen = expected("web-2", "192.0.2.2", "Debian-12", "active");
        let row = expected("web-1", "*", "*", "*");
        let contradicted = seen.and_pins(&row);
        assert_eq!(
            said(&contradicted, &seen, false),
            ["its name is `web-2`, not `web-1`", SHOWN_OTHERWISE]
        );
        // Even where it has come right since.
        let right = expected("web-1", "192.0.2.2", "Debian-12", "active");
        assert_eq!(said(&contradicted, &right, false), [SHOWN_OTHERWISE]);
    }
}
