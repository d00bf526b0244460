//! ICMP for IPv4 (RFC 792).

use crate::{Sink, checksum::Checksum};

/// Echo reply.
pub const ECHO_REPLY: u8 = 0;
/// Destination unreachable.
pub const UNREACHABLE: u8 = 3;
/// Source quench (deprecated, RFC 6633).
pub const SOURCE_QUENCH: u8 = 4;
/// Echo request.
pub const ECHO: u8 = 8;
/// Time exceeded.
pub const TIME_EXCEEDED: u8 = 11;
/// Parameter problem.
pub const PARAMETER_PROBLEM: u8 = 12;
/// Timestamp request.
pub const TIMESTAMP: u8 = 13;
/// Timestamp reply.
pub const TIMESTAMP_REPLY: u8 = 14;
/// Information request.
pub const INFORMATION: u8 = 15;
/// Address mask request (RFC 950).
pub const MASK: u8 = 17;
/// Address mask reply.
pub const MASK_REPLY: u8 = 18;
/// Code of unreachable: protocol.
pub const PROTOCOL_UNREACHABLE: u8 = 2;
/// Code of unreachable: port.
pub const PORT_UNREACHABLE: u8 = 3;
/// Code of unreachable: fragmentation needed (RFC 1191).
pub const FRAGMENTATION_NEEDED: u8 = 4;
/// Code of time exceeded: reassembly.
pub const REASSEMBLY_EXCEEDED: u8 = 1;
/// Octets of the header.
pub const HEADER: usize = 8;

/// A received message. The four octets after the checksum mean different things in different types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Octets 4 to 7: identifier and sequence number of an echo, the unused word of an error.
    pub word: [u8; 4],
    /// What follows the eight octets.
    pub payload: &'a [u8],
    octets: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a message. `None` if it has fewer than eight octets.
    #[must_use]
    pub fn parse(octets: &'a [u8]) -> Option<Self> {
        let (h, payload) = octets.split_first_chunk::<HEADER>()?;
        let [kind, code, _, _, w0, w1, w2, w3] = *h;
        Some(Self { kind, code, word: [w0, w1, w2, w3], payload, octets })
    }

    /// Whether the checksum holds.
    #[must_use]
    pub fn checksum_holds(&self) -> bool {
        Checksum::new().add(self.octets).holds()
    }

    /// Identifier and sequence number, for the types that have them.
    #[must_use]
    pub fn identifier(&self) -> (u16, u16) {
        let [a, b, c, d] = self.word;
        (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
    }
}

/// A message to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Octets 4 to 7.
    pub word: [u8; 4],
}

impl Header {
    /// Writes the message with `payload`.
    pub fn emit(&self, payload: &[u8], out: &mut impl Sink) {
        let mut h = [0; HEADER];
        [h[0], h[1]] = [self.kind, self.code];
        [h[4], h[5], h[6], h[7]] = self.word;
        [h[2], h[3]] = Checksum::new().add(&h).add(payload).finish().to_be_bytes();
        out.put(&h);
        out.put(payload);
    }
}
