//! HTTP as one particular server speaks it (RFC 9110, RFC 9112; RFC 9113 in [`two`]): how it reads, what it refuses, the
//! order of its headers and the wording of its pages are data ([`spec`]), since they are what a scanner compares.
//!
//! A request goes through three hands: a [`read::Reader`] makes it of octets, [`choose`] says what it comes to,
//! [`respond`] writes that. [`bodies`] is what comes behind a head, [`telling`] notes what was asked, [`ending`] is how a
//! connection ends.

pub(crate) mod auth;
mod bodies;
mod body;
mod choose;
pub(crate) mod coding;
mod content;
mod ending;
pub(crate) mod forms;
mod heads;
mod lines;
mod ntlm;
mod octets;
mod read;
mod request;
mod respond;
pub(crate) mod spec;
mod telling;
pub(crate) mod two;

use alloc::{sync::Arc, vec::Vec};

use chaff_events::{Detail, Kind};
use rand_chacha::ChaCha8Rng;

use crate::{
    Account, Context, Conversation, Opening, Output, limits::http::MAX_INPUT, message::payload, outbox::Outbox,
    text::Who, tool::tool_of_payload,
};
use body::Body;
use ntlm::Ntlm;
use read::{Progress, Reader};
use request::{Fault, Request, Version};
use respond::{Answer, Manner};
use spec::HttpSpec;
use two::Two;

const NANOS_OF_S: u64 = 1_000_000_000;
const NANOS_OF_MS: u64 = 1_000_000;

pub(crate) struct Http {
    spec: Arc<HttpSpec>,
    /// Behind TLS.
    secure: bool,
    who: Who,
    accounts: Arc<[Account]>,
    chance: ChaCha8Rng,
    ntlm: Ntlm,
    /// Secrets of the request in hand.
    offered: Vec<Detail>,
    outbox: Outbox,
    phase: Phase,
    /// What came and was not read yet.
    input: Vec<u8>,
    served: u32,
    told: u32,
    /// The monotone clock and the decoy's own at the same moment.
    opened: (u64, u64),
    heard: u64,
    /// When that began which is being read, a head or a body, and how many octets of it have come.
    began: u64,
    came: u64,
    /// A body that is late is waited for once more.
    waits_again: bool,
    /// Half a record has come since the last answer.
    stirred: bool,
    /// The client was too slow with what it had begun.
    late: bool,
    ended: bool,
    /// It did so by `close_notify`, and its connection is open.
    parted: bool,
    /// Something of what belongs to the request in hand may never be read.
    unread: bool,
    /// The server has said all and reads on, until then at the latest.
    lingering: Option<u64>,
    /// The time that was asked to be woken at.
    alarm: u64,
    /// The connection speaks HTTP/2.
    two: Option<alloc::boxed::Box<Two>>,
}

#[derive(Debug)]
enum Phase {
    /// A head is awaited or coming in.
    Head(Reader),
    /// A body is coming in; the request is answered after it.
    Awaiting(Request, Body),
    /// A body is coming in; the request was answered.
    Discarding(Request, Body, Then),
    /// An answer is held back until this time.
    Holding(u64, Vec<u8>, Then),
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Next,
    End,
}

impl Http {
    pub(crate) fn new(spec: &Arc<HttpSpec>, opening: &Opening<'_>, secure: bool) -> Self {
        let mut chance = opening.chance();
        let mut http = Self {
            spec: Arc::clone(spec),
            secure,
            who: Who::new(&opening.identity),
            accounts: Arc::clone(opening.accounts),
            ntlm: Ntlm::new(&mut chance),
            chance,
            offered: Vec::new(),
            outbox: Outbox::default(),
            phase: Phase::Head(Reader::new(&spec.rules)),
            input: Vec::new(),
            served: 0,
            told: 0,
            opened: (opening.now, opening.utc),
            heard: opening.now,
            began: opening.now,
            came: 0,
            waits_again: false,
            stirred: false,
            late: false,
            ended: false,
            parted: false,
            unread: false,
            lingering: None,
            alarm: u64::MAX,
            two: None,
        };
        http.set_alarm();
        http
    }

    /// Reads what came as far as it can be answered.
    fn work(&mut self, now: u64) {
        while self.two.is_none() && !self.outbox.is_closing() && !self.outbox.is_behind() {
            let phase = core::mem::replace(&mut self.phase, Phase::Head(Reader::new(&self.spec.rules)));
            let moved = match phase {
                Phase::Head(reader) => self.read_head(now, reader),
                Phase::Awaiting(request, body) => self.await_body(now, request, body),
                Phase::Discarding(request, body, then) => self.discard(now, request, body, then),
                Phase::Holding(at, answer, then) if at <= now => {
                    self.outbox.send(&answer);
                    self.go_on(now, then);
                    true
                }
                holding @ Phase::Holding(..) => {
                    self.phase = holding;
                    false
                }
            };
            if !moved {
                break;
            }
        }
        if self.ended
            && !self.outbox.is_closing()
            && !self.outbox.is_behind()
            && self.with_two(|two, http| two.leave(http, now)).is_none()
        {
            self.leave(now);
        }
        if !self.outbox.is_closing() && self.due() < self.alarm {
            self.set_alarm();
        }
    }

    fn read_head(&mut self, now: u64, mut reader: Reader) -> bool {
        if self.input.is_empty() {
            return false;
        }
        match reader.read(&self.input, &self.spec.rules) {
            Progress::More => {
                self.phase = Phase::Head(reader);
                false
            }
            Progress::Skipped(count) => {
                self.input.drain(..count.min(self.input.len()));
                true
            }
            Progress::Whole(request, end) => {
                self.input.drain(..end.min(self.input.len()));
                self.served = self.served.saturating_add(1);
                self.stirred = false;
                if let Some(settings) = self.asks_for_two(&request) {
                    self.switch(now, request, &settings);
                    return false;
                }
                self.begin(now, request);
                true
            }
            Progress::Refused(fault) => {
                self.served = self.served.saturating_add(1);
                self.stirred = false;
                self.refuse(now, &fault, reader.passed(), false);
                true
            }
        }
    }

    fn answer(&mut self, now: u64, request: &Request, answer: Answer, ends: bool) {
        let keeps = !ends && self.keeps(request, answer.status);
        let breaks = self.spec.keeping.breaking.contains(&answer.status);
        let then = if keeps && !breaks { Then::Next } else { Then::End };
        let held = answer.held_ms;
        let octets = answer.write(&self.spec, self.manner(now, request, keeps));
        if held > 0 {
            self.phase = Phase::Holding(now.saturating_add(u64::from(held) * NANOS_OF_MS), octets, then);
            self.set_alarm();
            return;
        }
        self.outbox.send(&octets);
        self.go_on(now, then);
    }

    fn go_on(&mut self, now: u64, then: Then) {
        self.start(now);
        match then {
            Then::Next => self.phase = Phase::Head(Reader::new(&self.spec.rules)),
            Then::End => self.end(now, self.unread || !self.input.is_empty(), false),
        }
    }

    /// Answers what is no request, of which the reader has passed so many octets, and ends.
    fn refuse(&mut self, now: u64, fault: &Fault, passed: usize, late: bool) {
        let head = core::mem::take(&mut self.input);
        if fault.request.misdirected {
            self.observe(&fault.request, &[]);
        } else {
            self.tell(Kind::ServiceRequest, tool_of_payload(&head), payload(&head));
        }
        let answer = self.error(&fault.request, fault.status, fault.when);
        let mut manner = self.manner(now, &fault.request, false);
        // A line that could not be read has no version; only one that was read as HTTP/0.9 is answered like that.
        manner.bare = fault.request.version == Version::Simple && !fault.request.target.is_empty();
        let octets = answer.write(&self.spec, manner);
        self.outbox.send(&octets);
        self.end(now, head.len() > passed, late);
    }

    fn keeps(&self, request: &Request, status: u16) -> bool {
        let asks = match request.version {
            Version::Simple => false,
            Version::Old => request.connection_says("keep-alive") && !request.connection_says("close"),
            Version::Current => !request.connection_says("close"),
        };
        asks && !request.suspicious
            && self.served < self.spec.keeping.max_requests()
            && !self.spec.keeping.closing.contains(&status)
    }

    fn manner(&self, now: u64, request: &Request, keeps: bool) -> Manner {
        Manner {
            keeps,
            asked: request.connection_says("keep-alive"),
            bare: request.version == Version::Simple,
            current: request.version == Version::Current,
            without_body: request.is("HEAD") && request.version != Version::Simple,
            left: self.spec.keeping.max_requests().saturating_sub(self.served),
            utc: self.utc(now),
        }
    }

    fn utc(&self, now: u64) -> u64 {
        let (opened, utc) = self.opened;
        utc.saturating_add(now.saturating_sub(opened))
    }
}

impl Http {
    /// Ends what is there to be ended, now that the client has.
    fn part(&mut self, now: u64) {
        if self.with_two(|two, http| two.leave(http, now)).is_none() {
            self.work(now);
        }
    }

    /// Lets the connection of HTTP/2 do something, if it is one.
    fn with_two<T>(&mut self, work: impl FnOnce(&mut Two, &mut Self) -> T) -> Option<T> {
        let mut two = self.two.take()?;
        let done = work(&mut two, self);
        self.two = Some(two);
        if !self.outbox.is_closing() && self.due() < self.alarm {
            self.set_alarm();
        }
        Some(done)
    }
}

impl Conversation for Http {
    fn handle_protocol(&mut self, cx: &mut Context<'_>, protocol: &[u8]) {
        if protocol == b"h2" {
            self.two = Two::new(self, cx.now).map(alloc::boxed::Box::new);
            self.set_alarm();
        }
    }

    fn handle_octets(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> usize {
        if self.outbox.is_closing() {
            // Thrown away; as long as the server lingers, it is no silence.
            self.heard = cx.now;
            return octets.len();
        }
        if let Some(taken) = self.with_two(|two, http| two.handle_octets(http, cx.now, octets)) {
            return taken;
        }
        self.heard = cx.now;
        let mut taken = 0;
        while let Some(rest) = octets.get(taken..).filter(|rest| !rest.is_empty()) {
            if self.outbox.is_closing() {
                return octets.len();
            }
            let count = rest.len().min(MAX_INPUT.saturating_sub(self.input.len()));
            if count == 0 || self.outbox.is_behind() {
                break;
            }
            if matches!(self.phase, Phase::Head(_)) {
                if self.input.is_empty() && !self.stirred {
                    self.start(cx.now);
                }
                self.came = self.came.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            }
            self.input.extend_from_slice(rest.get(..count).unwrap_or(rest));
            taken += count;
            if !self.go_over(cx.now) {
                self.work(cx.now);
            }
            if self.two.is_some() {
                let rest = octets.get(taken..).unwrap_or(&[]);
                return taken + self.with_two(|two, http| two.handle_octets(http, cx.now, rest)).unwrap_or(0);
            }
        }
        taken
    }

    fn handle_end(&mut self, cx: &mut Context<'_>) {
        (self.ended, self.parted) = (true, false);
        if self.outbox.is_closing() {
            return self.stop_lingering();
        }
        self.part(cx.now);
    }

    fn handle_parting(&mut self, cx: &mut Context<'_>) {
        if self.outbox.is_closing() {
            return self.stop_lingering();
        }
        (self.ended, self.parted) = (true, true);
        self.part(cx.now);
    }

    fn handle_stir(&mut self, cx: &mut Context<'_>) {
        let is_idle = matches!(self.phase, Phase::Head(_)) && self.input.is_empty() && self.two.is_none();
        if is_idle && !self.outbox.is_closing() && !core::mem::replace(&mut self.stirred, true) {
            self.start(cx.now);
            self.set_alarm();
        }
    }

    fn is_late(&self) -> bool {
        self.late
    }

    fn handle_wake(&mut self, cx: &mut Context<'_>) {
        if self.outbox.is_closing() {
            match self.lingering {
                Some(_) if self.due() <= cx.now => self.stop_lingering(),
                Some(_) => self.set_alarm(),
                None => {}
            }
            return;
        }
        self.alarm = u64::MAX;
        let late = self.due() <= cx.now;
        let two = self.with_two(|two, http| {
            two.go_on(http, cx.now);
            if late && two.due() <= cx.now {
                two.lose_patience(http, cx.now);
            }
        });
        if two.is_some() {
            return;
        }
        self.work(cx.now);
        if self.outbox.is_closing() || self.outbox.is_behind() {
            return;
        }
        if cx.now < self.due() {
            self.set_alarm();
        } else {
            self.lose_patience(cx.now);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, room: usize) -> Option<Output> {
        let output = self.outbox.poll(room);
        if output.is_none() && self.with_two(|two, http| two.go_on(http, cx.now)).is_some() {
            return self.outbox.poll(room);
        }
        if output.is_some() || self.input.is_empty() && !self.ended {
            return output;
        }
        // What waited for room is read now.
        self.work(cx.now);
        self.outbox.poll(room)
    }
}

#[cfg(test)]
mod tests;
