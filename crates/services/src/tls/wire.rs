//! The presentation language of TLS (RFC 8446 §3): numbers in network order, vectors with their length before them.

use alloc::vec::Vec;

/// Reads octets of a stranger; every answer is `None` where they end too early.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[octet]| octet)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A vector whose length takes `N` octets.
    pub(super) fn vector<const N: usize>(&mut self) -> Option<&'a [u8]> {
        let length = self.array::<N>()?.iter().fold(0_usize, |length, &octet| length << 8 | usize::from(octet));
        self.take(length)
    }

    /// A vector of 16-bit numbers; its length takes `N` octets and must be even.
    pub(super) fn numbers<const N: usize>(&mut self) -> Option<Vec<u16>> {
        let octets = self.vector::<N>()?;
        octets.len().is_multiple_of(2).then(|| pairs(octets).collect())
    }
}

/// Octets as 16-bit numbers; an odd one at the end is left out.
pub(super) fn pairs(octets: &[u8]) -> impl Iterator<Item = u16> {
    octets.chunks_exact(2).filter_map(|pair| pair.first_chunk::<2>().map(|&pair| u16::from_be_bytes(pair)))
}

pub(super) fn put_u16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_be_bytes());
}

/// Appends what `write` appends, after its length in `N` octets.
pub(super) fn put_vector<const N: usize>(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; N]);
    write(out);
    let length = out.len().saturating_sub(start).saturating_sub(N).to_be_bytes();
    let low = length.len().saturating_sub(N);
    if let (Some(place), Some(length)) = (out.get_mut(start..).and_then(|o| o.get_mut(..N)), length.get(low..)) {
        place.copy_from_slice(length);
    }
}

/// A handshake message (RFC 8446 §4): its type, and a body whose length takes three octets.
pub(super) fn message(kind: u8, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = alloc::vec![kind];
    put_vector::<3>(&mut out, write);
    out
}
