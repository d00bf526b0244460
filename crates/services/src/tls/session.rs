//! Sessions that go on: what a ticket holds, and who may come back with one (RFC 5077 §4, RFC 8446 §4.2.11).
//!
//! But for a product that keeps its sessions, the server keeps nothing. A ticket is as long as the product's; inside,
//! what is needed is sealed with a key of the decoy, which outlives the sensor as a server's key outlives its connections.

use alloc::vec::Vec;

use aes_gcm::{
    Aes256Gcm,
    aead::{AeadInOut, KeyInit},
};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use subtle::ConstantTimeEq;

use super::{
    alert::Alert,
    choice::Choice,
    hello::{ClientHello, EXTENDED_MASTER_SECRET, PRE_SHARED_KEY, PSK_MODES},
    spec::Version,
    suite::{Hash, Suite},
    wire::{Reader, put_u16, put_vector},
};
use crate::{keys::secret_stream, limits::tls::MAX_OFFERED};

/// The name of the server's key, which all its tickets begin with, as OpenSSL's do.
const NAME: usize = 16;
/// Behind it: OpenSSL's IV is as long.
const IV: usize = 16;
const TAG: usize = 16;
/// A half of the key by which both sides agree anew though they share a secret (RFC 8446 §4.2.9).
const WITH_HALVES: u8 = 1;

/// What seals the tickets of one decoy.
pub(super) struct Tickets {
    name: [u8; NAME],
    key: [u8; 32],
}

/// What both sides know of each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) version: Version,
    pub(super) suite: Suite,
    /// The master secret of TLS 1.2 and before; of TLS 1.3, the key that is shared.
    pub(super) secret: Vec<u8>,
    /// RFC 7627.
    pub(super) extended: bool,
    /// Seconds since 1970.
    pub(super) issued_s: u64,
}

/// A session that is kept, behind its identifier.
pub(super) type Kept = (Vec<u8>, Session);

/// A session that goes on in this handshake.
pub(super) struct Resumed {
    pub(super) secret: Vec<u8>,
    /// Which of the client's tickets was taken; of TLS 1.3.
    pub(super) index: u16,
}

impl Tickets {
    pub(super) fn of(seed: &[u8; 16]) -> Self {
        let (mut name, mut key) = ([0; NAME], [0; 32]);
        secret_stream(seed, "tls ticket").fill_bytes(&mut name);
        secret_stream(seed, "tls ticket key").fill_bytes(&mut key);
        Self { name, key }
    }

    /// A ticket of so many octets. Where these do not hold a session, it is one that nobody can open.
    pub(super) fn seal(&self, session: &Session, octets: u16, chance: &mut ChaCha8Rng) -> Vec<u8> {
        let mut ticket = alloc::vec![0; usize::from(octets)];
        chance.fill_bytes(&mut ticket);
        ticket.iter_mut().zip(&self.name).for_each(|(to, from)| *to = *from);
        let mut text = session.encode();
        let room = ticket.len().saturating_sub(NAME + IV + TAG);
        if text.len() <= room {
            text.resize(room, 0);
            if let Some((head, place)) = ticket.split_at_mut_checked(NAME + IV)
                && let Some((place, tag_place)) = place.split_at_mut_checked(room)
                && let Some(tag) = self.seal_text(head, &mut text)
            {
                place.copy_from_slice(&text);
                tag_place.copy_from_slice(&tag);
            }
        }
        ticket
    }

    fn seal_text(&self, head: &[u8], text: &mut [u8]) -> Option<[u8; TAG]> {
        let nonce: [u8; 12] = *head.get(NAME..)?.first_chunk()?;
        let tag = self.cipher()?.encrypt_inout_detached(&nonce.into(), head, text.into()).ok()?;
        Some(tag.into())
    }

    /// What a ticket of ours holds.
    pub(super) fn open(&self, ticket: &[u8]) -> Option<Session> {
        let (head, sealed) = ticket.split_at_checked(NAME + IV)?;
        head.starts_with(&self.name).then_some(())?;
        let (text, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
        let nonce: [u8; 12] = *head.get(NAME..)?.first_chunk()?;
        let tag: [u8; TAG] = tag.try_into().ok()?;
        let mut text = text.to_vec();
        self.cipher()?.decrypt_inout_detached(&nonce.into(), head, text.as_mut_slice().into(), &tag.into()).ok()?;
        Session::decode(&text)
    }

    fn cipher(&self) -> Option<Aes256Gcm> {
        Aes256Gcm::new_from_slice(&self.key).ok()
    }
}

impl Session {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_u16(&mut out, self.version.number());
        out.push(u8::from(self.extended));
        put_u16(&mut out, self.suite.id());
        out.extend_from_slice(&self.issued_s.to_be_bytes());
        put_vector::<1>(&mut out, |out| out.extend_from_slice(&self.secret));
        out
    }

    fn decode(text: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(text);
        let version = Version::of_number(reader.u16()?)?;
        let extended = reader.u8()? == 1;
        let suite = Suite::of_id(reader.u16()?)?;
        let issued_s = u64::from_be_bytes(reader.array()?);
        Some(Self { version, suite, secret: reader.vector::<1>()?.to_vec(), extended, issued_s })
    }

    fn is_fresh(&self, now_s: u64, lifetime_s: u32) -> bool {
        now_s.saturating_sub(self.issued_s) <= u64::from(lifetime_s)
    }
}

/// Whether a client before TLS 1.3 can go on with the session that it comes back with; the errors are OpenSSL's.
pub(super) fn of_old(
    session: Option<Session>,
    version: Version,
    hello: &ClientHello,
    now_s: u64,
    lifetime_s: u32,
) -> Result<Option<Session>, Alert> {
    let fits = |session: &Session| session.version == version && session.is_fresh(now_s, lifetime_s);
    let Some(session) = session.filter(fits) else { return Ok(None) };
    // RFC 7627 §5.3.
    match (session.extended, hello.has(EXTENDED_MASTER_SECRET)) {
        (true, false) => return Err(Alert::IllegalParameter),
        (false, true) => return Ok(None),
        _ => {}
    }
    // RFC 5246 §7.4.1.2: the list has the suite of the session.
    if !hello.suites.contains(&session.suite.id()) {
        return Err(Alert::IllegalParameter);
    }
    Ok(Some(session))
}

/// The shared key that a client of TLS 1.3 offers, of which it knows more than the ticket, in which `find` finds a
/// session. `before` is what was said before this hello, which is `whole`.
pub(super) fn of_shared_key(
    find: impl Fn(&[u8]) -> Option<Session>,
    choice: &Choice,
    now_s: u64,
    lifetime_s: u32,
    before: &[u8],
    whole: &[u8],
) -> Result<Option<Resumed>, Alert> {
    let Some(body) = choice.hello.extension(PRE_SHARED_KEY) else { return Ok(None) };
    let modes = choice.hello.extension(PSK_MODES).ok_or(Alert::MissingExtension)?;
    let mut reader = Reader::new(modes);
    let modes =
        reader.vector::<1>().filter(|modes| !modes.is_empty() && reader.is_empty()).ok_or(Alert::DecodeError)?;
    if !modes.contains(&WITH_HALVES) {
        return Ok(None);
    }
    let mut reader = Reader::new(body);
    let mut identities = Reader::new(reader.vector::<2>().ok_or(Alert::DecodeError)?);
    let hash = choice.suite.hash();
    let (mut found, mut index) = (None, 0_u16);
    while !identities.is_empty() && found.is_none() && usize::from(index) < MAX_OFFERED {
        let ticket = identities.vector::<2>().ok_or(Alert::DecodeError)?;
        // The age, by which only early data would be judged.
        identities.array::<4>().ok_or(Alert::DecodeError)?;
        let session = find(ticket);
        let fits = |session: &Session| {
            session.version == Version::Tls13 && session.suite.hash() == hash && session.is_fresh(now_s, lifetime_s)
        };
        found = session.filter(fits).map(|session| Resumed { secret: session.secret, index });
        index = index.saturating_add(1);
    }
    let Some(resumed) = found else { return Ok(None) };
    let all = reader.vector::<2>().filter(|_| reader.is_empty()).ok_or(Alert::DecodeError)?;
    let mut binders = Reader::new(all);
    let mut binder = binders.vector::<1>();
    for _ in 0..resumed.index {
        binder = binders.vector::<1>();
    }
    let binder = binder.filter(|binder| binder.len() == hash.length()).ok_or(Alert::DecodeError)?;
    // Over all up to the binders and their length (RFC 8446 §4.2.11.2).
    let covered = whole.get(..whole.len().saturating_sub(all.len() + 2)).unwrap_or(&[]);
    let expected = binder_of(hash, &resumed.secret, &[before, covered].concat());
    if bool::from(expected.ct_eq(binder)) { Ok(Some(resumed)) } else { Err(Alert::DecryptError) }
}

fn binder_of(hash: Hash, secret: &[u8], said: &[u8]) -> Vec<u8> {
    let early = hash.extract(&alloc::vec![0; hash.length()], secret);
    let key = hash.derive(&early, "res binder", &[]);
    let key = hash.expand_label(&key, "finished", &[], hash.length());
    hash.hmac(&key, &[&hash.digest(said)])
}
