//! The connection below the handshake: what goes out as records, and how each direction is protected.

use alloc::vec::Vec;

use rand_chacha::ChaCha8Rng;

use super::{
    alert::Alert,
    record::{ALERT, HANDSHAKE, Half, MAX_PLAIN},
};
use crate::outbox::Outbox;

const WARNING: u8 = 1;
const FATAL: u8 = 2;

pub(super) struct Line {
    pub(super) out: Outbox,
    pub(super) reading: Half,
    pub(super) writing: Half,
    /// The version in the header of records.
    pub(super) version: u16,
    pub(super) chance: ChaCha8Rng,
    limit: usize,
}

impl Line {
    pub(super) fn new(chance: ChaCha8Rng) -> Self {
        let out = Outbox::default();
        Self { out, reading: Half::clear(), writing: Half::clear(), version: 0x0303, chance, limit: MAX_PLAIN }
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Sends octets of one kind, in as many records as they need.
    pub(super) fn send(&mut self, kind: u8, text: &[u8]) {
        let mut records = Vec::with_capacity(text.len() + 64);
        for piece in text.chunks(self.limit) {
            self.writing.seal(&mut self.chance, kind, self.version, piece, &mut records);
        }
        self.out.send(&records);
    }

    /// Sends a message of the handshake, in records of its own, as OpenSSL does.
    pub(super) fn handshake(&mut self, message: &[u8], transcript: &mut Vec<u8>) {
        transcript.extend_from_slice(message);
        self.send(HANDSHAKE, message);
    }

    pub(super) fn fatal(&mut self, alert: Alert) {
        self.send(ALERT, &[FATAL, alert.code()]);
    }

    pub(super) fn warning(&mut self, alert: Alert) {
        self.send(ALERT, &[WARNING, alert.code()]);
    }
}
