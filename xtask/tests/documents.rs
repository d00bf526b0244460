//! What the documents promise names a test and the file that it is in: both must be there.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Documents whose statements name what shows them.
const DOCUMENTS: [&str; 2] = ["ARCHITECTURE.md", "docs/threat-model.md"];
/// Folders with sources.
const SOURCES: [&str; 4] = ["crates", "fuzz/targets", "tools", "xtask"];
/// Words of a name from which on it is that of a test.
const WORDS: usize = 4;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            all.push(path);
        }
    }
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn is_name_of_a_test(word: &str) -> bool {
    let is_snake = word.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_');
    is_snake && word.split('_').filter(|part| !part.is_empty()).count() >= WORDS
}

#[test]
fn every_test_and_file_that_a_document_names_is_there() {
    let mut files = Vec::new();
    SOURCES.iter().for_each(|folder| sources(&root().join(folder), &mut files));
    let code: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let (mut missing, mut names) = (Vec::new(), 0);
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for word in quoted(&text) {
            let there = if is_name_of_a_test(word) {
                names += 1;
                code.contains(&format!("fn {word}("))
            } else if word.ends_with(".rs") && !word.contains(['*', ' ', '{', '<']) {
                files.iter().any(|file| file.ends_with(word) || file.to_string_lossy().ends_with(word))
            } else {
                true
            };
            if !there {
                missing.push(format!("{document}: {word}"));
            }
        }
    }
    assert!(names > 100, "{names} names of tests");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
