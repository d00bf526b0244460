//! Programs that look at files without reading them.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write;

use super::{Call, lossy};
use crate::{
    calendar::Moment,
    limits::shell::MAX_FOUND,
    shell::{
        NANOS, ShellSystem,
        files::{Node, Refusal, What, join, parent_of},
        host::short_date,
    },
    text::scramble,
};

/// Columns of a terminal that has not said how wide it is.
pub(super) const WIDTH: usize = 80;

/// One entry to be listed.
struct Entry {
    name: String,
    path: String,
    node: Node,
}

impl Call<'_> {
    pub(super) fn ls(&mut self) -> u8 {
        let (letters, mut paths) = self.options();
        if paths.is_empty() {
            paths.push(".".into());
        }
        let asker = self.shell.asker();
        let mut status = 0;
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        for path in &paths {
            let full = self.full(path);
            // A link is followed unless its own line is asked for; with a slash behind it, it is what it leads to.
            let found = if letters.contains(['l', 'd']) && !path.ends_with('/') {
                self.shell.files.find_link(&full, asker)
            } else {
                self.shell.files.find(&full, asker)
            };
            match found {
                Ok((real, node)) if node.what == What::Directory && !letters.contains('d') => {
                    directories.push((path.clone(), real));
                }
                Ok((real, node)) => files.push(Entry { name: path.clone(), path: real, node: node.clone() }),
                Err(refusal) => {
                    self.fail_at(path, refusal, &format!("cannot access '{path}': {}", refusal.text()));
                    status = if self.is_gnu() { 2 } else { 1 };
                }
            }
        }
        let several = paths.len() > 1;
        let some_files = !files.is_empty();
        self.list_entries(files, &letters, false);
        for (place, (path, real)) in directories.into_iter().enumerate() {
            if several {
                let gap = if place > 0 || some_files { "\n" } else { "" };
                self.say(&format!("{gap}{path}:\n"));
            }
            match self.entries(&real, &letters) {
                Ok(entries) => self.list_entries(entries, &letters, true),
                Err(refusal) => {
                    self.fail_at(&path, refusal, &format!("cannot open directory '{path}': {}", refusal.text()));
                    status = if self.is_gnu() { 2 } else { 1 };
                }
            }
        }
        status
    }

    fn entries(&self, directory: &str, letters: &str) -> Result<Vec<Entry>, Refusal> {
        let files = &self.shell.files;
        let asker = self.shell.asker();
        let mut entries = Vec::new();
        if letters.contains('a') {
            for (name, path) in [(".", directory), ("..", parent_of(directory))] {
                if let Ok((path, node)) = files.find_link(path, asker) {
                    entries.push(Entry { name: name.into(), path, node: node.clone() });
                }
            }
        }
        let mut rest: Vec<Entry> = files
            .list(directory, asker)?
            .into_iter()
            .filter(|(name, _)| !name.starts_with('.') || letters.contains(['a', 'A']))
            .map(|(name, node)| Entry { path: join(directory, &name), name, node: node.clone() })
            .collect();
        // As strcoll does in most locales: letters first, case and dots after. BusyBox has no locale, others none here.
        if self.is_gnu() {
            rest.sort_by_key(|entry| (entry.name.trim_start_matches('.').to_lowercase(), entry.name.clone()));
        }
        if letters.contains('t') {
            rest.sort_by_key(|entry| u64::MAX - entry.node.modified);
        }
        if letters.contains('r') {
            rest.reverse();
        }
        entries.extend(rest);
        Ok(entries)
    }

    fn list_entries(&mut self, entries: Vec<Entry>, letters: &str, total: bool) {
        if letters.contains('l') {
            self.list_long(&entries, letters, total);
        } else if !self.terminal || letters.contains('1') {
            for entry in entries {
                self.line(&entry.name);
            }
        } else if !entries.is_empty() {
            let names: Vec<String> = entries.into_iter().map(|entry| entry.name).collect();
            let native = self.shell.spec.system != ShellSystem::Linux;
            self.say(&if native { self.native_columns(&names) } else { columns(&names) });
        }
    }

    fn list_long(&mut self, entries: &[Entry], letters: &str, total: bool) {
        let human = letters.contains('h');
        let style = self.args.iter().find_map(|arg| lossy(arg).strip_prefix("--time-style=+").map(String::from));
        let rows: Vec<[String; 6]> = entries
            .iter()
            .map(|Entry { name, path, node }| {
                let host = &self.shell.host;
                let shown = match &node.what {
                    What::Link(target) => format!("{name} -> {target}"),
                    _ => name.clone(),
                };
                [
                    self.shell.files.links(path, node).to_string(),
                    host.name_of(node.uid).into_owned(),
                    host.group_of(node.gid).into_owned(),
                    match node.what {
                        What::Device(major, minor) if self.is_applet() => format!("{major}, {minor:>3}"),
                        What::Device(major, minor) => format!("{major}, {minor}"),
                        _ if human => human_size(self.shell.size_of(path, node)),
                        _ => self.shell.size_of(path, node).to_string(),
                    },
                    match &style {
                        Some(style) => Moment::at(node.modified.saturating_mul(NANOS)).format(style),
                        None => short_date(node.modified, self.now),
                    },
                    shown,
                ]
            })
            .collect();
        let mut text = String::new();
        if total {
            let blocks: u64 = entries.iter().map(|entry| blocks(&entry.node)).sum();
            // POSIX counts by 512 octets, GNU and who sets BLOCKSIZE as FreeBSD does by 1024.
            let halves = matches!(self.shell.spec.system, ShellSystem::MacOs | ShellSystem::Solaris);
            let blocks = if halves { blocks * 2 } else { blocks };
            let _ = writeln!(text, "total {}", if human { human_size(blocks * 1024) } else { blocks.to_string() });
        }
        if self.shell.spec.system != ShellSystem::Linux {
            let modes = entries.iter().map(|entry| permissions(&entry.node));
            text.push_str(&self.native_rows(&modes.zip(rows).collect::<Vec<_>>()));
            self.say(&text);
            return;
        }
        let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
        let (links, owner, group, size) =
            if self.is_applet() { (4, 8, 8, 9) } else { (width(0), width(1), width(2), width(3)) };
        for ([count, user, group_name, length, date, name], entry) in rows.iter().zip(entries) {
            let _ = writeln!(
                text,
                "{} {count:>links$} {user:<owner$} {group_name:<group$} {length:>size$} {date} {name}",
                permissions(&entry.node),
            );
        }
        self.say(&text);
    }

    /// Files at and below a path, for programs that walk.
    pub(super) fn files_below(&self, path: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = Vec::from([path.to_string()]);
        while let Some(path) = waiting.pop() {
            if found.len() >= MAX_FOUND {
                break;
            }
            match self.shell.files.list(&self.full(&path), self.shell.asker()) {
                Ok(entries) => {
                    for (name, node) in entries.iter().rev() {
                        if !matches!(node.what, What::Link(_)) {
                            waiting.push(format!("{}/{name}", path.trim_end_matches('/')));
                        }
                    }
                }
                Err(_) => found.push(path),
            }
        }
        found
    }

    /// `stat`, `file` and `du`.
    pub(super) fn about(&mut self) -> u8 {
        let (letters, mut paths) = self.options();
        if paths.is_empty() {
            if self.name != "du" {
                return self.fail("missing operand");
            }
            paths.push(".".into());
        }
        let mut status = 0;
        for path in paths {
            let (real, node) = match self.shell.files.find_link(&self.full(&path), self.shell.asker()) {
                Ok((real, node)) => (real, node.clone()),
                Err(refusal) => {
                    status = 1;
                    match self.name {
                        "file" => {
                            self.line(&format!("{path}: cannot open `{path}' ({})", refusal.text()));
                        }
                        "du" => {
                            self.fail_at(&path, refusal, &format!("cannot access '{path}': {}", refusal.text()));
                        }
                        _ => {
                            self.fail_at(&path, refusal, &format!("cannot statx '{path}': {}", refusal.text()));
                        }
                    }
                    continue;
                }
            };
            let text = match self.name {
                "file" => format!("{path}: {}", describe(&node).unwrap_or_else(|| self.kind_of_program())),
                "du" => {
                    let below = self.files_below(&path);
                    let files = &self.shell.files;
                    let sum: u64 = below
                        .iter()
                        .filter_map(|file| files.find_link(&self.full(file), self.shell.asker()).ok())
                        .map(|(_, node)| blocks(node))
                        .sum();
                    let sum = if node.what == What::Directory { sum + 4 } else { sum };
                    format!("{}\t{path}", if letters.contains('h') { human_size(sum * 1024) } else { sum.to_string() })
                }
                _ => self.stat_text(&path, &real, &node),
            };
            self.line(&text);
        }
        status
    }

    fn stat_text(&self, path: &str, real: &str, node: &Node) -> String {
        let kind = match node.what {
            What::Directory => "directory",
            What::Link(_) => "symbolic link",
            What::Text(_) | What::Program(_) => "regular file",
            What::Device(..) => "character special file",
        };
        let hash = real.bytes().fold(crate::text::mix(&self.shell.host.seed, 5), |h, o| scramble(h ^ u64::from(o)));
        let moment = Moment::at(node.modified.saturating_mul(NANOS));
        let date = format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:09} +0000",
            moment.year,
            moment.month,
            moment.day,
            moment.hour,
            moment.minute,
            moment.second,
            hash % 1_000_000_000
        );
        let host = &self.shell.host;
        if self.shell.spec.system != ShellSystem::Linux {
            let date = moment.format("%b %e %H:%M:%S %Y");
            let (links, size) = (self.shell.files.links(real, node), self.shell.size_of(real, node));
            let (inode, mode) = (131_072 + hash % 900_000, permissions(node));
            let (owner, group) = (host.name_of(node.uid), host.group_of(node.gid));
            let dates = [format!("\"{date}\"").as_str(); 4].join(" ");
            let blocks = blocks(node) * 2;
            return format!(
                "93 {inode} {mode} {links} {owner} {group} 4294967295 {size} {dates} 32768 {blocks} 0 {path}"
            );
        }
        format!(
            "  File: {path}\n  Size: {:<10}\tBlocks: {:<10} IO Block: 4096   {kind}\nDevice: 8,1\tInode: {:<11} Links: {}\nAccess: ({:04o}/{})  Uid: ({:>5}/{:>8})   Gid: ({:>5}/{:>8})\nAccess: {date}\nModify: {date}\nChange: {date}\n Birth: {date}",
            node.size(),
            blocks(node) * 2,
            131_072 + hash % 900_000,
            self.shell.files.links(real, node),
            node.mode,
            permissions(node),
            node.uid,
            host.name_of(node.uid),
            node.gid,
            host.group_of(node.gid),
        )
    }
}

/// `-rw-r--r--`
pub(in crate::shell) fn permissions(node: &Node) -> String {
    let mut text = String::from(match node.what {
        What::Directory => "d",
        What::Link(_) => "l",
        What::Text(_) | What::Program(_) => "-",
        What::Device(..) => "c",
    });
    for place in (0..9).rev() {
        let letter = match place % 3 {
            2 => 'r',
            1 => 'w',
            _ => 'x',
        };
        text.push(if node.mode >> place & 1 == 1 { letter } else { '-' });
    }
    // The bits of who runs it stand where those of running are.
    for (bit, place, letters) in [(0o4000, 3, ['s', 'S']), (0o2000, 6, ['s', 'S']), (0o1000, 9, ['t', 'T'])] {
        if node.mode & bit != 0 {
            let [set, alone] = letters;
            let letter = if text.get(place..=place) == Some("x") { set } else { alone };
            text.replace_range(place..=place, letter.encode_utf8(&mut [0; 4]));
        }
    }
    text
}

/// KiB that a node takes on an ext4 of blocks of 4 KiB; a short link is kept in its inode.
fn blocks(node: &Node) -> u64 {
    match &node.what {
        What::Link(_) => 0,
        _ => node.size().div_ceil(4096) * 4,
    }
}

/// As `-h` has it: one decimal below ten, rounded up.
pub(super) fn human_size(octets: u64) -> String {
    if octets < 1024 {
        return octets.to_string();
    }
    let mut unit = 1024u64;
    for letter in ['K', 'M', 'G', 'T'] {
        if octets <= unit * 1023 || letter == 'T' {
            let tenths = (octets * 10).div_ceil(unit);
            return if tenths < 100 {
                format!("{}.{}{letter}", tenths / 10, tenths % 10)
            } else {
                format!("{}{letter}", octets.div_ceil(unit))
            };
        }
        unit *= 1024;
    }
    String::new()
}

/// What `file` says; `None`: it is a program.
fn describe(node: &Node) -> Option<&'static str> {
    Some(match &node.what {
        What::Directory => "directory",
        What::Link(_) => "symbolic link",
        What::Program(_) => return None,
        What::Device(..) => "character special",
        What::Text(text) if text.is_empty() => "empty",
        What::Text(text) if text.starts_with(b"#!/bin/sh") => "POSIX shell script, ASCII text executable",
        What::Text(_) => "ASCII text",
    })
}

/// Names in as many columns as fit, filled downwards, as GNU ls does on a terminal.
fn columns(names: &[String]) -> String {
    let length = |name: &String| name.chars().count();
    let mut rows = 1;
    loop {
        let widths: Vec<usize> =
            names.chunks(rows).map(|column| column.iter().map(length).max().unwrap_or(0)).collect();
        let width: usize = widths.iter().map(|w| w + 2).sum::<usize>().saturating_sub(2);
        if width < WIDTH || rows >= names.len() {
            let mut text = String::new();
            for row in 0..rows {
                let last = (names.len() - 1 - row) / rows;
                for (column, width) in widths.iter().enumerate().take(last + 1) {
                    let Some(name) = names.get(column * rows + row) else { continue };
                    text.push_str(name);
                    if column < last {
                        text.extend(core::iter::repeat_n(' ', width + 2 - length(name)));
                    }
                }
                text.push('\n');
            }
            return text;
        }
        rows += 1;
    }
}
