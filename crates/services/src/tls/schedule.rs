//! Secrets derived from secrets: the PRF of TLS 1.2 and before (RFC 5246 §5, RFC 2246 §5) and the key schedule of TLS 1.3
//! (RFC 8446 §7.1).

use alloc::{vec, vec::Vec};

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384};

use super::{
    suite::Hash,
    wire::{put_u16, put_vector},
};

impl Hash {
    pub(super) fn length(self) -> usize {
        match self {
            Self::Md5Sha1 => 36,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    pub(super) fn digest(self, octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5Sha1 => [Md5::digest(octets).as_slice(), &Sha1::digest(octets)].concat(),
            Self::Sha256 => Sha256::digest(octets).to_vec(),
            Self::Sha384 => Sha384::digest(octets).to_vec(),
        }
    }

    pub(super) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            // Versions before 1.2 have a PRF of their own; nothing else asks.
            Self::Md5Sha1 => [mac::<Hmac<Md5>>(key, parts), mac::<Hmac<Sha1>>(key, parts)].concat(),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, parts),
            Self::Sha384 => mac::<Hmac<Sha384>>(key, parts),
        }
    }

    /// PRF(secret, label, seed), `length` octets of it.
    pub(super) fn prf(self, secret: &[u8], label: &[u8], seed: &[&[u8]], length: usize) -> Vec<u8> {
        let mut parts = vec![label];
        parts.extend_from_slice(seed);
        if self != Self::Md5Sha1 {
            return expand(|parts| self.hmac(secret, parts), &parts, length);
        }
        // RFC 2246 §5: each half of the secret by a hash of its own, one upon the other. They share the middle octet of
        // an odd length.
        let half = secret.len().div_ceil(2);
        let first = secret.get(..half).unwrap_or(secret);
        let second = secret.get(secret.len() - half..).unwrap_or(secret);
        let mut out = expand(|parts| mac::<Hmac<Md5>>(first, parts), &parts, length);
        let other = expand(|parts| mac::<Hmac<Sha1>>(second, parts), &parts, length);
        out.iter_mut().zip(other).for_each(|(octet, other)| *octet ^= other);
        out
    }

    /// HKDF-Extract (RFC 5869 §2.2).
    pub(super) fn extract(self, salt: &[u8], secret: &[u8]) -> Vec<u8> {
        self.hmac(salt, &[secret])
    }

    /// HKDF-Expand-Label.
    pub(super) fn expand_label(self, secret: &[u8], label: &str, context: &[u8], length: usize) -> Vec<u8> {
        let mut info = Vec::with_capacity(64);
        put_u16(&mut info, u16::try_from(length).unwrap_or(u16::MAX));
        put_vector::<1>(&mut info, |out| {
            out.extend_from_slice(b"tls13 ");
            out.extend_from_slice(label.as_bytes());
        });
        put_vector::<1>(&mut info, |out| out.extend_from_slice(context));
        // HKDF-Expand (RFC 5869 §2.3). Nothing here is longer than a few blocks.
        let (mut block, mut out) = (Vec::new(), Vec::with_capacity(length));
        let mut count = 1_u8;
        while out.len() < length {
            block = self.hmac(secret, &[&block, &info, &[count]]);
            out.extend_from_slice(&block);
            count = count.wrapping_add(1);
        }
        out.truncate(length);
        out
    }

    /// Derive-Secret over a transcript.
    pub(super) fn derive(self, secret: &[u8], label: &str, transcript: &[u8]) -> Vec<u8> {
        self.expand_label(secret, label, &self.digest(transcript), self.length())
    }
}

/// P_hash (RFC 5246 §5).
fn expand(hmac: impl Fn(&[&[u8]]) -> Vec<u8>, parts: &[&[u8]], length: usize) -> Vec<u8> {
    let (mut a, mut out) = (hmac(parts), Vec::with_capacity(length));
    while out.len() < length {
        let mut block = vec![a.as_slice()];
        block.extend_from_slice(parts);
        out.extend(hmac(&block));
        a = hmac(&[&a]);
    }
    out.truncate(length);
    out
}

/// An HMAC over parts.
pub(super) fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes a key of any length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}
