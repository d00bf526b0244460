//! What a node and its host say to each other over the virtio console: a stream of octets in each direction, which
//! each side reads as frames of magic, length, checksum and one postcard value.
//!
//! The host speaks first: [`FromHost::Hello`] whenever it has opened the stream. A node answers with [`ToHost::Up`]
//! and all observations that are not acknowledged, from then on those that come. It also says `Up` unasked when its
//! first frame can be answered. The host acknowledges a number once it will not lose what goes up to it; until then
//! the node keeps it. Numbers begin at 0 with each start of a node, and `Up` names the start.
//!
//! Neither side trusts the other. [`Reader`] holds one frame at most, passes over what is no frame, and counts it: a
//! reader that has passed over something can go on, and may rather end the other side.

use alloc::{collections::VecDeque, string::String, vec::Vec};

use chaff_events::{Observation, UtcNanos};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Longest body of a frame: as a datagram to the hub, which holds the longest observation.
pub const MAX_BODY: usize = chaff_events::message::MAX_DATAGRAM;

/// Longest text of [`ToHost::Log`] and [`ToHost::Panic`], in octets; senders cut it.
pub const MAX_TEXT: usize = 1_024;

/// A body that could not hold more observations than that is not made; a reader refuses more, since a folded
/// observation is small on the wire and large in memory.
pub const MAX_OBSERVATIONS: usize = 256;

const MAGIC: [u8; 4] = [0xc4, 0xaf, 0x0d, 0xe1];
/// Magic, length, checksum.
const HEADER: usize = 12;

/// From a node to its host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToHost {
    /// The node answers frames. Said once at its start and after each [`FromHost::Hello`].
    Up {
        /// [`VERSION`](crate::module::VERSION) of the node.
        version: u16,
        /// Drawn at the start of the node: another number is another run, whose numbers begin anew.
        run: u64,
        /// How many observations this run has dropped because nobody acknowledged for too long.
        lost: u64,
    },
    /// Observations `first ..` in the numbering of this run, in order.
    ///
    /// Their [`decoy`](Observation::decoy) is 0. The host knows whose console this is and writes the decoy's number in
    /// the fleet into each; what a node says of that is never believed.
    Observations {
        /// Number of the first one.
        first: u64,
        /// At most [`MAX_OBSERVATIONS`].
        observations: Vec<Observation>,
    },
    /// Something for the log of whoever runs the sensor.
    Log {
        /// Octets that an intruder may have chosen: escape them before a terminal sees them.
        text: String,
    },
    /// The node ends. Nothing follows.
    Panic {
        /// Why; as above.
        text: String,
    },
}

/// From the host to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromHost {
    /// The host has opened the stream and knows nothing yet.
    Hello {
        /// [`VERSION`](crate::module::VERSION) of the host.
        version: u16,
        /// The time of day.
        utc: UtcNanos,
    },
    /// Everything up to and including this number of the run is safe.
    Acknowledge {
        /// The run that is meant; a late word for another is passed over.
        run: u64,
        /// The number.
        up_to: u64,
    },
    /// The time of day. To be said every few minutes and after each step of the host's clock.
    Clock {
        /// It.
        utc: UtcNanos,
    },
    /// End in order: tell what is still held back, then power off.
    End,
}

/// A message as it goes on the stream; `None` if it is longer than [`MAX_BODY`].
#[must_use]
pub fn encode<M: Serialize>(message: &M) -> Option<Vec<u8>> {
    let body = postcard::to_allocvec(message).ok()?;
    if body.len() > MAX_BODY {
        return None;
    }
    let mut octets = Vec::with_capacity(HEADER + body.len());
    octets.extend(MAGIC);
    octets.extend(u32::try_from(body.len()).ok()?.to_le_bytes());
    octets.extend(checksum(&body).to_le_bytes());
    octets.extend(body);
    Some(octets)
}

/// A text that fits a message.
#[must_use]
pub fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default().into()
}

/// Makes frames of octets. Holds at most one frame and what was handed over last.
#[derive(Debug, Default)]
pub struct Reader {
    waiting: VecDeque<u8>,
    skipped: u64,
}

impl Reader {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many more octets are taken now. Poll until there is nothing, and there is room again.
    #[must_use]
    pub fn room(&self) -> usize {
        (HEADER + MAX_BODY).saturating_sub(self.waiting.len())
    }

    /// Octets came; as many as there is room for are taken. Says how many.
    pub fn handle_octets(&mut self, octets: &[u8]) -> usize {
        let taken = octets.len().min(self.room());
        self.waiting.extend(octets.iter().take(taken));
        taken
    }

    /// The next message; `None` when there is none until more octets come.
    pub fn poll<M: Message>(&mut self) -> Option<M> {
        loop {
            let body = self.next_body()?;
            match postcard::take_from_bytes::<M>(&body) {
                Ok((message, [])) if message.is_within_limits() => return Some(message),
                Ok(_) | Err(_) => self.skipped = self.skipped.saturating_add(wide(HEADER + body.len())),
            }
        }
    }

    /// Octets that were no message. On a sound stream there are none: a node whose host sees any is broken or lies.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The body of the next frame whose checksum is right.
    fn next_body(&mut self) -> Option<Vec<u8>> {
        loop {
            self.skip_to_magic();
            let mut header = [0; HEADER];
            if self.waiting.len() < HEADER {
                return None;
            }
            for (to, from) in header.iter_mut().zip(&self.waiting) {
                *to = *from;
            }
            let [_, _, _, _, l0, l1, l2, l3, sum @ ..] = header;
            let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
            if length > MAX_BODY {
                self.skip(1);
                continue;
            }
            if self.waiting.len() < HEADER + length {
                return None;
            }
            let body: Vec<u8> = self.waiting.iter().skip(HEADER).take(length).copied().collect();
            if checksum(&body) != u32::from_le_bytes(sum) {
                // As a whole: to look for another frame inside would cost a liar's reader the square of what he sends.
                self.skip(HEADER + length);
                continue;
            }
            self.waiting.drain(..HEADER + length);
            return Some(body);
        }
    }

    /// Drops what cannot be the beginning of a frame.
    fn skip_to_magic(&mut self) {
        let could_begin = |at: usize| self.waiting.iter().skip(at).zip(&MAGIC).all(|(a, b)| a == b);
        let nonsense = (0..self.waiting.len()).find(|&at| could_begin(at)).unwrap_or(self.waiting.len());
        self.skip(nonsense);
    }

    fn skip(&mut self, octets: usize) {
        self.waiting.drain(..octets.min(self.waiting.len()));
        self.skipped = self.skipped.saturating_add(wide(octets));
    }
}

/// A message of one direction.
pub trait Message: Serialize + DeserializeOwned {
    /// Whether its parts are as long as they may be.
    fn is_within_limits(&self) -> bool;
}

impl Message for ToHost {
    fn is_within_limits(&self) -> bool {
        match self {
            Self::Up { .. } => true,
            Self::Observations { observations, .. } => observations.len() <= MAX_OBSERVATIONS,
            Self::Log { text } | Self::Panic { text } => text.len() <= MAX_TEXT,
        }
    }
}

impl Message for FromHost {
    fn is_within_limits(&self) -> bool {
        true
    }
}

/// FNV-1a, 32 bits: finds where a frame begins again after nonsense; it keeps nobody from lying.
pub(crate) fn checksum(octets: &[u8]) -> u32 {
    octets.iter().fold(0x811c_9dc5, |hash, &octet| (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193))
}

fn wide(octets: usize) -> u64 {
    u64::try_from(octets).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
