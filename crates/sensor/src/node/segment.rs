//! Segments that the kernel has merged on their way in (GRO, or a sender on this machine that leaves the cutting to a
//! card that is not there), cut again to what a machine's card takes. Pure.
//!
//! Only TCP over IPv4 is merged for a packet socket. Pieces are as long as a full frame allows, which is what they were
//! before in all but odd cases; the engine reads a stream and not its cuts.

use chaff_wire::{
    ethernet::{Content, Frame, IPV4},
    ipv4::{self, Datagram, TCP},
    tcp::{self, Flags, Segment},
};

/// Octets of IP in a frame of Ethernet's.
const MTU: usize = 1_500;

/// The frames that `octets` was merged from; none if it is no such frame, or was damaged on the way: a sum that does not
/// hold must not become several that do.
pub(super) fn segments(octets: &[u8]) -> Vec<Vec<u8>> {
    cut(octets).unwrap_or_default()
}

fn cut(octets: &[u8]) -> Option<Vec<Vec<u8>>> {
    let Content::Type(IPV4, packet) = Frame::parse(octets)?.content else { return None };
    let link = octets.get(..octets.len().checked_sub(packet.len())?)?;
    let ip = Datagram::parse(packet)?;
    if ip.protocol != TCP || ip.is_fragment() || !ip.checksum_holds() {
        return None;
    }
    let whole = Segment::parse(ip.payload)?;
    // SYN and RST are never merged, and data that is urgent is not either.
    if whole.flags.any(Flags::SYN.with(Flags::RST).with(Flags::URG)) || !whole.checksum_holds(ip.source, ip.destination)
    {
        return None;
    }
    let headers = ip.header.len() + tcp::HEADER + whole.options.len();
    let most = MTU.checked_sub(headers).filter(|&most| most > 0)?;
    let count = whole.payload.len().div_ceil(most);
    let mut frames = Vec::with_capacity(count);
    let (mut id, mut seq) = (ip.id, whole.seq);
    for (n, payload) in whole.payload.chunks(most).enumerate() {
        // As a card does that cuts: what ends, ends with the last, and what was reduced is told by the first.
        let mut flags = whole.flags;
        if n + 1 < count {
            flags = flags.without(Flags::FIN.with(Flags::PSH));
        }
        if n > 0 {
            flags = flags.without(Flags::CWR);
        }
        let header = tcp::Header {
            source: whole.source,
            destination: whole.destination,
            seq,
            ack: whole.ack,
            reserved: whole.reserved,
            flags,
            window: whole.window,
            urgent: whole.urgent,
            options: whole.options,
        };
        let around = ipv4::Header {
            tos: ip.tos,
            id,
            df: ip.df,
            mf: false,
            offset: 0,
            ttl: ip.ttl,
            protocol: TCP,
            source: ip.source,
            destination: ip.destination,
            options: ip.options,
        };
        let mut frame = Vec::with_capacity(link.len() + headers + payload.len());
        frame.extend_from_slice(link);
        around.emit(header.length() + payload.len(), &mut frame);
        header.emit(ip.source, ip.destination, payload, &mut frame);
        frames.push(frame);
        id = id.wrapping_add(1);
        seq = seq.wrapping_add(u32::try_from(payload.len()).ok()?);
    }
    Some(frames)
}

#[cfg(test)]
mod tests;
