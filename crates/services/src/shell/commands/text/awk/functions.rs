//! Expressions of `awk`, and the functions that are built in.

use alloc::{format, rc::Rc, vec::Vec};
use core::cmp::Ordering;

use super::{
    Expression,
    array::Array,
    lossy,
    running::{FS, RLENGTH, RSTART, Run, Step},
    values::Value,
};
use crate::{
    limits::shell::MAX_SCRIPT_TEXT,
    shell::commands::text::{
        form::{Form, whole},
        regex::Regex,
    },
    text::scramble,
};

impl Run<'_, '_> {
    /// It calls itself as deep as the expression nests, which the reader bounds.
    pub(super) fn value(&mut self, expression: &Expression) -> Step<Value> {
        self.step(0)?;
        Ok(match expression {
            Expression::Number(number) => Value::Number(*number),
            Expression::Text(text) => Value::Text(Rc::clone(text)),
            Expression::Regex(regex) => {
                let record = self.record();
                let regex = self.program.regexes.get(*regex);
                let budget = &mut self.budget;
                Value::truth(regex.is_some_and(|regex| regex.fits(&record, budget)))
            }
            Expression::Get(place) => self.get(place)?,
            Expression::Set(place, operator, value) => {
                let value = self.value(value)?;
                let value = match operator {
                    Some(operator) => {
                        let old = self.get(place)?.number();
                        Value::Number(self.arithmetic(*operator, old, value.number())?)
                    }
                    None => value,
                };
                self.set(place, value.clone())?;
                value
            }
            Expression::Step(place, by, before) => {
                let old = self.get(place)?.number();
                self.set(place, Value::Number(old + by))?;
                Value::Number(if *before { old + by } else { old })
            }
            Expression::Arithmetic(sign, one, other) => {
                let (one, other) = (self.value(one)?.number(), self.value(other)?.number());
                Value::Number(self.arithmetic(*sign, one, other)?)
            }
            Expression::Compare(sign, one, other) => {
                let (one, other) = (self.value(one)?, self.value(other)?);
                let order = one.compare(&other);
                Value::truth(match *sign {
                    "<" => order == Ordering::Less,
                    "<=" => order != Ordering::Greater,
                    "==" => order == Ordering::Equal,
                    "!=" => order != Ordering::Equal,
                    ">" => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                })
            }
            Expression::Row(parts) => {
                if let [only] = parts.as_slice() {
                    return self.value(only);
                }
                let mut text = Vec::new();
                for part in parts {
                    text.extend_from_slice(&self.value(part)?.text());
                    self.step(text.len())?;
                    text.truncate(MAX_SCRIPT_TEXT);
                }
                Value::Text(text.into())
            }
            Expression::And(one, other) => Value::truth(self.value(one)?.holds() && self.value(other)?.holds()),
            Expression::Or(one, other) => Value::truth(self.value(one)?.holds() || self.value(other)?.holds()),
            Expression::Not(one) => Value::truth(!self.value(one)?.holds()),
            Expression::Negative(one) => Value::Number(-self.value(one)?.number()),
            Expression::Positive(one) => Value::Number(self.value(one)?.number()),
            Expression::Choice(condition, holds, fails) => {
                let chosen = if self.value(condition)?.holds() { holds } else { fails };
                self.value(chosen)?
            }
            Expression::Match(wanted, text, pattern) => {
                let text = self.value(text)?.text();
                let regex = self.pattern_of(pattern)?;
                Value::truth(regex.fits(&text, &mut self.budget) == *wanted)
            }
            Expression::In(keys, array) => {
                let key = self.key(keys)?;
                Value::truth(self.arrays.get(*array).is_some_and(|array| array.contains(&key)))
            }
            Expression::Call(name, args) => self.function(name, args)?,
            Expression::Several(values) => match values.last() {
                Some(value) => self.value(value)?,
                None => Value::Unset,
            },
        })
    }

    fn arithmetic(&self, sign: u8, one: f64, other: f64) -> Step<f64> {
        Ok(match sign {
            b'+' => one + other,
            b'-' => one - other,
            b'*' => one * other,
            b'/' => one / other,
            b'%' => one % other,
            _ => power(one, other),
        })
    }

    /// A pattern, or a value that is read as one.
    fn pattern_of(&mut self, expression: &Expression) -> Step<Regex> {
        if let Expression::Regex(place) = expression
            && let Some(regex) = self.program.regexes.get(*place)
        {
            return Ok(regex.clone());
        }
        let pattern = self.value(expression)?.text();
        self.pattern(&pattern)
    }

    fn function(&mut self, name: &str, args: &[Expression]) -> Step<Value> {
        match name {
            "sub" | "gsub" => return self.substitute(name == "gsub", args),
            "split" => return self.split_into(args),
            "match" => return self.match_in(args),
            "length" => {
                if let [Expression::In(keys, array)] = args
                    && keys.is_empty()
                {
                    let count = self.arrays.get(*array).map_or(0, Array::len);
                    return Ok(number(count));
                }
            }
            _ => {}
        }
        let values = args.iter().map(|arg| self.value(arg)).collect::<Step<Vec<_>>>()?;
        let first = values.first().cloned().unwrap_or_default();
        Ok(match name {
            "length" if args.is_empty() => number(self.record().len()),
            "length" => number(first.text().len()),
            "substr" => {
                let text = first.text();
                let at = |place: usize| values.get(place).map(|value| whole(value.number()));
                let (from, length) = (at(1).unwrap_or(1), at(2).unwrap_or(i64::MAX));
                // What is before the beginning makes it longer, in this mawk.
                let length = usize::try_from(length.saturating_sub(from.min(0))).unwrap_or(0);
                let from = usize::try_from(from.max(1) - 1).unwrap_or(usize::MAX).min(text.len());
                let rest = text.get(from..).unwrap_or_default();
                Value::Text(rest.get(..length).unwrap_or(rest).into())
            }
            "index" => {
                let (text, part) = (first.text(), values.get(1).map(Value::text).unwrap_or_default());
                self.step(text.len())?;
                let found =
                    if part.is_empty() { None } else { text.windows(part.len()).position(|seen| *seen == *part) };
                number(found.map_or(0, |at| at + 1))
            }
            "toupper" => Value::Text(first.text().to_ascii_uppercase().into()),
            "tolower" => Value::Text(first.text().to_ascii_lowercase().into()),
            "sprintf" => Value::Text(self.formatted("sprintf", &values)?.into()),
            "int" => {
                let value = first.number();
                Value::Number(value - value % 1.0)
            }
            "sqrt" => Value::Number(root(first.number())),
            "rand" => {
                self.seed = scramble(self.seed.wrapping_add(1));
                let bits = u32::try_from(self.seed >> 32).unwrap_or(0);
                Value::Number(f64::from(bits) / 4_294_967_296.0)
            }
            "srand" => {
                let old = u32::try_from(self.seed & 0x7fff_ffff).unwrap_or(0);
                self.seed = if args.is_empty() { self.seed } else { whole(first.number()).unsigned_abs() };
                Value::Number(old.into())
            }
            _ => Value::Number(0.0),
        })
    }

    fn split_into(&mut self, args: &[Expression]) -> Step<Value> {
        let [text, Expression::In(_, array), separator @ ..] = args else { return Ok(Value::Number(0.0)) };
        let text = self.value(text)?.text();
        let parts = match separator.first() {
            Some(Expression::Regex(regex)) if self.program.regexes.get(*regex).is_some() => {
                let regex = self.pattern_of(&Expression::Regex(*regex))?;
                self.step(text.len())?;
                let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
                while let Some(found) = regex.find(&text, at, &mut self.budget).filter(|found| found.end > found.start)
                {
                    parts.push(text.get(start..found.start).unwrap_or_default().to_vec());
                    (start, at) = (found.end, found.end);
                }
                if !text.is_empty() {
                    parts.push(text.get(start..).unwrap_or_default().to_vec());
                }
                parts
            }
            Some(separator) => {
                let separator = self.value(separator)?.text();
                self.split(&text, &separator)?
            }
            None => {
                let separator = self.variable(FS).text();
                self.split(&text, &separator)?
            }
        };
        let count = parts.len();
        self.step(count.saturating_mul(32))?;
        if let Some(array) = self.arrays.get_mut(*array) {
            array.clear();
            for (place, part) in parts.iter().enumerate() {
                *array.element(format!("{}", place + 1).into_bytes().into()) = Value::read(part);
            }
        }
        Ok(number(count))
    }

    fn match_in(&mut self, args: &[Expression]) -> Step<Value> {
        let [text, pattern] = args else { return Ok(Value::Number(0.0)) };
        let text = self.value(text)?.text();
        let regex = self.pattern_of(pattern)?;
        let found = regex.find(&text, 0, &mut self.budget);
        let start = found.map_or(0, |found| found.start + 1);
        let length = found.map_or_else(|| Value::Number(-1.0), |found| number(found.end - found.start));
        self.set_variable(RSTART, number(start))?;
        self.set_variable(RLENGTH, length)?;
        Ok(number(start))
    }

    fn substitute(&mut self, every: bool, args: &[Expression]) -> Step<Value> {
        let [pattern, by, target @ ..] = args else { return Ok(Value::Number(0.0)) };
        let regex = self.pattern_of(pattern)?;
        let by = self.value(by)?.text();
        let record = Expression::Get(super::Place::Field(alloc::boxed::Box::new(Expression::Number(0.0))));
        let target = target.first().unwrap_or(&record);
        let text = self.value(target)?.text();
        let (mut done, mut at, mut copied, mut count, mut last) = (Vec::new(), 0, 0, 0, None);
        while let Some(found) = regex.find(&text, at, &mut self.budget) {
            self.step(by.len())?;
            done.extend_from_slice(text.get(copied..found.start).unwrap_or_default());
            copied = found.end;
            if found.end > found.start || last != Some(found.start) {
                count += 1;
                replace(&by, text.get(found.start..found.end).unwrap_or_default(), &mut done);
                last = Some(found.end);
            }
            at = found.end;
            if found.end == found.start {
                done.extend(text.get(at));
                at += 1;
                copied = at;
            }
            if !every || at > text.len() || done.len() > MAX_SCRIPT_TEXT {
                break;
            }
        }
        if count > 0 {
            done.extend_from_slice(text.get(copied..).unwrap_or_default());
            done.truncate(MAX_SCRIPT_TEXT);
            if let Expression::Get(place) = target {
                self.set(place, Value::Text(done.into()))?;
            }
        }
        Ok(number(count))
    }

    pub(super) fn formatted(&mut self, name: &str, values: &[Value]) -> Step<Vec<u8>> {
        let (form, rest) = match values.split_first() {
            Some((form, rest)) => (form.text(), rest),
            None => (Rc::from([]), values),
        };
        let mut args = rest.iter();
        let mut out = Vec::new();
        let (mut at, mut conversions) = (0, 0);
        while let Some(octet) = form.get(at) {
            at += 1;
            self.step(0)?;
            if *octet != b'%' {
                out.push(*octet);
                continue;
            }
            let star = || args.next().map_or(0, |value| whole(value.number()));
            let Some((one, length)) = Form::read(form.get(at..).unwrap_or_default(), star) else {
                out.push(b'%');
                continue;
            };
            at += length;
            if one.letter == b'%' {
                out.push(b'%');
                continue;
            }
            conversions += 1;
            if !b"sdiuoxXcfFeEgG".contains(&one.letter) {
                return self
                    .fault(&format!("improper conversion(number {conversions}) in {name}(\"{}\")", lossy(&form)));
            }
            let Some(value) = args.next() else {
                return self.fault(&format!("not enough arguments passed to {name}(\"{}\")", lossy(&form)));
            };
            self.step(one.width)?;
            match (one.letter, value) {
                (b's', value) => one.text(&value.text(), &mut out),
                (b'c', Value::Text(text)) => one.text(text.get(..1).unwrap_or_default(), &mut out),
                (b'c', value) => {
                    let code = whole(value.number()).rem_euclid(256);
                    one.text(&[u8::try_from(code).unwrap_or(0)], &mut out);
                }
                (b'f' | b'F' | b'e' | b'E' | b'g' | b'G', value) => one.float(value.number(), &mut out),
                // What is negative has no unsigned form in mawk.
                (b'u' | b'o' | b'x' | b'X', value) => one.integer(whole(value.number()).max(0), &mut out),
                (_, value) => one.integer(whole(value.number()), &mut out),
            }
            if out.len() > MAX_SCRIPT_TEXT {
                break;
            }
        }
        self.step(out.len())?;
        Ok(out)
    }
}

fn number(count: usize) -> Value {
    Value::Number(u32::try_from(count).unwrap_or(u32::MAX).into())
}

/// What a match is replaced by: `&` is the match.
fn replace(by: &[u8], found: &[u8], done: &mut Vec<u8>) {
    let mut rest = by.iter();
    while let Some(octet) = rest.next() {
        match octet {
            b'&' => done.extend_from_slice(found),
            b'\\' => match rest.next() {
                Some(sign @ (b'&' | b'\\')) => done.push(*sign),
                other => {
                    done.push(b'\\');
                    done.extend(other);
                }
            },
            octet => done.push(*octet),
        }
    }
}

/// A power with a whole exponent, by squaring; others would take logarithms.
fn power(base: f64, exponent: f64) -> f64 {
    if exponent == 0.5 {
        return root(base);
    }
    let (mut left, mut square, mut result) = (whole(exponent).unsigned_abs(), base, 1.0);
    while left > 0 {
        if left & 1 == 1 {
            result *= square;
        }
        square *= square;
        left >>= 1;
    }
    if exponent < 0.0 { 1.0 / result } else { result }
}

/// The square root, as Heron has it: each round doubles the digits.
fn root(number: f64) -> f64 {
    if number <= 0.0 || !number.is_finite() {
        return if number < 0.0 { f64::NAN } else { number };
    }
    // The first guess has half the exponent.
    let mut guess = f64::from_bits((number.to_bits() >> 1) + (1023 << 51));
    for _ in 0..8 {
        guess = (guess + number / guess) / 2.0;
    }
    guess
}
