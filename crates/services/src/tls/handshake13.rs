//! The handshake of TLS 1.3 (RFC 8446 §2).

use alloc::vec::Vec;

use rand_core::Rng;
use subtle::ConstantTimeEq;

use super::{
    alert::Alert,
    answer::{SERVER_HELLO, Share, extensions, server_hello},
    choice::Choice,
    exchange::Ephemeral,
    key::PrivateKey,
    line::Line,
    record::{Aead, CHANGE_CIPHER_SPEC, HANDSHAKE, Half, Protection},
    session::{Kept, Session, Tickets},
    spec::{TlsSpec, Version},
    suite::{Hash, Scheme, Suite},
    wire::{message, put_u16, put_vector},
};

const NEW_SESSION_TICKET: u8 = 4;
const ENCRYPTED_EXTENSIONS: u8 = 8;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_VERIFY: u8 = 15;
const FINISHED: u8 = 20;
const KEY_UPDATE: u8 = 24;
const MESSAGE_HASH: u8 = 254;
/// Octets of a session's identifier.
const IDENTIFIER: usize = 32;
/// The random of a ServerHello that is a HelloRetryRequest (RFC 8446 §4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Awaits the client's Finished.
pub(super) struct Finishing {
    suite: Suite,
    /// The secret that the client's Finished is made with.
    client_handshake: Vec<u8>,
    traffic: Traffic,
    /// What the keys of later sessions come from, once the client has finished.
    main: Vec<u8>,
    resumed: bool,
    transcript: Vec<u8>,
}

/// The secrets of an open connection.
pub(super) struct Traffic {
    suite: Suite,
    client: Vec<u8>,
    server: Vec<u8>,
}

/// Asks for a half of the group that was chosen. `transcript` holds the first hello; it is replaced by its hash
/// (RFC 8446 §4.4.1).
pub(super) fn ask_again(spec: &TlsSpec, choice: &Choice, transcript: &mut Vec<u8>, line: &mut Line) {
    let hash = choice.suite.hash().digest(transcript);
    *transcript = message(MESSAGE_HASH, |out| out.extend_from_slice(&hash));
    let retry = server_hello(choice, &RETRY, &choice.hello.session_id, &spec.hello_13, spec, Share::Asked);
    debug_assert!(retry.first() == Some(&SERVER_HELLO));
    line.handshake(&retry, transcript);
    line.send(CHANGE_CIPHER_SPEC, &[1]);
}

/// Says everything from ServerHello to Finished. `again`: after a HelloRetryRequest.
pub(super) fn begin(
    spec: &TlsSpec,
    choice: &Choice,
    key: &PrivateKey,
    certificate: &[u8],
    mut transcript: Vec<u8>,
    again: bool,
    line: &mut Line,
) -> Result<Finishing, Alert> {
    line.set_limit(choice.max_fragment);
    let (suite, hash) = (choice.suite, choice.suite.hash());
    let (group, scheme) = choice.group.zip(choice.scheme).ok_or(Alert::InternalError)?;
    let ephemeral = Ephemeral::in_group(group, &mut line.chance).ok_or(Alert::InternalError)?;
    let small_order = if spec.small_order_fails { Alert::InternalError } else { Alert::IllegalParameter };
    let shared = ephemeral.agree(choice.peer_half.as_deref().unwrap_or(&[]), small_order)?;
    let mut random = [0; 32];
    line.chance.fill_bytes(&mut random);
    let share = Share::Half(&ephemeral.public);
    let hello = server_hello(choice, &random, &choice.hello.session_id, &spec.hello_13, spec, share);
    line.handshake(&hello, &mut transcript);
    if !again {
        // RFC 8446 §D.4: for boxes in between that expect TLS 1.2. OpenSSL sends it to every client.
        line.send(CHANGE_CIPHER_SPEC, &[1]);
    }
    // RFC 8446 §7.1, the left column.
    let zeros = alloc::vec![0; hash.length()];
    let early = hash.extract(&zeros, choice.resumed.as_ref().map_or(&zeros, |resumed| &resumed.secret));
    let handshake = hash.extract(&hash.derive(&early, "derived", &[]), &shared);
    let client_handshake = hash.derive(&handshake, "c hs traffic", &transcript);
    let server_handshake = hash.derive(&handshake, "s hs traffic", &transcript);
    let main = hash.extract(&hash.derive(&handshake, "derived", &[]), &zeros);
    line.protect(protection(suite, &server_handshake)?);
    line.reading = protection(suite, &client_handshake)?;

    let encrypted = message(ENCRYPTED_EXTENSIONS, |out| {
        put_vector::<2>(out, |out| {
            out.extend_from_slice(&extensions(choice, &spec.encrypted_13, spec, Share::None));
        });
    });
    line.handshake(&encrypted, &mut transcript);
    if choice.resumed.is_none() {
        prove(scheme, hash, key, certificate, &mut transcript, line)?;
    }
    let finished = finished(suite, &server_handshake, &transcript);
    line.handshake(&message(FINISHED, |out| out.extend_from_slice(&finished)), &mut transcript);

    let client = hash.derive(&main, "c ap traffic", &transcript);
    let server = hash.derive(&main, "s ap traffic", &transcript);
    line.protect(protection(suite, &server)?);
    let (traffic, resumed) = (Traffic { suite, client, server }, choice.resumed.is_some());
    Ok(Finishing { suite, client_handshake, traffic, main, resumed, transcript })
}

/// Says Certificate and CertificateVerify.
fn prove(
    scheme: Scheme,
    hash: Hash,
    key: &PrivateKey,
    certificate: &[u8],
    transcript: &mut Vec<u8>,
    line: &mut Line,
) -> Result<(), Alert> {
    let chain = message(CERTIFICATE, |out| {
        // No context; one certificate without extensions (RFC 8446 §4.4.2).
        out.push(0);
        put_vector::<3>(out, |out| {
            put_vector::<3>(out, |out| out.extend_from_slice(certificate));
            put_u16(out, 0);
        });
    });
    line.handshake(&chain, transcript);
    // RFC 8446 §4.4.3.
    let signed = [[b' '; 64].as_slice(), b"TLS 1.3, server CertificateVerify\0", &hash.digest(transcript)].concat();
    let signature = key.sign(scheme, &signed, &mut line.chance).ok_or(Alert::InternalError)?;
    let verify = message(CERTIFICATE_VERIFY, |out| {
        put_u16(out, scheme.id());
        put_vector::<2>(out, |out| out.extend_from_slice(&signature));
    });
    line.handshake(&verify, transcript);
    Ok(())
}

impl Finishing {
    /// Finished came: the connection is open. Says the tickets that follow. The sessions to be kept, if any, each with the
    /// identifier that its ticket is.
    pub(super) fn handle_finished(
        mut self,
        whole: &[u8],
        body: &[u8],
        spec: &TlsSpec,
        tickets: &Tickets,
        now_s: u64,
        line: &mut Line,
    ) -> Result<(Traffic, Vec<Kept>), Alert> {
        let expected = finished(self.suite, &self.client_handshake, &self.transcript);
        if body.len() != expected.len() {
            return Err(Alert::DecodeError);
        }
        if !bool::from(expected.ct_eq(body)) {
            return Err(Alert::DecryptError);
        }
        line.reading = protection(self.suite, &self.traffic.client)?;
        self.transcript.extend_from_slice(whole);
        let hash = self.suite.hash();
        let master = hash.derive(&self.main, "res master", &self.transcript);
        // OpenSSL says one where a session goes on, if any.
        let again = if spec.tickets_13_once { 0 } else { spec.tickets_13.min(1) };
        let count = if self.resumed { again } else { spec.tickets_13 };
        let mut kept = Vec::new();
        for count in 0..u64::from(count) {
            // RFC 8446 §4.6.1. OpenSSL counts its nonces.
            let secret = hash.expand_label(&master, "resumption", &count.to_be_bytes(), hash.length());
            let (version, suite) = (Version::Tls13, self.suite);
            let session = Session { version, suite, secret, extended: false, issued_s: now_s };
            let ticket = if spec.session_cache {
                let mut name = alloc::vec![0; IDENTIFIER];
                line.chance.fill_bytes(&mut name);
                kept.push((name.clone(), session));
                name
            } else {
                tickets.seal(&session, spec.ticket_octets_13, &mut line.chance)
            };
            let age = line.chance.next_u32();
            let ticket = message(NEW_SESSION_TICKET, |out| {
                out.extend_from_slice(&spec.ticket_lifetime_s.to_be_bytes());
                out.extend_from_slice(&age.to_be_bytes());
                put_vector::<1>(out, |out| out.extend_from_slice(&count.to_be_bytes()));
                put_vector::<2>(out, |out| out.extend_from_slice(&ticket));
                put_u16(out, 0);
            });
            line.send(HANDSHAKE, &ticket);
        }
        Ok((self.traffic, kept))
    }
}

impl Traffic {
    /// A message after the handshake: a client has nothing to say but KeyUpdate (RFC 8446 §4.6.3).
    pub(super) fn handle_message(&mut self, kind: u8, body: &[u8], line: &mut Line) -> Result<(), Alert> {
        if kind != KEY_UPDATE {
            return Err(Alert::UnexpectedMessage);
        }
        let [asked @ (0 | 1)] = *body else {
            return Err(if body.len() == 1 { Alert::IllegalParameter } else { Alert::DecodeError });
        };
        let hash = self.suite.hash();
        self.client = hash.expand_label(&self.client, "traffic upd", &[], hash.length());
        line.reading = protection(self.suite, &self.client)?;
        if asked == 1 {
            line.send(HANDSHAKE, &message(KEY_UPDATE, |out| out.push(0)));
            self.server = hash.expand_label(&self.server, "traffic upd", &[], hash.length());
            line.protect(protection(self.suite, &self.server)?);
        }
        Ok(())
    }
}

fn finished(suite: Suite, secret: &[u8], transcript: &[u8]) -> Vec<u8> {
    let hash = suite.hash();
    let key = hash.expand_label(secret, "finished", &[], hash.length());
    hash.hmac(&key, &[&hash.digest(transcript)])
}

fn protection(suite: Suite, secret: &[u8]) -> Result<Half, Alert> {
    let (hash, bulk) = (suite.hash(), suite.bulk());
    let aead = Aead::new(bulk, &hash.expand_label(secret, "key", &[], bulk.key_length()));
    let iv = hash.expand_label(secret, "iv", &[], 12).try_into();
    match (aead, iv) {
        (Some(aead), Ok(iv)) => Ok(Half::new(Protection::Aead13(aead, iv))),
        _ => Err(Alert::InternalError),
    }
}
