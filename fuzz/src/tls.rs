//! TLS behind its first message: a client whose messages are the fuzzer's, in whole records, under keys that were agreed on.

use aes_gcm::{
    Aes128Gcm,
    aead::{AeadInOut, KeyInit as _},
};
use chaff_services::ServiceSpec;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::talk::Talk;

const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// Octets that a server may say to one message: its whole flight, or the largest of the pages.
const MAX_SAID: usize = 256 * 1024;

/// Greets, then sends `octets` as messages. The first octet says how far the client comes before that: its low bit, whether
/// it speaks TLS 1.3 or 1.2; the next, whether it ends the handshake of TLS 1.3 as it should. Each message is an octet for
/// the type of its record, a length of two octets (little-endian) and the text; where it is of the handshake, the text's
/// first octet is the type of the message. A text that is empty is a second that passes.
pub fn run_messages(spec: &ServiceSpec, octets: &[u8]) {
    let Some((&first, mut rest)) = octets.split_first() else { return };
    let mut client = Client { talk: Talk::open(spec, MAX_SAID), keys: None };
    if first & 1 == 1 {
        client.agree(first & 2 == 2);
    } else {
        client.send(HANDSHAKE, &hello(None));
    }
    while let Some(([kind, low, high], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (text, after) = after.split_at(length);
        rest = after;
        // Change of cipher, alert, handshake, application data.
        match (20 + (kind & 3), text.split_first()) {
            (_, None) => client.talk.wait(),
            (HANDSHAKE, Some((&kind, body))) => client.send_message(kind, body),
            (kind, Some(_)) => client.send(kind, text),
        }
    }
}

struct Client {
    talk: Talk,
    keys: Option<Keys>,
}

/// One direction of TLS 1.3 with AES-128-GCM (RFC 8446 §5.2, §7.3).
struct Keys {
    secret: [u8; 32],
    cipher: Aes128Gcm,
    iv: [u8; 12],
    sequence: u64,
}

impl Client {
    fn send_message(&mut self, kind: u8, body: &[u8]) {
        self.send(HANDSHAKE, &message(kind, body));
        // KeyUpdate: what comes next is under the next keys (RFC 8446 §7.2).
        if let (24, [0 | 1], Some(keys)) = (kind, body, &self.keys) {
            self.keys = Some(Keys::new(expand(&keys.secret, "traffic upd", &[])));
        }
    }

    fn send(&mut self, kind: u8, text: &[u8]) {
        self.offer(kind, text);
        self.talk.said();
    }

    fn offer(&mut self, kind: u8, text: &[u8]) {
        let (kind, text) = match &mut self.keys {
            Some(keys) => (APPLICATION_DATA, keys.seal(kind, text)),
            None => (kind, text.to_vec()),
        };
        let length = u16::try_from(text.len()).expect("short");
        self.talk.offer(&[&[kind, 3, 3], length.to_be_bytes().as_slice(), &text].concat());
    }

    /// The handshake of TLS 1.3 (RFC 8446 §2), up to the client's Finished or past it.
    fn agree(&mut self, whole: bool) {
        let secret = StaticSecret::from([5; 32]);
        let mut transcript = hello(Some(PublicKey::from(&secret).as_bytes()));
        self.offer(HANDSHAKE, &transcript);
        let said = self.talk.said();
        let mut flight = records(&said);
        let Some((HANDSHAKE, server_hello)) = flight.next() else { panic!("no ServerHello") };
        transcript.extend_from_slice(server_hello);
        let shared = secret.diffie_hellman(&share(server_hello).into());
        let early = mac(&[0; 32], &[&[0; 32]]);
        let handshake = mac(&derive(&early, "derived", &[]), &[shared.as_bytes()]);
        let mut theirs = Keys::new(derive(&handshake, "s hs traffic", &transcript));
        let mine = derive(&handshake, "c hs traffic", &transcript);
        if !whole {
            self.keys = Some(Keys::new(mine));
            return;
        }
        for (kind, text) in flight {
            if kind == APPLICATION_DATA {
                let opened = theirs.open(text);
                transcript.extend_from_slice(&opened[..opened.len() - 1]);
            }
        }
        let master = mac(&derive(&handshake, "derived", &[]), &[&[0; 32]]);
        let later = derive(&master, "c ap traffic", &transcript);
        let mut theirs = Keys::new(derive(&master, "s ap traffic", &transcript));
        let finished = mac(&expand(&mine, "finished", &[]), &[&Sha256::digest(&transcript)]);
        self.keys = Some(Keys::new(mine));
        self.offer(HANDSHAKE, &message(20, &finished));
        // A session's ticket, and no alert: from here on the client is what it seems to be.
        let said = self.talk.said();
        let ticket = records(&said).next().map(|(_, text)| theirs.open(text));
        assert_eq!(ticket.and_then(|text| text.last().copied()), Some(HANDSHAKE));
        self.keys = Some(Keys::new(later));
    }
}

impl Keys {
    fn new(secret: [u8; 32]) -> Self {
        let key = expand(&secret, "key", &[]);
        let iv = expand(&secret, "iv", &[]);
        let cipher = Aes128Gcm::new_from_slice(&key[..16]).expect("the length fits");
        Self { secret, cipher, iv: *iv.first_chunk().expect("long enough"), sequence: 0 }
    }

    fn nonce(&mut self) -> [u8; 12] {
        let mut nonce = self.iv;
        nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()).for_each(|(octet, count)| *octet ^= count);
        self.sequence += 1;
        nonce
    }

    fn seal(&mut self, kind: u8, text: &[u8]) -> Vec<u8> {
        let mut sealed = [text, &[kind]].concat();
        let [high, low] = u16::try_from(sealed.len() + 16).expect("short").to_be_bytes();
        let nonce = self.nonce();
        let head = [APPLICATION_DATA, 3, 3, high, low];
        let tag = self.cipher.encrypt_inout_detached(&nonce.into(), &head, sealed.as_mut_slice().into());
        sealed.extend_from_slice(&tag.expect("short"));
        sealed
    }

    /// The text of a record, and its type behind it.
    fn open(&mut self, sealed: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(sealed.len()).expect("short").to_be_bytes();
        let nonce = self.nonce();
        let (text, tag) = sealed.split_last_chunk::<16>().expect("a tag");
        let mut text = text.to_vec();
        self.cipher
            .decrypt_inout_detached(
                &nonce.into(),
                &[APPLICATION_DATA, 3, 3, high, low],
                text.as_mut_slice().into(),
                &(*tag).into(),
            )
            .expect("the server's keys are those that were agreed on");
        text
    }
}

/// A hello that offers TLS 1.3 with this share of X25519, or 1.2.
fn hello(share: Option<&[u8; 32]>) -> Vec<u8> {
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, body: &[u8]| {
        extensions.extend_from_slice(&kind.to_be_bytes());
        extensions.extend_from_slice(&u16::try_from(body.len()).expect("short").to_be_bytes());
        extensions.extend_from_slice(body);
    };
    extension(10, &[0, 4, 0, 29, 0, 23]);
    extension(11, &[1, 0]);
    extension(13, &[0, 4, 4, 3, 8, 4]);
    extension(16, b"\0\x09\x08http/1.1");
    extension(35, &[]);
    if let Some(share) = share {
        extension(43, &[2, 3, 4]);
        extension(45, &[1, 1]);
        extension(51, &[&[0, 36, 0, 29, 0, 32], share.as_slice()].concat());
    }
    let length = u16::try_from(extensions.len()).expect("short").to_be_bytes();
    // TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256; no compression.
    let suites = [0, 4, 0x13, 1, 0xc0, 0x2b, 1, 0];
    message(1, &[&[3, 3], [7; 32].as_slice(), &[0], &suites, &length, &extensions].concat())
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[kind, a, b, c], body].concat()
}

/// Types and texts.
fn records(mut octets: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let ([kind, _, _, high, low], rest) = octets.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(u16::from_be_bytes([*high, *low]).into())?;
        octets = rest;
        Some((*kind, text))
    })
}

/// The server's share: the last 32 octets of the extension of that kind.
fn share(hello: &[u8]) -> [u8; 32] {
    let wanted = [0, 51, 0, 36, 0, 29, 0, 32];
    let at = hello.windows(wanted.len()).position(|part| part == wanted).expect("a share of X25519");
    *hello[at + wanted.len()..].first_chunk().expect("a share")
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// HKDF-Expand-Label (RFC 8446 §7.1), one block of it: all that is needed is no longer.
fn expand(secret: &[u8], label: &str, context: &[u8]) -> [u8; 32] {
    let length: u16 = match label {
        "key" => 16,
        "iv" => 12,
        _ => 32,
    };
    let long = |octets: &[u8]| [u8::try_from(octets.len()).expect("short")];
    let label = [b"tls13 ", label.as_bytes()].concat();
    mac(secret, &[&length.to_be_bytes(), &long(&label), &label, &long(context), context, &[1]])
}

fn derive(secret: &[u8], label: &str, transcript: &[u8]) -> [u8; 32] {
    expand(secret, label, &Sha256::digest(transcript))
}
