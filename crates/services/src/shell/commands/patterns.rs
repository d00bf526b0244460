//! Names with `*` and `?`.

use alloc::{format, string::String, vec::Vec};

use crate::{
    limits::shell::MAX_MATCHES,
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

/// Whether a name fits a pattern: a star is tried from where it stood last, so the time is the product of the lengths.
pub(in crate::shell) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(octet) if *octet == b'?' || name.get(in_name) == Some(octet) => {
                at += 1;
                in_name += 1;
            }
            _ => match star {
                Some((place, matched)) => {
                    star = Some((place, matched + 1));
                    at = place + 1;
                    in_name = matched + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|octet| *octet == b'*')
}
