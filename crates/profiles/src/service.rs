//! Files of `profiles/services/`: application servers as one particular product speaks them.

use chaff_config::{Problem, Reader, Table};
use chaff_services::{ServiceKind, ServiceSpec};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    example::{self, Example},
    loader::{Document, typed},
    script,
};

/// What stands for the package's revision in the texts of a service.
const REVISION: &str = "{revision}";

/// A server.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// What it was found by: its name in the catalogue, or `file:…`. Two files may claim the same name.
    pub(crate) reference: String,
    pub(crate) name: String,
    pub(crate) title: String,
    /// Families of personalities that it runs on; empty: any.
    pub(crate) families: Vec<String>,
    /// Kinds of devices that it runs on; empty: any.
    pub(crate) classes: Vec<String>,
    /// Revisions of the package, and what the server says as each; one without a name where there are none.
    pub(crate) variants: Vec<(String, ServiceKind)>,
    /// Dialogues that show what it does.
    pub(crate) examples: Vec<Example>,
}

impl Service {
    pub(crate) fn from_document(document: Document<'_>) -> Result<Self, Vec<Problem>> {
        let Document { source, stem, head, mut entries } = document;
        let kind = entries.remove("kind");
        let example = entries.remove("example");
        let mut reader = Reader::new(source);
        let table = Table::of(entries, head.clone(), "the service");
        reader.keys(&table, &["name", "title", "families", "classes", "revisions", "tier", "source", "kind"]);
        let name = reader.name(&table, "name").map_or(stem, |n| n.value);
        reader.text(&table, "source");
        if let Some(tier) = reader.text(&table, "tier").filter(|tier| !["A", "B"].contains(&tier.value.as_str())) {
            let help = "write \"A\" (a recording proves it) or \"B\" (documents say so)";
            reader.wrong(tier.span, "no such tier", "this one", help);
        }
        let revisions = words(&mut reader, &table, "revisions");
        let examples = example::read(&mut reader, example);
        let mut variants = Vec::new();
        match &kind {
            None => reader.wrong(
                head.clone(),
                "the service has no `kind`",
                "this one",
                "write kind = \"echo\", or a table such as [kind.banner], [kind.http] or [kind.script]",
            ),
            Some(kind) => {
                let names = if revisions.is_empty() { vec![String::new()] } else { revisions };
                for revision in names {
                    match of_kind(source, kind, &revision) {
                        Ok(kind) => variants.push((revision, kind)),
                        Err(problems) => {
                            problems.into_iter().for_each(|problem| reader.note(problem));
                            break;
                        }
                    }
                }
            }
        }
        let service = Self {
            reference: name.clone(),
            title: reader.text(&table, "title").map_or_else(|| name.clone(), |t| t.value),
            families: words(&mut reader, &table, "families"),
            classes: words(&mut reader, &table, "classes"),
            name,
            variants,
            examples,
        };
        let problems = reader.into_problems();
        if problems.is_empty() { Ok(service) } else { Err(problems) }
    }

    /// The revision of that name, by its place.
    pub(crate) fn variant(&self, revision: &str) -> Option<usize> {
        self.variants.iter().position(|(name, _)| name == revision)
    }

    /// What an engine needs of one revision.
    pub(crate) fn spec(&self, variant: usize) -> Option<ServiceSpec> {
        let (revision, kind) = self.variants.get(variant)?;
        let name = if revision.is_empty() { self.name.clone() } else { format!("{}@{revision}", self.name) };
        Some(ServiceSpec { name, kind: kind.clone() })
    }
}

fn words(reader: &mut Reader, table: &Table<'_>, key: &str) -> Vec<String> {
    let texts = reader.texts(table, key);
    texts.map_or_else(Vec::new, |t| t.value.into_iter().map(|w| w.value).collect())
}

fn of_kind(
    source: &std::sync::Arc<chaff_config::SourceFile>,
    kind: &Spanned<DeValue<'_>>,
    revision: &str,
) -> Result<ServiceKind, Vec<Problem>> {
    #[derive(serde::Deserialize)]
    struct Holder {
        kind: ServiceKind,
    }
    let mut kind = kind.clone();
    fill_in(kind.get_mut(), revision);
    if let Some(script) = kind.get_ref().as_table().filter(|t| t.len() == 1).and_then(|t| t.get("script")) {
        return script::read(source, script).map(|script| ServiceKind::Script(script.into()));
    }
    let span = kind.span();
    let key = Spanned::new(span.clone(), "kind".into());
    let entries: DeTable<'_> = [(key, kind)].into_iter().collect();
    typed::<Holder>(source, entries, span).map(|holder| holder.kind).map_err(|problem| vec![problem])
}

fn fill_in(value: &mut DeValue<'_>, revision: &str) {
    match value {
        DeValue::String(text) if text.contains(REVISION) => *text = text.replace(REVISION, revision).into(),
        DeValue::Array(array) => array.iter_mut().for_each(|item| fill_in(item.get_mut(), revision)),
        DeValue::Table(table) => table.iter_mut().for_each(|(_, value)| fill_in(value.get_mut(), revision)),
        _ => {}
    }
}
