//! From a list of fields to a request (RFC 9113 §8.3), as nginx and as libnghttp2 with Apache's mod_http2 judge it.

use alloc::vec::Vec;

use super::{hpack::List, spec::Frames};
use crate::http::{
    heads, lines, octets,
    request::{Fault, Framing, Request, Version, number},
    spec::HttpRules,
};

/// Apache: fields of a request (`LimitRequestFields`) beyond which it is refused by a page, and, twice that, in silence.
const MAX_FIELDS: usize = 100;
/// Apache: octets of the request line and of a field (`LimitRequestLine`, `LimitRequestFieldSize`).
const MAX_LINE: usize = 8190;

/// What a list of fields comes to.
#[derive(Debug)]
pub(super) enum Message {
    Request(Request),
    /// It is refused by a page; `early`: before it was a request.
    Refused {
        request: Request,
        status: u16,
        when: &'static str,
        early: bool,
        /// The page is the last thing that is said on the connection.
        ends: bool,
    },
    /// The stream ends with this error.
    Reset(u32),
    /// The connection ends with this error.
    Fatal(u32),
}

/// The parts that begin with a colon.
#[derive(Debug, Default)]
struct Pseudo {
    method: Option<Vec<u8>>,
    scheme: Option<Vec<u8>>,
    authority: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
}

impl Pseudo {
    fn place(&mut self, name: &[u8]) -> Option<&mut Option<Vec<u8>>> {
        match name {
            b":method" => Some(&mut self.method),
            b":scheme" => Some(&mut self.scheme),
            b":authority" => Some(&mut self.authority),
            b":path" => Some(&mut self.path),
            _ => None,
        }
    }
}

/// `ended`: no body follows.
pub(super) fn read(list: List, ended: bool, reading: Frames, rules: &HttpRules) -> Message {
    match reading {
        Frames::Direct => direct(list, ended, rules),
        Frames::Library => library(list, ended),
        Frames::Gathered => gathered(list, ended, rules),
    }
}

const PROTOCOL_ERROR: u32 = super::frame::PROTOCOL_ERROR;

fn direct(list: List, ended: bool, rules: &HttpRules) -> Message {
    let count = list.count;
    let (mut pseudo, mut request) = (Pseudo::default(), Request { version: Version::Current, ..Request::default() });
    let (mut wrong, mut blank, mut ends) = (None, false, false);
    for ((name, value), mark) in list.fields.into_iter().zip(list.marks) {
        if wrong.is_some() {
            // nginx passes over the fields behind a wrong one, and where a name is spelled out it holds the string before
            // that one, which it did not pass over, for the name: an empty one is an error of the connection.
            ends |= mark.spelled && blank;
            continue;
        }
        blank = mark.blank;
        if name.is_empty() {
            return Message::Fatal(PROTOCOL_ERROR);
        }
        let plain = name.strip_prefix(b":").unwrap_or(&name);
        let odd = |octet: &u8| *octet <= b' ' || *octet == 0x7f || *octet == b':' || octet.is_ascii_uppercase();
        if plain.iter().any(odd) || value.iter().any(|octet| matches!(octet, 0 | b'\n' | b'\r')) {
            return Message::Reset(PROTOCOL_ERROR);
        }
        if name.starts_with(b":") {
            match pseudo.place(&name) {
                Some(place) if place.is_none() && !value.is_empty() => *place = Some(value),
                _ => wrong = Some(""),
            }
            continue;
        }
        if octets::is_unique(&name) && request.fields.iter().any(|(other, _)| *other == name) {
            wrong = Some("");
            continue;
        }
        request.fields.push((name, value));
        if rules.max_fields > 0 && request.fields.len() > usize::from(rules.max_fields) {
            wrong = Some("field-size");
        }
    }
    if rules.max_fields > 0 && count > usize::from(rules.max_fields) + 4 {
        wrong = wrong.or(Some("field-size"));
    }
    // What a connection of HTTP/1 is told means nothing here.
    request.fields.retain(|(name, _)| name != b"transfer-encoding");
    join_cookies(&mut request);
    let refused = |request, when| Message::Refused { request, status: 400, when, early: false, ends };
    let complete = take_direct(&mut request, pseudo);
    if let Some(when) = wrong.or_else(|| complete.is_none().then_some("")) {
        return refused(request, when);
    }
    match octets::finish(request, rules) {
        Ok(mut request) => {
            if ended && matches!(request.framing, Framing::Length(length) if length > 0) {
                return refused(request, "");
            }
            request.framing = framing(request.framing, ended);
            Message::Request(request)
        }
        Err(Fault { request, status, when }) => Message::Refused { request, status, when, early: false, ends: false },
    }
}

/// Takes method, target and host; `None`: one of them is wrong.
fn take_direct(request: &mut Request, pseudo: Pseudo) -> Option<()> {
    request.method = pseudo.method.unwrap_or_default();
    request.target = pseudo.path.unwrap_or_default();
    request.path = request.target.clone();
    let again = request.value("host").is_some();
    if let Some(authority) = &pseudo.authority {
        (request.host, request.port) = octets::host_of(authority, false)?;
        if again {
            return None;
        }
        request.fields.insert(0, (b"host".to_vec(), authority.clone()));
    } else if let Some(host) = request.value("host").map(<[u8]>::to_vec) {
        (request.host, request.port) = octets::host_of(&host, false)?;
    }
    let named = |octet: &u8| octet.is_ascii_uppercase() || matches!(octet, b'_' | b'-');
    let method = !request.method.is_empty() && request.method.iter().all(named);
    let plain = |octet: &u8| *octet > b' ' && *octet != 0x7f;
    let path = request.path.first() == Some(&b'/') && request.path.iter().all(plain);
    let scheme = pseudo.scheme.as_ref().is_some_and(|scheme| {
        scheme.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.'))
    });
    (method && path && scheme).then_some(())
}

fn library(list: List, ended: bool) -> Message {
    let reset = Message::Reset(PROTOCOL_ERROR);
    let (count, whole) = (list.count, list.fields.len());
    let (mut pseudo, mut request) = (Pseudo::default(), Request { version: Version::Current, ..Request::default() });
    let (mut length, mut regular, mut long) = (None, 0, false);
    for (name, value) in list.fields {
        let printable = value.iter().all(|&octet| octet >= b' ' && octet != 0x7f || octet == b'\t');
        if !printable {
            return reset;
        }
        if name.starts_with(b":") {
            match pseudo.place(&name) {
                Some(place) if place.is_none() && !value.is_empty() && regular == 0 => *place = Some(value),
                _ => return reset,
            }
            continue;
        }
        let token = |octet: &u8| lines::is_token(*octet) && !octet.is_ascii_uppercase();
        let of_connection: [&[u8]; 5] =
            [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];
        if name.is_empty() || !name.iter().all(token) || of_connection.contains(&name.as_slice()) {
            return reset;
        }
        if name == b"te" && !value.eq_ignore_ascii_case(b"trailers") {
            return reset;
        }
        if name == b"content-length" {
            match number(&value) {
                Some(octets) if length.is_none() => length = Some(octets),
                _ => return reset,
            }
        }
        regular += 1;
        long |= name.len() + 2 + value.len() > MAX_LINE;
        request.fields.push((name, value.trim_ascii().to_vec()));
    }
    if take_library(&mut request, &pseudo, ended, length).is_none() {
        return reset;
    }
    // Fields that were not kept were too many.
    regular += count - whole;
    if regular > 2 * MAX_FIELDS {
        return Message::Reset(super::frame::ENHANCE_YOUR_CALM);
    }
    join_cookies(&mut request);
    let early = |request, status| Message::Refused { request, status, when: "http2", early: true, ends: false };
    if request.path.len() > MAX_LINE {
        return early(request, 414);
    }
    if long || regular > MAX_FIELDS {
        return early(request, 431);
    }
    if request.path.contains(&b'#') {
        return early(request, 400);
    }
    let known = request.is("CONNECT") || matches!(pseudo.scheme.as_deref(), Some(b"http" | b"https"));
    if !known {
        return Message::Refused { request, status: 400, when: "", early: false, ends: false };
    }
    Message::Request(request)
}

/// Takes method, target and host; `None`: the message is malformed.
fn take_library(request: &mut Request, pseudo: &Pseudo, ended: bool, length: Option<u64>) -> Option<()> {
    request.method = pseudo.method.clone()?;
    if !request.method.iter().all(|&octet| lines::is_token(octet)) {
        return None;
    }
    let path = pseudo.path.clone();
    if request.is("CONNECT") {
        if pseudo.scheme.is_some() || path.is_some() {
            return None;
        }
        pseudo.authority.as_ref()?;
        request.path = b"/".to_vec();
    } else {
        pseudo.scheme.as_ref()?;
        let path = path?;
        let plain = |octet: &u8| *octet > b' ' && *octet != 0x7f;
        let star = path == b"*" && request.is("OPTIONS");
        if !path.iter().all(plain) || path.first() != Some(&b'/') && !star {
            return None;
        }
        request.path = path;
    }
    request.target = request.path.clone();
    let host = match &pseudo.authority {
        Some(authority) => authority.clone(),
        None => request.value("host")?.to_vec(),
    };
    (request.host, request.port) = lines::host_of(&host)?;
    if pseudo.authority.is_some() {
        request.fields.retain(|(name, _)| name != b"host");
        request.fields.insert(0, (b"host".to_vec(), host));
    }
    if ended && length.is_some_and(|length| length > 0) {
        return None;
    }
    request.framing = framing(length.map_or(Framing::None, Framing::Length), ended);
    Some(())
}

/// Octets of a head (`server.max-request-field-size` of lighttpd), with what HTTP/1 would put between them.
const MAX_HEAD: usize = 8192;

fn gathered(list: List, ended: bool, rules: &HttpRules) -> Message {
    let octets = list.octets + 4 * list.count;
    let (mut pseudo, mut request) = (Pseudo::default(), Request { version: Version::Current, ..Request::default() });
    let mut wrong = None;
    for (name, value) in list.fields {
        if name.is_empty() {
            return Message::Fatal(super::frame::COMPRESSION_ERROR);
        }
        if let Err(status) = take_gathered(&mut request, &mut pseudo, &name, value) {
            wrong = wrong.or(Some(status));
        }
    }
    let refused = |request, status| Message::Refused { request, status, when: "", early: false, ends: false };
    request.method = pseudo.method.take().unwrap_or_default();
    request.target = pseudo.path.take().unwrap_or_default();
    if octets > MAX_HEAD {
        return refused(request, rules.fields_too_long());
    }
    if let Some(authority) = pseudo.authority.take() {
        let again = request.value("host").is_some_and(|host| !host.eq_ignore_ascii_case(&authority));
        wrong = wrong.or_else(|| again.then_some(400));
        request.fields.retain(|(name, _)| name != b"host");
        request.fields.insert(0, (b"host".to_vec(), authority));
    }
    let connects = request.is("CONNECT");
    let whole =
        !request.method.is_empty() && connects == pseudo.scheme.is_none() && connects == request.target.is_empty();
    if let Some(status) = wrong.or_else(|| (!whole).then_some(400)) {
        return refused(request, status);
    }
    if !rules.methods.is_empty() && !rules.methods.iter().any(|known| request.is(known)) {
        return refused(request, 501);
    }
    if connects {
        request.path = b"/".to_vec();
    } else if let Err(status) = heads::take_path(&mut request) {
        return refused(request, status);
    }
    join_cookies(&mut request);
    match heads::finish(&mut request, rules) {
        Ok(()) => {
            request.framing = framing(request.framing, ended);
            Message::Request(request)
        }
        Err(status) => refused(request, status),
    }
}

fn take_gathered(request: &mut Request, pseudo: &mut Pseudo, name: &[u8], value: Vec<u8>) -> Result<(), u16> {
    let value = heads::checked(&value)?.to_vec();
    if name.starts_with(b":") {
        return match pseudo.place(name) {
            Some(place) if place.is_none() && !value.is_empty() && request.fields.is_empty() => {
                *place = Some(value);
                Ok(())
            }
            _ => Err(400),
        };
    }
    let token = |octet: &u8| lines::is_token(*octet) && !octet.is_ascii_uppercase();
    let of_connection: [&[u8]; 3] = [b"connection", b"transfer-encoding", b"upgrade"];
    let again = matches!(name, b"content-length") && request.value("content-length").is_some();
    let coding = name == b"te" && !value.eq_ignore_ascii_case(b"trailers");
    if !name.iter().all(token) || of_connection.contains(&name) || again || coding {
        return Err(400);
    }
    request.fields.push((name.to_vec(), value));
    Ok(())
}

/// A body without a length ends with its stream, as one in chunks ends by itself.
fn framing(told: Framing, ended: bool) -> Framing {
    match told {
        _ if ended => Framing::None,
        Framing::Length(length) => Framing::Length(length),
        Framing::None | Framing::Chunked => Framing::Chunked,
    }
}

/// RFC 9113 §8.2.3.
fn join_cookies(request: &mut Request) {
    let mut cookies = Vec::new();
    request.fields.retain(|(name, value)| {
        let is_cookie = name == b"cookie";
        if is_cookie {
            cookies.push(value.clone());
        }
        !is_cookie
    });
    if !cookies.is_empty() {
        request.fields.push((b"cookie".to_vec(), cookies.join(&b"; "[..])));
    }
}

/// Whether fields behind a body are as libnghttp2 takes them: none that begins with a colon.
pub(super) fn are_trailers(list: &List) -> bool {
    list.fields.iter().all(|(name, _)| !name.starts_with(b":") && !name.is_empty())
}
