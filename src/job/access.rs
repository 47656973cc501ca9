//! How one gets into an instance after it was rebuilt.

use secrecy::SecretString;

use super::UnknownWord;

/// How one gets into the instance afterwards, with the secret where there is one.
#[derive(Debug, Clone)]
pub enum Access {
    /// `enablessh=off` and this password for root (Linux) or Administrator (Windows).
    Password(SecretString),
    /// `enablessh=on` and this key of the account.
    SshKey(String),
    /// `enablessh=off` without a password: what the image itself holds.
    Image,
}

impl Access {
    /// The kind, without the secret.
    pub fn kind(&self) -> AccessKind {
        match self {
            Self::Password(_) => AccessKind::Password,
            Self::SshKey(_) => AccessKind::SshKey,
            Self::Image => AccessKind::Image,
        }
    }
}

/// [`Access`] without the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessKind {
    /// A password.
    Password,
    /// An SSH key of the account.
    SshKey,
    /// What the image itself holds.
    Image,
}

impl AccessKind {
    /// As the database and the plan write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::SshKey => "ssh_key",
            Self::Image => "image",
        }
    }
}

impl std::str::FromStr for AccessKind {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Password, Self::SshKey, Self::Image]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| UnknownWord::new("way of access", word))
    }
}
