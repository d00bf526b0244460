//! The folders that a device shows to `scp` and SFTP.

use alloc::{string::String, vec::Vec};

/// Each folder with what is in it: the name of a further folder ends with a slash.
pub(crate) struct Folders {
    pub(super) home: String,
    pub(super) list: Vec<(String, Vec<String>)>,
    pub(super) ignores_case: bool,
}

impl Folders {
    pub(crate) fn home(&self) -> &[u8] {
        self.home.as_bytes()
    }

    /// A path as Windows writes it becomes one of SFTP: `C:\x` is `/C:/x`.
    pub(crate) fn plain(&self, path: &mut Vec<u8>) {
        if !self.home.contains(':') {
            return;
        }
        path.iter_mut().filter(|octet| **octet == b'\\').for_each(|octet| *octet = b'/');
        if path.get(1) == Some(&b':') {
            path.insert(0, b'/');
        }
    }

    /// Whether a whole path is a folder's; `None`: there is nothing.
    pub(crate) fn is_folder(&self, path: &[u8]) -> Option<bool> {
        if self.listed(path).is_some() {
            return Some(true);
        }
        let name = path.rsplit(|octet| *octet == b'/').next()?;
        let names = self.listed(folder_of(path))?;
        let named = names.iter().find(|known| self.is(known.trim_end_matches('/').as_bytes(), name))?;
        Some(named.ends_with('/'))
    }

    /// The names in a folder.
    pub(crate) fn names(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let names = self.listed(path).unwrap_or(&[]).iter().map(|name| name.trim_end_matches('/'));
        [".", ".."].into_iter().chain(names).map(|name| name.as_bytes().to_vec()).collect()
    }

    fn listed(&self, path: &[u8]) -> Option<&[String]> {
        self.list.iter().find(|(folder, _)| self.is(folder.as_bytes(), path)).map(|(_, names)| names.as_slice())
    }

    fn is(&self, one: &[u8], other: &[u8]) -> bool {
        if self.ignores_case { one.eq_ignore_ascii_case(other) } else { one == other }
    }
}

/// The folder that a whole path is in.
pub(crate) fn folder_of(path: &[u8]) -> &[u8] {
    let at = path.iter().rposition(|octet| *octet == b'/').unwrap_or(0);
    path.get(..at).filter(|folder| !folder.is_empty()).unwrap_or(b"/")
}
