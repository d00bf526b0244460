//! A fingerprint as a personality: what it says as stack model and overrides, what it does not say as an ordinary
//! stack of its kind would have it.

use chaff_engine::personality::{
    AckRule, Acknowledge, Answer, Arp, ClosedPort, CodeRule, ConnectionRules, DfRule, Fragments, Icmp, IdRule, Ip,
    IpId, Isn, IsnClass, OpenPort, OptionRule, Overlap, Personality, Quoted, QuotedSum, Reply, SeqRule, UnansweredSyn,
};

use crate::{
    database::Entry,
    ids, isn,
    odd::{self, may, value},
    probes, syn, ttl,
};

/// What a fingerprint became.
pub(crate) struct Compiled {
    pub(crate) personality: Personality,
    /// What cannot be shown, and what is done instead, in words.
    pub(crate) notes: Vec<String>,
}

/// Compiles a fingerprint. `name` is the personality's, `source` says where it comes from.
pub(crate) fn compile(entry: &Entry, name: &str, source: &str) -> Compiled {
    let mut notes = Vec::new();
    let ttl = ttl::find(entry);
    if ttl.without_error {
        notes.push("U1: no time to live fits; UDP to a closed port is left unanswered".into());
    }
    let class = isn::class(entry);
    if class.is_none() {
        notes.push("SEQ: no numbers have this SP, GCD and ISR, or none over a real network; three of the timed SYNs are answered late only".into());
    }
    let sparse = class.is_none();
    let syns = syn::syns(entry, &ttl, sparse, source);
    let class = match () {
        () if !may(entry, "T1", "S", "O") && may(entry, "T1", "S", "Z") && may(entry, "T1", "F", "AS") => {
            IsnClass::Constant(0)
        }
        () => class.unwrap_or(IsnClass::Rfc6528 { tick_ns: 64 }),
    };
    let main = ttl.of.get("T1").copied().unwrap_or(64);
    let of = |test: &str| ttl.of.get(test).copied();
    let own_ttl = |test: &str| of(test).filter(|ttl| *ttl != main);
    let answer = |test: &str| odd::answer(entry, test, syns.own, own_ttl(test));
    let open = OpenPort {
        source: source.into(),
        null: answer("T2"),
        fin: derived(&answer("T2"), AckRule::SeqPlusLength),
        xmas: derived(&answer("T2"), AckRule::SeqPlusLength),
        syn_fin: syn::syn_fin(entry, syns.own, &ttl),
        ack: answer("T4"),
        syn_ack: answer("T4"),
        fin_ack: answer("T4"),
    };
    let silent_syn = answer("T5") == Answer::Silent;
    let syn_answer = if silent_syn { Answer::Reply(ordinary_reset(entry)) } else { answer("T5") };
    let closed = ClosedPort {
        source: source.into(),
        ack: answer("T6"),
        syn_ack: answer("T6"),
        fin_ack: answer("T6"),
        null: derived(&answer("T7"), AckRule::SeqPlusLength),
        fin: answer("T7"),
        xmas: answer("T7"),
        syn_fin: derived(&syn_answer, AckRule::SeqPlusOne),
        syn: syn_answer,
        per_second: 0,
        unanswered: if silent_syn { vec![UnansweredSyn { offered: probes::ODD.into() }] } else { Vec::new() },
    };
    let closed_answers = ["T5", "T6", "T7"].iter().filter(|test| answer(test) != Answer::Silent).count();
    let rules = ids::rules(entry, closed_answers);
    let df = !may(entry, "T1", "DF", "N");
    let personality = Personality {
        name: name.into(),
        title: entry.name.clone(),
        family: family(entry).into(),
        ip: Ip {
            source: source.into(),
            ttl: main,
            ttl_echo: of("IE").unwrap_or(main),
            ttl_error: of("U1").unwrap_or(main),
            df,
            df_udp: false,
            reset_tos: false,
            options: OptionRule::default(),
        },
        ip_id: IpId {
            source: source.into(),
            syn_ack: rules.syn_ack,
            reset: rules.reset,
            data: if df && rules.syn_ack == IdRule::Zero { IdRule::Flow } else { rules.syn_ack },
            echo: rules.echo,
            error: rules.echo,
            udp: rules.echo,
        },
        isn: Isn { source: source.into(), class },
        timestamps: syns.timestamps,
        open,
        closed,
        connection: connection(&format!("fitted: an ordinary stack; {source}"), &syns.tcp),
        tcp: syns.tcp,
        icmp: icmp(entry, &ttl, source, &mut notes),
        fragments: Fragments {
            source: ORDINARY.into(),
            overlap: Overlap::First,
            timeout_ms: 30_000,
            time_exceeded: true,
        },
        arp: arp(),
    };
    Compiled { personality, notes }
}

const ORDINARY: &str = "fitted: as an ordinary stack has it; a fingerprint says nothing of it";

/// A reset as RFC 9293 §3.10.7.1 has it, for what a fingerprint does not show.
fn ordinary_reset(entry: &Entry) -> Reply {
    Reply {
        flags: "AR".into(),
        seq: SeqRule::Zero,
        ack: AckRule::SeqPlusLength,
        window: 0,
        df: !may(entry, "T1", "DF", "N"),
        options: None,
        text: String::new(),
        data: String::new(),
        ttl: None,
        reserved: false,
        urgent: false,
    }
}

/// The answer to a segment that nmap does not send, after the one to its nearest relative.
fn derived(answer: &Answer, ack: AckRule) -> Answer {
    match answer {
        Answer::Reply(reply) if reply.flags.contains('A') => Answer::Reply(Reply { ack, ..reply.clone() }),
        other => other.clone(),
    }
}

fn icmp(entry: &Entry, ttl: &ttl::Found, source: &str, notes: &mut Vec<String>) -> Icmp {
    let number = |attribute| value(entry, "U1", attribute).and_then(|value| u16::from_str_radix(&value, 16).ok());
    let length = number("IPL").unwrap_or(0x38);
    let quotes = length.saturating_sub(28);
    let mut quoted = Quoted { ttl: ttl.quoted, padded: quotes > probes::UDP_LENGTH, ..Quoted::default() };
    if !may(entry, "U1", "RIPL", "G") {
        let wanted = number("RIPL").unwrap_or(probes::UDP_LENGTH);
        // Some stacks add or take the header's 20 octets, and some give the number in their own octet order.
        let swapped = wanted.swap_bytes();
        quoted.length_swapped = swapped.abs_diff(probes::UDP_LENGTH) <= 20;
        let value = if quoted.length_swapped { swapped } else { wanted };
        quoted.length = value.wrapping_sub(probes::UDP_LENGTH).cast_signed();
    }
    if !may(entry, "U1", "RID", "G") {
        match number("RID").unwrap_or(0) {
            0 => quoted.id_zero = true,
            id if id == probes::UDP_ID.swap_bytes() => quoted.id_swapped = true,
            id => quoted.id = Some(id),
        }
    }
    let altered = quoted != Quoted { padded: quoted.padded, ..Quoted::default() };
    quoted.checksum = match () {
        () if may(entry, "U1", "RIPCK", "G") => {
            if altered {
                QuotedSum::Valid
            } else {
                QuotedSum::Same
            }
        }
        () if may(entry, "U1", "RIPCK", "Z") => QuotedSum::Zero,
        () => QuotedSum::Wrong,
    };
    if !may(entry, "U1", "RUCK", "G") {
        quoted.udp_checksum = match number("RUCK").unwrap_or(0) {
            0 => QuotedSum::Zero,
            sum => QuotedSum::Value(sum),
        };
    }
    quoted.data_wrong = !may(entry, "U1", "RUD", "G");
    let mut port_unreachable = entry.tests.contains_key("U1") && !entry.silent("U1") && !ttl.without_error;
    // nmap never prints the identification that it sent, and takes no frame longer than its datagram says.
    let impossible = quoted.id == Some(probes::UDP_ID) || length > LONGEST;
    if impossible && port_unreachable {
        notes.push("U1: nmap cannot see this; UDP to a closed port is left unanswered".into());
        port_unreachable = false;
    }
    let echo = entry.tests.contains_key("IE") && !entry.silent("IE");
    let code = match () {
        () if may(entry, "IE", "CD", "S") => CodeRule::Same,
        () if may(entry, "IE", "CD", "Z") => CodeRule::Zero,
        () => match value(entry, "IE", "CD").and_then(|code| u8::from_str_radix(&code, 16).ok()) {
            Some(code) => CodeRule::Constant(code),
            None => CodeRule::Same,
        },
    };
    let flags = [("N", DfRule::Clear), ("S", DfRule::Same), ("Y", DfRule::Set), ("O", DfRule::Inverted)];
    let df = flags.iter().find(|(letter, _)| may(entry, "IE", "DFI", letter));
    Icmp {
        source: format!("{source}; fitted: limits and messages that nmap does not send"),
        echo,
        echo_code: code,
        echo_df: df.map_or(DfRule::Clear, |(_, rule)| *rule),
        echo_tos: true,
        broadcast_echo: false,
        timestamp: false,
        mask: false,
        port_unreachable,
        protocol_unreachable: port_unreachable,
        error_tos: 0,
        error_tos_copied: false,
        error_df: !may(entry, "U1", "DF", "N"),
        error_unused: u32::from(number("UN").unwrap_or(0)),
        quote: quotes,
        quoted,
        burst: 50,
        per_second: 50,
        per_peer: false,
    }
}

/// The largest IPL: more is no datagram that fits a frame.
const LONGEST: u16 = 1_500;

fn connection(source: &str, tcp: &chaff_engine::personality::Tcp) -> ConnectionRules {
    let chaff_engine::personality::WindowRule::Constant(window) = tcp.window else { unreachable!("made so in syn.rs") };
    ConnectionRules {
        source: source.into(),
        syn_ack_ms: vec![3_000, 6_000, 12_000],
        syn_ack_reset: false,
        rto_initial_ms: 3_000,
        rto_min_ms: 1_000,
        rto_max_ms: 64_000,
        retries: 8,
        delayed_ack_ms: 200,
        time_wait_ms: 60_000,
        fin_wait_ms: 60_000,
        unread_resets: false,
        challenge_acks: 0,
        acknowledge: Acknowledge::default(),
        receive_memory: 0,
        sack_history: false,
        invalid_ms: 0,
        rack: false,
        loss_keeps_tenths: 0,
        burst_push: false,
        half_window: false,
        least_segment: 0,
        timer_tick_ms: 0,
        urgent_apart: false,
        reset_window: false,
        mini_sockets: false,
        receive_buffer: (u32::from(window) << tcp.window_scale.min(14)).clamp(1_024, 65_536),
    }
}

fn arp() -> Arp {
    Arp {
        source: ORDINARY.into(),
        sender_loopback: false,
        sender_zero: true,
        sender_broadcast: false,
        sender_group: false,
        sender_foreign: true,
        hardware_unknown: false,
        hardware_ieee802: true,
        protocol_unknown: false,
        length_wrong: false,
        snap: false,
        lock_ms: 0,
        verify_ms: 0,
        verify_retries: 0,
        reachable_ms: 1_200_000,
        questions: 3,
        pending: 1,
        announce: 1,
        probe: 0,
        defend: true,
    }
}

/// The coarse kind, for the coherence check.
fn family(entry: &Entry) -> &'static str {
    const WORDS: [(&str, &str); 15] = [
        ("Android", "android"),
        ("Windows", "windows"),
        ("iOS", "apple"),
        ("Mac OS X", "apple"),
        ("macOS", "apple"),
        ("Linux", "linux"),
        ("FreeBSD", "bsd"),
        ("OpenBSD", "bsd"),
        ("NetBSD", "bsd"),
        ("DragonFly", "bsd"),
        ("Cisco", "cisco"),
        ("printer", "printer"),
        ("print server", "printer"),
        ("IOS", "cisco"),
        ("embedded", "rtos"),
    ];
    // `IOS` is Cisco's, `iOS` Apple's.
    let said = |word: &str| entry.classes.iter().any(|class| class.contains(word));
    let found = WORDS.iter().find(|(word, _)| if *word == "iOS" { said("| iOS |") } else { said(word) });
    found.map_or("rtos", |(_, family)| family)
}

/// How many of nmap's probes are answered, for choosing among fingerprints of one name.
pub(crate) fn answered(entry: &Entry) -> usize {
    crate::database::TESTS.into_iter().filter(|test| entry.tests.contains_key(*test) && !entry.silent(test)).count()
}

/// Bounds around exact numbers, as nmap's own database has them, so that a generator has room.
pub(crate) fn widened(mut entry: Entry) -> Entry {
    if let Some(seq) = entry.tests.get_mut("SEQ") {
        for attribute in ["SP", "ISR"] {
            let exact = seq.get(attribute).and_then(|value| u32::from_str_radix(value, 16).ok());
            if let Some(exact) = exact.filter(|exact| *exact > 0) {
                seq.insert(attribute.into(), format!("{:X}-{:X}", exact.saturating_sub(5), exact + 5));
            }
        }
        let divisor = seq.get("GCD").and_then(|value| u32::from_str_radix(value, 16).ok());
        if divisor.is_some_and(|divisor| (1..=6).contains(&divisor)) {
            seq.insert("GCD".into(), "1-6".into());
        }
    }
    entry
}
