//! The encoding between sensor and hub: everything comes back as it went, in few octets, and what is cut or changed is
//! refused or read as something else, never a panic.

use chaff_events::{
    DecoyId, Detail, EventId, Incident, IncidentState, Kind, Mac, Observation, Roster, RosterDecoy, RosterNetwork,
    Severity, Source, Tool, Transport, UtcNanos,
    message::{FromHub, MAX_DATAGRAM, ToHub},
};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

const ID: EventId = EventId(0x0199_0b5e_7c00_7abc_8def_0123_4567_89ab);
const TIME: UtcNanos = UtcNanos(1_795_399_800_123_456_789);

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap()
}

/// Encodes and decodes; returns the octets.
fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Vec<u8> {
    let octets = encode(value);
    let (back, rest) = postcard::take_from_bytes::<T>(&octets).unwrap();
    assert_eq!((&back, rest), (value, &[][..]));
    for length in 0..octets.len() {
        assert!(postcard::from_bytes::<T>(&octets[..length]).is_err(), "{value:?} read from {length} octets");
    }
    for at in 0..octets.len().min(200) {
        let mut changed = octets.clone();
        changed[at] ^= 0xff;
        let _ = postcard::from_bytes::<T>(&changed);
    }
    octets
}

fn source() -> Source {
    Source { ip: "10.20.3.9".parse().unwrap(), mac: "52:54:00:aa:bb:cc".parse().unwrap(), port: 51544 }
}

fn observation(kind: Kind, transport: Transport, detail: Detail) -> Observation {
    Observation {
        id: ID,
        time: TIME,
        decoy: DecoyId(65_533),
        source: source(),
        kind,
        transport,
        port: 445,
        service: "smb".into(),
        tool: Some(Tool::Nmap),
        count: 1,
        ports: vec![],
        detail,
    }
}

fn details() -> Vec<Detail> {
    vec![
        Detail::None,
        Detail::Segment { flags: 2, window: 1024, ttl: 41, ip_id: 54321, options: vec![2, 4, 5, 180] },
        Detail::Ip { protocol: 1, kind: 8, code: 9 },
        Detail::Payload { octets: vec![0xff; Detail::MAX_OCTETS], length: u32::MAX },
        Detail::Request {
            method: b"GET".to_vec(),
            target: b"/\xff".to_vec(),
            client: b"curl".to_vec(),
            body: vec![0; 512],
        },
        Detail::Credential {
            username: b"admin".to_vec(),
            secret_kind: "password".into(),
            secret: b"\0\xff".to_vec(),
            client: b"SSH-2.0-x".to_vec(),
            accepted: true,
        },
        Detail::Closed { received: u64::MAX, sent: 0, milliseconds: 300_000 },
        Detail::Conflict { mac: Mac([0, 1, 2, 3, 4, 5]) },
        Detail::Tls {
            server_name: b"nas.example".to_vec(),
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            ja3: "0".repeat(32),
            ja4: "t13d1516h2_8daaf6152771_e5627efa2ab1".into(),
        },
        Detail::Ssh { client: b"SSH-2.0-x".to_vec(), hassh: "0".repeat(32), algorithms: b"a;b;c;d".to_vec() },
        Detail::Command { username: b"backup".to_vec(), line: b"id\xff".to_vec() },
        Detail::File { name: b"/tmp/x".to_vec(), length: u64::MAX, sha256: [0xab; 32] },
    ]
}

fn incident() -> Incident {
    Incident {
        id: ID,
        state: IncidentState::Open,
        severity: Severity::High,
        title: "nmap port scan of 214 decoys from 10.20.3.9".into(),
        source: source(),
        network: "office".into(),
        opened: TIME,
        updated: TIME,
        observations: 18_230,
        decoys: 214,
        ports: 1000,
        credentials: 3,
        tools: vec![Tool::Nmap],
        techniques: vec!["T1046".into()],
        first_alarm_ms: 42,
    }
}

fn decoy(n: u16) -> RosterDecoy {
    RosterDecoy {
        name: format!("FS-{n:02}"),
        ip: "fd20::1".parse().unwrap(),
        mac: Mac([0, 0x50, 0x56, 0, 0, 1]),
        profile: n,
        network: 0,
    }
}

#[test]
fn observations_of_every_kind_and_detail_come_back() {
    let transports = [Transport::Arp, Transport::Nd, Transport::Icmp, Transport::Ip, Transport::Udp, Transport::Tcp];
    for (n, kind) in Kind::ALL.into_iter().enumerate() {
        let transport = transports[n % transports.len()];
        for detail in details() {
            round_trip(&observation(kind, transport, detail));
        }
    }
    round_trip(&Observation {
        count: u32::MAX,
        ports: (1..=1000).collect(),
        tool: None,
        ..observation(Kind::TcpSyn, Transport::Tcp, Detail::None)
    });
}

#[test]
fn incidents_rosters_and_messages_come_back() {
    round_trip(&incident());
    round_trip(&Incident { state: IncidentState::Closed, ..incident() });
    for severity in [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical] {
        round_trip(&severity);
    }
    let networks = vec![RosterNetwork { name: "office".into() }];
    let profiles: Vec<String> = vec!["windows-server-2022".into()];
    let decoys: Vec<RosterDecoy> = (0..20).map(decoy).collect();
    round_trip(&Roster {
        sensor: "lab".into(),
        networks: networks.clone(),
        profiles: profiles.clone(),
        decoys: decoys.clone(),
    });
    round_trip(&ToHub::RosterBegin { version: 1, sensor: "lab".into(), networks, profiles, decoys: 20 });
    round_trip(&ToHub::RosterPart { first: 3, decoys });
    let observations = vec![observation(Kind::ArpRequest, Transport::Arp, Detail::None); 3];
    round_trip(&ToHub::Observations { first: u64::MAX, observations });
    round_trip(&FromHub::Hello { version: 1 });
    round_trip(&FromHub::Acknowledge { up_to: u64::MAX });
}

#[test]
fn an_observation_is_small_on_the_wire_and_the_largest_fits_into_a_datagram() {
    let arp = observation(Kind::ArpRequest, Transport::Arp, Detail::None);
    let arp = Observation { tool: None, service: String::new(), port: 0, ..arp };
    let small = encode(&arp).len();
    assert!((40..=64).contains(&small), "{small} octets for an ARP request");
    let syn = details().swap_remove(1);
    let syn = encode(&observation(Kind::TcpSyn, Transport::Tcp, syn)).len();
    assert!((small..=96).contains(&syn), "{syn} octets for a SYN");
    // Every port of a decoy, the most that folding can join, and no detail: a message carries it alone.
    let folded = Observation { count: 65_535, ports: (1..=65_535).collect(), ..arp };
    let folded = encode(&ToHub::Observations { first: 1, observations: vec![folded] }).len();
    assert!(folded > MAX_DATAGRAM, "a list of all ports does not fit: whoever folds must bound it");
    let most: Vec<u16> = (0..16_384).map(|n| u16::MAX - n).rev().collect();
    let bounded = Observation { ports: most, ..observation(Kind::TcpSyn, Transport::Tcp, details().swap_remove(3)) };
    let bounded = encode(&ToHub::Observations { first: 1, observations: vec![bounded] }).len();
    assert!(bounded <= MAX_DATAGRAM, "{bounded}");
}

#[test]
fn an_id_is_printed_as_a_uuid_and_sorts_by_time() {
    assert_eq!(ID.to_string(), "01990b5e-7c00-7abc-8def-0123456789ab");
    assert_eq!(format!("{ID:?}"), ID.to_string());
    assert_eq!(EventId(0).to_string(), "00000000-0000-0000-0000-000000000000");
    assert_eq!(EventId(u128::MAX).to_string(), "ffffffff-ffff-ffff-ffff-ffffffffffff");
    let later = EventId(ID.0 + (1 << 80));
    assert!(later > ID && later.to_string() > ID.to_string());
}

/// The names that documentation, API and stored data rely on.
#[test]
fn names_are_those_of_the_documentation_and_each_is_used_once() {
    let names = Kind::ALL.map(Kind::name);
    assert_eq!(
        names.join(" "),
        "arp.request arp.conflict nd.solicit icmp.echo icmp.other ip.other udp.probe udp.payload tcp.syn tcp.null \
         tcp.fin tcp.xmas tcp.ack tcp.other tcp.connect tcp.close os.probe tls.hello service.request credential \
         command file process.ended node.misbehaved"
    );
    assert_eq!(Transport::Icmp.name(), "icmp");
    assert_eq!(Tool::AngryIpScanner.name(), "angry-ip-scanner");
    assert_eq!((Severity::Critical.name(), IncidentState::Closed.name()), ("critical", "closed"));
    assert!(Severity::Info < Severity::Low && Severity::High < Severity::Critical);
}

/// The encoding is by position: a variant moved changes what stored and sent octets mean, and needs a new `VERSION`.
#[test]
fn the_encoding_is_the_one_of_this_version() {
    assert_eq!(chaff_events::VERSION, 3);
    for (n, kind) in (0u8..).zip(Kind::ALL) {
        assert_eq!(encode(&kind), [n], "{kind:?}");
    }
    assert_eq!(encode(&Tool::Nessus), [25]);
    assert_eq!(encode(&Transport::Tcp), [5]);
    assert_eq!(encode(&FromHub::Acknowledge { up_to: 300 }), [1, 0xac, 0x02]);
    assert_eq!(
        encode(&Source { ip: "10.0.0.1".parse().unwrap(), mac: Mac([1, 2, 3, 4, 5, 6]), port: 1 }),
        [0, 10, 0, 0, 1, 1, 2, 3, 4, 5, 6, 1]
    );
}
