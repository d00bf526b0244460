//! Reading a head octet by octet, as nginx does (`ngx_http_parse.c`, `ngx_http_request.c` of nginx 1.18 to 1.26 were
//! read for the rules): a request is refused with the first octet that cannot be right, before its line ends. Lines end
//! with LF, a CR before it is optional, and fields whose names are odd are skipped, not refused.

use alloc::vec::Vec;

use super::{
    read::Progress,
    request::{Fault, Framing, Request, Version, normalise, number},
    spec::HttpRules,
};

/// Octets of the first buffer of a connection, and of each further one (`client_header_buffer_size`,
/// `large_client_header_buffers`).
const FIRST_BUFFER: usize = 1024;
const LARGE_BUFFER: usize = 8192;
/// Further buffers.
const LARGE_BUFFERS: u8 = 4;
/// Fields that may not come twice.
const UNIQUE: [&str; 15] = [
    "host",
    "content-length",
    "transfer-encoding",
    "if-modified-since",
    "if-unmodified-since",
    "if-match",
    "if-none-match",
    "range",
    "if-range",
    "expect",
    "authorization",
    "content-type",
    "content-range",
    "te",
    "keep-alive",
];

/// A head that is being read.
#[derive(Debug)]
pub(super) struct Octets {
    request: Request,
    /// Start of the line that is being read.
    start: usize,
    in_fields: bool,
    fields: usize,
    /// End of the buffer that the server reads into, and how many large ones it has used.
    buffer_end: usize,
    buffers: u8,
}

impl Octets {
    pub(super) fn new() -> Self {
        Self {
            request: Request::default(),
            start: 0,
            in_fields: false,
            fields: 0,
            buffer_end: FIRST_BUFFER,
            buffers: 0,
        }
    }

    /// Reads on in `head`, which holds all that was read before.
    pub(super) fn read(&mut self, head: &[u8], rules: &HttpRules) -> Progress {
        loop {
            let rest = head.get(self.start..).unwrap_or(&[]);
            let judged = if self.in_fields { field_line(rest, rules.loose) } else { request_line(rest, rules.loose) };
            match judged {
                Line::Open => {
                    if !self.fits(head.len(), false) {
                        return Progress::Refused(self.too_long(rules));
                    }
                    return Progress::More;
                }
                Line::Wrong(status) => {
                    if !self.in_fields {
                        self.request.line = rest.iter().copied().take_while(|&o| o != b'\n').take(512).collect();
                        self.request.method = whole_method(rest).to_vec();
                    }
                    return Progress::Refused(core::mem::take(&mut self.request).refused(status));
                }
                Line::Empty(length) if !self.in_fields => return Progress::Skipped(length),
                Line::Empty(length) => {
                    let end = self.start + length;
                    self.start = end;
                    let request = core::mem::take(&mut self.request);
                    return match finish(request, rules) {
                        Ok(request) => Progress::Whole(request, end),
                        Err(fault) => Progress::Refused(fault),
                    };
                }
                Line::Whole(length) => {
                    let line = rest.get(..length).unwrap_or(rest);
                    if !self.fits(self.start + length, true) {
                        return Progress::Refused(self.too_long(rules));
                    }
                    self.start += length;
                    let taken = if self.in_fields { self.take_field(line, rules) } else { self.take_line(line, rules) };
                    if let Err(status) = taken {
                        if self.request.misdirected {
                            self.take_rest(head, rules);
                        }
                        let when = if status == TOO_MANY { "field-size" } else { "" };
                        let status = if status == TOO_MANY { rules.fields_too_long() } else { status };
                        return Progress::Refused(core::mem::take(&mut self.request).refused_for(status, when));
                    }
                    if self.request.version == Version::Simple {
                        return Progress::Whole(core::mem::take(&mut self.request), self.start);
                    }
                }
            }
        }
    }

    /// Octets of the lines that were read: those of the line that is refused are not, unless it is its content that is.
    pub(super) fn passed(&self) -> usize {
        self.start
    }

    /// Whether the server has buffers for the line that reaches up to `end`.
    fn fits(&mut self, end: usize, whole: bool) -> bool {
        // A buffer that is just full is replaced only when more is wanted.
        while if whole { end > self.buffer_end } else { end >= self.buffer_end } {
            if self.buffer_end.saturating_sub(self.start) >= LARGE_BUFFER || self.buffers >= LARGE_BUFFERS {
                return false;
            }
            self.buffers += 1;
            self.buffer_end = self.start.min(self.buffer_end) + LARGE_BUFFER;
        }
        true
    }

    fn too_long(&mut self, rules: &HttpRules) -> Fault {
        let request = core::mem::take(&mut self.request);
        if self.in_fields {
            request.refused_for(rules.fields_too_long(), "field-size")
        } else {
            request.refused(rules.line_too_long())
        }
    }

    fn take_line(&mut self, line: &[u8], rules: &HttpRules) -> Result<(), u16> {
        self.in_fields = true;
        let line = line.trim_ascii_end();
        let mut words = line.split(|&octet| octet == b' ').filter(|word| !word.is_empty());
        let request = &mut self.request;
        request.line = line.to_vec();
        request.method = words.next().unwrap_or(&[]).to_vec();
        let after = line.get(request.method.len()..).unwrap_or(&[]).trim_ascii_start();
        let (target, version) = split_version(after);
        request.target = target.to_vec();
        request.version = version;
        let (authority, path) = split_target(target);
        request.authority = authority.to_vec();
        request.path = path;
        if version == Version::Simple && !request.is("GET") {
            return Err(400);
        }
        if request.path != b"*" && normalise(&request.path, rules) == Err(400) {
            request.misdirected = true;
            return Err(400);
        }
        if !authority.is_empty() {
            let (host, port) = host_of(authority, false).ok_or(400u16)?;
            (request.host, request.port) = (host, port);
        }
        Ok(())
    }

    /// The fields that have come with a target that is refused: the server does not read them, but they are evidence.
    fn take_rest(&mut self, head: &[u8], rules: &HttpRules) {
        for line in head.get(self.start..).unwrap_or(&[]).split_inclusive(|&octet| octet == b'\n') {
            if self.take_field(line, rules).is_err() {
                break;
            }
        }
    }

    fn take_field(&mut self, line: &[u8], rules: &HttpRules) -> Result<(), u16> {
        self.fields += 1;
        if rules.max_fields > 0 && self.fields > usize::from(rules.max_fields) {
            return Err(TOO_MANY);
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = strip_returns(line);
        let Some(colon) = line.iter().position(|&octet| octet == b':') else { return Ok(()) };
        let (name, value) = (line.get(..colon).unwrap_or(&[]), line.get(colon + 1..).unwrap_or(&[]));
        if !name.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-') || name.is_empty() {
            return Ok(());
        }
        let value = trim_spaces(value);
        let name = name.to_ascii_lowercase();
        let request = &mut self.request;
        let again = request.fields.iter().any(|(other, _)| *other == name);
        if again && is_unique(&name) {
            return Err(400);
        }
        if name == b"host" {
            let (host, port) = host_of(value, rules.loose).ok_or(400u16)?;
            if request.authority.is_empty() {
                (request.host, request.port) = (host, port);
            }
        }
        request.fields.push((name, value.to_vec()));
        Ok(())
    }
}

/// Stands for "too many fields" among statuses.
const TOO_MANY: u16 = 1;

/// Whether a field may not come twice.
pub(super) fn is_unique(name: &[u8]) -> bool {
    UNIQUE.iter().any(|unique| unique.as_bytes() == name)
}

/// What all fields together say.
#[expect(clippy::result_large_err, reason = "moved once a refused request, beside a page that is written")]
pub(super) fn finish(mut request: Request, rules: &HttpRules) -> Result<Request, Fault> {
    let current = request.version == Version::Current;
    if current && request.value("host").is_none_or(|host| host.is_empty()) {
        return Err(request.refused(400));
    }
    let length = match request.value("content-length") {
        None => None,
        Some(value) => match number(value) {
            Some(length) => Some(length),
            None => return Err(request.refused(400)),
        },
    };
    request.framing = length.map_or(Framing::None, Framing::Length);
    if let Some(coding) = request.value("transfer-encoding") {
        if !rules.loose && !current {
            return Err(request.refused(400));
        }
        if !coding.eq_ignore_ascii_case(b"chunked") {
            return Err(request.refused(501));
        }
        if !rules.loose && length.is_some() {
            return Err(request.refused(400));
        }
        if current {
            request.framing = Framing::Chunked;
        }
    }
    if rules.refused_methods.iter().any(|method| request.is(method)) {
        return Err(request.refused(405));
    }
    Ok(request)
}

/// What a line is so far.
enum Line {
    /// Not at its end, and right so far.
    Open,
    /// Refused.
    Wrong(u16),
    /// Nothing but its end, of so many octets.
    Empty(usize),
    /// At its end, with so many octets.
    Whole(usize),
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    Method,
    BeforeTarget,
    Scheme,
    SchemeSlash,
    SchemeSlashes,
    Host,
    Literal,
    AfterHost,
    Port,
    Path,
    AfterTarget,
    Protocol(usize),
    Major,
    Majors,
    Minor,
    Minors,
    End,
    Return,
}

/// Judges a request line, octet by octet.
fn request_line(octets: &[u8], loose: bool) -> Line {
    let skipped = octets.iter().take_while(|o| matches!(o, b'\r' | b'\n')).count();
    if skipped > 0 {
        return Line::Empty(skipped);
    }
    let (mut at, mut major, mut minor) = (At::Method, 0u32, 0u32);
    for (place, &octet) in octets.iter().enumerate() {
        at = match (at, octet) {
            (At::Method, b'A'..=b'Z' | b'_' | b'-') => At::Method,
            (At::Method, b' ') if place > 0 => At::BeforeTarget,
            (At::BeforeTarget, b' ') => At::BeforeTarget,
            (At::BeforeTarget, b'/') => At::Path,
            (At::BeforeTarget, _) if octet.is_ascii_alphabetic() => At::Scheme,
            (At::Scheme, b'+' | b'-' | b'.') => At::Scheme,
            (At::Scheme, _) if octet.is_ascii_alphanumeric() => At::Scheme,
            (At::Scheme, b':') => At::SchemeSlash,
            (At::SchemeSlash, b'/') => At::SchemeSlashes,
            (At::SchemeSlashes, b'/') => At::Host,
            (At::Host, b'[') if octets.get(place.wrapping_sub(1)) == Some(&b'/') => At::Literal,
            (At::Host, b'.' | b'-') => At::Host,
            (At::Host, _) if octet.is_ascii_alphanumeric() => At::Host,
            (At::Literal, b']') => At::AfterHost,
            (At::Literal, _) if octet.is_ascii_alphanumeric() || b":-._~!$&'()*+,;=".contains(&octet) => At::Literal,
            (At::Host | At::AfterHost, b':') => At::Port,
            (At::Host | At::AfterHost | At::Port, b'/') => At::Path,
            (At::Host | At::AfterHost | At::Port, b'?') if !loose => At::Path,
            (At::Host | At::AfterHost | At::Port, b' ') => At::AfterTarget,
            (At::Port, b'0'..=b'9') => At::Port,
            (At::Path | At::AfterTarget, b' ') => At::AfterTarget,
            (At::Path | At::AfterTarget, b'\r') => At::Return,
            (At::Path | At::AfterTarget, b'\n') => return Line::Whole(place + 1),
            (At::AfterTarget, b'H') => At::Protocol(1),
            (At::Path, 0) => return Line::Wrong(400),
            (At::Path, _) if loose || !(octet < 0x20 || octet == 0x7f) => At::Path,
            // A space in the target: it went on.
            (At::AfterTarget, 1..) if loose => At::Path,
            (At::Protocol(known), _) if octet == *b"HTTP/".get(known).unwrap_or(&0) => {
                if known == 4 {
                    At::Major
                } else {
                    At::Protocol(known + 1)
                }
            }
            (At::Major, b'1'..=b'9') | (At::Majors, b'0'..=b'9') => {
                major = major * 10 + u32::from(octet - b'0');
                if major > 1 {
                    return Line::Wrong(505);
                }
                At::Majors
            }
            (At::Majors, b'.') => At::Minor,
            (At::Minor, b'0'..=b'9') => {
                minor = u32::from(octet - b'0');
                At::Minors
            }
            (At::Minors, b'0'..=b'9') => {
                if minor > 99 {
                    return Line::Wrong(400);
                }
                minor = minor * 10 + u32::from(octet - b'0');
                At::Minors
            }
            (At::Minors | At::End, b' ') => At::End,
            (At::Minors | At::End, b'\r') => At::Return,
            (At::Minors | At::End | At::Return, b'\n') => return Line::Whole(place + 1),
            _ => return Line::Wrong(400),
        };
    }
    Line::Open
}

/// Judges a field line.
fn field_line(octets: &[u8], loose: bool) -> Line {
    match octets {
        [] | [b'\r'] => return Line::Open,
        [b'\n', ..] => return Line::Empty(1),
        [b'\r', b'\n', ..] => return Line::Empty(2),
        [b'\r', ..] => return Line::Wrong(400),
        _ => {}
    }
    let (mut in_name, mut returned) = (true, false);
    for (place, &octet) in octets.iter().enumerate() {
        match octet {
            b'\n' => return Line::Whole(place + 1),
            b'\r' => returned = true,
            _ if returned => return Line::Wrong(400),
            0 => return Line::Wrong(400),
            b':' if in_name && place == 0 && !loose => return Line::Wrong(400),
            b':' => in_name = false,
            1..=0x20 | 0x7f if in_name && !loose => return Line::Wrong(400),
            _ => {}
        }
    }
    Line::Open
}

/// The method, if the line came so far that it was known: what is answered to HEAD has no body, whatever follows.
fn whole_method(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|octet| !octet.is_ascii_uppercase() && !matches!(octet, b'_' | b'-'));
    match end.map(|end| line.split_at(end)) {
        Some((method, [b' ', ..])) => method,
        _ => &[],
    }
}

/// Target and version of what follows the method.
fn split_version(after: &[u8]) -> (&[u8], Version) {
    let Some(space) = after.iter().rposition(|&octet| octet == b' ') else { return (after, Version::Simple) };
    let word = after.get(space + 1..).unwrap_or(&[]);
    let Some(minor) = word.strip_prefix(b"HTTP/1.") else { return (after, Version::Simple) };
    let minor = number(minor).unwrap_or(0);
    let target = after.get(..space).unwrap_or(&[]).trim_ascii_end();
    (target, if minor == 0 { Version::Old } else { Version::Current })
}

/// Authority and path of a target.
fn split_target(target: &[u8]) -> (&[u8], Vec<u8>) {
    if target.first() == Some(&b'/') {
        return (b"", target.to_vec());
    }
    let from = target.windows(3).position(|three| three == b"://").map_or(0, |at| at + 3);
    let rest = target.get(from..).unwrap_or(&[]);
    let end = rest.iter().position(|octet| matches!(octet, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, &[]));
    let mut whole = Vec::with_capacity(path.len() + 1);
    if path.first() != Some(&b'/') {
        whole.push(b'/');
    }
    whole.extend_from_slice(path);
    (authority, whole)
}

/// Name and port of a host; `None`: refused. What follows the colon is not looked at.
pub(super) fn host_of(value: &[u8], loose: bool) -> Option<(Vec<u8>, Option<u16>)> {
    let (mut end, mut literal, mut after_dot) = (value.len(), false, false);
    for (place, &octet) in value.iter().enumerate() {
        let dot = octet == b'.';
        match octet {
            b'.' if after_dot => return None,
            b'[' if place == 0 => literal = true,
            b']' if literal => literal = false,
            b':' if !literal && end == value.len() => end = place,
            0 | b'/' => return None,
            1..=0x20 | 0x7f if !loose => return None,
            _ => {}
        }
        after_dot = dot;
    }
    let name = value.get(..end).unwrap_or(value);
    let name = name.strip_suffix(b".").unwrap_or(name);
    if name.is_empty() {
        return None;
    }
    let port = value.get(end + 1..).and_then(number).and_then(|port| u16::try_from(port).ok());
    Some((name.to_ascii_lowercase(), port))
}

fn strip_returns(mut line: &[u8]) -> &[u8] {
    while let Some(shorter) = line.strip_suffix(b"\r") {
        line = shorter;
    }
    line
}

fn trim_spaces(mut value: &[u8]) -> &[u8] {
    while let Some(shorter) = value.strip_prefix(b" ") {
        value = shorter;
    }
    while let Some(shorter) = value.strip_suffix(b" ") {
        value = shorter;
    }
    value
}
