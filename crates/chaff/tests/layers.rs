//! Which of our crates builds on which, as ARCHITECTURE.md's code map says.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// Every crate with those of ours that it names, lowest first. One that only development needs is none of them.
const LAYERS: [(&str, &[&str]); 11] = [
    ("wire", &[]),
    ("events", &["wire"]),
    ("services", &["events", "wire"]),
    ("engine", &["events", "services", "wire"]),
    ("unikernel", &["engine", "events"]),
    ("config", &["events"]),
    ("profiles", &["config", "engine", "events", "services"]),
    ("sensor", &["unikernel", "engine", "events", "wire"]),
    ("hub", &["events"]),
    ("lab", &[]),
    ("chaff", &["config", "engine", "events", "hub", "lab", "profiles", "sensor"]),
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// What `cargo tree` says that a crate is linked with, `depth` steps down, itself left out.
fn linked(name: &str, depth: &str) -> BTreeSet<String> {
    let package = if name == "chaff" { name.to_owned() } else { format!("chaff-{name}") };
    let tree = ["tree", "-e", "normal", "--prefix", "none", "--offline", "--locked", "--depth", depth, "-p", &package];
    let output = Command::new(env!("CARGO")).args(tree).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().skip(1).filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn ours(linked: &BTreeSet<String>) -> BTreeSet<&str> {
    linked.iter().filter_map(|name| name.strip_prefix("chaff-")).collect()
}

#[test]
fn a_lower_crate_never_names_an_upper_one() {
    let mut below: Vec<&str> = Vec::new();
    for (name, names) in LAYERS {
        assert!(names.iter().all(|named| below.contains(named)), "{name} names a crate above it");
        below.push(name);
        assert_eq!(ours(&linked(name, "1")), names.iter().copied().collect(), "{name}");
    }
    let entries = fs::read_dir(root().join("crates")).expect("the crates").flatten();
    let crates: BTreeSet<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let known: BTreeSet<_> = below.into_iter().chain(["testkit"]).map(str::to_owned).collect();
    assert_eq!(crates, known, "a crate without a place in the layers");
}

#[test]
fn the_hub_links_neither_engine_nor_services() {
    let hub = linked("hub", "100");
    assert!(hub.contains("rusqlite") && hub.contains("libsqlite3-sys"), "this is the whole tree: {hub:?}");
    assert_eq!(ours(&hub), BTreeSet::from(["events", "wire"]));
}

#[test]
fn a_runtime_and_a_database_are_in_the_hub_alone() {
    for name in ["wire", "events", "services", "engine", "config", "profiles", "sensor", "lab"] {
        let linked = linked(name, "100");
        for foreign in ["tokio", "rusqlite", "reqwest"] {
            assert!(!linked.contains(foreign), "{name} links {foreign}");
        }
    }
}
