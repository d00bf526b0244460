use alloc::{borrow::ToOwned, format, string::String, sync::Arc, vec, vec::Vec};

use chaff_events::{Detail, Kind, Tool};

use md5::{Digest, Md5};

use super::auth;
use crate::{
    Announced, AuthSpec, Expect, FormSpec, HttpKeeping, HttpLinger, HttpPage, HttpRules, HttpSpec, Scheme, ServiceKind,
    ServiceSpec, open,
    tests::{SECOND, Said, at, drain, offer, opening, start},
};

fn ask(request: &[u8]) -> Said {
    offer(&mut *start("web"), SECOND, request)
}

fn status(request: &[u8]) -> String {
    ask(request).text().lines().next().unwrap_or("").to_owned()
}

fn names(said: &Said) -> Vec<String> {
    let text = said.text();
    let head = text.split("\r\n\r\n").next().unwrap();
    head.lines().skip(1).map(|line| line.split(':').next().unwrap().into()).collect()
}

#[test]
fn a_page_to_the_octet() {
    let said = ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let body = said.text().split("\r\n\r\n").nth(1).unwrap().to_owned();
    assert!(body.starts_with("<h1>nav-1 ") && !body.contains('{'));
    assert_eq!(
        said.text(),
        format!(
            "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 23 Nov 2026 02:10:00 GMT\r\n\
             Content-Type: text/html\r\nContent-Length: {}\r\nConnection: keep-alive\r\n\r\n{body}",
            body.len()
        )
    );
    assert!(!said.closed);
}

#[test]
fn the_date_runs_with_the_clock() {
    let mut web = start("web");
    let said = offer(&mut *web, 11 * SECOND, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(said.text().contains("Date: Mon, 23 Nov 2026 02:10:10 GMT\r\n"), "{}", said.text());
}

#[test]
fn answers_to_what_is_wrong() {
    let cases: &[(&[u8], &str)] = &[
        (b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found"),
        (b"AAAA / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        (b"OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        (b"POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 Not Found"),
        (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1", "HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1337\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported"),
        (b"POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n", "HTTP/1.1 413 Content Too Large"),
    ];
    for (request, expected) in cases {
        assert_eq!(status(request), *expected, "{}", request.escape_ascii());
    }
    let long = [b"GET /".as_slice(), &[b'a'; 9000], b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    assert_eq!(status(&long), "HTTP/1.1 414 URI Too Long");
    let said = ask(b"GET / HTTP/1.1\r\n\r\n");
    assert!(said.closed && said.text().contains("Connection: close\r\n") && said.text().ends_with("<h1>400</h1>\n"));
}

#[test]
fn head_has_the_length_and_not_the_body() {
    let get = ask(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n").text();
    let head = ask(b"HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n").text();
    assert!(get.starts_with(&head) && head.ends_with("\r\n\r\n"));
    assert_eq!(get.len() - head.len(), 100_000);
    assert!(head.contains("Content-Length: 100000\r\n"));
}

#[test]
fn versions_differ_in_what_follows_the_answer() {
    assert!(ask(b"GET / HTTP/1.0\r\n\r\n").closed);
    assert!(!ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").closed);
    assert!(ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").closed);
    let bare = ask(b"GET /\r\n");
    assert!(bare.closed && bare.text().starts_with("<h1>nav-1"), "HTTP/0.9 has no head");
    let chunked = b"POST /none HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let said = ask(&[&chunked[..], b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
    assert!(!said.closed && said.text().matches("HTTP/1.1 ").count() == 2, "chunks are read past");
}

#[test]
fn a_body_is_read_past() {
    let said =
        ask(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    assert_eq!(said.facts.len(), 2);
    assert!(said.closed);
}

#[test]
fn a_thousand_requests_end_the_connection() {
    let mut web = start("web");
    for count in 1..=1000 {
        let said = offer(&mut *web, SECOND, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(said.closed, count == 1000, "{count}");
    }
}

#[test]
fn requests_tools_and_credentials_are_told() {
    let said = ask(
        b"GET /admin?x=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: Mozilla/4.0 (Hydra)\r\nAuthorization: Basic cm9vdDp0b29y\r\n\r\n",
    );
    assert!(said.text().contains("\r\nWWW-Authenticate: Basic realm=\"nav-1\"\r\n"), "{}", said.text());
    let client = b"Mozilla/4.0 (Hydra)".to_vec();
    let request = Detail::Request {
        method: b"GET".to_vec(),
        target: b"/admin?x=1".to_vec(),
        client: client.clone(),
        body: vec![],
    };
    let credential = Detail::Credential {
        username: b"root".to_vec(),
        secret_kind: "password".into(),
        secret: b"toor".to_vec(),
        client,
        accepted: false,
    };
    assert_eq!(
        said.facts,
        [(Kind::ServiceRequest, Some(Tool::Hydra), request), (Kind::Credential, Some(Tool::Hydra), credential)]
    );
    let said = ask(b"GET /nice%20ports%2C/Tri%6Eity.txt%2ebak HTTP/1.0\r\n\r\n");
    assert_eq!(said.facts[0].1, Some(Tool::Nmap));
}

#[test]
fn nonsense_is_kept_as_it_came() {
    let said = ask(b"\x16\x03\x01nonsense");
    assert_eq!(
        said.facts,
        [(Kind::ServiceRequest, None, Detail::Payload { octets: b"\x16\x03\x01nonsense".to_vec(), length: 11 })]
    );
    let mut web = start("web");
    offer(&mut *web, SECOND, b"GET / HTT");
    web.handle_end(at!(SECOND));
    let said = drain(&mut *web, SECOND, 1460);
    assert!(said.closed && said.facts.len() == 1, "half a head is told of when the client leaves");
}

#[test]
fn an_idle_connection_ends_in_time_and_a_busy_one_does_not() {
    let mut web = start("web");
    assert_eq!(drain(&mut *web, SECOND, 1460).wake, Some(61 * SECOND));
    offer(&mut *web, 30 * SECOND, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    web.handle_wake(at!(61 * SECOND));
    let said = drain(&mut *web, 61 * SECOND, 1460);
    assert_eq!((said.closed, said.wake), (false, Some(90 * SECOND)));
    web.handle_wake(at!(90 * SECOND));
    assert!(drain(&mut *web, 90 * SECOND, 1460).closed);
}

#[test]
fn the_order_of_headers_is_data() {
    let spec = HttpSpec {
        server: "Microsoft-IIS/10.0".into(),
        headers: vec!["X-Powered-By: ASP.NET".into()],
        header_order: ["Content-Type", "ETag", "Server", "X-Powered-By", "Date"].map(String::from).to_vec(),
        keeping: HttpKeeping { announced: Announced::Never, ..HttpKeeping::default() },
        pages: vec![HttpPage { path: "/".into(), headers: vec!["ETag: \"1\"".into()], ..HttpPage::default() }],
        ..HttpSpec::default()
    };
    let spec = ServiceSpec::new("iis", ServiceKind::Http(Arc::new(spec)));
    let said = offer(&mut *open(&spec, &opening()), SECOND, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(names(&said), ["Content-Type", "ETag", "Server", "X-Powered-By", "Date", "Content-Length"]);
    let said = ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(names(&said), ["Server", "Date", "Content-Type", "Content-Length", "Connection"]);
}

#[test]
fn a_client_that_pipelines_and_does_not_read_waits() {
    let mut web = start("web");
    let many = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4000);
    let mut taken = 0;
    while taken < many.len() {
        match web.handle_octets(at!(SECOND), &many[taken..]) {
            0 => break,
            more => taken += more,
        }
    }
    assert!(taken < many.len() && taken < 64 * 1024, "{taken} octets taken though nothing is read");
    let mut said = drain(&mut *web, SECOND, 1460);
    let rest = offer(&mut *web, SECOND, &many[taken..]);
    said.octets.extend(rest.octets);
    assert_eq!(said.text().matches("HTTP/1.1 200 OK").count(), 1000);
}

fn web(spec: HttpSpec) -> alloc::boxed::Box<dyn crate::Conversation> {
    open(&ServiceSpec::new("web", ServiceKind::Http(Arc::new(spec))), &opening())
}

fn guarded(schemes: Vec<Scheme>) -> HttpSpec {
    let login = AuthSpec { schemes, realm: "r".into(), ..AuthSpec::default() };
    HttpSpec {
        pages: vec![HttpPage { path: "/".into(), body: "in".into(), login: Some(login), ..HttpPage::default() }],
        ..HttpSpec::default()
    }
}

fn secrets(said: &Said) -> Vec<(String, String, String, bool)> {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let of = |detail: &Detail| match detail {
        Detail::Credential { username, secret_kind, secret, accepted, .. } => {
            Some((secret_kind.clone(), text(username), text(secret), *accepted))
        }
        _ => None,
    };
    said.facts.iter().filter_map(|(_, _, detail)| of(detail)).collect()
}

#[test]
fn digest_is_captured_and_a_planted_account_passes() {
    let mut web = web(guarded(vec![Scheme::Digest]));
    let offer_text = offer(&mut *web, SECOND, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").text();
    let nonce = offer_text.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let hash = |text: String| auth::hex_of(&Md5::digest(text));
    let mut log_in = |password: &str| {
        let (secret, what) = (hash(format!("backup:r:{password}")), hash("GET:/".into()));
        let response = hash(format!("{secret}:{nonce}:00000001:abc:auth:{what}"));
        let request = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Digest username=\"backup\", realm=\"r\", nonce=\"{nonce}\", \
             uri=\"/\", qop=auth, nc=00000001, cnonce=\"abc\", response=\"{response}\"\r\n\r\n"
        );
        let said = offer(&mut *web, SECOND, request.as_bytes());
        let expected = format!("$response${response}$backup$r$GET$/${nonce}$00000001$abc$auth");
        let secrets = secrets(&said);
        assert_eq!((&secrets[0].0[..], &secrets[0].2), ("digest", &expected));
        (said.text().starts_with("HTTP/1.1 200"), secrets[0].3)
    };
    assert_eq!(log_in("wrong"), (false, false));
    assert_eq!(log_in("Winter2019"), (true, true));
}

#[test]
fn ntlm_is_challenged_and_captured() {
    let mut web = web(guarded(vec![Scheme::Ntlm, Scheme::Negotiate]));
    let said = offer(&mut *web, SECOND, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").text();
    assert!(said.contains("WWW-Authenticate: NTLM\r\nWWW-Authenticate: Negotiate\r\n"), "{said}");
    let ask = |message: &[u8]| {
        format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: NTLM {}\r\n\r\n", auth::to_base64(message)).into_bytes()
    };
    let said = offer(&mut *web, SECOND, &ask(b"NTLMSSP\0\x01\0\0\0\0\0\0\0")).text();
    let text = said.split("NTLM ").nth(1).unwrap().split('\r').next().unwrap();
    let second = auth::base64(text.as_bytes()).unwrap();
    assert_eq!(&second[..12], b"NTLMSSP\0\x02\0\0\0");
    let challenge = auth::hex_of(&second[24..32]);
    // A third message with a 16-octet proof and a blob of four, names in OEM letters.
    let parts: [&[u8]; 5] = [&[0; 24], &[[7; 16].as_slice(), &[1, 2, 3, 4]].concat(), b"DOM", b"eve", b"WS"];
    let (mut third, mut tail) = (b"NTLMSSP\0\x03\0\0\0".to_vec(), Vec::new());
    for part in parts {
        let length = u16::try_from(part.len()).unwrap().to_le_bytes();
        third.extend([length, length].concat());
        third.extend(u32::try_from(64 + tail.len()).unwrap().to_le_bytes());
        tail.extend_from_slice(part);
    }
    third.extend([0; 12]);
    third.extend(tail);
    let said = offer(&mut *web, SECOND, &ask(&third));
    let expected = format!("eve::DOM:{challenge}:{}:{}", "07".repeat(16), "01020304");
    // The blob of a real client is longer; one of more than 24 octets in all is NTLMv2.
    assert!(secrets(&said).is_empty() && expected.len() > 40, "20 octets are neither version");
    let long: Vec<u8> = [[7; 16].as_slice(), &[1; 28]].concat();
    third[20..24].copy_from_slice(&[44, 0, 44, 0]);
    let end = u32::try_from(third.len()).unwrap().to_le_bytes();
    third[24..28].copy_from_slice(&end);
    third.extend(&long);
    let said = offer(&mut *web, SECOND, &ask(&third));
    let expected = format!("eve::DOM:{challenge}:{}:{}", "07".repeat(16), "01".repeat(28));
    assert_eq!(secrets(&said), [("ntlmv2".into(), "eve".into(), expected, false)]);
    assert!(said.text().starts_with("HTTP/1.1 401"));
}

/// A form whose refusal comes after 400 ms.
pub(super) fn login_form() -> FormSpec {
    FormSpec {
        path: "/login".into(),
        page: "/".into(),
        user_fields: vec!["user".into()],
        password_fields: vec!["pw".into()],
        refused_status: 302,
        refused_location: "/?error=1".into(),
        delay_ms: 400,
        ..FormSpec::default()
    }
}

#[test]
fn forms_are_read_refused_late_and_open_to_a_planted_account() {
    let form = FormSpec { admitted_location: "/in".into(), cookie: "sid".into(), ..login_form() };
    let page = |path: &str, members| HttpPage { path: path.into(), body: "x".into(), members, ..HttpPage::default() };
    let spec = HttpSpec { pages: vec![page("/", false), page("/in", true)], form: Some(form), ..HttpSpec::default() };
    let mut web = web(spec);
    let post = |kind: &str, body: &str| {
        let length = body.len();
        format!("POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    };
    let said = offer(&mut *web, SECOND, &post("application/x-www-form-urlencoded", "user=r%6fot&pw=a+b%26"));
    assert_eq!(secrets(&said), [("password".into(), "root".into(), "a b&".into(), false)]);
    assert_eq!((said.text().as_str(), said.wake), ("", Some(SECOND + 400_000_000)), "a refusal takes its time");
    web.handle_wake(at!(2 * SECOND));
    let said = drain(&mut *web, 2 * SECOND, 1460).text();
    assert!(said.starts_with("HTTP/1.1 302 ") && said.contains("Location: /?error=1\r\n"), "{said}");
    let said = offer(&mut *web, 2 * SECOND, &post("application/json", r#"{"a":{"user":"backup","pw":"Winter2019"}}"#));
    assert_eq!(secrets(&said), [("password".into(), "backup".into(), "Winter2019".into(), true)]);
    let cookie = said.text().split("Set-Cookie: ").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let mut member = |cookie: &str| {
        let request = format!("GET /in HTTP/1.1\r\nHost: a\r\nCookie: x=y; {cookie}\r\n\r\n");
        offer(&mut *web, 2 * SECOND, request.as_bytes()).text()[9..12].to_owned()
    };
    assert_eq!((member(&cookie), member("sid=0011223344556677")), ("200".into(), "302".into()));
}

#[test]
fn a_gigabyte_is_read_past_and_not_kept() {
    let mut web = web(HttpSpec { rules: HttpRules { waits: true, ..HttpRules::default() }, ..HttpSpec::default() });
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n";
    offer(&mut *web, SECOND, head);
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..1024 {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let taken = web.handle_octets(at!(SECOND), rest);
            assert!(taken > 0);
            rest = &rest[taken..];
        }
    }
    let said = drain(&mut *web, SECOND, 1460);
    assert!(said.text().starts_with("HTTP/1.1 404"), "{}", said.text());
    assert!(matches!(&said.facts[0].2, Detail::Request { body, .. } if body.len() <= 512));
}

#[test]
fn who_is_too_slow_is_told_where_the_server_tells() {
    let keeping = HttpKeeping { head_s: 20, body_s: 10, late_status: 408, ..HttpKeeping::default() };
    let rules = HttpRules { reading: crate::Reading::Lines, waits: true, ..HttpRules::default() };
    let spec = HttpSpec { keeping, rules, error_body: "{status}".into(), ..HttpSpec::default() };
    let spec = ServiceSpec::new("slow", ServiceKind::Http(Arc::new(spec)));
    let cases: [(&[u8], u64, &str); 4] = [
        (b"GET / HTTP/1.1\r\nHost: a\r\n", 20, "HTTP/1.1 408 Request Timeout"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", 10, "HTTP/1.1 408 Request Timeout"),
        (b"GET / HT", 20, ""),
        (b"\r\n", 20, ""),
    ];
    for (request, seconds, expected) in cases {
        let mut web = open(&spec, &opening());
        let said = offer(&mut *web, SECOND, request);
        let at = (1 + seconds) * SECOND;
        assert!(!said.closed && said.text().is_empty(), "{}", request.escape_ascii());
        assert!(said.wake.is_some_and(|wake| wake <= at), "{}", request.escape_ascii());
        web.handle_wake(at!(at - 1));
        assert!(!drain(&mut *web, at - 1, 1460).closed, "{}", request.escape_ascii());
        web.handle_wake(at!(at));
        let said = drain(&mut *web, at, 1460);
        assert_eq!(said.text().lines().next().unwrap_or(""), expected, "{}", request.escape_ascii());
        assert!(said.closed && said.facts.len() <= 1, "{}", request.escape_ascii());
    }
}

#[test]
fn half_a_record_begins_the_next_request() {
    let keeping = HttpKeeping { head_s: 20, idle_s: 5, ..HttpKeeping::default() };
    let spec = ServiceSpec::new("web", ServiceKind::Http(Arc::new(HttpSpec { keeping, ..HttpSpec::default() })));
    let mut web = open(&spec, &opening());
    let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for now in [1, 10] {
        // The alarm of what was awaited before may still come.
        let said = offer(&mut *web, now * SECOND, get);
        assert!(!said.closed && (now > 1 || said.wake == Some(6 * SECOND)), "{said:?}");
        web.handle_stir(at!((now + 2) * SECOND));
        assert_eq!(drain(&mut *web, (now + 2) * SECOND, 1460).wake, Some((now + 22) * SECOND));
        // Another one gives no more time, and does not make it too late with something that was said.
        web.handle_stir(at!((now + 3) * SECOND));
        assert_eq!(drain(&mut *web, (now + 3) * SECOND, 1460).wake, None);
    }
    web.handle_wake(at!(32 * SECOND));
    let said = drain(&mut *web, 32 * SECOND, 1460);
    assert!(said.closed && said.octets.is_empty() && !web.is_late(), "{said:?}");
    let mut web = open(&spec, &opening());
    offer(&mut *web, SECOND, b"GET / HT");
    web.handle_wake(at!(21 * SECOND));
    assert!(drain(&mut *web, 21 * SECOND, 1460).closed && web.is_late());
}

#[test]
fn who_comes_in_drops_has_the_time_that_the_drops_give_him() {
    let keeping = HttpKeeping { head_s: 20, head_most_s: 40, body_s: 10, octets_per_s: 500, ..HttpKeeping::default() };
    let rules = HttpRules { waits: true, expect: Expect::BeforeBodies, ..HttpRules::default() };
    let hurried =
        ServiceSpec::new("hurried", ServiceKind::Http(Arc::new(HttpSpec { keeping, rules, ..HttpSpec::default() })));
    let keeping = HttpKeeping { head_s: 60, idle_heads: true, ..HttpKeeping::default() };
    let patient = ServiceSpec::new("patient", ServiceKind::Http(Arc::new(HttpSpec { keeping, ..HttpSpec::default() })));
    // Some octets each second: the second at which the connection ends.
    let ends_at = |spec: &ServiceSpec, first: &[u8], drop: &[u8]| {
        let mut web = open(spec, &opening());
        let mut wake = offer(&mut *web, SECOND, first).wake;
        for second in 2..200 {
            let now = second * SECOND;
            if wake.is_some_and(|at| at <= now) {
                web.handle_wake(at!(now));
                let said = drain(&mut *web, now, 1460);
                if said.closed {
                    return second;
                }
                wake = said.wake;
            }
            let said = if second < 100 { offer(&mut *web, now, drop) } else { drain(&mut *web, now, 1460) };
            wake = said.wake.or(wake);
        }
        200
    };
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX: ";
    assert_eq!(ends_at(&hurried, head, b"a"), 22);
    // Of 2,400 octets come five seconds more, and no more than twenty are given.
    assert_eq!(ends_at(&hurried, head, &[b'a'; 100]), 26);
    assert_eq!(ends_at(&hurried, head, &b"X: y\r\n".repeat(70)), 41);
    let body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n";
    assert_eq!(ends_at(&hurried, body, b"a"), 12);
    assert_eq!(ends_at(&hurried, body, &[b'a'; 250]), 20);
    // Twice, each time until the second in which that is noticed.
    let wondering = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nContent-Length: 90000\r\n\r\n";
    assert_eq!(ends_at(&hurried, wondering, b"a"), 23);
    // Who counts from the last octet waits for ever, and a minute longer.
    assert_eq!(ends_at(&patient, head, b"a"), 99 + 60);
}

#[test]
fn who_parts_beneath_is_read_on_from_until_his_connection_ends() {
    let apache = HttpLinger { most_s: 30, late_s: 2, ..HttpLinger::default() };
    let nginx = HttpLinger { unread_only: true, silence_s: 5, most_s: 30, ..HttpLinger::default() };
    let page = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for first in [&b""[..], b"GET / HT", page] {
        let after_parting = |linger: &HttpLinger| {
            let keeping = HttpKeeping { linger: Some(linger.clone()), ..HttpKeeping::default() };
            let spec = Arc::new(HttpSpec { keeping, ..HttpSpec::default() });
            let mut web = open(&ServiceSpec::new("web", ServiceKind::Http(spec)), &opening());
            offer(&mut *web, SECOND, first);
            web.handle_parting(at!(SECOND));
            let said = drain(&mut *web, SECOND, 1460);
            (web, said)
        };
        let (mut web, said) = after_parting(&apache);
        assert!(said.finished && said.wake == Some(31 * SECOND), "{}", first.escape_ascii());
        web.handle_wake(at!(31 * SECOND - 1));
        assert!(!drain(&mut *web, 31 * SECOND - 1, 1460).closed);
        web.handle_wake(at!(31 * SECOND));
        assert!(drain(&mut *web, 31 * SECOND, 1460).closed);
        let (mut web, _) = after_parting(&apache);
        web.handle_end(at!(2 * SECOND));
        assert!(drain(&mut *web, 2 * SECOND, 1460).closed);
        let (_, said) = after_parting(&nginx);
        assert!(said.closed && !said.finished, "{}", first.escape_ascii());
    }
}
