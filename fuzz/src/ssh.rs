//! SSH behind its key exchange: a client whose messages are the fuzzer's, under keys that were agreed on.

use std::sync::Arc;

use chaff_services::{ServiceKind, ServiceSpec, SshSpec};
use ctr::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::talk::Talk;

const VERSION: &[u8] = b"SSH-2.0-fuzz";
/// Octets that a server may say to one message of the client: what a session's output limit and its command's allow.
const MAX_SAID: usize = 1024 * 1024;
/// Octets that are typed at once.
const MAX_TYPED: usize = 1024;
/// What a session of the client may be told in all.
const WINDOW: u32 = 0x7fff_ffff;

/// The profile of OpenSSH 9.2, which refuses at once; a planted account is `a` with the password `a`.
pub fn product() -> ServiceSpec {
    let text = include_str!("../../profiles/services/openssh-9.2-debian12.toml");
    let spec = quick(&parsed(text).expect("the profile is of SSH"));
    ServiceSpec::new("ssh", ServiceKind::Ssh(Arc::new(spec)))
}

/// What every product of SSH has behind its login, behind the transport of OpenSSH 9.2, in the order of their names.
pub fn insides() -> Vec<ServiceSpec> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../profiles/services");
    let files = std::fs::read_dir(folder).expect("the profiles are beside this folder");
    let mut paths: Vec<_> = files.map(|file| file.expect("a readable folder").path()).collect();
    paths.sort();
    let texts = paths.iter().map(|path| std::fs::read_to_string(path).expect("a readable profile"));
    let of_ssh = texts.filter(|text| text.contains("[kind.ssh]"));
    let ServiceKind::Ssh(door) = product().kind else { unreachable!("the product is of SSH") };
    let insides = of_ssh.filter_map(|text| parsed(&text)).map(|SshSpec { shell, console, sftp_extensions, .. }| {
        let spec = SshSpec { shell, console, sftp_extensions, ..(*door).clone() };
        ServiceSpec::new("ssh", ServiceKind::Ssh(Arc::new(spec)))
    });
    insides.collect()
}

fn parsed(profile: &str) -> Option<SshSpec> {
    #[derive(serde::Deserialize)]
    struct File {
        kind: ServiceKind,
    }
    let file: File = toml::from_str(profile).expect("the profile is whole");
    if let ServiceKind::Ssh(spec) = file.kind { Some((*spec).clone()) } else { None }
}

/// Without what only takes time.
fn quick(spec: &SshSpec) -> SshSpec {
    let mut auth_methods = spec.auth_methods.clone();
    auth_methods.push("keyboard-interactive".into());
    SshSpec {
        version_delay_ms: 0,
        refusal_delay_ms: (0, 0),
        password_delay_ms: (0, 0),
        // So that a search for its primes is not what is fuzzed.
        announces_host_keys: false,
        auth_methods,
        ..spec.clone()
    }
}

/// Exchanges keys, then sends `octets` as messages: each a length of two octets (little-endian) and the payload. A
/// payload that is empty is a wake-up a second later. The first octet's low bit says whether `a` logs in first.
pub fn run_messages(spec: &ServiceSpec, octets: &[u8]) {
    let Some((&first, mut rest)) = octets.split_first() else { return };
    let mut client = Client::connect(spec);
    if first & 1 == 1 {
        client.log_in();
    }
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
        let (payload, after) = after.split_at(length);
        rest = after;
        if payload.is_empty() {
            client.talk.wait();
        } else {
            client.send(payload);
        }
    }
}

/// Logs in and uses what is inside: the first octet chooses the product, the second what is started, with a terminal
/// where its low bit is set. For a command, that is what comes before the first zero octet. The rest is typed, a message
/// for each line.
pub fn run_session(insides: &[ServiceSpec], octets: &[u8]) {
    let [product, start, rest @ ..] = octets else { return };
    let mut client = Client::connect(&insides[usize::from(*product) % insides.len()]);
    client.log_in();
    let mut open = vec![90];
    string(&mut open, b"session");
    for field in [0, WINDOW, 0x8000] {
        open.extend_from_slice(&field.to_be_bytes());
    }
    client.send(&open);
    if start & 1 == 1 {
        let mut terminal = request(b"pty-req");
        string(&mut terminal, b"xterm");
        terminal.extend_from_slice(&[0; 16]);
        string(&mut terminal, b"");
        client.send(&terminal);
    }
    let mut typed = rest;
    let program = match start >> 1 & 3 {
        0 | 3 => request(b"shell"),
        1 => {
            let end = rest.iter().position(|octet| *octet == 0).unwrap_or(rest.len());
            typed = rest.get(end + 1..).unwrap_or(&[]);
            let mut exec = request(b"exec");
            string(&mut exec, &rest[..end]);
            exec
        }
        _ => {
            let mut subsystem = request(b"subsystem");
            string(&mut subsystem, b"sftp");
            subsystem
        }
    };
    client.send(&program);
    for piece in typed.split_inclusive(|octet| matches!(octet, b'\r' | b'\n')).flat_map(|line| line.chunks(MAX_TYPED)) {
        let mut data = vec![94, 0, 0, 0, 0];
        string(&mut data, piece);
        client.send(&data);
    }
    client.send(&[96, 0, 0, 0, 0]);
}

/// A request of the client's channel, which wants an answer.
fn request(name: &[u8]) -> Vec<u8> {
    let mut request = vec![98, 0, 0, 0, 0];
    string(&mut request, name);
    request.push(1);
    request
}

struct Client {
    talk: Talk,
    keys: Option<Keys>,
    sequence: u32,
}

struct Keys {
    cipher: ctr::Ctr128BE<aes::Aes128>,
    mac: Vec<u8>,
}

impl Client {
    fn connect(spec: &ServiceSpec) -> Self {
        let mut client = Self { talk: Talk::open(spec, MAX_SAID), keys: None, sequence: 0 };
        client.talk.offer(&[VERSION, b"\r\n"].concat());
        let said = client.talk.said();
        let end = said.iter().position(|octet| *octet == b'\n').expect("a version line") + 1;
        let server_version = &said[..end - 2];
        let server_init = payload(&said[end..]);
        let mut init = vec![20];
        init.extend_from_slice(&[0; 16]);
        let mac = "hmac-sha2-256-etm@openssh.com";
        for list in [
            "curve25519-sha256,ext-info-c",
            "ssh-ed25519",
            "aes128-ctr",
            "aes128-ctr",
            mac,
            mac,
            "none",
            "none",
            "",
            "",
        ] {
            string(&mut init, list.as_bytes());
        }
        init.extend_from_slice(&[0; 5]);
        client.send(&init);
        let secret = StaticSecret::from([5; 32]);
        let half = PublicKey::from(&secret);
        let mut message = vec![30];
        string(&mut message, half.as_bytes());
        client.offer_packet(&message);
        let said = client.talk.said();
        let reply = payload(&said);
        let (host_key, rest) = take(&reply[1..]);
        let (theirs, _) = take(rest);
        let theirs: [u8; 32] = theirs.try_into().expect("a point");
        let mut shared = Vec::new();
        number(&mut shared, secret.diffie_hellman(&theirs.into()).as_bytes());
        let mut hashed = Vec::new();
        for part in [VERSION, server_version, &init, &server_init, host_key, half.as_bytes(), &theirs] {
            string(&mut hashed, part);
        }
        hashed.extend_from_slice(&shared);
        let session = Sha256::digest(&hashed);
        let key = |letter: u8| {
            Sha256::new()
                .chain_update(&shared)
                .chain_update(session)
                .chain_update([letter])
                .chain_update(session)
                .finalize()
        };
        client.send(&[21]);
        let cipher = ctr::Ctr128BE::new_from_slices(&key(b'C')[..16], &key(b'A')[..16]).expect("lengths fit");
        client.keys = Some(Keys { cipher, mac: key(b'E').to_vec() });
        client
    }

    /// By the planted account.
    fn log_in(&mut self) {
        self.send(b"\x05\0\0\0\x0cssh-userauth");
        self.send(b"\x32\0\0\0\x01a\0\0\0\x0essh-connection\0\0\0\x08password\0\0\0\0\x01a");
    }

    fn send(&mut self, payload: &[u8]) {
        self.offer_packet(payload);
        self.talk.said();
    }

    fn offer_packet(&mut self, payload: &[u8]) {
        let (block, outside) = if self.keys.is_some() { (16, 0) } else { (8, 4) };
        let mut padding = block - (payload.len() + 1 + outside) % block;
        if padding < 4 {
            padding += block;
        }
        let mut packet = u32::try_from(payload.len() + 1 + padding).expect("short").to_be_bytes().to_vec();
        packet.push(u8::try_from(padding).expect("short"));
        packet.extend_from_slice(payload);
        packet.resize(packet.len() + padding, 0);
        if let Some(keys) = &mut self.keys {
            keys.cipher.apply_keystream(&mut packet[4..]);
            let mut mac = Hmac::<Sha256>::new_from_slice(&keys.mac).expect("any length");
            mac.update(&self.sequence.to_be_bytes());
            mac.update(&packet);
            packet.extend_from_slice(&mac.finalize().into_bytes());
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.talk.offer(&packet);
    }
}

/// The payload of the first packet of a stream without keys.
fn payload(stream: &[u8]) -> Vec<u8> {
    let length = u32::from_be_bytes(*stream.first_chunk().expect("a packet"));
    let end = 4 + usize::try_from(length).expect("short");
    stream[5..end - usize::from(stream[4])].to_vec()
}

fn take(octets: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = octets.split_first_chunk().expect("a string");
    rest.split_at(usize::try_from(u32::from_be_bytes(*length)).expect("short"))
}

fn string(to: &mut Vec<u8>, octets: &[u8]) {
    to.extend_from_slice(&u32::try_from(octets.len()).expect("short").to_be_bytes());
    to.extend_from_slice(octets);
}

fn number(to: &mut Vec<u8>, octets: &[u8]) {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let mut octets = octets[zeros..].to_vec();
    if octets.first().is_some_and(|first| first & 0x80 != 0) {
        octets.insert(0, 0);
    }
    string(to, &octets);
}
