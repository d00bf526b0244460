//! MITRE ATT&CK techniques of what was done to a decoy.

use chaff_events::{Kind, Observation};

use super::Stage;

/// The techniques that one observation shows, ascending.
#[must_use]
pub fn techniques(observation: &Observation) -> Vec<&'static str> {
    let mut found = match observation.kind {
        Kind::ArpConflict => vec!["T1557.002"],
        Kind::ArpRequest | Kind::NdSolicit | Kind::IcmpEcho | Kind::IcmpOther => vec!["T1018"],
        Kind::TcpClose => vec![],
        // It may be a fault of the sensor as well as an attempt on it.
        Kind::ProcessEnded => vec![],
        Kind::NodeMisbehaved => vec!["T1210"],
        Kind::Credential if Stage::of(observation) == Stage::Access => vec!["T1078"],
        Kind::Credential => vec!["T1110"],
        Kind::Command => vec!["T1059"],
        Kind::File => vec!["T1105"],
        _ => vec!["T1046"],
    };
    if (Stage::Interaction..=Stage::Access).contains(&Stage::of(observation)) {
        let ports = observation.ports.iter().chain([&observation.port]);
        found.extend(ports.filter_map(|&port| use_of(&observation.service, port)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What it means to use that service rather than to look at it.
fn use_of(service: &str, port: u16) -> Option<&'static str> {
    let is = |names: &[&str], ports: &[u16]| {
        names.iter().any(|name| service.contains(name)) || (service.is_empty() && ports.contains(&port))
    };
    if is(&["rdp", "ms-wbt"], &[3389]) {
        Some("T1021.001")
    } else if is(&["smb", "samba"], &[139, 445]) {
        Some("T1021.002")
    } else if is(&["dcom", "epmap", "msrpc"], &[135]) {
        Some("T1021.003")
    } else if is(&["ssh"], &[22]) {
        Some("T1021.004")
    } else if is(&["vnc"], &[5900]) {
        Some("T1021.005")
    } else if is(&["winrm", "wsman"], &[5985, 5986]) {
        Some("T1021.006")
    } else if is(&["telnet"], &[23]) {
        Some("T1021")
    } else if is(&["snmp"], &[161]) {
        Some("T1602.001")
    } else {
        None
    }
}
