//! `sed`: what a script does to lines.

use alloc::{
    collections::{BTreeSet, VecDeque},
    format,
    string::String,
    vec::Vec,
};

use super::{Address, Call, Command, Script, What};
use crate::{
    limits::shell::{MAX_OUTPUT, MAX_SCRIPT_TEXT},
    shell::{
        commands::text::{Options, regex::Found},
        files::Refusal,
    },
};

/// One run over one row of lines.
pub(super) struct Run<'s> {
    pub(super) script: &'s Script,
    pub(super) lines: VecDeque<&'s [u8]>,
    number: usize,
    pub(super) space: Vec<u8>,
    hold: Vec<u8>,
    /// Whether each command is within its range, and to which line if that is known.
    ranges: Vec<Option<usize>>,
    /// Ranges that have ended.
    closed: BTreeSet<usize>,
    later: Vec<u8>,
    pub(super) out: Vec<u8>,
    quiet: bool,
    /// Whether the line in the space, and the one that is held, have no end, as the last of a text may have none.
    endless: bool,
    held_endless: bool,
    /// What was written last has no end yet.
    open: bool,
    last_regex: Option<usize>,
    pub(super) substituted: bool,
    steps: u32,
    budget: u32,
    name: String,
    fault: Option<&'static str>,
}

/// How a script goes on behind a command.
enum Next {
    Command(usize),
    /// The next line, after the space is printed.
    Line,
    /// The next line; nothing is printed.
    Deleted,
    /// The script once more, with what is left in the space.
    Again,
    End(u8, bool),
}

impl Call<'_> {
    pub(super) fn run_sed(&mut self, script: Script, options: &Options) -> u8 {
        let paths = options.paths();
        let in_place = options.value('i');
        if in_place.is_some() && paths.is_empty() {
            self.fail("no input files");
            return 4;
        }
        let (texts, mut status) = if in_place.is_some() { self.texts_to_edit(&paths) } else { self.texts(&paths) };
        if status != 0 && in_place.is_none() {
            // A folder is the end of the run, for which nothing is read behind it.
            let folder = |path: &String| self.shell.files.list(&self.full(path), self.shell.asker()).is_ok();
            status = if paths.iter().any(folder) { 4 } else { 2 };
        }
        let apart = in_place.is_some() || options.has('s');
        let rows: Vec<Vec<&(String, Vec<u8>)>> = if apart {
            texts.iter().map(|text| Vec::from([text])).collect()
        } else {
            Vec::from([texts.iter().collect()])
        };
        let (mut steps, mut budget) = (self.shell.script_steps, self.shell.regex_work);
        for row in rows {
            let mut run = Run::new(&script, &row, options.has('n'), steps, budget);
            let (ended, ends) = run.all();
            (steps, budget) = (run.steps, run.budget);
            (self.shell.script_steps, self.shell.regex_work) = (steps, budget);
            let out = core::mem::take(&mut run.out);
            if let Some(fault) = run.fault {
                if in_place.is_none() {
                    self.written.output(&out);
                }
                return self.fail(&format!("-e expression #1, char 0: {fault}"));
            }
            match (in_place, row.first()) {
                (Some(suffix), Some((path, old))) => {
                    let full = self.full(path);
                    let (asker, files) = (self.shell.asker(), &mut self.shell.files);
                    let mut written = Ok(());
                    if !suffix.is_empty() {
                        let beside = format!("{full}{}", super::lossy(suffix));
                        written = files.write(&beside, asker, self.now, old, false);
                    }
                    let written = written.and_then(|()| files.write(&full, asker, self.now, &out, false));
                    if let Err(refusal) = written {
                        let folder = crate::shell::files::parent_of(&full);
                        self.fail(&format!("couldn't open temporary file {folder}/sedXQ3mPa: {}", refusal.text()));
                        return 4;
                    }
                }
                _ => self.written.output(&out),
            }
            status = status.max(ended);
            if ends {
                break;
            }
        }
        status
    }

    /// The files that `-i` may change.
    fn texts_to_edit(&mut self, paths: &[String]) -> (Vec<(String, Vec<u8>)>, u8) {
        let mut texts = Vec::new();
        let mut status = 0;
        for path in paths.iter().take(crate::limits::shell::MAX_TEXTS) {
            let full = self.full(path);
            match self.shell.read(&full) {
                Ok(_) if full.starts_with("/dev/") => {
                    self.fail(&format!("couldn't edit {path}: not a regular file"));
                    status = 4;
                }
                Ok(text) => texts.push((path.clone(), text)),
                Err(Refusal::IsADirectory) => {
                    self.fail(&format!("couldn't edit {path}: not a regular file"));
                    status = 4;
                }
                Err(refusal) => {
                    let gnu = format!("can't read {path}: {}", refusal.text());
                    self.fail_at(path, refusal, &gnu);
                    status = status.max(2);
                }
            }
        }
        (texts, status)
    }
}

impl<'s> Run<'s> {
    fn new(script: &'s Script, row: &[&'s (String, Vec<u8>)], quiet: bool, steps: u32, budget: u32) -> Self {
        let closed = |command: &Command| match (&command.from, &command.to) {
            // 0,/x/ is a range that is open before the first line.
            (Some(Address::Line(0)), Some(_)) => Some(usize::MAX),
            _ => None,
        };
        Self {
            lines: row.iter().flat_map(|(_, text)| text.split_inclusive(|octet| *octet == b'\n')).collect(),
            ranges: script.commands.iter().map(closed).collect(),
            script,
            closed: BTreeSet::new(),
            number: 0,
            space: Vec::new(),
            hold: Vec::new(),
            later: Vec::new(),
            out: Vec::new(),
            quiet,
            endless: false,
            held_endless: false,
            open: false,
            last_regex: None,
            substituted: false,
            steps,
            budget,
            name: row
                .first()
                .map(|(name, _)| name.clone())
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "-".into()),
            fault: None,
        }
    }

    /// The status, and whether the script said that this is the end.
    fn all(&mut self) -> (u8, bool) {
        let mut again = false;
        while again || self.read(false) {
            let next = self.script_once();
            again = matches!(next, Next::Again);
            match next {
                Next::Line if self.fault.is_none() => self.print_unless_quiet(),
                Next::End(status, print) => {
                    if print {
                        self.print_unless_quiet();
                    }
                    self.flush();
                    return (status, true);
                }
                _ => {}
            }
            self.flush();
            if self.fault.is_some() || self.steps == 0 || self.out.len() >= MAX_OUTPUT {
                return (1, true);
            }
        }
        (0, false)
    }

    /// Takes the next line into the space, in its place or behind what is there.
    fn read(&mut self, append: bool) -> bool {
        let Some(line) = self.lines.pop_front() else { return false };
        let bare = line.strip_suffix(b"\n");
        self.endless = bare.is_none();
        if append {
            self.space.push(b'\n');
        } else {
            self.space.clear();
        }
        self.space.extend_from_slice(bare.unwrap_or(line));
        self.space.truncate(MAX_SCRIPT_TEXT);
        self.number += 1;
        true
    }

    /// A line that was left without its end gets it before more is written.
    pub(super) fn end_line(&mut self) {
        if core::mem::take(&mut self.open) {
            self.out.push(b'\n');
        }
    }

    pub(super) fn print(&mut self) {
        self.end_line();
        self.out.extend_from_slice(&self.space);
        self.open = self.endless;
        if !self.endless {
            self.out.push(b'\n');
        }
    }

    fn print_unless_quiet(&mut self) {
        if !self.quiet {
            self.print();
        }
    }

    fn flush(&mut self) {
        if !self.later.is_empty() {
            self.end_line();
            self.out.append(&mut self.later);
        }
    }

    fn script_once(&mut self) -> Next {
        let script = self.script;
        let mut place = 0;
        self.substituted = false;
        while let Some(command) = script.commands.get(place) {
            let cost = u32::try_from(self.space.len() / 64).unwrap_or(u32::MAX);
            self.steps = self.steps.saturating_sub(1 + cost);
            if self.steps == 0 || self.fault.is_some() || self.out.len() >= MAX_OUTPUT {
                return Next::End(1, false);
            }
            if self.applies(place, command) == command.negated {
                place = if let What::Block(end) = command.what { end } else { place + 1 };
                continue;
            }
            match self.one(place, command) {
                Next::Command(next) => place = next,
                other => return other,
            }
        }
        Next::Line
    }

    fn fits(&mut self, address: &Address) -> bool {
        match address {
            Address::Line(line) => self.number == *line,
            Address::Every(first, 0) => self.number == *first,
            Address::Every(first, step) => self.number >= *first && (self.number - first).is_multiple_of(*step),
            Address::Last => self.lines.is_empty(),
            Address::Fits(regex) => self.find(*regex, 0).is_some(),
            Address::More(_) => false,
        }
    }

    pub(super) fn find(&mut self, regex: Option<usize>, from: usize) -> Option<Found> {
        let place = regex.or(self.last_regex);
        self.last_regex = place;
        match place.and_then(|place| self.script.regexes.get(place)) {
            Some(regex) => regex.find(&self.space, from, &mut self.budget),
            None => {
                self.fault = Some("no previous regular expression");
                None
            }
        }
    }

    fn applies(&mut self, place: usize, command: &Command) -> bool {
        let (from, to) = match (&command.from, &command.to) {
            (None, _) => return true,
            (Some(from), None) => return self.fits(from),
            (Some(from), Some(to)) => (from, to),
        };
        let Some(until) = self.ranges.get(place).copied().flatten() else {
            // A range that begins at a line begins behind it as well, if the line went past the command, but only once.
            let begins = match from {
                Address::Line(line) => self.number >= *line && !self.closed.contains(&place),
                other => self.fits(other),
            };
            if !begins {
                return false;
            }
            let until = match to {
                Address::Line(line) => *line,
                Address::More(lines) => self.number.saturating_add(*lines),
                Address::Last if self.lines.is_empty() => self.number,
                _ => usize::MAX,
            };
            self.range(place, (until > self.number).then_some(until));
            return match (from, to) {
                (Address::Line(from), Address::Line(to)) => self.number == *from || self.number <= *to,
                _ => true,
            };
        };
        let ends = match to {
            Address::Line(_) | Address::More(_) => self.number >= until,
            other => self.fits(other),
        };
        if ends {
            self.range(place, None);
        }
        // A line behind the end, which other commands have read past, is in no range.
        !matches!(to, Address::Line(_)) || self.number <= until
    }

    fn range(&mut self, place: usize, until: Option<usize>) {
        if until.is_none() {
            self.closed.insert(place);
        }
        if let Some(range) = self.ranges.get_mut(place) {
            *range = until;
        }
    }

    fn one(&mut self, place: usize, command: &Command) -> Next {
        let next = Next::Command(place + 1);
        match &command.what {
            What::Block(_) | What::Nothing => {}
            What::Substitute(substitution) => self.substitute(substitution),
            What::Translate(table) => {
                for octet in &mut self.space {
                    *octet = table.get(usize::from(*octet)).copied().unwrap_or(*octet);
                }
            }
            What::Text(b'a', text) => self.later.extend_from_slice(text),
            What::Text(b'i', text) => {
                self.end_line();
                self.out.extend_from_slice(text);
            }
            What::Text(_, text) => {
                if command.to.is_none() || command.negated || self.ranges.get(place).copied().flatten().is_none() {
                    self.end_line();
                    self.out.extend_from_slice(text);
                }
                return Next::Deleted;
            }
            What::Branch(kind, _, to) => {
                let goes = match kind {
                    b't' => core::mem::take(&mut self.substituted),
                    b'T' => !core::mem::take(&mut self.substituted),
                    kind => *kind == b'b',
                };
                if goes {
                    return Next::Command(*to);
                }
            }
            What::Quit(kind, status) => return Next::End(*status, *kind == b'q'),
            What::Simple(letter) => return self.simple(*letter, next),
        }
        next
    }

    fn simple(&mut self, letter: u8, next: Next) -> Next {
        match letter {
            b'p' => self.print(),
            b'P' => match self.space.iter().position(|octet| *octet == b'\n') {
                Some(end) => {
                    self.end_line();
                    self.out.extend_from_slice(self.space.get(..=end).unwrap_or_default());
                }
                None => self.print(),
            },
            b'd' => return Next::Deleted,
            b'D' => match self.space.iter().position(|octet| *octet == b'\n') {
                Some(end) => {
                    self.space.drain(..=end);
                    return Next::Again;
                }
                None => return Next::Deleted,
            },
            b'=' => {
                self.end_line();
                self.out.extend_from_slice(format!("{}\n", self.number).as_bytes());
            }
            b'n' if self.lines.is_empty() => return Next::End(0, true),
            b'n' => {
                self.print_unless_quiet();
                self.flush();
                self.read(false);
            }
            b'N' if self.lines.is_empty() => return Next::End(0, true),
            b'N' => {
                self.flush();
                self.read(true);
            }
            b'h' => {
                self.hold = self.space.clone();
                self.held_endless = self.endless;
            }
            b'H' | b'G' => {
                let (to, from) = if letter == b'H' {
                    self.held_endless = self.endless;
                    (&mut self.hold, &self.space)
                } else {
                    self.endless = self.held_endless;
                    (&mut self.space, &self.hold)
                };
                to.push(b'\n');
                to.extend_from_slice(from);
                to.truncate(MAX_SCRIPT_TEXT);
            }
            b'g' => {
                self.space = self.hold.clone();
                self.endless = self.held_endless;
            }
            b'x' => {
                core::mem::swap(&mut self.space, &mut self.hold);
                core::mem::swap(&mut self.endless, &mut self.held_endless);
            }
            b'z' => self.space.clear(),
            b'F' => {
                let name = self.name.clone();
                self.end_line();
                self.out.extend_from_slice(format!("{name}\n").as_bytes());
            }
            _ => self.list(),
        }
        next
    }
}
