//! What holds for every service: the contract of [`Conversation`], driven by arbitrary scripts.

use alloc::{boxed::Box, string::String, sync::Arc, vec, vec::Vec};

use chaff_events::{Detail, Kind, Tool};
use chaff_wire::Mac;
use proptest::prelude::*;

use crate::{
    Account, Around, BannerSpec, Conversation, FeedSpec, HttpKeeping, HttpPage, HttpSpec, Identity, LoginSpec,
    MatchRule, Opening, Output, ServiceKind, ServiceSpec, answer, open, ssh,
};

/// 2026-11-23T02:10:00Z.
pub(crate) const UTC: u64 = 1_795_399_800_000_000_000;
pub(crate) const SECOND: u64 = 1_000_000_000;

/// A context at `$now` for one call of a conversation that shares nothing.
macro_rules! at {
    ($now:expr) => {
        &mut $crate::Context { now: $now, shared: &mut $crate::Shared::default() }
    };
}
pub(crate) use at;

/// Planted accounts of the decoy under test.
pub(crate) fn accounts() -> &'static Arc<[Account]> {
    static ACCOUNTS: std::sync::LazyLock<Arc<[Account]>> =
        std::sync::LazyLock::new(|| [Account { user: "backup".into(), password: "Winter2019".into() }].into());
    &ACCOUNTS
}

pub(crate) fn opening() -> Opening<'static> {
    Opening {
        identity: Identity {
            hostname: "nav-1",
            ip: "10.20.1.7".parse().unwrap(),
            mac: Mac([0, 0x1b, 0x78, 1, 2, 3]),
            seed: [9; 16],
            serial: None,
        },
        now: SECOND,
        utc: UTC,
        chance: [0; 32],
        accounts: accounts(),
        around: Around::default(),
    }
}

/// Everything that a conversation wants done, octets joined.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) octets: Vec<u8>,
    pub(crate) facts: Vec<(Kind, Option<Tool>, Detail)>,
    pub(crate) wake: Option<u64>,
    /// The end was said; if `finished`, what comes is still taken.
    pub(crate) closed: bool,
    pub(crate) finished: bool,
}

impl Said {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.octets).into_owned()
    }
}

/// Polls until there is nothing more, and checks what must hold of every output.
pub(crate) fn drain(conversation: &mut dyn Conversation, now: u64, room: usize) -> Said {
    let mut said = Said::default();
    for _ in 0..1_000_000 {
        assert!(!said.closed || conversation.poll(at!(now), room).is_none(), "something after the end");
        match conversation.poll(at!(now), room) {
            None => return said,
            Some(Output::Send(octets)) => {
                assert!(!octets.is_empty() && octets.len() <= room);
                said.octets.extend(octets);
            }
            Some(Output::Observe(kind, tool, detail)) => said.facts.push((kind, tool, detail)),
            Some(Output::Wake(at)) => said.wake = Some(at),
            Some(output @ (Output::Finish | Output::Close | Output::Reset)) => {
                (said.closed, said.finished) = (true, output == Output::Finish);
            }
        }
    }
    panic!("a conversation that never comes to rest");
}

/// Offers all octets as a stack does, and returns what was said.
pub(crate) fn offer(conversation: &mut dyn Conversation, now: u64, mut octets: &[u8]) -> Said {
    let mut all = drain(conversation, now, 1460);
    while !octets.is_empty() {
        let taken = conversation.handle_octets(at!(now), octets);
        octets = &octets[taken..];
        let said = drain(conversation, now, 1460);
        let still = taken == 0 && said == Said::default();
        all.octets.extend(said.octets);
        all.facts.extend(said.facts);
        all.wake = said.wake.or(all.wake);
        all.closed |= said.closed;
        all.finished |= said.finished;
        if still {
            break;
        }
    }
    all
}

pub(crate) fn specs() -> Vec<ServiceSpec> {
    let rule = |starts: &str, answer: &str, closes| MatchRule { starts: starts.into(), answer: answer.into(), closes };
    let banner = BannerSpec {
        greeting: r"220 {hostname} ready\r\n".into(),
        greeting_delay_ms: 20,
        rules: vec![
            rule("USER ", r"331 Password required.\r\n", false),
            rule("quit", r"221 Bye.\r\n", true),
            rule(r"\x16\x03", r"\x15\x03\x01\0\x02\x02\x46", true),
        ],
        otherwise: r"500 What?\r\n".into(),
        idle_timeout_s: 30,
        ..BannerSpec::default()
    };
    let telnet = BannerSpec {
        greeting: r"\xff\xfb\x01Welcome\r\n".into(),
        login: Some(LoginSpec {
            prompt: "{hostname} login: ".into(),
            password_prompt: "Password: ".into(),
            failure: r"\r\nLogin incorrect\r\n".into(),
            failure_delay_ms: 1500,
            attempts: 2,
            echoes: true,
        }),
        ..BannerSpec::default()
    };
    let binary = BannerSpec { binary: true, otherwise: r"\x00\x01".into(), ..BannerSpec::default() };
    let http = HttpSpec {
        server: "nginx/1.22.1".into(),
        pages: vec![
            HttpPage { path: "/".into(), body: "<h1>{hostname} {serial}</h1>\n".into(), ..HttpPage::default() },
            HttpPage {
                path: "/admin".into(),
                login: Some(crate::AuthSpec {
                    schemes: vec![crate::Scheme::Basic],
                    realm: "{hostname}".into(),
                    ..crate::AuthSpec::default()
                }),
                ..HttpPage::default()
            },
            HttpPage { path: "/big".into(), body: "x".repeat(100_000), ..HttpPage::default() },
        ],
        error_body: "<h1>{status}</h1>\n".into(),
        rules: crate::HttpRules { max_body: 1_000_000, ..crate::HttpRules::default() },
        keeping: HttpKeeping { closing: vec![400, 413, 414, 501, 505], ..HttpKeeping::default() },
        ..HttpSpec::default()
    };
    let feed = FeedSpec {
        sentences: vec![
            "GPRMC,{time},A,{lat},{lon},{speed},{course},{date},,,A".into(),
            "SDDPT,{depth},0.4".into(),
            "WIMWV,{wind_angle},R,{wind_speed},N,A".into(),
        ],
        ..FeedSpec::default()
    };
    let spec = |name: &str, kind| ServiceSpec::new(name, kind);
    // An elliptic key is there at once, whatever is shared.
    let tls = include_str!("../../../profiles/tls/openssl-3.0.toml").replace("rsa-2048", "ecdsa-p256");
    let secure =
        ServiceSpec { tls: Some(Arc::new(toml::from_str(&tls).unwrap())), ..spec("secure", ServiceKind::Echo) };
    vec![
        secure,
        spec("echo", ServiceKind::Echo),
        spec("discard", ServiceKind::Discard),
        spec("ftp", ServiceKind::Banner(Arc::new(banner))),
        spec("telnet", ServiceKind::Banner(Arc::new(telnet))),
        spec("binary", ServiceKind::Banner(Arc::new(binary))),
        spec("web", ServiceKind::Http(Arc::new(http))),
        spec("nmea", ServiceKind::Feed(Arc::new(feed))),
        spec("ssh", ServiceKind::Ssh(Arc::new(ssh::tests::product()))),
    ]
}

pub(crate) fn start(name: &str) -> Box<dyn Conversation> {
    open(specs().iter().find(|spec| spec.name == name).unwrap(), &opening())
}

#[test]
fn specifications_survive_postcard_and_toml() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct File {
        service: Vec<ServiceSpec>,
    }
    let file = File { service: specs() };
    let octets = postcard::to_allocvec(&file).unwrap();
    assert_eq!(postcard::from_bytes::<File>(&octets).unwrap(), file);
    let text = toml::to_string(&file).unwrap();
    assert_eq!(toml::from_str::<File>(&text).unwrap(), file, "{text}");
}

#[test]
fn a_service_file_reads_as_one_would_write_it_and_typing_errors_are_told() {
    let text = r#"
name = "vsftpd-3.0.3"
[kind.banner]
greeting = '220 (vsFTPd 3.0.3)\r\n'
greeting-delay-ms = 3
rules = [{ starts = "USER ", answer = '331 Please specify the password.\r\n' }]
"#;
    let spec: ServiceSpec = toml::from_str(text).unwrap();
    assert!(matches!(spec.kind, ServiceKind::Banner(banner) if banner.rules.len() == 1));
    let error = toml::from_str::<ServiceSpec>(&text.replace("greeting-delay-ms", "greeting_delay")).unwrap_err();
    assert!(error.message().contains("greeting_delay"), "{error}");
}

#[test]
fn datagrams_are_answered_by_rule_or_not_at_all() {
    let all = specs();
    let get =
        |name: &str, datagram: &[u8]| answer(all.iter().find(|spec| spec.name == name).unwrap(), &opening(), datagram);
    assert_eq!(get("echo", b"abc"), Some(b"abc".to_vec()));
    assert_eq!(get("discard", b"abc"), None);
    assert_eq!(get("ftp", b"Quit now"), Some(b"221 Bye.\r\n".to_vec()));
    assert_eq!(get("ftp", b"\x16\x03\x01"), Some(b"\x15\x03\x01\0\x02\x02F".to_vec()));
    assert_eq!(get("ftp", b""), Some(b"500 What?\r\n".to_vec()));
    assert_eq!(get("telnet", b"x"), None, "nothing to say is silence");
    assert_eq!(get("web", b"GET / HTTP/1.0\r\n\r\n"), None);
}

#[derive(Clone, Debug)]
enum Step {
    Octets(Vec<u8>),
    Wake(u64),
    Poll(usize),
    End,
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"GET ",
        b"/",
        b" HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"\r\n",
        b"USER a\r\n",
        b"PASS b\r\n",
        b"QUIT\r\n",
        b"\xff\xfa",
        b"\xff\xf0",
        b"Content-Length: 7\r\n",
        b"HEAD /big HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01",
        b"\n",
        b"admin\r\0",
        b"SSH-2.0-x\r\n",
        b"\0\0\0\x0c\x0a\x02\0\0\0\0\0\0\0\0\0\0",
        b"\0\0\0\x0c\x0a\x14\0\0\0\0\0\0\0\0\0\0",
    ];
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::collection::vec(proptest::sample::select(words), 0..8).prop_map(|words| words.concat()),
        (0usize..20_000, any::<u8>()).prop_map(|(count, octet)| vec![octet; count]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => octets().prop_map(Step::Octets),
        2 => (0u64..100 * SECOND).prop_map(Step::Wake),
        3 => (0usize..3000).prop_map(Step::Poll),
        1 => Just(Step::End),
    ]
}

/// Octets that a conversation may hold for a client that reads nothing: the outbox's limit, one page above it, and a
/// round for each wake-up of a feed.
const MAX_HELD: usize = 300_000;

proptest! {
    #[test]
    fn no_script_breaks_the_contract(service in 0usize..8, script in proptest::collection::vec(step(), 0..40)) {
        let mut conversation = open(&specs()[service], &opening());
        let mut now = SECOND;
        let mut ended = false;
        for step in script {
            match step {
                Step::Octets(octets) if !ended => prop_assert!(conversation.handle_octets(at!(now), &octets) <= octets.len()),
                Step::Octets(_) => {}
                Step::Wake(later) => {
                    now += later;
                    conversation.handle_wake(at!(now));
                }
                Step::Poll(room) => {
                    if let Some(Output::Send(octets)) = conversation.poll(at!(now), room) {
                        prop_assert!(!octets.is_empty() && octets.len() <= room);
                    }
                }
                Step::End => {
                    ended = true;
                    conversation.handle_end(at!(now));
                }
            }
        }
        let said = drain(&mut *conversation, now, 1460);
        prop_assert!(said.octets.len() <= MAX_HELD, "{} octets held", said.octets.len());
        prop_assert!(said.facts.len() <= 64);
    }

    #[test]
    fn how_a_request_is_cut_does_not_change_the_answer(pieces in proptest::collection::vec(1usize..40, 1..200)) {
        let requests = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nPOST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde\
            GET /big HTTP/1.1\r\nHost: a\r\n\r\nGET /admin HTTP/1.0\r\nAuthorization: Basic YTpi\r\n\r\n";
        let whole = offer(&mut *start("web"), SECOND, requests);
        prop_assert!(whole.closed);
        let mut web = start("web");
        let mut cut = Said::default();
        let (mut rest, mut sizes) = (&requests[..], pieces.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            let said = offer(&mut *web, SECOND, piece);
            cut.octets.extend(said.octets);
            cut.facts.extend(said.facts);
            cut.closed |= said.closed;
            rest = after;
        }
        prop_assert_eq!(whole.text(), cut.text());
        prop_assert_eq!(whole.facts, cut.facts);
        prop_assert!(cut.closed);
    }
}
