//! What is part of the shell and changes what it does next, and shells within shells.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{Call, ShellKind, ShellSystem, lossy, run};
use crate::shell::{MAX_DEPTH, MAX_WORDS, NANOS, Shell, Stdin, Written, execution::Jump};

impl Call<'_> {
    /// `set -- a b`, and what is set.
    pub(super) fn set(&mut self) -> u8 {
        match self.args.split_first() {
            None => {
                let rows: Vec<u8> = self
                    .shell
                    .variables
                    .iter()
                    .flat_map(|(name, value)| [name.as_bytes(), b"=", value, b"\n"].concat())
                    .collect();
                self.written.output(&rows);
            }
            Some((first, rest)) if first == b"--" => self.shell.arguments = rest.to_vec(),
            Some((first, _)) if first.starts_with(b"-") || first.starts_with(b"+") => {}
            Some(_) => self.shell.arguments = self.args.to_vec(),
        }
        0
    }

    pub(super) fn unset(&mut self) -> u8 {
        for name in self.args {
            self.shell.variables.remove(lossy(name).as_ref());
        }
        0
    }

    pub(super) fn shift(&mut self) -> u8 {
        let count = self.args.first().map_or(Some(1), |arg| lossy(arg).parse().ok()).unwrap_or(0);
        if count > self.shell.arguments.len() {
            return 1;
        }
        self.shell.arguments.drain(..count);
        0
    }

    /// Reads a line of what comes in; at a terminal nothing comes.
    pub(super) fn read(&mut self) -> u8 {
        let Some((line, ended)) = self.input.line() else { return 1 };
        let names: Vec<String> =
            self.args.iter().map(|arg| lossy(arg).into_owned()).filter(|arg| !arg.starts_with('-')).collect();
        let separators = self.shell.variables.get("IFS").cloned().unwrap_or_else(|| b" \t".to_vec());
        let mut rest = line.as_slice();
        let (last, others) =
            names.split_last().map_or(("REPLY", [].as_slice()), |(last, others)| (last.as_str(), others));
        for name in others {
            rest = rest.trim_ascii_start();
            let end = rest.iter().position(|octet| separators.contains(octet)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            self.shell.assign(name, word.to_vec());
            rest = behind.get(1..).unwrap_or_default();
        }
        self.shell.assign(last, rest.trim_ascii().to_vec());
        u8::from(!ended)
    }

    pub(super) fn jump(&mut self) -> u8 {
        if self.shell.loops == 0 {
            if self.shell.kind == ShellKind::Bash {
                let text = "only meaningful in a `for', `while', or `until' loop";
                self.fail_builtin(text);
            }
            return 0;
        }
        let loops = self.args.first().and_then(|arg| lossy(arg).parse().ok()).unwrap_or(1);
        let loops = u64::clamp(loops, 1, self.shell.loops);
        self.shell.jump = Some(Jump { continues: self.name == "continue", loops });
        0
    }

    /// `let x=1+2`
    pub(super) fn calculate(&mut self) -> u8 {
        let mut value = 0;
        for arg in self.args {
            let text = lossy(arg);
            match self.shell.evaluate(&text) {
                Ok(result) => value = result,
                Err(wrong) => {
                    let fault = self.shell.arithmetic_fault(&text, &wrong);
                    self.written.errors(fault.as_bytes());
                    return 1;
                }
            }
        }
        u8::from(value == 0)
    }

    pub(super) fn eval(&mut self) -> u8 {
        let line = self.args.join(&b' ');
        self.shell.status = 0;
        self.shell.run(&line, self.input, self.written);
        self.shell.status
    }

    /// Programs that run what follows them.
    pub(super) fn run_rest(&mut self) -> u8 {
        let skipped =
            |arg: &&Vec<u8>| arg.starts_with(b"-") || self.name == "nice" && lossy(arg).parse::<i32>().is_ok();
        let words: Vec<Vec<u8>> = self.args.iter().skip_while(skipped).take(MAX_WORDS).cloned().collect();
        if words.is_empty() {
            return match self.name {
                "nohup" => {
                    self.fail("missing operand");
                    self.written.errors(b"Try 'nohup --help' for more information.\n");
                    125
                }
                "nice" => self.line("0"),
                _ => 0,
            };
        }
        if self.name == "nohup" && self.terminal {
            self.written.errors(b"nohup: ignoring input and appending output to 'nohup.out'\n");
            let mut own = self.written.part();
            let status = run(self.shell, &words, &mut Stdin::default(), &mut own, false);
            let (mut text, path, asker) = (Vec::new(), self.full("nohup.out"), self.shell.asker());
            for piece in &own.pieces {
                text.extend_from_slice(&piece.octets);
            }
            self.written.pass(&own);
            let _ = self.shell.files.write(&path, asker, self.now, &text, true);
            return status;
        }
        let begun = self.written.at;
        let status = run(self.shell, &words, self.input, self.written, self.terminal);
        match self.name {
            "exec" => self.shell.exit = Some(status),
            "time" => {
                let millis = (self.written.at - begun) / (NANOS / 1000) + 2;
                let text = format!(
                    "\nreal\t{}m{}.{:03}s\nuser\t0m0.001s\nsys\t0m0.001s\n",
                    millis / 60_000,
                    millis / 1000 % 60,
                    millis % 1000
                );
                self.written.errors(text.as_bytes());
            }
            _ => {}
        }
        status
    }

    /// Runs a file in this shell.
    pub(super) fn source(&mut self) -> u8 {
        let Some(path) = self.args.first().map(|arg| lossy(arg).into_owned()) else {
            self.fail_builtin("filename argument required");
            return 2;
        };
        match self.shell.read(&self.full(&path)) {
            Ok(text) => {
                let before = self.shell.file.replace(path.into_bytes());
                self.shell.run(&text, self.input, self.written);
                self.shell.file = before;
                self.shell.status
            }
            Err(refusal) => {
                let name = if self.shell.kind == ShellKind::Bash { path } else { format!("{}: {path}", self.name) };
                let line = format!("{}{name}: {}\n", self.shell.error_prefix(), refusal.text());
                self.written.errors(line.as_bytes());
                1
            }
        }
    }

    /// A shell that is called: with a line, with a script, with what comes in, or to type at.
    pub(super) fn call_shell(&mut self) -> u8 {
        if !self.is_applet() && self.place_of(self.name).is_none() {
            return self.not_found();
        }
        let kind = match (self.name, self.shell.spec.system) {
            _ if self.is_applet() => ShellKind::Ash,
            ("bash", _) => ShellKind::Bash,
            ("zsh", _) => ShellKind::Zsh,
            ("sh" | "dash", ShellSystem::Linux) => ShellKind::Dash,
            _ => self.shell.spec.shell,
        };
        let options = self.args.iter().take_while(|arg| arg.starts_with(b"-") && arg.len() > 1).count();
        let (options, rest) = self.args.split_at_checked(options).unwrap_or_default();
        if options.iter().any(|arg| !arg.starts_with(b"--") && arg.contains(&b'c')) {
            let Some((line, arguments)) = rest.split_first() else {
                let text = format!("{}: -c: option requires an argument\n", self.name);
                self.written.errors(text.as_bytes());
                return 2;
            };
            let (script, arguments) =
                arguments.split_first().map_or((None, arguments), |(name, rest)| (Some(name.clone()), rest));
            return within(self.shell, kind, script, arguments, |shell| shell.run(line, self.input, self.written));
        }
        if let Some((path, arguments)) = rest.split_first() {
            let shown = lossy(path).into_owned();
            return match self.shell.read(&self.full(&shown)) {
                Ok(text) => {
                    let script = Some(path.clone());
                    within(self.shell, kind, script, arguments, |shell| shell.run(&text, self.input, self.written))
                }
                Err(refusal) => {
                    let text = match kind {
                        ShellKind::Bash => format!("bash: {shown}: {}\n", refusal.text()),
                        ShellKind::Ash => format!("{}: can't open '{shown}': {}\n", self.name, refusal.text()),
                        _ => format!(
                            "{}: 0: cannot open {shown}: {}\n",
                            self.name,
                            refusal.text().replace("file or directory", "file")
                        ),
                    };
                    self.written.errors(text.as_bytes());
                    if kind == ShellKind::Bash { 127 } else { 2 }
                }
            };
        }
        let text = self.input.take();
        if !text.is_empty() {
            return within(self.shell, kind, None, &[], |shell| shell.run(&text, &mut Stdin::default(), self.written));
        }
        if self.terminal {
            self.shell.inner = self.shell.inner.saturating_add(1);
        }
        0
    }
}

/// Runs a file of text that is called by its path.
pub(super) fn run_script(
    shell: &mut Shell,
    path: &str,
    text: &[u8],
    arguments: &[Vec<u8>],
    input: &mut Stdin,
    written: &mut Written,
) -> u8 {
    if text.contains(&0) {
        let text = match shell.kind {
            ShellKind::Bash => {
                format!("{}{path}: cannot execute binary file: Exec format error\n", shell.error_prefix())
            }
            _ => format!("{}{path}: Exec format error\n", shell.error_prefix()),
        };
        written.errors(text.as_bytes());
        return 126;
    }
    let first = text.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let kind = match first.strip_prefix(b"#!").map(lossy) {
        Some(program) if shell.spec.shell == ShellKind::Ash || program.contains("bash") => shell.spec.shell,
        Some(program) if program.trim_end().ends_with("sh") && shell.spec.system == ShellSystem::Linux => {
            ShellKind::Dash
        }
        _ => shell.spec.shell,
    };
    let script = Some(path.to_string().into_bytes());
    within(shell, kind, script, arguments, |shell| shell.run(text, input, written))
}

/// Runs something in a shell of its own, which leaves nothing behind.
fn within(
    shell: &mut Shell,
    kind: ShellKind,
    script: Option<Vec<u8>>,
    arguments: &[Vec<u8>],
    run: impl FnOnce(&mut Shell),
) -> u8 {
    if shell.depth > MAX_DEPTH {
        return 126;
    }
    let before = (
        shell.kind,
        shell.terminal,
        shell.directory.clone(),
        shell.variables.clone(),
        (core::mem::replace(&mut shell.script, script), shell.file.take()),
        core::mem::replace(&mut shell.arguments, arguments.to_vec()),
        core::mem::take(&mut shell.loops),
    );
    (shell.kind, shell.terminal, shell.status) = (kind, false, 0);
    run(shell);
    let status = shell.exit.take().unwrap_or(shell.status);
    let script;
    (shell.kind, shell.terminal, shell.directory, shell.variables, script, shell.arguments, shell.loops) = before;
    (shell.script, shell.file) = script;
    (shell.jump, shell.aborted) = (None, false);
    status
}
