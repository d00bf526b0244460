//! Answers over HTTP/2: headers, and bodies as far as the client's windows let them.

use alloc::{string::String, vec::Vec};

use super::{
    Two,
    frame::{self, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, NO_ERROR},
    stream::Reply,
    tell,
};
use crate::http::{
    Http, NANOS_OF_MS,
    respond::{Answer, Manner},
};

/// Fields that are a connection's, which HTTP/2 does not have (RFC 9113 §8.2.2).
const OF_CONNECTION: [&str; 3] = ["connection", "keep-alive", "transfer-encoding"];

impl Two {
    /// Answers who can be answered, as far as there is room.
    pub(super) fn turn(&mut self, http: &mut Http, now: u64) {
        let direct = !self.says_why();
        let mut at = 0;
        while at < self.streams.len() && !http.outbox.is_behind() {
            let before = self.streams.len();
            self.begin(http, now, at);
            if direct {
                while self.send(http, at) && !http.outbox.is_behind() {}
                self.finish(http, at);
            }
            if self.streams.len() == before {
                at += 1;
            }
        }
        if direct {
            return;
        }
        // One frame of each, again and again.
        let mut moved = true;
        while moved && !http.outbox.is_behind() {
            moved = false;
            for at in 0..self.streams.len() {
                moved |= self.send(http, at);
            }
            for at in (0..self.streams.len()).rev() {
                self.finish(http, at);
            }
        }
    }

    /// Says the head of an answer, if it is its time.
    fn begin(&mut self, http: &mut Http, now: u64, at: usize) {
        let direct = !self.says_why();
        let Some(stream) = self.streams.get_mut(at) else { return };
        match core::mem::replace(&mut stream.reply, Reply::Done) {
            // Those who gather what they send do not begin what they cannot send.
            Reply::Ready(refusal) if direct || stream.window > 0 => {
                let answer = match refusal {
                    Some((status, when, _)) => http.error(&stream.request, status, when),
                    None => http.choose(&stream.request, &stream.body, now),
                };
                let early = refusal.is_some_and(|(_, _, early)| early);
                stream.offered = core::mem::take(&mut http.offered);
                if answer.held_ms > 0 {
                    let until = now.saturating_add(u64::from(answer.held_ms) * NANOS_OF_MS);
                    stream.reply = Reply::Held(until, answer, early);
                } else {
                    self.say(http, at, answer, early);
                }
            }
            Reply::Held(until, answer, early) if until <= now => self.say(http, at, answer, early),
            reply => stream.reply = reply,
        }
    }

    fn say(&mut self, http: &mut Http, at: usize, answer: Answer, early: bool) {
        let Some(stream) = self.streams.get_mut(at) else { return };
        let manner = Manner {
            keeps: true,
            asked: false,
            bare: false,
            current: true,
            without_body: stream.request.is("HEAD"),
            left: 1,
            utc: http.utc(stream.asked),
        };
        let status = answer.status;
        let (fields, body) = answer.into_fields(&http.spec, manner);
        let mut fields: Vec<(String, String)> =
            fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        fields.retain(|(name, _)| !OF_CONNECTION.contains(&name.as_str()));
        let two = http.spec.http2.as_ref();
        if !early && two.is_some_and(|two| two.dates_last) {
            let place = |name: &str| ["date", "server"].iter().position(|last| *last == name).map_or(0, |at| at + 1);
            fields.sort_by_key(|(name, _)| place(name));
        }
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let block = self.encoder.encode(status, &fields, &self.huffman);
        let end = if body.is_empty() { END_STREAM } else { 0 };
        let mut out = Vec::new();
        let pieces = block.len().div_ceil(self.frame).max(1);
        for (place, piece) in block.chunks(self.frame).enumerate() {
            let flags = if place == 0 { end } else { 0 } | if place + 1 == pieces { END_HEADERS } else { 0 };
            frame::put(&mut out, if place == 0 { HEADERS } else { CONTINUATION }, flags, stream.id, piece);
        }
        stream.reply = Reply::Sending(body, 0);
        http.outbox.send(&out);
    }

    /// Sends one frame of a body; whether it could.
    fn send(&mut self, http: &mut Http, at: usize) -> bool {
        let most = self.rules().max_data().min(self.frame);
        let apart = self.rules().ends_apart;
        let Some(stream) = self.streams.get_mut(at) else { return false };
        let Reply::Sending(body, sent) = &mut stream.reply else { return false };
        let window = usize::try_from(stream.window.min(self.window)).unwrap_or(0);
        let rest = body.get(*sent..).unwrap_or(&[]);
        let piece = rest.get(..most.min(window).min(rest.len())).unwrap_or(&[]);
        if piece.is_empty() {
            return false;
        }
        let last = piece.len() == rest.len();
        let mut out = Vec::with_capacity(piece.len() + 2 * frame::HEAD);
        frame::put(&mut out, DATA, if last && !apart { END_STREAM } else { 0 }, stream.id, piece);
        if last && apart {
            frame::put(&mut out, DATA, END_STREAM, stream.id, &[]);
        }
        http.outbox.send(&out);
        let count = i64::try_from(piece.len()).unwrap_or(i64::MAX);
        *sent += piece.len();
        stream.window -= count;
        self.window -= count;
        true
    }

    /// All of an answer is out.
    fn finish(&mut self, http: &mut Http, at: usize) {
        let Some(stream) = self.streams.get_mut(at) else { return };
        let Reply::Sending(body, sent) = &stream.reply else { return };
        if *sent < body.len() {
            return;
        }
        stream.reply = Reply::Done;
        if stream.ended {
            tell(http, self.streams.remove(at));
        } else {
            // Its client need not send the rest (RFC 9113 §8.1); what comes all the same is evidence.
            self.put_reset_of(at, NO_ERROR);
            self.flush(http);
        }
    }

    fn put_reset_of(&mut self, at: usize, code: u32) {
        if let Some(id) = self.streams.get(at).map(|stream| stream.id) {
            self.put_reset(id, code);
        }
    }
}

impl Answer {
    /// Its fields in their order, and its body.
    pub(in crate::http) fn into_fields(
        mut self,
        spec: &crate::http::spec::HttpSpec,
        manner: Manner,
    ) -> (Vec<(String, String)>, Vec<u8>) {
        self.add_general(spec, manner, false);
        let bodyless = manner.without_body || self.contentless;
        (self.headers, if bodyless { Vec::new() } else { self.body })
    }
}
