//! `chaff profiles`: the catalogue for a person.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
};

use chaff_config::{Diagnostics, Problem, SourceFile, nearest};
use toml::de::{DeTable, DeValue};

use crate::{
    catalogue::{Folder, names},
    compile,
    device::Device,
    example,
    loader::{MAX_OCTETS, Mention, open, open_file, parse},
    service::Service,
    system,
};

/// Why [`show`] showed nothing.
#[derive(Debug)]
pub enum ShowError {
    /// No profile, personality or service has that name; the nearest that exists, if any is near.
    Unknown(Option<&'static str>),
    /// The writer failed.
    Io(io::Error),
}

impl fmt::Display for ShowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(Some(word)) => {
                write!(f, "no profile, personality or service has that name; did you mean `{word}`?")
            }
            Self::Unknown(None) => {
                write!(f, "no profile, personality or service has that name; see `chaff profiles list`")
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ShowError {}

impl From<io::Error> for ShowError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Keys that only personalities have.
const SYSTEM_KEYS: [&str; 11] =
    ["family", "ip", "ip-id", "isn", "timestamps", "tcp", "open", "closed", "connection", "icmp", "arp"];

const FOLDERS: [Folder; 3] = [Folder::Devices, Folder::Systems, Folder::Services];

/// Prints the names of the catalogue with what they stand for.
///
/// # Errors
/// What the writer says.
pub fn list(out: &mut impl Write) -> io::Result<()> {
    for (folder, title) in FOLDERS.into_iter().zip(["profiles", "personalities", "services"]) {
        writeln!(out, "{title}")?;
        let width = names(folder).map(str::len).max().unwrap_or(0);
        for name in names(folder) {
            writeln!(out, "  {name:<width$}  {}", title_of(folder, name))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Prints every profile, personality and service of that name; groups of values with where they come from.
///
/// # Errors
/// No such name, or what the writer says.
pub fn show(name: &str, out: &mut impl Write) -> Result<(), ShowError> {
    let mut found = false;
    for folder in FOLDERS {
        if let Some(text) = folder.text(name) {
            found = true;
            writeln!(out, "{} {name}\n", folder.noun())?;
            let source = SourceFile::new(name, text);
            if let Ok((entries, _)) = parse(&source) {
                print_table(&entries, "", out)?;
            }
            writeln!(out)?;
        }
    }
    if found { Ok(()) } else { Err(ShowError::Unknown(nearest(name, FOLDERS.into_iter().flat_map(names)))) }
}

/// Reads a file of the user's as what it looks like: a service has a `kind`, a personality has groups like `[tcp]`, the
/// rest are profiles. What a profile refers to is read too, relative to the file's folder, and its coherence is
/// checked. Says on `out` what the file is.
///
/// # Errors
/// Every mistake in it.
pub fn check_file(path: &Path, out: &mut impl Write) -> Result<(), Diagnostics> {
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    let folder = guess(path)?;
    let read = match folder {
        Folder::Devices => open_file(folder, path, directory, Device::from_document).and_then(|device| {
            let problems = compile::check_device(&device, path);
            if problems.is_empty() { Ok((device.name, 0)) } else { Err(problems) }
        }),
        Folder::Systems => open_file(folder, path, directory, |d| Ok((system::from_document(d)?.name, 0))),
        Folder::Services => open_file(folder, path, directory, |document| {
            let source = document.source;
            let service = Service::from_document(document)?;
            let spec = service.spec(0);
            let problems = spec.map_or_else(Vec::new, |spec| example::play(source, &spec, &service.examples));
            if problems.is_empty() { Ok((service.name, service.examples.len())) } else { Err(problems) }
        }),
    };
    match read {
        Ok((name, examples)) => {
            let more = match examples {
                0 => String::new(),
                1 => ", and so is its example".into(),
                many => format!(", and so are its {many} examples"),
            };
            writeln!(out, "{}: the {} `{name}` is in order{more}", path.display(), folder.noun())
                .map_err(|e| failed(&e))
        }
        Err(problems) => Diagnostics::unless_empty(problems),
    }
}

fn failed(error: &io::Error) -> Diagnostics {
    Problem::new(format!("cannot print: {error}")).into()
}

/// What kind of file it is, by its keys; one that says little, by its base.
fn guess(path: &Path) -> Result<Folder, Diagnostics> {
    let source = SourceFile::open(path, MAX_OCTETS)?;
    let (entries, _) = match parse(&source) {
        Ok(parsed) => parsed,
        Err(problems) => return Diagnostics::unless_empty(problems).map(|()| Folder::Devices),
    };
    let has = |keys: &[&str]| keys.iter().any(|key| entries.contains_key(*key));
    let base = entries.get("base").and_then(|b| b.get_ref().as_str());
    Ok(if has(&["kind"]) {
        Folder::Services
    } else if has(&SYSTEM_KEYS) || base.is_some_and(|b| Folder::Systems.text(b).is_some()) {
        Folder::Systems
    } else {
        Folder::Devices
    })
}

fn title_of(folder: Folder, name: &str) -> String {
    let source = SourceFile::new(name, "");
    let at = Mention { source: &source, span: 0..0 };
    let here = Path::new("");
    let title = match folder {
        Folder::Devices => open(folder, name, here, &at, |d| Ok(Device::from_document(d)?.title)),
        Folder::Systems => open(folder, name, here, &at, |d| Ok(system::from_document(d)?.title)),
        Folder::Services => open(folder, name, here, &at, |d| Ok(Service::from_document(d)?.title)),
    };
    title.unwrap_or_default()
}

/// Prints a table in the order of its file, the source of each group above its values.
fn print_table(entries: &DeTable<'_>, indent: &str, out: &mut impl Write) -> io::Result<()> {
    let mut rows: Vec<_> = entries.iter().collect();
    rows.sort_by_key(|(key, _)| key.span().start);
    if let Some(origin) = entries.get("source").and_then(|s| s.get_ref().as_str()) {
        writeln!(out, "{indent}from {origin}")?;
    }
    for (key, value) in rows.iter().filter(|(key, _)| key.get_ref() != "source") {
        match value.get_ref() {
            DeValue::Table(group) if indent.is_empty() => {
                writeln!(out, "\n{}", key.get_ref())?;
                print_table(group, "  ", out)?;
            }
            value => writeln!(out, "{indent}{} = {}", key.get_ref(), text_of(value))?,
        }
    }
    Ok(())
}

fn text_of(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(array) => {
            let items: Vec<String> = array.iter().map(|i| text_of(i.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(table) => {
            let mut rows: Vec<_> = table.iter().collect();
            rows.sort_by_key(|(key, _)| key.span().start);
            let items: Vec<String> =
                rows.iter().map(|(k, v)| format!("{} = {}", k.get_ref(), text_of(v.get_ref()))).collect();
            format!("{{ {} }}", items.join(", "))
        }
    }
}
