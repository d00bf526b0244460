//! The commands: each reads what the session sees and writes what the real program would, to its status.

mod filters;
mod listing;
mod machine;
mod network;
mod system;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Asking, NANOS, Shell, Written,
    files::{Refusal, join, may, parent_of},
    lossy,
};

/// Programs that are in /usr/sbin.
const SUPERUSER: &[&str] = &["arp", "ifconfig", "route"];
/// Paths that a pattern becomes.
const MAX_MATCHES: usize = 512;

/// What a command is given.
struct Call<'c> {
    shell: &'c mut Shell,
    /// Nanoseconds and seconds since 1970.
    utc: u64,
    now: u64,
    name: &'c str,
    /// What follows the name.
    args: &'c [Vec<u8>],
    input: Vec<u8>,
    written: &'c mut Written,
    /// Its output goes to a terminal.
    terminal: bool,
}

/// Runs one command; its status.
pub(super) fn run(
    shell: &mut Shell,
    utc: u64,
    words: &[Vec<u8>],
    input: Vec<u8>,
    written: &mut Written,
    terminal: bool,
) -> u8 {
    let Some((name, args)) = words.split_first() else { return 0 };
    let name = lossy(name);
    let base = match name.rsplit_once('/') {
        // A program by its path is one only if the path is there.
        Some((_, base)) => match shell.files.find(&join(&shell.directory, &name), shell.asker()) {
            Ok((_, node)) if may(node, shell.asker(), 1) && node.what != super::files::What::Directory => base,
            found => {
                let (reason, status) = match found {
                    Ok((_, node)) if node.what == super::files::What::Directory => (Refusal::IsADirectory, 126),
                    Ok(_) => (Refusal::Denied, 126),
                    Err(Refusal::Denied) => (Refusal::Denied, 126),
                    Err(reason) => (reason, 127),
                };
                written.errors(format!("{}{name}: {}\n", shell.error_prefix(), reason.text()).as_bytes());
                return status;
            }
        },
        None => &name,
    };
    // /usr/sbin is not in the path of an ordinary user.
    if base == name && SUPERUSER.contains(&base) && shell.host.user.uid != 0 {
        return Call { shell, utc, now: utc / NANOS, name: &name, args, input, written, terminal }.not_found();
    }
    let mut call = Call { shell, utc, now: utc / NANOS, name: base, args, input, written, terminal };
    call.dispatch()
}

impl Call<'_> {
    fn dispatch(&mut self) -> u8 {
        match self.name {
            ":" | "true" | "set" | "unset" | "umask" | "shopt" | "ulimit" | "trap" | "wait" | "jobs" | "sleep"
            | "clear" | "stty" | "disown" | "nohup" | "sync" => self.quiet(),
            "false" => 1,
            "cd" => self.cd(),
            "pwd" => self.line(&self.shell.directory.clone()),
            "echo" => self.echo(),
            "printf" => self.printf(),
            "exit" | "logout" => self.exit(),
            "export" | "declare" | "readonly" => self.export(),
            "env" | "printenv" => self.env(),
            "history" => self.history(),
            "alias" => 0,
            "type" | "which" | "command" | "hash" => self.which(),
            "test" | "[" => self.test(),
            "sudo" => self.sudo(),
            "su" => self.su(),
            "passwd" => self.passwd(),
            "ls" | "dir" => self.ls(),
            "cat" => self.cat(),
            "more" | "less" => self.cat(),
            "head" => self.head(),
            "tail" => self.tail(),
            "grep" | "egrep" | "fgrep" => self.grep(),
            "wc" => self.wc(),
            "sort" => self.sort(),
            "uniq" => self.uniq(),
            "cut" => self.cut(),
            "tr" | "sed" | "awk" | "xargs" => self.pass_on(),
            "find" => self.find(),
            "stat" | "file" | "du" => self.about(),
            "touch" | "mkdir" | "rm" | "rmdir" | "chmod" | "cp" | "mv" => self.change(),
            "uname" | "arch" => self.uname(),
            "hostname" => self.hostname(),
            "id" => self.id(),
            "whoami" => self.line(&self.shell.host.user.name.clone()),
            "groups" => {
                let group = self.shell.host.group_of(self.shell.host.user.gid).into_owned();
                self.line(&group)
            }
            "tty" => self.tty(),
            "w" => self.w(),
            "who" | "users" => self.who(),
            "last" => self.last(),
            "uptime" => self.uptime(),
            "date" => self.date(),
            "ps" => self.ps(),
            "free" => self.free(),
            "df" => self.df(),
            "mount" => self.mount(),
            "nproc" => self.nproc(),
            "lscpu" => self.lscpu(),
            "dmesg" => self.dmesg(),
            "crontab" => self.crontab(),
            "kill" | "killall" | "pkill" => self.kill(),
            "systemctl" | "service" => self.systemctl(),
            "ip" => self.ip(),
            "ifconfig" => self.ifconfig(),
            "ss" => self.ss(),
            "netstat" => self.netstat(),
            "arp" => self.arp(),
            "route" => self.route(),
            "ping" => self.ping(),
            "wget" => self.wget(),
            "curl" => self.curl(),
            "ssh" | "scp" | "sftp" => self.ssh(),
            _ => self.not_found(),
        }
    }

    fn say(&mut self, text: &str) {
        self.written.output(text.as_bytes());
    }

    /// An error of the program, which names itself.
    fn fail(&mut self, text: &str) -> u8 {
        let line = format!("{}: {text}\n", self.name);
        self.written.errors(line.as_bytes());
        1
    }

    /// An error of a command that is part of the shell.
    fn fail_builtin(&mut self, text: &str) -> u8 {
        let line = format!("{}{}: {text}\n", self.shell.error_prefix(), self.name);
        self.written.errors(line.as_bytes());
        1
    }

    fn line(&mut self, text: &str) -> u8 {
        self.written.output(text.as_bytes());
        self.written.output(b"\n");
        0
    }

    fn quiet(&mut self) -> u8 {
        if self.name == "clear" && self.terminal {
            self.say("\x1b[H\x1b[2J\x1b[3J");
        }
        0
    }

    fn not_found(&mut self) -> u8 {
        let name = self.name;
        let prefix = self.shell.error_prefix();
        let text = match self.shell.spec.shell {
            super::ShellKind::Bash => format!("{prefix}{name}: command not found\n"),
            _ => format!("{prefix}{name}: not found\n"),
        };
        self.written.errors(text.as_bytes());
        127
    }

    /// Options (the letters of arguments that begin with one dash, and whole arguments that begin with two) and the
    /// rest.
    fn options(&self) -> (String, Vec<String>) {
        let mut letters = String::new();
        let mut rest = Vec::new();
        let mut ended = false;
        for arg in self.args {
            let arg = lossy(arg);
            match arg.strip_prefix('-') {
                Some("-") if !ended => ended = true,
                Some(long) if !ended && long.starts_with('-') => letters.push_str(match long {
                    "-all" => "a",
                    "-human-readable" => "h",
                    _ => "",
                }),
                Some(short) if !ended && !short.is_empty() => letters.push_str(short),
                _ => rest.push(arg.into_owned()),
            }
        }
        (letters, rest)
    }

    fn full(&self, path: &str) -> String {
        join(&self.shell.directory, path)
    }

    fn cd(&mut self) -> u8 {
        let target = match self.args.first().map(|arg| lossy(arg).into_owned()).as_deref() {
            None | Some("~") => self.shell.host.user.home.clone(),
            Some("-") => {
                let previous = self.shell.previous_directory.clone();
                self.line(&previous);
                previous
            }
            Some(path) => path.to_string(),
        };
        let full = self.full(&target);
        let asker = self.shell.asker();
        let found = match self.shell.files.find(&full, asker) {
            Ok((_, node)) if node.what != super::files::What::Directory => Err(Refusal::NotADirectory),
            Ok((_, node)) if !may(node, asker, 1) => Err(Refusal::Denied),
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal),
        };
        match found {
            Ok(()) => {
                self.shell.previous_directory = core::mem::replace(&mut self.shell.directory, full);
                0
            }
            Err(refusal) if self.shell.spec.shell == super::ShellKind::Bash => {
                self.fail_builtin(&format!("{target}: {}", refusal.text()))
            }
            Err(_) => {
                self.fail_builtin(&format!("can't cd to {target}"));
                2
            }
        }
    }

    fn echo(&mut self) -> u8 {
        let mut args = self.args;
        let (mut newline, mut escapes) = (true, self.shell.spec.shell != super::ShellKind::Bash);
        while let Some((first, rest)) = args.split_first() {
            match first.as_slice() {
                b"-n" => newline = false,
                b"-e" => escapes = true,
                b"-ne" | b"-en" => (newline, escapes) = (false, true),
                _ => break,
            }
            args = rest;
        }
        let mut text = args.join(&b' ');
        if escapes {
            text = crate::text::unescape(&lossy(&text));
        }
        if newline {
            text.push(b'\n');
        }
        self.written.output(&text);
        0
    }

    fn printf(&mut self) -> u8 {
        let Some((form, args)) = self.args.split_first() else {
            self.fail_builtin("usage: printf [-v var] format [arguments]");
            return 2;
        };
        let form = lossy(form).into_owned();
        let mut args = args.iter();
        let mut filled = String::new();
        let mut letters = form.chars();
        while let Some(letter) = letters.next() {
            match (letter, letter == '%') {
                (_, true) => match letters.next() {
                    Some('%') | None => filled.push('%'),
                    Some(_) => filled.push_str(&args.next().map(|arg| lossy(arg)).unwrap_or_default()),
                },
                (other, _) => filled.push(other),
            }
        }
        self.written.output(&crate::text::unescape(&filled));
        0
    }

    fn exit(&mut self) -> u8 {
        let status = self.args.first().and_then(|arg| lossy(arg).parse::<i64>().ok());
        let status = status.map_or(self.shell.status, |s| u8::try_from(s.rem_euclid(256)).unwrap_or(0));
        if self.name == "exit" && self.shell.terminal && self.terminal {
            self.written.errors(b"logout\n");
        }
        self.shell.exit = Some(status);
        status
    }

    fn export(&mut self) -> u8 {
        for arg in self.args {
            if let Some((name, value)) = lossy(arg).split_once('=') {
                self.shell.assign(name, value.as_bytes().to_vec());
            }
        }
        0
    }

    fn env(&mut self) -> u8 {
        let mut all: Vec<(String, Vec<u8>)> =
            self.shell.variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        all.push(("PWD".into(), self.shell.directory.clone().into_bytes()));
        let wanted = self.args.first().filter(|_| self.name == "printenv").map(|arg| lossy(arg).into_owned());
        let mut found = 1;
        for (name, value) in all {
            if let Some(wanted) = &wanted {
                if *wanted != name {
                    continue;
                }
            } else {
                self.written.output(format!("{name}=").as_bytes());
            }
            self.written.output(&value);
            self.written.output(b"\n");
            found = 0;
        }
        found
    }

    fn history(&mut self) -> u8 {
        if self.args.first().is_some_and(|arg| arg == b"-c") {
            self.shell.history.clear();
            return 0;
        }
        for (place, line) in self.shell.history.iter().enumerate() {
            self.written.output(format!("{:>5}  ", place + 1).as_bytes());
            self.written.output(line);
            self.written.output(b"\n");
        }
        0
    }

    fn which(&mut self) -> u8 {
        let (_, names) = self.options();
        let mut status = 0;
        for name in names {
            let path = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"]
                .iter()
                .take(if self.shell.host.user.uid == 0 { 4 } else { 3 })
                .map(|place| format!("{place}/{name}"))
                .find(|path| self.shell.files.find(path, self.shell.asker()).is_ok());
            match (self.name, path) {
                ("type", _)
                    if matches!(
                        name.as_str(),
                        "cd" | "echo" | "pwd" | "exit" | "export" | "test" | "printf" | "type"
                    ) =>
                {
                    self.line(&format!("{name} is a shell builtin"));
                }
                ("type", Some(path)) => {
                    self.line(&format!("{name} is {path}"));
                }
                ("type", None) => status = self.fail_builtin(&format!("{name}: not found")),
                (_, Some(path)) => {
                    self.line(&path);
                }
                (_, None) => status = 1,
            }
        }
        status
    }

    /// Files and strings; anything else is false.
    fn test(&self) -> u8 {
        let args: Vec<String> = self.args.iter().map(|arg| lossy(arg).into_owned()).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).filter(|arg| *arg != "]").collect();
        let asker = self.shell.asker();
        let mode = |path: &str, bit: u16| {
            self.shell.files.find(&self.full(path), asker).is_ok_and(|(_, node)| bit == 0 || may(node, asker, bit))
        };
        let holds = match args.as_slice() {
            ["-e" | "-f", path] => mode(path, 0),
            ["-d", path] => self.shell.files.list(&self.full(path), asker).is_ok(),
            ["-r", path] => mode(path, 4),
            ["-w", path] => mode(path, 2),
            ["-x", path] => mode(path, 1),
            ["-z", text] => text.is_empty(),
            ["-n", text] | [text] => !text.is_empty(),
            [left, "=" | "==" | "-eq", right] => left == right,
            [left, "!=" | "-ne", right] => left != right,
            _ => false,
        };
        u8::from(!holds)
    }

    fn sudo(&mut self) -> u8 {
        if self.shell.host.user.uid == 0 {
            let words: Vec<Vec<u8>> = self.args.iter().skip_while(|arg| arg.starts_with(b"-")).cloned().collect();
            let input = core::mem::take(&mut self.input);
            return run(self.shell, self.utc, &words, input, self.written, self.terminal);
        }
        if self.args.is_empty() {
            self.written.errors(b"usage: sudo -h | -K | -k | -V\nusage: sudo -v [-ABkNnS] [-g group] [-h host] [-p prompt] [-u user]\nusage: sudo -l [-ABkNnS] [-g group] [-h host] [-p prompt] [-U user]\n            [-u user] [command [arg ...]]\nusage: sudo [-ABbEHkNnPS] [-C num] [-D directory]\n            [-g group] [-h host] [-p prompt] [-R directory] [-T timeout]\n            [-u user] [VAR=value] [-i | -s] [command [arg ...]]\nusage: sudo -e [-ABkNnS] [-C num] [-D directory]\n            [-g group] [-h host] [-p prompt] [-R directory] [-T timeout]\n            [-u user] file ...\n");
            return 1;
        }
        if self.args.iter().any(|arg| arg == b"-n") {
            return self.fail("a password is required");
        }
        if !self.shell.terminal {
            self.fail("a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper");
            return self.fail("a password is required");
        }
        self.shell.asking = Some(Asking::Sudo);
        1
    }

    fn su(&mut self) -> u8 {
        if self.shell.host.user.uid == 0 {
            return 0;
        }
        if self.shell.terminal {
            self.shell.asking = Some(Asking::Su);
        } else {
            self.written.errors(b"Password: su: Authentication failure\n");
        }
        1
    }

    fn passwd(&mut self) -> u8 {
        let name = self.shell.host.user.name.clone();
        if let Some(other) = self.args.first().filter(|arg| **arg != name.as_bytes()) {
            let text = format!("You may not view or modify password information for {}.", lossy(other));
            return self.fail(&text);
        }
        self.line(&format!("Changing password for {name}."));
        if self.shell.terminal {
            self.shell.asking = Some(Asking::Passwd);
        } else {
            self.written.errors(
                b"Current password: passwd: Authentication token manipulation error\npasswd: password unchanged\n",
            );
        }
        10
    }
}

/// The line that a program had asked for has come.
pub(super) fn answer(shell: &mut Shell, asking: Asking, written: &mut Written) {
    let text = match asking {
        Asking::Sudo => format!("{} is not in the sudoers file.\n", shell.host.user.name),
        Asking::Su => "su: Authentication failure\n".to_string(),
        Asking::Passwd => "passwd: Authentication token manipulation error\npasswd: password unchanged\n".to_string(),
    };
    written.errors(text.as_bytes());
    shell.status = if asking == Asking::Passwd { 10 } else { 1 };
}

/// The paths that fit a pattern with `*` and `?` (POSIX.1-2017 XCU §2.13), in order.
pub(super) fn matching_paths(shell: &Shell, pattern: &str) -> Vec<String> {
    let mut found = Vec::from([String::from(if pattern.starts_with('/') { "/" } else { "" })]);
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in found {
            let directory = join(&shell.directory, if base.is_empty() { "." } else { &base });
            let Ok(entries) = shell.files.list(&directory, shell.asker()) else { continue };
            let hidden = part.starts_with('.');
            for (name, _) in entries {
                if name.starts_with('.') == hidden && fits(part.as_bytes(), name.as_bytes()) && next.len() < MAX_MATCHES
                {
                    let slash = if base.is_empty() || base.ends_with('/') { "" } else { "/" };
                    next.push(format!("{base}{slash}{name}"));
                }
            }
        }
        found = next;
    }
    found
}

/// Whether a name fits a pattern: a star is tried from where it stood last, so the time is the product of the lengths.
pub(super) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(octet) if *octet == b'?' || name.get(in_name) == Some(octet) => {
                at += 1;
                in_name += 1;
            }
            _ => match star {
                Some((place, matched)) => {
                    star = Some((place, matched + 1));
                    at = place + 1;
                    in_name = matched + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|octet| *octet == b'*')
}

/// The last part of a path.
fn name_of(path: &str) -> &str {
    path.strip_prefix(parent_of(path)).unwrap_or(path).trim_start_matches('/')
}
