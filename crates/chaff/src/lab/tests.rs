use std::{
    collections::BTreeSet,
    fs,
    net::Ipv4Addr,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    process::Command,
};

use super::{
    incident::Incident,
    plan::{Plan, REAL_HOSTS},
    product,
    state::{StateDir, remove_leavings},
};

const PROFILES: [&str; 6] =
    ["access-switch", "linux-server", "windows-server-2022", "office-printer", "sailboat-navigation", "workstation"];

/// The addresses that a plan's configuration names, group by group.
fn addresses(toml: &str) -> Vec<(String, Vec<Ipv4Addr>)> {
    let mut groups = Vec::new();
    for line in toml.lines() {
        if let Some(profile) = line.strip_prefix("profile   = ") {
            groups.push((profile.trim_matches('"').to_owned(), Vec::new()));
        }
        let Some(list) = line.strip_prefix("addresses = ") else { continue };
        for range in list.trim_matches(['[', ']']).split(", ") {
            let range = range.trim_matches('"');
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let bits = |ip: &str| ip.parse::<Ipv4Addr>().unwrap().to_bits();
            let group = groups.last_mut().unwrap();
            group.1.extend((bits(first)..=bits(last)).map(Ipv4Addr::from_bits));
        }
    }
    groups
}

#[test]
fn a_plan_has_exactly_the_decoys_asked_for_and_each_address_once() {
    for decoys in [1, 5, 6, 7, 60, 200, 4096] {
        let plan = Plan::of_profiles(decoys, &PROFILES);
        let all: Vec<_> = addresses(&plan.to_toml()).into_iter().flat_map(|(_, list)| list).collect();
        let different: BTreeSet<_> = all.iter().copied().collect();
        assert_eq!(all.len(), usize::try_from(decoys).unwrap(), "{decoys} decoys");
        assert_eq!(different.len(), all.len(), "{decoys} decoys: an address twice");
        assert_eq!(plan.decoys(), all.len());
        for taken in REAL_HOSTS.iter().map(|host| host.ip).chain([plan.intruder()]) {
            assert!(!different.contains(&taken), "{decoys} decoys: {taken} is not free");
        }
        let subnet: BTreeSet<_> = plan.swept_addresses().collect();
        assert!(decoys > 100 || different.is_subset(&subnet), "{decoys} decoys: outside {}", plan.subnet());
        assert!(different.iter().all(|ip| ip.octets()[..2] == [10, 77] && ip.octets()[3] != 0 || decoys > 100));
    }
}

#[test]
fn every_device_of_the_catalogue_lives_in_the_lab() {
    let groups = addresses(&Plan::of_profiles(60, &PROFILES).to_toml());
    let profiles: BTreeSet<_> = groups.iter().map(|(profile, _)| profile.as_str()).collect();
    assert_eq!(profiles, PROFILES.into_iter().collect());
    let count = |name: &str| groups.iter().find(|(profile, _)| profile == name).unwrap().1.len();
    assert!(count("workstation") > count("linux-server") && count("linux-server") > count("sailboat-navigation"));
}

#[test]
fn a_plan_is_the_same_every_time() {
    assert_eq!(Plan::of_profiles(60, &PROFILES).to_toml(), Plan::of_profiles(60, &PROFILES).to_toml());
}

#[test]
fn the_real_catalogue_makes_a_plan() {
    let devices = chaff_profiles::names(chaff_profiles::Folder::Devices).count();
    assert_eq!(addresses(&Plan::new(60).to_toml()).len(), devices);
}

#[test]
fn an_incident_is_read_from_its_line() {
    let line = r#"{"id":"0199","state":"open","severity":"medium","title":"nmap port scan of 214 decoys from 10.77.0.66",
        "source":{"ip":"10.77.0.66","mac":"52:54:00:6b:1e:66","hostname":null},"network":"lab","opened":"","updated":"",
        "observations":18230,"decoys":214,"ports":1000,"credentials":3,"tools":["nmap"],
        "techniques":["T1018","T1046"],"first_alarm_ms":42}"#;
    let incident = Incident::parse(line).unwrap();
    assert_eq!(incident.title, "nmap port scan of 214 decoys from 10.77.0.66");
    assert_eq!((incident.observations, incident.decoys, incident.ports, incident.credentials), (18230, 214, 1000, 3));
    assert_eq!(incident.first_alarm_ms, Some(42));
    assert_eq!(incident.counts(), "18230 observations, 214 decoys, 1000 ports, 3 logins");
    assert_eq!(incident.techniques, ["T1018", "T1046"]);
    assert_eq!(Incident::parse("not json"), None);
    assert_eq!(Incident::parse("{}"), None);
}

#[test]
fn growth_alone_is_no_news() {
    let first = Incident { severity: "low".to_owned(), decoys: 5, ..Incident::default() };
    let grown = Incident { decoys: 60, observations: 400, ..first.clone() };
    assert!(!grown.is_news_after(&first));
    assert!(Incident { severity: "medium".to_owned(), ..grown.clone() }.is_news_after(&first));
    assert!(Incident { tools: vec!["nmap".to_owned()], ..grown.clone() }.is_news_after(&first));
    let tried = Incident { credentials: 1, ..grown.clone() };
    assert!(tried.is_news_after(&first) && !Incident { credentials: 2, ..grown }.is_news_after(&tried));
}

#[test]
fn a_decoy_is_read_from_the_roster() {
    let decoy =
        product::parse_decoy(r#"{"name":"FS-07","ip":"10.77.0.16","mac":"x","profile":"linux-server"}"#).unwrap();
    assert_eq!(
        (decoy.name.as_str(), decoy.ip, decoy.profile.as_str()),
        ("FS-07", Ipv4Addr::new(10, 77, 0, 16), "linux-server")
    );
    let error = product::parse_decoy(r#"{"name":"FS-07"}"#).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the list of decoys: chaff check --json printed"), "{error}");
}

#[test]
fn what_dead_labs_left_is_removed_and_nothing_else() {
    let parent = tempfile::tempdir().unwrap();
    let folder = |name: &str, owner: Option<String>| {
        let path = parent.path().join(name);
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        fs::write(path.join("chaff.toml"), "").unwrap();
        if let Some(owner) = owner {
            fs::write(path.join("lab.owner"), owner).unwrap();
        }
        path
    };
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let start = own_start_time();
    let dead = folder("chaff-lab-1-0", Some(format!("{} 5\n", ended.id())));
    let reused = folder("chaff-lab-2-0", Some(format!("{} {}\n", std::process::id(), start + 1)));
    let alive = folder("chaff-lab-3-0", Some(format!("{} {start}\n", std::process::id())));
    let starting = folder("chaff-lab-4-0", None);
    let foreign = folder("somebody-else", Some("1 1".to_owned()));
    std::os::unix::fs::symlink(&foreign, parent.path().join("chaff-lab-5-0")).unwrap();
    remove_leavings(parent.path());
    assert!(!dead.exists() && !reused.exists());
    assert!(alive.exists() && starting.exists() && foreign.join("chaff.toml").exists());
}

fn own_start_time() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap()
}

#[test]
fn a_temporary_state_directory_is_private_and_goes_with_the_lab() {
    let state = StateDir::open(None).unwrap();
    let path = state.path().to_owned();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    remove_leavings(path.parent().unwrap());
    assert!(path.exists(), "a living lab's directory was taken for a leaving");
    drop(state);
    assert!(!path.exists());
}

#[test]
fn a_chosen_state_directory_stays() {
    let parent = tempfile::tempdir().unwrap();
    let chosen = parent.path().join("deep/er");
    let state = StateDir::open(Some(&chosen)).unwrap();
    assert_eq!(fs::metadata(&chosen).unwrap().permissions().mode() & 0o777, 0o700);
    drop(state);
    assert!(chosen.exists());
}
