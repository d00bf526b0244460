//! The client's version line (RFC 4253 §4.2), read as OpenSSH's `kex_exchange_identification` reads it: octet by octet,
//! so that what comes after a fault stays unread.

use alloc::vec::Vec;

use super::spec::SshSpec;

/// A line that is coming in.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// All that came, its end included.
    pub(crate) raw: Vec<u8>,
    /// A carriage return came: only the line feed may follow.
    returned: bool,
}

/// What the line was.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// A version line, without its end.
    Good(Vec<u8>),
    /// No version line.
    Bad,
    /// A version line of another major version.
    OtherMajor,
    /// Software that this server does not talk to.
    Shunned,
}

impl Line {
    /// Takes octets up to the end of the line or the first that cannot be in one.
    pub(crate) fn take(&mut self, spec: &SshSpec, octets: &[u8]) -> (usize, Option<Verdict>) {
        let lax = !spec.answers.versions.is_empty();
        for (place, &octet) in octets.iter().enumerate() {
            let taken = place.saturating_add(1);
            let length = self.raw.len();
            if lax && octet == b'\r' {
                // Skipped wherever it stands, and not counted; nor is it kept, or a line of them would have no bound.
                continue;
            }
            self.raw.push(octet);
            match octet {
                b'\r' => self.returned = true,
                b'\n' => return (taken, Some(judge(spec, self.raw.trim_ascii_end_of_line()))),
                0 if !lax => return (taken, Some(Verdict::Bad)),
                // Whoever takes any end of a line takes that of the room for it as well.
                _ if lax && self.raw.len() >= spec.answers.max_version() => {
                    return (taken, Some(judge(spec, self.raw.trim_ascii_end_of_line())));
                }
                _ if self.returned || length >= spec.answers.max_version() => return (taken, Some(Verdict::Bad)),
                _ => {}
            }
        }
        (octets.len(), None)
    }
}

trait EndOfLine {
    fn trim_ascii_end_of_line(&self) -> Vec<u8>;
}

impl EndOfLine for Vec<u8> {
    /// Without line feed and carriage returns, which OpenSSH skips wherever nothing follows them.
    fn trim_ascii_end_of_line(&self) -> Vec<u8> {
        self.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect()
    }
}

fn judge(spec: &SshSpec, line: Vec<u8>) -> Verdict {
    let known = &spec.answers.versions;
    if !known.is_empty() {
        let fits = known.iter().any(|start| line.starts_with(start.as_bytes()));
        return if fits { Verdict::Good(line) } else { Verdict::Bad };
    }
    let Some((major, minor, software)) = parts(&line) else { return Verdict::Bad };
    // 1.99 is how a server, or a client, of both versions names itself (RFC 4253 §5.1).
    if major != 2 && (major, minor) != (1, 99) {
        return Verdict::OtherMajor;
    }
    if spec.answers.shunned.iter().any(|pattern| fits(pattern.as_bytes(), software)) {
        return Verdict::Shunned;
    }
    Verdict::Good(line)
}

/// `SSH-major.minor-software`, with the liberties of `sscanf("SSH-%d.%d-%[^\n]")`: white space and a sign in front of a
/// number.
fn parts(line: &[u8]) -> Option<(i64, i64, &[u8])> {
    let rest = line.strip_prefix(b"SSH-")?;
    let (major, rest) = number(rest)?;
    let (minor, rest) = number(rest.strip_prefix(b".")?)?;
    let software = rest.strip_prefix(b"-")?;
    (!software.is_empty()).then_some((major, minor, software))
}

fn number(octets: &[u8]) -> Option<(i64, &[u8])> {
    let octets = octets.trim_ascii_start();
    let (negative, octets) = match octets.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, octets),
    };
    let digits = octets.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let (digits, rest) = octets.split_at_checked(digits).filter(|(digits, _)| !digits.is_empty())?;
    let value = digits.iter().fold(0i64, |value, digit| value.saturating_mul(10).saturating_add(i64::from(digit & 15)));
    Some((if negative { -value } else { value }, rest))
}

/// Whether a pattern with `*` fits.
pub(crate) fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|from| text.get(from..).is_some_and(|text| fits(rest, text))),
        Some((octet, rest)) => text.split_first().is_some_and(|(first, text)| first == octet && fits(rest, text)),
    }
}
