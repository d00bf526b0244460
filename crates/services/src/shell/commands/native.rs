//! Programs of systems that are no Linux, where they say something else than GNU's.

use alloc::{format, string::String};
use core::fmt::Write;

use super::{Call, applets::BUILTINS};
use crate::shell::{ShellKind, ShellSystem, files::Refusal};

/// Columns between two stops of the tabulator, by which BSD's ls sets its own.
const STOP: usize = 8;

impl Call<'_> {
    /// Whether programs are GNU's.
    pub(super) fn is_gnu(&self) -> bool {
        self.shell.spec.system == ShellSystem::Linux && !self.is_applet()
    }

    /// What only this system says; `None`: what other programs of Unix say, too.
    pub(super) fn native(&mut self) -> Option<u8> {
        if self.shell.spec.system == ShellSystem::Linux {
            return None;
        }
        let missing = self.shell.kind == ShellKind::Sh && self.name == "history";
        let builtin = !missing && BUILTINS.split(' ').chain(["logout"]).any(|name| name == self.name);
        if !builtin && self.place_of(self.name).is_none() {
            return Some(self.not_found());
        }
        self.answer()
    }

    /// Where a program is, if it is where programs are looked for.
    pub(super) fn place_of(&self, name: &str) -> Option<String> {
        let mut paths = self.shell.host.path(&self.shell.spec).split(':').map(|place| format!("{place}/{name}"));
        paths.find(|path| self.shell.files.find(path, self.shell.asker()).is_ok())
    }

    /// What a program says of a file that it cannot use, with its own name.
    pub(super) fn native_refusal(&self, path: &str, refusal: Refusal) -> String {
        let reason = refusal.text();
        let name = self.name;
        match (self.shell.spec.system, name, refusal) {
            (ShellSystem::Solaris, "ls", _) => format!("{path}: {reason}"),
            (ShellSystem::Solaris, "cat" | "head" | "tail", _) => format!("{name}: cannot open {path}: {reason}"),
            (ShellSystem::Solaris, "mkdir", _) => format!("mkdir: Failed to make directory \"{path}\"; {reason}"),
            (ShellSystem::Solaris, "cp" | "mv", Refusal::NotFound) => format!("{name}: cannot access {path}: {reason}"),
            (ShellSystem::Solaris, "rm", Refusal::IsADirectory) => format!("rm: {path} is a directory"),
            (_, "rm", Refusal::IsADirectory) => format!("rm: {path}: is a directory"),
            (_, "cp", Refusal::IsADirectory) => format!("cp: {path} is a directory (not copied)."),
            (_, "mv", Refusal::NotFound) => format!("mv: rename {path}: {reason}"),
            _ => format!("{name}: {path}: {reason}"),
        }
    }

    /// The rows of `ls -l`, of links, owner, group, size, date and name, after the permissions.
    pub(super) fn native_rows(&self, rows: &[(String, [String; 6])]) -> String {
        let width = |column: usize| rows.iter().filter_map(|(_, row)| row.get(column)).map(String::len).max();
        let [links, owner, group, size] = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
        let mut text = String::new();
        for (mode, [count, user, group_name, length, date, name]) in rows {
            let _ = if self.shell.spec.system == ShellSystem::Solaris {
                writeln!(text, "{mode} {count:>3} {user:<8} {group_name:<8} {length:>7} {date} {name}")
            } else {
                // Between the two is where lists of who may do what are marked.
                writeln!(
                    text,
                    "{mode}  {count:>links$} {user:<owner$}  {group_name:<group$}  {length:>size$} {date} {name}"
                )
            };
        }
        text
    }

    /// Names in columns, filled downwards.
    pub(super) fn native_columns(&self, names: &[String]) -> String {
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let solaris = self.shell.spec.system == ShellSystem::Solaris;
        let width = if solaris { longest + 2 } else { (longest + STOP) / STOP * STOP };
        let count = (super::listing::WIDTH / width).max(1);
        let height = names.len().div_ceil(count).max(1);
        let mut text = String::new();
        for row in 0..height {
            let mut column = row;
            while let Some(name) = names.get(column) {
                text.push_str(name);
                column += height;
                if column >= names.len() {
                    break;
                }
                let free = width - name.chars().count();
                let (sign, free) = if solaris { (' ', free) } else { ('\t', free.div_ceil(STOP)) };
                text.extend(core::iter::repeat_n(sign, free));
            }
            text.push('\n');
        }
        text
    }

    /// What `file` says of a program.
    pub(super) fn kind_of_program(&self) -> &'static str {
        match self.shell.spec.system {
            ShellSystem::Linux => {
                "ELF 64-bit LSB pie executable, x86-64, version 1 (SYSV), dynamically linked, stripped"
            }
            ShellSystem::FreeBsd => {
                "ELF 64-bit LSB executable, x86-64, version 1 (FreeBSD), dynamically linked, \
                 interpreter /libexec/ld-elf.so.1, FreeBSD-style, stripped"
            }
            ShellSystem::MacOs => "Mach-O 64-bit executable x86_64",
            ShellSystem::Solaris => "ELF 64-bit LSB executable AMD64 Version 1, dynamically linked, not stripped",
        }
    }
}
