//! One look at an instance's SSH port.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{Config, Handler, connect_stream};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKeyOrCertificate};
use russh::{Preferred, SshId, kex};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::bounded::bounded;
use crate::job::{HostKey, ShownKey};

/// How long a look may take, from the connection to the key.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// What is asked for, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The instance's address and its SSH port.
    pub address: SocketAddr,
    /// Only a key of this kind, as one was shown before: a key of another kind would be another one anyway,
    /// and prove nothing. `None`: the one that OpenSSH would take.
    pub algorithm: Option<String>,
}

impl Look {
    /// For the kind of key that OpenSSH would take.
    pub fn first(address: SocketAddr) -> Self {
        Self {
            address,
            algorithm: None,
        }
    }

    /// At the place that has shown this key, for one of its kind.
    pub fn again(shown: &ShownKey) -> Self {
        Self {
            address: shown.address,
            algorithm: Some(shown.key.algorithm().to_owned()),
        }
    }
}

/// Why no key was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unseen {
    /// Nothing took the connection.
    #[error("nothing answers")]
    Unreachable,
    /// Something took it, and has not shown a key in time.
    #[error("it has not shown a key in time")]
    Late,
    /// What answers does not speak SSH, or has no key of the kind.
    #[error("it shows no key of the kind that was asked for")]
    NoKey,
}

/// An instance may stand there: at other addresses whatever answers is something else. Where the API stands
/// on this machine (`is_local`), so do its instances: it is the simulator, and what its list says of other
/// addresses is invented.
pub fn can_be_looked_at(address: IpAddr, is_local: bool) -> bool {
    if is_local || address.is_loopback() {
        return is_local && address.is_loopback();
    }
    let is_nobodys = match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_unspecified()
                || address.is_broadcast()
                || address.is_multicast()
                || address.is_link_local()
                || address.is_documentation()
                || address.is_loopback()
        }
        IpAddr::V6(address) => {
            let [first, second, ..] = address.segments();
            let is_documentation = (first, second) == (0x2001, 0x0db8);
            address.is_unspecified()
                || address.is_multicast()
                || address.is_unicast_link_local()
                || is_documentation
        }
    };
    !is_nobodys
}

/// Asks for the host key.
pub async fn look(look: &Look) -> Result<HostKey, Unseen> {
    let ends_at = Instant::now() + PATIENCE;
    let preferred = Preferred {
        // Those that cost little, whatever the other side says: a group of its own choice may take seconds.
        kex: Cow::Borrowed(&[
            kex::MLKEM768X25519_SHA256,
            kex::CURVE25519,
            kex::CURVE25519_PRE_RFC_8731,
            kex::DH_G14_SHA256,
            kex::EXTENSION_SUPPORT_AS_CLIENT,
            kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
        ]),
        key: Cow::Owned(kinds(look.algorithm.as_deref()).ok_or(Unseen::NoKey)?),
        ..Preferred::default()
    };
    let connected = timeout_at(ends_at, TcpStream::connect(look.address)).await;
    let Ok(Ok(stream)) = connected else {
        return Err(Unseen::Unreachable);
    };
    let keeper = Keeper::default();
    let config = Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-refleet_",
            env!("CARGO_PKG_VERSION")
        ))),
        preferred,
        ..Config::default()
    };
    let exchange = connect_stream(Arc::new(config), bounded(stream, ends_at), keeper.clone());
    // It always fails: the key is refused as soon as it was seen.
    let _ = timeout_at(ends_at, exchange).await;
    let key = keeper
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    key.ok_or(if Instant::now() >= ends_at {
        Unseen::Late
    } else {
        Unseen::NoKey
    })
}

/// The kinds of keys to ask for, those that OpenSSH prefers first; `None`: of this kind none can be read.
fn kinds(algorithm: Option<&str>) -> Option<Vec<Algorithm>> {
    let rsa = || [Some(HashAlg::Sha512), Some(HashAlg::Sha256)].map(|hash| Algorithm::Rsa { hash });
    let ecdsa = |curve| Algorithm::Ecdsa { curve };
    let usual = || {
        let mut kinds = vec![Algorithm::Ed25519];
        kinds.extend(
            [
                EcdsaCurve::NistP256,
                EcdsaCurve::NistP384,
                EcdsaCurve::NistP521,
            ]
            .map(ecdsa),
        );
        kinds.extend(rsa());
        kinds
    };
    let Some(algorithm) = algorithm else {
        return Some(usual());
    };
    let kinds: Vec<Algorithm> = match algorithm {
        "ssh-rsa" => rsa().into(),
        other => usual()
            .into_iter()
            .filter(|kind| kind.as_str() == other)
            .collect(),
    };
    (!kinds.is_empty()).then_some(kinds)
}

/// Keeps the key that is shown, and goes no further.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Option<HostKey>>>);

impl Handler for Keeper {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        if let PublicKeyOrCertificate::PublicKey { key, .. } = shown
            && let Ok(text) = key.to_openssh()
            && let Ok(key) = text.parse()
        {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        }
        Ok(false)
    }
}
