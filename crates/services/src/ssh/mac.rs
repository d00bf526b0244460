//! The message authentication codes of the packet layer, by their names on the wire.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

/// A MAC that a product may offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mac {
    kind: Kind,
    /// Octets sent of it.
    pub(crate) length: usize,
    /// Over the encrypted packet, whose length stays readable (PROTOCOL of OpenSSH, 1.5).
    pub(crate) encrypt_first: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

const ETM: &str = "-etm@openssh.com";

/// Every MAC that is built; each but `hmac-sha2-256-96` and its like also with `-etm@openssh.com`.
const MACS: [(&str, Kind, usize); 6] = [
    ("hmac-md5", Kind::Md5, 16),
    ("hmac-md5-96", Kind::Md5, 12),
    ("hmac-sha1", Kind::Sha1, 20),
    ("hmac-sha1-96", Kind::Sha1, 12),
    ("hmac-sha2-256", Kind::Sha256, 32),
    ("hmac-sha2-512", Kind::Sha512, 64),
];

impl Mac {
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (plain, encrypt_first) = name.strip_suffix(ETM).map_or((name, false), |plain| (plain, true));
        let (_, kind, length) = MACS.iter().find(|(known, ..)| *known == plain)?;
        Some(Self { kind: *kind, length: *length, encrypt_first })
    }

    pub(crate) fn key_length(self) -> usize {
        match self.kind {
            Kind::Md5 => 16,
            Kind::Sha1 => 20,
            Kind::Sha256 => 32,
            Kind::Sha512 => 64,
        }
    }

    /// The MAC of the packet with this sequence number, which comes in pieces.
    pub(crate) fn tag(self, key: &[u8], sequence: u32, pieces: &[&[u8]]) -> Vec<u8> {
        let mut tag = match self.kind {
            Kind::Md5 => hmac::<Hmac<Md5>>(key, sequence, pieces),
            Kind::Sha1 => hmac::<Hmac<Sha1>>(key, sequence, pieces),
            Kind::Sha256 => hmac::<Hmac<Sha256>>(key, sequence, pieces),
            Kind::Sha512 => hmac::<Hmac<Sha512>>(key, sequence, pieces),
        };
        tag.truncate(self.length);
        tag
    }
}

fn hmac<H: hmac::Mac + KeyInit>(key: &[u8], sequence: u32, pieces: &[&[u8]]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut hmac) = <H as KeyInit>::new_from_slice(key) else { return Vec::new() };
    hmac.update(&sequence.to_be_bytes());
    for piece in pieces {
        hmac.update(piece);
    }
    hmac.finalize().into_bytes().to_vec()
}
