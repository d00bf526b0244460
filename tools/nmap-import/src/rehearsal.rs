//! What nmap would see of a personality: its sixteen probes, put to the real engine in virtual time, and its
//! arithmetic on the answers, after "Remote OS detection" in nmap's documentation and observation of nmap 7.93.

use std::net::Ipv4Addr;

use chaff_engine::{
    Engine, Output,
    personality::Personality,
    spec::{ChaffSpec, DecoySpec, FleetSpec, NetworkSpec, PartSpec, Port, PortTable, ProfileSpec},
};
use chaff_events::UtcNanos;
use chaff_wire::{
    Mac, arp, ethernet,
    icmpv4::{self, Message},
    ipv4::{self, Datagram},
    tcp::{self, Flags, Segment},
    udp,
};

use crate::{database::Test, probes, statistics, statistics::Timed};

/// One answer over TCP, with what of it is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) ttl: u8,
    pub(crate) id: u16,
    pub(crate) df: bool,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) reserved: u8,
    pub(crate) flags: Flags,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    pub(crate) options: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

/// The engine with one decoy, a clock, and the scanner's numbers.
pub(crate) struct Rehearsal {
    engine: Engine,
    now: u64,
    wake: Option<u64>,
    port: u16,
    seq: u32,
    ack: u32,
}

const DECOY: (Mac, Ipv4Addr) = (Mac([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(10, 0, 0, 1));
const SCANNER: (Mac, Ipv4Addr) = (Mac([2, 0, 0, 0, 0, 2]), Ipv4Addr::new(10, 0, 0, 2));
const OPEN: u16 = 22;
const CLOSED: u16 = 23;
const MS: u64 = 1_000_000;
/// Between probes other than the timed ones, and between rounds.
const GAP_NS: u64 = 25 * MS;
const ROUND_NS: u64 = 1_300 * MS;
/// What nmap sends U1 with.
const UDP_TTL: u8 = 57;
/// How often an odd probe is sent before it counts as unanswered.
const TRIES: usize = 2;

impl Rehearsal {
    /// A decoy with this personality, one open and else closed ports. `seed` fixes all chance.
    pub(crate) fn new(personality: &Personality, seed: u8) -> Self {
        let closed = PortTable { ranges: Vec::new(), default: Port::Closed };
        let spec = FleetSpec {
            sensor: "rehearsal".into(),
            networks: vec![NetworkSpec {
                name: "lan".into(),
                link: 0,
                vlan: None,
                subnet: Ipv4Addr::new(10, 0, 0, 0).into(),
                prefix: 8,
                gateway: None,
            }],
            personalities: vec![personality.clone()],
            services: Vec::new(),
            profiles: vec![ProfileSpec {
                name: "host".into(),
                personality: 0,
                tcp: PortTable { ranges: vec![(OPEN, OPEN, Port::Open)], default: Port::Closed },
                udp: closed,
                accounts: [].into(),
                serial: None,
            }],
            decoys: vec![DecoySpec {
                name: "host".into(),
                mac: DECOY.0,
                ip: DECOY.1.into(),
                network: 0,
                profile: 0,
                seed: [seed; 16],
            }],
            chaff: ChaffSpec { packets_per_second: 0 },
            part: PartSpec::default(),
        };
        let now = 1_000_000 * MS;
        let engine = Engine::new(spec, [seed; 32], now, UtcNanos(1_800_000_000_000 * MS));
        let number = u32::from(seed).wrapping_mul(0x9e37_79b9).wrapping_add(0x1234_5678) | 0x100;
        let mut rehearsal =
            Self { engine, now, wake: None, port: 40_000, seq: number, ack: number.rotate_left(13) | 1 };
        rehearsal.settle();
        rehearsal.meet();
        // The port scan before.
        for port in [OPEN, CLOSED] {
            rehearsal.syn(port, 1_024, &[2, 4, 5, 0xb4]);
        }
        rehearsal
    }

    /// The scanner asks for the decoy's card, as it does before anything else; the decoy knows it from then on.
    fn meet(&mut self) {
        let mut frame = Vec::new();
        let everybody = Mac::BROADCAST;
        ethernet::Header { destination: everybody, source: SCANNER.0, vlan: None, kind: ethernet::ARP }
            .emit(&mut frame);
        arp::Packet::new(arp::REQUEST, SCANNER, (Mac::ZERO, DECOY.1)).emit(&mut frame);
        let _ = self.engine.handle_frame(self.now, 0, &frame);
        self.settle();
    }

    /// One round, the timed SYNs so far apart: the tests as nmap would print them.
    pub(crate) fn round(&mut self, spacing_ms: u64) -> Vec<(String, Test)> {
        self.now += ROUND_NS;
        self.seq = self.seq.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
        self.ack = self.ack.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f) | 1;
        let mut timed: Vec<Timed> = Vec::new();
        let mut syns: Vec<Option<Answer>> = Vec::new();
        let mut last_id = 0;
        for (index, probe) in (0u64..).zip(&probes::SEQUENCE) {
            if index > 0 {
                // Never quite as planned.
                self.now += spacing_ms * MS + (index * 7_919 % 5) * 13_000;
            }
            let at = self.now;
            let answer = self.syn(OPEN, probe.window, &octets(probe.options));
            if let Some(answer) = &answer {
                // The same identification twice is taken for a duplicate.
                let duplicate = last_id != 0 && answer.id == last_id;
                last_id = answer.id;
                if answer.seq != 0 && !duplicate {
                    timed.push(Timed { seq: answer.seq, id: answer.id, at_ns: at, stamp: stamp(&answer.options) });
                }
            }
            syns.push(answer);
        }
        let echoes = [self.echo(9, true, 0, 295, 120, 0x1111), self.echo(0, false, 4, 296, 150, 0x1112)];
        let unreachable = self.udp();
        for (probe, answer) in probes::SEQUENCE.iter().zip(&mut syns) {
            for _ in 0..TRIES {
                if answer.is_none() {
                    self.now += GAP_NS;
                    *answer = self.syn(OPEN, probe.window, &octets(probe.options));
                }
            }
        }
        let ecn = self.ecn();
        let (odd, t7) = (octets(probes::ODD), octets(probes::ODD_T7));
        let letters = |text: &str| Flags::from_letters(text).unwrap_or(Flags::NONE);
        let odds = [
            self.odd(OPEN, Flags::NONE, 128, true, &odd),
            self.odd(OPEN, letters("SFUP"), 256, false, &odd),
            self.odd(OPEN, letters("A"), 1_024, true, &odd),
            self.odd(CLOSED, letters("S"), 31_337, false, &odd),
            self.odd(CLOSED, letters("A"), 32_768, true, &odd),
            self.odd(CLOSED, letters("FPU"), 65_535, false, &t7),
        ];
        let distance = unreachable.as_ref().map(|(_, quoted)| i16::from(UDP_TTL) - i16::from(*quoted) + 1);
        self.fingerprint(&timed, &syns, &echoes, unreachable.map(|(test, _)| test), ecn, &odds, distance)
    }

    #[allow(clippy::too_many_arguments)] // one for each kind of probe
    fn fingerprint(
        &self,
        timed: &[Timed],
        syns: &[Option<Answer>],
        echoes: &[Option<(Kept, u8)>; 2],
        unreachable: Option<Test>,
        ecn: Option<Answer>,
        odds: &[Option<Answer>; 6],
        distance: Option<i16>,
    ) -> Vec<(String, Test)> {
        let mut tests = Vec::new();
        let closed: Vec<u16> = odds.iter().skip(3).flatten().map(|answer| answer.id).collect();
        let icmp: Vec<u16> = echoes.iter().flatten().map(|(ip, _)| ip.id).collect();
        tests.push(("SEQ".to_owned(), statistics::sequence(timed, &closed, &icmp)));
        if syns.iter().all(Option::is_some) {
            let of = |letter: char, value: &dyn Fn(&Answer) -> String| -> Test {
                (1..).zip(syns.iter().flatten()).map(|(n, answer)| (format!("{letter}{n}"), value(answer))).collect()
            };
            tests.push(("OPS".into(), of('O', &|answer| option_text(&answer.options))));
            tests.push(("WIN".into(), of('W', &|answer| format!("{:X}", answer.window))));
        }
        let no = || Test::from([("R".to_owned(), "N".to_owned())]);
        tests.push((
            "ECN".into(),
            ecn.map_or_else(no, |answer| {
                let mut test = self.common(&answer, distance);
                let (ece, cwr) = (answer.flags.has(Flags::ECE), answer.flags.has(Flags::CWR));
                let letter = match (ece, cwr) {
                    (true, false) => "Y",
                    (false, false) => "N",
                    (true, true) => "S",
                    (false, true) => "O",
                };
                test.insert("CC".into(), letter.into());
                test.insert("W".into(), format!("{:X}", answer.window));
                test.insert("O".into(), option_text(&answer.options));
                test
            }),
        ));
        let t1 = syns.first().and_then(Option::as_ref);
        tests.push(("T1".into(), t1.map_or_else(no, |answer| self.numbers(answer, distance))));
        for (n, answer) in (2..).zip(odds) {
            let test = answer.as_ref().map_or_else(no, |answer| {
                let mut test = self.numbers(answer, distance);
                test.insert("W".into(), format!("{:X}", answer.window));
                test.insert("O".into(), option_text(&answer.options));
                test
            });
            tests.push((format!("T{n}"), test));
        }
        tests.push((
            "U1".into(),
            unreachable.map_or_else(no, |mut test| {
                relocate(&mut test, distance);
                test
            }),
        ));
        tests.push((
            "IE".into(),
            match echoes {
                [Some((first, first_code)), Some((second, second_code))] => {
                    let dfi = match (first.df, second.df) {
                        (false, false) => "N",
                        (true, false) => "S",
                        (true, true) => "Y",
                        (false, true) => "O",
                    };
                    let cd = match (first_code, second_code) {
                        (0, 0) => "Z".to_owned(),
                        (9, 0) => "S".to_owned(),
                        (a, b) if a == b => format!("{a:X}"),
                        _ => "O".to_owned(),
                    };
                    let mut test =
                        Test::from([("R".into(), "Y".into()), ("DFI".into(), dfi.into()), ("CD".into(), cd)]);
                    test.insert("T".into(), first.ttl.to_string());
                    relocate(&mut test, distance);
                    test
                }
                _ => no(),
            },
        ));
        tests
    }

    /// R, DF, T and Q.
    fn common(&self, answer: &Answer, distance: Option<i16>) -> Test {
        let mut quirks = String::new();
        if answer.reserved != 0 {
            quirks.push('R');
        }
        if answer.urgent != 0 && !answer.flags.has(Flags::URG) {
            quirks.push('U');
        }
        let mut test = Test::from([
            ("R".into(), "Y".into()),
            ("DF".into(), if answer.df { "Y" } else { "N" }.into()),
            ("T".into(), answer.ttl.to_string()),
            ("Q".into(), quirks),
        ]);
        relocate(&mut test, distance);
        test
    }

    /// And S, A, F and RD.
    fn numbers(&self, answer: &Answer, distance: Option<i16>) -> Test {
        let mut test = self.common(answer, distance);
        let s = match answer.seq {
            0 => "Z",
            seq if seq == self.ack => "A",
            seq if seq == self.ack.wrapping_add(1) => "A+",
            _ => "O",
        };
        let a = match answer.ack {
            0 => "Z",
            ack if ack == self.seq => "S",
            ack if ack == self.seq.wrapping_add(1) => "S+",
            _ => "O",
        };
        let flags: String = [
            (Flags::ECE, 'E'),
            (Flags::URG, 'U'),
            (Flags::ACK, 'A'),
            (Flags::PSH, 'P'),
            (Flags::RST, 'R'),
            (Flags::SYN, 'S'),
            (Flags::FIN, 'F'),
        ]
        .iter()
        .filter(|(flag, _)| answer.flags.has(*flag))
        .map(|(_, letter)| *letter)
        .collect();
        let rd = if answer.data.is_empty() { "0".into() } else { format!("{:08X}", crate::crc::of(&answer.data)) };
        test.extend([("S".into(), s.into()), ("A".into(), a.into()), ("F".into(), flags), ("RD".into(), rd)]);
        test
    }

    fn syn(&mut self, port: u16, window: u16, options: &[u8]) -> Option<Answer> {
        self.port += 1;
        self.segment(port, Flags::SYN, window, false, 0, options)
    }

    fn ecn(&mut self) -> Option<Answer> {
        let flags = Flags::SYN.with(Flags::ECE).with(Flags::CWR);
        let options = octets(probes::ECN.options);
        (0..TRIES).find_map(|_| {
            self.now += GAP_NS;
            self.port += 1;
            self.segment(OPEN, flags, probes::ECN.window, false, 8, &options)
        })
    }

    fn odd(&mut self, port: u16, flags: Flags, window: u16, df: bool, options: &[u8]) -> Option<Answer> {
        (0..TRIES).find_map(|_| {
            self.now += GAP_NS;
            self.port += 1;
            self.segment(port, flags, window, df, 0, options)
        })
    }

    /// Sends a segment; a connection that it opens is reset at once, as the scanner's kernel does.
    fn segment(
        &mut self,
        port: u16,
        flags: Flags,
        window: u16,
        df: bool,
        reserved: u8,
        options: &[u8],
    ) -> Option<Answer> {
        let header = tcp::Header {
            source: self.port,
            destination: port,
            seq: self.seq,
            ack: if reserved != 0 { 0 } else { self.ack },
            reserved,
            flags,
            window,
            urgent: if reserved != 0 { 0xf7f5 } else { 0 },
            options,
        };
        let mut body = Vec::new();
        header.emit(SCANNER.1, DECOY.1, &[], &mut body);
        let frames = self.exchange(ipv4::TCP, 0, df, 0x3c1d, 50, &body);
        let answer = frames.iter().find_map(|frame| tcp_answer(frame))?;
        if answer.flags.has(Flags::SYN) {
            let reset =
                tcp::Header { seq: self.seq.wrapping_add(1), flags: Flags::RST, window: 0, options: &[], ..header };
            let mut body = Vec::new();
            reset.emit(SCANNER.1, DECOY.1, &[], &mut body);
            let _ = self.exchange(ipv4::TCP, 0, true, 0, 64, &body);
        }
        Some(answer)
    }

    fn echo(&mut self, code: u8, df: bool, tos: u8, sequence: u16, length: usize, id: u16) -> Option<(Kept, u8)> {
        self.now += GAP_NS;
        let [high, low] = sequence.to_be_bytes();
        let mut body = Vec::new();
        icmpv4::Header { kind: icmpv4::ECHO, code, word: [0x12, 0x34, high, low] }.emit(&vec![0; length], &mut body);
        let frames = self.exchange(ipv4::ICMP, tos, df, id, 50, &body);
        frames.iter().find_map(|frame| {
            let ip = datagram(frame).filter(|ip| ip.protocol == ipv4::ICMP)?;
            let message = Message::parse(ip.payload)?;
            let kept = Kept { ttl: ip.ttl, id: ip.id, df: ip.df };
            (message.kind == icmpv4::ECHO_REPLY).then_some((kept, message.code))
        })
    }

    /// U1, and the time to live that was quoted.
    fn udp(&mut self) -> Option<(Test, u8)> {
        self.now += GAP_NS;
        let mut body = Vec::new();
        let data = [b'C'; 300];
        udp::Header { source: 50_000, destination: CLOSED }.emit(SCANNER.1, DECOY.1, &data, &mut body);
        let sent = u16::from_be_bytes([*body.get(6)?, *body.get(7)?]);
        let frames = self.exchange(ipv4::UDP, 0, false, probes::UDP_ID, UDP_TTL, &body);
        frames.iter().find_map(|frame| {
            let ip = datagram(frame).filter(|ip| ip.protocol == ipv4::ICMP)?;
            let message = Message::parse(ip.payload).filter(|message| message.kind == icmpv4::UNREACHABLE)?;
            let quoted = message.payload;
            let word = |at: usize| Some(u16::from_be_bytes([*quoted.get(at)?, *quoted.get(at + 1)?]));
            let same = |value: u16, sent: u16| if value == sent { "G".into() } else { format!("{value:X}") };
            let sum = match word(10)? {
                0 => "Z",
                _ if chaff_wire::checksum::Checksum::new().add(quoted.get(..20)?).holds() => "G",
                _ => "I",
            };
            let data_good = quoted.get(28..)?.iter().take(300).all(|octet| *octet == b'C');
            let test = Test::from([
                ("R".into(), "Y".into()),
                ("DF".into(), if ip.df { "Y" } else { "N" }.into()),
                ("T".into(), ip.ttl.to_string()),
                ("IPL".into(), format!("{:X}", ip.total_length)),
                ("UN".into(), format!("{:X}", u16::from_be_bytes([message.word[2], message.word[3]]))),
                ("RIPL".into(), same(word(2)?, probes::UDP_LENGTH)),
                ("RID".into(), same(word(4)?, probes::UDP_ID)),
                ("RIPCK".into(), sum.into()),
                ("RUCK".into(), same(word(26)?, sent)),
                ("RUD".into(), if data_good { "G" } else { "I" }.into()),
            ]);
            Some((test, *quoted.get(8)?))
        })
    }

    /// Sends one datagram to the decoy, and returns what it sends.
    fn exchange(&mut self, protocol: u8, tos: u8, df: bool, id: u16, ttl: u8, body: &[u8]) -> Vec<Vec<u8>> {
        let mut frame = Vec::new();
        ethernet::Header { destination: DECOY.0, source: SCANNER.0, vlan: None, kind: ethernet::IPV4 }.emit(&mut frame);
        let header = ipv4::Header {
            tos,
            id,
            df,
            mf: false,
            offset: 0,
            ttl,
            protocol,
            source: SCANNER.1,
            destination: DECOY.1,
            options: &[],
        };
        header.emit(body.len(), &mut frame);
        frame.extend_from_slice(body);
        if self.wake.is_some_and(|wake| wake <= self.now) {
            self.engine.handle_wake(self.now);
            self.settle();
        }
        let _ = self.engine.handle_frame(self.now, 0, &frame);
        self.settle()
    }

    fn settle(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit { frame, .. } => frames.push(frame.to_vec()),
                Output::Wake(at) => self.wake = Some(at),
                Output::Observe(_) => {}
            }
        }
        frames
    }
}

/// What is kept of an answer's IP header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    ttl: u8,
    id: u16,
    df: bool,
}

/// T as it was received becomes T, or TG where the distance is not known.
fn relocate(test: &mut Test, distance: Option<i16>) {
    let Some(ttl) = test.remove("T").and_then(|ttl| ttl.parse::<u8>().ok()) else { return };
    match distance {
        Some(distance) => test.insert("T".into(), format!("{:X}", i16::from(ttl) + distance - 1)),
        None => test.insert("TG".into(), format!("{:X}", crate::ttl::bucket(ttl))),
    };
}

fn datagram(frame: &[u8]) -> Option<Datagram<'_>> {
    let kind = frame.get(12..14)?;
    (kind == [8, 0]).then(|| Datagram::parse(frame.get(ethernet::HEADER..)?)).flatten()
}

fn tcp_answer(frame: &[u8]) -> Option<Answer> {
    let ip = datagram(frame).filter(|ip| ip.protocol == ipv4::TCP)?;
    let segment = Segment::parse(ip.payload)?;
    Some(Answer {
        ttl: ip.ttl,
        id: ip.id,
        df: ip.df,
        seq: segment.seq,
        ack: segment.ack,
        reserved: segment.reserved,
        flags: segment.flags,
        window: segment.window,
        urgent: segment.urgent,
        options: segment.options.to_vec(),
        data: segment.payload.to_vec(),
    })
}

/// The value of the timestamp option.
fn stamp(options: &[u8]) -> Option<u32> {
    tcp::Options(options).find_map(|option| match option {
        tcp::TcpOption::Timestamps(value, _) => Some(value),
        _ => None,
    })
}

/// The options as nmap prints them.
fn option_text(options: &[u8]) -> String {
    let letter = |option: tcp::TcpOption<'_>| match option {
        tcp::TcpOption::End => "L".to_owned(),
        tcp::TcpOption::Nop => "N".to_owned(),
        tcp::TcpOption::MaxSegmentSize(size) => format!("M{size:X}"),
        tcp::TcpOption::WindowScale(shift) => format!("W{shift:X}"),
        tcp::TcpOption::SackPermitted => "S".to_owned(),
        tcp::TcpOption::Timestamps(value, echo) => format!("T{}{}", u8::from(value != 0), u8::from(echo != 0)),
        tcp::TcpOption::Sack(_) | tcp::TcpOption::Unknown(..) => "?".to_owned(),
    };
    tcp::Options(options).map(letter).collect()
}

fn octets(hex: &str) -> Vec<u8> {
    let pairs =
        (0..hex.len() / 2).map(|i| hex.get(2 * i..2 * i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()));
    pairs.flatten().collect()
}
