//! Files of `profiles/services/`: application servers as one particular product speaks them.

use std::sync::Arc;

use chaff_config::{Problem, Reader, Table, nearest};
use chaff_services::{ServiceKind, ServiceSpec, TlsSpec};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    catalogue::{tls, tls_names},
    example::{self, Example},
    loader::{Document, Mention, lay_over, typed},
    script,
};

/// What stands for the package's revision in the texts of a service.
const REVISION: &str = "{revision}";

const HELP_TIER: &str = "write \"A\" (a recording proves it) or \"B\" (documents say so)";

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
    /// The TLS that it is wrapped in, if any.
    pub(crate) tls: Option<Arc<TlsSpec>>,
    /// Dialogues that show what it does.
    pub(crate) examples: Vec<Example>,
}

impl Service {
    pub(crate) fn from_document(document: Document<'_>) -> Result<Self, Vec<Problem>> {
        let Document { source, stem, head, mut entries, is_shipped } = document;
        let kind = entries.remove("kind");
        let tls = entries.remove("tls");
        let example = entries.remove("example");
        let mut reader = Reader::new(source);
        let table = Table::of(entries, head.clone(), "the service");
        reader.keys(&table, &["name", "title", "families", "classes", "revisions", "tier", "source", "kind"]);
        let name = reader.name(&table, "name").map_or(stem, |n| n.value);
        reader.text(&table, "source");
        if is_shipped {
            reader.missing(&table, "tier", HELP_TIER);
        }
        if let Some(tier) = reader.text(&table, "tier").filter(|tier| !["A", "B"].contains(&tier.value.as_str())) {
            reader.wrong(tier.span, "no such tier", "this one", HELP_TIER);
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
        let tls = tls.and_then(|tls| match tls_of(source, tls) {
            Ok(tls) => Some(Arc::new(tls)),
            Err(problem) => {
                reader.note(problem);
                None
            }
        });
        let service = Self {
            tls,
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
        Some(ServiceSpec { name, kind: kind.clone(), tls: self.tls.clone() })
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

/// The table `[tls]`, over the base that it names.
fn tls_of(source: &Arc<chaff_config::SourceFile>, table: Spanned<DeValue<'_>>) -> Result<TlsSpec, Problem> {
    let span = table.span();
    let DeValue::Table(mut entries) = table.into_inner() else {
        return Err(Mention { source, span }.problem("`tls` must be a table", "here").help("write [tls]"));
    };
    if let Some(base) = entries.remove("base") {
        let at = Mention { source, span: base.span() };
        let name = base.get_ref().as_str().unwrap_or_default();
        let Some(text) = tls(name) else {
            let help = match nearest(name, tls_names()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("there are {}", tls_names().collect::<Vec<_>>().join(", ")),
            };
            return Err(at.problem(format!("unknown base `{name}` of a `tls` table"), "here").help(help));
        };
        let below = DeTable::parse(text)
            .map_err(|error| at.problem(format!("the base `{name}` does not read: {}", error.message()), "here"))?;
        lay_over(&mut entries, below.into_inner(), &base.span());
    }
    let spec = typed(source, entries, span.clone())?;
    match lacks(&spec) {
        Some(what) => {
            let problem =
                Mention { source, span }.problem(format!("nobody could speak to it: the table has no {what}"), "here");
            Err(problem
                .help(format!("begin it with a base, such as base = \"{}\"", tls_names().next().unwrap_or_default())))
        }
        None => Ok(spec),
    }
}

/// What every handshake needs and the table does not say.
fn lacks(spec: &TlsSpec) -> Option<&'static str> {
    let empty = [
        ("`versions`", spec.versions.is_empty()),
        ("`suites`", spec.suites.is_empty()),
        ("`groups`", spec.groups.is_empty()),
        ("`signatures`", spec.signatures.is_empty()),
        ("`subject` of its `certificate`", spec.certificate.subject.is_empty()),
        ("`valid-days` of its `certificate`", spec.certificate.valid_days == 0),
    ];
    empty.into_iter().find(|(_, is_empty)| *is_empty).map(|(what, _)| what)
}

fn fill_in(value: &mut DeValue<'_>, revision: &str) {
    match value {
        DeValue::String(text) if text.contains(REVISION) => *text = text.replace(REVISION, revision).into(),
        DeValue::Array(array) => array.iter_mut().for_each(|item| fill_in(item.get_mut(), revision)),
        DeValue::Table(table) => table.iter_mut().for_each(|(_, value)| fill_in(value.get_mut(), revision)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
