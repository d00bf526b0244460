//! The decoys of a group: addresses one by one, with names, cards and seeds of their own.

use std::{collections::HashSet, net::Ipv4Addr};

use chaff_config::{Cidr, Config, Decoys, Mac, Network};
use chaff_engine::spec::DecoySpec;

use super::groups::{Groups, Kind};
use crate::{hostname::Bearer, identity::Secret, loader::Mention};

/// How often a card is drawn again after it was found taken. A block that is a quarter free fails once in 10^19.
const MAX_DRAWS: u32 = 150;

/// Hardware addresses that are taken, and what keeps networks of the same addresses apart.
pub(super) struct Cards {
    taken: HashSet<u64>,
    salts: Vec<String>,
}

impl Cards {
    /// Addresses that the file gives are taken before any is drawn.
    pub(super) fn new(config: &Config) -> Self {
        let given = config.networks.iter().flat_map(|n| &n.decoys).filter_map(|g| g.mac.as_ref());
        let mut taken: HashSet<u64> = given.map(|m| number(m.value)).collect();
        taken.reserve(usize::try_from(config.decoy_count()).unwrap_or(0));
        Self { taken, salts: salts(config) }
    }

    fn draw(&mut self, secret: &Secret, kind: &Kind, network: usize, ip: Ipv4Addr) -> Option<Mac> {
        let salt = self.salts.get(network).map_or("", String::as_str);
        for attempt in 0..MAX_DRAWS {
            let mac = secret.mac(&kind.device.ouis, salt, ip, attempt)?;
            if self.taken.insert(number(mac)) {
                return Some(mac);
            }
        }
        None
    }
}

/// Adds the decoys of one group.
pub(super) fn append(
    group: &Decoys,
    kind: &Kind,
    (index, network): (usize, &Network),
    secret: &Secret,
    cards: &mut Cards,
    groups: &mut Groups<'_>,
    decoys: &mut Vec<DecoySpec>,
) {
    let pattern = kind.hostname.as_ref().unwrap_or(&kind.device.hostname);
    let single = if kind.drawn.is_empty() { Some(groups.profile(kind, &[])) } else { None };
    let addresses = group.addresses.iter().flat_map(|range| range.addresses());
    for (position, ip) in addresses.enumerate() {
        let given = group.mac.as_ref().map(|m| m.value);
        let Some(mac) = given.or_else(|| cards.draw(secret, kind, index, ip)) else {
            return used_up(group, kind, groups);
        };
        let chance = secret.number("name", &network.name, ip);
        let name = pattern.name(&Bearer { number: position + 1, mac, ip, chance });
        let profile = single.unwrap_or_else(|| {
            let revisions: Vec<usize> = kind.drawn.iter().map(|s| drawn(secret, s, network, ip)).collect();
            groups.profile(kind, &revisions)
        });
        decoys.push(DecoySpec {
            name,
            mac,
            ip: ip.into(),
            network: u16::try_from(index).unwrap_or(u16::MAX),
            profile,
            seed: group.identity.as_ref().map_or_else(|| secret.derive("seed", &network.name, ip), |given| given.value),
        });
    }
}

/// The revision of a service's package that a decoy has installed.
fn drawn(secret: &Secret, service: &crate::service::Service, network: &Network, ip: Ipv4Addr) -> usize {
    let count = service.variants.len().max(1) as u64;
    usize::try_from(secret.number(&service.name, &network.name, ip) % count).unwrap_or(0)
}

fn used_up(group: &Decoys, kind: &Kind, groups: &mut Groups<'_>) {
    let message = format!("the hardware addresses of `{}` are used up", kind.device.name);
    let help = "give the profile more `ouis`, or have fewer decoys of it";
    let problem = Mention { source: groups.source(), span: group.profile.span.clone() }.problem(message, "here");
    groups.note(problem.help(help));
}

fn number(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// Cards are numbered by the low bits of addresses, so networks that share addresses need something to tell them
/// apart: their name. Others need nothing, and never collide.
fn salts(config: &Config) -> Vec<String> {
    let mut before: Vec<Cidr> = Vec::new();
    let mut salts = Vec::new();
    for network in &config.networks {
        let subnet = network.subnet.value;
        let shares = before.iter().any(|b| low_bits_meet(*b, subnet));
        salts.push(if shares { network.name.value.clone() } else { String::new() });
        before.push(subnet);
    }
    salts
}

/// Whether two networks have addresses with the same lowest 24 bits, the most that a card is numbered by.
fn low_bits_meet(a: Cidr, b: Cidr) -> bool {
    const LOW: u32 = 0x00ff_ffff;
    if a.prefix <= 8 || b.prefix <= 8 {
        return true;
    }
    let ends = |c: Cidr| (c.range().first.to_bits() & LOW, c.range().last.to_bits() & LOW);
    let ((a0, a1), (b0, b1)) = (ends(a), ends(b));
    a0 <= b1 && b0 <= a1
}
