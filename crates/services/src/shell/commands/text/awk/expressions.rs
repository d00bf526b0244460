//! How the expressions of `awk` are read.

use alloc::{boxed::Box, format, string::String, vec::Vec};

use super::{
    Expression, Place,
    reader::{Read, Reader},
    tokens::Token,
};
use crate::{
    limits::shell::MAX_SCRIPT_OPERATORS,
    shell::commands::text::{
        lossy,
        regex::{Regex, Syntax},
    },
};

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
    pub(super) fn variable(&mut self, name: &str) -> usize {
        place(&mut self.program.variables, name)
    }

    pub(super) fn array(&mut self, name: &str) -> usize {
        place(&mut self.program.arrays, name)
    }

    fn regex(&mut self, pattern: &[u8]) -> Read<usize> {
        let line = self.tokens.get(self.at).map_or(1, |(_, line)| *line);
        let regex = Regex::new(pattern, Syntax::Awk, false)
            .map_err(|wrong| format!("line {line}: regular expression compile failed ({wrong})\n{}", lossy(pattern)))?;
        self.program.regexes.push(regex);
        Ok(self.program.regexes.len() - 1)
    }

    pub(super) fn expression(&mut self) -> Read<Expression> {
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
