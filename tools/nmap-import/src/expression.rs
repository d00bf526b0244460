//! How nmap compares a value that it saw with an expression of its database, as observed from outside.
//!
//! There are two ways. nmap up to 7.94 has quirks: an alternative that is not the last matches every value that begins
//! with it; a plain number before a range is never found; an empty alternative that is not the last matches everything.
//! nmap 7.95 and later compare each alternative for itself, and know ranges inside of strings, in brackets. A value is
//! good if both accept it, so that the same file serves either.

/// Whether both ways accept `value`. Brackets mean that the database is of the newer kind, which the older cannot read.
pub(crate) fn accepts(expression: &str, value: &str) -> bool {
    strict(expression, value) && (expression.contains('[') || quirky(expression, value))
}

/// Values worth trying: of each alternative its text, of a range its ends and middle, of a bound what is next to it.
pub(crate) fn candidates(expression: &str) -> Vec<String> {
    let mut values: Vec<String> = alternatives(expression).into_iter().flat_map(values).collect();
    let mut seen = std::collections::BTreeSet::new();
    values.retain(|value| seen.insert(value.clone()) && accepts(expression, value));
    values
}

/// The numbers up to `most` that are accepted.
pub(crate) fn numbers(expression: &str, most: u32) -> Vec<u32> {
    (0..=most).filter(|number| accepts(expression, &format!("{number:X}"))).collect()
}

/// nmap 7.95 and later.
pub(crate) fn strict(expression: &str, value: &str) -> bool {
    alternatives(expression).into_iter().any(|alternative| one(alternative, value))
}

/// nmap up to 7.94.
pub(crate) fn quirky(expression: &str, value: &str) -> bool {
    let number = prefix_number(value).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number);
    let mut rest = expression;
    loop {
        let (alternative, last) = match rest.split_once('|') {
            Some((alternative, _)) => (alternative, false),
            None => (rest, true),
        };
        let whole = |text: &str| prefix_number(text).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number);
        let found = match (number, alternative.as_bytes().first()) {
            (Some(number), Some(b'<')) => whole(&alternative[1..]).is_some_and(|bound| number < bound),
            (Some(number), Some(b'>')) => whole(&alternative[1..]).is_some_and(|bound| number > bound),
            // A dash is looked for in all that is left, beyond this alternative's end.
            (Some(number), _) if rest.contains('-') => match alternative.split_once('-') {
                Some((low, high)) => whole(low).zip(whole(high)).is_some_and(|(l, h)| (l..=h).contains(&number)),
                None => false,
            },
            _ if last => value == alternative,
            _ => value.starts_with(alternative),
        };
        if found {
            return true;
        }
        match rest.split_once('|') {
            Some((_, next)) => rest = next,
            None => return false,
        }
    }
}

/// A hexadecimal number at the start of a text, and what follows it. Nothing at all counts as zero, as in strtol(3).
fn prefix_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() { Some((0, rest)) } else { u64::from_str_radix(digits, 16).ok().map(|number| (number, rest)) }
}

/// The parts between the bars that are not inside brackets.
fn alternatives(expression: &str) -> Vec<&str> {
    let mut depth = 0;
    let bar = |c: char| {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        c == '|' && depth == 0
    };
    expression.split(bar).collect()
}

/// One alternative as nmap 7.95 compares it.
fn one(alternative: &str, value: &str) -> bool {
    if let Some((before, rest)) = alternative.split_once('[') {
        let Some((inside, after)) = rest.split_once(']') else { return false };
        let Some(tail) = value.strip_prefix(before) else { return false };
        let end = tail.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(tail.len());
        // The digits of the number may be followed by letters that are digits too: every length is tried.
        return (1..=end).rev().any(|end| {
            let (digits, tail) = tail.split_at(end);
            strict(inside, digits) && one(after, tail)
        });
    }
    let number = u64::from_str_radix(value, 16).ok();
    let parsed = |text: &str| u64::from_str_radix(text, 16).ok();
    match (number, alternative.split_at_checked(1)) {
        (Some(number), Some(("<", bound))) => parsed(bound).is_some_and(|bound| number < bound),
        (Some(number), Some((">", bound))) => parsed(bound).is_some_and(|bound| number > bound),
        (Some(number), _) if alternative.contains('-') => {
            let ends = alternative.split_once('-').and_then(|(low, high)| parsed(low).zip(parsed(high)));
            ends.is_some_and(|(low, high)| (low..=high).contains(&number))
        }
        _ => alternative == value,
    }
}

fn values(alternative: &str) -> Vec<String> {
    if let Some((before, rest)) = alternative.split_once('[') {
        let Some((inside, after)) = rest.split_once(']') else { return Vec::new() };
        let (insides, afters) = (candidates(inside), values(after));
        return insides
            .iter()
            .flat_map(|inside| afters.iter().map(move |after| format!("{before}{inside}{after}")))
            .collect();
    }
    let parsed = |text: &str| u64::from_str_radix(text, 16).ok();
    if let Some(bound) = alternative.strip_prefix('<').and_then(parsed) {
        return vec![format!("{:X}", bound.saturating_sub(1))];
    }
    if let Some(bound) = alternative.strip_prefix('>').and_then(parsed) {
        return vec![format!("{:X}", bound + 1)];
    }
    if let Some((low, high)) = alternative.split_once('-').and_then(|(low, high)| parsed(low).zip(parsed(high))) {
        return [low.midpoint(high), low, high].map(|value| format!("{value:X}")).into();
    }
    vec![alternative.into()]
}

#[cfg(test)]
mod tests;
