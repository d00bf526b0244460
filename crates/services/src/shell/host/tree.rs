//! The files that a session finds.

use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;

use super::{DAY, Host, INSTALLED, MACHINE_ID};
use crate::{
    shell::{
        ShellKind, ShellMount, ShellSpec, ShellSystem, ShellUser,
        files::{Asker, Files, Node, What},
    },
    text::{mix, scramble},
};

/// Programs of every system, where they are, and about how long one is.
const PROGRAMS: &[(&str, &str)] = &[
    (
        "/usr/bin",
        "arch awk base64 basename bash cat chmod chown clear cmp cp crontab curl cut date dd df diff dir dirname dmesg du echo egrep env expr false fgrep file find free grep groups gunzip gzip hd head hexdump hostname id ip kill last less ln ls lsblk lscpu mawk md5sum mkdir more mount mv nano nawk nl nproc od passwd paste perl ping printf ps pwd python3 rev rm rmdir scp sed seq sh sha1sum sha256sum sha512sum sleep sort ss ssh stat su sudo systemctl tac tail tar tee test top touch tr tty uname uniq uptime vi w watch wc wget which who whoami xargs xxd zcat",
    ),
    ("/usr/sbin", "arp cron fdisk ifconfig init nologin route sshd useradd usermod visudo"),
];

/// Programs that run as root whoever calls them.
const AS_ROOT: [&str; 4] = ["mount", "passwd", "su", "sudo"];

/// Folders of a server beside those of its files.
const SERVER_FOLDERS: &[&str] = &[
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/run",
    "/srv",
    "/sys",
    "/usr/lib",
    "/usr/local/bin",
    "/var/log",
    "/var/lib",
    "/var/mail",
    "/var/spool/cron",
];
/// Those of a device.
const DEVICE_FOLDERS: &[&str] = &["/dev", "/etc", "/mnt", "/proc", "/sys", "/usr/lib", "/var/log", "/var/run"];
/// Links of a server whose /usr is merged.
const LINKS: &[(&str, &str)] = &[("/bin", "usr/bin"), ("/sbin", "usr/sbin"), ("/lib", "usr/lib"), ("/var/run", "/run")];
/// Devices and their numbers on Linux (Documentation/admin-guide/devices.txt).
const DEVICES: &[(&str, u8, u8)] = &[
    ("full", 1, 7),
    ("null", 1, 3),
    ("ptmx", TERMINALS, 2),
    ("random", 1, 8),
    ("tty", TERMINALS, 0),
    ("urandom", 1, 9),
    ("zero", 1, 5),
];
const TERMINALS: u8 = 5;
const PSEUDO_TERMINALS: u8 = 136;
/// The group of terminals, in Debian and Red Hat.
const TTY: u32 = 5;
/// About how long a BusyBox with a few dozen applets is.
const BUSYBOX_OCTETS: u64 = 412_968;

impl Host {
    /// The file tree.
    pub(in crate::shell) fn files(&self, spec: &ShellSpec) -> Files {
        let root = Asker { uid: 0, gid: 0 };
        let mut files = Files::default();
        let installed =
            self.booted.min(self.logged_in) - (20 * DAY + mix(&self.seed, INSTALLED) % (400 * DAY)).min(self.booted);
        let directory = |mode, owner, at| Node::new(What::Directory, mode, owner, at);
        files.plant("/", directory(0o755, root, installed));
        let own = !spec.programs.is_empty();
        let linux = self.system == ShellSystem::Linux;
        let folders = match (linux, own) {
            (true, true) => DEVICE_FOLDERS,
            (true, false) => SERVER_FOLDERS,
            (false, _) => &["/dev", "/usr", "/var"],
        };
        for path in folders {
            let at = if matches!(*path, "/dev" | "/proc" | "/run" | "/sys") { self.booted } else { installed };
            files.plant(path, directory(0o755, root, at));
        }
        if self.system != ShellSystem::MacOs {
            files.plant("/root", directory(0o700, root, installed + 900));
        }
        let tmp = if self.system == ShellSystem::MacOs { "/private/tmp" } else { "/tmp" };
        files.plant(tmp, directory(0o1777, root, self.logged_in - self.logged_in % 3600));
        if !own {
            files.plant("/var/tmp", directory(0o1777, root, self.booted));
            files.plant("/dev/shm", directory(0o1777, root, self.booted));
            for (path, target) in LINKS {
                files.plant(path, Node::new(What::Link((*target).into()), 0o777, root, installed));
            }
        }
        let programs = spec.programs.iter().map(|programs| (programs.folder.as_str(), programs.names.as_str()));
        for (place, names) in programs.chain(PROGRAMS.iter().copied().filter(|_| !own)) {
            for name in names.split_whitespace() {
                let size = 14_000 + mix(&[0; 16], name.bytes().fold(7, |h, o| scramble(h ^ u64::from(o)))) % 190_000;
                let node = match self.kind {
                    // Applets are links to the one program.
                    ShellKind::Ash if name != "busybox" => What::Link("/bin/busybox".into()),
                    ShellKind::Ash => What::Program(BUSYBOX_OCTETS),
                    _ => What::Program(size & !7),
                };
                let mode = match node {
                    What::Link(_) => 0o777,
                    _ if !own && AS_ROOT.contains(&name) => 0o4755,
                    _ => 0o755,
                };
                files.plant(&format!("{place}/{name}"), Node::new(node, mode, root, installed));
            }
        }
        for (name, major, minor) in DEVICES {
            // The numbers are those of Linux.
            let what = if linux { What::Device(*major, *minor) } else { What::Text(Vec::new()) };
            let group = if linux && *major == TERMINALS { TTY } else { 0 };
            let node = Node::new(what, 0o666, Asker { uid: 0, gid: group }, self.booted);
            files.plant(&format!("/dev/{name}"), node);
        }
        if linux && let Some(number) = self.terminal.strip_prefix("pts/").and_then(|number| number.parse().ok()) {
            let owner = Asker { uid: self.user.uid, gid: TTY };
            let node = Node::new(What::Device(PSEUDO_TERMINALS, number), 0o620, owner, self.logged_in);
            files.plant(&format!("/dev/{}", self.terminal), node);
        }
        self.plant_accounts(&mut files, installed);
        if linux {
            self.plant_texts(&mut files, installed);
        }
        if linux && !spec.mounts.is_empty() {
            let mut text = String::new();
            for ShellMount { device, place, kind, options, .. } in &spec.mounts {
                let _ = writeln!(text, "{device} {place} {kind} {options} 0 0");
            }
            files.plant("/proc/mounts", Node::new(What::Text(text.into_bytes()), 0o444, root, self.booted));
        }
        files.machine(&spec.machine, spec.system, mix(&self.seed, self.logged_in));
        // BSD's links have permissions as files have, and the mask takes from them.
        let bsd = matches!(self.system, ShellSystem::FreeBsd | ShellSystem::MacOs);
        let link_mode = if bsd { 0o755 } else { 0o777 };
        for file in &spec.files {
            let mode = u16::from_str_radix(&file.mode, 8).ok();
            let owner = self.fill(&file.owner);
            let owner = self.users.iter().find(|u| u.name == owner).map_or(root, |u| Asker { uid: u.uid, gid: u.gid });
            let path = self.fill(&file.path);
            let chance = path.bytes().fold(mix(&self.seed, INSTALLED), |h, o| scramble(h ^ u64::from(o)));
            let at = installed + chance % (self.booted.saturating_sub(installed) + 1);
            let node = match (path.ends_with('/'), file.link.is_empty()) {
                (true, _) => directory(mode.unwrap_or(0o755), owner, at),
                (_, false) => Node::new(What::Link(self.fill(&file.link).into_owned()), link_mode, owner, at),
                _ => Node::new(
                    What::Text(self.fill(&file.text).into_owned().into_bytes()),
                    mode.unwrap_or(0o644),
                    owner,
                    at,
                ),
            };
            files.plant(&path, node);
        }
        files
    }

    /// Who has an account.
    fn plant_accounts(&self, files: &mut Files, installed: u64) {
        let root = Asker { uid: 0, gid: 0 };
        let mut text = |path: &str, mode: u16, owner: Asker, text: String| {
            files.plant(path, Node::new(What::Text(text.into_bytes()), mode, owner, installed + 700));
        };
        let bsd = matches!(self.system, ShellSystem::FreeBsd | ShellSystem::MacOs);
        let (etc, secret) = match self.system {
            ShellSystem::MacOs => ("/private/etc", '*'),
            ShellSystem::FreeBsd => ("/etc", '*'),
            _ => ("/etc", 'x'),
        };
        let mut passwd = String::new();
        let mut group = String::new();
        if self.system == ShellSystem::Linux {
            group.push_str("root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nshadow:x:42:\n");
        }
        for (gid, name, members) in &self.groups {
            let _ = writeln!(group, "{name}:{}:{gid}:{members}", if bsd { "*" } else { "" });
        }
        let mut shadow = String::new();
        let changed = installed / DAY;
        for user in &self.users {
            let ShellUser { name, uid, gid, gecos, home, shell } = user;
            // A Mac's people are in its directory, not in its file.
            if self.system != ShellSystem::MacOs || !home.starts_with("/Users/") {
                let _ = writeln!(passwd, "{name}:{secret}:{uid}:{gid}:{gecos}:{home}:{shell}");
            }
            let named = self.groups.iter().any(|(number, ..)| number == gid);
            if *gid > 6 && *gid != 42 && !named {
                let _ = writeln!(group, "{name}:{}:{gid}:", if bsd { '*' } else { 'x' });
            }
            let _ =
                writeln!(shadow, "{name}:{}:{changed}:0:99999:7:::", if *uid < 1000 && *uid > 0 { "*" } else { "!" });
        }
        text(&format!("{etc}/passwd"), 0o644, root, passwd);
        text(&format!("{etc}/group"), 0o644, root, group);
        match self.system {
            ShellSystem::Linux => text("/etc/shadow", 0o640, Asker { uid: 0, gid: 42 }, shadow),
            ShellSystem::Solaris => text("/etc/shadow", 0o400, Asker { uid: 0, gid: 3 }, shadow),
            ShellSystem::FreeBsd | ShellSystem::MacOs => {}
        }
        let user = &self.user;
        if user.uid != 0 {
            let owner = Asker { uid: user.uid, gid: user.gid };
            let mode = if self.system == ShellSystem::Linux { 0o700 } else { 0o755 };
            files.plant(&user.home, Node::new(What::Directory, mode, owner, self.logged_in.saturating_sub(DAY)));
        }
    }

    fn plant_texts(&self, files: &mut Files, installed: u64) {
        let root = Asker { uid: 0, gid: 0 };
        let mut text = |path: &str, mode: u16, owner: Asker, at: u64, text: String| {
            files.plant(path, Node::new(What::Text(text.into_bytes()), mode, owner, at));
        };
        text("/etc/hostname", 0o644, root, installed, format!("{}\n", self.short_name()));
        if self.kind == ShellKind::Ash {
            text("/etc/hosts", 0o644, root, installed, "127.0.0.1 localhost\n".into());
        } else {
            let name = if self.hostname.contains('.') {
                format!("{}\t{}", self.hostname, self.short_name())
            } else {
                self.hostname.clone()
            };
            let hosts = format!(
                "127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n\n# The following lines are desirable for IPv6 capable hosts\n::1     localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n"
            );
            text("/etc/hosts", 0o644, root, installed, hosts);
            let [high, low] = [MACHINE_ID, MACHINE_ID << 1].map(|purpose| mix(&self.seed, purpose));
            text("/etc/machine-id", 0o444, root, installed, format!("{high:016x}{low:016x}\n"));
        }
        let swap = self.swap_kib;
        let memory = self.memory();
        let available = memory.available();
        text(
            "/proc/meminfo",
            0o444,
            root,
            self.logged_in,
            format!(
                "MemTotal:       {:>8} kB\nMemFree:        {:>8} kB\nMemAvailable:   {available:>8} kB\nBuffers:        {:>8} kB\nCached:         {:>8} kB\nSwapCached:            0 kB\nSwapTotal:      {swap:>8} kB\nSwapFree:       {swap:>8} kB\nShmem:          {:>8} kB\n",
                memory.total,
                memory.free,
                memory.cache / 20,
                memory.cache - memory.cache / 20,
                memory.shared
            ),
        );
        let up = self.logged_in.saturating_sub(self.booted);
        text(
            "/proc/uptime",
            0o444,
            root,
            self.logged_in,
            format!("{up}.{:02} {}.{:02}\n", self.seed[0] % 100, up - up / 90, self.seed[1] % 100),
        );
        text(
            "/proc/loadavg",
            0o444,
            root,
            self.logged_in,
            format!("{} 1/{} {}\n", self.load(self.logged_in).join(" "), self.processes.len() * 2, self.shell_pid + 3),
        );
    }
}
