//! The file tree that a session sees: made of the product's files and the decoy's identity, and what those who were let
//! in have changed since the worker was started.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::cell::Cell;

use super::ShellSystem;
use crate::{
    limits::shell::{MAX_DEVICE, MAX_DISKS, MAX_LINKS, MAX_OWN_FILES, MAX_OWN_OCTETS},
    text::scramble,
};

/// A file, a directory or a link.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) what: What,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Seconds since 1970.
    pub(super) modified: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Directory,
    Text(Vec<u8>),
    Link(String),
    /// A program, of so many octets, or any file of which no more is known.
    Program(u64),
    /// A device of characters: its numbers on Linux (Documentation/admin-guide/devices.txt).
    Device(u8, u8),
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NotFound,
    NotADirectory,
    IsADirectory,
    Denied,
    Full,
}

impl Refusal {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::NotFound => "No such file or directory",
            Self::NotADirectory => "Not a directory",
            Self::IsADirectory => "Is a directory",
            Self::Denied => "Permission denied",
            Self::Full => "No space left on device",
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What was changed in the tree of one decoy: entries that were made or changed, and places where none is any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    changes: BTreeMap<String, Option<Node>>,
}

/// The disks of all decoys of one engine on which something was changed.
#[derive(Debug, Default)]
pub(crate) struct Disks {
    /// By the decoy's seed, each with when it was used last.
    disks: BTreeMap<[u8; 16], (u64, Disk)>,
    uses: u64,
}

impl Disks {
    /// The disk of the decoy with this seed. Beyond the limit, the one that was longest unused is as it was at first.
    pub(crate) fn of(&mut self, seed: [u8; 16]) -> &mut Disk {
        self.uses += 1;
        if self.disks.len() >= MAX_DISKS && !self.disks.contains_key(&seed) {
            let oldest = self.disks.iter().min_by_key(|(_, (used, _))| *used).map(|(seed, _)| *seed);
            oldest.and_then(|oldest| self.disks.remove(&oldest));
        }
        let (used, disk) = self.disks.entry(seed).or_default();
        *used = self.uses;
        disk
    }
}

#[derive(Debug, Default)]
pub(super) struct Files {
    nodes: BTreeMap<String, Node>,
    /// What is changed of them, while it is mounted.
    disk: Disk,
    machine: String,
    system: ShellSystem,
    /// Where the next octets of chance begin.
    drawn: Cell<u64>,
}

/// The numbers of devices of memory.
const MEMORY: u8 = 1;
const ZERO: u8 = 5;
const FULL: u8 = 7;
const RANDOM: u8 = 8;
const URANDOM: u8 = 9;

impl Files {
    /// Puts a node and the directories above it in their place, as the system's maker did.
    pub(super) fn plant(&mut self, path: &str, node: Node) {
        let path = normal(path);
        let mut parent = parent_of(&path);
        while !self.nodes.contains_key(parent) {
            let directory = Node { what: What::Directory, mode: 0o755, uid: 0, gid: 0, modified: node.modified };
            self.nodes.insert(parent.to_string(), directory);
            parent = parent_of(parent);
        }
        self.nodes.insert(path, node);
    }

    /// The machine that programs are for, as `uname -m` says it, its system, and what chance begins with.
    pub(super) fn machine(&mut self, name: &str, system: ShellSystem, chance: u64) {
        self.drawn.set(chance);
        self.machine = name.into();
        self.system = system;
    }

    /// Puts a disk in the place of the one that is mounted.
    pub(super) fn mount(&mut self, disk: &mut Disk) {
        core::mem::swap(&mut self.disk, disk);
    }

    fn get(&self, path: &str) -> Option<&Node> {
        match self.disk.changes.get(path) {
            Some(changed) => changed.as_ref(),
            None => self.nodes.get(path),
        }
    }

    fn set(&mut self, path: String, node: Node) {
        if self.get(&path).is_none() {
            self.touch_parent(&path, node.modified);
        }
        self.disk.changes.insert(path, Some(node));
    }

    /// A folder is changed when something is made in it.
    fn touch_parent(&mut self, path: &str, seconds: u64) {
        let parent = parent_of(path);
        if let Some(node) = self.get(parent).filter(|node| node.what == What::Directory) {
            let node = Node { modified: seconds, ..node.clone() };
            self.disk.changes.insert(parent.to_string(), Some(node));
        }
    }

    /// Whether so many octets more, and perhaps a file, can be kept.
    fn has_room(&self, path: &str, octets: usize) -> bool {
        // Folders of the product that were touched are not files that somebody made.
        let kept = self.disk.changes.iter().filter(|(other, node)| {
            let own = *other != path;
            own && node.as_ref().is_some_and(|node| node.what != What::Directory || !self.nodes.contains_key(*other))
        });
        let kept = kept.filter_map(|(_, node)| node.as_ref());
        let (files, used) = kept.fold((1, octets), |(files, used), node| match &node.what {
            What::Text(text) => (files + 1, used + text.len()),
            _ => (files + 1, used),
        });
        files <= MAX_OWN_FILES && used <= MAX_OWN_OCTETS
    }

    /// The node, links followed, and where it really is.
    pub(super) fn find(&self, path: &str, asker: Asker) -> Result<(String, &Node), Refusal> {
        let mut path = path.to_string();
        for _ in 0..MAX_LINKS {
            let resolved = self.resolve_parents(&path, asker)?;
            let node = self.get(&resolved).ok_or(Refusal::NotFound)?;
            match &node.what {
                What::Link(target) => path = join(parent_of(&resolved), target),
                _ => return Ok((resolved, node)),
            }
        }
        Err(Refusal::NotFound)
    }

    /// The node itself, be it a link.
    pub(super) fn find_link(&self, path: &str, asker: Asker) -> Result<(String, &Node), Refusal> {
        let resolved = self.resolve_parents(path, asker)?;
        let node = self.get(&resolved).ok_or(Refusal::NotFound)?;
        Ok((resolved, node))
    }

    /// The path with links in its directories replaced, all of which must be there and may be entered.
    fn resolve_parents(&self, path: &str, asker: Asker) -> Result<String, Refusal> {
        let mut done = String::from("/");
        let mut rest: Vec<String> = path.split('/').filter(|p| !p.is_empty()).rev().map(String::from).collect();
        let mut links = 0;
        while let Some(name) = rest.pop() {
            let next = join(&done, &name);
            if rest.is_empty() {
                return Ok(next);
            }
            let node = self.get(&next).ok_or(Refusal::NotFound)?;
            match &node.what {
                What::Directory if may(node, asker, 1) => done = next,
                What::Directory => return Err(Refusal::Denied),
                What::Link(target) if links < MAX_LINKS => {
                    links += 1;
                    let target = join(&done, target);
                    done = String::from("/");
                    rest.extend(target.split('/').filter(|p| !p.is_empty()).rev().map(String::from));
                }
                _ => return Err(Refusal::NotADirectory),
            }
        }
        Ok(done)
    }

    /// What is in a file.
    pub(super) fn read(&self, path: &str, asker: Asker) -> Result<Vec<u8>, Refusal> {
        let (_, node) = self.find(path, asker)?;
        if !may(node, asker, 4) {
            return Err(Refusal::Denied);
        }
        match &node.what {
            What::Text(text) => Ok(text.clone()),
            What::Directory => Err(Refusal::IsADirectory),
            What::Link(_) => Err(Refusal::NotFound),
            What::Program(_) => Ok(header(&self.machine, self.system)),
            What::Device(MEMORY, FULL | ZERO) => Ok(vec![0; MAX_DEVICE]),
            What::Device(MEMORY, RANDOM | URANDOM) => Ok(self.random()),
            What::Device(..) => Ok(Vec::new()),
        }
    }

    /// Octets that look as if chance had drawn them, others with each call.
    fn random(&self) -> Vec<u8> {
        let words = u64::try_from(MAX_DEVICE / 8).unwrap_or(0);
        let from = self.drawn.get();
        self.drawn.set(from.wrapping_add(words));
        (0..words).flat_map(|word| scramble(from.wrapping_add(word)).to_le_bytes()).collect()
    }

    /// Names in a directory and what they are, in order.
    pub(super) fn list(&self, path: &str, asker: Asker) -> Result<Vec<(String, &Node)>, Refusal> {
        let (path, node) = self.find(path, asker)?;
        if node.what != What::Directory {
            return Err(Refusal::NotADirectory);
        }
        if !may(node, asker, 4) {
            return Err(Refusal::Denied);
        }
        Ok(self.children(&path).map(|(name, node)| (name.to_string(), node)).collect())
    }

    /// Entries of a directory whose full path is known.
    pub(super) fn children(&self, path: &str) -> impl Iterator<Item = (&str, &Node)> {
        let prefix = if path == "/" { String::from("/") } else { format!("{path}/") };
        let name = |path: &'_ str| {
            path.strip_prefix(&prefix).filter(|name| !name.is_empty() && !name.contains('/')).map(str::len)
        };
        let within = |path: &str| path.starts_with(&prefix);
        let planted = self.nodes.range(prefix.clone()..).take_while(|(path, _)| within(path));
        let planted = planted.filter(|(path, _)| !self.disk.changes.contains_key(*path));
        let changed = self.disk.changes.range(prefix.clone()..).take_while(|(path, _)| within(path));
        let changed = changed.filter_map(|(path, node)| Some((path, node.as_ref()?)));
        let mut entries: Vec<(&str, &Node)> = planted
            .chain(changed)
            .filter_map(|(path, node)| Some((path.get(path.len() - name(path)?..)?, node)))
            .collect();
        entries.sort_unstable_by_key(|(name, _)| *name);
        entries.into_iter()
    }

    /// Links that a node has: a directory is also in itself and in its subdirectories.
    pub(super) fn links(&self, path: &str, node: &Node) -> usize {
        match node.what {
            What::Directory => 2 + self.children(path).filter(|(_, n)| n.what == What::Directory).count(),
            _ => 1,
        }
    }

    /// Writes a file.
    pub(super) fn write(
        &mut self,
        path: &str,
        asker: Asker,
        seconds: u64,
        octets: &[u8],
        append: bool,
    ) -> Result<(), Refusal> {
        let (path, old) = match self.find(path, asker) {
            Ok((path, node)) => match &node.what {
                What::Directory => return Err(Refusal::IsADirectory),
                _ if !may(node, asker, 2) => return Err(Refusal::Denied),
                What::Device(..) => return Ok(()),
                What::Text(_) => (path, Some(node.clone())),
                // Of what is longer than is kept, what is written over it is.
                What::Program(_) if self.disk.changes.contains_key(&path) && !append => (path, None),
                _ => return Err(Refusal::Denied),
            },
            Err(Refusal::NotFound) => (self.place_in_parent(path, asker)?, None),
            Err(refusal) => return Err(refusal),
        };
        if path.starts_with("/dev/") {
            return Ok(());
        }
        let mut node = old.unwrap_or_else(|| Node::new(What::Text(Vec::new()), 0o644, asker, seconds));
        if let What::Text(text) = &mut node.what {
            if !append {
                text.clear();
            }
            if !self.has_room(&path, text.len() + octets.len()) {
                return Err(Refusal::Full);
            }
            text.extend_from_slice(octets);
        }
        node.modified = seconds;
        self.set(path, node);
        Ok(())
    }

    /// Keeps a file that is there as one of so many octets of which nothing more is known.
    pub(super) fn keep_length(&mut self, path: &str, length: u64) {
        if let Some(node) = self.disk.changes.get_mut(path).and_then(Option::as_mut) {
            node.what = What::Program(length);
        }
    }

    /// Makes a directory.
    pub(super) fn make_directory(&mut self, path: &str, asker: Asker, seconds: u64) -> Result<(), Refusal> {
        let path = self.place_in_parent(path, asker)?;
        if !self.has_room(&path, 0) {
            return Err(Refusal::Full);
        }
        self.set(path, Node::new(What::Directory, 0o755, asker, seconds));
        Ok(())
    }

    /// Removes a file, or a directory with all that is in it.
    pub(super) fn remove(&mut self, path: &str, asker: Asker, recursive: bool) -> Result<(), Refusal> {
        let (path, node) = self.find_link(path, asker)?;
        if node.what == What::Directory && !recursive {
            return Err(Refusal::IsADirectory);
        }
        let parent = self.get(parent_of(&path)).ok_or(Refusal::NotFound)?;
        // In a directory with the sticky bit only the owner removes.
        if !may(parent, asker, 2) || (parent.mode & 0o1000 != 0 && asker.uid != 0 && node.uid != asker.uid) {
            return Err(Refusal::Denied);
        }
        let below = format!("{path}/");
        let goes = |other: &String| *other == path || other.starts_with(&below);
        self.disk.changes.retain(|other, _| !goes(other));
        let planted: Vec<String> = self.nodes.keys().filter(|other| goes(other)).cloned().collect();
        self.disk.changes.extend(planted.into_iter().map(|path| (path, None)));
        Ok(())
    }

    /// Changes the permissions of what the asker owns.
    pub(super) fn change_mode(&mut self, path: &str, asker: Asker, mode: u16) -> Result<(), Refusal> {
        let (path, node) = self.find(path, asker)?;
        if asker.uid != 0 && node.uid != asker.uid {
            return Err(Refusal::Denied);
        }
        if !self.has_room(&path, 0) {
            return Err(Refusal::Full);
        }
        self.set(path, Node { mode, ..node.clone() });
        Ok(())
    }

    /// Where a new entry would be, if the asker may make one there.
    fn place_in_parent(&self, path: &str, asker: Asker) -> Result<String, Refusal> {
        let path = self.resolve_parents(path, asker)?;
        let parent = self.get(parent_of(&path)).ok_or(Refusal::NotFound)?;
        match parent.what {
            What::Directory if may(parent, asker, 2) => Ok(path),
            What::Directory => Err(Refusal::Denied),
            _ => Err(Refusal::NotADirectory),
        }
    }
}

impl Node {
    pub(super) fn new(what: What, mode: u16, owner: Asker, modified: u64) -> Self {
        Self { what, mode, uid: owner.uid, gid: owner.gid, modified }
    }

    /// Octets, as `ls -l` shows them.
    pub(super) fn size(&self) -> u64 {
        let length = |octets: usize| u64::try_from(octets).unwrap_or(u64::MAX);
        match &self.what {
            What::Directory => 4096,
            What::Text(text) => length(text.len()),
            What::Link(target) => length(target.len()),
            What::Program(size) => *size,
            What::Device(..) => 0,
        }
    }
}

/// An ELF header (System V ABI, figure 4-3) of a program for a machine, or that of a Mac, and nothing of the program.
fn header(machine: &str, system: ShellSystem) -> Vec<u8> {
    if system == ShellSystem::MacOs {
        // mach-o/loader.h: MH_MAGIC_64, CPU_TYPE_X86_64, CPU_SUBTYPE_X86_64_ALL of 64 bits, MH_EXECUTE.
        let fields = [0xfeed_facf_u32, 0x0100_0007, 0x8000_0003, 2];
        return fields.iter().flat_map(|field| field.to_le_bytes()).collect();
    }
    // Class, order of octets, kind (2: at a fixed place, 3: anywhere) and number of the machine.
    let (class, order, kind, number) = match machine {
        "mips" => (1, 2, 2, 8),
        "armv7l" => (1, 1, 2, 40),
        "aarch64" => (2, 1, 3, 183),
        _ => (2, 1, if system == ShellSystem::Linux { 3 } else { 2 }, 62),
    };
    let abi = if system == ShellSystem::FreeBsd { 9 } else { 0 };
    let mut header = Vec::from(*b"\x7fELF");
    header.extend([class, order, 1, abi, 0, 0, 0, 0, 0, 0, 0, 0]);
    for field in [kind, number, 1] {
        let field: u16 = field;
        header.extend(if order == 1 { field.to_le_bytes() } else { field.to_be_bytes() });
    }
    header.extend([0, 0]);
    header
}

/// Whether `asker` may read (4), write (2) or enter (1).
pub(super) fn may(node: &Node, asker: Asker, bit: u16) -> bool {
    let shift = match node {
        // Root may all, but even root runs only what somebody may run.
        _ if asker.uid == 0 => return bit != 1 || node.what == What::Directory || node.mode & 0o111 != 0,
        _ if node.uid == asker.uid => 6,
        _ if node.gid == asker.gid => 3,
        _ => 0,
    };
    node.mode >> shift & bit != 0
}

/// `path` as seen from `base`, without `.` and `..`.
pub(super) fn join(base: &str, path: &str) -> String {
    if path.starts_with('/') { normal(path) } else { normal(&format!("{base}/{path}")) }
}

fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

pub(super) fn parent_of(path: &str) -> &str {
    match path.rsplit_once('/') {
        None | Some(("", _)) => "/",
        Some((parent, _)) => parent,
    }
}
