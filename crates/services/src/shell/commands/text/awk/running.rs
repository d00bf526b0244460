//! What a program of `awk` does. Every step is counted, and what it puts together counts by its length: a program that
//! never ends ends, and none holds more than its steps paid for.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    rc::Rc,
    string::String,
    vec::Vec,
};

use super::{Call, Expression, Program, Rule, Statement, Target, When, array::Array, assignment, lossy, values::Value};
use crate::shell::commands::text::{form::whole, regex::Regex};

/// Variables that mean something, and where they are.
pub(super) const SPECIAL: [&str; 11] =
    ["NF", "NR", "FNR", "FS", "OFS", "ORS", "RS", "FILENAME", "SUBSEP", "RSTART", "RLENGTH"];
pub(super) const NF: usize = 0;
const NR: usize = 1;
const FNR: usize = 2;
pub(super) const FS: usize = 3;
pub(super) const OFS: usize = 4;
const ORS: usize = 5;
pub(super) const RS: usize = 6;
const FILENAME: usize = 7;
pub(super) const SUBSEP: usize = 8;
pub(super) const RSTART: usize = 9;
pub(super) const RLENGTH: usize = 10;
pub(super) struct Run<'r, 'c> {
    pub(super) program: &'r Program,
    call: &'r mut Call<'c>,
    pub(super) variables: Vec<Value>,
    pub(super) arrays: Vec<Array>,
    pub(super) record: Rc<[u8]>,
    pub(super) fields: Vec<Value>,
    /// Within its first and last record.
    ranges: Vec<bool>,
    pub(super) steps: u32,
    pub(super) budget: u32,
    pub(super) seed: u64,
    pub(super) kept: BTreeMap<Rc<[u8]>, Regex>,
    /// Files that were written to.
    opened: BTreeSet<String>,
    status: u8,
}

/// How it goes on.
#[derive(Debug, PartialEq)]
pub(super) enum Stop {
    Next,
    Exit,
    Break,
    Continue,
    /// What is wrong; empty: the steps are used up.
    Fault(String),
}

pub(super) type Step<T> = Result<T, Stop>;

impl<'r, 'c> Run<'r, 'c> {
    pub(super) fn new(program: &'r Program, call: &'r mut Call<'c>) -> Self {
        let mut variables: Vec<Value> = program.variables.iter().map(|_| Value::Unset).collect();
        for (place, text) in [(FS, " "), (OFS, " "), (ORS, "\n"), (RS, "\n"), (SUBSEP, "\x1c"), (FILENAME, "")] {
            if let Some(variable) = variables.get_mut(place) {
                *variable = Value::Text(text.as_bytes().into());
            }
        }
        let mut arrays: Vec<Array> = program.arrays.iter().map(|_| Array::default()).collect();
        if let Some(place) = program.arrays.iter().position(|name| name == "ENVIRON")
            && let Some(environment) = arrays.get_mut(place)
        {
            for (name, value) in &call.shell.variables {
                *environment.element(name.as_bytes().into()) = Value::read(value);
            }
        }
        let seed = call.now;
        let (steps, budget) = (call.shell.script_steps, call.shell.regex_work);
        Self {
            program,
            call,
            variables,
            arrays,
            record: Rc::from([]),
            fields: Vec::new(),
            ranges: core::iter::repeat_n(false, program.ranges).collect(),
            steps,
            budget,
            seed,
            kept: BTreeMap::new(),
            opened: BTreeSet::new(),
            status: 0,
        }
    }

    /// An assignment of the command line, whose value may hold escapes. What the program does not name does not matter.
    pub(super) fn assign_named(&mut self, name: &str, value: &[u8]) {
        let value = Value::read(&super::tokens::unescaped(value));
        if let Some(place) = self.program.variables.iter().position(|known| known == name) {
            self.set_variable(place, value).ok();
        }
    }

    pub(super) fn all(mut self, operands: &[Vec<u8>]) -> u8 {
        let done = self.rules(|when| matches!(when, When::Begin)).and_then(|()| {
            let reads = self.program.rules.iter().any(|rule| !matches!(rule.when, When::Begin));
            if reads { self.inputs(operands) } else { Ok(()) }
        });
        let done = match done {
            // `exit` still leads to the end's actions, which a second one leaves.
            Ok(()) | Err(Stop::Exit) => self.rules(|when| matches!(when, When::End)),
            other => other,
        };
        (self.call.shell.script_steps, self.call.shell.regex_work) = (self.steps, self.budget);
        if let Err(Stop::Fault(text)) = done {
            if !text.is_empty() {
                self.call.fail(&text);
            }
            return 2;
        }
        self.status
    }

    fn rules(&mut self, which: impl Fn(&When) -> bool) -> Step<()> {
        let program = self.program;
        for rule in program.rules.iter().filter(|rule| which(&rule.when)) {
            self.block(rule.action.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }

    fn inputs(&mut self, operands: &[Vec<u8>]) -> Step<()> {
        let mut any = false;
        for operand in operands.iter().filter(|operand| !operand.is_empty()) {
            if let Some((name, value)) = assignment(operand) {
                self.assign_named(&name, &value);
                continue;
            }
            any = true;
            let path = lossy(operand).into_owned();
            let text = if path == "-" {
                self.call.input.take()
            } else {
                let read = self.call.shell.read(&self.call.full(&path));
                read.map_err(|refusal| match refusal {
                    crate::shell::files::Refusal::IsADirectory => Stop::Fault("read error (Is a directory)".into()),
                    _ => Stop::Fault(format!("cannot open {path} ({})", refusal.text())),
                })?
            };
            self.set_variable(FILENAME, Value::Text(operand.as_slice().into()))?;
            self.records(&text)?;
        }
        if !any {
            self.set_variable(FILENAME, Value::Text(b"-".as_slice().into()))?;
            let text = self.call.input.take();
            self.records(&text)?;
        }
        Ok(())
    }

    fn records(&mut self, text: &[u8]) -> Step<()> {
        let mut rest = text;
        let mut number = 0.0;
        while let Some(record) = self.next_record(&mut rest) {
            number += 1.0;
            let all = self.variable(NR).number() + 1.0;
            self.set_variable(NR, Value::Number(all))?;
            self.set_variable(FNR, Value::Number(number))?;
            self.set_record(record.into())?;
            match self.one_record() {
                Ok(()) | Err(Stop::Next) => {}
                other => return other,
            }
        }
        Ok(())
    }

    /// By lines, by another octet, or, without any, by empty lines.
    fn next_record<'t>(&self, rest: &mut &'t [u8]) -> Option<&'t [u8]> {
        let separator = self.variable(RS).text();
        let text = *rest;
        if let Some(octet) = separator.first() {
            if text.is_empty() {
                return None;
            }
            let end = text.iter().position(|seen| seen == octet);
            *rest = end.and_then(|end| text.get(end + 1..)).unwrap_or_default();
            return text.get(..end.unwrap_or(text.len()));
        }
        let start = text.iter().position(|octet| *octet != b'\n')?;
        let text = text.get(start..).unwrap_or_default();
        let end = text.windows(2).position(|two| two == b"\n\n");
        *rest = end.and_then(|end| text.get(end..)).unwrap_or_default();
        let record = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
        Some(record.strip_suffix(b"\n").unwrap_or(record))
    }

    fn one_record(&mut self) -> Step<()> {
        let program = self.program;
        for Rule { when, action } in &program.rules {
            self.step(1)?;
            let due = match when {
                When::Begin | When::End => false,
                When::Always => true,
                When::Holds(condition) => self.value(condition)?.holds(),
                When::Between(from, to, place) => {
                    let within = self.ranges.get(*place).copied().unwrap_or(false) || self.value(from)?.holds();
                    let goes_on = within && !self.value(to)?.holds();
                    if let Some(range) = self.ranges.get_mut(*place) {
                        *range = goes_on;
                    }
                    within
                }
            };
            match action {
                _ if !due => {}
                Some(action) => self.block(action)?,
                None => self.print(&[], None)?,
            }
        }
        Ok(())
    }

    pub(super) fn step(&mut self, octets: usize) -> Step<()> {
        self.steps = self.steps.saturating_sub(1 + u32::try_from(octets / 32).unwrap_or(u32::MAX));
        if self.steps == 0 || self.budget == 0 || self.call.written.is_full() {
            return Err(Stop::Fault(String::new()));
        }
        Ok(())
    }

    fn block(&mut self, statements: &[Statement]) -> Step<()> {
        statements.iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Statement) -> Step<()> {
        self.step(0)?;
        match statement {
            Statement::Print(values, target) => self.print(values, target.as_ref())?,
            Statement::Printf(values, target) => {
                let values = values.iter().map(|value| self.value(value)).collect::<Step<Vec<_>>>()?;
                let text = self.formatted("printf", &values)?;
                self.write(&text, target.as_ref())?;
            }
            Statement::Expression(expression) => drop(self.value(expression)?),
            Statement::If(condition, holds, fails) => {
                let body = if self.value(condition)?.holds() { holds } else { fails };
                self.block(body)?;
            }
            Statement::While(condition, body, after, body_first) => {
                let mut due = *body_first;
                while core::mem::take(&mut due) || self.value(condition)?.holds() {
                    self.step(0)?;
                    match self.block(body) {
                        Ok(()) | Err(Stop::Continue) => {}
                        Err(Stop::Break) => break,
                        other => return other,
                    }
                    self.block(after)?;
                }
            }
            Statement::ForIn(place, array, body) => {
                let keys = self.arrays.get(*array).map(Array::keys).unwrap_or_default();
                for key in keys {
                    self.step(0)?;
                    self.set(place, Value::read(&key))?;
                    match self.block(body) {
                        Ok(()) | Err(Stop::Continue) => {}
                        Err(Stop::Break) => break,
                        other => return other,
                    }
                }
            }
            Statement::Block(statements) => self.block(statements)?,
            Statement::Delete(array, keys) => {
                let key = keys.as_ref().map(|keys| self.key(keys)).transpose()?;
                if let Some(array) = self.arrays.get_mut(*array) {
                    match key {
                        Some(key) => array.remove(&key),
                        None => array.clear(),
                    }
                }
            }
            Statement::Next => return Err(Stop::Next),
            Statement::Exit(status) => {
                if let Some(status) = status {
                    let status = whole(self.value(status)?.number());
                    self.status = u8::try_from(status.rem_euclid(256)).unwrap_or(0);
                }
                return Err(Stop::Exit);
            }
            Statement::Break => return Err(Stop::Break),
            Statement::Continue => return Err(Stop::Continue),
        }
        Ok(())
    }

    fn print(&mut self, values: &[Expression], target: Option<&Target>) -> Step<()> {
        let mut line = Vec::new();
        if values.is_empty() {
            line.extend_from_slice(&self.record);
        }
        let between = self.variable(OFS).text();
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                line.extend_from_slice(&between);
            }
            line.extend_from_slice(&self.value(value)?.text());
        }
        line.extend_from_slice(&self.variable(ORS).text());
        self.write(&line, target)
    }

    fn write(&mut self, text: &[u8], target: Option<&Target>) -> Step<()> {
        self.step(text.len())?;
        let Some(Target(path, append)) = target else {
            self.call.written.output(text);
            return Ok(());
        };
        let path = lossy(&self.value(path)?.text()).into_owned();
        match path.as_str() {
            "/dev/stdout" | "-" => self.call.written.output(text),
            "/dev/stderr" => self.call.written.errors(text),
            _ => {
                let append = *append || !self.opened.insert(path.clone());
                let (full, asker) = (self.call.full(&path), self.call.shell.asker());
                if let Err(refusal) = self.call.shell.files.write(&full, asker, self.call.now, text, append) {
                    return Err(Stop::Fault(format!("cannot open \"{path}\" for output ({})", refusal.text())));
                }
            }
        }
        Ok(())
    }

    /// A fault while it runs, with where it was.
    pub(super) fn fault<T>(&self, text: &str) -> Step<T> {
        let [name, fnr, nr] = [FILENAME, FNR, NR].map(|place| self.variable(place).text());
        let [name, fnr, nr] = [&name, &fnr, &nr].map(|text| lossy(text));
        let [fnr, nr] = [fnr, nr].map(|number| if number.is_empty() { "0".into() } else { number });
        Err(Stop::Fault(format!("run time error: {text}\n\tFILENAME=\"{name}\" FNR={fnr} NR={nr}")))
    }
}
