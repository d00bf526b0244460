//! A fleet of three decoys with one service of each kind between them.

use std::net::{IpAddr, Ipv4Addr};

use chaff_engine::{
    personality::{
        AckRule, Acknowledge, Answer, Arp, ClosedPort, CodeRule, ConnectionRules, DfRule, Ecn, Fragments, Icmp, IdRule,
        IdSeat, IdStep, Ip, IpId, Isn, IsnClass, LayoutRule, MssRule, OpenPort, OptionRule, Overlap, Personality,
        Quoted, QuotedSum, Reply, SeqRule, SynAnswer, SynException, Tcp, TimestampOffset, Timestamps, UnansweredSyn,
        WindowRule,
    },
    spec::{ChaffSpec, DecoySpec, FleetSpec, NetworkSpec, PartSpec, Port, PortTable, ProfileSpec},
};
use chaff_wire::Mac;

use crate::services;

/// Hardware and IP address of each decoy; the last one is on VLAN 5.
pub const DECOYS: [(Mac, Ipv4Addr); 3] = [
    (Mac([0, 0x50, 0x56, 0x9a, 0x10, 1]), Ipv4Addr::new(10, 20, 1, 1)),
    (Mac([0, 0x50, 0x56, 0x9a, 0x10, 2]), Ipv4Addr::new(10, 20, 1, 2)),
    (Mac([0, 0x50, 0x56, 0x9a, 0x10, 3]), Ipv4Addr::new(10, 30, 1, 3)),
];
/// The intruder.
pub const INTRUDER: (Mac, Ipv4Addr) = (Mac([0x52, 0x54, 0, 0xaa, 0xbb, 0xcc]), Ipv4Addr::new(10, 20, 3, 9));
/// Ports with a service behind them, the same over TCP and UDP, in the order of the services.
pub const PORTS: [u16; 6] = [7, 21, 23, 80, 102, 10110];

/// Options of a SYN-ACK for some sets of offered ones; the engine makes the others from the first.
const LAYOUTS: [(&str, &str); 3] = [("mss,sok,ts,ws", "mss,sok,ts,nop,ws"), ("mss,ws", "mss,nop,ws"), ("mss", "mss")];

/// The fleet.
pub fn fleet() -> FleetSpec {
    let network = |name: &str, vlan, third| NetworkSpec {
        name: name.into(),
        link: 0,
        vlan,
        subnet: IpAddr::V4(Ipv4Addr::new(10, third, 0, 0)),
        prefix: 16,
        gateway: Some(IpAddr::V4(Ipv4Addr::new(10, third, 0, 1))),
    };
    let decoys = DECOYS.into_iter().zip(0u8..).map(|((mac, ip), n)| DecoySpec {
        name: format!("decoy-{n}"),
        mac,
        ip: IpAddr::V4(ip),
        network: u16::from(n == 2),
        profile: u16::from(n == 1),
        seed: [n + 1; 16],
    });
    FleetSpec {
        sensor: "fuzz".into(),
        networks: vec![network("office", None, 20), network("plant", Some(5), 30)],
        personalities: vec![personality(true), personality(false)],
        services: vec![
            services::echo(),
            services::banner(),
            services::login(),
            services::http()[0].clone(),
            services::binary(),
            services::feed(),
        ],
        profiles: (0..2)
            .map(|n| ProfileSpec {
                name: format!("profile-{n}"),
                personality: n,
                tcp: ports(n),
                udp: ports(n),
                accounts: [].into(),
                serial: (n == 1).then(|| "CNB7K3X02Q".into()),
            })
            .collect(),
        decoys: decoys.collect(),
        chaff: ChaffSpec { packets_per_second: 10 },
        part: PartSpec::default(),
    }
}

fn ports(n: u16) -> PortTable {
    let mut ranges: Vec<_> = (0..).zip(PORTS).map(|(service, port)| (port, port, Port::Service(service))).collect();
    ranges.extend([(20_000, 29_999, Port::Open), (30_000, 39_999, Port::Filtered)]);
    PortTable { ranges, default: if n == 0 { Port::Closed } else { Port::Filtered } }
}

/// A stack that answers much (`open`) or little; between the two, every rule takes more than one value.
fn personality(open: bool) -> Personality {
    Personality {
        name: if open { "talkative" } else { "taciturn" }.into(),
        title: "made for fuzzing".into(),
        family: "none".into(),
        ip: Ip {
            source: source(),
            ttl: 64,
            ttl_echo: 255,
            ttl_error: 64,
            df: open,
            df_udp: !open,
            reset_tos: open,
            options: if open { OptionRule::Reflect } else { OptionRule::Route },
        },
        ip_id: ip_id(open),
        isn: Isn {
            source: source(),
            class: if open {
                IsnClass::Rfc6528 { tick_ns: 64 }
            } else {
                IsnClass::Bounded {
                    rate: (151, 161),
                    deviation: (12, 22),
                    step: 64_000,
                    divisor: (1, 1),
                    pattern: Some([1, 1, 1, 1, 2]),
                }
            },
        },
        timestamps: Timestamps {
            source: source(),
            hz: 1000,
            offset: if open {
                TimestampOffset::Connection
            } else {
                TimestampOffset::Leap { per_second: 8_589_934_592 }
            },
            echo_zero: false,
        },
        tcp: tcp(open),
        open: open_port(open),
        closed: closed_port(open),
        connection: ConnectionRules {
            source: source(),
            syn_ack_ms: vec![1000, 2000, 4000],
            syn_ack_reset: !open,
            rto_initial_ms: 1000,
            rto_min_ms: 200,
            rto_max_ms: 60_000,
            retries: 5,
            delayed_ack_ms: 40,
            time_wait_ms: 60_000,
            fin_wait_ms: 60_000,
            unread_resets: open,
            challenge_acks: 100,
            receive_buffer: 65_535,
            acknowledge: if open { Acknowledge::Adaptive } else { Acknowledge::Delayed },
            receive_memory: if open { 131_072 } else { 0 },
            sack_history: open,
            invalid_ms: if open { 500 } else { 0 },
            rack: open,
            loss_keeps_tenths: if open { 7 } else { 0 },
            burst_push: open,
            half_window: open,
            least_segment: if open { 48 } else { 0 },
            timer_tick_ms: if open { 4 } else { 0 },
            urgent_apart: open,
            reset_window: open,
            mini_sockets: open,
        },
        icmp: icmp(open),
        fragments: Fragments {
            source: source(),
            overlap: if open { Overlap::Last } else { Overlap::Drop },
            timeout_ms: 30_000,
            time_exceeded: open,
        },
        arp: arp(open),
    }
}

fn source() -> String {
    "fitted: made for fuzzing".into()
}

fn ip_id(open: bool) -> IpId {
    let rule = |one, other| if open { one } else { other };
    IpId {
        source: source(),
        syn_ack: rule(IdRule::Zero, IdRule::Host),
        reset: rule(IdRule::Random, IdRule::HostSwapped),
        data: rule(IdRule::Flow, IdRule::HostRandomStep),
        echo: rule(IdRule::Peer, IdRule::SecondHost),
        error: rule(IdRule::Constant(7), IdRule::Counter { number: 2, step: IdStep::Hundreds, seat: IdSeat::High }),
        udp: rule(IdRule::Peer, IdRule::Host),
    }
}

fn tcp(open: bool) -> Tcp {
    let layout = |offered: &str, options: &str| LayoutRule {
        offered: offered.parse().expect("a set of options"),
        options: options.parse().expect("a layout"),
    };
    Tcp {
        source: source(),
        mss: 1460,
        mss_rule: if open { MssRule::Own } else { MssRule::Least },
        window_scale: 7,
        window_timestamps: WindowRule::TimesMssLessTimestamps(45),
        window: if open { WindowRule::TimesMss(44) } else { WindowRule::Constant(8192) },
        window_unscaled: None,
        layouts: LAYOUTS.into_iter().map(|(offered, options)| layout(offered, options)).collect(),
        exceptions: if open { Vec::new() } else { exceptions() },
        ecn: if open { Ecn::Accept } else { Ecn::Off },
        signed_silent: !open,
    }
}

/// SYNs that are not answered as the rules say: as they come in a script's options.
fn exceptions() -> Vec<SynException> {
    let exception = |offered: &str, answer: SynAnswer, every_second: bool| SynException {
        offered: offered.into(),
        offered_window: None,
        options: Some("mss=265,ws=3,ts=01".parse().expect("a layout")),
        window: Some(1),
        mss: None,
        ttl: Some(32),
        df: Some(true),
        reserved: true,
        urgent: true,
        answer,
        every_second,
    };
    let Answer::Reply(told) = reply("RA", SeqRule::Initial, AckRule::Fresh) else { return Vec::new() };
    vec![
        exception("", SynAnswer::Accept, true),
        exception("020405b4", SynAnswer::Reply(told), false),
        exception("02040218", SynAnswer::Silent, false),
    ]
}

fn reply(flags: &str, seq: SeqRule, ack: AckRule) -> Answer {
    Answer::Reply(Reply {
        flags: flags.into(),
        seq,
        ack,
        window: 0,
        df: true,
        options: None,
        text: String::new(),
        data: "00ff".into(),
        ttl: None,
        reserved: false,
        urgent: false,
    })
}

fn open_port(open: bool) -> OpenPort {
    let odd = || if open { Answer::Silent } else { reply("RA", SeqRule::Zero, AckRule::Seq) };
    let reset = || reply("R", SeqRule::Ack, AckRule::Zero);
    OpenPort {
        source: source(),
        null: odd(),
        fin: odd(),
        xmas: odd(),
        syn_fin: if open { Answer::Accept } else { Answer::Silent },
        ack: reset(),
        syn_ack: reset(),
        fin_ack: reset(),
    }
}

fn closed_port(open: bool) -> ClosedPort {
    let refuse = || reply("RA", SeqRule::Zero, AckRule::SeqPlusLength);
    let reset = || reply("R", SeqRule::Ack, AckRule::Zero);
    ClosedPort {
        source: source(),
        syn: refuse(),
        ack: reset(),
        syn_ack: reset(),
        fin_ack: reset(),
        null: refuse(),
        fin: if open { refuse() } else { Answer::Silent },
        xmas: refuse(),
        syn_fin: refuse(),
        per_second: if open { 0 } else { 200 },
        unanswered: vec![UnansweredSyn { offered: "0402".into() }],
    }
}

fn icmp(open: bool) -> Icmp {
    Icmp {
        source: source(),
        echo: true,
        echo_code: if open { CodeRule::Same } else { CodeRule::Zero },
        echo_df: if open { DfRule::Same } else { DfRule::Clear },
        echo_tos: open,
        broadcast_echo: !open,
        timestamp: open,
        mask: !open,
        port_unreachable: true,
        protocol_unreachable: open,
        error_tos: 0xc0,
        error_tos_copied: open,
        error_df: false,
        error_unused: 0,
        quote: if open { 548 } else { 28 },
        quoted: if open {
            Quoted::default()
        } else {
            Quoted {
                length: 20,
                length_swapped: true,
                id_swapped: true,
                checksum: QuotedSum::Valid,
                udp_checksum: QuotedSum::Value(1),
                ttl: 255,
                data_wrong: true,
                padded: true,
                ..Quoted::default()
            }
        },
        burst: 6,
        per_second: 1,
        per_peer: open,
    }
}

fn arp(open: bool) -> Arp {
    Arp {
        source: source(),
        sender_loopback: !open,
        sender_zero: open,
        sender_broadcast: !open,
        sender_foreign: open,
        hardware_unknown: !open,
        hardware_ieee802: open,
        protocol_unknown: !open,
        length_wrong: !open,
        snap: !open,
        verify_ms: 5000,
        verify_retries: 3,
        reachable_ms: 30_000,
        lock_ms: if open { 0 } else { 1000 },
        questions: 3,
        pending: 1,
        announce: 2,
        probe: 3,
        defend: true,
        sender_group: !open,
    }
}
