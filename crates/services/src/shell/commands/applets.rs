//! The applets of BusyBox, where they say something else than GNU's programs, and the shell that is one of them. As
//! devices often have it, it is built without the texts that explain an applet.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt::Write, net::IpAddr};

use super::{Call, lossy, run};
use crate::{
    calendar::Moment,
    limits::shell::MAX_BLOCK,
    shell::{ShellKind, files::Refusal},
};

/// Where programs are looked for.
const PLACES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// What is part of the shell, as its `help` lists it.
pub(super) const BUILTINS: &str = ". : [ [[ alias bg break cd chdir command continue echo eval exec exit export false fg getopts \
                        hash help history jobs kill let local printf pwd read readonly return set shift source test \
                        times trap true type ulimit umask unalias unset wait";

/// What an applet says of a file that it cannot use.
pub(super) fn refusal(name: &str, path: &str, refusal: Refusal) -> String {
    let reason = refusal.text();
    match (name, refusal) {
        ("cat", Refusal::IsADirectory) => "read error: Is a directory".into(),
        ("rm", Refusal::IsADirectory) => format!("'{path}' is a directory"),
        ("cp", Refusal::IsADirectory) => format!("omitting directory '{path}'"),
        ("cat" | "more" | "less" | "tail" | "uniq" | "dd", _) => format!("can't open '{path}': {reason}"),
        ("mkdir", _) => format!("can't create directory '{path}': {reason}"),
        ("rm", _) => format!("can't remove '{path}': {reason}"),
        ("rmdir", _) => format!("'{path}': {reason}"),
        ("cp" | "stat", _) => format!("can't stat '{path}': {reason}"),
        ("mv", _) => format!("can't rename '{path}': {reason}"),
        _ => format!("{path}: {reason}"),
    }
}

impl Call<'_> {
    pub(super) fn is_applet(&self) -> bool {
        self.shell.spec.shell == ShellKind::Ash
    }

    /// An applet that was called as it cannot be.
    pub(super) fn usage(&self) -> u8 {
        1
    }

    /// What BusyBox says; `None`: what GNU's program says, too.
    pub(super) fn applet(&mut self) -> Option<u8> {
        if !self.is_applet() {
            return None;
        }
        if !BUILTINS.split(' ').any(|name| name == self.name) && !self.is_installed() {
            return Some(self.not_found());
        }
        Some(match self.name {
            "busybox" => self.busybox(),
            "help" => self.help(),
            "ps" => self.applet_ps(),
            "free" => self.applet_free(),
            "df" => self.applet_df(),
            "date" if !self.args.iter().any(|arg| arg.starts_with(b"+")) => {
                let text = Moment::at(self.utc).format("%a %b %e %H:%M:%S UTC %Y");
                self.line(&text)
            }
            "dd" => self.dd(),
            "dmesg" => 0,
            "hostname" if self.shell.host.user.uid == 0 && !self.args.is_empty() => 0,
            "crontab" => {
                let name = self.shell.host.user.name.clone();
                self.fail(&format!("can't open '{name}': No such file or directory"))
            }
            "kill" => self.applet_kill(),
            "killall" => {
                let name = self.args.last().map(|arg| lossy(arg).into_owned()).unwrap_or_default();
                self.fail(&format!("{name}: no process killed"))
            }
            "mount" if !self.args.is_empty() => {
                let place = self.args.last().map(|arg| lossy(arg).into_owned()).unwrap_or_default();
                self.fail(&format!("can't find {place} in /etc/fstab"))
            }
            "grep" | "wget" | "ping" | "tftp" | "ftpget" | "nc" | "telnet" if self.lacks_words() => self.usage(),
            "wget" | "ping" | "tftp" | "ftpget" | "nc" | "telnet" => self.reach(),
            "ifconfig" => self.applet_ifconfig(),
            "route" => self.applet_route(),
            "reboot" | "halt" | "poweroff" => {
                self.shell.exit = Some(0);
                0
            }
            _ => return None,
        })
    }

    /// Whether a program of this name is where programs are looked for.
    fn is_installed(&self) -> bool {
        let asker = self.shell.asker();
        PLACES.iter().any(|place| self.shell.files.find(&format!("{place}/{}", self.name), asker).is_ok())
    }

    fn lacks_words(&self) -> bool {
        self.args.iter().all(|arg| arg.starts_with(b"-"))
    }

    /// The program itself: it runs the applet that it is told to.
    fn busybox(&mut self) -> u8 {
        let Some((name, _)) = self.args.split_first() else {
            let text = format!("{} multi-call binary.\n", self.shell.spec.busybox);
            self.say(&text);
            return 0;
        };
        let shown = lossy(name).into_owned();
        let there =
            PLACES.iter().any(|place| self.shell.files.find(&format!("{place}/{shown}"), self.shell.asker()).is_ok());
        if !there || shown == "busybox" {
            self.written.errors(format!("{shown}: applet not found\n").as_bytes());
            return 127;
        }
        run(self.shell, self.args, self.input, self.written, self.terminal)
    }

    fn help(&mut self) -> u8 {
        let mut text = String::from("Built-in commands:\n------------------\n");
        let mut column = 0;
        for name in BUILTINS.split(' ') {
            text.push_str(if column == 0 { "\t" } else { " " });
            text.push_str(name);
            column += name.len() + 1;
            if column > 60 {
                text.push('\n');
                column = 0;
            }
        }
        text.push_str("\n\n");
        self.say(&text);
        0
    }

    fn applet_ps(&mut self) -> u8 {
        let host = &self.shell.host;
        let mut text = String::from("  PID USER       VSZ STAT COMMAND\n");
        let mut row = |pid: u32, user: &str, vsz: u64, state: &str, command: &str| {
            let _ = writeln!(text, "{pid:>5} {user:<8.8} {vsz:>6} {state:<4} {command}");
        };
        for process in &host.processes {
            row(process.pid, &process.user, process.vsz, &process.state, &process.command);
        }
        row(host.next_pid(self.shell.lines), &host.user.name, 1_312, "R", "ps");
        self.say(&text);
        0
    }

    fn applet_free(&mut self) -> u8 {
        let (letters, _) = self.options();
        let (m, swap) = (self.shell.host.memory(), self.shell.host.swap_kib);
        let show = |kib: u64| if letters.contains('m') { kib / 1024 } else { kib };
        let [total, used, free, shared, cache, left] =
            [m.total, m.total - m.free - m.cache, m.free, m.shared, m.cache, m.available()].map(show);
        let mut text =
            String::from("              total        used        free      shared  buff/cache   available\n");
        let _ = writeln!(text, "Mem:{total:>15}{used:>12}{free:>12}{shared:>12}{cache:>12}{left:>12}");
        let _ = writeln!(text, "Swap:{:>14}{:>12}{:>12}", show(swap), 0, show(swap));
        self.say(&text);
        0
    }

    fn applet_df(&mut self) -> u8 {
        let human = self.options().0.contains('h');
        let rows = self.disks(|kib| match (human, kib) {
            (false, _) => kib.to_string(),
            (true, 0) => "0".into(),
            (true, _) => tenths(kib),
        });
        let size = if human { "     Size" } else { "1K-blocks" };
        let mut text = format!("{:<20} {size}      Used Available Use% Mounted on\n", "Filesystem");
        for [device, total, used, left, percent, place] in rows {
            let gap = if device.len() > 20 { "\n                    " } else { "" };
            let _ = writeln!(text, "{device:<20}{gap} {total:>9} {used:>9} {left:>9} {percent:>4} {place}");
        }
        self.say(&text);
        0
    }

    /// `dd bs=52 count=1 if=/bin/echo`, by which it is found out what programs the machine runs.
    fn dd(&mut self) -> u8 {
        let words: Vec<String> = self.args.iter().map(|arg| lossy(arg).into_owned()).collect();
        let value = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        let number = |name: &str| value(name).and_then(|text| text.parse::<usize>().ok());
        let input = match value("if=") {
            Some(path) => match self.shell.read(&self.full(path)) {
                Ok(text) => text,
                Err(refusal) => return self.fail_at(path, refusal, ""),
            },
            None => self.input.take(),
        };
        let block = number("bs=").unwrap_or(512).clamp(1, MAX_BLOCK);
        let most = number("count=").map_or(input.len(), |count| count.saturating_mul(block)).min(input.len());
        let read = input.get(..most).unwrap_or(&[]);
        if value("of=").is_none() {
            self.written.output(read);
        }
        let (whole, part) = (read.len() / block, usize::from(read.len() % block > 0));
        self.written.errors(format!("{whole}+{part} records in\n{whole}+{part} records out\n").as_bytes());
        0
    }

    fn applet_kill(&mut self) -> u8 {
        let (_, names) = self.options();
        let mut status = 0;
        for name in &names {
            if !self.shell.host.processes.iter().any(|process| process.pid.to_string() == *name) {
                self.written.errors(format!("sh: can't kill pid {name}: No such process\n").as_bytes());
                status = 1;
            }
        }
        if names.is_empty() {
            self.written.errors(b"sh: you need to specify whom to kill\n");
            status = 1;
        }
        status
    }

    /// Programs that would reach another host: there is no route and no name server.
    fn reach(&mut self) -> u8 {
        let words = self.args.iter().map(|arg| lossy(arg)).filter(|word| !word.starts_with('-'));
        let target = words.map(|word| word.into_owned()).find(|word| word.parse::<u32>().is_err());
        let target = target.unwrap_or_default();
        let (scheme, rest) = target.split_once("://").unwrap_or(("", &target));
        let host = rest.split('/').next().unwrap_or(rest);
        let (host, port) = host.rsplit_once(':').unwrap_or((host, if scheme == "https" { "443" } else { "80" }));
        if host.parse::<IpAddr>().is_err() {
            return self.fail(&format!("bad address '{host}'"));
        }
        match self.name {
            "wget" => self.written.errors(format!("Connecting to {host} ({host}:{port})\n").as_bytes()),
            "ping" => self.say(&format!("PING {host} ({host}): 56 data bytes\n")),
            _ => {}
        }
        match self.name {
            "ping" => self.fail("sendto: Network is unreachable"),
            "tftp" => self.fail("send: Network is unreachable"),
            _ => self.fail(&format!("can't connect to remote host ({host}): Network is unreachable")),
        }
    }

    fn applet_ifconfig(&mut self) -> u8 {
        let (_, broadcast, mask) = self.network();
        let host = &self.shell.host;
        let [received, sent, received_octets, sent_octets] = self.traffic();
        let size = |octets: u64| tenths_of(octets, &["B", "KiB", "MiB", "GiB"]);
        let text = format!(
            "{device:<9} Link encap:Ethernet  HWaddr {mac}  \n          inet addr:{ip}  Bcast:{broadcast}  Mask:{mask}\n          inet6 addr: {local}/64 Scope:Link\n          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n          RX packets:{received} errors:0 dropped:0 overruns:0 frame:0\n          TX packets:{sent} errors:0 dropped:0 overruns:0 carrier:0\n          collisions:0 txqueuelen:1000 \n          RX bytes:{received_octets} ({})  TX bytes:{sent_octets} ({})\n\nlo        Link encap:Local Loopback  \n          inet addr:127.0.0.1  Mask:255.0.0.0\n          inet6 addr: ::1/128 Scope:Host\n          UP LOOPBACK RUNNING  MTU:65536  Metric:1\n          RX packets:0 errors:0 dropped:0 overruns:0 frame:0\n          TX packets:0 errors:0 dropped:0 overruns:0 carrier:0\n          collisions:0 txqueuelen:1000 \n          RX bytes:0 (0.0 B)  TX bytes:0 (0.0 B)\n\n",
            size(received_octets),
            size(sent_octets),
            device = host.interface,
            mac = host.mac.to_string().to_uppercase(),
            ip = host.ip,
            local = self.link_local(),
        );
        self.say(&text);
        0
    }

    fn applet_route(&mut self) -> u8 {
        let (network, _, mask) = self.network();
        let numeric = self.args.iter().any(|arg| arg == b"-n");
        let gateway = if numeric { "0.0.0.0" } else { "*" };
        let device = self.shell.host.interface.clone();
        self.say(&format!(
            "Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface\n{network:<15} {gateway:<15} {mask:<15} U     0      0        0 {device}\n"
        ));
        0
    }
}

/// As `-h` has it: one decimal, rounded.
fn tenths(kib: u64) -> String {
    tenths_of(kib.saturating_mul(1024), &["", "K", "M", "G", "T"]).replace(' ', "")
}

fn tenths_of(octets: u64, units: &[&str]) -> String {
    let (mut unit, mut size) = (0, 1u64);
    while octets / size >= 1024 && unit + 1 < units.len() {
        size *= 1024;
        unit += 1;
    }
    let tenths = (u128::from(octets) * 10 + u128::from(size) / 2) / u128::from(size);
    format!("{}.{} {}", tenths / 10, tenths % 10, units.get(unit).copied().unwrap_or(""))
}
