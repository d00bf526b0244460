//! TCP: which connection a segment belongs to, and what becomes of those that belong to none (RFC 9293 §3.10.7).
//!
//! `half_open` holds handshakes and writes SYN-ACKs, `stray` answers what is outside of any connection, `connection`
//! (with `send` and `receive`) is the machine of an established one, `host` ties it to services and packets, `admission`
//! says how many there may be.

mod accept;
mod admission;
mod connection;
mod half_open;
mod host;
mod receive;
mod send;
mod seq;
mod space;
mod stray;
#[cfg(test)]
mod tests;

use alloc::{boxed::Box, vec::Vec};
use core::net::IpAddr;

use chaff_events::{Detail, Kind, Transport};
use chaff_wire::{
    ipv4,
    tcp::{Flags, Segment},
};
use hashbrown::HashTable;

use self::{
    admission::{MAX_CONNECTIONS, MAX_HALF_OPEN, MAX_HELD, MAX_TIME_WAIT, ROOM_FOR_ALL, Sources},
    connection::Connection,
    half_open::HalfOpen,
};
use crate::{
    arena::Arena,
    chance::Chance,
    counters::{DropReason, Verdict},
    engine::{Run, service_name, sight, source},
    fleet::{DecoyView, Fleet},
    ipv4::Delivery,
    neighbour::Departure,
    outbox::{Outbox, Path},
    part::Share,
    personality::IdRule,
    spec::Port,
    stack::Shape,
    timer::TimerId,
    visitor,
};

/// The two ends of a connection, with their hash, which is needed several times for each segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) decoy: u32,
    pub(crate) remote: IpAddr,
    pub(crate) remote_port: u16,
    pub(crate) local_port: u16,
    hash: u64,
}

impl PartialEq for Flow {
    fn eq(&self, other: &Self) -> bool {
        let ends = |flow: &Self| (flow.decoy, flow.remote, flow.remote_port, flow.local_port);
        ends(self) == ends(other)
    }
}

impl Flow {
    fn new(decoy: u32, remote: IpAddr, segment: &Segment<'_>, chance: &Chance) -> Self {
        let ports = u64::from(segment.source) << 16 | u64::from(segment.destination);
        let hash = chance.hash_address(decoy, remote, ports);
        Self { decoy, remote, remote_port: segment.source, local_port: segment.destination, hash }
    }
}

/// Where a flow is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    HalfOpen(u32),
    Connection(u32),
    TimeWait(u32),
}

/// What is left of a connection that both sides have closed, ours first.
#[derive(Debug)]
struct TimeWait {
    flow: Flow,
    next_send: seq::Seq,
    next_receive: seq::Seq,
    stamps: Option<connection::Stamps>,
    /// The window as it was last named, and its right edge.
    window: u16,
    edge: seq::Seq,
    /// The peer has not finished: FIN-WAIT-2 without a socket.
    half: bool,
    answered_invalid: Option<u64>,
    timer: TimerId,
}

/// What of an IP header a segment may have its own way.
#[derive(Clone, Copy, Debug)]
struct Envelope<'a> {
    id: u16,
    df: bool,
    ttl: u8,
    tos: u8,
    options: &'a [u8],
}

pub(crate) struct Tables {
    halves: Arena<HalfOpen>,
    /// `None` while a connection is at work, taken out of the table.
    connections: Arena<Option<Box<Connection>>>,
    waits: Arena<TimeWait>,
    sources: Sources,
    index: HashTable<Slot>,
    /// Data of the segment being sent.
    scratch: Vec<u8>,
    /// Octets held in the buffers of all connections.
    held: usize,
    /// The most of these.
    max_held: usize,
}

impl Tables {
    pub(crate) fn new(share: Share) -> Self {
        Self {
            halves: Arena::new(share.of(MAX_HALF_OPEN)),
            connections: Arena::new(share.of(MAX_CONNECTIONS)),
            waits: Arena::new(share.of(MAX_TIME_WAIT)),
            sources: Sources::new(share.of(MAX_CONNECTIONS)),
            index: HashTable::new(),
            scratch: Vec::new(),
            held: 0,
            max_held: share.of(MAX_HELD),
        }
    }

    pub(crate) fn half_open(&self) -> usize {
        self.halves.len()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn time_wait(&self) -> usize {
        self.waits.len()
    }

    /// Octets in the buffers of all connections.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Whether all buffers together are full.
    fn is_crowded(&self) -> bool {
        self.held > self.max_held
    }

    /// Octets that the service of `connection` may send.
    fn room(&self, connection: &Connection) -> usize {
        let room = connection.send.room();
        if self.is_crowded() { room.min(ROOM_FOR_ALL.saturating_sub(connection.send.held())) } else { room }
    }

    /// Counts what `connection` holds now in place of what was counted for it last.
    fn account(&mut self, connection: &mut Connection) {
        let holds = connection.receive.held() + connection.send.held();
        self.held = self.held.saturating_sub(connection.accounted).saturating_add(holds);
        connection.accounted = holds;
    }

    pub(crate) fn end_time_wait(&mut self, index: u32) {
        if let Some(wait) = self.waits.remove(index) {
            self.forget(&wait.flow, Slot::TimeWait(index));
        }
    }

    fn flow(&self, slot: Slot) -> Option<Flow> {
        match slot {
            Slot::HalfOpen(index) => self.halves.get(index).map(|half| half.flow),
            Slot::Connection(index) => self.connections.get(index)?.as_ref().map(|connection| connection.flow),
            Slot::TimeWait(index) => self.waits.get(index).map(|wait| wait.flow),
        }
    }

    fn find(&self, flow: &Flow) -> Option<Slot> {
        self.index.find(flow.hash, |&slot| self.flow(slot).as_ref() == Some(flow)).copied()
    }

    fn enter(&mut self, flow: &Flow, slot: Slot) {
        let mut index = core::mem::take(&mut self.index);
        index.insert_unique(flow.hash, slot, |&slot| self.flow(slot).map_or(0, |flow| flow.hash));
        self.index = index;
    }

    fn forget(&mut self, flow: &Flow, slot: Slot) {
        if let Ok(entry) = self.index.find_entry(flow.hash, |&other| other == slot) {
            entry.remove();
        }
    }
}

impl Run {
    pub(crate) fn tcp(&mut self, fleet: &Fleet, decoy: &DecoyView<'_>, delivery: Delivery<'_>) -> Verdict {
        let ip = delivery.ip;
        let Some(segment) = Segment::parse(ip.payload) else {
            return Verdict::Dropped(DropReason::Malformed);
        };
        if !segment.checksum_holds(ip.source, ip.destination) {
            return Verdict::Dropped(DropReason::Checksum);
        }
        let flow = Flow::new(decoy.index, ip.source.into(), &segment, &self.chance);
        match self.tcp.find(&flow) {
            Some(Slot::Connection(index)) => self.connection_segment(fleet, decoy, delivery, index, &segment),
            Some(Slot::HalfOpen(index)) => self.half_open_segment(fleet, decoy, delivery, &segment, index),
            Some(Slot::TimeWait(index)) => self.time_wait_segment(fleet, decoy, delivery, &segment, index),
            None => self.stray_segment(fleet, decoy, delivery, &segment, flow),
        }
    }

    /// A segment that belongs to no connection: a SYN, or somebody's probe.
    fn stray_segment(
        &mut self,
        fleet: &Fleet,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        segment: &Segment<'_>,
        flow: Flow,
    ) -> Verdict {
        let flags = segment.flags;
        if flags.has(Flags::RST) && !flags.has(Flags::SYN) {
            return Verdict::Dropped(DropReason::Silent);
        }
        let port = decoy.profile.tcp.at(segment.destination);
        let shape = Shape::of(flags);
        self.see_segment(fleet, decoy, delivery, segment, shape, port);
        if flags.has(Flags::RST) {
            return Verdict::Observed;
        }
        let open = match port {
            Port::Filtered => return Verdict::Observed,
            Port::Closed => false,
            Port::Open | Port::Service(_) => true,
        };
        self.stray(decoy, delivery, segment, flow, shape, open)
    }

    fn see_segment(
        &mut self,
        fleet: &Fleet,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        segment: &Segment<'_>,
        shape: Shape,
        port: Port,
    ) {
        let Delivery { arrival, ip, .. } = delivery;
        let mark = visitor::of_segment(&ip, segment);
        let kind = match shape {
            _ if mark.os_probe => Kind::OsProbe,
            _ if segment.flags.has(Flags::RST) => Kind::TcpOther,
            Shape::Syn => Kind::TcpSyn,
            Shape::Null => Kind::TcpNull,
            Shape::Fin => Kind::TcpFin,
            Shape::Xmas => Kind::TcpXmas,
            Shape::Ack => Kind::TcpAck,
            Shape::SynFin | Shape::SynAck | Shape::FinAck => Kind::TcpOther,
        };
        let from = source(ip.source, arrival.source, segment.source);
        let service = service_name(fleet, port);
        let seen = sight(decoy, from, kind, Transport::Tcp, segment.destination, service, mark.tool);
        self.see(arrival.now, seen, || Detail::Segment {
            flags: segment.flags.0,
            window: segment.window,
            ttl: ip.ttl,
            ip_id: ip.id,
            options: segment.options.to_vec(),
        });
    }

    /// A segment to a flow in TIME-WAIT: a new connection (RFC 6191), or an echo of the old one.
    fn time_wait_segment(
        &mut self,
        fleet: &Fleet,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        segment: &Segment<'_>,
        index: u32,
    ) -> Verdict {
        let now = delivery.arrival.now;
        let rules = &decoy.stack.rules.connection;
        let Some(wait) = self.tcp.waits.get_mut(index) else { return Verdict::Dropped(DropReason::Silent) };
        let flow = wait.flow;
        let (flags, seq) = (segment.flags, seq::Seq(segment.seq));
        let end = seq.plus(segment.sequence_length());
        let age = connection::stamp_of(segment).zip(wait.stamps);
        let old = age.is_some_and(|((value, _), stamps)| seq::Seq(value).before(seq::Seq(stamps.recent)));
        let later = age.is_some_and(|((value, _), stamps)| seq::Seq(value).after(seq::Seq(stamps.recent)));
        if wait.half {
            let inside = seq == wait.next_receive || end.after(wait.next_receive) && seq.before(wait.edge);
            if !old && inside {
                return self.fin_wait_segment(decoy, delivery, segment, index);
            }
            if flags.has(Flags::RST) {
                return Verdict::Observed;
            }
        } else {
            let newer = seq.after(wait.next_receive) || later;
            if flags.has(Flags::SYN) && !flags.any(Flags::ACK.with(Flags::RST)) && newer && !old {
                self.wheel.cancel(wait.timer);
                self.tcp.end_time_wait(index);
                return self.stray_segment(fleet, decoy, delivery, segment, flow);
            }
            if flags.has(Flags::RST) {
                if !rules.mini_sockets || seq == wait.next_receive && !old {
                    self.wheel.cancel(wait.timer);
                    self.tcp.end_time_wait(index);
                }
                return Verdict::Observed;
            }
            if segment.sequence_length() == 0 && seq == wait.next_receive {
                return Verdict::Observed;
            }
        }
        if rules.mini_sockets && (segment.sequence_length() == 0 || flags.has(Flags::SYN)) {
            let invalid = u64::from(rules.invalid_ms) * 1_000_000;
            if wait.answered_invalid.is_some_and(|at| now.saturating_sub(at) < invalid) {
                return Verdict::Observed;
            }
            wait.answered_invalid = Some(now);
        }
        if rules.mini_sockets && flags.has(Flags::ACK) && !wait.half {
            // The wait starts again (RFC 9293 §3.10.7.4).
            self.wheel.cancel(wait.timer);
            let lasts = u64::from(rules.time_wait_ms) * 1_000_000;
            wait.timer = self.wheel.set(now.saturating_add(lasts), crate::engine::Timer::TimeWait(index));
        }
        let (numbers, window, stamps) = ((wait.next_send, wait.next_receive), wait.window, wait.stamps);
        self.bare_ack(decoy, delivery, segment, numbers, window, stamps);
        Verdict::Answered
    }

    /// A segment inside of the window of a flow whose service is gone and whose peer has not finished.
    fn fin_wait_segment(
        &mut self,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        segment: &Segment<'_>,
        index: u32,
    ) -> Verdict {
        let now = delivery.arrival.now;
        let Some(wait) = self.tcp.waits.get_mut(index) else { return Verdict::Dropped(DropReason::Silent) };
        let (flow, flags) = (wait.flow, segment.flags);
        let end = seq::Seq(segment.seq).plus(segment.sequence_length());
        if flags.has(Flags::RST) {
            self.wheel.cancel(wait.timer);
            self.tcp.end_time_wait(index);
            return Verdict::Observed;
        }
        if !flags.has(Flags::SYN) && (!flags.has(Flags::ACK) || segment.sequence_length() == 0) {
            return Verdict::Observed;
        }
        if flags.has(Flags::SYN) || !flags.has(Flags::FIN) || end != wait.next_receive.plus(1) {
            // New data for nobody.
            self.wheel.cancel(wait.timer);
            self.tcp.end_time_wait(index);
            return self.stray(decoy, delivery, segment, flow, Shape::of(flags), false);
        }
        wait.half = false;
        wait.next_receive = end;
        if let (Some(stamps), Some((value, _))) = (&mut wait.stamps, connection::stamp_of(segment)) {
            stamps.recent = value;
        }
        self.wheel.cancel(wait.timer);
        let lasts = u64::from(decoy.stack.rules.connection.time_wait_ms) * 1_000_000;
        wait.timer = self.wheel.set(now.saturating_add(lasts), crate::engine::Timer::TimeWait(index));
        let (numbers, window, stamps) = ((wait.next_send, wait.next_receive), wait.window, wait.stamps);
        self.bare_ack(decoy, delivery, segment, numbers, window, stamps);
        Verdict::Answered
    }

    /// Writes one TCP segment into the outbox.
    #[allow(clippy::too_many_arguments)]
    fn emit_segment(
        out: &mut Outbox,
        decoy: &DecoyView<'_>,
        to: (IpAddr, Path),
        id: u16,
        df: bool,
        header: &chaff_wire::tcp::Header<'_>,
        data: &[u8],
    ) {
        let envelope = Envelope { id, df, ttl: decoy.stack.rules.ip.ttl, tos: 0, options: &[] };
        Self::emit_in(out, decoy, to, &envelope, header, data);
    }

    /// The same where the IP header has something of its own.
    fn emit_in(
        out: &mut Outbox,
        decoy: &DecoyView<'_>,
        to: (IpAddr, Path),
        envelope: &Envelope<'_>,
        header: &chaff_wire::tcp::Header<'_>,
        data: &[u8],
    ) {
        // Nothing reaches a connection over IPv6 yet; what it sends there would be written here.
        let (own, IpAddr::V4(remote)) = (decoy.v4(), to.0) else { return };
        let ip = ipv4::Header {
            tos: envelope.tos,
            id: envelope.id,
            df: envelope.df,
            mf: false,
            offset: 0,
            ttl: envelope.ttl,
            protocol: ipv4::TCP,
            source: own,
            destination: remote,
            options: envelope.options,
        };
        out.datagram(to.1, ip, header.length() + data.len(), |octets| {
            header.emit(own, remote, data, octets);
        });
    }

    /// Ticks of a decoy's timestamp clock.
    fn ticks(&self, decoy: &DecoyView<'_>, now: u64) -> u32 {
        let hz = u64::from(decoy.stack.rules.timestamps.hz);
        let uptime = self.clock.uptime(decoy.spec.seed, now);
        let (seconds, rest) = (uptime / 1_000_000_000, uptime % 1_000_000_000);
        ((seconds.wrapping_mul(hz) + rest * hz / 1_000_000_000) & 0xffff_ffff) as u32
    }

    /// How a segment of a connection leaves.
    fn flow_departure(&mut self, decoy: &DecoyView<'_>, now: u64, connection: &mut Connection) -> Departure {
        let rule = decoy.stack.rules.ip_id.data;
        let (remote, mac) = (connection.flow.remote, connection.mac);
        if rule == IdRule::Flow {
            connection.id = connection.id.wrapping_add(1);
            return Departure { id: connection.id, ..self.departure(decoy, now, remote, mac, IdRule::Zero) };
        }
        self.departure(decoy, now, remote, mac, rule)
    }
}
