//! `sed`: `s`, and `l`.

use alloc::{borrow::Cow, format, vec::Vec};

use super::{Piece, Substitution, running::Run};
use crate::{limits::shell::MAX_SCRIPT_TEXT, shell::commands::text::regex::Found};

impl Run<'_> {
    /// `l`: what is no plain letter as an escape, in lines of 70.
    pub(super) fn list(&mut self) {
        let mut shown = Vec::new();
        let mut column = 0;
        for octet in &self.space {
            let escape: Cow<'_, [u8]> = match octet {
                b'\\' => b"\\\\".into(),
                b'\n' => b"\\n".into(),
                b'\t' => b"\\t".into(),
                b' '..=b'~' => Vec::from([*octet]).into(),
                other => format!("\\{other:03o}").into_bytes().into(),
            };
            if column + escape.len() > 69 {
                shown.extend_from_slice(b"\\\n");
                column = 0;
            }
            column += escape.len();
            shown.extend_from_slice(&escape);
        }
        shown.extend_from_slice(b"$\n");
        self.end_line();
        self.out.append(&mut shown);
    }

    pub(super) fn substitute(&mut self, substitution: &Substitution) {
        let (mut done, mut at, mut count) = (Vec::new(), 0, 0);
        let (mut copied, mut last_end) = (0, None);
        while let Some(found) = self.find(substitution.regex, at) {
            let rest = self.space.get(copied..found.start).unwrap_or_default();
            // An empty match directly behind another is none.
            let empty_again = found.end == found.start && last_end == Some(found.start);
            done.extend_from_slice(rest);
            copied = found.start;
            if !empty_again {
                count += 1;
                if count >= substitution.from {
                    self.replace(substitution, &found, &mut done);
                } else {
                    done.extend_from_slice(self.space.get(found.start..found.end).unwrap_or_default());
                }
                copied = found.end;
                last_end = Some(found.end);
                if count >= substitution.from && !substitution.every {
                    break;
                }
            }
            at = found.end;
            if found.end == found.start {
                let Some(octet) = self.space.get(found.end) else { break };
                done.push(*octet);
                at += 1;
                copied = at;
            }
            if at > self.space.len() || done.len() > MAX_SCRIPT_TEXT {
                break;
            }
        }
        if count < substitution.from {
            return;
        }
        done.extend_from_slice(self.space.get(copied..).unwrap_or_default());
        done.truncate(MAX_SCRIPT_TEXT);
        self.space = done;
        self.substituted = true;
        if substitution.print {
            self.print();
        }
    }

    fn replace(&self, substitution: &Substitution, found: &Found, done: &mut Vec<u8>) {
        // The case of what follows, and of its first letter alone.
        let (mut case, mut once) = (b'E', b'E');
        for piece in &substitution.by {
            let text = match piece {
                Piece::Case(letter @ (b'u' | b'l')) => {
                    once = *letter;
                    continue;
                }
                Piece::Case(letter) => {
                    case = *letter;
                    continue;
                }
                Piece::Text(text) => text.as_slice(),
                Piece::Group(number) => {
                    found.group(*number).and_then(|(start, end)| self.space.get(start..end)).unwrap_or_default()
                }
            };
            for octet in text {
                done.push(match (core::mem::replace(&mut once, b'E'), case) {
                    (b'u', _) | (b'E', b'U') => octet.to_ascii_uppercase(),
                    (b'l', _) | (b'E', b'L') => octet.to_ascii_lowercase(),
                    _ => *octet,
                });
            }
            if done.len() > MAX_SCRIPT_TEXT {
                break;
            }
        }
    }
}
