use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// Version of the tables below.
pub(super) const VERSION: i64 = 3;
/// `chaf`: tells our files from others.
const APPLICATION: i64 = 0x6368_6166;

/// Text wherever a person may look; octets only where nothing else can hold them. Lists are words with spaces between.
const TABLES: &str = "
CREATE TABLE decoy (
    key      INTEGER PRIMARY KEY,
    sensor   TEXT NOT NULL,
    network  TEXT NOT NULL,
    name     TEXT NOT NULL,
    ip       TEXT NOT NULL,
    mac      TEXT NOT NULL,
    profile  TEXT NOT NULL,
    UNIQUE (sensor, network, ip, mac, name, profile)
) STRICT;
CREATE TABLE observation (
    seq         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    time        INTEGER NOT NULL,
    decoy       INTEGER NOT NULL REFERENCES decoy (key),
    source_ip   TEXT NOT NULL,
    source_mac  TEXT NOT NULL,
    source_port INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    transport   TEXT NOT NULL,
    port        INTEGER NOT NULL,
    service     TEXT,
    tool        TEXT,
    techniques  TEXT NOT NULL,
    count       INTEGER NOT NULL,
    ports       TEXT NOT NULL,
    detail      TEXT NOT NULL,
    allowed     TEXT
) STRICT;
CREATE INDEX credential ON observation (seq) WHERE kind = 'credential';
CREATE TABLE incident (
    id             BLOB PRIMARY KEY,
    state          TEXT NOT NULL,
    severity       TEXT NOT NULL,
    title          TEXT NOT NULL,
    source_ip      TEXT NOT NULL,
    source_mac     TEXT NOT NULL,
    network        TEXT NOT NULL,
    opened         INTEGER NOT NULL,
    updated        INTEGER NOT NULL,
    observations   INTEGER NOT NULL,
    decoys         INTEGER NOT NULL,
    ports          INTEGER NOT NULL,
    credentials    INTEGER NOT NULL,
    tools          TEXT NOT NULL,
    techniques     TEXT NOT NULL,
    first_alarm_ms INTEGER NOT NULL,
    revision       INTEGER NOT NULL,
    told           TEXT,
    growth         BLOB
) STRICT;
CREATE INDEX incident_revision ON incident (revision);
CREATE INDEX incident_open ON incident (id) WHERE state = 'open';
";

/// From version 1, which did not say whose observations were allowed.
const FROM_1: &str = "ALTER TABLE observation ADD COLUMN allowed TEXT;";

/// From any earlier version: what open incidents count on has changed shape, so they are closed.
const CLOSE: &str = "UPDATE incident SET state = 'closed', growth = NULL WHERE state = 'open';";

/// Makes the tables in a new file, brings those of an earlier version up to date, or says why a file is of no use.
pub(super) fn prepare(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let sqlite = StoreError::sqlite(path);
    if is_new(connection).map_err(&sqlite)? {
        let script = format!(
            "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        );
        return connection.execute_batch(&script).map_err(&sqlite);
    }
    let found = version(connection, path)?;
    if found < VERSION {
        let step = if found == 1 { FROM_1 } else { "" };
        let script = format!("BEGIN IMMEDIATE; {step} {CLOSE} PRAGMA user_version = {VERSION}; COMMIT;");
        connection.execute_batch(&script).map_err(&sqlite)?;
    }
    check(connection, path)
}

/// Whether this version can read the file as it is.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match version(connection, path)? {
        VERSION => Ok(()),
        found => Err(StoreError::Older { path: path.into(), found, known: VERSION }),
    }
}

/// Version of the tables in a file that is ours and not newer.
fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let sqlite = StoreError::sqlite(path);
    if pragma(connection, "application_id").map_err(&sqlite)? != APPLICATION {
        return Err(StoreError::Foreign { path: path.into() });
    }
    let found = pragma(connection, "user_version").map_err(&sqlite)?;
    if found > VERSION {
        return Err(StoreError::Newer { path: path.into(), found, known: VERSION });
    }
    Ok(found)
}

pub(super) fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
}

fn is_new(connection: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && pragma(connection, "application_id")? == 0)
}
