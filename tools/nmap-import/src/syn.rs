//! Answers to SYNs: a stack model (layouts by what was offered, segment size, window, scale) and exceptions for the
//! probes that it does not explain.

use chaff_engine::personality::{
    Answer, Ecn, Layout, LayoutOption, LayoutRule, MssRule, Offered, SynAnswer, SynException, Tcp, TimestampOffset,
    Timestamps, WindowRule,
};

use crate::{
    database::Entry,
    expression,
    odd::{self, may, quirk, value},
    options::{self, Own},
    probes::{self, Syn},
    ttl::Found,
};

type Options = Vec<LayoutOption>;

/// What was chosen for one of the SYNs.
#[derive(Clone, Debug)]
struct Chosen {
    options: Option<Options>,
    window: Option<u16>,
}

/// How timestamps must look over the six SYNs of the sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stamps {
    /// Nothing is said.
    Any,
    /// At least one has none (nmap: U).
    Unsupported,
    /// At least one is zero (0).
    Zero,
    /// All tick, by this code.
    Ticking(u32),
}

/// What SYNs are answered with.
pub(crate) struct Syns {
    pub(crate) tcp: Tcp,
    pub(crate) timestamps: Timestamps,
    pub(crate) own: Own,
}

/// A segment size of an ordinary network card: larger ones were recorded on a loopback interface.
const LARGEST_USUAL_MSS: u16 = 9_000;
/// Where nothing else is said.
const ETHERNET_MSS: u16 = 1_460;

/// `sparse`: so many of the SYNs that nmap times are left unanswered the first time, so that it computes no statistics.
pub(crate) fn syns(entry: &Entry, ttl: &Found, sparse: bool, source: &str) -> Syns {
    let (stamps, chosen, timed) = chosen(entry);
    let all = chosen.iter().filter_map(|chosen| chosen.options.as_ref());
    let mss = most_frequent(all.clone().filter_map(|options| options::mss(options)), |mss| *mss != ETHERNET_MSS);
    let scale = most_frequent(all.filter_map(|options| options::scale(options)), |scale| *scale > 14);
    let own = Own {
        mss: mss.filter(|mss| *mss >= 64).unwrap_or(ETHERNET_MSS),
        scale: scale.filter(|s| *s <= 14).unwrap_or(0),
    };
    let ecn_chosen = Chosen { options: read(entry, "ECN", "O"), window: window(entry, "ECN", "W") };

    let stamped = |chosen: &&Chosen| chosen.options.as_ref().is_some_and(|options| options::stamp(options).is_some());
    let first = chosen.first().and_then(|chosen| chosen.window).or(ecn_chosen.window).unwrap_or(5_840);
    let with = chosen.iter().find(stamped).and_then(|chosen| chosen.window).unwrap_or(first);
    let without = chosen.iter().chain([&ecn_chosen]).find(|chosen| !stamped(chosen)).and_then(|chosen| chosen.window);
    let mut tcp = Tcp {
        source: source.into(),
        mss: own.mss,
        mss_rule: MssRule::Own,
        window_scale: own.scale,
        window_timestamps: WindowRule::Constant(with),
        window: WindowRule::Constant(without.unwrap_or(first)),
        window_unscaled: None,
        layouts: layouts(&chosen, &ecn_chosen, own, stamps),
        exceptions: Vec::new(),
        ecn: ecn(entry),
        signed_silent: false,
    };
    for mss_rule in [MssRule::Least, MssRule::LeastNamed] {
        let other = Tcp { mss_rule, ..tcp.clone() };
        if misfits(&other, &chosen) < misfits(&tcp, &chosen) {
            tcp = other;
        }
    }
    let mut exceptions = Vec::new();
    for (index, (probe, chosen)) in probes::SEQUENCE.iter().zip(&chosen).enumerate() {
        let answered_at_once = timed & (1 << index) != 0 && !(sparse && index < 3);
        exceptions.extend(sequence(entry, &tcp, own, probe, chosen, answered_at_once));
    }
    exceptions.extend(congestion(entry, &tcp, own, &ecn_chosen, ttl));
    exceptions.extend(third(entry, &tcp, own, ttl));
    tcp.exceptions = exceptions;
    Syns { tcp, timestamps: timestamps(stamps, source), own }
}

/// Options and windows of the six SYNs, and which of them may be answered when nmap takes the time, as bits.
fn chosen(entry: &Entry) -> (Stamps, Vec<Chosen>, u8) {
    let candidates: Vec<Vec<Options>> = (1..=6).map(|n| candidates(entry, "OPS", &format!("O{n}"))).collect();
    let ways = ways(entry);
    let tried = ways.into_iter().map(|stamps| {
        let picked: Vec<Option<Options>> = candidates.iter().map(|these| pick(these, stamps, &candidates)).collect();
        // The most SYNs that may be answered so that what is seen of timestamps fits.
        let subsets = (0..64u8).rev().filter(|&subset| timestamps_fit(stamps, &picked, subset));
        let best = subsets.max_by_key(|subset| subset.count_ones()).unwrap_or(0);
        (stamps, picked, best)
    });
    let (stamps, picked, timed) = tried
        .reduce(|best, other| if other.2.count_ones() > best.2.count_ones() { other } else { best })
        .unwrap_or_else(|| (Stamps::Any, vec![None; 6], 63));
    let windows = (1..=6).map(|n| window(entry, "WIN", &format!("W{n}")));
    let chosen = picked.into_iter().zip(windows).map(|(options, window)| Chosen { options, window }).collect();
    (stamps, chosen, timed)
}

/// The ways in which timestamps may look, the plainest first.
fn ways(entry: &Entry) -> Vec<Stamps> {
    let Some(ts) = entry.get("SEQ", "TS") else { return vec![Stamps::Any] };
    let mut codes = expression::numbers(ts, 0x24);
    let order = [7, 0xA, 8, 9, 1];
    codes.retain(|code| *code > 2 || *code == 1);
    codes.sort_by_key(|code| (order.iter().position(|other| other == code).unwrap_or(9), code.abs_diff(0x21)));
    let mut ways: Vec<Stamps> = codes.into_iter().map(Stamps::Ticking).take(1).collect();
    if expression::accepts(ts, "U") {
        ways.push(Stamps::Unsupported);
    }
    if expression::accepts(ts, "0") {
        ways.push(Stamps::Zero);
    }
    if ways.is_empty() { vec![Stamps::Ticking(2)] } else { ways }
}

/// Of a probe's options those that suit the timestamps and what the other probes say.
fn pick(these: &[Options], stamps: Stamps, all: &[Vec<Options>]) -> Option<Options> {
    let suits = |options: &Options| match (stamps, options::stamp(options)) {
        (Stamps::Any, _) | (Stamps::Unsupported, None) | (Stamps::Zero, Some(true)) => true,
        (Stamps::Ticking(_), Some(zero)) => !zero,
        (Stamps::Unsupported, Some(_)) | (Stamps::Zero, _) | (Stamps::Ticking(_), None) => false,
    };
    let votes = |options: &Options| {
        let (mss, scale) = (options::mss(options), options::scale(options));
        let others = all.iter().flatten();
        let same = others.filter(|other| options::mss(other) == mss && options::scale(other) == scale).count();
        (mss.is_none_or(|mss| mss <= LARGEST_USUAL_MSS), same, mss == Some(ETHERNET_MSS))
    };
    // Of equals the first: the database has the most usual one there.
    let best = |these: &mut dyn Iterator<Item = &Options>| {
        these.reduce(|best, other| if votes(other) > votes(best) { other } else { best }).cloned()
    };
    best(&mut these.iter().filter(|options| suits(options))).or_else(|| best(&mut these.iter()))
}

/// What nmap makes of the timestamps of a subset: the last that is lacking or zero decides.
fn timestamps_fit(stamps: Stamps, picked: &[Option<Options>], subset: u8) -> bool {
    let answered =
        picked.iter().enumerate().filter(|(index, _)| subset & (1 << index) != 0).map(|(_, options)| options);
    let mut said = None;
    for options in answered.flatten() {
        match options::stamp(options) {
            None => said = Some(Stamps::Unsupported),
            Some(true) => said = Some(Stamps::Zero),
            Some(false) => {}
        }
    }
    match (stamps, said) {
        (Stamps::Any, _) => true,
        (Stamps::Ticking(2), None) => subset.count_ones() < 2,
        (Stamps::Ticking(_), None) => true,
        (stamps, None) => subset.count_ones() < 2 || picked.iter().all(Option::is_none) && stamps != Stamps::Any,
        (stamps, Some(said)) => stamps == said,
    }
}

fn timestamps(stamps: Stamps, source: &str) -> Timestamps {
    let (hz, offset) = match stamps {
        Stamps::Any | Stamps::Unsupported | Stamps::Zero => (100, TimestampOffset::Boot),
        Stamps::Ticking(1 | 2) => (2, TimestampOffset::Boot),
        Stamps::Ticking(7) => (100, TimestampOffset::Boot),
        Stamps::Ticking(8) => (250, TimestampOffset::Boot),
        Stamps::Ticking(9) => (500, TimestampOffset::Boot),
        Stamps::Ticking(0xA) => (1_000, TimestampOffset::Boot),
        Stamps::Ticking(code @ 3..0x1C) => (1 << code, TimestampOffset::Boot),
        // The increments of random values would be folded at half of all numbers, so the highest stays below its middle.
        Stamps::Ticking(0x22..) => (1_000, TimestampOffset::Leap { per_second: 13_000_000_000 }),
        Stamps::Ticking(code) => (1_000, TimestampOffset::Leap { per_second: 1 << code }),
    };
    Timestamps { source: source.into(), hz, offset, echo_zero: false }
}

/// The layouts that the probes show, each for what it offers.
fn layouts(chosen: &[Chosen], ecn: &Chosen, own: Own, stamps: Stamps) -> Vec<LayoutRule> {
    let of = |index: usize| chosen.get(index).and_then(|chosen| chosen.options.as_ref());
    let full = [0, 1, 4, 5].into_iter().find_map(of);
    // Where no option is told of, there may still be timestamps to show.
    let mut fallback = vec![LayoutOption::MaxSegmentSizeOf(own.mss)];
    if matches!(stamps, Stamps::Ticking(_) | Stamps::Zero) {
        let stamp = LayoutOption::TimestampsOf { value: stamps != Stamps::Zero, echo: true };
        fallback.extend([LayoutOption::Nop, LayoutOption::Nop, stamp]);
    } else if let Some(options) = &ecn.options {
        fallback.clone_from(options);
    }
    let mut rules =
        vec![LayoutRule { offered: Offered::ALL, options: options::layout(full.unwrap_or(&fallback), own) }];
    let further = [(2, of(2)), (3, of(3)), (5, of(5))];
    for (index, options) in further {
        let (Some(options), Some(probe)) = (options, probes::SEQUENCE.get(index)) else { continue };
        rules.push(LayoutRule { offered: options::offered(probe.options), options: options::layout(options, own) });
    }
    if let Some(options) = &ecn.options {
        rules.push(LayoutRule {
            offered: options::offered(probes::ECN.options),
            options: options::layout(options, own),
        });
    }
    rules
}

/// What the model answers to a probe: options with their values, and the window.
fn modelled(tcp: &Tcp, probe: &Syn) -> (Options, u16) {
    let offered = options::offered(probe.options);
    let listed = |set: Offered| tcp.layouts.iter().find(|rule| rule.offered == set).map(|rule| &rule.options);
    let full = listed(Offered::ALL).cloned().unwrap_or_default();
    let layout = listed(offered).cloned().unwrap_or_else(|| full.restricted_to(offered));
    let client =
        probe.options.find("0204").and_then(|at| u16::from_str_radix(probe.options.get(at + 4..at + 8)?, 16).ok());
    let mss = match tcp.mss_rule {
        MssRule::Own => tcp.mss,
        MssRule::Least => tcp.mss.min(client.unwrap_or(536)),
        MssRule::LeastNamed => tcp.mss.min(client.unwrap_or(tcp.mss)),
    };
    let filled = layout.0.iter().map(|option| match option {
        LayoutOption::MaxSegmentSize => LayoutOption::MaxSegmentSizeOf(mss),
        LayoutOption::WindowScale => LayoutOption::WindowScaleOf(tcp.window_scale),
        LayoutOption::Timestamps => LayoutOption::TimestampsOf { value: true, echo: offered.has(Offered::TIMESTAMPS) },
        other => *other,
    });
    let options: Options = filled.collect();
    let rule = if options::stamp(&options).is_some() { tcp.window_timestamps } else { tcp.window };
    (options, if let WindowRule::Constant(window) = rule { window } else { 0 })
}

fn misfits(tcp: &Tcp, chosen: &[Chosen]) -> usize {
    let wrong =
        |(probe, chosen): &(&Syn, &Chosen)| chosen.options.as_ref().is_some_and(|o| *o != modelled(tcp, probe).0);
    probes::SEQUENCE.iter().zip(chosen).filter(wrong).count()
}

/// The exception that makes of the model's answer what is wanted, if one is needed.
fn exception(tcp: &Tcp, probe: &Syn, chosen: &Chosen) -> (SynException, bool) {
    let (options, window) = modelled(tcp, probe);
    let differing = chosen.options.as_ref().filter(|wanted| **wanted != options);
    let exception = SynException {
        offered: probe.options.into(),
        offered_window: Some(probe.window),
        options: differing.map(|options| Layout(options.clone())),
        window: chosen.window.filter(|wanted| *wanted != window),
        mss: None,
        ttl: None,
        df: None,
        reserved: false,
        urgent: false,
        answer: SynAnswer::Accept,
        every_second: false,
    };
    let needed = exception.options.is_some() || exception.window.is_some();
    (exception, needed)
}

/// The exception for one of the six SYNs: T1 speaks for all of them.
fn sequence(
    entry: &Entry,
    tcp: &Tcp,
    own: Own,
    probe: &Syn,
    chosen: &Chosen,
    answered_at_once: bool,
) -> Option<SynException> {
    let (mut exception, mut needed) = exception(tcp, probe, chosen);
    (exception.reserved, exception.urgent) = (quirk(entry, "T1", 'R'), quirk(entry, "T1", 'U'));
    needed |= exception.reserved || exception.urgent;
    exception.every_second = !answered_at_once;
    let is_first = probe.window == 1;
    // A number that the client chose, where numbers are said to grow: only the first SYN can be answered so, late.
    let copied = !may(entry, "T1", "S", "O") && !may(entry, "T1", "S", "Z") && !may(entry, "SEQ", "GCD", "0");
    let speaks = is_first || !copied || entry.get("SEQ", "GCD").is_none();
    let is_syn_ack = may(entry, "T1", "F", "AS") && may(entry, "T1", "S", "O") && may(entry, "T1", "A", "S+");
    if entry.silent("T1") {
        exception.answer = SynAnswer::Silent;
    } else if !is_syn_ack && speaks {
        exception.every_second |= copied && entry.get("SEQ", "GCD").is_some();
        let mut reply = odd::reply(entry, "T1", own, None);
        let (options, window) = modelled(tcp, probe);
        let options = chosen.options.clone().unwrap_or(options);
        reply.options = Some(Layout(options)).filter(|layout| !layout.0.is_empty());
        reply.window = chosen.window.unwrap_or(window);
        exception.answer = SynAnswer::Reply(reply);
    }
    (needed || exception.every_second || exception.answer != SynAnswer::Accept).then_some(exception)
}

fn congestion(entry: &Entry, tcp: &Tcp, own: Own, chosen: &Chosen, ttl: &Found) -> Option<SynException> {
    let (mut exception, mut needed) = exception(tcp, &probes::ECN, chosen);
    let df = !may(entry, "ECN", "DF", "N");
    let (main, this) = (ttl.of.get("T1"), ttl.of.get("ECN"));
    exception.df = (entry.get("ECN", "DF").is_some() && df == may(entry, "T1", "DF", "N")).then_some(df);
    exception.ttl = this.filter(|this| Some(*this) != main).copied();
    (exception.reserved, exception.urgent) = (quirk(entry, "ECN", 'R'), quirk(entry, "ECN", 'U'));
    needed |= exception.df.is_some() || exception.ttl.is_some() || exception.reserved || exception.urgent;
    let _ = own;
    if entry.tests.contains_key("ECN") && !may(entry, "ECN", "R", "Y") {
        exception.answer = SynAnswer::Silent;
        needed = true;
    }
    needed.then_some(exception)
}

/// T3 where it is answered as a SYN is.
fn third(entry: &Entry, tcp: &Tcp, own: Own, ttl: &Found) -> Option<SynException> {
    if syn_fin(entry, own, ttl) != Answer::Accept {
        return None;
    }
    let probe = Syn { window: probes::T3_WINDOW, options: probes::ODD };
    let chosen = Chosen { options: read(entry, "T3", "O"), window: window(entry, "T3", "W") };
    let (mut exception, needed) = exception(tcp, &probe, &chosen);
    let df = !may(entry, "T3", "DF", "N");
    exception.df = (entry.get("T3", "DF").is_some() && df == may(entry, "T1", "DF", "N")).then_some(df);
    exception.ttl = ttl.of.get("T3").filter(|this| Some(*this) != ttl.of.get("T1")).copied();
    (needed || exception.df.is_some() || exception.ttl.is_some()).then_some(exception)
}

/// The answer to a SYN with FIN: accepted, if it looks as an accepted SYN does.
pub(crate) fn syn_fin(entry: &Entry, own: Own, ttl: &Found) -> Answer {
    let this = ttl.of.get("T3").copied();
    let answer = odd::answer(entry, "T3", own, this.filter(|ttl_3| Some(ttl_3) != ttl.of.get("T1")));
    let is_syn_ack = may(entry, "T3", "F", "AS")
        && may(entry, "T3", "S", "O")
        && may(entry, "T3", "A", "S+")
        && may(entry, "T3", "Q", "")
        && may(entry, "T3", "RD", "0")
        // Where T1 shows a number that no generator makes, T3 needs one of its own.
        && may(entry, "T1", "S", "O");
    if answer != Answer::Silent && is_syn_ack { Answer::Accept } else { answer }
}

fn ecn(entry: &Entry) -> Ecn {
    let ways = [("N", Ecn::Off), ("Y", Ecn::Accept), ("S", Ecn::Echo), ("O", Ecn::Cwr)];
    ways.into_iter().find(|(letter, _)| may(entry, "ECN", "CC", letter)).map_or(Ecn::Off, |(_, rule)| rule)
}

fn candidates(entry: &Entry, test: &str, attribute: &str) -> Vec<Options> {
    let texts = entry.get(test, attribute).map(expression::candidates).unwrap_or_default();
    texts.iter().filter_map(|text| options::read(text)).collect()
}

fn read(entry: &Entry, test: &str, attribute: &str) -> Option<Options> {
    let these = candidates(entry, test, attribute);
    let all: Vec<Vec<Options>> = (1..=6).map(|n| candidates(entry, "OPS", &format!("O{n}"))).collect();
    pick(&these, Stamps::Any, &all)
}

fn window(entry: &Entry, test: &str, attribute: &str) -> Option<u16> {
    u16::from_str_radix(&value(entry, test, attribute)?, 16).ok()
}

/// The value that is there most often; of equals the one that is `odd` last.
fn most_frequent<T: Copy + Ord>(values: impl Iterator<Item = T>, odd: impl Fn(&T) -> bool) -> Option<T> {
    let values: Vec<T> = values.collect();
    values.iter().copied().max_by_key(|value| (values.iter().filter(|other| *other == value).count(), !odd(value)))
}
