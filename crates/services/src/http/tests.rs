use alloc::{borrow::ToOwned, format, string::String, sync::Arc, vec, vec::Vec};

use chaff_events::{Detail, Kind, Tool};

use crate::{
    Announced, HttpKeeping, HttpPage, HttpSpec, ServiceKind, ServiceSpec, open,
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
    let spec = ServiceSpec { name: "iis".into(), kind: ServiceKind::Http(Arc::new(spec)) };
    let said = offer(&mut *open(&spec, &opening()), SECOND, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(names(&said), ["Content-Type", "ETag", "Server", "X-Powered-By", "Date", "Content-Length"]);
    let said = ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(names(&said), ["Server", "Date", "Content-Type", "Content-Length", "Connection"]);
}

#[test]
fn a_client_that_pipelines_and_does_not_read_waits() {
    let mut web = start("web");
    let many = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(900);
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
    assert_eq!(said.text().matches("HTTP/1.1 200 OK").count(), 900);
}
