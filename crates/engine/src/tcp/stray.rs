//! Answers to segments outside of any connection: what nmap's T2 to T7 and the stealth scans look at, by the
//! personality's rules.

use chaff_wire::{
    tcp,
    tcp::{Flags, OptionList, Segment},
};

use super::{
    Envelope, Flow,
    connection::{Stamps, stamp_of},
    half_open::{Offer, RESERVED, lay_out},
    seq::Seq,
};
use crate::{
    counters::{DropReason, Verdict},
    engine::Run,
    fleet::DecoyView,
    ipv4::Delivery,
    neighbour::Departure,
    personality::{AckRule, SeqRule},
    stack::{Response, Shape, Told},
};

/// How many answers of closed ports may go out at once where there is a limit a second.
const RESET_BURST: u16 = 200;

impl Run {
    pub(super) fn stray(
        &mut self,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        segment: &Segment<'_>,
        flow: Flow,
        shape: Shape,
        open: bool,
    ) -> Verdict {
        let stack = decoy.stack;
        let answers = if open { &stack.open } else { &stack.closed };
        match answers.at(shape) {
            Response::Silent => Verdict::Observed,
            Response::Accept => self.half_open(decoy, delivery, segment, flow),
            Response::Reply(_) if shape == Shape::Syn && stack.unanswered.iter().any(|syn| syn == segment.options) => {
                Verdict::Observed
            }
            Response::Reply(told) => self.reply(decoy, delivery, segment, flow, told, open),
        }
    }

    pub(super) fn reply(
        &mut self,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        segment: &Segment<'_>,
        flow: Flow,
        told: &Told,
        open: bool,
    ) -> Verdict {
        let Delivery { arrival, ip, options: reflected } = delivery;
        let Some(reflected) = reflected else { return Verdict::Observed };
        let Told { flags, data, reply } = told;
        let rules = &decoy.stack.rules;
        if !open {
            let bucket = self.hosts.of(decoy.index).map(|host| &mut host.resets);
            let burst = rules.closed.per_second.max(RESET_BURST);
            if !bucket.is_some_and(|b| b.take(arrival.now, burst, rules.closed.per_second)) {
                return Verdict::Dropped(DropReason::Limit);
            }
        }
        let seq = match reply.seq {
            SeqRule::Zero => 0,
            SeqRule::Ack => segment.ack,
            SeqRule::AckPlusOne => segment.ack.wrapping_add(1),
            SeqRule::Rfc9293 if segment.flags.has(Flags::ACK) => segment.ack,
            SeqRule::Rfc9293 => 0,
            SeqRule::Fresh => self.fresh_number(segment.ack),
            SeqRule::Initial => match self.peer(decoy, flow.remote) {
                Some(peer) => self.initial_number(decoy, arrival.now, &flow, peer),
                None => return Verdict::Dropped(DropReason::Limit),
            },
        };
        let ack = match reply.ack {
            AckRule::Zero => 0,
            AckRule::Seq => segment.seq,
            AckRule::SeqPlusOne => segment.seq.wrapping_add(1),
            AckRule::SeqPlusLength => segment.seq.wrapping_add(segment.sequence_length()),
            AckRule::Ack => segment.ack,
            AckRule::Fresh => self.fresh_number(segment.seq),
        };
        let mut options = OptionList::new();
        if let Some(layout) = &reply.options {
            let ticks = self.ticks(decoy, arrival.now);
            let echo = stamp_of(segment).map_or(0, |(value, _)| value);
            let offer = Offer { mss: rules.tcp.mss, scale: rules.tcp.window_scale, stamp: ticks, echo };
            lay_out(layout, offer, &mut options);
        }
        let header = tcp::Header {
            source: segment.destination,
            destination: segment.source,
            seq,
            ack,
            reserved: if reply.reserved { RESERVED } else { 0 },
            flags: *flags,
            window: reply.window,
            urgent: u16::from(reply.urgent),
            options: options.as_octets(),
        };
        // What answers a SYN of an open port is numbered as a SYN-ACK would be.
        let answers_syn = open && Shape::of(segment.flags) == Shape::Syn;
        let rule = if answers_syn { rules.ip_id.syn_ack } else { rules.ip_id.reset };
        let Departure { id, path } = self.departure(decoy, arrival.now, ip.source.into(), arrival.source, rule);
        let to = (ip.source.into(), path);
        // The two low bits are the network's (RFC 3168 §5).
        let tos = if rules.ip.reset_tos { ip.tos & !3 } else { 0 };
        let ttl = reply.ttl.unwrap_or(rules.ip.ttl);
        let envelope = Envelope { id, df: reply.df, ttl, tos, options: reflected };
        Self::emit_in(&mut self.out, decoy, to, &envelope, &header, data);
        Verdict::Answered
    }

    /// A random number that is neither zero nor next to `other`.
    fn fresh_number(&mut self, other: u32) -> u32 {
        let number = self.chance.next_u32() | 1;
        if number.wrapping_sub(other) <= 1 { number ^ 0x5555_0000 } else { number }
    }

    /// An acknowledgment for a connection that is hardly more than a memory.
    pub(super) fn bare_ack(
        &mut self,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        segment: &Segment<'_>,
        (seq, ack): (Seq, Seq),
        window: u16,
        stamps: Option<Stamps>,
    ) {
        let Delivery { arrival, ip, .. } = delivery;
        let rules = &decoy.stack.rules;
        let mut options = OptionList::new();
        if let Some(stamps) = stamps {
            let value = self.ticks(decoy, arrival.now).wrapping_add(stamps.offset);
            options.push(tcp::TcpOption::Nop);
            options.push(tcp::TcpOption::Nop);
            options.push(tcp::TcpOption::Timestamps(value, stamps.recent));
        }
        let header = tcp::Header {
            source: segment.destination,
            destination: segment.source,
            seq: seq.0,
            ack: ack.0,
            reserved: 0,
            flags: Flags::ACK,
            window,
            urgent: 0,
            options: options.as_octets(),
        };
        let rule = if rules.connection.mini_sockets { rules.ip_id.reset } else { rules.ip_id.data };
        let Departure { id, path } = self.departure(decoy, arrival.now, ip.source.into(), arrival.source, rule);
        let to = (ip.source.into(), path);
        Self::emit_segment(&mut self.out, decoy, to, id, rules.ip.df, &header, &[]);
    }
}
