//! The system that a session looks at: every number in it comes from the product's facts, the decoy's seed and the time,
//! so that two commands that show the same thing agree, today and after the next login.

mod tree;

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use core::{fmt::Write, net::IpAddr};

use chaff_wire::Mac;

use super::{NANOS, ShellKind, ShellProcess, ShellSpec, ShellSystem, ShellUser, Surroundings};
use crate::{
    Identity,
    calendar::Moment,
    console::{Facts, width_of, write_wide},
    text::{Who, fill_with, mix, scramble},
};

const DAY: u64 = 86_400;
/// What the seed decides, each under a number of its own.
const BOOT: u64 = 0x5e11_0001;
const MEMORY: u64 = 0x5e11_0002;
const DISK: u64 = 0x5e11_0003;
const INSTALLED: u64 = 0x5e11_0004;
const PIDS: u64 = 0x5e11_0005;
const LAST: u64 = 0x5e11_0006;
const MACHINE_ID: u64 = 0x5e11_0007;
/// What Debian's installer makes of a small disk: 976 MiB less a page.
const SWAP_KIB: u64 = 998_396;

#[derive(Debug)]
pub(super) struct Host {
    pub(super) hostname: String,
    pub(super) ip: IpAddr,
    pub(super) mac: Mac,
    pub(super) prefix: u8,
    pub(super) seed: [u8; 16],
    pub(super) interface: String,
    pub(super) user: ShellUser,
    pub(super) users: Vec<ShellUser>,
    /// Seconds since 1970.
    pub(super) booted: u64,
    pub(super) logged_in: u64,
    pub(super) ports: Vec<u16>,
    pub(super) peer: Option<(IpAddr, u16)>,
    pub(super) memory_kib: u64,
    pub(super) disk_kib: u64,
    pub(super) swap_kib: u64,
    kind: ShellKind,
    pub(super) system: ShellSystem,
    /// Numbers, names and members of groups that are no user's.
    pub(super) groups: Vec<(u32, String, String)>,
    facts: Facts,
    pub(super) processes: Vec<Process>,
    pub(super) shell_pid: u32,
    pub(super) terminal: String,
}

/// A program that runs.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) user: String,
    pub(super) command: String,
    pub(super) vsz: u64,
    pub(super) rss: u64,
    pub(super) state: String,
    pub(super) terminal: String,
    /// Seconds since 1970.
    pub(super) started: u64,
    pub(super) cpu_seconds: u64,
    pub(super) ports: Vec<u16>,
}

impl Host {
    pub(super) fn new(spec: &ShellSpec, identity: &Identity<'_>, user: &str, utc: u64, around: &Surroundings) -> Self {
        let seed = identity.seed;
        let now = utc / NANOS;
        let uptime = around.uptime.map_or_else(
            || {
                // Restarted every so many days, at a time of its own.
                let period = (9 + mix(&seed, BOOT) % 181) * DAY;
                (now + scramble(mix(&seed, BOOT)) % period) % period
            },
            |nanos| nanos / NANOS,
        );
        let shell = if spec.shell == ShellKind::Bash { "/bin/bash" } else { "/bin/sh" };
        let mut users = spec.users.clone();
        if !users.iter().any(|u| u.name == "root") {
            users.insert(0, account("root", 0, "/root", shell));
        }
        if !users.iter().any(|u| u.name == user) {
            let (least, model) = spec.account.as_ref().map_or((1000, None), |account| (account.uid, Some(account)));
            let uid =
                users.iter().map(|u| u.uid).filter(|uid| (least..60_000).contains(uid)).max().map_or(least, |u| u + 1);
            users.push(match model {
                Some(model) => ShellUser {
                    name: user.into(),
                    uid,
                    gid: if model.gid == 0 { uid } else { model.gid },
                    home: model.home.replace("{user}", user),
                    gecos: model.gecos.replace("{user}", user),
                    shell: model.shell.clone(),
                },
                None => account(user, uid, &format!("/home/{user}"), shell),
            });
        }
        let user = users.iter().find(|u| u.name == user).cloned().unwrap_or_default();
        let booted = now.saturating_sub(uptime);
        let facts_around = Surroundings { uptime: Some(uptime * NANOS), ..around.clone() };
        let facts = Facts::new(&Who::new(identity), &user.name, utc, &facts_around);
        let groups: Vec<_> = spec
            .groups
            .iter()
            .filter_map(|group| {
                let mut parts = group.splitn(3, ':');
                let (name, gid) = (parts.next()?, parts.next()?.parse().ok()?);
                Some((gid, name.into(), parts.next().unwrap_or("").replace("{user}", &user.name)))
            })
            .collect();
        let mut host = Self {
            hostname: identity.hostname.into(),
            ip: identity.ip,
            mac: identity.mac,
            prefix: around.prefix.unwrap_or(24).min(32),
            seed,
            interface: if spec.interface.is_empty() { "eth0".into() } else { spec.interface.clone() },
            user,
            users,
            booted,
            logged_in: now,
            ports: if around.ports.is_empty() { Vec::from([22]) } else { around.ports.clone() },
            peer: around.peer,
            memory_kib: 0,
            disk_kib: u64::from(drawn(&spec.disk_gib, &seed, DISK).unwrap_or(20)) * 1024 * 1024,
            swap_kib: spec.swap_kib.unwrap_or(SWAP_KIB),
            kind: spec.shell,
            system: spec.system,
            groups,
            facts,
            processes: Vec::new(),
            shell_pid: 0,
            terminal: if spec.terminal.is_empty() { "pts/0".into() } else { spec.terminal.clone() },
        };
        host.ports.sort_unstable();
        // The kernel keeps some of the memory that the machine has.
        let memory = u64::from(drawn(&spec.memory_mib, &seed, MEMORY).unwrap_or(2048)) * 1024;
        host.memory_kib = (memory - memory / 32).saturating_sub(mix(&seed, MEMORY) % 4096);
        host.start(spec, now);
        host
    }

    /// Processes: those of the product, with numbers that grow as they do on a system that starts, and the session's.
    fn start(&mut self, spec: &ShellSpec, now: u64) {
        let programs = &spec.processes;
        let linux = self.system == ShellSystem::Linux;
        let mut chance = mix(&self.seed, PIDS);
        let mut pid = 0;
        let mut sshd = 1;
        // A server that the decoy does not have open is not running; the one that let the session in is.
        let open = [&self.ports[..], &[22]].concat();
        let runs = |ports: &[u16]| ports.is_empty() || ports.iter().any(|port| open.contains(port));
        for program in programs.iter().filter(|program| runs(&program.ports)) {
            chance = scramble(chance);
            let kernel = program.command.starts_with('[');
            let gap = if kernel || pid == 0 { 1 } else { 1 + small(chance % 23) };
            pid = program.pid.unwrap_or(pid + gap);
            if !kernel && pid > 1 && pid < 200 && self.kind != ShellKind::Ash && linux {
                pid = 230 + small(chance % 60);
            }
            if program.ports.contains(&22) {
                sshd = pid;
            }
            let uptime = now.saturating_sub(self.booted);
            self.processes.push(Process {
                pid,
                parent: if kernel && pid > 2 && linux { 2 } else { u32::from(pid > 2 && !kernel) },
                user: if program.user.is_empty() { "root".into() } else { self.fill(&program.user).into_owned() },
                command: self.fill(&program.command).into_owned(),
                vsz: u64::from(program.vsz),
                rss: u64::from(program.rss),
                state: if program.state.is_empty() { "Ss".into() } else { program.state.clone() },
                terminal: "?".into(),
                started: self.booted + u64::from(!kernel) * (1 + u64::from(pid) / 120),
                cpu_seconds: if program.rss == 0 { uptime / 400_000 } else { uptime / (20_000 + chance % 200_000) },
                ports: program.ports.clone(),
            });
        }
        // Numbers begin anew long before on the others.
        let most = if linux { 3_000_000 } else { 25_000 };
        // A system starts a process every few minutes by itself: timers, logins, cron.
        let first = pid + 400 + small(now.saturating_sub(self.booted) / (97 + mix(&self.seed, PIDS) % 160) % most);
        let (name, tty) = (self.user.name.clone(), self.terminal.clone());
        if self.kind == ShellKind::Ash {
            // Dropbear starts a process for each connection, which starts the shell.
            let door = programs.iter().find(|program| program.ports.contains(&22));
            let command = door.map_or_else(|| "dropbear".into(), |program| program.command.clone());
            self.session_process(first, sshd, "root", command, (1_228, 740), "S", "?");
            self.session_process(first + 1, first, &name, "-sh".into(), (1_316, 880), "S", &tty);
            self.shell_pid = first + 1;
            return;
        }
        if !spec.session.is_empty() {
            return self.start_session(&spec.session, first, sshd);
        }
        let home_user = name != "root";
        let (privileged, own, shell) = (first, first + 14, first + 15);
        self.session_process(privileged, sshd, "root", format!("sshd: {name} [priv]"), (17_868, 11_040), "Ss", "?");
        if home_user {
            self.session_process(own, privileged, &name, format!("sshd: {name}@{tty}"), (18_128, 6_740), "S", "?");
        }
        let parent = if home_user { own } else { privileged };
        self.session_process(shell, parent, &name, "-bash".into(), (8_108, 5_120), "Ss", &tty);
        self.shell_pid = shell;
    }

    /// The product's own processes of a session, each the next one's parent, the shell last.
    fn start_session(&mut self, programs: &[ShellProcess], first: u32, sshd: u32) {
        let (mut pid, mut parent) = (first, sshd);
        let count = programs.len();
        for (place, program) in programs.iter().enumerate() {
            let [command, user] = [&program.command, &program.user].map(|text| self.fill(text).into_owned());
            let user = if user.is_empty() { "root" } else { &user };
            let tty = if place + 1 == count { self.terminal.clone() } else { "?".into() };
            let sizes = (u64::from(program.vsz), u64::from(program.rss));
            self.session_process(pid, parent, user, command, sizes, &program.state, &tty);
            (self.shell_pid, parent, pid) = (pid, pid, pid + 2);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a line of a table")]
    fn session_process(
        &mut self,
        pid: u32,
        parent: u32,
        user: &str,
        command: String,
        (vsz, rss): (u64, u64),
        state: &str,
        terminal: &str,
    ) {
        self.processes.push(Process {
            pid,
            parent,
            user: user.into(),
            command,
            vsz,
            rss,
            state: state.into(),
            terminal: terminal.into(),
            started: self.logged_in,
            cpu_seconds: 0,
            ports: Vec::new(),
        });
    }

    /// The number of a process that a line starts.
    pub(super) fn next_pid(&self, line: u32) -> u32 {
        self.shell_pid + 1 + line * 2
    }

    /// The host name up to its first dot.
    pub(super) fn short_name(&self) -> &str {
        self.hostname.split('.').next().unwrap_or("")
    }

    pub(super) fn name_of(&self, uid: u32) -> Cow<'_, str> {
        self.users.iter().find(|u| u.uid == uid).map_or_else(|| format!("{uid}").into(), |u| u.name.as_str().into())
    }

    pub(super) fn group_of(&self, gid: u32) -> Cow<'_, str> {
        if let Some((_, name, _)) = self.groups.iter().find(|(number, ..)| *number == gid) {
            return name.as_str().into();
        }
        match gid {
            42 => "shadow".into(),
            4 => "adm".into(),
            5 => "tty".into(),
            6 => "disk".into(),
            _ => self
                .users
                .iter()
                .find(|u| u.gid == gid)
                .map_or_else(|| format!("{gid}").into(), |u| u.name.as_str().into()),
        }
    }

    /// Octets of memory that are taken, KiB: programs, and the cache that grows until the disk has been read.
    pub(super) fn memory(&self) -> Memory {
        let programs: u64 = self.processes.iter().map(|p| p.rss).sum();
        let used = (programs / 2 + 90_000).min(self.memory_kib / 2);
        let cache = self.memory_kib * 35 / 100 + mix(&self.seed, MEMORY) % (self.memory_kib / 10 + 1);
        let free = self.memory_kib.saturating_sub(used + cache);
        Memory { total: self.memory_kib, free, cache, shared: 500 + mix(&self.seed, MEMORY) % 700 }
    }

    /// The root file system: KiB in all, KiB used.
    pub(super) fn disk(&self) -> (u64, u64) {
        let total = self.disk_kib * 98 / 100;
        (total, 1_400_000.min(total / 3) + mix(&self.seed, DISK) % (total / 3 + 1))
    }

    pub(super) fn load(&self, now: u64) -> [String; 3] {
        [1, 5, 15].map(|minutes| {
            let hundredths = scramble(mix(&self.seed, minutes) ^ (now / (minutes * 40))) % 9;
            format!("0.0{hundredths}")
        })
    }

    /// When the last one before was logged in, and how long.
    pub(super) fn earlier_logins(&self) -> Vec<(u64, u64)> {
        let mut chance = mix(&self.seed, LAST);
        let day = self.logged_in - self.logged_in % DAY;
        let mut logins = Vec::new();
        let mut back = 0;
        for _ in 0..3 {
            // Counted from the start of the week, so that they stay where they are for the days between.
            chance = scramble(chance ^ (day / (7 * DAY)));
            back += 8 + chance % 6;
            let at = ((day / (7 * DAY)) * 7 * DAY + 7 * 3600 + chance % (11 * 3600)).saturating_sub((back - 8) * DAY);
            if at > self.booted && at < self.logged_in {
                logins.push((at, 120 + scramble(chance) % 5400));
            }
        }
        logins
    }

    /// Where programs are looked for: the product's, or what its kind of shell gives to a user.
    pub(super) fn path<'s>(&self, spec: &'s ShellSpec) -> &'s str {
        match (self.user.uid, self.kind == ShellKind::Ash) {
            _ if !spec.path.is_empty() => &spec.path,
            (0, true) => "/usr/sbin:/usr/bin:/sbin:/bin",
            (_, true) => "/usr/bin:/bin",
            (0, false) => "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            _ => "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games",
        }
    }

    /// The bits of an address that are those of its network.
    pub(super) fn mask(&self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }

    pub(super) fn environment(&self, spec: &ShellSpec, terminal: bool) -> Vec<(String, String)> {
        let user = &self.user;
        let ash = self.kind == ShellKind::Ash;
        let mut all = Vec::from([
            ("HOME", user.home.clone()),
            ("LOGNAME", user.name.clone()),
            ("PATH", self.path(spec).into()),
            ("SHELL", user.shell.clone()),
            ("USER", user.name.clone()),
        ]);
        if self.kind != ShellKind::Sh {
            all.push(("SHLVL", String::from(if terminal { "1" } else { "0" })));
        }
        if self.system == ShellSystem::Linux && !ash {
            all.push(("LANG", "en_US.UTF-8".into()));
            all.push(("XDG_RUNTIME_DIR", format!("/run/user/{}", user.uid)));
            all.push(("XDG_SESSION_TYPE", "tty".into()));
        }
        if let Some((ip, port)) = self.peer {
            let door = self.ports.iter().copied().find(|p| *p == 22).unwrap_or(22);
            all.push(("SSH_CLIENT", format!("{ip} {port} {door}")));
            all.push(("SSH_CONNECTION", format!("{ip} {port} {} {door}", self.ip)));
        }
        if terminal {
            all.push(("SSH_TTY", format!("/dev/{}", self.terminal)));
            all.push(("TERM", "xterm-256color".into()));
        }
        let own = spec.environment.iter().map(|(name, value)| (name.clone(), self.fill(value).into_owned()));
        all.into_iter().map(|(name, value)| (name.into(), value)).chain(own).collect()
    }

    /// Where its people log in from.
    pub(super) fn usual_peer(&self) -> IpAddr {
        self.facts.usual_peer()
    }

    /// Puts the placeholders of [`ShellSpec`] in, as they are when the session begins.
    pub(super) fn fill<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if text.contains('{') { self.fill_at(text, self.logged_in * NANOS).into() } else { text.into() }
    }

    /// Puts them in as they are now.
    pub(super) fn fill_at(&self, text: &str, utc: u64) -> String {
        let own = fill_with(text, |whole, filled| {
            let (whole, width) = width_of(whole);
            let mut value = String::new();
            let out = &mut value;
            match whole.split_once(':').unwrap_or((whole, "")) {
                ("hostname", "") => out.push_str(&self.hostname),
                ("hostname", "short") => out.push_str(self.short_name()),
                ("user", _) => out.push_str(&self.user.name),
                ("home", _) => out.push_str(&self.user.home),
                ("uid", _) => drop(write!(out, "{}", self.user.uid)),
                ("gid", _) => drop(write!(out, "{}", self.user.gid)),
                ("tty", _) => out.push_str(&self.terminal),
                ("memory", "bytes") => drop(write!(out, "{}", self.memory_kib.div_ceil(1 << 20) << 30)),
                ("memory", "mib") => drop(write!(out, "{}", self.memory_kib.div_ceil(1 << 20) << 10)),
                ("memory", "gib") => drop(write!(out, "{}", self.memory_kib.div_ceil(1 << 20))),
                ("disk", "gib") => drop(write!(out, "{}", self.disk_kib >> 20)),
                // When somebody was here last.
                ("last", form) => {
                    let at = self.earlier_logins().first().map_or(self.booted + 600, |(at, _)| *at);
                    out.push_str(&Moment::at(at.min(self.logged_in) * NANOS).format(form));
                }
                _ => return false,
            }
            write_wide(filled, &value, width)
        });
        if own.contains('{') { self.facts.fill(&own, utc) } else { own.into_owned() }
    }
}

/// KiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) total: u64,
    pub(super) free: u64,
    pub(super) cache: u64,
    pub(super) shared: u64,
}

impl Memory {
    pub(super) fn available(self) -> u64 {
        self.free + self.cache * 9 / 10
    }
}

fn account(name: &str, uid: u32, home: &str, shell: &str) -> ShellUser {
    let gecos = if uid == 0 { "root" } else { ",,," };
    ShellUser { name: name.into(), uid, gid: uid, gecos: gecos.into(), home: home.into(), shell: shell.into() }
}

fn drawn(choices: &[u32], seed: &[u8; 16], purpose: u64) -> Option<u32> {
    let count = u64::try_from(choices.len()).ok().filter(|count| *count > 0)?;
    choices.get(usize::try_from(mix(seed, purpose) % count).ok()?).copied()
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// `Nov 27 02:40`, or the year for what is older than half a year or not yet, as `ls -l` has it.
pub(super) fn short_date(seconds: u64, now: u64) -> String {
    let moment = Moment::at(seconds.saturating_mul(NANOS));
    let month = moment.month_name();
    if seconds > now || now - seconds > DAY * 365 / 2 {
        format!("{month} {:>2}  {}", moment.day, moment.year)
    } else {
        format!("{month} {:>2} {:02}:{:02}", moment.day, moment.hour, moment.minute)
    }
}
