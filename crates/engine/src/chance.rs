//! Chance of one run, and the keyed hashes that identity derives from.

use core::{hash::Hasher, net::IpAddr};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use siphasher::sip::SipHasher13;

/// The random stream of a run, from the entropy that the host gave: nothing repeats after a restart, and the
/// simulator, which gives fixed entropy, sees the same run twice.
#[derive(Debug)]
pub(crate) struct Chance {
    stream: ChaCha8Rng,
    keys: (u64, u64),
}

impl Chance {
    pub(crate) fn new(entropy: [u8; 32]) -> Self {
        let mut stream = ChaCha8Rng::from_seed(entropy);
        let keys = (stream.next_u64(), stream.next_u64());
        Self { stream, keys }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.stream.next_u64()
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        self.stream.next_u32()
    }

    pub(crate) fn next_u16(&mut self) -> u16 {
        (self.stream.next_u32() & 0xffff) as u16
    }

    /// A key that is used once.
    pub(crate) fn next_key(&mut self) -> [u8; 32] {
        let mut key = [0; 32];
        self.stream.fill_bytes(&mut key);
        key
    }

    /// A number below `bound`, which is not zero. The bias of at most 2^-32 does not show.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.stream.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// A hash of a decoy, a remote address and what else tells two things apart.
    pub(crate) fn hash_address(&self, decoy: u32, remote: IpAddr, other: u64) -> u64 {
        match remote {
            IpAddr::V4(ip) if other == 0 => self.hash([u64::from(decoy) << 32 | u64::from(ip.to_bits())]),
            IpAddr::V4(ip) => self.hash([u64::from(decoy) << 32 | u64::from(ip.to_bits()), other]),
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                let (high, low) = ((bits >> 64) as u64, (bits & 0xffff_ffff_ffff_ffff) as u64);
                self.hash([high, low, u64::from(decoy), other])
            }
        }
    }

    /// Other bits of a keyed hash, for values that are seen outside: they tell nothing of the hash, by which tables are
    /// ordered.
    pub(crate) fn scatter(&self, hash: u64) -> u64 {
        let wide = u128::from(hash ^ self.keys.1) * u128::from(self.keys.0 | 1);
        ((wide >> 32) & 0xffff_ffff_ffff_ffff) as u64
    }

    /// A hash that nobody outside can predict, the same during a run.
    pub(crate) fn hash<const N: usize>(&self, words: [u64; N]) -> u64 {
        hash(self.keys, words)
    }
}

/// A hash under a decoy's seed: the same on every run. `purpose` keeps the uses apart.
pub(crate) fn derive(seed: [u8; 16], purpose: u64) -> u64 {
    let wide = u128::from_le_bytes(seed);
    let keys = ((wide & 0xffff_ffff_ffff_ffff) as u64, (wide >> 64) as u64);
    hash(keys, [purpose])
}

fn hash<const N: usize>(keys: (u64, u64), words: [u64; N]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(keys.0, keys.1);
    for word in words {
        hasher.write_u64(word);
    }
    hasher.finish()
}
