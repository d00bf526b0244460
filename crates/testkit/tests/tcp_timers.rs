//! What TCP does when nothing comes: retransmission times as measured on Linux 6.18, time-outs, TIME-WAIT.

use chaff_testkit::{
    MILLISECOND,
    fixture::{DISCARD, ECHO, OPEN},
    script::{ACK, FIN, PSH, RST, SYN, Script, Seen, mss, nop, sack, sack_permitted, tcp},
};
use chaff_wire::tcp::Flags;

const FIRST: u32 = 101;

fn milliseconds_since(mark: u64, parts: &[Seen]) -> Vec<u64> {
    parts.iter().map(|part| (part.at - mark) / MILLISECOND).collect()
}

fn near(times: &[u64], wanted: &[u64], tolerance: u64) {
    let close =
        times.len() == wanted.len() && times.iter().zip(wanted).all(|(t, w)| t.abs_diff(*w) <= w * tolerance / 100);
    assert!(close, "at {times:?} ms, expected {wanted:?} within {tolerance} %");
}

#[test]
fn a_syn_ack_that_nobody_acknowledges_is_sent_again_five_times() {
    let mut host = Script::new("tcp-syn-ack-times");
    let mark = host.rig().now();
    host.send(tcp(SYN).seq(100).options([mss(1460)]));
    let first = host.expect(tcp(SYN | ACK).ack(101));
    let again = host.take(180_000);
    near(&milliseconds_since(mark, &again), &[1000, 3000, 7200, 15_400, 31_500], 5);
    assert!(again.iter().all(|part| part.seq == first.seq && part.flags == first.flags));
}

#[test]
fn a_reset_or_an_acknowledgment_ends_the_retransmission() {
    let mut host = Script::new("tcp-syn-ack-reset");
    host.send(tcp(SYN).seq(100));
    host.expect(tcp(SYN | ACK).ack(101));
    host.send(tcp(RST).seq(101));
    host.expect_nothing(60_000);
    host.from(40_001);
    host.connect(100, &[mss(1460)]);
    host.expect_nothing(60_000);
}

/// The client sent something to `echo` and acknowledges nothing of what comes back.
fn unacknowledged(name: &str, data: &[u8]) -> (Script, u32) {
    let mut host = Script::new(name);
    host.to(ECHO);
    let theirs = host.connect(FIRST - 1, &[mss(1460), nop(), nop(), sack_permitted()]).seq + 1;
    let mut seq = FIRST;
    for part in data.chunks(1460) {
        host.send(tcp(ACK | PSH).seq(seq).ack(theirs).window(64_240).data(part));
        seq += part.len() as u32;
    }
    (host, theirs)
}

#[test]
fn data_is_sent_again_after_ever_longer_times() {
    let (mut host, theirs) = unacknowledged("tcp-rto", b"hello");
    let mark = host.rig().now();
    let parts: Vec<Seen> = host.take(20_000).into_iter().filter(|part| !part.data.is_empty()).collect();
    assert!(parts.iter().all(|part| part.seq == theirs && part.data == b"hello"));
    let times = milliseconds_since(mark, &parts[1..]);
    assert!((150..=320).contains(&times[0]), "first after {} ms", times[0]);
    // The first is a probe for a lost tail (RFC 8985 §7.3). From there on each wait is twice the one before (RFC 6298
    // §5.5).
    let waits: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let doubled: Vec<u64> = waits[..waits.len() - 1].iter().map(|wait| wait * 2).collect();
    near(&waits[1..], &doubled, 12);
    assert!((5..=7).contains(&times.len()), "{times:?}");
}

#[test]
fn a_dead_peer_is_given_up_at_last() {
    let (mut host, theirs) = unacknowledged("tcp-give-up", b"hello");
    // 15 retries with waits up to 120 s: about a quarter of an hour.
    host.wait(30 * 60_000);
    let sent = host.take(0).len();
    assert!((15..=18).contains(&sent), "{sent} segments");
    host.expect_nothing(3_600_000);
    host.send(tcp(ACK).seq(FIRST + 5).ack(theirs + 5));
    host.expect(tcp(RST).seq(theirs + 5));
}

#[test]
fn three_duplicate_acknowledgments_bring_the_lost_segment_at_once() {
    // RFC 5681 §3.2, with SACK blocks as RFC 6675 uses them.
    let (mut host, theirs) = unacknowledged("tcp-fast-retransmit", &[7; 4 * 1460]);
    let parts: Vec<Seen> = host.take(0).into_iter().filter(|part| !part.data.is_empty()).collect();
    let octets: usize = parts.iter().map(|part| part.data.len()).sum();
    assert_eq!(octets, 4 * 1460, "the initial window holds four segments (RFC 6928)");
    let first = parts[0].data.len() as u32;
    for end in [2 * 1460, 3 * 1460, 4 * 1460] {
        let blocks = [nop(), nop(), sack(&[(theirs + first, theirs + end)])];
        host.send(tcp(ACK).seq(FIRST + 4 * 1460).ack(theirs).window(64_240).options(blocks));
    }
    let again = host.take(50);
    assert_eq!(again.iter().map(|part| part.seq).collect::<Vec<_>>(), [theirs]);
    assert_eq!(again[0].data, parts[0].data);
    host.send(tcp(ACK).seq(FIRST + 4 * 1460).ack(theirs + 4 * 1460).window(64_240));
    host.expect_nothing(10_000);
}

#[test]
fn only_what_is_missing_is_sent_again() {
    let (mut host, theirs) = unacknowledged("tcp-sack-rto", &[7; 4 * 1460]);
    host.take(0);
    // Everything but the second segment arrived.
    let blocks = [nop(), nop(), sack(&[(theirs + 2 * 1460, theirs + 4 * 1460)])];
    // One acknowledgment and three duplicates of it.
    for _ in 0..4 {
        host.send(tcp(ACK).seq(FIRST + 4 * 1460).ack(theirs + 1460).window(64_240).options(blocks.clone()));
    }
    let again: Vec<Seen> = host.take(100).into_iter().filter(|part| !part.data.is_empty()).collect();
    assert!(!again.is_empty() && again.iter().all(|part| part.seq == theirs + 1460), "{again:?}");
}

#[test]
fn an_idle_open_port_closes_after_five_minutes() {
    let mut host = Script::new("tcp-idle");
    host.to(OPEN);
    let theirs = host.connect(FIRST - 1, &[mss(1460)]).seq + 1;
    host.mark();
    host.expect_at(300_000, tcp(FIN | ACK).seq(theirs).ack(FIRST));
    host.send(tcp(FIN | ACK).seq(FIRST).ack(theirs + 1));
    host.expect(tcp(ACK).seq(theirs + 1).ack(FIRST + 1));
}

/// A connection whose decoy closed first and which is over.
fn time_wait(name: &str) -> (Script, u32) {
    let mut host = Script::new(name);
    host.to(OPEN);
    let theirs = host.connect(FIRST - 1, &[mss(1460)]).seq + 1;
    host.expect_within(330_000, tcp(FIN | ACK).seq(theirs));
    host.send(tcp(FIN | ACK).seq(FIRST).ack(theirs + 1));
    host.expect(tcp(ACK).seq(theirs + 1).ack(FIRST + 1));
    (host, theirs + 1)
}

#[test]
fn in_time_wait_a_repeated_fin_is_acknowledged_again() {
    let (mut host, theirs) = time_wait("tcp-time-wait");
    host.wait(1000);
    host.send(tcp(FIN | ACK).seq(FIRST).ack(theirs));
    host.expect(tcp(ACK).seq(theirs).ack(FIRST + 1));
}

#[test]
fn time_wait_ends() {
    let (mut host, theirs) = time_wait("tcp-time-wait-end");
    host.wait(70_000);
    host.send(tcp(FIN | ACK).seq(FIRST).ack(theirs));
    host.expect(tcp(RST).seq(theirs));
}

#[test]
fn a_new_connection_may_begin_in_time_wait() {
    // RFC 9293 §3.10.7.4 with RFC 6191: a SYN beyond the last sequence number.
    let (mut host, theirs) = time_wait("tcp-time-wait-reuse");
    host.send(tcp(SYN).seq(FIRST + 100_000).options([mss(1460)]));
    let answer = host.expect(tcp(SYN | ACK).ack(FIRST + 100_001));
    assert_ne!(answer.seq, theirs);
}

#[test]
fn closing_at_the_same_moment() {
    // RFC 9293 figure 13: the decoy's FIN and the client's cross on the wire.
    let mut host = Script::new("tcp-simultaneous-close");
    host.to(OPEN);
    let theirs = host.connect(FIRST - 1, &[mss(1460)]).seq + 1;
    host.expect_within(330_000, tcp(FIN | ACK).seq(theirs));
    host.send(tcp(FIN | ACK).seq(FIRST).ack(theirs));
    host.expect(tcp(ACK).seq(theirs + 1).ack(FIRST + 1));
    host.send(tcp(ACK).seq(FIRST + 1).ack(theirs + 1));
    host.expect_nothing(10_000);
}

#[test]
fn a_half_closed_connection_does_not_stay_for_ever() {
    let mut host = Script::new("tcp-fin-wait");
    host.to(OPEN);
    let theirs = host.connect(FIRST - 1, &[mss(1460)]).seq + 1;
    host.expect_within(330_000, tcp(FIN | ACK).seq(theirs));
    host.send(tcp(ACK).seq(FIRST).ack(theirs + 1));
    host.expect_nothing(70_000);
    host.send(tcp(FIN | ACK).seq(FIRST).ack(theirs + 1));
    host.expect(tcp(RST).seq(theirs + 1));
}

#[test]
fn a_silent_client_of_a_service_costs_nothing_on_the_wire() {
    let mut host = Script::new("tcp-silent");
    host.to(DISCARD);
    host.connect(FIRST - 1, &[mss(1460)]);
    let sent = host.take(200_000);
    assert!(sent.iter().all(|part| !part.flags.has(Flags::PSH)), "{sent:?}");
}
