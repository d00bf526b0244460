//! Arithmetic of shells (POSIX.1-2017 XCU §2.6.4), with the powers and steps that bash adds: numbers of 64 bits that
//! wrap around.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{Shell, ShellKind};
use crate::limits::shell::MAX_DEPTH;

/// Why an expression has no value.
#[derive(Debug, PartialEq)]
pub(super) enum Wrong {
    /// Division by zero; what stands from the divisor on.
    Zero(String),
    /// A number or a name is missing before this.
    Operand(String),
    /// A value is followed by this, which is no sign.
    Sign(String),
}

/// Signs of two operands and how tightly they bind, the longest first.
const BINARY: [(&str, u8); 20] = [
    ("**", 11),
    ("||", 1),
    ("&&", 2),
    ("==", 6),
    ("!=", 6),
    ("<=", 7),
    (">=", 7),
    ("<<", 8),
    (">>", 8),
    ("|", 3),
    ("^", 4),
    ("&", 5),
    ("<", 7),
    (">", 7),
    ("+", 9),
    ("-", 9),
    ("*", 10),
    ("/", 10),
    ("%", 10),
    (",", 0),
];
const LOOSEST: u8 = 1;

impl Shell {
    /// The value of an expression whose variables and substitutions with a dollar sign are expanded.
    pub(super) fn evaluate(&mut self, text: &str) -> Result<i64, Wrong> {
        if text.trim().is_empty() {
            return Ok(0);
        }
        let mut reader = Reader { shell: self, rest: text, last: text, depth: 0, idle: false };
        let mut value = reader.assignment()?;
        while reader.takes(",") {
            value = reader.assignment()?;
        }
        reader.skip();
        if reader.rest.is_empty() { Ok(value) } else { Err(Wrong::Sign(reader.rest.into())) }
    }

    /// What the shell says of an expression without a value.
    pub(super) fn arithmetic_fault(&self, text: &str, wrong: &Wrong) -> String {
        let before = self.error_prefix();
        let text = text.trim_start();
        match (self.kind, wrong) {
            (ShellKind::Bash, Wrong::Zero(rest)) => {
                format!("{before}{text}: division by 0 (error token is \"{rest}\")\n")
            }
            (ShellKind::Bash, Wrong::Operand(rest)) => {
                format!("{before}{text}: syntax error: operand expected (error token is \"{rest}\")\n")
            }
            (ShellKind::Bash, Wrong::Sign(rest)) => {
                let what = if rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
                    "syntax error in expression"
                } else {
                    "syntax error: invalid arithmetic operator"
                };
                format!("{before}{text}: {what} (error token is \"{rest}\")\n")
            }
            (ShellKind::Ash, Wrong::Zero(_)) => format!("{before}divide by zero\n"),
            (ShellKind::Ash, _) => format!("{before}arithmetic syntax error\n"),
            (ShellKind::Zsh, Wrong::Zero(_)) => format!("{before}division by zero\n"),
            (ShellKind::Zsh, Wrong::Operand(rest)) if rest.is_empty() => {
                format!("{before}bad math expression: operand expected at end of string\n")
            }
            (ShellKind::Zsh, Wrong::Operand(rest)) => {
                format!("{before}bad math expression: operand expected at `{rest}'\n")
            }
            (ShellKind::Zsh, Wrong::Sign(rest)) => {
                format!("{before}bad math expression: operator expected at `{rest}'\n")
            }
            (_, Wrong::Zero(_)) => format!("{before}arithmetic expression: division by zero: \"{text}\"\n"),
            (_, Wrong::Operand(_)) => format!("{before}arithmetic expression: expecting primary: \"{text}\"\n"),
            (_, Wrong::Sign(_)) => format!("{before}arithmetic expression: expecting EOF: \"{text}\"\n"),
        }
    }
}

struct Reader<'r> {
    shell: &'r mut Shell,
    rest: &'r str,
    /// From the sign on that was read last.
    last: &'r str,
    depth: u8,
    /// What is read is not due: the side of a condition that is not taken.
    idle: bool,
}

impl<'r> Reader<'r> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, sign: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A name, if one comes next.
    fn name(&mut self) -> Option<&'r str> {
        self.skip();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        Some(name)
    }

    fn assignment(&mut self) -> Result<i64, Wrong> {
        if self.depth >= MAX_DEPTH {
            return Err(Wrong::Operand(self.rest.into()));
        }
        self.depth += 1;
        let value = self.assignment_within();
        self.depth -= 1;
        value
    }

    fn assignment_within(&mut self) -> Result<i64, Wrong> {
        let before = self.rest;
        if let Some(name) = self.name() {
            self.skip();
            let sign = ["=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "^=", "|="]
                .into_iter()
                .find(|sign| self.rest.starts_with(sign) && !self.rest.starts_with("=="));
            if let Some(sign) = sign {
                self.takes(sign);
                let from = self.rest;
                let mut value = self.assignment()?;
                if let Some(sign) = sign.strip_suffix('=').filter(|sign| !sign.is_empty()) {
                    let old = self.value_of(name);
                    value = self.apply(sign, old, value, from)?;
                }
                self.set(name, value);
                return Ok(value);
            }
            self.rest = before;
        }
        let condition = self.binary(LOOSEST)?;
        if !self.takes("?") {
            return Ok(condition);
        }
        let idle = self.idle;
        self.idle = idle || condition == 0;
        let yes = self.assignment()?;
        self.idle = idle;
        if !self.takes(":") {
            return Err(Wrong::Operand(self.rest.into()));
        }
        self.idle = idle || condition != 0;
        let no = self.assignment()?;
        self.idle = idle;
        Ok(if condition != 0 { yes } else { no })
    }

    fn binary(&mut self, least: u8) -> Result<i64, Wrong> {
        let mut left = self.unary()?;
        loop {
            self.skip();
            let next = BINARY.into_iter().find(|(sign, _)| self.rest.starts_with(sign));
            let Some((sign, binds)) = next.filter(|(sign, binds)| *binds >= least && *sign != ",") else {
                return Ok(left);
            };
            self.last = self.rest;
            self.takes(sign);
            self.skip();
            let from = self.rest;
            let idle = self.idle;
            self.idle |= sign == "&&" && left == 0 || sign == "||" && left != 0;
            // Powers are taken from the right, so one stands within the other.
            let is_power = sign == "**";
            self.depth += u8::from(is_power);
            let right = match self.depth {
                MAX_DEPTH.. => Err(Wrong::Operand(from.into())),
                _ => self.binary(if is_power { binds } else { binds + 1 }),
            };
            self.depth -= u8::from(is_power);
            self.idle = idle;
            left = self.apply(sign, left, right?, from)?;
        }
    }

    fn apply(&self, sign: &str, left: i64, right: i64, from: &str) -> Result<i64, Wrong> {
        let shift = u32::try_from(right.rem_euclid(64)).unwrap_or(0);
        Ok(match sign {
            "||" => i64::from(left != 0 || right != 0),
            "&&" => i64::from(left != 0 && right != 0),
            "==" => i64::from(left == right),
            "!=" => i64::from(left != right),
            "<=" => i64::from(left <= right),
            ">=" => i64::from(left >= right),
            "<" => i64::from(left < right),
            ">" => i64::from(left > right),
            "|" => left | right,
            "^" => left ^ right,
            "&" => left & right,
            "<<" => left.wrapping_shl(shift),
            ">>" => left.wrapping_shr(shift),
            "+" => left.wrapping_add(right),
            "-" => left.wrapping_sub(right),
            "*" => left.wrapping_mul(right),
            "**" => left.wrapping_pow(u32::try_from(right).unwrap_or(0)),
            "/" | "%" if right == 0 && self.idle => 0,
            "/" | "%" if right == 0 => return Err(Wrong::Zero(from.into())),
            "/" => left.wrapping_div(right),
            _ => left.wrapping_rem(right),
        })
    }

    fn unary(&mut self) -> Result<i64, Wrong> {
        // Signs in a row are walked and not nested.
        let mut signs = Vec::new();
        loop {
            self.skip();
            if self.rest.starts_with("++") || self.rest.starts_with("--") {
                let step = if self.takes("++") { 1 } else { -i64::from(self.takes("--")) };
                let Some(name) = self.name() else {
                    // `--5` is two signs.
                    if step < 0 {
                        signs.extend(['-', '-']);
                    }
                    continue;
                };
                let value = self.value_of(name).wrapping_add(step);
                self.set(name, value);
                return Ok(signed(&signs, value));
            }
            let Some(sign) = self.rest.chars().next().filter(|sign| "-+!~".contains(*sign)) else { break };
            signs.push(sign);
            self.rest = self.rest.get(1..).unwrap_or("");
        }
        let value = self.primary()?;
        Ok(signed(&signs, value))
    }

    fn primary(&mut self) -> Result<i64, Wrong> {
        if self.takes("(") {
            let mut value = self.assignment()?;
            while self.takes(",") {
                value = self.assignment()?;
            }
            return if self.takes(")") { Ok(value) } else { Err(Wrong::Operand(self.rest.into())) };
        }
        if let Some(name) = self.name() {
            let value = self.value_of(name);
            self.skip();
            for (sign, step) in [("++", 1), ("--", -1)] {
                if self.takes(sign) {
                    self.set(name, value.wrapping_add(step));
                }
            }
            return Ok(value);
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '#').unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        if digits.is_empty() {
            return Err(Wrong::Operand(if self.rest.is_empty() { self.last } else { self.rest }.into()));
        }
        let value = number(digits).ok_or_else(|| Wrong::Sign(self.rest.into()))?;
        self.rest = rest;
        Ok(value)
    }

    fn value_of(&mut self, name: &str) -> i64 {
        let text = String::from_utf8_lossy(&self.shell.variable(name)).trim().to_string();
        if let Some(value) =
            text.strip_prefix('-').map_or_else(|| number(&text), |rest| number(rest).map(i64::wrapping_neg))
        {
            return value;
        }
        // What a variable holds may be an expression again.
        if self.depth >= MAX_DEPTH || text.is_empty() {
            return 0;
        }
        let mut inner = Reader { shell: self.shell, rest: &text, last: &text, depth: self.depth + 1, idle: self.idle };
        inner.assignment().unwrap_or(0)
    }

    fn set(&mut self, name: &str, value: i64) {
        if !self.idle {
            self.shell.assign(name, value.to_string().into_bytes());
        }
    }
}

fn signed(signs: &[char], value: i64) -> i64 {
    signs.iter().rev().fold(value, |value, sign| match sign {
        '-' => value.wrapping_neg(),
        '!' => i64::from(value == 0),
        '~' => !value,
        _ => value,
    })
}

/// `12`, `0x1f`, `017`, `2#101`.
fn number(digits: &str) -> Option<i64> {
    let (base, digits) = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        (16, hex)
    } else if let Some((base, digits)) = digits.split_once('#') {
        (base.parse().ok().filter(|base| (2..=36).contains(base))?, digits)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, digits)
    } else {
        (10, digits)
    };
    if digits.is_empty() {
        return None;
    }
    digits.chars().try_fold(0i64, |value, digit| {
        Some(value.wrapping_mul(i64::from(base)).wrapping_add(i64::from(digit.to_digit(base)?)))
    })
}
