//! What variables of `awk` hold.

use alloc::{rc::Rc, string::ToString, vec::Vec};
use core::cmp::Ordering;

use crate::shell::commands::text::{
    form::{Form, whole},
    lossy,
};

#[derive(Clone, Debug, Default)]
pub(super) enum Value {
    #[default]
    Unset,
    Number(f64),
    Text(Rc<[u8]>),
    /// What was read and looks like a number: it is both.
    Both(Rc<[u8]>, f64),
}

/// Integers that are written as such: mawk's.
const MAX_INTEGER: f64 = 2_147_483_647.0;

impl Value {
    /// What was read: of a line, a field, or the command line.
    pub(super) fn read(text: &[u8]) -> Self {
        let (number, used) = number_of(text);
        let after = text.get(used..).unwrap_or_default();
        if used > 0 && after.iter().all(u8::is_ascii_whitespace) {
            Self::Both(text.into(), number)
        } else {
            Self::Text(text.into())
        }
    }

    pub(super) fn truth(holds: bool) -> Self {
        Self::Number(f64::from(u8::from(holds)))
    }

    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Unset => 0.0,
            Self::Number(number) | Self::Both(_, number) => *number,
            Self::Text(text) => number_of(text).0,
        }
    }

    pub(super) fn text(&self) -> Rc<[u8]> {
        match self {
            Self::Unset => Rc::from([]),
            Self::Number(number) => written(*number).into(),
            Self::Text(text) | Self::Both(text, _) => Rc::clone(text),
        }
    }

    pub(super) fn holds(&self) -> bool {
        match self {
            Self::Unset => false,
            Self::Number(number) | Self::Both(_, number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
        }
    }

    /// Numbers by their size, anything else by its octets.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(_), _) | (_, Self::Text(_)) => self.text().cmp(&other.text()),
            _ => self.number().partial_cmp(&other.number()).unwrap_or(Ordering::Greater),
        }
    }
}

/// A number as `print` and joining write it: integers as such, the others in `%.6g`.
pub(super) fn written(number: f64) -> Vec<u8> {
    if number.abs() <= MAX_INTEGER && number % 1.0 == 0.0 {
        return whole(number).to_string().into_bytes();
    }
    let mut out = Vec::new();
    Form { letter: b'g', ..Form::default() }.float(number, &mut out);
    out
}

/// The number at the beginning of a text, and how long it is: 0 if there is none.
pub(in super::super) fn number_of(text: &[u8]) -> (f64, usize) {
    let blanks = text.iter().take_while(|octet| octet.is_ascii_whitespace()).count();
    let bare = text.get(blanks..).unwrap_or_default();
    let signs = usize::from(matches!(bare.first(), Some(b'+' | b'-')));
    let negative = bare.first() == Some(&b'-');
    let rest = bare.get(signs..).unwrap_or_default();
    let size = |value: f64| if negative { -value } else { value };
    if let [b'0', b'x' | b'X', digits @ ..] = rest
        && digits.first().is_some_and(u8::is_ascii_hexdigit)
    {
        let count = digits.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
        let digit = |octet: &u8| f64::from(crate::text::hex_digit(*octet).unwrap_or(0));
        let value = digits.iter().take(count).fold(0.0, |value, octet| value * 16.0 + digit(octet));
        return (size(value), blanks + signs + 2 + count);
    }
    let mut length = 0;
    let mut digits = 0;
    let run = |from: usize| rest.iter().skip(from).take_while(|octet| octet.is_ascii_digit()).count();
    digits += run(0);
    length += digits;
    if rest.get(length) == Some(&b'.') {
        let behind = run(length + 1);
        digits += behind;
        length += 1 + behind;
    }
    if digits == 0 {
        return (0.0, 0);
    }
    if matches!(rest.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(rest.get(length + 1), Some(b'+' | b'-')));
        let power = run(length + 1 + sign);
        if power > 0 {
            length += 1 + sign + power;
        }
    }
    let value = lossy(rest.get(..length).unwrap_or_default()).parse().unwrap_or(0.0);
    (size(value), blanks + signs + length)
}
