//! The fleet as it is shown to people and to other programs.

use std::io::{self, Write};

use chaff_engine::spec::{DecoySpec, FleetSpec, Port, PortTable, ProfileSpec};
use chaff_events::{Roster, RosterDecoy, RosterNetwork};

/// Decoys of one profile that are printed one by one; of more, the first and the last.
const SHOWN: usize = 8;

/// Which decoys exist and what they claim, for the side that faces the operator. Profiles of one name (they differ in
/// the revisions of their services) are one profile there.
#[must_use]
pub fn roster(fleet: &FleetSpec) -> Roster {
    let mut profiles: Vec<String> = Vec::new();
    let mut places: Vec<u16> = Vec::with_capacity(fleet.profiles.len());
    for profile in &fleet.profiles {
        let place = profiles.iter().position(|name| *name == profile.name).unwrap_or_else(|| {
            profiles.push(profile.name.clone());
            profiles.len() - 1
        });
        places.push(u16::try_from(place).unwrap_or(u16::MAX));
    }
    let decoy = |d: &DecoySpec| RosterDecoy {
        name: d.name.clone(),
        ip: d.ip,
        mac: d.mac,
        profile: places.get(usize::from(d.profile)).copied().unwrap_or(0),
        network: d.network,
    };
    Roster {
        sensor: fleet.sensor.clone(),
        networks: fleet.networks.iter().map(|n| RosterNetwork { name: n.name.clone() }).collect(),
        profiles,
        decoys: fleet.decoys.iter().map(decoy).collect(),
    }
}

/// Prints one JSON object a decoy: `name`, `ip`, `mac`, `network`, `profile`, `personality`, `ports`.
///
/// # Errors
/// What the writer says.
pub fn roster_json(fleet: &FleetSpec, out: &mut impl Write) -> io::Result<()> {
    let tails: Vec<String> = fleet.profiles.iter().map(|p| json_tail(fleet, p)).collect();
    let networks: Vec<String> = fleet.networks.iter().map(|n| json(&n.name)).collect();
    for decoy in &fleet.decoys {
        let network = networks.get(usize::from(decoy.network)).map_or("null", String::as_str);
        let tail = tails.get(usize::from(decoy.profile)).map_or("", String::as_str);
        let name = json(&decoy.name);
        writeln!(
            out,
            "{{\"name\":{name},\"ip\":\"{}\",\"mac\":\"{}\",\"network\":{network},{tail}}}",
            decoy.ip, decoy.mac
        )?;
    }
    Ok(())
}

/// Prints what `identity` in `chaff.toml` pins: address, name and identity of each decoy, and its serial number if one
/// was chosen, a line each. Identities are secrets: a decoy's keys derive from them.
///
/// # Errors
/// What the writer says.
pub fn print_identities(fleet: &FleetSpec, out: &mut impl Write) -> io::Result<()> {
    for decoy in &fleet.decoys {
        let identity = u128::from_be_bytes(decoy.seed);
        write!(out, "{:<15}  {:<20}  identity = \"{identity:032x}\"", decoy.ip.to_string(), decoy.name)?;
        let profile = fleet.profiles.get(usize::from(decoy.profile));
        if let Some(serial) = profile.and_then(|profile| profile.serial.as_ref()) {
            write!(out, "  serial = \"{serial}\"")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Prints the fleet for a person: networks, what lives on them, and the decoys, long rows shortened.
///
/// # Errors
/// What the writer says.
pub fn print_fleet(fleet: &FleetSpec, out: &mut impl Write) -> io::Result<()> {
    for (index, network) in fleet.networks.iter().enumerate() {
        let vlan = network.vlan.map_or_else(String::new, |v| format!(", VLAN {v}"));
        let router = network.gateway.map_or_else(String::new, |g| format!(", gateway {g}"));
        writeln!(out, "network {}  {}/{}{vlan}{router}", network.name, network.subnet, network.prefix)?;
        for (name, members) in by_profile(fleet, index) {
            writeln!(out, "\n  {name}: {}", counted(members.len(), "decoy"))?;
            print_members(fleet, &members, out)?;
        }
        writeln!(out)?;
    }
    let count = counted(fleet.decoys.len(), "decoy");
    writeln!(out, "{count} on {}", counted(fleet.networks.len(), "network"))
}

type Member<'f> = &'f DecoySpec;

fn by_profile(fleet: &FleetSpec, network: usize) -> Vec<(&str, Vec<Member<'_>>)> {
    let mut rows: Vec<(&str, Vec<Member<'_>>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for decoy in fleet.decoys.iter().filter(|d| usize::from(d.network) == network) {
        let name = fleet.profiles.get(usize::from(decoy.profile)).map_or("", |p| p.name.as_str());
        let place = *places.entry(name).or_insert_with(|| {
            rows.push((name, Vec::new()));
            rows.len() - 1
        });
        if let Some((_, members)) = rows.get_mut(place) {
            members.push(decoy);
        }
    }
    rows
}

fn print_members(fleet: &FleetSpec, members: &[Member<'_>], out: &mut impl Write) -> io::Result<()> {
    let all = members.len() <= SHOWN;
    let (first, last) = if all { (members, &[][..]) } else { (&members[..SHOWN - 1], &members[members.len() - 1..]) };
    let line = |decoy: &Member<'_>, out: &mut dyn Write| {
        let profile = fleet.profiles.get(usize::from(decoy.profile));
        let ports = profile.map_or_else(String::new, |p| summary(fleet, p));
        writeln!(out, "    {:<15}  {}  {:<20}  {ports}", decoy.ip.to_string(), decoy.mac, decoy.name)
    };
    for decoy in first {
        line(decoy, out)?;
    }
    if !all {
        writeln!(out, "    … {} more …", members.len() - SHOWN)?;
    }
    last.iter().try_for_each(|decoy| line(decoy, out))
}

/// The ports that answer, and what the others do: `22 80 443, others closed`.
fn summary(fleet: &FleetSpec, profile: &ProfileSpec) -> String {
    let system = fleet.personalities.get(usize::from(profile.personality)).map_or("", |p| p.name.as_str());
    let open = |table: &PortTable, suffix: &str| {
        let answering = table.ranges.iter().filter(|(_, _, port)| matches!(port, Port::Service(_) | Port::Open));
        answering.map(|&(a, b, _)| format!("{}{suffix}", range(a, b))).collect::<Vec<_>>()
    };
    let ports = [open(&profile.tcp, ""), open(&profile.udp, "/udp")].concat();
    let others = word(fleet, profile.tcp.default);
    format!("{system}  {}, others {others}", if ports.is_empty() { "no port".to_owned() } else { ports.join(" ") })
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn json_tail(fleet: &FleetSpec, profile: &ProfileSpec) -> String {
    let system = fleet.personalities.get(usize::from(profile.personality)).map_or("", |p| p.name.as_str());
    let mut ports = Vec::new();
    for (table, transport) in [(&profile.tcp, "tcp"), (&profile.udp, "udp")] {
        for &(first, last, port) in &table.ranges {
            ports.push(format!("\"{}/{transport}\":{}", range(first, last), json(word(fleet, port))));
        }
        ports.push(format!("\"default/{transport}\":{}", json(word(fleet, table.default))));
    }
    format!("\"profile\":{},\"personality\":{},\"ports\":{{{}}}", json(&profile.name), json(system), ports.join(","))
}

fn range(first: u16, last: u16) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn word(fleet: &FleetSpec, port: Port) -> &str {
    match port {
        Port::Service(index) => fleet.services.get(usize::from(index)).map_or("open", |s| s.name.as_str()),
        Port::Open => "open",
        Port::Closed => "closed",
        Port::Filtered => "filtered",
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
