//! How one gets into an instance after it was rebuilt.

use secrecy::{ExposeSecret as _, SecretString};

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

    /// The same way in, with the same secret.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Password(one), Self::Password(other)) => {
                one.expose_secret() == other.expose_secret()
            }
            (Self::SshKey(one), Self::SshKey(other)) => one == other,
            (Self::Image, Self::Image) => true,
            (Self::Password(_) | Self::SshKey(_) | Self::Image, _) => false,
        }
    }
}

/// The access of a job that is stored.
#[derive(Debug, Clone)]
pub enum StoredAccess {
    /// As it was ordered.
    Known(Access),
    /// It was a password, which is erased: the job is done or cancelled.
    ErasedPassword,
}

impl StoredAccess {
    /// The kind, without the secret.
    pub fn kind(&self) -> AccessKind {
        match self {
            Self::Known(access) => access.kind(),
            Self::ErasedPassword => AccessKind::Password,
        }
    }

    /// `None`: it was erased.
    pub fn known(&self) -> Option<&Access> {
        match self {
            Self::Known(access) => Some(access),
            Self::ErasedPassword => None,
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
