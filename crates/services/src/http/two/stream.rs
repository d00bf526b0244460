//! One request over HTTP/2 and its answer.

use alloc::vec::Vec;

use chaff_events::Detail;

use crate::http::{
    request::{Framing, Request},
    respond::Answer,
};

/// A refusal: status, which error of that status, and whether it came before there was a request.
pub(super) type Refusal = (u16, &'static str, bool);

/// A stream that the client has opened.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    /// Octets that the client takes of it.
    pub(super) window: i64,
    pub(super) request: Request,
    /// When it was asked for: what an answer's date tells.
    pub(super) asked: u64,
    /// Secrets that came with it.
    pub(super) offered: Vec<Detail>,
    /// The first octets of its body, and how many came.
    pub(super) body: Vec<u8>,
    pub(super) got: u64,
    /// Octets that the client may still send.
    pub(super) room: i64,
    /// The client has sent all.
    pub(super) ended: bool,
    pub(super) reply: Reply,
}

/// What a stream awaits.
#[derive(Debug)]
pub(super) enum Reply {
    /// The end of the body, on which the answer depends.
    Awaiting,
    /// Its turn.
    Ready(Option<Refusal>),
    /// This time; what is said then, and whether it is an early refusal.
    Held(u64, Answer, bool),
    /// Room for the rest of the body, from here on.
    Sending(Vec<u8>, usize),
    /// Nothing: what still comes is evidence.
    Done,
}

impl Stream {
    pub(super) fn is_done(&self) -> bool {
        matches!(self.reply, Reply::Done)
    }

    /// The length that the client has announced.
    pub(super) fn announced(&self) -> Option<u64> {
        match self.request.framing {
            Framing::Length(length) => Some(length),
            Framing::None | Framing::Chunked => None,
        }
    }

    /// Octets that it keeps.
    pub(super) fn held(&self) -> usize {
        let fields: usize = self.request.fields.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
        let rest = match &self.reply {
            Reply::Sending(body, _) => body.len(),
            Reply::Held(_, answer, _) => answer.body.len(),
            Reply::Awaiting | Reply::Ready(_) | Reply::Done => 0,
        };
        fields + 2 * self.request.target.len() + self.body.len() + rest
    }

    /// Keeps what came of the body, up to `most` octets.
    pub(super) fn keep(&mut self, octets: &[u8], most: usize) {
        let room = most.saturating_sub(self.body.len());
        self.body.extend_from_slice(octets.get(..room).unwrap_or(octets));
        self.got = self.got.saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
        self.room -= i64::try_from(octets.len()).unwrap_or(i64::MAX);
    }
}
