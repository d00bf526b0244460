//! The files that `scp` and SFTP show and take: those of the shell, or the folders that the profile of a command line
//! names.

use alloc::{boxed::Box, string::String, vec::Vec};

use super::{Line, console, shell};
use crate::{
    console::{Folders, folder_of},
    limits::{files::MAX_PATH, shell::MAX_OWN_OCTETS},
    shell::{Disk, Interpreter, Look, Shell, Written},
};

pub(super) enum Files {
    Shell(Box<Shell>),
    Console(Folders),
}

/// What a path leads to.
pub(super) enum Found {
    Folder,
    File(Vec<u8>),
    Hidden,
}

/// Why a file is not taken.
#[derive(Clone, Copy)]
pub(super) enum Refused {
    Denied,
    NotFound,
}

impl Refused {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Denied => "Permission denied",
            Self::NotFound => "No such file or directory",
        }
    }
}

impl Files {
    /// The files of the product; `None`: it neither shows nor takes any.
    pub(super) fn of(line: &Line<'_>) -> Option<Self> {
        match console(line, false) {
            Some(console) => console.folders().map(Self::Console),
            None => shell(line, false).map(|shell| Self::Shell(Box::new(shell))),
        }
    }

    pub(super) fn mount(&mut self, disk: &mut Disk) {
        if let Self::Shell(shell) = self {
            shell.mount(disk);
        }
    }

    /// Keeps a file for which [`create`](Self::create) has made a place: its octets, or if there were more, how many.
    pub(super) fn keep(&mut self, line: &Line<'_>, path: &[u8], text: &[u8], length: u64) {
        if let Self::Shell(shell) = self {
            shell.keep(line.utc, &String::from_utf8_lossy(path), text, length);
        }
    }

    /// The path from the root, without `.` and `..`.
    pub(super) fn full(&mut self, line: &Line<'_>, path: &[u8]) -> Vec<u8> {
        let mut path = path.get(..MAX_PATH).unwrap_or(path).to_vec();
        if let Self::Console(folders) = self {
            folders.plain(&mut path);
        }
        let mut whole = Vec::new();
        if !path.starts_with(b"/") {
            match self {
                Self::Shell(shell) => whole.extend_from_slice(said(shell, line, b"pwd").0.trim_ascii_end()),
                Self::Console(folders) => whole.extend_from_slice(folders.home()),
            }
        }
        whole.push(b'/');
        whole.extend_from_slice(&path);
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in whole.split(|octet| *octet == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(parts.pop()),
                _ => parts.push(part),
            }
        }
        [b"/", parts.join(&b'/').as_slice()].concat()
    }

    /// What is at a whole path.
    pub(super) fn find(&mut self, line: &Line<'_>, path: &[u8]) -> Option<Found> {
        let shell = match self {
            Self::Shell(shell) => shell,
            Self::Console(folders) => {
                return folders.is_folder(path).map(|folder| if folder { Found::Folder } else { Found::Hidden });
            }
        };
        let (out, errors, status) = said(shell, line, &command(b"cat ", path));
        if status == 0 {
            return Some(Found::File(out));
        }
        if says(&errors, b"Is a directory") {
            Some(Found::Folder)
        } else if says(&errors, b"Permission denied") {
            Some(Found::Hidden)
        } else {
            None
        }
    }

    /// The names in a folder.
    pub(super) fn names(&mut self, line: &Line<'_>, path: &[u8]) -> Vec<Vec<u8>> {
        match self {
            Self::Shell(shell) => {
                let names = said(shell, line, &command(b"ls -1a ", path)).0;
                names.split(|octet| *octet == b'\n').filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
            }
            Self::Console(folders) => folders.names(path),
        }
    }

    /// What the system tells of an entry, a link itself unless it is followed; `None`: no more than what it is.
    pub(super) fn look(&self, path: &[u8], follows: bool) -> Option<Look> {
        match self {
            Self::Shell(shell) => shell.look(&String::from_utf8_lossy(path), follows),
            Self::Console(_) => None,
        }
    }

    /// The names of a user and of a group.
    pub(super) fn names_of(&self, uid: u32, gid: u32) -> (String, String) {
        match self {
            Self::Shell(shell) => shell.names_of(uid, gid),
            Self::Console(_) => (String::new(), String::new()),
        }
    }

    /// Whether a file may be written there.
    pub(super) fn create(&mut self, line: &Line<'_>, path: &[u8]) -> Result<(), Refused> {
        let shell = match self {
            Self::Shell(shell) => shell,
            Self::Console(folders) => {
                let into = folders.is_folder(folder_of(path));
                return match (folders.is_folder(path), into) {
                    (Some(_), _) => Err(Refused::Denied),
                    (None, Some(true)) => Ok(()),
                    (None, _) => Err(Refused::NotFound),
                };
            }
        };
        let (_, errors, status) = said(shell, line, &command(b"> ", path));
        if status != 0 && says(&errors, b"Permission denied") {
            Err(Refused::Denied)
        } else if status != 0 && [&b"No such file"[..], b"onexistent"].iter().any(|text| says(&errors, text)) {
            Err(Refused::NotFound)
        } else {
            Ok(())
        }
    }
}

/// Keeps octets of a file that comes in, as far as a disk has room for them and for what is `used` by others.
pub(super) fn keep(kept: &mut Vec<u8>, octets: &[u8], used: usize) {
    if used.saturating_add(octets.len()) <= MAX_OWN_OCTETS {
        kept.extend_from_slice(octets);
    }
}

/// What a command of the shell writes, and its status.
fn said(shell: &mut Shell, line: &Line<'_>, command: &[u8]) -> (Vec<u8>, Vec<u8>, u8) {
    let mut said = Written::default();
    let status = shell.exec(line.utc, command, Some(Vec::new()), &mut said).unwrap_or(0);
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    said.split(&mut out, &mut errors);
    (out, errors, status)
}

fn says(errors: &[u8], text: &[u8]) -> bool {
    errors.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text))
}

/// A command with a path in quotes.
fn command(program: &[u8], path: &[u8]) -> Vec<u8> {
    let mut whole = program.to_vec();
    whole.push(b'\'');
    for &octet in path {
        if octet == b'\'' {
            whole.extend_from_slice(br"'\''");
        } else {
            whole.push(octet);
        }
    }
    whole.push(b'\'');
    whole
}
