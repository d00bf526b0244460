//! How a program of `awk` is read (the grammar of POSIX.1-2017 XCU awk, as mawk has it).

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Expression, Place, Program, Rule, Statement, Target, When,
    running::SPECIAL,
    tokens::{Token, tokens},
};
use crate::{
    limits::shell::{MAX_SCRIPT_NESTING, MAX_SCRIPT_OPERATORS},
    shell::commands::text::{
        lossy,
        regex::{Regex, Syntax},
    },
};

type Read<T> = Result<T, String>;

pub(super) struct Reader {
    tokens: Vec<(Token, usize)>,
    at: usize,
    program: Program,
    nesting: usize,
    /// Operators of the expression that is read: they nest, too.
    operators: usize,
    open: usize,
    /// Within the words of `print` a `>` is no comparison.
    in_print: bool,
}

/// Signs of one strength, from the weakest on; joining and `in` and `~` have places of their own.
const LEVELS: [&[&str]; 8] = [
    &["||"],
    &["&&"],
    &["in"],
    &["~", "!~"],
    &["<", "<=", "==", "!=", ">", ">="],
    &[""],
    &["+", "-"],
    &["*", "/", "%"],
];

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

    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn peek_after(&self, more: usize) -> &Token {
        self.tokens.get(self.at + more).map_or(&Token::End, |(token, _)| token)
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(seen) | Token::Word(seen) if *seen == sign)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is = self.is(sign);
        self.at += usize::from(is);
        is
    }

    fn newlines(&mut self) {
        while self.takes("\n") {}
    }

    fn needs(&mut self, sign: &str) -> Read<()> {
        if self.takes(sign) { Ok(()) } else { Err(self.wrong()) }
    }

    /// What mawk says of the word that does not fit.
    fn wrong(&self) -> String {
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

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
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

    fn list(&mut self, end: &str) -> Read<Vec<Expression>> {
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

    fn variable(&mut self, name: &str) -> usize {
        place(&mut self.program.variables, name)
    }

    fn array(&mut self, name: &str) -> usize {
        place(&mut self.program.arrays, name)
    }

    fn regex(&mut self, pattern: &[u8]) -> Read<usize> {
        let line = self.tokens.get(self.at).map_or(1, |(_, line)| *line);
        let regex = Regex::new(pattern, Syntax::Awk, false)
            .map_err(|wrong| format!("line {line}: regular expression compile failed ({wrong})\n{}", lossy(pattern)))?;
        self.program.regexes.push(regex);
        Ok(self.program.regexes.len() - 1)
    }

    fn expression(&mut self) -> Read<Expression> {
        self.deeper(Self::choice)
    }

    fn choice(&mut self) -> Read<Expression> {
        let first = self.level(0)?;
        // Only what can be assigned to, and stands alone, is assigned to.
        if let (Expression::Get(place), Token::Sign(sign)) = (&first, self.peek()) {
            let operator = match *sign {
                "=" => Some(None),
                "+=" | "-=" | "*=" | "/=" | "%=" | "^=" => Some(sign.bytes().next()),
                _ => None,
            };
            if let Some(operator) = operator {
                let place = place.clone();
                self.at += 1;
                self.newlines();
                return Ok(Expression::Set(place, operator, Box::new(self.expression()?)));
            }
        }
        if !self.takes("?") {
            return Ok(first);
        }
        self.newlines();
        let holds = self.expression()?;
        self.newlines();
        self.needs(":")?;
        self.newlines();
        let fails = self.expression()?;
        Ok(Expression::Choice(Box::new(first), Box::new(holds), Box::new(fails)))
    }

    fn count_operator(&mut self) -> Read<()> {
        self.operators += 1;
        if self.operators > MAX_SCRIPT_OPERATORS { Err(self.wrong()) } else { Ok(()) }
    }

    fn level(&mut self, level: usize) -> Read<Expression> {
        let Some(signs) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        if signs == &[""] {
            return self.joined(left, level);
        }
        loop {
            let Some(sign) = signs.iter().copied().find(|sign| self.is(sign)) else { return Ok(left) };
            if sign == ">" && self.in_print {
                return Ok(left);
            }
            self.count_operator()?;
            self.at += 1;
            if matches!(sign, "&&" | "||") {
                self.newlines();
            }
            if sign == "in" {
                let Token::Name(name) = self.peek().clone() else { return Err(self.wrong()) };
                self.at += 1;
                let keys = match left {
                    Expression::Several(keys) => keys,
                    key => Vec::from([key]),
                };
                left = Expression::In(keys, self.array(&name));
                continue;
            }
            let right = self.level(level + 1)?;
            // `a == b = c` assigns to b.
            let (one, other) = (Box::new(left), Box::new(self.assigned(right)?));
            left = match sign {
                "||" => Expression::Or(one, other),
                "&&" => Expression::And(one, other),
                "~" => Expression::Match(true, one, other),
                "!~" => Expression::Match(false, one, other),
                "+" | "-" | "*" | "/" | "%" => Expression::Arithmetic(sign.bytes().next().unwrap_or(b'+'), one, other),
                sign => Expression::Compare(sign, one, other),
            };
        }
    }

    /// An assignment behind an operator, `x && y = 1`.
    fn assigned(&mut self, right: Expression) -> Read<Expression> {
        match right {
            Expression::Get(place) if self.takes("=") => Ok(Expression::Set(place, None, Box::new(self.expression()?))),
            right => Ok(right),
        }
    }

    /// What stands behind each other is joined.
    fn joined(&mut self, left: Expression, level: usize) -> Read<Expression> {
        let mut row = Vec::from([left]);
        loop {
            let begins = match self.peek() {
                Token::Number(_) | Token::Text(_) | Token::Regex(_) | Token::Name(_) | Token::Function(_) => true,
                Token::Sign(sign) => matches!(*sign, "$" | "(" | "++" | "--"),
                _ => false,
            };
            if !begins {
                break;
            }
            row.push(self.level(level + 1)?);
        }
        Ok(if row.len() == 1 { row.pop().unwrap_or(Expression::Number(0.0)) } else { Expression::Row(row) })
    }

    fn unary(&mut self) -> Read<Expression> {
        let Token::Sign(sign @ ("!" | "-" | "+")) = *self.peek() else { return self.power() };
        self.at += 1;
        let inside = Box::new(self.deeper(Self::unary)?);
        Ok(match sign {
            "!" => Expression::Not(inside),
            "-" => Expression::Negative(inside),
            _ => Expression::Positive(inside),
        })
    }

    fn power(&mut self) -> Read<Expression> {
        let base = self.postfix()?;
        if !self.takes("^") {
            return Ok(base);
        }
        let power = self.deeper(Self::unary)?;
        Ok(Expression::Arithmetic(b'^', Box::new(base), Box::new(power)))
    }

    fn postfix(&mut self) -> Read<Expression> {
        let value = self.primary()?;
        let Expression::Get(place) = &value else { return Ok(value) };
        let step = if self.is("++") { 1.0 } else { -1.0 };
        if self.takes("++") || self.takes("--") {
            return Ok(Expression::Step(place.clone(), step, false));
        }
        Ok(value)
    }

    fn primary(&mut self) -> Read<Expression> {
        let token = self.peek().clone();
        self.at += 1;
        Ok(match token {
            Token::Number(number) => Expression::Number(number),
            Token::Text(text) => Expression::Text(text.into()),
            Token::Regex(pattern) => Expression::Regex(self.regex(&pattern)?),
            Token::Function(name) => {
                let args = if self.takes("(") {
                    self.list(")")?
                } else if name == "length" {
                    Vec::new()
                } else {
                    return Err(self.wrong());
                };
                let fits = match name {
                    "length" | "srand" | "fflush" => args.len() <= 1,
                    "substr" | "split" | "sub" | "gsub" => matches!(args.len(), 2 | 3),
                    "index" | "match" => args.len() == 2,
                    "sprintf" => !args.is_empty(),
                    "rand" => args.is_empty(),
                    _ => args.len() == 1,
                };
                if !fits {
                    let line = self.tokens.get(self.at).map_or(1, |(_, line)| *line);
                    return Err(format!("line {line}: wrong number of arguments in call to {name}"));
                }
                self.call(name, args)?
            }
            Token::Name(name) if self.is("[") => {
                self.at += 1;
                let keys = self.list("]")?;
                Expression::Get(Place::Element(self.array(&name), keys))
            }
            Token::Name(name) => Expression::Get(Place::Variable(self.variable(&name))),
            Token::Sign("$") => {
                let which = self.deeper(|reader| {
                    if reader.is("-") || reader.is("+") || reader.is("!") { reader.unary() } else { reader.primary() }
                })?;
                Expression::Get(Place::Field(Box::new(which)))
            }
            Token::Sign(sign @ ("++" | "--")) => match self.deeper(Self::primary)? {
                Expression::Get(place) => Expression::Step(place, if sign == "++" { 1.0 } else { -1.0 }, true),
                _ => return Err(self.wrong()),
            },
            Token::Sign("(") => {
                let mut inside = self.list(")")?;
                match inside.len() {
                    0 => return Err(self.wrong()),
                    // A value in parentheses is nothing to assign to, but for a field it makes no difference.
                    1 => match inside.pop().unwrap_or(Expression::Number(0.0)) {
                        Expression::Get(place) => Expression::Row(Vec::from([Expression::Get(place)])),
                        other => other,
                    },
                    _ => Expression::Several(inside),
                }
            }
            _ => {
                self.at -= 1;
                return Err(self.wrong());
            }
        })
    }

    /// `split` and `length` take arrays, the others values.
    fn call(&mut self, name: &'static str, mut args: Vec<Expression>) -> Read<Expression> {
        let which = if name == "split" { 1 } else { 0 };
        if matches!(name, "split" | "length")
            && let Some(Expression::Get(Place::Variable(variable))) = args.get(which)
        {
            let name = self.program.variables.get(*variable).cloned().unwrap_or_default();
            let known = self.program.arrays.contains(&name);
            if which == 1 || known {
                let array = self.array(&name);
                if let Some(arg) = args.get_mut(which) {
                    *arg = Expression::In(Vec::new(), array);
                }
            }
        }
        Ok(Expression::Call(name, args))
    }
}

fn place(names: &mut Vec<String>, name: &str) -> usize {
    match names.iter().position(|known| known == name) {
        Some(place) => place,
        None => {
            names.push(name.into());
            names.len() - 1
        }
    }
}
