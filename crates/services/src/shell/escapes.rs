//! Backslashes and what follows them, where programs and the shell read them themselves.

use alloc::{string::String, vec::Vec};

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// `awk`, and options that take signs.
    Awk,
    /// The format of `printf`.
    Format,
    /// `%b` of `printf`.
    Argument,
    /// `echo -e`.
    Echo,
    /// `$'…'` of bash.
    Quoted,
}

impl Escapes {
    /// The octets that a text stands for, and whether `\c` has ended all output. What is no escape stays.
    pub(super) fn read(self, text: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((octet, after)) = rest.split_first() {
            rest = after;
            let Some((letter, after)) = rest.split_first().filter(|_| *octet == b'\\') else {
                out.push(*octet);
                continue;
            };
            rest = after;
            let meant = match letter {
                b'a' => 7,
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 11,
                b'\\' => b'\\',
                b'"' if self != Self::Echo => b'"',
                b'\'' if self == Self::Quoted => b'\'',
                b'e' | b'E' if self != Self::Awk => 27,
                b'c' if matches!(self, Self::Argument | Self::Echo) => return (out, true),
                b'x' | b'u' | b'U' if self != Self::Awk => {
                    let value = digits(
                        &mut rest,
                        16,
                        if *letter == b'u' {
                            4
                        } else if *letter == b'U' {
                            8
                        } else {
                            2
                        },
                    );
                    if *letter != b'x' {
                        let letter = char::from_u32(value).unwrap_or('\u{fffd}');
                        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                        continue;
                    }
                    low(value)
                }
                // A zero stands before the three digits of arguments.
                b'0' if matches!(self, Self::Argument | Self::Echo) => low(digits(&mut rest, 8, 3)),
                b'0'..=b'7' if self != Self::Echo => {
                    let mut value = u32::from(letter - b'0');
                    let before = rest.len();
                    let more = digits(&mut rest, 8, 2);
                    for _ in rest.len()..before {
                        value *= 8;
                    }
                    value += more;
                    low(value)
                }
                other => {
                    out.push(b'\\');
                    *other
                }
            };
            out.push(meant);
        }
        (out, false)
    }
}

/// The number of at most so many digits that comes next.
fn digits(rest: &mut &[u8], radix: u32, most: usize) -> u32 {
    let count = rest.iter().take(most).take_while(|octet| char::from(**octet).is_digit(radix)).count();
    let (number, after) = rest.split_at(count);
    *rest = after;
    u32::from_str_radix(&String::from_utf8_lossy(number), radix).unwrap_or(0)
}

fn low(value: u32) -> u8 {
    u8::try_from(value & 0xff).unwrap_or(0)
}
