//! A million frames of nonsense and a flood of SYNs: nothing breaks, and memory stays within stated bounds. One test
//! function, because the count of memory is the whole process's.

use std::net::Ipv4Addr;

use chaff_testkit::{
    MILLISECOND, SECOND,
    chance::Chance,
    fixture::{self, CLOSED, ECHO, GATEWAY, HOST, OPEN, decoy_ip, decoy_mac},
    memory::{Counting, held},
    neighbour,
    rig::Rig,
    script::{ACK, Packet, SYN, Script, echo, mss, sack_permitted, tcp, timestamps, udp, window_scale},
    seed,
};
use chaff_wire::Mac;

#[global_allocator]
static COUNTED: Counting = Counting;

/// Frames of nonsense.
const FRAMES: u32 = 1_000_000;
/// SYNs from random sources.
const SYNS: u32 = 1_000_000;
/// What the engine may hold beyond its fleet after any flood: its bounded tables, filled.
const STATE_LIMIT: usize = 64 * 1024 * 1024;
/// How much more it may hold after the second half of a flood than after the first: its tables were full before, but for
/// that of remote addresses, which may double once more. Two octets lost for each frame are beyond it.
const GROWTH_LIMIT: usize = 1_000_000 + 256 * 1024;

#[test]
fn nonsense_and_floods_neither_crash_it_nor_fill_the_memory() {
    nonsense(seed(11));
    flood(seed(12));
}

/// Mutations of real frames, so that they get past the first checks, and plain random octets.
fn nonsense(seed: u64) {
    println!("nonsense: seed {seed}");
    let models = models();
    let mut chance = Chance::new(seed);
    let mut rig = Rig::new(fixture::fleet(16), seed).unrecorded();
    let before = held();
    let mut at_half = 0;
    for n in 0..FRAMES {
        let frame = mutate(&models, &mut chance);
        rig.handle_frame(&frame);
        let pause = chance.below(3 * MILLISECOND);
        rig.advance(rig.now() + pause);
        forget(&mut rig);
        if n == FRAMES / 2 {
            at_half = held();
        }
    }
    let counts = rig.counts();
    assert_eq!(counts.frames, u64::from(FRAMES));
    assert_eq!(counts.frames, counts.answered + counts.observed + counts.dropped, "{counts:?}");
    assert!(counts.answered > 1000, "the nonsense never got anywhere: {counts:?}");
    bounded("nonsense", before, at_half);
}

/// SYNs from random sources beyond a router to every decoy, none of them ever acknowledged.
fn flood(seed: u64) {
    println!("flood: seed {seed}");
    let mut chance = Chance::new(seed);
    let mut rig = Rig::new(fixture::fleet(16), seed).unrecorded();
    let script = Script::new("flood");
    let mut syn = frame_of(&script, tcp(SYN).seq(1).options([mss(1460)]));
    let before = held();
    let mut at_half = 0;
    for n in 0..SYNS {
        let source = Ipv4Addr::new(172, 128 | chance.octet() >> 1, chance.octet(), 1 + chance.octet() % 254);
        let port = 1024 + u16::from_le_bytes([chance.octet(), chance.octet()]) % 60_000;
        rewrite_syn(&mut syn, source, port, n % 16);
        rig.handle_frame(&syn);
        // 100,000 a second.
        rig.advance(rig.now() + 10_000);
        route(&mut rig);
        if n == SYNS / 2 {
            at_half = held();
        }
    }
    let sent = rig.counts().sent;
    assert!(sent >= u64::from(SYNS) * 99 / 100, "only {sent} answers to {SYNS} SYNs");
    bounded("flood", before, at_half);
    rig.advance(rig.now() + 200 * SECOND);
    forget(&mut rig);
    println!("flood: {} octets held 200 s later", held().saturating_sub(before));
}

fn bounded(name: &str, before: usize, at_half: usize) {
    let state = held().saturating_sub(before);
    println!("{name}: {state} octets held at the end, {} at half time", at_half.saturating_sub(before));
    assert!(state < STATE_LIMIT, "{name}: {state} octets held, the limit is {STATE_LIMIT}");
    let growth = held().saturating_sub(at_half);
    assert!(growth < GROWTH_LIMIT, "{name}: grew by {growth} octets in the second half");
}

/// The same, with a router that answers when it is asked for.
fn route(rig: &mut Rig) {
    rig.take_observations();
    while let Some((_, frame)) = rig.poll_frame() {
        if let Some(answer) = neighbour::answer(&frame, (HOST.0, GATEWAY)) {
            rig.handle_frame(&answer);
        }
    }
}

fn forget(rig: &mut Rig) {
    rig.take_observations();
    while rig.poll_frame().is_some() {}
}

fn frame_of(script: &Script, packet: Packet) -> Vec<u8> {
    packet.fragments(script, 65_000).remove(0)
}

/// One of everything that a decoy listens to.
fn models() -> Vec<Vec<u8>> {
    let script = Script::new("models");
    let offer = [mss(1460), sack_permitted(), timestamps(1, 0), window_scale(7)];
    let mut models = vec![
        frame_of(&script, echo(1, 1, &[7; 56])),
        frame_of(&script, udp(&[7; 40]).ports(5000, CLOSED)),
        frame_of(&script, udp(&[7; 40]).ports(5000, ECHO)),
        frame_of(&script, tcp(SYN).seq(100).options(offer.clone())),
        frame_of(&script, tcp(SYN).seq(100).ports(5000, ECHO).options(offer)),
        frame_of(&script, tcp(ACK).seq(101).ack(1).ports(5000, ECHO).data(b"data")),
        frame_of(&script, tcp(ACK).seq(101).ack(1).ports(5000, OPEN).data(&[7; 900])),
    ];
    models.extend(echo(1, 1, &[7; 3000]).df(false).fragments(&script, 1000));
    let mut arp = Mac::BROADCAST.0.to_vec();
    arp.extend_from_slice(&HOST.0.0);
    arp.extend_from_slice(&[8, 6]);
    chaff_wire::arp::Packet::new(1, HOST, (Mac::ZERO, decoy_ip(0))).emit(&mut arp);
    models.push(arp);
    models
}

fn mutate(models: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    if chance.per_mille(100) {
        let length = chance.index(1600);
        return chance.octets(length);
    }
    let mut frame = models.get(chance.index(models.len())).cloned().unwrap_or_default();
    // Any decoy, so that state is spread.
    let decoy = u32::from(chance.octet() % 16);
    if frame.get(12..14) == Some(&[8, 0]) {
        frame[..6].copy_from_slice(&decoy_mac(decoy).0);
        frame[30..34].copy_from_slice(&decoy_ip(decoy).octets());
    }
    for _ in 0..chance.below(4) {
        let at = chance.index(frame.len());
        let octet = chance.octet();
        if let Some(there) = frame.get_mut(at) {
            *there = octet;
        }
    }
    if chance.per_mille(100) {
        frame.truncate(chance.index(frame.len()));
    }
    if chance.per_mille(50) {
        let length = chance.index(64);
        frame.extend(chance.octets(length));
    }
    // Mostly right checksums: what is wrong there gets no further.
    if chance.per_mille(900) {
        mend_checksums(&mut frame);
    }
    frame
}

fn rewrite_syn(frame: &mut [u8], source: Ipv4Addr, port: u16, decoy: u32) {
    frame[..6].copy_from_slice(&decoy_mac(decoy).0);
    frame[26..30].copy_from_slice(&source.octets());
    frame[30..34].copy_from_slice(&decoy_ip(decoy).octets());
    frame[34..36].copy_from_slice(&port.to_be_bytes());
    mend_checksums(frame);
}

/// Sets the checksums of an IPv4 frame right, as far as its headers make sense.
fn mend_checksums(frame: &mut [u8]) {
    use chaff_wire::checksum::{self, Checksum};
    let Some(packet) = frame.get_mut(14..).filter(|packet| packet.len() >= 20) else {
        return;
    };
    let header = usize::from(packet[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    if !(20..=total).contains(&header) || total > packet.len() {
        return;
    }
    packet[10..12].fill(0);
    let sum = checksum::of(&packet[..header]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let address = |octets: &[u8]| Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]);
    let (source, destination) = (address(&packet[12..16]), address(&packet[16..20]));
    let protocol = packet[9];
    let payload = &mut packet[header..total];
    let at = match protocol {
        1 => 2,
        6 => 16,
        17 => 6,
        _ => return,
    };
    if payload.len() < at + 2 {
        return;
    }
    payload[at..at + 2].fill(0);
    let start = if protocol == 1 {
        Checksum::new()
    } else {
        Checksum::pseudo_header(source, destination, protocol, u16::try_from(payload.len()).unwrap_or(0))
    };
    let sum = start.add(payload).finish();
    payload[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}
