//! The handshake of TLS 1.2 and of what was before (RFC 5246 §7.3, RFC 4346, RFC 2246).

use alloc::vec::Vec;

use rand_core::Rng;
use subtle::ConstantTimeEq;

use super::{
    alert::Alert,
    answer::{Share, server_hello},
    choice::Choice,
    exchange::{Ephemeral, field_parameters},
    key::PrivateKey,
    line::Line,
    record::{Aead, CHANGE_CIPHER_SPEC, Cbc, Half, Protection},
    session::{Kept, Session, Tickets},
    spec::{TlsSpec, Version},
    suite::{Bulk, Exchange},
    wire::{Reader, message, put_u16, put_vector},
};

const NEW_SESSION_TICKET: u8 = 4;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const SERVER_HELLO_DONE: u8 = 14;
const FINISHED: u8 = 20;

/// Awaits ClientKeyExchange.
pub(super) struct Exchanging {
    choice: Choice,
    key: PrivateKey,
    random: [u8; 32],
    ephemeral: Option<Ephemeral>,
    session_id: Vec<u8>,
    transcript: Vec<u8>,
}

/// Awaits ChangeCipherSpec and Finished.
pub(super) struct Finishing {
    choice: Choice,
    master: Vec<u8>,
    session_id: Vec<u8>,
    transcript: Vec<u8>,
    /// Ours was said first: the session goes on.
    resumed: bool,
    /// The client's protection, until its ChangeCipherSpec.
    reading: Option<Half>,
    writing: Option<Half>,
}

/// Says everything of a session that goes on: ServerHello and Finished (RFC 5077 §3.1).
pub(super) fn resume(
    spec: &TlsSpec,
    choice: Choice,
    mut transcript: Vec<u8>,
    line: &mut Line,
) -> Result<Finishing, Alert> {
    line.set_limit(choice.max_fragment);
    let random = random(spec, choice.version, line);
    let master = choice.resumed.as_ref().map(|resumed| resumed.secret.clone()).ok_or(Alert::InternalError)?;
    let hello = server_hello(&choice, &random, &choice.hello.session_id, &spec.hello_12, spec, Share::None);
    line.handshake(&hello, &mut transcript);
    let (reading, writing) = protections(&choice, &master, &random, line).ok_or(Alert::InternalError)?;
    let mut finishing = Finishing {
        choice,
        master,
        session_id: Vec::new(),
        transcript,
        resumed: true,
        reading: Some(reading),
        writing: Some(writing),
    };
    finishing.finish(line);
    Ok(finishing)
}

fn random(spec: &TlsSpec, version: Version, line: &mut Line) -> [u8; 32] {
    let mut random = [0; 32];
    line.chance.fill_bytes(&mut random);
    // RFC 8446 §4.1.3: so that a client knows that nobody in between talked it down.
    let best = spec.versions.iter().max();
    let mark = match version {
        Version::Tls12 if best == Some(&Version::Tls13) => Some(*b"DOWNGRD\x01"),
        Version::Tls10 | Version::Tls11 if best >= Some(&Version::Tls12) => Some(*b"DOWNGRD\x00"),
        _ => None,
    };
    if let (Some(mark), Some(place)) = (mark, random.last_chunk_mut::<8>()) {
        *place = mark;
    }
    random
}

/// Says everything from ServerHello to ServerHelloDone.
pub(super) fn begin(
    spec: &TlsSpec,
    choice: Choice,
    key: PrivateKey,
    certificate: &[u8],
    mut transcript: Vec<u8>,
    line: &mut Line,
) -> Result<Exchanging, Alert> {
    line.set_limit(choice.max_fragment);
    let random = random(spec, choice.version, line);
    let mut session_id = Vec::new();
    if spec.session_ids && !(choice.wants_ticket() && spec.ticket_octets > 0) {
        session_id.resize(32, 0);
        line.chance.fill_bytes(&mut session_id);
        if let Some(zeros) = session_id.get_mut(2..4).filter(|_| spec.session_ids_short) {
            zeros.fill(0);
        }
    }
    let hello = server_hello(&choice, &random, &session_id, &spec.hello_12, spec, Share::None);
    line.handshake(&hello, &mut transcript);
    let chain = message(CERTIFICATE, |out| {
        put_vector::<3>(out, |out| put_vector::<3>(out, |out| out.extend_from_slice(certificate)));
    });
    line.handshake(&chain, &mut transcript);
    let ephemeral = match (choice.suite.exchange(), choice.group) {
        (Exchange::Rsa, _) => None,
        (Exchange::DheRsa, _) => Ephemeral::of_old(&mut line.chance),
        (_, Some(group)) => Ephemeral::in_group(group, &mut line.chance),
        (_, None) => None,
    };
    if let Some(ephemeral) = &ephemeral {
        let exchange = key_exchange(&choice, &key, &random, ephemeral, line).ok_or(Alert::InternalError)?;
        line.handshake(&exchange, &mut transcript);
    }
    line.handshake(&message(SERVER_HELLO_DONE, |_| {}), &mut transcript);
    Ok(Exchanging { choice, key, random, ephemeral, session_id, transcript })
}

/// ServerKeyExchange (RFC 5246 §7.4.3, RFC 8422 §5.4).
fn key_exchange(
    choice: &Choice,
    key: &PrivateKey,
    random: &[u8; 32],
    ephemeral: &Ephemeral,
    line: &mut Line,
) -> Option<Vec<u8>> {
    let mut parameters = Vec::new();
    if let Some(group) = choice.group {
        // A named curve.
        parameters.push(3);
        put_u16(&mut parameters, group.id());
        put_vector::<1>(&mut parameters, |out| out.extend_from_slice(&ephemeral.public));
    } else {
        let (prime, generator) = field_parameters();
        for number in [prime.as_slice(), &generator, &ephemeral.public] {
            put_vector::<2>(&mut parameters, |out| out.extend_from_slice(number));
        }
    }
    let signed = [choice.hello.random.as_slice(), random, &parameters].concat();
    let signature = match choice.scheme {
        Some(scheme) => key.sign(scheme, &signed, &mut line.chance)?,
        None => key.sign_as_of_old(&signed)?,
    };
    Some(message(SERVER_KEY_EXCHANGE, |out| {
        out.extend_from_slice(&parameters);
        if let Some(scheme) = choice.scheme {
            put_u16(out, scheme.id());
        }
        put_vector::<2>(out, |out| out.extend_from_slice(&signature));
    }))
}

impl Exchanging {
    /// ClientKeyExchange came: both sides have the secret.
    pub(super) fn handle_exchange(mut self, whole: &[u8], body: &[u8], line: &mut Line) -> Result<Finishing, Alert> {
        let premaster = self.premaster(body, line)?;
        self.transcript.extend_from_slice(whole);
        let hash = self.choice.hash();
        let randoms: [&[u8]; 2] = [&self.choice.hello.random, &self.random];
        let master = if self.choice.extends_master_secret() {
            // RFC 7627 §4.
            hash.prf(&premaster, b"extended master secret", &[&hash.digest(&self.transcript)], 48)
        } else {
            hash.prf(&premaster, b"master secret", &randoms, 48)
        };
        let (reading, writing) = protections(&self.choice, &master, &self.random, line).ok_or(Alert::InternalError)?;
        Ok(Finishing {
            choice: self.choice,
            master,
            session_id: self.session_id,
            transcript: self.transcript,
            resumed: false,
            reading: Some(reading),
            writing: Some(writing),
        })
    }

    fn premaster(&self, body: &[u8], line: &mut Line) -> Result<Vec<u8>, Alert> {
        let mut reader = Reader::new(body);
        let Some(ephemeral) = &self.ephemeral else {
            let sealed = reader.vector::<2>().filter(|_| reader.is_empty()).ok_or(Alert::DecodeError)?;
            let mut made_up = alloc::vec![0; 48];
            line.chance.fill_bytes(&mut made_up);
            // RFC 5246 §7.4.7.1: what does not decrypt is only found out by Finished.
            let secret = self.key.decrypt(sealed);
            let fits =
                |secret: &Vec<u8>| secret.len() == 48 && secret.starts_with(&self.choice.hello.version.to_be_bytes());
            return Ok(secret.filter(fits).unwrap_or(made_up));
        };
        let half = match self.choice.group {
            Some(_) => reader.vector::<1>(),
            None => reader.vector::<2>(),
        };
        ephemeral.agree_as_of_old(half.filter(|half| !half.is_empty() && reader.is_empty()).ok_or(Alert::DecodeError)?)
    }
}

impl Finishing {
    /// ChangeCipherSpec came.
    pub(super) fn handle_change(&mut self, body: &[u8], line: &mut Line) -> Result<(), Alert> {
        if body != [1] {
            return Err(Alert::IllegalParameter);
        }
        line.reading = self.reading.take().ok_or(Alert::UnexpectedMessage)?;
        Ok(())
    }

    /// Whether Finished may come now.
    pub(super) fn is_changed(&self) -> bool {
        self.reading.is_none()
    }

    /// Says ChangeCipherSpec and Finished.
    fn finish(&mut self, line: &mut Line) {
        line.send(CHANGE_CIPHER_SPEC, &[1]);
        if let Some(writing) = self.writing.take() {
            line.protect(writing);
        }
        let hash = self.choice.hash();
        let verify = hash.prf(&self.master, b"server finished", &[&hash.digest(&self.transcript)], 12);
        line.handshake(&message(FINISHED, |out| out.extend_from_slice(&verify)), &mut self.transcript);
    }

    /// Finished came: says the rest, and the connection is open. A new session, and the identifier that it has.
    pub(super) fn handle_finished(
        mut self,
        whole: &[u8],
        body: &[u8],
        spec: &TlsSpec,
        tickets: &Tickets,
        now_s: u64,
        line: &mut Line,
    ) -> Result<Option<Kept>, Alert> {
        let hash = self.choice.hash();
        let expected = hash.prf(&self.master, b"client finished", &[&hash.digest(&self.transcript)], 12);
        if body.len() != expected.len() {
            return Err(Alert::DecodeError);
        }
        if !bool::from(expected.ct_eq(body)) {
            return Err(Alert::DecryptError);
        }
        self.transcript.extend_from_slice(whole);
        if self.resumed {
            return Ok(None);
        }
        let session = Session {
            version: self.choice.version,
            suite: self.choice.suite,
            secret: self.master.clone(),
            extended: self.choice.extends_master_secret(),
            issued_s: now_s,
        };
        if self.choice.wants_ticket() && spec.ticket_octets > 0 {
            let ticket = tickets.seal(&session, spec.ticket_octets, &mut line.chance);
            // RFC 5077 §3.3.
            let ticket = message(NEW_SESSION_TICKET, |out| {
                out.extend_from_slice(&spec.ticket_lifetime_s.to_be_bytes());
                put_vector::<2>(out, |out| out.extend_from_slice(&ticket));
            });
            line.handshake(&ticket, &mut self.transcript);
        }
        self.finish(line);
        Ok(Some((self.session_id, session)))
    }
}

/// The client's and the server's protection out of the key block (RFC 5246 §6.3).
fn protections(choice: &Choice, master: &[u8], random: &[u8; 32], line: &mut Line) -> Option<(Half, Half)> {
    let bulk = choice.suite.bulk();
    let (mac, key) = (if let Bulk::Cbc(.., mac) = bulk { mac.length() } else { 0 }, bulk.key_length());
    let iv = match bulk {
        Bulk::Cbc(block, ..) if choice.version == Version::Tls10 => block.length(),
        Bulk::Cbc(..) => 0,
        Bulk::Chacha20Poly1305 => 12,
        _ => 4,
    };
    let seed: [&[u8]; 2] = [random, &choice.hello.random];
    let block = choice.hash().prf(master, b"key expansion", &seed, 2 * (mac + key + iv));
    let mut block = Reader::new(&block);
    let macs = [block.take(mac)?, block.take(mac)?];
    let keys = [block.take(key)?, block.take(key)?];
    let ivs = [block.take(iv)?, block.take(iv)?];
    let counter = line.chance.next_u64();
    let half = |mac_key: &[u8], key: &[u8], iv: &[u8]| {
        Some(Half::new(match bulk {
            Bulk::Aes128Gcm | Bulk::Aes256Gcm | Bulk::Aria128Gcm | Bulk::Aria256Gcm => {
                Protection::Explicit12(Aead::new(bulk, key)?, iv.try_into().ok()?, Some(counter))
            }
            Bulk::Ccm(_) | Bulk::Ccm8(_) => Protection::Explicit12(Aead::new(bulk, key)?, iv.try_into().ok()?, None),
            Bulk::Chacha20Poly1305 => Protection::ChaCha12(Aead::new(bulk, key)?, iv.try_into().ok()?),
            Bulk::Cbc(block, _, mac) => Protection::Cbc12(Cbc {
                block,
                key: key.to_vec(),
                chain: (!iv.is_empty()).then(|| iv.to_vec()),
                mac,
                mac_key: mac_key.to_vec(),
                encrypt_then_mac: choice.encrypts_then_macs(),
            }),
        }))
    };
    Some((half(macs[0], keys[0], ivs[0])?, half(macs[1], keys[1], ivs[1])?))
}
