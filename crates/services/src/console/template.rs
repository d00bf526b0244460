//! What a text is made of before it is filled: texts within it, parts that come again, and lengths.

use alloc::{
    format,
    string::{String, ToString},
};

use super::spec::ConsoleSpec;
use crate::limits::console::MAX_ROWS;

/// Puts in `{text:name}`, and writes what stands between `{rows:1-24}` and `{end}` once for each number, `{n}`.
pub(super) fn expand(spec: &ConsoleSpec, text: &str) -> String {
    let mut whole = text.to_string();
    for (name, part) in &spec.texts {
        whole = whole.replace(&format!("{{text:{name}}}"), part);
    }
    let mut done = String::new();
    let mut rest = whole.as_str();
    while let Some((before, numbers, body, after)) = rows(rest) {
        done.push_str(before);
        for number in numbers {
            done.push_str(&body.replace("{n}", &number.to_string()));
        }
        rest = after;
    }
    done.push_str(rest);
    done
}

/// The next part that comes again: what is before it, its numbers, the part, what is behind it.
fn rows(text: &str) -> Option<(&str, core::ops::RangeInclusive<u32>, &str, &str)> {
    let (before, from) = text.split_once("{rows:")?;
    let (range, from) = from.split_once('}')?;
    let (body, after) = from.split_once("{end}")?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    Some((before, first..=last.min(first.saturating_add(MAX_ROWS)), body, after))
}

/// Puts in `{octets}`: how many octets follow its line.
pub(super) fn measured(text: String) -> String {
    let Some((before, after)) = text.split_once("{octets}") else { return text };
    let octets = after.split_once('\n').map_or(0, |(_, rest)| rest.trim_end().len() + 1);
    format!("{before}{octets}{after}")
}
