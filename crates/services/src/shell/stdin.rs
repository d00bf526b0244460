//! What a command reads.

use alloc::vec::Vec;

/// The input of a command, which may not have come yet.
#[derive(Debug, Default)]
pub(crate) struct Stdin {
    octets: Vec<u8>,
    /// It is still to come.
    awaited: bool,
    /// A command has asked for what is still to come.
    wanted: bool,
}

impl From<Vec<u8>> for Stdin {
    fn from(octets: Vec<u8>) -> Self {
        Self { octets, ..Self::default() }
    }
}

impl Stdin {
    /// Input that is still to come.
    pub(super) fn awaited() -> Self {
        Self { awaited: true, ..Self::default() }
    }

    /// Whether a command has asked for what is still to come: what it made of nothing is not what it would say.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// All of it.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.wanted |= self.awaited;
        core::mem::take(&mut self.octets)
    }

    /// The next line without its end, and whether it had one.
    pub(super) fn line(&mut self) -> Option<(Vec<u8>, bool)> {
        self.wanted |= self.awaited;
        if self.octets.is_empty() {
            return None;
        }
        let end = self.octets.iter().position(|octet| *octet == b'\n');
        let mut line: Vec<u8> = self.octets.drain(..end.map_or(self.octets.len(), |end| end + 1)).collect();
        if end.is_some() {
            line.pop();
        }
        Some((line, end.is_some()))
    }

    pub(super) fn extend(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }
}
