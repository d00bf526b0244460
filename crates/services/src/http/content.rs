//! Files: their dates and tags, conditions (RFC 9110 §13) and ranges (§14).

use alloc::{format, string::String, vec::Vec};

use super::{
    request::{Request, number},
    respond::Answer,
    spec::{Etag, FileSpec, Ranges},
};
use crate::{calendar::Moment, limits::http::MAX_RANGES, text::mix};

const NANOS: u64 = 1_000_000_000;
/// Of a server that joins: how many it takes, and octets between two that become one (`http_range.c` of lighttpd).
const MAX_JOINED: usize = 10;
const NEAR: u64 = 80;
/// Seconds from 1601, where Windows begins to count, to 1970.
const FROM_1601: u64 = 11_644_473_600;

/// A file as it lies on one decoy's disk.
#[derive(Debug)]
pub(super) struct File<'f> {
    pub(super) spec: &'f FileSpec,
    /// Seconds since 1970.
    pub(super) modified: u64,
    /// Microseconds beyond them; only some tags show them.
    pub(super) micros: u64,
    /// Octets of the file.
    pub(super) length: u64,
    /// Octets of what is sent of it, and the tag of that: another one if it was compressed.
    pub(super) sent: u64,
    pub(super) sent_tag: Option<String>,
}

/// What a request for a file comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Whole,
    NotModified,
    Failed,
    /// First and last octet of each.
    Parts(Vec<(u64, u64)>),
    Unsatisfiable,
}

impl File<'_> {
    pub(super) fn etag(&self) -> String {
        match self.spec.etag {
            Etag::None => String::new(),
            Etag::SecondsLength => format!("\"{:x}-{:x}\"", self.modified, self.length),
            Etag::LengthMicroseconds => format!("\"{:x}-{:x}\"", self.length, self.modified * 1_000_000 + self.micros),
            Etag::Number => {
                let mut file = [0; 16];
                let (first, second) = file.split_at_mut(8);
                first.copy_from_slice(&self.modified.to_le_bytes());
                second.copy_from_slice(&(self.micros << 32 | self.length).to_le_bytes());
                format!("\"{}\"", mix(&file, 0) & u64::from(u32::MAX))
            }
            Etag::FileTime => {
                let intervals = (self.modified + FROM_1601) * 10_000_000;
                let octets = intervals.to_le_bytes().map(|octet| format!("{octet:x}"));
                format!("\"{}:0\"", octets.concat())
            }
        }
    }

    pub(super) fn last_modified(&self) -> String {
        Moment::at(self.modified * NANOS).imf()
    }

    /// The headers of a file, those that are `wanted`.
    pub(super) fn headed(&self, answer: Answer, wanted: impl Fn(&str) -> bool) -> Answer {
        self.headed_with(answer, self.etag(), wanted)
    }

    /// The same for what is sent of it.
    pub(super) fn headed_as_sent(&self, answer: Answer, wanted: impl Fn(&str) -> bool) -> Answer {
        self.headed_with(answer, self.sent_tag.clone().unwrap_or_else(|| self.etag()), wanted)
    }

    fn headed_with(&self, mut answer: Answer, tag: String, wanted: impl Fn(&str) -> bool) -> Answer {
        answer = answer.with("Last-Modified", self.last_modified());
        if !tag.is_empty() {
            answer = answer.with("ETag", tag);
        }
        if self.spec.ranges != Ranges::None {
            answer = answer.with("Accept-Ranges", "bytes");
        }
        let names = ["Last-Modified", "ETag", "Accept-Ranges"];
        answer.headers.retain(|(name, _)| !names.contains(&name.as_str()) || wanted(name));
        answer
    }

    pub(super) fn judge(&self, request: &Request, now: u64) -> Outcome {
        let tag = self.etag();
        if self.spec.plain_conditions {
            let since = || request.value("if-modified-since").and_then(parse_date).map(|date| date >= self.modified);
            let same = request.joined("if-none-match").map(|list| tag_in(&list, &tag, true)).or_else(since);
            return if same == Some(true) { Outcome::NotModified } else { self.ranges(request) };
        }
        if request.joined("if-match").is_some_and(|list| !tag_in(&list, &tag, false)) {
            return Outcome::Failed;
        }
        let limit = request.value("if-unmodified-since").map(parse_date);
        // Those that compare dates to the second take one that cannot be read for the oldest of all.
        if limit.is_some_and(|limit| limit.map_or(self.spec.exact_date, |limit| self.modified > limit)) {
            return Outcome::Failed;
        }
        let none_match = request.joined("if-none-match").map(|list| tag_in(&list, &tag, true));
        let since = request.value("if-modified-since").map(|value| self.is_unmodified(parse_date(value), now));
        if (none_match.is_some() || since.is_some()) && none_match.unwrap_or(true) && since.unwrap_or(true) {
            return Outcome::NotModified;
        }
        self.ranges(request)
    }

    fn is_unmodified(&self, since: Option<u64>, now: u64) -> bool {
        match since {
            None => false,
            Some(since) if self.spec.exact_date => since == self.modified,
            Some(since) => since >= self.modified && since <= now,
        }
    }

    fn ranges(&self, request: &Request) -> Outcome {
        let Some(value) = request.value("range").filter(|_| self.spec.ranges != Ranges::None) else {
            return Outcome::Whole;
        };
        let Some((unit, list)) = value.split_at_checked(6) else { return Outcome::Whole };
        if !unit.eq_ignore_ascii_case(b"bytes=") || list.is_empty() && self.spec.ranges != Ranges::Joined {
            return Outcome::Whole;
        }
        if let Some(condition) = request.value("if-range") {
            let fits = if condition.contains(&b'"') {
                condition == self.sent_tag.clone().unwrap_or_else(|| self.etag()).as_bytes()
            } else {
                parse_date(condition) == Some(self.modified)
            };
            if !fits {
                return Outcome::Whole;
            }
        }
        match self.spec.ranges {
            Ranges::None => Outcome::Whole,
            Ranges::Strict => self.strict(list),
            Ranges::Joined => self.joined(list),
            Ranges::Lenient => self.lenient(list),
        }
    }

    fn strict(&self, list: &[u8]) -> Outcome {
        let (mut parts, mut sum) = (Vec::new(), 0u64);
        for item in list.split(|&octet| octet == b',') {
            let Some(dash) = item.iter().position(|&octet| octet == b'-') else { return Outcome::Unsatisfiable };
            let (first, last) = item.split_at_checked(dash).unwrap_or((item, &[]));
            let (first, last) = (trim(first), trim(last.get(1..).unwrap_or(&[])));
            let (start, end) = match (first, last) {
                (b"", b"") => return Outcome::Unsatisfiable,
                (b"", suffix) => match number(suffix) {
                    None => return Outcome::Unsatisfiable,
                    Some(count) => (self.sent.saturating_sub(count), self.sent),
                },
                (first, b"") => match number(first) {
                    None => return Outcome::Unsatisfiable,
                    Some(start) => (start, self.sent),
                },
                (first, last) => match (number(first), number(last)) {
                    (Some(start), Some(last)) => (start, last.saturating_add(1).min(self.sent)),
                    _ => return Outcome::Unsatisfiable,
                },
            };
            if [first, last].iter().any(|n| number(n).is_some_and(|n| i64::try_from(n).is_err())) {
                return Outcome::Unsatisfiable;
            }
            if start < end {
                sum = sum.saturating_add(end - start);
                parts.push((start, end - 1));
            } else if start == 0 {
                return Outcome::Whole;
            }
            if parts.len() > MAX_RANGES {
                return Outcome::Whole;
            }
        }
        match parts.len() {
            0 => Outcome::Unsatisfiable,
            _ if sum > self.sent => Outcome::Whole,
            _ => Outcome::Parts(parts),
        }
    }

    fn joined(&self, list: &[u8]) -> Outcome {
        let mut parts: Vec<(u64, u64)> = Vec::new();
        let limit = |digits: &[u8]| number(digits).filter(|&n| i64::try_from(n).is_ok());
        for item in list.split(|&octet| octet == b',') {
            let Some(dash) = item.iter().position(|&octet| octet == b'-') else { break };
            let (first, last) = (trim(item.get(..dash).unwrap_or(&[])), trim(item.get(dash + 1..).unwrap_or(&[])));
            let (start, end) = match (first, last) {
                (b"", suffix) => match limit(suffix) {
                    None => break,
                    Some(count) => (self.sent.saturating_sub(count), self.sent),
                },
                (first, b"") => match limit(first) {
                    None => break,
                    Some(start) => (start, self.sent),
                },
                (first, last) => match (limit(first), limit(last)) {
                    (Some(start), Some(last)) if start <= last => (start, last.saturating_add(1).min(self.sent)),
                    _ => break,
                },
            };
            if start < end && parts.len() < MAX_JOINED {
                parts.push((start, end - 1));
            }
        }
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (start, end) in parts {
            match joined.last_mut() {
                Some((low, high)) if start <= high.saturating_add(NEAR) && end.saturating_add(NEAR) >= *low => {
                    *low = start.min(*low);
                    *high = end.max(*high);
                }
                _ => joined.push((start, end)),
            }
        }
        if joined.is_empty() { Outcome::Unsatisfiable } else { Outcome::Parts(joined) }
    }

    fn lenient(&self, list: &[u8]) -> Outcome {
        let mut parts: Vec<(u64, u64)> = Vec::new();
        let mut any = false;
        for item in list.split(|&octet| octet == b',') {
            let item = item.trim_ascii();
            if item.is_empty() {
                continue;
            }
            let Some(dash) = item.iter().position(|&octet| octet == b'-') else { return Outcome::Whole };
            let (first, last) = (item.get(..dash).unwrap_or(&[]), item.get(dash + 1..).unwrap_or(&[]));
            let limit = |digits: &[u8]| number(digits).filter(|&n| i64::try_from(n).is_ok());
            let (start, end) = match (first, last) {
                (b"", suffix) => match limit(suffix) {
                    None | Some(0) => return Outcome::Whole,
                    Some(count) => (self.sent.saturating_sub(count), self.sent.saturating_sub(1)),
                },
                (first, b"") => match limit(first) {
                    None => return Outcome::Whole,
                    Some(start) => (start, self.sent.saturating_sub(1)),
                },
                (first, last) => match (limit(first), limit(last)) {
                    (Some(start), Some(end)) if start <= end => (start, end.min(self.sent.saturating_sub(1))),
                    _ => return Outcome::Whole,
                },
            };
            any = true;
            if start >= self.sent {
                continue;
            }
            match parts.last_mut() {
                // Those that touch become one.
                Some((low, high)) if start <= high.saturating_add(1) && end.saturating_add(1) >= *low => {
                    *low = start.min(*low);
                    *high = end.max(*high);
                }
                _ => parts.push((start, end)),
            }
            if parts.len() > MAX_RANGES {
                return Outcome::Whole;
            }
        }
        match parts.len() {
            0 if any => Outcome::Unsatisfiable,
            0 => Outcome::Whole,
            _ => Outcome::Parts(parts),
        }
    }
}

fn trim(mut octets: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = octets {
        octets = rest;
    }
    octets
}

/// Whether a list of entity tags has this one. Weak comparison takes no account of `W/` (RFC 9110 §8.8.3.2).
fn tag_in(list: &[u8], tag: &str, weak: bool) -> bool {
    list.split(|&octet| octet == b',').map(<[u8]>::trim_ascii).any(|item| {
        let item = if weak { item.strip_prefix(b"W/").unwrap_or(item) } else { item };
        item == b"*" || (!tag.is_empty() && item == tag.as_bytes())
    })
}

/// IMF-fixdate (RFC 9110 §5.6.7), seconds since 1970. The name of the day is not looked at.
pub(super) fn parse_date(text: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(text).ok()?.trim();
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let clock = words.next()?;
    let widths = [day.len(), month.len(), year.len(), clock.len()];
    if widths != [2, 3, 4, 8] {
        return None;
    }
    let mut clock = clock.split(':').filter(|digits| digits.len() == 2);
    let mut next = || clock.next().and_then(|digits| number(digits.as_bytes()));
    let (hour, minute, second) = (next()?, next()?, next()?);
    let (day, year) = (number(day.as_bytes())?, number(year.as_bytes())?);
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = u64::try_from(names.iter().position(|name| *name == month)?).ok()?;
    if !(1970..3000).contains(&year) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years are counted from March, so that the leap day is the last of its year.
    let (from_march, of_year) = if month >= 2 { (month - 2, year) } else { (month + 10, year - 1) };
    let days = of_year * 365 + of_year / 4 - of_year / 100 + of_year / 400 + (from_march * 153 + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}
