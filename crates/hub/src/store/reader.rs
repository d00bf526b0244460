use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use chaff_events::{DecoyId, Detail, EventId, Kind, Mac, Observation, Source, Transport, UtcNanos};
use rusqlite::{Connection, OpenFlags, Row, params};

use super::{Recent, StoreError, path, schema, signed};
use crate::json::nanos;

/// How long a reader waits for a checkpoint.
const BUSY: Duration = Duration::from_secs(5);

/// Reads the store, also while a hub writes it.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

/// An observation with all names that it refers to, as it is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct StoredObservation {
    /// Order of storing.
    pub seq: i64,
    pub id: String,
    pub time: UtcNanos,
    pub sensor: String,
    pub network: String,
    pub decoy_name: String,
    pub decoy_ip: String,
    pub decoy_mac: String,
    pub profile: String,
    pub source_ip: String,
    pub source_mac: String,
    pub source_port: u16,
    pub kind: String,
    pub transport: String,
    pub port: u16,
    pub service: Option<String>,
    pub tool: Option<String>,
    /// With spaces between.
    pub techniques: String,
    pub count: u32,
    /// As `1-1000,8080`.
    pub ports: String,
    /// One JSON object.
    pub detail: String,
    /// Why its source may do that, if it may.
    pub allowed: Option<String>,
}

/// An incident as it is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct StoredIncident {
    pub id: String,
    pub state: String,
    pub severity: String,
    pub title: String,
    pub source_ip: String,
    pub source_mac: String,
    pub network: String,
    pub opened: UtcNanos,
    pub updated: UtcNanos,
    pub observations: u64,
    pub decoys: u32,
    pub ports: u32,
    pub credentials: u64,
    /// With spaces between.
    pub tools: String,
    /// With spaces between.
    pub techniques: String,
    pub first_alarm_ms: u64,
    /// Grows with every change of any incident.
    pub revision: i64,
}

/// A secret that a source tried on a product, all its attempts together.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct StoredSecret {
    pub first: UtcNanos,
    pub last: UtcNanos,
    pub source_ip: String,
    pub source_mac: String,
    /// The product, or port and transport where it has no name.
    pub service: String,
    pub username: String,
    /// `password`, `publickey`, …
    pub kind: String,
    pub secret: String,
    /// What the client last called itself.
    pub client: String,
    /// Whether it let the client in.
    pub accepted: bool,
    pub attempts: u64,
    /// On how many decoys.
    pub decoys: u64,
    /// The name of one of them.
    pub decoy: String,
    pub allowed: Option<String>,
}

/// Which observations are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection {
    /// Stored after this one.
    pub after: i64,
    /// Not older than this.
    pub since: UtcNanos,
    /// Credentials only.
    pub credentials: bool,
}

impl Selection {
    /// Observations of several workers come in batches, so they are put in order of their identifiers, which sort by
    /// time. A `+` keeps SQLite from an index: walking all identifiers suits all rows, sorting suits few.
    fn query(&self) -> String {
        let (table, condition) = match self.credentials {
            true => ("observation AS o INDEXED BY credential", "AND o.kind = 'credential'"),
            false => ("observation AS o", ""),
        };
        let all = self.after == 0 && !self.credentials;
        let (after, order) = if all { ("+o.seq", "o.id") } else { ("o.seq", "+o.id") };
        format!(
            "SELECT {OBSERVATION_COLUMNS} FROM {table} JOIN decoy AS d ON d.key = o.decoy
             WHERE {after} > ?1 AND o.time >= ?2 {condition} ORDER BY {order}"
        )
    }
}

impl Reader {
    /// Opens the store of a state directory.
    ///
    /// # Errors
    /// If there is none, or it is not ours or newer.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let path = path(state_dir);
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(StoreError::Missing { path }),
            Err(source) => return Err(StoreError::Closed { path, source }),
        }
        let sqlite = StoreError::sqlite(&path);
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(&sqlite)?;
        connection.busy_timeout(BUSY).map_err(&sqlite)?;
        schema::check(&connection, &path)?;
        Ok(Self { connection, path })
    }

    /// Gives each observation to `each`, oldest first, and returns the place to go on from.
    ///
    /// # Errors
    /// If SQLite or `each` says no.
    pub fn observations<E: From<StoreError>>(
        &self,
        selection: Selection,
        mut each: impl FnMut(&StoredObservation) -> Result<(), E>,
    ) -> Result<i64, E> {
        let sqlite = StoreError::sqlite(&self.path);
        let query = selection.query();
        let mut statement = self.connection.prepare(&query).map_err(&sqlite)?;
        let mut rows = statement.query(params![selection.after, signed(selection.since)]).map_err(&sqlite)?;
        let mut last = selection.after;
        while let Some(row) = rows.next().map_err(&sqlite)? {
            let stored = observation(row).map_err(&sqlite)?;
            last = last.max(stored.seq);
            each(&stored)?;
        }
        Ok(last)
    }

    /// Gives each secret that was tried to `each`, in the order of the first attempts.
    ///
    /// # Errors
    /// If SQLite or `each` says no.
    pub fn secrets<E: From<StoreError>>(&self, mut each: impl FnMut(&StoredSecret) -> Result<(), E>) -> Result<(), E> {
        let sqlite = StoreError::sqlite(&self.path);
        let mut statement = self.connection.prepare(SECRETS).map_err(&sqlite)?;
        let mut rows = statement.query([]).map_err(&sqlite)?;
        while let Some(row) = rows.next().map_err(&sqlite)? {
            each(&secret(row).map_err(&sqlite)?)?;
        }
        Ok(())
    }

    /// Incidents that have changed after `revision`, by time of opening.
    ///
    /// # Errors
    /// If SQLite says no.
    pub fn incidents(&self, revision: i64, since: UtcNanos) -> Result<Vec<StoredIncident>, StoreError> {
        self.read_incidents(revision, since).map_err(StoreError::sqlite(&self.path))
    }

    fn read_incidents(&self, revision: i64, since: UtcNanos) -> rusqlite::Result<Vec<StoredIncident>> {
        let query = format!(
            "SELECT {INCIDENT_COLUMNS} FROM incident WHERE revision > ?1 AND updated >= ?2 ORDER BY opened, id"
        );
        let mut statement = self.connection.prepare(&query)?;
        let rows = statement.query_map(params![revision, signed(since)], incident)?;
        rows.collect()
    }

    /// How SQLite goes about a selection.
    #[cfg(test)]
    pub(super) fn plan(&self, selection: Selection) -> String {
        let mut plan = self.connection.prepare(&format!("EXPLAIN QUERY PLAN {}", selection.query())).unwrap();
        let steps = plan.query_map(params![1, 1], |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    /// A number that changes whenever a hub has committed.
    ///
    /// # Errors
    /// If SQLite says no.
    pub fn data_version(&self) -> Result<i64, StoreError> {
        schema::pragma(&self.connection, "data_version").map_err(StoreError::sqlite(&self.path))
    }
}

const SECRETS: &str = "
    SELECT min(o.time), max(o.time), o.source_ip, o.source_mac, coalesce(o.service, o.port || '/' || o.transport) AS product,
        coalesce(o.detail ->> 'username', '') AS username, coalesce(o.detail ->> 'secret_kind', '') AS kind,
        coalesce(o.detail ->> 'secret', '') AS secret, coalesce(max(o.detail ->> 'client'), ''),
        coalesce(o.detail ->> 'accepted', 0) AS accepted, sum(o.count), count(DISTINCT o.decoy), min(d.name), o.allowed
    FROM observation AS o INDEXED BY credential JOIN decoy AS d ON d.key = o.decoy
    WHERE o.kind = 'credential'
    GROUP BY o.source_ip, o.source_mac, product, username, kind, secret, accepted, o.allowed
    ORDER BY min(o.time), min(o.id)";

fn secret(row: &Row<'_>) -> rusqlite::Result<StoredSecret> {
    Ok(StoredSecret {
        first: nanos(row.get(0)?),
        last: nanos(row.get(1)?),
        source_ip: row.get(2)?,
        source_mac: row.get(3)?,
        service: row.get(4)?,
        username: row.get(5)?,
        kind: row.get(6)?,
        secret: row.get(7)?,
        client: row.get(8)?,
        accepted: row.get(9)?,
        attempts: row.get::<_, i64>(10)?.unsigned_abs(),
        decoys: row.get::<_, i64>(11)?.unsigned_abs(),
        decoy: row.get(12)?,
        allowed: row.get(13)?,
    })
}

const OBSERVATION_COLUMNS: &str = "o.seq, o.id, o.time, d.sensor, d.network, d.name, d.ip, d.mac, d.profile, o.source_ip,
    o.source_mac, o.source_port, o.kind, o.transport, o.port, o.service, o.tool, o.techniques, o.count, o.ports, o.detail,
    o.allowed";

fn observation(row: &Row<'_>) -> rusqlite::Result<StoredObservation> {
    Ok(StoredObservation {
        seq: row.get(0)?,
        id: id(row.get(1)?),
        time: nanos(row.get(2)?),
        sensor: row.get(3)?,
        network: row.get(4)?,
        decoy_name: row.get(5)?,
        decoy_ip: row.get(6)?,
        decoy_mac: row.get(7)?,
        profile: row.get(8)?,
        source_ip: row.get(9)?,
        source_mac: row.get(10)?,
        source_port: row.get(11)?,
        kind: row.get(12)?,
        transport: row.get(13)?,
        port: row.get(14)?,
        service: row.get(15)?,
        tool: row.get(16)?,
        techniques: row.get(17)?,
        count: row.get(18)?,
        ports: row.get(19)?,
        detail: row.get(20)?,
        allowed: row.get(21)?,
    })
}

const INCIDENT_COLUMNS: &str = "id, state, severity, title, source_ip, source_mac, network, opened, updated,
    observations, decoys, ports, credentials, tools, techniques, first_alarm_ms, revision";

fn incident(row: &Row<'_>) -> rusqlite::Result<StoredIncident> {
    let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(StoredIncident {
        id: id(row.get(0)?),
        state: row.get(1)?,
        severity: row.get(2)?,
        title: row.get(3)?,
        source_ip: row.get(4)?,
        source_mac: row.get(5)?,
        network: row.get(6)?,
        opened: nanos(row.get(7)?),
        updated: nanos(row.get(8)?),
        observations: unsigned(row.get(9)?),
        decoys: row.get(10)?,
        ports: row.get(11)?,
        credentials: unsigned(row.get(12)?),
        tools: row.get(13)?,
        techniques: row.get(14)?,
        first_alarm_ms: unsigned(row.get(15)?),
        revision: row.get(16)?,
    })
}

fn id(octets: [u8; 16]) -> String {
    EventId(u128::from_be_bytes(octets)).to_string()
}

/// A row of [`super::Writer::recent_requests`]; none if an address does not read as one.
pub(super) fn recent(row: &Row<'_>) -> rusqlite::Result<Option<Recent>> {
    let (ip, mac): (String, String) = (row.get(2)?, row.get(3)?);
    let (network, decoy_ip): (String, String) = (row.get(6)?, row.get(7)?);
    let (Ok(ip), Some(mac), Ok(decoy_ip)) = (ip.parse::<IpAddr>(), mac_from(&mac), decoy_ip.parse()) else {
        return Ok(None);
    };
    let observation = Observation {
        id: EventId(u128::from_be_bytes(row.get(0)?)),
        time: nanos(row.get(1)?),
        decoy: DecoyId(0),
        source: Source { ip, mac, port: 0 },
        kind: Kind::ArpRequest,
        transport: Transport::Arp,
        port: 0,
        service: String::new(),
        tool: None,
        count: row.get(4)?,
        ports: Vec::new(),
        detail: Detail::None,
    };
    Ok(Some(Recent { decoy_name: row.get(5)?, network: network.into(), decoy_ip, observation }))
}

fn mac_from(text: &str) -> Option<Mac> {
    let mut octets = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut octets {
        *octet = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(Mac(octets))
}
