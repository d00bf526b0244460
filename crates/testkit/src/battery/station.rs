//! One prober: a card, an address, the frames that come for it, and the lines that it writes.

use std::{
    net::Ipv4Addr,
    sync::{Arc, mpsc::Receiver},
    time::{Duration, Instant},
};

use chaff_wire::{
    Mac, arp,
    ethernet::{self, Content, Frame},
    ipv4,
};

use super::{
    Line,
    flow::{Flow, Seg},
    packet::{self, Ip, Memory},
    wire::{Heard, Wire},
};

/// How long a host may take for what it does at once; a busy machine is not a slow host.
const PATIENCE: Duration = Duration::from_millis(400);

/// How soon after the first frame of an answer the others come.
const GRACE: Duration = Duration::from_millis(12);

/// How long handshakes take.
const TRIP_MS: u64 = 30;

/// See the module.
#[derive(Debug)]
pub struct Station {
    wire: Arc<Wire>,
    number: usize,
    pub(super) own: (Mac, Ipv4Addr),
    pub(super) target: (Mac, Ipv4Addr),
    inbox: Receiver<Heard>,
    memory: Memory,
    pub(super) flows: Vec<Flow>,
    lines: Vec<Line>,
    /// What times are counted from.
    mark: u64,
    /// ARP is part of what is recorded.
    pub(super) hears_arp: bool,
    /// The flow that was spoken on last: what comes on others is an echo of earlier questions.
    focus: Option<FlowId>,
    /// Windows are not part of what is recorded: how much a service has read by now is its scheduler's business.
    pub(super) hides_window: bool,
    /// Nor is PSH, which depends on how a service's writes met the window.
    pub(super) hides_push: bool,
    /// Questions are asked faster than answers come: none is thrown away.
    pub(super) gathers: bool,
}

/// A flow of this station.
pub(super) type FlowId = usize;

impl Station {
    pub(super) fn new(wire: Arc<Wire>, number: usize, target: Ipv4Addr) -> Self {
        let own = wire.identity(number);
        let inbox = wire.inbox(number);
        Self {
            wire,
            number,
            own,
            target: (Mac::BROADCAST, target),
            inbox,
            memory: Memory::default(),
            flows: Vec::new(),
            lines: Vec::new(),
            mark: super::wire::now(),
            hears_arp: false,
            focus: None,
            hides_window: false,
            hides_push: false,
            gathers: false,
        }
    }

    pub(super) fn into_lines(self) -> Vec<Line> {
        self.lines
    }

    /// Asks for the target's card, as everybody does before the first packet.
    pub(super) fn meet(&mut self) {
        for _ in 0..3 {
            self.who_has(self.own.1, Mac::BROADCAST);
            let until = Instant::now() + PATIENCE;
            while let Some(heard) = self.next(until) {
                if let Some(reply) = arp_of(&heard.octets).filter(|p| p.operation == arp::REPLY) {
                    self.target.0 = reply.sender_mac;
                    return;
                }
            }
        }
        panic!("{} does not answer ARP", self.target.1);
    }

    /// Takes the target's card from the next ARP reply.
    pub(super) fn learn_card(&mut self) {
        let until = Instant::now() + PATIENCE;
        while let Some(heard) = self.next(until) {
            if let Some(reply) = arp_of(&heard.octets).filter(|p| p.operation == arp::REPLY) {
                self.target.0 = reply.sender_mac;
                return;
            }
        }
        self.note("no ARP reply");
    }

    /// The identification of the next IPv4 datagram that comes.
    pub(super) fn next_id(&self) -> Option<u16> {
        let until = Instant::now() + PATIENCE;
        while let Some(heard) = self.next(until) {
            if let Some(Content::Type(ethernet::IPV4, octets)) = Frame::parse(&heard.octets).map(|frame| frame.content)
            {
                return ipv4::Datagram::parse(octets).map(|ip| ip.id);
            }
        }
        None
    }

    /// A question for the target, in the name of `sender`.
    pub(super) fn who_has(&mut self, sender: Ipv4Addr, to: Mac) {
        let request = arp::Packet::new(arp::REQUEST, (self.own.0, sender), (Mac::ZERO, self.target.1));
        self.arp(&request, to);
    }

    pub(super) fn arp(&mut self, packet: &arp::Packet, to: Mac) {
        let mut frame = Vec::new();
        ethernet::Header { destination: to, source: self.own.0, vlan: None, kind: ethernet::ARP }.emit(&mut frame);
        packet.emit(&mut frame);
        self.send(&frame);
    }

    /// Whether the station answers when it is asked for.
    pub(super) fn answer_arp(&self, answers: bool) {
        self.wire.answer_arp(self.number, answers);
    }

    /// Sends a frame; times count from here on.
    pub(super) fn send(&mut self, frame: &[u8]) {
        // What came before it is no answer to it.
        while !self.gathers
            && let Ok(late) = self.inbox.try_recv()
        {
            self.memory.describe(&late.octets, late.at, &mut self.flows);
        }
        if !self.gathers {
            self.focus = None;
        }
        self.mark = self.wire.send(frame);
    }

    pub(super) fn ip(&mut self, ip: &Ip, protocol: u8, payload: &[u8]) {
        let frame = packet::frame(ip, self.own, self.target, protocol, payload);
        self.send(&frame);
    }

    pub(super) fn icmp(&mut self, ip: &Ip, kind: u8, code: u8, word: [u8; 4], body: &[u8]) {
        self.ip(ip, ipv4::ICMP, &packet::icmp(kind, code, word, body));
    }

    pub(super) fn udp(&mut self, ip: &Ip, source: u16, destination: u16, body: &[u8]) {
        let payload = packet::datagram(source, destination, self.own.1, self.target.1, body);
        self.ip(ip, ipv4::UDP, &payload);
    }

    /// A new flow to a port of the target.
    pub(super) fn flow(&mut self, port: u16) -> FlowId {
        let number = u32::try_from(self.flows.len()).unwrap_or(0);
        let ours = 20_000 + u16::try_from(number).unwrap_or(0);
        let iss = 0x1000_0000_u32.wrapping_add(number.wrapping_mul(0x0123_4567));
        self.flows.push(Flow::new(ours, port, iss));
        self.flows.len() - 1
    }

    pub(super) fn tcp(&mut self, flow: FlowId, seg: &Seg) {
        self.tcp_in(&Ip { df: true, ..Ip::default() }, flow, seg);
    }

    pub(super) fn tcp_in(&mut self, ip: &Ip, flow: FlowId, seg: &Seg) {
        let payload = self.flows[flow].emit(seg, ip.source.unwrap_or(self.own.1), self.target.1);
        self.ip(ip, ipv4::TCP, &payload);
        self.focus = Some(flow);
    }

    /// A connection: the handshake with these options, not written down.
    pub(super) fn connect(&mut self, port: u16, options: &str) -> FlowId {
        self.connect_with(port, options, 64_000)
    }

    pub(super) fn connect_with(&mut self, port: u16, options: &str, window: u16) -> FlowId {
        let flow = self.flow(port);
        let syn = Seg { flags: "S", options: Some(packet::options(options)), ack: 0, window, ..Seg::default() };
        self.tcp(flow, &syn);
        if self.heard(PATIENCE).is_none() {
            self.note("no SYN-ACK");
        }
        // A round trip that does not depend on how busy this machine is: the host's timers are made of it.
        self.wait(TRIP_MS);
        self.tcp(flow, &Seg { seq: 1, ack: 1, window, ..Seg::default() });
        flow
    }

    /// Ends a flow without a trace in the record.
    pub(super) fn abort(&mut self, flow: FlowId, seq: i64) {
        self.tcp(flow, &Seg { flags: "R", seq, window: 0, options: Some(Vec::new()), ..Seg::default() });
    }

    /// The initial number of the host in a flow.
    pub(super) fn irs(&self, flow: FlowId) -> u32 {
        self.flows[flow].irs()
    }

    /// The next SYN-ACK of a flow starts it anew.
    pub(super) fn forget(&mut self, flow: FlowId) {
        self.flows[flow].forget();
    }

    /// Writes a line without a time.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.lines.push(Line { at: None, text: text.into() });
    }

    /// Writes down the next answer, or silence, behind `label`.
    pub(super) fn answer(&mut self, label: &str) {
        let mut text = self.heard(PATIENCE).map_or_else(|| "silence".to_owned(), |(_, text)| text);
        while let Some((_, more)) = self.heard(GRACE) {
            text.push_str(" | ");
            text.push_str(&more);
        }
        self.note(format!("{label} -> {text}"));
    }

    /// Writes down all that comes within so many milliseconds, with its time after the latest that was sent.
    pub(super) fn listen(&mut self, ms: u64) {
        let until = Instant::now() + Duration::from_millis(ms);
        while let Some((at, text)) = self.heard_until(until) {
            self.lines.push(Line { at: Some(at), text });
        }
    }

    /// The same, until so many frames came.
    pub(super) fn listen_for(&mut self, frames: usize, ms: u64) {
        let until = Instant::now() + Duration::from_millis(ms);
        for _ in 0..frames {
            match self.heard_until(until) {
                Some((at, text)) => self.lines.push(Line { at: Some(at), text }),
                None => self.note("silence"),
            }
        }
    }

    /// Writes down what comes within so many milliseconds and holds `wanted`.
    pub(super) fn listen_to(&mut self, wanted: &str, ms: u64) {
        let until = Instant::now() + Duration::from_millis(ms);
        while let Some((at, text)) = self.heard_until(until) {
            if text.contains(wanted) {
                self.lines.push(Line { at: Some(at), text });
            }
        }
    }

    /// The window of the first segment that acknowledges all up to `ours`.
    pub(super) fn window_when_acked(&mut self, ours: i64) -> Option<u32> {
        let wanted = format!("ack=ours+{ours} ");
        let until = Instant::now() + PATIENCE;
        while let Some((_, text)) = self.heard_until(until) {
            if text.contains(&wanted) {
                return text.split("win=").nth(1)?.split(' ').next()?.parse().ok();
            }
        }
        None
    }

    /// All that comes within so many milliseconds is thrown away, but for what it says of a flow's numbers.
    pub(super) fn ignore(&mut self, ms: u64) {
        let until = Instant::now() + Duration::from_millis(ms);
        while self.heard_until(until).is_some() {}
    }

    /// The next frame that counts, in words, with seconds after the latest that was sent.
    pub(super) fn heard(&mut self, patience: Duration) -> Option<(f64, String)> {
        self.heard_until(Instant::now() + patience)
    }

    pub(super) fn heard_until(&mut self, until: Instant) -> Option<(f64, String)> {
        while let Some(heard) = self.next(until) {
            let counts = match arp_of(&heard.octets) {
                Some(_) => self.hears_arp,
                None => {
                    let flow = packet::flow_of(&heard.octets, &self.flows);
                    self.gathers || flow.is_none_or(|flow| Some(flow) == self.focus)
                }
            };
            if let Some(mut text) = self.memory.describe(&heard.octets, heard.at, &mut self.flows).filter(|_| counts) {
                if self.hides_window {
                    text = text.split(' ').filter(|word| !word.starts_with("win=")).collect::<Vec<_>>().join(" ");
                }
                if self.hides_push {
                    text = text.replace("TCP PA", "TCP A");
                }
                return Some((self.since(heard.at), text));
            }
        }
        None
    }

    fn since(&self, at: u64) -> f64 {
        (i128::from(at) - i128::from(self.mark)) as f64 / 1e9
    }

    /// Writes a line with the time since the latest that was sent.
    pub(super) fn write(&mut self, at: f64, text: impl Into<String>) {
        self.lines.push(Line { at: Some(at), text: text.into() });
    }

    pub(super) fn next(&self, until: Instant) -> Option<Heard> {
        self.inbox.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }

    /// Lets time pass.
    pub(super) fn wait(&self, ms: u64) {
        std::thread::sleep(Duration::from_millis(ms));
    }
}

fn arp_of(octets: &[u8]) -> Option<arp::Packet> {
    match Frame::parse(octets)?.content {
        Content::Type(ethernet::ARP, packet) => arp::Packet::parse(packet),
        _ => None,
    }
}
