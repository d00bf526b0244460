//! Observations and incidents in one SQLite file, `chaff.db` in the state directory.
//!
//! One writer, any number of readers beside it (write-ahead log). Every commit is synchronous (`synchronous = FULL`):
//! what the hub has acknowledged is on the disk, after `kill -9` and after a power cut. That is at most ten commits a
//! second and one for each new incident, so it costs little; the cheaper `NORMAL` would lose the last commits when the
//! power fails.
//!
//! An observation and what it does to its incident are one transaction. So a hub that is killed finds, at its next
//! start, incidents that agree with the observations, and the same observation sent again changes nothing.

mod reader;
mod schema;
mod writer;

use std::path::{Path, PathBuf};

use chaff_events::{Incident, UtcNanos};
use thiserror::Error;

pub use reader::{Reader, Selection, StoredIncident, StoredObservation, StoredSecret};
pub use writer::{Inserter, Recent, Writer};

/// Name of the file in the state directory.
pub const FILE: &str = "chaff.db";
/// Most observations kept; the oldest go first.
pub const OBSERVATIONS: i64 = 2_000_000;
/// Most octets that the file may take before the oldest observations go: a payload can be a kilobyte, so their number
/// alone bounds too little.
pub const FILE_OCTETS: i64 = 1 << 30;
/// Most incidents kept; of the closed ones, the oldest go first.
pub const INCIDENTS: i64 = 100_000;

/// Path of the store in a state directory.
#[must_use]
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

/// What can go wrong with the store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The state directory cannot be made.
    #[error("cannot make or write the state directory {}: {source}; name another with --state", path.display())]
    StateDir {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing has been stored there.
    #[error("no store at {}: start `chaff run` with this state directory first, or name another with --state", path.display())]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// The state directory cannot be looked into.
    #[error("cannot look for the store {}: {source}; run this as the user that `chaff run` runs as", path.display())]
    Closed {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Written by a later version.
    #[error(
        "the store {} has schema {found}, this version knows up to {known}: use the version that wrote it, or another state directory",
        path.display()
    )]
    Newer {
        /// Where.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Written by an earlier version, and not used by this one yet.
    #[error(
        "the store {} has schema {found}, this version reads {known}: start `chaff run` with this state directory \
         once, it brings the store up to date",
        path.display()
    )]
    Older {
        /// Where.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Not one of ours.
    #[error("{} is a database of something else: name another state directory", path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
    },
    /// SQLite says no.
    #[error("the store {}: {source}", path.display())]
    Sqlite {
        /// Where.
        path: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
}

impl StoreError {
    pub(crate) fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Sqlite { path: path.clone(), source }
    }
}

impl From<&Incident> for StoredIncident {
    fn from(incident: &Incident) -> Self {
        let words = |words: &mut dyn Iterator<Item = &str>| words.collect::<Vec<_>>().join(" ");
        Self {
            id: incident.id.to_string(),
            state: incident.state.name().into(),
            severity: incident.severity.name().into(),
            title: incident.title.clone(),
            source_ip: incident.source.ip.to_string(),
            source_mac: incident.source.mac.to_string(),
            network: incident.network.clone(),
            opened: incident.opened,
            updated: incident.updated,
            observations: incident.observations,
            decoys: incident.decoys,
            ports: incident.ports,
            credentials: incident.credentials,
            tools: words(&mut incident.tools.iter().map(|tool| tool.name())),
            techniques: words(&mut incident.techniques.iter().map(String::as_str)),
            first_alarm_ms: incident.first_alarm_ms,
            revision: 0,
        }
    }
}

/// SQLite's integers are signed; times beyond the year 2262 are kept as that year.
fn signed(time: UtcNanos) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
