//! `zlib@openssh.com` (RFC 4253 §6.2, begun after the login): payloads of one direction as one stream of RFC 1950, a
//! partial flush behind each. Only who was let in has one, so its memory (some 300 KiB to the client, 45 KiB from it) is
//! spent on planted accounts alone.

use alloc::{boxed::Box, vec::Vec};

use miniz_oxide::{
    DataFormat, MZFlush,
    deflate::{core::CompressorOxide, stream::deflate},
    inflate::stream::{InflateState, inflate},
};

/// As OpenSSH has it.
const LEVEL: u8 = 6;
/// Octets that are asked of a stream at a time.
const PIECE: usize = 4096;

/// The server's stream.
pub(crate) struct Packer(Box<CompressorOxide>);

impl Packer {
    pub(crate) fn new() -> Self {
        let mut state = Box::<CompressorOxide>::default();
        state.set_format_and_level(DataFormat::Zlib, LEVEL);
        Self(state)
    }

    pub(crate) fn pack(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = payload;
        let mut piece = [0; PIECE];
        loop {
            let done = deflate(&mut self.0, rest, &mut piece, MZFlush::Partial);
            out.extend_from_slice(piece.get(..done.bytes_written).unwrap_or(&[]));
            rest = rest.get(done.bytes_consumed..).unwrap_or(&[]);
            // A buffer that is not full is the end of the flush.
            if done.bytes_written < PIECE || done.status.is_err() {
                return out;
            }
        }
    }
}

/// The client's stream.
pub(crate) struct Unpacker(Box<InflateState>);

impl Unpacker {
    pub(crate) fn new() -> Self {
        Self(InflateState::new_boxed(DataFormat::Zlib))
    }

    /// What a packet holds; `None`: it is no part of a stream, or it would be more than `most` octets.
    pub(crate) fn unpack(&mut self, packed: &[u8], most: usize) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut rest = packed;
        let mut piece = [0; PIECE];
        loop {
            let done = inflate(&mut self.0, rest, &mut piece, MZFlush::None);
            let filled = piece.get(..done.bytes_written)?;
            if out.len().saturating_add(filled.len()) > most {
                return None;
            }
            out.extend_from_slice(filled);
            rest = rest.get(done.bytes_consumed..)?;
            match done.status {
                // All of it was read, and all of it written.
                Ok(_) | Err(miniz_oxide::MZError::Buf) if rest.is_empty() && filled.len() < PIECE => return Some(out),
                Ok(_) if done.bytes_written > 0 || done.bytes_consumed > 0 => {}
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests;
