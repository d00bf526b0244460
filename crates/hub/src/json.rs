//! Observations and incidents as JSON, in the shape that the design fixes.
//!
//! Octets from the wire are text as far as they are UTF-8. Every other octet, and the control characters DEL and U+0080
//! to U+009F, which some terminals obey, are written `\xNN`, an octet each. So that nothing is ambiguous, the backslash of
//! a text that itself reads `\xNN` is written `\x5c`. Whoever replaces each `\xNN` by its octet has exactly what was sent.
//! (JSON then writes a backslash as two.)

use chaff_events::{Detail, Incident, UtcNanos};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    correlate::Change,
    store::{StoredIncident, StoredObservation},
    time::timestamp,
};

/// One observation, one line.
///
/// # Errors
/// If the store holds a `detail` that is not JSON.
pub fn observation(stored: &StoredObservation) -> Result<String, serde_json::Error> {
    let ports = ports_from_text(&stored.ports);
    let folded = stored.count != 1 || !ports.is_empty();
    serde_json::to_string(&ObservationJson {
        id: &stored.id,
        time: timestamp(stored.time),
        sensor: &stored.sensor,
        network: &stored.network,
        decoy: DecoyJson {
            name: &stored.decoy_name,
            ip: &stored.decoy_ip,
            mac: &stored.decoy_mac,
            profile: &stored.profile,
        },
        source: SourceJson { ip: &stored.source_ip, mac: &stored.source_mac, port: stored.source_port },
        kind: &stored.kind,
        transport: &stored.transport,
        port: stored.port,
        service: stored.service.as_deref(),
        tool: stored.tool.as_deref(),
        techniques: stored.techniques.split_whitespace().collect(),
        allowed: stored.allowed.as_deref(),
        detail: serde_json::from_str(&stored.detail)?,
        count: folded.then_some(stored.count),
        ports: folded.then_some(ports),
    })
}

/// One incident, one line.
///
/// # Errors
/// None that the store can cause.
pub fn incident(stored: &StoredIncident) -> Result<String, serde_json::Error> {
    serde_json::to_string(&IncidentJson::from(stored))
}

/// One incident and what became of it, one line: the incident's own fields after `"change"`.
///
/// # Errors
/// None that an incident can cause.
pub fn notice(change: Change, incident: &Incident) -> Result<String, serde_json::Error> {
    let stored = StoredIncident::from(incident);
    serde_json::to_string(&NoticeJson { change: change.name(), incident: IncidentJson::from(&stored) })
}

#[derive(Serialize)]
struct NoticeJson<'a> {
    change: &'a str,
    #[serde(flatten)]
    incident: IncidentJson<'a>,
}

#[derive(Serialize)]
struct ObservationJson<'a> {
    id: &'a str,
    time: String,
    sensor: &'a str,
    network: &'a str,
    decoy: DecoyJson<'a>,
    source: SourceJson<'a>,
    kind: &'a str,
    transport: &'a str,
    port: u16,
    service: Option<&'a str>,
    tool: Option<&'a str>,
    techniques: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<&'a str>,
    detail: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<Vec<u16>>,
}

#[derive(Serialize)]
struct DecoyJson<'a> {
    name: &'a str,
    ip: &'a str,
    mac: &'a str,
    profile: &'a str,
}

#[derive(Serialize)]
struct SourceJson<'a> {
    ip: &'a str,
    mac: &'a str,
    port: u16,
}

#[derive(Serialize)]
struct IncidentJson<'a> {
    id: &'a str,
    state: &'a str,
    severity: &'a str,
    title: &'a str,
    source: IncidentSourceJson<'a>,
    network: &'a str,
    opened: String,
    updated: String,
    observations: u64,
    decoys: u32,
    ports: u32,
    credentials: u64,
    tools: Vec<&'a str>,
    techniques: Vec<&'a str>,
    first_alarm_ms: u64,
}

#[derive(Serialize)]
struct IncidentSourceJson<'a> {
    ip: &'a str,
    mac: &'a str,
    hostname: Option<&'a str>,
}

impl<'a> From<&'a StoredIncident> for IncidentJson<'a> {
    fn from(stored: &'a StoredIncident) -> Self {
        Self {
            id: &stored.id,
            state: &stored.state,
            severity: &stored.severity,
            title: &stored.title,
            source: IncidentSourceJson { ip: &stored.source_ip, mac: &stored.source_mac, hostname: None },
            network: &stored.network,
            opened: timestamp(stored.opened),
            updated: timestamp(stored.updated),
            observations: stored.observations,
            decoys: stored.decoys,
            ports: stored.ports,
            credentials: stored.credentials,
            tools: stored.tools.split_whitespace().collect(),
            techniques: stored.techniques.split_whitespace().collect(),
            first_alarm_ms: stored.first_alarm_ms,
        }
    }
}

/// The `detail` of an observation, one JSON object.
#[must_use]
pub fn detail(detail: &Detail) -> String {
    #[derive(Serialize)]
    struct Credential<'a> {
        username: String,
        secret_kind: &'a str,
        secret: String,
        client: String,
        /// Said only where it is so: a planted account was used.
        #[serde(skip_serializing_if = "core::ops::Not::not")]
        accepted: bool,
    }
    let value = match detail {
        Detail::None => return "{}".into(),
        Detail::Credential { username, secret_kind, secret, client, accepted } => {
            let credential = Credential {
                username: text(username),
                secret_kind,
                secret: text(secret),
                client: text(client),
                accepted: *accepted,
            };
            return serde_json::to_string(&credential).unwrap_or_else(|_| "{}".into());
        }
        Detail::Segment { flags, window, ttl, ip_id, options } => {
            json!({"flags": flag_letters(*flags), "window": window, "ttl": ttl, "ip_id": ip_id, "options": hex(options)})
        }
        Detail::Ip { protocol, kind, code } => json!({"protocol": protocol, "type": kind, "code": code}),
        Detail::Payload { octets, length } => json!({"payload": text(octets), "length": length}),
        Detail::Request { method, target, client, body } if body.is_empty() => {
            json!({"method": text(method), "target": text(target), "client": text(client)})
        }
        Detail::Request { method, target, client, body } => {
            json!({"method": text(method), "target": text(target), "client": text(client), "body": text(body)})
        }
        Detail::Tls { server_name, alpn, ja3, ja4 } => {
            let alpn: Vec<String> = alpn.iter().map(|name| text(name)).collect();
            json!({"server_name": text(server_name), "alpn": alpn, "ja3": ja3, "ja4": ja4})
        }
        Detail::Ssh { client, hassh, algorithms } => {
            json!({"client": text(client), "hassh": hassh, "algorithms": text(algorithms)})
        }
        Detail::Command { username, line } => json!({"username": text(username), "line": text(line)}),
        Detail::File { name, length, sha256 } => {
            json!({"name": text(name), "length": length, "sha256": hex(sha256)})
        }
        Detail::Closed { received, sent, milliseconds } => {
            json!({"received": received, "sent": sent, "milliseconds": milliseconds})
        }
        Detail::Process { process, reason } => json!({"process": process, "reason": reason}),
        Detail::Misbehaved { what, octets } => json!({"what": what, "octets": hex(octets)}),
        Detail::Conflict { mac } => json!({"mac": mac.to_string()}),
    };
    Value::to_string(&value)
}

/// Octets as text, none lost: see the head of this module.
#[must_use]
pub fn text(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        let valid = chunk.valid();
        for (at, char) in valid.char_indices() {
            let is_control = matches!(char, '\u{7f}'..='\u{9f}');
            let looks_escaped = char == '\\' && reads_as_octet(&valid.as_bytes()[at..]);
            if is_control || looks_escaped {
                let mut buffer = [0; 4];
                char.encode_utf8(&mut buffer).bytes().for_each(|octet| push_octet(&mut text, octet));
            } else {
                text.push(char);
            }
        }
        chunk.invalid().iter().for_each(|&octet| push_octet(&mut text, octet));
    }
    text
}

fn reads_as_octet(octets: &[u8]) -> bool {
    matches!(octets, [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

fn push_octet(text: &mut String, octet: u8) {
    use std::fmt::Write as _;
    let _ = write!(text, "\\x{octet:02x}");
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Flags from the low bit on: FIN, SYN, RST, PSH, ACK, URG, ECE, CWR.
fn flag_letters(flags: u8) -> String {
    "FSRPAUEC".chars().enumerate().filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, letter)| letter).collect()
}

/// Ascending ports as people write them: `1-1000,8080`.
#[must_use]
pub fn ports_to_text(ports: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &port in ports {
        match runs.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(port) => *end = port,
            _ => runs.push((port, port)),
        }
    }
    let texts: Vec<_> = runs
        .iter()
        .map(|(start, end)| if start == end { start.to_string() } else { format!("{start}-{end}") })
        .collect();
    texts.join(",")
}

/// The reverse of [`ports_to_text`]; what is no port is left out.
#[must_use]
pub fn ports_from_text(text: &str) -> Vec<u16> {
    let run = |run: &str| match run.split_once('-') {
        Some((start, end)) => Some(start.parse().ok()?..=end.parse().ok()?),
        None => run.parse().ok().map(|port: u16| port..=port),
    };
    text.split(',').filter_map(run).flatten().collect()
}

/// For types that the store reads: nanoseconds as SQLite keeps them.
pub(crate) fn nanos(value: i64) -> UtcNanos {
    UtcNanos(u64::try_from(value).unwrap_or(0))
}

#[cfg(test)]
mod tests;
