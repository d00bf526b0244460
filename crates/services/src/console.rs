//! The command line behind a planted account of a device: switches, routers, firewalls. Its words and its answers are
//! the product's data ([`ConsoleSpec`]); here are only the ways in which such command lines read words, cut them short,
//! refuse them, page and help. Nothing is executed and nothing that is typed changes an answer, but for the mode that a
//! session is in.
//!
//! What it does not do: completion by the tabulator, a history, and configurations that remember what was typed.

mod facts;
mod folders;
mod grammar;
mod spec;
mod template;

pub use spec::{ConsoleCommand, ConsoleFiles, ConsoleFilter, ConsoleMode, ConsoleRefusals, ConsoleSpec};

use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::fmt::Write;

use crate::{
    Account,
    limits::shell::MAX_OUTPUT,
    shell::{Flow, Interpreter, Surroundings, Written},
    text::{Who, fill_with},
};
pub(crate) use facts::{Facts, link_local, peer_mac, width_of, write_wide};
pub(crate) use folders::{Folders, folder_of};
use grammar::{Meaning, Token, following, meaning, tokens};

/// Lines of a page, where the terminal or the session does not say.
const PAGE: usize = 24;

/// A session.
#[derive(Debug)]
pub(crate) struct Console {
    spec: Arc<ConsoleSpec>,
    facts: Facts,
    accounts: Arc<[Account]>,
    terminal: bool,
    mode: String,
    /// Lines of a page; 0: there are no pages.
    page: usize,
    asking: Option<Asking>,
    /// What is still to be shown, where a page has ended.
    rest: Vec<u8>,
}

/// A command that waits for a secret, by its place, and how often it has asked.
#[derive(Clone, Copy, Debug)]
struct Asking {
    command: usize,
    asked: u32,
}

impl Console {
    /// The session of `user`, who logs in at `utc` (nanoseconds since 1970), with a terminal or without.
    pub(crate) fn new(
        spec: &Arc<ConsoleSpec>,
        who: &Who,
        user: &str,
        utc: u64,
        around: &Surroundings,
        terminal: bool,
    ) -> Self {
        Self {
            spec: Arc::clone(spec),
            facts: Facts::new(who, user, utc, around),
            accounts: Arc::from([]),
            terminal,
            mode: spec.modes.first().map(|mode| mode.name.clone()).unwrap_or_default(),
            page: PAGE,
            asking: None,
            rest: Vec::new(),
        }
    }

    /// Whose secrets open what a command guards.
    pub(crate) fn admitting(self, accounts: &Arc<[Account]>) -> Self {
        Self { accounts: Arc::clone(accounts), ..self }
    }

    /// The folders that `scp` and SFTP show.
    pub(crate) fn folders(&self) -> Option<Folders> {
        let files = self.spec.files.as_ref()?;
        let filled = |text: &String| self.fill(text, 0);
        let list = files.folders.iter().map(|(path, names)| (filled(path), names.iter().map(filled).collect()));
        Some(Folders { home: filled(&files.home), list: list.collect(), ignores_case: self.spec.ignores_case })
    }

    /// What a text says now.
    fn fill(&self, text: &str, utc: u64) -> String {
        template::measured(self.facts.fill(&template::expand(&self.spec, text), utc))
    }

    /// A line typed, or the command of `ssh host command`: what it writes, and whether that is a refusal.
    fn run(&mut self, utc: u64, typed: &str, alone: bool) -> (String, Flow, bool) {
        let spec = Arc::clone(&self.spec);
        let (line, filter) = match typed.split_once('|') {
            Some((line, filter)) if !spec.filters.is_empty() => (line, Some(filter.trim())),
            _ => (typed, None),
        };
        let all = tokens(line);
        let (mode, words) = self.rooted(&all);
        if words.is_empty() {
            self.mode = mode;
            return (String::new(), Flow::More, false);
        }
        let refusals = &spec.refusals;
        match meaning(&spec, &mode, line, &words) {
            Meaning::Command { command, given } => {
                let first = given.first().map(ToString::to_string);
                // What was typed is put in last, so that nothing in it is filled.
                let text = with_own(&self.fill(&command.text, utc), |name| first.clone().filter(|_| name == "word"));
                let text = filter.map_or_else(|| text.clone(), |filter| self.filtered(&text, filter));
                (text, self.carry_out(command, &given), false)
            }
            Meaning::Unknown(_) if alone && !refusals.unknown_command.is_empty() => {
                let first = Token { at: 0, word: typed };
                (self.refusal(&refusals.unknown_command, typed, first), Flow::Exit(0), true)
            }
            Meaning::Unknown(token) => (self.refusal(&refusals.unknown, typed, token), Flow::More, true),
            Meaning::Ambiguous(token) => (self.refusal(&refusals.ambiguous, typed, token), Flow::More, true),
            Meaning::Incomplete => {
                let last = words.last().copied().unwrap_or(Token { at: 0, word: "" });
                (self.refusal(&refusals.incomplete, typed, last), Flow::More, true)
            }
        }
    }

    /// The mode that a line is about and its words, without the sign of the root before them.
    fn rooted<'l>(&self, tokens: &[Token<'l>]) -> (String, Vec<Token<'l>>) {
        let root = self.spec.root.as_str();
        let first = tokens.first().and_then(|first| first.word.strip_prefix(root)).filter(|_| !root.is_empty());
        let (Some(word), Some(token), Some(mode)) = (first, tokens.first(), self.spec.modes.first()) else {
            return (self.mode.clone(), tokens.to_vec());
        };
        let first = Token { at: token.at + root.len(), word };
        let rest = tokens.iter().skip(1).copied();
        (mode.name.clone(), core::iter::once(first).filter(|first| !first.word.is_empty()).chain(rest).collect())
    }

    /// What a command does beside what it says.
    fn carry_out(&mut self, command: &ConsoleCommand, given: &[&str]) -> Flow {
        if command.ends {
            return Flow::Exit(0);
        }
        if command.sets_page
            && let Some(lines) = given.last().and_then(|word| word.parse().ok())
        {
            self.page = lines;
        }
        if !command.asks.is_empty() {
            let place = self.spec.commands.iter().position(|other| other == command);
            self.asking = place.map(|command| Asking { command, asked: 1 });
        } else if !command.to.is_empty() {
            self.mode.clone_from(&command.to);
        }
        Flow::More
    }

    /// The secret that a command had asked for: what is said to it.
    fn answer(&mut self, utc: u64, asking: Asking, secret: &[u8]) -> String {
        let spec = Arc::clone(&self.spec);
        let Some(command) = spec.commands.get(asking.command) else { return String::new() };
        if Account::admits(&self.accounts, self.facts.user.as_bytes(), secret) {
            self.mode.clone_from(&command.to);
            return String::new();
        }
        if asking.asked < command.tries {
            self.asking = Some(Asking { asked: asking.asked + 1, ..asking });
            return String::new();
        }
        self.fill(&command.refused, utc)
    }

    fn refusal(&self, text: &str, typed: &str, token: Token<'_>) -> String {
        let before = typed.get(..token.at).unwrap_or("").chars().count();
        let prompt = if self.terminal { self.prompt_text() } else { String::new() };
        let prompt = prompt.rsplit('\n').next().map_or(0, |last| last.chars().count());
        with_own(&self.fill(text, 0), |name| match name {
            "caret" => Some(format!("{}^", " ".repeat(prompt + before))),
            "word" => Some(token.word.to_string()),
            "line" => Some(typed.trim_end().to_string()),
            "first" => typed.split_whitespace().next().map(String::from),
            "end" => Some((typed.trim_end().chars().count() + 1).to_string()),
            "column" => Some((before + 1).to_string()),
            _ => None,
        })
    }

    /// What is left of an output behind `|`.
    fn filtered(&self, text: &str, filter: &str) -> String {
        let (word, pattern) = filter.split_once(' ').unwrap_or((filter, ""));
        let mut kinds = self.spec.filters.iter().filter(|(name, _)| name.starts_with(word) && !word.is_empty());
        let (Some((_, kind)), None) = (kinds.next(), kinds.next()) else {
            let at = Token { at: 0, word };
            return self.refusal(&self.spec.refusals.unknown, filter, at);
        };
        let alternatives: Vec<&str> = pattern.trim().split('|').collect();
        let fits = |line: &str| {
            alternatives.iter().any(|text| match text.strip_prefix('^') {
                Some(start) => line.starts_with(start),
                None => line.contains(text),
            })
        };
        let mut begun = false;
        let keeps = |line: &&str| {
            begun |= fits(line);
            match kind {
                ConsoleFilter::With => fits(line),
                ConsoleFilter::Without => !fits(line),
                ConsoleFilter::From => begun,
            }
        };
        text.split_inclusive('\n').filter(keeps).collect()
    }

    fn prompt_text(&self) -> String {
        let mode = self.spec.modes.iter().find(|mode| mode.name == self.mode);
        mode.map(|mode| self.fill(&mode.prompt, 0)).unwrap_or_default()
    }

    /// Shows `lines` more lines of what is left, and the sign that there is more.
    fn show(&mut self, lines: usize, out: &mut Vec<u8>) {
        let ends = self.rest.iter().enumerate().filter(|(_, octet)| **octet == b'\n').map(|(place, _)| place + 1);
        let end = ends.take(lines).last().unwrap_or(self.rest.len());
        let left = self.rest.split_off(end);
        out.append(&mut self.rest);
        if !left.is_empty() {
            out.extend_from_slice(self.spec.more.as_bytes());
        }
        self.rest = left;
    }
}

impl Interpreter for Console {
    fn greeting(&self) -> Vec<u8> {
        self.fill(&self.spec.greeting, self.facts.logged_in()).into_bytes()
    }

    fn prompt(&self) -> Vec<u8> {
        match self.asking.and_then(|asking| self.spec.commands.get(asking.command)) {
            _ if self.awaits_key() => Vec::new(),
            Some(command) => self.fill(&command.asks, 0).into_bytes(),
            None => self.prompt_text().into_bytes(),
        }
    }

    fn hides_input(&self) -> bool {
        self.asking.is_some()
    }

    fn handle_line(&mut self, utc: u64, line: &[u8], said: &mut Written) -> Flow {
        let (text, flow) = match self.asking.take() {
            Some(asking) => (self.answer(utc, asking, line), Flow::More),
            None => {
                let (text, flow, _) = self.run(utc, &String::from_utf8_lossy(line), false);
                (text, flow)
            }
        };
        let mut text = text.into_bytes();
        text.truncate(MAX_OUTPUT);
        if self.terminal && self.page > 0 && !self.spec.more.is_empty() {
            self.rest = text;
            let mut shown = Vec::new();
            self.show(self.page - 1, &mut shown);
            said.output(&shown);
        } else {
            said.output(&text);
        }
        flow
    }

    fn exec(&mut self, utc: u64, line: &[u8], _input: Option<Vec<u8>>, said: &mut Written) -> Option<u8> {
        let (text, flow, refused) = self.run(utc, &String::from_utf8_lossy(line), true);
        self.asking = None;
        match (refused.then_some(self.spec.refusals.status).flatten(), flow) {
            (Some(status), _) => {
                said.errors(text.as_bytes());
                Some(status)
            }
            (None, flow) => {
                said.output(text.as_bytes());
                Some(if let Flow::Exit(status) = flow { status } else { 0 })
            }
        }
    }

    fn awaits_key(&self) -> bool {
        !self.rest.is_empty()
    }

    fn handle_key(&mut self, key: u8, out: &mut Vec<u8>) {
        // The sign is taken back as devices do it: to the start, over it with blanks, and to the start again.
        let width = self.spec.more.len();
        for octet in [8, b' ', 8] {
            out.extend(core::iter::repeat_n(octet, width));
        }
        match key {
            b' ' => self.show(self.page.saturating_sub(1), out),
            b'\r' | b'\n' => self.show(1, out),
            _ => self.rest.clear(),
        }
    }

    fn help(&self, typed: &[u8]) -> Option<Vec<u8>> {
        if self.spec.help.is_empty() || self.asking.is_some() {
            return None;
        }
        let line = String::from_utf8_lossy(typed);
        let tokens = tokens(&line);
        let partial = !line.is_empty() && !line.ends_with(char::is_whitespace);
        let mut text = String::new();
        match following(&self.spec, &self.mode, &tokens, partial) {
            None => {
                let last = tokens.last().copied().unwrap_or(Token { at: 0, word: "" });
                text = self.refusal(&self.spec.refusals.unknown, &line, last);
            }
            Some((_, words)) if partial => {
                let _ = writeln!(text, "{}\n", words.join("  "));
            }
            Some((way, words)) => {
                text.push_str(if way.is_empty() { &self.spec.help } else { "" });
                let width = words.iter().map(|word| word.len()).max().unwrap_or(0);
                for word in words {
                    let meaning = self.spec.helps.get(&format!("{way}{word}")).map_or("", String::as_str);
                    let shown = if word.is_empty() { "<cr>" } else { word };
                    let _ = writeln!(text, "{}", format!("  {shown:<width$}  {meaning}").trim_end());
                }
                text.push('\n');
            }
        }
        Some(text.into_bytes())
    }

    fn farewell(&self) -> Option<&[u8]> {
        Some(self.spec.farewell.as_bytes()).filter(|text| !text.is_empty())
    }
}

/// Puts in what a line brings with it.
fn with_own(text: &str, own: impl Fn(&str) -> Option<String>) -> String {
    fill_with(text, |name, out| own(name).is_some_and(|value| out.write_str(&value).is_ok())).into_owned()
}

#[cfg(test)]
mod tests;
