//! What conversations tell of a client's messages.

use alloc::vec::Vec;

use chaff_events::Detail;

use crate::limits::message::{MAX_CREDENTIAL, MAX_DISTINCT, MAX_PART};

/// Messages that were told of already.
#[derive(Debug, Default)]
pub(crate) struct Seen(Vec<u64>);

impl Seen {
    /// Whether the message, its line end aside, is new, and is worth telling.
    pub(crate) fn is_new(&mut self, message: &[u8]) -> bool {
        let hash = fnv1a(message.trim_ascii_end());
        let new = self.0.len() < MAX_DISTINCT && !self.0.contains(&hash);
        if new {
            self.0.push(hash);
        }
        new
    }
}

/// The first octets of a message and its length.
pub(crate) fn payload(message: &[u8]) -> Detail {
    let kept = message.get(..Detail::MAX_OCTETS).unwrap_or(message);
    Detail::Payload { octets: kept.to_vec(), length: u32::try_from(message.len()).unwrap_or(u32::MAX) }
}

/// A request that was understood.
pub(crate) fn request(method: &[u8], target: &[u8], client: &[u8], body: &[u8]) -> Detail {
    Detail::Request { method: part(method), target: part(target), client: part(client), body: part(body) }
}

/// A name and a password in clear that let nobody in.
pub(crate) fn credential(username: &[u8], secret: &[u8], client: &[u8]) -> Detail {
    secret_of("password", username, secret, client, false)
}

/// A secret of any kind.
pub(crate) fn secret_of(kind: &str, username: &[u8], secret: &[u8], client: &[u8], accepted: bool) -> Detail {
    Detail::Credential {
        username: first(username, MAX_CREDENTIAL),
        secret_kind: kind.into(),
        secret: first(secret, MAX_CREDENTIAL),
        client: part(client),
        accepted,
    }
}

fn part(octets: &[u8]) -> Vec<u8> {
    first(octets, MAX_PART)
}

fn first(octets: &[u8], count: usize) -> Vec<u8> {
    octets.get(..count).unwrap_or(octets).to_vec()
}

/// FNV-1a, 64 bits. A client that makes two of its messages collide hides one of them from a list that also has the
/// other, and gains nothing.
fn fnv1a(octets: &[u8]) -> u64 {
    octets
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &octet| (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3))
}
