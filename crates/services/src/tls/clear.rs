//! What a server behind TLS says to a client that speaks something else.

use super::{State, Tls};
use crate::{
    calendar::Moment,
    limits::tls::MAX_CLEAR_REQUEST,
    text::{fill_with, unescape},
};

/// What OpenSSL knows HTTP by (`ssl3_get_record`).
const METHODS: [&[u8]; 4] = [b"GET ", b"POST ", b"HEAD ", b"PUT "];

impl Tls {
    /// What comes in clear to a server that speaks only TLS: a request is read to its end, anything else is answered
    /// where it stops looking like one.
    pub(super) fn answer_in_clear(&mut self, now: u64) {
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

    pub(super) fn say_in_clear(&mut self, now: u64, looks: bool) {
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
}

/// Whether octets begin as OpenSSL knows HTTP.
pub(super) fn begins_with_a_method(octets: &[u8]) -> bool {
    METHODS.iter().any(|method| octets.starts_with(method))
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
