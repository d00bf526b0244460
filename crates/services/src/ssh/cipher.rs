//! The ciphers of the packet layer, by their names on the wire. What a cipher is applied to is `packet.rs`'s matter.

use alloc::boxed::Box;

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AeadInOut, Aes128Gcm, Aes256Gcm, KeyInit as _};
use chacha20::{
    ChaCha20,
    cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, StreamCipher},
};
use des::TdesEde3;
use poly1305::Poly1305;
use subtle::ConstantTimeEq;

/// A cipher that a product may offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    ChaCha20Poly1305,
    Aes128Gcm,
    Aes256Gcm,
    Aes128Ctr,
    Aes192Ctr,
    Aes256Ctr,
    Aes128Cbc,
    Aes192Cbc,
    Aes256Cbc,
    TripleDesCbc,
}

/// Every cipher that is built.
pub(crate) const CIPHERS: [(&str, Cipher); 11] = [
    ("chacha20-poly1305@openssh.com", Cipher::ChaCha20Poly1305),
    ("aes128-gcm@openssh.com", Cipher::Aes128Gcm),
    ("aes256-gcm@openssh.com", Cipher::Aes256Gcm),
    ("aes128-ctr", Cipher::Aes128Ctr),
    ("aes192-ctr", Cipher::Aes192Ctr),
    ("aes256-ctr", Cipher::Aes256Ctr),
    ("aes128-cbc", Cipher::Aes128Cbc),
    ("aes192-cbc", Cipher::Aes192Cbc),
    ("aes256-cbc", Cipher::Aes256Cbc),
    ("rijndael-cbc@lysator.liu.se", Cipher::Aes256Cbc),
    ("3des-cbc", Cipher::TripleDesCbc),
];

/// Octets of the tag of both kinds of authenticated ciphers.
pub(crate) const TAG: usize = 16;

impl Cipher {
    pub(crate) fn named(name: &str) -> Option<Self> {
        CIPHERS.iter().find(|(known, _)| *known == name).map(|&(_, cipher)| cipher)
    }

    pub(crate) fn key_length(self) -> usize {
        match self {
            Self::ChaCha20Poly1305 => 64,
            Self::Aes128Gcm | Self::Aes128Ctr | Self::Aes128Cbc => 16,
            Self::Aes192Ctr | Self::Aes192Cbc | Self::TripleDesCbc => 24,
            Self::Aes256Gcm | Self::Aes256Ctr | Self::Aes256Cbc => 32,
        }
    }

    pub(crate) fn iv_length(self) -> usize {
        match self {
            Self::ChaCha20Poly1305 => 0,
            Self::Aes128Gcm | Self::Aes256Gcm => 12,
            Self::TripleDesCbc => 8,
            _ => 16,
        }
    }

    /// Packets are padded to a multiple of this.
    pub(crate) fn block(self) -> usize {
        match self {
            Self::ChaCha20Poly1305 | Self::TripleDesCbc => 8,
            _ => 16,
        }
    }

    /// Whether it has a tag of its own, so that no MAC is negotiated.
    pub(crate) fn is_authenticated(self) -> bool {
        matches!(self, Self::ChaCha20Poly1305 | Self::Aes128Gcm | Self::Aes256Gcm)
    }

    pub(crate) fn is_cbc(self) -> bool {
        matches!(self, Self::Aes128Cbc | Self::Aes192Cbc | Self::Aes256Cbc | Self::TripleDesCbc)
    }

    /// The cipher in use for one direction. `None` only for a key or an initial vector of the wrong length.
    pub(crate) fn start(self, key: &[u8], iv: &[u8], seals: bool) -> Option<Keyed> {
        fn ctr<C>(key: &[u8], iv: &[u8]) -> Option<Keyed>
        where
            ctr::Ctr128BE<C>: KeyIvInit + StreamCipher + 'static,
            C: chacha20::cipher::BlockCipherEncrypt<BlockSize = chacha20::cipher::consts::U16>,
        {
            Some(Keyed::Blocks(Box::new(Stream(ctr::Ctr128BE::<C>::new_from_slices(key, iv).ok()?))))
        }
        fn cbc<E, D>(key: &[u8], iv: &[u8], seals: bool) -> Option<Keyed>
        where
            E: BlockModeEncrypt + KeyIvInit + 'static,
            D: BlockModeDecrypt + KeyIvInit + 'static,
        {
            Some(Keyed::Blocks(if seals {
                Box::new(Encryptor(E::new_from_slices(key, iv).ok()?))
            } else {
                Box::new(Decryptor(D::new_from_slices(key, iv).ok()?))
            }))
        }
        match self {
            Self::ChaCha20Poly1305 => {
                let (main, rest) = key.split_first_chunk::<32>()?;
                Some(Keyed::ChaCha { main: *main, lengths: *rest.first_chunk::<32>()? })
            }
            Self::Aes128Gcm => {
                Some(Keyed::Gcm(Box::new(Aes128Gcm::new_from_slice(key).ok()?), *iv.first_chunk::<12>()?))
            }
            Self::Aes256Gcm => {
                Some(Keyed::Gcm(Box::new(Aes256Gcm::new_from_slice(key).ok()?), *iv.first_chunk::<12>()?))
            }
            Self::Aes128Ctr => ctr::<Aes128>(key, iv),
            Self::Aes192Ctr => ctr::<Aes192>(key, iv),
            Self::Aes256Ctr => ctr::<Aes256>(key, iv),
            Self::Aes128Cbc => cbc::<cbc::Encryptor<Aes128>, cbc::Decryptor<Aes128>>(key, iv, seals),
            Self::Aes192Cbc => cbc::<cbc::Encryptor<Aes192>, cbc::Decryptor<Aes192>>(key, iv, seals),
            Self::Aes256Cbc => cbc::<cbc::Encryptor<Aes256>, cbc::Decryptor<Aes256>>(key, iv, seals),
            Self::TripleDesCbc => cbc::<cbc::Encryptor<TdesEde3>, cbc::Decryptor<TdesEde3>>(key, iv, seals),
        }
    }
}

/// A cipher with its key, for one direction.
pub(crate) enum Keyed {
    /// PROTOCOL.chacha20poly1305: one key for the packet, one for its length, the sequence number is the nonce.
    ChaCha { main: [u8; 32], lengths: [u8; 32] },
    /// RFC 5647 §7.1: the last eight octets of the nonce count packets.
    Gcm(Box<dyn Gcm>, [u8; 12]),
    /// A cipher that needs a MAC beside it.
    Blocks(Box<dyn Blocks>),
}

impl Keyed {
    /// Encrypts or decrypts the four octets of the length.
    pub(crate) fn turn_length(&self, sequence: u32, length: &mut [u8; 4]) {
        if let Self::ChaCha { lengths, .. } = self {
            chacha(lengths, sequence).apply_keystream(length);
        }
    }

    /// Encrypts in place; the tag, for those that have one.
    pub(crate) fn seal(&mut self, sequence: u32, length: &[u8; 4], text: &mut [u8]) -> Option<[u8; TAG]> {
        match self {
            Self::ChaCha { main, .. } => {
                let (mut stream, tagger) = chacha_with_tag(main, sequence);
                stream.apply_keystream(text);
                Some(chacha_tag(tagger, length, text))
            }
            Self::Gcm(gcm, nonce) => {
                let tag = gcm.seal(nonce, length, text);
                count(nonce);
                Some(tag)
            }
            Self::Blocks(blocks) => {
                blocks.turn(text);
                None
            }
        }
    }

    /// Decrypts in place; whether the tag fits. Those that have none always fit.
    pub(crate) fn unseal(&mut self, sequence: u32, length: &[u8; 4], text: &mut [u8], tag: &[u8]) -> bool {
        match self {
            Self::ChaCha { main, .. } => {
                let (mut stream, tagger) = chacha_with_tag(main, sequence);
                let fits = bool::from(chacha_tag(tagger, length, text).as_slice().ct_eq(tag));
                if fits {
                    stream.apply_keystream(text);
                }
                fits
            }
            Self::Gcm(gcm, nonce) => {
                let fits = tag.first_chunk::<TAG>().is_some_and(|tag| gcm.unseal(nonce, length, text, tag));
                count(nonce);
                fits
            }
            Self::Blocks(blocks) => {
                blocks.turn(text);
                true
            }
        }
    }
}

/// The construction has a nonce and a counter of 64 bits each; the RFC 8439 layout with its first nonce word zero is
/// the same state.
fn chacha(key: &[u8; 32], sequence: u32) -> ChaCha20 {
    let mut nonce = [0; 12];
    if let Some(tail) = nonce.last_chunk_mut::<4>() {
        *tail = sequence.to_be_bytes();
    }
    ChaCha20::new(&(*key).into(), &nonce.into())
}

/// The key stream from its second block on, and what the first block keys.
fn chacha_with_tag(key: &[u8; 32], sequence: u32) -> (ChaCha20, Poly1305) {
    let mut stream = chacha(key, sequence);
    let mut first = [0; 64];
    stream.apply_keystream(&mut first);
    let (key, _) = first.split_first_chunk::<32>().unwrap_or((&[0; 32], &[]));
    (stream, Poly1305::new(&(*key).into()))
}

fn chacha_tag(tagger: Poly1305, length: &[u8; 4], text: &[u8]) -> [u8; TAG] {
    let mut whole = alloc::vec::Vec::with_capacity(text.len().saturating_add(4));
    whole.extend_from_slice(length);
    whole.extend_from_slice(text);
    tagger.compute_unpadded(&whole).into()
}

fn count(nonce: &mut [u8; 12]) {
    if let Some(counter) = nonce.last_chunk_mut::<8>() {
        *counter = u64::from_be_bytes(*counter).wrapping_add(1).to_be_bytes();
    }
}

/// AES-GCM of either key length.
pub(crate) trait Gcm {
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; TAG];
    fn unseal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8; TAG]) -> bool;
}

impl<A> Gcm for A
where
    A: AeadInOut<NonceSize = chacha20::cipher::consts::U12, TagSize = chacha20::cipher::consts::U16>,
{
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; TAG] {
        // Fails only beyond 64 GiB.
        self.encrypt_inout_detached(&(*nonce).into(), aad, text.into()).map_or([0; TAG], Into::into)
    }

    fn unseal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8; TAG]) -> bool {
        self.decrypt_inout_detached(&(*nonce).into(), aad, text.into(), &(*tag).into()).is_ok()
    }
}

/// A cipher that runs on from one packet to the next.
pub(crate) trait Blocks {
    /// Encrypts, or decrypts, whole blocks.
    fn turn(&mut self, text: &mut [u8]);
}

struct Stream<S>(S);

impl<S: StreamCipher> Blocks for Stream<S> {
    fn turn(&mut self, text: &mut [u8]) {
        self.0.apply_keystream(text);
    }
}

struct Encryptor<E>(E);

impl<E: BlockModeEncrypt> Blocks for Encryptor<E> {
    fn turn(&mut self, text: &mut [u8]) {
        let (blocks, _) = Block::<E>::slice_as_chunks_mut(text);
        self.0.encrypt_blocks(blocks);
    }
}

struct Decryptor<D>(D);

impl<D: BlockModeDecrypt> Blocks for Decryptor<D> {
    fn turn(&mut self, text: &mut [u8]) {
        let (blocks, _) = Block::<D>::slice_as_chunks_mut(text);
        self.0.decrypt_blocks(blocks);
    }
}
