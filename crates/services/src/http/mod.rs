//! HTTP as one particular server speaks it (RFC 9110, RFC 9112; RFC 9113 in [`two`]): how it reads, what it refuses, the
//! order of its headers and the wording of its pages are data ([`spec`]), since they are what a scanner compares.
//!
//! A request goes through three hands: a [`read::Reader`] makes it of octets, [`choose`] says what it comes to,
//! [`respond`] writes that. Bodies are read past as they come. [`telling`] notes what was asked, [`ending`] is what happens
//! when a client leaves or is too slow.

pub(crate) mod auth;
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
    Account, Context, Conversation, Opening, Output, message::payload, outbox::Outbox, text::Who, tool::tool_of_payload,
};
use body::{Body, Wrong};
use ntlm::Ntlm;
use read::{Progress, Reader};
use request::{Fault, Framing, MAX_HEAD, Request, Version};
use respond::{Answer, Manner};
use spec::{Expect, HttpKeeping, HttpSpec};
use two::Two;

/// Octets that are taken before they are read: a head, and what a client sends behind it.
const MAX_INPUT: usize = MAX_HEAD + 4096;
/// Requests on one connection, as nginx counts them (`keepalive_requests`).
const MAX_REQUESTS: u32 = 1000;
/// Seconds that a connection is kept if the specification says nothing.
const KEPT_S: u32 = 60;
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
    /// When the request that is being read began.
    began: u64,
    ended: bool,
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
            ended: false,
            alarm: u64::MAX,
            two: None,
        };
        http.set_alarm();
        http
    }

    /// When time alone brings something about.
    fn due(&self) -> u64 {
        if let Some(two) = &self.two {
            return two.due();
        }
        let keeping = &self.spec.keeping;
        match &self.phase {
            Phase::Holding(at, ..) => *at,
            Phase::Head(_) if self.served > 0 && self.input.is_empty() => after_s(self.heard, keeping.idle_s()),
            Phase::Head(_) => after_s(self.began, keeping.head_s()),
            Phase::Awaiting(..) | Phase::Discarding(..) => after_s(self.heard, keeping.body_s()),
        }
    }

    /// Reads what came as far as it can be answered.
    fn work(&mut self, now: u64) {
        while !self.outbox.is_closing() && !self.outbox.is_behind() {
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
        if self.ended && !self.outbox.is_closing() && !self.outbox.is_behind() {
            self.leave(now);
        }
        if !self.outbox.is_closing() && self.due() < self.alarm {
            self.set_alarm();
        }
    }

    /// What is awaited may end sooner than what was awaited before: an idle connection sooner than a head.
    fn set_alarm(&mut self) {
        self.alarm = self.due();
        self.outbox.wake(self.alarm);
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
                self.begin(now, request);
                true
            }
            Progress::Refused(fault) => {
                self.served = self.served.saturating_add(1);
                self.refuse(now, &fault);
                true
            }
        }
    }

    /// A request is there; its body may be to come.
    fn begin(&mut self, now: u64, mut request: Request) {
        let spec = Arc::clone(&self.spec);
        let rules = &spec.rules;
        if let Framing::Length(length) = request.framing
            && rules.max_body > 0
            && length > rules.max_body
        {
            let answer = self.error(&request, 413, "");
            self.answer_and_discard(now, request, answer, Body::new(Framing::Length(length)));
            return;
        }
        let body = Body::new(request.framing);
        let expects = request.value("expect");
        if rules.expect == Expect::BeforeBodies && expects.is_some_and(|e| !e.eq_ignore_ascii_case(b"100-continue")) {
            let answer = self.error(&request, 417, "");
            self.answer_and_discard(now, request, answer, body);
            return;
        }
        // Who waits for a 100 and has no body to send confuses such a server: it ends the connection.
        request.suspicious |= rules.expect == Expect::BeforeBodies && expects.is_some() && body.is_done();
        let expects = request.value("expect");
        let hundred =
            request.version == Version::Current && expects.is_some_and(|e| e.eq_ignore_ascii_case(b"100-continue"));
        let waits = rules.waits || self.takes_form(&request);
        if waits && !body.is_done() {
            if hundred && rules.expect != Expect::Ignored {
                self.outbox.send(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            self.phase = Phase::Awaiting(request, body);
            return;
        }
        let mut answer = self.choose(&request, &[], now);
        let found = answer.status < 400;
        if hundred && found && rules.expect == Expect::BeforePages && (request.is("GET") || request.is("HEAD")) {
            self.outbox.send(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let mut body = body;
        if !waits
            && !rules.unread_bodies
            && let Err(wrong) = self.fill_body(&mut body)
        {
            // What has come already is looked at before the answer is written.
            if found {
                answer = self.error(&request, self.status_of(wrong), "body");
            }
            self.input.clear();
            self.observe(&request, &body.kept);
            self.answer(now, &request, answer, true);
            return;
        }
        self.answer_and_discard(now, request, answer, body);
    }

    fn status_of(&self, wrong: Wrong) -> u16 {
        match wrong {
            Wrong::TooLarge if self.spec.rules.waits => 413,
            Wrong::TooLarge | Wrong::Malformed => 400,
        }
    }

    /// Gives the body what has come of it.
    fn fill_body(&mut self, body: &mut Body) -> Result<(), Wrong> {
        let taken = body.take(&self.input)?;
        self.input.drain(..taken.min(self.input.len()));
        Ok(())
    }

    fn await_body(&mut self, now: u64, request: Request, mut body: Body) -> bool {
        match self.fill_body(&mut body) {
            Err(wrong) => {
                self.input.clear();
                self.observe(&request, &body.kept);
                let answer = self.error(&request, self.status_of(wrong), "body");
                self.answer(now, &request, answer, true);
                true
            }
            Ok(()) if !body.is_done() => {
                self.phase = Phase::Awaiting(request, body);
                false
            }
            Ok(()) => {
                let answer = self.choose(&request, &body.kept, now);
                self.observe(&request, &body.kept);
                self.answer(now, &request, answer, false);
                true
            }
        }
    }

    fn answer_and_discard(&mut self, now: u64, request: Request, answer: Answer, mut body: Body) {
        if self.spec.rules.unread_bodies && !body.is_done() {
            // What has come of it is evidence, right or wrong.
            let _ = body.take(&self.input);
            self.input.clear();
            self.observe(&request, &body.kept);
            self.answer(now, &request, answer, true);
            return;
        }
        if body.is_done() {
            self.observe(&request, &body.kept);
            self.answer(now, &request, answer, false);
            return;
        }
        let keeps = self.keeps(&request, answer.status);
        let octets = answer.write(&self.spec, self.manner(now, &request, keeps));
        self.outbox.send(&octets);
        let then = if keeps { Then::Next } else { Then::End };
        if self.fill_body(&mut body).is_err() {
            self.observe(&request, &body.kept);
            self.outbox.close();
            return;
        }
        self.phase = Phase::Discarding(request, body, then);
    }

    fn discard(&mut self, now: u64, request: Request, mut body: Body, then: Then) -> bool {
        let wrong = self.fill_body(&mut body).is_err();
        if !wrong && !body.is_done() {
            self.phase = Phase::Discarding(request, body, then);
            return false;
        }
        self.observe(&request, &body.kept);
        self.go_on(now, if wrong { Then::End } else { then });
        true
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
        self.began = now;
        match then {
            Then::Next => self.phase = Phase::Head(Reader::new(&self.spec.rules)),
            Then::End => self.outbox.close(),
        }
    }

    /// Answers what is no request, and ends.
    fn refuse(&mut self, now: u64, fault: &Fault) {
        let head = core::mem::take(&mut self.input);
        self.tell(Kind::ServiceRequest, tool_of_payload(&head), payload(&head));
        let answer = self.error(&fault.request, fault.status, fault.when);
        let mut manner = self.manner(now, &fault.request, false);
        // A line that could not be read has no version; only one that was read as HTTP/0.9 is answered like that.
        manner.bare = fault.request.version == Version::Simple && !fault.request.target.is_empty();
        let octets = answer.write(&self.spec, manner);
        self.outbox.send(&octets);
        self.outbox.close();
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
        if let Some(taken) = self.with_two(|two, http| two.handle_octets(http, cx.now, octets)) {
            return taken;
        }
        if self.outbox.is_closing() {
            // Read and thrown away, so that what the client still sends does not destroy the answer on its way.
            return octets.len();
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
            if self.input.is_empty() && matches!(self.phase, Phase::Head(_)) {
                self.began = cx.now;
            }
            self.input.extend_from_slice(rest.get(..count).unwrap_or(rest));
            taken += count;
            self.work(cx.now);
        }
        taken
    }

    fn handle_end(&mut self, cx: &mut Context<'_>) {
        if self.with_two(|two, http| two.leave(http)).is_some() {
            return;
        }
        self.ended = true;
        self.work(cx.now);
    }

    fn handle_wake(&mut self, cx: &mut Context<'_>) {
        if self.outbox.is_closing() {
            return;
        }
        self.alarm = u64::MAX;
        let late = self.due() <= cx.now;
        let two = self.with_two(|two, http| {
            two.go_on(http, cx.now);
            if late && two.due() <= cx.now {
                two.lose_patience(http);
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

impl HttpKeeping {
    fn idle_s(&self) -> u32 {
        if self.idle_s == 0 { KEPT_S } else { self.idle_s }
    }

    fn head_s(&self) -> u32 {
        if self.head_s == 0 { KEPT_S } else { self.head_s }
    }

    fn body_s(&self) -> u32 {
        if self.body_s == 0 { self.head_s() } else { self.body_s }
    }

    fn max_requests(&self) -> u32 {
        if self.max_requests == 0 { MAX_REQUESTS } else { self.max_requests }
    }
}

fn after_s(at: u64, seconds: u32) -> u64 {
    at.saturating_add(u64::from(seconds) * NANOS_OF_S)
}

#[cfg(test)]
mod tests;
