//! What a server picks from what a client offers.

use alloc::vec::Vec;

use super::{
    alert::Alert,
    hello::{
        ClientHello, EC_POINT_FORMATS, ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET, MAX_FRAGMENT_LENGTH,
        RENEGOTIATION_INFO, SERVER_NAME, SESSION_TICKET, SIGNATURE_ALGORITHMS, SUPPORTED_GROUPS, SUPPORTED_VERSIONS,
    },
    record::MAX_PLAIN,
    session::{Resumed, Session},
    spec::{Answer, KeySpec, TlsSpec, Version},
    suite::{Bulk, Exchange, Group, Hash, Scheme, Suite},
    wire::Reader,
};

/// `TLS_FALLBACK_SCSV` (RFC 7507) and `TLS_EMPTY_RENEGOTIATION_INFO_SCSV` (RFC 5746 §3.3).
const FALLBACK: u16 = 0x5600;
const RENEGOTIATION: u16 = 0x00ff;

/// Octets of a server name (RFC 6066 §3: a DNS name).
const MAX_NAME: usize = 255;
/// The same for a server that looks at it before OpenSSL does: lighttpd's limit.
const MAX_FIRST_NAME: usize = 1024;
const SSL_3: u16 = 0x0300;

/// What was agreed upon.
pub(super) struct Choice {
    pub(super) hello: ClientHello,
    pub(super) version: Version,
    pub(super) suite: Suite,
    /// `None` where the suite needs no group of ours.
    pub(super) group: Option<Group>,
    /// The client's half of the key, in TLS 1.3; `None`: it must be asked for (HelloRetryRequest).
    pub(super) peer_half: Option<Vec<u8>>,
    /// `None` where nothing is signed.
    pub(super) scheme: Option<Scheme>,
    pub(super) protocol: Option<Vec<u8>>,
    /// Octets of a record at most (RFC 6066 §4).
    pub(super) max_fragment: usize,
    /// The session that goes on.
    pub(super) resumed: Option<Resumed>,
    /// Whether the server's preferred group is not the one in use, which it then says (RFC 8446 §4.2.7).
    pub(super) prefers_other_group: bool,
    /// Whether the client asks for the decoy by its own name.
    pub(super) names_us: bool,
}

/// Picks the version (RFC 8446 §4.2.1).
///
/// A refusal is in the version that would have been spoken, as OpenSSL says it; SSL 3 has no alert for versions.
pub(super) fn version(spec: &TlsSpec, key: KeySpec, hello: &ClientHello) -> Result<Version, (u16, Alert)> {
    let speaks = |version| spec.versions.contains(&version);
    if spec.name_first && !begins_with_a_name(hello) {
        return Err((Version::Tls12.number(), Alert::UnrecognizedName));
    }
    if hello.version >> 8 == 3 && hello.version <= SSL_3 {
        return Err((hello.version, Alert::HandshakeFailure));
    }
    let refused = (hello.version, Alert::ProtocolVersion);
    // Where they are on, the suites are looked at before anything fails; only those of SHA-1 are as old.
    let rsa = key.is_rsa();
    let usable = |suite: &&Suite| {
        suite.is_old()
            && match suite.exchange() {
                Exchange::EcdheEcdsa => !rsa,
                Exchange::DheRsa => rsa && spec.ephemeral_dh,
                _ => rsa,
            }
    };
    let in_common = spec.suites.iter().filter(usable).any(|suite| hello.suites.contains(&suite.id()));
    let old = |version| match (spec.old_versions_fail, in_common) {
        (false, _) => (version, Alert::ProtocolVersion),
        (true, true) => (version, Alert::InternalError),
        (true, false) => (version, Alert::HandshakeFailure),
    };
    let offered = hello.numbers::<1>(SUPPORTED_VERSIONS).map_err(|_| refused)?;
    if speaks(Version::Tls13)
        && let Some(offered) = offered
    {
        let offers = |number| offered.contains(&number);
        let spoken = [Version::Tls13, Version::Tls12, Version::Tls11, Version::Tls10].into_iter();
        let best = spoken.filter(|version| speaks(*version)).find(|version| offers(version.number()));
        return match best {
            Some(version) => Ok(version),
            None if spec.old_versions_fail && offers(0x0302) => Err(old(0x0302)),
            None if spec.old_versions_fail && offers(0x0301) => Err(old(0x0301)),
            None => Err(refused),
        };
    }
    // A client of the future is spoken to in the newest version that has no extension for it.
    let newest = Version::of_number(hello.version.min(0x0303));
    match newest.filter(|version| speaks(*version)) {
        Some(version) => Ok(version),
        None if matches!(hello.version, 0x0301 | 0x0302) => Err(old(hello.version)),
        None => Err(refused),
    }
}

/// Picks everything. `key`: that of the certificate; `asked`: the group that a HelloRetryRequest asked for; `session`:
/// what a ticket of TLS 1.2 or before holds.
pub(super) fn choose(
    spec: &TlsSpec,
    key: KeySpec,
    version: Version,
    mut hello: ClientHello,
    asked: Option<Group>,
    session: impl FnOnce(&ClientHello) -> Result<Option<Session>, Alert>,
) -> Result<Choice, Alert> {
    forget_unknown(spec, &mut hello);
    if hello.signals(FALLBACK) && spec.versions.iter().any(|&other| other > version) {
        return Err(Alert::InappropriateFallback);
    }
    if version == Version::Tls13 && hello.compressions != [0] {
        return Err(Alert::IllegalParameter);
    }
    if !hello.compressions.contains(&0) {
        return Err(Alert::DecodeError);
    }
    check_contents(&hello)?;
    let max_fragment = max_fragment(&hello)?;
    if version == Version::Tls13 {
        return choose_13(spec, key, hello, asked, max_fragment);
    }
    match session(&hello)? {
        Some(session) => {
            let protocol = protocol(spec, &hello)?;
            Ok(go_on_12(session, hello, protocol, max_fragment))
        }
        None => choose_12(spec, key, version, hello, max_fragment),
    }
}

fn choose_12(
    spec: &TlsSpec,
    key: KeySpec,
    version: Version,
    hello: ClientHello,
    max_fragment: usize,
) -> Result<Choice, Alert> {
    let rsa = key.is_rsa();
    let groups = hello.numbers::<2>(SUPPORTED_GROUPS)?;
    let group_for = |suite: Suite| {
        let curves: Vec<Group> = spec.groups_for(suite).iter().copied().filter(|group| group.is_curve()).collect();
        groups.as_ref().and_then(|groups| preferred(spec, &curves, groups, Group::id))
    };
    let can = |suite: Suite| match suite.exchange() {
        _ if version < Version::Tls12 && !suite.is_old() => false,
        Exchange::Rsa => rsa,
        Exchange::DheRsa => rsa && spec.ephemeral_dh,
        Exchange::EcdheRsa => rsa && group_for(suite).is_some(),
        Exchange::EcdheEcdsa => !rsa && group_for(suite).is_some(),
        Exchange::Any => false,
    };
    let usable: Vec<Suite> = spec.suites.iter().copied().filter(|&suite| can(suite)).collect();
    let suite = preferred(spec, &usable, &hello.suites, Suite::id).ok_or(Alert::HandshakeFailure)?;
    // OpenSSL wants one in common even where nothing is signed. Before TLS 1.2 there was no choice.
    let scheme = match version {
        Version::Tls10 | Version::Tls11 => None,
        _ => {
            let fails = spec.absent_schemes_fail && !hello.has(SIGNATURE_ALGORITHMS);
            let alert = if fails { Alert::InternalError } else { Alert::HandshakeFailure };
            Some(scheme(spec, key, &hello, version).ok_or(alert)?)
        }
    };
    let group = match suite.exchange() {
        Exchange::EcdheRsa | Exchange::EcdheEcdsa => group_for(suite),
        _ => None,
    };
    // OpenSSL asks for the protocol last.
    let protocol = protocol(spec, &hello)?;
    Ok(Choice {
        hello,
        version,
        suite,
        group,
        peer_half: None,
        scheme,
        protocol,
        max_fragment,
        resumed: None,
        prefers_other_group: false,
        names_us: false,
    })
}

/// A session of TLS 1.2 or before that goes on: all that is left to choose is what each hello says anew.
fn go_on_12(session: Session, hello: ClientHello, protocol: Option<Vec<u8>>, max_fragment: usize) -> Choice {
    Choice {
        hello,
        version: session.version,
        suite: session.suite,
        group: None,
        peer_half: None,
        scheme: None,
        protocol,
        max_fragment,
        resumed: Some(Resumed { secret: session.secret, index: 0 }),
        prefers_other_group: false,
        names_us: false,
    }
}

fn choose_13(
    spec: &TlsSpec,
    key: KeySpec,
    hello: ClientHello,
    asked: Option<Group>,
    max_fragment: usize,
) -> Result<Choice, Alert> {
    let usable: Vec<Suite> = spec.suites.iter().copied().filter(|suite| suite.exchange() == Exchange::Any).collect();
    let suite = preferred(spec, &usable, &hello.suites, Suite::id).ok_or(Alert::HandshakeFailure)?;
    let shares = hello.key_shares()?;
    let offered = hello.numbers::<2>(SUPPORTED_GROUPS)?;
    let lacking = if shares.is_some() { Alert::HandshakeFailure } else { Alert::MissingExtension };
    let (Some(shares), Some(offered)) = (shares, offered) else { return Err(Alert::MissingExtension) };
    if asked.is_some_and(|asked| shares.len() != 1 || shares.iter().any(|(group, _)| *group != asked.id())) {
        return Err(Alert::IllegalParameter);
    }
    let mut half = None;
    for (number, share) in &shares {
        // RFC 8446 §4.2.8: a half for a group that was not offered.
        if !offered.contains(number) {
            return Err(Alert::IllegalParameter);
        }
        let group = spec.groups.iter().find(|group| group.id() == *number);
        half = half.or_else(|| group.map(|group| (*group, share.to_vec())));
    }
    let (group, peer_half) = match half {
        Some((group, half)) => (group, Some(half)),
        // OpenSSL asks for the first group of its own that the client knows.
        None => {
            let mut groups = spec.groups_for(suite).iter();
            (*groups.find(|group| offered.contains(&group.id())).ok_or(lacking)?, None)
        }
    };
    if !hello.has(SIGNATURE_ALGORITHMS) {
        return Err(Alert::MissingExtension);
    }
    let scheme = scheme(spec, key, &hello, Version::Tls13).ok_or(Alert::HandshakeFailure)?;
    let protocol = protocol(spec, &hello)?;
    Ok(Choice {
        prefers_other_group: spec.groups.first() != Some(&group),
        hello,
        version: Version::Tls13,
        suite,
        group: Some(group),
        peer_half,
        scheme: Some(scheme),
        protocol,
        max_fragment,
        resumed: None,
        names_us: false,
    })
}

impl Choice {
    pub(super) fn extends_master_secret(&self) -> bool {
        self.version != Version::Tls13 && self.hello.has(EXTENDED_MASTER_SECRET)
    }

    /// The hash of the key schedule.
    pub(super) fn hash(&self) -> Hash {
        if self.version < Version::Tls12 { Hash::Md5Sha1 } else { self.suite.hash() }
    }

    pub(super) fn encrypts_then_macs(&self) -> bool {
        matches!(self.suite.bulk(), Bulk::Cbc(..)) && self.hello.has(ENCRYPT_THEN_MAC)
    }

    pub(super) fn wants_ticket(&self) -> bool {
        self.hello.has(SESSION_TICKET)
    }

    pub(super) fn knows_renegotiation(&self) -> bool {
        self.hello.has(RENEGOTIATION_INFO) || self.hello.signals(RENEGOTIATION)
    }

    /// Not where a session goes on, measured of OpenSSL 3.0.
    pub(super) fn uses_curves(&self) -> bool {
        self.group.is_some() && self.hello.has(EC_POINT_FORMATS)
    }
}

/// The first of `ours` that is among `theirs`, or the first of theirs that is among ours.
fn preferred<T: Copy>(spec: &TlsSpec, ours: &[T], theirs: &[u16], id: impl Fn(T) -> u16) -> Option<T> {
    if spec.honours_client_order {
        return theirs.iter().find_map(|&number| ours.iter().copied().find(|&item| id(item) == number));
    }
    ours.iter().copied().find(|&item| theirs.contains(&id(item)))
}

/// What the key signs with: the first in common that fits it.
fn scheme(spec: &TlsSpec, key: KeySpec, hello: &ClientHello, version: Version) -> Option<Scheme> {
    let usable: Vec<Scheme> = spec.signatures.iter().copied().filter(|scheme| scheme.fits(key, version)).collect();
    preferred(spec, &usable, &hello.schemes(), Scheme::id)
}

/// Takes out of a hello what the product does not know, and so does not look at.
fn forget_unknown(spec: &TlsSpec, hello: &mut ClientHello) {
    for (kind, answer) in [
        (MAX_FRAGMENT_LENGTH, Answer::MaxFragmentLength),
        (ENCRYPT_THEN_MAC, Answer::EncryptThenMac),
        (EXTENDED_MASTER_SECRET, Answer::ExtendedMasterSecret),
    ] {
        if !spec.knows(answer) {
            hello.extensions.retain(|(other, _)| *other != kind);
        }
    }
}

/// What is wrong inside of extensions that nothing here is chosen by.
fn check_contents(hello: &ClientHello) -> Result<(), Alert> {
    if let Some(body) = hello.extension(SERVER_NAME) {
        let mut reader = Reader::new(body);
        let list = reader.vector::<2>().filter(|list| !list.is_empty() && reader.is_empty());
        let mut list = Reader::new(list.ok_or(Alert::DecodeError)?);
        let name = list.u8().zip(list.vector::<2>()).ok_or(Alert::DecodeError)?;
        if name.0 != 0 || !list.is_empty() {
            return Err(Alert::DecodeError);
        }
        if name.1.len() > MAX_NAME || name.1.contains(&0) {
            return Err(Alert::UnrecognizedName);
        }
    }
    if let Some(body) = hello.extension(RENEGOTIATION_INFO) {
        match body {
            [0] => {}
            // RFC 5746 §3.6: a first handshake has nothing to renegotiate.
            [length, rest @ ..] if usize::from(*length) == rest.len() => return Err(Alert::HandshakeFailure),
            _ => return Err(Alert::DecodeError),
        }
    }
    if hello.extension(EC_POINT_FORMATS).is_some_and(|body| {
        let mut reader = Reader::new(body);
        reader.vector::<1>().is_none_or(<[u8]>::is_empty) || !reader.is_empty()
    }) {
        return Err(Alert::DecodeError);
    }
    hello.protocols()?;
    hello.numbers::<2>(SIGNATURE_ALGORITHMS).map(|_| ())
}

/// Whether the list of names, if there is one, begins with a name, as lighttpd's callback looks at it.
fn begins_with_a_name(hello: &ClientHello) -> bool {
    let Some(body) = hello.extension(SERVER_NAME) else { return true };
    let list = |octets: &[u8]| Reader::new(octets).vector::<2>().map(<[u8]>::to_vec);
    let whole = list(body).filter(|list| list.len() + 2 == body.len() && list.len() > 3);
    let name = whole.filter(|list| list.first() == Some(&0)).and_then(|l| list(l.get(1..)?));
    name.is_some_and(|name| name.len() < MAX_FIRST_NAME)
}

fn max_fragment(hello: &ClientHello) -> Result<usize, Alert> {
    match hello.extension(MAX_FRAGMENT_LENGTH) {
        None => Ok(MAX_PLAIN),
        Some(&[code @ 1..=4]) => Ok(256 << code),
        Some([_]) => Err(Alert::IllegalParameter),
        Some(_) => Err(Alert::DecodeError),
    }
}

/// The first of the server's protocols that the client offers (RFC 7301 §3.2).
fn protocol(spec: &TlsSpec, hello: &ClientHello) -> Result<Option<Vec<u8>>, Alert> {
    let Some(offered) = hello.protocols()? else { return Ok(None) };
    let by_client = || offered.iter().copied().find(|other| spec.alpn.iter().any(|own| own.as_bytes() == *other));
    let by_server = || spec.alpn.iter().map(|own| own.as_bytes()).find(|own| offered.contains(own));
    match if spec.alpn_by_client { by_client() } else { by_server() } {
        Some(protocol) => Ok(Some(protocol.to_vec())),
        None if spec.alpn_must_match && !spec.alpn.is_empty() => Err(Alert::NoApplicationProtocol),
        None if spec.alpn_insists => Ok(spec.alpn.first().map(|own| own.as_bytes().to_vec())),
        None => Ok(None),
    }
}
