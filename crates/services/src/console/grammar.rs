//! Which command a line means.

use alloc::{string::String, vec::Vec};

use super::spec::{ConsoleCommand, ConsoleSpec};
use crate::limits::console::MAX_WORDS;

/// A word, and where it stands in its line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token<'l> {
    pub(super) at: usize,
    pub(super) word: &'l str,
}

/// What a line means.
#[derive(Debug)]
pub(super) enum Meaning<'s, 'l> {
    Command {
        command: &'s ConsoleCommand,
        /// The words that stood for `<word>` and `<line>`.
        given: Vec<&'l str>,
    },
    Unknown(Token<'l>),
    Ambiguous(Token<'l>),
    Incomplete,
}

/// One form of a command, its words.
type Form<'s> = (&'s ConsoleCommand, Vec<&'s str>);

/// How well a typed word fits one of a form; the better is the greater.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Fit {
    Anything,
    Beginning,
    Whole,
}

/// The words of a line.
pub(super) fn tokens(line: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(|letter: char| !letter.is_whitespace()) {
        rest = rest.get(start..).unwrap_or("");
        let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        tokens.push(Token { at: line.len() - rest.len(), word });
        rest = after;
        if tokens.len() >= MAX_WORDS {
            break;
        }
    }
    tokens
}

/// What `line`, whose words are `tokens`, means in a mode.
pub(super) fn meaning<'s, 'l>(
    spec: &'s ConsoleSpec,
    mode: &str,
    line: &'l str,
    tokens: &[Token<'l>],
) -> Meaning<'s, 'l> {
    let mut forms = forms(spec, mode);
    let mut given = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        let (left, fit) = narrow(spec, forms, place, token.word);
        let Some((command, form)) = left.first() else { return Meaning::Unknown(*token) };
        let expected = form.get(place).copied().unwrap_or("");
        if fit == Fit::Beginning && left.iter().any(|(_, form)| form.get(place) != Some(&expected)) {
            return Meaning::Ambiguous(*token);
        }
        if expected == "<line>" {
            given.push(line.get(token.at..).unwrap_or("").trim_end());
            return Meaning::Command { command, given };
        }
        if fit == Fit::Anything {
            given.push(token.word);
        }
        forms = left;
    }
    match forms.iter().find(|(_, form)| form.len() == tokens.len()) {
        Some((command, _)) => Meaning::Command { command, given },
        None => Meaning::Incomplete,
    }
}

/// The words that may follow `tokens`, or, where `partial`, that the last of them may be; and the way to them. A word
/// that is empty stands for the end of a command.
pub(super) fn following<'s>(
    spec: &'s ConsoleSpec,
    mode: &str,
    tokens: &[Token<'_>],
    partial: bool,
) -> Option<(String, Vec<&'s str>)> {
    let mut forms = forms(spec, mode);
    let mut way = String::new();
    let whole = tokens.len() - usize::from(partial && !tokens.is_empty());
    for (place, token) in tokens.iter().enumerate().take(whole) {
        (forms, _) = narrow(spec, forms, place, token.word);
        way.push_str(forms.first()?.1.get(place)?);
        way.push(' ');
    }
    let start = tokens.get(whole).map_or("", |token| token.word);
    let mut words: Vec<&str> = forms
        .iter()
        .map(|(_, form)| form.get(whole).copied().unwrap_or(""))
        .filter(|word| start.is_empty() || fit(spec, word, start).is_some_and(|fit| fit > Fit::Anything))
        .collect();
    words.sort_unstable_by_key(|word| (word.is_empty(), *word));
    words.dedup();
    (!words.is_empty()).then_some((way, words))
}

/// The forms that a mode knows.
fn forms<'s>(spec: &'s ConsoleSpec, mode: &str) -> Vec<Form<'s>> {
    let known =
        spec.commands.iter().filter(|command| command.modes.is_empty() || command.modes.iter().any(|m| m == mode));
    known
        .flat_map(|command| command.lines.iter().map(move |form| (command, form.split_whitespace().collect())))
        .collect()
}

/// The forms whose word at `place` the typed one fits best, and how well.
fn narrow<'s>(spec: &ConsoleSpec, forms: Vec<Form<'s>>, place: usize, typed: &str) -> (Vec<Form<'s>>, Fit) {
    let fits = |form: &Form<'_>| form.1.get(place).and_then(|word| fit(spec, word, typed));
    let best = forms.iter().filter_map(fits).fold(Fit::Anything, |best, fit| if fit > best { fit } else { best });
    (forms.into_iter().filter(|form| fits(form) == Some(best)).collect(), best)
}

fn fit(spec: &ConsoleSpec, word: &str, typed: &str) -> Option<Fit> {
    if word.starts_with('<') {
        return Some(Fit::Anything);
    }
    let begins = word
        .get(..typed.len())
        .is_some_and(|begin| begin == typed || spec.ignores_case && begin.eq_ignore_ascii_case(typed));
    match begins {
        true if word.len() == typed.len() => Some(Fit::Whole),
        true if spec.abbreviates => Some(Fit::Beginning),
        _ => None,
    }
}
