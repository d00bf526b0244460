//! Ties a connection to its service and to packets: opens it, moves octets between the two, writes what it wants sent,
//! keeps its timer, and tells the operator of its beginning and end.

use alloc::{boxed::Box, vec::Vec};
use core::net::IpAddr;

use chaff_events::{Detail, Kind, Transport};
use chaff_services::{Around, Context, Conversation, Output, ServiceSpec};
use chaff_wire::{
    Mac,
    tcp::{self, Flags, OptionList, Segment, TcpOption},
};

use super::{
    Envelope, Flow, Slot, TimeWait,
    accept::Accept,
    admission::MAX_CONNECTIONS_PER_DECOY,
    connection::{Connection, Limits, Opened, Outcome, Outgoing, Timed},
    half_open::Agreed,
    receive::Receive,
    send::Send,
    space::Space,
};
use crate::{
    clock::Ticks,
    counters::{DropReason, Verdict},
    engine::{Run, Timer, service_name, sight, source},
    fleet::{DecoyView, Fleet},
    ipv4::Delivery,
    neighbour::Departure,
    personality::Acknowledge,
    spec::Port,
    stack::Shape,
    timer::TimerId,
};

/// Both bits of the type of service that say a router met congestion (RFC 3168 §5).
const CONGESTION: u8 = 3;
/// Turns between service and connection in one go; a service that still wants more is heard again at once, after others.
const MAX_TURNS: usize = 64;
/// Open ports that a service is told of, for lists of listening programs: beyond that a decoy is a trap for scanners.
const MAX_SHOWN_PORTS: usize = 64;
/// Segments sent by one connection in one go.
const MAX_SEGMENTS: usize = 64;
/// A connection on which nothing happens for so long is given up, whatever the service says (the usual keep-alive time).
const MAX_IDLE_NS: u64 = 7_200_000_000_000;

impl Run {
    /// Whether the decoy may have one more connection, and with this peer.
    pub(super) fn admits(&mut self, decoy: u32, peer: IpAddr) -> bool {
        self.hosts.of(decoy).is_none_or(|host| host.connections < MAX_CONNECTIONS_PER_DECOY)
            && self.tcp.sources.admit(peer, decoy, &self.chance)
    }

    /// A handshake is complete: the connection opens, and what the last segment of the handshake carried is handed on.
    pub(super) fn open_connection(
        &mut self,
        fleet: &Fleet,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        agreed: Agreed,
        segment: &Segment<'_>,
    ) -> Verdict {
        let now = delivery.arrival.now;
        if self.tcp.connections.is_full()
            && let Some(idle) = self.tcp.connections.oldest()
        {
            self.drop_connection(fleet, now, idle);
        }
        let port = decoy.profile.tcp.at(agreed.flow.local_port);
        let conversation = self.conversation(fleet, decoy, now, port, &agreed.flow);
        let rules = &decoy.stack.rules;
        let stamp_octets = if agreed.stamps.is_some() { 12 } else { 0 };
        let payload = agreed.client_mss.min(rules.tcp.mss).saturating_sub(stamp_octets);
        let ticks = Ticks::new(rules.connection.timer_tick_ms, decoy.spec.seed);
        let named = segment_size(decoy) - u32::from(stamp_octets);
        let memory = rules.connection.receive_memory;
        let space = (memory > 0)
            .then(|| Space::new(memory, u32::from(agreed.window), named, agreed.receive_scale.min(14), now));
        let nagle = conversation.tolerates_delay();
        let client_window = u32::from(agreed.client_window);
        let capacity = rules.connection.receive_buffer.min(u32::from(u16::MAX) << agreed.receive_scale);
        let connection = Connection::new(Opened {
            flow: agreed.flow,
            mac: agreed.mac,
            send: Send::new(agreed.send_next, client_window, u32::from(payload), agreed.trip, &rules.connection, ticks)
                .with(rules.connection.rack && agreed.sack, nagle),
            receive: Receive::new(agreed.receive_next, u32::from(agreed.window), capacity, segment_size(decoy))
                .in_space(space)
                .with_history(rules.connection.sack_history && agreed.sack),
            send_scale: agreed.send_scale,
            receive_scale: agreed.receive_scale,
            sack: agreed.sack,
            stamps: agreed.stamps,
            id: self.chance.next_u16(),
            conversation,
            marked: agreed.ecn,
            acknowledge: rules.connection.acknowledge,
            now,
        });
        let Some(index) = self.tcp.connections.push(Some(Box::new(connection))) else {
            return Verdict::Dropped(DropReason::Limit);
        };
        self.tcp.enter(&agreed.flow, Slot::Connection(index));
        self.tcp.sources.enter(agreed.flow.remote, decoy.index, &self.chance);
        if let Some(host) = self.hosts.of(decoy.index) {
            host.connections = host.connections.saturating_add(1);
        }
        if !agreed.told {
            self.see_connect(fleet, decoy, now, &agreed.flow, agreed.mac);
        }
        self.connection_segment(fleet, decoy, delivery, index, segment)
    }

    /// The operator is told of a connection.
    pub(super) fn see_connect(&mut self, fleet: &Fleet, decoy: &DecoyView<'_>, now: u64, flow: &Flow, mac: Mac) {
        let from = source(flow.remote, mac, flow.remote_port);
        let service = service_name(fleet, decoy.profile.tcp.at(flow.local_port));
        let seen = sight(decoy, from, Kind::TcpConnect, Transport::Tcp, flow.local_port, service, None);
        self.see(now, seen, || Detail::None);
    }

    pub(super) fn connection_segment(
        &mut self,
        fleet: &Fleet,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        index: u32,
        segment: &Segment<'_>,
    ) -> Verdict {
        let now = delivery.arrival.now;
        self.tcp.connections.touch(index);
        let Some(mut connection) = self.take(index) else { return Verdict::Dropped(DropReason::Silent) };
        let limits = Limits { crowded: self.tcp.is_crowded(), ..limits(decoy) };
        let marked = delivery.ip.tos & CONGESTION == CONGESTION;
        let unacknowledged = connection.send.una;
        let outcome = connection.handle_segment(now, segment, marked, limits);
        if connection.send.una != unacknowledged {
            self.neighbour_confirmed(decoy, now, connection.flow.remote);
        }
        let frames = self.out.frames();
        let outcome = match outcome {
            Outcome::Challenge => {
                self.challenge(decoy, now, &mut connection, limits);
                Outcome::Open
            }
            Outcome::Open if limits.acknowledge == Acknowledge::Adaptive => {
                // What is due now goes out before the service has had its turn.
                if let Some(ack) = connection.acknowledgment_now() {
                    self.emit(decoy, now, &mut connection, &ack, &[]);
                }
                outcome
            }
            Outcome::Refused => {
                let flow = connection.flow;
                self.end(fleet, decoy, now, index, &connection);
                return self.stray(decoy, delivery, segment, flow, Shape::of(segment.flags), false);
            }
            other => other,
        };
        self.settle(fleet, decoy, now, index, connection, outcome);
        if self.out.frames() > frames { Verdict::Answered } else { Verdict::Observed }
    }

    pub(crate) fn connection_due(&mut self, fleet: &Fleet, now: u64, index: u32) {
        let Some(mut connection) = self.take(index) else { return };
        connection.timer = TimerId::NONE;
        connection.timer_at = u64::MAX;
        let Some(decoy) = fleet.view(connection.flow.decoy) else { return };
        let outcome = match connection.handle_wake(now) {
            Timed::Outcome(outcome) => outcome,
            Timed::Probe => {
                let probe = connection.probe();
                self.emit(&decoy, now, &mut connection, &probe, &[]);
                Outcome::Open
            }
        };
        if connection.service_wake.is_some_and(|at| at <= now) {
            connection.service_wake = None;
            let cx = &mut Context { now, shared: &mut self.shared };
            connection.conversation.handle_wake(cx);
        }
        self.settle(fleet, &decoy, now, index, connection, outcome);
    }

    /// After anything has happened to a connection: the service is heard, what is to be sent is sent, and the connection
    /// goes back to its place or away.
    fn settle(
        &mut self,
        fleet: &Fleet,
        decoy: &DecoyView<'_>,
        now: u64,
        index: u32,
        mut connection: Box<Connection>,
        outcome: Outcome,
    ) {
        let mut outcome = outcome;
        if outcome == Outcome::Open {
            outcome = self.converse(fleet, decoy, now, &mut connection);
        }
        if outcome == Outcome::Open || outcome == Outcome::TimeWait {
            self.transmit(decoy, now, &mut connection);
        }
        match outcome {
            Outcome::Open | Outcome::Challenge => self.put_back(index, connection, now),
            Outcome::Gone | Outcome::Refused => self.end(fleet, decoy, now, index, &connection),
            Outcome::FinWait => {
                self.end(fleet, decoy, now, index, &connection);
                self.start_time_wait(decoy, now, &connection, true);
            }
            Outcome::Reset(seq) => {
                let window = if decoy.stack.rules.connection.reset_window { connection.window() } else { 0 };
                let reset = Outgoing { seq, flags: Flags::RST.with(Flags::ACK), window, fresh: false };
                self.emit(decoy, now, &mut connection, &reset, &[]);
                self.end(fleet, decoy, now, index, &connection);
            }
            Outcome::TimeWait => {
                self.end(fleet, decoy, now, index, &connection);
                self.start_time_wait(decoy, now, &connection, false);
            }
        }
    }

    /// Moves octets to the service and its answers back, until neither has anything.
    fn converse(&mut self, fleet: &Fleet, decoy: &DecoyView<'_>, now: u64, connection: &mut Connection) -> Outcome {
        self.tcp.account(connection);
        let outcome = self.take_turns(fleet, decoy, now, connection);
        self.tcp.account(connection);
        outcome
    }

    fn take_turns(&mut self, fleet: &Fleet, decoy: &DecoyView<'_>, now: u64, connection: &mut Connection) -> Outcome {
        for turn in 0..MAX_TURNS {
            let mut moved = false;
            if !connection.deaf && connection.receive.unread() > 0 {
                let cx = &mut Context { now, shared: &mut self.shared };
                let taken = connection.conversation.handle_octets(cx, connection.receive.readable());
                connection.receive.consume(now, taken);
                let limits = limits(decoy);
                connection.reading_done(segment_size(decoy), limits);
                if let Some(ack) =
                    connection.acknowledgment_now().filter(|_| limits.acknowledge == Acknowledge::Adaptive)
                {
                    self.emit(decoy, now, connection, &ack, &[]);
                }
                moved |= taken > 0;
            }
            if !connection.end_told && !connection.deaf && connection.at_end() {
                connection.end_told = true;
                connection.conversation.handle_end(&mut Context { now, shared: &mut self.shared });
                moved = true;
            }
            let room = self.tcp.room(connection);
            match connection.conversation.poll(&mut Context { now, shared: &mut self.shared }, room) {
                None if !moved => return Outcome::Open,
                None => {}
                Some(Output::Send(octets)) => {
                    let octets = octets.get(..octets.len().min(room)).unwrap_or(&[]);
                    connection.sent = connection.sent.saturating_add(octets.len() as u64);
                    connection.send.push(octets);
                    // Written and sent at once, as a server's write is; a later FIN goes by itself.
                    self.transmit(decoy, now, connection);
                }
                Some(Output::Observe(kind, tool, detail)) => {
                    let flow = connection.flow;
                    let from = source(flow.remote, connection.mac, flow.remote_port);
                    let service = service_name(fleet, decoy.profile.tcp.at(flow.local_port));
                    self.tell(now, sight(decoy, from, kind, Transport::Tcp, flow.local_port, service, tool), detail);
                }
                Some(Output::Wake(at)) => connection.service_wake = Some(at),
                Some(Output::Finish) => {
                    self.transmit(decoy, now, connection);
                    connection.finish();
                }
                Some(Output::Close) => {
                    if connection.receive.unread() > 0 && decoy.stack.rules.connection.unread_resets {
                        return Outcome::Reset(connection.send.next);
                    }
                    self.transmit(decoy, now, connection);
                    let outcome = connection.close(now, limits(decoy));
                    if outcome != Outcome::Open {
                        return outcome;
                    }
                }
                Some(Output::Reset) => return Outcome::Reset(connection.send.next),
            }
            if turn + 1 == MAX_TURNS {
                connection.service_wake = Some(now);
            }
        }
        Outcome::Open
    }

    fn transmit(&mut self, decoy: &DecoyView<'_>, now: u64, connection: &mut Connection) {
        let mut data = core::mem::take(&mut self.tcp.scratch);
        for _ in 0..MAX_SEGMENTS {
            let Some(outgoing) = connection.next_segment(now, &mut data) else { break };
            self.emit(decoy, now, connection, &outgoing, &data);
        }
        self.tcp.scratch = data;
    }

    fn emit(&mut self, decoy: &DecoyView<'_>, now: u64, connection: &mut Connection, outgoing: &Outgoing, data: &[u8]) {
        let mut options = OptionList::new();
        let whole = !outgoing.flags.has(Flags::RST) || decoy.stack.rules.connection.reset_window;
        if let Some(stamps) = connection.stamps.filter(|_| whole) {
            let value = self.ticks(decoy, now).wrapping_add(stamps.offset);
            if let Some(space) = &mut connection.receive.space {
                space.note_stamp(now, value);
            }
            options.push(TcpOption::Nop);
            options.push(TcpOption::Nop);
            options.push(TcpOption::Timestamps(value, stamps.recent));
        }
        if connection.sack && (data.is_empty() || connection.receive.has_history()) && !outgoing.flags.has(Flags::RST) {
            push_blocks(connection, &mut options);
        }
        let header = tcp::Header {
            source: connection.flow.local_port,
            destination: connection.flow.remote_port,
            seq: outgoing.seq.0,
            ack: connection.receive.next.0,
            reserved: 0,
            flags: outgoing.flags,
            window: outgoing.window,
            urgent: 0,
            options: options.as_octets(),
        };
        let Departure { id, path } = self.flow_departure(decoy, now, connection);
        let to = (connection.flow.remote, path);
        // ECT(0) on data that is sent for the first time (RFC 3168 §6.1.5).
        let tos = if connection.marks.agreed && outgoing.fresh { 2 } else { 0 };
        let rules = &decoy.stack.rules.ip;
        let envelope = Envelope { id, df: rules.df, ttl: rules.ttl, tos, options: &[] };
        Self::emit_in(&mut self.out, decoy, to, &envelope, &header, data);
    }

    /// A challenge acknowledgment, as many a second as the personality allows (RFC 5961 §7).
    fn challenge(&mut self, decoy: &DecoyView<'_>, now: u64, connection: &mut Connection, limits: Limits) {
        if !connection.may_answer_invalid(now, limits) {
            return;
        }
        let limit = decoy.stack.rules.connection.challenge_acks;
        let bucket = self.hosts.of(decoy.index).map(|host| &mut host.challenges);
        if limit > 0 && bucket.is_some_and(|b| b.take(now, limit, limit)) {
            let ack = connection.acknowledge();
            self.emit(decoy, now, connection, &ack, &[]);
        }
    }

    fn conversation(
        &mut self,
        fleet: &Fleet,
        decoy: &DecoyView<'_>,
        now: u64,
        port: Port,
        flow: &Flow,
    ) -> Box<dyn Conversation> {
        let service = match port {
            Port::Service(index) => fleet.services.get(usize::from(index)),
            Port::Open | Port::Closed | Port::Filtered => None,
        };
        let mut opening = self.opening(decoy, now);
        let ports = if service.is_some_and(ServiceSpec::shows_surroundings) {
            decoy.profile.tcp.open(MAX_SHOWN_PORTS)
        } else {
            Vec::new()
        };
        opening.around = Around {
            peer: Some((flow.remote, flow.remote_port)),
            uptime: Some(self.clock.uptime(decoy.spec.seed, now)),
            ports: &ports,
            prefix: Some(decoy.network.prefix),
        };
        match service {
            Some(service) => chaff_services::open(service, &opening),
            None => Box::new(Accept::new(now)),
        }
    }

    fn take(&mut self, index: u32) -> Option<Box<Connection>> {
        self.tcp.connections.get_mut(index)?.take()
    }

    fn put_back(&mut self, index: u32, mut connection: Box<Connection>, now: u64) {
        let idle = now.saturating_add(MAX_IDLE_NS);
        let at = connection.next_wake().unwrap_or(idle).min(idle);
        // A timer that fires too early finds nothing due and is set anew: that is cheaper than moving it each time.
        if at < connection.timer_at {
            self.wheel.cancel(connection.timer);
            connection.timer = self.wheel.set(at, Timer::Connection(index));
            connection.timer_at = at;
        }
        if let Some(place) = self.tcp.connections.get_mut(index) {
            *place = Some(connection);
        }
    }

    /// The connection is over: it leaves the table, and the operator is told how it went.
    fn end(&mut self, fleet: &Fleet, decoy: &DecoyView<'_>, now: u64, index: u32, connection: &Connection) {
        self.wheel.cancel(connection.timer);
        let flow = connection.flow;
        self.tcp.forget(&flow, Slot::Connection(index));
        self.tcp.connections.remove(index);
        self.tcp.sources.leave(flow.remote, flow.decoy, &self.chance);
        self.tcp.held = self.tcp.held.saturating_sub(connection.accounted);
        if let Some(host) = self.hosts.of(flow.decoy) {
            host.connections = host.connections.saturating_sub(1);
        }
        let from = source(flow.remote, connection.mac, flow.remote_port);
        let service = service_name(fleet, decoy.profile.tcp.at(flow.local_port));
        let seen = sight(decoy, from, Kind::TcpClose, Transport::Tcp, flow.local_port, service, None);
        let (received, sent) = (connection.received, connection.sent);
        let milliseconds = now.saturating_sub(connection.opened) / 1_000_000;
        self.see(now, seen, || Detail::Closed { received, sent, milliseconds });
    }

    /// A connection gives way to another.
    fn drop_connection(&mut self, fleet: &Fleet, now: u64, index: u32) {
        let Some(connection) = self.take(index) else { return };
        if let Some(decoy) = fleet.view(connection.flow.decoy) {
            self.end(fleet, &decoy, now, index, &connection);
        }
    }

    /// What is left of a connection; `half`: the peer has not finished yet.
    fn start_time_wait(&mut self, decoy: &DecoyView<'_>, now: u64, connection: &Connection, half: bool) {
        if self.tcp.waits.is_full()
            && let Some(oldest) = self.tcp.waits.oldest()
        {
            if let Some(wait) = self.tcp.waits.get(oldest) {
                self.wheel.cancel(wait.timer);
            }
            self.tcp.end_time_wait(oldest);
        }
        let flow: Flow = connection.flow;
        let wait = TimeWait {
            flow,
            next_send: connection.send.next,
            next_receive: connection.receive.next,
            stamps: connection.stamps,
            window: connection.window(),
            edge: connection.receive.next.plus(connection.receive.advertised()),
            half,
            answered_invalid: connection.answered_invalid,
            timer: TimerId::NONE,
        };
        let Some(index) = self.tcp.waits.push(wait) else { return };
        self.tcp.enter(&flow, Slot::TimeWait(index));
        let rules = &decoy.stack.rules.connection;
        let lasts = u64::from(if half { rules.fin_wait_ms } else { rules.time_wait_ms }) * 1_000_000;
        let timer = self.wheel.set(now.saturating_add(lasts), Timer::TimeWait(index));
        if let Some(wait) = self.tcp.waits.get_mut(index) {
            wait.timer = timer;
        }
    }
}

/// SACK blocks: as many as fit beside the timestamps (RFC 2018 §3), padded as every stack pads them.
fn push_blocks(connection: &mut Connection, options: &mut OptionList) {
    let room = if connection.stamps.is_some() { 3 } else { 4 };
    let mut octets = [0; 32];
    let mut length = 0;
    for ((from, to), place) in connection.receive.take_blocks(room).into_iter().zip(octets.chunks_exact_mut(8)) {
        let (left, right) = place.split_at_mut(4);
        left.copy_from_slice(&from.0.to_be_bytes());
        right.copy_from_slice(&to.0.to_be_bytes());
        length += 8;
    }
    if let Some(blocks) = octets.get(..length).filter(|b| !b.is_empty()) {
        options.push(TcpOption::Nop);
        options.push(TcpOption::Nop);
        options.push(TcpOption::Sack(blocks));
    }
}

/// The largest segment that the peer sends to this decoy.
fn segment_size(decoy: &DecoyView<'_>) -> u32 {
    u32::from(decoy.stack.rules.tcp.mss)
}

fn limits(decoy: &DecoyView<'_>) -> Limits {
    let rules = &decoy.stack.rules.connection;
    let ms = |ms: u32| u64::from(ms) * 1_000_000;
    Limits {
        segment: segment_size(decoy),
        ack_delay: ms(rules.delayed_ack_ms),
        fin_wait: ms(rules.fin_wait_ms),
        invalid: ms(rules.invalid_ms),
        acknowledge: rules.acknowledge,
        strict_acks: rules.invalid_ms > 0,
        urgent_apart: rules.urgent_apart,
        mini_sockets: rules.mini_sockets,
        crowded: false,
        ticks: Ticks::new(rules.timer_tick_ms, decoy.spec.seed),
    }
}
