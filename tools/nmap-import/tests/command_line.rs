//! The program as a person calls it, with the nmap that is installed here.

use std::{
    path::Path,
    process::{Command, Output},
};

use chaff_engine::personality::Personality;

const DATABASE: &str = "/usr/share/nmap/nmap-os-db";

fn import(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nmap-import")).args(words).output().unwrap()
}

fn complaint(words: &[&str]) -> String {
    let output = import(words);
    assert!(!output.status.success(), "{words:?} was accepted: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The database's first fingerprint: its line and name.
fn first() -> (String, String) {
    let listed = String::from_utf8(import(&["--db", DATABASE, "--list"]).stdout).unwrap();
    let (line, name) = listed.lines().next().unwrap().split_once('\t').unwrap();
    (line.to_owned(), name.to_owned())
}

fn personality(path: &Path) -> Personality {
    let personality: Personality = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    personality.check().unwrap();
    personality
}

#[test]
fn a_line_becomes_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (line, name) = first();
    let output = import(&["--db", DATABASE, "--line", &line, "--out-dir", folder.path().to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains(&name), "{said}");
    personality(&folder.path().join(format!("line-{line}.toml")));
}

#[test]
fn a_name_is_found_and_its_line_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (_, name) = first();
    let output = import(&["--db", DATABASE, "--name", &name, "--out-dir", folder.path().to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|file| file.path()).collect();
    assert_eq!(files.len(), 1);
    assert!(files[0].file_name().unwrap().to_str().unwrap().starts_with("line-"));
    personality(&files[0]);
}

#[test]
fn a_fingerprint_that_nmap_printed_becomes_a_file_named_after_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let printed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recordings/linux-6.18/nmap.txt");
    let output = import(&["--raw", printed.to_str().unwrap(), "--out-dir", folder.path().to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    personality(&folder.path().join("nmap.toml"));
}

#[test]
fn mistakes_say_what_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let (line, name) = first();
    let beside = (line.parse::<usize>().unwrap() + 1).to_string();
    let said = complaint(&["--db", DATABASE, "--line", &beside, "--out-dir", out]);
    assert!(
        said.contains(&format!("{DATABASE}:{beside}: no fingerprint begins here")) && said.contains(&name),
        "{said}"
    );
    let said = complaint(&["--db", DATABASE, "--name", "No such system", "--out-dir", out]);
    assert!(said.contains("no fingerprint is named `No such system`"), "{said}");
    let said = complaint(&["--db", "/nowhere/nmap-os-db", "--name", "x", "--out-dir", out]);
    assert!(said.contains("/nowhere/nmap-os-db"), "{said}");
    let said = complaint(&["--line", "1", "--out-dir", out]);
    assert!(said.contains("--db"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is written after a mistake");
}
