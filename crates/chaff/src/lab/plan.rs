//! Who lives where on the lab's network, and the `chaff.toml` that says so.

use std::{collections::BTreeSet, fmt::Write as _, net::Ipv4Addr};

use chaff_profiles::Folder;

use crate::sandbox;

/// 10.77.0.0: a private network that few use, so that what a person tries by hand is not mistaken for home.
const BASE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 0);
/// Enough for decoys of the catalogue to lie scattered, as in an office.
const LONGEST_PREFIX: u8 = 24;
const SHORTEST_PREFIX: u8 = 16;
/// Of the subnet's addresses, at most one in this many is a decoy's.
const ADDRESSES_PER_DECOY: u32 = 2;
/// The sweep looks at no more addresses than a /22 has, so that a large lab starts as soon as a small one.
const WIDEST_SWEEP: u8 = 22;

/// A real host of the lab.
pub(crate) struct RealHost {
    pub(crate) name: &'static str,
    pub(crate) ip: Ipv4Addr,
    /// With the vendor bits of a real card, as everything on a network has.
    pub(crate) mac: [u8; 6],
    pub(crate) what: &'static str,
}

/// The two real hosts: the router of the network and somebody's small server. 00:1b:21 is Intel, 00:11:32 Synology.
pub(crate) const REAL_HOSTS: [RealHost; 2] = [
    RealHost {
        name: "router",
        ip: Ipv4Addr::new(10, 77, 0, 1),
        mac: [0x00, 0x1b, 0x21, 0x3c, 0x9d, 0x01],
        what: "the gateway",
    },
    RealHost {
        name: "wiki",
        ip: Ipv4Addr::new(10, 77, 0, 37),
        mac: [0x00, 0x11, 0x32, 0x4e, 0x12, 0x37],
        what: "a NAS with a wiki",
    },
];

const INTRUDER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 66);
/// A virtual machine's card (QEMU), as intruders often have.
pub(crate) const INTRUDER_MAC: [u8; 6] = [0x52, 0x54, 0x00, 0x6b, 0x1e, 0x66];

/// A sort of device: where on the network such things use to live, and how many of them there are.
struct Class {
    /// Words in a profile's name by which it is known.
    words: &'static [&'static str],
    /// How many, beside the other classes.
    weight: u32,
    /// First and end of its addresses, in 256ths of the subnet.
    place: (u32, u32),
}

const CLASSES: [Class; 6] = [
    Class { words: &["switch", "router", "cisco", "access-point", "firewall"], weight: 4, place: (2, 14) },
    Class { words: &["server", "nas", "freebsd"], weight: 12, place: (16, 62) },
    Class { words: &["printer", "laserjet"], weight: 6, place: (216, 236) },
    Class { words: &["phone", "iphone", "ipad", "android", "mobile", "tablet"], weight: 10, place: (164, 214) },
    Class { words: &["sail", "boat", "navigation", "plc", "rtos", "vxworks", "sensor"], weight: 2, place: (240, 252) },
    // What no word fits: workstations and laptops. Kept last.
    Class { words: &[], weight: 24, place: (70, 162) },
];

/// Decoys of one profile.
#[derive(Debug)]
struct Group {
    profile: String,
    addresses: Vec<Ipv4Addr>,
}

/// The whole network.
#[derive(Debug)]
pub(crate) struct Plan {
    prefix: u8,
    groups: Vec<Group>,
}

impl Plan {
    /// Spreads `decoys` over all devices of the catalogue.
    pub(crate) fn new(decoys: u32) -> Self {
        let profiles: Vec<&str> = chaff_profiles::names(Folder::Devices).collect();
        Self::of_profiles(decoys, &profiles)
    }

    pub(crate) fn of_profiles(decoys: u32, profiles: &[&str]) -> Self {
        let prefix = (SHORTEST_PREFIX..=LONGEST_PREFIX)
            .rev()
            .find(|prefix| decoys.saturating_mul(ADDRESSES_PER_DECOY) <= size(*prefix))
            .unwrap_or(SHORTEST_PREFIX);
        let counts = share_out(decoys, profiles);
        let mut taken: BTreeSet<Ipv4Addr> = REAL_HOSTS.iter().map(|host| host.ip).chain([INTRUDER]).collect();
        let mut groups = Vec::new();
        for (class_number, class) in CLASSES.iter().enumerate() {
            let members = || profiles.iter().zip(&counts).filter(|(name, _)| class_of(name) == class_number);
            let population: u32 = members().map(|(_, count)| *count).sum();
            let mut place = 0;
            for (profile, count) in members() {
                let addresses = (place..place + count).filter_map(|k| settle(class, k, population, prefix, &mut taken));
                let mut addresses: Vec<_> = addresses.collect();
                addresses.sort_unstable();
                place += count;
                if !addresses.is_empty() {
                    groups.push(Group { profile: (*profile).to_owned(), addresses });
                }
            }
        }
        Self { prefix, groups }
    }

    /// How many decoys there are.
    pub(crate) fn decoys(&self) -> usize {
        self.groups.iter().map(|group| group.addresses.len()).sum()
    }

    /// The subnet, as 10.77.0.0/24.
    pub(crate) fn subnet(&self) -> String {
        format!("{BASE}/{}", self.prefix)
    }

    /// An address with the subnet's prefix, for an interface.
    pub(crate) fn on_subnet(&self, ip: Ipv4Addr) -> String {
        format!("{ip}/{}", self.prefix)
    }

    /// What the intruder sweeps.
    pub(crate) fn sweep(&self) -> String {
        format!("{BASE}/{}", self.prefix.max(WIDEST_SWEEP))
    }

    /// The addresses of the sweep, the network's own and the broadcast address among them.
    pub(crate) fn swept_addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        (0..size(self.prefix.max(WIDEST_SWEEP))).map(at)
    }

    pub(crate) fn intruder(&self) -> Ipv4Addr {
        INTRUDER
    }

    /// The configuration that a user with this network would write.
    pub(crate) fn to_toml(&self) -> String {
        let mut text = format!(
            "# Made by `chaff lab`.\n\n[[network]]\nname      = \"lab\"\ninterface = \"{}\"\nsubnet    = \"{}\"\n\
             gateway   = \"{}\"\n",
            super::network::DECOY_INTERFACE,
            self.subnet(),
            REAL_HOSTS[0].ip,
        );
        for group in &self.groups {
            let addresses: Vec<String> = runs(&group.addresses).iter().map(|run| format!("\"{run}\"")).collect();
            let _ = write!(
                text,
                "\n[[network.decoys]]\nprofile   = \"{}\"\naddresses = [{}]\n",
                group.profile,
                addresses.join(", ")
            );
        }
        // A newcomer's machine shows what it can; `chaff run` of his own configuration tells him what it lacks.
        let missing = sandbox::missing();
        if !missing.is_empty() {
            let _ = write!(text, "\n[sandbox]\nwithout = [{}]\n", sandbox::quoted(&missing));
        }
        text
    }
}

/// How many decoys each profile gets: one for each as far as they go, the rest by the weight of its class.
fn share_out(decoys: u32, profiles: &[&str]) -> Vec<u32> {
    let in_class = |class: usize| profiles.iter().filter(|name| class_of(name) == class).count();
    let present: u32 = CLASSES.iter().enumerate().filter(|(n, _)| in_class(*n) > 0).map(|(_, c)| c.weight).sum();
    let mut counts: Vec<u32> = profiles
        .iter()
        .map(|name| {
            let class = class_of(name);
            let members = u32::try_from(in_class(class)).unwrap_or(1).max(1);
            let weight = CLASSES.get(class).map_or(0, |class| class.weight);
            (u64::from(decoys) * u64::from(weight) / u64::from(present.max(1) * members)).max(1)
        })
        .map(|count| u32::try_from(count).unwrap_or(decoys))
        .collect();
    // Rounding and the "one for each" leave a few too many or too few: the largest groups give and take.
    loop {
        let total: u32 = counts.iter().sum();
        let Some(largest) = counts.iter_mut().rev().max_by_key(|count| **count) else { return counts };
        match total.cmp(&decoys) {
            std::cmp::Ordering::Less => *largest += decoys - total,
            std::cmp::Ordering::Equal => return counts,
            std::cmp::Ordering::Greater => *largest -= 1,
        }
    }
}

/// The class whose longest word the profile's name holds, so that "windows-server" is a server; the last one if none.
fn class_of(profile: &str) -> usize {
    let longest = |class: &Class| class.words.iter().filter(|word| profile.contains(**word)).map(|w| w.len()).max();
    let fitting = CLASSES.iter().enumerate().filter_map(|(n, class)| Some((longest(class)?, n)));
    fitting.max().map_or(CLASSES.len() - 1, |(_, n)| n)
}

/// Finds an address for the `k`th of `population` decoys of a class: its own stretch of the class's place, somewhere in it,
/// and the next free one where that is taken.
fn settle(class: &Class, k: u32, population: u32, prefix: u8, taken: &mut BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    /// Knuth's multiplicative hash: the same plan each time, without a pattern to the eye.
    const SCATTER: u32 = 2_654_435_761;
    let size = size(prefix);
    let (first, end) = (class.place.0 * (size / 256), class.place.1 * (size / 256));
    let stretch = ((end - first) / population.max(1)).max(1);
    let wanted = first + k * stretch + (k.wrapping_mul(SCATTER) >> 16) % stretch;
    let free = (wanted..size - 1).chain(2..size - 1).map(at).find(|ip| !taken.contains(ip))?;
    taken.insert(free);
    Some(free)
}

fn size(prefix: u8) -> u32 {
    1 << (32 - u32::from(prefix))
}

fn at(offset: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(BASE.to_bits() + offset)
}

/// Ascending addresses as ranges, the way one writes them in `chaff.toml`.
fn runs(addresses: &[Ipv4Addr]) -> Vec<String> {
    let follows = |a: &Ipv4Addr, b: &Ipv4Addr| a.to_bits() + 1 == b.to_bits();
    let written = |run: &[Ipv4Addr]| match run {
        [one] => one.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    };
    addresses.chunk_by(follows).map(written).collect()
}
