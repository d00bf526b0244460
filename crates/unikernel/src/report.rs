//! A node's side of the console: keeps observations until the host has acknowledged them, and says them again to a
//! host that is new. Sans-io.

use alloc::{collections::VecDeque, string::String, vec::Vec};

use chaff_events::{Detail, Observation, UtcNanos};

use crate::{
    console::{FromHost, MAX_OBSERVATIONS, Reader, ToHost, cut, encode},
    module::VERSION,
};

/// Octets of observations that wait for a host. What comes then is lost and counted: the oldest tell most of an intruder.
const MAX_WAITING: usize = 512 << 10;
/// About what an observation without detail takes.
const LEAST_COST: usize = 192;
/// Octets of one message, about; the longest observation is a credential of twice 16 KiB.
const BATCH: usize = 8 << 10;
/// Octets, about, that are said and not acknowledged. A host that has heard enough for a second does not read on, and QEMU
/// throws away what a console says while its socket is full (hw/char/virtio-console.c, `flush_buf`), which the host takes
/// for nonsense. A socket holds 208 KiB (Linux, net.core.wmem_default), of which a message of one observation takes one.
const WINDOW: usize = 32 << 10;
/// Lines of the log that wait.
const MAX_LINES: usize = 16;

/// What a node says.
#[derive(Debug)]
pub struct Reporter {
    run: u64,
    reader: Reader,
    /// All that is not acknowledged, with what each takes.
    waiting: VecDeque<(usize, Observation)>,
    octets: usize,
    /// Number of the first that waits.
    first: u64,
    /// How many of those that wait were said to this host.
    said: usize,
    lost: u64,
    lines: VecDeque<String>,
    /// Nobody listens before a host has said hello.
    greeted: bool,
    /// `Up` is to be said.
    up: bool,
}

/// What the host wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Set the time of day.
    Clock(UtcNanos),
    /// End in order.
    End,
    /// The host is of this other version: end, for nothing that is said would be understood.
    Stranger(u16),
}

impl Reporter {
    /// A new one; `run` tells this start from any other.
    #[must_use]
    pub fn new(run: u64) -> Self {
        Self {
            run,
            reader: Reader::new(),
            waiting: VecDeque::new(),
            octets: 0,
            first: 0,
            said: 0,
            lost: 0,
            lines: VecDeque::new(),
            greeted: false,
            up: true,
        }
    }

    /// The engine has seen something.
    pub fn handle_observation(&mut self, observation: Observation) {
        let cost = cost(&observation);
        if self.octets + cost > MAX_WAITING {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        self.octets += cost;
        self.waiting.push_back((cost, observation));
    }

    /// A line for the log; lost where too many wait.
    pub fn handle_line(&mut self, line: &str) {
        if self.lines.len() < MAX_LINES {
            self.lines.push_back(cut(line));
        }
    }

    /// Octets came from the host; says what it wants.
    pub fn handle_octets(&mut self, octets: &[u8]) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let mut rest = octets;
        loop {
            let taken = self.reader.handle_octets(rest);
            rest = rest.get(taken..).unwrap_or_default();
            while let Some(message) = self.reader.poll() {
                wishes.extend(self.handle(message));
            }
            if rest.is_empty() || taken == 0 {
                return wishes;
            }
        }
    }

    fn handle(&mut self, message: FromHost) -> Option<Wish> {
        match message {
            FromHost::Hello { version, .. } if version != VERSION => return Some(Wish::Stranger(version)),
            FromHost::Hello { utc, .. } => {
                (self.greeted, self.up, self.said) = (true, true, 0);
                return Some(Wish::Clock(utc));
            }
            FromHost::Acknowledge { run, up_to } if run == self.run => {
                while self.first <= up_to && self.said > 0 {
                    let Some((cost, _)) = self.waiting.pop_front() else { break };
                    self.octets -= cost.min(self.octets);
                    self.first += 1;
                    self.said -= 1;
                }
            }
            FromHost::Acknowledge { .. } => {}
            FromHost::Clock { utc } => return Some(Wish::Clock(utc)),
            FromHost::End => return Some(Wish::End),
        }
        None
    }

    /// The next octets for the host; `None` when there is nothing to say to it now.
    pub fn poll(&mut self) -> Option<Vec<u8>> {
        if core::mem::take(&mut self.up) {
            return encode(&ToHost::Up { version: VERSION, run: self.run, lost: self.lost });
        }
        if !self.greeted {
            return None;
        }
        if let Some(text) = self.lines.pop_front() {
            return encode(&ToHost::Log { text });
        }
        let ahead: usize = self.waiting.iter().take(self.said).map(|(cost, _)| cost).sum();
        let mut octets = 0;
        let mut observations = Vec::new();
        for (cost, observation) in self.waiting.iter().skip(self.said).take(MAX_OBSERVATIONS) {
            octets += cost;
            let first_of_all = self.said == 0 && observations.is_empty();
            if !first_of_all && ahead + octets > WINDOW || octets > BATCH && !observations.is_empty() {
                break;
            }
            observations.push(observation.clone());
        }
        if observations.is_empty() {
            return None;
        }
        let first = self.first.saturating_add(u64::try_from(self.said).unwrap_or(0));
        self.said += observations.len();
        encode(&ToHost::Observations { first, observations })
    }

    /// Whether all that was said is acknowledged, and nothing waits.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// About what an observation takes, in memory and on the stream.
fn cost(observation: &Observation) -> usize {
    let detail = match &observation.detail {
        Detail::Process { process, reason } => process.len() + reason.len(),
        Detail::Misbehaved { what, octets } => what.len() + octets.len(),
        Detail::None | Detail::Ip { .. } | Detail::Closed { .. } | Detail::Conflict { .. } => 0,
        Detail::Segment { options, .. } => options.len(),
        Detail::Payload { octets, .. } => octets.len(),
        Detail::Request { method, target, client, body } => method.len() + target.len() + client.len() + body.len(),
        Detail::Credential { username, secret_kind, secret, client, .. } => {
            username.len() + secret_kind.len() + secret.len() + client.len()
        }
        Detail::Tls { server_name, alpn, ja3, ja4 } => {
            server_name.len() + alpn.iter().map(|name| name.len() + 24).sum::<usize>() + ja3.len() + ja4.len()
        }
        Detail::Ssh { client, hassh, algorithms } => client.len() + hassh.len() + algorithms.len(),
        Detail::Command { username, line } => username.len() + line.len(),
        Detail::File { name, .. } => name.len(),
    };
    LEAST_COST + 2 * observation.ports.len() + observation.service.len() + detail
}

#[cfg(test)]
mod tests;
