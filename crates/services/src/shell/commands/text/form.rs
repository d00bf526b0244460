//! `printf`, and numbers in the forms of C (ISO 9899 §7.21.6.1), which `awk` and `seq` write in, too.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{Call, lossy};
use crate::{
    limits::shell::{MAX_OUTPUT, MAX_SCRIPT_TEXT},
    shell::escapes::Escapes,
};

/// What `printf` says when it has nothing to print.
const PRINTF_USAGE: &[u8] = b"printf: usage: printf [-v var] format [arguments]\n";
/// Digits behind the point that are worked out; more are no number's.
const MAX_DIGITS: usize = 1000;

/// How one argument is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) left: bool,
    pub(super) plus: bool,
    pub(super) blank: bool,
    pub(super) zero: bool,
    pub(super) other: bool,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
    pub(super) letter: u8,
}

impl Form {
    /// Reads what follows a percent sign; a star is asked for. How long it is; `None`: it does not end.
    pub(super) fn read(text: &[u8], mut star: impl FnMut() -> i64) -> Option<(Self, usize)> {
        let mut form = Self::default();
        let mut at = 0;
        while let Some(flag) = text.get(at) {
            match flag {
                b'-' => form.left = true,
                b'+' => form.plus = true,
                b' ' => form.blank = true,
                b'0' => form.zero = true,
                b'#' => form.other = true,
                _ => break,
            }
            at += 1;
        }
        let mut number = |at: &mut usize| {
            if text.get(*at) == Some(&b'*') {
                *at += 1;
                return star();
            }
            let start = *at;
            while text.get(*at).is_some_and(u8::is_ascii_digit) {
                *at += 1;
            }
            lossy(text.get(start..*at).unwrap_or_default()).parse().unwrap_or(0)
        };
        let width = number(&mut at);
        form.left |= width < 0;
        form.width = usize::try_from(width.unsigned_abs()).unwrap_or(0).min(MAX_SCRIPT_TEXT);
        if text.get(at) == Some(&b'.') {
            at += 1;
            form.precision = usize::try_from(number(&mut at)).ok().map(|digits| digits.min(MAX_SCRIPT_TEXT));
        }
        while text.get(at).is_some_and(|letter| matches!(letter, b'l' | b'h' | b'L' | b'j' | b'z' | b't')) {
            at += 1;
        }
        form.letter = *text.get(at)?;
        Some((form, at + 1))
    }

    fn pad(&self, sign: &str, digits: &[u8], zeros: bool, out: &mut Vec<u8>) {
        let missing = self.width.saturating_sub(sign.len() + digits.len());
        let (zeros, blanks) = if zeros && !self.left { (missing, 0) } else { (0, missing) };
        if !self.left {
            out.extend(core::iter::repeat_n(b' ', blanks));
        }
        out.extend_from_slice(sign.as_bytes());
        out.extend(core::iter::repeat_n(b'0', zeros));
        out.extend_from_slice(digits);
        if self.left {
            out.extend(core::iter::repeat_n(b' ', blanks));
        }
    }

    pub(super) fn text(&self, text: &[u8], out: &mut Vec<u8>) {
        let text = text.get(..self.precision.unwrap_or(text.len())).unwrap_or(text);
        self.pad("", text, false, out);
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.blank) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (.., true) => " ",
            _ => "",
        }
    }

    /// `d`, `i`, `u`, `o`, `x` and `X`.
    pub(super) fn integer(&self, number: i64, out: &mut Vec<u8>) {
        let unsigned = u64::from_ne_bytes(number.to_ne_bytes());
        let (sign, mut digits) = match self.letter {
            b'u' => ("", unsigned.to_string()),
            b'o' => (if self.other { "0" } else { "" }, format!("{unsigned:o}")),
            b'x' => (if self.other && number != 0 { "0x" } else { "" }, format!("{unsigned:x}")),
            b'X' => (if self.other && number != 0 { "0X" } else { "" }, format!("{unsigned:X}")),
            _ => (self.sign(number < 0), number.unsigned_abs().to_string()),
        };
        if let Some(precision) = self.precision {
            let missing = precision.saturating_sub(digits.len());
            digits.insert_str(0, &"0".repeat(missing));
            if precision == 0 && number == 0 {
                digits.clear();
            }
        }
        self.pad(sign, digits.as_bytes(), self.zero && self.precision.is_none(), out);
    }

    /// `f`, `e`, `g` and their capitals.
    pub(super) fn float(&self, number: f64, out: &mut Vec<u8>) {
        let sign = self.sign(number.is_sign_negative());
        let size = number.abs();
        if !size.is_finite() {
            let text = if size.is_nan() { "nan" } else { "inf" };
            let text = if self.letter.is_ascii_uppercase() { text.to_uppercase() } else { text.into() };
            return self.pad(sign, text.as_bytes(), false, out);
        }
        let precision = self.precision.unwrap_or(6).min(MAX_DIGITS);
        let mut text = match self.letter.to_ascii_lowercase() {
            b'e' => exponent(size, precision),
            b'g' => general(size, precision, self.other),
            _ => format!("{size:.precision$}"),
        };
        if self.letter.is_ascii_uppercase() {
            text = text.to_uppercase();
        }
        self.pad(sign, text.as_bytes(), self.zero, out);
    }
}

/// `%e`: an exponent has a sign and two digits at least.
fn exponent(size: f64, precision: usize) -> String {
    let text = format!("{size:.precision$e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    format!("{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.unsigned_abs())
}

/// `%g`: the shorter of the two, without zeros at the end.
fn general(size: f64, precision: usize, keeps_zeros: bool) -> String {
    let precision = precision.max(1);
    let text = exponent(size, precision - 1);
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let bare = |digits: &str| match digits.contains('.') && !keeps_zeros {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => digits.to_string(),
    };
    match usize::try_from(power) {
        Ok(whole) if whole < precision => bare(&format!("{size:.*}", precision - 1 - whole)),
        Err(_) if power >= -4 => {
            let digits = precision - 1 + usize::try_from(power.unsigned_abs()).unwrap_or(0);
            bare(&format!("{size:.digits$}"))
        }
        _ => format!("{}e{}{:02}", bare(digits), if power < 0 { '-' } else { '+' }, power.unsigned_abs()),
    }
}

/// A number as C's casts cut it off.
#[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates and never panics")]
pub(super) fn whole(number: f64) -> i64 {
    number as i64
}

impl Call<'_> {
    pub(in super::super) fn printf(&mut self) -> u8 {
        let args = match self.args.split_first() {
            Some((first, rest)) if first == b"--" => rest,
            _ => self.args,
        };
        let Some((form, args)) = args.split_first() else {
            self.written.errors(PRINTF_USAGE);
            return 2;
        };
        if form == b"-v" && !self.is_applet() {
            return self.printf_to_variable(args);
        }
        let mut out = Vec::new();
        let status = self.fill_form(form, args, &mut out);
        self.written.output(&out);
        status
    }

    fn printf_to_variable(&mut self, args: &[Vec<u8>]) -> u8 {
        let [name, form, args @ ..] = args else {
            self.written.errors(PRINTF_USAGE);
            return 2;
        };
        let mut out = Vec::new();
        let status = self.fill_form(form, args, &mut out);
        self.shell.assign(&lossy(name), out);
        status
    }

    /// Fills a format, again and again while there are arguments.
    fn fill_form(&mut self, form: &[u8], args: &[Vec<u8>], out: &mut Vec<u8>) -> u8 {
        let mut status = 0;
        let mut rest = args.iter();
        loop {
            let before = rest.len();
            let mut at = 0;
            while let Some(octet) = form.get(at) {
                if *octet != b'%' {
                    let end = form.iter().skip(at).position(|octet| *octet == b'%').map_or(form.len(), |end| at + end);
                    out.extend(Escapes::Format.read(form.get(at..end).unwrap_or_default()).0);
                    at = end;
                    continue;
                }
                let mut faults = Vec::new();
                let mut star = || self::number(rest.next().map(Vec::as_slice), &mut faults);
                let Some((one, length)) = Form::read(form.get(at + 1..).unwrap_or_default(), &mut star) else {
                    self.fail_builtin("`%': missing format character");
                    return 1;
                };
                at += 1 + length;
                match one.letter {
                    b'%' => out.push(b'%'),
                    b's' => one.text(rest.next().map(Vec::as_slice).unwrap_or_default(), out),
                    b'c' => one.text(rest.next().and_then(|arg| arg.get(..1)).unwrap_or_default(), out),
                    b'b' => {
                        let (text, ends) = Escapes::Argument.read(rest.next().map(Vec::as_slice).unwrap_or_default());
                        one.text(&text, out);
                        if ends {
                            return status;
                        }
                    }
                    b'q' => one.text(&quoted(rest.next().map(Vec::as_slice).unwrap_or_default()), out),
                    b'd' | b'i' | b'u' | b'o' | b'x' | b'X' => {
                        one.integer(self::number(rest.next().map(Vec::as_slice), &mut faults), out);
                    }
                    b'f' | b'F' | b'e' | b'E' | b'g' | b'G' => {
                        let arg = rest.next().map(Vec::as_slice).unwrap_or_default();
                        let (value, used) = super::awk::number_of(arg);
                        if used < arg.len() {
                            faults.push(lossy(arg).into_owned());
                        }
                        one.float(value, out);
                    }
                    other => {
                        let text = format!("`{}': invalid format character", lossy(&[other]));
                        self.fail_builtin(&text);
                        return 1;
                    }
                }
                for fault in faults {
                    status = self.fail_builtin(&format!("{fault}: invalid number"));
                }
            }
            if rest.len() == 0 || rest.len() == before || out.len() > MAX_OUTPUT {
                return status;
            }
        }
    }
}

/// An argument as a number of C, with its prefixes; `'a` is the code of the letter.
fn number(arg: Option<&[u8]>, faults: &mut Vec<String>) -> i64 {
    let arg = arg.unwrap_or_default();
    if let [b'\'' | b'"', rest @ ..] = arg {
        return lossy(rest).chars().next().map_or(0, |letter| i64::from(u32::from(letter)));
    }
    let text = lossy(arg);
    let bare = text.trim_start();
    let (negative, digits) = match bare.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, bare.strip_prefix('+').unwrap_or(bare)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(rest) => (16, rest),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    let end = digits.find(|letter: char| !letter.is_digit(radix)).unwrap_or(digits.len());
    if end < digits.len() || digits.is_empty() && !arg.is_empty() {
        faults.push(text.clone().into_owned());
    }
    let size = i128::from_str_radix(digits.get(..end).unwrap_or_default(), radix).unwrap_or(0);
    let number = if negative { -size } else { size };
    i64::try_from(number).unwrap_or(if radix == 10 || negative {
        if negative { i64::MIN } else { i64::MAX }
    } else {
        -1
    })
}

/// `%q`: as the shell would read it.
fn quoted(text: &[u8]) -> Vec<u8> {
    if text.is_empty() {
        return Vec::from(*b"''");
    }
    let plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"%+,-./:=@_^~".contains(octet) || *octet >= 0x80;
    text.iter().flat_map(|octet| if plain(octet) { Vec::from([*octet]) } else { Vec::from([b'\\', *octet]) }).collect()
}
