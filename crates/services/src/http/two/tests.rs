use alloc::{boxed::Box, sync::Arc, vec, vec::Vec};

use chaff_events::{Detail, Kind};
use proptest::prelude::*;

use super::{
    frame::{self, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS},
    hpack::Decoder,
    huffman::Huffman,
};
use crate::{
    Conversation, Frames, Http2Spec, HttpKeeping, HttpLinger, HttpPage, HttpSpec, Indexing, ServiceKind, ServiceSpec,
    http::tests::login_form,
    open,
    tests::{SECOND, Said, at, drain, offer, opening},
};

fn web(reading: Frames) -> Box<dyn Conversation> {
    let indexing = if reading == Frames::Direct { Indexing::Named } else { Indexing::Table };
    let settings = vec![(3, 100)];
    let http2 = Http2Spec { reading, indexing, settings, window_update: 0x7fff_0000, ..Http2Spec::default() };
    let page = HttpPage { path: "/".into(), body: "x".repeat(20_000), ..HttpPage::default() };
    let spec = HttpSpec { pages: vec![page], form: Some(login_form()), http2: Some(http2), ..HttpSpec::default() };
    let mut web = open(&ServiceSpec::new("web", ServiceKind::Http(Arc::new(spec))), &opening());
    web.handle_protocol(at!(SECOND), b"h2");
    let said = offer(&mut *web, SECOND, &[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
    assert!(said.octets.len() > 30 && !said.closed);
    web
}

fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::put(&mut out, kind, flags, stream, body);
    out
}

/// RFC 7541 §6.2.2, short strings alone.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let string = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], string(name), string(value)].concat()).collect()
}

fn request(method: &str, path: &str) -> Vec<u8> {
    block(&[(":method", method), (":scheme", "https"), (":authority", "a"), (":path", path), ("user-agent", "curl/8")])
}

/// Kind, flags, stream and body of each frame.
fn frames(said: &Said) -> Vec<(u8, u8, u32, Vec<u8>)> {
    let (mut out, mut rest) = (Vec::new(), &said.octets[..]);
    while let Some(head) = frame::Head::read(rest) {
        out.push((head.kind, head.flags, head.stream, rest[9..9 + head.length].to_vec()));
        rest = &rest[9 + head.length..];
    }
    out
}

fn requests(said: &Said) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    let told = |(kind, _, detail): &(Kind, _, Detail)| match detail {
        Detail::Request { method, target, client, body } if *kind == Kind::ServiceRequest => {
            assert!(client == b"curl/8");
            Some((method.clone(), target.clone(), body.clone()))
        }
        _ => None,
    };
    said.facts.iter().filter_map(told).collect()
}

#[test]
fn a_page_comes_in_frames_as_far_as_the_windows_let_it() {
    for reading in [Frames::Direct, Frames::Library] {
        let mut web = web(reading);
        let said = offer(&mut *web, SECOND, &frame(HEADERS, END_HEADERS | END_STREAM, 1, &request("GET", "/")));
        let all = frames(&said);
        assert_eq!(all[0].0, HEADERS);
        let list = Decoder::new(false).decode(&all[0].3, &Huffman::new()).unwrap();
        assert_eq!(list.fields[0], (b":status".to_vec(), b"200".to_vec()));
        assert!(list.fields.iter().all(|(name, _)| name.iter().all(|octet| !octet.is_ascii_uppercase())));
        let lengths: Vec<_> =
            all[1..].iter().map(|(kind, flags, stream, body)| (*kind, *flags, *stream, body.len())).collect();
        assert_eq!(lengths, [(DATA, 0, 1, 16_384), (DATA, END_STREAM, 1, 3616)]);
        assert_eq!(requests(&said), [(b"GET".to_vec(), b"/".to_vec(), b"".to_vec())]);
        // A stream's window is smaller than the page, and then is opened.
        let small = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 10]);
        let get = frame(HEADERS, END_HEADERS | END_STREAM, 3, &request("GET", "/"));
        let said = offer(&mut *web, SECOND, &[small, get].concat());
        assert_eq!(frames(&said).last().unwrap().3.len(), 10);
        assert!(requests(&said).is_empty(), "it is told when it is over");
        let said = offer(&mut *web, SECOND, &frame(frame::WINDOW_UPDATE, 0, 3, &[0, 1, 0, 0]));
        assert_eq!(frames(&said).last().unwrap().1, END_STREAM);
        assert_eq!(requests(&said).len(), 1);
    }
}

#[test]
fn a_login_is_read_from_frames_and_refused_late() {
    for reading in [Frames::Direct, Frames::Library] {
        let mut web = web(reading);
        let head = frame(HEADERS, END_HEADERS, 1, &request("POST", "/login"));
        let said = offer(&mut *web, SECOND, &[head, frame(DATA, 0, 1, b"user=root")].concat());
        assert!(frames(&said).iter().all(|frame| frame.0 != HEADERS), "the body is not there");
        let said = offer(&mut *web, SECOND, &frame(DATA, END_STREAM, 1, b"&pw=toor"));
        assert!(frames(&said).is_empty() && said.wake.is_some(), "a refusal takes its time");
        web.handle_wake(at!(2 * SECOND));
        let said = drain(&mut *web, 2 * SECOND, 1460);
        assert_eq!(frames(&said)[0].0, HEADERS);
        assert_eq!(requests(&said), [(b"POST".to_vec(), b"/login".to_vec(), b"user=root&pw=toor".to_vec())]);
        let secret = said.facts.iter().find_map(|(_, _, detail)| match detail {
            Detail::Credential { username, secret, .. } => Some((username.clone(), secret.clone())),
            _ => None,
        });
        assert_eq!(secret, Some((b"root".to_vec(), b"toor".to_vec())));
    }
}

#[test]
fn what_comes_behind_an_answer_is_told_with_the_request() {
    let mut web = web(Frames::Direct);
    let said = offer(&mut *web, SECOND, &frame(HEADERS, END_HEADERS, 1, &request("POST", "/none")));
    assert_eq!(frames(&said).last().unwrap().0, RST_STREAM, "the rest is not awaited");
    assert!(requests(&said).is_empty());
    let said = offer(&mut *web, SECOND, &frame(DATA, END_STREAM, 1, b"cmd=id"));
    assert_eq!(requests(&said), [(b"POST".to_vec(), b"/none".to_vec(), b"cmd=id".to_vec())]);
    // Or when the client leaves.
    offer(&mut *web, SECOND, &frame(HEADERS, END_HEADERS, 3, &request("PUT", "/a")));
    offer(&mut *web, SECOND, &frame(DATA, 0, 3, b"half"));
    web.handle_end(at!(SECOND));
    let said = drain(&mut *web, SECOND, 1460);
    assert_eq!(requests(&said), [(b"PUT".to_vec(), b"/a".to_vec(), b"half".to_vec())]);
    assert!(said.closed);
}

/// Offers the same octets again and again, in all, without reading what is said until nothing more is taken.
fn flood(web: &mut dyn Conversation, octets: &[u8], times: usize) -> Said {
    let mut all = Said::default();
    for _ in 0..times {
        let said = offer(web, SECOND, octets);
        all.octets.extend(said.octets);
        all.closed |= said.closed;
        if all.closed {
            break;
        }
    }
    all
}

fn end_of(said: &Said) -> (u32, u32) {
    let all = frames(said);
    let (kind, _, _, body) = all.last().unwrap();
    assert!(*kind == GOAWAY && said.closed, "{kind} {}", said.closed);
    (frame::number(body), frame::number(&body[4..]))
}

#[test]
fn floods_come_to_an_end() {
    let rapid: Vec<u8> = (0..3000u32)
        .flat_map(|n| {
            let id = 2 * n + 1;
            let get = frame(HEADERS, END_HEADERS | END_STREAM, id, &request("GET", "/"));
            [get, frame(RST_STREAM, 0, id, &[0, 0, 0, 8])].concat()
        })
        .collect();
    // CVE-2023-44487, as the one that answers at once and the one that answers later count it.
    assert_eq!(end_of(&flood(&mut *web(Frames::Direct), &rapid, 1)).1, 0);
    assert_eq!(end_of(&flood(&mut *web(Frames::Library), &rapid, 1)).1, frame::INTERNAL_ERROR);
    let priorities = frame(frame::PRIORITY, 0, 3, &[0, 0, 0, 1, 16]).repeat(2000);
    assert_eq!(end_of(&flood(&mut *web(Frames::Direct), &priorities, 1)), (0, frame::ENHANCE_YOUR_CALM));
    // Frames that carry nothing, by the megabyte.
    let empty = frame(SETTINGS, 0, 0, &[]).repeat(100_000);
    assert_eq!(end_of(&flood(&mut *web(Frames::Direct), &empty, 20)), (0, 0));
    let settings = frame(SETTINGS, 0, 0, &[]).repeat(1500);
    assert_eq!(end_of(&flood(&mut *web(Frames::Library), &settings, 1)).0, 0);
    // CVE-2024-28182.
    let begun = frame(HEADERS, 0, 1, &request("GET", "/"));
    let more = frame(CONTINUATION, 0, 1, &[]).repeat(9);
    assert!(flood(&mut *web(Frames::Library), &[begun.clone(), more].concat(), 1).closed);
    let more = frame(CONTINUATION, 0, 1, &[b'x'; 16_000]).repeat(3);
    assert_eq!(end_of(&flood(&mut *web(Frames::Direct), &[begun, more].concat(), 1)).1, frame::ENHANCE_YOUR_CALM);
}

#[test]
fn a_bomb_of_headers_is_refused() {
    // One field of four kilobytes, and ten thousand references to it.
    let mut bomb = request("GET", "/");
    bomb.extend([0x40, 1, b'a', 0x7f, 0xa1, 0x1e]);
    bomb.extend([b'x'; 4000]);
    bomb.extend([0xbe; 10_000]);
    let bomb = frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb);
    assert_eq!(end_of(&flood(&mut *web(Frames::Direct), &bomb, 1)), (1, frame::ENHANCE_YOUR_CALM));
    let said = flood(&mut *web(Frames::Library), &bomb, 1);
    assert_eq!(frames(&said), [(RST_STREAM, 0, 1, vec![0, 0, 0, 11])]);
}

#[test]
fn who_takes_nothing_is_refused_more() {
    for reading in [Frames::Direct, Frames::Library] {
        let mut web = web(reading);
        offer(&mut *web, SECOND, &frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
        let (mut refused, mut told, mut asked) = (0, 0, 0);
        for id in (1..400).step_by(2) {
            let said = offer(&mut *web, SECOND, &frame(HEADERS, END_HEADERS | END_STREAM, id, &request("GET", "/")));
            asked += 1;
            refused += frames(&said).iter().filter(|frame| frame.0 == RST_STREAM).count();
            told += requests(&said).len();
            if said.closed {
                // The last one is refused by the end of the connection.
                refused += 1;
                break;
            }
        }
        // Where an answer waits for room, fewer pages fit into what is held than there may be streams.
        let most = if reading == Frames::Direct { 20 } else { 100 };
        assert!(asked - refused <= most && refused >= 100, "{reading:?}: {refused} of {asked}");
        // All of them are told of in the end.
        web.handle_end(at!(SECOND));
        told += requests(&drain(&mut *web, SECOND, 1460)).len();
        assert_eq!(told, asked - refused, "{reading:?}");
    }
}

#[test]
fn silence_comes_to_an_end() {
    for (reading, seconds) in [(Frames::Direct, 60), (Frames::Library, 60)] {
        let mut web = web(reading);
        let late = (1 + seconds) * SECOND;
        web.handle_wake(at!(late - 1));
        assert!(!drain(&mut *web, late - 1, 1460).closed);
        web.handle_wake(at!(late));
        assert_eq!(end_of(&drain(&mut *web, late, 1460)), (0, 0));
    }
}

#[test]
fn headers_that_stop_are_given_up_and_their_rest_is_not_answered() {
    let get = |stream: u32, flags: u8| frame(HEADERS, flags | END_STREAM, stream, &request("GET", "/"));
    let whole = get(1, END_HEADERS);
    let (half, rest) = whole.split_at(30);
    let more = frame(CONTINUATION, END_HEADERS, 1, &block(&[("a", "b")]));
    for (first, rest) in [(half, rest), (&get(1, 0), &more)] {
        let mut web = web(Frames::Direct);
        let said = offer(&mut *web, 2 * SECOND, first);
        assert!(said.octets.is_empty() && said.wake.is_none_or(|wake| wake <= 62 * SECOND));
        // Who goes on slowly has no more time for it.
        offer(&mut *web, 50 * SECOND, &frame(CONTINUATION, 0, 1, &[]).repeat(usize::from(rest == more)));
        web.handle_wake(at!(62 * SECOND));
        let said = drain(&mut *web, 62 * SECOND, 1460);
        assert_eq!(frames(&said), [(RST_STREAM, 0, 1, vec![0, 0, 0, 1])]);
        assert!(matches!(&said.facts[..], [(Kind::ServiceRequest, _, _)]), "{:?}", said.facts);
        let said = offer(&mut *web, 70 * SECOND, &[rest, &get(3, END_HEADERS)].concat());
        assert!(frames(&said).iter().all(|frame| frame.2 == 3) && requests(&said).len() == 1, "{:?}", frames(&said));
        web.handle_wake(at!(130 * SECOND));
        assert_eq!(end_of(&drain(&mut *web, 130 * SECOND, 1460)), (3, 0));
    }
}

#[test]
fn an_idle_connection_of_nginx_is_not_kept_by_pings() {
    for (reading, kept) in [(Frames::Direct, false), (Frames::Library, true)] {
        let mut web = web(reading);
        offer(&mut *web, 2 * SECOND, &frame(HEADERS, END_HEADERS | END_STREAM, 1, &request("GET", "/")));
        offer(&mut *web, 40 * SECOND, &frame(frame::PING, 0, 0, b"12345678"));
        web.handle_wake(at!(62 * SECOND));
        assert_ne!(drain(&mut *web, 62 * SECOND, 1460).closed, kept, "{reading:?}");
    }
}

#[test]
fn headers_that_stop_are_left_without_a_word_by_libnghttp2() {
    let http2 = Http2Spec { reading: Frames::Library, head_s: 300, ..Http2Spec::default() };
    let keeping = HttpKeeping { idle_s: 5, ..HttpKeeping::default() };
    let spec = HttpSpec { http2: Some(http2), keeping, ..HttpSpec::default() };
    let whole = frame(HEADERS, END_HEADERS | END_STREAM, 1, &request("GET", "/"));
    // The method is of thirteen octets. Before it is there, the client has the time of one that has asked for nothing.
    for (came, seconds) in [(9, 300), (9 + 12, 300), (9 + 13, 5), (whole.len() - 1, 5)] {
        let mut web = open(&ServiceSpec::new("web", ServiceKind::Http(Arc::new(spec.clone()))), &opening());
        web.handle_protocol(at!(SECOND), b"h2");
        offer(&mut *web, SECOND, &[PREFACE, &frame(SETTINGS, 0, 0, &[]), &whole[..came]].concat());
        web.handle_wake(at!((1 + seconds) * SECOND - 1));
        assert!(!drain(&mut *web, (1 + seconds) * SECOND - 1, 1460).closed, "{came}");
        web.handle_wake(at!((1 + seconds) * SECOND));
        let said = drain(&mut *web, (1 + seconds) * SECOND, 1460);
        assert!(said.octets.is_empty() && said.closed, "{came}: {:?}", frames(&said));
    }
}

#[test]
fn a_preface_is_judged_as_soon_as_each_judges_it() {
    // What comes, and the error of each; 99: it waits.
    let cases: [(&[u8], [u32; 3]); 7] = [
        (b"xx", [99, u32::MAX, 99]),
        (b"xxxx", [99, u32::MAX, 1]),
        (b"PRI x", [99, u32::MAX, 99]),
        (b"PRI * HT", [99, 99, 99]),
        (b"PRI * HTT", [99, 99, 6]),
        (b"PRI * HTTP/2.0\r\nx", [99, u32::MAX, 6]),
        (b"PRI * HTTP/2.1\r\n", [1, u32::MAX, 6]),
    ];
    for (octets, errors) in cases {
        for (reading, error) in [Frames::Direct, Frames::Library, Frames::Gathered].into_iter().zip(errors) {
            let spec = HttpSpec { http2: Some(Http2Spec { reading, ..Http2Spec::default() }), ..HttpSpec::default() };
            let mut web = open(&ServiceSpec::new("web", ServiceKind::Http(Arc::new(spec))), &opening());
            web.handle_protocol(at!(SECOND), b"h2");
            let said = offer(&mut *web, SECOND, octets);
            if error == 99 {
                assert!(!said.closed, "{reading:?} {}", octets.escape_ascii());
                continue;
            }
            let code = end_of(&said).1;
            let right = code == error || error == u32::MAX && code > 99;
            assert!(right, "{reading:?} {}: {code}", octets.escape_ascii());
        }
    }
}

#[test]
fn who_is_at_fault_is_read_on_from_and_who_is_silent_less() {
    // Of each: seconds after an error, after an idle connection, and after silence from the beginning on.
    let nginx = HttpLinger { unread_only: true, silence_s: 5, most_s: 30, ..HttpLinger::default() };
    let apache = HttpLinger { most_s: 30, late_s: 2, ..HttpLinger::default() };
    for (linger, lasts) in [(nginx, [5, 0, 0]), (apache, [30, 2, 30])] {
        let keeping = HttpKeeping { linger: Some(linger), idle_s: 9, ..HttpKeeping::default() };
        let spec = HttpSpec { keeping, http2: Some(Http2Spec::default()), ..HttpSpec::default() };
        let spec = ServiceSpec::new("web", ServiceKind::Http(Arc::new(spec)));
        let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, &request("GET", "/"));
        for (first, ends, lasts) in
            [(b"x".repeat(16), 1, lasts[0]), (request, 10, lasts[1]), (Vec::new(), 61, lasts[2])]
        {
            let mut web = open(&spec, &opening());
            web.handle_protocol(at!(SECOND), b"h2");
            let start = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &first].concat();
            let mut said = offer(&mut *web, SECOND, if ends == 1 { &first } else { &start });
            if ends > 1 {
                assert!(!said.closed);
                web.handle_wake(at!(ends * SECOND));
                said = drain(&mut *web, ends * SECOND, 1460);
            }
            assert_eq!((said.finished, said.closed), (lasts > 0, true), "{lasts}");
            if lasts > 0 {
                assert_eq!(said.wake, Some((ends + lasts) * SECOND));
                web.handle_wake(at!((ends + lasts) * SECOND));
                assert!(drain(&mut *web, (ends + lasts) * SECOND, 1460).closed);
            }
        }
    }
}

#[test]
fn who_takes_no_answer_has_his_own_time() {
    for reading in [Frames::Direct, Frames::Library] {
        let http2 = Http2Spec { reading, stalled_s: 300, ..Http2Spec::default() };
        let page = HttpPage { path: "/".into(), body: "x".into(), ..HttpPage::default() };
        let spec = HttpSpec { pages: vec![page], http2: Some(http2), ..HttpSpec::default() };
        let mut web = open(&ServiceSpec::new("web", ServiceKind::Http(Arc::new(spec))), &opening());
        web.handle_protocol(at!(SECOND), b"h2");
        offer(&mut *web, SECOND, &[PREFACE, &frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])].concat());
        offer(&mut *web, SECOND, &frame(HEADERS, END_HEADERS | END_STREAM, 1, &request("GET", "/")));
        web.handle_wake(at!(300 * SECOND));
        assert!(!drain(&mut *web, 300 * SECOND, 1460).closed);
        web.handle_wake(at!(301 * SECOND));
        let said = drain(&mut *web, 301 * SECOND, 1460);
        if reading == Frames::Library {
            assert_eq!(end_of(&said), (1, 0));
            continue;
        }
        assert_eq!(frames(&said), [(RST_STREAM, 0, 1, vec![0, 0, 0, 1])]);
        assert_eq!(requests(&said).len(), 1);
        web.handle_wake(at!(361 * SECOND));
        assert_eq!(end_of(&drain(&mut *web, 361 * SECOND, 1460)), (1, 0));
    }
}

proptest! {
    /// Whatever comes, in whatever pieces: it ends, and holds no more than its limits.
    #[test]
    fn nonsense_is_survived(pieces in prop::collection::vec((0u8..10, any::<u8>(), 0u32..6, prop::collection::vec(any::<u8>(), 0..40)), 0..30), direct in any::<bool>()) {
        let mut web = web(if direct { Frames::Direct } else { Frames::Library });
        for (kind, flags, stream, body) in pieces {
            let said = offer(&mut *web, SECOND, &frame(kind, flags, stream, &body));
            prop_assert!(said.octets.len() < 300_000);
            if said.closed {
                return Ok(());
            }
        }
        web.handle_end(at!(SECOND));
        prop_assert!(drain(&mut *web, SECOND, 1460).closed);
    }
}
