//! Scripts: what a source does, and what people are told.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use chaff_events::{DecoyId, Detail, Mac, Roster, RosterDecoy, RosterNetwork, Source, Tool};

mod bounds;
mod pace;
mod processes;
mod properties;
mod workers;

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_795_399_800 * SECOND;
const INTRUDER: [u8; 4] = [10, 20, 3, 9];
const GATEWAY: [u8; 4] = [10, 20, 0, 1];

struct Script {
    correlator: Correlator,
    roster: RosterView,
    now: u64,
    ids: u128,
}

impl Script {
    fn new() -> Self {
        Self::with(vec![])
    }

    fn with(allow: Vec<Allow>) -> Self {
        let decoys = (0..1_000_u32).map(|n| RosterDecoy {
            name: format!("FS-{n:02}"),
            ip: Ipv4Addr::from(0x0a14_0100 + n).into(),
            mac: Mac([0, 0x50, 0x56, 0, (n >> 8) as u8, n as u8]),
            profile: 0,
            network: u16::from(n >= 900),
        });
        let roster = Roster {
            sensor: "lab".into(),
            networks: vec![RosterNetwork { name: "office".into() }, RosterNetwork { name: "plant".into() }],
            profiles: vec!["windows-server-2022".into()],
            decoys: decoys.collect(),
        };
        let gateway = HubNetwork { name: "office".into(), gateway: Some(IpAddr::from(GATEWAY)) };
        let correlator = Correlator::new(allow, &[gateway]);
        Self { correlator, roster: RosterView::try_from(&roster).unwrap(), now: START, ids: 0 }
    }

    fn wait(&mut self, nanos: u64) {
        self.now += nanos;
    }

    fn see(&mut self, source: [u8; 4], decoy: u32, kind: Kind, change: impl FnOnce(&mut Observation)) -> Verdict {
        self.ids += 1;
        let mut observation = seen(self.ids, self.now, source, decoy, kind);
        change(&mut observation);
        self.correlator.handle_observation(UtcNanos(self.now), &observation, &self.roster)
    }

    fn arp(&mut self, source: [u8; 4], decoy: u32) -> Verdict {
        self.see(source, decoy, Kind::ArpRequest, |_| {})
    }

    fn syn(&mut self, source: [u8; 4], decoy: u32, port: u16) -> Verdict {
        self.see(source, decoy, Kind::TcpSyn, |syn| syn.port = port)
    }

    fn incidents(&self) -> Vec<&Incident> {
        self.correlator.open_incidents().collect()
    }

    fn only(&self) -> &Incident {
        let incidents = self.incidents();
        let [incident] = incidents.as_slice() else { panic!("{incidents:#?}") };
        incident
    }
}

fn seen(id: u128, now: u64, source: [u8; 4], decoy: u32, kind: Kind) -> Observation {
    let transport = match kind {
        Kind::ArpRequest | Kind::ArpConflict => Transport::Arp,
        Kind::IcmpEcho | Kind::IcmpOther => Transport::Icmp,
        Kind::UdpProbe | Kind::UdpPayload => Transport::Udp,
        _ => Transport::Tcp,
    };
    let mac = Mac([0x52, 0x54, source[0], source[1], source[2], source[3]]);
    Observation {
        id: EventId(id),
        time: UtcNanos(now),
        decoy: DecoyId(decoy),
        source: Source { ip: IpAddr::from(source), mac, port: 40_000 },
        kind,
        transport,
        port: 0,
        service: String::new(),
        tool: None,
        count: 1,
        ports: vec![],
        detail: Detail::None,
    }
}

fn change(verdict: Verdict) -> Option<Change> {
    match verdict {
        Verdict::Joined { change, .. } => change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_single_arp_request_raises_nothing() {
    let mut script = Script::new();
    assert_eq!(script.arp(INTRUDER, 0), Verdict::Watched);
    for _ in 0..100 {
        script.wait(SECOND);
        assert_eq!(script.arp(INTRUDER, 0), Verdict::Watched, "the same decoy again and again");
    }
    assert!(script.incidents().is_empty());
}

#[test]
fn five_decoys_within_30_seconds_are_a_sweep_and_count_from_the_first() {
    let mut script = Script::new();
    for decoy in 0..4 {
        assert_eq!(script.arp(INTRUDER, decoy), Verdict::Watched);
        script.wait(7 * SECOND);
    }
    assert_eq!(change(script.arp(INTRUDER, 4)), Some(Change::Opened));
    let incident = script.only();
    assert_eq!(incident.title, "ARP sweep of 5 decoys from 10.20.3.9");
    assert_eq!((incident.observations, incident.decoys, incident.ports), (5, 5, 0));
    assert_eq!((incident.severity, incident.techniques.as_slice()), (Severity::Low, &["T1018".to_owned()][..]));
    assert_eq!((incident.opened, incident.updated), (UtcNanos(START), UtcNanos(START + 28 * SECOND)));
    assert_eq!(incident.id.0 >> 76 & 0xf, 7, "a version 7 UUID");
    assert_eq!(incident.id.0 >> 62 & 3, 0b10);
}

#[test]
fn five_decoys_in_more_than_30_seconds_are_the_life_of_a_lan() {
    let mut script = Script::new();
    for decoy in 0..50 {
        assert_eq!(script.arp(INTRUDER, decoy), Verdict::Watched);
        script.wait(8 * SECOND);
    }
    assert!(script.incidents().is_empty());
}

#[test]
fn four_sources_with_four_decoys_each_are_no_sweep() {
    let mut script = Script::new();
    for source in 0..4 {
        for decoy in 0..4 {
            assert_eq!(script.arp([10, 20, 3, source], decoy), Verdict::Watched);
        }
    }
}

#[test]
fn a_gateway_asks_for_whatever_is_scanned_through_it() {
    let mut script = Script::new();
    for decoy in 0..100 {
        assert_eq!(script.arp(GATEWAY, decoy), Verdict::Watched);
        script.syn([192, 0, 2, 7], decoy, 445);
    }
    assert_eq!(script.only().title, "sweep of 445/tcp on 100 decoys from 192.0.2.7");
    assert_eq!(change(script.see(GATEWAY, 0, Kind::IcmpEcho, |_| {})), Some(Change::Opened), "but it must not ping");
}

#[test]
fn nobody_else_sweeps_in_the_gateways_name() {
    let (own, other) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 66]));
    let mut script = Script::new();
    for decoy in 0..20 {
        let verdict = script.see(GATEWAY, decoy, Kind::ArpRequest, |arp| arp.source.mac = own);
        assert_eq!(verdict, Verdict::Watched);
    }
    for decoy in 0..20 {
        script.see(GATEWAY, decoy, Kind::ArpRequest, |arp| arp.source.mac = other);
    }
    assert_eq!(script.only().source.mac, other);
}

#[test]
fn a_router_that_nobody_named_is_known_by_what_it_carries() {
    let (router, card) = ([10, 20, 0, 254], Mac([2, 0, 0, 0, 0, 254]));
    let mut script = Script::new();
    for decoy in 0..100 {
        let verdict = script.see(router, decoy, Kind::ArpRequest, |arp| arp.source.mac = card);
        assert_eq!(verdict, Verdict::Watched);
        script.see([192, 0, 2, 7], decoy, Kind::TcpSyn, |syn| syn.source.mac = card);
    }
    assert_eq!(script.only().source.ip, IpAddr::from([192, 0, 2, 7]));
    script.wait(IDLE_CLOSE.0);
    for decoy in 0..5 {
        script.see(router, decoy, Kind::ArpRequest, |arp| arp.source.mac = card);
    }
    assert_eq!(script.incidents().len(), 2, "when it carries nothing, it sweeps on its own account");
}

#[test]
fn any_unicast_packet_is_an_alarm() {
    for kind in Kind::ALL {
        let mut script = Script::new();
        let verdict = script.see(INTRUDER, 7, kind, |_| {});
        if matches!(kind, Kind::ArpRequest | Kind::NdSolicit) {
            assert_eq!(verdict, Verdict::Watched);
        } else {
            assert_eq!(change(verdict), Some(Change::Opened), "{kind:?}");
        }
    }
}

#[test]
fn a_ping_takes_the_arp_request_before_it_along() {
    let mut script = Script::new();
    script.arp(INTRUDER, 7);
    script.wait(SECOND / 1000);
    script.see(INTRUDER, 7, Kind::IcmpEcho, |echo| echo.tool = Some(Tool::Ping));
    let incident = script.only();
    assert_eq!(incident.title, "ping of FS-07 from 10.20.3.9");
    assert_eq!((incident.observations, incident.opened), (2, UtcNanos(START)));
    assert_eq!(incident.tools, [Tool::Ping]);
}

#[test]
fn a_scan_of_200_decoys_is_one_incident() {
    let mut script = Script::new();
    for decoy in 0..200 {
        script.arp(INTRUDER, decoy);
        for port in 1..=20 {
            script.wait(1_000);
            script.see(INTRUDER, decoy, Kind::TcpSyn, |syn| {
                syn.port = port;
                syn.tool = Some(Tool::Nmap);
            });
        }
    }
    let incident = script.only();
    assert_eq!(incident.title, "nmap port scan of 200 decoys from 10.20.3.9");
    assert_eq!((incident.decoys, incident.ports, incident.observations), (200, 20, 200 * 21));
    assert_eq!(incident.severity, Severity::Medium);
}

#[test]
fn severity_grows_and_never_shrinks() {
    let mut script = Script::new();
    let request = |client: &[u8]| Detail::Request {
        method: b"GET".into(),
        target: b"/".into(),
        client: client.into(),
        body: vec![],
    };
    let steps = [
        (Kind::ArpConflict, Detail::None, Severity::Info),
        (Kind::IcmpEcho, Detail::None, Severity::Low),
        (Kind::TcpSyn, Detail::None, Severity::Medium),
        (Kind::OsProbe, Detail::None, Severity::Medium),
        (Kind::ServiceRequest, request(b""), Severity::Medium),
        (Kind::ServiceRequest, request(b"curl/7.88.1"), Severity::High),
        (Kind::Credential, Detail::None, Severity::Critical),
    ];
    let mut worst = None;
    for (kind, detail, severity) in &steps {
        let verdict = script.see(INTRUDER, 7, *kind, |observation| observation.detail = detail.clone());
        if *kind == Kind::ArpConflict {
            // Whoever claims an address is known by his card, so his incident is another.
            assert_eq!(script.only().title, "claim to the address of FS-07 from 52:54:0a:14:03:09");
            script.wait(1_000);
            continue;
        }
        let expected = match worst {
            None => Some(Change::Opened),
            Some(before) if before < *severity => Some(Change::Escalated),
            Some(_) => None,
        };
        assert_eq!(change(verdict), expected, "{kind:?}");
        worst = Some(*severity);
        assert_eq!(script.incidents()[1].severity, *severity);
    }
    for (kind, detail, _) in steps.into_iter().skip(1) {
        assert_eq!(change(script.see(INTRUDER, 7, kind, |observation| observation.detail = detail)), None);
        assert_eq!(script.incidents()[1].severity, Severity::Critical, "after {kind:?}");
    }
    assert_eq!(script.incidents()[1].credentials, 2);
}

#[test]
fn connections_without_a_word_are_a_scan() {
    let mut script = Script::new();
    for decoy in 0..12 {
        for port in [22, 80, 443] {
            for kind in [Kind::TcpSyn, Kind::TcpConnect, Kind::TcpClose] {
                script.see(INTRUDER, decoy, kind, |segment| segment.port = port);
            }
        }
    }
    assert_eq!(script.only().title, "port scan of 12 decoys from 10.20.3.9");
    assert_eq!((script.only().severity, script.only().ports), (Severity::Medium, 3));
}

#[test]
fn version_detection_is_probing_and_not_interaction() {
    let mut script = Script::new();
    script.see(INTRUDER, 7, Kind::ServiceRequest, |request| {
        request.port = 80;
        request.tool = Some(Tool::Nmap);
        let client = b"Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)".to_vec();
        request.detail = Detail::Request { method: b"GET".into(), target: b"/".into(), client, body: vec![] };
    });
    assert_eq!((script.only().severity, script.only().techniques.join(" ")), (Severity::Medium, "T1046".into()));
    assert_eq!(script.only().title, "nmap service probing of FS-07 from 10.20.3.9");
}

#[test]
fn logins_name_service_technique_and_tool() {
    let mut script = Script::new();
    for _ in 0..3 {
        script.see(INTRUDER, 7, Kind::Credential, |login| {
            login.port = 22;
            login.service = "openssh-9.2-debian12".into();
            login.tool = Some(Tool::Hydra);
        });
    }
    let incident = script.only();
    assert_eq!(incident.title, "hydra login attempts on FS-07 (openssh-9.2-debian12) from 10.20.3.9");
    assert_eq!(incident.techniques, ["T1021.004", "T1110"]);
    assert_eq!((incident.credentials, incident.severity), (3, Severity::Critical));
}

fn login(script: &mut Script, decoy: u32, service: &str) {
    script.see(INTRUDER, decoy, Kind::Credential, |login| {
        login.port = 23;
        login.service = service.into();
    });
}

#[test]
fn a_title_counts_the_decoys_of_the_stage_that_it_names() {
    let mut script = Script::new();
    for decoy in 0..60 {
        script.arp(INTRUDER, decoy);
    }
    assert_eq!(script.only().title, "ARP sweep of 60 decoys from 10.20.3.9");
    for decoy in 0..12 {
        script.see(INTRUDER, decoy, Kind::TcpSyn, |syn| {
            syn.port = 53;
            syn.tool = Some(Tool::Nmap);
        });
    }
    assert_eq!(script.only().title, "nmap sweep of 53/tcp on 12 decoys, after ARP sweep of 60 decoys, from 10.20.3.9");
    script.syn(INTRUDER, 3, 80);
    login(&mut script, 7, "cisco-telnet");
    assert_eq!(
        script.only().title,
        "login attempts on FS-07 (cisco-telnet), after nmap port scan of 12 decoys, from 10.20.3.9"
    );
    for decoy in 7..10 {
        script.see(INTRUDER, decoy, Kind::OsProbe, |_| {});
    }
    assert!(
        script.only().title.contains(", after nmap port scan of 12 decoys,"),
        "the widest: {}",
        script.only().title
    );
    login(&mut script, 8, "linux-telnet");
    assert_eq!(
        script.only().title,
        "login attempts on 2 decoys (cisco-telnet and others), after nmap port scan of 12 decoys, from 10.20.3.9"
    );
    script.syn(INTRUDER, 99, 443);
    assert!(script.only().title.contains("nmap port scan of 13 decoys"), "the scan goes on: {}", script.only().title);
    assert_eq!((script.only().decoys, script.only().ports), (61, 4), "these are of the whole incident");
}

#[test]
fn a_tool_is_named_with_the_stage_at_which_it_was_used() {
    let mut script = Script::new();
    for decoy in 0..20 {
        script.see(INTRUDER, decoy, Kind::TcpSyn, |syn| {
            syn.ports = vec![22, 80];
            syn.tool = Some(Tool::Nmap);
        });
    }
    script.see(INTRUDER, 7, Kind::Credential, |login| {
        login.port = 22;
        login.tool = Some(Tool::Hydra);
    });
    let title = "hydra login attempts on FS-07 (22/tcp), after nmap port scan of 20 decoys, from 10.20.3.9";
    assert_eq!(script.only().title, title);
    assert_eq!(script.only().tools, [Tool::Nmap, Tool::Hydra]);
}

#[test]
fn an_authorised_scanner_is_observed_and_never_alarmed() {
    let allow = Allow { source: "10.20.3.0/28".parse().unwrap(), reason: "Tuesdays".into() };
    let mut script = Script::with(vec![allow]);
    for decoy in 0..200 {
        assert_eq!(script.arp(INTRUDER, decoy), Verdict::Allowed);
        assert_eq!(script.see(INTRUDER, decoy, Kind::Credential, |_| {}), Verdict::Allowed);
    }
    assert!(script.incidents().is_empty());
    assert_eq!(change(script.syn([10, 20, 3, 16], 0, 22)), Some(Change::Opened), "its neighbour is not");
}

#[test]
fn the_router_before_an_authorised_scanner_is_not_alarmed_either() {
    let allow = Allow { source: "192.0.2.7".parse().unwrap(), reason: "Tuesdays".into() };
    let (router, card) = ([10, 20, 0, 254], Mac([2, 0, 0, 0, 0, 254]));
    let mut script = Script::with(vec![allow]);
    for decoy in 0..100 {
        script.see(router, decoy, Kind::ArpRequest, |arp| arp.source.mac = card);
        script.see([192, 0, 2, 7], decoy, Kind::TcpSyn, |syn| syn.source.mac = card);
    }
    assert!(script.incidents().is_empty());
}

#[test]
fn two_networks_are_two_incidents() {
    let mut script = Script::new();
    script.syn(INTRUDER, 0, 22);
    script.wait(1_000);
    script.syn(INTRUDER, 950, 22);
    let networks: Vec<_> = script.incidents().iter().map(|incident| incident.network.clone()).collect();
    assert_eq!(networks, ["office", "plant"]);
}

#[test]
fn who_gives_no_address_is_known_by_his_card() {
    let mut script = Script::new();
    for decoy in 0..6 {
        script.arp([0, 0, 0, 0], decoy);
    }
    assert_eq!(script.only().title, "ARP sweep of 6 decoys from 52:54:00:00:00:00");
    assert_eq!(script.only().source.port, 0);
}

#[test]
fn a_quiet_incident_is_closed_and_the_next_touch_opens_another() {
    let mut script = Script::new();
    script.syn(INTRUDER, 0, 22);
    script.wait(IDLE_CLOSE.0 - 1);
    assert_eq!(script.correlator.poll(UtcNanos(script.now)), None);
    script.syn(INTRUDER, 0, 22);
    script.wait(IDLE_CLOSE.0);
    let closed = script.correlator.poll(UtcNanos(script.now)).unwrap().incident;
    assert_eq!((closed.state, closed.observations), (IncidentState::Closed, 2));
    assert_eq!(script.correlator.poll(UtcNanos(script.now)), None);
    assert_eq!(change(script.syn(INTRUDER, 0, 22)), Some(Change::Opened));
    assert!(script.only().id > closed.id);
}

#[test]
fn a_sensor_whose_clock_runs_ahead_keeps_no_incident_open_for_ever() {
    let mut script = Script::new();
    script.see(INTRUDER, 0, Kind::TcpSyn, |syn| syn.time = UtcNanos(u64::MAX));
    script.wait(IDLE_CLOSE.0);
    assert!(script.correlator.poll(UtcNanos(script.now)).is_some());
}

#[test]
fn an_incident_goes_on_after_a_restart() {
    let mut script = Script::new();
    for decoy in 0..10 {
        script.syn(INTRUDER, decoy, 22);
    }
    let id = script.only().id;
    let kept = postcard::to_allocvec(script.correlator.case(id).unwrap()).unwrap();

    let mut after = Script::new();
    after.correlator.restore(postcard::from_bytes(&kept).unwrap());
    after.now = script.now + SECOND;
    for decoy in 5..15 {
        assert_eq!(change(after.syn(INTRUDER, decoy, 23)), None, "nobody is told again");
    }
    let incident = after.only();
    assert_eq!(incident.id, id);
    assert_eq!((incident.decoys, incident.ports, incident.observations), (15, 2, 20));
}

#[test]
fn every_kind_has_its_bit() {
    for (index, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, index, "the mask of kinds is by place");
    }
    assert!(Kind::ALL.len() <= u32::BITS as usize);
}
