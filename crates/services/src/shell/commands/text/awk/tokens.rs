//! The words of a program of `awk`.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::values::number_of;
use crate::shell::{commands::text::lossy, escapes::Escapes};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(Vec<u8>),
    Regex(Vec<u8>),
    Name(String),
    /// A function that is built in, by its place in [`FUNCTIONS`].
    Function(&'static str),
    Word(&'static str),
    Sign(&'static str),
    End,
}

pub(super) const FUNCTIONS: &[&str] = &[
    "length", "substr", "index", "split", "toupper", "tolower", "sub", "gsub", "match", "sprintf", "int", "rand",
    "srand", "sqrt", "close", "fflush",
];
const WORDS: &[&str] = &[
    "BEGIN", "END", "print", "printf", "if", "else", "while", "do", "for", "in", "next", "exit", "break", "continue",
    "delete", "getline", "function", "return",
];
const SIGNS: &[&str] = &[
    "+=", "-=", "*=", "/=", "%=", "^=", "==", "!=", "<=", ">=", "&&", "||", "++", "--", "!~", ">>", "{", "}", "(", ")",
    "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!", ">", "<", "|", "?", ":", "~", "$", "=",
];

/// The words, each with its line.
pub(super) fn tokens(source: &[u8]) -> Result<Vec<(Token, usize)>, String> {
    let mut tokens: Vec<(Token, usize)> = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(octet) = source.get(at) {
        let rest = source.get(at..).unwrap_or_default();
        let (token, length) = match octet {
            b'\n' => (Token::Sign("\n"), 1),
            b' ' | b'\t' | b'\r' => {
                at += 1;
                continue;
            }
            b'\\' if rest.starts_with(b"\\\n") => {
                at += 2;
                line += 1;
                continue;
            }
            b'#' => {
                at += rest.iter().position(|octet| *octet == b'\n').unwrap_or(rest.len());
                continue;
            }
            b'"' => {
                let end = closing(rest, b'"');
                let Some(inside) = end.and_then(|end| rest.get(1..end)) else {
                    return Err(format!("line {line}: runaway string constant {} ...", shown(rest)));
                };
                (Token::Text(unescaped(inside)), inside.len() + 2)
            }
            b'/' if !ends_operand(tokens.last()) => {
                let end = closing(rest, b'/');
                let Some(inside) = end.and_then(|end| rest.get(1..end)) else {
                    return Err(format!("line {line}: runaway regular expression {} ...", shown(rest)));
                };
                (Token::Regex(inside.to_vec()), inside.len() + 2)
            }
            b'0'..=b'9' => number(rest),
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => number(rest),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let end = rest.iter().position(|octet| !octet.is_ascii_alphanumeric() && *octet != b'_');
                let name = lossy(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()).to_string();
                let length = name.len();
                let known = |list: &[&'static str]| list.iter().find(|known| **known == name).copied();
                let token = match (known(WORDS), known(FUNCTIONS)) {
                    (Some(word), _) => Token::Word(word),
                    (_, Some(function)) => Token::Function(function),
                    _ => Token::Name(name),
                };
                (token, length)
            }
            other => match SIGNS.iter().find(|sign| rest.starts_with(sign.as_bytes())) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => return Err(format!("{line}: unexpected character '{}'", char::from(*other))),
            },
        };
        at += length;
        tokens.push((token, line));
        line += usize::from(*octet == b'\n');
    }
    tokens.push((Token::End, line + 1));
    Ok(tokens)
}

fn number(rest: &[u8]) -> (Token, usize) {
    let (value, length) = number_of(rest);
    (Token::Number(value), length.max(1))
}

/// What a message shows of a text that does not end.
fn shown(rest: &[u8]) -> String {
    let line = rest.split(|octet| *octet == b'\n').next().unwrap_or_default();
    lossy(line.get(..10).unwrap_or(line)).to_string()
}

/// Where a text that begins with a sign ends; in the brackets of a pattern a slash is one.
fn closing(rest: &[u8], sign: u8) -> Option<usize> {
    let (mut at, mut bracket) = (1, false);
    loop {
        match rest.get(at)? {
            b'\n' => return None,
            b'\\' => at += 1,
            octet if *octet == sign && !bracket => return Some(at),
            b'[' if sign == b'/' => bracket = true,
            b']' => bracket = false,
            _ => {}
        }
        at += 1;
    }
}

/// Whether what came last is a value, so that a slash divides.
fn ends_operand(last: Option<&(Token, usize)>) -> bool {
    match last {
        Some((token, _)) => matches!(
            token,
            Token::Number(_)
                | Token::Text(_)
                | Token::Regex(_)
                | Token::Name(_)
                | Token::Function("length")
                | Token::Sign(")" | "]" | "$" | "++" | "--")
        ),
        None => false,
    }
}

/// A text with its escapes resolved; what is no escape stays.
pub(in super::super) fn unescaped(text: &[u8]) -> Vec<u8> {
    Escapes::Awk.read(text).0
}
