//! The keys that a machine shows.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{LazyLock, Mutex, PoisonError};

use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData, RsaKeypair};
use russh::keys::ssh_key::rand_core::{TryCryptoRng, TryRng};
use russh::keys::{Algorithm, EcdsaCurve, PrivateKey};

use crate::simulator::installation::Installation;
use crate::simulator::machine::KeyHolder;
use crate::simulator::random::random;
use crate::simulator::ssh_oddity::KeyAlgorithm;

/// What tells the keys from everything else that follows the seed.
const PURPOSE: u64 = 0x7373_685f_6b65_7973;
/// The shortest that clients take.
const RSA_BITS: usize = 2048;

/// What a key is drawn by.
type Words = [u64; 7];

/// RSA keys that were made: to find the primes of one takes as long as a hundred key exchanges.
static RSA_KEYS: LazyLock<Mutex<HashMap<Words, PrivateKey>>> = LazyLock::new(Mutex::default);

/// The keys of `holder`, the same whenever `seed` is: the `only` one, or one of each algorithm that is quickly
/// made.
pub(super) fn host_keys(
    seed: u64,
    holder: &KeyHolder,
    only: Option<KeyAlgorithm>,
) -> Vec<PrivateKey> {
    const QUICK: &[KeyAlgorithm] = &[KeyAlgorithm::Ed25519, KeyAlgorithm::Ecdsa];
    let algorithms = only.as_ref().map_or(QUICK, std::slice::from_ref);
    let keys = algorithms.iter().map(|algorithm| {
        let [kind, first, second, third] = words(holder);
        key(
            *algorithm,
            [PURPOSE, seed, *algorithm as u64, kind, first, second, third],
        )
    });
    keys.collect()
}

fn words(holder: &KeyHolder) -> [u64; 4] {
    match holder {
        KeyHolder::Installation(Installation {
            service,
            wipes,
            by_others,
        }) => [1, service.unsigned_abs(), *wipes, *by_others],
        KeyHolder::Image(id) => {
            // The same in every process: it has no keys of its own.
            let mut hasher = DefaultHasher::new();
            id.hash(&mut hasher);
            [2, hasher.finish(), 0, 0]
        }
        KeyHolder::Gateway => [3, 0, 0, 0],
    }
}

fn key(algorithm: KeyAlgorithm, words: Words) -> PrivateKey {
    let mut drawn = Drawn(random(&words));
    match algorithm {
        KeyAlgorithm::Ed25519 => {
            let mut bytes = [0; 32];
            drawn.0.fill(&mut bytes);
            private_key(KeypairData::Ed25519(Ed25519Keypair::from_seed(&bytes)))
        }
        KeyAlgorithm::Ecdsa => {
            let curve = EcdsaCurve::NistP256;
            PrivateKey::random(&mut drawn, Algorithm::Ecdsa { curve }).expect("it is a known curve")
        }
        KeyAlgorithm::Rsa => {
            let mut made = RSA_KEYS.lock().unwrap_or_else(PoisonError::into_inner);
            let key = made.entry(words).or_insert_with(|| {
                let pair = RsaKeypair::random(&mut drawn, RSA_BITS).expect("there are primes");
                private_key(KeypairData::Rsa(pair))
            });
            key.clone()
        }
    }
}

fn private_key(pair: KeypairData) -> PrivateKey {
    PrivateKey::new(pair, "").expect("the pair is whole")
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
    use std::collections::HashSet;

    use russh::keys::HashAlg;

    use super::*;

    fn fingerprints(seed: u64, holder: &KeyHolder) -> Vec<String> {
        let keys = [None, Some(KeyAlgorithm::Rsa)].map(|only| host_keys(seed, holder, only));
        let fingerprint = |key: &PrivateKey| key.fingerprint(HashAlg::Sha256).to_string();
        keys.iter().flatten().map(fingerprint).collect()
    }

    #[test]
    fn keys_follow_the_seed_and_the_installation_and_nothing_else() {
        let first = Installation {
            service: 5,
            wipes: 0,
            by_others: 0,
        };
        let known = fingerprints(7, &KeyHolder::Installation(first));
        let mut all = known.clone();
        let others = [
            (8, KeyHolder::Installation(first)),
            (
                7,
                KeyHolder::Installation(Installation {
                    service: 6,
                    ..first
                }),
            ),
            (
                7,
                KeyHolder::Installation(Installation { wipes: 1, ..first }),
            ),
            (
                7,
                KeyHolder::Installation(Installation {
                    by_others: 1,
                    ..first
                }),
            ),
            (7, KeyHolder::Image("x".to_owned())),
            (7, KeyHolder::Image("y".to_owned())),
            (7, KeyHolder::Gateway),
        ];
        for (seed, other) in others {
            all.extend(fingerprints(seed, &other));
        }
        let distinct: HashSet<_> = all.iter().collect();
        assert_eq!((distinct.len(), all.len()), (24, 24));
        RSA_KEYS.lock().unwrap().clear();
        assert_eq!(known, fingerprints(7, &KeyHolder::Installation(first)));
    }
}
