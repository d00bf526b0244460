//! HTTP/1.x as one particular server speaks it (RFC 9110, RFC 9112): order of headers, wording and behaviour towards
//! nonsense are data, since they are what a scanner compares. What this does not do: ranges, conditions, compression,
//! chunked requests (answered, then closed), HTTP/2.

mod request;
mod response;

use alloc::{sync::Arc, vec::Vec};

use chaff_events::Kind;

use crate::{
    Context, Conversation, HttpPage, HttpSpec, Opening, Output,
    message::{credential, payload, request as request_detail},
    outbox::Outbox,
    text::Who,
    tool::{tool_of_payload, tool_of_user_agent},
};
use request::{Fault, Request};
use response::Answer;

/// Octets of request line and headers together: nginx's and Apache's limits for a line (8 KiB) taken for the whole.
const MAX_HEAD: usize = 8 * 1024;
/// Octets of a request's body that are read and thrown away; nginx refuses longer ones by default.
const MAX_BODY: u64 = 1024 * 1024;
/// Requests on one connection, as nginx counts them (`keepalive_requests`).
const MAX_REQUESTS: u32 = 1000;
/// Seconds that an idle connection is kept if the specification says nothing.
const KEEP_ALIVE_S: u32 = 60;
const NANOS_OF_S: u64 = 1_000_000_000;

pub(crate) struct Http {
    spec: Arc<HttpSpec>,
    who: Who,
    outbox: Outbox,
    /// The head that is coming in.
    head: Vec<u8>,
    /// Octets of the last request's body that are still to be thrown away.
    body: u64,
    served: u32,
    /// The monotone clock and the decoy's own at the same moment.
    opened: (u64, u64),
    heard: u64,
}

impl Http {
    pub(crate) fn new(spec: &Arc<HttpSpec>, opening: &Opening<'_>) -> Self {
        let mut http = Self {
            spec: Arc::clone(spec),
            who: Who::new(&opening.identity),
            outbox: Outbox::default(),
            head: Vec::new(),
            body: 0,
            served: 0,
            opened: (opening.now, opening.utc),
            heard: opening.now,
        };
        http.outbox.wake(http.idle_until());
        http
    }

    fn idle_until(&self) -> u64 {
        let seconds = if self.spec.keep_alive_s == 0 { KEEP_ALIVE_S } else { self.spec.keep_alive_s };
        self.heard.saturating_add(u64::from(seconds) * NANOS_OF_S)
    }

    /// Takes the octets of one head at most; answers it when it is whole, or as soon as it can't become one.
    fn take_head(&mut self, now: u64, octets: &[u8]) -> usize {
        let before = self.head.len();
        // Empty lines before a request are ignored (RFC 9112 §2.2).
        let skipped = if before == 0 { octets.iter().take_while(|o| matches!(o, b'\r' | b'\n')).count() } else { 0 };
        let rest = octets.get(skipped..).unwrap_or(&[]);
        let piece = rest.get(..rest.len().min(MAX_HEAD - before)).unwrap_or(&[]);
        self.head.extend_from_slice(piece);
        if let Some(end) = request::head_end(&self.head, before) {
            self.head.truncate(end);
            self.answer_head(now);
            self.head.clear();
            return skipped + (end - before);
        }
        if self.head.len() >= MAX_HEAD {
            self.refuse(now, Fault::TooLong);
        } else if request::is_hopeless(&self.head) {
            self.refuse(now, Fault::Malformed);
        }
        skipped + piece.len()
    }

    fn answer_head(&mut self, now: u64) {
        self.served = self.served.saturating_add(1);
        let head = core::mem::take(&mut self.head);
        match Request::parse(&head) {
            Ok(request) => self.answer_request(now, &request),
            Err(fault) => {
                self.head = head;
                self.refuse(now, fault);
            }
        }
    }

    fn answer_request(&mut self, now: u64, request: &Request<'_>) {
        self.observe(request);
        let spec = Arc::clone(&self.spec);
        let (status, page) = choose(&spec, request);
        let too_large = request.body_length > MAX_BODY;
        let keeps = request.keeps && !too_large && !request.chunked && self.served < MAX_REQUESTS;
        let status = if too_large { 413 } else { status };
        let answer = Answer {
            status,
            page: page.filter(|_| !too_large),
            keeps,
            bare: request.bare,
            without_body: request.method == b"HEAD",
            utc: self.utc(now),
        };
        self.outbox.send(&answer.write(&spec, &self.who));
        self.body = request.body_length;
        if !keeps {
            self.outbox.close();
        }
    }

    /// Answers what is no request, and ends.
    fn refuse(&mut self, now: u64, fault: Fault) {
        let head = core::mem::take(&mut self.head);
        self.outbox.observe(Kind::ServiceRequest, tool_of_payload(&head), payload(&head));
        let status = match fault {
            Fault::Malformed => 400,
            Fault::TooLong if self.spec.too_long_status == 0 => 400,
            Fault::TooLong => self.spec.too_long_status,
            Fault::Version => 505,
        };
        let utc = self.utc(now);
        let answer = Answer { status, page: None, keeps: false, bare: false, without_body: false, utc };
        self.outbox.send(&answer.write(&self.spec, &self.who));
        self.outbox.close();
    }

    fn observe(&mut self, request: &Request<'_>) {
        let tool = tool_of_payload(request.line).or_else(|| tool_of_user_agent(request.agent));
        let detail = request_detail(request.method, request.target, request.agent, b"");
        self.outbox.observe(Kind::ServiceRequest, tool, detail);
        if let Some((name, secret)) = request.basic() {
            self.outbox.observe(Kind::Credential, tool, credential(&name, &secret, request.agent));
        }
    }

    fn utc(&self, now: u64) -> u64 {
        let (opened, utc) = self.opened;
        utc.saturating_add(now.saturating_sub(opened))
    }
}

impl Conversation for Http {
    fn handle_octets(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> usize {
        let now = cx.now;
        self.heard = now;
        let mut rest = octets;
        while !rest.is_empty() {
            if self.outbox.is_closing() {
                return octets.len();
            }
            if self.outbox.is_behind() {
                break;
            }
            let taken = if self.body > 0 {
                let taken = rest.len().min(usize::try_from(self.body).unwrap_or(usize::MAX));
                self.body = self.body.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
                taken
            } else {
                self.take_head(now, rest)
            };
            rest = rest.get(taken..).unwrap_or(&[]);
        }
        octets.len() - rest.len()
    }

    fn handle_end(&mut self, _cx: &mut Context<'_>) {
        if !self.head.is_empty() {
            let tool = tool_of_payload(&self.head);
            self.outbox.observe(Kind::ServiceRequest, tool, payload(&self.head));
            self.head.clear();
        }
        self.outbox.close();
    }

    fn handle_wake(&mut self, cx: &mut Context<'_>) {
        if self.outbox.is_closing() {
            return;
        }
        if cx.now >= self.idle_until() {
            self.handle_end(cx);
        } else {
            self.outbox.wake(self.idle_until());
        }
    }

    fn poll(&mut self, _cx: &mut Context<'_>, room: usize) -> Option<Output> {
        self.outbox.poll(room)
    }
}

/// Status and page for a request.
fn choose<'s>(spec: &'s HttpSpec, request: &Request<'_>) -> (u16, Option<&'s HttpPage>) {
    let page = spec.pages.iter().find(|page| page.path.as_bytes() == request.path);
    let plain = matches!(request.method, b"GET" | b"HEAD");
    match page {
        Some(page) if plain || page.methods.iter().any(|method| method.as_bytes() == request.method) => {
            (if page.status == 0 { 200 } else { page.status }, Some(page))
        }
        Some(_) if request.method == b"POST" => (405, None),
        None if plain || request.method == b"POST" => (404, None),
        _ if spec.unknown_method_status == 0 => (405, None),
        _ => (spec.unknown_method_status, None),
    }
}

#[cfg(test)]
mod tests;
