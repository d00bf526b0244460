use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::*;
use crate::{
    compile,
    database::{self, Test},
};

/// Where Debian puts the database. Tests may read the copy that is installed on the machine.
const DATABASE: &str = "/usr/share/nmap/nmap-os-db";
/// What differs between two hosts with the same stack: statistics of random numbers.
const DRAWN: [&str; 3] = ["SP", "ISR", "GCD"];

#[test]
fn nearly_every_fingerprint_of_the_installed_database_holds() {
    let entries = database::read(Path::new(DATABASE)).expect("nmap is not installed: run `cargo xtask tools`");
    let wrong = |entry: &&database::Entry| {
        let personality = compile::compile(entry, "it", "").personality;
        personality.check().unwrap_or_else(|flaw| panic!("line {}: {flaw}", entry.line));
        !check(entry, &personality).is_empty()
    };
    // A quarter of it, to be quick; `nmap-import --list --check` looks at all.
    let some: Vec<&database::Entry> = entries.iter().step_by(4).collect();
    let failed: Vec<usize> = some.iter().filter(|entry| wrong(entry)).map(|entry| entry.line).collect();
    assert!(some.len() > 500 && failed.len() * 200 <= some.len(), "{failed:?} of {}", some.len());
}

#[test]
fn what_is_seen_of_a_system_of_the_catalogue_comes_out_of_the_importer_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/systems");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut looked_at = 0;
    for file in files {
        // One that has a base is not complete without it.
        let text = std::fs::read_to_string(&file).unwrap();
        let Ok(original) = toml::from_str::<Personality>(&text) else { continue };
        let seen = Rehearsal::new(&original, 1).round(100);
        let printed: String = seen.iter().map(|(name, test)| shown(name, test)).collect();
        let entry = compile::widened(database::raw(&printed, "raw").unwrap());
        let imported = compile::compile(&entry, "raw", "measured: itself").personality;
        let again = Rehearsal::new(&imported, 2).round(100);
        let wanted: BTreeMap<String, Test> = seen.into_iter().collect();
        for (name, test) in again {
            for (attribute, value) in test.iter().filter(|(attribute, _)| !DRAWN.contains(&attribute.as_str())) {
                let Some(wanted) = wanted[&name].get(attribute) else { continue };
                // Random 32-bit timestamps have no rate that two scans agree about.
                let unsteady = attribute == "TS" && ["20", "21", "22"].contains(&wanted.as_str());
                assert!(value == wanted || unsteady, "{}: {name}.{attribute}: {value}, not {wanted}", file.display());
            }
        }
        looked_at += 1;
    }
    assert!(looked_at >= 12, "{looked_at}");
}

#[test]
fn a_personality_that_contradicts_its_fingerprint_is_noticed() {
    let entry = database::raw("T1(R=Y%DF=Y%T=40%S=O%A=S+%F=AS%RD=0%Q=)U1(R=Y%T=40)T5(R=Y%F=AR%T=40)", "raw").unwrap();
    let mut personality = compile::compile(&entry, "raw", "").personality;
    assert_eq!(check(&entry, &personality), Vec::<String>::new());
    personality.ip.df = false;
    let said = check(&entry, &personality);
    assert_eq!(said, ["cannot hold: T1.DF=N, not Y (100 ms)"]);
}

fn shown(name: &str, test: &Test) -> String {
    let fields: Vec<String> = test.iter().map(|(attribute, value)| format!("{attribute}={value}")).collect();
    format!("{name}({})\n", fields.join("%"))
}
