//! Listeners that wait for data (TCP_DEFER_ACCEPT of Linux): the client's acknowledgment alone makes no connection. Its
//! handshake stays half-open and no SYN-ACK is sent again, until data comes or the time of the server is over; then the
//! SYN-ACK goes out once more, and an acknowledgment is enough (net/ipv4/inet_connection_sock.c, syn_ack_recalc;
//! net/ipv4/tcp_minisocks.c, tcp_check_req).

use core::mem::replace;

use chaff_services::ServiceSpec;
use chaff_wire::tcp::Segment;

use super::HalfOpen;
use crate::{
    engine::Run,
    fleet::{DecoyView, Fleet},
    ipv4::Delivery,
    spec::Port,
    tcp::seq::Seq,
};

impl Run {
    /// Whether the acknowledgment that would complete a handshake leaves it half-open. The operator is told of a
    /// connection, as the client has one.
    pub(super) fn held_back(
        &mut self,
        fleet: &Fleet,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        segment: &Segment<'_>,
        index: u32,
    ) -> bool {
        let Some(half) = self.tcp.halves.get_mut(index) else { return false };
        let end = Seq(segment.seq).plus(segment.sequence_length());
        if end != half.irs.plus(1) || !half.is_deferred(fleet, decoy) {
            return false;
        }
        if !replace(&mut half.acknowledged, true) {
            let (flow, mac) = (half.flow, half.mac);
            self.see_connect(fleet, decoy, delivery.arrival.now, &flow, mac);
        }
        true
    }
}

impl HalfOpen {
    /// Whether the listener wants data still.
    pub(super) fn is_deferred(&self, fleet: &Fleet, decoy: &DecoyView<'_>) -> bool {
        usize::from(self.retries) < deferral(fleet, decoy, self.flow.local_port)
    }
}

/// Time-outs of the SYN-ACK for which a listener waits for data: the fewest that last as long as its server asks for
/// (Linux: secs_to_retrans).
fn deferral(fleet: &Fleet, decoy: &DecoyView<'_>, port: u16) -> usize {
    let Port::Service(service) = decoy.profile.tcp.at(port) else { return 0 };
    let asked_s = fleet.services.get(usize::from(service)).map_or(0, ServiceSpec::deferred_s);
    let asked_ms = u64::from(asked_s) * 1000;
    let mut lasts_ms = 0;
    let short = |delay_ms: &&u32| {
        let short = lasts_ms < asked_ms;
        lasts_ms += u64::from(**delay_ms);
        short
    };
    decoy.stack.rules.connection.syn_ack_ms.iter().take_while(short).count()
}
