//! The code of HPACK's strings (RFC 7541 §5.2, appendix B). It is canonical, so that lengths say all.

use alloc::{vec, vec::Vec};

/// Bits of the longest code.
const LONGEST: usize = 30;

/// The code, made from its lengths.
#[derive(Debug)]
pub(super) struct Huffman {
    /// Code and length of each octet.
    codes: Vec<(u32, u8)>,
    /// Octets by length, then by value.
    order: Vec<u8>,
    /// For each length its first code, how many there are, and where they begin in `order`.
    first: [(u32, u32, usize); LONGEST + 1],
}

impl Huffman {
    pub(super) fn new() -> Self {
        let (mut codes, mut order) = (vec![(0, 0); 256], Vec::with_capacity(256));
        let mut first = [(0, 0, 0); LONGEST + 1];
        let mut code = 0u32;
        for (length, entry) in first.iter_mut().enumerate() {
            code <<= 1;
            *entry = (code, 0, order.len());
            for octet in 0..=u8::MAX {
                let own = LENGTHS.get(usize::from(octet)).copied().unwrap_or(0);
                if usize::from(own) == length {
                    if let Some(place) = codes.get_mut(usize::from(octet)) {
                        *place = (code, own);
                    }
                    order.push(octet);
                    code += 1;
                    entry.1 += 1;
                }
            }
        }
        Self { codes, order, first }
    }

    /// `None`: it holds the end of the string, or does not end with less than an octet of ones.
    pub(super) fn decode(&self, octets: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(octets.len() * 8 / 5 + 1);
        let (mut code, mut length) = (0u32, 0usize);
        for octet in octets {
            for bit in (0..8).rev() {
                code = code << 1 | u32::from(octet >> bit & 1);
                length += 1;
                let &(from, count, at) = self.first.get(length)?;
                if let Some(offset) = code.checked_sub(from).filter(|offset| *offset < count) {
                    out.push(*self.order.get(at + usize::try_from(offset).ok()?)?);
                    (code, length) = (0, 0);
                }
            }
        }
        let ones = (1u32 << length) - 1;
        (length < 8 && code == ones).then_some(out)
    }

    /// Octets that a string takes.
    pub(super) fn length(&self, text: &[u8]) -> usize {
        let bits: usize = text.iter().map(|&octet| usize::from(self.code(octet).1)).sum();
        bits.div_ceil(8)
    }

    pub(super) fn encode(&self, text: &[u8], out: &mut Vec<u8>) {
        let (mut held, mut count) = (0u64, 0u32);
        let mut put = |held: u64, count: &mut u32| {
            while *count >= 8 {
                *count -= 8;
                out.push(u8::try_from(held >> *count & 0xff).unwrap_or(0));
            }
        };
        for &octet in text {
            let (code, length) = self.code(octet);
            held = held << length | u64::from(code);
            count += u32::from(length);
            put(held, &mut count);
        }
        if count > 0 {
            // Filled up with ones, which begin the end of the string.
            let fill = 8 - count;
            count = 8;
            put(held << fill | ((1 << fill) - 1), &mut count);
        }
    }

    fn code(&self, octet: u8) -> (u32, u8) {
        self.codes.get(usize::from(octet)).copied().unwrap_or((0, 0))
    }
}

/// RFC 7541, appendix B: bits of each octet's code. The end of the string has 30 as well, and is the last of them.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12,
    10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6,
    5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22,
    22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28,
    27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28,
    27, 27, 27, 27, 27, 26,
];
