//! In what a fingerprint that nmap printed differs from one of its database.

use crate::{
    database::{Entry, Test, observed},
    expression,
};

/// A sentence for each attribute that does not fit. Only what both sides speak of is compared, as nmap does.
pub(crate) fn of(entry: &Entry, text: &str) -> Vec<String> {
    between(entry, observed(text))
}

/// The same for tests that were not printed.
pub(crate) fn between(entry: &Entry, tests: Vec<(String, Test)>) -> Vec<String> {
    let mut said = Vec::new();
    for (test, seen) in tests {
        for (attribute, value) in &seen {
            let Some(wanted) = entry.get(&test, attribute) else { continue };
            let fits = if wanted.contains('[') { expression::strict } else { expression::quirky };
            if !fits(wanted, value) {
                said.push(format!("{test}.{attribute}={value}, not {wanted}"));
            }
        }
    }
    said.dedup();
    said
}
