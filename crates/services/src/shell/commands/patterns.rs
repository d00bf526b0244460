//! Names with `*` and `?`.

use alloc::{format, string::String, vec::Vec};

use crate::{
    limits::shell::{MAX_FITTING, MAX_MATCHES},
    shell::{Shell, files::join},
};

/// The paths that fit a pattern with `*` and `?` (POSIX.1-2017 XCU §2.13), in order.
pub(in crate::shell) fn matching_paths(shell: &Shell, pattern: &str) -> Vec<String> {
    let mut found = Vec::from([String::from(if pattern.starts_with('/') { "/" } else { "" })]);
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in found {
            let directory = join(&shell.directory, if base.is_empty() { "." } else { &base });
            let Ok(entries) = shell.files.list(&directory, shell.asker()) else { continue };
            let hidden = part.starts_with('.');
            for (name, _) in entries {
                if name.starts_with('.') == hidden && fits(part.as_bytes(), name.as_bytes()) && next.len() < MAX_MATCHES
                {
                    let slash = if base.is_empty() || base.ends_with('/') { "" } else { "/" };
                    next.push(format!("{base}{slash}{name}"));
                }
            }
        }
        found = next;
    }
    found
}

/// Whether a word with these octets is a pattern.
pub(in crate::shell) fn is_pattern(octets: &[u8]) -> bool {
    octets.iter().any(|octet| matches!(octet, b'*' | b'?')) || octets.contains(&b'[') && octets.contains(&b']')
}

/// Whether a name fits a pattern: a star is tried from where it stood last, so the time is the product of the lengths.
/// Where that is beyond a limit, it does not fit.
pub(in crate::shell) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    if pattern.len().saturating_mul(name.len()) > MAX_FITTING {
        return false;
    }
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(octet) = name.get(in_name) {
        let rest = pattern.get(at..).unwrap_or_default();
        if rest.first() == Some(&b'*') {
            star = Some((at, in_name));
            at += 1;
        } else if let Some(length) = one(rest, *octet) {
            at += length;
            in_name += 1;
        } else if let Some((place, matched)) = star {
            star = Some((place, matched + 1));
            at = place + 1;
            in_name = matched + 1;
        } else {
            return false;
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|octet| *octet == b'*')
}

/// How long the sign is at the start of a pattern that an octet fits.
fn one(pattern: &[u8], octet: u8) -> Option<usize> {
    let (first, rest) = pattern.split_first()?;
    match first {
        b'?' => Some(1),
        b'[' => {
            let negated = matches!(rest.first(), Some(b'!' | b'^'));
            let from = usize::from(negated);
            // A bracket that comes first is one of the octets.
            let Some(end) = rest.iter().skip(from + 1).position(|o| *o == b']').map(|at| at + from + 1) else {
                return (octet == b'[').then_some(1);
            };
            let inside = rest.get(from..end)?;
            let mut found = false;
            let mut left = inside;
            while let Some((low, behind)) = left.split_first() {
                left = behind;
                let high = match left {
                    [b'-', high, behind @ ..] => {
                        left = behind;
                        high
                    }
                    _ => low,
                };
                found |= (*low..=*high).contains(&octet);
            }
            (found != negated).then_some(end + 2)
        }
        b'\\' => rest.first().filter(|escaped| **escaped == octet).map(|_| 2),
        own => (*own == octet).then_some(1),
    }
}
