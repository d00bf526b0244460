//! A service of the user's own, written down as states and rules: what a request looks like, what is answered, what
//! comes next. There is no code in it, so there is nothing in it that could be made to run.

mod pattern;
mod spec;

use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::net::Ipv4Addr;

use chaff_events::Kind;
use chaff_wire::Mac;

use crate::{
    Account, Context, Conversation, Identity, Opening, Output,
    limits::script::{IDLE_S, MAX_ANSWER, MAX_CAPTURED, MAX_LIFE_NS, MAX_REQUESTS},
    message::{Seen, payload, secret_of},
    outbox::Outbox,
    text::Who,
    tool_of_payload,
};

pub use crate::limits::script::MAX_CAPTURES;
pub use pattern::{Form, Pattern, PatternError};
pub use spec::{Framing, Reply, ScriptRule, ScriptSpec, ScriptState, SecretSpec};

const NANOS_OF_MS: u64 = 1_000_000;
const NANOS_OF_S: u64 = 1_000_000_000;

/// One conversation.
pub(crate) struct Script {
    spec: Arc<ScriptSpec>,
    who: Who,
    accounts: Arc<[Account]>,
    outbox: Outbox,
    state: usize,
    captures: Captures,
    request: Vec<u8>,
    /// The request is longer than the service reads: the rest of it is thrown away.
    overlong: bool,
    requests: u32,
    seen: Seen,
    any: bool,
    ended: bool,
    opened: u64,
    heard: u64,
    /// An answer that is due later; until then the client is not read.
    due: Option<(u64, Reply)>,
    armed: Option<u64>,
}

/// What requests held, by name; a later one replaces an earlier one.
#[derive(Debug, Default)]
struct Captures(Vec<(String, Vec<u8>)>);

impl Captures {
    fn set(&mut self, name: &str, octets: &[u8]) {
        let kept = octets.get(..MAX_CAPTURED).unwrap_or(octets).to_vec();
        let full = self.0.len() >= MAX_CAPTURES;
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => *value = kept,
            None if !full => self.0.push((name.into(), kept)),
            None => {}
        }
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }
}

impl Script {
    pub(crate) fn new(spec: &Arc<ScriptSpec>, opening: &Opening<'_>) -> Self {
        let mut script = Self {
            spec: Arc::clone(spec),
            who: Who::new(&opening.identity),
            accounts: Arc::clone(opening.accounts),
            outbox: Outbox::default(),
            state: 0,
            captures: Captures::default(),
            request: Vec::new(),
            overlong: false,
            requests: 0,
            seen: Seen::default(),
            any: false,
            ended: false,
            opened: opening.now,
            heard: opening.now,
            due: None,
            armed: None,
        };
        let greeting = Reply { answer: spec.greeting.clone(), ..Reply::default() };
        script.reply(opening.now, &greeting, spec.greeting_delay_ms);
        script.arm();
        script
    }

    fn fill(&self, form: &Form) -> Vec<u8> {
        let mut octets = form.fill(|name, out| match self.captures.get(name) {
            Some(captured) => out.extend_from_slice(captured),
            None => write_fact(&self.who, name, out),
        });
        octets.truncate(MAX_ANSWER);
        octets
    }

    /// Says something, now or later.
    fn reply(&mut self, now: u64, reply: &Reply, delay_ms: u32) {
        if delay_ms > 0 {
            self.due = Some((now.saturating_add(u64::from(delay_ms) * NANOS_OF_MS), reply.clone()));
            return;
        }
        let octets = self.fill(&reply.answer);
        self.outbox.send(&octets);
        if let Some(next) = reply.next {
            self.state = usize::from(next);
        }
        if reply.closes {
            self.outbox.close();
        }
    }

    /// Takes what belongs to one request; answers it when it is whole.
    fn take_request(&mut self, now: u64, octets: &[u8]) -> usize {
        let spec = Arc::clone(&self.spec);
        let limit = usize::from(spec.max_request);
        let (taken, whole) = match spec.framing {
            Framing::Line => match octets.iter().position(|&octet| octet == b'\n') {
                Some(at) => (at + 1, true),
                None => (octets.len(), false),
            },
            Framing::Piece => (octets.len(), true),
            Framing::Length(length) => {
                let missing = usize::from(length).saturating_sub(self.request.len()).max(1);
                (missing.min(octets.len()), missing <= octets.len())
            }
        };
        let piece = octets.get(..taken).unwrap_or(octets);
        let room = limit.saturating_sub(self.request.len());
        self.overlong |= piece.len() > room;
        self.request.extend_from_slice(piece.get(..room).unwrap_or(piece));
        if whole {
            let mut request = core::mem::take(&mut self.request);
            while spec.framing == Framing::Line && matches!(request.last(), Some(b'\r' | b'\n')) {
                request.pop();
            }
            self.answer(now, &request);
            self.overlong = false;
        }
        taken
    }

    fn answer(&mut self, now: u64, request: &[u8]) {
        let spec = Arc::clone(&self.spec);
        let Some(state) = spec.states.get(self.state) else { return };
        self.requests = self.requests.saturating_add(1);
        let fitting = state.rules.iter().filter(|_| !self.overlong);
        let found = fitting.filter_map(|rule| Some((rule, rule.pattern.fit(request)?))).next();
        let Some((rule, captures)) = found else {
            self.observe(request);
            self.reply(now, &state.otherwise, state.otherwise_delay_ms);
            return self.count();
        };
        for (name, octets) in captures {
            if !name.is_empty() {
                self.captures.set(name, octets);
            }
        }
        let mut reply = &rule.reply;
        match &rule.secret {
            None => self.observe(request),
            Some(secret) => {
                let [user, password] = [&secret.user, &secret.password].map(|form| self.fill(form));
                let accepted = rule.admitted.is_some() && Account::admits(&self.accounts, &user, &password);
                let detail = secret_of("password", &user, &password, b"", accepted);
                self.outbox.observe(Kind::Credential, tool_of_payload(request), detail);
                if let Some(admitted) = rule.admitted.as_ref().filter(|_| accepted) {
                    reply = admitted;
                }
            }
        }
        self.reply(now, reply, rule.delay_ms);
        self.count();
    }

    fn count(&mut self) {
        if self.requests >= MAX_REQUESTS {
            self.outbox.close();
        }
    }

    fn observe(&mut self, request: &[u8]) {
        if self.seen.is_new(request) {
            self.outbox.observe(Kind::ServiceRequest, tool_of_payload(request), payload(request));
        }
    }

    /// The client's end, or the end of our patience.
    fn finish(&mut self) {
        if !self.request.is_empty() {
            let request = core::mem::take(&mut self.request);
            self.observe(&request);
        }
        self.outbox.close();
    }

    fn idle_until(&self) -> u64 {
        let seconds = if self.spec.idle_timeout_s == 0 { IDLE_S } else { self.spec.idle_timeout_s };
        let idle = self.heard.saturating_add(u64::from(seconds) * NANOS_OF_S);
        idle.min(self.opened.saturating_add(MAX_LIFE_NS))
    }

    fn arm(&mut self) {
        if self.outbox.is_closing() {
            return;
        }
        let at = self.due.as_ref().map_or(u64::MAX, |(at, _)| *at).min(self.idle_until());
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            self.outbox.wake(at);
        }
    }
}

impl Conversation for Script {
    fn handle_octets(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> usize {
        if self.outbox.is_closing() {
            return 0;
        }
        if !self.any && !octets.is_empty() {
            // Told at once and as it came: it names the tool, and it may never become a request.
            self.any = true;
            if tool_of_payload(octets).is_some() {
                self.observe(octets);
            }
        }
        let mut rest = octets;
        while !rest.is_empty() && self.due.is_none() && !self.outbox.is_behind() && !self.outbox.is_closing() {
            self.heard = cx.now;
            let taken = self.take_request(cx.now, rest);
            rest = rest.get(taken..).unwrap_or(&[]);
        }
        self.arm();
        octets.len() - rest.len()
    }

    fn handle_end(&mut self, _cx: &mut Context<'_>) {
        self.ended = true;
        if self.due.is_none() {
            self.finish();
        }
    }

    fn handle_wake(&mut self, cx: &mut Context<'_>) {
        self.armed = None;
        if self.outbox.is_closing() {
            return;
        }
        if let Some((_, reply)) = self.due.take_if(|(at, _)| *at <= cx.now) {
            self.reply(cx.now, &reply, 0);
            if self.ended {
                self.finish();
            }
        }
        if self.idle_until() <= cx.now {
            self.finish();
        }
        self.arm();
    }

    fn poll(&mut self, _cx: &mut Context<'_>, room: usize) -> Option<Output> {
        self.outbox.poll(room)
    }
}

/// Whether a decoy has a fact of this name, such as `hostname` or `serial`, for answers to name.
#[must_use]
pub fn is_fact(name: &str) -> bool {
    let identity =
        Identity { hostname: "", ip: Ipv4Addr::UNSPECIFIED.into(), mac: Mac::ZERO, seed: [0; 16], serial: None };
    let text = format!("{{{name}}}");
    Who::new(&identity).fill(&text) != text
}

fn write_fact(who: &Who, name: &str, out: &mut Vec<u8>) {
    let text = format!("{{{name}}}");
    let filled = who.fill(&text);
    if filled != text {
        out.extend_from_slice(filled.as_bytes());
    }
}

/// Answers one datagram, as the first request of a conversation.
pub(crate) fn answer(spec: &Arc<ScriptSpec>, opening: &Opening<'_>, datagram: &[u8]) -> Option<Vec<u8>> {
    let state = spec.states.first()?;
    let mut captures = Captures::default();
    let found = state.rules.iter().find_map(|rule| Some((rule, rule.pattern.fit(datagram)?)));
    let form = match found {
        None => &state.otherwise.answer,
        Some((rule, found)) => {
            for (name, octets) in found {
                captures.set(name, octets);
            }
            &rule.reply.answer
        }
    };
    let who = Who::new(&opening.identity);
    let mut octets = form.fill(|name, out| match captures.get(name) {
        Some(captured) => out.extend_from_slice(captured),
        None => write_fact(&who, name, out),
    });
    octets.truncate(MAX_ANSWER);
    (!octets.is_empty()).then_some(octets)
}

#[cfg(test)]
mod tests;
