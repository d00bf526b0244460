//! Reading a head when all of it is there, as lighttpd does (`h1.c`, `request.c` of lighttpd 1.4.69 answered the table of
//! `recordings/http`): nothing is judged before the empty line, then the version, the method, the target, the fields.

use alloc::vec::Vec;

use super::{
    read::Progress,
    request::{Fault, Framing, Request, Version, number},
    spec::HttpRules,
};
use crate::text::hex_digit;

/// Octets of a head (`server.max-request-field-size`).
const MAX_HEAD: usize = 8192;

/// A head that is awaited.
#[derive(Debug)]
pub(super) struct Heads {
    /// What was looked at and has no empty line.
    seen: usize,
}

impl Heads {
    pub(super) fn new() -> Self {
        Self { seen: 0 }
    }

    pub(super) fn read(&mut self, head: &[u8], rules: &HttpRules) -> Progress {
        let refused = |status| Progress::Refused(Request::default().refused(status));
        let Some(end) = end_of(head, self.seen) else {
            // No method begins so; TLS does. What ends as a head ought to is judged below.
            if head.first().is_some_and(|&first| first < b' ') {
                return refused(400);
            }
            self.seen = head.len().saturating_sub(3);
            return if head.len() > MAX_HEAD { refused(rules.fields_too_long()) } else { Progress::More };
        };
        if end > MAX_HEAD {
            return refused(rules.fields_too_long());
        }
        let mut request = Request::default();
        match take(&mut request, head.get(..end).unwrap_or(head), rules) {
            Ok(()) => Progress::Whole(request, end),
            Err(status) => Progress::Refused(Fault { status, when: "", request }),
        }
    }
}

/// Where the head ends: behind the first line that is empty.
fn end_of(head: &[u8], from: usize) -> Option<usize> {
    let ends = |at: usize| match head.get(at..)? {
        [b'\n', b'\n', ..] => Some(at + 2),
        [b'\n', b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    };
    (from..head.len()).find_map(ends)
}

fn take(request: &mut Request, head: &[u8], rules: &HttpRules) -> Result<(), u16> {
    let mut lines = head.split_inclusive(|&octet| octet == b'\n');
    let line = lines.next().and_then(|line| line.strip_suffix(b"\r\n"));
    take_line(request, line.ok_or(400u16)?, rules)?;
    let mut last_is_host = false;
    for line in lines {
        if matches!(line, b"\n" | b"\r\n") {
            break;
        }
        let line = line.strip_suffix(b"\r\n").ok_or(400u16)?;
        if matches!(line.first(), Some(b' ' | b'\t')) {
            // A fold: the line ends become spaces, which a host has not.
            let (_, value) = request.fields.last_mut().filter(|_| !last_is_host).ok_or(400u16)?;
            value.push(b' ');
            value.extend_from_slice(checked(line)?);
            continue;
        }
        last_is_host = take_field(request, line)?;
    }
    finish(request, rules)
}

fn take_line(request: &mut Request, line: &[u8], rules: &HttpRules) -> Result<(), u16> {
    request.line = line.to_vec();
    let versions: [(&[u8], _); 2] = [(b" HTTP/1.1", Version::Current), (b" HTTP/1.0", Version::Old)];
    let found = versions.into_iter().find_map(|(word, version)| Some((line.strip_suffix(word)?, version)));
    let Some((rest, version)) = found else {
        // Whatever stands where the version belongs decides which refusal it is.
        let word = line.splitn(3, |&octet| octet == b' ').nth(2).and_then(|word| word.strip_prefix(b"HTTP/"));
        return Err(match word {
            None | Some([b'1', b'.', b'0' | b'1', ..]) => 400,
            Some(_) => 505,
        });
    };
    request.version = version;
    let space = rest.iter().position(|&octet| octet == b' ').unwrap_or(rest.len());
    let (method, target) = rest.split_at_checked(space).unwrap_or((rest, &[]));
    let target = target.get(1..).unwrap_or(&[]);
    request.method = method.to_vec();
    request.target = target.to_vec();
    if !rules.methods.is_empty() && !rules.methods.iter().any(|known| request.is(known)) {
        return Err(501);
    }
    take_target(request, target)?;
    check_target(target)
}

/// A path that came without a line around it.
pub(super) fn take_path(request: &mut Request) -> Result<(), u16> {
    let target = request.target.clone();
    if target.first() != Some(&b'/') && !(target == b"*" && request.is("OPTIONS")) {
        return Err(400);
    }
    request.path.clone_from(&target);
    check_target(&target)
}

fn check_target(target: &[u8]) -> Result<(), u16> {
    let plain = |octet: &u8| *octet >= 0x20 && *octet != 0x7f;
    let decoded = target.windows(3).filter_map(|three| match three {
        [b'%', high, low] => Some(hex_digit(*high)? << 4 | hex_digit(*low)?),
        _ => None,
    });
    let is_plain = target.iter().all(plain) && decoded.into_iter().all(|octet| plain(&octet));
    is_plain.then_some(()).ok_or(400)
}

fn take_target(request: &mut Request, target: &[u8]) -> Result<(), u16> {
    if target.first() == Some(&b'/') || target == b"*" && request.is("OPTIONS") {
        request.path = target.to_vec();
        return Ok(());
    }
    let scheme = [&b"http://"[..], b"https://"].into_iter().find(|scheme| {
        let start = target.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let rest = scheme.and_then(|scheme| target.get(scheme.len()..)).ok_or(400u16)?;
    let slash = rest.iter().position(|&octet| octet == b'/').ok_or(400u16)?;
    let (authority, path) = rest.split_at_checked(slash).ok_or(400u16)?;
    (request.host, request.port) = host_of(authority).ok_or(400u16)?;
    request.authority = authority.to_ascii_lowercase();
    request.path = path.to_vec();
    Ok(())
}

/// Whether the field is the host.
fn take_field(request: &mut Request, line: &[u8]) -> Result<bool, u16> {
    let colon = line.iter().position(|&octet| octet == b':').ok_or(400u16)?;
    let (name, value) = line.split_at_checked(colon).ok_or(400u16)?;
    // RFC 9110 §5.6.2.
    let token = |octet: &u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(octet);
    if name.is_empty() || !name.iter().all(token) {
        return Err(400);
    }
    let value = checked(value.get(1..).unwrap_or(&[]))?;
    let name = name.to_ascii_lowercase();
    let is_host = name == b"host";
    if value.is_empty() {
        return Ok(is_host);
    }
    let again = request.value(core::str::from_utf8(&name).unwrap_or(""));
    match (name.as_slice(), again) {
        (b"host", Some(other)) if other.eq_ignore_ascii_case(value) => return Ok(true),
        (b"host" | b"content-length", Some(_)) => return Err(400),
        _ => {}
    }
    request.fields.push((name, value.to_vec()));
    Ok(is_host)
}

/// A value without the spaces around it, if it has no control characters.
pub(super) fn checked(value: &[u8]) -> Result<&[u8], u16> {
    let plain = |octet: &u8| *octet == b'\t' || *octet >= 0x20 && *octet != 0x7f;
    if value.iter().all(plain) { Ok(value.trim_ascii()) } else { Err(400) }
}

/// What all fields together say.
pub(super) fn finish(request: &mut Request, rules: &HttpRules) -> Result<(), u16> {
    let current = request.version == Version::Current;
    let host = request.value("host").map(<[u8]>::to_ascii_lowercase);
    match host.as_deref() {
        Some(host) if !request.authority.is_empty() && *host != *request.authority => return Err(400),
        Some(host) => (request.host, request.port) = host_of(host).ok_or(400u16)?,
        None if current && request.authority.is_empty() => return Err(400),
        None => {}
    }
    if !current && ["upgrade", "http2-settings"].iter().any(|name| request.value(name).is_some()) {
        return Err(400);
    }
    let coding = request.joined("transfer-encoding");
    let length = match request.value("content-length") {
        None => None,
        Some(digits) => Some(number(digits).filter(|&n| i64::try_from(n).is_ok()).ok_or(400u16)?),
    };
    if let Some(coding) = &coding {
        if !current || length.is_some() {
            return Err(400);
        }
        if !coding.eq_ignore_ascii_case(b"chunked") {
            return Err(if coding.get(..7).is_some_and(|c| c.eq_ignore_ascii_case(b"chunked")) { 400 } else { 501 });
        }
    }
    let has_body = coding.is_some() || length.is_some_and(|length| length > 0);
    if has_body && (request.is("GET") || request.is("HEAD")) {
        return Err(400);
    }
    if request.is("POST") && coding.is_none() && length.is_none() {
        return Err(411);
    }
    if rules.refused_methods.iter().any(|method| request.is(method)) {
        return Err(405);
    }
    request.framing = if coding.is_some() { Framing::Chunked } else { length.map_or(Framing::None, Framing::Length) };
    Ok(())
}

/// Name and port of a host; `None`: refused.
fn host_of(value: &[u8]) -> Option<(Vec<u8>, Option<u16>)> {
    let (name, port) = match value {
        [b'[', ..] => {
            let end = value.iter().position(|&octet| octet == b']')? + 1;
            let inside = value.get(1..end - 1)?;
            if !inside.iter().all(|o| o.is_ascii_hexdigit() || matches!(o, b':' | b'.')) || inside.is_empty() {
                return None;
            }
            (value.get(..end)?, value.get(end..)?)
        }
        _ => {
            let end = value.iter().position(|&octet| octet == b':').unwrap_or(value.len());
            let name = value.get(..end)?;
            let labels = name.strip_suffix(b".").unwrap_or(name);
            let plain = |label: &[u8]| {
                let hyphens = label.first() == Some(&b'-') || label.last() == Some(&b'-');
                !label.is_empty() && !hyphens && label.iter().all(|o| o.is_ascii_alphanumeric() || *o == b'-')
            };
            if !labels.split(|&octet| octet == b'.').all(plain) {
                return None;
            }
            (labels, value.get(end..)?)
        }
    };
    let port = match port {
        [] | [b':'] => None,
        [b':', digits @ ..] => Some(u16::try_from(number(digits)?).ok()?),
        _ => return None,
    };
    Some((name.to_ascii_lowercase(), port))
}
