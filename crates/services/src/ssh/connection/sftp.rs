//! A server of SFTP, version 3 (draft-ietf-secsh-filexfer-02): what is sent to it is hashed, and kept as far as there is
//! room; what it shows are the files of the product.

use alloc::{boxed::Box, vec::Vec};

use chaff_events::{Detail, Kind};
use sha2::{Digest, Sha256};

use super::{
    Line, Put, Reader,
    files::{Files, Found, Refused, keep},
    input::Input,
};
use crate::{
    limits::files::{MAX_OPEN, MAX_READ},
    shell::{Disk, Look},
};

/// Octets of a message at most, as OpenSSH has it (SFTP_MAX_MSG_LENGTH).
const MAX_MESSAGE: usize = 256 * 1024;

const INIT: u8 = 1;
const VERSION: u8 = 2;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const LSTAT: u8 = 7;
const FSTAT: u8 = 8;
const SETSTAT: u8 = 9;
const FSETSTAT: u8 = 10;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const REALPATH: u8 = 16;
const STAT: u8 = 17;
const EXTENDED: u8 = 200;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED_REPLY: u8 = 201;
/// By which a client asks for the names of what attributes hold as numbers.
const NAMES_BY_ID: &[u8] = b"users-groups-by-id@openssh.com";

/// Statuses and the texts that OpenSSH has for them.
const OK: (u32, &str) = (0, "Success");
const EOF: (u32, &str) = (1, "End of file");
const NO_SUCH_FILE: (u32, &str) = (2, "No such file");
const DENIED: (u32, &str) = (3, "Permission denied");
const FAILURE: (u32, &str) = (4, "Failure");
const BAD_MESSAGE: (u32, &str) = (5, "Bad message");
const UNSUPPORTED: (u32, &str) = (8, "Operation unsupported");

const NANOS: u64 = 1_000_000_000;
/// SSH_FXF_WRITE.
const FOR_WRITING: u32 = 2;
/// Users or groups whose names are told in one answer: a folder has few.
const MAX_IDS: usize = 1024;
/// Entries of a folder that are told in one answer, as OpenSSH has it.
const MAX_NAMES: usize = 100;
/// What attributes there are: a size, owner and group, permissions, times.
const WITH_SIZE: u32 = 1;
const WITH_OWNER: u32 = 2;
const WITH_MODE: u32 = 4;
const WITH_TIMES: u32 = 8;
const DIRECTORY: u32 = 0o40_755;
const REGULAR: u32 = 0o100_644;

pub(super) struct Sftp {
    files: Files,
    open: Vec<(u32, Open)>,
    next: u32,
}

enum Open {
    /// A file that comes in, hashed as far as it came in order.
    Upload { path: Vec<u8>, length: u64, hash: Box<Sha256>, kept: Vec<u8> },
    /// A file that is read, and where it is.
    Text { path: Vec<u8>, text: Vec<u8> },
    /// A folder, where it is, and the names that are still to be told.
    Folder { path: Vec<u8>, names: Vec<Vec<u8>> },
}

impl Sftp {
    pub(super) fn new(files: Files) -> Self {
        Self { files, open: Vec::new(), next: 0 }
    }

    pub(super) fn mount(&mut self, disk: &mut Disk) {
        self.files.mount(disk);
    }

    /// Nothing more comes: tells of files that were not closed.
    pub(super) fn end(&mut self, line: &mut Line<'_>) {
        for (_, open) in self.open.drain(..) {
            if let Open::Upload { path, length: length @ 1.., hash, .. } = open {
                line.observe(Kind::File, Detail::File { name: path, length, sha256: (*hash).finalize().into() });
            }
        }
    }

    /// Takes one message; the status, when the client has ended or talks nonsense.
    pub(super) fn advance(
        &mut self,
        line: &mut Line<'_>,
        input: &mut Input,
        ended: bool,
        out: &mut Vec<u8>,
    ) -> Option<u8> {
        let over = ended.then_some(0);
        let Some(length) = Reader::new(input).u32() else { return over };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length == 0 || length > MAX_MESSAGE {
            return Some(11);
        }
        let Some(body) = input.get(4..length.saturating_add(4)).map(<[u8]>::to_vec) else { return over };
        input.consume(length.saturating_add(4));
        let mut reply = Vec::new();
        if self.answer(line, &body, &mut reply).is_none() {
            // Every message but the first has a number, and one that cannot be read further has its status.
            reply.clear();
            let number = Reader::new(body.get(1..).unwrap_or(&[])).u32()?;
            put_status(&mut reply, number, BAD_MESSAGE);
        }
        out.put_string(&reply);
        None
    }

    fn answer(&mut self, line: &mut Line<'_>, body: &[u8], reply: &mut Vec<u8>) -> Option<()> {
        let mut reader = Reader::new(body);
        let kind = reader.byte()?;
        let number = reader.u32()?;
        match kind {
            INIT => {
                reply.push(VERSION);
                reply.put_u32(3);
                for (name, value) in &line.spec.sftp_extensions {
                    reply.put_string(name.as_bytes());
                    reply.put_string(value.as_bytes());
                }
            }
            OPEN => {
                let (path, flags) = (self.files.full(line, reader.string()?), reader.u32()?);
                match self.open_file(line, path, flags) {
                    Ok(open) => self.put_handle(reply, number, open),
                    Err(status) => put_status(reply, number, status),
                }
            }
            OPENDIR => {
                let path = self.files.full(line, reader.string()?);
                match self.files.find(line, &path) {
                    Some(Found::Folder) => {
                        let mut names = self.files.names(line, &path);
                        names.reverse();
                        self.put_handle(reply, number, Open::Folder { path, names });
                    }
                    Some(Found::File(_)) => put_status(reply, number, FAILURE),
                    Some(Found::Hidden) => put_status(reply, number, DENIED),
                    None => put_status(reply, number, NO_SUCH_FILE),
                }
            }
            CLOSE => {
                let status = match self.close(reader.string()?) {
                    Some(Open::Upload { path, length, hash, kept }) => {
                        self.files.keep(line, &path, &kept, length);
                        let detail = Detail::File { name: path, length, sha256: (*hash).finalize().into() };
                        line.observe(Kind::File, detail);
                        OK
                    }
                    Some(_) => OK,
                    None => FAILURE,
                };
                put_status(reply, number, status);
            }
            WRITE => {
                let (handle, _offset, data) = (reader.string()?, reader.u64()?, reader.string()?);
                let others =
                    self.open.iter().map(|(_, open)| if let Open::Upload { kept, .. } = open { kept.len() } else { 0 });
                let used = others.sum();
                let status = match self.opened(handle) {
                    Some(Open::Upload { length, hash, kept, .. }) => {
                        hash.update(data);
                        keep(kept, data, used);
                        *length = length.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
                        OK
                    }
                    _ => FAILURE,
                };
                put_status(reply, number, status);
            }
            READ => {
                let (handle, offset, count) = (reader.string()?, reader.u64()?, reader.u32()?);
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let count = usize::try_from(count).unwrap_or(usize::MAX).min(MAX_READ);
                match self.opened(handle) {
                    Some(Open::Text { text, .. }) => match text.get(from..).filter(|rest| !rest.is_empty()) {
                        Some(rest) => {
                            reply.push(DATA);
                            reply.put_u32(number);
                            reply.put_string(rest.get(..count).unwrap_or(rest));
                        }
                        None => put_status(reply, number, EOF),
                    },
                    _ => put_status(reply, number, FAILURE),
                }
            }
            READDIR => match self.opened(reader.string()?) {
                Some(Open::Folder { path, names }) if !names.is_empty() => {
                    let path = path.clone();
                    let told = names.split_off(names.len().saturating_sub(MAX_NAMES));
                    self.put_names(line, reply, number, &path, &told);
                }
                Some(Open::Folder { .. }) => put_status(reply, number, EOF),
                _ => put_status(reply, number, FAILURE),
            },
            REALPATH => {
                let path = self.files.full(line, reader.string()?);
                reply.push(NAME);
                reply.put_u32(number);
                reply.put_u32(1);
                reply.put_string(&path);
                reply.put_string(&path);
                reply.put_u32(0);
            }
            STAT | LSTAT => {
                let path = self.files.full(line, reader.string()?);
                match self.files.find(line, &path) {
                    Some(found) => put_attributes(reply, number, &found, self.files.look(&path, kind == STAT).as_ref()),
                    None => put_status(reply, number, NO_SUCH_FILE),
                }
            }
            FSTAT => {
                let found = match self.opened(reader.string()?) {
                    Some(Open::Upload { path, .. }) => Some((path.clone(), Found::File(Vec::new()))),
                    Some(Open::Text { path, text }) => Some((path.clone(), Found::File(text.clone()))),
                    Some(Open::Folder { path, .. }) => Some((path.clone(), Found::Folder)),
                    None => None,
                };
                match found {
                    Some((path, found)) => put_attributes(reply, number, &found, self.files.look(&path, true).as_ref()),
                    None => put_status(reply, number, FAILURE),
                }
            }
            SETSTAT | FSETSTAT => put_status(reply, number, OK),
            13..=15 | 18..=20 => put_status(reply, number, DENIED),
            EXTENDED if reader.string()? == NAMES_BY_ID && offers(line, NAMES_BY_ID) => {
                let (users, groups) = (reader.string()?, reader.string()?);
                self.put_names_by_id(reply, number, users, groups)?;
            }
            _ => put_status(reply, number, UNSUPPORTED),
        }
        Some(())
    }

    fn open_file(&mut self, line: &Line<'_>, path: Vec<u8>, flags: u32) -> Result<Open, (u32, &'static str)> {
        if self.open.len() >= MAX_OPEN {
            return Err(FAILURE);
        }
        let found = self.files.find(line, &path);
        if flags & FOR_WRITING != 0 {
            if matches!(found, Some(Found::Folder)) {
                return Err(FAILURE);
            }
            return match self.files.create(line, &path) {
                Ok(()) => Ok(Open::Upload { path, length: 0, hash: Box::new(Sha256::new()), kept: Vec::new() }),
                Err(Refused::Denied) => Err(DENIED),
                Err(Refused::NotFound) => Err(NO_SUCH_FILE),
            };
        }
        match found {
            Some(Found::File(text)) => Ok(Open::Text { path, text }),
            Some(Found::Folder) => Err(FAILURE),
            Some(Found::Hidden) => Err(DENIED),
            None => Err(NO_SUCH_FILE),
        }
    }

    /// Entries of a folder, each with the line that `ls -l` of sftp(1) shows.
    fn put_names(&self, line: &Line<'_>, reply: &mut Vec<u8>, number: u32, path: &[u8], names: &[Vec<u8>]) {
        reply.push(NAME);
        reply.put_u32(number);
        reply.put_u32(u32::try_from(names.len()).unwrap_or(0));
        for name in names.iter().rev() {
            let look = self.files.look(&[path, b"/", name].concat(), false);
            reply.put_string(name);
            match look {
                Some(look) => {
                    reply.put_string(look.line(name, line.utc / NANOS).as_bytes());
                    put_look(reply, &look);
                }
                None => {
                    reply.put_string(name);
                    reply.put_u32(0);
                }
            }
        }
    }

    /// Names of users and of groups, whose numbers are four octets each.
    fn put_names_by_id(&self, reply: &mut Vec<u8>, number: u32, users: &[u8], groups: &[u8]) -> Option<()> {
        if users.len().max(groups.len()) > 4 * MAX_IDS {
            put_status(reply, number, FAILURE);
            return Some(());
        }
        let ids = |octets: &[u8]| octets.chunks(4).map(|id| Reader::new(id).u32()).collect::<Option<Vec<u32>>>();
        let (mut user_names, mut group_names) = (Vec::new(), Vec::new());
        ids(users)?.into_iter().for_each(|id| user_names.put_string(self.files.names_of(id, 0).0.as_bytes()));
        ids(groups)?.into_iter().for_each(|id| group_names.put_string(self.files.names_of(0, id).1.as_bytes()));
        reply.push(EXTENDED_REPLY);
        reply.put_u32(number);
        reply.put_string(&user_names);
        reply.put_string(&group_names);
        Some(())
    }

    fn put_handle(&mut self, reply: &mut Vec<u8>, number: u32, open: Open) {
        let handle = self.next;
        self.next = self.next.wrapping_add(1);
        self.open.push((handle, open));
        if self.open.len() > MAX_OPEN {
            self.open.remove(0);
        }
        reply.push(HANDLE);
        reply.put_u32(number);
        reply.put_string(&handle.to_be_bytes());
    }

    fn opened(&mut self, handle: &[u8]) -> Option<&mut Open> {
        let handle = Reader::new(handle).u32()?;
        self.open.iter_mut().find(|(known, _)| *known == handle).map(|(_, open)| open)
    }

    fn close(&mut self, handle: &[u8]) -> Option<Open> {
        let handle = Reader::new(handle).u32()?;
        let place = self.open.iter().position(|(known, _)| *known == handle)?;
        Some(self.open.remove(place).1)
    }
}

fn put_status(reply: &mut Vec<u8>, number: u32, (code, text): (u32, &str)) {
    reply.push(STATUS);
    reply.put_u32(number);
    reply.put_u32(code);
    reply.put_string(text.as_bytes());
    reply.put_string(b"");
}

/// Whether the product names an extension.
fn offers(line: &Line<'_>, extension: &[u8]) -> bool {
    line.spec.sftp_extensions.iter().any(|(name, _)| name.as_bytes() == extension)
}

/// What stat(2) tells of an entry.
fn put_look(reply: &mut Vec<u8>, look: &Look) {
    reply.put_u32(WITH_SIZE | WITH_OWNER | WITH_MODE | WITH_TIMES);
    reply.extend_from_slice(&look.size.to_be_bytes());
    let modified = u32::try_from(look.modified).unwrap_or(u32::MAX);
    for field in [look.uid, look.gid, look.mode, modified, modified] {
        reply.put_u32(field);
    }
}

fn put_attributes(reply: &mut Vec<u8>, number: u32, found: &Found, look: Option<&Look>) {
    reply.push(ATTRS);
    reply.put_u32(number);
    if let Some(look) = look {
        return put_look(reply, look);
    }
    match found {
        Found::Folder => {
            reply.put_u32(WITH_MODE);
            reply.put_u32(DIRECTORY);
        }
        Found::File(text) => {
            reply.put_u32(WITH_SIZE | WITH_MODE);
            reply.extend_from_slice(&u64::try_from(text.len()).unwrap_or(0).to_be_bytes());
            reply.put_u32(REGULAR);
        }
        Found::Hidden => {
            reply.put_u32(WITH_MODE);
            reply.put_u32(REGULAR & !0o77);
        }
    }
}
