//! The table of decoys: who answers for (link, VLAN, address), at a cost that does not grow with their number.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use chaff_wire::Mac;
use hashbrown::HashTable;

use crate::{
    chance::Chance,
    ip_id::Counters,
    part::Fellows,
    spec::{DecoySpec, FleetSpec, NetworkSpec, ProfileSpec},
    stack::Stack,
};

/// What a decoy that was touched remembers of itself; a row of zeros until then, so untouched rows cost no memory page.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Host {
    /// Identification counters.
    pub(crate) ids: Counters,
    /// ICMP errors: spent tokens and when they were last refilled, in milliseconds.
    pub(crate) errors: Bucket,
    /// Resets of closed ports.
    pub(crate) resets: Bucket,
    /// Challenge acknowledgments.
    pub(crate) challenges: Bucket,
    /// When the address was last defended, in seconds; 0: never.
    pub(crate) defended_s: u32,
    /// Half-open connections: how many, and the line from the oldest to the newest, as index + 1.
    pub(crate) half_open: u16,
    pub(crate) half_oldest: u32,
    pub(crate) half_newest: u32,
    /// Established connections.
    pub(crate) connections: u16,
    /// Neighbours that are being asked for.
    pub(crate) unresolved: u16,
    /// Who asked for this decoy last.
    pub(crate) asker: Asker,
}

/// The card of the neighbour that asked last. Kept here and not among the peers, so that a sweep by ARP takes no memory
/// and makes nobody forgotten.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asker {
    ip: u32,
    card: [u8; 6],
    /// How much had been overheard by then.
    heard: u32,
}

impl Asker {
    pub(crate) fn set(&mut self, ip: Ipv4Addr, card: Mac, heard: u32) {
        *self = Self { ip: ip.to_bits(), card: card.0, heard };
    }

    /// The card of `ip`, and how much had been overheard when it asked.
    pub(crate) fn of(&self, ip: IpAddr) -> Option<(Mac, u32)> {
        (self.ip != 0 && ip == IpAddr::V4(Ipv4Addr::from_bits(self.ip))).then_some((Mac(self.card), self.heard))
    }

    pub(crate) fn forget(&mut self, ip: IpAddr) {
        if self.of(ip).is_some() {
            *self = Self::default();
        }
    }
}

/// A token bucket that starts full: counts what was spent, so that a row of zeros is a full one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket {
    spent: u16,
    refilled_ms: u32,
}

impl Bucket {
    /// Takes a token from a bucket of `burst` that gets `per_second` back. No limit where `per_second` is 0.
    pub(crate) fn take(&mut self, now: u64, burst: u16, per_second: u16) -> bool {
        if per_second == 0 {
            return true;
        }
        let now_ms = ((now / 1_000_000) & 0xffff_ffff) as u32;
        if self.spent == 0 {
            self.refilled_ms = now_ms;
        }
        let passed = u64::from(now_ms.wrapping_sub(self.refilled_ms));
        let earned = passed * u64::from(per_second) / 1000;
        if earned > 0 {
            self.spent = self.spent.saturating_sub(u16::try_from(earned).unwrap_or(u16::MAX));
            let used_ms = ((earned * 1000 / u64::from(per_second)) & 0xffff_ffff) as u32;
            self.refilled_ms = self.refilled_ms.wrapping_add(used_ms);
        }
        if self.spent >= burst.max(1) {
            return false;
        }
        if self.spent == 0 {
            self.refilled_ms = now_ms;
        }
        self.spent += 1;
        true
    }
}

/// The rows of all decoys.
#[derive(Debug)]
pub(crate) struct Hosts(Vec<Host>);

impl Hosts {
    pub(crate) fn new(decoys: usize) -> Self {
        Self(alloc::vec![Host::default(); decoys])
    }

    pub(crate) fn of(&mut self, decoy: u32) -> Option<&mut Host> {
        self.0.get_mut(usize::try_from(decoy).ok()?)
    }
}

#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) networks: Vec<NetworkSpec>,
    pub(crate) stacks: Vec<Stack>,
    pub(crate) services: Vec<chaff_services::ServiceSpec>,
    pub(crate) profiles: Vec<ProfileSpec>,
    decoys: Vec<DecoySpec>,
    by_address: HashTable<u32>,
    /// All decoys of the sensor, where others than these exist.
    pub(crate) fellows: Fellows,
    key: u64,
}

/// A decoy with all that it points to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecoyView<'a> {
    pub(crate) index: u32,
    pub(crate) spec: &'a DecoySpec,
    pub(crate) network: &'a NetworkSpec,
    pub(crate) profile: &'a ProfileSpec,
    pub(crate) stack: &'a Stack,
}

impl Fleet {
    pub(crate) fn new(spec: FleetSpec, fellows: Fellows, chance: &mut Chance) -> Self {
        let stacks = spec.personalities.into_iter().map(Stack::new).collect();
        let key = chance.next_u64();
        let mut fleet = Self {
            networks: spec.networks,
            stacks,
            services: spec.services,
            profiles: spec.profiles,
            by_address: HashTable::with_capacity(spec.decoys.len()),
            decoys: spec.decoys,
            fellows,
            key,
        };
        for index in 0..fleet.decoys.len() {
            let Ok(index) = u32::try_from(index) else { break };
            let Some(hash) = fleet.view(index).map(|d| fleet.hash(d.network.link, d.network.vlan, d.spec.ip)) else {
                continue;
            };
            let (networks, decoys) = (&fleet.networks, &fleet.decoys);
            let rehash = |&i: &u32| {
                let decoy = usize::try_from(i).ok().and_then(|i| decoys.get(i));
                let network = decoy.and_then(|d| networks.get(usize::from(d.network)));
                match (decoy, network) {
                    (Some(decoy), Some(network)) => mix(key, network.link, network.vlan, decoy.ip),
                    _ => 0,
                }
            };
            fleet.by_address.insert_unique(hash, index, rehash);
        }
        fleet
    }

    pub(crate) fn len(&self) -> usize {
        self.decoys.len()
    }

    /// The decoy at an index; `None` if its row points to nothing.
    pub(crate) fn view(&self, index: u32) -> Option<DecoyView<'_>> {
        let spec = self.decoys.get(usize::try_from(index).ok()?)?;
        let profile = self.profiles.get(usize::from(spec.profile))?;
        Some(DecoyView {
            index,
            spec,
            network: self.networks.get(usize::from(spec.network))?,
            profile,
            stack: self.stacks.get(usize::from(profile.personality))?,
        })
    }

    /// The decoy that owns an address on a link and VLAN.
    pub(crate) fn find(&self, link: u16, vlan: Option<u16>, ip: IpAddr) -> Option<u32> {
        let same = |&index: &u32| {
            let decoy = usize::try_from(index).ok().and_then(|i| self.decoys.get(i));
            decoy.is_some_and(|d| {
                d.ip == ip
                    && self.networks.get(usize::from(d.network)).is_some_and(|n| n.link == link && n.vlan == vlan)
            })
        };
        self.by_address.find(self.hash(link, vlan, ip), same).copied()
    }

    fn hash(&self, link: u16, vlan: Option<u16>, ip: IpAddr) -> u64 {
        mix(self.key, link, vlan, ip)
    }
}

/// Only the operator adds keys to this table, so a fast mix under a random key is enough.
fn mix(key: u64, link: u16, vlan: Option<u16>, ip: IpAddr) -> u64 {
    let bits = match ip {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            ((bits >> 64) as u64).rotate_left(32) ^ (bits & 0xffff_ffff_ffff_ffff) as u64
        }
    };
    let place = (u64::from(link) << 48 | u64::from(vlan.unwrap_or(0)) << 32) ^ bits;
    let wide = u128::from(place ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    ((wide & 0xffff_ffff_ffff_ffff) as u64) ^ ((wide >> 64) as u64)
}

impl DecoyView<'_> {
    /// The decoy's IPv4 address; 0.0.0.0, which nothing is ever sent to, where it has none.
    pub(crate) fn v4(&self) -> Ipv4Addr {
        match self.spec.ip {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        }
    }

    /// Whether an address is on the decoy's own subnet.
    pub(crate) fn on_link(&self, ip: IpAddr) -> bool {
        let prefix = u32::from(self.network.prefix);
        match (ip, self.network.subnet) {
            (IpAddr::V4(ip), IpAddr::V4(subnet)) => {
                let mask = u32::MAX.checked_shl(32u32.saturating_sub(prefix)).unwrap_or(0);
                (ip.to_bits() ^ subnet.to_bits()) & mask == 0
            }
            (IpAddr::V6(ip), IpAddr::V6(subnet)) => {
                let mask = u128::MAX.checked_shl(128u32.saturating_sub(prefix)).unwrap_or(0);
                (ip.to_bits() ^ subnet.to_bits()) & mask == 0
            }
            _ => false,
        }
    }

    pub(crate) fn gateway(&self) -> Option<IpAddr> {
        self.network.gateway
    }

    /// The gateway, for those who ask for it by ARP.
    pub(crate) fn gateway_v4(&self) -> Option<Ipv4Addr> {
        match self.network.gateway {
            Some(IpAddr::V4(ip)) => Some(ip),
            _ => None,
        }
    }

    /// The subnet's broadcast address.
    pub(crate) fn broadcast(&self) -> Option<Ipv4Addr> {
        let IpAddr::V4(subnet) = self.network.subnet else { return None };
        let host = u32::MAX.checked_shr(u32::from(self.network.prefix)).unwrap_or(0);
        Some(Ipv4Addr::from_bits(subnet.to_bits() | host))
    }
}
