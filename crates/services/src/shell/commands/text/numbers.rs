//! `seq` and `expr`.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Call,
    awk::number_of,
    form::Form,
    lossy,
    regex::{Regex, Syntax},
};
use crate::limits::shell::{MAX_OUTPUT, MAX_SCRIPT_NESTING};

/// Steps in which one `expr` looks for a pattern: words of a line are short, and many may be run.
const MAX_EXPR_WORK: u32 = 20_000;

impl Call<'_> {
    pub(in super::super) fn seq(&mut self) -> u8 {
        // A negative number is no option.
        let is_number =
            |arg: &Vec<u8>| arg.starts_with(b"-") && arg.get(1).is_some_and(|o| o.is_ascii_digit() || *o == b'.');
        let split = self.args.iter().position(is_number).unwrap_or(self.args.len());
        let (before, after) = self.args.split_at_checked(split).unwrap_or((self.args, &[]));
        let long = [("equal-width", 'w'), ("separator", 's'), ("format", 'f')];
        let mut options = match self.getopt_of(before, "+ws:f:", &long) {
            Ok(options) => options,
            Err(status) => return status,
        };
        options.rest.extend(after.iter().cloned());
        if options.rest.is_empty() {
            return self.fail_with_hint("missing operand");
        }
        if let Some(extra) = options.rest.get(3) {
            return self.fail_with_hint(&format!("extra operand ‘{}’", lossy(extra)));
        }
        let mut numbers = Vec::new();
        for arg in &options.rest {
            let (number, used) = number_of(arg);
            if used == 0 || used < arg.len() {
                return self.fail_with_hint(&format!("invalid floating point argument: ‘{}’", lossy(arg)));
            }
            numbers.push(number);
        }
        let (first, step, last) = match numbers.as_slice() {
            [last] => (1.0, 1.0, *last),
            [first, last] => (*first, 1.0, *last),
            [first, step, last] => (*first, *step, *last),
            _ => return 1,
        };
        if step == 0.0 {
            let shown = options.rest.get(1).map(|arg| lossy(arg).into_owned()).unwrap_or_default();
            return self.fail_with_hint(&format!("invalid Zero increment value: ‘{shown}’"));
        }
        let digits = |arg: Option<&Vec<u8>>| {
            arg.and_then(|arg| arg.iter().position(|octet| *octet == b'.').map(|at| arg.len() - at - 1)).unwrap_or(0)
        };
        // What is written has as many digits as the first and the step have; the last counts for the width.
        let shown = options.rest.iter().take(options.rest.len().saturating_sub(1));
        let precision = shown.map(|arg| digits(Some(arg))).max().unwrap_or(0);
        let plain = |number: f64| format!("{:.precision$}", if number == 0.0 { 0.0 } else { number });
        let ends = [plain(first).len(), plain(last).len()];
        let width = if options.has('w') { ends.into_iter().max().unwrap_or(0) } else { 0 };
        let form = match options.value('f') {
            None => None,
            Some(text) => match form_of(text) {
                Some(form) => Some(form),
                None => {
                    let text = format!("format ‘{}’ has no % directive", lossy(text));
                    return self.fail(&text);
                }
            },
        };
        let separator = super::unescaped(options.value('s').unwrap_or(b"\n"));
        let mut out = Vec::new();
        let mut place = 0.0;
        loop {
            let number = first + place * step;
            // The last one is not lost to rounding.
            let slack = step.abs() * 1e-10;
            if (step > 0.0 && number > last + slack) || (step < 0.0 && number < last - slack) || out.len() > MAX_OUTPUT
            {
                break;
            }
            if place > 0.0 {
                out.extend_from_slice(&separator);
            }
            match &form {
                Some((before, form, after)) => {
                    out.extend_from_slice(before);
                    form.float(number, &mut out);
                    out.extend_from_slice(after);
                }
                None => {
                    let text = plain(number);
                    let (sign, size) = text.strip_prefix('-').map_or(("", text.as_str()), |size| ("-", size));
                    let zeros = width.saturating_sub(sign.len() + size.len());
                    out.extend_from_slice(format!("{sign}{}{size}", "0".repeat(zeros)).as_bytes());
                }
            }
            place += 1.0;
        }
        if !out.is_empty() {
            out.push(b'\n');
        }
        self.written.output(&out);
        0
    }

    pub(in super::super) fn expr(&mut self) -> u8 {
        let args = match self.args.split_first() {
            Some((first, rest)) if first == b"--" => rest,
            _ => self.args,
        };
        if args.is_empty() {
            self.fail_with_hint("missing operand");
            return 2;
        }
        let words = args.iter().map(|arg| lossy(arg).into_owned()).collect();
        let mut reader = Reader { words, at: 0, nesting: 0 };
        let value = reader.either().and_then(|value| match reader.peek() {
            Some(extra) => Err(format!("syntax error: unexpected argument ‘{extra}’")),
            None => Ok(value),
        });
        match value {
            Ok(value) => {
                let status = u8::from(is_null(&value));
                self.put(value.as_bytes());
                status
            }
            Err(wrong) => {
                self.fail(&wrong);
                2
            }
        }
    }
}

/// A format of `seq` around its one number.
fn form_of(text: &[u8]) -> Option<(Vec<u8>, Form, Vec<u8>)> {
    let at = text.iter().position(|octet| *octet == b'%')?;
    let (form, length) = Form::read(text.get(at + 1..)?, || 0)?;
    b"eEfFgG".contains(&form.letter).then_some(())?;
    Some((text.get(..at)?.to_vec(), form, text.get(at + 1 + length..)?.to_vec()))
}

/// Reads and works out an expression of words at once.
struct Reader {
    words: Vec<String>,
    at: usize,
    nesting: usize,
}

type Read = Result<String, String>;

impl Reader {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }

    fn takes(&mut self, words: &[&str]) -> Option<String> {
        let word = self.peek().filter(|word| words.contains(word))?.to_owned();
        self.at += 1;
        Some(word)
    }

    fn either(&mut self) -> Read {
        let mut left = self.both()?;
        while self.takes(&["|"]).is_some() {
            let right = self.both()?;
            if is_null(&left) {
                left = if is_null(&right) { "0".into() } else { right };
            }
        }
        Ok(left)
    }

    fn both(&mut self) -> Read {
        let mut left = self.compared()?;
        while self.takes(&["&"]).is_some() {
            let right = self.compared()?;
            if is_null(&left) || is_null(&right) {
                left = "0".into();
            }
        }
        Ok(left)
    }

    fn compared(&mut self) -> Read {
        let mut left = self.sum()?;
        while let Some(sign) = self.takes(&["<", "<=", "=", "==", "!=", ">=", ">"]) {
            let right = self.sum()?;
            let order = match (integer(&left), integer(&right)) {
                (Some(left), Some(right)) => left.cmp(&right),
                _ => left.cmp(&right),
            };
            let holds = match sign.as_str() {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                "!=" => order.is_ne(),
                ">=" => order.is_ge(),
                ">" => order.is_gt(),
                _ => order.is_eq(),
            };
            left = u8::from(holds).to_string();
        }
        Ok(left)
    }

    fn sum(&mut self) -> Read {
        let mut left = self.product()?;
        while let Some(sign) = self.takes(&["+", "-"]) {
            let right = self.product()?;
            left = arithmetic(&sign, &left, &right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Read {
        let mut left = self.matched()?;
        while let Some(sign) = self.takes(&["*", "/", "%"]) {
            let right = self.matched()?;
            left = arithmetic(&sign, &left, &right)?;
        }
        Ok(left)
    }

    fn matched(&mut self) -> Read {
        let mut left = self.one()?;
        while self.takes(&[":"]).is_some() {
            let pattern = self.one()?;
            left = matched(&left, &pattern)?;
        }
        Ok(left)
    }

    fn one(&mut self) -> Read {
        let Some(word) = self.peek().map(ToOwned::to_owned) else {
            let last = self.words.last().cloned().unwrap_or_default();
            return Err(format!("syntax error: missing argument after ‘{last}’"));
        };
        self.at += 1;
        self.nesting += 1;
        if self.nesting > MAX_SCRIPT_NESTING {
            return Err("memory exhausted".into());
        }
        let value = match word.as_str() {
            "(" => {
                let value = self.either()?;
                if self.takes(&[")"]).is_none() {
                    let last = self.words.get(self.at.wrapping_sub(1)).cloned().unwrap_or_default();
                    return Err(match self.peek() {
                        None => format!("syntax error: expecting ')' after ‘{last}’"),
                        Some(other) => format!("syntax error: expecting ')' instead of ‘{other}’"),
                    });
                }
                value
            }
            ")" => return Err("syntax error: unexpected ')'".into()),
            "+" if self.peek().is_some() => {
                self.at += 1;
                self.words.get(self.at - 1).cloned().unwrap_or_default()
            }
            "length" => self.one()?.chars().count().to_string(),
            "match" => {
                let (text, pattern) = (self.one()?, self.one()?);
                matched(&text, &pattern)?
            }
            "index" => {
                let (text, letters) = (self.one()?, self.one()?);
                text.chars().position(|letter| letters.contains(letter)).map_or(0, |at| at + 1).to_string()
            }
            "substr" => {
                let (text, from, length) = (self.one()?, self.one()?, self.one()?);
                let number = |text: &str| integer(text).and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
                match (number(&from), number(&length)) {
                    (0, _) | (_, 0) => String::new(),
                    (from, length) => text.chars().skip(from - 1).take(length).collect(),
                }
            }
            _ => word,
        };
        self.nesting -= 1;
        Ok(value)
    }
}

fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Nothing, or a zero of whatever length.
fn is_null(text: &str) -> bool {
    text.is_empty() || integer(text) == Some(0)
}

fn arithmetic(sign: &str, left: &str, right: &str) -> Read {
    let (Some(left), Some(right)) = (integer(left), integer(right)) else {
        return Err("non-integer argument".into());
    };
    if right == 0 && matches!(sign, "/" | "%") {
        return Err("division by zero".into());
    }
    let (left, right) = (i128::from(left), i128::from(right));
    let value = match sign {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        _ => left % right,
    };
    Ok(value.to_string())
}

/// `:`: what the first group holds, or how much fits from the beginning on.
fn matched(text: &str, pattern: &str) -> Read {
    let pattern = format!("^\\({pattern}\\)");
    let regex = Regex::new(pattern.as_bytes(), Syntax::Basic, false).map_err(ToOwned::to_owned)?;
    let found = regex.find(text.as_bytes(), 0, &mut { MAX_EXPR_WORK });
    let has_group = regex.groups > 1;
    Ok(match found {
        Some(found) if has_group => {
            found.group(2).and_then(|(start, end)| text.get(start..end)).unwrap_or_default().to_owned()
        }
        Some(found) => text.get(..found.end).unwrap_or_default().chars().count().to_string(),
        None if has_group => String::new(),
        None => "0".into(),
    })
}
