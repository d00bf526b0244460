//! Answers that are data of the product: of commands that only show what the system and the decoy are.

use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::fmt::Write;

use super::{Call, fits, listing::human_size, lossy};
use crate::{
    calendar::Moment,
    console::{width_of, write_wide},
    shell::{NANOS, ShellMount, ShellSystem, host::Process},
    text::{fill_with, scramble},
};

impl Call<'_> {
    /// What the product says to this command; `None`: it is not among its answers.
    pub(super) fn answer(&mut self) -> Option<u8> {
        let spec = Arc::clone(&self.shell.spec);
        let line = self.typed();
        let find = |line: &str| {
            let fit = |pattern: &String| fits(pattern.as_bytes(), line.as_bytes());
            spec.answers.iter().find(|answer| answer.to.iter().any(fit))
        };
        // With words that are not known it says what it says without any; `date +%s` is programmed.
        let answer = find(&line).or_else(|| find(self.name).filter(|_| self.name != "date"))?;
        let [text, errors] = [&answer.text, &answer.errors].map(|text| self.filled(text));
        self.say(&text);
        self.written.errors(errors.as_bytes());
        Some(answer.status)
    }

    /// The command with its words.
    fn typed(&self) -> String {
        let mut line = self.name.to_string();
        for arg in self.args {
            line.push(' ');
            line.push_str(&lossy(arg));
        }
        line
    }

    /// What a text says now. What was typed is put in last, so that nothing in it is filled.
    fn filled(&self, text: &str) -> String {
        let host = &self.shell.host;
        let text = self.with_rows(text);
        let text = fill_with(&text, |name, out| match name.split_once(':').unwrap_or((name, "")) {
            ("up", _) => write!(out, "{}", self.up()).is_ok(),
            ("users", _) => out.write_str(if self.shell.terminal { "1 user" } else { "0 users" }).is_ok(),
            ("load", place) => {
                let load = host.load(self.now);
                load.get(place.parse().unwrap_or(0)).is_some_and(|load| out.write_str(load).is_ok())
            }
            ("directory", _) => out.write_str(&self.shell.directory).is_ok(),
            _ => false,
        });
        let text = host.fill_at(&text, self.utc);
        let last = self.args.last().map(|arg| lossy(arg)).unwrap_or_default();
        fill_with(&text, |name, out| match name {
            "arg" => out.write_str(&last).is_ok(),
            "arg:host" => out.write_str(last.rsplit('@').next().unwrap_or(&last)).is_ok(),
            "name" => out.write_str(self.name).is_ok(),
            _ => false,
        })
        .into_owned()
    }

    /// How long the system is up.
    fn up(&self) -> String {
        let minutes = self.now.saturating_sub(self.shell.host.booted) / 60;
        let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
        let solaris = self.shell.spec.system == ShellSystem::Solaris;
        let day = match (days, solaris) {
            (0, _) => String::new(),
            (_, true) => format!("{days} day(s), "),
            (1, _) => "1 day, ".into(),
            _ => format!("{days} days, "),
        };
        let rest = match (hours, solaris) {
            (0, true) => format!("{minutes} min(s)"),
            (_, true) => format!("{hours:>2}:{minutes:02}"),
            (0, _) => format!("{minutes} min{}", if minutes == 1 { "" } else { "s" }),
            _ if minutes == 0 => format!("{hours} hr{}", if hours == 1 { "" } else { "s" }),
            _ => format!("{hours}:{minutes:02}"),
        };
        day + &rest
    }

    /// Writes what stands between `{each:…}` and `{end}` once for each of what there is.
    fn with_rows(&self, text: &str) -> String {
        let mut done = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("{each:") {
            let Some(((kind, from), end)) = from.split_once('}').zip(from.find("{end}")) else { break };
            let body = from.get(..end.saturating_sub(kind.len() + 1)).unwrap_or("");
            done.push_str(before);
            self.each(kind, body, &mut done);
            rest = from.split_once("{end}").map_or("", |(_, after)| after);
        }
        done + rest
    }

    fn each(&self, kind: &str, body: &str, out: &mut String) {
        let host = &self.shell.host;
        match kind {
            "processes" | "own-processes" => {
                for process in self.running() {
                    if kind == "processes" || process.terminal == host.terminal {
                        put(out, body, |name, rest| self.of_process(&process, name, rest));
                    }
                }
            }
            "mounts" | "disks" => {
                let mounts = self.mounts();
                for mount in mounts.iter().filter(|mount| kind == "mounts" || mount.kib > 0) {
                    put(out, body, |name, _| of_mount(&mounts, mount, name));
                }
            }
            "ports" => {
                for port in &host.ports {
                    put(out, body, |name, _| (name == "port").then(|| port.to_string()));
                }
            }
            "listening" => {
                for process in &host.processes {
                    for port in process.ports.iter().filter(|port| host.ports.contains(port)) {
                        put(out, body, |name, rest| match name {
                            "port" => Some(port.to_string()),
                            _ => self.of_process(process, name, rest),
                        });
                    }
                }
            }
            "session" if self.shell.terminal => put(out, body, |_, _| None),
            "logins" => {
                for (at, length) in host.earlier_logins() {
                    put(out, body, |name, form| match name {
                        "at" => Some(moment(at).format(form)),
                        "until" => Some(moment(at + length).format(form)),
                        "length" => Some(format!("{:02}:{:02}", length / 3600, length / 60 % 60)),
                        _ => None,
                    });
                }
            }
            _ => {}
        }
    }

    /// What runs, and this command.
    fn running(&self) -> Vec<Process> {
        let host = &self.shell.host;
        let mut all = host.processes.clone();
        all.push(Process {
            pid: host.next_pid(self.shell.lines),
            parent: host.shell_pid,
            user: host.user.name.clone(),
            command: Some(self.typed()).filter(|line| !line.contains('{')).unwrap_or_else(|| self.name.into()),
            vsz: 21_220,
            rss: 2_624,
            state: if self.shell.spec.system == ShellSystem::Solaris { "O" } else { "R+" }.into(),
            terminal: if self.shell.terminal { host.terminal.clone() } else { "?".into() },
            started: self.now,
            cpu_seconds: 0,
            ports: Vec::new(),
        });
        all
    }

    fn of_process(&self, process: &Process, name: &str, rest: &str) -> Option<String> {
        let host = &self.shell.host;
        let on = process.terminal != "?";
        Some(match name {
            "pid" => process.pid.to_string(),
            "ppid" => process.parent.to_string(),
            "owner" => process.user.clone(),
            "owner-number" => {
                let user = host.users.iter().find(|user| user.name == process.user);
                user.map_or(0, |user| user.uid).to_string()
            }
            "command" => process.command.clone(),
            "program" => {
                let first = process.command.split([' ', ':']).next().unwrap_or("");
                first.rsplit('/').next().unwrap_or("").trim_start_matches('-').into()
            }
            "vsz" => process.vsz.to_string(),
            "rss" => process.rss.to_string(),
            "memory" => {
                let share = (process.rss * 1000).checked_div(host.memory_kib).unwrap_or(0);
                format!("{}.{}", share / 10, share % 10)
            }
            "state" => process.state.clone(),
            // With a sign for none, and cut short as columns of ps are.
            "tty" if on => process.terminal.clone(),
            "tt" if on => process.terminal.trim_start_matches("pts/").trim_start_matches("tty").into(),
            "tty" | "tt" => rest.into(),
            "started" => {
                let mut forms = rest.split('|');
                let age = self.now.saturating_sub(process.started) / 86_400;
                let form = forms.nth(if age == 0 { 0 } else { 1 + usize::from(age >= 7) });
                moment(process.started).format(form.unwrap_or("%b%d"))
            }
            "cpu" => format!("{}:{:02}", process.cpu_seconds / 60, process.cpu_seconds % 60),
            "cpu-hundredths" => {
                let rest = scramble(u64::from(process.pid)) % if process.cpu_seconds == 0 { 4 } else { 100 };
                format!("{}:{:02}.{rest:02}", process.cpu_seconds / 60, process.cpu_seconds % 60)
            }
            _ => return None,
        })
    }
}

/// Writes a row, as far as its values are known; the others are put in with those of the whole text.
fn put(out: &mut String, body: &str, value: impl Fn(&str, &str) -> Option<String>) {
    out.push_str(&fill_with(body, |whole, out| {
        let (whole, width) = width_of(whole);
        let (name, rest) = whole.split_once(':').unwrap_or((whole, ""));
        value(name, rest).is_some_and(|value| write_wide(out, &value, width))
    }));
}

fn of_mount(all: &[ShellMount], mount: &ShellMount, name: &str) -> Option<String> {
    // What shares a pool shares what is left of it.
    let pool = mount.of_disk.is_some().then(|| all.iter().filter(|other| other.of_disk.is_some()));
    let taken = pool.map_or(mount.used_kib, |pool| pool.map(|other| other.used_kib).sum());
    let left = mount.kib.saturating_sub(taken);
    let shared = mount.used_kib + left;
    let percent = (mount.used_kib * 100).checked_div(shared).unwrap_or(0);
    Some(match name {
        "device" => mount.device.clone(),
        "place" => mount.place.clone(),
        "kind" => mount.kind.clone(),
        "options" => mount.options.clone(),
        "kib" => mount.kib.to_string(),
        "used" => mount.used_kib.to_string(),
        "left" => left.to_string(),
        "shared" => shared.to_string(),
        "percent" => format!("{percent}%"),
        "blocks" => (mount.kib * 2).to_string(),
        "used-blocks" => (mount.used_kib * 2).to_string(),
        "left-blocks" => (left * 2).to_string(),
        "size" => human_size(mount.kib * 1024),
        "used-size" => human_size(mount.used_kib * 1024),
        "left-size" => human_size(left * 1024),
        "shared-size" => human_size(shared * 1024),
        _ => return None,
    })
}

fn moment(seconds: u64) -> Moment {
    Moment::at(seconds.saturating_mul(NANOS))
}
