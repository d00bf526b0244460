//! The neighbour cache: which card a datagram goes to, asked by ARP where that is not known, verified by unicast where
//! it was only overheard. The states are those of RFC 4861 §7.3.2, which Linux uses for IPv4 as well; RFC 1122 §2.3.2
//! asks for less, and a stack that does less has no `verify-ms`.

use core::net::{IpAddr, Ipv4Addr};

use chaff_wire::Mac;

use crate::{
    clock::Ticks,
    engine::{Run, Timer},
    fleet::{DecoyView, Fleet},
    ip_id,
    outbox::{Path, To},
    peer::{Neighbour, NeighbourState, Peer},
    personality::IdRule,
    timer::TimerId,
};

/// Pause between two questions (Linux: RETRANS_TIMER, one second; RFC 1122 §2.3.2.1 allows no more than one a second).
const QUESTION_INTERVAL_NS: u64 = 1_000_000_000;
/// How long a packet to another network goes to the card that its router had, before the router's entry is looked at again.
const ROUTE_HOLDS_NS: u64 = 1_000_000_000;
/// Neighbours that one decoy asks for at once; a flood from invented sources must not make it shout without end.
const MAX_UNRESOLVED_PER_DECOY: u16 = 128;

/// How a datagram leaves: its identification and its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    pub(crate) id: u16,
    pub(crate) path: Path,
}

impl Run {
    /// The entry for a remote address, made if need be.
    pub(crate) fn peer(&mut self, decoy: &DecoyView<'_>, remote: IpAddr) -> Option<u32> {
        let (peer, gave_way) = self.peers.meet(decoy.index, remote, &mut self.chance)?;
        if let Some(gone) = gave_way {
            self.wheel.cancel(gone.neighbour.timer);
            self.no_longer_asked_for(&gone);
        }
        Some(peer)
    }

    /// How the next datagram of a decoy to `remote` leaves, which was heard from the card `heard`.
    pub(crate) fn departure(
        &mut self,
        decoy: &DecoyView<'_>,
        now: u64,
        remote: IpAddr,
        heard: Mac,
        rule: IdRule,
    ) -> Departure {
        match self.peer(decoy, remote) {
            Some(peer) => self.departure_to(decoy, now, peer, heard, rule),
            None => Departure { id: 0, path: Self::path(decoy, heard) },
        }
    }

    /// The same where the entry of the remote address is known.
    pub(crate) fn departure_to(
        &mut self,
        decoy: &DecoyView<'_>,
        now: u64,
        peer: u32,
        heard: Mac,
        rule: IdRule,
    ) -> Departure {
        let to = match self.peers.get_mut(peer) {
            Some(entry) if now < entry.neighbour.until && entry.neighbour.heard == self.overheard.count() => {
                To::Card(entry.neighbour.card)
            }
            Some(entry) => {
                let remote = entry.remote;
                self.next_hop(decoy, now, peer, remote, heard)
            }
            None => To::Card(heard),
        };
        let path = Path { to, ..Self::path(decoy, heard) };
        let tick = u64::from(decoy.stack.rules.connection.timer_tick_ms) * 1_000_000;
        let (Some(host), Some(peer)) = (self.hosts.of(decoy.index), self.peers.get_mut(peer)) else {
            return Departure { id: 0, path };
        };
        if rule == IdRule::Peer && tick > 0 {
            peer.ids.rest(now, tick, &mut self.chance);
        }
        Departure { id: ip_id::next(rule, &mut host.ids, &mut peer.ids, now, &mut self.chance), path }
    }

    /// Finds the card by which `remote` is reached, and keeps it in its entry for as long as it holds.
    fn next_hop(&mut self, decoy: &DecoyView<'_>, now: u64, peer: u32, remote: IpAddr, heard: Mac) -> To {
        let router = decoy.gateway().filter(|_| !decoy.on_link(remote));
        let Some(hop) = router.map_or(Some(peer), |router| self.peer(decoy, router)) else { return To::Card(heard) };
        let way = self.resolve(decoy, now, hop, router.map(|_| heard));
        if let To::Card(card) = way {
            // The router's entry may have taken the place of this one, where the table is full.
            if let Some(entry) = self.peers.get_mut(peer).filter(|entry| hop != peer && entry.remote == remote) {
                entry.neighbour.card = card;
                entry.neighbour.until = now.saturating_add(ROUTE_HOLDS_NS);
                entry.neighbour.heard = self.overheard.count();
            }
        }
        way
    }

    /// The card of a neighbour that something is to be sent to. `heard` is the card that a packet from beyond a router
    /// came from: it stands in for a router that does not answer.
    fn resolve(&mut self, decoy: &DecoyView<'_>, now: u64, hop: u32, heard: Option<Mac>) -> To {
        self.listen(decoy, now, hop);
        let rules = &decoy.stack.rules.arp;
        let Some(host) = self.hosts.of(decoy.index) else { return To::Nobody };
        let Some(entry) = self.peers.get_mut(hop) else { return To::Nobody };
        let neighbour = &mut entry.neighbour;
        if neighbour.state == NeighbourState::Reachable && now >= neighbour.until {
            neighbour.state = if rules.verify_ms > 0 { NeighbourState::Stale } else { NeighbourState::Unknown };
        }
        if neighbour.state == NeighbourState::Unknown
            && let Some((card, heard)) = host.asker.of(entry.remote)
        {
            neighbour.learn(card, now, decoy);
            neighbour.heard = heard;
            // It may have announced itself elsewhere since.
            self.listen(decoy, now, hop);
        }
        let (Some(host), Some(entry)) = (self.hosts.of(decoy.index), self.peers.get_mut(hop)) else {
            return To::Nobody;
        };
        let neighbour = &mut entry.neighbour;
        match neighbour.state {
            NeighbourState::Reachable | NeighbourState::Delay | NeighbourState::Probe(_) => To::Card(neighbour.card),
            NeighbourState::Stale => {
                neighbour.state = NeighbourState::Delay;
                neighbour.until = u64::MAX;
                let at = ticks(decoy).deadline(now, u64::from(rules.verify_ms) * 1_000_000);
                neighbour.timer = self.wheel.set(at, Timer::Neighbour(hop));
                To::Card(neighbour.card)
            }
            NeighbourState::Incomplete(_) => To::Waiting(neighbour.line),
            NeighbourState::Unknown => {
                if host.unresolved >= MAX_UNRESOLVED_PER_DECOY {
                    return To::Nobody;
                }
                host.unresolved += 1;
                neighbour.state = NeighbourState::Incomplete(1);
                neighbour.card = heard.unwrap_or(Mac::ZERO);
                neighbour.line = self.out.open_line(rules.pending);
                neighbour.timer =
                    self.wheel.set(ticks(decoy).deadline(now, QUESTION_INTERVAL_NS), Timer::Neighbour(hop));
                let (line, remote) = (neighbour.line, entry.remote);
                self.ask(decoy, remote, Mac::BROADCAST);
                To::Waiting(line)
            }
        }
    }

    /// What was overheard of a neighbour since its entry was last looked at goes into it, as if heard now: a host that
    /// has moved to another card is found there (RFC 826, packet reception).
    fn listen(&mut self, decoy: &DecoyView<'_>, now: u64, index: u32) {
        let Some(entry) = self.peers.get_mut(index) else { return };
        let before = core::mem::replace(&mut entry.neighbour.heard, self.overheard.count());
        let IpAddr::V4(ip) = entry.remote else { return };
        let place = (decoy.network.link, decoy.network.vlan);
        if entry.neighbour.is_known()
            && let Some(word) = self.overheard.since(&self.chance, place, ip, before)
            && (word.announced || !entry.neighbour.is_locked(word.card, word.at, decoy))
        {
            self.moved(decoy, now, index, word.card);
        }
    }

    /// A neighbour that is known is at `card`.
    fn moved(&mut self, decoy: &DecoyView<'_>, now: u64, index: u32, card: Mac) {
        let Some(entry) = self.peers.get_mut(index).filter(|entry| entry.neighbour.card != card) else { return };
        let timer = core::mem::replace(&mut entry.neighbour.timer, TimerId::NONE);
        self.wheel.cancel(timer);
        entry.neighbour.learn(card, now, decoy);
    }

    /// Somebody on the link asked for the decoy and was answered: his card is known from now on (RFC 826, packet
    /// reception).
    pub(crate) fn neighbour_asked(&mut self, decoy: &DecoyView<'_>, now: u64, ip: Ipv4Addr, card: Mac) {
        if ip.is_unspecified() || card.is_group() || card == Mac::ZERO || !decoy.on_link(ip.into()) {
            return;
        }
        if let Some(host) = self.hosts.of(decoy.index) {
            host.asker.set(ip, card, self.overheard.count());
        }
        let Some(index) = self.peers.find(decoy.index, ip.into(), &self.chance) else { return };
        let Some(entry) = self.peers.get_mut(index) else { return };
        entry.neighbour.heard = self.overheard.count();
        match entry.neighbour.state {
            // It is asked when it is needed.
            NeighbourState::Unknown => {}
            NeighbourState::Incomplete(_) => {
                self.found(decoy, index, |neighbour| neighbour.learn(card, now, decoy));
                // What waited was sent, and that starts the verification.
                let _ = self.resolve(decoy, now, index, None);
            }
            // What is known already, is not touched (Linux `neigh_update`).
            NeighbourState::Stale | NeighbourState::Delay | NeighbourState::Probe(_) | NeighbourState::Reachable => {
                self.moved(decoy, now, index, card)
            }
        }
    }

    /// A neighbour answered a question of the decoy's, or said without being asked where it is.
    pub(crate) fn neighbour_told(&mut self, decoy: &DecoyView<'_>, now: u64, ip: Ipv4Addr, card: Mac, to_all: bool) {
        let Some(index) = self.peers.find(decoy.index, ip.into(), &self.chance) else { return };
        let Some(entry) = self.peers.get_mut(index) else { return };
        if entry.neighbour.state == NeighbourState::Unknown || card.is_group() {
            return;
        }
        entry.neighbour.heard = self.overheard.count();
        if entry.neighbour.is_locked(card, now, decoy) {
            return;
        }
        self.found(decoy, index, |neighbour| {
            if to_all {
                neighbour.learn(card, now, decoy);
            } else {
                neighbour.confirm(card, now, decoy);
            }
        });
    }

    /// TCP to `remote` has moved forward: it is there, and need not be asked (RFC 4861 §7.3.1; Linux does so for IPv4).
    pub(crate) fn neighbour_confirmed(&mut self, decoy: &DecoyView<'_>, now: u64, remote: IpAddr) {
        if decoy.stack.rules.arp.verify_ms == 0 || !decoy.on_link(remote) {
            return;
        }
        let Some(index) = self.peers.find(decoy.index, remote, &self.chance) else { return };
        let Some(entry) = self.peers.get_mut(index) else { return };
        if matches!(entry.neighbour.state, NeighbourState::Delay | NeighbourState::Probe(_)) {
            let timer = core::mem::replace(&mut entry.neighbour.timer, TimerId::NONE);
            self.wheel.cancel(timer);
            entry.neighbour.confirm(entry.neighbour.card, now, decoy);
        }
    }

    /// A neighbour has not answered for a second, or was sent to for some seconds without a sign of life.
    pub(crate) fn neighbour_due(&mut self, fleet: &Fleet, now: u64, index: u32) {
        let Some(entry) = self.peers.get_mut(index) else { return };
        entry.neighbour.timer = TimerId::NONE;
        let Some(decoy) = fleet.view(entry.decoy) else { return };
        self.listen(&decoy, now, index);
        let Some(entry) = self.peers.get_mut(index) else { return };
        let rules = &decoy.stack.rules.arp;
        let (state, to) = match entry.neighbour.state {
            NeighbourState::Incomplete(asked) if asked < rules.questions => {
                (NeighbourState::Incomplete(asked.saturating_add(1)), Mac::BROADCAST)
            }
            NeighbourState::Incomplete(_) => return self.not_found(&decoy, now, index),
            NeighbourState::Delay => (NeighbourState::Probe(1), entry.neighbour.card),
            NeighbourState::Probe(asked) if asked <= rules.verify_retries => {
                (NeighbourState::Probe(asked.saturating_add(1)), entry.neighbour.card)
            }
            NeighbourState::Probe(_) => {
                entry.neighbour.state = NeighbourState::Unknown;
                entry.neighbour.until = 0;
                // Whoever asked from there is not there any more.
                if let Some(host) = self.hosts.of(decoy.index) {
                    host.asker.forget(entry.remote);
                }
                return;
            }
            NeighbourState::Unknown | NeighbourState::Stale | NeighbourState::Reachable => return,
        };
        entry.neighbour.state = state;
        entry.neighbour.timer =
            self.wheel.set(ticks(&decoy).deadline(now, QUESTION_INTERVAL_NS), Timer::Neighbour(index));
        let remote = entry.remote;
        self.ask(&decoy, remote, to);
    }

    /// Nobody answered for a neighbour: what waited is thrown away. A router that does not answer is replaced by the card
    /// that its packets came from, so that a wrong `gateway` does not make a fleet mute.
    fn not_found(&mut self, decoy: &DecoyView<'_>, now: u64, index: u32) {
        let Some(entry) = self.peers.get_mut(index) else { return };
        let card = entry.neighbour.card;
        if card == Mac::ZERO {
            let line = entry.neighbour.line;
            entry.neighbour.state = NeighbourState::Unknown;
            self.out.close_line(line, None);
            self.one_less_unresolved(decoy.index);
        } else {
            self.found(decoy, index, |neighbour| neighbour.confirm(card, now, decoy));
        }
    }

    /// A neighbour's entry is brought to what `change` makes of it; what waited for it leaves.
    fn found(&mut self, decoy: &DecoyView<'_>, index: u32, change: impl FnOnce(&mut Neighbour)) {
        let Some(entry) = self.peers.get_mut(index) else { return };
        let timer = core::mem::replace(&mut entry.neighbour.timer, TimerId::NONE);
        self.wheel.cancel(timer);
        let asked_for = matches!(entry.neighbour.state, NeighbourState::Incomplete(_));
        change(&mut entry.neighbour);
        if asked_for {
            let (line, card) = (entry.neighbour.line, entry.neighbour.card);
            self.out.close_line(line, Some(card));
            self.one_less_unresolved(decoy.index);
        }
    }

    /// An entry gave way to another while its neighbour was asked for.
    fn no_longer_asked_for(&mut self, gone: &Peer) {
        if matches!(gone.neighbour.state, NeighbourState::Incomplete(_)) {
            self.out.close_line(gone.neighbour.line, None);
            self.one_less_unresolved(gone.decoy);
        }
    }

    fn one_less_unresolved(&mut self, decoy: u32) {
        if let Some(host) = self.hosts.of(decoy) {
            host.unresolved = host.unresolved.saturating_sub(1);
        }
    }

    fn ask(&mut self, decoy: &DecoyView<'_>, remote: IpAddr, to: Mac) {
        if let IpAddr::V4(remote) = remote {
            self.arp_question(decoy, decoy.v4(), remote, to);
        }
    }
}

fn ticks(decoy: &DecoyView<'_>) -> Ticks {
    Ticks::new(decoy.stack.rules.connection.timer_tick_ms, decoy.spec.seed)
}
