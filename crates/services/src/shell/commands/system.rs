//! Programs that tell of the system: what it is called, who is logged in, what time it is.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write;

use super::{Call, lossy};
use crate::{
    calendar::Moment,
    shell::{NANOS, ShellSystem},
};

impl Call<'_> {
    fn moment(seconds: u64) -> Moment {
        Moment::at(seconds.saturating_mul(NANOS))
    }

    pub(super) fn uname(&mut self) -> u8 {
        let (mut letters, rest) = self.options();
        if let Some(extra) = rest.first() {
            let text = format!("extra operand ‘{extra}’");
            self.fail(&text);
            self.written.errors(b"Try 'uname --help' for more information.\n");
            return 1;
        }
        let spec = &self.shell.spec;
        let machine = if spec.machine.is_empty() { "x86_64" } else { &spec.machine };
        if self.name == "arch" {
            letters = "m".into();
        }
        let all = letters.contains('a');
        let fields = [
            ('s', "Linux"),
            ('n', self.shell.host.short_name()),
            ('r', spec.kernel_release.as_str()),
            ('v', spec.kernel_version.as_str()),
            ('m', machine),
            ('o', "GNU/Linux"),
        ];
        let chosen: Vec<&str> = fields
            .iter()
            .filter(|(letter, _)| all || letters.contains(*letter) || (letters.is_empty() && *letter == 's'))
            .map(|(_, text)| *text)
            .collect();
        let text = chosen.join(" ");
        self.line(&text)
    }

    pub(super) fn hostname(&mut self) -> u8 {
        let (letters, rest) = self.options();
        if !rest.is_empty() {
            return self.fail("you must be root to change the host name");
        }
        let host = &self.shell.host;
        let text = match letters.chars().next() {
            Some('I') => format!("{} ", host.ip),
            Some('i') => "127.0.1.1".to_string(),
            Some('f' | 'A') => host.hostname.clone(),
            _ => host.short_name().to_string(),
        };
        self.line(&text)
    }

    pub(super) fn id(&mut self) -> u8 {
        let (letters, rest) = self.options();
        let host = &self.shell.host;
        let user = match rest.first() {
            None => host.user.clone(),
            Some(name) => match host.users.iter().find(|u| u.name == *name) {
                Some(user) => user.clone(),
                None => {
                    let text = match self.shell.spec.system {
                        ShellSystem::Linux if self.is_gnu() => format!("‘{name}’: no such user"),
                        ShellSystem::Linux => format!("unknown user {name}"),
                        ShellSystem::Solaris => format!("invalid user name: \"{name}\""),
                        _ => format!("{name}: no such user"),
                    };
                    return self.fail(&text);
                }
            },
        };
        let group = host.group_of(user.gid);
        let text = match (letters.contains('u'), letters.contains(['g', 'G']), letters.contains('n')) {
            (true, _, true) => user.name.clone(),
            (true, _, false) => user.uid.to_string(),
            (_, true, true) => group.into_owned(),
            (_, true, false) => user.gid.to_string(),
            _ => {
                let mut text = format!("uid={}({}) gid={}({group})", user.uid, user.name, user.gid);
                if self.shell.spec.system != ShellSystem::Solaris || letters.contains('a') {
                    let _ = write!(text, " groups={}({group})", user.gid);
                    for (gid, name, members) in &host.groups {
                        if *gid != user.gid && members.split(',').any(|member| member == user.name) {
                            let _ = write!(text, ",{gid}({name})");
                        }
                    }
                }
                text
            }
        };
        self.line(&text)
    }

    pub(super) fn tty(&mut self) -> u8 {
        if self.shell.terminal {
            let text = format!("/dev/{}", self.shell.host.terminal);
            self.line(&text)
        } else {
            self.line("not a tty");
            1
        }
    }

    fn peer(&self) -> String {
        self.shell.host.peer.map_or_else(|| "-".to_string(), |(ip, _)| ip.to_string())
    }

    /// ` 02:40:11 up 41 days, 11:03,  1 user,  load average: 0.00, 0.01, 0.00`
    fn uptime_line(&self) -> String {
        let moment = Self::moment(self.now);
        let host = &self.shell.host;
        let minutes = self.now.saturating_sub(host.booted) / 60;
        let (days, hours) = (minutes / 1440, minutes / 60 % 24);
        let up = match (days, hours) {
            (0, 0) => format!("{} min", minutes % 60),
            (0, _) => format!("{hours:>2}:{:02}", minutes % 60),
            (1, 0) => format!("1 day, {} min", minutes % 60),
            (1, _) => format!("1 day, {hours:>2}:{:02}", minutes % 60),
            (_, 0) => format!("{days} days, {} min", minutes % 60),
            _ => format!("{days} days, {hours:>2}:{:02}", minutes % 60),
        };
        let users = u8::from(self.shell.terminal);
        let noun = if users == 1 { "user" } else { "users" };
        format!(
            " {:02}:{:02}:{:02} up {up},  {users} {noun},  load average: {}\n",
            moment.hour,
            moment.minute,
            moment.second,
            host.load(self.now).join(", ")
        )
    }

    pub(super) fn uptime(&mut self) -> u8 {
        let (letters, _) = self.options();
        let text = if letters.contains('s') {
            let m = Self::moment(self.shell.host.booted);
            format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02}\n", m.year, m.month, m.day, m.hour, m.minute, m.second)
        } else if letters.contains('p') {
            let minutes = self.now.saturating_sub(self.shell.host.booted) / 60;
            let parts = [
                (minutes / 10_080, "week"),
                (minutes / 1440 % 7, "day"),
                (minutes / 60 % 24, "hour"),
                (minutes % 60, "minute"),
            ];
            let words: Vec<String> = parts
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
                .collect();
            format!("up {}\n", words.join(", "))
        } else {
            self.uptime_line()
        };
        self.say(&text);
        0
    }

    pub(super) fn w(&mut self) -> u8 {
        let mut text = self.uptime_line();
        text.push_str("USER     TTY      FROM             LOGIN@   IDLE   JCPU   PCPU WHAT\n");
        if self.shell.terminal {
            let host = &self.shell.host;
            let login = Self::moment(host.logged_in);
            let _ = writeln!(
                text,
                "{:<8.8} {:<8} {:<16.16} {:02}:{:02}    0.00s  0.0{}s  0.00s w",
                host.user.name,
                host.terminal,
                self.peer(),
                login.hour,
                login.minute,
                1 + host.shell_pid % 5
            );
        }
        self.say(&text);
        0
    }

    pub(super) fn who(&mut self) -> u8 {
        if !self.shell.terminal {
            return 0;
        }
        let host = &self.shell.host;
        let m = Self::moment(host.logged_in);
        let text = if self.name == "users" {
            host.user.name.clone()
        } else {
            format!(
                "{:<8} {:<12} {:04}-{:02}-{:02} {:02}:{:02} ({})",
                host.user.name,
                host.terminal,
                m.year,
                m.month,
                m.day,
                m.hour,
                m.minute,
                self.peer()
            )
        };
        self.line(&text)
    }

    pub(super) fn last(&mut self) -> u8 {
        let host = &self.shell.host;
        let date = |seconds: u64| {
            let m = Self::moment(seconds);
            format!("{} {} {:>2} {:02}:{:02}", m.weekday(), m.month_name(), m.day, m.hour, m.minute)
        };
        let clock = |seconds: u64| {
            let m = Self::moment(seconds);
            format!("{:02}:{:02}", m.hour, m.minute)
        };
        let mut text = String::new();
        let name = &host.user.name;
        if self.shell.terminal {
            let _ = writeln!(
                text,
                "{name:<8.8} {:<12} {:<16.16} {}   still logged in",
                host.terminal,
                self.peer(),
                date(host.logged_in)
            );
        }
        let usual = host.usual_peer().to_string();
        for (at, length) in host.earlier_logins() {
            let _ = writeln!(
                text,
                "{name:<8.8} {:<12} {:<16.16} {} - {}  ({:02}:{:02})",
                host.terminal,
                usual,
                date(at),
                clock(at + length),
                length / 3600,
                length / 60 % 60
            );
        }
        let release = &self.shell.spec.kernel_release;
        let _ = writeln!(text, "reboot   {:<12} {release:<16.16} {}   still running", "system boot", date(host.booted));
        let m = Self::moment(host.booted);
        let _ = writeln!(
            text,
            "\nwtmp begins {} {} {:>2} {:02}:{:02}:{:02} {}",
            m.weekday(),
            m.month_name(),
            m.day,
            m.hour,
            m.minute,
            m.second,
            m.year
        );
        self.say(&text);
        0
    }

    pub(super) fn date(&mut self) -> u8 {
        let form = self.args.iter().find_map(|arg| lossy(arg).strip_prefix('+').map(String::from));
        let text = Moment::at(self.utc).format(form.as_deref().unwrap_or("%a %b %e %I:%M:%S %p UTC %Y"));
        self.line(&text)
    }
}
