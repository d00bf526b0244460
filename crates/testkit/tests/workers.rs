//! A fleet in several parts, each at its own worker: seen from the network, and by the hub, it is the same fleet.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use chaff_engine::{Audience, Verdict, owner, spec::FleetSpec};
use chaff_testkit::{
    SECOND,
    fixture::{self, GATEWAY, HOST, decoy_ip, decoy_mac},
    rig::{Rig, START},
    script::{ACK, Packet, SYN, Script, arp_reply, arp_request, echo, ip_protocol, tcp, udp},
};
use chaff_wire::{Mac, arp, ethernet, ipv4::Datagram};

/// Neither a power of two nor a multiple of any number of workers here.
const DECOYS: u32 = 31;

/// Linux in all but one thing: it answers the ping of everybody.
fn fleet() -> FleetSpec {
    let mut personality = fixture::linux();
    personality.icmp.broadcast_echo = true;
    fixture::fleet_of(DECOYS, personality)
}

/// The workers of a fleet, and what the host around them does: the filters of the kernel, and the relay between them.
struct Pool {
    parts: Vec<FleetSpec>,
    rigs: Vec<Rig>,
    /// Frames that were handed to an engine, and those that were passed on to it by another.
    handed: usize,
    passed: usize,
}

impl Pool {
    fn new(fleet: &FleetSpec, workers: usize) -> Self {
        let parts: Vec<FleetSpec> = match workers {
            1 => vec![fleet.clone()],
            _ => (0..workers).map(|worker| fleet.part(worker, workers)).collect(),
        };
        let rigs = parts.iter().map(|part| Rig::new(part.clone(), chaff_testkit::seed(11)).unrecorded()).collect();
        Self { parts, rigs, handed: 0, passed: 0 }
    }

    /// The worker whose filter lets a frame in.
    fn first(&self, frame: &[u8]) -> usize {
        let address = |at: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&frame[at..at + 4]).unwrap()).into();
        match (&frame[12..14], frame[0] & 1) {
            ([8, 6], _) => owner(address(38), self.rigs.len()),
            ([8, 0], 0) => owner(address(30), self.rigs.len()),
            _ => 0,
        }
    }

    fn send(&mut self, frame: &[u8]) -> Vec<Verdict> {
        let first = self.first(frame);
        let audience = match self.rigs[first].audience(frame) {
            Audience::Here => vec![first],
            Audience::Decoy(ip) => vec![owner(ip, self.rigs.len())],
            Audience::Everybody => (0..self.rigs.len()).collect(),
        };
        self.handed += audience.len();
        self.passed += audience.iter().filter(|&&worker| worker != first).count();
        audience.into_iter().map(|worker| self.rigs[worker].handle_frame(frame)).collect()
    }

    fn advance(&mut self, seconds: u64) {
        for rig in &mut self.rigs {
            rig.advance(START + seconds * SECOND);
        }
    }

    /// Frames sent, without what chance decides: numbers of sequences and datagrams, checksums, timestamps.
    fn answers(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for rig in &mut self.rigs {
            while let Some((_, frame)) = rig.poll_frame() {
                lines.push(without_chance(&frame));
            }
        }
        lines.sort_unstable();
        lines
    }

    /// How often each (decoy, source, kind) was observed.
    fn observations(&self) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for (part, rig) in self.parts.iter().zip(&self.rigs) {
            for seen in rig.observations() {
                let decoy = &part.decoys[seen.decoy.0 as usize];
                let key = format!("{} {} {:?} {:?} {}", decoy.name, decoy.ip, seen.source.ip, seen.kind, seen.port);
                *counts.entry(key).or_default() += seen.count;
            }
        }
        counts
    }
}

fn without_chance(frame: &[u8]) -> String {
    let seen = ethernet::Frame::parse(frame).unwrap();
    match seen.content {
        ethernet::Content::Type(ethernet::IPV4, datagram) => {
            let ip = Datagram::parse(datagram).unwrap();
            let start = ip.payload.get(
                ..match ip.protocol {
                    6 => 4,
                    _ => 2,
                },
            );
            let ends = (ip.source, ip.destination, ip.protocol, start);
            format!("{} > {} {ends:?} {}", seen.source, seen.destination, datagram.len())
        }
        _ => format!("{frame:02x?}"),
    }
}

/// What intruders and an ordinary network send: to one decoy, to everybody, to nobody, and in the name of a decoy.
fn traffic() -> Vec<Vec<u8>> {
    let mut script = Script::with("workers", fleet());
    let mut frames = Vec::new();
    let mut add = |script: &Script, packet: Packet| frames.push(packet.octets(script));
    let stranger = (Mac([2, 0, 0, 0, 0, 0x66]), Ipv4Addr::new(10, 0, 0, 66));
    for n in 0..DECOYS {
        script.talk_to(n);
        let ip = decoy_ip(n);
        let other = decoy_ip((n + 1) % DECOYS);
        add(&script, arp_request(HOST, ip));
        add(&script, arp_request((HOST.0, Ipv4Addr::UNSPECIFIED), ip));
        add(&script, arp_request(HOST, ip).in_snap());
        add(&script, arp_request(HOST, ip).ether_destination(decoy_mac(n)));
        add(&script, arp_reply((HOST.0, GATEWAY), (decoy_mac(n), ip)));
        // Claims of the decoy's address: to everybody, in a question for the gateway, for a fellow, and in an answer.
        add(&script, arp_request((stranger.0, ip), ip).ether_source(stranger.0));
        add(&script, arp_request((stranger.0, ip), GATEWAY).ether_source(stranger.0));
        add(&script, arp_request((stranger.0, ip), other).ether_source(stranger.0));
        add(&script, arp_request((stranger.0, ip), other).ether_source(stranger.0).in_snap());
        add(&script, arp_reply((stranger.0, ip), HOST).ether_source(stranger.0));
        add(&script, echo(1, 1, b"unicast"));
        add(&script, echo(1, 2, b"in a broadcast frame").ether_destination(Mac::BROADCAST));
        add(&script, echo(1, 3, b"all systems").ether_destination(Mac([1, 0, 0x5e, 0, 0, 1])));
        add(&script, echo(1, 4, b"another's card").ether_destination(decoy_mac((n + 1) % DECOYS)));
        add(&script, echo(1, 5, b"everybody, by one card").destination(Ipv4Addr::BROADCAST));
        add(&script, udp(b"x").ports(40_000, 81));
        add(&script, udp(b"x").ports(40_000, 7).ether_destination(Mac::BROADCAST));
        add(&script, ip_protocol(89, b"OSPF"));
        add(&script, tcp(SYN).seq(1).ports(40_001, 80));
        add(&script, tcp(SYN).seq(1).ports(40_002, 81));
        add(&script, tcp(ACK).seq(1).ack(7).ports(40_003, 80));
    }
    for destination in [Ipv4Addr::BROADCAST, Ipv4Addr::new(10, 255, 255, 255)] {
        add(&script, echo(2, 1, b"who is there").ether_destination(Mac::BROADCAST).destination(destination));
        add(&script, udp(b"NOTIFY").ether_destination(Mac::BROADCAST).destination(destination));
    }
    add(&script, arp_request(HOST, GATEWAY));
    add(&script, arp_request(stranger, HOST.1).ether_source(stranger.0));
    add(
        &script,
        udp(b"mDNS").ether_destination(Mac([1, 0, 0x5e, 0, 0, 251])).destination(Ipv4Addr::new(224, 0, 0, 251)),
    );
    let mut lldp = vec![1, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 1, 0x88, 0xcc];
    lldp.resize(60, 3);
    frames.push(lldp);
    frames
}

#[test]
fn in_parts_it_answers_and_observes_as_in_one_piece() {
    let (fleet, traffic) = (fleet(), traffic());
    let play = |workers| {
        let mut pool = Pool::new(&fleet, workers);
        for frame in &traffic {
            pool.send(frame);
        }
        pool.advance(5);
        pool
    };
    let mut whole = play(1);
    let (answers, observations) = (whole.answers(), whole.observations());
    assert!(answers.len() > 200 && observations.len() > 200, "{} {}", answers.len(), observations.len());
    assert_eq!((whole.handed, whole.passed), (traffic.len(), 0));
    for workers in [2, 3, 4, 7, 16] {
        let mut pool = play(workers);
        assert_eq!(pool.answers(), answers, "{workers} workers");
        assert_eq!(pool.observations(), observations, "{workers} workers");
        assert!(pool.passed > 0, "{workers} workers");
        // Only what is meant for everybody is handed to more than one.
        let pings_of_everybody = DECOYS as usize + 2;
        assert_eq!(pool.handed, traffic.len() + pings_of_everybody * (workers - 1), "{workers} workers");
    }
}

#[test]
fn every_decoy_has_one_owner_and_nothing_of_it_changes() {
    let fleet = fleet();
    for workers in 1..=16 {
        let parts: Vec<FleetSpec> = (0..workers).map(|worker| fleet.part(worker, workers)).collect();
        let mut decoys: Vec<_> = parts.iter().flat_map(|part| &part.decoys).collect();
        decoys.sort_by_key(|decoy| decoy.ip);
        assert!(decoys.iter().copied().eq(&fleet.decoys), "{workers} workers");
        for (worker, part) in parts.iter().enumerate() {
            assert!(part.decoys.iter().all(|decoy| owner(decoy.ip, workers) == worker));
            assert!(part.decoys.len().abs_diff(DECOYS as usize / workers) <= 1, "neighbours are dealt out evenly");
        }
    }
}

#[test]
fn all_parts_together_stay_inside_the_budget_for_chaff_and_none_is_silent() {
    let mut whole = fixture::fleet(300);
    // Births take it all at first, one packet a second for all workers together.
    whole.chaff.packets_per_second = 1;
    let seconds = 1_200;
    for workers in [1, 2, 3, 5] {
        let mut pool = Pool::new(&whole, workers);
        pool.advance(seconds);
        let each: Vec<usize> =
            pool.rigs.iter_mut().map(|rig| std::iter::from_fn(|| rig.poll_frame()).count()).collect();
        let all = each.iter().sum::<usize>() as u64;
        assert!(all * 4 <= seconds * 5 && all * 2 >= seconds, "{each:?} in {seconds} s with {workers} workers");
        let mean = all as usize / workers;
        assert!(each.iter().all(|&one| one > mean / 2 && one < mean * 2), "{each:?}");
    }
}

#[test]
fn decoys_ask_for_fellows_of_any_worker() {
    let mut whole = fixture::fleet(40);
    whole.chaff.packets_per_second = 100;
    let mut pool = Pool::new(&whole, 2);
    pool.advance(3_600);
    let mut asked: BTreeSet<(bool, Ipv4Addr)> = BTreeSet::new();
    for (worker, rig) in pool.rigs.iter_mut().enumerate() {
        while let Some((_, frame)) = rig.poll_frame() {
            let packet = arp::Packet::parse(&frame[ethernet::HEADER..]).unwrap();
            if packet.target_ip != GATEWAY && packet.target_ip != packet.sender_ip {
                assert_eq!(owner(packet.sender_ip.into(), 2), worker);
                assert!(whole.decoys.iter().any(|decoy| decoy.ip == IpAddr::V4(packet.target_ip)), "{packet:?}");
                asked.insert((owner(packet.target_ip.into(), 2) == worker, packet.target_ip));
            }
        }
    }
    let own = asked.iter().filter(|(own, _)| *own).count();
    assert_eq!((own, asked.len()), (40, 80), "each decoy is asked for by both workers' decoys");
}

#[test]
fn what_a_fleet_may_hold_is_shared_out_among_the_workers_that_have_decoys() {
    // A flood of half-open connections from invented sources, the same at every decoy.
    let flood = |pool: &mut Pool, script: &mut Script| {
        for n in 0..DECOYS {
            script.talk_to(n);
            for source in 0..5_000_u16 {
                let [high, low] = source.to_be_bytes();
                let syn = tcp(SYN).seq(1).ports(50_000, 80).source(Ipv4Addr::new(10, 77, high, low));
                pool.send(&syn.octets(script));
            }
        }
    };
    let mut script = Script::with("workers-flood", fleet());
    let held = |pool: &Pool| pool.rigs.iter().map(|rig| rig.usage().peers).sum::<usize>();
    let limit = {
        let mut whole = Pool::new(&fleet(), 1);
        flood(&mut whole, &mut script);
        held(&whole)
    };
    for workers in [2, 3] {
        let mut pool = Pool::new(&fleet(), workers);
        flood(&mut pool, &mut script);
        let all = held(&pool);
        assert!(all <= limit && all > limit - workers, "{all} of {limit} with {workers} workers");
    }
    // All decoys at even addresses: the one worker that has them has all that there is.
    let mut even = fleet();
    even.decoys.retain(|decoy| owner(decoy.ip, 2) == 0);
    assert_eq!((even.part(0, 2).part.sharers, even.part(1, 2).decoys.len()), (1, 0));
}
