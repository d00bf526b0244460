//! Records: what is said goes out in them, what comes in is taken out of them, in clear or protected (RFC 5246 §6.2,
//! RFC 8446 §5).

use alloc::{boxed::Box, vec::Vec};

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use aes_gcm::{
    Aes128Gcm, Aes256Gcm, AesGcm,
    aead::{
        AeadInOut, KeyInit,
        consts::{U8, U12, U16},
    },
};
use aria::{Aria128, Aria256};
use ccm::Ccm;
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
    suite::{Block, Bulk, CbcMac},
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
/// Octets of the header of a record of SSL 2; the least that is in one (OpenSSL's `MIN_SSL2_RECORD_LEN`), and the most that
/// is read of one.
pub(super) const OLD_HEADER: usize = 2;
const MIN_OLD: usize = 9;
const MAX_OLD: usize = 16_707;
const TAG: usize = 16;
/// Octets of the short tag of CCM (RFC 6655 §3).
const SHORT_TAG: usize = 8;

/// A cipher that authenticates.
pub(super) enum Aead {
    Aes128(Box<Aes128Gcm>),
    Aes256(Box<Aes256Gcm>),
    Aria128(Box<AesGcm<Aria128, U12>>),
    Aria256(Box<AesGcm<Aria256, U12>>),
    Ccm128(Box<Ccm<aes::Aes128, U16, U12>>),
    Ccm256(Box<Ccm<aes::Aes256, U16, U12>>),
    ShortCcm128(Box<Ccm<aes::Aes128, U8, U12>>),
    ShortCcm256(Box<Ccm<aes::Aes256, U8, U12>>),
    ChaCha20(Box<ChaCha20Poly1305>),
}

macro_rules! with_aead {
    ($aead:expr, $cipher:ident => $call:expr) => {
        match $aead {
            Aead::Aes128($cipher) => $call,
            Aead::Aes256($cipher) => $call,
            Aead::Aria128($cipher) => $call,
            Aead::Aria256($cipher) => $call,
            Aead::Ccm128($cipher) => $call,
            Aead::Ccm256($cipher) => $call,
            Aead::ShortCcm128($cipher) => $call,
            Aead::ShortCcm256($cipher) => $call,
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
            Bulk::Aria128Gcm => Self::Aria128(Box::new(AesGcm::new_from_slice(key).ok()?)),
            Bulk::Aria256Gcm => Self::Aria256(Box::new(AesGcm::new_from_slice(key).ok()?)),
            Bulk::Ccm(16) => Self::Ccm128(Box::new(Ccm::new_from_slice(key).ok()?)),
            Bulk::Ccm(_) => Self::Ccm256(Box::new(Ccm::new_from_slice(key).ok()?)),
            Bulk::Ccm8(16) => Self::ShortCcm128(Box::new(Ccm::new_from_slice(key).ok()?)),
            Bulk::Ccm8(_) => Self::ShortCcm256(Box::new(Ccm::new_from_slice(key).ok()?)),
            Bulk::Chacha20Poly1305 => Self::ChaCha20(Box::new(ChaCha20Poly1305::new_from_slice(key).ok()?)),
            Bulk::Cbc(..) => return None,
        })
    }

    fn tag_length(&self) -> usize {
        if matches!(self, Self::ShortCcm128(_) | Self::ShortCcm256(_)) { SHORT_TAG } else { TAG }
    }

    fn seal(&self, nonce: [u8; 12], header: &[u8], text: &mut Vec<u8>) {
        let tag = with_aead!(self, cipher => cipher
            .encrypt_inout_detached(&nonce.into(), header, text.as_mut_slice().into())
            .map(|tag| tag.to_vec()));
        // Only a text of gigabytes is refused.
        text.extend_from_slice(&tag.unwrap_or_default());
    }

    fn open(&self, nonce: [u8; 12], header: &[u8], text: &mut Vec<u8>) -> Option<()> {
        let length = text.len().checked_sub(self.tag_length())?;
        let tag = text.split_off(length);
        with_aead!(self, cipher => {
            let tag = tag.as_slice().try_into().ok()?;
            cipher.decrypt_inout_detached(&nonce.into(), header, text.as_mut_slice().into(), &tag).ok()
        })
    }
}

/// How one direction is protected.
pub(super) enum Protection {
    Clear,
    /// TLS 1.3: the type is inside (RFC 8446 §5.2).
    Aead13(Aead, [u8; 12]),
    /// TLS 1.2 with GCM or CCM: most of the nonce is in the record (RFC 5288 §3, RFC 6655 §3). In GCM, OpenSSL begins
    /// with a random one and counts; in CCM it takes the sequence number.
    Explicit12(Aead, [u8; 4], Option<u64>),
    /// TLS 1.2 with ChaCha20 (RFC 7905 §2).
    ChaCha12(Aead, [u8; 12]),
    /// TLS 1.2 and before with CBC and HMAC, in either order (RFC 5246 §6.2.3.2, RFC 7366).
    Cbc12(Cbc),
}

pub(super) struct Cbc {
    pub(super) block: Block,
    pub(super) key: Vec<u8>,
    /// TLS 1.0: the last block of the record before is the IV of this one, and it is not sent (RFC 2246 §6.2.3.2).
    pub(super) chain: Option<Vec<u8>>,
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
            Protection::Explicit12(aead, salt, counter) => {
                let explicit = counter.unwrap_or(sequence).to_be_bytes();
                *counter = counter.map(|counter| counter.wrapping_add(1));
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
            Protection::Cbc12(cbc) => (kind, cbc.seal(chance, sequence, kind, version, text)),
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
        let opened = match &mut self.protection {
            Protection::Clear => return Ok((kind, fragment)),
            Protection::Aead13(aead, iv) => aead.open(counted(iv, sequence), &head, &mut fragment),
            Protection::Explicit12(aead, salt, _) => (|| {
                let (explicit, sealed) = fragment.split_first_chunk::<8>()?;
                let (explicit, mut sealed) = (*explicit, sealed.to_vec());
                let length = sealed.len().checked_sub(aead.tag_length())?;
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

/// Calls something with the block cipher and its length of key as the type `$cipher`.
macro_rules! with_block {
    ($cbc:expr, $cipher:ident => $call:expr) => {
        match ($cbc.block, $cbc.key.len()) {
            (Block::Aes, 16) => {
                type $cipher = aes::Aes128;
                $call
            }
            (Block::Aes, _) => {
                type $cipher = aes::Aes256;
                $call
            }
            (Block::Camellia, 16) => {
                type $cipher = camellia::Camellia128;
                $call
            }
            (Block::Camellia, _) => {
                type $cipher = camellia::Camellia256;
                $call
            }
            (Block::TripleDes, _) => {
                type $cipher = des::TdesEde3;
                $call
            }
        }
    };
}

impl Cbc {
    fn seal(&mut self, chance: &mut ChaCha8Rng, sequence: u64, kind: u8, version: u16, text: &[u8]) -> Vec<u8> {
        let mut body = text.to_vec();
        if !self.encrypt_then_mac {
            body.extend(self.mac(&associated(sequence, kind, version, text.len()), &[text]));
        }
        let block = self.block.length();
        let padding = block - 1 - body.len() % block;
        let octet = u8::try_from(padding).unwrap_or_default();
        body.resize(body.len() + padding + 1, octet);
        let mut explicit = Vec::new();
        let iv = self.chain.take().unwrap_or_else(|| {
            explicit.resize(block, 0);
            chance.fill_bytes(&mut explicit);
            explicit.clone()
        });
        let done = with_block!(self, Cipher => {
            cbc::Encryptor::<Cipher>::new_from_slices(&self.key, &iv).map(|mut cipher| {
                let (blocks, rest) = aes::cipher::Block::<Cipher>::slice_as_chunks_mut(&mut body);
                debug_assert!(rest.is_empty(), "padded to whole blocks");
                cipher.encrypt_blocks(blocks);
            })
        });
        debug_assert!(done.is_ok(), "key and IV have the cipher's lengths");
        if explicit.is_empty() {
            self.chain = body.len().checked_sub(block).and_then(|last| body.get(last..)).map(<[u8]>::to_vec);
        }
        let mut fragment = [explicit, body].concat();
        if self.encrypt_then_mac {
            let tag = self.mac(&associated(sequence, kind, version, fragment.len()), &[&fragment]);
            fragment.extend(tag);
        }
        fragment
    }

    fn open(&mut self, sequence: u64, kind: u8, version: u16, fragment: &[u8]) -> Option<Vec<u8>> {
        let tag_length = self.tag_length();
        let mut sealed = fragment;
        if self.encrypt_then_mac {
            let (before, tag) = fragment.split_at_checked(fragment.len().checked_sub(tag_length)?)?;
            let expected = self.mac(&associated(sequence, kind, version, before.len()), &[before]);
            bool::from(expected.ct_eq(tag)).then_some(())?;
            sealed = before;
        }
        let block = self.block.length();
        let (iv, body) = match &mut self.chain {
            Some(chain) => {
                let last = sealed.get(sealed.len().checked_sub(block)?..)?.to_vec();
                (core::mem::replace(chain, last), sealed)
            }
            None => sealed.split_at_checked(block).map(|(iv, body)| (iv.to_vec(), body))?,
        };
        let mut text = body.to_vec();
        with_block!(self, Cipher => {
            let mut cipher = cbc::Decryptor::<Cipher>::new_from_slices(&self.key, &iv).ok()?;
            let (blocks, rest) = aes::cipher::Block::<Cipher>::slice_as_chunks_mut(&mut text);
            rest.is_empty().then_some(())?;
            cipher.decrypt_blocks(blocks);
        });
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

/// The length of a record of SSL 2 with its header, if one begins here that holds a hello (RFC 5246 §E.2).
pub(super) fn old_length(record: &[u8]) -> Option<Result<usize, Alert>> {
    let &[high, low, 1, ..] = record else { return None };
    (high & 0x80 != 0).then(|| match usize::from(u16::from_be_bytes([high & 0x7f, low])) {
        0..MIN_OLD => Err(Alert::DecodeError),
        length @ MIN_OLD..=MAX_OLD => Ok(OLD_HEADER + length),
        _ => Err(Alert::RecordOverflow),
    })
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
