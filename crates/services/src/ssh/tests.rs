//! The transport against packets made by hand; real clients are in `tests/ssh.rs`.

use alloc::{boxed::Box, format, string::String, sync::Arc, vec, vec::Vec};

use chaff_events::{Detail, Kind};

use super::{
    auth::{Answer, Auth, Visit},
    cipher::{CIPHERS, Cipher},
    kex::exchange::Method,
    mac::Mac,
    packet::{Corrupt, Keys, MAX_PACKET, Packet, Receiver, Sender},
    spec::SshSpec,
    transport::Transport,
    wire::{Put, message},
};
use crate::{
    Conversation, Output, ServiceKind, Shared,
    outbox::Outbox,
    tests::{SECOND, at, drain, offer, opening},
};

/// The profile that ships.
pub(crate) fn product() -> SshSpec {
    #[derive(serde::Deserialize)]
    struct File {
        kind: ServiceKind,
    }
    let text = include_str!("../../../../profiles/services/openssh-9.2-debian12.toml");
    let file: File = toml::from_str(&text.replace("{revision}", "deb12u10")).unwrap();
    let ServiceKind::Ssh(spec) = file.kind else { panic!("no SSH server") };
    (*spec).clone()
}

fn start(spec: SshSpec) -> Box<dyn Conversation> {
    let mut ssh = super::Ssh::new(&Arc::new(spec), &opening());
    ssh.handle_wake(at!(SECOND + SECOND / 10));
    Box::new(ssh)
}

#[test]
fn every_name_that_the_product_says_can_be_spoken() {
    let spec = product();
    for name in spec.kex.iter().filter(|name| !name.starts_with("kex-strict")) {
        assert!(Method::named(name).is_some(), "{name}");
    }
    for name in &spec.ciphers {
        assert!(Cipher::named(name).is_some(), "{name}");
    }
    for name in &spec.macs {
        assert!(Mac::named(name).is_some(), "{name}");
    }
    for name in &spec.host_key_algorithms {
        assert!(spec.host_keys.iter().any(|key| key.serves(name)), "{name}");
    }
    assert!(Mac::named("hmac-sha1@openssh.com").is_none() && Mac::named("umac-64").is_none());
}

#[test]
fn nothing_but_the_version_line_is_said_first_and_the_offer_follows_the_client_s() {
    let mut ssh = start(product());
    let said = drain(&mut *ssh, SECOND, 1460);
    assert_eq!(said.text(), "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n");
    assert_eq!(drain(&mut *ssh, 4 * SECOND, 1460).octets, b"");
    let said = offer(&mut *ssh, 4 * SECOND, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
    // 1,132 octets after the length, 11 of them padding: as measured of the package.
    assert_eq!((said.octets.len(), &said.octets[..6]), (1136, &[0, 0, 4, 0x6c, 11, 20][..]));
    assert_eq!(said.octets[1125..], [0; 11], "zeros pad what has no keys");
}

#[test]
fn a_refusal_of_a_version_line_is_two_pieces_and_leaves_the_rest_unread() {
    let mut ssh = start(product());
    drain(&mut *ssh, SECOND, 1460);
    let line = b"GET / HTTP/1.0\r\n\r\n";
    assert_eq!(ssh.handle_octets(at!(SECOND), line), 16, "the second line stays where it is");
    let mut pieces = Vec::new();
    loop {
        match ssh.poll(at!(SECOND), 1460) {
            Some(Output::Send(octets)) => pieces.push(octets.len()),
            Some(Output::Close) => break,
            Some(_) => {}
            None => panic!("no end"),
        }
    }
    assert_eq!(pieces, [34, 2]);
    assert_eq!(ssh.handle_octets(at!(SECOND), &line[16..]), 0);
}

#[test]
fn a_client_that_does_not_log_in_is_cut_off_and_one_that_says_only_its_name_is_told() {
    let mut ssh = start(product());
    let said = offer(&mut *ssh, SECOND, b"SSH-2.0-Go\r\n");
    assert!(said.facts.is_empty());
    ssh.handle_wake(at!(120 * SECOND));
    assert!(!drain(&mut *ssh, 120 * SECOND, 1460).closed);
    ssh.handle_wake(at!(121 * SECOND));
    let said = drain(&mut *ssh, 121 * SECOND, 1460);
    assert!(said.closed);
    let [(Kind::ServiceRequest, None, Detail::Payload { octets, .. })] = said.facts.as_slice() else {
        panic!("{:?}", said.facts)
    };
    assert_eq!(octets, b"SSH-2.0-Go");
}

/// Found by fuzzing: the client's end after the server's was told of as if it were news.
#[test]
fn a_client_that_sends_nonsense_is_told_once_and_nothing_comes_after_the_end() {
    let mut ssh = start(product());
    let said = offer(&mut *ssh, SECOND, b"SSH-2.0-Go\r\n\xff\xff\xff\xff\xff\xff\xff\xff");
    assert!(said.closed);
    assert!(
        matches!(said.facts.as_slice(), [(Kind::ServiceRequest, None, Detail::Payload { .. })]),
        "{:?}",
        said.facts
    );
    ssh.handle_end(at!(SECOND));
    ssh.handle_wake(at!(200 * SECOND));
    assert_eq!(drain(&mut *ssh, 200 * SECOND, 1460), Default::default());
}

/// Keys of both directions under `cipher` and `mac`.
fn keys(cipher: Cipher, mac: Option<&str>, seals: bool) -> Keys {
    let mac = mac.map(|name| Mac::named(name).unwrap());
    let mac = mac.map(|mac| mac.with_key(vec![3; mac.key_length()]));
    let (key, iv) = (vec![5; cipher.key_length()], vec![7; cipher.iv_length()]);
    let (block, is_cbc) = (cipher.block(), cipher.is_cbc());
    Keys { cipher: cipher.start(&key, &iv, seals).unwrap(), block, is_cbc, mac, compresses: false }
}

const MACS: [&str; 5] =
    ["hmac-sha2-256", "hmac-sha1-etm@openssh.com", "umac-64@openssh.com", "umac-128-etm@openssh.com", "hmac-md5-96"];

#[test]
fn packets_come_out_as_they_went_in_however_they_are_cut_and_no_bit_may_change() {
    let mut chance = opening().chance();
    for (name, cipher) in CIPHERS {
        let macs: Vec<Option<&str>> =
            if cipher.is_authenticated() { vec![None] } else { MACS.iter().copied().map(Some).collect() };
        for mac in macs {
            let pair = || {
                let (mut sender, mut receiver) = (Sender::new(false), Receiver::new(super::packet::MAX_PACKET, false));
                sender.rekey(keys(cipher, mac, true), true);
                receiver.rekey(keys(cipher, mac, false), true);
                (sender, receiver)
            };
            let (mut sender, mut receiver) = pair();
            let payloads: Vec<Vec<u8>> = [1, 7, 8, 100, 3000].map(|length| vec![42; length]).into();
            let stream: Vec<u8> = payloads.iter().flat_map(|payload| sender.seal(payload, &mut chance)).collect();
            let mut got = Vec::new();
            for piece in stream.chunks(13) {
                assert_eq!(receiver.take(piece), piece.len());
                while let Some(packet) = receiver.next().unwrap() {
                    got.push(packet.payload);
                }
            }
            assert_eq!(got, payloads, "{name} {mac:?}");
            let (mut sender, _) = pair();
            let packet = sender.seal(&[42; 40], &mut chance);
            for place in 4..packet.len() {
                let (_, mut receiver) = pair();
                let mut bad = packet.clone();
                bad[place] ^= 1;
                receiver.take(&bad);
                let hidden = matches!(receiver.next(), Ok(None));
                if hidden {
                    // Under CBC the fault is told only after as many octets as the longest packet has.
                    for _ in 0..=MAX_PACKET / 8192 {
                        if receiver.take(&[0; 8192]) == 0 || receiver.next().is_err() {
                            break;
                        }
                    }
                    assert!(cipher.is_cbc(), "{name} {mac:?} {place}");
                }
                assert!(receiver.next().is_err(), "{name} {mac:?}: octet {place} may change");
            }
        }
    }
}

#[test]
fn a_packet_that_cannot_be_one_is_refused() {
    for (length, padding, expected) in
        [(4, 4, Corrupt::Length), (13, 4, Corrupt::Length), (12, 3, Corrupt::Padding(3)), (12, 200, Corrupt::Length)]
    {
        let mut receiver = Receiver::new(super::packet::MAX_PACKET, false);
        receiver.take(&[&[0, 0, 0, length, padding][..], &[0; 11]].concat());
        assert_eq!(receiver.next().unwrap_err(), expected, "{length} {padding}");
    }
    let mut receiver = Receiver::new(super::packet::MAX_PACKET, false);
    receiver.take(&[0, 4, 0, 1, 0, 0, 0, 0]);
    assert_eq!(receiver.next().unwrap_err(), Corrupt::Length, "longer than the longest");
}

#[test]
fn host_keys_are_the_decoy_s_own_and_stay() {
    let mut shared = Shared::default();
    let mut blobs: Vec<Vec<u8>> = Vec::new();
    for seed in [[1; 16], [2; 16]] {
        for key in product().host_keys {
            let mut found = || loop {
                if let Some(key) = key.derive(&seed, &mut shared) {
                    return key.blob();
                }
            };
            let blob = found();
            assert_eq!(blob, found());
            assert!(!blobs.contains(&blob));
            blobs.push(blob);
        }
    }
    assert_eq!(blobs.len(), 6);
}

#[test]
fn an_outbox_cuts_where_it_was_told() {
    let mut outbox = Outbox::default();
    outbox.send(b"one");
    outbox.flush();
    outbox.flush();
    outbox.send(b"four");
    assert_eq!(outbox.poll(100), Some(Output::Send(b"one".to_vec())));
    assert_eq!(outbox.poll(2), Some(Output::Send(b"fo".to_vec())));
    outbox.flush();
    outbox.send(b"five");
    assert_eq!(outbox.poll(100), Some(Output::Send(b"ur".to_vec())));
    assert_eq!(outbox.poll(100), Some(Output::Send(b"five".to_vec())));
    assert_eq!(outbox.poll(100), None);
}

#[test]
fn the_lattice_hybrid_agrees_with_whoever_has_the_private_keys() {
    use ml_kem::{Decapsulate, Kem, KeyExport, MlKem768};
    use sha2::Digest;

    let mut chance = opening().chance();
    let (private, public) = MlKem768::generate_keypair_from_rng(&mut chance);
    let ours = x25519_dalek::EphemeralSecret::random_from_rng(&mut chance);
    let half = [public.to_bytes().as_slice(), x25519_dalek::PublicKey::from(&ours).as_bytes()].concat();
    let message = [&[30, 0, 0, 4, 0xc0], &half[..]].concat();
    let agreed = Method::MlKem768X25519.agree(&message, &mut chance).unwrap();
    assert_eq!(agreed.half[..4], 1120u32.to_be_bytes(), "a ciphertext and a point");
    let (text, point) = agreed.half[4..].split_at(1088);
    let lattice = private.decapsulate(&text.try_into().unwrap());
    let point: [u8; 32] = point.try_into().unwrap();
    let curve = ours.diffie_hellman(&point.into());
    let hash = sha2::Sha256::new().chain_update(lattice).chain_update(curve.as_bytes()).finalize();
    assert_eq!(agreed.secret, [&[0, 0, 0, 32], hash.as_slice()].concat());
    assert_eq!(Method::MlKem768X25519.agree(&message[..message.len() - 1], &mut chance), None);
}

/// A request of authentication, as it is on the wire.
fn request(user: &[u8], method: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut payload = vec![message::USERAUTH_REQUEST];
    [user, b"ssh-connection", method].iter().for_each(|text| payload.put_string(text));
    payload.extend_from_slice(rest);
    payload
}

#[test]
fn attempts_without_a_secret_are_told_as_well() {
    let mut spec = product();
    spec.auth_methods.push("keyboard-interactive".into());
    let (accounts, mut told) = (Arc::from([]), Vec::new());
    let mut auth = Auth::default();
    let mut handle = |auth: &mut Auth, payload: &[u8]| {
        let visit = Visit { accounts: &accounts, client: b"SSH-2.0-x", hostname: "nav-1" };
        auth.handle(&spec, &visit, payload, &mut |detail| {
            let Detail::Credential { username, secret_kind, secret, accepted: false, .. } = detail else { panic!() };
            told.push((secret_kind, username, secret));
        })
    };
    let mut service = vec![message::SERVICE_REQUEST];
    service.put_string(b"ssh-userauth");
    handle(&mut auth, &service);
    let question = [&[0; 8][..]].concat();
    handle(&mut auth, &request(b"root", b"none", b""));
    handle(&mut auth, &request(b"root", b"gssapi-with-mic", &[0; 4]));
    handle(&mut auth, &request(b"root", b"x\xff", b"y"));
    // Asked for twice; the second time it is answered.
    for _ in 0..2 {
        assert!(matches!(handle(&mut auth, &request(b"root", b"keyboard-interactive", &question)), Answer::Send(_)));
    }
    let mut answer = vec![message::USERAUTH_INFO_RESPONSE, 0, 0, 0, 1];
    answer.put_string(b"secret");
    handle(&mut auth, &answer);
    // Neither whether a key would do nor another user is asked in vain.
    let mut key = vec![0];
    [&b"ssh-ed25519"[..], b"\0\0\0\x0bssh-ed25519"].iter().for_each(|text| key.put_string(text));
    handle(&mut auth, &request(b"root", b"publickey", &key));
    assert!(matches!(handle(&mut auth, &request(b"anna", b"keyboard-interactive", &question)), Answer::End(_)));
    let told: Vec<_> = told
        .iter()
        .map(|(kind, user, secret)| {
            format!("{kind} {} {}", String::from_utf8_lossy(user), String::from_utf8_lossy(secret))
        })
        .collect();
    assert_eq!(
        told,
        [
            "none root ",
            "gssapi-with-mic root ",
            "other root ",
            "keyboard-interactive root ",
            "keyboard-interactive root secret",
            "publickey root ssh-ed25519 SHA256:5/gdC8tsZ+1R7UnoiM4pMal9U3M82idPVzt95oIw3hQ",
            "keyboard-interactive anna ",
        ]
    );
}

#[test]
fn a_ping_is_answered_once_somebody_is_in_by_a_server_that_knows_it() {
    let ping = |payload: &[u8]| Packet { sequence: 3, payload: payload.to_vec() };
    let whole = b"\xc0\0\0\0\x02hi";
    for known in [false, true] {
        let mut spec = product();
        if known {
            spec.ext_info.push(("ping@openssh.com".into(), "0".into()));
        }
        let (mut outbox, cx) = (Outbox::default(), at!(SECOND));
        let mut transport = Transport::new(&Arc::new(spec), [0; 16], opening().chance());
        let mut said = |transport: &mut Transport, payload: &[u8]| {
            let end = transport.handle(cx, &mut outbox, None, ping(payload)).is_err();
            outbox.flush();
            (end, outbox.poll(1000))
        };
        assert_eq!(said(&mut transport, whole), (!known, None));
        transport.admit(&mut Outbox::default());
        let (end, answer) = said(&mut transport, whole);
        assert_eq!(end, !known);
        let Some(Output::Send(packet)) = answer.filter(|_| known) else {
            assert!(!known);
            continue;
        };
        assert_eq!(packet.get(5..12), Some(&b"\xc1\0\0\0\x02hi"[..]));
        assert_eq!(said(&mut transport, b"\xc1\0\0\0\x02hi"), (false, None));
        assert_eq!(said(&mut transport, b"\xc0\0\0\0\x03hi"), (true, None));
    }
}

#[test]
fn a_group_is_a_generator_and_an_odd_number_in_digits() {
    use crate::SshGroup;
    let group = |generator, digits: &str| SshGroup::try_from((generator, digits.into()));
    assert_eq!(group(5, "E7").map(|group| (group.generator(), group.bits())), Ok((5, 8)));
    for (generator, digits) in [(2, ""), (2, "E98"), (2, "79"), (2, "EX"), (2, "EE"), (1, "E7"), (0, "E7"), (2, "ü")] {
        assert!(group(generator, digits).is_err(), "{generator} {digits}");
    }
}
