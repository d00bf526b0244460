//! `sed`: the script as GNU's reads it. What it does not do: files of its own (`r`, `w`), and running programs (`e`).

mod replacing;
mod running;
mod script;

use alloc::{boxed::Box, format, string::String, vec::Vec};

use super::{
    Call, lossy,
    regex::{Regex, Syntax},
};

#[derive(Debug)]
enum Address {
    Line(usize),
    /// `1~2`: the first, and every so many after it.
    Every(usize, usize),
    Last,
    /// A pattern by its place; without one, the last that was used.
    Fits(Option<usize>),
    /// `+2` behind the first address.
    More(usize),
}

#[derive(Debug)]
struct Command {
    from: Option<Address>,
    to: Option<Address>,
    negated: bool,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A brace, with the place behind the one that closes it.
    Block(usize),
    /// A closing brace, a label.
    Nothing,
    Substitute(Box<Substitution>),
    Translate(Box<[u8; 256]>),
    /// `a`, `i` or `c`.
    Text(u8, Vec<u8>),
    /// `b`, `t` or `T`, with its label until the place is known.
    Branch(u8, Vec<u8>, usize),
    Quit(u8, u8),
    Simple(u8),
}

#[derive(Debug)]
struct Substitution {
    regex: Option<usize>,
    by: Vec<Piece>,
    every: bool,
    print: bool,
    from: usize,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(Vec<u8>),
    Group(usize),
    /// `\U`, `\L`, `\E`, `\u`, `\l`.
    Case(u8),
}

#[derive(Debug, Default)]
struct Script {
    commands: Vec<Command>,
    regexes: Vec<Regex>,
}

struct Reader<'s> {
    text: &'s [u8],
    at: usize,
    syntax: Syntax,
    script: Script,
}

type Wrong = String;

impl Call<'_> {
    pub(in super::super) fn sed(&mut self) -> u8 {
        const LONG: &[(&str, char)] = &[
            ("quiet", 'n'),
            ("silent", 'n'),
            ("expression", 'e'),
            ("regexp-extended", 'E'),
            ("in-place", 'i'),
            ("separate", 's'),
            ("unbuffered", 'u'),
            ("file", 'f'),
        ];
        let mut options = match self.getopt("nErsuze:f:i?", LONG) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let mut expressions: Vec<Vec<u8>> = Vec::new();
        for (letter, value) in &options.given {
            match letter {
                'e' => expressions.push(value.clone()),
                'f' => match self.shell.read(&self.full(&lossy(value))) {
                    Ok(text) => expressions.push(text),
                    Err(refusal) => {
                        return self.fail(&format!("couldn't open file {}: {}", lossy(value), refusal.text()));
                    }
                },
                _ => {}
            }
        }
        if expressions.is_empty() {
            if options.rest.is_empty() {
                self.written.errors(USAGE.as_bytes());
                return 1;
            }
            expressions.push(options.rest.remove(0));
        }
        let syntax = if options.has('E') || options.has('r') { Syntax::Strict } else { Syntax::Basic };
        let text = expressions.join(&b'\n');
        let mut reader = Reader { text: &text, at: 0, syntax, script: Script::default() };
        if let Err(wrong) = reader.script() {
            let (mut number, mut at) = (1, reader.at);
            for expression in expressions.iter().take_while(|_| reader.at > 0) {
                if at <= expression.len() {
                    break;
                }
                at -= expression.len() + 1;
                number += 1;
            }
            return self.fail(&format!("-e expression #{number}, char {at}: {wrong}"));
        }
        if let Err(label) = reader.script.link() {
            self.fail(&format!("can't find label for jump to `{}'", lossy(&label)));
            return 4;
        }
        let script = core::mem::take(&mut reader.script);
        self.run_sed(script, &options)
    }
}

/// What it says when it is called without a script.
pub(super) const USAGE: &str = "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n\n";

impl Script {
    /// Finds where branches lead; else the label that is nowhere.
    fn link(&mut self) -> Result<(), Vec<u8>> {
        let labels: Vec<(Vec<u8>, usize)> = self.commands.iter().enumerate().filter_map(label).collect();
        let end = self.commands.len();
        for command in &mut self.commands {
            let What::Branch(b'b' | b't' | b'T', name, to) = &mut command.what else { continue };
            *to = match labels.iter().find(|(label, _)| label == name) {
                _ if name.is_empty() => end,
                Some((_, place)) => *place,
                None => return Err(name.clone()),
            };
        }
        Ok(())
    }
}

fn label((place, command): (usize, &Command)) -> Option<(Vec<u8>, usize)> {
    match &command.what {
        What::Branch(b':', name, _) => Some((name.clone(), place)),
        _ => None,
    }
}
