//! Finds a file of the catalogue or of the user, and lays it over its base.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use chaff_config::{Problem, Reader, SourceFile, nearest};
use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::catalogue::{Folder, names};

/// Octets of a profile, personality or service at most: a web page or two, not an archive.
pub(crate) const MAX_OCTETS: u64 = 1024 * 1024;

/// What begins the name of a file of the user's own.
const FILE: &str = "file:";

/// A file together with what it took from its base.
pub(crate) struct Document<'t> {
    pub(crate) source: &'t Arc<SourceFile>,
    /// Name by the file, for those that do not give one.
    pub(crate) stem: String,
    /// Where what lacks is told.
    pub(crate) head: Range<usize>,
    pub(crate) entries: DeTable<'t>,
    /// It is of the catalogue, not of the user.
    pub(crate) is_shipped: bool,
}

/// Where a name was written: its file and its place.
pub(crate) struct Mention<'a> {
    pub(crate) source: &'a Arc<SourceFile>,
    pub(crate) span: Range<usize>,
}

impl Mention<'_> {
    pub(crate) fn problem(&self, message: impl Into<String>, label: &str) -> Problem {
        Problem::new(message).at(self.source, self.span.clone(), label)
    }
}

/// Reads what `name` means, from the catalogue or, after `file:`, from a file below `directory`, and gives it to
/// `make`.
pub(crate) fn open<T>(
    folder: Folder,
    name: &str,
    directory: &Path,
    at: &Mention<'_>,
    make: impl FnOnce(Document<'_>) -> Result<T, Vec<Problem>>,
) -> Result<T, Vec<Problem>> {
    let (source, stem) = find(folder, name, directory, at)?;
    read(folder, &source, (stem, !name.starts_with(FILE)), directory, make)
}

/// Reads a file of the user's that is known by its path.
pub(crate) fn open_file<T>(
    folder: Folder,
    path: &Path,
    directory: &Path,
    make: impl FnOnce(Document<'_>) -> Result<T, Vec<Problem>>,
) -> Result<T, Vec<Problem>> {
    let source = SourceFile::open(path, MAX_OCTETS).map_err(|p| vec![p])?;
    read(folder, &source, (stem_of(path), false), directory, make)
}

/// The text of a file as a table, without its base, and where what lacks is told.
pub(crate) fn parse(source: &Arc<SourceFile>) -> Result<(DeTable<'_>, Range<usize>), Vec<Problem>> {
    let mut reader = Reader::new(source);
    let table = reader.document(source.text(), "the file");
    let Some(table) = table else { return Err(reader.into_problems()) };
    let span = table.span();
    Ok((table.into_entries(), span))
}

/// Turns a document, or what is left of it, into a type; what does not fit is told at its place.
pub(crate) fn typed<T: DeserializeOwned>(
    source: &Arc<SourceFile>,
    entries: DeTable<'_>,
    head: Range<usize>,
) -> Result<T, Problem> {
    let whole = Spanned::new(head.clone(), entries);
    T::deserialize(toml::de::Deserializer::from(whole)).map_err(|error| misfit(source, &error, head))
}

fn find(
    folder: Folder,
    name: &str,
    directory: &Path,
    at: &Mention<'_>,
) -> Result<(Arc<SourceFile>, String), Vec<Problem>> {
    if let Some(path) = name.strip_prefix(FILE) {
        let path = directory.join(path);
        let source = SourceFile::open(&path, MAX_OCTETS).map_err(|error| {
            let help = "paths after `file:` are relative to the folder of chaff.toml";
            vec![at.problem(error.message(), "named here").help(help)]
        })?;
        return Ok((source, stem_of(&path)));
    }
    if let Some(text) = folder.text(name) {
        return Ok((SourceFile::new(format!("<{}>/{name}.toml", folder.noun()), text), name.to_owned()));
    }
    let noun = folder.noun();
    let help = match nearest(name, names(folder)) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("`chaff profiles list` prints the names; a file of your own is `{FILE}PATH`"),
    };
    Err(vec![at.problem(format!("unknown {noun} `{name}`"), "here").help(help)])
}

fn read<T>(
    folder: Folder,
    source: &Arc<SourceFile>,
    (stem, is_shipped): (String, bool),
    directory: &Path,
    make: impl FnOnce(Document<'_>) -> Result<T, Vec<Problem>>,
) -> Result<T, Vec<Problem>> {
    let (mut entries, head) = parse(source)?;
    let base = entries.remove("base");
    let named = base.as_ref().map_or(0..0, Spanned::span);
    let base = base.map(|base| base_of(folder, source, &base, directory)).transpose()?;
    if folder == Folder::Services
        && base.is_some()
        && let Some((kind, _)) = entries.get_key_value("kind")
    {
        let at = Mention { source, span: kind.span() };
        let help = "leave `kind` out, or copy the base and change the copy";
        return Err(vec![at.problem("a service with a base takes its `kind` from there", "here").help(help)]);
    }
    if let Some(base) = &base {
        lay_over(&mut entries, parse(base)?.0, &named);
    }
    make(Document { source, stem, head, entries, is_shipped })
}

/// The file that `base` names; it must not have a base itself.
fn base_of(
    folder: Folder,
    source: &Arc<SourceFile>,
    base: &Spanned<DeValue<'_>>,
    directory: &Path,
) -> Result<Arc<SourceFile>, Vec<Problem>> {
    let at = Mention { source, span: base.span() };
    let DeValue::String(name) = base.get_ref() else {
        return Err(vec![at.problem("`base` must be a string", "here").help("write base = \"NAME\"")]);
    };
    let (found, _) = find(folder, name, directory, &at)?;
    if parse(&found)?.0.contains_key("base") {
        let message = format!("the base `{name}` has a base itself");
        let help = "name that one, and say here what differs from it";
        return Err(vec![at.problem(message, "here").help(help)]);
    }
    Ok(found)
}

/// Lays a document over its base: what the document has stays, and groups are joined key by key. Values inside a
/// group are taken whole, so that a rule of one kind never mixes with a rule of another. What comes from the base gets
/// the place where the base is `named`, so that a complaint about it points into the document at hand. A base's name is
/// not the document's, and that a recording proves the base says nothing of what was changed.
pub(crate) fn lay_over<'t>(entries: &mut DeTable<'t>, base: DeTable<'t>, named: &Range<usize>) {
    for (key, below) in base {
        if matches!(key.get_ref().as_ref(), "name" | "tier") {
            continue;
        }
        let key = Spanned::new(named.clone(), key.into_inner());
        let below = placed(below, named);
        match (entries.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), below) {
            (None, below) => {
                entries.insert(key, below);
            }
            (Some(DeValue::Table(group)), below) => {
                if let DeValue::Table(below) = below.into_inner() {
                    for (key, value) in below {
                        group.entry(key).or_insert(value);
                    }
                }
            }
            (Some(_), _) => {}
        }
    }
}

/// A value as if all of it stood at one place.
fn placed<'t>(value: Spanned<DeValue<'t>>, place: &Range<usize>) -> Spanned<DeValue<'t>> {
    let value = match value.into_inner() {
        DeValue::Table(table) => {
            let at =
                |(key, value): (Spanned<_>, _)| (Spanned::new(place.clone(), key.into_inner()), placed(value, place));
            DeValue::Table(table.into_iter().map(at).collect())
        }
        DeValue::Array(array) => DeValue::Array(array.into_iter().map(|item| placed(item, place)).collect()),
        scalar => scalar,
    };
    Spanned::new(place.clone(), value)
}

fn stem_of(path: &Path) -> String {
    let stem = PathBuf::from(path.file_stem().unwrap_or(path.as_os_str()));
    stem.display().to_string()
}

/// An error of serde, with the nearest right word if it is about a wrong one.
fn misfit(source: &Arc<SourceFile>, error: &toml::de::Error, head: Range<usize>) -> Problem {
    let message = error.message().trim_end().to_owned();
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let help = match words.split_first() {
        Some((wrong, right)) if message.starts_with("unknown") => match nearest(wrong, right.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("the right words here are {}", right.join(", ")),
        },
        _ if message.starts_with("missing") => "add it, or name a `base` that has it".to_owned(),
        _ => "compare with `chaff profiles show` of a file of the same kind".to_owned(),
    };
    let short =
        if message.starts_with("unknown") { message.split(", expected").next().unwrap_or("") } else { &message };
    Problem::new(short).at(source, error.span().unwrap_or(head), "here").help(help)
}
