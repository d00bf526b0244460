//! `md5sum`, `sha1sum`, `sha256sum`, `sha512sum` and `base64`.

use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{Call, count, lines_of, lossy};

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Call<'_> {
    pub(in super::super) fn checksum(&mut self) -> u8 {
        let long = [("check", 'c'), ("binary", 'b'), ("text", 't'), ("quiet", 'q'), ("status", 'S'), ("warn", 'w')];
        let options = match self.getopt("cbtqSwz", &long) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let mut paths = options.paths();
        if paths.is_empty() {
            paths.push("-".into());
        }
        let mut status = 0;
        for path in &paths {
            let (texts, failed) = self.texts(core::slice::from_ref(path));
            status = status.max(failed);
            let Some((_, text)) = texts.first() else { continue };
            if options.has('c') {
                status = status.max(self.check(path, text, options.has('q'), options.has('S')));
            } else {
                let sum = self.sum(text);
                self.say(&format!("{sum} {}{path}\n", if options.has('b') { '*' } else { ' ' }));
            }
        }
        status
    }

    fn sum(&self, text: &[u8]) -> String {
        match self.name {
            "md5sum" => hex(&Md5::digest(text)),
            "sha1sum" => hex(&Sha1::digest(text)),
            "sha256sum" => hex(&Sha256::digest(text)),
            _ => hex(&Sha512::digest(text)),
        }
    }

    /// Holds files against the sums of a list.
    fn check(&mut self, list: &str, text: &[u8], quiet: bool, silent: bool) -> u8 {
        let (mut wrong, mut missing, mut any) = (0, 0, false);
        let length = self.sum(b"").len();
        for line in lines_of(text) {
            let line = lossy(line).into_owned();
            let Some((sum, path)) = line.split_at_checked(length) else { continue };
            let Some(path) = path.strip_prefix("  ").or_else(|| path.strip_prefix(" *")) else { continue };
            if !sum.bytes().all(|octet| octet.is_ascii_hexdigit()) {
                continue;
            }
            any = true;
            let (texts, _) = self.texts(&[path.into()]);
            let said = match texts.first() {
                None => {
                    missing += 1;
                    "FAILED open or read"
                }
                Some((_, text)) if self.sum(text) == sum.to_ascii_lowercase() => "OK",
                Some(_) => {
                    wrong += 1;
                    "FAILED"
                }
            };
            if !(silent || quiet && said == "OK") {
                self.say(&format!("{path}: {said}\n"));
            }
        }
        if !any {
            let list = if list == "-" { "'standard input'" } else { list };
            return self.fail(&format!("{list}: no properly formatted checksum lines found"));
        }
        let files = |count: usize, of: &str| format!("{count} {of}{}", if count == 1 { "" } else { "s" });
        if missing > 0 && !silent {
            self.fail(&format!("WARNING: {} could not be read", files(missing, "listed file")));
        }
        if wrong > 0 && !silent {
            self.fail(&format!("WARNING: {} did NOT match", files(wrong, "computed checksum")));
        }
        u8::from(wrong + missing > 0)
    }

    pub(in super::super) fn base64(&mut self) -> u8 {
        let options = match self.getopt("diw:", &[("decode", 'd'), ("ignore-garbage", 'i'), ("wrap", 'w')]) {
            Ok(options) => options,
            Err(status) => return status,
        };
        if let Some(extra) = options.rest.get(1) {
            return self.fail_with_hint(&format!("extra operand ‘{}’", lossy(extra)));
        }
        let width = match options.value('w') {
            None => 76,
            Some(value) => match count(value) {
                Some(width) => width,
                None => return self.fail(&format!("invalid wrap size: ‘{}’", lossy(value))),
            },
        };
        let (texts, status) = self.texts(&options.paths());
        let Some((_, text)) = texts.first() else { return status };
        if !options.has('d') {
            let encoded = encode(text);
            for line in encoded.chunks(if width == 0 { usize::MAX } else { width }) {
                self.written.output(line);
                if width > 0 {
                    self.written.output(b"\n");
                }
            }
            return 0;
        }
        let (decoded, fits) = decode(text, options.has('i'));
        self.written.output(&decoded);
        if fits { 0 } else { self.fail("invalid input") }
    }
}

pub(super) fn hex(octets: &[u8]) -> String {
    let mut text = String::new();
    for octet in octets {
        let _ = write!(text, "{octet:02x}");
    }
    text
}

fn encode(text: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(text.len() / 3 * 4 + 4);
    for part in text.chunks(3) {
        let [one, two, three] = [0, 1, 2].map(|at| u32::from(part.get(at).copied().unwrap_or(0)));
        let bits = one << 16 | two << 8 | three;
        for place in 0..4 {
            let letter = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or(0);
            let fits = place <= part.len();
            encoded.push(if fits { LETTERS.get(letter).copied().unwrap_or(b'=') } else { b'=' });
        }
    }
    encoded
}

/// What is decoded up to what is no base64, and whether all is.
fn decode(text: &[u8], ignores: bool) -> (Vec<u8>, bool) {
    let mut decoded = Vec::new();
    let mut group: Vec<u8> = Vec::new();
    let mut fills = 0;
    for octet in text.iter().filter(|octet| **octet != b'\n') {
        match LETTERS.iter().position(|letter| letter == octet) {
            Some(value) if fills == 0 => group.push(u8::try_from(value).unwrap_or(0)),
            None if *octet == b'=' && group.len() >= 2 => fills += 1,
            _ if ignores && *octet != b'=' => continue,
            _ => {
                decoded.extend(octets(&group));
                return (decoded, false);
            }
        }
        if group.len() + fills == 4 {
            decoded.extend(octets(&group));
            group.clear();
            fills = 0;
        }
    }
    decoded.extend(octets(&group));
    (decoded, group.is_empty())
}

fn octets(group: &[u8]) -> Vec<u8> {
    let bits = (0..4).fold(0u32, |bits, at| bits << 6 | u32::from(group.get(at).copied().unwrap_or(0)));
    let [_, whole @ ..] = bits.to_be_bytes();
    whole.into_iter().take(group.len().saturating_sub(1)).collect()
}
