//! A client's side of a conversation: it offers octets as a stack does, and takes what is said.

use chaff_services::{Context, Conversation, Output, ServiceSpec, Shared, open};

use crate::script::opening;

const SECOND: u64 = 1_000_000_000;
/// What fits into a segment.
const SEGMENT: usize = 1460;

pub struct Talk {
    server: Box<dyn Conversation>,
    shared: Shared,
    now: u64,
    finished: bool,
    closed: bool,
    /// Octets that the server may say to one message at most.
    most: usize,
}

impl Talk {
    pub fn open(spec: &ServiceSpec, most: usize) -> Self {
        let server = open(spec, &opening());
        let mut talk = Self { server, shared: Shared::default(), now: SECOND, finished: false, closed: false, most };
        talk.server.handle_wake(&mut Context { now: talk.now, shared: &mut talk.shared });
        talk
    }

    /// A second passes.
    pub fn wait(&mut self) {
        self.now += SECOND;
        self.server.handle_wake(&mut Context { now: self.now, shared: &mut self.shared });
        self.said();
    }

    /// What is not taken at once is dropped.
    pub fn offer(&mut self, octets: &[u8]) {
        let taken = self.server.handle_octets(&mut Context { now: self.now, shared: &mut self.shared }, octets);
        assert!(taken <= octets.len());
    }

    pub fn said(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        while let Some(output) = self.server.poll(&mut Context { now: self.now, shared: &mut self.shared }, SEGMENT) {
            assert!(!self.closed, "{output:?} after the end");
            match output {
                Output::Send(octets) => {
                    assert!(!self.finished, "octets after the end");
                    said.extend(octets);
                }
                Output::Finish => self.finished = true,
                Output::Close | Output::Reset => self.closed = true,
                Output::Wake(at) if at <= self.now => {
                    self.server.handle_wake(&mut Context { now: self.now, shared: &mut self.shared });
                }
                Output::Wake(_) | Output::Observe(..) => {}
            }
            assert!(said.len() <= self.most, "{} octets to one message", said.len());
        }
        said
    }
}
