//! Whom to tell, and of what.

use std::fmt;
use std::path::PathBuf;

use reqwest::Url;

/// All of them; each may be missing.
#[derive(Debug, Clone, Default)]
pub struct Monitors {
    /// A file for Prometheus.
    pub metrics: Option<PathBuf>,
    /// A check of healthchecks.io, or of what speaks like it.
    pub ping: Option<Address>,
    pub notify: Option<Notify>,
    /// A command that gets the end as JSON.
    pub on_end: Option<String>,
}

impl Monitors {
    /// Nobody is to be told.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_none()
            && self.ping.is_none()
            && self.notify.is_none()
            && self.on_end.is_none()
    }
}

/// A webhook.
#[derive(Debug, Clone)]
pub struct Notify {
    pub to: Address,
    pub format: Format,
    pub when: When,
    /// Where it is kept what was told last; `None`: nowhere.
    pub memory: Option<PathBuf>,
}

/// What a webhook takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// All that is known, for programs of one's own.
    Json,
    /// The others stand in channels that many read: numbers, and no names.
    Slack,
    Teams,
    Ntfy,
}

/// Which ends it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    /// Any but a good one.
    Problem,
    /// Those with another exit code than the one before.
    Change,
}

/// An address of a monitor. Whoever knows it may write there, so it is never shown whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// `None`: that is no `http://` or `https://` address.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text.trim()).ok()?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        is_web.then_some(Self(url))
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// The same with `last` behind its path; a query stays behind that.
    pub(super) fn below(&self, last: &str) -> Url {
        let mut url = self.0.clone();
        let path = format!("{}/{last}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        write!(f, "{}://{host}/…", self.0.scheme())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_never_shown_whole_and_keeps_its_query_behind_its_path() {
        let check = "https://me:pass@hc.example:8443/ping/5a7f-secret/nightly?create=1&key=k";
        let address = Address::parse(check).unwrap();
        for shown in [address.to_string(), format!("{address:?}")] {
            assert_eq!(shown, "https://hc.example/…");
        }
        assert_eq!(
            address.below("start").as_str(),
            "https://me:pass@hc.example:8443/ping/5a7f-secret/nightly/start?create=1&key=k"
        );
        let bare = Address::parse("http://127.0.0.1:9/check/").unwrap();
        assert_eq!(bare.below("75").as_str(), "http://127.0.0.1:9/check/75");
    }

    #[test]
    fn what_is_no_address_of_the_web_is_none() {
        for text in [
            "",
            "hc-ping.com/x",
            "ftp://a/b",
            "file:///etc/passwd",
            "http://",
        ] {
            assert!(Address::parse(text).is_none(), "{text}");
        }
    }
}
