//! Records: what is said goes out in them, what comes in is taken out of them, in clear or protected (RFC 5246 §6.2,
//! RFC 8446 §5).

use alloc::{boxed::Box, vec::Vec};

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use aes_gcm::{
    Aes128Gcm, Aes256Gcm,
    aead::{AeadInOut, KeyInit},
};
use chacha20poly1305::ChaCha20Poly1305;
use hmac::Hmac;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use sha1::Sha1;
use sha2::{Sha256, Sha384};
use subtle::ConstantTimeEq;

use super::{
    alert::Alert,
    schedule::mac,
    suite::{Bulk, CbcMac},
    wire::put_u16,
};

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// Octets of a record's header.
pub(super) const HEADER: usize = 5;
/// Octets of a record before protection (RFC 8446 §5.1).
pub(super) const MAX_PLAIN: usize = 1 << 14;
/// Octets of a TLS 1.3 record after protection (RFC 8446 §5.2).
pub(super) const MAX_PROTECTED_13: usize = MAX_PLAIN + 256;
/// Octets of any other record: what OpenSSL reads, 256 for padding and 64 for a MAC.
pub(super) const MAX_PROTECTED_12: usize = MAX_PLAIN + 320;
/// Octets by which protection makes a record longer at most: header, IV, padding and MAC.
pub(super) const MAX_OVERHEAD: usize = HEADER + 16 + 16 + 48;
const TAG: usize = 16;
const BLOCK: usize = 16;

/// A cipher that authenticates.
pub(super) enum Aead {
    Aes128(Box<Aes128Gcm>),
    Aes256(Box<Aes256Gcm>),
    ChaCha20(Box<ChaCha20Poly1305>),
}

macro_rules! with_aead {
    ($aead:expr, $cipher:ident => $call:expr) => {
        match $aead {
            Aead::Aes128($cipher) => $call,
            Aead::Aes256($cipher) => $call,
            Aead::ChaCha20($cipher) => $call,
        }
    };
}

impl Aead {
    /// `None` if the key has the wrong length, or the suite none of these.
    pub(super) fn new(bulk: Bulk, key: &[u8]) -> Option<Self> {
        Some(match bulk {
            Bulk::Aes128Gcm => Self::Aes128(Box::new(Aes128Gcm::new_from_slice(key).ok()?)),
            Bulk::Aes256Gcm => Self::Aes256(Box::new(Aes256Gcm::new_from_slice(key).ok()?)),
            Bulk::Chacha20Poly1305 => Self::ChaCha20(Box::new(ChaCha20Poly1305::new_from_slice(key).ok()?)),
            Bulk::Cbc(..) => return None,
        })
    }

    fn seal(&self, nonce: [u8; 12], header: &[u8], text: &mut Vec<u8>) {
        let tag = with_aead!(self, cipher => cipher
            .encrypt_inout_detached(&nonce.into(), header, text.as_mut_slice().into())
            .map(|tag| tag.to_vec()));
        // Only a text of gigabytes is refused.
        text.extend_from_slice(&tag.unwrap_or_default());
    }

    fn open(&self, nonce: [u8; 12], header: &[u8], text: &mut Vec<u8>) -> Option<()> {
        let length = text.len().checked_sub(TAG)?;
        let tag: [u8; TAG] = text.get(length..)?.try_into().ok()?;
        text.truncate(length);
        with_aead!(self, cipher => cipher
            .decrypt_inout_detached(&nonce.into(), header, text.as_mut_slice().into(), &tag.into())
            .ok())
    }
}

/// How one direction is protected.
pub(super) enum Protection {
    Clear,
    /// TLS 1.3: the type is inside (RFC 8446 §5.2).
    Aead13(Aead, [u8; 12]),
    /// TLS 1.2 with GCM: half of the nonce is in the record (RFC 5288 §3). OpenSSL begins with a random one and counts.
    Gcm12(Aead, [u8; 4], u64),
    /// TLS 1.2 with ChaCha20 (RFC 7905 §2).
    ChaCha12(Aead, [u8; 12]),
    /// TLS 1.2 with AES-CBC and HMAC, in either order (RFC 5246 §6.2.3.2, RFC 7366).
    Cbc12(Cbc),
}

pub(super) struct Cbc {
    pub(super) key: Vec<u8>,
    pub(super) mac: CbcMac,
    pub(super) mac_key: Vec<u8>,
    pub(super) encrypt_then_mac: bool,
}

/// One direction of a connection.
pub(super) struct Half {
    protection: Protection,
    sequence: u64,
}

impl Half {
    pub(super) fn clear() -> Self {
        Self::new(Protection::Clear)
    }

    pub(super) fn new(protection: Protection) -> Self {
        Self { protection, sequence: 0 }
    }

    pub(super) fn is_modern(&self) -> bool {
        matches!(self.protection, Protection::Aead13(..))
    }

    /// Appends `text`, which is no longer than a record may be, as one record.
    pub(super) fn seal(&mut self, chance: &mut ChaCha8Rng, kind: u8, version: u16, text: &[u8], out: &mut Vec<u8>) {
        let sequence = self.sequence;
        let (kind, fragment) = match &mut self.protection {
            Protection::Clear => (kind, text.to_vec()),
            Protection::Aead13(aead, iv) => {
                let mut fragment = Vec::with_capacity(text.len() + 1 + TAG);
                fragment.extend_from_slice(text);
                fragment.push(kind);
                let header = header(APPLICATION_DATA, version, fragment.len() + TAG);
                aead.seal(counted(iv, sequence), &header, &mut fragment);
                (APPLICATION_DATA, fragment)
            }
            Protection::Gcm12(aead, salt, counter) => {
                let explicit = counter.to_be_bytes();
                *counter = counter.wrapping_add(1);
                let mut sealed = text.to_vec();
                aead.seal(
                    explicit_nonce(*salt, explicit),
                    &associated(sequence, kind, version, text.len()),
                    &mut sealed,
                );
                (kind, [explicit.as_slice(), &sealed].concat())
            }
            Protection::ChaCha12(aead, iv) => {
                let mut sealed = text.to_vec();
                aead.seal(counted(iv, sequence), &associated(sequence, kind, version, text.len()), &mut sealed);
                (kind, sealed)
            }
            Protection::Cbc12(cbc) => {
                let mut iv = [0; BLOCK];
                chance.fill_bytes(&mut iv);
                (kind, cbc.seal(iv, sequence, kind, version, text))
            }
        };
        self.sequence = sequence.wrapping_add(1);
        out.extend_from_slice(&header(kind, version, fragment.len()));
        out.extend_from_slice(&fragment);
    }

    /// The type and the text of a record.
    pub(super) fn open(&mut self, head: [u8; HEADER], mut fragment: Vec<u8>) -> Result<(u8, Vec<u8>), Alert> {
        let [kind, high, low, ..] = head;
        let version = u16::from_be_bytes([high, low]);
        let sequence = self.sequence;
        let opened = match &self.protection {
            Protection::Clear => return Ok((kind, fragment)),
            Protection::Aead13(aead, iv) => aead.open(counted(iv, sequence), &head, &mut fragment),
            Protection::Gcm12(aead, salt, _) => (|| {
                let (explicit, sealed) = fragment.split_first_chunk::<8>()?;
                let (explicit, mut sealed) = (*explicit, sealed.to_vec());
                let length = sealed.len().checked_sub(TAG)?;
                let associated = associated(sequence, kind, version, length);
                aead.open(explicit_nonce(*salt, explicit), &associated, &mut sealed)?;
                fragment = sealed;
                Some(())
            })(),
            Protection::ChaCha12(aead, iv) => fragment.len().checked_sub(TAG).and_then(|length| {
                aead.open(counted(iv, sequence), &associated(sequence, kind, version, length), &mut fragment)
            }),
            Protection::Cbc12(cbc) => cbc.open(sequence, kind, version, &fragment).map(|text| fragment = text),
        };
        self.sequence = sequence.wrapping_add(1);
        opened.ok_or(Alert::BadRecordMac)?;
        if !self.is_modern() {
            return if fragment.len() > MAX_PLAIN { Err(Alert::RecordOverflow) } else { Ok((kind, fragment)) };
        }
        // The type is the last octet that is not padding.
        let end = fragment.iter().rposition(|&octet| octet != 0).ok_or(Alert::UnexpectedMessage)?;
        let kind = fragment.get(end).copied().unwrap_or_default();
        fragment.truncate(end);
        if fragment.len() > MAX_PLAIN { Err(Alert::RecordOverflow) } else { Ok((kind, fragment)) }
    }
}

impl Cbc {
    fn seal(&self, iv: [u8; BLOCK], sequence: u64, kind: u8, version: u16, text: &[u8]) -> Vec<u8> {
        let mut body = text.to_vec();
        if !self.encrypt_then_mac {
            body.extend(self.mac(&associated(sequence, kind, version, text.len()), &[text]));
        }
        let padding = BLOCK - 1 - body.len() % BLOCK;
        let octet = u8::try_from(padding).unwrap_or_default();
        body.resize(body.len() + padding + 1, octet);
        let (blocks, rest) = aes::Block::slice_as_chunks_mut(&mut body);
        debug_assert!(rest.is_empty(), "padded to whole blocks");
        let done = match self.key.len() {
            16 => cbc::Encryptor::<aes::Aes128>::new_from_slices(&self.key, &iv)
                .map(|mut cipher| cipher.encrypt_blocks(blocks)),
            _ => cbc::Encryptor::<aes::Aes256>::new_from_slices(&self.key, &iv)
                .map(|mut cipher| cipher.encrypt_blocks(blocks)),
        };
        debug_assert!(done.is_ok(), "the key has one of two lengths");
        let mut fragment = [iv.as_slice(), &body].concat();
        if self.encrypt_then_mac {
            let tag = self.mac(&associated(sequence, kind, version, fragment.len()), &[&fragment]);
            fragment.extend(tag);
        }
        fragment
    }

    fn open(&self, sequence: u64, kind: u8, version: u16, fragment: &[u8]) -> Option<Vec<u8>> {
        let tag_length = self.tag_length();
        let mut sealed = fragment;
        if self.encrypt_then_mac {
            let (before, tag) = fragment.split_at_checked(fragment.len().checked_sub(tag_length)?)?;
            let expected = self.mac(&associated(sequence, kind, version, before.len()), &[before]);
            bool::from(expected.ct_eq(tag)).then_some(())?;
            sealed = before;
        }
        let (iv, body) = sealed.split_first_chunk::<BLOCK>()?;
        let mut text = body.to_vec();
        let (blocks, rest) = aes::Block::slice_as_chunks_mut(&mut text);
        rest.is_empty().then_some(())?;
        match self.key.len() {
            16 => cbc::Decryptor::<aes::Aes128>::new_from_slices(&self.key, iv).ok()?.decrypt_blocks(blocks),
            _ => cbc::Decryptor::<aes::Aes256>::new_from_slices(&self.key, iv).ok()?.decrypt_blocks(blocks),
        }
        let padding = usize::from(*text.last()?);
        let unpadded = text.len().checked_sub(padding + 1)?;
        text.get(unpadded..)?.iter().all(|&octet| usize::from(octet) == padding).then_some(())?;
        text.truncate(unpadded);
        if !self.encrypt_then_mac {
            let length = text.len().checked_sub(tag_length)?;
            let (before, tag) = text.split_at_checked(length)?;
            let expected = self.mac(&associated(sequence, kind, version, length), &[before]);
            bool::from(expected.ct_eq(tag)).then_some(())?;
            text.truncate(length);
        }
        Some(text)
    }

    fn tag_length(&self) -> usize {
        self.mac.length()
    }

    fn mac(&self, associated: &[u8; 13], parts: &[&[u8]]) -> Vec<u8> {
        let mut all = alloc::vec![associated.as_slice()];
        all.extend_from_slice(parts);
        match self.mac {
            CbcMac::Sha1 => mac::<Hmac<Sha1>>(&self.mac_key, &all),
            CbcMac::Sha256 => mac::<Hmac<Sha256>>(&self.mac_key, &all),
            CbcMac::Sha384 => mac::<Hmac<Sha384>>(&self.mac_key, &all),
        }
    }
}

impl CbcMac {
    /// Octets of the MAC and of its key.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

fn header(kind: u8, version: u16, length: usize) -> [u8; HEADER] {
    let [high, low] = version.to_be_bytes();
    let [up, down] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    [kind, high, low, up, down]
}

/// What a MAC covers beside the text (RFC 5246 §6.2.3.3).
fn associated(sequence: u64, kind: u8, version: u16, length: usize) -> [u8; 13] {
    let mut out = Vec::with_capacity(13);
    out.extend_from_slice(&sequence.to_be_bytes());
    out.push(kind);
    put_u16(&mut out, version);
    put_u16(&mut out, u16::try_from(length).unwrap_or(u16::MAX));
    out.try_into().unwrap_or_default()
}

fn explicit_nonce(salt: [u8; 4], explicit: [u8; 8]) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce.iter_mut().zip(salt.iter().chain(&explicit)).for_each(|(to, from)| *to = *from);
    nonce
}

/// The IV with the sequence number upon it (RFC 8446 §5.3).
fn counted(iv: &[u8; 12], sequence: u64) -> [u8; 12] {
    let mut nonce = *iv;
    nonce.iter_mut().rev().zip(sequence.to_be_bytes().iter().rev()).for_each(|(octet, number)| *octet ^= number);
    nonce
}
