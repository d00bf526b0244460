//! IP identification: a rule for each kind of answer, for what SEQ says of TI, CI, II and SS.

use chaff_engine::personality::{IdRule, IdSeat, IdStep};

use crate::{database::Entry, expression};

/// Rules of the three kinds of answer that nmap looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) syn_ack: IdRule,
    pub(crate) reset: IdRule,
    pub(crate) echo: IdRule,
}

/// Classes of sequences in nmap's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Zero,
    Random,
    Counter(IdStep),
    Constant(u16),
    /// No class at all.
    None,
}

/// `closed` is how many of T5, T6 and T7 are answered.
pub(crate) fn rules(entry: &Entry, closed: usize) -> Rules {
    let of = |attribute| entry.get("SEQ", attribute).map(classes).unwrap_or_default();
    let (ti, ci, ii) = (of("TI"), of("CI"), of("II"));
    let syn_ack = ti.first().copied().unwrap_or(Class::Counter(IdStep::One));
    // Two numbers are never random to nmap, only a counter of random steps.
    let possible = |class: &Class, samples: usize| *class != Class::Random || samples > 2;
    let choose = |classes: &[Class], samples: usize, like: &[Class]| {
        let mut fitting = classes.iter().filter(|class| possible(class, samples));
        let same = like.iter().find(|class| classes.contains(class) && possible(class, samples));
        let fallback = if classes.is_empty() { like.first().copied() } else { Some(Class::None) };
        same.or_else(|| fitting.next()).copied().or(fallback).unwrap_or(Class::Counter(IdStep::One))
    };
    let reset = choose(&ci, closed, &[syn_ack]);
    let echo = choose(&ii, 2, &[syn_ack, reset]);
    let shared = entry.get("SEQ", "SS");
    let place = |class: Class, number: u8, seat: IdSeat| match class {
        Class::Zero => IdRule::Zero,
        Class::Random => IdRule::Random,
        Class::Constant(id) => IdRule::Constant(id),
        Class::Counter(step) => IdRule::Counter { number, step, seat },
        Class::None => IdRule::Counter { number: 2, step: IdStep::Hundreds, seat: IdSeat::Any },
    };
    let counted = matches!((syn_ack, echo), (Class::Counter(_), Class::Counter(_)));
    let (main, other) = match shared {
        _ if !counted => (IdSeat::Any, IdSeat::Any),
        Some(shared) if !expression::accepts(shared, "S") => (IdSeat::Low, IdSeat::High),
        _ if echo != syn_ack => (IdSeat::High, IdSeat::Low),
        _ => (IdSeat::Any, IdSeat::Any),
    };
    let apart = echo != syn_ack || main != other;
    Rules {
        syn_ack: plain(place(syn_ack, 0, main)),
        reset: plain(if reset == syn_ack { place(reset, 0, main) } else { place(reset, 1, IdSeat::Any) }),
        echo: plain(match echo {
            _ if !apart => place(echo, 0, main),
            _ if echo == reset && main == other => place(echo, 1, IdSeat::Any),
            _ => place(echo, 2, other),
        }),
    }
}

/// The plain word for a rule, where there is one.
fn plain(rule: IdRule) -> IdRule {
    match rule {
        IdRule::Counter { number: 0, step, seat: IdSeat::Any } => match step {
            IdStep::One => IdRule::Host,
            IdStep::Swapped => IdRule::HostSwapped,
            IdStep::Random => IdRule::HostRandomStep,
            IdStep::Hundreds => rule,
        },
        IdRule::Counter { number: 1, step: IdStep::One, seat: IdSeat::Any } => IdRule::SecondHost,
        other => other,
    }
}

/// The classes that an expression accepts, the most orderly first.
fn classes(expression: &str) -> Vec<Class> {
    let words = [
        ("I", Class::Counter(IdStep::One)),
        ("Z", Class::Zero),
        ("BI", Class::Counter(IdStep::Swapped)),
        ("RI", Class::Counter(IdStep::Random)),
        ("RD", Class::Random),
    ];
    let mut found: Vec<Class> =
        words.iter().filter(|(word, _)| expression::accepts(expression, word)).map(|(_, class)| *class).collect();
    if found.is_empty() {
        let numbers = expression::candidates(expression).into_iter();
        found.extend(numbers.filter_map(|value| u16::from_str_radix(&value, 16).ok()).map(Class::Constant));
    }
    found
}
