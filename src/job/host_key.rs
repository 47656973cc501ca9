//! The SSH host keys that instances show.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Letters of a key as it is written. The largest RSA keys that anybody uses take a third of that.
const CHARS_MAX: usize = 8192;

/// A public host key as OpenSSH writes it: `ssh-ed25519 AAAA…`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostKey {
    text: String,
}

/// A text that is no host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no host key: an algorithm and the key in base64 were expected")]
pub struct InvalidHostKey;

impl HostKey {
    /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, …
    pub fn algorithm(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// As OpenSSH shows it: `SHA256:` and 43 letters.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.blob().unwrap_or_default());
        format!("SHA256:{}", STANDARD_NO_PAD.encode(digest))
    }

    fn blob(&self) -> Option<Vec<u8>> {
        let (_, blob) = self.text.split_once(' ')?;
        STANDARD.decode(blob).ok()
    }
}

impl FromStr for HostKey {
    type Err = InvalidHostKey;

    fn from_str(text: &str) -> Result<Self, InvalidHostKey> {
        if text.len() > CHARS_MAX {
            return Err(InvalidHostKey);
        }
        // A comment may follow.
        let mut words = text.split_ascii_whitespace();
        let (Some(algorithm), Some(blob)) = (words.next(), words.next()) else {
            return Err(InvalidHostKey);
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.@".contains(&byte);
        let key = Self {
            text: format!("{algorithm} {blob}"),
        };
        // The algorithm stands in the key once more, behind its length.
        let says_the_same = key.blob().is_some_and(|blob| {
            blob.split_first_chunk::<4>().is_some_and(|(length, rest)| {
                let length = u32::from_be_bytes(*length) as usize;
                rest.len() > length && rest[..length] == *algorithm.as_bytes()
            })
        });
        (algorithm.bytes().all(is_name) && says_the_same)
            .then_some(key)
            .ok_or(InvalidHostKey)
    }
}

impl TryFrom<String> for HostKey {
    type Error = InvalidHostKey;

    fn try_from(text: String) -> Result<Self, InvalidHostKey> {
        text.parse()
    }
}

impl From<HostKey> for String {
    fn from(key: HostKey) -> Self {
        key.text
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

/// A host key, and where it was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownKey {
    /// The instance's address and its SSH port.
    pub address: SocketAddr,
    /// What answered there.
    pub key: HostKey,
}

impl ShownKey {
    /// As a line of OpenSSH's `known_hosts`.
    pub fn known_hosts_line(&self) -> String {
        let Self { address, key } = self;
        if address.port() == 22 {
            format!("{} {key}", address.ip())
        } else {
            format!("[{}]:{} {key}", address.ip(), address.port())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with ssh-keygen for this test, and thrown away.
    const LINE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    #[test]
    fn a_key_is_read_as_openssh_writes_it_and_nothing_else_is() {
        let key: HostKey = format!("{LINE} root@web-1").parse().unwrap();
        assert_eq!(key.to_string(), LINE);
        assert_eq!(key.algorithm(), "ssh-ed25519");
        assert_eq!(
            key.fingerprint(),
            "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA"
        );
        for text in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 !",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
            "ssh-ed25519 AAAA",
            "ssh-ed25519\u{1b} AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
        ] {
            assert_eq!(text.parse::<HostKey>(), Err(InvalidHostKey), "{text:?}");
        }
        let long = format!("ssh-ed25519 {}", "A".repeat(CHARS_MAX));
        assert!(long.parse::<HostKey>().is_err());
    }

    #[test]
    fn another_port_stands_in_brackets() {
        let shown = |address: &str| ShownKey {
            address: address.parse().unwrap(),
            key: LINE.parse().unwrap(),
        };
        let line = |address| shown(address).known_hosts_line();
        assert_eq!(line("127.66.0.1:22"), format!("127.66.0.1 {LINE}"));
        assert_eq!(line("127.66.0.1:2222"), format!("[127.66.0.1]:2222 {LINE}"));
        assert_eq!(line("[::1]:22"), format!("::1 {LINE}"));
        let json = serde_json::to_string(&shown("[::1]:22")).unwrap();
        assert_eq!(
            serde_json::from_str::<ShownKey>(&json).unwrap(),
            shown("[::1]:22")
        );
    }
}
