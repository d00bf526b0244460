//! What the messages of a handshake do to the conversation: which may come, what each leads to, what is told of a client.

use alloc::{boxed::Box, vec::Vec};

use chaff_events::{Detail, Kind};

use super::{
    SECOND, State, Tls,
    alert::{Alert, Fault},
    choice, handshake12, handshake13,
    hello::{ClientHello, SESSION_TICKET},
    ja,
    session::{self, Tickets},
    spec::Version::{self, Tls13},
    suite::Group,
};
use crate::{
    Context,
    limits::tls::{MAX_MESSAGE, MAX_PROTOCOLS, MAX_TOLD},
    message,
    tool::tool_of_payload,
};

const CLIENT_HELLO: u8 = 1;
const CLIENT_KEY_EXCHANGE: u8 = 16;
const FINISHED: u8 = 20;
/// Octets that a hello may say it has, as in OpenSSL (`CLIENT_HELLO_MAX_LENGTH`).
const MAX_SAID: usize = 131_396;

impl Tls {
    /// Takes whole messages off what has come.
    pub(super) fn handle_messages(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
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
    pub(super) fn check_kind(&self, kind: u8) -> Result<(), Fault> {
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

    pub(super) fn handle_message(&mut self, cx: &mut Context<'_>, kind: u8, whole: &[u8]) -> Result<(), Fault> {
        let body = whole.get(4..).unwrap_or(&[]);
        let (tickets, now_s) = (Tickets::of(self.identity.who.seed()), self.utc_s(cx.now));
        self.state = match core::mem::replace(&mut self.state, State::Over) {
            State::Hello { transcript, asked } => {
                return self.handle_hello(cx, whole, ClientHello::read(body), transcript, asked);
            }
            State::Exchanging(exchanging) => {
                State::Finishing12(Box::new(exchanging.handle_exchange(whole, body, &mut self.line)?))
            }
            State::Finishing12(finishing) => {
                let kept = finishing.handle_finished(whole, body, &self.spec, &tickets, now_s, &mut self.line)?;
                if let Some((name, session)) = kept.filter(|_| self.spec.session_cache) {
                    cx.shared.sessions.keep(*self.identity.who.seed(), name, session);
                }
                State::Open(None)
            }
            State::Finishing13(finishing) => {
                let (traffic, kept) =
                    finishing.handle_finished(whole, body, &self.spec, &tickets, now_s, &mut self.line)?;
                for (name, session) in kept {
                    cx.shared.sessions.keep(*self.identity.who.seed(), name, session);
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
        if matches!(self.state, State::Open(_))
            && let Some(protocol) = self.protocol.take()
        {
            self.inner.handle_protocol(cx, &protocol);
        }
        Ok(())
    }

    pub(super) fn handle_hello(
        &mut self,
        cx: &mut Context<'_>,
        whole: &[u8],
        hello: Result<ClientHello, Alert>,
        mut transcript: Vec<u8>,
        asked: Option<Group>,
    ) -> Result<(), Fault> {
        self.tell(whole, hello.as_ref().ok());
        let hello = hello?;
        let key = self.spec.certificate_of(self.identity.who.seed()).key;
        let version = match choice::version(&self.spec, key, &hello) {
            Ok(version) => version,
            Err((version, alert)) => {
                self.line.version = version;
                return Err(alert.into());
            }
        };
        self.line.version = version.min(Version::Tls12).number();
        let again = asked.is_some();
        let (tickets, now_s) = (Tickets::of(self.identity.who.seed()), self.utc_s(cx.now));
        let lifetime_s = self.spec.ticket_lifetime_s;
        let (seed, by_identifier) = (*self.identity.who.seed(), self.spec.session_cache);
        let sessions = &cx.shared.sessions;
        let find = |name: &[u8]| if by_identifier { sessions.find(&seed, name) } else { tickets.open(name) };
        let mut choice = choice::choose(&self.spec, key, version, hello, asked, |hello| {
            let name = if by_identifier { Some(hello.session_id.as_slice()) } else { hello.extension(SESSION_TICKET) };
            session::of_old(name.and_then(find), version, hello, now_s, lifetime_s)
        })?;
        choice.names_us = choice
            .hello
            .server_name()
            .is_some_and(|name| name.eq_ignore_ascii_case(self.identity.who.hostname().as_bytes()));
        if version == Tls13 {
            choice.resumed = session::of_shared_key(find, &choice, now_s, lifetime_s, &transcript, whole)?;
        }
        transcript.extend_from_slice(whole);
        self.protocol.clone_from(&choice.protocol);
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
    pub(super) fn go_on(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        if !matches!(self.state, State::Key { .. }) {
            return Ok(());
        }
        let identity = self.identity.who.identity();
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
    pub(super) fn tell(&mut self, octets: &[u8], hello: Option<&ClientHello>) {
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

    /// The decoy's wall clock, seconds since 1970.
    pub(super) fn utc_s(&self, now: u64) -> u64 {
        self.identity.utc.saturating_add(now.saturating_sub(self.identity.opened)) / SECOND
    }
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
