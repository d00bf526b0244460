use std::net::{IpAddr, Ipv4Addr};

use chaff_events::{DecoyId, Detail, Kind, Mac, Observation, RosterDecoy, RosterNetwork, Source, Transport};

use super::*;
use crate::{HubNetwork, store::Reader};

const SECOND: u64 = 1_000_000_000;

fn spec(dir: &Path) -> HubSpec {
    let networks = vec![HubNetwork { name: "office".into(), gateway: None }];
    HubSpec { state_dir: dir.into(), sensor: "lab".into(), networks, allow: vec![], notify: vec![] }
}

struct Hub {
    ingest: Ingest,
    now: UtcNanos,
}

impl Hub {
    fn start(dir: &Path, now: UtcNanos) -> Self {
        let mut hub = Self { ingest: Ingest::start(&spec(dir), 1, now).unwrap(), now };
        hub.roster(VERSION);
        hub
    }

    fn say(&mut self, message: ToHub) {
        self.ingest.handle_message(self.now, 0, message).unwrap();
    }

    fn roster(&mut self, version: u16) {
        self.say(ToHub::RosterBegin {
            version,
            sensor: "lab".into(),
            networks: vec![RosterNetwork { name: "office".into() }],
            profiles: vec!["switch".into()],
            decoys: 10,
        });
        let decoy = |n: u8| RosterDecoy {
            name: format!("FS-{n:02}"),
            ip: Ipv4Addr::new(10, 20, 1, n).into(),
            mac: Mac([0, 0x50, 0x56, 0, 0, n]),
            profile: 0,
            network: 0,
        };
        self.say(ToHub::RosterPart { first: 0, decoys: (0..4).map(decoy).collect() });
        self.say(ToHub::RosterPart { first: 4, decoys: (4..10).map(decoy).collect() });
    }

    fn observe(&mut self, first: u64, kinds: &[Kind]) {
        let observations = kinds.iter().zip(first..).map(|(&kind, n)| self.observation(n, kind)).collect();
        self.say(ToHub::Observations { first, observations });
    }

    fn observation(&self, n: u64, kind: Kind) -> Observation {
        Observation {
            id: EventId(u128::from(n)),
            time: self.now,
            decoy: DecoyId(u32::try_from(n % 10).unwrap()),
            source: Source { ip: IpAddr::from([10, 20, 3, 9]), mac: Mac([2, 0, 0, 0, 0, 1]), port: 0 },
            kind,
            transport: Transport::Tcp,
            port: 0,
            service: String::new(),
            tool: None,
            count: 1,
            ports: vec![],
            detail: Detail::None,
        }
    }

    fn changes(&mut self) -> Vec<(Change, Severity)> {
        self.ingest.poll_notices().iter().map(|notice| (notice.change, notice.incident.severity)).collect()
    }

    fn acknowledgement(&self) -> Option<u64> {
        self.ingest.acknowledgement(0).map(|message| match message {
            FromHub::Acknowledge { up_to } => up_to,
            FromHub::Hello { .. } => panic!("{message:?}"),
        })
    }
}

fn start() -> UtcNanos {
    crate::utc_now()
}

#[test]
fn the_first_observation_of_an_incident_is_committed_at_once_and_later_ones_in_batches() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(dir.path(), start());
    hub.observe(1, &[Kind::TcpSyn]);
    assert_eq!(hub.acknowledgement(), Some(1));
    assert_eq!(hub.changes(), [(Change::Opened, Severity::Medium)]);

    hub.observe(2, &[Kind::TcpSyn]);
    assert_eq!(hub.acknowledgement(), Some(1), "waits");
    let deadline = hub.ingest.deadline().unwrap();
    assert_eq!(deadline.0, hub.now.0 + BATCH_NS);
    hub.ingest.handle_wake(UtcNanos(deadline.0 - 1)).unwrap();
    assert_eq!(hub.acknowledgement(), Some(1));
    hub.ingest.handle_wake(deadline).unwrap();
    assert_eq!(hub.acknowledgement(), Some(2));
    assert_eq!(hub.changes(), [], "growing is no news");

    hub.observe(3, &[Kind::Credential]);
    assert_eq!(hub.acknowledgement(), Some(3), "growing worse is");
    assert_eq!(hub.changes(), [(Change::Escalated, Severity::Critical)]);
    hub.ingest.acknowledged(0);
    assert_eq!(hub.acknowledgement(), None);
}

#[test]
fn two_workers_number_their_decoys_and_observations_alone_and_tell_of_one_incident() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub { ingest: Ingest::start(&spec(dir.path()), 2, start()).unwrap(), now: start() };
    // Each announces ten decoys, numbered from 0; of other addresses.
    for (worker, net) in [(0, 1), (1, 2)] {
        let begin = ToHub::RosterBegin {
            version: VERSION,
            sensor: "lab".into(),
            networks: vec![RosterNetwork { name: "office".into() }],
            profiles: vec!["switch".into()],
            decoys: 10,
        };
        let decoy = |n: u8| RosterDecoy {
            name: format!("FS-{net}-{n:02}"),
            ip: Ipv4Addr::new(10, 20, net, n).into(),
            mac: Mac([0, 0x50, 0x56, 0, net, n]),
            profile: 0,
            network: 0,
        };
        let part = ToHub::RosterPart { first: 0, decoys: (0..10).map(decoy).collect() };
        hub.ingest.handle_message(hub.now, worker, begin).unwrap();
        hub.ingest.handle_message(hub.now, worker, part).unwrap();
    }
    // The numbers of their observations may be the same, their ids never are.
    for (worker, ids) in [(0, 0..10), (1, 10..20)] {
        let observations = ids.map(|n| hub.observation(n, Kind::TcpSyn)).collect();
        let message = ToHub::Observations { first: 1, observations };
        hub.ingest.handle_message(hub.now, worker, message).unwrap();
    }
    hub.ingest.commit(hub.now).unwrap();
    assert_eq!(hub.acknowledgement(), Some(10));
    assert_eq!(hub.ingest.acknowledgement(1), Some(FromHub::Acknowledge { up_to: 10 }));
    assert_eq!(hub.changes(), [(Change::Opened, Severity::Medium)]);
    let incidents: Vec<_> = hub.ingest.correlator.open_incidents().collect();
    let [incident] = incidents.as_slice() else { panic!("{incidents:#?}") };
    assert_eq!((incident.decoys, incident.observations), (20, 20));

    // One of them is started again: its numbers and its roster are new, the other's hold.
    hub.roster(VERSION);
    assert_eq!(hub.acknowledgement(), None);
    assert_eq!(hub.ingest.acknowledgement(1), Some(FromHub::Acknowledge { up_to: 10 }));
    let observation = hub.observation(29, Kind::TcpSyn);
    let message = ToHub::Observations { first: 11, observations: vec![observation] };
    hub.ingest.handle_message(hub.now, 1, message).unwrap();
    hub.ingest.commit(hub.now).unwrap();
    assert_eq!(hub.ingest.acknowledgement(1), Some(FromHub::Acknowledge { up_to: 11 }));
}

#[test]
fn opened_and_escalated_in_one_batch_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(dir.path(), start());
    hub.observe(1, &[Kind::IcmpEcho, Kind::TcpSyn, Kind::Credential]);
    assert_eq!(hub.changes(), [(Change::Opened, Severity::Critical)]);
}

#[test]
fn the_time_to_the_first_alarm_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(dir.path(), start());
    let mut syn = hub.observation(1, Kind::TcpSyn);
    syn.time = UtcNanos(syn.time.0 - 3 * SECOND);
    hub.say(ToHub::Observations { first: 1, observations: vec![syn] });
    let told = hub.ingest.poll_notices()[0].incident.first_alarm_ms;
    assert!((3_000..10_000).contains(&told), "{told}");
    hub.ingest.handle_idle(hub.now).unwrap();
    let stored = Reader::open(dir.path()).unwrap().incidents(0, UtcNanos(0)).unwrap();
    assert_eq!(stored[0].first_alarm_ms, told);
}

#[test]
fn an_arp_request_long_before_makes_no_late_alarm() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(dir.path(), start());
    let mut request = hub.observation(1, Kind::ArpRequest);
    request.time = UtcNanos(request.time.0 - 20 * SECOND);
    let syn = hub.observation(2, Kind::TcpSyn);
    hub.say(ToHub::Observations { first: 1, observations: vec![request, syn] });
    let incident = &hub.ingest.poll_notices()[0].incident;
    assert!(incident.first_alarm_ms < 5_000, "{}", incident.first_alarm_ms);
    assert_eq!((incident.observations, incident.decoys), (2, 2), "but it belongs to the incident");
}

#[test]
fn who_has_heard_of_an_incident_does_not_hear_it_again_from_the_next_hub() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(dir.path(), start());
    hub.observe(1, &[Kind::TcpSyn]);
    let id = hub.ingest.poll_notices()[0].incident.id;

    // Killed before anybody was told: the next one tells.
    let now = hub.now;
    drop(hub);
    let mut hub = Hub::start(dir.path(), now);
    assert_eq!(hub.changes(), [(Change::Opened, Severity::Medium)]);
    hub.ingest.handle_told(id, Severity::Medium);
    hub.ingest.handle_idle(now).unwrap();

    drop(hub);
    let mut hub = Hub::start(dir.path(), now);
    assert_eq!(hub.changes(), []);
    hub.observe(1, &[Kind::TcpSyn]);
    hub.observe(2, &[Kind::TcpSyn]);
    hub.ingest.commit(now).unwrap();
    assert_eq!(hub.changes(), [], "and it goes on growing");

    // Escalated, and killed before that was told.
    hub.observe(3, &[Kind::Credential]);
    drop(hub);
    let mut hub = Hub::start(dir.path(), now);
    assert_eq!(hub.changes(), [(Change::Escalated, Severity::Critical)]);
    let stored = Reader::open(dir.path()).unwrap().incidents(0, UtcNanos(0)).unwrap();
    assert_eq!((stored.len(), stored[0].observations), (1, 3));
}

#[test]
fn a_sweep_that_straddles_a_restart_is_a_sweep() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(dir.path(), start());
    hub.observe(1, &[Kind::ArpRequest; 4]);
    hub.ingest.commit(hub.now).unwrap();
    assert_eq!(hub.changes(), []);
    let now = UtcNanos(hub.now.0 + 5 * SECOND);
    drop(hub);
    let mut hub = Hub::start(dir.path(), now);
    hub.observe(5, &[Kind::ArpRequest]);
    assert_eq!(hub.changes(), [(Change::Opened, Severity::Low)]);
    let stored = Reader::open(dir.path()).unwrap().incidents(0, UtcNanos(0)).unwrap();
    assert_eq!((stored[0].decoys, stored[0].observations), (5, 5));
}

#[test]
fn quiet_incidents_are_closed_in_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(dir.path(), start());
    hub.observe(1, &[Kind::TcpSyn]);
    hub.changes();
    hub.ingest.handle_idle(UtcNanos(hub.now.0 + crate::correlate::IDLE_CLOSE.0)).unwrap();
    assert_eq!(hub.changes(), [(Change::Closed, Severity::Medium)]);
    let stored = Reader::open(dir.path()).unwrap().incidents(0, UtcNanos(0)).unwrap();
    assert_eq!(stored[0].state, "closed");
    let now = hub.now;
    drop(hub);
    assert_eq!(Hub::start(dir.path(), now).changes(), []);
}

#[test]
fn a_sensor_of_another_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(dir.path(), start());
    hub.roster(VERSION + 1);
    hub.observe(1, &[Kind::TcpSyn]);
    hub.ingest.commit(hub.now).unwrap();
    assert_eq!(hub.acknowledgement(), None);
    assert_eq!(hub.changes(), []);
}

#[test]
fn nothing_is_taken_before_the_roster_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub { ingest: Ingest::start(&spec(dir.path()), 1, start()).unwrap(), now: start() };
    hub.observe(1, &[Kind::TcpSyn]);
    hub.ingest.commit(hub.now).unwrap();
    assert_eq!((hub.acknowledgement(), hub.changes().len()), (None, 0));
    hub.roster(VERSION);
    hub.observe(1, &[Kind::TcpSyn]);
    assert_eq!(hub.acknowledgement(), Some(1));
}

#[test]
fn a_worker_that_starts_again_counts_from_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(dir.path(), start());
    hub.observe(1, &[Kind::TcpSyn; 50]);
    assert_eq!(hub.acknowledgement(), Some(50));
    hub.roster(VERSION);
    assert_eq!(hub.acknowledgement(), None, "the old one's numbers say nothing to the new one");
}
