//! What connections of a modern Linux do beyond the standard, as packet scripts; `chaff/tests/twin.rs` has the kernel's
//! own word for each.

use chaff_testkit::{
    fixture::{CLOSED, DISCARD, ECHO},
    script::{
        ACK, CWR, ECE, FIN, Option, PSH, RST, SYN, Script, Seen, URG, mss, nop, sack_permitted, tcp, timestamps,
        window_scale,
    },
};

const FIRST: u32 = 101;

/// What a modern client offers.
fn offer() -> Vec<Option> {
    vec![mss(1460), sack_permitted(), timestamps(1, 0), nop(), window_scale(7)]
}

/// A connection to `port` with all options; the decoy's first octet, and what answers its timestamps.
fn connected(name: &str, port: u16) -> (Script, u32, [Option; 3]) {
    let mut host = Script::new(name);
    host.to(port);
    let answer = host.connect(FIRST - 1, &offer());
    let echo = answer.timestamps().unwrap().0;
    (host, answer.seq + 1, [nop(), nop(), timestamps(1, echo)])
}

fn blocks(seen: &Seen) -> Vec<(u32, u32)> {
    let edge = |octets: &[u8]| u32::from_be_bytes(octets.try_into().unwrap());
    let found = chaff_wire::tcp::Segment::parse(&seen.frame[34..]).unwrap().options().find_map(|option| match option {
        chaff_wire::tcp::TcpOption::Sack(blocks) => Some(blocks.to_vec()),
        _ => None,
    });
    found.unwrap_or_default().chunks(8).map(|pair| (edge(&pair[..4]), edge(&pair[4..]))).collect()
}

#[test]
fn the_first_request_is_acknowledged_before_it_is_answered_and_the_second_with_its_answer() {
    let (mut host, theirs, stamps) = connected("manners-turns", ECHO);
    host.send(tcp(ACK | PSH).seq(FIRST).ack(theirs).options(stamps.clone()).data(b"one"));
    host.expect(tcp(ACK).ack(FIRST + 3).length(0));
    host.expect(tcp(ACK | PSH).seq(theirs).ack(FIRST + 3).data(b"one"));
    host.send(tcp(ACK | PSH).seq(FIRST + 3).ack(theirs + 3).options(stamps).data(b"two"));
    host.expect(tcp(ACK | PSH).seq(theirs + 3).ack(FIRST + 6).data(b"two"));
}

#[test]
fn the_window_is_rounded_up_and_opens_with_full_segments() {
    let (mut host, theirs, stamps) = connected("manners-window", DISCARD);
    // 65,160 octets were offered; in units of 1,024 that is a little less than 64.
    host.send(tcp(ACK | PSH).seq(FIRST).ack(theirs).options(stamps.clone()).data(b"x"));
    host.expect(tcp(ACK).ack(FIRST + 1).window(64));
    let mut seq = FIRST + 1;
    for window in [67, 70, 73, 75, 78, 79, 79] {
        host.send(tcp(ACK).seq(seq).ack(theirs).options(stamps.clone()).data(&[7; 1448]));
        seq += 1448;
        host.expect(tcp(ACK).ack(seq).window(window));
    }
}

#[test]
fn what_came_twice_is_told_first_and_once() {
    // RFC 2883 §4.
    let (mut host, theirs, stamps) = connected("manners-dsack", DISCARD);
    let part = |from: u32, data: &[u8]| tcp(ACK | PSH).seq(FIRST + from).ack(theirs).options(stamps.clone()).data(data);
    host.send(part(0, &[1; 10]));
    host.take(0);
    host.send(part(20, &[3; 10]));
    assert_eq!(blocks(&host.expect(tcp(ACK).ack(FIRST + 10))), [(FIRST + 20, FIRST + 30)]);
    host.send(part(2, &[1; 4]));
    let told = blocks(&host.expect(tcp(ACK).ack(FIRST + 10)));
    assert_eq!(told, [(FIRST + 2, FIRST + 6), (FIRST + 20, FIRST + 30)]);
    host.send(part(40, &[5; 10]));
    let told = blocks(&host.expect(tcp(ACK).ack(FIRST + 10)));
    assert_eq!(told, [(FIRST + 40, FIRST + 50), (FIRST + 20, FIRST + 30)]);
    // What lies between grows the blocks that it touches.
    host.send(part(30, &[4; 10]));
    assert_eq!(blocks(&host.expect(tcp(ACK).ack(FIRST + 10))), [(FIRST + 20, FIRST + 50)]);
}

#[test]
fn nonsense_is_answered_twice_a_second_at_most() {
    let (mut host, theirs, stamps) = connected("manners-invalid", DISCARD);
    let far = |n: u32| tcp(ACK).seq(FIRST + 200_000 + n).ack(theirs).options(stamps.clone());
    host.send(far(0));
    host.expect(tcp(ACK).seq(theirs).ack(FIRST));
    host.send(far(1));
    host.send(tcp(RST).seq(FIRST + 50));
    host.send(tcp(SYN).seq(FIRST + 50));
    host.expect_nothing(400);
    host.wait(150);
    host.send(tcp(RST).seq(FIRST + 50));
    host.expect(tcp(ACK).seq(theirs).ack(FIRST));
    // Data is answered always, and an exact RST ends it (RFC 5961 §3.2).
    for n in 0..3 {
        host.send(far(n).data(b"x"));
        host.expect(tcp(ACK).seq(theirs).ack(FIRST));
    }
    host.send(tcp(RST).seq(FIRST));
    host.send(tcp(ACK).seq(FIRST).ack(theirs).options(stamps));
    host.expect(tcp(RST).seq(theirs));
}

#[test]
fn acknowledgments_of_what_was_never_sent_bring_nothing_in() {
    // RFC 5961 §5.2: the data beside them is not taken either.
    let (mut host, theirs, stamps) = connected("manners-foreign", DISCARD);
    for ack in [theirs + 1, theirs.wrapping_sub(1)] {
        host.send(tcp(ACK | PSH).seq(FIRST).ack(ack).options(stamps.clone()).data(b"x"));
        host.expect(tcp(ACK).seq(theirs).ack(FIRST));
        host.wait(600);
    }
}

#[test]
fn a_handshake_knows_what_it_asked_for() {
    let mut host = Script::new("manners-handshake");
    host.to(DISCARD);
    let syn = |seq: u32| tcp(SYN).seq(seq).options(offer());
    host.send(syn(100));
    let first = host.expect(tcp(SYN | ACK).ack(101));
    // Again: once in half a second.
    host.send(syn(100));
    assert_eq!(host.expect(tcp(SYN | ACK).ack(101)).seq, first.seq);
    host.send(syn(100));
    host.expect_nothing(100);
    // RST inside of the window is asked about, beyond it overlooked.
    host.wait(600);
    host.send(tcp(RST).seq(5000));
    host.expect(tcp(ACK).seq(first.seq + 1).ack(101).window(63));
    host.send(tcp(RST).seq(900_000));
    host.expect_nothing(100);
    // An echo of a timestamp that was never sent does not complete it.
    let foreign = [nop(), nop(), timestamps(1, first.timestamps().unwrap().0.wrapping_sub(9999))];
    host.wait(600);
    // Its time came meanwhile.
    host.expect(tcp(SYN | ACK).ack(101));
    host.send(tcp(ACK).seq(101).ack(first.seq + 1).options(foreign));
    host.expect(tcp(ACK).seq(first.seq + 1).ack(101));
    // Another SYN inside of the window ends it.
    host.send(syn(3000));
    host.expect(tcp(RST | ACK).ack(3001));
    host.send(tcp(ACK).seq(101).ack(first.seq + 1));
    host.expect(tcp(RST).seq(first.seq + 1));
}

#[test]
fn a_lost_tail_is_probed_for_before_the_timeout() {
    // RFC 8985 §7.3: two round trips after it was sent, and 200 ms for the peer's delay where it was sent alone.
    let (mut host, theirs, stamps) = connected("manners-tail", ECHO);
    host.send(tcp(ACK | PSH).seq(FIRST).ack(theirs).options(stamps).data(b"hello"));
    host.expect(tcp(ACK).length(0));
    host.expect(tcp(ACK | PSH).data(b"hello"));
    host.mark();
    host.expect_at(204, tcp(ACK | PSH).seq(theirs).data(b"hello"));
    host.expect_at(410, tcp(ACK | PSH).seq(theirs).data(b"hello"));
    host.expect_at(826, tcp(ACK | PSH).seq(theirs).data(b"hello"));
}

#[test]
fn small_answers_wait_for_each_other() {
    // RFC 9293 §3.7.4.
    let (mut host, theirs, stamps) = connected("manners-nagle", ECHO);
    let ask = |n: u32, data: &[u8]| tcp(ACK | PSH).seq(FIRST + 3 * n).ack(theirs).options(stamps.clone()).data(data);
    host.send(ask(0, b"one"));
    host.take(0);
    host.send(ask(1, b"two"));
    host.send(ask(2, b"six"));
    assert!(host.take(20).iter().all(|seen| seen.data.is_empty()));
    host.send(tcp(ACK).seq(FIRST + 9).ack(theirs + 3).options(stamps.clone()));
    host.expect(tcp(ACK | PSH).seq(theirs + 3).data(b"twosix"));
}

#[test]
fn the_urgent_octet_is_not_in_the_stream() {
    let (mut host, theirs, stamps) = connected("manners-urgent", ECHO);
    host.send(tcp(ACK | PSH | URG).seq(FIRST).ack(theirs).urgent(3).options(stamps.clone()).data(b"abcde"));
    host.expect(tcp(ACK).ack(FIRST + 5).length(0));
    // Reading stops before it (RFC 9293 §3.8.5).
    host.expect(tcp(ACK | PSH).seq(theirs).data(b"ab"));
    host.send(tcp(ACK).seq(FIRST + 5).ack(theirs + 2).options(stamps));
    host.expect(tcp(ACK | PSH).seq(theirs + 2).data(b"de"));
}

#[test]
fn congestion_is_echoed_until_the_peer_slows_down() {
    // RFC 3168 §6.1.3.
    let mut host = Script::new("manners-ecn");
    host.to(ECHO);
    host.send(tcp(SYN | ECE | CWR).seq(FIRST - 1).options([mss(1460)]));
    let theirs = host.expect(tcp(SYN | ACK | ECE)).seq + 1;
    host.send(tcp(ACK).seq(FIRST).ack(theirs));
    host.send(tcp(ACK | PSH).seq(FIRST).ack(theirs).tos(3).data(b"a"));
    host.expect(tcp(ACK | ECE).ack(FIRST + 1).length(0).tos(0));
    host.expect(tcp(ACK | PSH | ECE).data(b"a").tos(2));
    host.send(tcp(ACK | PSH | CWR).seq(FIRST + 1).ack(theirs + 1).tos(2).data(b"b"));
    host.expect(tcp(ACK).ack(FIRST + 2).length(0));
    host.expect(tcp(ACK | PSH).data(b"b").tos(2));
    // The peer met congestion: the next data says that we slowed down.
    host.send(tcp(ACK | PSH | ECE).seq(FIRST + 2).ack(theirs + 1).tos(2).data(b"c"));
    host.send(tcp(ACK).seq(FIRST + 3).ack(theirs + 2).tos(2));
    let sent = host.take(100);
    assert!(sent.iter().any(|seen| seen.data == b"c" && seen.flags.has(chaff_wire::tcp::Flags::CWR)), "{sent:?}");
}

#[test]
fn a_signed_syn_is_dropped() {
    // RFC 2385: nobody has agreed on a key.
    let mut host = Script::new("manners-signed");
    host.to(ECHO);
    host.send(tcp(SYN).seq(1).options([mss(1460), chaff_testkit::script::raw(19, &[7; 16]), nop(), nop()]));
    host.expect_nothing(1500);
}

#[test]
fn a_reset_has_the_type_of_service_of_what_it_answers() {
    let mut host = Script::new("manners-tos");
    host.to(CLOSED);
    host.send(tcp(SYN).seq(1).tos(0xb9));
    host.expect(tcp(RST | ACK).ack(2).tos(0xb8));
}

#[test]
fn a_route_is_recorded_in_a_syn_ack() {
    let mut host = Script::new("manners-route");
    host.to(ECHO);
    host.send(tcp(SYN).seq(1).options([mss(1460)]).ip_options(&[7, 7, 4, 0, 0, 0, 0, 0]));
    let answer = host.expect(tcp(SYN | ACK).ack(2));
    assert_eq!(answer.ip_options, [7, 7, 8, 10, 0, 1, 0, 0]);
}

#[test]
fn selective_acknowledgments_ride_on_data() {
    let (mut host, theirs, stamps) = connected("manners-sack-data", ECHO);
    let part = |from: u32, data: &[u8]| tcp(ACK | PSH).seq(FIRST + from).ack(theirs).options(stamps.clone()).data(data);
    host.send(part(5, b"later"));
    host.take(0);
    host.send(part(20, b"much later"));
    host.take(0);
    host.send(part(0, b"first"));
    let sent = host.take(0);
    let data = sent.iter().find(|seen| seen.data == b"firstlater").expect("the answer");
    assert_eq!(blocks(data), [(FIRST + 20, FIRST + 30)]);
}

#[test]
fn what_is_left_of_a_closed_connection_answers_for_nobody() {
    let (mut host, theirs, stamps) = connected("manners-fin", ECHO);
    host.send(tcp(ACK | FIN).seq(FIRST).ack(theirs).options(stamps.clone()));
    host.expect(tcp(ACK | FIN).seq(theirs).ack(FIRST + 1));
    host.send(tcp(ACK).seq(FIRST + 1).ack(theirs + 1).options(stamps.clone()));
    host.send(tcp(ACK).seq(FIRST + 1).ack(theirs + 1).options(stamps));
    host.expect(tcp(RST).seq(theirs + 1));
}
