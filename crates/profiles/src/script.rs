//! `[kind.script]`: a service of the user's own as states and rules, read with every mistake at its place.

use std::{collections::HashMap, sync::Arc};

use chaff_config::{Located, Problem, Reader, SourceFile, Table, nearest};
use chaff_services::{
    Form, Framing, MAX_CAPTURES, Pattern, PatternError, Reply, ScriptRule, ScriptSpec, ScriptState, SecretSpec, is_fact,
};
use toml::{Spanned, de::DeValue};

/// States of one service at most: what a person still oversees.
const MAX_STATES: usize = 64;
/// Rules of one service at most; all rules of a state are held against each request.
const MAX_RULES: usize = 256;
/// Octets of a request that are read if the service does not say.
const MAX_REQUEST: u16 = 1024;
/// Octets of a request that a service may ask for: they are kept until it is whole.
const LARGEST_REQUEST: u64 = 16 * 1024;
/// Milliseconds that an answer may be held back: longer than any login that people wait for.
const LONGEST_DELAY_MS: u64 = 60_000;

/// Facts of a decoy that answers name, for the nearest right word.
const FACTS: [&str; 4] = ["hostname", "ip", "mac", "serial"];

/// Reads the table; every placeholder for the package's revision is filled in already.
pub(crate) fn read(source: &Arc<SourceFile>, value: &Spanned<DeValue<'_>>) -> Result<ScriptSpec, Vec<Problem>> {
    let mut reader = Reader::new(source);
    let DeValue::Table(entries) = value.get_ref() else {
        reader.wrong(value.span(), "`script` must be a table", "here", "write [kind.script]");
        return Err(reader.into_problems());
    };
    let table = Table::of(entries.clone(), value.span(), "the script");
    let mut script = Script { reader, states: HashMap::new(), captures: Vec::new() };
    let spec = script.spec(&table);
    let problems = script.reader.into_problems();
    if problems.is_empty() { Ok(spec) } else { Err(problems) }
}

struct Script {
    reader: Reader,
    /// States by name.
    states: HashMap<String, u16>,
    /// Every name that some rule captures.
    captures: Vec<String>,
}

impl Script {
    fn spec(&mut self, table: &Table<'_>) -> ScriptSpec {
        let keys = ["greeting", "greeting-delay-ms", "framing", "length", "max-request", "idle-timeout-s", "state"];
        self.reader.keys(table, &keys);
        let states = self.reader.tables(table, "state", "a [[kind.script.state]]");
        if states.is_empty() && !table.has("state") {
            let help = "add a [[kind.script.state]] with the rules that answer";
            self.reader.wrong(table.span(), "the script has no state", "this one", help);
        }
        self.names(&states);
        self.gather(&states);
        let request = self.reader.number(table, "max-request", 1..=LARGEST_REQUEST);
        let max_request = request.and_then(|n| u16::try_from(n.value).ok()).unwrap_or(MAX_REQUEST);
        ScriptSpec {
            greeting: self.form(table, "greeting"),
            greeting_delay_ms: self.delay(table, "greeting-delay-ms"),
            framing: self.framing(table, max_request),
            max_request,
            idle_timeout_s: self.small(table, "idle-timeout-s", 86_400),
            states: states.iter().map(|state| self.state(state)).collect(),
        }
    }

    /// The names of the states, each once.
    fn names(&mut self, states: &[Table<'_>]) {
        if let Some(surplus) = states.get(MAX_STATES) {
            let help = format!("keep it to {MAX_STATES}");
            self.reader.wrong(surplus.span(), format!("{} states are too many", states.len()), "from here", help);
        }
        for (index, state) in (0..).zip(states) {
            let Some(name) = state.raw("name").and_then(|name| name.get_ref().as_str()) else { continue };
            if self.states.insert(name.to_owned(), index).is_some() {
                let span = state.raw("name").map_or_else(|| state.span(), Spanned::span);
                let message = format!("two states have the name `{name}`");
                self.reader.wrong(span, message, "here again", "give each its own name");
            }
        }
    }

    /// What all rules capture; a capture of one state may be named in another.
    fn gather(&mut self, states: &[Table<'_>]) {
        let mut rules = 0;
        for state in states {
            let Some(list) = state.raw("rule").and_then(|rule| rule.get_ref().as_array()) else { continue };
            rules += list.len();
            for rule in list.iter().filter_map(|rule| rule.get_ref().as_table()) {
                let text = rule.get("matches").and_then(|text| text.get_ref().as_str()).unwrap_or_default();
                let Ok(pattern) = Pattern::parse(text) else { continue };
                for name in pattern.captures().filter(|name| !is_fact(name)) {
                    if !self.captures.iter().any(|known| known == name) {
                        self.captures.push(name.to_owned());
                    }
                }
            }
        }
        let whole = states.first().map_or(0..0, Table::span);
        if rules > MAX_RULES {
            let help = format!("keep it to {MAX_RULES}: one with captures does the work of many");
            self.reader.wrong(whole.clone(), format!("{rules} rules are too many"), "they begin here", help);
        }
        if self.captures.len() > MAX_CAPTURES {
            let message = format!("{} names of captures are too many", self.captures.len());
            self.reader.wrong(whole, message, "they begin here", format!("keep it to {MAX_CAPTURES}"));
        }
    }

    fn framing(&mut self, table: &Table<'_>, max_request: u16) -> Framing {
        let length = self.reader.number(table, "length", 1..=LARGEST_REQUEST);
        let framing = self.reader.text(table, "framing");
        match (framing.as_ref().map(|text| text.value.as_str()), length) {
            (None | Some("line"), None) => Framing::Line,
            (Some("piece"), None) => Framing::Piece,
            (Some("length"), Some(length)) => {
                if length.value > u64::from(max_request) {
                    let message = format!("requests of {} octets are longer than `max-request`", length.value);
                    self.reader.wrong(length.span, message, "here", format!("it is {max_request}: raise it"));
                }
                Framing::Length(u16::try_from(length.value).unwrap_or(u16::MAX))
            }
            (Some("length"), None) => {
                let help = "say how long: length = 8";
                let span = framing.map_or_else(|| table.span(), |text| text.span);
                self.reader.wrong(span, "`framing = \"length\"` has no `length`", "here", help);
                Framing::Line
            }
            (_, Some(length)) => {
                self.reader.wrong(length.span, "only `framing = \"length\"` has a length", "here", "leave it out");
                Framing::Line
            }
            (Some(other), None) => {
                let help = nearest(other, ["line", "piece", "length"]).map_or_else(
                    || "there are line, piece and length".into(),
                    |word| format!("did you mean `{word}`?"),
                );
                let span = framing.as_ref().map_or_else(|| table.span(), |text| text.span.clone());
                self.reader.wrong(span, format!("unknown framing `{other}`"), "here", help);
                Framing::Line
            }
        }
    }

    fn state(&mut self, table: &Table<'_>) -> ScriptState {
        let keys = ["name", "otherwise", "otherwise-next", "otherwise-closes", "otherwise-delay-ms", "rule"];
        self.reader.keys(table, &keys);
        self.reader.missing(table, "name", "name it, so that `next` can lead to it");
        let name = self.reader.name(table, "name").map_or_else(String::new, |name| name.value);
        let tables = self.reader.tables(table, "rule", "a [[kind.script.state.rule]]");
        let rules: Vec<ScriptRule> = tables.iter().map(|rule| self.rule(rule)).collect();
        for (index, (rule, place)) in rules.iter().zip(&tables).enumerate() {
            let Some(earlier) = rules.iter().take(index).position(|earlier| rule.pattern.is_behind(&earlier.pattern))
            else {
                continue;
            };
            let [here, first] = [Some(place), tables.get(earlier)]
                .map(|rule| rule.and_then(|rule| rule.raw("matches")).map_or_else(|| table.span(), Spanned::span));
            let help = "put the narrower rule before the wider one, or remove it";
            self.reader.wrong_twice(here, first, "this rule is never reached: an earlier one takes what fits it", help);
        }
        let otherwise = Reply {
            answer: self.form(table, "otherwise"),
            next: self.next(table, "otherwise-next"),
            closes: self.reader.flag(table, "otherwise-closes").is_some_and(|flag| flag.value),
        };
        ScriptState { name, rules, otherwise, otherwise_delay_ms: self.delay(table, "otherwise-delay-ms") }
    }

    fn rule(&mut self, table: &Table<'_>) -> ScriptRule {
        let keys = ["matches", "answer", "next", "closes", "delay-ms", "credential", "admitted"];
        self.reader.keys(table, &keys);
        self.reader.missing(table, "matches", "say what fits: matches = \"USER {user}\"");
        let pattern = self.reader.text(table, "matches").map(|text| self.pattern(&text)).unwrap_or_default();
        let secret = self.reader.table(table, "credential", "`credential`").map(|credential| {
            self.reader.keys(&credential, &["user", "password"]);
            self.reader.missing(&credential, "password", "name the capture: password = \"{password}\"");
            SecretSpec { user: self.form(&credential, "user"), password: self.form(&credential, "password") }
        });
        let admitted = self.reader.table(table, "admitted", "`admitted`");
        if let Some(admitted) = admitted.as_ref().filter(|_| secret.is_none()) {
            let help = "say what the login is: credential = { user = \"{user}\", password = \"{password}\" }";
            self.reader.wrong(admitted.span(), "nobody is admitted without a `credential`", "here", help);
        }
        let admitted = admitted.map(|admitted| {
            self.reader.keys(&admitted, &["answer", "next", "closes"]);
            self.reply(&admitted)
        });
        ScriptRule { pattern, secret, reply: self.reply(table), admitted, delay_ms: self.delay(table, "delay-ms") }
    }

    fn reply(&mut self, table: &Table<'_>) -> Reply {
        Reply {
            answer: self.form(table, "answer"),
            next: self.next(table, "next"),
            closes: self.reader.flag(table, "closes").is_some_and(|flag| flag.value),
        }
    }

    fn next(&mut self, table: &Table<'_>, key: &str) -> Option<u16> {
        let name = self.reader.name(table, key)?;
        let found = self.states.get(&name.value).copied();
        if found.is_none() {
            let mut known: Vec<&str> = self.states.keys().map(String::as_str).collect();
            known.sort_unstable();
            let help = match nearest(&name, known.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("its states: {}", known.join(", ")),
            };
            self.reader.wrong(name.span, format!("there is no state `{}`", name.value), "here", help);
        }
        found
    }

    fn pattern(&mut self, text: &Located<String>) -> Pattern {
        Pattern::parse(text).unwrap_or_else(|error| {
            self.bad(text, &error);
            Pattern::default()
        })
    }

    /// An answer, whose names are captures or facts of the decoy.
    fn form(&mut self, table: &Table<'_>, key: &str) -> Form {
        let Some(text) = self.reader.text(table, key) else { return Form::default() };
        let form = Form::parse(&text).unwrap_or_else(|error| {
            self.bad(&text, &error);
            Form::default()
        });
        for name in form.names() {
            if is_fact(name) || self.captures.iter().any(|known| known == name) {
                continue;
            }
            let words = self.captures.iter().map(String::as_str).chain(FACTS);
            let help = match nearest(name, words) {
                Some(word) => format!("did you mean `{{{word}}}`?"),
                None => format!("no rule captures it, and a decoy has {} only", FACTS.join(", ")),
            };
            self.reader.wrong(text.span.clone(), format!("nothing is called `{{{name}}}`"), "in this text", help);
        }
        form
    }

    fn bad(&mut self, text: &Located<String>, error: &PatternError) {
        self.reader.wrong(text.span.clone(), error.message, "in this text", error.help);
    }

    fn delay(&mut self, table: &Table<'_>, key: &str) -> u32 {
        self.small(table, key, LONGEST_DELAY_MS)
    }

    fn small(&mut self, table: &Table<'_>, key: &str, most: u64) -> u32 {
        let number = self.reader.number(table, key, 0..=most);
        number.and_then(|number| u32::try_from(number.value).ok()).unwrap_or(0)
    }
}
