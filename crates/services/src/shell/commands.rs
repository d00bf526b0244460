//! The commands: each reads what the session sees and writes what the real program would, to its status.

mod answers;
mod applets;
mod builtins;
mod changing;
mod conditions;
mod filters;
mod find;
mod listing;
mod machine;
mod native;
mod network;
mod others;
mod patterns;
mod privilege;
mod reach;
mod system;
mod text;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    MAX_DEPTH, NANOS, Shell, ShellKind, ShellSystem, Stdin, Written,
    escapes::Escapes,
    files::{Node, Refusal, What, join, may, parent_of},
    lossy,
};
pub(super) use listing::permissions;
pub(super) use patterns::{fits, is_pattern, matching_paths};
pub(super) use privilege::answer;

/// Programs that are in /usr/sbin.
const SUPERUSER: &[&str] = &["arp", "ifconfig", "route"];

/// What a command is given.
struct Call<'c> {
    shell: &'c mut Shell,
    /// Nanoseconds and seconds since 1970.
    utc: u64,
    now: u64,
    name: &'c str,
    /// The path, if it was called by that.
    by_path: Option<&'c str>,
    /// What follows the name.
    args: &'c [Vec<u8>],
    input: &'c mut Stdin,
    written: &'c mut Written,
    /// Its output goes to a terminal.
    terminal: bool,
}

/// Runs one command; its status.
pub(super) fn run(
    shell: &mut Shell,
    words: &[Vec<u8>],
    input: &mut Stdin,
    written: &mut Written,
    terminal: bool,
) -> u8 {
    let Some((name, args)) = words.split_first() else { return 0 };
    let name = lossy(name);
    let base = match name.rsplit_once('/') {
        // A program by its path is one only if the path is there.
        Some((_, base)) => match shell.files.find(&join(&shell.directory, &name), shell.asker()) {
            Ok((_, Node { what: What::Text(text), mode, .. })) if mode & 0o111 != 0 => {
                let text = text.clone();
                return builtins::run_script(shell, &name, &text, args, input, written);
            }
            Ok((_, node)) if may(node, shell.asker(), 1) && node.what != What::Directory => base,
            found => {
                let (reason, status) = match found {
                    Ok((_, node)) if node.what == What::Directory => (Refusal::IsADirectory, 126),
                    Ok(_) => (Refusal::Denied, 126),
                    Err(Refusal::Denied) => (Refusal::Denied, 126),
                    Err(reason) => (reason, 127),
                };
                let text = match (shell.kind, reason) {
                    (ShellKind::Bash, _) => reason.text(),
                    (_, Refusal::NotFound) => "not found",
                    _ => Refusal::Denied.text(),
                };
                let line = if shell.kind == ShellKind::Zsh {
                    shell.zsh_refusal(&name, reason)
                } else {
                    format!("{}{name}: {text}\n", shell.error_prefix())
                };
                written.errors(line.as_bytes());
                return status;
            }
        },
        None => &name,
    };
    // /usr/sbin is not in the path of an ordinary user.
    let debian = shell.spec.shell == ShellKind::Bash && shell.spec.system == ShellSystem::Linux;
    let hidden = debian && base == name && SUPERUSER.contains(&base) && shell.host.user.uid != 0;
    let utc = shell.begun.saturating_add(written.at);
    let by_path = Some(name.as_ref()).filter(|name| *name != base);
    let mut call = Call { shell, utc, now: utc / NANOS, name: base, by_path, args, input, written, terminal };
    // `sudo sudo sudo …`
    if call.shell.depth > 2 * MAX_DEPTH {
        return 126;
    }
    call.shell.depth += 1;
    let status = if hidden { call.not_found() } else { call.dispatch() };
    shell.depth -= 1;
    status
}

impl Call<'_> {
    fn dispatch(&mut self) -> u8 {
        if let Some(status) = self.applet().or_else(|| self.native()) {
            return status;
        }
        match self.name {
            ":" | "true" | "umask" | "shopt" | "ulimit" | "trap" | "wait" | "jobs" | "clear" | "stty" | "disown"
            | "sync" => self.quiet(),
            "set" => self.set(),
            "unset" => self.unset(),
            "shift" => self.shift(),
            "read" => self.read(),
            "break" | "continue" => self.jump(),
            "let" => self.calculate(),
            "eval" => self.eval(),
            "exec" | "nohup" | "setsid" | "nice" | "time" | "builtin" => self.run_rest(),
            "." | "source" => self.source(),
            "sh" | "bash" | "dash" | "ash" | "zsh" => self.call_shell(),
            "sleep" => self.sleep(),
            "false" => 1,
            "cd" => self.cd(),
            "pwd" => self.line(&self.shell.directory.clone()),
            "echo" => self.echo(),
            "printf" => self.printf(),
            "exit" | "logout" => self.exit(),
            "export" | "declare" | "readonly" | "local" | "typeset" => self.export(),
            "env" | "printenv" => self.env(),
            "history" => self.history(),
            "alias" => 0,
            "command" if !self.args.first().is_some_and(|arg| arg.starts_with(b"-")) => self.run_rest(),
            "type" | "which" | "command" | "hash" => self.which(),
            "test" | "[" | "[[" => self.test(),
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
            "tr" => self.tr(),
            "sed" => self.sed(),
            "awk" | "mawk" | "nawk" => self.awk(),
            "xargs" => self.xargs(),
            "paste" => self.paste(),
            "tac" => self.tac(),
            "rev" => self.rev(),
            "nl" => self.nl(),
            "seq" => self.seq(),
            "expr" => self.expr(),
            "basename" => self.basename(),
            "dirname" => self.dirname(),
            "tee" => self.tee(),
            "base64" => self.base64(),
            "md5sum" | "sha1sum" | "sha256sum" | "sha512sum" => self.checksum(),
            "hexdump" | "hd" => self.hexdump(),
            "xxd" => self.xxd(),
            "od" => self.od(),
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
            _ => self.other(),
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

    /// An error that is about a file, in the words of GNU's program, or in those of the system's own.
    fn fail_at(&mut self, path: &str, refusal: Refusal, gnu: &str) -> u8 {
        if self.is_gnu() {
            self.fail(gnu)
        } else if self.is_applet() {
            let text = applets::refusal(self.name, path, refusal);
            self.fail(&text)
        } else {
            let line = format!("{}\n", self.native_refusal(path, refusal));
            self.written.errors(line.as_bytes());
            1
        }
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
        let text = match self.shell.kind {
            ShellKind::Bash => format!("{prefix}{name}: command not found\n"),
            ShellKind::Zsh => format!("{prefix}command not found: {name}\n"),
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
            Ok((_, node)) if node.what != What::Directory => Err(Refusal::NotADirectory),
            Ok((_, node)) if !may(node, asker, 1) => Err(Refusal::Denied),
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal),
        };
        match found {
            Ok(()) => {
                self.shell.previous_directory = core::mem::replace(&mut self.shell.directory, full);
                0
            }
            Err(refusal) if self.shell.kind == ShellKind::Zsh => {
                let before = if self.shell.terminal { "cd: " } else { "zsh:cd:1: " };
                let line = format!("{before}{}: {target}\n", refusal.text().to_lowercase());
                self.written.errors(line.as_bytes());
                1
            }
            Err(refusal) if matches!(self.shell.kind, ShellKind::Bash | ShellKind::Sh) => {
                self.fail_builtin(&format!("{target}: {}", refusal.text()))
            }
            Err(refusal) if self.is_applet() => {
                let line = if self.shell.terminal { "" } else { "line 0: " };
                self.fail_builtin(&format!("{line}can't cd to {target}: {}", refusal.text()));
                2
            }
            Err(_) => {
                self.fail_builtin(&format!("can't cd to {target}"));
                2
            }
        }
    }

    fn echo(&mut self) -> u8 {
        let mut args = self.args;
        let (mut newline, mut escapes) = (true, self.shell.kind == ShellKind::Dash);
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
        let mut ended = false;
        if escapes {
            (text, ended) = Escapes::Echo.read(&text);
        }
        if newline && !ended {
            text.push(b'\n');
        }
        self.written.output(&text);
        0
    }

    fn exit(&mut self) -> u8 {
        let status = self.args.first().and_then(|arg| lossy(arg).parse::<i64>().ok());
        let status = status.map_or(self.shell.status, |s| u8::try_from(s.rem_euclid(256)).unwrap_or(0));
        if self.shell.inner > 0 && self.shell.terminal {
            self.shell.inner -= 1;
            if self.shell.kind == ShellKind::Bash {
                self.written.errors(b"exit\n");
            }
            return status;
        }
        if self.name == "exit" && self.shell.terminal && self.terminal && self.shell.kind == ShellKind::Bash {
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
        let ash = self.is_applet();
        for (place, line) in self.shell.history.iter().enumerate() {
            let number = if ash { format!("{place:>4} ") } else { format!("{:>5}  ", place + 1) };
            self.written.output(number.as_bytes());
            self.written.output(line);
            self.written.output(b"\n");
        }
        0
    }

    fn which(&mut self) -> u8 {
        let (_, names) = self.options();
        let mut status = 0;
        for name in names {
            let path = self.place_of(&name);
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
                ("type", None) if self.is_applet() => {
                    self.line(&format!("{name}: not found"));
                    status = 127;
                }
                ("type", None) => status = self.fail_builtin(&format!("{name}: not found")),
                (_, Some(path)) => {
                    self.line(&path);
                }
                (_, None) => {
                    if self.shell.kind == ShellKind::Zsh {
                        self.line(&format!("{name} not found"));
                    }
                    status = 1;
                }
            }
        }
        status
    }
}

/// The last part of a path.
fn name_of(path: &str) -> &str {
    path.strip_prefix(parent_of(path)).unwrap_or(path).trim_start_matches('/')
}
