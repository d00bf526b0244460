//! How web servers end connections, in segments: what has been said, then FIN by itself, and after that a while in
//! which what the client says is acknowledged, until it is answered with RST.

use chaff_engine::spec::FleetSpec;
use chaff_services::{HttpKeeping, HttpLinger};
use chaff_testkit::{
    fixture::{self, WEB},
    script::{ACK, FIN, PSH, Packet, RST, Script, mss, tcp},
};
use chaff_wire::tcp::Flags;

/// The host's first octet of data; its SYN was one before.
const FIRST: u32 = 101;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A decoy with a web server that ends so.
fn fleet(linger: Option<HttpLinger>) -> FleetSpec {
    fixture::web(HttpKeeping { linger, ..HttpKeeping::default() })
}

/// A host whose request was answered with all that there is and FIN, both of which it acknowledged; the numbers that
/// both sides go on with.
fn answered(name: &str, linger: Option<HttpLinger>) -> (Script, u32, u32) {
    let mut host = Script::with(name, fleet(linger));
    host.to(WEB);
    let theirs = host.connect(FIRST - 1, &[mss(1460)]).seq.wrapping_add(1);
    host.send(tcp(ACK | PSH).seq(FIRST).ack(theirs).window(64_240).data(REQUEST));
    let ours = FIRST + u32::try_from(REQUEST.len()).unwrap();
    let said = host.take(100);
    let data: Vec<_> = said.iter().filter(|part| !part.data.is_empty()).collect();
    assert!(data.len() == 1 && data[0].data.ends_with(b"hello") && !data[0].flags.has(Flags::FIN), "{said:?}");
    let end = theirs.wrapping_add(u32::try_from(data[0].data.len()).unwrap());
    let last = said.last().unwrap();
    assert!(last.flags.has(Flags::FIN) && last.data.is_empty() && last.seq == end, "{said:?}");
    let theirs = end.wrapping_add(1);
    host.send(tcp(ACK).seq(ours).ack(theirs).window(64_240));
    host.expect_nothing(100);
    (host, ours, theirs)
}

fn word(seq: u32, ack: u32) -> Packet {
    tcp(ACK | PSH).seq(seq).ack(ack).window(64_240).data(b"x")
}

#[test]
fn who_closes_at_once_refuses_what_comes_then() {
    let (mut host, ours, theirs) = answered("http-closes", None);
    host.send(word(ours, theirs));
    host.expect(tcp(RST).seq(theirs));
    host.expect_nothing(1000);
}

#[test]
fn who_lingers_takes_what_comes_until_the_time_is_over() {
    let linger = HttpLinger { most_s: 5, ..HttpLinger::default() };
    let (mut host, ours, theirs) = answered("http-lingers", Some(linger));
    for n in 0..4 {
        host.send(word(ours + n, theirs));
        host.expect_within(50, tcp(ACK).seq(theirs).ack(ours + n + 1).length(0));
        host.wait(1000);
    }
    host.wait(1000);
    host.send(word(ours + 4, theirs));
    host.expect(tcp(RST).seq(theirs));
    host.expect_nothing(1000);
}

#[test]
fn who_lingers_as_long_as_there_is_no_silence_has_a_limit_too() {
    let linger = HttpLinger { silence_s: 2, most_s: 6, ..HttpLinger::default() };
    let (mut host, ours, theirs) = answered("http-lingers-long", Some(linger.clone()));
    for n in 0..4 {
        host.send(word(ours + n, theirs));
        host.expect_within(50, tcp(ACK).seq(theirs).ack(ours + n + 1).length(0));
        host.wait(1500);
    }
    host.send(word(ours + 4, theirs));
    host.expect(tcp(RST).seq(theirs));
    let (mut host, ours, theirs) = answered("http-lingers-silence", Some(linger));
    host.wait(2500);
    host.send(word(ours, theirs));
    host.expect(tcp(RST).seq(theirs));
}

#[test]
fn a_client_that_ends_is_not_lingered_for() {
    let linger = HttpLinger { most_s: 30, ..HttpLinger::default() };
    let (mut host, ours, theirs) = answered("http-both-end", Some(linger));
    host.send(tcp(ACK | FIN).seq(ours).ack(theirs).window(64_240));
    host.expect(tcp(ACK).seq(theirs).ack(ours + 1));
    // TIME-WAIT: a FIN that comes again is acknowledged again.
    host.wait(1000);
    host.send(tcp(ACK | FIN).seq(ours).ack(theirs).window(64_240));
    host.expect(tcp(ACK).seq(theirs).ack(ours + 1));
}

#[test]
fn nothing_but_what_may_be_unread_is_lingered_for_where_that_is_the_rule() {
    let linger = HttpLinger { unread_only: true, silence_s: 5, most_s: 30, ..HttpLinger::default() };
    let (mut host, ours, theirs) = answered("http-nothing-unread", Some(linger));
    host.send(word(ours, theirs));
    host.expect(tcp(RST).seq(theirs));
}
