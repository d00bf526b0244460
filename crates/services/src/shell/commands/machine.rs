//! Programs that tell of the machine: what runs, what it has of memory, disks and processors.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write;

use super::{Call, listing::human_size, lossy};
use crate::{
    calendar::Moment,
    shell::{NANOS, ShellMount, host::Process},
};

impl Call<'_> {
    pub(super) fn ps(&mut self) -> u8 {
        let letters: String = self.args.iter().map(|arg| lossy(arg).trim_start_matches('-').to_string()).collect();
        let host = &self.shell.host;
        let mut all = host.processes.clone();
        let terminal = if self.shell.terminal { host.terminal.clone() } else { "?".into() };
        let mut command = String::from("ps");
        for arg in self.args {
            let _ = write!(command, " {}", lossy(arg));
        }
        all.push(Process {
            pid: host.next_pid(self.shell.lines),
            parent: host.shell_pid,
            user: host.user.name.clone(),
            command,
            vsz: 11_216,
            rss: 4_716,
            state: "R+".into(),
            terminal,
            started: self.now,
            cpu_seconds: 0,
            ports: Vec::new(),
        });
        let mut text = String::new();
        if letters.contains('u') {
            text.push_str("USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n");
        } else if letters.contains('f') {
            text.push_str("UID          PID    PPID  C STIME TTY          TIME CMD\n");
        } else if letters.contains(['x', 'a']) && !letters.contains(['e', 'A']) {
            text.push_str("    PID TTY      STAT   TIME COMMAND\n");
        } else {
            text.push_str("    PID TTY          TIME CMD\n");
        }
        let everyone = letters.contains(['e', 'A']) || letters.contains('x') || letters.contains("au");
        for p in &all {
            if !everyone && p.terminal != host.terminal {
                continue;
            }
            let (minutes, seconds) = (p.cpu_seconds / 60, p.cpu_seconds % 60);
            let long_time = format!("{:02}:{:02}:{:02}", minutes / 60, minutes % 60, seconds);
            let program = p.command.split([' ', ':']).next().unwrap_or("").rsplit('/').next().unwrap_or("");
            let short = program.trim_matches(['[', ']']).trim_start_matches('-');
            if letters.contains('u') {
                let memory = (p.rss * 1000).checked_div(host.memory_kib).unwrap_or(0);
                let _ = writeln!(
                    text,
                    "{:<8} {:>7}  0.0 {:>2}.{} {:>6} {:>5} {:<8} {:<4} {:>5} {:>4}:{seconds:02} {}",
                    short_user(&p.user),
                    p.pid,
                    memory / 10,
                    memory % 10,
                    p.vsz,
                    p.rss,
                    p.terminal,
                    p.state,
                    started(p.started, self.now),
                    minutes,
                    p.command
                );
            } else if letters.contains('f') {
                let _ = writeln!(
                    text,
                    "{:<8} {:>7} {:>7}  0 {:>5} {:<8} {long_time} {}",
                    short_user(&p.user),
                    p.pid,
                    p.parent,
                    started(p.started, self.now),
                    p.terminal,
                    p.command
                );
            } else if letters.contains(['x', 'a']) && !letters.contains(['e', 'A']) {
                let _ = writeln!(
                    text,
                    "{:>7} {:<8} {:<4} {:>4}:{seconds:02} {}",
                    p.pid, p.terminal, p.state, minutes, p.command
                );
            } else {
                let _ = writeln!(text, "{:>7} {:<8} {long_time} {short}", p.pid, p.terminal);
            }
        }
        self.say(&text);
        0
    }

    pub(super) fn free(&mut self) -> u8 {
        let (letters, _) = self.options();
        let m = self.shell.host.memory();
        let show = |kib: u64| -> String {
            if letters.contains('h') {
                binary_size(kib)
            } else if letters.contains('m') {
                (kib / 1024).to_string()
            } else if letters.contains('g') {
                (kib / 1024 / 1024).to_string()
            } else {
                kib.to_string()
            }
        };
        let text = format!(
            "               total        used        free      shared  buff/cache   available\nMem:    {:>12}{:>12}{:>12}{:>12}{:>12}{:>12}\nSwap:   {:>12}{:>12}{:>12}\n",
            show(m.total),
            show(m.total - m.available()),
            show(m.free),
            show(m.shared),
            show(m.cache),
            show(m.available()),
            show(self.shell.host.swap_kib),
            show(0),
            show(self.shell.host.swap_kib)
        );
        self.say(&text);
        0
    }

    /// What is mounted: the product's, or what Debian mounts.
    pub(super) fn mounts(&self) -> Vec<ShellMount> {
        if !self.shell.spec.mounts.is_empty() {
            return self.shell.spec.mounts.iter().map(|mount| self.sized(mount)).collect();
        }
        let host = &self.shell.host;
        let (total, used) = host.disk();
        let half = host.memory_kib / 2;
        let devices = half.saturating_sub(20_000);
        let mount = |device: &str, place: &str, kind: &str, options: String, kib: u64, used_kib: u64| ShellMount {
            device: device.into(),
            place: place.into(),
            kind: kind.into(),
            options,
            kib,
            of_disk: None,
            used_kib,
        };
        let plain = |options: &str| options.to_string();
        let inodes = half / 4;
        let of_devices = format!("rw,nosuid,relatime,size={devices}k,nr_inodes={inodes},mode=755,inode64");
        let of_run = format!("rw,nosuid,nodev,noexec,relatime,size={}k,mode=755,inode64", half / 5);
        Vec::from([
            mount("sysfs", "/sys", "sysfs", plain("rw,nosuid,nodev,noexec,relatime"), 0, 0),
            mount("proc", "/proc", "proc", plain("rw,nosuid,nodev,noexec,relatime"), 0, 0),
            mount("udev", "/dev", "devtmpfs", of_devices, devices, 0),
            mount("tmpfs", "/run", "tmpfs", of_run, half / 5, host.memory().shared),
            mount("/dev/sda1", "/", "ext4", plain("rw,relatime,errors=remount-ro"), total, used),
            mount("tmpfs", "/dev/shm", "tmpfs", plain("rw,nosuid,nodev,inode64"), half, 0),
        ])
    }

    /// A mount of the product with its sizes.
    fn sized(&self, mount: &ShellMount) -> ShellMount {
        let (total, used) = self.shell.host.disk();
        let share = |of_disk: u8| (total, used * u64::from(of_disk) / 100);
        let (kib, used_kib) = mount.of_disk.map_or((mount.kib, mount.used_kib), share);
        ShellMount { kib, used_kib, ..mount.clone() }
    }

    /// Device, size, taken, left, in hundredths and place of each that has a size.
    pub(super) fn disks(&self, show: impl Fn(u64) -> String) -> Vec<[String; 6]> {
        let rows = self.mounts().into_iter().filter(|mount| mount.kib > 0);
        rows.map(|ShellMount { device, place, kind, kib, used_kib, .. }| {
            // ext4 keeps some for root.
            let usable = if kind == "ext4" { kib * 95 / 100 } else { kib };
            let available = usable.saturating_sub(used_kib);
            let percent = (used_kib * 100)
                .checked_div(used_kib + available)
                .map_or(0, |p| p + u64::from(used_kib > 0 && p * (used_kib + available) < used_kib * 100));
            [device, show(kib), show(used_kib), show(available), format!("{percent}%"), place]
        })
        .collect()
    }

    pub(super) fn df(&mut self) -> u8 {
        let (letters, _) = self.options();
        let human = letters.contains('h');
        let rows = self.disks(|kib| if human { human_size(kib * 1024) } else { kib.to_string() });
        let head = if human {
            ["Filesystem", "Size", "Used", "Avail", "Use%"]
        } else {
            ["Filesystem", "1K-blocks", "Used", "Available", "Use%"]
        };
        let width = |column: usize, least: usize| {
            let longest = rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
            longest.max(head.get(column).map_or(0, |h| h.len())).max(least)
        };
        let (name, total, used, available) = (width(0, 14), width(1, 5), width(2, 5), width(3, 5));
        let mut text = String::new();
        let [h0, h1, h2, h3, h4] = head;
        let _ = writeln!(text, "{h0:<name$} {h1:>total$} {h2:>used$} {h3:>available$} {h4} Mounted on");
        for [device, size, taken, rest, percent, place] in &rows {
            let _ =
                writeln!(text, "{device:<name$} {size:>total$} {taken:>used$} {rest:>available$} {percent:>4} {place}");
        }
        self.say(&text);
        0
    }

    pub(super) fn mount(&mut self) -> u8 {
        if !self.args.is_empty() && self.shell.host.user.uid != 0 {
            let text = format!(
                "{}: must be superuser to use mount.",
                self.args.last().map(|arg| lossy(arg)).unwrap_or_default()
            );
            return self.fail(&text);
        }
        let mut text = String::new();
        for ShellMount { device, place, kind, options, .. } in self.mounts() {
            let _ = writeln!(text, "{device} on {place} type {kind} ({options})");
        }
        self.say(&text);
        0
    }

    /// Values of a key in /proc/cpuinfo, one for each processor.
    fn processors(&self, key: &str) -> Vec<String> {
        let text = self.shell.files.read("/proc/cpuinfo", self.shell.asker()).unwrap_or_default();
        let lines = lossy(&text).into_owned();
        let values = lines.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() == key);
        values.map(|(_, value)| value.trim().to_string()).collect()
    }

    pub(super) fn nproc(&mut self) -> u8 {
        let count = self.processors("processor").len().max(1).to_string();
        self.line(&count)
    }

    pub(super) fn lscpu(&mut self) -> u8 {
        let machine = if self.shell.spec.machine.is_empty() { "x86_64" } else { &self.shell.spec.machine };
        let count = self.processors("processor").len().max(1);
        let list = if count == 1 { "0".to_string() } else { format!("0-{}", count - 1) };
        let mut text = format!(
            "Architecture:                       {machine}\nByte Order:                         Little Endian\nCPU(s):                             {count}\nOn-line CPU(s) list:                {list}\n"
        );
        for (key, name) in [
            ("vendor_id", "Vendor ID:"),
            ("model name", "Model name:"),
            ("cpu family", "CPU family:"),
            ("model", "Model:"),
            ("stepping", "Stepping:"),
        ] {
            if let Some(value) = self.processors(key).first() {
                let _ = writeln!(text, "{name:<35} {value}");
            }
        }
        self.say(&text);
        0
    }

    pub(super) fn dmesg(&mut self) -> u8 {
        if self.shell.host.user.uid == 0 {
            return 0;
        }
        // kernel.dmesg_restrict is set on Debian.
        self.fail("read kernel buffer failed: Operation not permitted")
    }

    pub(super) fn crontab(&mut self) -> u8 {
        let (letters, _) = self.options();
        let name = self.shell.host.user.name.clone();
        if letters.contains('l') {
            self.written.errors(format!("no crontab for {name}\n").as_bytes());
        } else if !letters.contains(['e', 'r', 'u']) {
            return 0;
        } else {
            self.written.errors(format!("no crontab for {name}\n").as_bytes());
        }
        1
    }

    pub(super) fn kill(&mut self) -> u8 {
        let (_, names) = self.options();
        if self.name != "kill" {
            if self.name == "killall" {
                for name in &names {
                    self.written.errors(format!("{name}: no process found\n").as_bytes());
                }
            }
            return 1;
        }
        for name in names {
            let known = self.shell.host.processes.iter().any(|p| p.pid.to_string() == name);
            let reason = if known { "Operation not permitted" } else { "No such process" };
            self.fail_builtin(&format!("({name}) - {reason}"));
        }
        1
    }

    pub(super) fn systemctl(&mut self) -> u8 {
        let words: Vec<String> = self.args.iter().map(|arg| lossy(arg).into_owned()).collect();
        let verb = words.iter().find(|word| !word.starts_with('-')).cloned().unwrap_or_default();
        if matches!(verb.as_str(), "start" | "stop" | "restart" | "enable" | "disable") && self.shell.host.user.uid != 0
        {
            let unit = words.last().cloned().unwrap_or_default();
            self.written.errors(
                format!("Failed to {verb} {unit}.service: Interactive authentication required.\nSee system logs and 'systemctl status {unit}.service' for details.\n").as_bytes(),
            );
            return 1;
        }
        self.written.errors(b"Failed to connect to bus: No such file or directory\n");
        1
    }
}

fn short_user(name: &str) -> String {
    if name.len() > 8 { name.chars().take(7).chain(['+']).collect() } else { name.to_string() }
}

/// `14:02` today, `Nov20` before.
fn started(at: u64, now: u64) -> String {
    let m = Moment::at(at.saturating_mul(NANOS));
    if now.saturating_sub(at) < 86_400 {
        format!("{:02}:{:02}", m.hour, m.minute)
    } else {
        format!("{}{:02}", m.month_name(), m.day)
    }
}

/// As `free -h` has it.
fn binary_size(kib: u64) -> String {
    let mut unit = 1u64;
    for name in ["Ki", "Mi", "Gi"] {
        if kib < unit * 1024 || name == "Gi" {
            let tenths = kib * 10 / unit;
            return match (kib, tenths) {
                (0, _) => "0B".into(),
                (_, 0..100) => format!("{}.{}{name}", tenths / 10, tenths % 10),
                _ => format!("{}{name}", tenths / 10),
            };
        }
        unit *= 1024;
    }
    String::new()
}
