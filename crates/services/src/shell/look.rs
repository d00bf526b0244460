//! What a server of files sees of an entry: the same as `ls -l` shows.

use alloc::{borrow::Cow, format, string::String};

use super::{
    Shell, ShellSystem, commands,
    files::{Node, What, join},
    host::short_date,
};

/// An entry, as stat(2) tells of it.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// With what it is.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
    /// Seconds since 1970.
    pub(crate) modified: u64,
    links: usize,
    letters: String,
    owner: String,
    group: String,
}

impl Shell {
    /// The entry at a path, a link itself unless it is followed; `None`: the user cannot see one.
    pub(crate) fn look(&self, path: &str, follows: bool) -> Option<Look> {
        let full = join(&self.directory, path);
        let find = |files: &super::Files| {
            let found = if follows { files.find(&full, self.asker()) } else { files.find_link(&full, self.asker()) };
            found.map(|(real, node)| (real, node.clone()))
        };
        let (real, node) = find(&self.files).ok()?;
        let kind = match node.what {
            What::Directory => 0o040_000,
            What::Link(_) => 0o120_000,
            What::Text(_) | What::Program(_) => 0o100_000,
            What::Device(..) => 0o020_000,
        };
        Some(Look {
            mode: kind | u32::from(node.mode),
            uid: node.uid,
            gid: node.gid,
            size: self.size_of(&real, &node),
            modified: node.modified,
            links: self.files.links(&real, &node),
            letters: commands::permissions(&node),
            owner: self.host.name_of(node.uid).into_owned(),
            group: self.host.group_of(node.gid).into_owned(),
        })
    }

    /// The names of a user and of a group; numbers, where they have none.
    pub(crate) fn names_of(&self, uid: u32, gid: u32) -> (String, String) {
        (self.host.name_of(uid).into_owned(), self.host.group_of(gid).into_owned())
    }

    /// Octets of an entry: systems count those of a folder in their own ways.
    pub(super) fn size_of(&self, path: &str, node: &Node) -> u64 {
        let entries = || u64::try_from(self.files.children(path).count()).unwrap_or(0) + 2;
        match (&node.what, self.spec.system) {
            (What::Directory, ShellSystem::FreeBsd) => 512,
            (What::Directory, ShellSystem::MacOs) => 32 * entries(),
            (What::Directory, ShellSystem::Solaris) => entries(),
            _ => node.size(),
        }
    }
}

impl Look {
    /// The line that OpenSSH's server has for it (`ls_file` of sftp-common.c).
    pub(crate) fn line(&self, name: &[u8], now: u64) -> String {
        let name: Cow<'_, str> = String::from_utf8_lossy(name);
        let Self { letters, links, owner, group, size, .. } = self;
        let date = short_date(self.modified, now);
        format!("{letters}  {links:>3} {owner:<8} {group:<8} {size:>8} {date} {name}")
    }
}
