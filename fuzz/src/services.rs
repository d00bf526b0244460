//! Services with every feature of their specifications in use.

use std::sync::Arc;

use chaff_services::{
    AuthSpec, BannerSpec, Etag, Expect, FeedSpec, FileSpec, Form, FormSpec, Frames, Http2Spec, HttpPage, HttpRules,
    HttpSpec, Indexing, LoginSpec, MatchRule, Pattern, Ranges, Reading, Reply, Scheme, ScriptRule, ScriptSpec,
    ScriptState, SecretSpec, ServiceKind, ServiceSpec, TlsSpec,
};

fn rule(starts: &str, answer: &str, closes: bool) -> MatchRule {
    MatchRule { starts: starts.into(), answer: answer.into(), closes }
}

/// Greets late and answers lines, and one rule for what is no text.
pub fn banner() -> ServiceSpec {
    let spec = BannerSpec {
        greeting: r"220 {hostname} {serial}\r\n".into(),
        greeting_delay_ms: 500,
        rules: vec![
            rule("USER ", r"331 Password required.\r\n", false),
            rule("QUIT", r"221 Bye.\r\n", true),
            rule(r"\x16\x03", r"\x15\x03\x01\0\x02\x02\x46", true),
        ],
        otherwise: r"500 What?\r\n".into(),
        idle_timeout_s: 120,
        ..BannerSpec::default()
    };
    ServiceSpec::new("banner", ServiceKind::Banner(Arc::new(spec)))
}

/// Asks for a name and a password.
pub fn login() -> ServiceSpec {
    let login = LoginSpec {
        prompt: "{hostname} login: ".into(),
        password_prompt: "Password: ".into(),
        failure: r"\r\nLogin incorrect\r\n".into(),
        failure_delay_ms: 2000,
        attempts: 3,
        echoes: true,
    };
    let spec = BannerSpec { greeting: r"\xff\xfb\x01".into(), login: Some(login), ..BannerSpec::default() };
    ServiceSpec::new("login", ServiceKind::Banner(Arc::new(spec)))
}

/// States, captures, a login with an inside, delays.
pub fn script() -> ServiceSpec {
    let form = |text: &str| Form::parse(text).unwrap_or_default();
    let reply = |text: &str, next| Reply { answer: form(text), next: Some(next), closes: false };
    let rule = |pattern: &str, reply| ScriptRule {
        pattern: Pattern::parse(pattern).unwrap_or_default(),
        reply,
        ..ScriptRule::default()
    };
    let login = ScriptRule {
        secret: Some(SecretSpec { user: form("{u}"), password: form("{p}") }),
        admitted: Some(reply("{u} is in", 1)),
        delay_ms: 1_000,
        ..rule("{u}:{p}", reply("{u} is not {p}", 0))
    };
    let quit = Reply { closes: true, ..reply("bye", 0) };
    let state = |rules| ScriptState { rules, otherwise: reply("what?", 0), ..ScriptState::default() };
    let spec = ScriptSpec {
        greeting: form("{hostname}"),
        greeting_delay_ms: 100,
        max_request: 64,
        idle_timeout_s: 100,
        states: vec![state(vec![rule("q", quit), login]), state(vec![rule("a{x}b{}c", reply("{x}{x}{x}{x}", 0))])],
        ..ScriptSpec::default()
    };
    ServiceSpec::new("script", ServiceKind::Script(Arc::new(spec)))
}

/// A page behind TLS as OpenSSL speaks it, but with a key that need not be searched for.
pub fn tls() -> ServiceSpec {
    let text = include_str!("../../profiles/tls/openssl-3.0.toml").replace("\"rsa-2048\"", "\"ecdsa-p256\"");
    assert!(text.contains("ecdsa-p256"), "the profile names its key otherwise");
    let tls: TlsSpec = toml::from_str(&text).expect("the profile is whole");
    let [page, ..] = http();
    ServiceSpec { tls: Some(Arc::new(tls)), name: "tls".into(), ..page }
}

/// Takes each piece as a request.
pub fn binary() -> ServiceSpec {
    let spec = BannerSpec {
        binary: true,
        rules: vec![rule(r"\x03\x00", r"\x03\x00\x00\x0b", false)],
        otherwise: r"\x00".into(),
        otherwise_closes: true,
        ..BannerSpec::default()
    };
    ServiceSpec::new("binary", ServiceKind::Banner(Arc::new(spec)))
}

/// Web servers that read octet by octet, and line by line.
pub fn http() -> [ServiceSpec; 3] {
    [
        web(Reading::Octets, Ranges::Strict, Expect::BeforePages),
        web(Reading::Lines, Ranges::Lenient, Expect::BeforeBodies),
        web(Reading::Heads, Ranges::Joined, Expect::Ignored),
    ]
}

/// The same over HTTP/2, as nginx and as Apache speak it.
pub fn http2() -> [ServiceSpec; 2] {
    let [octets, lines, _] = http();
    [(octets, Frames::Direct, Indexing::Named), (lines, Frames::Library, Indexing::Table)].map(
        |(service, reading, indexing)| {
            let ServiceKind::Http(spec) = service.kind else { unreachable!("a web server is a web server") };
            let settings = vec![(3, 20), (4, 4096)];
            let http2 = Http2Spec { reading, indexing, settings, max_streams: 20, ..Http2Spec::default() };
            let spec = HttpSpec { http2: Some(http2), ..(*spec).clone() };
            ServiceSpec::new("http2", ServiceKind::Http(Arc::new(spec)))
        },
    )
}

fn web(reading: Reading, ranges: Ranges, expect: Expect) -> ServiceSpec {
    let page = |path: &str, body: &str| HttpPage { path: path.into(), body: body.into(), ..HttpPage::default() };
    let schemes = vec![Scheme::Basic, Scheme::Digest, Scheme::Ntlm];
    let login = AuthSpec { schemes, realm: "{hostname}".into(), ..AuthSpec::default() };
    let admin = HttpPage { login: Some(login), methods: vec!["POST".into()], ..page("/admin", "no") };
    let file = FileSpec { etag: Etag::SecondsLength, modified: 1_700_000_000, ranges, ..FileSpec::default() };
    let form = FormSpec {
        path: "/login".into(),
        user_fields: vec!["user".into()],
        password_fields: vec!["password".into()],
        cookie: "sid".into(),
        delay_ms: 300,
        ..FormSpec::default()
    };
    let spec = HttpSpec {
        server: "nginx/1.22.1".into(),
        headers: vec!["X-Frame-Options: DENY".into()],
        header_order: vec!["Date".into(), "Server".into()],
        pages: vec![
            HttpPage { file: Some(file), ..page("/", "<h1>{hostname} {ip} {mac} {serial} {token}</h1>") },
            admin,
            page("/big", &"x".repeat(100_000)),
        ],
        error_body: "{status} {host} {here}".into(),
        rules: HttpRules { reading, waits: reading == Reading::Lines, expect, ..HttpRules::default() },
        form: Some(form),
        ..HttpSpec::default()
    };
    ServiceSpec::new("http", ServiceKind::Http(Arc::new(spec)))
}

/// A boat's instruments.
pub fn feed() -> ServiceSpec {
    let spec = FeedSpec {
        interval_ms: 1000,
        sentences: vec![
            "GPRMC,{time},A,{lat},{lon},{speed},{course},{date},,,A".into(),
            "SDDPT,{depth},0.4".into(),
            "WIMWV,{wind_angle},R,{wind_speed},N,A".into(),
        ],
        home: None,
    };
    ServiceSpec::new("feed", ServiceKind::Feed(Arc::new(spec)))
}

/// RFC 862.
pub fn echo() -> ServiceSpec {
    ServiceSpec::new("echo", ServiceKind::Echo)
}
