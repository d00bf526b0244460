use alloc::{string::ToString, sync::Arc, vec, vec::Vec};

use chaff_events::Detail;
use proptest::prelude::*;

use super::*;
use crate::{
    ServiceKind, ServiceSpec, open,
    tests::{SECOND, at, drain, offer, opening},
};

fn form(text: &str) -> Form {
    Form::parse(text).unwrap()
}

fn says(text: &str) -> Reply {
    Reply { answer: form(text), ..Reply::default() }
}

fn rule(pattern: &str, reply: Reply) -> ScriptRule {
    ScriptRule { pattern: Pattern::parse(pattern).unwrap(), reply, ..ScriptRule::default() }
}

/// FTP as far as a login goes.
fn ftp() -> ScriptSpec {
    let pass = ScriptRule {
        secret: Some(SecretSpec { user: form("{user}"), password: form("{password}") }),
        admitted: Some(Reply { answer: form(r"230 Welcome.\r\n"), next: Some(2), closes: false }),
        delay_ms: 1_500,
        ..rule("PASS {password}", Reply { next: Some(0), ..says(r"530 Login incorrect.\r\n") })
    };
    let user = rule("USER {user}", Reply { next: Some(1), ..says(r"331 Password required for {user}.\r\n") });
    let quit = rule("QUIT", Reply { closes: true, ..says(r"221 Goodbye.\r\n") });
    let state = |name: &str, rules| ScriptState {
        name: name.into(),
        rules,
        otherwise: says(r"500 Unknown command.\r\n"),
        otherwise_delay_ms: 0,
    };
    ScriptSpec {
        greeting: form(r"220 {hostname} ready.\r\n"),
        max_request: 512,
        idle_timeout_s: 60,
        states: vec![
            state("greeted", vec![user, quit]),
            state("named", vec![pass]),
            state("inside", vec![rule("PWD", says(r#"257 "/" is current.\r\n"#))]),
        ],
        ..ScriptSpec::default()
    }
}

fn start(spec: &ServiceSpec) -> alloc::boxed::Box<dyn Conversation> {
    open(spec, &opening())
}

fn spec(script: ScriptSpec) -> ServiceSpec {
    ServiceSpec::new("own", ServiceKind::Script(Arc::new(script)))
}

#[test]
fn a_login_is_observed_and_refused_after_its_delay() {
    let mut ftp = start(&spec(ftp()));
    assert_eq!(drain(&mut *ftp, SECOND, 1460).text(), "220 nav-1 ready.\r\n");
    assert_eq!(offer(&mut *ftp, SECOND, b"user b\xffb\r\n").octets, b"331 Password required for b\xffb.\r\n");
    let said = offer(&mut *ftp, SECOND, b"PASS s3 cret\r\nUSER x\r\n");
    assert_eq!(said.text(), "", "nothing is answered, and nothing read, before the refusal");
    let [(Kind::Credential, None, Detail::Credential { username, secret, accepted: false, .. })] =
        said.facts.as_slice()
    else {
        panic!("{:?}", said.facts)
    };
    assert_eq!((username.as_slice(), secret.as_slice()), (&b"b\xffb"[..], &b"s3 cret"[..]));
    assert_eq!(said.wake, Some(2_500_000_000));
    ftp.handle_wake(at!(2_500_000_000));
    assert_eq!(drain(&mut *ftp, 2_500_000_000, 1460).text(), "530 Login incorrect.\r\n");
    assert_eq!(offer(&mut *ftp, 3 * SECOND, b"PASS again\r\n").text(), "500 Unknown command.\r\n", "back at the start");
    let said = offer(&mut *ftp, 3 * SECOND, b"QUIT\r\n");
    assert!(said.closed && said.text() == "221 Goodbye.\r\n");
}

#[test]
fn a_planted_account_gets_in() {
    let mut ftp = start(&spec(ftp()));
    let mut facts = Vec::new();
    for (now, said) in [(1, &b"USER backup\r\n"[..]), (1, b"PASS Winter2019\r\n")] {
        facts.extend(offer(&mut *ftp, now * SECOND, said).facts);
    }
    assert!(facts.iter().any(|(_, _, detail)| matches!(detail, Detail::Credential { accepted: true, .. })));
    ftp.handle_wake(at!(3 * SECOND));
    assert_eq!(drain(&mut *ftp, 3 * SECOND, 1460).text(), "230 Welcome.\r\n");
    assert_eq!(offer(&mut *ftp, 3 * SECOND, b"pwd\n").text(), "257 \"/\" is current.\r\n");
}

#[test]
fn requests_are_lines_pieces_or_so_many_octets() {
    let state = ScriptState { rules: vec![rule("{all}", says("<{all}>"))], ..ScriptState::default() };
    let echo = |framing| {
        start(&spec(ScriptSpec { framing, max_request: 8, states: vec![state.clone()], ..ScriptSpec::default() }))
    };
    assert_eq!(offer(&mut *echo(Framing::Line), 0, b"a\r\nb\n c \r\r\n").text(), "<a><b>< c >");
    assert_eq!(offer(&mut *echo(Framing::Piece), 0, b"a\r\nb\n").text(), "<a\r\nb\n>");
    assert_eq!(offer(&mut *echo(Framing::Length(3)), 0, b"abcdefg").text(), "<abc><def>");
    assert_eq!(offer(&mut *echo(Framing::Line), 0, b"123456789\n1\n").text(), "<1>", "too long fits no rule");
}

#[test]
fn whoever_is_silent_or_slow_is_sent_away() {
    let mut ftp1 = start(&spec(ftp()));
    ftp1.handle_wake(at!(62 * SECOND));
    assert!(drain(&mut *ftp1, 62 * SECOND, 1460).closed);
    let mut drip = start(&spec(ftp()));
    for turn in 1..120 {
        let said = offer(&mut *drip, turn * 30 * SECOND, b"x");
        drip.handle_wake(at!(turn * 30 * SECOND));
        assert!(!said.closed);
    }
    drip.handle_wake(at!(3_602 * SECOND));
    assert!(drain(&mut *drip, 3_602 * SECOND, 1460).closed, "an hour is enough for anybody");
}

#[test]
fn a_datagram_is_a_first_request() {
    let mut script = ftp();
    script.framing = Framing::Piece;
    let answer = crate::answer(&spec(script), &opening(), b"USER joe").unwrap();
    assert_eq!(answer, b"331 Password required for joe.\r\n");
}

#[test]
fn patterns_take_as_little_as_they_can() {
    let fit = |pattern: &str, request: &str| {
        let pattern = Pattern::parse(pattern).unwrap();
        let found = pattern.fit(request.as_bytes())?;
        Some(found.iter().map(|(name, octets)| format(name, octets)).collect::<Vec<_>>().join(","))
    };
    fn format(name: &str, octets: &[u8]) -> String {
        alloc::format!("{name}={}", String::from_utf8_lossy(octets))
    }
    assert_eq!(fit("GET {path} HTTP/{v}", "get /a HTTP/1.0").as_deref(), Some("path=/a,v=1.0"));
    assert_eq!(fit("{a}:{b}", "x:y:z").as_deref(), Some("a=x,b=y:z"));
    assert_eq!(fit("{a}.", "x.y.").as_deref(), Some("a=x.y"), "what ends a pattern ends the request");
    assert_eq!(fit("A{}C", "AbC").as_deref(), Some("=b"));
    assert_eq!(fit("A{{}}", "a{}").as_deref(), Some(""));
    assert_eq!(fit(r"\x00{n}", "\0q").as_deref(), Some("n=q"));
    for (pattern, request) in [("A", "AB"), ("{a}:{b}", "xy"), ("A{x}B", "AC"), ("", "A")] {
        assert_eq!(fit(pattern, request), None, "{pattern} {request}");
    }
    for (pattern, message) in [
        ("{a}{b}", "two captures have nothing between them"),
        ("{a", "a `{` is not closed"),
        ("a}", "a `}` closes nothing"),
        ("{a b}", "a name between braces has letters, digits and `_` only"),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap_err().message.to_string(), message);
    }
    let behind =
        |later: &str, earlier: &str| Pattern::parse(later).unwrap().is_behind(&Pattern::parse(earlier).unwrap());
    assert!(behind("USER root", "user {name}") && behind("a", "{all}") && behind("QUIT", "quit"));
    assert!(!behind("USER {name}", "USER root") && !behind("HELP", "USER {x}"));
}

proptest! {
    #[test]
    fn no_octets_make_it_say_much(octets in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let mut ftp = start(&spec(ftp()));
        let said = offer(&mut *ftp, SECOND, &octets);
        prop_assert!(said.octets.len() <= 24 + octets.len() * 24);
        prop_assert!(said.facts.len() <= 40);
    }
}
