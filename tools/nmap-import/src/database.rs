//! The syntax of `nmap-os-db`, and of a fingerprint as nmap prints it behind `OS:`.

use std::{collections::BTreeMap, fs, path::Path};

/// One test of a fingerprint: attributes and their expressions.
pub(crate) type Test = BTreeMap<String, String>;

/// One fingerprint.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Line on which it begins; 0 for one that is in no file.
    pub(crate) line: usize,
    pub(crate) name: String,
    /// The `Class` lines, as they are.
    pub(crate) classes: Vec<String>,
    pub(crate) tests: BTreeMap<String, Test>,
}

/// The tests that a fingerprint may have, in nmap's order.
pub(crate) const TESTS: [&str; 13] = ["SEQ", "OPS", "WIN", "ECN", "T1", "T2", "T3", "T4", "T5", "T6", "T7", "U1", "IE"];

impl Entry {
    /// The expression of an attribute; `None` where the fingerprint says nothing of it.
    pub(crate) fn get(&self, test: &str, attribute: &str) -> Option<&str> {
        self.tests.get(test)?.get(attribute).map(String::as_str)
    }

    /// Whether a test says that there is no answer.
    pub(crate) fn silent(&self, test: &str) -> bool {
        self.get(test, "R") == Some("N")
    }
}

/// Reads a database.
///
/// # Errors
/// Where the file cannot be read, or is none: file, line and what is wrong.
pub(crate) fn read(path: &Path) -> Result<Vec<Entry>, String> {
    // The names hold a few octets that are not UTF-8.
    let octets = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&String::from_utf8_lossy(&octets)).map_err(|(line, what)| format!("{}:{line}: {what}", path.display()))
}

fn parse(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let mut entries: Vec<Entry> = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end())) {
        let at = |what: String| (number, what);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("Fingerprint ") {
            entries.push(Entry { line: number, name: name.into(), classes: Vec::new(), tests: BTreeMap::new() });
            continue;
        }
        if line.starts_with("MatchPoints") {
            // Points decide how near a guess is; a match is one with all of them.
            continue;
        }
        let Some(entry) = entries.last_mut() else {
            match test(line) {
                Ok(_) => continue,
                Err(_) => return Err(at("expected `Fingerprint NAME` or `MatchPoints`; is this nmap-os-db?".into())),
            }
        };
        if let Some(class) = line.strip_prefix("Class ") {
            entry.classes.push(class.into());
        } else if !line.starts_with("CPE ") {
            let (name, attributes) = test(line).map_err(at)?;
            if entry.tests.insert(name.clone(), attributes).is_some() {
                return Err(at(format!("the fingerprint of line {} has {name} twice", entry.line)));
            }
        }
    }
    if entries.is_empty() {
        return Err((1, "there is no fingerprint in this file".into()));
    }
    Ok(entries)
}

/// Reads `T1(R=Y%DF=Y)`.
fn test(line: &str) -> Result<(String, Test), String> {
    let inside = line.split_once('(').and_then(|(name, rest)| Some((name, rest.strip_suffix(')')?)));
    let (name, inside) = inside.ok_or_else(|| format!("expected a test like `T1(R=Y%DF=N)`, found `{line}`"))?;
    if !TESTS.contains(&name) {
        return Err(format!("`{name}` is no test; there are {}", TESTS.join(" ")));
    }
    let mut attributes = Test::new();
    for part in inside.split('%').filter(|part| !part.is_empty()) {
        let (key, value) =
            part.split_once('=').ok_or_else(|| format!("expected `NAME=VALUE` in {name}, found `{part}`"))?;
        attributes.insert(key.into(), value.into());
    }
    Ok((name.into(), attributes))
}

/// Reads the fingerprint out of nmap's output: the lines behind `OS:`, or one test a line. Where nmap saw different
/// things in its rounds it prints a test twice; the first is taken.
///
/// # Errors
/// When there is none.
pub(crate) fn raw(text: &str, name: &str) -> Result<Entry, String> {
    let mut entry = Entry { line: 0, name: name.into(), classes: Vec::new(), tests: BTreeMap::new() };
    for (name, attributes) in observed(text) {
        entry.tests.entry(name).or_insert(attributes);
    }
    if entry.tests.is_empty() {
        return Err("there is no fingerprint: expected lines that begin with `OS:`, as `nmap -O -d` prints them".into());
    }
    Ok(entry)
}

/// All tests that nmap printed, in its order.
pub(crate) fn observed(text: &str) -> Vec<(String, Test)> {
    let wrapped: String = text.lines().filter_map(|line| line.trim().strip_prefix("OS:")).map(str::trim_end).collect();
    let joined = if wrapped.is_empty() {
        text.lines().map(str::trim).filter(|line| line.ends_with(')')).collect()
    } else {
        wrapped
    };
    // SCAN, which says how it was scanned, is no test.
    joined.split_inclusive(')').filter_map(|part| test(part.trim()).ok()).collect()
}

#[cfg(test)]
mod tests;
