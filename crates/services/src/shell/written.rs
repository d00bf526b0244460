//! What commands write, and when.

use alloc::{borrow::Cow, string::String, vec::Vec};

use super::MAX_OUTPUT;
use crate::limits::shell::{FREE_RUNS, RUN_NANOS};

/// What commands write, in order: on a terminal both channels are one.
#[derive(Debug)]
pub(crate) struct Written {
    pub(super) pieces: Vec<Piece>,
    pub(super) room: usize,
    /// Nanoseconds that have passed since the line was begun: what takes time is run at once and told of later.
    pub(super) at: u64,
    /// It goes on for ever.
    pub(super) endless: bool,
    /// Nanoseconds before which nothing ends it.
    least: u64,
}

/// What is written at a time.
#[derive(Debug, PartialEq)]
pub(crate) struct Piece {
    /// Nanoseconds after the line was begun.
    pub(crate) at: u64,
    /// Whether it is for the channel of errors.
    pub(crate) errors: bool,
    pub(crate) octets: Vec<u8>,
}

impl Default for Written {
    fn default() -> Self {
        Self { pieces: Vec::new(), room: MAX_OUTPUT, at: 0, endless: false, least: 0 }
    }
}

impl Written {
    /// For a command that is run as a part of this.
    pub(super) fn part(&self) -> Self {
        Self { room: self.room, at: self.at, ..Self::default() }
    }

    pub(crate) fn output(&mut self, octets: &[u8]) {
        self.push(self.at, false, octets);
    }

    pub(crate) fn errors(&mut self, octets: &[u8]) {
        self.push(self.at, true, octets);
    }

    /// So many nanoseconds pass.
    pub(super) fn wait(&mut self, nanos: u64) {
        self.at = self.at.saturating_add(nanos);
    }

    fn push(&mut self, at: u64, errors: bool, octets: &[u8]) {
        let octets = octets.get(..self.room).unwrap_or(octets);
        self.room -= octets.len();
        match self.pieces.last_mut() {
            Some(piece) if piece.errors == errors && piece.at == at => piece.octets.extend_from_slice(octets),
            _ if octets.is_empty() => {}
            _ => self.pieces.push(Piece { at, errors, octets: octets.to_vec() }),
        }
    }

    /// Adds what a part has written. What was run beside the rest takes none of its time.
    pub(super) fn append(&mut self, other: Self) {
        self.pass(&other);
        for piece in other.pieces {
            self.push(piece.at, piece.errors, &piece.octets);
        }
    }

    /// Adds the time that a part has taken.
    pub(super) fn pass(&mut self, other: &Self) {
        self.at = self.at.max(other.at);
        self.endless |= other.endless;
    }

    pub(super) fn is_full(&self) -> bool {
        self.room == 0
    }

    /// So many commands were run, which takes time.
    pub(super) fn charge(&mut self, runs: u32) {
        self.least = u64::from(runs.saturating_sub(FREE_RUNS)) * RUN_NANOS;
        self.at = self.at.max(self.least);
    }

    /// Nanoseconds before which nothing ends it.
    pub(crate) fn least(&self) -> u64 {
        self.least
    }

    /// What is written up to a time, so many nanoseconds after the line was begun.
    pub(crate) fn take(&mut self, until: u64) -> impl Iterator<Item = Piece> {
        let count = self.pieces.iter().position(|piece| piece.at > until).unwrap_or(self.pieces.len());
        self.pieces.drain(..count)
    }

    /// Whether all is taken and nothing will come.
    pub(crate) fn is_over(&self, by: u64) -> bool {
        self.pieces.is_empty() && !self.endless && self.at <= by
    }

    /// When something is written next, or all is over; `None`: never.
    pub(crate) fn due(&self) -> Option<u64> {
        self.pieces.first().map(|piece| piece.at).or_else(|| (!self.endless).then_some(self.at))
    }

    /// All octets, as a terminal shows them.
    pub(crate) fn all(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|piece| &piece.octets).copied().collect()
    }

    pub(crate) fn split(&self, out: &mut Vec<u8>, errors: &mut Vec<u8>) {
        for piece in &self.pieces {
            if piece.errors { &mut *errors } else { &mut *out }.extend_from_slice(&piece.octets);
        }
    }
}

/// As text, for what takes only that.
pub(super) fn lossy(octets: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(octets)
}
