//! The connection below the handshake: what goes out as records, and how each direction is protected.

use alloc::vec::Vec;

use rand_chacha::ChaCha8Rng;

use super::{
    alert::{Alert, FATAL, WARNING},
    record::{ALERT, HANDSHAKE, Half, MAX_PLAIN},
};
use crate::outbox::Outbox;

pub(super) struct Line {
    pub(super) out: Outbox,
    pub(super) reading: Half,
    pub(super) writing: Half,
    /// The version in the header of records.
    pub(super) version: u16,
    pub(super) chance: ChaCha8Rng,
    limit: usize,
    /// Messages of the handshake share records: those that wait for more.
    flight: Option<Vec<u8>>,
}

impl Line {
    pub(super) fn new(chance: ChaCha8Rng, shares_records: bool) -> Self {
        Self {
            out: Outbox::default(),
            reading: Half::clear(),
            writing: Half::clear(),
            version: 0x0303,
            chance,
            limit: MAX_PLAIN,
            flight: shares_records.then(Vec::new),
        }
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Protects what is sent from now on.
    pub(super) fn protect(&mut self, writing: Half) {
        self.flush();
        self.writing = writing;
    }

    /// Sends the messages that waited for more.
    pub(super) fn flush(&mut self) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| !flight.is_empty()) {
            let flight = core::mem::take(flight);
            self.send_records(HANDSHAKE, &flight);
        }
    }

    /// Sends octets of one kind, in as many records as they need.
    pub(super) fn send(&mut self, kind: u8, text: &[u8]) {
        self.flush();
        self.send_records(kind, text);
    }

    fn send_records(&mut self, kind: u8, text: &[u8]) {
        let mut records = Vec::with_capacity(text.len() + 64);
        for piece in text.chunks(self.limit) {
            self.writing.seal(&mut self.chance, kind, self.version, piece, &mut records);
        }
        self.out.send(&records);
    }

    /// Sends a message of the handshake, in records of its own, as OpenSSL does, or together with those around it.
    pub(super) fn handshake(&mut self, message: &[u8], transcript: &mut Vec<u8>) {
        transcript.extend_from_slice(message);
        match &mut self.flight {
            Some(flight) => flight.extend_from_slice(message),
            None => self.send(HANDSHAKE, message),
        }
    }

    pub(super) fn fatal(&mut self, alert: Alert) {
        self.send(ALERT, &[FATAL, alert.code()]);
    }

    pub(super) fn warning(&mut self, alert: Alert) {
        self.send(ALERT, &[WARNING, alert.code()]);
    }
}
