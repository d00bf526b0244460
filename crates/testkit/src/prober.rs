//! A host that asks with packets of its own and counts every answer: what a kernel would hide, such as a second answer
//! to one question, shows here.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use chaff_lab::{PacketSocket, veth};
use chaff_wire::{
    Mac, arp,
    ethernet::{self, Content},
    icmpv4,
    ipv4::{self, Datagram},
    tcp,
};

use crate::{neighbour, network::Network};

/// Who it is: no kernel answers for this address.
pub const PROBER: (Mac, Ipv4Addr) = (Mac([0x52, 0x54, 0, 0, 0, 0x77]), Ipv4Addr::new(10, 0, 0, 77));

/// How long an answer may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long nothing must come before it is believed that no second answer will.
const QUIET: Duration = Duration::from_millis(300);

/// A cable of its own on the switch, and what comes in by it.
#[derive(Debug)]
pub struct Prober {
    socket: PacketSocket,
    /// What has come.
    answers: RefCell<Vec<Answer>>,
}

impl Prober {
    /// Plugs it in.
    ///
    /// # Panics
    /// When there is one already.
    #[must_use]
    pub fn new(network: &Network) -> Self {
        veth(&network.net, "probe", &network.net, "probe-p").unwrap();
        network.net.link("probe-p").enslave("br0").unwrap();
        Self { socket: PacketSocket::open(&network.net, "probe").unwrap(), answers: RefCell::default() }
    }

    /// Sends a frame, and takes what has come meanwhile: the socket holds but a few hundred frames.
    fn send(&self, to: Mac, kind: u16, body: impl FnOnce(&mut Vec<u8>)) {
        let mut frame = Vec::new();
        ethernet::Header { destination: to, source: PROBER.0, vlan: None, kind }.emit(&mut frame);
        body(&mut frame);
        frame.resize(frame.len().max(ethernet::MIN_FRAME), 0);
        self.socket.send(&frame).unwrap();
        while self.receive(Duration::ZERO) {}
    }

    /// Waits for a frame, and answers it if it asks for the prober's card; says whether one came.
    ///
    /// # Panics
    /// When the cable is gone.
    pub fn receive(&self, patience: Duration) -> bool {
        let mut buffer = [0; 2048];
        let Some(length) = self.socket.receive(&mut buffer, patience).unwrap() else { return false };
        let frame = &buffer[..length];
        if let Some(answer) = neighbour::answer(frame, PROBER) {
            self.socket.send(&answer).unwrap();
        }
        self.answers.borrow_mut().extend(Answer::of(frame));
        true
    }

    /// Asks by ARP, to everybody.
    pub fn ask(&self, sender: (Mac, Ipv4Addr), target: Ipv4Addr) {
        let packet = arp::Packet::new(arp::REQUEST, sender, (Mac::ZERO, target));
        self.send(Mac::BROADCAST, ethernet::ARP, |out| packet.emit(out));
    }

    /// Sends an echo request.
    pub fn ping(&self, to: Mac, destination: Ipv4Addr, sequence: u16) {
        let [high, low] = sequence.to_be_bytes();
        let message = icmpv4::Header { kind: icmpv4::ECHO, code: 0, word: [0x12, 0x34, high, low] };
        let mut octets = Vec::new();
        message.emit(b"who is there", &mut octets);
        self.send(to, ethernet::IPV4, |out| datagram(ipv4::ICMP, destination, &octets, out));
    }

    /// Begins a connection, always the same one.
    pub fn syn(&self, to: Mac, destination: Ipv4Addr, port: u16) {
        let mut octets = Vec::new();
        let header = tcp::Header {
            source: 40_000,
            destination: port,
            seq: 1,
            ack: 0,
            reserved: 0,
            flags: tcp::Flags::SYN,
            window: 64_240,
            urgent: 0,
            options: &[],
        };
        header.emit(PROBER.1, destination, &[], &mut octets);
        self.send(to, ethernet::IPV4, |out| datagram(ipv4::TCP, destination, &octets, out));
    }

    /// Waits until so many answers have come in all, but no longer than a busy machine needs.
    pub fn wait_for(&self, expected: usize) {
        let begun = Instant::now();
        while self.answers.borrow().len() < expected && begun.elapsed() < PATIENCE {
            self.receive(QUIET);
        }
    }

    /// All answers: as many as are expected, and what comes beyond them until it is quiet.
    #[must_use]
    pub fn hear(&self, expected: usize) -> Vec<Answer> {
        self.wait_for(expected);
        while self.receive(QUIET) {}
        self.answers.take()
    }
}

fn datagram(protocol: u8, destination: Ipv4Addr, payload: &[u8], out: &mut Vec<u8>) {
    let header = ipv4::Header {
        tos: 0,
        id: 7,
        df: false,
        mf: false,
        offset: 0,
        ttl: 64,
        protocol,
        source: PROBER.1,
        destination,
        options: &[],
    };
    header.emit(payload.len(), out);
    out.extend_from_slice(payload);
}

/// What a decoy answered to the prober.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// An address and its card.
    Arp(Ipv4Addr, Mac),
    /// An echo reply, with its sequence number.
    Echo(Ipv4Addr, u16),
    /// A segment, with its flags and sequence number: a repetition has the same.
    Segment(Ipv4Addr, u8, u32),
}

impl Answer {
    fn of(frame: &[u8]) -> Option<Self> {
        let frame = ethernet::Frame::parse(frame)?;
        if frame.destination != PROBER.0 {
            return None;
        }
        match frame.content {
            Content::Type(ethernet::ARP, packet) => {
                let packet = arp::Packet::parse(packet)?;
                (packet.operation == arp::REPLY).then_some(Self::Arp(packet.sender_ip, packet.sender_mac))
            }
            Content::Type(ethernet::IPV4, datagram) => {
                let ip = Datagram::parse(datagram)?;
                match ip.protocol {
                    ipv4::ICMP => {
                        let message = icmpv4::Message::parse(ip.payload)?;
                        (message.kind == icmpv4::ECHO_REPLY).then(|| Self::Echo(ip.source, message.identifier().1))
                    }
                    ipv4::TCP => {
                        let segment = tcp::Segment::parse(ip.payload)?;
                        Some(Self::Segment(ip.source, segment.flags.0, segment.seq))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Who gave answers that `which` takes, each as often as it answered.
#[must_use]
pub fn who(answers: &[Answer], which: impl Fn(&Answer) -> Option<Ipv4Addr>) -> Vec<Ipv4Addr> {
    let mut who: Vec<Ipv4Addr> = answers.iter().filter_map(which).collect();
    who.sort_unstable();
    who
}

/// The cards that answered ARP.
#[must_use]
pub fn cards(answers: &[Answer]) -> BTreeMap<Ipv4Addr, Mac> {
    let arp = |answer: &Answer| if let Answer::Arp(ip, mac) = *answer { Some((ip, mac)) } else { None };
    answers.iter().filter_map(arp).collect()
}
