use std::net::{IpAddr, Ipv4Addr};

use chaff_events::{
    DecoyId, Detail, EventId, Kind, Mac, Observation, Roster, RosterDecoy, RosterNetwork, Source, Transport, UtcNanos,
};
use rusqlite::Connection;

use super::*;
use crate::{
    RosterView,
    correlate::{Correlator, Verdict},
};

fn roster() -> RosterView {
    let decoy = |n: u8| RosterDecoy {
        name: format!("FS-{n:02}"),
        ip: Ipv4Addr::new(10, 20, 1, n).into(),
        mac: Mac([0, 0x50, 0x56, 0, 0, n]),
        profile: 0,
        network: 0,
    };
    let roster = Roster {
        sensor: "lab".into(),
        networks: vec![RosterNetwork { name: "office".into() }],
        profiles: vec!["switch".into()],
        decoys: (0..10).map(decoy).collect(),
    };
    RosterView::try_from(&roster).unwrap()
}

fn syn(n: u32) -> Observation {
    Observation {
        id: EventId(u128::from(n) + 1),
        time: UtcNanos(u64::from(n) * 1_000),
        decoy: DecoyId(n % 10),
        source: Source { ip: IpAddr::from([10, 20, 3, 9]), mac: Mac([2, 0, 0, 0, 0, 1]), port: 4 },
        kind: Kind::TcpSyn,
        transport: Transport::Tcp,
        port: 22,
        service: String::new(),
        tool: None,
        count: 1,
        ports: vec![],
        detail: Detail::None,
    }
}

fn store(writer: &mut Writer, observations: impl Iterator<Item = Observation>) -> usize {
    let roster = roster();
    writer.begin().unwrap();
    let mut inserter = writer.inserter().unwrap();
    let mut new = 0;
    for observation in observations {
        let key = inserter.decoy("lab", roster.decoy(observation.decoy).unwrap()).unwrap();
        new += usize::from(inserter.observation(key, &observation, None).unwrap());
    }
    drop(inserter);
    writer.commit().unwrap();
    new
}

fn times(dir: &Path) -> Vec<u64> {
    let mut times = Vec::new();
    let each = |stored: &StoredObservation| {
        times.push(stored.time.0);
        Ok::<_, StoreError>(())
    };
    Reader::open(dir).unwrap().observations(Selection::default(), each).unwrap();
    times
}

#[test]
fn what_is_sent_twice_is_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).unwrap();
    assert_eq!(store(&mut writer, (0..100).map(syn)), 100);
    assert_eq!(store(&mut writer, (50..150).map(syn)), 50);
    assert_eq!(times(dir.path()).len(), 150);
}

#[test]
fn observations_are_read_oldest_first_while_a_writer_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).unwrap();
    store(&mut writer, (0..20).rev().map(syn));
    writer.begin().unwrap();
    assert_eq!(times(dir.path()), (0..20).map(|n| n * 1_000).collect::<Vec<_>>());
    writer.commit().unwrap();
}

#[test]
fn no_selection_reads_or_sorts_more_than_it_must() {
    let dir = tempfile::tempdir().unwrap();
    drop(Writer::open(dir.path()).unwrap());
    let reader = Reader::open(dir.path()).unwrap();
    let plan = |after, credentials| reader.plan(Selection { after, since: UtcNanos(0), credentials });
    assert!(!plan(0, false).contains("TEMP B-TREE"), "all: {}", plan(0, false));
    assert!(plan(7, false).contains("SEARCH o USING INTEGER PRIMARY KEY (rowid>?)"), "new: {}", plan(7, false));
    for after in [0, 7] {
        assert!(plan(after, true).contains("USING INDEX credential"), "credentials: {}", plan(after, true));
    }
}

#[test]
fn the_oldest_observations_go_when_there_are_too_many() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).unwrap().with_limits(25_000, i64::MAX, 10);
    for start in (0..60_000).step_by(10_000) {
        store(&mut writer, (start..start + 10_000).map(syn));
    }
    let times = times(dir.path());
    assert_eq!(times.len(), 25_000);
    assert_eq!(times.last(), Some(&59_999_000));
    assert_eq!(times.first(), Some(&35_000_000));
}

#[test]
fn the_file_is_bounded_whatever_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let limit = 8 << 20;
    let mut writer = Writer::open(dir.path()).unwrap().with_limits(i64::MAX, limit, 10);
    let large = |n| Observation { detail: Detail::Payload { octets: vec![b'a'; 1_000], length: 1_000 }, ..syn(n) };
    for start in (0..60_000).step_by(5_000) {
        store(&mut writer, (start..start + 5_000).map(large));
    }
    drop(writer);
    let size = std::fs::metadata(path(dir.path())).unwrap().len();
    // What comes between two looks (10,000 observations) is on top of the limit, and once more what comes before a removal.
    assert!(size < limit as u64 + 2 * 10_000 * 1_500, "{size}");
    assert!(!times(dir.path()).is_empty());
}

#[test]
fn old_closed_incidents_go_and_open_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let roster = roster();
    let mut writer = Writer::open(dir.path()).unwrap().with_limits(i64::MAX, i64::MAX, 5);
    let mut correlator = Correlator::new(vec![], &[]);
    let open = |correlator: &mut Correlator, n: u32, now: u64| {
        let mut observation = syn(n);
        observation.source.ip = IpAddr::from([10, 20, 4, n as u8]);
        observation.time = UtcNanos(now);
        match correlator.handle_observation(UtcNanos(now), &observation, &roster) {
            Verdict::Joined { incident, .. } => incident,
            other => panic!("{other:?}"),
        }
    };
    let first = open(&mut correlator, 0, 0);
    writer.begin().unwrap();
    writer.incidents([(correlator.case(first).unwrap(), None)]).unwrap();
    for n in 1..20 {
        let now = u64::from(n) * 1_000_000_000;
        let id = open(&mut correlator, n, now);
        let mut case = correlator.case(id).unwrap().clone();
        case.incident.state = chaff_events::IncidentState::Closed;
        writer.incidents([(&case, None)]).unwrap();
    }
    writer.commit().unwrap();
    store(&mut writer, (0..10_000).map(syn));
    store(&mut writer, (10_000..10_001).map(syn));
    let kept = Reader::open(dir.path()).unwrap().incidents(0, UtcNanos(0)).unwrap();
    let sources: Vec<_> = kept.iter().map(|incident| incident.source_ip.as_str()).collect();
    assert_eq!(sources, ["10.20.4.0", "10.20.4.16", "10.20.4.17", "10.20.4.18", "10.20.4.19"]);
}

#[test]
fn a_newer_store_is_refused_by_both() {
    let dir = tempfile::tempdir().unwrap();
    drop(Writer::open(dir.path()).unwrap());
    Connection::open(path(dir.path())).unwrap().execute_batch("PRAGMA user_version = 4").unwrap();
    let path = path(dir.path());
    let expected = format!(
        "the store {} has schema 4, this version knows up to 3: use the version that wrote it, or another state directory",
        path.display()
    );
    assert_eq!(Writer::open(dir.path()).unwrap_err().to_string(), expected);
    assert_eq!(Reader::open(dir.path()).unwrap_err().to_string(), expected);
}

#[test]
fn a_store_of_version_1_is_brought_up_to_date_by_the_hub_and_refused_by_readers_until_then() {
    let dir = tempfile::tempdir().unwrap();
    store(&mut Writer::open(dir.path()).unwrap(), (0..10).map(syn));
    let back = "ALTER TABLE observation DROP COLUMN allowed; PRAGMA user_version = 1;
        INSERT INTO incident VALUES (zeroblob(16), 'open', 'low', 'ping', '', '', '', 0, 0, 1, 1, 0, 0, '', '', 0, 1, NULL, x'ff');";
    Connection::open(path(dir.path())).unwrap().execute_batch(back).unwrap();
    let error = Reader::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("has schema 1, this version reads 3: start `chaff run`"), "{error}");
    let mut writer = Writer::open(dir.path()).unwrap();
    assert!(writer.open_cases().unwrap().is_empty());
    assert_eq!(store(&mut writer, (5..20).map(syn)), 10);
    assert_eq!(times(dir.path()).len(), 20);
    let incidents = Reader::open(dir.path()).unwrap().incidents(0, UtcNanos(0)).unwrap();
    assert_eq!(incidents.iter().map(|incident| incident.state.as_str()).collect::<Vec<_>>(), ["closed"]);
}

#[test]
fn a_database_of_something_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    Connection::open(path(dir.path())).unwrap().execute_batch("CREATE TABLE recipe (name TEXT)").unwrap();
    let error = Writer::open(dir.path()).unwrap_err().to_string();
    assert!(error.ends_with("is a database of something else: name another state directory"), "{error}");
}

#[test]
fn a_missing_store_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let error = Reader::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("start `chaff run` with this state directory first"), "{error}");
    assert!(!path(dir.path()).exists(), "looking makes nothing");
}

#[test]
fn commits_wait_for_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(dir.path()).unwrap();
    assert_eq!(writer.pragma("synchronous").unwrap(), 2, "FULL");
    let mode: String =
        Connection::open(path(dir.path())).unwrap().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}
