//! What the groups of decoys must be together: not nothing, not too many, and nobody twice.

use std::{collections::HashMap, ops::Range};

use crate::{AddressRange, Config, Decoys, Located, Problem, Reader, Runtime, Table};

/// Decoys of one sensor at most: all hosts of a /12. A million fit the memory that the design grants.
pub const MAX_DECOYS: u64 = 1 << 20;

/// Decoys with a virtual machine of their own at most. Each takes some 19 MB of the host, so this is 19 GB.
pub const MAX_NODES: u64 = 1024;

/// Overlaps that are told at most: a person mends the first few and sees the pattern.
const MAX_OVERLAPS: usize = 20;

pub(crate) fn check(reader: &mut Reader, config: &Config, root: &Table<'_>) {
    size(reader, config, root);
    names(reader, config);
    overlaps(reader, config);
    identities(reader, config);
    serials(reader, config);
    macs(reader, config);
    nodes(reader, config);
}

/// Machines are counted apart: each takes memory that a thousand shared decoys do not.
fn nodes(reader: &mut Reader, config: &Config) {
    let groups = config.networks.iter().flat_map(|n| &n.decoys).filter(|g| g.runtime == Runtime::Node);
    let count: u64 = groups.clone().map(Decoys::count).sum();
    if count > MAX_NODES
        && let Some(largest) = groups.max_by_key(|g| g.count())
    {
        let message = format!("{count} decoys with a virtual machine each are more than one sensor hosts");
        let help = format!("keep it to {MAX_NODES}, and let the others share a worker: runtime = \"shared\"");
        reader.wrong(largest.span.clone(), message, "most of them are here", help);
    }
}

fn size(reader: &mut Reader, config: &Config, root: &Table<'_>) {
    let groups = config.networks.iter().map(|n| n.decoys.len()).sum::<usize>();
    // A `network` of the wrong type was told already.
    let told = root.raw("network").is_some_and(|n| !n.get_ref().is_array());
    if groups == 0 && !told {
        let at = config.networks.first().map_or_else(|| root.span(), |n| n.name.span.clone());
        let help = "add a [[network]] with at least one [[network.decoys]]: a profile and addresses";
        reader.wrong(at, "the fleet is empty: there are no decoys", "here", help);
    }
    let count = config.decoy_count();
    if count > MAX_DECOYS {
        let largest = config.networks.iter().flat_map(|n| &n.decoys).max_by_key(|g| g.count());
        let at = largest.map_or_else(|| root.span(), |g| g.span.clone());
        let message = format!("{count} decoys are more than one sensor hosts");
        reader.wrong(at, message, "most of them are here", format!("keep it to {MAX_DECOYS}"));
    }
}

fn names(reader: &mut Reader, config: &Config) {
    let mut seen: HashMap<&str, Range<usize>> = HashMap::new();
    for network in config.networks.iter().filter(|n| !n.name.is_empty()) {
        match seen.get(network.name.as_str()) {
            Some(first) => {
                let message = format!("two networks have the name `{}`", network.name.value);
                reader.wrong_twice(network.name.span.clone(), first.clone(), message, "give each its own name");
            }
            None => {
                seen.insert(&network.name, network.name.span.clone());
            }
        }
    }
}

fn macs(reader: &mut Reader, config: &Config) {
    let mut seen = HashMap::new();
    for mac in config.networks.iter().flat_map(|n| &n.decoys).filter_map(|g| g.mac.as_ref()) {
        if let Some(first) = seen.insert(mac.value, mac.span.clone()) {
            let message = format!("two decoys have the hardware address {}", mac.value);
            reader.wrong_twice(mac.span.clone(), first, message, "give each its own, or leave `mac` out");
        }
    }
}

fn identities(reader: &mut Reader, config: &Config) {
    let mut seen = HashMap::new();
    for identity in config.networks.iter().flat_map(|n| &n.decoys).filter_map(|g| g.identity.as_ref()) {
        if let Some(first) = seen.insert(identity.value, identity.span.clone()) {
            let message = "two decoys have one identity, and with it the same keys".to_owned();
            reader.wrong_twice(identity.span.clone(), first, message, "give each its own, or leave `identity` out");
        }
    }
}

/// No vendor gives a number twice, and who finds one in two places knows that both are false.
fn serials(reader: &mut Reader, config: &Config) {
    let mut seen = HashMap::new();
    for serial in config.networks.iter().flat_map(|n| &n.decoys).filter_map(|g| g.serial.as_ref()) {
        if let Some(first) = seen.insert(serial.as_str(), serial.span.clone()) {
            let message = format!("two decoys have the serial number `{}`", serial.value);
            reader.wrong_twice(serial.span.clone(), first, message, "give each its own, or leave `serial` out");
        }
    }
}

/// Two decoys must not share an address on one link; the same address in another VLAN or on another interface is
/// another host.
fn overlaps(reader: &mut Reader, config: &Config) {
    let mut links: HashMap<(&str, Option<u16>), Vec<&Located<AddressRange>>> = HashMap::new();
    for network in &config.networks {
        let link = (network.interface.as_str(), network.vlan.as_ref().map(|v| v.value));
        links.entry(link).or_default().extend(network.decoys.iter().flat_map(|g| &g.addresses));
    }
    let mut found = 0;
    for ranges in links.values_mut() {
        ranges.sort_by_key(|r| (r.first, r.span.start));
        let mut widest: Option<&Located<AddressRange>> = None;
        for range in ranges.iter() {
            if let Some(before) = widest.filter(|w| range.first <= w.last)
                && found < MAX_OVERLAPS
            {
                found += 1;
                overlap(reader, before, range);
            }
            if widest.is_none_or(|w| range.last > w.last) {
                widest = Some(range);
            }
        }
    }
}

fn overlap(reader: &mut Reader, a: &Located<AddressRange>, b: &Located<AddressRange>) {
    let both = AddressRange { first: b.first, last: a.last.min(b.last) };
    let (first, second) = if a.span.start <= b.span.start { (a, b) } else { (b, a) };
    let word = if both.count() == 1 { "belongs" } else { "belong" };
    let message = format!("{both} {word} to two decoys");
    let help = "take the address out of one of the two places";
    let problem = Problem::new(message).at(reader.source(), second.span.clone(), "here again");
    reader.note(problem.and_at(first.span.clone(), "here first").help(help));
}
