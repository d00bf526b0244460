//! Fleets as they come out of a configuration.

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
    path::Path,
    time::Instant,
};

use chaff_config::{Diagnostics, SourceFile};
use chaff_engine::spec::{DecoySpec, FleetSpec, Port, PortTable};
use chaff_services::ServiceKind;

const SECRET: [u8; 32] = [7; 32];

/// Seconds that a million decoys may take, unoptimised and on a machine that is busy with other tests.
const MILLION_S: u64 = 30;

fn compile(text: &str, secret: &[u8; 32]) -> Result<FleetSpec, Diagnostics> {
    let source = SourceFile::new("chaff.toml", text);
    let config = chaff_config::parse(&source, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/own"))?;
    chaff_profiles::compile(&config, secret)
}

fn network(name: &str, subnet: &str) -> String {
    format!("[[network]]\nname = \"{name}\"\ninterface = \"{name}0\"\nsubnet = \"{subnet}\"\n")
}

fn group(profile: &str, addresses: &str, rest: &str) -> String {
    format!("[[network.decoys]]\nprofile = \"{profile}\"\naddresses = [{addresses}]\n{rest}\n")
}

fn office(groups: &[String]) -> FleetSpec {
    let text = format!("sensor = \"s\"\n{}{}", network("office", "10.9.0.0/16"), groups.concat());
    compile(&text, &SECRET).unwrap_or_else(|e| panic!("{e}"))
}

fn by_address(fleet: &FleetSpec) -> BTreeMap<(u16, IpAddr), &DecoySpec> {
    fleet.decoys.iter().map(|d| ((d.network, d.ip), d)).collect()
}

fn word(fleet: &FleetSpec, table: &PortTable, port: u16) -> String {
    match table.at(port) {
        Port::Service(i) => fleet.services[usize::from(i)].name.split('@').next().unwrap().to_owned(),
        other => format!("{other:?}"),
    }
}

/// Renamed, moved to another network and address, under another secret: a decoy with an identity has the same keys.
#[test]
fn an_identity_outlives_name_address_and_secret() {
    let pinned = "identity = \"3f9c2b7a51e84d06b1c7a2950f6e83d4\"\nhostname = \"NAME\"";
    let seeds = |network_name: &str, address: &str, name: &str, secret: u8| {
        let groups = [
            group("linux-server", &format!("\"{address}\""), &pinned.replace("NAME", name)),
            group("linux-server", "\"10.9.7.7\"", ""),
        ];
        let text = format!("sensor = \"s\"\n{}{}", network(network_name, "10.9.0.0/16"), groups.concat());
        let fleet = compile(&text, &[secret; 32]).unwrap_or_else(|e| panic!("{e}"));
        let mut out = Vec::new();
        chaff_profiles::print_identities(&fleet, &mut out).unwrap();
        (fleet.decoys[0].seed, fleet.decoys[1].seed, String::from_utf8(out).unwrap())
    };
    let (pinned, drawn, printed) = seeds("office", "10.9.0.4", "gate", 1);
    let (moved, drawn_anew, _) = seeds("plant", "10.9.3.9", "gate-old", 2);
    assert_eq!(pinned, moved);
    assert_eq!(pinned, 0x3f9c_2b7a_51e8_4d06_b1c7_a295_0f6e_83d4_u128.to_be_bytes());
    assert_ne!(drawn, drawn_anew);
    // What is printed for a decoy that has none is what pins it as it is.
    let identity = printed.lines().nth(1).and_then(|line| line.split('"').nth(1)).unwrap();
    let text = network("plant", "10.9.0.0/16")
        + &group("linux-server", "\"10.9.200.1\"", &format!("identity = \"{identity}\""));
    assert_eq!(compile(&text, &[9; 32]).unwrap().decoys[0].seed, drawn);
}

#[test]
fn a_serial_that_was_chosen_goes_into_the_fleet_and_the_list_of_identities() {
    let chosen = group("hp-printer", "\"10.9.0.4\"", "serial = \"CNB7K3X02Q\"");
    let fleet = office(&[chosen, group("hp-printer", "\"10.9.0.5\"", "")]);
    let serials: Vec<_> =
        fleet.decoys.iter().map(|d| fleet.profiles[usize::from(d.profile)].serial.as_deref()).collect();
    assert_eq!(serials, [Some("CNB7K3X02Q"), None]);
    let mut out = Vec::new();
    chaff_profiles::print_identities(&fleet, &mut out).unwrap();
    let printed = String::from_utf8(out).unwrap();
    let told: Vec<_> = printed.lines().map(|line| line.ends_with("  serial = \"CNB7K3X02Q\"")).collect();
    assert_eq!(told, [true, false], "{printed}");
}

#[test]
fn a_whole_network_becomes_decoys_with_their_own_cards() {
    let fleet = office(&[group("linux-server", "\"10.9.0.0/16\"", "")]);
    assert_eq!(fleet.decoys.len(), 65_534);
    let macs: HashSet<_> = fleet.decoys.iter().map(|d| d.mac).collect();
    let seeds: HashSet<_> = fleet.decoys.iter().map(|d| d.seed).collect();
    assert_eq!((macs.len(), seeds.len()), (65_534, 65_534));
    assert_eq!(fleet.personalities.len(), 1);
    assert_eq!(fleet.profiles.len(), 6, "one for each revision of OpenSSH");
    let vmware = fleet.decoys.iter().all(|d| d.mac.to_string().starts_with("00:50:56:") && d.mac.0[3] & 0xc0 == 0x80);
    assert!(vmware, "cards are of the blocks that vCenter assigns");
}

#[test]
fn decoys_without_revisions_share_one_profile() {
    let fleet = office(&[group("windows-workstation", "\"10.9.0.0/16\"", "")]);
    assert_eq!((fleet.decoys.len(), fleet.profiles.len(), fleet.personalities.len()), (65_534, 1, 1));
}

#[test]
fn a_million_decoys_are_possible() {
    let start = Instant::now();
    let text = network("big", "10.0.0.0/12") + &group("windows-workstation", "\"10.0.0.0/12\"", "");
    let fleet = compile(&text, &SECRET).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(fleet.decoys.len(), 1_048_574);
    let macs: HashSet<_> = fleet.decoys.iter().map(|d| d.mac).collect();
    assert_eq!(macs.len(), fleet.decoys.len());
    assert!(start.elapsed().as_secs() < MILLION_S, "{:?}", start.elapsed());
}

#[test]
fn the_same_file_and_secret_give_the_same_fleet() {
    let text = network("office", "10.9.0.0/16") + &group("linux-server", "\"10.9.1.0/24\"", "");
    let fleet = compile(&text, &SECRET).unwrap();
    assert_eq!(fleet, compile(&text, &SECRET).unwrap());
    let other = compile(&text, &[8; 32]).unwrap();
    let differ = fleet.decoys.iter().zip(&other.decoys).all(|(a, b)| a.seed != b.seed);
    assert!(differ, "another install has other identities");
}

#[test]
fn a_new_decoy_changes_no_other() {
    let group = |addresses| group("linux-server", addresses, "");
    let before = office(&[group("\"10.9.1.10-10.9.3.200\"")]);
    let after = office(&[group("\"10.9.1.10-10.9.3.200\", \"10.9.9.9\""), group("\"10.9.8.0/24\"")]);
    let (before, after) = (by_address(&before), by_address(&after));
    assert_eq!(after.len(), before.len() + 257);
    for (address, old) in before {
        let new = after[&address];
        assert_eq!((old.mac, old.seed, &old.name), (new.mac, new.seed, &new.name));
    }
}

#[test]
fn networks_with_the_same_addresses_have_different_decoys() {
    let one = |name| network(name, "10.9.0.0/16") + &group("linux-server", "\"10.9.0.0/16\"", "");
    let fleet = compile(&(one("a") + &one("b")), &SECRET).unwrap_or_else(|e| panic!("{e}"));
    let macs: HashSet<_> = fleet.decoys.iter().map(|d| d.mac).collect();
    let seeds: HashSet<_> = fleet.decoys.iter().map(|d| d.seed).collect();
    assert_eq!((macs.len(), seeds.len()), (131_068, 131_068));
    assert_eq!(fleet.networks.iter().map(|n| n.link).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn ports_are_laid_over_the_profile() {
    let ports = r#"ports = { "22/tcp" = "closed", "80/tcp" = "echo", "8000-8010/tcp" = "open", "8005/tcp" = "filtered", "default/udp" = "filtered" }"#;
    let fleet = office(&[group("linux-server", "\"10.9.1.1\"", ports)]);
    let profile = &fleet.profiles[usize::from(fleet.decoys[0].profile)];
    let tcp = |port| word(&fleet, &profile.tcp, port);
    assert_eq!([tcp(22), tcp(80), tcp(443)], ["Closed", "echo", "Closed"]);
    assert_eq!([tcp(8000), tcp(8005), tcp(8010), tcp(8011)], ["Open", "Filtered", "Open", "Closed"]);
    assert_eq!(word(&fleet, &profile.udp, 53), "Filtered");
}

#[test]
fn a_pinned_revision_is_not_drawn() {
    let ports = r#"ports = { "22/tcp" = "openssh-9.2-debian12@deb12u10" }"#;
    let fleet = office(&[group("linux-server", "\"10.9.1.0/24\"", ports)]);
    assert_eq!(fleet.profiles.len(), 1);
    let ServiceKind::Ssh(ssh) = &fleet.services[0].kind else { panic!("{:?}", fleet.services[0]) };
    assert_eq!(ssh.version, "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10");
}

#[test]
fn what_the_group_says_wins() {
    let rest = "hostname = \"FS-{n:02}\"\nmac = \"00:50:56:9a:10:07\"\npersonality = \"linux-5.x\"";
    let fleet = office(&[group("linux-server", "\"10.9.1.1\"", rest)]);
    let decoy = &fleet.decoys[0];
    assert_eq!((decoy.name.as_str(), decoy.mac.to_string().as_str()), ("FS-01", "00:50:56:9a:10:07"));
    assert_eq!(fleet.personalities[0].name, "linux-5.x");
}

#[test]
fn a_contradiction_is_accepted_when_told_so() {
    let rest = "mac = \"00:1b:63:00:00:01\"\nports = { \"80/tcp\" = \"iis-10\" }";
    let text = |rest: &str| network("office", "10.9.0.0/16") + &group("cisco-switch", "\"10.9.1.1\"", rest);
    let said = compile(&text(rest), &SECRET).unwrap_err().to_string();
    for reason in ["whose hardware does not run `cisco-ios`", "no switch has such a card", "`iis-10` runs on windows"] {
        assert!(said.replace("\n  │ ", " ").contains(reason), "{reason}:\n{said}");
    }
    assert!(compile(&text(&format!("{rest}\ncoherent = false")), &SECRET).is_ok());
}

#[test]
fn files_of_ones_own_say_only_what_differs() {
    let fleet = office(&[group("file:shop-server.toml", "\"10.9.1.1\"", "personality = \"file:linux-slow.toml\"")]);
    let profile = &fleet.profiles[0];
    assert_eq!((profile.name.as_str(), fleet.decoys[0].name.as_str()), ("shop-server", "shop01"));
    let tcp = |port| word(&fleet, &profile.tcp, port);
    assert_eq!([tcp(22), tcp(80), tcp(8443)], ["openssh-9.2-debian12", "shop-http", "Open"]);
    let personality = &fleet.personalities[0];
    assert_eq!((personality.name.as_str(), personality.tcp.mss, personality.ip.ttl), ("linux-slow", 1400, 64));
}

#[test]
fn a_file_does_not_become_the_catalogue_s_by_its_name() {
    let ports = r#"ports = { "8080/tcp" = "file:own-nginx.toml" }"#;
    let fleet = office(&[group("linux-server", "\"10.9.1.1\"", ports)]);
    let server = |port| match fleet.profiles[0].tcp.at(port) {
        Port::Service(i) => match &fleet.services[usize::from(i)].kind {
            ServiceKind::Http(http) => http.server.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!([server(80), server(8080)], ["nginx/1.22.1", "nginx"]);
}

#[test]
fn the_roster_is_one_object_a_decoy() {
    let rest =
        "mac = \"00:50:56:9a:10:07\"\nports = { \"22/tcp\" = \"openssh-9.2-debian12@deb12u9\" }\nhostname = \"db\"";
    let fleet = office(&[group("linux-server", "\"10.9.1.1\"", rest)]);
    let mut out = Vec::new();
    chaff_profiles::roster_json(&fleet, &mut out).unwrap();
    let expected = concat!(
        r#"{"name":"db","ip":"10.9.1.1","mac":"00:50:56:9a:10:07","network":"office","profile":"linux-server","#,
        r#""personality":"linux-6.x","ports":{"22/tcp":"openssh-9.2-debian12@deb12u9","80/tcp":"nginx-1.22.1-debian12","#,
        r#""default/tcp":"closed","default/udp":"closed"}}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn the_roster_names_each_profile_once() {
    let fleet = office(&[group("linux-server", "\"10.9.1.0/24\"", ""), group("hp-printer", "\"10.9.2.1\"", "")]);
    let roster = chaff_profiles::roster(&fleet);
    assert_eq!(roster.profiles, ["linux-server", "hp-printer"]);
    assert_eq!(roster.decoys.len(), 257);
    assert_eq!(roster.profiles[usize::from(roster.decoys[256].profile)], "hp-printer");
    assert_eq!(roster.decoys[256].mac, fleet.decoys[256].mac);
}

#[test]
fn the_fleet_is_printed_for_a_person() {
    let rest = "mac = \"3c:d9:2b:0a:bc:de\"";
    let fleet = office(&[group("hp-printer", "\"10.9.2.1\"", rest), group("plc", "\"10.9.3.1-10.9.3.20\"", "")]);
    let mut out = Vec::new();
    chaff_profiles::print_fleet(&fleet, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let printer = "    10.9.2.1         3c:d9:2b:0a:bc:de  NPI0ABCDE             hp-printer  80 515 631 9100 161/udp, others closed";
    assert!(out.contains(printer), "{out}");
    assert!(out.contains("  plc: 20 decoys") && out.contains("… 12 more …"), "{out}");
    assert!(out.ends_with("21 decoys on 1 network\n"), "{out}");
}
