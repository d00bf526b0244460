//! Reading a head line by line, as Apache httpd does in its strict mode, the default since 2.4.25 (`protocol.c`,
//! `vhost.c` of httpd 2.4 were read for the rules): a line must end with CR LF, the request line has single spaces, a
//! field's name is a token. Lines that begin with a space go on with the one before.

use alloc::vec::Vec;

use super::{
    read::Progress,
    request::{Fault, Framing, Request, Version, number},
    spec::HttpRules,
};

/// Octets of the request line (`LimitRequestLine`) and of one field (`LimitRequestFieldSize`).
const MAX_LINE: usize = 8190;

/// Octets of a line that has no end: three of its buffers, measured.
const MAX_OPEN: usize = 3 * 8192;

/// A head that is being read.
#[derive(Debug)]
pub(super) struct Lines {
    request: Request,
    /// Start of the line that comes next.
    start: usize,
    blank: u8,
    in_fields: bool,
    /// The last field, which may go on.
    field: Option<Vec<u8>>,
    fields: usize,
}

enum Line<'l> {
    Open,
    TooLong,
    /// Ends with LF alone.
    Bare,
    Whole(&'l [u8], usize),
}

impl Lines {
    pub(super) fn new() -> Self {
        Self { request: Request::default(), start: 0, blank: 0, in_fields: false, field: None, fields: 0 }
    }

    pub(super) fn read(&mut self, head: &[u8], rules: &HttpRules) -> Progress {
        loop {
            let rest = head.get(self.start..).unwrap_or(&[]);
            let (line, length) = match next_line(rest) {
                Line::Open if rest.len() > MAX_OPEN => return self.too_long(rules),
                Line::Open => return Progress::More,
                Line::TooLong => return self.too_long(rules),
                Line::Bare => return self.refuse(400, ""),
                Line::Whole(line, length) => (line, length),
            };
            self.start += length;
            let taken = if self.in_fields { self.take_field(line, rules) } else { self.take_line(line) };
            match taken {
                Err((status, when)) => return self.refuse(status, when),
                Ok(true) => {
                    let request = core::mem::take(&mut self.request);
                    return match finish(request) {
                        Ok(request) => Progress::Whole(request, self.start),
                        Err(fault) => Progress::Refused(fault),
                    };
                }
                Ok(false) => {}
            }
        }
    }

    pub(super) fn end(&mut self, _head: &[u8]) -> Option<Fault> {
        self.in_fields.then(|| core::mem::take(&mut self.request).refused(400))
    }

    fn refuse(&mut self, status: u16, when: &'static str) -> Progress {
        Progress::Refused(core::mem::take(&mut self.request).refused_for(status, when))
    }

    fn too_long(&mut self, rules: &HttpRules) -> Progress {
        if self.in_fields {
            self.refuse(rules.fields_too_long(), "field-size")
        } else {
            self.refuse(rules.line_too_long(), "")
        }
    }

    /// Whether the head is whole.
    fn take_line(&mut self, line: &[u8]) -> Result<bool, (u16, &'static str)> {
        if line.is_empty() {
            self.blank = self.blank.saturating_add(1);
            return if self.blank > 100 { Err((400, "")) } else { Ok(false) };
        }
        self.in_fields = true;
        let request = &mut self.request;
        request.line = line.to_vec();
        let wrong = (400, "");
        let mut words = line.split(|&octet| octet == b' ');
        let (method, target) = (words.next().unwrap_or(&[]), words.next().unwrap_or(&[]));
        let version = words.next();
        request.method = method.to_vec();
        request.target = target.to_vec();
        // The target's host is known before anything of the line is refused: the page of the refusal names it.
        let directed = self.take_target(target).is_some();
        let request = &mut self.request;
        if method.is_empty() || !method.iter().all(|&o| is_token(o)) || target.is_empty() || words.next().is_some() {
            return Err(wrong);
        }
        if line.iter().any(|&octet| octet < 0x20 || octet == 0x7f) {
            return Err(wrong);
        }
        request.version = match version {
            None => Version::Simple,
            Some([b'H', b'T', b'T', b'P', b'/', major @ b'1'..=b'9', b'.', minor @ b'0'..=b'9']) => {
                if (*major, *minor) == (b'1', b'0') { Version::Old } else { Version::Current }
            }
            Some(_) => return Err(wrong),
        };
        if request.version == Version::Simple && !request.is("GET") {
            request.version = Version::Old;
            return Err(wrong);
        }
        if !directed {
            return Err(wrong);
        }
        if self.request.misdirected && self.request.version == Version::Simple {
            return Err(wrong);
        }
        Ok(self.request.version == Version::Simple)
    }

    fn take_target(&mut self, target: &[u8]) -> Option<()> {
        let request = &mut self.request;
        let connects = request.is("CONNECT");
        if connects {
            let (host, port) = host_of(target)?;
            port?;
            (request.host, request.port, request.path) = (host, port, b"/".to_vec());
            return Some(());
        }
        if target == b"*" && request.is("OPTIONS") {
            request.path = target.to_vec();
            return Some(());
        }
        if target.first() == Some(&b'/') {
            request.path = target.to_vec();
        } else {
            let from = target.windows(3).position(|three| three == b"://")?;
            let scheme = target.get(..from)?.to_ascii_lowercase();
            let rest = target.get(from + 3..)?;
            let end = rest.iter().position(|octet| matches!(octet, b'/' | b'?' | b'#')).unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(end)?;
            let usual = [(&b"http"[..], 80), (b"https", 443)].into_iter().find(|(ours, _)| scheme == *ours);
            request.misdirected = usual.is_none() || authority.contains(&b'@');
            if let Some((_, usual)) = usual {
                let (name, port) = parts_of(authority, usual);
                request.port = port;
                match name {
                    Some(name) if is_name(name) => request.host = plain_name(name),
                    // The page of the refusal names it all the same.
                    name => {
                        request.misdirected = true;
                        request.host = name.filter(|name| name.is_ascii()).unwrap_or_default().to_vec();
                    }
                }
            }
            request.authority = authority.to_vec();
            if path.first() != Some(&b'/') {
                request.path.push(b'/');
            }
            request.path.extend_from_slice(path);
        }
        (!request.path.contains(&b'#')).then_some(())
    }

    fn take_field(&mut self, line: &[u8], rules: &HttpRules) -> Result<bool, (u16, &'static str)> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            let field = self.field.as_mut().ok_or((400, ""))?;
            let more = line.trim_ascii_start();
            if field.len() + 1 + more.len() > MAX_LINE {
                return Err((rules.fields_too_long(), "field-size"));
            }
            field.push(b' ');
            field.extend_from_slice(more);
            return Ok(false);
        }
        if let Some(field) = self.field.take() {
            self.fields += 1;
            if rules.max_fields > 0 && self.fields > usize::from(rules.max_fields) {
                return Err((rules.fields_too_long(), "field-count"));
            }
            self.request.fields.push(split_field(&field).ok_or((400, ""))?);
        }
        if line.is_empty() {
            return Ok(true);
        }
        self.field = Some(line.to_vec());
        Ok(false)
    }
}

/// The next line, without its end, and its length with it.
fn next_line(octets: &[u8]) -> Line<'_> {
    let Some(end) = octets.iter().position(|&octet| octet == b'\n') else {
        return Line::Open;
    };
    let line = octets.get(..end).unwrap_or(octets);
    let Some(line) = line.strip_suffix(b"\r") else {
        return if line.len() > MAX_LINE { Line::TooLong } else { Line::Bare };
    };
    if line.len() > MAX_LINE { Line::TooLong } else { Line::Whole(line, end + 1) }
}

/// Name, in lower case, and value; `None`: refused.
fn split_field(field: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let colon = field.iter().position(|&octet| octet == b':')?;
    let (name, value) = (field.get(..colon)?, trim(field.get(colon + 1..)?));
    let plain = |octet: &u8| !(*octet < 0x20 && *octet != b'\t' || *octet == 0x7f);
    (!name.is_empty() && name.iter().all(|&octet| is_token(octet)) && value.iter().all(plain))
        .then(|| (name.to_ascii_lowercase(), value.to_vec()))
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// What all fields together say.
#[expect(clippy::result_large_err, reason = "moved once a refused request, beside a page that is written")]
fn finish(mut request: Request) -> Result<Request, Fault> {
    if request.version == Version::Simple {
        return Ok(request);
    }
    let length = request.joined("content-length");
    let chunked = request.joined("transfer-encoding");
    if let Some(coding) = chunked {
        let last = coding.rsplit(|&octet| octet == b',').next().unwrap_or(&[]).trim_ascii();
        if !last.eq_ignore_ascii_case(b"chunked") {
            return Err(nameless(request));
        }
        request.framing = Framing::Chunked;
        // RFC 9112 §6.3: a length beside it is void, and the connection must end.
        request.suspicious = length.is_some();
    } else if let Some(length) = length {
        match number(&length) {
            Some(length) if i64::try_from(length).is_ok() => request.framing = Framing::Length(length),
            _ => return Err(nameless(request)),
        }
    }
    let host = request.joined("host");
    match host.as_deref().map(host_of) {
        Some(None) => return Err(request.refused(400)),
        None if request.version == Version::Current => return Err(request.refused(400)),
        // Where the target names a port and no host, no other name is asked for.
        Some(Some((name, port))) if request.host.is_empty() && request.port.is_none() => {
            (request.host, request.port) = (name, port);
        }
        Some(Some(_)) | None => {}
    }
    if request.misdirected { Err(request.refused(400)) } else { Ok(request) }
}

/// Refused before it was looked for whom it is.
fn nameless(mut request: Request) -> Fault {
    request.host.clear();
    request.port = None;
    request.refused(400)
}

/// Name and port of a host; `None`: refused.
pub(super) fn host_of(value: &[u8]) -> Option<(Vec<u8>, Option<u16>)> {
    let (name, port) = if value.first() == Some(&b'[') {
        let end = value.iter().position(|&octet| octet == b']')?;
        let inside = value.get(1..end)?;
        if !inside.contains(&b':') || !is_name(inside) {
            return None;
        }
        (value.get(..=end)?, value.get(end + 1..)?)
    } else {
        let end = value.iter().position(|&octet| octet == b':').unwrap_or(value.len());
        (value.get(..end)?, value.get(end..)?)
    };
    let port = match port.strip_prefix(b":") {
        None if port.is_empty() => None,
        None => return None,
        Some(digits) => Some(u16::try_from(number(digits)?).ok().filter(|&port| port > 0)?),
    };
    if name.first() != Some(&b'[') && !is_name(name) {
        return None;
    }
    let name = name.strip_prefix(b"[").and_then(|n| n.strip_suffix(b"]")).unwrap_or(name);
    Some((plain_name(name), port))
}

/// Name and port in the authority of a target, as `apr_uri_parse` takes them apart: `usual` is the port of the scheme.
/// There is no name where that fails. Who is let in there is not looked at.
fn parts_of(authority: &[u8], usual: u16) -> (Option<&[u8]>, Option<u16>) {
    let from = authority.iter().rposition(|&octet| octet == b'@').map_or(0, |at| at + 1);
    let named = authority.get(from..).unwrap_or(&[]);
    let end = match named.first() {
        Some(b'[') => named.iter().position(|&octet| octet == b']').map(|end| end + 1),
        _ => Some(named.iter().position(|&octet| octet == b':').unwrap_or(named.len())),
    };
    let Some((name, rest)) = end.and_then(|end| named.split_at_checked(end)) else { return (None, None) };
    let name = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")).unwrap_or(name);
    match rest {
        [] => (Some(name), None),
        [b':'] => (Some(name), Some(usual)),
        [b':', port @ ..] => {
            let digits = port.strip_prefix(b"+").unwrap_or(port);
            let count = digits.iter().take_while(|octet| octet.is_ascii_digit()).count();
            let value = digits.iter().take(count).fold(0u16, |value, octet| {
                // As many of them as there are; what is kept has 16 bits.
                value.wrapping_mul(10).wrapping_add(u16::from(octet - b'0'))
            });
            (Some(name).filter(|_| count > 0 && count == digits.len()), Some(value))
        }
        _ => (None, None),
    }
}

/// Whether it is the name or the address of a host.
fn is_name(name: &[u8]) -> bool {
    if name.contains(&b':') {
        return name.iter().all(|o| o.is_ascii_hexdigit() || matches!(o, b':' | b'.'));
    }
    let plain = |o: &u8| o.is_ascii_alphanumeric() || matches!(o, b'-' | b'.' | b'_');
    let labels = || name.split(|&octet| octet == b'.');
    if name.is_empty() || !name.iter().all(plain) || name.windows(2).any(|two| two == b"..") {
        return false;
    }
    if name.iter().all(|o| o.is_ascii_digit() || *o == b'.') {
        // An address of four numbers.
        return labels().count() == 4 && labels().all(|label| matches!(label, [_] | [b'1'..=b'9', _, ..]));
    }
    // RFC 1123 §2.1: the last label is no number.
    labels().count() == 1 || labels().next_back().and_then(<[u8]>::first).is_none_or(u8::is_ascii_alphabetic)
}

fn plain_name(name: &[u8]) -> Vec<u8> {
    name.strip_suffix(b".").unwrap_or(name).to_ascii_lowercase()
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}
