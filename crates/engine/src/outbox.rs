//! What is to go out: frames in one buffer that is reused, so that answering allocates nothing.

use alloc::{collections::VecDeque, vec::Vec};

use chaff_events::Observation;
use chaff_wire::{Mac, ethernet, ipv4};

use crate::{part::Share, waiting::Waiting};

/// To which card a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Card(Mac),
    /// That is being asked: it waits in this line.
    Waiting(u64),
    /// So many others are being asked for that it is thrown away.
    Nobody,
}

/// Where a frame goes: link, VLAN, and the two hardware addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) link: u16,
    pub(crate) vlan: Option<u16>,
    pub(crate) from: Mac,
    pub(crate) to: To,
}

/// Octets of an IPv4 datagram on Ethernet.
const MTU: usize = 1500;

#[derive(Debug)]
pub(crate) struct Outbox {
    octets: Vec<u8>,
    frames: VecDeque<(usize, usize, u16)>,
    observations: VecDeque<Observation>,
    waiting: Waiting,
}

impl Outbox {
    pub(crate) fn new(share: Share) -> Self {
        let (octets, frames, observations) = (Vec::new(), VecDeque::new(), VecDeque::new());
        Self { octets, frames, observations, waiting: Waiting::new(share) }
    }

    /// Writes one frame; `body` appends what follows the Ethernet header.
    pub(crate) fn frame(&mut self, path: Path, kind: u16, body: impl FnOnce(&mut Vec<u8>)) {
        let start = self.octets.len();
        let destination = match path.to {
            To::Card(card) => card,
            To::Waiting(_) => Mac::ZERO,
            To::Nobody => return,
        };
        ethernet::Header { destination, source: path.from, vlan: path.vlan, kind }.emit(&mut self.octets);
        body(&mut self.octets);
        if let To::Waiting(line) = path.to {
            let frame = self.octets.get(start..).unwrap_or(&[]);
            self.waiting.join(line, path.link, frame);
            self.octets.truncate(start);
            return;
        }
        self.frames.push_back((start, self.octets.len(), path.link));
    }

    /// A new line for frames to wait in, `most` of them.
    pub(crate) fn open_line(&mut self, most: u16) -> u64 {
        self.waiting.open(most)
    }

    /// What waits in a line goes to `card`, or nowhere.
    pub(crate) fn close_line(&mut self, line: u64, card: Option<Mac>) {
        for mut waiter in self.waiting.close(line) {
            let Some(card) = card else { continue };
            if let Some(destination) = waiter.frame.get_mut(..6) {
                destination.copy_from_slice(&card.0);
            }
            let start = self.octets.len();
            self.octets.extend_from_slice(&waiter.frame);
            self.frames.push_back((start, self.octets.len(), waiter.link));
        }
    }

    /// Octets that wait in lines.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.octets()
    }

    /// Writes an IPv4 datagram whose payload is `length` octets, appended by `body`; in fragments if it is too long.
    pub(crate) fn datagram(
        &mut self,
        path: Path,
        header: ipv4::Header<'_>,
        length: usize,
        body: impl FnOnce(&mut Vec<u8>),
    ) {
        let room = MTU - ipv4::HEADER - header.options.len();
        if length <= room {
            self.frame(path, ethernet::IPV4, |out| {
                header.emit(length, out);
                body(out);
            });
            return;
        }
        let mut payload = Vec::with_capacity(length);
        body(&mut payload);
        let piece = room & !7;
        let last = payload.len().saturating_sub(1) / piece;
        for (i, octets) in payload.chunks(piece).enumerate() {
            let header = ipv4::Header { offset: i * piece, mf: i < last, df: false, ..header };
            self.frame(path, ethernet::IPV4, |out| {
                header.emit(octets.len(), out);
                out.extend_from_slice(octets);
            });
        }
    }

    /// Frames that wait to be sent.
    pub(crate) fn frames(&self) -> usize {
        self.frames.len()
    }

    /// All frames were taken out: their room is for those that come.
    pub(crate) fn reuse(&mut self) {
        self.octets.clear();
    }

    /// Whether all frames and observations were taken out.
    pub(crate) fn is_idle(&self) -> bool {
        self.frames.is_empty() && self.observations.is_empty()
    }

    pub(crate) fn observe(&mut self, observation: Observation) {
        self.observations.push_back(observation);
    }

    pub(crate) fn next_observation(&mut self) -> Option<Observation> {
        self.observations.pop_front()
    }

    pub(crate) fn next_frame(&mut self) -> Option<(u16, &[u8])> {
        let (start, end, link) = self.frames.pop_front()?;
        Some((link, self.octets.get(start..end).unwrap_or(&[])))
    }
}
