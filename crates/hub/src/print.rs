//! What `chaff events`, `chaff incidents` and `chaff credentials` show, read while a hub writes.
//!
//! With `json` one object a line, in the shape of [`crate::json`]; else a table for a person. What an attacker sent can
//! not reach the terminal as control characters.

mod credentials;
mod fitted;
mod table;

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use chaff_events::UtcNanos;
use serde_json::Value;
use thiserror::Error;

use crate::{
    json,
    store::{Reader, Selection, StoreError, StoredIncident, StoredObservation},
    time::timestamp,
};
use table::{Column, Table};

/// How often `--follow` looks for something new: fast enough for a person.
const FOLLOW: Duration = Duration::from_millis(200);

/// Most characters of a payload or of a list of ports in a table: what it is shows at its beginning. JSON has all of it.
const LONGEST: usize = 120;
/// Most characters of a list of ports in its column; a longer one stands with the details.
const PORTS: usize = 20;
/// Order in which a table shows what is known of an observation; whatever else there is comes last.
const FIELDS: [&str; 25] = [
    "username",
    "accepted",
    "line",
    "name",
    "server_name",
    "alpn",
    "ja3",
    "ja4",
    "hassh",
    "secret",
    "secret_kind",
    "method",
    "target",
    "client",
    "flags",
    "window",
    "ttl",
    "ip_id",
    "options",
    "received",
    "sent",
    "milliseconds",
    "length",
    "payload",
    "body",
];

/// How to print.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrintOptions {
    /// One JSON object a line.
    pub json: bool,
    /// Go on for ever with what is new; ends when nobody reads any more.
    pub follow: bool,
    /// Nothing older than this (an incident: not touched since).
    pub since: Option<UtcNanos>,
    /// How wide the terminal is that the credentials' table goes to; none: it is as wide as it needs to be.
    pub terminal: Option<usize>,
}

/// What can go wrong.
#[derive(Debug, Error)]
pub enum PrintError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// Something in the store is not what a hub writes.
    #[error("the store holds a line that is not JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Observations, oldest first.
///
/// # Errors
/// If the store cannot be read or the output not be written.
pub fn events(state_dir: &Path, options: &PrintOptions, out: &mut impl Write) -> Result<(), PrintError> {
    observations(state_dir, options, false, &EVENT_COLUMNS, event_cells, out)
}

/// Credentials that were offered. With `json` each as it was observed, oldest first; else a row for each secret that a
/// source tried on a product, in the order of the first attempts, and a line of totals.
///
/// # Errors
/// If the store cannot be read or the output not be written.
pub fn credentials(state_dir: &Path, options: &PrintOptions, out: &mut impl Write) -> Result<(), PrintError> {
    if options.json {
        return observations(state_dir, options, true, &EVENT_COLUMNS, event_cells, out);
    }
    match credentials::table(&Reader::open(state_dir)?, options.terminal, out) {
        Err(PrintError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Incidents, oldest first; when following, an incident again whenever it has changed.
///
/// # Errors
/// If the store cannot be read or the output not be written.
pub fn incidents(state_dir: &Path, options: &PrintOptions, out: &mut impl Write) -> Result<(), PrintError> {
    let reader = Reader::open(state_dir)?;
    let table = Table::new(&INCIDENT_COLUMNS);
    let mut revision = 0;
    let mut print = |out: &mut _| -> Result<bool, PrintError> {
        let mut changed = reader.incidents(revision, options.since.unwrap_or_default())?;
        if revision > 0 {
            changed.sort_by_key(|incident| incident.revision);
        }
        for incident in &changed {
            revision = revision.max(incident.revision);
            line(options, &table, out, || json::incident(incident), || incident_cells(incident))?;
        }
        Ok(!changed.is_empty())
    };
    if !options.json {
        ended(table.head(out))?;
    }
    follow(options, &reader, out, &mut print)
}

fn observations<const N: usize>(
    state_dir: &Path,
    options: &PrintOptions,
    credentials: bool,
    columns: &'static [Column; N],
    cells: fn(&StoredObservation) -> [String; N],
    out: &mut impl Write,
) -> Result<(), PrintError> {
    let reader = Reader::open(state_dir)?;
    let table = Table::new(columns);
    let mut selection = Selection { after: 0, since: options.since.unwrap_or_default(), credentials };
    let mut print = |out: &mut _| -> Result<bool, PrintError> {
        let before = selection.after;
        selection.after = reader.observations(selection, |stored| {
            line(options, &table, out, || json::observation(stored), || cells(stored))
        })?;
        Ok(selection.after > before)
    };
    if !options.json {
        ended(table.head(out))?;
    }
    follow(options, &reader, out, &mut print)
}

/// Prints what there is, and if wanted whatever comes.
fn follow<W: Write>(
    options: &PrintOptions,
    reader: &Reader,
    out: &mut W,
    print: &mut impl FnMut(&mut W) -> Result<bool, PrintError>,
) -> Result<(), PrintError> {
    let mut version = reader.data_version()?;
    loop {
        let printed = print(out).and_then(|any| {
            // A head without a table looks like a failure.
            if !any && !options.json && !options.follow {
                writeln!(out, "(none)")?;
            }
            Ok(out.flush()?)
        });
        match printed {
            Err(PrintError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            printed => printed?,
        }
        if !options.follow {
            return Ok(());
        }
        while reader.data_version()? == version {
            std::thread::sleep(FOLLOW);
        }
        version = reader.data_version()?;
    }
}

/// Whoever reads may stop at any time: `chaff events | head`.
fn ended(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn line<const N: usize>(
    options: &PrintOptions,
    table: &Table<N>,
    out: &mut impl Write,
    json: impl FnOnce() -> serde_json::Result<String>,
    cells: impl FnOnce() -> [String; N],
) -> Result<(), PrintError> {
    if options.json {
        writeln!(out, "{}", json()?)?
    } else {
        table.row(&cells(), out)?
    }
    Ok(())
}

const EVENT_COLUMNS: [Column; 7] = [
    Column::new("TIME (UTC)", 19),
    Column::new("SOURCE", 15),
    Column::new("KIND", 15),
    Column::new("DECOY", 28),
    Column::new("PORT", 9),
    Column::new("TOOL", 8),
    Column::new("DETAIL", 0),
];

fn event_cells(stored: &StoredObservation) -> [String; 7] {
    let port = match (stored.port, stored.ports.as_str()) {
        (0, "") => String::new(),
        (port, "") => format!("{port}/{}", stored.transport),
        (_, ports) if ports.len() > PORTS => format!("{} ports", json::ports_from_text(ports).len()),
        (_, ports) => format!("{ports}/{}", stored.transport),
    };
    let ports = if stored.ports.len() > PORTS { format!("ports={} ", beginning(&stored.ports)) } else { String::new() };
    let count = if stored.count > 1 { format!("×{} ", stored.count) } else { String::new() };
    let service = stored.service.as_deref().map(|service| format!("{service} ")).unwrap_or_default();
    [
        time(stored.time),
        source(&stored.source_ip, &stored.source_mac),
        stored.kind.clone(),
        format!("{} ({})", stored.decoy_name, stored.decoy_ip),
        port,
        stored.tool.clone().unwrap_or_default(),
        format!("{}{count}{service}{ports}{}", allowed(stored), detail(&stored.detail)),
    ]
}

const INCIDENT_COLUMNS: [Column; 8] = [
    Column::new("OPENED (UTC)", 19),
    Column::new("LAST SEEN", 11),
    Column::new("SEVERITY", 8),
    Column::new("STATE", 6),
    Column::new("DECOYS", -6),
    Column::new("PORTS", -5),
    Column::new("LOGINS", -6),
    Column::new("WHAT", 0),
];

fn incident_cells(stored: &StoredIncident) -> [String; 8] {
    [
        time(stored.opened),
        later(stored.opened, stored.updated),
        stored.severity.clone(),
        stored.state.clone(),
        stored.decoys.to_string(),
        stored.ports.to_string(),
        stored.credentials.to_string(),
        format!("{} ({}) [{}]", stored.title, stored.network, stored.techniques),
    ]
}

/// The later of two times: of day where that is enough, else `11-24 03:10`.
fn later(first: UtcNanos, last: UtcNanos) -> String {
    let (first, last) = (time(first), time(last));
    let part = if first.get(..10) == last.get(..10) { last.get(11..) } else { last.get(5..16) };
    part.unwrap_or_default().to_owned()
}

/// Why nobody was alarmed.
fn allowed(stored: &StoredObservation) -> String {
    stored.allowed.as_ref().map_or_else(String::new, |reason| format!("[allowed: {reason}] "))
}

fn time(time: UtcNanos) -> String {
    timestamp(time).get(..19).unwrap_or_default().replace('T', " ")
}

fn source(ip: &str, mac: &str) -> String {
    if matches!(ip, "0.0.0.0" | "::") { mac.into() } else { ip.into() }
}

/// `{"ttl":64,"flags":"S"}` as `flags=S ttl=64`, without what is empty.
fn detail(json: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(json) else { return String::new() };
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| FIELDS.iter().position(|field| field == name).unwrap_or(FIELDS.len()));
    let words = fields.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) if name == "payload" => Some(format!("payload={}", beginning(text))),
        Value::String(text) => Some(format!("{name}={text}")),
        other => Some(format!("{name}={other}")),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn beginning(text: &str) -> String {
    let text = plain(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Text that cannot command a terminal or break a line: control characters are written out.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            match char {
                '\n' | '\r' | '\t' => plain.extend(char.escape_default()),
                '\0'..='\x7f' => plain.push_str(&format!("\\x{:02x}", u32::from(char))),
                _ => plain.extend(char.escape_unicode()),
            }
        } else {
            plain.push(char);
        }
    }
    plain
}

#[cfg(test)]
mod tests;
