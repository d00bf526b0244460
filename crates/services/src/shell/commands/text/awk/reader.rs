//! How a program of `awk` is read (the grammar of POSIX.1-2017 XCU awk, as mawk has it).

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Expression, Place, Program, Rule, Statement, Target, When,
    running::SPECIAL,
    tokens::{Token, tokens},
};
use crate::{limits::shell::MAX_SCRIPT_NESTING, shell::commands::text::lossy};

pub(super) type Read<T> = Result<T, String>;

pub(super) struct Reader {
    pub(super) tokens: Vec<(Token, usize)>,
    pub(super) at: usize,
    pub(super) program: Program,
    nesting: usize,
    /// Operators of the expression that is read: they nest, too.
    pub(super) operators: usize,
    open: usize,
    /// Within the words of `print` a `>` is no comparison.
    pub(super) in_print: bool,
}

impl Reader {
    pub(super) fn read(source: &[u8]) -> Read<Program> {
        let mut program = Program::default();
        program.variables.extend(SPECIAL.iter().map(|name| name.to_string()));
        let tokens = tokens(source)?;
        let mut reader = Self { tokens, at: 0, program, nesting: 0, operators: 0, open: 0, in_print: false };
        loop {
            while reader.takes("\n") || reader.takes(";") {}
            if reader.peek() == &Token::End {
                return Ok(reader.program);
            }
            let rule = reader.rule()?;
            reader.program.rules.push(rule);
        }
    }

    pub(super) fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn peek_after(&self, more: usize) -> &Token {
        self.tokens.get(self.at + more).map_or(&Token::End, |(token, _)| token)
    }

    pub(super) fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(seen) | Token::Word(seen) if *seen == sign)
    }

    pub(super) fn takes(&mut self, sign: &str) -> bool {
        let is = self.is(sign);
        self.at += usize::from(is);
        is
    }

    pub(super) fn newlines(&mut self) {
        while self.takes("\n") {}
    }

    pub(super) fn needs(&mut self, sign: &str) -> Read<()> {
        if self.takes(sign) { Ok(()) } else { Err(self.wrong()) }
    }

    /// What mawk says of the word that does not fit.
    pub(super) fn wrong(&self) -> String {
        let line = self.tokens.get(self.at).map_or(1, |(_, line)| *line);
        let near = match self.peek() {
            Token::End if self.open > 0 => return format!("line {line}: missing }} near end of file"),
            Token::End => return format!("line {line}: syntax error at or near end of file"),
            Token::Sign("\n") => "end of line".into(),
            Token::Sign(sign) | Token::Word(sign) | Token::Function(sign) => (*sign).to_string(),
            Token::Name(name) => name.clone(),
            Token::Number(number) => number.to_string(),
            Token::Text(text) => format!("\"{}\"", lossy(text)),
            Token::Regex(text) => format!("/{}/", lossy(text)),
        };
        format!("line {line}: syntax error at or near {near}")
    }

    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.nesting += 1;
        if self.nesting > MAX_SCRIPT_NESTING {
            return Err(self.wrong());
        }
        let done = read(self);
        self.nesting -= 1;
        done
    }

    fn rule(&mut self) -> Read<Rule> {
        let when = if self.takes("BEGIN") {
            When::Begin
        } else if self.takes("END") {
            When::End
        } else if self.is("{") {
            When::Always
        } else {
            let from = self.expression()?;
            if self.takes(",") {
                self.newlines();
                let to = self.expression()?;
                self.program.ranges += 1;
                When::Between(from, to, self.program.ranges - 1)
            } else {
                When::Holds(from)
            }
        };
        let action = if self.is("{") { Some(self.block()?) } else { None };
        match (&when, &action) {
            (When::Begin | When::End, None) => Err(self.wrong()),
            _ if !matches!(self.peek(), Token::End) && !self.is("\n") && !self.is(";") && action.is_none() => {
                Err(self.wrong())
            }
            _ => Ok(Rule { when, action }),
        }
    }

    fn block(&mut self) -> Read<Vec<Statement>> {
        self.needs("{")?;
        self.open += 1;
        let mut statements = Vec::new();
        loop {
            while self.takes("\n") || self.takes(";") {}
            if self.takes("}") {
                break;
            }
            statements.push(self.statement()?);
        }
        self.open -= 1;
        Ok(statements)
    }

    fn statement(&mut self) -> Read<Statement> {
        self.operators = 0;
        self.deeper(Self::statement_here)
    }

    fn statement_here(&mut self) -> Read<Statement> {
        if self.is("{") {
            return Ok(Statement::Block(self.block()?));
        }
        let Token::Word(word) = *self.peek() else {
            let statement = Statement::Expression(self.expression()?);
            return self.ended(statement);
        };
        if !matches!(word, "getline" | "in" | "function" | "return" | "BEGIN" | "END" | "else") {
            self.at += 1;
        }
        let statement = match word {
            "print" | "printf" => return self.print(word),
            "if" => {
                let condition = self.condition()?;
                let body = self.body()?;
                let before = self.at;
                while self.takes("\n") || self.takes(";") {}
                let other = if self.takes("else") { self.body()? } else { Vec::new() };
                if other.is_empty()
                    && !matches!(self.tokens.get(self.at.wrapping_sub(1)), Some((Token::Sign("}" | ";" | "\n"), _)))
                {
                    self.at = before;
                }
                return Ok(Statement::If(condition, body, other));
            }
            "while" => {
                let condition = self.condition()?;
                if self.takes(";") {
                    return Ok(Statement::While(condition, Vec::new(), Vec::new(), false));
                }
                return Ok(Statement::While(condition, self.body()?, Vec::new(), false));
            }
            "do" => {
                let body = self.body()?;
                while self.takes("\n") || self.takes(";") {}
                self.needs("while")?;
                Statement::While(self.condition()?, body, Vec::new(), true)
            }
            "for" => return self.for_loop(),
            "next" => Statement::Next,
            "break" => Statement::Break,
            "continue" => Statement::Continue,
            "exit" => {
                let ends = self.is(";") || self.is("}") || self.is("\n") || self.peek() == &Token::End;
                Statement::Exit(if ends { None } else { Some(self.expression()?) })
            }
            "delete" => {
                let Token::Name(name) = self.peek().clone() else { return Err(self.wrong()) };
                self.at += 1;
                let array = self.array(&name);
                let keys = if self.takes("[") { Some(self.list("]")?) } else { None };
                Statement::Delete(array, keys)
            }
            _ => return Err(self.wrong()),
        };
        self.ended(statement)
    }

    fn ended(&mut self, statement: Statement) -> Read<Statement> {
        if self.takes(";") || self.takes("\n") || self.is("}") { Ok(statement) } else { Err(self.wrong()) }
    }

    fn condition(&mut self) -> Read<Expression> {
        self.needs("(")?;
        let condition = self.expression()?;
        self.needs(")")?;
        self.newlines();
        Ok(condition)
    }

    fn body(&mut self) -> Read<Vec<Statement>> {
        self.newlines();
        if self.takes(";") {
            return Ok(Vec::new());
        }
        Ok(Vec::from([self.statement()?]))
    }

    fn for_loop(&mut self) -> Read<Statement> {
        self.needs("(")?;
        if let (Token::Name(name), Token::Word("in"), Token::Name(array), Token::Sign(")")) =
            (self.peek().clone(), self.peek_after(1).clone(), self.peek_after(2).clone(), self.peek_after(3))
        {
            self.at += 4;
            let (place, array) = (Place::Variable(self.variable(&name)), self.array(&array));
            return Ok(Statement::ForIn(place, array, self.body()?));
        }
        let mut part = |end: &str| -> Read<Option<Expression>> {
            self.newlines();
            let part = if self.is(end) { None } else { Some(self.expression()?) };
            self.needs(end)?;
            Ok(part)
        };
        let (first, condition, after) = (part(";")?, part(";")?, part(")")?);
        let body = self.body()?;
        let after: Vec<Statement> = after.into_iter().map(Statement::Expression).collect();
        let each = Statement::While(condition.unwrap_or(Expression::Number(1.0)), body, after, false);
        Ok(Statement::Block(first.into_iter().map(Statement::Expression).chain([each]).collect()))
    }

    fn print(&mut self, word: &str) -> Read<Statement> {
        self.in_print = true;
        let mut values = Vec::new();
        let ends = |reader: &Self| {
            [";", "}", "\n", ">", ">>", "|"].iter().any(|sign| reader.is(sign)) || reader.peek() == &Token::End
        };
        while !ends(self) {
            values.push(self.expression()?);
            if !self.takes(",") {
                break;
            }
            self.newlines();
            if ends(self) {
                return Err(self.wrong());
            }
        }
        if let [Expression::Several(inside)] = values.as_slice() {
            values = inside.clone();
        }
        let line = self.tokens.get(self.at).map_or(1, |(_, line)| *line);
        let append = self.is(">>");
        let target = if self.takes(">") || self.takes(">>") { Some(Target(self.expression()?, append)) } else { None };
        self.in_print = false;
        if word == "print" {
            return self.ended(Statement::Print(values, target));
        }
        if values.is_empty() {
            return Err(format!("line {line}: no arguments in call to printf"));
        }
        self.ended(Statement::Printf(values, target))
    }

    pub(super) fn list(&mut self, end: &str) -> Read<Vec<Expression>> {
        let was = core::mem::take(&mut self.in_print);
        let mut values = Vec::new();
        self.newlines();
        while !self.is(end) {
            values.push(self.expression()?);
            if !self.takes(",") {
                break;
            }
            self.newlines();
        }
        self.in_print = was;
        if !self.takes(end) {
            let line = self.tokens.get(self.at).map_or(1, |(_, line)| *line);
            if matches!(self.peek(), Token::End | Token::Sign("\n")) {
                return Err(format!("line {}: missing {end} near end of line", line - 1));
            }
            return Err(self.wrong());
        }
        Ok(values)
    }
}
