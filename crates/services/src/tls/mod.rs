//! TLS 1.0 to 1.3, the server's side, as one product speaks it: a conversation around another one.
//!
//! What a product chooses, and in which order it says it, is data ([`TlsSpec`]); here is the machine that says it, the
//! cryptography aside sans-io like every conversation. Sessions go on by tickets, or by identifier where the product
//! keeps them; it takes no early data. It asks for no client certificate, does not renegotiate, and does not compress.

mod alert;
mod answer;
mod certificate;
mod choice;
mod clear;
mod exchange;
mod handshake12;
mod handshake13;
mod hello;
mod ja;
mod key;
mod line;
mod messages;
mod record;
mod schedule;
mod session;
mod spec;
mod store;
mod suite;
mod wire;

pub use spec::{Answer, CertificateSpec, Day, Extension, KeySpec, KeyUse, OtherCertificate, TlsSpec, Version};
pub(crate) use store::{Certificates, Sessions};
pub use suite::{Group, Scheme, Suite};

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use crate::{
    Context, Conversation, Opening, Output,
    limits::tls::{HANDSHAKE_MOST_S, HANDSHAKE_TIMEOUT_S},
    text::Who,
};
use alert::{Alert, CLOSE_NOTIFY, FATAL, Fault, NO_RENEGOTIATION, USER_CANCELED, WARNING};
use choice::Choice;
use hello::ClientHello;
use line::Line;
use record::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER, MAX_OVERHEAD, MAX_PLAIN, MAX_PROTECTED_12,
    MAX_PROTECTED_13, OLD_HEADER,
};
use spec::Version::Tls13;

/// Records without contents in a row, as OpenSSL counts them (`MAX_EMPTY_RECORDS`).
const MAX_EMPTY: u8 = 32;
/// Warnings in a row, as OpenSSL counts them (`MAX_WARN_ALERT_COUNT`).
const MAX_WARNINGS: u8 = 5;
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
    /// What both sides will speak inside, until that is told.
    protocol: Option<Vec<u8>>,
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
    /// The client has said `close_notify`, or has ended without it.
    notified: bool,
    cut_off: bool,
    /// The client has ended its connection.
    gone: bool,
    /// `close_notify` was said, and the FIN waits.
    finishing: bool,
    /// The end is an abort.
    resets: bool,
    deadline: u64,
    /// Until when it reads on after a handshake that failed.
    lingering: Option<u64>,
    inner_wake: Option<u64>,
    /// Octets that were read last.
    last_read: usize,
}

/// The decoy's identity, kept.
struct Owned {
    who: Who,
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
        let deadline = deadline(spec, opening.now);
        let mut line = Line::new(opening.chance(), spec.shared_records);
        line.out.wake(deadline);
        Self {
            spec: Arc::clone(spec),
            identity: Owned { who: Who::new(&opening.identity), opened: opening.now, utc: opening.utc },
            inner,
            line,
            state: State::Hello { transcript: Vec::new(), asked: None },
            protocol: None,
            record: Vec::new(),
            messages: Vec::new(),
            clear: Vec::new(),
            empty: 0,
            warnings: 0,
            first: true,
            told: false,
            ended: false,
            notified: false,
            cut_off: false,
            gone: false,
            finishing: false,
            resets: false,
            deadline,
            lingering: None,
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
        let needed = self.length()?.unwrap_or(HEADER).saturating_sub(self.record.len());
        let count = needed.min(octets.len());
        self.last_read = count;
        self.record.extend_from_slice(octets.get(..count).unwrap_or(&[]));
        if self.length()? == Some(self.record.len()) {
            let record = core::mem::take(&mut self.record);
            self.handle_record(cx, &record)?;
        }
        Ok(count)
    }

    /// The length of the record that is coming with its header, if that is there and makes sense.
    fn length(&self) -> Result<Option<usize>, Fault> {
        let Some(&[kind, major, _, high, low]) = self.record.first_chunk::<HEADER>() else { return Ok(None) };
        if let Some(length) = record::old_length(&self.record).filter(|_| self.first) {
            return Ok(Some(length?));
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        if major != 3 {
            let speaks_http = self.spec.plain_by_method && clear::begins_with_a_method(&self.record);
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
        Ok(Some(HEADER + length))
    }

    fn handle_record(&mut self, cx: &mut Context<'_>, record: &[u8]) -> Result<(), Fault> {
        let Some((&head, fragment)) = record.split_first_chunk::<HEADER>() else { return Ok(()) };
        let [kind, ..] = head;
        if core::mem::replace(&mut self.first, false) {
            if record::old_length(record).is_some() {
                let message = record.get(OLD_HEADER..).unwrap_or(&[]);
                if message.len() > MAX_PLAIN {
                    return Err(Alert::RecordOverflow.into());
                }
                let hello = ClientHello::read_old(message.get(1..).unwrap_or(&[]));
                return self.handle_hello(cx, message, hello, Vec::new(), None);
            }
            if kind != HANDSHAKE {
                return Err(Alert::UnexpectedMessage.into());
            }
        }
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

    /// In TLS 1.3 all but two are fatal, whatever they say of themselves (RFC 8446 §6).
    fn handle_alert(&mut self, text: &[u8]) -> Result<(), Fault> {
        let &[level, code] = text else { return Err(Alert::UnexpectedMessage.into()) };
        let (modern, warns) = (self.is_modern(), level == WARNING);
        if warns || modern && code == USER_CANCELED {
            self.warnings += 1;
            if self.warnings >= MAX_WARNINGS {
                return Err(Alert::UnexpectedMessage.into());
            }
        }
        match code {
            USER_CANCELED if modern => Ok(()),
            CLOSE_NOTIFY if modern || warns => {
                if !matches!(self.state, State::Open(_)) {
                    return Err(Fault::Silent);
                }
                (self.notified, self.ended) = (true, true);
                Ok(())
            }
            _ if modern || level == FATAL => Err(Fault::Silent),
            NO_RENEGOTIATION => Err(Alert::HandshakeFailure.into()),
            _ if warns => Ok(()),
            _ => Err(Alert::IllegalParameter.into()),
        }
    }

    /// Whether it was agreed to speak TLS 1.3.
    fn is_modern(&self) -> bool {
        match &self.state {
            State::Hello { asked, .. } => asked.is_some(),
            State::Key { choice, .. } => choice.version == Tls13,
            State::Finishing13(_) | State::Open(Some(_)) => true,
            _ => false,
        }
    }

    fn handle_change(&mut self, text: &[u8]) -> Result<(), Fault> {
        if let State::Finishing12(finishing) = &mut self.state {
            return Ok(finishing.handle_change(text, &mut self.line)?);
        }
        // RFC 8446 §5: one that means nothing, on the way to TLS 1.3.
        match (self.is_modern() && !matches!(self.state, State::Open(_)), text) {
            (true, [1]) => Ok(()),
            (true, _) => Err(Alert::IllegalParameter.into()),
            (false, _) => Err(Alert::UnexpectedMessage.into()),
        }
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
            if self.gone { self.inner.handle_end(cx) } else { self.inner.handle_parting(cx) }
        }
    }

    fn give_up(&mut self, now: u64, fault: Fault) {
        let opened = matches!(core::mem::replace(&mut self.state, State::Over), State::Open(_));
        if !self.told {
            let octets = core::mem::take(&mut self.record);
            self.tell(&octets, None);
        }
        match fault {
            Fault::Alert(_) | Fault::Silent if self.spec.resets_refused && !opened => self.resets = true,
            Fault::Alert(alert) => self.line.fatal(alert),
            Fault::Http => return self.say_in_clear(now, true),
            Fault::Silent => {}
        }
        if self.spec.lingers_s > 0 && !self.gone && !self.resets {
            let until = now.saturating_add(u64::from(self.spec.lingers_s) * SECOND);
            self.lingering = Some(until);
            self.line.out.finish();
            self.line.out.wake(until);
        } else {
            self.line.out.close();
        }
    }

    /// The alert with which the connection ends, if there is to be one.
    fn say_the_end(&mut self, finished: bool) {
        let silent = self.spec.ends_silently && (self.notified || self.cut_off)
            || self.spec.late_silently && self.inner.is_late();
        if finished || self.finishing || silent {
            return;
        }
        if self.spec.abrupt_end_fails && self.cut_off {
            self.line.fatal(Alert::DecodeError);
        } else {
            self.line.warning(Alert::CloseNotify);
        }
    }

    fn is_blocked(&self) -> bool {
        self.line.out.is_closing()
            || self.line.out.is_behind()
            || !self.clear.is_empty()
            || self.ended
            || matches!(self.state, State::Key { .. } | State::Over)
    }
}

/// When a handshake is given up of which something came `now`.
fn deadline(spec: &TlsSpec, now: u64) -> u64 {
    let seconds = if spec.handshake_timeout_s == 0 { HANDSHAKE_TIMEOUT_S } else { spec.handshake_timeout_s };
    now.saturating_add(u64::from(seconds) * SECOND)
}

impl Conversation for Tls {
    fn handle_octets(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> usize {
        if self.lingering.is_some() {
            return octets.len();
        }
        if self.line.out.is_finished() {
            // Who reads on after its end throws away what comes: only that it came is of interest.
            self.inner.handle_octets(cx, octets);
            return octets.len();
        }
        if self.spec.handshake_goes_on && !matches!(self.state, State::Open(_) | State::Key { .. } | State::Over) {
            let last = self.identity.opened.saturating_add(u64::from(HANDSHAKE_MOST_S) * SECOND);
            self.deadline = deadline(&self.spec, cx.now).min(last);
            self.line.out.wake(self.deadline);
        }
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
                    // What was read of the record at fault, or together with it.
                    if self.lingering.is_some() {
                        return octets.len();
                    }
                    let ahead = usize::try_from(self.spec.reads_ahead).unwrap_or(usize::MAX);
                    return taken.saturating_add(self.last_read).max(ahead).min(octets.len());
                }
            }
        }
        if self.spec.half_records_count && !self.record.is_empty() && matches!(self.state, State::Open(_)) {
            self.inner.handle_stir(cx);
        }
        taken
    }

    fn handle_end(&mut self, cx: &mut Context<'_>) {
        self.gone = true;
        match &self.state {
            State::Open(_) if self.line.out.is_finished() => self.inner.handle_end(cx),
            State::Open(_) => {
                self.cut_off = !self.notified;
                self.ended = true;
                self.feed(cx);
            }
            State::Over if self.lingering.is_some() => self.line.out.close(),
            State::Over => {}
            _ if self.spec.abrupt_end_fails => self.give_up(cx.now, Alert::DecodeError.into()),
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
            State::Over if self.lingering.is_some_and(|until| until <= cx.now) => self.line.out.close(),
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
        self.line.flush();
        loop {
            if let Some(output) = self.line.out.poll(room) {
                return Some(if self.resets && matches!(output, Output::Close) { Output::Reset } else { output });
            }
            let finished = self.line.out.is_finished();
            let closing = self.line.out.is_closing() && !finished;
            if !matches!(self.state, State::Open(_)) || self.line.out.pending() > 0 || closing {
                return None;
            }
            if !finished {
                self.feed(cx);
            }
            let room = if room == 0 { 0 } else { room.saturating_sub(MAX_OVERHEAD).clamp(MIN_ROOM, MAX_PLAIN) };
            match self.inner.poll(cx, room)? {
                Output::Send(octets) => self.line.send(APPLICATION_DATA, &octets),
                Output::Finish => {
                    self.say_the_end(false);
                    if self.spec.fin_waits && !self.notified {
                        self.finishing = true;
                    } else {
                        self.line.out.finish();
                    }
                }
                Output::Close => {
                    self.say_the_end(finished);
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

#[cfg(test)]
mod tests;
