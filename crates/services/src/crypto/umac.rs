//! UMAC (RFC 4418) with tags of 64 and 128 bits, as `umac-64@openssh.com` and `umac-128@openssh.com` use it: the nonce
//! is the number of the packet, 8 octets, big-endian.
//!
//! Messages are as long as a packet of SSH can be. Those of more than 16 MiB, for which RFC 4418 §5.3 has a second
//! polynomial, are not tagged as the RFC says.

use alloc::vec::Vec;

use aes::{
    Aes128,
    cipher::{BlockCipherEncrypt, KeyInit},
};

/// Octets that the first layer hashes at a time.
const CHUNK: usize = 1024;
/// Hash functions of a tag of 128 bits, 32 bits each; one of 64 bits uses the first two.
const MOST_STREAMS: usize = 4;
/// Octets by which the keys of the first layer of one stream and the next differ (RFC 4418 §5.1).
const TOEPLITZ_SHIFT: usize = 16;
/// The prime 2^36 - 5.
const PRIME_36: u64 = 0x000f_ffff_fffb;
/// The prime 2^64 - 59.
const PRIME_64: u128 = 0xffff_ffff_ffff_ffc5;
/// What the prime is short of 2^64.
const PRIME_64_OFFSET: u64 = 59;
/// Words from here on do not fit below the prime and are told by a marker (RFC 4418 §5.3.2: 2^64 - 2^32).
const MAX_WORD: u64 = 0xffff_ffff_0000_0000;
/// Bits of a key of the polynomial that may be set.
const POLY_MASK: u64 = 0x01ff_ffff_01ff_ffff;

/// The keys that one key of 16 octets makes.
#[derive(Clone)]
pub(crate) struct Umac {
    pad: Aes128,
    streams: [Stream; MOST_STREAMS],
}

impl core::fmt::Debug for Umac {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Umac").finish_non_exhaustive()
    }
}

/// One 32-bit hash function.
#[derive(Clone)]
struct Stream {
    /// Layer 1: one word for each of the message, eight for a block.
    keys: Vec<[u32; 8]>,
    /// Layer 2: where the polynomial is evaluated.
    point: u64,
    /// Layer 3: factors, and what the sum is masked with.
    factors: [u64; 8],
    mask: u32,
}

impl Umac {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        let cipher = Aes128::new(key.into());
        let layer_1 = derive(&cipher, 1, CHUNK + (MOST_STREAMS - 1) * TOEPLITZ_SHIFT);
        let layer_2 = derive(&cipher, 2, MOST_STREAMS * 24);
        let layer_3 = derive(&cipher, 3, MOST_STREAMS * 64);
        let masks = derive(&cipher, 4, MOST_STREAMS * 4);
        let streams = core::array::from_fn(|stream| Stream {
            keys: part(&layer_1, stream * TOEPLITZ_SHIFT, CHUNK)
                .chunks_exact(32)
                .map(|block| core::array::from_fn(|word| low_half(big_endian(part(block, word * 4, 4)))))
                .collect(),
            point: big_endian(part(&layer_2, stream * 24, 8)) & POLY_MASK,
            factors: core::array::from_fn(|place| big_endian(part(&layer_3, stream * 64 + place * 8, 8)) % PRIME_36),
            mask: low_half(big_endian(part(&masks, stream * 4, 4))),
        });
        let pad_key: [u8; 16] = derive(&cipher, 0, 16).try_into().unwrap_or_default();
        Self { pad: Aes128::new(&pad_key.into()), streams }
    }

    /// The tag of 64 bits.
    pub(crate) fn tag64(&self, nonce: [u8; 8], message: &[u8]) -> [u8; 8] {
        // One block of the pad serves two nonces, which differ in the lowest bit (RFC 4418 §3.3).
        let nonce = u64::from_be_bytes(nonce);
        let pad = self.pad(nonce & !1) << if nonce & 1 == 0 { 0 } else { 64 };
        let tag = (self.hash(message, 2) ^ pad).to_be_bytes();
        tag.first_chunk().copied().unwrap_or_default()
    }

    /// The tag of 128 bits.
    pub(crate) fn tag128(&self, nonce: [u8; 8], message: &[u8]) -> [u8; 16] {
        (self.hash(message, MOST_STREAMS) ^ self.pad(u64::from_be_bytes(nonce))).to_be_bytes()
    }

    fn pad(&self, nonce: u64) -> u128 {
        let mut block = (u128::from(nonce) << 64).to_be_bytes().into();
        self.pad.encrypt_block(&mut block);
        u128::from_be_bytes(block.into())
    }

    /// UHASH (RFC 4418 §5.1), the first stream in the highest bits.
    fn hash(&self, message: &[u8], streams: usize) -> u128 {
        let hashes = self.streams.iter().take(streams).map(|stream| stream.hash(message));
        let mut shift = 128;
        hashes.fold(0, |tag, hash| {
            shift -= 32;
            tag | u128::from(hash) << shift
        })
    }
}

impl Stream {
    fn hash(&self, message: &[u8]) -> u32 {
        let chunks = message.chunks(CHUNK);
        let first = chunks.clone().next().unwrap_or_default();
        // A message of one chunk skips the second layer (RFC 4418 §5.1).
        let second_layer = if message.len() <= CHUNK {
            self.inner_product(first)
        } else {
            chunks.fold(1, |sum, chunk| self.evaluate(sum, self.inner_product(chunk)))
        };
        self.fold(second_layer)
    }

    /// Layer 1, NH (RFC 4418 §5.2.2), and the length in bits. The message's words are little-endian.
    fn inner_product(&self, chunk: &[u8]) -> u64 {
        let bits = u64::try_from(chunk.len()).unwrap_or(0) * 8;
        // Even an empty message is one block; what is missing of the last block is zeros.
        let chunk = if chunk.is_empty() { &[0] } else { chunk };
        let products = chunk.chunks(32).zip(&self.keys).map(|(block, keys)| {
            let mut sums = *keys;
            for (sum, word) in sums.iter_mut().zip(block.chunks(4)) {
                *sum = sum.wrapping_add(little_endian(word));
            }
            let [a, b, c, d, e, f, g, h] = sums.map(u64::from);
            [a * e, b * f, c * g, d * h].into_iter().fold(0, u64::wrapping_add)
        });
        products.fold(bits, u64::wrapping_add)
    }

    /// Layer 2: one more word of the polynomial modulo 2^64 - 59 (RFC 4418 §5.3.2).
    fn evaluate(&self, sum: u64, word: u64) -> u64 {
        let step = |sum: u64, word: u64| {
            let next = (u128::from(self.point) * u128::from(sum) + u128::from(word)) % PRIME_64;
            u64::try_from(next).unwrap_or(0)
        };
        if word < MAX_WORD {
            return step(sum, word);
        }
        step(step(sum, u64::MAX - PRIME_64_OFFSET), word - PRIME_64_OFFSET)
    }

    /// Layer 3 (RFC 4418 §5.4): to 32 bits. The upper half of the hash is zero here.
    fn fold(&self, hash: u64) -> u32 {
        let words = hash.to_be_bytes();
        let [_, _, _, _, factors @ ..] = &self.factors;
        let sum: u64 = words.chunks(2).zip(factors).map(|(word, factor)| big_endian(word) * factor).sum();
        low_half(sum % PRIME_36) ^ self.mask
    }
}

/// Octets of the key for one purpose (RFC 4418 §3.2.1).
fn derive(cipher: &Aes128, purpose: u64, length: usize) -> Vec<u8> {
    let blocks = (1u64..).flat_map(|count| {
        let mut block = (u128::from(purpose) << 64 | u128::from(count)).to_be_bytes().into();
        cipher.encrypt_block(&mut block);
        block
    });
    blocks.take(length).collect()
}

fn part(octets: &[u8], from: usize, length: usize) -> &[u8] {
    octets.get(from..from + length).unwrap_or_default()
}

fn big_endian(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
}

fn little_endian(octets: &[u8]) -> u32 {
    octets.iter().rev().fold(0, |number, octet| number << 8 | u32::from(*octet))
}

fn low_half(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
