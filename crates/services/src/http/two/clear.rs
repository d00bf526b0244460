//! HTTP/2 without TLS: a client that knows of it begins with its preface (RFC 9113 §3.3), another asks for it in a request
//! of HTTP/1.1 (RFC 7540 §3.2, which servers still answer).

use alloc::{boxed::Box, vec::Vec};

use super::{Block, End, Two, frame::PREFACE};
use crate::http::{
    Http, auth,
    request::{Framing, Request, Version},
};

/// What of the preface is a head of HTTP/1; a server that speaks both waits for it.
const HEAD_OF_PREFACE: usize = 18;
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";

impl Http {
    fn speaks_two_in_clear(&self) -> bool {
        !self.secure && self.spec.http2.as_ref().is_some_and(|two| two.clear)
    }

    /// Goes over to HTTP/2 if the client begins with its preface; whether it did.
    pub(in crate::http) fn go_over(&mut self, now: u64) -> bool {
        let begins =
            self.served == 0 && PREFACE.get(..HEAD_OF_PREFACE).is_some_and(|head| self.input.starts_with(head));
        if !begins || !self.speaks_two_in_clear() {
            return false;
        }
        let Some(mut two) = Two::new(self, now) else { return false };
        if self.input.len() < PREFACE.len() {
            // lighttpd takes what stands behind the head for frames, if it does not come with it.
            self.input.drain(..HEAD_OF_PREFACE);
            two.greeted = PREFACE.len();
        }
        self.continue_with(two, now);
        true
    }

    /// Whether a request asks for HTTP/2, of a server that gives it: the settings that come with it.
    pub(in crate::http) fn asks_for_two(&self, request: &Request) -> Option<Vec<u8>> {
        // As lighttpd judges it, which does not look for `Upgrade` in `Connection`.
        let wanted = request.version == Version::Current
            && request.framing == Framing::None
            && request.connection_says("http2-settings")
            && request.value_says("upgrade", "h2c");
        let settings = request.value("http2-settings").filter(|_| wanted && self.speaks_two_in_clear())?;
        // The alphabet of addresses, without padding (RFC 4648 §5).
        let plain = settings.iter().map(|octet| match octet {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        });
        auth::base64(&plain.collect::<Vec<u8>>())
    }

    /// Answers the request that asked for HTTP/2 as its first stream.
    pub(in crate::http) fn switch(&mut self, now: u64, request: Request, settings: &[u8]) {
        let Some(mut two) = Two::silent(self, now) else { return };
        self.outbox.send(SWITCHING);
        let judged = two.apply(settings);
        if let Err(End::Goaway(code, text)) = judged {
            // This is said even before its own settings are.
            two.goaway(0, code, text);
            two.flush(self);
        }
        two.introduce(self);
        two.take_over(self, now, request);
        if judged.is_err() {
            two.leave(self, now);
        }
        self.continue_with(two, now);
    }

    /// From here on the connection is one of HTTP/2; what came belongs to it.
    fn continue_with(&mut self, mut two: Two, now: u64) {
        let came = core::mem::take(&mut self.input);
        two.resume(self, now, came);
        self.two = Some(Box::new(two));
        self.set_alarm();
    }
}

impl Two {
    /// The request is the first stream, of which the client has said all.
    fn take_over(&mut self, http: &mut Http, now: u64, request: Request) {
        self.last = 1;
        let block =
            Block { stream: 1, ended: true, octets: Vec::new(), continuations: 0, ignored: false, trailing: false };
        self.open(http, now, &block, request, None);
    }

    /// Reads what came before the connection was one of HTTP/2.
    fn resume(&mut self, http: &mut Http, now: u64, came: Vec<u8>) {
        if !self.over {
            self.input = came;
            self.read(http, now);
        }
    }
}
