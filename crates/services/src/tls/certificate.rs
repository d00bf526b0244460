//! A decoy's certificate: as its product makes one, with the decoy's own names, key, number and day (RFC 5280 §4.1).

pub(super) mod der;

use alloc::{format, string::String, vec::Vec};
use core::net::IpAddr;

use rand_core::Rng;
use sha1::{Digest, Sha1};

use super::{
    key::PrivateKey,
    spec::{CertificateSpec, Extension, KeyUse},
};
use crate::{
    Identity,
    calendar::Moment,
    keys::secret_stream,
    text::{Who, mix},
};
use der::{bits, constructed, explicit, integer, octets, oid, tlv};

const SECONDS_OF_DAY: u64 = 86_400;
const NANOS: u64 = 1_000_000_000;
/// Octets of a serial number where the product does not say: OpenSSL's 159 random bits.
const SERIAL_OCTETS: u8 = 20;
/// Letters of a name in a certificate (RFC 5280, upper bound `ub-common-name`).
const MAX_NAME: usize = 64;

/// The certificate, DER. `None` if the key cannot sign, which no key of ours does.
pub(super) fn make(spec: &CertificateSpec, identity: &Identity<'_>, key: &PrivateKey) -> Option<Vec<u8>> {
    let who = Who::new(identity);
    let subject = name(&spec.subject, &who);
    let issuer = if spec.issuer.is_empty() { subject.clone() } else { name(&spec.issuer, &who) };
    let algorithm = key.certificate_algorithm();
    let info = key.public_info();
    let extensions: Vec<Vec<u8>> =
        spec.extensions.iter().filter_map(|extension| encoded(extension, identity, &who, &info)).collect();
    let body = constructed(
        0x30,
        &[
            explicit(0, &integer(&[2])),
            integer(&serial(spec, &who)),
            algorithm.clone(),
            issuer,
            validity(spec, &identity.seed),
            subject,
            info,
            if extensions.is_empty() { Vec::new() } else { explicit(3, &constructed(0x30, &extensions)) },
        ],
    );
    let signature = key.sign_certificate(&body)?;
    Some(constructed(0x30, &[body, algorithm, bits(&signature)]))
}

/// A positive number: what the product makes it of, or so many octets of chance.
fn serial(spec: &CertificateSpec, who: &Who) -> Vec<u8> {
    if !spec.serial.is_empty() {
        let digits = who.fill(&spec.serial);
        return u128::from_str_radix(&digits, 16).unwrap_or_default().to_be_bytes().to_vec();
    }
    let count = if spec.serial_octets == 0 { SERIAL_OCTETS } else { spec.serial_octets };
    let mut number = alloc::vec![0; usize::from(count)];
    secret_stream(who.seed(), "tls serial").fill_bytes(&mut number);
    if let Some(first) = number.first_mut() {
        *first = *first & 0x7f | 1;
    }
    number
}

fn validity(spec: &CertificateSpec, seed: &[u8; 16]) -> Vec<u8> {
    let chance = mix(seed, 0x7e57_da7e);
    let (day, second) = match u64::from(spec.made_within_days) {
        0 => (0, 0),
        within => (chance % within, (chance >> 32) % SECONDS_OF_DAY),
    };
    let made = (spec.made_from.0 + day) * SECONDS_OF_DAY + second;
    let valid = u64::from(spec.valid_days) * SECONDS_OF_DAY + u64::from(spec.valid_more_s);
    constructed(0x30, &[time(made), time(made + valid)])
}

/// UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5).
fn time(seconds: u64) -> Vec<u8> {
    let at = Moment::at(seconds.saturating_mul(NANOS));
    let rest = format!("{:02}{:02}{:02}{:02}{:02}Z", at.month, at.day, at.hour, at.minute, at.second);
    if at.year < 2050 {
        return tlv(0x17, format!("{:02}{rest}", at.year % 100).as_bytes());
    }
    tlv(0x18, format!("{:04}{rest}", at.year).as_bytes())
}

/// A name of parts like `CN=…`. OpenSSL writes countries as PrintableString, mail addresses as IA5String and all else
/// as UTF8String. A part of another kind is left out.
fn name(parts: &[String], who: &Who) -> Vec<u8> {
    let sets = parts.iter().filter_map(|part| {
        let (kind, value) = part.split_once('=')?;
        let (kind, string): (&[u8], u8) = match kind {
            "CN" => (&[0x55, 4, 3], 0x0c),
            "C" => (&[0x55, 4, 6], 0x13),
            "L" => (&[0x55, 4, 7], 0x0c),
            "ST" => (&[0x55, 4, 8], 0x0c),
            "O" => (&[0x55, 4, 10], 0x0c),
            "OU" => (&[0x55, 4, 11], 0x0c),
            "serialNumber" => (&[0x55, 4, 5], 0x13),
            "emailAddress" => (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], 0x16),
            _ => return None,
        };
        let value: String = who.fill(value).chars().take(MAX_NAME).collect();
        Some(constructed(0x31, &[constructed(0x30, &[oid(kind), tlv(string, value.as_bytes())])]))
    });
    constructed(0x30, &sets.collect::<Vec<_>>())
}

fn encoded(extension: &Extension, identity: &Identity<'_>, who: &Who, info: &[u8]) -> Option<Vec<u8>> {
    let id = |last| oid(&[0x55, 0x1d, last]);
    let critical = tlv(0x01, &[0xff]);
    let parts = match extension {
        Extension::SubjectKeyIdentifier => alloc::vec![id(14), octets(&octets(&key_identifier(info)?))],
        Extension::AuthorityKeyIdentifier => {
            let identifier = tlv(0x80, &key_identifier(info)?);
            alloc::vec![id(35), octets(&constructed(0x30, &[identifier]))]
        }
        Extension::Authority => {
            alloc::vec![id(19), critical.clone(), octets(&constructed(0x30, &[critical]))]
        }
        Extension::CriticalNoAuthority => alloc::vec![id(19), critical, octets(&constructed(0x30, &[]))],
        Extension::NoAuthority => alloc::vec![id(19), octets(&constructed(0x30, &[]))],
        Extension::ServerAuthentication => alloc::vec![id(37), octets(&constructed(0x30, &[purpose(1)]))],
        Extension::ClientAndServerAuthentication => {
            alloc::vec![id(37), octets(&constructed(0x30, &[purpose(2), purpose(1)]))]
        }
        Extension::KeyUsage(uses) => alloc::vec![id(15), critical, octets(&named_bits(uses))],
        Extension::DnsNames(names) => {
            let names: Vec<Vec<u8>> = names.iter().map(|name| tlv(0x82, who.fill(name).as_bytes())).collect();
            alloc::vec![id(17), octets(&constructed(0x30, &names))]
        }
        Extension::Address => {
            let address = match identity.ip {
                IpAddr::V4(ip) => tlv(0x87, &ip.octets()),
                IpAddr::V6(ip) => tlv(0x87, &ip.octets()),
            };
            alloc::vec![id(17), octets(&constructed(0x30, &[address]))]
        }
    };
    Some(constructed(0x30, &parts))
}

/// `serverAuth` (1) or `clientAuth` (2) (RFC 5280 §4.2.1.12).
fn purpose(last: u8) -> Vec<u8> {
    oid(&[0x2b, 6, 1, 5, 5, 7, 3, last])
}

/// A BIT STRING of named bits, without the zeros after the last one (X.690 §11.2.2).
fn named_bits(uses: &[KeyUse]) -> Vec<u8> {
    let octet = uses.iter().fold(0, |octet, &name| octet | name.bit());
    let unused = u8::try_from(octet.trailing_zeros()).unwrap_or_default();
    if octet == 0 { tlv(0x03, &[0]) } else { tlv(0x03, &[unused, octet]) }
}

/// SHA-1 of the key's bits (RFC 5280 §4.2.1.2, the first way).
fn key_identifier(info: &[u8]) -> Option<Vec<u8>> {
    let inside = der::contents(info)?;
    let key = der::after(inside)?;
    // Behind the count of unused bits.
    Some(Sha1::digest(der::contents(key)?.get(1..)?).to_vec())
}
