//! UDP: services that answer, ports that swallow, ports that refuse.

use chaff_events::{Detail, Kind, Transport};
use chaff_services::{Around, Identity, Opening};
use chaff_wire::{icmpv4, ipv4, udp};

use crate::{
    counters::{DropReason, Verdict},
    engine::{Run, service_name, sight, source},
    fleet::{DecoyView, Fleet},
    ipv4::Delivery,
    spec::Port,
    visitor,
};

impl Run {
    pub(crate) fn udp(&mut self, fleet: &Fleet, decoy: &DecoyView<'_>, delivery: Delivery<'_>) -> Verdict {
        let Delivery { arrival, ip, .. } = delivery;
        let Some(datagram) = udp::Datagram::parse(ip.payload) else {
            return Verdict::Dropped(DropReason::Malformed);
        };
        if !datagram.checksum_holds(ip.source, ip.destination) {
            return Verdict::Dropped(DropReason::Checksum);
        }
        let port = decoy.profile.udp.at(datagram.destination);
        let mark = visitor::of_datagram(&ip, &datagram);
        let spoken_to = matches!(port, Port::Open | Port::Service(_)) && !datagram.payload.is_empty();
        let kind = match spoken_to {
            _ if mark.os_probe => Kind::OsProbe,
            true => Kind::UdpPayload,
            false => Kind::UdpProbe,
        };
        let from = source(ip.source, arrival.source, datagram.source);
        let service = service_name(fleet, port);
        let seen = sight(decoy, from, kind, Transport::Udp, datagram.destination, service, mark.tool);
        self.see(arrival.now, seen, || payload(datagram.payload));
        match port {
            Port::Service(index) => self.udp_service(fleet, decoy, delivery, &datagram, index),
            Port::Closed if decoy.stack.rules.icmp.port_unreachable => {
                self.unreachable(decoy, delivery, icmpv4::PORT_UNREACHABLE)
            }
            Port::Open | Port::Closed | Port::Filtered => Verdict::Observed,
        }
    }

    fn udp_service(
        &mut self,
        fleet: &Fleet,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        datagram: &udp::Datagram<'_>,
        index: u16,
    ) -> Verdict {
        let Delivery { arrival, ip, .. } = delivery;
        let Some(service) = fleet.services.get(usize::from(index)) else { return Verdict::Observed };
        if datagram.source == 0 {
            // No answer can be sent there (RFC 768: port 0 means that none is wanted).
            return Verdict::Observed;
        }
        let opening = self.opening(decoy, arrival.now);
        let Some(answer) = chaff_services::answer(service, &opening, datagram.payload) else {
            return Verdict::Observed;
        };
        let rules = &decoy.stack.rules;
        let leaves = self.departure(decoy, arrival.now, ip.source.into(), arrival.source, rules.ip_id.udp);
        let header = ipv4::Header {
            tos: 0,
            id: leaves.id,
            df: rules.ip.df_udp,
            mf: false,
            offset: 0,
            ttl: rules.ip.ttl,
            protocol: ipv4::UDP,
            source: decoy.v4(),
            destination: ip.source,
            options: &[],
        };
        let reply = udp::Header { source: datagram.destination, destination: datagram.source };
        self.out.datagram(leaves.path, header, udp::HEADER + answer.len(), |out| {
            reply.emit(decoy.v4(), ip.source, &answer, out);
        });
        Verdict::Answered
    }

    /// What a conversation of this decoy is born with.
    pub(crate) fn opening<'a>(&mut self, decoy: &DecoyView<'a>, now: u64) -> Opening<'a> {
        Opening {
            identity: Identity {
                hostname: &decoy.spec.name,
                ip: decoy.spec.ip,
                mac: decoy.spec.mac,
                seed: decoy.spec.seed,
                serial: decoy.profile.serial.as_deref(),
            },
            now,
            utc: self.clock.decoy_utc(decoy.spec.seed, now),
            chance: self.chance.next_key(),
            accounts: &decoy.profile.accounts,
            around: Around::default(),
        }
    }
}

/// The start of what was sent, as evidence.
pub(crate) fn payload(octets: &[u8]) -> Detail {
    if octets.is_empty() {
        return Detail::None;
    }
    let kept = octets.get(..octets.len().min(Detail::MAX_OCTETS)).unwrap_or(&[]);
    Detail::Payload { octets: kept.to_vec(), length: u32::try_from(octets.len()).unwrap_or(u32::MAX) }
}
