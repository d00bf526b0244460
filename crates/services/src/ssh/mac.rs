//! The message authentication codes of the packet layer, by their names on the wire.

use alloc::{boxed::Box, vec::Vec};

use hmac::{Hmac, KeyInit};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::crypto::umac::Umac;

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
    Umac,
}

/// Every MAC that is built; some carry `-etm` or the domain of OpenSSH behind it.
const MACS: [(&str, Kind, usize); 8] = [
    ("hmac-md5", Kind::Md5, 16),
    ("hmac-md5-96", Kind::Md5, 12),
    ("hmac-sha1", Kind::Sha1, 20),
    ("hmac-sha1-96", Kind::Sha1, 12),
    ("hmac-sha2-256", Kind::Sha256, 32),
    ("hmac-sha2-512", Kind::Sha512, 64),
    ("umac-64", Kind::Umac, 8),
    ("umac-128", Kind::Umac, 16),
];
const ETM: &str = "-etm";
const OPENSSH: &str = "@openssh.com";

impl Mac {
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (base, ours) = name.strip_suffix(OPENSSH).map_or((name, false), |base| (base, true));
        let (base, encrypt_first) = base.strip_suffix(ETM).map_or((base, false), |base| (base, true));
        let &(_, kind, length) = MACS.iter().find(|(known, ..)| *known == base)?;
        // Only what RFC 4253 and its successors have registered goes without the domain.
        (ours == (encrypt_first || kind == Kind::Umac)).then_some(Self { kind, length, encrypt_first })
    }

    pub(crate) fn key_length(self) -> usize {
        match self.kind {
            Kind::Md5 | Kind::Umac => 16,
            Kind::Sha1 => 20,
            Kind::Sha256 => 32,
            Kind::Sha512 => 64,
        }
    }

    pub(crate) fn with_key(self, key: Vec<u8>) -> MacKey {
        let umac = if self.kind == Kind::Umac { key.first_chunk::<16>() } else { None };
        let umac = umac.map(|key| Box::new(Umac::new(key)));
        MacKey { mac: self, key, umac }
    }
}

/// A MAC with its key.
pub(crate) struct MacKey {
    mac: Mac,
    key: Vec<u8>,
    /// Its key schedule is longer than most packets.
    umac: Option<Box<Umac>>,
}

impl MacKey {
    pub(crate) fn length(&self) -> usize {
        self.mac.length
    }

    pub(crate) fn encrypt_first(&self) -> bool {
        self.mac.encrypt_first
    }

    /// The MAC of the packet with this sequence number, which comes in pieces.
    pub(crate) fn tag(&self, sequence: u32, pieces: &[&[u8]]) -> Vec<u8> {
        if let Some(umac) = &self.umac {
            let nonce = u64::from(sequence).to_be_bytes();
            let message = pieces.concat();
            return if self.mac.length == 8 {
                umac.tag64(nonce, &message).to_vec()
            } else {
                umac.tag128(nonce, &message).to_vec()
            };
        }
        let mut tag = match self.mac.kind {
            Kind::Md5 => hmac::<Hmac<Md5>>(&self.key, sequence, pieces),
            Kind::Sha1 => hmac::<Hmac<Sha1>>(&self.key, sequence, pieces),
            Kind::Sha256 => hmac::<Hmac<Sha256>>(&self.key, sequence, pieces),
            Kind::Sha512 | Kind::Umac => hmac::<Hmac<Sha512>>(&self.key, sequence, pieces),
        };
        tag.truncate(self.mac.length);
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
