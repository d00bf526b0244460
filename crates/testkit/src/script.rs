//! Packet scripts: what a host sends and what it must then see, in virtual time, so that a test reads like the RFC.
//!
//! ```no_run
//! use chaff_testkit::script::{Script, mss, tcp, ACK, SYN};
//! let mut host = Script::new("handshake");
//! host.send(tcp(SYN).seq(100).options([mss(1460)]));
//! let answer = host.expect(tcp(SYN | ACK).ack(101).options([mss(1460)]));
//! host.send(tcp(ACK).seq(101).ack(answer.seq + 1));
//! host.expect_nothing(1000);
//! ```
//!
//! One type describes a packet in both directions: what is left unsaid has an ordinary value when it is sent and is
//! not compared when it is expected. The scripted host answers ARP by itself, as a kernel would, unless told not to.

mod option;
mod packet;
mod read;

use std::net::Ipv4Addr;

use chaff_engine::spec::FleetSpec;
use chaff_wire::Mac;

pub use option::{Option, eol, mss, nop, raw, sack, sack_permitted, timestamps, timestamps_any, window_scale};
pub use packet::{
    ACK, CWR, ECE, FIN, NONE, PSH, Packet, RST, SYN, URG, arp_reply, arp_request, echo, echo_reply, icmp, ip_protocol,
    tcp, udp,
};
pub use read::Seen;

use crate::{MILLISECOND, fixture, neighbour, rig::Rig};

/// An answer that needs no timer comes at once; this much is allowed, in milliseconds of virtual time.
const AT_ONCE_MS: u64 = 1;

/// A host on the decoys' link.
#[derive(Debug)]
pub struct Script {
    name: String,
    rig: Rig,
    /// Who the host is, unless a packet says otherwise.
    pub(crate) me: (Mac, Ipv4Addr),
    /// Whom it talks to, unless a packet says otherwise.
    pub(crate) peer: (Mac, Ipv4Addr),
    pub(crate) ports: (u16, u16),
    answers_arp: bool,
    sees_arp: bool,
    transcript: Vec<String>,
    waiting: std::collections::VecDeque<(u64, Vec<u8>)>,
    mark: u64,
}

impl Script {
    /// A host beside one Linux decoy. `name` is the file of the capture that a failure leaves behind.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with(name, fixture::fleet(4))
    }

    /// A host beside the decoys of `spec`, talking to the first one's open port.
    #[must_use]
    pub fn with(name: &str, spec: FleetSpec) -> Self {
        let rig = Rig::new(spec, crate::seed(1));
        let mark = rig.now();
        let mut script = Self {
            name: name.into(),
            rig,
            me: fixture::HOST,
            peer: (fixture::decoy_mac(0), fixture::decoy_ip(0)),
            ports: (40_000, fixture::OPEN),
            answers_arp: true,
            sees_arp: false,
            transcript: Vec::new(),
            waiting: std::collections::VecDeque::new(),
            mark,
        };
        // What a decoy says at its birth is the business of the tests that ask for it.
        script.collect();
        script.waiting.clear();
        script
    }

    /// From here on TCP and UDP go to `port` of the decoy.
    pub fn to(&mut self, port: u16) -> &mut Self {
        self.ports.1 = port;
        self
    }

    /// From here on TCP and UDP come from `port` of the host.
    pub fn from(&mut self, port: u16) -> &mut Self {
        self.ports.0 = port;
        self
    }

    /// From here on the host talks to decoy `n`.
    pub fn talk_to(&mut self, n: u32) -> &mut Self {
        self.peer = (fixture::decoy_mac(n), fixture::decoy_ip(n));
        self
    }

    /// From here on the host is another one.
    pub fn be(&mut self, mac: Mac, ip: Ipv4Addr) -> &mut Self {
        self.me = (mac, ip);
        self
    }

    /// The host's kernel no longer answers ARP, and ARP is seen by `expect` as anything else is.
    pub fn handle_arp_yourself(&mut self) -> &mut Self {
        self.answers_arp = false;
        self.sees_arp = true;
        self
    }

    /// Sends `packet`; delays of later expectations count from here.
    pub fn send(&mut self, packet: Packet) {
        self.send_octets(&packet.octets(self));
    }

    /// Sends a frame as it is.
    pub fn send_octets(&mut self, frame: &[u8]) {
        self.mark = self.rig.now();
        self.note('>', frame);
        self.rig.handle_frame(frame);
        self.collect();
    }

    /// The next frame is `packet`, and it comes at once.
    pub fn expect(&mut self, packet: Packet) -> Seen {
        self.expect_within(AT_ONCE_MS, packet)
    }

    /// The next frame is `packet`, and it comes within so many milliseconds.
    pub fn expect_within(&mut self, milliseconds: u64, packet: Packet) -> Seen {
        let until = self.rig.now() + milliseconds * MILLISECOND;
        let Some((at, frame)) = self.next_frame(until) else {
            self.fail(&format!("nothing came within {milliseconds} ms; expected {packet:?}"));
        };
        let seen = Seen::read(at, &frame);
        if let Err(difference) = packet.compare(self, &seen) {
            self.fail(&format!("{difference}; expected {packet:?}"));
        }
        seen
    }

    /// The next frame is `packet`, and it comes so many milliseconds after the last `send` or `mark`, a tenth more
    /// or less.
    pub fn expect_at(&mut self, milliseconds: u64, packet: Packet) -> Seen {
        let (low, high) = (milliseconds * 9 / 10, milliseconds * 11 / 10 + AT_ONCE_MS);
        let elapsed = (self.rig.now() - self.mark) / MILLISECOND;
        let seen = self.expect_within(high.saturating_sub(elapsed), packet);
        let came = (seen.at - self.mark) / MILLISECOND;
        if came < low {
            self.fail(&format!("came after {came} ms, expected after {milliseconds}"));
        }
        seen
    }

    /// Delays of later expectations count from here.
    pub fn mark(&mut self) {
        self.mark = self.rig.now();
    }

    /// Nothing comes for so many milliseconds.
    pub fn expect_nothing(&mut self, milliseconds: u64) {
        let until = self.rig.now() + milliseconds * MILLISECOND;
        if let Some((_, frame)) = self.next_frame(until) {
            self.fail(&format!("expected nothing, saw {}", read::line(&frame)));
        }
    }

    /// Lets time pass. What comes meanwhile waits to be expected.
    pub fn wait(&mut self, milliseconds: u64) {
        let until = self.rig.now() + milliseconds * MILLISECOND;
        while self.rig.step(until) {
            self.collect();
        }
        self.rig.advance(until);
        self.collect();
    }

    /// Takes whatever came so far, and what still comes within so many milliseconds.
    pub fn take(&mut self, milliseconds: u64) -> Vec<Seen> {
        self.wait(milliseconds);
        self.waiting.drain(..).map(|(at, frame)| Seen::read(at, &frame)).collect()
    }

    /// The handshake of a client that offers `options`; returns the decoy's initial sequence number. The host's own
    /// is `seq`, so its first octet of data is `seq + 1`.
    pub fn connect(&mut self, seq: u32, options: &[Option]) -> Seen {
        self.send(tcp(SYN).seq(seq).window(64_240).options(options.to_vec()));
        let answer = self.expect(tcp(SYN | ACK).ack(seq.wrapping_add(1)));
        let mut ack = tcp(ACK).seq(seq.wrapping_add(1)).ack(answer.seq.wrapping_add(1)).window(64_240);
        if let Some((value, _)) = answer.timestamps() {
            ack = ack.options([nop(), nop(), timestamps(1, value)]);
        }
        self.send(ack);
        answer
    }

    /// The engine's host, for counters and observations.
    #[must_use]
    pub fn rig(&self) -> &Rig {
        &self.rig
    }

    /// The engine's host, to take observations out of it.
    pub fn rig_mut(&mut self) -> &mut Rig {
        &mut self.rig
    }

    fn next_frame(&mut self, until: u64) -> std::option::Option<(u64, Vec<u8>)> {
        loop {
            if let Some(frame) = self.waiting.pop_front() {
                return Some(frame);
            }
            if !self.rig.step(until) {
                self.rig.advance(until);
                return None;
            }
            self.collect();
        }
    }

    /// Takes what the engine sent and lets the host's kernel see to ARP.
    fn collect(&mut self) {
        while let Some((at, frame)) = self.rig.poll_frame() {
            self.note('<', &frame);
            if self.sees_arp || read::arp(&frame).is_none() {
                self.waiting.push_back((at, frame));
            } else if self.answers_arp
                && let Some(answer) = neighbour::answer(&frame, self.me)
            {
                self.note('>', &answer);
                self.rig.handle_frame(&answer);
            }
        }
    }

    fn note(&mut self, direction: char, frame: &[u8]) {
        let since = self.rig.now() - crate::rig::START;
        let seconds = since as f64 / crate::SECOND as f64;
        self.transcript.push(format!("{seconds:12.6} {direction} {}", read::line(frame)));
    }

    /// Ends the test with the script so far.
    pub(crate) fn fail(&self, why: &str) -> ! {
        let shown = self.transcript.len().saturating_sub(40);
        let script = self.transcript.get(shown..).unwrap_or_default().join("\n");
        let capture = self.rig.write_capture(&self.name);
        panic!("{}: {why}\n{script}\nseed {}, {capture}", self.name, crate::seed(1));
    }
}
