//! TCP connections (RFC 9293, RFC 7323, RFC 2018, RFC 5681, RFC 5961), one rule a test.

use chaff_testkit::{
    fixture::{DISCARD, ECHO, OPEN},
    script::{
        ACK, FIN, Option, PSH, Packet, RST, SYN, Script, Seen, mss, nop, sack, sack_permitted, tcp, timestamps,
        timestamps_any, window_scale,
    },
};

/// The host's first octet of data; its SYN was one before.
const FIRST: u32 = 101;

/// A connection to `port` whose client offered `options`; returns the decoy's first sequence number after its SYN.
fn connected(port: u16, options: &[Option]) -> (Script, u32) {
    let mut host = Script::new("tcp-connection");
    host.to(port);
    let answer = host.connect(FIRST - 1, options);
    (host, answer.seq.wrapping_add(1))
}

/// A segment of the client.
fn segment(seq: u32, ack: u32, data: &[u8]) -> Packet {
    tcp(ACK | PSH).seq(seq).ack(ack).window(64_240).data(data)
}

fn joined(parts: &[Seen]) -> Vec<u8> {
    parts.iter().flat_map(|part| part.data.clone()).collect()
}

#[test]
fn data_is_echoed_and_acknowledged() {
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(segment(FIRST, theirs, b"hello"));
    let parts = host.take(100);
    assert_eq!(joined(&parts), b"hello");
    let last = parts.last().unwrap();
    assert_eq!((last.ack, last.df, last.ttl), (FIRST + 5, true, 64));
    host.send(tcp(ACK).seq(FIRST + 5).ack(theirs + 5).window(64_240));
    host.expect_nothing(10_000);
}

#[test]
fn identifications_of_a_connection_grow_by_one() {
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    let mut ids = Vec::new();
    for n in 0..4 {
        host.send(segment(FIRST + n, theirs + n, b"x"));
        ids.extend(host.take(100).iter().map(|part| part.id));
    }
    host.send(tcp(ACK).seq(FIRST + 4).ack(theirs + 4));
    assert!(ids.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == 1), "{ids:?}");
}

#[test]
fn data_without_an_answer_is_acknowledged_in_time() {
    let (mut host, theirs) = connected(DISCARD, &[mss(1460)]);
    host.send(segment(FIRST, theirs, b"hello"));
    // RFC 9293 §3.8.6.3: within half a second, and this personality within 40 ms.
    host.expect_within(50, tcp(ACK).seq(theirs).ack(FIRST + 5).length(0));
    host.expect_nothing(10_000);
}

#[test]
fn every_second_full_segment_is_acknowledged_at_once() {
    let (mut host, theirs) = connected(DISCARD, &[mss(1460)]);
    let full = vec![7; 1460];
    host.send(segment(FIRST, theirs, &full));
    host.send(segment(FIRST + 1460, theirs, &full));
    let acks = host.take(1);
    assert_eq!(acks.last().map(|ack| ack.ack), Some(FIRST + 2920));
}

#[test]
fn a_gap_is_reported_at_once_and_filled_later() {
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(segment(FIRST + 5, theirs, b"world"));
    host.expect(tcp(ACK).ack(FIRST).length(0));
    host.send(segment(FIRST, theirs, b"hello"));
    let parts = host.take(100);
    assert_eq!(joined(&parts), b"helloworld");
    assert_eq!(parts.last().unwrap().ack, FIRST + 10);
}

#[test]
fn what_lies_beyond_a_gap_is_named_in_sack_blocks() {
    let (mut host, theirs) = connected(DISCARD, &[mss(1460), nop(), nop(), sack_permitted()]);
    host.send(segment(FIRST + 10, theirs, b"0123456789"));
    host.expect(tcp(ACK).ack(FIRST).options([nop(), nop(), sack(&[(FIRST + 10, FIRST + 20)])]));
    host.send(segment(FIRST + 30, theirs, b"0123456789"));
    // RFC 2018 §4: the block of the segment that caused the acknowledgment comes first.
    let blocks = sack(&[(FIRST + 30, FIRST + 40), (FIRST + 10, FIRST + 20)]);
    host.expect(tcp(ACK).ack(FIRST).options([nop(), nop(), blocks]));
    host.send(segment(FIRST, theirs, b"0123456789"));
    let blocks = sack(&[(FIRST + 30, FIRST + 40)]);
    host.expect(tcp(ACK).ack(FIRST + 20).options([nop(), nop(), blocks]));
    host.send(segment(FIRST + 20, theirs, b"0123456789"));
    host.expect_within(50, tcp(ACK).ack(FIRST + 40).options([]));
}

#[test]
fn without_the_option_there_are_no_sack_blocks() {
    let (mut host, theirs) = connected(DISCARD, &[mss(1460)]);
    host.send(segment(FIRST + 10, theirs, b"0123456789"));
    host.expect(tcp(ACK).ack(FIRST).options([]));
}

#[test]
fn old_data_is_acknowledged_again_and_not_taken_twice() {
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(segment(FIRST, theirs, b"hello"));
    assert_eq!(joined(&host.take(100)), b"hello");
    host.send(segment(FIRST, theirs + 5, b"hello"));
    host.expect(tcp(ACK).ack(FIRST + 5).length(0));
    // Half old, half new.
    host.send(segment(FIRST + 3, theirs + 5, b"loworld"));
    assert_eq!(joined(&host.take(100)), b"world");
}

#[test]
fn data_beyond_the_window_is_not_taken() {
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(segment(FIRST + 1_000_000, theirs, b"hello"));
    host.expect(tcp(ACK).seq(theirs).ack(FIRST).length(0));
    host.expect_nothing(5000);
}

#[test]
fn half_closing_leaves_the_other_half_open() {
    // RFC 9293 §3.6: the client has said all; the server may still speak.
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(tcp(FIN | ACK | PSH).seq(FIRST).ack(theirs).window(64_240).data(b"last words"));
    let parts = host.take(100);
    assert_eq!(joined(&parts), b"last words");
    let last = parts.last().unwrap();
    assert!(last.flags.has(chaff_wire::tcp::Flags::FIN), "the decoy closes when all is echoed: {}", last.line());
    assert_eq!(last.ack, FIRST + 11);
    host.send(tcp(ACK).seq(FIRST + 11).ack(theirs + 11));
    host.expect_nothing(1000);
    // The connection is gone: what comes now belongs to none.
    host.send(segment(FIRST + 11, theirs + 11, b"anybody?"));
    host.expect(tcp(RST).seq(theirs + 11));
}

#[test]
fn a_fin_that_is_not_acknowledged_is_sent_again() {
    let (mut host, theirs) = connected(DISCARD, &[mss(1460)]);
    host.send(tcp(FIN | ACK).seq(FIRST).ack(theirs).window(64_240));
    let parts = host.take(100);
    assert!(parts.last().unwrap().flags.has(chaff_wire::tcp::Flags::FIN));
    let again = host.expect_within(1500, tcp(FIN | ACK).seq(theirs).ack(FIRST + 1));
    assert!(again.at > parts.last().unwrap().at);
    host.send(tcp(ACK).seq(FIRST + 1).ack(theirs + 1));
    host.expect_nothing(10_000);
}

#[test]
fn a_reset_at_the_expected_octet_ends_the_connection() {
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(tcp(RST).seq(FIRST));
    host.expect_nothing(100);
    host.send(segment(FIRST, theirs, b"hello"));
    host.expect(tcp(RST).seq(theirs));
}

#[test]
fn a_reset_elsewhere_in_the_window_is_challenged() {
    // RFC 5961 §3.2.
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(tcp(RST).seq(FIRST + 10));
    host.expect(tcp(ACK).seq(theirs).ack(FIRST));
    host.send(segment(FIRST, theirs, b"still here"));
    assert_eq!(joined(&host.take(100)), b"still here");
}

#[test]
fn a_reset_outside_of_the_window_is_dropped() {
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(tcp(RST).seq(FIRST.wrapping_sub(1000)));
    host.send(tcp(RST).seq(FIRST + 10_000_000));
    host.expect_nothing(100);
    host.send(segment(FIRST, theirs, b"still here"));
    assert_eq!(joined(&host.take(100)), b"still here");
}

#[test]
fn a_syn_in_a_connection_is_challenged() {
    // RFC 5961 §4.2.
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(tcp(SYN).seq(FIRST + 20).options([mss(1460)]));
    host.expect(tcp(ACK).seq(theirs).ack(FIRST));
    host.send(segment(FIRST, theirs, b"still here"));
    assert_eq!(joined(&host.take(100)), b"still here");
}

#[test]
fn an_acknowledgment_of_what_was_never_sent_is_answered() {
    // RFC 9293 §3.10.7.4: "If the ACK acks something not yet sent, then send an ACK".
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(tcp(ACK).seq(FIRST).ack(theirs + 500).window(64_240));
    host.expect(tcp(ACK).seq(theirs).ack(FIRST));
}

#[test]
fn a_handshake_with_a_wrong_acknowledgment_is_reset() {
    // RFC 9293 §3.10.7.4, SYN-RECEIVED.
    let mut host = Script::new("tcp-handshake-wrong");
    host.to(ECHO);
    host.send(tcp(SYN).seq(FIRST - 1).options([mss(1460)]));
    let answer = host.expect(tcp(SYN | ACK).ack(FIRST));
    let wrong = answer.seq.wrapping_add(77);
    host.send(tcp(ACK).seq(FIRST).ack(wrong));
    host.expect(tcp(RST).seq(wrong));
}

#[test]
fn the_handshakes_last_segment_may_carry_data() {
    let mut host = Script::new("tcp-handshake-data");
    host.to(ECHO);
    host.send(tcp(SYN).seq(FIRST - 1).options([mss(1460)]));
    let answer = host.expect(tcp(SYN | ACK).ack(FIRST));
    host.send(segment(FIRST, answer.seq + 1, b"at once"));
    assert_eq!(joined(&host.take(100)), b"at once");
}

#[test]
fn a_segment_size_is_respected() {
    let (mut host, theirs) = connected(ECHO, &[mss(536)]);
    host.send(segment(FIRST, theirs, &[7; 1400]));
    let parts = host.take(1);
    assert!(parts.iter().all(|part| part.data.len() <= 536), "{:?}", sizes(&parts));
    assert_eq!(joined(&parts).len(), 1400);
}

#[test]
fn timestamps_take_their_room_from_the_segment() {
    let (mut host, theirs) = connected(ECHO, &[mss(536), sack_permitted(), timestamps(1, 0), nop(), window_scale(7)]);
    let data = [7; 1400];
    host.send(segment(FIRST, theirs, &data).window(500).options([nop(), nop(), timestamps(2, 0)]));
    let parts = host.take(1);
    assert!(parts.iter().all(|part| part.data.len() <= 524 && part.timestamps().is_some()), "{:?}", sizes(&parts));
    assert_eq!(joined(&parts).len(), 1400);
}

fn sizes(parts: &[Seen]) -> Vec<usize> {
    parts.iter().map(|part| part.data.len()).collect()
}

/// A connection with everything negotiated, and the decoy's last timestamp.
fn with_timestamps() -> (Script, u32, u32) {
    let mut host = Script::new("tcp-timestamps");
    host.to(ECHO);
    let offer = [mss(1460), sack_permitted(), timestamps(5000, 0), nop(), window_scale(7)];
    host.send(tcp(SYN).seq(FIRST - 1).options(offer));
    let answer = host.expect(tcp(SYN | ACK).ack(FIRST));
    let (value, echo) = answer.timestamps().unwrap();
    assert_eq!(echo, 5000);
    host.send(stamped(tcp(ACK).seq(FIRST).ack(answer.seq + 1), 5001, value));
    (host, answer.seq + 1, value)
}

fn stamped(packet: Packet, value: u32, echo: u32) -> Packet {
    packet.window(500).options([nop(), nop(), timestamps(value, echo)])
}

#[test]
fn timestamps_are_echoed_and_tick() {
    let (mut host, theirs, value) = with_timestamps();
    host.wait(500);
    host.send(stamped(tcp(ACK | PSH).seq(FIRST).ack(theirs).data(b"x"), 6000, value));
    let parts = host.take(100);
    let (now, echo) = parts.last().unwrap().timestamps().unwrap();
    assert_eq!(echo, 6000);
    let ticks = now.wrapping_sub(value);
    assert!((490..=620).contains(&ticks), "{ticks} ticks in about 500 ms at 1,000 Hz");
}

#[test]
fn a_segment_with_an_old_timestamp_is_not_taken() {
    // PAWS, RFC 7323 §5.3 R1.
    let (mut host, theirs, value) = with_timestamps();
    host.send(stamped(tcp(ACK | PSH).seq(FIRST).ack(theirs).data(b"new"), 6000, value));
    assert_eq!(joined(&host.take(100)), b"new");
    host.send(stamped(tcp(ACK | PSH).seq(FIRST + 3).ack(theirs + 3).data(b"old"), 4000, value));
    host.expect(tcp(ACK).ack(FIRST + 3).length(0).options([nop(), nop(), timestamps_any(6000)]));
    host.send(stamped(tcp(ACK | PSH).seq(FIRST + 3).ack(theirs + 3).data(b"newer"), 6001, value));
    assert_eq!(joined(&host.take(100)), b"newer");
}

#[test]
fn a_window_of_four_octets_is_filled_with_four_octets() {
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(segment(FIRST, theirs, b"0123456789").window(4));
    let mut got = Vec::new();
    for _ in 0..3 {
        let parts = host.take(400);
        let fresh: Vec<&Seen> = parts.iter().filter(|part| !part.data.is_empty()).collect();
        let Some(part) = fresh.first() else { continue };
        assert!(part.data.len() <= 4, "{}", part.line());
        got.extend_from_slice(&part.data);
        host.send(tcp(ACK).seq(FIRST + 10).ack(theirs + got.len() as u32).window(4));
    }
    got.extend(joined(&host.take(100)));
    assert_eq!(&got[..10], b"0123456789");
}

#[test]
fn a_window_of_zero_stops_the_decoy_and_is_probed() {
    // RFC 9293 §3.8.6.1.
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(segment(FIRST, theirs, b"0123456789").window(0));
    let parts = host.take(150);
    assert!(joined(&parts).is_empty(), "{:?}", sizes(&parts));
    assert_eq!(parts.last().map(|ack| ack.ack), Some(FIRST + 10));
    let probes = host.take(20_000);
    assert!((3..=12).contains(&probes.len()), "{} probes in 20 s", probes.len());
    assert!(probes.iter().all(|probe| probe.data.len() <= 1), "{:?}", sizes(&probes));
    let gaps: Vec<u64> = probes.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(gaps.is_sorted(), "probes come ever more slowly: {gaps:?}");
    let taken: u32 = probes.iter().map(|probe| probe.data.len() as u32).max().unwrap_or(0);
    host.send(tcp(ACK).seq(FIRST + 10).ack(theirs + taken).window(1000));
    let mut rest = joined(&host.take(400));
    rest.splice(0..0, b"0123456789"[..taken as usize].iter().copied());
    assert_eq!(rest, b"0123456789");
}

#[test]
fn a_small_window_never_closes_for_good() {
    // The host reads nothing it is sent: the decoy must stop, not lose, and go on.
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    let mut sent = 0_u32;
    let mut got = 0_u32;
    for _ in 0..200 {
        host.send(segment(FIRST + sent, theirs + got, &[1; 1000]).window(64_000));
        sent += 1000;
        got += joined(&host.take(0)).len() as u32;
    }
    host.send(tcp(ACK).seq(FIRST + sent).ack(theirs + got).window(64_000));
    for _ in 0..200 {
        let more = joined(&host.take(50)).len() as u32;
        got += more;
        host.send(tcp(ACK).seq(FIRST + sent).ack(theirs + got).window(64_000));
        if got == sent {
            return;
        }
    }
    panic!("{got} octets of {sent} came back");
}

#[test]
fn a_duplicate_of_the_last_handshake_segment_does_no_harm() {
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    for _ in 0..3 {
        host.send(tcp(ACK).seq(FIRST).ack(theirs).window(64_240));
    }
    host.expect_nothing(100);
    host.send(segment(FIRST, theirs, b"hello"));
    assert_eq!(joined(&host.take(100)), b"hello");
}

#[test]
fn keep_alive_probes_are_answered() {
    // RFC 9293 §3.8.4: one octet before the window.
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    host.send(tcp(ACK).seq(FIRST - 1).ack(theirs).window(64_240));
    host.expect(tcp(ACK).seq(theirs).ack(FIRST).length(0));
}

#[test]
fn two_connections_from_one_host_are_apart() {
    let mut host = Script::new("tcp-two");
    host.to(ECHO);
    let first = host.from(1000).connect(500, &[mss(1460)]).seq + 1;
    let second = host.from(2000).connect(900, &[mss(1460)]).seq + 1;
    host.from(1000).send(segment(501, first, b"one"));
    assert_eq!(joined(&host.take(100)), b"one");
    host.from(2000).send(segment(901, second, b"two"));
    assert_eq!(joined(&host.take(100)), b"two");
    host.from(1000).send(tcp(RST).seq(504));
    host.from(2000).send(segment(904, second + 3, b"still"));
    assert_eq!(joined(&host.take(100)), b"still");
}

#[test]
fn an_open_port_takes_and_says_nothing() {
    let (mut host, theirs) = connected(OPEN, &[mss(1460)]);
    host.send(segment(FIRST, theirs, b"GET / HTTP/1.0\r\n\r\n"));
    host.expect_within(50, tcp(ACK).seq(theirs).ack(FIRST + 18).length(0));
    host.send(tcp(FIN | ACK).seq(FIRST + 18).ack(theirs));
    let parts = host.take(100);
    assert!(parts.last().unwrap().flags.has(chaff_wire::tcp::Flags::FIN));
}

/// Answers that were acknowledged, also by the next request itself, no longer count against the memory of all
/// connections; a sum that only grew would leave every decoy without an answer in the end.
#[test]
fn what_was_acknowledged_is_held_no_longer() {
    let (mut host, theirs) = connected(ECHO, &[mss(1460)]);
    for n in 0..50 {
        host.send(segment(FIRST + n * 100, theirs + n * 100, &[b'x'; 100]));
        assert_eq!(joined(&host.take(100)).len(), 100);
        assert_eq!(host.rig().usage().held, 100, "only the last answer, after {n}");
    }
    host.send(tcp(ACK).seq(FIRST + 5000).ack(theirs + 5000).window(64_240));
    host.expect_nothing(1);
    assert_eq!(host.rig().usage().held, 0);
    host.send(tcp(RST).seq(FIRST + 5000));
    host.expect_nothing(1);
    assert_eq!((host.rig().usage().held, host.rig().usage().connections), (0, 0));
}
