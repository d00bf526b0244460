//! The shapes of the design, field by field.

use chaff_events::{
    DecoyId, EventId, Incident, IncidentState, Kind, Mac, Observation, Roster, RosterDecoy, RosterNetwork, Severity,
    Source, Tool, Transport,
};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    RosterView,
    store::{Reader, Selection, StoreError, Writer},
};

const INTRUDER: Source = Source {
    ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 20, 3, 9)),
    mac: Mac([0x52, 0x54, 0, 0xaa, 0xbb, 0xcc]),
    port: 51_544,
};
const TIME: UtcNanos = UtcNanos(1_795_399_800_123_456_000);
const ID: EventId = EventId(0x0199_0000_0000_7000_8000_0000_0000_0001);

/// What is printed of an observation that has been through the store.
fn printed(observation: &Observation) -> String {
    let dir = tempfile::tempdir().unwrap();
    let decoy = RosterDecoy {
        name: "FS-07".into(),
        ip: [10, 20, 1, 16].into(),
        mac: Mac([0, 0x50, 0x56, 0x9a, 0x10, 0x07]),
        profile: 0,
        network: 0,
    };
    let roster = Roster {
        sensor: "lab".into(),
        networks: vec![RosterNetwork { name: "office".into() }],
        profiles: vec!["windows-server-2022".into()],
        decoys: vec![decoy],
    };
    let view = RosterView::try_from(&roster).unwrap();
    let mut store = Writer::open(dir.path()).unwrap();
    store.begin().unwrap();
    let mut inserter = store.inserter().unwrap();
    let key = inserter.decoy("lab", view.decoy(DecoyId(0)).unwrap()).unwrap();
    assert!(inserter.observation(key, observation, None).unwrap());
    drop(inserter);
    store.commit().unwrap();
    let mut lines = Vec::new();
    let read = |stored: &StoredObservation| {
        lines.push(super::observation(stored).unwrap());
        Ok::<_, StoreError>(())
    };
    Reader::open(dir.path()).unwrap().observations(Selection::default(), read).unwrap();
    lines.pop().unwrap()
}

fn syn() -> Observation {
    Observation {
        id: ID,
        time: TIME,
        decoy: DecoyId(0),
        source: INTRUDER,
        kind: Kind::TcpSyn,
        transport: Transport::Tcp,
        port: 445,
        service: "smb".into(),
        tool: Some(Tool::Nmap),
        count: 1,
        ports: vec![],
        detail: Detail::None,
    }
}

#[test]
fn an_observation_is_as_designed() {
    // design.md §5, with the identifier and the time written out.
    let expected = concat!(
        r#"{"id":"01990000-0000-7000-8000-000000000001","time":"2026-11-23T02:10:00.123456Z","sensor":"lab","network":"office","#,
        r#""decoy":{"name":"FS-07","ip":"10.20.1.16","mac":"00:50:56:9a:10:07","profile":"windows-server-2022"},"#,
        r#""source":{"ip":"10.20.3.9","mac":"52:54:00:aa:bb:cc","port":51544},"#,
        r#""kind":"tcp.syn","transport":"tcp","port":445,"service":"smb","tool":"nmap","techniques":["T1046"],"detail":{}}"#
    );
    assert_eq!(printed(&syn()), expected);
}

#[test]
fn a_folded_observation_has_count_and_ports_and_what_is_absent_is_null() {
    let folded = Observation {
        count: 7,
        ports: vec![1, 2, 3, 80, 65_534, 65_535],
        port: 0,
        service: String::new(),
        tool: None,
        ..syn()
    };
    let value: Value = serde_json::from_str(&printed(&folded)).unwrap();
    assert_eq!(value["count"], 7);
    assert_eq!(value["ports"], json!([1, 2, 3, 80, 65_534, 65_535]));
    assert_eq!((&value["service"], &value["tool"]), (&Value::Null, &Value::Null));
    let alone: Value = serde_json::from_str(&printed(&syn())).unwrap();
    assert_eq!((alone.get("count"), alone.get("ports")), (None, None));
}

#[test]
fn a_credential_has_its_four_fields_and_loses_no_octet() {
    let credential = Observation {
        kind: Kind::Credential,
        port: 22,
        service: "openssh-9.2-debian12".into(),
        tool: Some(Tool::Hydra),
        detail: Detail::Credential {
            username: "CORP\\adminé".into(),
            secret_kind: "password".into(),
            secret: b"p\"w\n\xff\x00\\x41".to_vec(),
            client: b"SSH-2.0-libssh_0.10.6".to_vec(),
            accepted: false,
        },
        ..syn()
    };
    let line = printed(&credential);
    let detail = r#""detail":{"username":"CORP\\adminé","secret_kind":"password","secret":"p\"w\n\\xff\u0000\\x5cx41","client":"SSH-2.0-libssh_0.10.6"}}"#;
    assert!(line.ends_with(detail), "{line}");
    assert!(line.contains(r#""techniques":["T1021.004","T1110"]"#), "{line}");
}

#[test]
fn an_incident_is_as_designed() {
    let incident = Incident {
        id: ID,
        state: IncidentState::Open,
        severity: Severity::Critical,
        title: "nmap port scan of 214 decoys from 10.20.3.9".into(),
        source: Source { port: 0, ..INTRUDER },
        network: "office".into(),
        opened: TIME,
        updated: TIME,
        observations: 18_230,
        decoys: 214,
        ports: 1_000,
        credentials: 3,
        tools: vec![Tool::Nmap],
        techniques: vec!["T1018".into(), "T1046".into(), "T1110".into()],
        first_alarm_ms: 42,
    };
    // design.md §5, with the identifier, the severity and the times written out.
    let expected = concat!(
        r#"{"id":"01990000-0000-7000-8000-000000000001","state":"open","severity":"critical","title":"nmap port scan of 214 decoys from 10.20.3.9","#,
        r#""source":{"ip":"10.20.3.9","mac":"52:54:00:aa:bb:cc","hostname":null},"network":"office","#,
        r#""opened":"2026-11-23T02:10:00.123456Z","updated":"2026-11-23T02:10:00.123456Z","observations":18230,"decoys":214,"ports":1000,"credentials":3,"#,
        r#""tools":["nmap"],"techniques":["T1018","T1046","T1110"],"first_alarm_ms":42}"#
    );
    assert_eq!(super::incident(&StoredIncident::from(&incident)).unwrap(), expected);
    let notice = super::notice(Change::Opened, &incident).unwrap();
    assert_eq!(notice, expected.replacen('{', r#"{"change":"opened","#, 1));
}

#[test]
fn every_detail_is_an_object() {
    let segment = Detail::Segment { flags: 0x29, window: 1024, ttl: 55, ip_id: 7, options: vec![2, 4, 5, 0xb4] };
    assert_eq!(detail(&segment), r#"{"flags":"FPU","ip_id":7,"options":"020405b4","ttl":55,"window":1024}"#);
    let details = [
        Detail::None,
        Detail::Ip { protocol: 1, kind: 13, code: 0 },
        Detail::Payload { octets: vec![0x80, b'a'], length: 2_000 },
        Detail::Request { method: b"GET".to_vec(), target: b"/\xff".to_vec(), client: vec![], body: vec![] },
        Detail::Closed { received: 1, sent: 2, milliseconds: 3 },
        Detail::Conflict { mac: Mac([1, 2, 3, 4, 5, 6]) },
    ];
    for detail in details {
        assert!(serde_json::from_str::<Value>(&super::detail(&detail)).unwrap().is_object(), "{detail:?}");
    }
}

/// What the head of the module tells a reader to do.
fn octets(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut octets, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if reads_as_octet(&bytes[at..]) {
            octets.push(u8::from_str_radix(&text[at + 2..at + 4], 16).unwrap());
            at += 4;
        } else {
            octets.push(bytes[at]);
            at += 1;
        }
    }
    octets
}

#[test]
fn text_is_left_alone_where_it_can_be() {
    assert_eq!(text("CORP\\alice äöü \t".as_bytes()), "CORP\\alice äöü \t");
    assert_eq!(text("\u{9b}31m\u{7f}".as_bytes()), "\\xc2\\x9b31m\\x7f", "no control sequence reaches a terminal");
}

proptest! {
    #[test]
    fn no_octet_is_lost(sent in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(octets(&text(&sent)), sent);
    }

    #[test]
    fn nor_in_what_looks_escaped(sent in "(\\\\|x|[0-9a-f]|\u{9b}){0,24}") {
        prop_assert_eq!(octets(&text(sent.as_bytes())), sent.as_bytes());
    }
}
