use alloc::{boxed::Box, string::ToString, sync::Arc, vec, vec::Vec};

use chaff_events::{Detail, Kind, Tool};

use crate::{
    BannerSpec, Conversation, MatchRule, Output, ServiceKind, ServiceSpec, open,
    tests::{SECOND, Said, at, drain, offer, opening, start},
};

/// The conversation `name`, after its greeting.
fn greeted(name: &str) -> (Box<dyn Conversation>, Said) {
    let mut conversation = start(name);
    conversation.handle_wake(at!(2 * SECOND));
    let said = drain(&mut *conversation, 2 * SECOND, 1460);
    (conversation, said)
}

fn lines(rules: &[(&str, &str)]) -> Box<dyn Conversation> {
    let rules = rules
        .iter()
        .map(|(starts, answer)| MatchRule { starts: (*starts).into(), answer: (*answer).into(), closes: false })
        .collect();
    let spec = BannerSpec { rules, ..BannerSpec::default() };
    open(&ServiceSpec::new("x", ServiceKind::Banner(Arc::new(spec))), &opening())
}

#[test]
fn the_greeting_comes_when_it_is_due_and_not_before() {
    let mut ftp = start("ftp");
    let said = drain(&mut *ftp, SECOND, 1460);
    assert_eq!((said.text().as_str(), said.wake), ("", Some(SECOND + 20_000_000)));
    ftp.handle_wake(at!(SECOND + 19_999_999));
    let said = drain(&mut *ftp, SECOND, 1460);
    assert_eq!((said.text().as_str(), said.wake), ("", Some(SECOND + 20_000_000)));
    ftp.handle_wake(at!(SECOND + 20_000_000));
    assert_eq!(drain(&mut *ftp, SECOND, 1460).text(), "220 nav-1 ready\r\n");
}

#[test]
fn a_client_that_speaks_before_the_greeting_is_told_of_at_once_and_answered_after_it() {
    let mut ftp = start("ftp");
    assert_eq!(ftp.handle_octets(at!(SECOND), b"\r\n\r\n"), 0);
    let said = drain(&mut *ftp, SECOND, 1460);
    assert_eq!(said.facts.len(), 1);
    assert_eq!(said.facts[0].1, Some(Tool::Nmap));
    ftp.handle_wake(at!(SECOND + 20_000_000));
    let said = offer(&mut *ftp, 2 * SECOND, b"\r\n\r\n");
    assert_eq!(said.text(), "220 nav-1 ready\r\n500 What?\r\n500 What?\r\n");
    assert_eq!(said.facts, [], "the same message is told of once");
}

#[test]
fn lines_are_answered_by_the_first_rule_that_fits_in_either_case() {
    let (mut ftp, _) = greeted("ftp");
    assert_eq!(offer(&mut *ftp, 0, b"user anna\r\nNOOP\n").text(), "331 Password required.\r\n500 What?\r\n");
    assert_eq!(offer(&mut *ftp, 0, b"USE").text(), "", "half a line is no request");
    assert_eq!(offer(&mut *ftp, 0, b"R bert\r").text(), "");
    assert_eq!(offer(&mut *ftp, 0, b"\n").text(), "331 Password required.\r\n");
    let said = offer(&mut *ftp, 0, b"QUIT\r\nUSER late\r\n");
    assert_eq!((said.text().as_str(), said.closed), ("221 Bye.\r\n", true));
}

#[test]
fn a_rule_with_octets_that_are_no_text_is_held_against_what_comes() {
    let (mut ftp, _) = greeted("ftp");
    let said = offer(&mut *ftp, 0, b"\x16\x03\x01\x02\x00\x01");
    assert_eq!((said.octets.as_slice(), said.closed), (&b"\x15\x03\x01\0\x02\x02F"[..], true));
    let (mut ftp, _) = greeted("ftp");
    assert_eq!(offer(&mut *ftp, 0, b"NOOP\r\n\x16\x03").text(), "500 What?\r\n", "but only at the start of a piece");
}

#[test]
fn a_binary_server_takes_each_piece_as_a_request() {
    let mut binary = start("binary");
    assert_eq!(offer(&mut *binary, 0, b"\x01\x02\n\x03").octets, b"\0\x01");
    assert_eq!(offer(&mut *binary, 0, b"x").octets, b"\0\x01");
}

#[test]
fn distinct_messages_are_told_of_once_each_with_their_octets() {
    let (mut ftp, _) = greeted("ftp");
    let said = offer(&mut *ftp, 0, b"NOOP\r\n");
    assert_eq!(said.facts, [(Kind::ServiceRequest, None, Detail::Payload { octets: b"NOOP\r\n".to_vec(), length: 6 })]);
    let said = offer(&mut *ftp, 0, b"NOOP\r\nSYST\r\nNOOP\r\n");
    assert_eq!(said.facts, [(Kind::ServiceRequest, None, Detail::Payload { octets: b"SYST".to_vec(), length: 4 })]);
}

#[test]
fn what_never_becomes_a_line_is_told_of_too() {
    let (mut ftp, _) = greeted("ftp");
    assert_eq!(offer(&mut *ftp, 0, b"NOOP\r\nhalf").facts.len(), 2);
    ftp.handle_end(at!(0));
    let said = drain(&mut *ftp, 0, 1460);
    assert_eq!(said.facts, [(Kind::ServiceRequest, None, Detail::Payload { octets: b"half".to_vec(), length: 4 })]);
    assert!(said.closed);
}

/// Found by fuzzing: half a line, the server's own end, and then the client's.
#[test]
fn what_is_left_when_the_time_is_up_is_told_before_the_end_and_not_after_it() {
    let (mut ftp, _) = greeted("ftp");
    offer(&mut *ftp, 2 * SECOND, b"NOOP\r\nhalf");
    ftp.handle_wake(at!(100 * SECOND));
    let said = drain(&mut *ftp, 100 * SECOND, 1460);
    assert_eq!((said.facts.len(), said.closed), (1, true));
    ftp.handle_end(at!(100 * SECOND));
    assert_eq!(drain(&mut *ftp, 100 * SECOND, 1460), Said::default());
}

#[test]
fn user_and_pass_are_a_credential() {
    let (mut ftp, _) = greeted("ftp");
    let said = offer(&mut *ftp, 0, b"USER anna\r\nPass s3:cret \r\n");
    let credential = Detail::Credential {
        username: b"anna".to_vec(),
        secret_kind: "password".to_string(),
        secret: b"s3:cret ".to_vec(),
        client: Vec::new(),
        accepted: false,
    };
    assert_eq!(said.facts.last(), Some(&(Kind::Credential, None, credential)));
}

#[test]
fn a_silent_client_is_dropped_when_its_time_is_up() {
    let (mut ftp, said) = greeted("ftp");
    let due = said.wake.unwrap();
    assert_eq!(due, SECOND + 30 * SECOND);
    offer(&mut *ftp, 10 * SECOND, b"NOOP\r\n");
    ftp.handle_wake(at!(due));
    let said = drain(&mut *ftp, due, 1460);
    assert_eq!((said.closed, said.wake), (false, Some(40 * SECOND)), "it was heard since");
    ftp.handle_wake(at!(40 * SECOND));
    assert!(drain(&mut *ftp, 40 * SECOND, 1460).closed);
}

#[test]
fn a_line_without_end_is_cut_and_a_flood_of_lines_waits_for_the_reader() {
    let mut server = lines(&[("", &"x".repeat(200))]);
    let flood = vec![b'\n'; 100_000];
    let taken = server.handle_octets(at!(0), &flood);
    assert!(taken < 1000, "{taken} lines answered though nobody read");
    assert_eq!(server.handle_octets(at!(0), &flood), 0);
    assert!(matches!(server.poll(at!(0), 1000), Some(Output::Observe(..))));
    let (mut ftp, _) = greeted("ftp");
    assert_eq!(ftp.handle_octets(at!(0), &vec![b'A'; 50_000]), 50_000);
    let said = offer(&mut *ftp, 0, b"\r\n");
    assert_eq!(said.text(), "500 What?\r\n");
}

#[test]
fn telnet_asks_twice_echoes_the_name_and_tells_what_was_tried() {
    let (mut telnet, said) = greeted("telnet");
    assert_eq!(said.octets, b"\xff\xfb\x01Welcome\r\nnav-1 login: ");
    let said = offer(&mut *telnet, 0, b"\xff\xfd\x01\xff\xfa\x18\x00vt100\xff\xf0ro\x7foot\r\0");
    assert_eq!(said.text(), "ro\x08 \x08oot\r\nPassword: ");
    let said = offer(&mut *telnet, SECOND, b"tiger\r\nroot\r\n");
    assert_eq!(said.text(), "\r\n", "the refusal takes its time, the password is not echoed");
    assert_eq!(said.wake, Some(SECOND + 1_500_000_000));
    let Some((Kind::Credential, None, Detail::Credential { username, secret, .. })) = said.facts.last() else {
        panic!("{:?}", said.facts);
    };
    assert_eq!((username.as_slice(), secret.as_slice()), (&b"root"[..], &b"tiger"[..]));
    telnet.handle_wake(at!(SECOND + 1_500_000_000));
    assert_eq!(drain(&mut *telnet, 0, 1460).text(), "\r\nLogin incorrect\r\nnav-1 login: ");
    assert_eq!(offer(&mut *telnet, 3 * SECOND, b"root\r\nlion\r\n").text(), "root\r\nPassword: \r\n");
    telnet.handle_wake(at!(5 * SECOND));
    let said = drain(&mut *telnet, 0, 1460);
    assert_eq!((said.text().as_str(), said.closed), ("\r\nLogin incorrect\r\n", true), "two attempts and no more");
}

#[test]
fn a_client_that_ends_before_the_greeting_still_gets_it() {
    let mut ftp = start("ftp");
    ftp.handle_end(at!(SECOND));
    assert!(!drain(&mut *ftp, SECOND, 1460).closed);
    ftp.handle_wake(at!(2 * SECOND));
    let said = drain(&mut *ftp, 2 * SECOND, 1460);
    assert_eq!((said.text().as_str(), said.closed), ("220 nav-1 ready\r\n", true));
}
