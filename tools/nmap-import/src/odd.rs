//! Answers outside of a connection: T2 to T7, and a T1 that is no SYN-ACK.

use chaff_engine::personality::{AckRule, Answer, Layout, Reply, SeqRule};

use crate::{
    crc,
    database::Entry,
    expression,
    options::{self, Own},
};

/// The first value that an attribute accepts.
pub(crate) fn value(entry: &Entry, test: &str, attribute: &str) -> Option<String> {
    expression::candidates(entry.get(test, attribute)?).into_iter().next()
}

/// Whether an attribute accepts a value; one that is not there accepts any.
pub(crate) fn may(entry: &Entry, test: &str, attribute: &str, value: &str) -> bool {
    entry.get(test, attribute).is_none_or(|expression| expression::accepts(expression, value))
}

/// The answer of a test.
pub(crate) fn answer(entry: &Entry, test: &str, own: Own, ttl: Option<u8>) -> Answer {
    let unknown = !entry.tests.contains_key(test);
    if unknown || !may(entry, test, "R", "Y") { Answer::Silent } else { Answer::Reply(reply(entry, test, own, ttl)) }
}

/// The segment of a test. `ttl` where it is not the stack's.
pub(crate) fn reply(entry: &Entry, test: &str, own: Own, ttl: Option<u8>) -> Reply {
    let flags = value(entry, test, "F").unwrap_or_else(|| "AR".into());
    let rd = value(entry, test, "RD").and_then(|sum| u32::from_str_radix(&sum, 16).ok()).unwrap_or(0);
    let (text, data) = if rd == 0 { Default::default() } else { crc::data(rd) };
    let said = value(entry, test, "O").and_then(|text| options::read(&text)).filter(|options| !options.is_empty());
    Reply {
        seq: seq(entry, test),
        ack: ack(entry, test),
        window: value(entry, test, "W").and_then(|w| u16::from_str_radix(&w, 16).ok()).unwrap_or(0),
        df: !may(entry, test, "DF", "N"),
        options: said.map(|options| options::layout(&options, own)).filter(|layout| *layout != Layout::default()),
        text,
        data,
        ttl,
        reserved: quirk(entry, test, 'R'),
        urgent: quirk(entry, test, 'U'),
        flags,
    }
}

/// Whether the test must show this oddity (Q).
pub(crate) fn quirk(entry: &Entry, test: &str, letter: char) -> bool {
    !may(entry, test, "Q", "") && value(entry, test, "Q").is_some_and(|q| q.contains(letter))
}

fn seq(entry: &Entry, test: &str) -> SeqRule {
    let rules = [("Z", SeqRule::Zero), ("A", SeqRule::Ack), ("A+", SeqRule::AckPlusOne)];
    let fresh = if test == "T1" { SeqRule::Initial } else { SeqRule::Fresh };
    let fits = |(letter, _): &&(&str, SeqRule)| entry.get(test, "S").is_some() && may(entry, test, "S", letter);
    // `A` is what stacks do (RFC 9293 §3.10.7.1 for a segment with ACK), so it wins where several are accepted.
    let preferred = if matches!(test, "T4" | "T6") { [1, 0, 2] } else { [0, 1, 2] };
    preferred.iter().filter_map(|&i| rules.get(i)).find(fits).map_or(fresh, |(_, rule)| *rule)
}

/// The rule by which a real stack would come to what the test shows.
fn ack(entry: &Entry, test: &str) -> AckRule {
    let fits = |letter: &str| entry.get(test, "A").is_some_and(|expression| expression::accepts(expression, letter));
    match test {
        // No octet of sequence space, so that the number itself is what RFC 9293 §3.10.7.1 wants.
        "T2" if fits("S") => AckRule::SeqPlusLength,
        "T2" if fits("S+") => AckRule::SeqPlusOne,
        // SYN and FIN: two.
        "T3" if fits("S+") => AckRule::SeqPlusOne,
        "T3" if fits("O") => AckRule::SeqPlusLength,
        // SYN, or FIN: one.
        "T1" | "T5" | "T7" if fits("S+") => AckRule::SeqPlusLength,
        "T4" | "T6" if fits("Z") => AckRule::Zero,
        "T4" | "T6" if fits("O") => AckRule::Ack,
        _ if fits("S") => AckRule::Seq,
        _ if fits("S+") => AckRule::SeqPlusOne,
        _ if fits("Z") => AckRule::Zero,
        _ => AckRule::Fresh,
    }
}
