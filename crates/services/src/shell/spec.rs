//! What a shell shows of the product behind it: data, to be written in a TOML file.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

/// A Unix system as whoever logs in sees it. In texts of files and in the greeting, `{hostname}`, `{ip}`, `{mac}` and
/// `{user}` stand for the decoy's own; in files also `{home}`, `{uid}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ShellSpec {
    /// Whose programs they are: how they word what `answers` does not hold.
    pub system: ShellSystem,
    /// The shell: its name begins its error messages.
    pub shell: ShellKind,
    /// The prompt, with `\u`, `\h`, `\w`, `\$`. Left out: `\u@\h:\w\$ `.
    pub prompt: String,
    /// Said after a login at a terminal.
    pub greeting: String,
    /// What `uname` says: system, release, version, machine, operating system.
    pub kernel_release: String,
    /// `#1 SMP …`
    pub kernel_version: String,
    /// `x86_64` if left out.
    pub machine: String,
    /// The first interface beside the loopback: `ens18`; `eth0` if left out.
    pub interface: String,
    /// Accounts, as in `/etc/passwd`; who has logged in is appended if not among them.
    pub users: Vec<ShellUser>,
    /// Files beside those that every system has.
    pub files: Vec<ShellFile>,
    /// Programs that run, in the order of their start.
    pub processes: Vec<ShellProcess>,
    /// Programs beside those of the shell itself; none: those of a server of Debian.
    pub programs: Vec<ShellPrograms>,
    /// What is mounted, in order; none: as Debian's installer does it.
    pub mounts: Vec<ShellMount>,
    /// KiB of swap; left out: what Debian's installer makes of a small disk.
    pub swap_kib: Option<u64>,
    /// How BusyBox names itself: `BusyBox v1.35.0 (…)`.
    pub busybox: String,
    /// Sizes of memory to draw from, MiB; 2048 if left out.
    pub memory_mib: Vec<u32>,
    /// Sizes of the disk to draw from, GiB; 20 if left out.
    pub disk_gib: Vec<u32>,
    /// What commands say that are not programmed here; the first that fits is it.
    pub answers: Vec<ShellAnswer>,
    /// How `sudo`, `su` and `passwd` ask, where it is not as on Linux.
    pub asks: BTreeMap<String, ShellAsk>,
    /// Who logs in and is not among the users, with `{user}` in his home; his number is one that is free from this on.
    pub account: Option<ShellUser>,
    /// Groups beside those that bear a user's name: `wheel:0`.
    pub groups: Vec<String>,
    /// Where programs are looked for, with colons between; left out: as on Linux.
    pub path: String,
    /// Variables of the session, in place of those of a Linux.
    pub environment: BTreeMap<String, String>,
    /// The processes of a session, the shell last; none: as on Linux.
    pub session: Vec<ShellProcess>,
    /// Its terminal; `pts/0` if left out.
    pub terminal: String,
}

/// Whose programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShellSystem {
    /// GNU's, or BusyBox's where the shell is.
    #[default]
    Linux,
    /// FreeBSD's.
    FreeBsd,
    /// Those of macOS.
    MacOs,
    /// Those of Solaris.
    Solaris,
}

/// What a command says. Its texts may hold what those of a command line may (`{ip}`, `{mac:dotted}`, `{now:%H:%M}`,
/// `{counter:name:900}` …), `{arg}` (the last word), `{name}`, `{up}`, `{users}`, `{load:0}`, and rows between `{each:…}`
/// and `{end}`: `processes`, `own-processes`, `listening`, `mounts`, `disks`, `ports`, `session`, `logins`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ShellAnswer {
    /// The commands with their words, one blank between; `*` is anything.
    pub to: Vec<String>,
    /// What is said.
    pub text: String,
    /// What is said on the channel of errors.
    pub errors: String,
    /// The status.
    pub status: u8,
}

/// How a program asks for a password.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ShellAsk {
    /// What is said first.
    pub text: String,
    /// What stands before the secret.
    pub prompt: String,
    /// What is said to any secret.
    pub refusal: String,
}

/// Which shell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShellKind {
    /// GNU bash.
    #[default]
    Bash,
    /// dash, and what else says `sh: 1: x: not found`.
    Dash,
    /// The shell of BusyBox.
    Ash,
    /// The shell of FreeBSD.
    Sh,
    /// zsh.
    Zsh,
}

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ShellUser {
    /// Name.
    pub name: String,
    /// Number of the user.
    pub uid: u32,
    /// Number of the first group, which bears the same name.
    pub gid: u32,
    /// Full name.
    pub gecos: String,
    /// Home directory.
    pub home: String,
    /// Shell.
    pub shell: String,
}

/// A file, and all directories above it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ShellFile {
    /// Where it is.
    pub path: String,
    /// What is in it. A path that ends in `/` is a directory.
    pub text: String,
    /// Where it points to, if it is a symbolic link.
    pub link: String,
    /// Permissions as in `chmod`, octal: `"0640"`. Left out: 0644, directories 0755.
    pub mode: String,
    /// Owner; root if left out.
    pub owner: String,
}

/// A program that runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ShellProcess {
    /// Its command line.
    pub command: String,
    /// Owner; root if left out.
    pub user: String,
    /// Virtual memory, KiB.
    pub vsz: u32,
    /// Resident memory, KiB.
    pub rss: u32,
    /// State, as `ps` writes it; `Ss` if left out.
    pub state: String,
    /// The TCP ports that it listens on, if the decoy has them open.
    pub ports: Vec<u16>,
    /// Its number; left out: one after the last.
    pub pid: Option<u32>,
}

/// Programs in one folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ShellPrograms {
    /// Where they are.
    pub folder: String,
    /// Their names, with blanks between.
    pub names: String,
}

/// A file system that is mounted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ShellMount {
    /// What is mounted.
    pub device: String,
    /// Where.
    pub place: String,
    /// Its kind.
    pub kind: String,
    /// Options.
    pub options: String,
    /// Its size; 0: `df` does not show it.
    pub kib: u64,
    /// In place of both sizes: it is on the disk, and of what is taken there so many hundredths are on it.
    pub of_disk: Option<u8>,
    /// How much of it is taken.
    pub used_kib: u64,
}
