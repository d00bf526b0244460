//! ICMP: echo, timestamp and mask replies, and the errors that a stack sends, at the stack's own pace (RFC 792,
//! RFC 1122 §3.2.2, RFC 1812 §4.3.2.8 for limiting them).

use alloc::vec::Vec;

use chaff_events::{Detail, Kind, Transport};
use chaff_wire::{
    checksum, icmpv4,
    icmpv4::{Header, Message},
    ipv4,
};

use crate::{
    counters::{DropReason, Verdict},
    engine::{Run, sight, source},
    fleet::DecoyView,
    ipv4::Delivery,
    personality::{CodeRule, DfRule, IdRule, OptionRule, QuotedSum},
    visitor,
};

/// Record route (RFC 791 §3.1): the one option that an echo reply fills in.
const RECORD_ROUTE: u8 = 7;
/// The messages that are errors: unreachable, source quench, redirect, time exceeded, parameter problem.
const ERRORS: [u8; 5] = [3, 4, 5, 11, 12];
/// Milliseconds of a day, the range of an ICMP timestamp.
const DAY_MS: u64 = 86_400_000;

impl Run {
    pub(crate) fn icmp(&mut self, decoy: &DecoyView<'_>, delivery: Delivery<'_>) -> Verdict {
        let Delivery { arrival, ip, .. } = delivery;
        let Some(message) = Message::parse(ip.payload) else {
            return Verdict::Dropped(DropReason::Malformed);
        };
        if !message.checksum_holds() {
            return Verdict::Dropped(DropReason::Checksum);
        }
        let mark = visitor::of_icmp(&ip, &message);
        let kind = match message.kind {
            _ if mark.os_probe => Kind::OsProbe,
            icmpv4::ECHO => Kind::IcmpEcho,
            _ => Kind::IcmpOther,
        };
        let from = source(ip.source, arrival.source, 0);
        let seen = sight(decoy, from, kind, Transport::Icmp, 0, "", mark.tool);
        self.see(arrival.now, seen, || Detail::Ip { protocol: ipv4::ICMP, kind: message.kind, code: message.code });

        let rules = &decoy.stack.rules.icmp;
        match message.kind {
            icmpv4::ECHO if rules.echo => self.echo_reply(decoy, delivery, &message),
            icmpv4::TIMESTAMP if rules.timestamp && message.payload.len() >= 4 => {
                self.timestamp_reply(decoy, delivery, &message)
            }
            icmpv4::MASK if rules.mask => {
                let prefix = u32::from(decoy.network.prefix.min(32));
                let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0).to_be_bytes();
                self.icmp_reply(decoy, delivery, icmpv4::MASK_REPLY, 0, message.word, &mask)
            }
            _ => Verdict::Observed,
        }
    }

    fn echo_reply(&mut self, decoy: &DecoyView<'_>, delivery: Delivery<'_>, message: &Message<'_>) -> Verdict {
        let code = match decoy.stack.rules.icmp.echo_code {
            CodeRule::Zero => 0,
            CodeRule::Same => message.code,
            CodeRule::Constant(code) => code,
        };
        self.icmp_reply(decoy, delivery, icmpv4::ECHO_REPLY, code, message.word, message.payload)
    }

    fn timestamp_reply(&mut self, decoy: &DecoyView<'_>, delivery: Delivery<'_>, message: &Message<'_>) -> Verdict {
        let of_day = self.time_of_day(decoy, delivery.arrival.now);
        let mut body = Vec::with_capacity(12);
        body.extend_from_slice(message.payload.get(..4).unwrap_or(&[0; 4]));
        body.extend_from_slice(&of_day.to_be_bytes());
        body.extend_from_slice(&of_day.to_be_bytes());
        self.icmp_reply(decoy, delivery, icmpv4::TIMESTAMP_REPLY, 0, message.word, &body)
    }

    /// Milliseconds since midnight, universal time, as the decoy's own clock has it (RFC 792).
    pub(crate) fn time_of_day(&self, decoy: &DecoyView<'_>, now: u64) -> u32 {
        let utc = self.clock.decoy_utc(decoy.spec.seed, now);
        (((utc / 1_000_000) % DAY_MS) & 0xffff_ffff) as u32
    }

    fn icmp_reply(
        &mut self,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        kind: u8,
        code: u8,
        word: [u8; 4],
        body: &[u8],
    ) -> Verdict {
        let Delivery { arrival, ip, options } = delivery;
        let Some(reflected) = options else { return Verdict::Observed };
        let rules = &decoy.stack.rules;
        let df = match rules.icmp.echo_df {
            DfRule::Clear => false,
            DfRule::Same => ip.df,
            DfRule::Set => true,
            DfRule::Inverted => !ip.df,
        };
        let leaves = self.departure(decoy, arrival.now, ip.source.into(), arrival.source, rules.ip_id.echo);
        let id = if rules.ip_id.echo == IdRule::Request { ip.id } else { leaves.id };
        let mut options = [0; 40];
        let options = match rules.ip.options {
            OptionRule::Route => recorded_route(ip.options, decoy.v4(), &mut options),
            OptionRule::Reflect => reflected,
        };
        let header = ipv4::Header {
            tos: if rules.icmp.echo_tos { ip.tos } else { 0 },
            id,
            df,
            mf: false,
            offset: 0,
            ttl: rules.ip.ttl_echo,
            protocol: ipv4::ICMP,
            source: decoy.v4(),
            destination: ip.source,
            options,
        };
        let message = Header { kind, code, word };
        self.out.datagram(leaves.path, header, icmpv4::HEADER + body.len(), |out| message.emit(body, out));
        Verdict::Answered
    }

    /// A destination unreachable for a datagram, if the personality's limits allow.
    pub(crate) fn unreachable(&mut self, decoy: &DecoyView<'_>, delivery: Delivery<'_>, code: u8) -> Verdict {
        let unused = decoy.stack.rules.icmp.error_unused.to_be_bytes();
        self.icmp_error_about(decoy, delivery, (icmpv4::UNREACHABLE, code), unused)
    }

    /// An error of a type and code with this second word.
    pub(crate) fn icmp_error_about(
        &mut self,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        (kind, code): (u8, u8),
        word: [u8; 4],
    ) -> Verdict {
        let Delivery { arrival, ip, options } = delivery;
        let Some(options) = options else { return Verdict::Observed };
        // RFC 1122 §3.2.2: no error for what came by broadcast, nor about an error, nor about what may be one.
        let about_error = ip.protocol == ipv4::ICMP && ip.payload.first().is_none_or(|kind| ERRORS.contains(kind));
        if arrival.destination.is_group() || about_error {
            return Verdict::Observed;
        }
        let rules = &decoy.stack.rules;
        let Some(peer) = self.peer(decoy, ip.source.into()) else { return Verdict::Dropped(DropReason::Limit) };
        let host = self.hosts.of(decoy.index).map(|host| &mut host.errors);
        let own = self.peers.get_mut(peer).map(|peer| &mut peer.errors);
        let bucket = if rules.icmp.per_peer { own } else { host };
        if !bucket.is_some_and(|b| b.take(arrival.now, rules.icmp.burst, rules.icmp.per_second)) {
            return Verdict::Observed;
        }
        let quoted = quote(decoy, &ip);
        let leaves = self.departure_to(decoy, arrival.now, peer, arrival.source, rules.ip_id.error);
        // Without the congestion bits and the precedence, which is the error's own.
        let copied = if rules.icmp.error_tos_copied { ip.tos & 0x1e } else { 0 };
        let header = ipv4::Header {
            tos: rules.icmp.error_tos | copied,
            id: leaves.id,
            df: rules.icmp.error_df,
            mf: false,
            offset: 0,
            ttl: rules.ip.ttl_error,
            protocol: ipv4::ICMP,
            source: decoy.v4(),
            destination: ip.source,
            options,
        };
        let message = Header { kind, code, word };
        self.out.datagram(leaves.path, header, icmpv4::HEADER + quoted.len(), |out| message.emit(&quoted, out));
        Verdict::Answered
    }
}

/// The start of the offending datagram, as this stack quotes it.
fn quote(decoy: &DecoyView<'_>, ip: &ipv4::Datagram<'_>) -> Vec<u8> {
    let rules = &decoy.stack.rules.icmp;
    let mut quoted = Vec::with_capacity(usize::from(rules.quote));
    quoted.extend_from_slice(ip.header);
    quoted.extend_from_slice(ip.payload);
    quoted.truncate(usize::from(rules.quote).max(ip.header.len() + 8));
    let mangle = rules.quoted;
    if mangle.padded {
        quoted.resize(usize::from(rules.quote).max(quoted.len()), 0);
    }
    let mut put = |at: usize, octets: &[u8]| {
        if let Some(place) = quoted.get_mut(at..at + octets.len()) {
            place.copy_from_slice(octets);
        }
    };
    if mangle.length != 0 || mangle.length_swapped {
        let length = ip.total_length.wrapping_add_signed(mangle.length);
        put(2, &if mangle.length_swapped { length.to_le_bytes() } else { length.to_be_bytes() });
    }
    match mangle.id {
        Some(id) => put(4, &id.to_be_bytes()),
        None if mangle.id_zero => put(4, &[0, 0]),
        None if mangle.id_swapped => put(4, &ip.id.to_le_bytes()),
        None => {}
    }
    if mangle.ttl != 0 {
        put(8, &[ip.ttl.wrapping_sub(mangle.ttl)]);
    }
    let udp_sum = ip.header.len() + 6;
    match mangle.udp_checksum {
        QuotedSum::Same | QuotedSum::Valid => {}
        QuotedSum::Zero => put(udp_sum, &[0, 0]),
        QuotedSum::Wrong => put(udp_sum, &[0x5a, 0x5a]),
        QuotedSum::Value(value) => put(udp_sum, &value.to_be_bytes()),
    }
    if let (true, Some(octet)) = (mangle.data_wrong, quoted.get_mut(ip.header.len() + 8)) {
        *octet = !*octet;
    }
    let sum = match mangle.checksum {
        QuotedSum::Same => return quoted,
        QuotedSum::Zero => 0,
        QuotedSum::Value(value) => value,
        QuotedSum::Valid => header_sum(&quoted, ip.header.len()),
        QuotedSum::Wrong => match header_sum(&quoted, ip.header.len()) ^ 0x5a5a {
            0 => 0x5a5a,
            wrong => wrong,
        },
    };
    if let Some(place) = quoted.get_mut(10..12) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
    quoted
}

/// The checksum that makes the header at the start of `quoted` right.
fn header_sum(quoted: &[u8], length: usize) -> u16 {
    let mut header = [0; 60];
    let (Some(from), Some(to)) = (quoted.get(..length), header.get_mut(..length)) else { return 0 };
    to.copy_from_slice(from);
    if let Some(sum) = to.get_mut(10..12) {
        sum.fill(0);
    }
    checksum::of(to)
}

/// The record-route option of a request with the decoy's own address filled in (RFC 1122 §3.2.2.6); nothing else is
/// given back.
fn recorded_route<'a>(options: &[u8], own: core::net::Ipv4Addr, room: &'a mut [u8; 40]) -> &'a [u8] {
    let start = options.iter().position(|&octet| octet != 1).unwrap_or(0);
    let Some([RECORD_ROUTE, length, pointer, ..]) = options.get(start..) else { return &[] };
    let (length, pointer) = (usize::from(*length), usize::from(*pointer));
    let padded = length.next_multiple_of(4);
    let Some(route) = options.get(start..start + length) else { return &[] };
    let Some(reply) = room.get_mut(..padded) else { return &[] };
    let Some((head, rest)) = reply.split_at_mut_checked(length) else { return &[] };
    head.copy_from_slice(route);
    rest.fill(0);
    if pointer >= 4
        && let Some(slot) = head.get_mut(pointer - 1..pointer + 3)
    {
        slot.copy_from_slice(&own.octets());
        if let Some(next) = head.get_mut(2) {
            *next = next.saturating_add(4);
        }
    }
    reply
}
