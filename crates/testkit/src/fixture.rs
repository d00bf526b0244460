//! Fleets for tests: small, readable, the same every time.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
};

use chaff_engine::{
    personality::Personality,
    spec::{ChaffSpec, DecoySpec, FleetSpec, NetworkSpec, PartSpec, Port, PortTable, ProfileSpec},
};
use chaff_services::{HttpKeeping, HttpPage, HttpSpec, ServiceKind, ServiceSpec};
use chaff_wire::Mac;

/// A port with the `echo` service, TCP and UDP.
pub const ECHO: u16 = 7;
/// A port with the `discard` service, TCP and UDP.
pub const DISCARD: u16 = 9;
/// A port that is open and says nothing, TCP and UDP.
pub const OPEN: u16 = 80;
/// A port that is filtered, TCP and UDP.
pub const FILTERED: u16 = 445;
/// A port that is closed, TCP and UDP; all others are as well, but for [`WEB`] of a decoy that has it.
pub const CLOSED: u16 = 81;

/// The port of a web server, of decoys of [`web`].
pub const WEB: u16 = 8080;

/// The router of the test's network.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Where a scripted host lives.
pub const HOST: (Mac, Ipv4Addr) = (Mac([0x52, 0x54, 0, 0, 0, 2]), Ipv4Addr::new(10, 0, 0, 2));

/// The address of decoy `n`: 10.0.1.0, 10.0.1.1, …
#[must_use]
pub fn decoy_ip(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0100 + n)
}

/// The hardware address of decoy `n`.
#[must_use]
pub fn decoy_mac(n: u32) -> Mac {
    let [_, b, c, d] = n.to_be_bytes();
    Mac([0x00, 0x50, 0x56, b, c, d])
}

/// A personality as it is shipped.
///
/// # Panics
/// When there is none of this name, or its file is wrong.
#[must_use]
pub fn personality(name: &str) -> Personality {
    let text = format!(
        "[[network]]\nname = \"net\"\ninterface = \"eth0\"\nsubnet = \"10.0.0.0/8\"\ngateway = \"{GATEWAY}\"\n\
         [[network.decoys]]\nprofile = \"linux-server\"\npersonality = \"{name}\"\naddresses = [\"10.0.1.0\"]\n\
         coherent = false\n"
    );
    let source = chaff_config::SourceFile::new("fixture", text);
    let config = chaff_config::parse(&source, Path::new(""));
    let fleet = config.and_then(|config| chaff_profiles::compile(&config, &[0; 32]));
    let fleet = fleet.unwrap_or_else(|problems| panic!("personality {name}: {problems:?}"));
    fleet.personalities.into_iter().find(|one| one.name == name).expect("the fleet has the personality it was given")
}

/// A modern Linux, held to what was measured on kernel 6.18 beside the decoys.
#[must_use]
pub fn linux() -> Personality {
    personality("linux-6.x")
}

/// A fleet of `count` Linux decoys in 10.0.0.0/8 that make no traffic of their own.
#[must_use]
pub fn fleet(count: u32) -> FleetSpec {
    fleet_of(count, linux())
}

/// One decoy with a web server of one page, which keeps its connections so.
///
/// # Panics
/// Never: a fleet has few services.
#[must_use]
pub fn web(keeping: HttpKeeping) -> FleetSpec {
    let page = HttpPage { path: "/".into(), body: "hello".into(), ..HttpPage::default() };
    let spec = HttpSpec { pages: vec![page], keeping, ..HttpSpec::default() };
    let mut fleet = fleet(1);
    let service = u16::try_from(fleet.services.len()).expect("few services");
    fleet.services.push(ServiceSpec::new("web", ServiceKind::Http(Arc::new(spec))));
    fleet.profiles[0].tcp.ranges.push((WEB, WEB, Port::Service(service)));
    fleet
}

/// The same as [`fleet`] with another personality.
#[must_use]
pub fn fleet_of(count: u32, personality: Personality) -> FleetSpec {
    let table = || PortTable {
        ranges: vec![
            (ECHO, ECHO, Port::Service(0)),
            (DISCARD, DISCARD, Port::Service(1)),
            (OPEN, OPEN, Port::Open),
            (FILTERED, FILTERED, Port::Filtered),
        ],
        default: Port::Closed,
    };
    FleetSpec {
        sensor: "test".into(),
        networks: vec![NetworkSpec {
            name: "net".into(),
            link: 0,
            vlan: None,
            subnet: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)),
            prefix: 8,
            gateway: Some(IpAddr::V4(GATEWAY)),
        }],
        personalities: vec![personality],
        services: vec![ServiceSpec::new("echo", ServiceKind::Echo), ServiceSpec::new("discard", ServiceKind::Discard)],
        profiles: vec![ProfileSpec {
            name: "linux-server".into(),
            personality: 0,
            tcp: table(),
            udp: table(),
            accounts: [].into(),
            serial: None,
        }],
        decoys: (0..count).map(decoy).collect(),
        chaff: ChaffSpec { packets_per_second: 0 },
        part: PartSpec::default(),
    }
}

fn decoy(n: u32) -> DecoySpec {
    let mut seed = [0x5e; 16];
    seed[..4].copy_from_slice(&n.to_be_bytes());
    let (mac, ip) = (decoy_mac(n), IpAddr::V4(decoy_ip(n)));
    DecoySpec { name: format!("decoy-{n}"), mac, ip, network: 0, profile: 0, seed }
}
