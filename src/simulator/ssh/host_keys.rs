//! The keys with which an installation shows who it is.

use std::convert::Infallible;

use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::rand_core::{TryCryptoRng, TryRng};
use russh::keys::{Algorithm, EcdsaCurve, PrivateKey};

use crate::simulator::machine::Installation;
use crate::simulator::random::random;

/// What tells the keys from everything else that follows the seed.
const PURPOSE: u64 = 0x7373_685f_6b65_7973;

/// An Ed25519 and an ECDSA key, the same whenever `seed` and `installation` are. There is no RSA key: to find
/// the primes of one takes as long as a hundred key exchanges.
pub(super) fn host_keys(seed: u64, installation: Installation) -> Vec<PrivateKey> {
    let Installation {
        service,
        wipes,
        by_others,
    } = installation;
    let drawn = |algorithm: u64| {
        let words = [
            PURPOSE,
            seed,
            service.unsigned_abs(),
            wipes,
            by_others,
            algorithm,
        ];
        Drawn(random(&words))
    };
    let mut bytes = [0; 32];
    drawn(1).0.fill(&mut bytes);
    let ed25519 = KeypairData::Ed25519(Ed25519Keypair::from_seed(&bytes));
    let ed25519 = PrivateKey::new(ed25519, "").expect("any seed makes a key");
    let curve = EcdsaCurve::NistP256;
    let ecdsa = PrivateKey::random(&mut drawn(2), Algorithm::Ecdsa { curve });
    vec![ed25519, ecdsa.expect("the curve is known")]
}

/// Keys that protect nothing are drawn as everything else here is: so that they can be drawn again.
struct Drawn(fastrand::Rng);

impl TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.u32(..))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.u64(..))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}

#[cfg(test)]
mod tests {
    use russh::keys::HashAlg;

    use super::*;

    #[test]
    fn keys_follow_the_seed_and_the_installation_and_nothing_else() {
        let first = Installation {
            service: 5,
            wipes: 0,
            by_others: 0,
        };
        let fingerprints = |seed, installation| -> Vec<String> {
            let keys = host_keys(seed, installation);
            let fingerprint = |key: &PrivateKey| key.fingerprint(HashAlg::Sha256).to_string();
            keys.iter().map(fingerprint).collect()
        };
        let known = fingerprints(7, first);
        assert_eq!(known, fingerprints(7, first));
        let others = [
            (8, first),
            (
                7,
                Installation {
                    service: 6,
                    ..first
                },
            ),
            (7, Installation { wipes: 1, ..first }),
            (
                7,
                Installation {
                    by_others: 1,
                    ..first
                },
            ),
        ];
        for (seed, other) in others {
            let keys = fingerprints(seed, other);
            assert!(known.iter().zip(&keys).all(|(a, b)| a != b), "{other:?}");
        }
    }
}
