//! The server's hello and its extensions, in the product's order.

use alloc::vec::Vec;

use super::{
    choice::Choice,
    hello::{
        ALPN, EC_POINT_FORMATS, ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET, KEY_SHARE, MAX_FRAGMENT_LENGTH,
        PRE_SHARED_KEY, RENEGOTIATION_INFO, SERVER_NAME, SESSION_TICKET, SUPPORTED_GROUPS, SUPPORTED_VERSIONS,
    },
    spec::{Answer, TlsSpec, Version},
    wire::{message, put_u16, put_vector},
};

pub(super) const SERVER_HELLO: u8 = 2;

/// What a key share of the server's says.
#[derive(Clone, Copy)]
pub(super) enum Share<'a> {
    None,
    /// HelloRetryRequest: the group alone.
    Asked,
    Half(&'a [u8]),
}

/// ServerHello, or HelloRetryRequest, which has its form (RFC 8446 §4.1.3).
pub(super) fn server_hello(
    choice: &Choice,
    random: &[u8; 32],
    session_id: &[u8],
    answers: &[Answer],
    spec: &TlsSpec,
    share: Share<'_>,
) -> Vec<u8> {
    message(SERVER_HELLO, |out| {
        put_u16(out, choice.version.min(Version::Tls12).number());
        out.extend_from_slice(random);
        put_vector::<1>(out, |out| out.extend_from_slice(session_id));
        put_u16(out, choice.suite.id());
        out.push(0);
        let mut extensions = extensions(choice, answers, spec, share);
        if let (Share::Half(_), Some(resumed)) = (share, &choice.resumed) {
            put_u16(&mut extensions, PRE_SHARED_KEY);
            put_vector::<2>(&mut extensions, |out| put_u16(out, resumed.index));
        }
        // OpenSSL sends no empty block.
        if !extensions.is_empty() {
            put_vector::<2>(out, |out| out.extend_from_slice(&extensions));
        }
    })
}

/// The extensions that are due, each with its type and length.
pub(super) fn extensions(choice: &Choice, answers: &[Answer], spec: &TlsSpec, share: Share<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for &answer in answers {
        if let Some((kind, body)) = extension(choice, answer, spec, share) {
            put_u16(&mut out, kind);
            put_vector::<2>(&mut out, |out| out.extend_from_slice(&body));
        }
    }
    out
}

fn extension(choice: &Choice, answer: Answer, spec: &TlsSpec, share: Share<'_>) -> Option<(u16, Vec<u8>)> {
    let hello = &choice.hello;
    let goes_on = choice.version != Version::Tls13 && choice.resumed.is_some();
    let empty_if = |due: bool, kind: u16| due.then(|| (kind, Vec::new()));
    match answer {
        Answer::RenegotiationInfo => choice.knows_renegotiation().then(|| (RENEGOTIATION_INFO, alloc::vec![0])),
        // A session before TLS 1.3 that goes on keeps its name, and a ticket that was good is not renewed.
        Answer::ServerName | Answer::OwnServerName | Answer::SessionTicket if goes_on => None,
        Answer::OwnServerName => empty_if(choice.names_us, SERVER_NAME),
        Answer::ServerName => empty_if(hello.has(SERVER_NAME), SERVER_NAME),
        Answer::MaxFragmentLength => {
            hello.extension(MAX_FRAGMENT_LENGTH).map(|body| (MAX_FRAGMENT_LENGTH, body.to_vec()))
        }
        // All three formats, as OpenSSL says them.
        Answer::EcPointFormats => choice.uses_curves().then(|| (EC_POINT_FORMATS, alloc::vec![3, 0, 1, 2])),
        Answer::SupportedGroups => choice.prefers_other_group.then(|| {
            let mut body = Vec::new();
            put_vector::<2>(&mut body, |out| spec.groups.iter().for_each(|group| put_u16(out, group.id())));
            (SUPPORTED_GROUPS, body)
        }),
        Answer::SessionTicket => empty_if(choice.wants_ticket() && spec.ticket_octets > 0, SESSION_TICKET),
        Answer::Alpn => choice.protocol.as_ref().map(|protocol| {
            let mut body = Vec::new();
            put_vector::<2>(&mut body, |out| put_vector::<1>(out, |out| out.extend_from_slice(protocol)));
            (ALPN, body)
        }),
        Answer::EncryptThenMac => empty_if(choice.encrypts_then_macs(), ENCRYPT_THEN_MAC),
        Answer::ExtendedMasterSecret => empty_if(choice.extends_master_secret(), EXTENDED_MASTER_SECRET),
        Answer::SupportedVersions => Some((SUPPORTED_VERSIONS, alloc::vec![3, 4])),
        Answer::KeyShare => {
            let mut body = Vec::new();
            put_u16(&mut body, choice.group?.id());
            match share {
                Share::None => return None,
                Share::Asked => {}
                Share::Half(half) => put_vector::<2>(&mut body, |out| out.extend_from_slice(half)),
            }
            Some((KEY_SHARE, body))
        }
    }
}
