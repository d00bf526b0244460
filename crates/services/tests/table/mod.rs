//! The table of requests of `recordings/http`, and what came back for them, in a form that a person can read.
// Each test program uses a part of this.
#![allow(dead_code)]

pub(crate) mod coded;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{ErrorKind, Read, Write as _},
    net::{Shutdown, TcpStream},
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use chaff_services::{HttpPage, HttpSpec, ServiceKind};

/// One thing that a client does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Say(Vec<u8>),
    Pause,
    Fin,
}

/// What a server answered, and how the connection was after that.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) octets: Vec<u8>,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum End {
    #[default]
    Open,
    Fin,
    Rst,
}

/// Does what a client does, and takes what comes until `silence` ms have passed without a word.
pub(crate) fn converse(stream: &mut TcpStream, steps: &[Step], silence: u64) -> Answer {
    stream.set_nodelay(true).unwrap();
    let mut answer = Answer::default();
    let mut said = false;
    for step in steps {
        match step {
            Step::Say(octets) => {
                if said {
                    thread::sleep(Duration::from_millis(3));
                }
                said = true;
                // A server that gave up early is seen when it is read from.
                let _ = stream.write_all(octets);
            }
            Step::Pause => listen(stream, &mut answer, silence / 2),
            Step::Fin => {
                let _ = stream.shutdown(Shutdown::Write);
            }
        }
    }
    listen(stream, &mut answer, silence);
    answer
}

fn listen(stream: &mut TcpStream, answer: &mut Answer, silence: u64) {
    stream.set_read_timeout(Some(Duration::from_millis(silence))).unwrap();
    let mut octets = [0; 8192];
    while answer.end == End::Open {
        match stream.read(&mut octets) {
            Ok(0) => answer.end = End::Fin,
            Ok(count) => answer.octets.extend_from_slice(&octets[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
            Err(_) => answer.end = End::Rst,
        }
    }
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the table, in its order.
pub(crate) fn rows() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("recordings/http/requests.txt")).unwrap();
    blocks(&text)
}

/// Blocks that begin with `== name`.
pub(crate) fn blocks(text: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            out.push((name.into(), String::new()));
        } else if let Some((_, block)) = out.last_mut()
            && !line.is_empty()
        {
            block.push_str(line);
            block.push('\n');
        }
    }
    out
}

/// A row as steps; `etag` and `modified` are the page's.
pub(crate) fn steps(row: &str, etag: &str, modified: &str) -> Vec<Step> {
    let row = row.replace("{etag}", etag).replace("{modified}", modified);
    let (mut out, mut text) = (Vec::new(), String::new());
    let flush = |text: &mut String, out: &mut Vec<Step>| {
        if !text.is_empty() {
            out.push(Step::Say(unescape(&repeat(text))));
            text.clear();
        }
    };
    for line in row.lines() {
        match line {
            "-- pause" | "-- fin" => {
                flush(&mut text, &mut out);
                out.push(if line == "-- fin" { Step::Fin } else { Step::Pause });
            }
            _ => text.push_str(line),
        }
    }
    flush(&mut text, &mut out);
    out
}

/// `{text*count}`.
fn repeat(text: &str) -> String {
    let Some((before, rest)) = text.split_once('{') else { return text.into() };
    let (inside, after) = rest.split_once('}').unwrap();
    let (what, count) = inside.rsplit_once('*').unwrap();
    format!("{before}{}{}", what.repeat(count.parse().unwrap()), repeat(after))
}

pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'\\' {
            out.push(octet);
            continue;
        }
        let (octet, length) = match after[0] {
            b'r' => (b'\r', 1),
            b'n' => (b'\n', 1),
            b't' => (b'\t', 1),
            b'0' => (0, 1),
            b'x' => (u8::from_str_radix(std::str::from_utf8(&after[1..3]).unwrap(), 16).unwrap(), 3),
            other => (other, 1),
        };
        out.push(octet);
        rest = &after[length..];
    }
    out
}

/// Octets as text: a line for each that ends with LF. What is another's chance or time has a name instead: dates, the
/// boundary of several parts, and the page, which is long.
pub(crate) fn show(answer: &Answer, page: &[u8]) -> String {
    let mut out = String::new();
    let octets = coded::decoded(&answer.octets);
    let mut rest = &octets[..];
    while !rest.is_empty() {
        if page.len() > 100 && rest.starts_with(page) {
            out.push_str("{page}\n");
            rest = &rest[page.len()..];
            continue;
        }
        match rest[0] {
            b'\n' => out.push_str("\\n\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            0 => out.push_str("\\0"),
            octet @ 0x20..=0x7e => out.push(char::from(octet)),
            octet => write!(out, "\\x{octet:02x}").unwrap(),
        }
        rest = &rest[1..];
    }
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    let mut boundary = None;
    let lines: Vec<String> = out
        .lines()
        .map(|line| {
            if line.starts_with("Date: ") {
                return "Date: {date}\\r\\n".into();
            }
            if let Some((_, rest)) = line.split_once("; boundary=") {
                boundary = Some(rest.trim_end_matches("\\r\\n").to_owned());
            }
            boundary.as_ref().map_or_else(|| line.into(), |name| line.replace(name.as_str(), "{boundary}"))
        })
        .collect();
    let mut out = lines.join("\n");
    if !out.is_empty() {
        out.push('\n');
    }
    out + match answer.end {
        End::Open => "-- open\n",
        End::Fin => "-- fin\n",
        End::Rst => "-- rst\n",
    }
}

/// The same without the values of entity tags, which the machine decides where they are made of inodes.
pub(crate) fn without_tags(shown: &str) -> String {
    let line =
        |line: &str| if line.starts_with("ETag: ") { "ETag: {etag}\\r\\n\n".into() } else { format!("{line}\n") };
    shown.lines().map(line).collect()
}

/// What was recorded, in the form in which answers are shown now: compressed ones were recorded as they came.
pub(crate) fn shown_again(recorded: &str, page: &[u8]) -> String {
    if !recorded.contains("Content-Encoding: gzip") {
        return recorded.to_owned();
    }
    let (text, end) = recorded.trim_end().rsplit_once("-- ").unwrap();
    let octets = unescape(&text.replace('\n', "").replace("{date}", "x"));
    let end = match end {
        "open" => End::Open,
        "fin" => End::Fin,
        _ => End::Rst,
    };
    show(&Answer { octets, end }, page)
}

/// What was recorded of a server: the port that it had then, and its answers.
pub(crate) fn recorded(name: &str) -> (u16, BTreeMap<String, String>) {
    let path = root().join("recordings/http").join(name).join("answers.txt");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let port = text.lines().find_map(|line| line.strip_prefix("# port ")).unwrap().parse().unwrap();
    (port, blocks(&text).into_iter().collect())
}

/// The catalogue's service of that name.
pub(crate) fn product(name: &str) -> HttpSpec {
    #[derive(serde::Deserialize)]
    struct File {
        kind: ServiceKind,
    }
    let path = root().join("profiles/services").join(format!("{name}.toml"));
    let file: File = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    match file.kind {
        ServiceKind::Http(spec) => (*spec).clone(),
        other => panic!("{name} is no web server: {other:?}"),
    }
}

/// The same as the recorded one was set up: at that port, with one moment of writing, and a folder with a file.
pub(crate) fn set_up(name: &str, port: u16) -> HttpSpec {
    let mut spec = product(name);
    spec.port = port;
    let mut file = spec.pages[0].file.clone().unwrap();
    (file.modified, file.spread) = (MODIFIED, 0);
    spec.pages[0].file = Some(file.clone());
    let page = |path: &str| HttpPage { path: path.into(), ..HttpPage::default() };
    let sheet =
        HttpPage { content_type: "text/css".into(), body: SHEET.into(), file: Some(file), ..page("/assets/site.css") };
    spec.pages.extend([HttpPage { status: 403, ..page("/assets/") }, sheet]);
    spec
}

pub(crate) fn kind(spec: HttpSpec) -> ServiceKind {
    ServiceKind::Http(Arc::new(spec))
}

/// When the recorded servers' files were written, and what is in the only one that is not theirs.
pub(crate) const MODIFIED: u64 = 1_700_000_000;
pub(crate) const SHEET: &str = "body { margin: 0 }\n";
