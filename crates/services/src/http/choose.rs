//! What a request comes to: a page, a part of one, a redirect, a login, an error.

use alloc::{borrow::ToOwned, format, string::String, sync::Arc, vec::Vec};

use rand_core::Rng;

use super::{
    Http,
    auth::{AuthSpec, Gate, Shown, hex_of, to_base64},
    content::{File, Outcome},
    forms::FormSpec,
    ntlm::Ntlm,
    request::{Request, Version, normalise},
    respond::{Answer, error_of, escape_html, reason, split_header},
    spec::{HttpPage, HttpSpec, Ranges},
};
use crate::text::{Who, fill_with, mix};

impl Http {
    pub(super) fn choose(&mut self, request: &Request, body: &[u8], now: u64) -> Answer {
        let answer = self.choose_plain(request, body, now);
        let Some(gzip) = self.spec.gzip.as_ref().filter(|gzip| !gzip.statuses.is_empty() && !answer.coded) else {
            return answer;
        };
        let kind = answer.headers.iter().find(|(name, _)| name == "Content-Type").map_or("", |(_, kind)| kind);
        let applies = !answer.contentless && gzip.applies(request, answer.status, kind, answer.body.len());
        if applies { gzip.encode(answer) } else { answer }
    }

    /// What it is before it is compressed, unless it is a page.
    fn choose_plain(&mut self, request: &Request, body: &[u8], now: u64) -> Answer {
        let spec = Arc::clone(&self.spec);
        let rules = &spec.rules;
        if request.path == b"*" {
            let answer = Answer { status: 200, ..Answer::default() };
            return if rules.methods_first || rules.options.is_empty() {
                answer
            } else {
                answer.with("Allow", rules.options.as_str())
            };
        }
        let path = match normalise(&request.path, rules) {
            Ok(path) => path,
            Err(status) => return self.error(request, status, ""),
        };
        let plain = request.is("GET") || request.is("HEAD");
        let known = rules.methods.is_empty() || rules.methods.iter().any(|method| request.is(method));
        if !known {
            return self.error(request, rules.unknown_method_status(), "");
        }
        if rules.refused_methods.iter().any(|method| request.is(method)) {
            return self.error(request, 405, "refused");
        }
        let found = find(&spec, &self.who, &path);
        if found.is_none_or(|page| page.login.is_none()) && request.value("authorization").is_some() {
            // Offered where nobody asked: it opens nothing and is evidence all the same.
            let _ = self.pass(&AuthSpec::default(), request, now);
        }
        if request.is("OPTIONS") && !rules.options.is_empty() && (rules.methods_first || found.is_some()) {
            let no_type = found.is_none() || !rules.methods_first;
            let kind = found.map_or("", |page| page.content_type.as_str());
            let answer = Answer { status: 200, ..Answer::default() }.with("Allow", rules.options.as_str());
            return if no_type || kind.is_empty() { answer } else { answer.with("Content-Type", kind) };
        }
        if let Some(form) = spec.form.as_ref().filter(|form| request.is("POST") && form.path.as_bytes() == path) {
            return self.take_form(form, request, body, now);
        }
        let allowed = |page: &HttpPage| {
            plain
                || is_error(page)
                || rules.posts_get && request.is("POST")
                || page.methods.iter().any(|method| request.is(method))
        };
        if rules.methods_first && !plain && !request.is("POST") && !found.is_some_and(allowed) {
            return self.error(request, 405, "");
        }
        if !rules.hidden.is_empty()
            && path.rsplit(|&o| o == b'/').next().is_some_and(|n| n.starts_with(rules.hidden.as_bytes()))
        {
            return self.error(request, 403, "");
        }
        let Some(page) = found else {
            if find(&spec, &self.who, &[&path, &b"/"[..]].concat()).is_some() {
                return self.redirect(request, &path);
            }
            return self.error(request, 404, "");
        };
        if !allowed(page) {
            return self.error(request, rules.wrong_method_status(), "");
        }
        if let Some(login) = &page.login {
            match self.pass(login, request, now) {
                Ok(()) => {}
                Err(answer) => return answer,
            }
        }
        if let Some(form) = spec.form.as_ref().filter(|_| page.members)
            && !form.is_inside(self.who.seed(), request)
        {
            return Answer { status: 302, ..Answer::default() }.with("Location", self.fill(request, &form.page, ""));
        }
        self.serve(page, request, now)
    }

    /// Whether the body of a request is that of a login.
    pub(super) fn takes_form(&self, request: &Request) -> bool {
        let path = request.path.split(|&octet| octet == b'?').next().unwrap_or(&[]);
        request.is("POST") && self.spec.form.as_ref().is_some_and(|form| form.path.as_bytes() == path)
    }

    fn serve(&mut self, page: &HttpPage, request: &Request, now: u64) -> Answer {
        let mut status = if page.status == 0 { 200 } else { page.status };
        if is_error(page) {
            return self.error(request, status, "");
        }
        let body = self.fill(request, &page.body, "").into_bytes();
        let mut answer = Answer::default();
        let kind = if page.content_type.is_empty() { "text/html" } else { &page.content_type };
        for line in &page.headers {
            let (name, value) = split_header(line);
            answer = answer.with(name, self.fill(request, value, ""));
        }
        answer = self.start_session(request, answer);
        answer.body = body;
        let octets = |answer: &Answer| u64::try_from(answer.body.len()).unwrap_or(u64::MAX);
        let length = octets(&answer);
        let spec = Arc::clone(&self.spec);
        let coded = spec.gzip.as_ref().filter(|gzip| gzip.applies(request, status, kind, answer.body.len()));
        if let Some(gzip) = coded {
            answer = gzip.encode(answer);
        }
        if let Some(file) = &page.file {
            let (modified, micros) = self.moment_of(page, file.modified, file.spread, now);
            let mut file = File { spec: file, modified, micros, length, sent: octets(&answer), sent_tag: None };
            file.sent_tag = coded.map(|gzip| gzip.tag_of(&file.etag()));
            let ranges = coded.is_none_or(|gzip| gzip.ranges);
            let mut outcome = file.judge(request, self.utc(now) / 1_000_000_000);
            let parts = matches!(outcome, Outcome::Parts(_) | Outcome::Unsatisfiable);
            let echoes = self.spec.rules.echoes_version && (request.is("HEAD") || !takes_ranges(request));
            if parts && (echoes || !ranges) {
                outcome = Outcome::Whole;
            }
            match outcome {
                Outcome::Whole => {}
                Outcome::Failed => {
                    let mut answer = self.error(request, 412, "");
                    if coded.is_some() && answer.silent_head && request.is("HEAD") {
                        // Where pages are compressed, the length of this one is not taken back.
                        answer = answer.with("Content-Length", format!("{length}"));
                    }
                    return file.headed(answer, |name| file.spec.failed.iter().any(|n| n == name));
                }
                Outcome::NotModified => {
                    answer.headers.retain(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
                    answer = file.headed(answer, |name| file.spec.not_modified.iter().any(|n| n == name));
                    if file.spec.not_modified.iter().any(|name| name == "Content-Type") {
                        answer = answer.with("Content-Type", kind);
                    }
                    let plain = Answer { coded: false, chunked: false, ..answer };
                    return Answer { status: 304, body: Vec::new(), contentless: true, ..plain };
                }
                Outcome::Unsatisfiable => {
                    let answer = self.error(request, 416, "");
                    return if file.spec.ranges == Ranges::Strict {
                        answer.with("Content-Range", format!("bytes */{length}"))
                    } else {
                        answer
                    };
                }
                Outcome::Parts(parts) => {
                    status = 206;
                    let bare = file.spec.bare_parts;
                    answer = file.headed_as_sent(answer, |name| !(bare && name == "Accept-Ranges"));
                    let boundary = self.boundary(file.spec.ranges);
                    return Answer { status, ..cut(answer, &parts, kind, &boundary, file.spec.ranges) };
                }
            }
            // Where ranges are not for all, they are not offered to all.
            let ranges = ranges && (!self.spec.rules.echoes_version || takes_ranges(request));
            answer = file.headed_as_sent(answer, |name| ranges || name != "Accept-Ranges");
        }
        if kind != "-" {
            answer = answer.with("Content-Type", kind);
        }
        Answer { status, ..answer }
    }

    /// When the file of a page was written on this decoy: seconds, and microseconds beyond them.
    fn moment_of(&self, page: &HttpPage, first: u64, spread: u32, now: u64) -> (u64, u64) {
        if spread == 0 {
            return (first, 0);
        }
        let purpose =
            page.path.bytes().fold(0x0f11e, |sum: u64, octet| sum.wrapping_mul(31).wrapping_add(u64::from(octet)));
        // All files of one package are written in the same minute.
        let day = mix(self.who.seed(), 0xf11e) % u64::from(spread);
        let fine = mix(self.who.seed(), purpose);
        let latest = (self.utc(now) / 1_000_000_000).saturating_sub(86_400);
        ((first + day).min(latest) + fine % 3, fine >> 8 & 0xf_ffff)
    }

    fn boundary(&mut self, ranges: Ranges) -> String {
        match ranges {
            // The same for ever.
            Ranges::Joined => "fkj49sn38dcn3".into(),
            // A counter of the whole server, which has not served many.
            Ranges::Strict => format!("{:020}", u64::from(self.chance.next_u32() % 4000) + 1),
            Ranges::None | Ranges::Lenient => format!("{:016x}", self.chance.next_u64()),
        }
    }

    /// The port that a client of this scheme need not name.
    fn usual_port(&self) -> u16 {
        if self.secure { 443 } else { 80 }
    }

    fn own_port(&self) -> u16 {
        if self.spec.port == 0 { self.usual_port() } else { self.spec.port }
    }

    fn redirect(&mut self, request: &Request, path: &[u8]) -> Answer {
        let query = request.path.iter().position(|&o| o == b'?').and_then(|at| request.path.get(at..)).unwrap_or(&[]);
        let encoded: String = path.iter().map(|&octet| encode(octet)).collect();
        let target = format!("{encoded}/{}", String::from_utf8_lossy(query));
        let host = self.fill(request, "{host}", "");
        let own = self.own_port();
        let scheme = if self.secure { "https" } else { "http" };
        let port = if self.spec.rules.redirects_own_port { own } else { request.port.unwrap_or(own) };
        let location = if self.spec.rules.bare_redirects {
            target
        } else if port == self.usual_port() {
            format!("{scheme}://{host}{target}")
        } else {
            format!("{scheme}://{host}:{port}{target}")
        };
        self.error_at(request, 301, "", &location).with("Location", location.clone())
    }

    pub(super) fn error(&mut self, request: &Request, status: u16, when: &str) -> Answer {
        self.error_at(request, status, when, "")
    }

    fn error_at(&mut self, request: &Request, status: u16, when: &str, location: &str) -> Answer {
        let spec = Arc::clone(&self.spec);
        let error = error_of(&spec, status, when);
        let mut answer = Answer { status, ..Answer::default() };
        answer.silent_head = spec.rules.silent_heads;
        let (mut title, mut text, mut template) = ("", "", spec.error_body.as_str());
        if let Some(error) = error {
            answer.reason = error.reason.clone();
            (title, text) = (&error.title, &error.text);
            if !error.body.is_empty() {
                template = &error.body;
            }
            answer.unmeasured = error.unmeasured;

            for line in &error.headers {
                let (name, value) = split_header(line);
                answer = answer.with(name, self.fill(request, value, location));
            }
        }
        let allows = matches!(status, 405 | 501) && !spec.rules.allow.is_empty();
        if allows && !answer.headers.iter().any(|(name, _)| name == "Allow") {
            answer = answer.with("Allow", spec.rules.allow.as_str());
        }
        let bare = error.is_some_and(|error| error.bare);
        let kind = if spec.error_type.is_empty() { "text/html" } else { &spec.error_type };
        if !bare {
            let phrase = if answer.reason.is_empty() { reason(status) } else { &answer.reason }.to_owned();
            let text = fill_with(text, |name, out| {
                let value = match name {
                    "method" => escape_html(&request.method),
                    "location" => escape_html(location.as_bytes()),
                    "expect" => escape_html(request.value("expect").unwrap_or(b"")),
                    _ => return false,
                };
                out.push_str(&value);
                true
            });
            let page = fill_with(template, |name, out| {
                match name {
                    "status" => out.push_str(&format!("{status}")),
                    "reason" => out.push_str(&phrase),
                    "title" if title.is_empty() => out.push_str(&format!("{status} {phrase}")),
                    "title" => out.push_str(title),
                    "text" => out.push_str(&text),
                    _ => return false,
                }
                true
            });
            answer.body = self.fill(request, &page, location).into_bytes();
            if shows_own_errors(request.agent()) && request.version != Version::Simple && status >= 400 {
                answer.body.extend_from_slice(spec.error_padding.as_bytes());
            }
        }
        let typed = answer.headers.iter().any(|(name, _)| name == "Content-Type");
        if kind == "-" || typed || bare {
            return answer;
        }
        answer.with("Content-Type", kind)
    }

    /// Puts in what a text of this server may hold.
    fn fill(&mut self, request: &Request, text: &str, location: &str) -> String {
        let filled = self.who.fill(text);
        if !filled.contains('{') {
            return filled.into_owned();
        }
        let mut octets = [0; 16];
        if filled.contains("{token}") || filled.contains("{nonce}") {
            self.chance.fill_bytes(&mut octets);
        }
        let token = hex_of(&octets);
        let host =
            if request.host.is_empty() { self.who.fill("{ip}").into_owned() } else { escape_html(&request.host) };
        let port = format!("{}", request.port.unwrap_or_else(|| self.own_port()));
        fill_with(&filled, |name, out| {
            out.push_str(match name {
                "token" | "nonce" => &token,
                "host" => &host,
                "port" => &port,
                "location" => location,
                _ => return false,
            });
            true
        })
        .into_owned()
    }

    /// A session for whoever has none, where the server has sessions.
    fn start_session(&mut self, request: &Request, answer: Answer) -> Answer {
        let spec = Arc::clone(&self.spec);
        let Some(form) = spec.form.as_ref().filter(|form| !form.cookie.is_empty()) else { return answer };
        if form.cookie_of(request).is_some() {
            return answer;
        }
        let cookie = form.make_cookie(self.who.seed(), false, &mut self.chance);
        answer.with("Set-Cookie", cookie)
    }

    /// A login of HTTP's own.
    fn pass(&mut self, login: &AuthSpec, request: &Request, now: u64) -> Result<(), Answer> {
        let realm = self.who.fill(&login.realm).into_owned();
        let who = self.who.clone();
        let accounts = Arc::clone(&self.accounts);
        let time = self.utc(now) / 1_000_000_000;
        let gate =
            Gate { spec: login, realm: &realm, hostname: who.hostname(), seed: who.seed(), accounts: &accounts, time };
        match gate.look(request, &self.ntlm) {
            Shown::Nothing => {}
            Shown::Opening(scheme, challenge) => {
                let name = if scheme == super::auth::Scheme::Ntlm { "NTLM" } else { "Negotiate" };
                let value = format!("{name} {}", to_base64(&challenge));
                return Err(self.error(request, 401, "").with("WWW-Authenticate", value));
            }
            Shown::Secret { kind, user, secret, admitted } => {
                self.credential(request, kind, &user, &secret, admitted);
                self.ntlm = Ntlm::new(&mut self.chance);
                if admitted {
                    return Ok(());
                }
                let mut answer = self.error(request, 401, "");
                answer.held_ms = self.delay(login.delay_ms, login.jitter_ms);
                return Err(offered(answer, gate.offers_text(&mut self.chance)));
            }
        }
        let answer = self.error(request, 401, "");
        Err(offered(answer, gate.offers_text(&mut self.chance)))
    }

    fn take_form(&mut self, form: &FormSpec, request: &Request, body: &[u8], _now: u64) -> Answer {
        let accounts = Arc::clone(&self.accounts);
        let offered = form.read(request, body);
        let admitted = offered.as_ref().is_some_and(|(user, secret)| crate::Account::admits(&accounts, user, secret));
        if let Some((user, secret)) = &offered {
            self.credential(request, "password", user, secret, admitted);
        }
        let kind = if form.refused_type.is_empty() { "text/html" } else { &form.refused_type };
        if admitted {
            let mut answer = Answer { status: 200, ..Answer::default() };
            if !form.cookie.is_empty() {
                answer = answer.with("Set-Cookie", form.make_cookie(self.who.seed(), true, &mut self.chance));
            }
            if !form.admitted_location.is_empty() {
                answer.status = 302;
                answer = answer.with("Location", self.fill(request, &form.admitted_location, ""));
            }
            answer.body = self.fill(request, &form.admitted_body, "").into_bytes();
            return answer.with("Content-Type", kind);
        }
        let status = if form.refused_status == 0 { 200 } else { form.refused_status };
        let mut answer = Answer { status, ..Answer::default() };
        if !form.refused_location.is_empty() {
            answer = answer.with("Location", self.fill(request, &form.refused_location, ""));
        }
        answer = self.start_session(request, answer);
        answer.body = self.fill(request, &form.refused_body, "").into_bytes();
        if offered.is_some() {
            answer.held_ms = self.delay(form.delay_ms, form.jitter_ms);
        }
        answer.with("Content-Type", kind)
    }

    fn delay(&mut self, least: u32, jitter: u32) -> u32 {
        least.saturating_add(if jitter == 0 { 0 } else { self.chance.next_u32() % jitter })
    }
}

/// Whether a client of a server that offers ranges to few is among those: HTTP/1.1, and a page is read.
fn takes_ranges(request: &Request) -> bool {
    request.version == Version::Current && (request.is("GET") || request.is("HEAD"))
}

/// Whether a page is one of the server's own errors.
fn is_error(page: &HttpPage) -> bool {
    page.status >= 400 && page.body.is_empty()
}

fn offered(answer: Answer, offers: Vec<String>) -> Answer {
    offers.into_iter().fold(answer, |answer, offer| answer.with("WWW-Authenticate", offer))
}

/// The page at a path; paths may hold what is the decoy's own, as names of assets do.
fn find<'s>(spec: &'s HttpSpec, who: &Who, path: &[u8]) -> Option<&'s HttpPage> {
    let is = |other: &String| who.fill(other).as_bytes() == path;
    spec.pages.iter().find(|page| is(&page.path) || page.also.iter().any(is))
}

/// Parts of a file, one as it is, several in an envelope (RFC 9110 §14.6).
fn cut(mut answer: Answer, parts: &[(u64, u64)], kind: &str, boundary: &str, ranges: Ranges) -> Answer {
    let whole = core::mem::take(&mut answer.body);
    let piece = |&(first, last): &(u64, u64)| {
        let from = usize::try_from(first).unwrap_or(usize::MAX);
        let to = usize::try_from(last).unwrap_or(usize::MAX).saturating_add(1);
        whole.get(from..to.min(whole.len())).unwrap_or(&[])
    };
    let range = |&(first, last): &(u64, u64)| format!("bytes {first}-{last}/{}", whole.len());
    if let [only] = parts {
        answer.body = piece(only).to_vec();
        return answer.with("Content-Range", range(only)).with("Content-Type", kind);
    }
    let names =
        if ranges != Ranges::Lenient { ("Content-Type", "Content-Range") } else { ("Content-type", "Content-range") };
    let mut body = Vec::new();
    for part in parts {
        let gap = if body.is_empty() && ranges == Ranges::Joined { "" } else { "\r\n" };
        let head = format!("{gap}--{boundary}\r\n{}: {kind}\r\n{}: {}\r\n\r\n", names.0, names.1, range(part));
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(piece(part));
    }
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    answer.body = body;
    answer.with("Content-Type", format!("multipart/byteranges; boundary={boundary}"))
}

/// Clients that show an error page of their own in place of a short one, by what they call themselves.
fn shows_own_errors(agent: &[u8]) -> bool {
    let has = |word: &[u8]| agent.windows(word.len()).any(|part| part == word);
    has(b"MSIE ") || has(b"Chrome/")
}

/// An octet of a path in a redirect.
fn encode(octet: u8) -> String {
    let plain = octet.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&octet);
    if plain { String::from(char::from(octet)) } else { format!("%{octet:02X}") }
}
