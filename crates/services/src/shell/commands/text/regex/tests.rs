use alloc::{string::String, vec::Vec};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::limits::shell::MAX_REGEX_WORK;

fn found(pattern: &str, syntax: Syntax, text: &str) -> Option<(usize, usize)> {
    let regex = Regex::new(pattern.as_bytes(), syntax, false).unwrap();
    regex.find(text.as_bytes(), 0, &mut { MAX_REGEX_WORK }).map(|found| (found.start, found.end))
}

#[test]
fn the_leftmost_and_then_the_longest_is_found() {
    let extended = |pattern, text| found(pattern, Syntax::Extended, text);
    assert_eq!(extended("a|ab|abc", "xabcd"), Some((1, 4)));
    assert_eq!(extended("(a|ab)(c|bcd)", "abcd"), Some((0, 4)));
    assert_eq!(extended("b*", "abb"), Some((0, 0)));
    assert_eq!(extended("x*$", "axx"), Some((1, 3)));
    assert_eq!(extended("a{2,3}", "aaaa"), Some((0, 3)));
    assert_eq!(extended("^$", ""), Some((0, 0)));
    assert_eq!(extended("(a*)*b", "aab"), Some((0, 3)));
    assert_eq!(extended("\\<b", "ab b"), Some((3, 4)));
    assert_eq!(found("a\\{2\\}\\|b", Syntax::Basic, "abaa"), Some((1, 2)));
    assert_eq!(found("a|ab", Syntax::Perl, "ab"), Some((0, 1)));
    assert_eq!(found("a+?", Syntax::Perl, "aaa"), Some((0, 1)));
    assert_eq!(found("a{2}", Syntax::Awk, "aa"), None);
}

#[test]
fn groups_hold_what_they_matched() {
    let regex = Regex::new(b"(\\w+)@((\\w+)\\.)+(x)?", Syntax::Extended, false).unwrap();
    let found = regex.find(b"to me@a.bc.", 0, &mut { MAX_REGEX_WORK }).unwrap();
    assert_eq!((found.group(0), found.group(1), found.group(3)), (Some((3, 11)), Some((3, 5)), Some((8, 10))));
    assert_eq!((found.group(4), found.group(9)), (None, None));
}

/// Patterns that take a matcher by trial a time beyond all measure.
#[test]
fn no_pattern_takes_long() {
    let text = "a".repeat(20_000);
    let deep = ["(".repeat(200), ")".repeat(200)].concat();
    for pattern in [
        "(a*)*b",
        "(a|aa)+$b",
        "(a?){100}(a){100}b",
        "((a{1,30}){1,30}){1,30}",
        ".*.*.*.*.*.*x",
        "a{1000}{1000}",
        "(((((a{9}){9}){9}){9}){9})",
        "(){1000}{1000}{1000}",
        "a{0}{30000}{30000}",
        deep.as_str(),
        "a**??++**??++{1}{2}{1}{2}{1}{2}{1}{2}{1}{2}{1}{2}{1}{2}{1}{2}{1}{2}{1}{2}{1}{2}{1}{2}{1}{2}{1}{2}{1}{2}{1}{2}",
    ] {
        let began = Instant::now();
        let mut budget = MAX_REGEX_WORK;
        if let Ok(regex) = Regex::new(pattern.as_bytes(), Syntax::Extended, true) {
            regex.find(text.as_bytes(), 0, &mut budget);
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{pattern}");
    }
}

proptest! {
    #[test]
    fn any_pattern(pattern in prop::collection::vec(any::<u8>(), 0..40), text in prop::collection::vec(any::<u8>(), 0..80), way in 0..5usize) {
        let syntax = [Syntax::Basic, Syntax::Extended, Syntax::Strict, Syntax::Awk, Syntax::Perl][way];
        if let Ok(regex) = Regex::new(&pattern, syntax, way % 2 == 0)
            && let Some(found) = regex.find(&text, 0, &mut { MAX_REGEX_WORK })
        {
            prop_assert!(found.start <= found.end && found.end <= text.len());
        }
    }

    /// Signs that mean something, in any order.
    #[test]
    fn any_signs(parts in prop::collection::vec(prop::sample::select(SIGNS), 0..30), way in 0..5usize) {
        let pattern: String = parts.concat();
        let syntax = [Syntax::Basic, Syntax::Extended, Syntax::Strict, Syntax::Awk, Syntax::Perl][way];
        if let Ok(regex) = Regex::new(pattern.as_bytes(), syntax, false) {
            let texts: Vec<&[u8]> = Vec::from([b"".as_slice(), b"abcabc", b"a b_c 12\n"]);
            for text in texts {
                let found = regex.find(text, 0, &mut { MAX_REGEX_WORK });
                prop_assert!(found.is_none_or(|found| found.start <= found.end && found.end <= text.len()));
            }
        }
    }
}

const SIGNS: &[&str] = &[
    "a",
    "b",
    "c",
    ".",
    "*",
    "+",
    "?",
    "{2}",
    "{1,}",
    "{,3}",
    "{",
    "}",
    "\\{1,2\\}",
    "(",
    ")",
    "\\(",
    "\\)",
    "|",
    "\\|",
    "^",
    "$",
    "[",
    "]",
    "[^",
    "[a-c]",
    "[[:digit:]]",
    "\\w",
    "\\b",
    "\\<",
    "\\>",
    "\\B",
    "\\",
    "-",
    "\\1",
    "(?:",
    "\\K",
    "\\d",
];
