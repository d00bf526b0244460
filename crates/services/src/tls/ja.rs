//! JA3 and JA4: short names for how a client opens. JA3 as published by Salesforce (MD5 of five lists), JA4 as published
//! by FoxIO under the BSD licence. Both leave out GREASE.

use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;

use md5::{Digest, Md5};
use sha2::Sha256;

use super::{
    hello::{ALPN, ClientHello, EC_POINT_FORMATS, SERVER_NAME, SUPPORTED_GROUPS, SUPPORTED_VERSIONS, is_grease},
    wire::pairs,
};

/// Hexadecimal digits of a part of JA4.
const PART: usize = 12;

/// JA3, in hexadecimal.
pub(super) fn ja3(hello: &ClientHello) -> String {
    hex(&Md5::digest(ja3_text(hello)))
}

/// What JA3 is the hash of: version, suites, extensions, groups, point formats.
pub(super) fn ja3_text(hello: &ClientHello) -> String {
    let list = |numbers: &mut dyn Iterator<Item = u16>| {
        let words: Vec<String> = numbers.filter(|&n| !is_grease(n)).map(|n| format!("{n}")).collect();
        words.join("-")
    };
    let body = |kind, skip| hello.extension(kind).and_then(|body| body.get(skip..)).unwrap_or(&[]);
    format!(
        "{},{},{},{},{}",
        hello.version,
        list(&mut hello.suites.iter().copied()),
        list(&mut hello.extensions.iter().map(|(kind, _)| *kind)),
        list(&mut pairs(body(SUPPORTED_GROUPS, 2))),
        list(&mut body(EC_POINT_FORMATS, 1).iter().map(|&octet| u16::from(octet))),
    )
}

/// JA4 of a hello over TCP.
pub(super) fn ja4(hello: &ClientHello) -> String {
    let suites = sorted(hello.suites.iter().copied());
    let all = sorted(hello.extensions.iter().map(|(kind, _)| *kind));
    let hashed: Vec<String> =
        all.iter().filter(|&&kind| kind != SERVER_NAME && kind != ALPN).map(|kind| format!("{kind:04x}")).collect();
    let schemes: Vec<String> =
        hello.schemes().iter().filter(|&&n| !is_grease(n)).map(|scheme| format!("{scheme:04x}")).collect();
    let suite_words: Vec<String> = suites.iter().map(|suite| format!("{suite:04x}")).collect();
    let mut extensions = hashed.join(",");
    if !schemes.is_empty() {
        extensions.push('_');
        extensions.push_str(&schemes.join(","));
    }
    format!(
        "t{}{}{:02}{:02}{}_{}_{}",
        version(hello),
        if hello.has(SERVER_NAME) { 'd' } else { 'i' },
        suites.len().min(99),
        all.len().min(99),
        protocol(hello),
        short(&suite_words.join(",")),
        short(&extensions),
    )
}

fn sorted(numbers: impl Iterator<Item = u16>) -> Vec<u16> {
    let mut numbers: Vec<u16> = numbers.filter(|&number| !is_grease(number)).collect();
    numbers.sort_unstable();
    numbers
}

/// The highest version that is offered.
fn version(hello: &ClientHello) -> &'static str {
    let offered = pairs(hello.extension(SUPPORTED_VERSIONS).and_then(|body| body.get(1..)).unwrap_or(&[]));
    match offered.filter(|&version| !is_grease(version)).max().unwrap_or(hello.version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// First and last character of the first protocol offered; digits of its octets if they are no letters or digits.
fn protocol(hello: &ClientHello) -> String {
    let protocols = hello.protocols().ok().flatten().unwrap_or_default();
    let Some((first, last)) = protocols.first().and_then(|name| name.first().zip(name.last())) else {
        return "00".into();
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(*first), char::from(*last)].iter().collect();
    }
    let (first, last) = (format!("{first:02x}"), format!("{last:02x}"));
    first.chars().take(1).chain(last.chars().skip(1)).collect()
}

fn short(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(PART);
    }
    hex(&Sha256::digest(text)).chars().take(PART).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // A String takes all that is written to it.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
