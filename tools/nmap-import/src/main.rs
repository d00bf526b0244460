//! `nmap-import`: fingerprints of an installed nmap, or one that nmap printed, as personalities.
//!
//! See LICENCE-NOTE.md: nothing of the product links this, and nothing that it writes belongs into the repository.
#![forbid(unsafe_code)]

mod check;
mod compile;
mod crc;
mod database;
mod differences;
mod expression;
mod ids;
mod isn;
mod odd;
mod options;
mod probes;
mod rehearsal;
mod statistics;
mod syn;
mod ttl;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use chaff_engine::personality::Personality;
use clap::Parser;
use database::Entry;

/// Writes personalities for Chaff after fingerprints of an installed nmap, or after one that nmap printed.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The database, usually /usr/share/nmap/nmap-os-db
    #[arg(long, value_name = "PATH")]
    db: Option<PathBuf>,
    /// Name of a fingerprint, as nmap prints it; of several with this name the one that says most is taken
    #[arg(long, value_name = "NAME", requires = "db")]
    name: Vec<String>,
    /// Line of the database on which a fingerprint begins
    #[arg(long, value_name = "N", requires = "db")]
    line: Vec<usize>,
    /// Output of `nmap -O -d` with a fingerprint behind `OS:`, of a host of your own
    #[arg(long, value_name = "FILE")]
    raw: Vec<PathBuf>,
    /// Where the files go: `line-N.toml`, and for raw fingerprints the name of their file
    #[arg(long, value_name = "DIR", required_unless_present_any = ["list", "against"])]
    out_dir: Option<PathBuf>,
    /// Lists the database instead: line and name of each fingerprint
    #[arg(long, requires = "db")]
    list: bool,
    /// With --list: imports each, and says below it what of it cannot be shown; takes a minute
    #[arg(long, requires = "list")]
    check: bool,
    /// Says instead in what nmap's output in FILE differs from the fingerprint of --line
    #[arg(long, value_name = "FILE", requires = "line")]
    against: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("nmap-import: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let entries = options.db.as_deref().map(database::read).transpose()?.unwrap_or_default();
    let db = options.db.as_deref().map_or_else(String::new, |db| db.display().to_string());
    if options.list {
        list(&entries, options.check);
        return Ok(());
    }
    let mut chosen = Vec::new();
    for line in &options.line {
        let entry = entries.iter().find(|entry| entry.line == *line);
        chosen.push(entry.ok_or_else(|| no_such_line(&db, &entries, *line))?);
    }
    if let Some(file) = &options.against {
        let octets = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        for entry in chosen {
            for difference in differences::of(entry, &String::from_utf8_lossy(&octets)) {
                println!("{difference}");
            }
        }
        return Ok(());
    }
    let Some(folder) = options.out_dir.as_deref() else { return Ok(()) };
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for name in &options.name {
        let named: Vec<&Entry> = entries.iter().filter(|entry| entry.name == *name).collect();
        let best = named.into_iter().max_by_key(|entry| (compile::answered(entry), std::cmp::Reverse(entry.line)));
        let entry = best.ok_or_else(|| no_such_name(&db, &entries, name))?;
        chosen.push(entry);
    }
    for entry in chosen {
        let name = format!("line-{}", entry.line);
        import(entry, &name, &format!("published: {db} of this machine, line {}", entry.line), folder)?;
    }
    for file in &options.raw {
        let octets = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let entry = database::raw(&String::from_utf8_lossy(&octets), &stem)
            .map_err(|what| format!("{}: {what}", file.display()))?;
        let source = format!("measured: the fingerprint in {}", file.display());
        import(&compile::widened(entry), &stem, &source, folder)?;
    }
    Ok(())
}

fn list(entries: &[Entry], check: bool) {
    for entry in entries {
        println!("{}\t{}", entry.line, entry.name);
        if !check {
            continue;
        }
        let compiled = compile::compile(entry, "", "");
        for note in compiled.notes.iter().chain(&check::check(entry, &compiled.personality)) {
            println!("\t{note}");
        }
    }
}

fn import(entry: &Entry, name: &str, source: &str, folder: &Path) -> Result<(), String> {
    let compiled = compile::compile(entry, name, source);
    let path = folder.join(format!("{name}.toml"));
    write(&compiled.personality, &path)?;
    println!("{}\t{}", path.display(), entry.name);
    for note in compiled.notes.iter().chain(&check::check(entry, &compiled.personality)) {
        println!("\t{note}");
    }
    Ok(())
}

fn write(personality: &Personality, path: &Path) -> Result<(), String> {
    personality.check().map_err(|flaw| format!("{}: {flaw}", path.display()))?;
    let text = toml::to_string(personality).map_err(|error| format!("{}: {error}", path.display()))?;
    let head = "# Made by nmap-import. If it derives from nmap's database, Nmap's licence applies to it: keep it to yourself.\n";
    fs::write(path, format!("{head}{text}")).map_err(|error| format!("{}: {error}", path.display()))
}

fn no_such_line(db: &str, entries: &[Entry], line: usize) -> String {
    let nearest = entries.iter().min_by_key(|entry| entry.line.abs_diff(line));
    let hint = nearest.map_or_else(String::new, |entry| format!("; `{}` begins on line {}", entry.name, entry.line));
    format!("{db}:{line}: no fingerprint begins here{hint}")
}

fn no_such_name(db: &str, entries: &[Entry], name: &str) -> String {
    let lower = name.to_lowercase();
    let near: Vec<&str> = entries
        .iter()
        .map(|entry| entry.name.as_str())
        .filter(|other| other.to_lowercase().contains(&lower))
        .take(3)
        .collect();
    let hint = if near.is_empty() { String::new() } else { format!("; there is `{}`", near.join("`, `")) };
    format!("{db}: no fingerprint is named `{name}`{hint}")
}
