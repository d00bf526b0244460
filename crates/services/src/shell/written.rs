//! What commands write.

use alloc::{borrow::Cow, string::String, vec::Vec};

use super::MAX_OUTPUT;

/// What commands write, in order: on a terminal both channels are one.
#[derive(Debug)]
pub(super) struct Written {
    /// Whether it is for the channel of errors, and the octets.
    pub(super) pieces: Vec<(bool, Vec<u8>)>,
    pub(super) room: usize,
}

impl Default for Written {
    fn default() -> Self {
        Self { pieces: Vec::new(), room: MAX_OUTPUT }
    }
}

impl Written {
    pub(super) fn output(&mut self, octets: &[u8]) {
        self.push(false, octets);
    }

    pub(super) fn errors(&mut self, octets: &[u8]) {
        self.push(true, octets);
    }

    fn push(&mut self, errors: bool, octets: &[u8]) {
        let octets = octets.get(..self.room).unwrap_or(octets);
        self.room -= octets.len();
        match self.pieces.last_mut() {
            Some((same, piece)) if *same == errors => piece.extend_from_slice(octets),
            _ if octets.is_empty() => {}
            _ => self.pieces.push((errors, octets.to_vec())),
        }
    }

    pub(super) fn append(&mut self, other: Self) {
        for (errors, octets) in other.pieces {
            self.push(errors, &octets);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.room == 0
    }

    pub(super) fn all(&self, out: &mut Vec<u8>) {
        self.pieces.iter().for_each(|(_, octets)| out.extend_from_slice(octets));
    }

    pub(super) fn split(&self, out: &mut Vec<u8>, errors: &mut Vec<u8>) {
        for (is_error, octets) in &self.pieces {
            if *is_error { &mut *errors } else { &mut *out }.extend_from_slice(octets);
        }
    }
}

/// As text, for what takes only that.
pub(super) fn lossy(octets: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(octets)
}
