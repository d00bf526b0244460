use alloc::{boxed::Box, string::ToString, sync::Arc, vec, vec::Vec};

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::{
    alert::Alert,
    hello::ClientHello,
    ja::{ja3_text, ja4},
    session::{Session, Tickets},
    spec::{CertificateSpec, KeySpec, OtherCertificate, TlsSpec, Version},
    suite::Suite,
    wire::{message, put_u16, put_vector},
};
use crate::{
    Conversation, HttpSpec, ServiceKind, ServiceSpec, open,
    tests::{SECOND, at, drain, offer, opening, start},
};

const CHROME_SUITES: [u16; 16] = [
    0x0a0a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
    0x002f, 0x0035,
];
const CHROME_SCHEMES: [u16; 8] = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];

fn list(numbers: &[u16]) -> Vec<u8> {
    let mut out = Vec::new();
    put_vector::<2>(&mut out, |out| numbers.iter().for_each(|&number| put_u16(out, number)));
    out
}

/// The hello of the example that JA4 is published with (a Chrome on Windows).
fn chrome() -> ClientHello {
    let plain = [5, 0x12, 0x15, 0x17, 0x1b, 0x23, 0x2d, 0x33, 0x4469, 0xff01, 0];
    let mut extensions: Vec<(u16, Vec<u8>)> = plain.iter().map(|&kind| (kind, Vec::new())).collect();
    extensions.insert(0, (0x1a1a, vec![]));
    extensions.push((10, list(&[0x2a2a, 29, 23, 24])));
    extensions.push((11, vec![1, 0]));
    extensions.push((13, list(&CHROME_SCHEMES)));
    extensions.push((16, b"\0\x0c\x02h2\x08http/1.1".to_vec()));
    extensions.push((43, vec![6, 0x3a, 0x3a, 3, 4, 3, 3]));
    ClientHello {
        version: 0x0303,
        suites: CHROME_SUITES.into(),
        compressions: vec![0],
        extensions,
        ..Default::default()
    }
}

#[test]
fn ja4_is_as_published() {
    assert_eq!(ja4(&chrome()), "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

fn https(tls: TlsSpec) -> Box<dyn Conversation> {
    let kind = ServiceKind::Http(Arc::new(HttpSpec::default()));
    open(&ServiceSpec { tls: Some(Arc::new(tls)), ..ServiceSpec::new("https", kind) }, &opening())
}

#[test]
fn who_ends_without_a_word_is_told_so_where_that_is_an_error() {
    for (abrupt_end_fails, said) in [(false, &b""[..]), (true, b"\x15\x03\x03\0\x02\x02\x32")] {
        let mut web = https(TlsSpec { abrupt_end_fails, ..TlsSpec::default() });
        offer(&mut *web, SECOND, b"\x16\x03\x01\0\x50\x01");
        web.handle_end(at!(SECOND));
        let end = drain(&mut *web, SECOND, 1460);
        assert!(end.octets == said && end.closed, "{:?}", end.octets);
    }
}

#[test]
fn ja3_has_the_five_lists_without_grease() {
    assert_eq!(
        ja3_text(&chrome()),
        "771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,\
         5-18-21-23-27-35-45-51-17513-65281-0-10-11-13-16-43,29-23-24,0"
    );
}

#[test]
fn a_hello_reads_back_and_its_first_half_is_an_error() {
    let body = message(1, |out| {
        put_u16(out, 0x0303);
        out.extend_from_slice(&[1; 32]);
        out.push(0);
        out.extend(list(&[0x1301]));
        out.extend_from_slice(&[1, 0]);
    });
    assert_eq!(ClientHello::read(&body[4..]).unwrap().suites, [0x1301]);
    for end in 4..body.len() {
        assert!(ClientHello::read(&body[4..end]).is_err(), "{end}");
    }
}

#[test]
fn a_hello_of_ssl_2_reads_as_one_without_extensions() {
    let suites = b"\x07\0\xc0\0\xc0\x2f\0\0\x9c";
    let head = |version: u16, session: u16, challenge: u16| {
        let lengths = [version, u16::try_from(suites.len()).unwrap(), session, challenge];
        [&lengths.map(u16::to_be_bytes).concat()[..], suites].concat()
    };
    let hello = ClientHello::read_old(&[head(0x0303, 0, 16), vec![9; 16]].concat()).unwrap();
    assert_eq!((hello.version, hello.suites), (0x0303, vec![0xc02f, 0x9c]));
    assert!(hello.random[..16] == [0; 16] && hello.random[16..] == [9; 16] && hello.extensions.is_empty());
    let challenge: Vec<u8> = (0..40).collect();
    let hello = ClientHello::read_old(&[head(0x0301, 0, 40), challenge.clone()].concat()).unwrap();
    assert_eq!(hello.random, challenge[..32]);
    for (body, alert) in [
        (head(0x0002, 0, 0), Alert::ProtocolVersion),
        (head(0x0303, 0, 1), Alert::DecodeError),
        ([head(0x0303, 33, 0), vec![0; 33]].concat(), Alert::IllegalParameter),
        ([head(0x0303, 0, 0), vec![0]].concat(), Alert::DecodeError),
        (vec![3, 3, 0, 0, 0, 0, 0, 0], Alert::IllegalParameter),
        (vec![3, 3, 0], Alert::DecodeError),
    ] {
        assert_eq!(ClientHello::read_old(&body).unwrap_err(), alert, "{body:?}");
    }
}

#[test]
fn a_handshake_that_never_ends_is_ended_by_time() {
    let mut secure = start("secure");
    let said = offer(&mut *secure, SECOND, b"\x16\x03\x01\x00\x40\x01");
    assert_eq!((said.wake, said.closed), (Some(61 * SECOND), false));
    secure.handle_wake(crate::tests::at!(61 * SECOND));
    let said = crate::tests::drain(&mut *secure, 61 * SECOND, 1460);
    assert!(said.closed && said.octets.is_empty(), "{}", said.text().to_string());
}

#[test]
fn drops_have_more_time_where_they_count() {
    for (handshake_goes_on, until) in [(false, 61), (true, 110)] {
        let mut web = https(TlsSpec { handshake_goes_on, ..TlsSpec::default() });
        let first = offer(&mut *web, SECOND, b"\x16");
        let said = offer(&mut *web, 50 * SECOND, b"\x03");
        assert_eq!(said.wake.or(first.wake), Some(until * SECOND));
    }
    // But not for ever.
    let mut web = https(TlsSpec { handshake_goes_on: true, ..TlsSpec::default() });
    offer(&mut *web, SECOND, b"\x16\x03\x01\x10\0");
    let wakes = (1..72).filter_map(|turn| offer(&mut *web, turn * 50 * SECOND, b"x").wake);
    assert_eq!(wakes.last(), Some(3601 * SECOND));
    web.handle_wake(at!(3601 * SECOND));
    assert!(drain(&mut *web, 3601 * SECOND, 1460).closed);
}

#[test]
fn what_comes_with_a_fault_is_read_as_far_as_the_server_reads_ahead() {
    // An alert is no beginning, and what follows it is read or not.
    let octets = [&b"\x15\x03\x03\0\x02\x01\0"[..], &[b'x'; 100]].concat();
    for (reads_ahead, taken) in [(0, 7), (50, 50), (1000, octets.len())] {
        let mut web = https(TlsSpec { reads_ahead, ..TlsSpec::default() });
        assert_eq!(web.handle_octets(at!(SECOND), &octets), taken);
        let said = drain(&mut *web, SECOND, 1460);
        assert!(said.octets == b"\x15\x03\x03\0\x02\x02\x0a" && said.closed && !said.finished, "{said:?}");
    }
}

#[test]
fn who_reads_on_after_a_fault_does_so_for_its_time() {
    let mut web = https(TlsSpec { lingers_s: 5, ..TlsSpec::default() });
    let said = offer(&mut *web, SECOND, b"\x16\x03\x01\0\x05\x02\0\0\x01x and more");
    assert!(said.octets.len() == 7 && said.finished && said.wake == Some(6 * SECOND), "{said:?}");
    assert_eq!(web.handle_octets(at!(2 * SECOND), b"still more"), 10);
    web.handle_wake(at!(6 * SECOND));
    let said = drain(&mut *web, 6 * SECOND, 1460);
    assert!(said.octets.is_empty() && said.closed && !said.finished, "{said:?}");
}

#[test]
fn a_message_that_is_long_is_not_kept() {
    let mut secure = start("secure");
    let mut closed = false;
    let mut sent = 0;
    let mut record = vec![0x16, 3, 1, 0x40, 0];
    record.extend_from_slice(&[1, 1, 0xff, 0xff]);
    record.resize(5 + 0x4000, 7);
    while !closed && sent < 200_000 {
        closed = offer(&mut *secure, SECOND, &record).closed;
        sent += record.len();
    }
    assert!(closed && sent <= 64 * 1024, "{sent}");
}

#[test]
fn a_ticket_opens_for_the_decoy_that_made_it_and_whole() {
    let session = Session {
        version: Version::Tls12,
        suite: Suite::of_id(0xc030).unwrap(),
        secret: vec![5; 48],
        extended: true,
        issued_s: 1_700_000_000,
    };
    let mut chance = ChaCha8Rng::from_seed([3; 32]);
    let [own, other] = [[1; 16], [2; 16]].map(|seed| Tickets::of(&seed));
    let ticket = own.seal(&session, 192, &mut chance);
    assert_eq!((ticket.len(), own.open(&ticket)), (192, Some(session.clone())));
    assert!(other.open(&ticket).is_none());
    for place in 0..ticket.len() {
        let mut spoiled = ticket.clone();
        spoiled[place] ^= 1;
        assert!(own.open(&spoiled).is_none() && own.open(&ticket[..place]).is_none(), "{place}");
    }
    // Too short to hold one: it looks like a ticket and is none.
    let short = own.seal(&session, 64, &mut chance);
    assert!(short.len() == 64 && short[..16] == ticket[..16] && own.open(&short).is_none());
}

#[test]
fn some_decoys_have_another_certificate_and_keep_it() {
    let other = OtherCertificate {
        percent: 20,
        certificate: CertificateSpec { key: KeySpec::EcdsaP256, ..CertificateSpec::default() },
    };
    let spec = TlsSpec { other_certificates: vec![other], ..TlsSpec::default() };
    let keys = |run: u8| -> Vec<KeySpec> {
        (0..1000_u16)
            .map(|count| {
                let mut seed = [run; 16];
                seed[..2].copy_from_slice(&count.to_le_bytes());
                spec.certificate_of(&seed).key
            })
            .collect()
    };
    let others = keys(7).iter().filter(|key| **key == KeySpec::EcdsaP256).count();
    assert!((150..250).contains(&others), "{others}");
    assert_eq!(keys(7), keys(7));
    assert!(TlsSpec::default().certificate_of(&[3; 16]).key.is_rsa());
}
