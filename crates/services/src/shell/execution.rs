//! How the commands of a line are run: one after another, over and over, into each other and into files.

use alloc::{format, string::String, vec::Vec};

use super::{
    MAX_DEPTH, MAX_WORDS, Shell, ShellKind, Stdin, commands,
    expansion::assignment,
    files::{self, Refusal},
    syntax::{Body, Channel, Command, Fault, Redirection, Step, When, Word, parse},
    written::{Written, lossy},
};

/// Where a loop is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Jump {
    /// The loop that is meant goes on with its next turn.
    pub(super) continues: bool,
    /// Loops to leave, that one among them.
    pub(super) loops: u64,
}

/// Where what a command writes goes.
#[derive(Clone)]
enum To {
    Output,
    Errors,
    File(String),
    Nowhere,
}

struct Targets {
    input: Option<Stdin>,
    output: To,
    errors: To,
}

impl Shell {
    /// Runs lines that are known to their end.
    pub(super) fn run(&mut self, line: &[u8], input: &mut Stdin, written: &mut Written) {
        let before = self.line;
        match parse(line, true) {
            Ok(steps) => {
                self.run_steps(&steps, input, written);
                self.line = before;
            }
            Err(fault) => {
                self.complain(&fault, line, written);
                self.status = 2;
            }
        }
    }

    pub(super) fn run_steps(&mut self, steps: &[Step], input: &mut Stdin, written: &mut Written) {
        // Within each other they are no deeper than the lines that they are read from.
        if self.depth > 2 * MAX_DEPTH {
            return;
        }
        self.depth += 1;
        for step in steps {
            let due = match step.when {
                When::Always => true,
                When::Success => self.status == 0,
                When::Failure => self.status != 0,
            };
            if due {
                self.line = step.line;
                self.run_pipeline(step, input, written);
            }
            if self.is_over(written) {
                break;
            }
        }
        self.depth -= 1;
    }

    /// Whether nothing more of these steps is run.
    fn is_over(&self, written: &Written) -> bool {
        self.exit.is_some() || self.jump.is_some() || self.aborted || written.is_full() || written.endless
    }

    fn run_pipeline(&mut self, step: &Step, input: &mut Stdin, written: &mut Written) {
        if step.background && self.terminal {
            written.errors(format!("[1] {}\n", self.host.next_pid(self.lines)).as_bytes());
        }
        let begun = written.at;
        let mut piped = Stdin::default();
        for (place, command) in step.pipeline.iter().enumerate() {
            let mut own = written.part();
            let input = if place == 0 { &mut *input } else { &mut piped };
            if let [only] = step.pipeline.as_slice() {
                self.run_command(only, input, &mut own, true);
            } else {
                // All but a lone command run in a subshell.
                self.apart(|shell| shell.run_command(command, input, &mut own, false));
            }
            if place + 1 == step.pipeline.len() {
                written.append(own);
                break;
            }
            piped = Stdin::default();
            written.pass(&own);
            for piece in own.pieces {
                if piece.errors {
                    written.errors(&piece.octets);
                } else {
                    piped.extend(&piece.octets);
                }
            }
        }
        if step.background {
            (written.at, written.endless) = (begun, false);
            self.status = 0;
        }
        if step.negated {
            self.status = u8::from(self.status == 0);
        }
    }

    /// Runs something that `exit`, `cd` and assignments do not leave.
    pub(super) fn apart(&mut self, run: impl FnOnce(&mut Self)) {
        let before = (self.directory.clone(), self.variables.clone());
        run(self);
        (self.directory, self.variables) = before;
        self.status = self.exit.take().unwrap_or(self.status);
        self.jump = None;
    }

    fn run_command(&mut self, command: &Command, input: &mut Stdin, written: &mut Written, alone: bool) {
        if self.is_spent(written) {
            return;
        }
        let words = match &command.body {
            Body::Simple(words) => {
                let words = self.words(words, written);
                if self.aborted {
                    return;
                }
                Some(words)
            }
            _ => None,
        };
        let Some(mut targets) = self.targets(&command.redirections, written) else { return };
        let mut given = targets.input.take();
        let input = given.as_mut().unwrap_or(input);
        let mut own = written.part();
        match words {
            Some(words) if words.is_empty() => {
                if !self.substituted {
                    self.status = 0;
                }
            }
            Some(words) => {
                let to_terminal = self.terminal && alone && matches!(targets.output, To::Output) && self.depth == 1;
                self.status = commands::run(self, &words, input, &mut own, to_terminal);
            }
            None => self.run_compound(&command.body, input, &mut own),
        }
        self.deliver(own, &targets, written);
    }

    /// The fields of a simple command, its assignments made.
    fn words(&mut self, words: &[Word], written: &mut Written) -> Vec<Vec<u8>> {
        let mut fields: Vec<Vec<u8>> = Vec::new();
        let mut assigning = true;
        self.substituted = false;
        for word in words {
            if assigning && let Some((name, value)) = assignment(word) {
                let value = self.expand_joined(&value, written);
                self.assign(name, value);
                continue;
            }
            assigning = false;
            self.expand(word, &mut fields, written);
            fields.truncate(MAX_WORDS);
        }
        fields
    }

    fn run_compound(&mut self, body: &Body, input: &mut Stdin, written: &mut Written) {
        match body {
            Body::Simple(_) => {}
            Body::Group(steps) => self.run_steps(steps, input, written),
            Body::Subshell(steps) => self.apart(|shell| shell.run_steps(steps, input, written)),
            Body::Arithmetic(text) => {
                let value = self.calculate(text, written);
                self.status = u8::from(value.is_none_or(|value| value == 0));
            }
            Body::If { arms, otherwise } => {
                for [condition, then] in arms {
                    self.run_steps(condition, input, written);
                    if self.is_over(written) {
                        return;
                    }
                    if self.status == 0 {
                        return self.run_steps(then, input, written);
                    }
                }
                self.status = 0;
                self.run_steps(otherwise, input, written);
            }
            Body::Case { word, arms } => {
                let value = self.expand_joined(word, written);
                self.status = 0;
                for (patterns, steps) in arms {
                    let fits = patterns.iter().any(|pattern| {
                        let pattern = self.expand_joined(pattern, written);
                        commands::fits(&pattern, &value)
                    });
                    if fits {
                        return self.run_steps(steps, input, written);
                    }
                }
            }
            Body::For { name, words, body } => {
                let mut fields = Vec::new();
                for word in words {
                    self.expand(word, &mut fields, written);
                    fields.truncate(MAX_WORDS);
                }
                self.status = 0;
                for field in fields {
                    self.assign(name, field);
                    if self.turn(body, input, written) {
                        break;
                    }
                }
            }
            Body::Loop { until, condition, body } => {
                let mut status = 0;
                loop {
                    self.run_steps(condition, input, written);
                    if self.is_over(written) || (self.status == 0) == *until {
                        break;
                    }
                    let ends = self.turn(body, input, written);
                    status = self.status;
                    if ends {
                        break;
                    }
                }
                self.status = status;
            }
            Body::Count { parts: [first, condition, next], body } => {
                self.calculate(first, written);
                loop {
                    let due =
                        condition.is_empty() || self.calculate(condition, written).is_some_and(|value| value != 0);
                    if !due || self.aborted || self.turn(body, input, written) {
                        break;
                    }
                    self.calculate(next, written);
                }
            }
        }
    }

    /// One turn of a loop; whether it was the last.
    fn turn(&mut self, body: &[Step], input: &mut Stdin, written: &mut Written) -> bool {
        self.loops += 1;
        self.is_spent(written);
        self.run_steps(body, input, written);
        self.loops -= 1;
        let Some(jump) = self.jump else { return self.is_over(written) };
        if jump.loops > 1 {
            self.jump = Some(Jump { loops: jump.loops - 1, ..jump });
            return true;
        }
        self.jump = None;
        !jump.continues
    }

    /// Where redirections lead; `None`: one of them leads nowhere, which has been said.
    fn targets(&mut self, redirections: &[Redirection], written: &mut Written) -> Option<Targets> {
        let mut targets = Targets { input: None, output: To::Output, errors: To::Errors };
        for redirection in redirections {
            match redirection {
                Redirection::Input(word) => {
                    let path = self.expand_joined(word, written);
                    let full = files::join(&self.directory, &lossy(&path));
                    match self.read(&full) {
                        Ok(text) => targets.input = Some(text.into()),
                        Err(refusal) => {
                            self.refuse(&path, refusal, false, written);
                            return None;
                        }
                    }
                }
                Redirection::Text(word) => targets.input = Some(self.expand_joined(word, written).into()),
                Redirection::Output { target, append, from } => {
                    let path = self.expand_joined(target, written);
                    let full = files::join(&self.directory, &lossy(&path));
                    let asker = self.asker();
                    if let Err(refusal) = self.files.write(&full, asker, self.seconds(written), b"", *append) {
                        self.refuse(&path, refusal, true, written);
                        return None;
                    }
                    if *from != Channel::Errors {
                        targets.output = To::File(full.clone());
                    }
                    if *from != Channel::Output {
                        targets.errors = To::File(full);
                    }
                }
                Redirection::ErrorsToOutput => targets.errors = targets.output.clone(),
                Redirection::OutputToErrors => targets.output = targets.errors.clone(),
                Redirection::Closed(Channel::Errors) => targets.errors = To::Nowhere,
                Redirection::Closed(_) => targets.output = To::Nowhere,
            }
        }
        Some(targets)
    }

    fn deliver(&mut self, own: Written, targets: &Targets, written: &mut Written) {
        let asker = self.asker();
        let seconds = self.seconds(&own);
        written.pass(&own);
        let end = written.at;
        for piece in own.pieces {
            self.count(piece.octets.len());
            written.at = piece.at;
            match if piece.errors { &targets.errors } else { &targets.output } {
                To::Output => written.output(&piece.octets),
                To::Errors => written.errors(&piece.octets),
                // A full disk is not told twice.
                To::File(path) => drop(self.files.write(path, asker, seconds, &piece.octets, true)),
                To::Nowhere => {}
            }
        }
        written.at = end;
    }

    pub(super) fn complain(&self, fault: &Fault, line: &[u8], written: &mut Written) {
        let kind = self.kind;
        let what = match (fault, kind) {
            (Fault::Unexpected(sign), ShellKind::Bash) => format!("syntax error near unexpected token `{sign}'"),
            (Fault::Open(quote), ShellKind::Bash) => format!("unexpected EOF while looking for matching `{quote}'"),
            (Fault::Ends(_), ShellKind::Bash) => "syntax error: unexpected end of file".into(),
            (Fault::Unexpected(sign), ShellKind::Ash) => format!("syntax error: unexpected \"{sign}\""),
            (Fault::Open(_), ShellKind::Ash) => "syntax error: unterminated quoted string".into(),
            (Fault::Ends(""), ShellKind::Ash) => "syntax error: unexpected end of file".into(),
            (Fault::Ends(word), ShellKind::Ash) => {
                format!("syntax error: unexpected end of file (expecting \"{word}\")")
            }
            (Fault::Unexpected(sign), ShellKind::Zsh) => format!("parse error near `{sign}'"),
            (Fault::Open(quote), ShellKind::Zsh) => format!("unmatched {quote}"),
            (Fault::Ends(_), ShellKind::Zsh) => "parse error near `\\n'".into(),
            (Fault::Unexpected(sign), _) => format!("Syntax error: \"{sign}\" unexpected"),
            (Fault::Open(_), _) => "Syntax error: Unterminated quoted string".into(),
            (Fault::Ends(""), _) => "Syntax error: end of file unexpected".into(),
            (Fault::Ends(word), _) => format!("Syntax error: end of file unexpected (expecting \"{word}\")"),
        };
        let before = match (kind, self.terminal, fault) {
            (ShellKind::Sh, true, _) => "-sh: ",
            (ShellKind::Sh, false, _) => "sh: ",
            (ShellKind::Bash, false, Fault::Ends(_)) => "bash: -c: line 2: ",
            (ShellKind::Bash, false, _) => "bash: -c: line 1: ",
            _ => &self.error_prefix(),
        };
        written.errors(format!("{before}{what}\n").as_bytes());
        if kind == ShellKind::Bash && !self.terminal && matches!(fault, Fault::Unexpected(_)) {
            written.errors(b"bash: -c: line 1: `");
            written.errors(line);
            written.errors(b"'\n");
        }
    }

    /// A file that cannot be read or written as a redirection wants it.
    fn refuse(&mut self, path: &[u8], refusal: Refusal, writes: bool, written: &mut Written) {
        let (before, reason) = match (self.kind, refusal, writes) {
            (ShellKind::Sh, _, true) => ("cannot create ", refusal.text()),
            (ShellKind::Sh, _, false) => ("cannot open ", refusal.text()),
            (ShellKind::Zsh, ..) => {
                written.errors(self.zsh_refusal(&lossy(path), refusal).as_bytes());
                self.status = 1;
                return;
            }
            (ShellKind::Bash, _, _) => ("", refusal.text()),
            (ShellKind::Dash, Refusal::NotFound, true) => ("cannot create ", "Directory nonexistent"),
            (ShellKind::Dash, Refusal::NotFound, false) => ("cannot open ", "No such file"),
            (ShellKind::Dash, _, true) => ("cannot create ", refusal.text()),
            (ShellKind::Dash, _, false) => ("cannot open ", refusal.text()),
            (ShellKind::Ash, Refusal::NotFound, true) => ("can't create ", "nonexistent directory"),
            (ShellKind::Ash, Refusal::NotFound, false) => ("can't open ", "no such file"),
            (ShellKind::Ash, _, true) => ("can't create ", refusal.text()),
            (ShellKind::Ash, _, false) => ("can't open ", refusal.text()),
        };
        written.errors(format!("{}{before}", self.error_prefix()).as_bytes());
        written.errors(path);
        written.errors(format!(": {reason}\n").as_bytes());
        self.status = if matches!(self.kind, ShellKind::Dash | ShellKind::Sh) { 2 } else { 1 };
    }
}
