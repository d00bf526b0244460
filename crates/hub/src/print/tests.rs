use std::{net::IpAddr, path::Path};

use chaff_events::{
    DecoyId, Detail, EventId, Kind, Mac, Observation, RosterDecoy, RosterNetwork, Source, Tool, Transport, VERSION,
    message::ToHub,
};

use super::*;
use crate::{Allow, HubNetwork, HubSpec, Ingest};

const START: u64 = 1_795_399_800_000_000_000;

/// A hub with one decoy.
pub(super) fn hub(dir: &Path) -> Ingest {
    hub_that_allows(dir, vec![])
}

fn hub_that_allows(dir: &Path, allow: Vec<Allow>) -> Ingest {
    let networks = vec![HubNetwork { name: "office".into(), gateway: None }];
    let spec = HubSpec { state_dir: dir.into(), sensor: "lab".into(), networks, allow, notify: vec![] };
    let mut hub = Ingest::start(&spec, 1, UtcNanos(START)).unwrap();
    let begin = ToHub::RosterBegin {
        version: VERSION,
        sensor: "lab".into(),
        networks: vec![RosterNetwork { name: "office".into() }],
        profiles: vec!["windows-server-2022".into()],
        decoys: 1,
    };
    let decoy = RosterDecoy {
        name: "FS-07".into(),
        ip: [10, 20, 1, 16].into(),
        mac: Mac([0, 0x50, 0x56, 0, 0, 7]),
        profile: 0,
        network: 0,
    };
    hub.handle_message(UtcNanos(START), 0, begin).unwrap();
    hub.handle_message(UtcNanos(START), 0, ToHub::RosterPart { first: 0, decoys: vec![decoy] }).unwrap();
    hub
}

pub(super) fn observe(hub: &mut Ingest, number: u64, change: impl FnOnce(&mut Observation)) {
    let mut observation = Observation {
        id: EventId(u128::from(number)),
        time: UtcNanos(START + number * 1_000_000_000),
        decoy: DecoyId(0),
        source: Source { ip: IpAddr::from([10, 20, 3, 9]), mac: Mac([2, 0, 0, 0, 0, 1]), port: 4 },
        kind: Kind::TcpSyn,
        transport: Transport::Tcp,
        port: 445,
        service: "smb".into(),
        tool: Some(Tool::Nmap),
        count: 1,
        ports: vec![],
        detail: Detail::None,
    };
    change(&mut observation);
    let now = observation.time;
    hub.handle_message(now, 0, ToHub::Observations { first: number, observations: vec![observation] }).unwrap();
    hub.commit(now).unwrap();
}

fn login(observation: &mut Observation) {
    observation.kind = Kind::Credential;
    observation.port = 22;
    observation.service = "openssh".into();
    observation.tool = None;
    observation.detail = Detail::Credential {
        username: b"root\x1b[2J".to_vec(),
        secret_kind: "password".into(),
        secret: b"hunter2\xff\n".to_vec(),
        client: b"SSH-2.0-Go".to_vec(),
        accepted: false,
    };
}

pub(super) fn shown(print: impl FnOnce(&mut Vec<u8>) -> Result<(), PrintError>) -> String {
    let mut out = Vec::new();
    print(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

pub(super) const TABLE: PrintOptions = PrintOptions { json: false, follow: false, since: None, terminal: None };
pub(super) const JSON: PrintOptions = PrintOptions { json: true, follow: false, since: None, terminal: None };

#[test]
fn tables_are_for_people() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = hub(dir.path());
    observe(&mut hub, 1, |_| {});
    observe(&mut hub, 2, |folded| {
        folded.port = 0;
        folded.count = 1_000;
        folded.ports = (1..=999).collect();
        folded.service = String::new();
    });
    observe(&mut hub, 3, login);
    let events = shown(|out| events(dir.path(), &TABLE, out));
    let expected = "\
TIME (UTC)           SOURCE           KIND             DECOY                         PORT       TOOL      DETAIL
2026-11-23 02:10:01  10.20.3.9        tcp.syn          FS-07 (10.20.1.16)            445/tcp    nmap      smb
2026-11-23 02:10:02  10.20.3.9        tcp.syn          FS-07 (10.20.1.16)            1-999/tcp  nmap      ×1000
2026-11-23 02:10:03  10.20.3.9        credential       FS-07 (10.20.1.16)            22/tcp               openssh username=root\\x1b[2J secret=hunter2\\xff\\n secret_kind=password client=SSH-2.0-Go
";
    assert_eq!(events, expected);
    let credentials = shown(|out| credentials(dir.path(), &TABLE, out));
    let expected = "\
FIRST (UTC)          LAST      SOURCE     PRODUCT  USERNAME     SECRET         TIMES  DECOYS  NOTES
2026-11-23 02:10:03  02:10:03  10.20.3.9  openssh  root\\x1b[2J  hunter2\\xff\\n      1  FS-07   SSH-2.0-Go

1 attempt
";
    assert_eq!(credentials, expected);
    let incidents = shown(|out| incidents(dir.path(), &TABLE, out));
    let expected = "\
OPENED (UTC)         LAST SEEN    SEVERITY  STATE   DECOYS  PORTS  LOGINS  WHAT
2026-11-23 02:10:01  02:10:03     critical  open         1    999       1  login attempts as root\\x1b[2J on FS-07 (openssh) from 10.20.3.9 (office) [T1021.004 T1046 T1110]
";
    assert_eq!(incidents, expected);
}

#[test]
fn attempts_with_one_secret_are_one_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = hub(dir.path());
    let try_secret = |hub: &mut _, number, secret: &[u8], kind: &str, lets_in| {
        observe(hub, number, |observation| {
            login(observation);
            observation.detail = Detail::Credential {
                username: b"admin".to_vec(),
                secret_kind: kind.into(),
                secret: secret.to_vec(),
                client: Vec::new(),
                accepted: lets_in,
            };
        });
    };
    for number in 1..=3 {
        try_secret(&mut hub, number, b"123456", "password", false);
    }
    try_secret(&mut hub, 4, b"SHA256:abc", "publickey", false);
    try_secret(&mut hub, 5, b"Winter2019", "password", true);
    let credentials = shown(|out| credentials(dir.path(), &TABLE, out));
    let expected = "\
FIRST (UTC)          LAST      SOURCE     PRODUCT  USERNAME  SECRET      TIMES  DECOYS  NOTES
2026-11-23 02:10:01  02:10:03  10.20.3.9  openssh  admin     123456          3  FS-07
2026-11-23 02:10:04  02:10:04  10.20.3.9  openssh  admin     SHA256:abc      1  FS-07   publickey
2026-11-23 02:10:05  02:10:05  10.20.3.9  openssh  admin     Winter2019      1  FS-07   let in (planted account)

3 secrets in 5 attempts, 1 let in by a planted account
";
    assert_eq!(credentials, expected);
    let incidents = shown(|out| incidents(dir.path(), &TABLE, out));
    assert!(incidents.contains("use of a planted account as admin on FS-07 (openssh) from 10.20.3.9"), "{incidents}");
}

#[test]
fn what_an_authorised_scanner_did_says_why_nobody_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let allow = Allow { source: "10.20.3.0/28".parse().unwrap(), reason: "vulnerability scanner, Tuesdays".into() };
    let mut hub = hub_that_allows(dir.path(), vec![allow]);
    observe(&mut hub, 1, |_| {});
    observe(&mut hub, 2, login);
    observe(&mut hub, 3, |stranger| stranger.source.ip = [10, 20, 3, 99].into());
    let lines = shown(|out| events(dir.path(), &JSON, out));
    let reasons: Vec<_> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap().get("allowed").cloned()).collect();
    let reason = Some(Value::from("vulnerability scanner, Tuesdays"));
    assert_eq!(reasons, [reason.clone(), reason, None]);
    let table = shown(|out| events(dir.path(), &TABLE, out));
    assert!(table.contains("nmap      [allowed: vulnerability scanner, Tuesdays] smb\n"), "{table}");
    let table = shown(|out| credentials(dir.path(), &TABLE, out));
    assert!(table.contains("[allowed: vulnerability scanner, Tuesdays] SSH-2.0-Go"), "{table}");
    assert_eq!(shown(|out| incidents(dir.path(), &JSON, out)).lines().count(), 1, "the stranger's");
}

#[test]
fn a_table_shows_the_beginning_of_a_payload_and_json_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = hub(dir.path());
    observe(&mut hub, 1, |observation| {
        observation.detail = Detail::Payload { octets: [0, b'a'].repeat(300), length: 600 };
    });
    let table = shown(|out| events(dir.path(), &TABLE, out));
    assert!(table.ends_with(&format!("length=600 payload={}…\n", "\\x00a".repeat(24))), "{table}");
    assert_eq!(shown(|out| events(dir.path(), &JSON, out)).matches("\\u0000a").count(), 300);
}

#[test]
fn a_long_list_of_ports_does_not_push_the_table_apart() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = hub(dir.path());
    observe(&mut hub, 1, |folded| {
        folded.count = 100;
        folded.ports = (1..=199).step_by(2).collect();
        folded.service = String::new();
    });
    let table = shown(|out| events(dir.path(), &TABLE, out));
    assert!(table.contains("  100 ports  nmap      ×100 ports=1,3,5,7,") && table.ends_with("…\n"), "{table}");
    assert!(shown(|out| events(dir.path(), &JSON, out)).contains(",195,197,199]"));
}

#[test]
fn an_empty_table_says_so_and_empty_json_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    drop(hub(dir.path()));
    let tables = [
        shown(|out| events(dir.path(), &TABLE, out)),
        shown(|out| credentials(dir.path(), &TABLE, out)),
        shown(|out| incidents(dir.path(), &TABLE, out)),
    ];
    assert!(tables.iter().all(|table| table.lines().count() == 2 && table.ends_with("\n(none)\n")), "{tables:?}");
    assert_eq!(shown(|out| incidents(dir.path(), &JSON, out)), "");
}

#[test]
fn an_incident_of_another_day_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = hub(dir.path());
    observe(&mut hub, 1, |_| {});
    for minutes in (10..=1_320).step_by(10) {
        observe(&mut hub, minutes * 60, |_| {});
    }
    let table = shown(|out| incidents(dir.path(), &TABLE, out));
    assert!(table.contains("2026-11-23 02:10:01  11-24 00:10  medium"), "{table}");
}

#[test]
fn since_leaves_out_what_is_older() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = hub(dir.path());
    for number in 1..=10 {
        observe(&mut hub, number, |_| {});
    }
    let options = PrintOptions { since: Some(UtcNanos(START + 8_000_000_000)), ..JSON };
    assert_eq!(shown(|out| events(dir.path(), &options, out)).lines().count(), 3);
    assert_eq!(shown(|out| incidents(dir.path(), &options, out)).lines().count(), 1, "touched since");
    let later = PrintOptions { since: Some(UtcNanos(START + 11_000_000_000)), ..JSON };
    assert_eq!(shown(|out| incidents(dir.path(), &later, out)), "");
}

#[test]
fn credentials_are_the_observations_of_that_kind() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = hub(dir.path());
    observe(&mut hub, 1, |_| {});
    observe(&mut hub, 2, login);
    let all = shown(|out| events(dir.path(), &JSON, out));
    let only = shown(|out| credentials(dir.path(), &JSON, out));
    assert_eq!(all.lines().nth(1), only.lines().next());
    assert_eq!(only.lines().count(), 1);
}

/// Takes so many lines and hangs up, as `head` does.
struct Head {
    lines: Vec<String>,
    room: usize,
    each: std::sync::mpsc::Sender<()>,
}

impl Write for Head {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let text = String::from_utf8_lossy(octets);
        self.lines.push(text.into_owned());
        if octets.ends_with(b"\n") {
            self.room -= 1;
            let _ = self.each.send(());
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn follow_goes_on_with_what_a_running_hub_stores_and_ends_when_nobody_reads() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = hub(dir.path());
    observe(&mut hub, 1, |_| {});
    let (each, line) = std::sync::mpsc::channel();
    let mut head = Head { lines: vec![], room: 3, each };
    let path = dir.path().to_path_buf();
    let follower = std::thread::spawn(move || {
        events(&path, &PrintOptions { follow: true, ..JSON }, &mut head).unwrap();
        head.lines.concat()
    });
    let patience = Duration::from_secs(20);
    line.recv_timeout(patience).unwrap();
    for number in 2..=4 {
        observe(&mut hub, number, |_| {});
        if number < 4 {
            line.recv_timeout(patience).unwrap();
        }
    }
    let shown = follower.join().unwrap();
    let times: Vec<_> =
        shown.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["time"].clone()).collect();
    assert_eq!(times, ["2026-11-23T02:10:01.000000Z", "2026-11-23T02:10:02.000000Z", "2026-11-23T02:10:03.000000Z"]);
}

#[test]
fn follow_prints_an_incident_again_when_it_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = hub(dir.path());
    observe(&mut hub, 1, |_| {});
    let (each, line) = std::sync::mpsc::channel();
    let mut head = Head { lines: vec![], room: 2, each };
    let path = dir.path().to_path_buf();
    let follower = std::thread::spawn(move || {
        incidents(&path, &PrintOptions { follow: true, ..JSON }, &mut head).unwrap();
        head.lines.concat()
    });
    let patience = Duration::from_secs(20);
    line.recv_timeout(patience).unwrap();
    observe(&mut hub, 2, login);
    line.recv_timeout(patience).unwrap();
    observe(&mut hub, 3, login);
    let shown = follower.join().unwrap();
    let severities: Vec<_> =
        shown.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["severity"].clone()).collect();
    assert_eq!(severities, ["medium", "critical"]);
}

#[test]
fn no_store_is_an_error_that_helps() {
    let dir = tempfile::tempdir().unwrap();
    let error = events(dir.path(), &JSON, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("--state"), "{error}");
}

#[test]
fn plain_text_commands_no_terminal() {
    assert_eq!(plain("a\u{1b}[2J\u{9b}b\u{202e}c\nd é"), "a\\x1b[2J\\u{9b}b\\u{202e}c\\nd é");
}
