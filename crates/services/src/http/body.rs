//! A request's body: counted, its beginning kept, the rest thrown away as it comes.

use alloc::vec::Vec;

use super::request::Framing;
use crate::{
    limits::http::{MAX_CHUNK_LINE, MAX_KEPT},
    text::hex_digit,
};

/// A body that is coming in.
#[derive(Debug)]
pub(super) struct Body {
    rest: Rest,
    pub(super) kept: Vec<u8>,
}

#[derive(Debug)]
enum Rest {
    Length(u64),
    /// In the line before a chunk: its size so far, how many digits, whether extensions have begun, octets of the line.
    Size {
        size: u64,
        digits: u8,
        extension: bool,
        read: u32,
    },
    Chunk(u64),
    /// Between a chunk and the next size: what of CR LF has come.
    AfterChunk(bool),
    /// In the trailers: whether the line is empty so far, octets of all.
    Trailer {
        empty: bool,
        read: u32,
    },
    Done,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Malformed,
    TooLarge,
}

const SIZE: Rest = Rest::Size { size: 0, digits: 0, extension: false, read: 0 };

impl Body {
    pub(super) fn new(framing: Framing) -> Self {
        let rest = match framing {
            Framing::None | Framing::Length(0) => Rest::Done,
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => SIZE,
        };
        Self { rest, kept: Vec::new() }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.rest, Rest::Done)
    }

    /// Takes what belongs to the body; returns how much that was.
    pub(super) fn take(&mut self, octets: &[u8]) -> Result<usize, Wrong> {
        let mut at = 0;
        while let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty()) {
            at += match &mut self.rest {
                Rest::Done => return Ok(at),
                Rest::Length(left) | Rest::Chunk(left) => {
                    let count = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
                    let ended = *left == 0;
                    let kept = rest.get(..count.min(MAX_KEPT.saturating_sub(self.kept.len()))).unwrap_or(&[]);
                    self.kept.extend_from_slice(kept);
                    if ended {
                        let chunked = matches!(self.rest, Rest::Chunk(_));
                        self.rest = if chunked { Rest::AfterChunk(false) } else { Rest::Done };
                    }
                    count
                }
                _ => {
                    self.step(*rest.first().unwrap_or(&0))?;
                    1
                }
            };
        }
        Ok(at)
    }

    /// One octet of what is around chunks (RFC 9112 §7.1).
    fn step(&mut self, octet: u8) -> Result<(), Wrong> {
        match &mut self.rest {
            Rest::Size { size, digits, extension, read } => {
                *read += 1;
                match octet {
                    b'\n' if *digits > 0 && *size == 0 => self.rest = Rest::Trailer { empty: true, read: 0 },
                    b'\n' if *digits > 0 => self.rest = Rest::Chunk(*size),
                    b';' | b' ' | b'\t' | b'\r' if *digits > 0 => *extension = true,
                    _ if *extension && *read < MAX_CHUNK_LINE => {}
                    _ if *digits >= 15 => return Err(Wrong::TooLarge),
                    _ => {
                        let value = hex_digit(octet).ok_or(Wrong::Malformed)?;
                        *size = *size << 4 | u64::from(value);
                        *digits += 1;
                    }
                }
            }
            Rest::AfterChunk(returned) => match octet {
                b'\r' if !*returned => *returned = true,
                b'\n' => self.rest = SIZE,
                _ => return Err(Wrong::Malformed),
            },
            Rest::Trailer { empty, read } => {
                *read += 1;
                match octet {
                    b'\n' if *empty => self.rest = Rest::Done,
                    b'\n' => *empty = true,
                    b'\r' => {}
                    _ if *read > MAX_CHUNK_LINE => return Err(Wrong::Malformed),
                    _ => *empty = false,
                }
            }
            Rest::Length(_) | Rest::Chunk(_) | Rest::Done => {}
        }
        Ok(())
    }
}
