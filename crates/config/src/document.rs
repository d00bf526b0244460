//! The file as a whole.

use std::{fs, path::Path, sync::Arc};

use toml::de::DeTable;

use crate::{
    Allow, Chaff, Cidr, Config, Diagnostics, Layer, Problem, Reader, SourceFile, Table, address::BadCidr, fleet,
    network, node, notify,
};

/// Octets of a configuration at most: a million single addresses in quotation marks are half of that.
pub const MAX_FILE_OCTETS: u64 = 32 * 1024 * 1024;

/// Packets a second that `[chaff]` may ask for at most: a decoy fleet that shouts is no longer hidden among hosts.
const MAX_CHAFF_PER_SECOND: u64 = 10_000;

/// Workers that a sensor may have at most: each frame is looked at by a filter for each of them, and each has a ring of
/// 16 MiB for each interface. Above this, a second sensor on a machine of its own serves better.
pub const MAX_WORKERS: u16 = 16;

/// Characters of a network's or the sensor's name at most, so that a line of an incident stays a line.
const MAX_NAME: usize = 64;

/// Reads `path`.
///
/// # Errors
/// Every mistake that can be found without the catalogue of profiles.
pub fn load(path: &Path) -> Result<Config, Diagnostics> {
    let source = SourceFile::open(path, MAX_FILE_OCTETS)?;
    parse(&source, path.parent().unwrap_or_else(|| Path::new("")))
}

/// Reads a text; `file:` paths are relative to `directory`.
///
/// # Errors
/// Every mistake that can be found without the catalogue of profiles.
pub fn parse(source: &Arc<SourceFile>, directory: &Path) -> Result<Config, Diagnostics> {
    let (config, problems) = read(source, directory);
    Diagnostics::unless_empty(problems)?;
    Ok(config)
}

/// Reads a text as far as it can be understood, and says all that is wrong with it.
#[must_use]
pub fn read(source: &Arc<SourceFile>, directory: &Path) -> (Config, Vec<Problem>) {
    let mut reader = Reader::new(source);
    let root = reader.document(source.text(), "chaff.toml");
    let root = root.unwrap_or_else(|| Table::of(DeTable::new(), 0..0, "chaff.toml"));
    let readable = !reader.has_problems();
    reader.keys(
        &root,
        &[
            "state_dir",
            "sensor",
            "user",
            "workers",
            "network",
            "allow",
            "console",
            "notify",
            "chaff",
            "sandbox",
            "runtime",
            "node",
        ],
    );
    reader.not_in_this_version(&root, "console", "leave the console out; `chaff incidents` shows what it would");
    let runtime = network::runtime(&mut reader, &root).unwrap_or_default();
    let config = Config {
        source: Arc::clone(source),
        directory: directory.to_owned(),
        state_dir: reader.name(&root, "state_dir").map(|text| text.value.into()),
        sensor: sensor(&mut reader, &root),
        user: reader.name(&root, "user"),
        workers: workers(&mut reader, &root),
        without: without(&mut reader, &root),
        networks: network::networks(&mut reader, &root, runtime),
        allow: allow(&mut reader, &root),
        notify: notify::notify(&mut reader, &root),
        chaff: chaff(&mut reader, &root),
        node: node::node(&mut reader, &root),
    };
    if readable {
        fleet::check(&mut reader, &config, &root);
    }
    (config, reader.into_problems())
}

/// The host's name as its kernel knows it; `sensor` if it has none.
#[must_use]
pub fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() || name == "(none)" { "sensor".to_owned() } else { name.to_owned() }
}

fn sensor(reader: &mut Reader, root: &Table<'_>) -> String {
    let Some(name) = reader.name(root, "sensor") else { return host_name() };
    if name.chars().count() > MAX_NAME {
        reader.wrong(name.span.clone(), "the name of the sensor is too long", "here", at_most());
    }
    name.value
}

fn workers(reader: &mut Reader, root: &Table<'_>) -> u16 {
    let workers = reader.number(root, "workers", 1..=MAX_WORKERS.into());
    workers.and_then(|workers| u16::try_from(workers.value).ok()).unwrap_or(1)
}

/// How to mend a name that is too long.
pub(crate) fn at_most() -> String {
    format!("write at most {MAX_NAME} characters")
}

/// Whether a name is too long.
pub(crate) fn too_long(name: &str) -> bool {
    name.chars().count() > MAX_NAME
}

fn chaff(reader: &mut Reader, root: &Table<'_>) -> Chaff {
    let Some(table) = reader.table(root, "chaff", "[chaff]") else { return Chaff::default() };
    reader.keys(&table, &["packets_per_second"]);
    let budget = reader.number(&table, "packets_per_second", 0..=MAX_CHAFF_PER_SECOND);
    match budget.and_then(|b| u32::try_from(b.value).ok()) {
        Some(packets_per_second) => Chaff { packets_per_second },
        None => Chaff::default(),
    }
}

fn without(reader: &mut Reader, root: &Table<'_>) -> Vec<Layer> {
    let Some(table) = reader.table(root, "sandbox", "[sandbox]") else { return Vec::new() };
    reader.keys(&table, &["without"]);
    let mut without = Vec::new();
    for name in reader.texts(&table, "without").map(|names| names.value).unwrap_or_default() {
        match Layer::named(&name.value) {
            Some(layer) => without.push(layer),
            None => {
                let message = format!("there is no layer `{}` of the sandbox", name.value);
                let help = "write `landlock` or `seccomp`; `chaff doctor` says what this kernel lacks";
                reader.wrong(name.span, message, "here", help);
            }
        }
    }
    without
}

fn allow(reader: &mut Reader, root: &Table<'_>) -> Vec<Allow> {
    let tables = reader.tables(root, "allow", "an [[allow]]");
    tables.iter().filter_map(|table| one_allow(reader, table)).collect()
}

fn one_allow(reader: &mut Reader, table: &Table<'_>) -> Option<Allow> {
    reader.keys(table, &["source", "reason"]);
    reader.missing(table, "source", "name the scanner's address or network: source = \"10.20.0.50\"");
    reader.missing(table, "reason", "say why it may scan: `chaff events` shows the reason with what it does");
    let reason = reader.name(table, "reason").map_or_else(String::new, |r| r.value);
    let source = reader.text(table, "source")?;
    let span = source.span.clone();
    let cidr = match source.parse() {
        Ok(network) => Ok(Cidr { network, prefix: 32 }),
        Err(_) => Cidr::parse(&source),
    };
    match cidr {
        Ok(value) => Some(Allow { source: crate::Located { value, span }, reason }),
        Err(BadCidr::HostBits(network)) => {
            let message = format!("`{}` has bits set behind its prefix", source.value);
            let help = format!("write `{network}` for the network, or the address without a prefix for one host");
            reader.wrong(span, message, "here", help);
            None
        }
        Err(_) => {
            let message = format!("`{}` is neither an IPv4 address nor a network", source.value);
            reader.wrong(span, message, "here", "write `10.20.0.50` or `10.20.0.0/24`");
            None
        }
    }
}
