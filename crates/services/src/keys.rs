//! Keys that belong to a decoy: the same for its seed on every run, and no two decoys have one in common.

mod prime;

use alloc::{sync::Arc, vec::Vec};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rsa::{BoxedUint, RsaPrivateKey};
use sha2::{Digest, Sha256};

use prime::PrimeSearch;

use crate::limits::keys::{MAX_KEYS, MAX_SEARCHES};

/// The public exponent that every current key generator uses (F4).
const EXPONENT: u64 = 65_537;

/// The random stream of one secret of a decoy. `label` keeps the secrets apart; each is written once in the code.
pub(crate) fn secret_stream(seed: &[u8; 16], label: &str) -> ChaCha20Rng {
    let digest = Sha256::new().chain_update(b"chaff secret\0").chain_update(seed).chain_update(label).finalize();
    ChaCha20Rng::from_seed(digest.into())
}

/// What an RSA key is for; a decoy has one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RsaPurpose {
    /// An SSH host key.
    Ssh,
    /// The key of a TLS certificate.
    Tls,
}

impl RsaPurpose {
    fn label(self) -> &'static str {
        match self {
            Self::Ssh => "ssh rsa",
            Self::Tls => "tls rsa",
        }
    }
}

/// RSA keys that were found, and those that are searched for.
///
/// A search takes from 50 ms (2,048 bits) to a second (4,096 bits), and a worker that searched in one go would leave all
/// its other decoys silent. So it is done in parts of one primality test, in the time of whoever needs the key.
#[derive(Debug, Default)]
pub(crate) struct RsaKeys {
    /// In the order of their last use.
    found: Vec<(Name, Arc<RsaPrivateKey>)>,
    searches: Vec<(Name, RsaSearch)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    seed: [u8; 16],
    purpose: RsaPurpose,
    bits: u16,
}

impl RsaKeys {
    /// The key, or one more step towards it.
    pub(crate) fn find(&mut self, seed: &[u8; 16], purpose: RsaPurpose, bits: u16) -> Option<Arc<RsaPrivateKey>> {
        let name = Name { seed: *seed, purpose, bits };
        if let Some(place) = self.found.iter().rposition(|(other, _)| *other == name) {
            let entry = self.found.remove(place);
            let key = Arc::clone(&entry.1);
            self.found.push(entry);
            return Some(key);
        }
        let place = self.searches.iter().rposition(|(other, _)| *other == name);
        let mut search = place.map_or_else(|| RsaSearch::new(name), |place| self.searches.remove(place).1);
        let Some(key) = search.step() else {
            if self.searches.len() >= MAX_SEARCHES {
                self.searches.remove(0);
            }
            self.searches.push((name, search));
            return None;
        };
        if self.found.len() >= MAX_KEYS {
            self.found.remove(0);
        }
        let key = Arc::new(key);
        self.found.push((name, Arc::clone(&key)));
        Some(key)
    }
}

/// The search for one key: for p, then for q.
#[derive(Debug)]
struct RsaSearch {
    p: Option<BoxedUint>,
    current: PrimeSearch,
}

impl RsaSearch {
    fn new(name: Name) -> Self {
        let stream = secret_stream(&name.seed, name.purpose.label());
        Self { p: None, current: PrimeSearch::new(stream, u32::from(name.bits) / 2) }
    }

    /// One primality test. The key, if it was the last one.
    fn step(&mut self) -> Option<RsaPrivateKey> {
        let prime = self.current.step()?;
        // e must have an inverse; e is prime, so it is enough that it does not divide p - 1 (RFC 8017 §3.1).
        if (&prime - BoxedUint::one_with_precision(prime.bits_precision())).rem_exponent() == 0 {
            return None;
        }
        match self.p.take() {
            None => {
                self.p = Some(prime);
                None
            }
            Some(p) if p == prime => {
                self.p = Some(p);
                None
            }
            Some(p) => {
                let key = RsaPrivateKey::from_p_q(p.clone(), prime, BoxedUint::from(EXPONENT));
                if key.is_err() {
                    // Never seen; the next prime is tried instead of a loop on this one.
                    self.p = Some(p);
                }
                key.ok()
            }
        }
    }
}

trait RemExponent {
    fn rem_exponent(&self) -> u64;
}

impl RemExponent for BoxedUint {
    fn rem_exponent(&self) -> u64 {
        self.as_words().iter().rev().fold(0, |rest, &word| {
            let wide = (u128::from(rest) << 64) | u128::from(word);
            u64::try_from(wide % u128::from(EXPONENT)).unwrap_or(0)
        })
    }
}

#[cfg(test)]
mod tests;
