//! Decoys share nothing that can be seen: a flood of one leaves the others as they are, each has a clock of its own, and
//! no counter of one moves by what is asked of another.

use std::net::Ipv4Addr;

use chaff_testkit::{
    MILLISECOND, SECOND,
    fixture::{CLOSED, ECHO, HOST, OPEN},
    script::{ACK, PSH, SYN, Script, Seen, echo, mss, nop, sack_permitted, tcp, timestamps, udp, window_scale},
};
use chaff_wire::Mac;

/// The decoy that is flooded, and one beside it.
const FLOODED: u32 = 0;
const BESIDE: u32 = 1;
/// Packets of a flood: more than any table or limit of one decoy holds.
const FLOOD: u32 = 30_000;
/// Decoys whose clocks are compared.
const CLOCKS: u32 = 24;

/// What a flood is made of.
type Flood = fn(&mut Script, u32);

fn syn_flood(host: &mut Script, n: u32) {
    host.to(OPEN).from((1024 + n % 60_000) as u16);
    host.send(tcp(SYN).seq(n));
}

fn udp_flood(host: &mut Script, n: u32) {
    host.to(CLOSED).from((1024 + n % 60_000) as u16);
    host.send(udp(b"flood"));
}

fn echo_flood(host: &mut Script, n: u32) {
    host.send(echo(7, (n & 0xffff) as u16, b"flood"));
}

fn connection_flood(host: &mut Script, n: u32) {
    // Each of them whole, and left open; fewer, since each is three packets.
    if n.is_multiple_of(6) {
        host.to(ECHO).from((1024 + n % 60_000) as u16);
        host.send(tcp(SYN).seq(n));
        for seen in host.take(0).into_iter().filter(is_syn_ack) {
            host.send(tcp(ACK).seq(n + 1).ack(seen.seq + 1));
        }
    }
}

fn is_syn_ack(seen: &Seen) -> bool {
    seen.protocol == 6 && seen.flags == chaff_wire::tcp::Flags::SYN.with(chaff_wire::tcp::Flags::ACK)
}

/// What it is, without its random numbers.
fn shape(seen: &Seen) -> String {
    let Seen { protocol, ttl, tos, df, total_length, ports, flags, window, .. } = seen;
    format!(
        "{protocol} ttl {ttl} tos {tos} df {df} length {total_length} ports {ports:?} flags {flags:?} window {window}"
    )
}

fn linux_offer() -> Vec<chaff_testkit::script::Option> {
    vec![mss(1460), sack_permitted(), timestamps(1000, 0), nop(), window_scale(7)]
}

/// What somebody else than the flooder sees of the decoy beside, in words that hold no random number.
fn looked_at(host: &mut Script, begun: u64) -> Vec<String> {
    host.be(Mac([0x52, 0x54, 0, 0, 0, 9]), Ipv4Addr::new(10, 0, 0, 9)).talk_to(BESIDE);
    let mut said = Vec::new();
    let me = Ipv4Addr::new(10, 0, 0, 9);
    let note = |said: &mut Vec<String>, label: &str, seen: &[Seen]| {
        // What the flooded one still says goes to the flooder.
        said.extend(seen.iter().filter(|seen| seen.destination == me).map(|seen| {
            let late = (seen.at - begun) / MILLISECOND;
            format!("{label} at {late} ms: {}", shape(seen))
        }));
    };
    host.to(OPEN).from(40_000);
    host.send(tcp(SYN).seq(100).options(linux_offer()));
    // The whole schedule of its retransmissions.
    note(&mut said, "SYN-ACK", &host.take(40_000));
    host.to(CLOSED).from(40_001);
    for _ in 0..30 {
        host.send(udp(b"x"));
    }
    note(&mut said, "unreachable", &host.take(3000));
    let mut ids = Vec::new();
    for n in 0..5 {
        host.send(echo(1, n, b"hello"));
        let replies = host.take(0);
        ids.extend(replies.iter().filter(|reply| reply.destination == me).map(|reply| reply.id));
        note(&mut said, "echo", &replies);
    }
    said.push(format!("identifications by one: {}", ids.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1))));
    for n in 0..40 {
        host.to(CLOSED).from(41_000 + n);
        host.send(tcp(SYN).seq(7));
    }
    note(&mut said, "reset", &host.take(0));
    host.to(ECHO).from(42_000);
    host.send(tcp(SYN).seq(500).options([mss(1460)]));
    let answers = host.take(0);
    let theirs = answers.iter().find(|seen| is_syn_ack(seen) && seen.destination == me).expect("a SYN-ACK").seq + 1;
    host.send(tcp(ACK).seq(501).ack(theirs));
    host.send(tcp(ACK | PSH).seq(501).ack(theirs).data(b"still there"));
    note(&mut said, "service", &host.take(100));
    said
}

fn unmoved_by(name: &str, flood: Flood) {
    let looked = |flooded: bool| {
        let mut host = Script::new(name);
        let begun = host.rig().now();
        if flooded {
            host.be(HOST.0, HOST.1).talk_to(FLOODED);
            for n in 0..FLOOD {
                flood(&mut host, n);
                if n % 1000 == 0 {
                    host.take(0);
                }
            }
            host.take(0);
        }
        // The same moment in both runs: the flood took no time of its own.
        assert!(host.rig().now() - begun < SECOND);
        let until = begun + SECOND;
        host.wait((until - host.rig().now()) / MILLISECOND);
        host.take(0);
        looked_at(&mut host, until)
    };
    let (quiet, flooded) = (looked(false), looked(true));
    assert!(quiet.len() > 50, "{quiet:#?}");
    assert_eq!(flooded, quiet);
}

#[test]
fn a_flood_of_syns_changes_no_other_decoys_answers() {
    unmoved_by("independence-syn", syn_flood);
}

#[test]
fn a_flood_of_datagrams_changes_no_other_decoys_answers() {
    unmoved_by("independence-udp", udp_flood);
}

#[test]
fn a_flood_of_echoes_changes_no_other_decoys_answers() {
    unmoved_by("independence-echo", echo_flood);
}

#[test]
fn a_flood_of_connections_changes_no_other_decoys_answers() {
    unmoved_by("independence-connections", connection_flood);
}

/// Ticks of a decoy's timestamp clock in one connection, an hour apart, less those of true time, in parts a million.
#[test]
fn each_clock_has_a_skew_of_its_own() {
    let mut host = Script::with("independence-skew", chaff_testkit::fixture::fleet(CLOCKS));
    let stamp = |host: &mut Script, decoy: u32| {
        host.talk_to(decoy).to(OPEN).from(40_000);
        host.send(tcp(SYN).seq(100).options(linux_offer()));
        let seen = host.take(0).into_iter().find(is_syn_ack).expect("a SYN-ACK");
        (seen.at, seen.timestamps().expect("timestamps").0)
    };
    let first: Vec<(u64, u32)> = (0..CLOCKS).map(|decoy| stamp(&mut host, decoy)).collect();
    // The same ports again: the offset of a connection's clock belongs to its addresses and ports.
    host.wait(4 * 3_600_000);
    host.take(0);
    let mut skews: Vec<i64> = (0..CLOCKS)
        .map(|decoy| {
            let (before, now) = (first[decoy as usize], stamp(&mut host, decoy));
            let true_ms = i64::try_from((now.0 - before.0) / MILLISECOND).unwrap();
            let ticks = i64::from(now.1.wrapping_sub(before.1));
            // In tenths of a part in a million.
            (ticks - true_ms) * 10_000_000 / true_ms
        })
        .collect();
    assert!(skews.iter().all(|skew| skew.abs() <= 510), "a quartz is not off by more than 50 ppm: {skews:?}");
    skews.sort_unstable();
    let spread = skews[skews.len() - 1] - skews[0];
    assert!(spread > 400, "the clocks of {CLOCKS} decoys lie within {spread} tenths of a ppm: {skews:?}");
    let distinct = skews.windows(2).filter(|pair| pair[1] - pair[0] > 1).count();
    assert!(distinct > CLOCKS as usize / 2, "many clocks are the same: {skews:?}");
}

/// Ally's test: packets to several decoys in turn; their numbers must not form one sequence.
#[test]
fn numbers_asked_for_in_turn_form_no_common_sequence() {
    let mut host = Script::with("independence-ally", chaff_testkit::fixture::fleet(10));
    let mut ids = Vec::new();
    for round in 0..20 {
        for decoy in 0..10 {
            host.talk_to(decoy);
            host.send(echo(9, round, b"ally"));
            ids.extend(host.take(0).into_iter().map(|seen| seen.id));
        }
        host.wait(1);
    }
    assert_eq!(ids.len(), 200);
    let near = ids.windows(2).filter(|pair| (1..=200).contains(&pair[1].wrapping_sub(pair[0]))).count();
    assert!(near < 20, "{near} of 199 numbers follow the one before, across decoys");
}

/// Who opens so many connections that their unread answers fill all buffers there are silences no other decoy.
#[test]
fn unread_answers_of_one_leave_room_for_another() {
    /// More than fit: each holds some 64 KiB.
    const CONNECTIONS: u16 = 1_200;
    const SEGMENT: u32 = 1_460;
    const LIMIT: usize = 64 << 20;
    let mut host = Script::new("unread-answers");
    host.talk_to(FLOODED).to(ECHO);
    for n in 0..CONNECTIONS {
        host.from(10_000 + n);
        let theirs = host.connect(100, &[mss(1460)]).seq.wrapping_add(1);
        for part in 0..60 {
            host.send(
                tcp(ACK | PSH).seq(101 + part * SEGMENT).ack(theirs).window(64_240).data(&[b'x'; SEGMENT as usize]),
            );
        }
        host.take(0);
    }
    assert!(host.rig().usage().held > LIMIT, "the buffers are not full: {:?}", host.rig().usage());
    host.be(Mac([0x52, 0x54, 0, 0, 0, 9]), Ipv4Addr::new(10, 0, 0, 9)).talk_to(BESIDE).from(40_000);
    let mut theirs = host.connect(100, &[mss(1460)]).seq.wrapping_add(1);
    for n in 0..20 {
        host.send(tcp(ACK | PSH).seq(101 + n * 1000).ack(theirs).window(64_240).data(&[b'y'; 1000]));
        let said: usize = host.take(100).iter().filter(|seen| seen.ports.1 == 40_000).map(|seen| seen.data.len()).sum();
        assert_eq!(said, 1000, "answer {n}");
        theirs = theirs.wrapping_add(1000);
    }
    assert!(host.rig().usage().held > LIMIT, "they were still full at the end: {:?}", host.rig().usage());
}
