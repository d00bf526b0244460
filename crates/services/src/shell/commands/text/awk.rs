//! `awk`, as mawk 1.3.4, which is Debian's. What it does not do: functions of one's own, `getline`, other programs
//! (`system`, pipes), and what takes tables of mathematics (`sin`, `exp`, `log`).

mod array;
mod expressions;
mod functions;
mod reader;
mod records;
mod running;
mod tokens;
mod values;

use alloc::{boxed::Box, format, rc::Rc, string::String, vec::Vec};

use super::{Call, lossy, regex::Regex};
use reader::Reader;
use running::Run;
pub(super) use tokens::unescaped;
pub(super) use values::number_of;

/// A program.
#[derive(Debug, Default)]
struct Program {
    rules: Vec<Rule>,
    regexes: Vec<Regex>,
    variables: Vec<String>,
    arrays: Vec<String>,
    ranges: usize,
}

#[derive(Debug)]
struct Rule {
    when: When,
    /// What is done; `None`: the record is printed.
    action: Option<Vec<Statement>>,
}

#[derive(Debug)]
enum When {
    Begin,
    End,
    Always,
    Holds(Expression),
    /// From one record to another, with its place among the ranges.
    Between(Expression, Expression, usize),
}

#[derive(Debug)]
enum Statement {
    Print(Vec<Expression>, Option<Target>),
    Printf(Vec<Expression>, Option<Target>),
    Expression(Expression),
    If(Expression, Vec<Self>, Vec<Self>),
    /// Condition, body, what is done after each round, and whether the body comes first.
    While(Expression, Vec<Self>, Vec<Self>, bool),
    ForIn(Place, usize, Vec<Self>),
    Block(Vec<Self>),
    Delete(usize, Option<Vec<Expression>>),
    Next,
    Exit(Option<Expression>),
    Break,
    Continue,
}

/// Where output goes, and whether it is put behind what is there.
#[derive(Debug)]
struct Target(Expression, bool);

/// What can be assigned to.
#[derive(Clone, Debug)]
enum Place {
    Variable(usize),
    Field(Box<Expression>),
    Element(usize, Vec<Expression>),
}

#[derive(Clone, Debug)]
enum Expression {
    Number(f64),
    Text(Rc<[u8]>),
    /// A pattern that the record is held against.
    Regex(usize),
    Get(Place),
    Set(Place, Option<u8>, Box<Self>),
    /// `++` and `--`: what is added, and whether before the value is taken.
    Step(Place, f64, bool),
    Arithmetic(u8, Box<Self>, Box<Self>),
    Compare(&'static str, Box<Self>, Box<Self>),
    Row(Vec<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Negative(Box<Self>),
    Positive(Box<Self>),
    Choice(Box<Self>, Box<Self>, Box<Self>),
    Match(bool, Box<Self>, Box<Self>),
    In(Vec<Self>, usize),
    Call(&'static str, Vec<Self>),
    /// `(a, b)`, which only `in` and `print` know.
    Several(Vec<Self>),
}

impl Call<'_> {
    pub(in super::super) fn awk(&mut self) -> u8 {
        let mut args = self.args.iter().map(Vec::as_slice).peekable();
        let (mut separator, mut assignments, mut source) = (None, Vec::new(), None::<Vec<u8>>);
        while let Some(arg) = args.next_if(|arg| arg.len() > 1 && arg.starts_with(b"-")) {
            if arg == b"--" {
                break;
            }
            let letter = arg.get(1).copied().unwrap_or(0);
            if !matches!(letter, b'F' | b'v' | b'f') {
                self.fail(&format!("not an option: {}", lossy(arg)));
                return 2;
            }
            let attached = arg.get(2..).filter(|value| !value.is_empty());
            let Some(value) = attached.or_else(|| args.next()) else {
                self.fail(&format!("option -{} lacks argument", char::from(letter)));
                return 2;
            };
            match letter {
                b'F' => separator = Some(value.to_vec()),
                b'v' => {
                    let Some(assignment) = assignment(value) else {
                        self.fail(&format!("improper assignment: -v {}", lossy(value)));
                        return 2;
                    };
                    assignments.push(assignment);
                }
                _ => match self.shell.read(&self.full(&lossy(value))) {
                    Ok(text) => source = Some([source.unwrap_or_default(), text].concat()),
                    Err(refusal) => {
                        self.fail(&format!("cannot open {} ({})", lossy(value), refusal.text()));
                        return 2;
                    }
                },
            }
        }
        let source = match source {
            Some(source) => source,
            None => match args.next() {
                Some(source) => source.to_vec(),
                None => {
                    self.written.errors(USAGE.as_bytes());
                    return 0;
                }
            },
        };
        let operands: Vec<Vec<u8>> = args.map(<[u8]>::to_vec).collect();
        let program = match Reader::read(&source) {
            Ok(program) => program,
            Err(wrong) => {
                self.fail(&wrong);
                return 2;
            }
        };
        let mut run = Run::new(&program, self);
        if let Some(separator) = separator {
            run.assign_named("FS", &separator);
        }
        for (name, value) in &assignments {
            run.assign_named(name, value);
        }
        run.all(&operands)
    }
}

/// `name=value`.
fn assignment(word: &[u8]) -> Option<(String, Vec<u8>)> {
    let at = word.iter().position(|octet| *octet == b'=')?;
    let (name, value) = (word.get(..at)?, word.get(at + 1..)?);
    let is_name = name.first().is_some_and(|octet| octet.is_ascii_alphabetic() || *octet == b'_')
        && name.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'_');
    is_name.then(|| (lossy(name).into_owned(), value.to_vec()))
}

/// What it says when it is called without a program.
const USAGE: &str = "Usage: mawk [Options] [Program] [file ...]\n";
