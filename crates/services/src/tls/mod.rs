//! TLS 1.0 to 1.3, the server's side, as one product speaks it: a conversation around another one.
//!
//! What a product chooses, and in which order it says it, is data ([`TlsSpec`]); here is the machine that says it, the
//! cryptography aside sans-io like every conversation. Sessions go on by tickets, or by
//! identifier where the product keeps them; it takes no early data. It asks for no client certificate, does not renegotiate, and does not compress.

mod alert;
mod answer;
mod certificate;
mod choice;
mod exchange;
mod field;
mod handshake12;
mod handshake13;
mod hello;
mod ja;
mod key;
mod line;
mod record;
mod schedule;
mod session;
mod spec;
mod store;
mod suite;
mod wire;

pub use spec::{Answer, CertificateSpec, Day, Extension, KeySpec, TlsSpec, Version};
pub(crate) use store::{Certificates, Sessions};
pub use suite::{Group, Scheme, Suite};

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

use chaff_events::{Detail, Kind};

use crate::{
    Context, Conversation, Opening, Output,
    calendar::Moment,
    message,
    text::{Who, fill_with, unescape},
    tool::tool_of_payload,
};
use alert::{Alert, Fault};
use choice::Choice;
use hello::{ClientHello, SESSION_TICKET};
use line::Line;
use record::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER, MAX_OVERHEAD, MAX_PLAIN, MAX_PROTECTED_12,
    MAX_PROTECTED_13,
};
use session::Tickets;
use spec::Version::Tls13;

const CLIENT_HELLO: u8 = 1;
const CLIENT_KEY_EXCHANGE: u8 = 16;
const FINISHED: u8 = 20;
/// Octets that a hello may say it has, as in OpenSSL (`CLIENT_HELLO_MAX_LENGTH`).
const MAX_SAID: usize = 131_396;
/// Octets of messages that are kept. A hello with a post-quantum key share has some 2 KiB; a thousand clients that send
/// all but the last octet of the longest would fill 128 MiB.
const MAX_MESSAGE: usize = 32 * 1024;
/// Records without contents in a row, as OpenSSL counts them (`MAX_EMPTY_RECORDS`).
const MAX_EMPTY: u8 = 32;
/// Warnings in a row, as OpenSSL counts them (`MAX_WARN_ALERT_COUNT`).
const MAX_WARNINGS: u8 = 5;
/// Seconds for a handshake where the product does not say: nginx's `client_header_timeout`.
const HANDSHAKE_TIMEOUT_S: u32 = 60;
/// What OpenSSL knows HTTP by (`ssl3_get_record`).
const METHODS: [&[u8]; 4] = [b"GET ", b"POST ", b"HEAD ", b"PUT "];
/// Octets of a request to a server that speaks TLS only; more is not waited for.
const MAX_CLEAR_REQUEST: usize = 8 * 1024;
/// What the inner conversation is offered at least, whatever the stack has room for: the rest waits here.
const MIN_ROOM: usize = 1024;
const SECOND: u64 = 1_000_000_000;

/// A server behind TLS.
pub(crate) struct Tls {
    spec: Arc<TlsSpec>,
    identity: Owned,
    inner: Box<dyn Conversation>,
    line: Line,
    state: State,
    /// Octets of the record that is coming.
    record: Vec<u8>,
    /// Octets of handshake messages that are not complete.
    messages: Vec<u8>,
    /// What the inner conversation has not taken yet.
    clear: Vec<u8>,
    /// Records without contents, and warnings, in a row.
    empty: u8,
    warnings: u8,
    first: bool,
    told: bool,
    ended: bool,
    deadline: u64,
    inner_wake: Option<u64>,
    /// Octets that were read last.
    last_read: usize,
}

/// The decoy's identity, kept.
struct Owned {
    who: Who,
    hostname: String,
    ip: core::net::IpAddr,
    mac: chaff_wire::Mac,
    seed: [u8; 16],
    opened: u64,
    utc: u64,
}

/// Where the conversation stands: each says what is awaited.
enum State {
    /// ClientHello; the second one, if the group was asked for.
    Hello { transcript: Vec<u8>, asked: Option<Group> },
    /// The decoy's key, which is being searched for.
    Key { choice: Box<Choice>, transcript: Vec<u8>, again: bool },
    /// ClientKeyExchange.
    Exchanging(Box<handshake12::Exchanging>),
    /// ChangeCipherSpec and Finished of TLS 1.2.
    Finishing12(Box<handshake12::Finishing>),
    /// Finished of TLS 1.3.
    Finishing13(Box<handshake13::Finishing>),
    /// Whatever the inner conversation awaits; with the secrets of TLS 1.3.
    Open(Option<Box<handshake13::Traffic>>),
    /// The rest of a request in clear.
    Clear(Vec<u8>),
    /// Nothing more.
    Over,
}

impl Tls {
    pub(crate) fn new(spec: &Arc<TlsSpec>, opening: &Opening<'_>, inner: Box<dyn Conversation>) -> Self {
        let identity = &opening.identity;
        let seconds = if spec.handshake_timeout_s == 0 { HANDSHAKE_TIMEOUT_S } else { spec.handshake_timeout_s };
        let deadline = opening.now.saturating_add(u64::from(seconds) * SECOND);
        let mut line = Line::new(opening.chance());
        line.out.wake(deadline);
        Self {
            spec: Arc::clone(spec),
            identity: Owned {
                who: Who::new(identity),
                hostname: identity.hostname.into(),
                ip: identity.ip,
                mac: identity.mac,
                seed: identity.seed,
                opened: opening.now,
                utc: opening.utc,
            },
            inner,
            line,
            state: State::Hello { transcript: Vec::new(), asked: None },
            record: Vec::new(),
            messages: Vec::new(),
            clear: Vec::new(),
            empty: 0,
            warnings: 0,
            first: true,
            told: false,
            ended: false,
            deadline,
            inner_wake: None,
            last_read: 0,
        }
    }

    /// Takes octets up to the end of the record at hand, as a server does that reads ahead of nothing: what comes after
    /// a record at which it gives up stays unread.
    fn take(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Result<usize, Fault> {
        self.last_read = 0;
        if let State::Clear(request) = &mut self.state {
            request.extend_from_slice(octets);
            self.answer_in_clear(cx.now);
            return Ok(octets.len());
        }
        if self.first && self.record.is_empty() && !self.spec.plain_answer.is_empty() && !self.spec.plain_by_method {
            // nginx looks at one octet: a record of the handshake, or a hello of SSL 2, or no TLS at all.
            let is_tls = octets.first().is_some_and(|&first| first == HANDSHAKE || first & 0x80 != 0);
            if !is_tls {
                self.state = State::Clear(Vec::new());
                return Ok(0);
            }
        }
        let needed = match self.length()? {
            None => HEADER.saturating_sub(self.record.len()),
            Some(length) => (HEADER + length).saturating_sub(self.record.len()),
        };
        let count = needed.min(octets.len());
        self.last_read = count;
        self.record.extend_from_slice(octets.get(..count).unwrap_or(&[]));
        if let Some(length) = self.length()?
            && self.record.len() == HEADER + length
        {
            let record = core::mem::take(&mut self.record);
            self.handle_record(cx, &record)?;
        }
        Ok(count)
    }

    /// The length of the record that is coming, if its header is there and makes sense.
    fn length(&self) -> Result<Option<usize>, Fault> {
        let Some(&[kind, major, _, high, low]) = self.record.first_chunk::<HEADER>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if major != 3 {
            let speaks_http = self.spec.plain_by_method && METHODS.iter().any(|method| self.record.starts_with(method));
            return Err(match () {
                () if self.first && speaks_http => Fault::Http,
                () if self.first => Fault::Silent,
                () => Alert::ProtocolVersion.into(),
            });
        }
        let modern = self.line.reading.is_modern();
        if modern
            && !(kind == APPLICATION_DATA
                || matches!(self.state, State::Finishing13(_)) && matches!(kind, CHANGE_CIPHER_SPEC | ALERT))
        {
            return Err(Alert::UnexpectedMessage.into());
        }
        let most = if modern { MAX_PROTECTED_13 } else { MAX_PROTECTED_12 };
        if length > most {
            return Err(Alert::RecordOverflow.into());
        }
        Ok(Some(length))
    }

    fn handle_record(&mut self, cx: &mut Context<'_>, record: &[u8]) -> Result<(), Fault> {
        self.first = false;
        let Some((&head, fragment)) = record.split_first_chunk::<HEADER>() else { return Ok(()) };
        let [kind, ..] = head;
        // In TLS 1.3 these two may come in clear where all else is protected.
        let in_clear = self.line.reading.is_modern() && kind != APPLICATION_DATA;
        let (kind, text) =
            if in_clear { (kind, fragment.to_vec()) } else { self.line.reading.open(head, fragment.to_vec())? };
        if text.len() > MAX_PLAIN {
            return Err(Alert::RecordOverflow.into());
        }
        if text.is_empty() {
            self.empty += 1;
            return if self.empty > MAX_EMPTY { Err(Alert::UnexpectedMessage.into()) } else { Ok(()) };
        }
        self.empty = 0;
        if kind != ALERT {
            self.warnings = 0;
        }
        match kind {
            HANDSHAKE => {
                self.messages.extend_from_slice(&text);
                self.handle_messages(cx)
            }
            ALERT => self.handle_alert(&text),
            CHANGE_CIPHER_SPEC => self.handle_change(&text),
            APPLICATION_DATA if matches!(self.state, State::Open(_)) => {
                self.clear.extend_from_slice(&text);
                self.feed(cx);
                Ok(())
            }
            _ => Err(Alert::UnexpectedMessage.into()),
        }
    }

    fn handle_alert(&mut self, text: &[u8]) -> Result<(), Fault> {
        let &[level, code] = text else { return Err(Alert::UnexpectedMessage.into()) };
        match (level, code) {
            (1, 0) => {
                self.ended = true;
                Ok(())
            }
            (1, _) => {
                self.warnings += 1;
                if self.warnings >= MAX_WARNINGS { Err(Alert::UnexpectedMessage.into()) } else { Ok(()) }
            }
            (2, _) => Err(Fault::Silent),
            _ => Err(Alert::IllegalParameter.into()),
        }
    }

    fn handle_change(&mut self, text: &[u8]) -> Result<(), Fault> {
        if let State::Finishing12(finishing) = &mut self.state {
            return Ok(finishing.handle_change(text, &mut self.line)?);
        }
        // RFC 8446 §5: one that means nothing, on the way to TLS 1.3.
        let modern = match &self.state {
            State::Hello { asked, .. } => asked.is_some(),
            State::Key { choice, .. } => choice.version == Tls13,
            State::Finishing13(_) => true,
            _ => false,
        };
        match (modern, text) {
            (true, [1]) => Ok(()),
            (true, _) => Err(Alert::IllegalParameter.into()),
            (false, _) => Err(Alert::UnexpectedMessage.into()),
        }
    }

    /// Takes whole messages off what has come.
    fn handle_messages(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        while !matches!(self.state, State::Key { .. } | State::Over)
            && let Some(&[kind, a, b, c]) = self.messages.first_chunk::<4>()
        {
            self.check_kind(kind)?;
            let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
            if length > MAX_SAID || self.messages.len() > MAX_MESSAGE {
                return Err(Alert::IllegalParameter.into());
            }
            if self.messages.len() < 4 + length {
                break;
            }
            let rest = self.messages.split_off(4 + length);
            let whole = core::mem::replace(&mut self.messages, rest);
            self.handle_message(cx, kind, &whole)?;
        }
        Ok(())
    }

    /// Whether a message of this kind may come now; OpenSSL does not wait for the rest of one that may not.
    fn check_kind(&self, kind: u8) -> Result<(), Fault> {
        let fits = match &self.state {
            State::Hello { .. } => kind == CLIENT_HELLO,
            State::Exchanging(_) => kind == CLIENT_KEY_EXCHANGE,
            State::Finishing12(finishing) => kind == FINISHED && finishing.is_changed(),
            State::Finishing13(_) => kind == FINISHED,
            State::Open(_) => true,
            State::Key { .. } | State::Clear(_) | State::Over => false,
        };
        if fits { Ok(()) } else { Err(Alert::UnexpectedMessage.into()) }
    }

    fn handle_message(&mut self, cx: &mut Context<'_>, kind: u8, whole: &[u8]) -> Result<(), Fault> {
        let body = whole.get(4..).unwrap_or(&[]);
        let (tickets, now_s) = (Tickets::of(&self.identity.seed), self.utc_s(cx.now));
        self.state = match core::mem::replace(&mut self.state, State::Over) {
            State::Hello { transcript, asked } => return self.handle_hello(cx, whole, transcript, asked),
            State::Exchanging(exchanging) => {
                State::Finishing12(Box::new(exchanging.handle_exchange(whole, body, &mut self.line)?))
            }
            State::Finishing12(finishing) => {
                let kept = finishing.handle_finished(whole, body, &self.spec, &tickets, now_s, &mut self.line)?;
                if let Some((name, session)) = kept.filter(|_| self.spec.session_cache) {
                    cx.shared.sessions.keep(self.identity.seed, name, session);
                }
                State::Open(None)
            }
            State::Finishing13(finishing) => {
                let (traffic, kept) =
                    finishing.handle_finished(whole, body, &self.spec, &tickets, now_s, &mut self.line)?;
                for (name, session) in kept {
                    cx.shared.sessions.keep(self.identity.seed, name, session);
                }
                State::Open(Some(Box::new(traffic)))
            }
            State::Open(Some(mut traffic)) => {
                traffic.handle_message(kind, body, &mut self.line)?;
                State::Open(Some(traffic))
            }
            State::Open(None) => {
                if kind != CLIENT_HELLO {
                    return Err(Alert::UnexpectedMessage.into());
                }
                self.line.warning(Alert::NoRenegotiation);
                State::Open(None)
            }
            state @ (State::Key { .. } | State::Clear(_) | State::Over) => state,
        };
        Ok(())
    }

    fn handle_hello(
        &mut self,
        cx: &mut Context<'_>,
        whole: &[u8],
        mut transcript: Vec<u8>,
        asked: Option<Group>,
    ) -> Result<(), Fault> {
        let hello = ClientHello::read(whole.get(4..).unwrap_or(&[]));
        self.tell(whole, hello.as_ref().ok());
        let hello = hello?;
        let version = match choice::version(&self.spec, &hello) {
            Ok(version) => version,
            Err((version, alert)) => {
                self.line.version = version;
                return Err(alert.into());
            }
        };
        self.line.version = version.min(Version::Tls12).number();
        let again = asked.is_some();
        let (tickets, now_s) = (Tickets::of(&self.identity.seed), self.utc_s(cx.now));
        let lifetime_s = self.spec.ticket_lifetime_s;
        let (seed, by_identifier) = (self.identity.seed, self.spec.session_cache);
        let sessions = &cx.shared.sessions;
        let find = |name: &[u8]| if by_identifier { sessions.find(&seed, name) } else { tickets.open(name) };
        let mut choice = choice::choose(&self.spec, version, hello, asked, |hello| {
            let name = if by_identifier { Some(hello.session_id.as_slice()) } else { hello.extension(SESSION_TICKET) };
            session::of_old(name.and_then(find), version, hello, now_s, lifetime_s)
        })?;
        choice.names_us =
            choice.hello.server_name().is_some_and(|name| name.eq_ignore_ascii_case(self.identity.hostname.as_bytes()));
        if version == Tls13 {
            choice.resumed = session::of_shared_key(find, &choice, now_s, lifetime_s, &transcript, whole)?;
        }
        transcript.extend_from_slice(whole);
        if choice.version == Tls13 && choice.peer_half.is_none() {
            if again {
                return Err(Alert::IllegalParameter.into());
            }
            handshake13::ask_again(&self.spec, &choice, &mut transcript, &mut self.line);
            self.state = State::Hello { transcript, asked: choice.group };
            return Ok(());
        }
        self.state = State::Key { choice: Box::new(choice), transcript, again };
        self.go_on(cx)
    }

    /// Says the server's flight, if the key is there. While it is searched for, asks for a wake-up at once.
    fn go_on(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        if !matches!(self.state, State::Key { .. }) {
            return Ok(());
        }
        let identity = self.identity.borrowed();
        let Some((key, certificate)) = cx.shared.certificate(&self.spec, &identity) else {
            self.line.out.wake(cx.now);
            return Ok(());
        };
        let State::Key { choice, transcript, again } = core::mem::replace(&mut self.state, State::Over) else {
            return Ok(());
        };
        self.line.out.wake(self.deadline);
        self.state = match choice.version {
            Tls13 => {
                let line = &mut self.line;
                let begun = handshake13::begin(&self.spec, &choice, &key, &certificate, transcript, again, line)?;
                State::Finishing13(Box::new(begun))
            }
            _ if choice.resumed.is_some() => {
                let resumed = handshake12::resume(&self.spec, *choice, transcript, &mut self.line)?;
                State::Finishing12(Box::new(resumed))
            }
            _ => {
                let begun = handshake12::begin(&self.spec, *choice, key, &certificate, transcript, &mut self.line)?;
                State::Exchanging(Box::new(begun))
            }
        };
        self.handle_messages(cx)
    }

    /// Tells of the client's hello, once.
    fn tell(&mut self, octets: &[u8], hello: Option<&ClientHello>) {
        if core::mem::replace(&mut self.told, true) {
            return;
        }
        let tool = tool_of_payload(octets);
        let (kind, detail) = match hello {
            None => (Kind::ServiceRequest, message::payload(octets)),
            Some(hello) => (Kind::TlsHello, told_of(hello)),
        };
        self.line.out.observe(kind, tool, detail);
    }

    /// Whether the handshake is over; then gives the inner conversation what has come for it.
    fn feed(&mut self, cx: &mut Context<'_>) {
        if !matches!(self.state, State::Open(_)) {
            return;
        }
        if !self.clear.is_empty() {
            let taken = self.inner.handle_octets(cx, &self.clear).min(self.clear.len());
            self.clear.drain(..taken);
        }
        if self.ended && self.clear.is_empty() {
            self.ended = false;
            self.inner.handle_end(cx);
        }
    }

    /// What comes in clear to a server that speaks only TLS: a request is read to its end, anything else is answered
    /// where it stops looking like one.
    fn answer_in_clear(&mut self, now: u64) {
        let State::Clear(request) = &self.state else { return };
        let looks = looks_like_http(request);
        let complete = request.windows(4).any(|end| end == b"\r\n\r\n") || request.windows(2).any(|end| end == b"\n\n");
        if looks && !complete && request.len() < MAX_CLEAR_REQUEST {
            return;
        }
        let request = request.clone();
        self.state = State::Over;
        self.tell(&request, None);
        self.say_in_clear(now, looks);
    }

    fn say_in_clear(&mut self, now: u64, looks: bool) {
        let utc = self.identity.utc.saturating_add(now.saturating_sub(self.identity.opened));
        let date = Moment::at(utc).imf();
        let answer = if looks { &self.spec.plain_answer } else { &self.spec.garbage_answer };
        let filled = self.identity.who.fill(answer);
        let head = unescape(&filled);
        let body = head.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |end| head.len() - end - 4);
        let filled = fill_with(&filled, |name, out| {
            match name {
                "date" => out.push_str(&date),
                "length" => out.push_str(&alloc::format!("{body}")),
                _ => return false,
            }
            true
        });
        self.line.out.send(&unescape(&filled));
        self.line.out.close();
    }

    fn give_up(&mut self, now: u64, fault: Fault) {
        self.state = State::Over;
        if !self.told {
            let octets = core::mem::take(&mut self.record);
            self.tell(&octets, None);
        }
        match fault {
            Fault::Alert(alert) => self.line.fatal(alert),
            Fault::Http => return self.say_in_clear(now, true),
            Fault::Silent => {}
        }
        self.line.out.close();
    }

    /// The decoy's wall clock, seconds since 1970.
    fn utc_s(&self, now: u64) -> u64 {
        self.identity.utc.saturating_add(now.saturating_sub(self.identity.opened)) / SECOND
    }

    fn is_blocked(&self) -> bool {
        self.line.out.is_closing()
            || self.line.out.is_behind()
            || !self.clear.is_empty()
            || self.ended
            || matches!(self.state, State::Key { .. } | State::Over)
    }
}

impl Owned {
    fn borrowed(&self) -> crate::Identity<'_> {
        crate::Identity { hostname: &self.hostname, ip: self.ip, mac: self.mac, seed: self.seed }
    }
}

impl Conversation for Tls {
    fn handle_octets(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> usize {
        let mut taken = 0;
        while taken < octets.len() && !self.is_blocked() {
            match self.take(cx, octets.get(taken..).unwrap_or(&[])) {
                Ok(count) => taken += count,
                Err(fault) => {
                    if fault == Fault::Http {
                        // All of the request is evidence.
                        self.record.extend_from_slice(octets.get(taken + self.last_read..).unwrap_or(&[]));
                    }
                    self.give_up(cx.now, fault);
                    // What was read of the record at fault.
                    return taken.saturating_add(self.last_read).min(octets.len());
                }
            }
        }
        taken
    }

    fn handle_end(&mut self, cx: &mut Context<'_>) {
        match &self.state {
            State::Open(_) => {
                self.ended = true;
                self.feed(cx);
            }
            State::Over => {}
            _ => self.give_up(cx.now, Fault::Silent),
        }
    }

    fn handle_wake(&mut self, cx: &mut Context<'_>) {
        match &self.state {
            State::Open(_) => {
                if self.inner_wake.take_if(|at| *at <= cx.now).is_some() {
                    self.inner.handle_wake(cx);
                }
            }
            State::Over => {}
            _ if cx.now >= self.deadline => self.give_up(cx.now, Fault::Silent),
            _ => {
                if let Err(fault) = self.go_on(cx) {
                    self.give_up(cx.now, fault);
                }
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, room: usize) -> Option<Output> {
        loop {
            if let Some(output) = self.line.out.poll(room) {
                return Some(output);
            }
            if !matches!(self.state, State::Open(_)) || self.line.out.pending() > 0 || self.line.out.is_closing() {
                return None;
            }
            self.feed(cx);
            let room = if room == 0 { 0 } else { room.saturating_sub(MAX_OVERHEAD).clamp(MIN_ROOM, MAX_PLAIN) };
            match self.inner.poll(cx, room)? {
                Output::Send(octets) => self.line.send(APPLICATION_DATA, &octets),
                Output::Close => {
                    self.line.warning(Alert::CloseNotify);
                    self.line.out.close();
                }
                Output::Wake(at) => {
                    self.inner_wake = Some(at);
                    return Some(Output::Wake(at));
                }
                output @ (Output::Observe(..) | Output::Reset) => return Some(output),
            }
        }
    }
}

/// Whether a request can still become one of HTTP/1: a method, and a first line that ends with a version.
fn looks_like_http(request: &[u8]) -> bool {
    let is_method = |octet: &u8| octet.is_ascii_uppercase() || matches!(octet, b'_' | b'-');
    if !request.iter().take_while(|&&octet| octet != b' ').all(is_method) {
        return false;
    }
    let Some(end) = request.iter().position(|&octet| octet == b'\n') else { return true };
    let line = request.get(..end).unwrap_or(&[]).trim_ascii_end();
    line.rsplit(|&octet| octet == b' ').next().is_some_and(|version| version.starts_with(b"HTTP/1."))
}

/// What a hello says of its client.
fn told_of(hello: &ClientHello) -> Detail {
    let kept = |octets: &[u8]| octets.get(..MAX_TOLD).unwrap_or(octets).to_vec();
    let protocols = hello.protocols().ok().flatten().unwrap_or_default();
    Detail::Tls {
        server_name: hello.server_name().map(kept).unwrap_or_default(),
        alpn: protocols.into_iter().take(MAX_PROTOCOLS).map(kept).collect(),
        ja3: ja::ja3(hello),
        ja4: ja::ja4(hello),
    }
}

/// Octets that are told of a name, and protocols that are: DNS has no longer names, no client offers as many.
const MAX_TOLD: usize = 255;
const MAX_PROTOCOLS: usize = 16;

#[cfg(test)]
mod tests;
