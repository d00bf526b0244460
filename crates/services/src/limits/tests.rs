//! Limits that hold whatever the protocol is; those of one protocol are tried in its own tests.

use alloc::vec::Vec;

use super::{echo, http, outbox};
use crate::{
    Conversation,
    tests::{SECOND, at, drain, start},
};

/// What a client offers that reads nothing.
const OFFERED: usize = 4 << 20;

/// Octets that are taken of a client that reads nothing, and never ends.
fn taken(conversation: &mut dyn Conversation, piece: &[u8]) -> usize {
    let mut taken = 0;
    while taken < OFFERED {
        match conversation.handle_octets(at!(SECOND), piece) {
            0 => break,
            count => taken += count,
        }
    }
    taken
}

#[test]
fn of_who_reads_nothing_no_more_is_taken_than_may_wait() {
    // Answers are longer than these requests, so what waits is bounded with what is taken.
    let cases: [(&str, &[u8], usize); 3] = [
        ("web", b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n", http::MAX_INPUT),
        ("web", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", outbox::MAX_PENDING + http::MAX_INPUT),
        ("echo", &[0xff; 1000], echo::MAX_PENDING),
    ];
    for (name, request, most) in cases {
        let mut conversation = start(name);
        let taken = taken(&mut *conversation, &request.repeat(1000 / request.len()));
        assert!(taken > 0 && taken <= most, "{name}: {taken} octets were taken of {request:?}");
    }
}

#[test]
fn a_head_without_end_is_taken_no_further_than_the_limit() {
    for piece in [&b"x"[..], b"a: b\r\n"] {
        let mut web = start("web");
        let mut sent: Vec<u8> = b"GET / HTTP/1.1\r\n".to_vec();
        sent.extend(piece.repeat(OFFERED / piece.len()));
        let (mut rest, mut closed) = (&sent[..], false);
        while !rest.is_empty() && !closed {
            let count = web.handle_octets(at!(SECOND), &rest[..rest.len().min(1460)]);
            rest = &rest[count..];
            closed = drain(&mut *web, SECOND, 1460).closed;
        }
        let read = sent.len() - rest.len();
        assert!(closed && read <= http::MAX_INPUT, "{read} octets were taken, ended: {closed}");
    }
}
