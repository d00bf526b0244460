//! Files of `profiles/systems/`: personalities.

use chaff_config::Problem;
use chaff_engine::personality::Personality;
use toml::{Spanned, de::DeValue};

use crate::loader::{Document, typed};

/// What the source of a group of values may begin with.
const ORIGINS: [&str; 6] = ["measured:", "code:", "rfc:", "vendor:", "published:", "fitted:"];

/// Reads a personality. One that gives itself no name has its file's.
pub(crate) fn from_document(document: Document<'_>) -> Result<Personality, Vec<Problem>> {
    let Document { source, stem, head, mut entries, .. } = document;
    let problems: Vec<Problem> = entries
        .iter()
        .filter_map(|(_, value)| match value.get_ref() {
            DeValue::Table(group) => group.get("source"),
            _ => None,
        })
        .filter(|origin| origin.get_ref().as_str().is_some_and(|o| !ORIGINS.iter().any(|word| o.starts_with(word))))
        .map(|origin| {
            let help = format!("begin with one of {}", ORIGINS.join(" "));
            Problem::new("this source does not say of what kind it is").at(source, origin.span(), "here").help(help)
        })
        .collect();
    if !entries.contains_key("name") {
        let name = Spanned::new(head.clone(), DeValue::String(stem.into()));
        entries.insert(Spanned::new(head.clone(), "name".into()), name);
    }
    match typed(source, entries, head) {
        Ok(personality) if problems.is_empty() => Ok(personality),
        Ok(_) => Err(problems),
        Err(problem) => Err(problems.into_iter().chain([problem]).collect()),
    }
}
