//! What real SSH servers were recorded to do (`cargo xtask goldens ssh`), held against the products that claim to be
//! them. No daemon is needed: the recordings are in `recordings/ssh`.

use std::{fs, path::PathBuf, sync::Arc};

use chaff_services::{
    Account, Around, Context, Conversation, Identity, Opening, Output, ServiceKind, ServiceSpec, Shared, open,
};
use chaff_wire::Mac;

const MS: u64 = 1_000_000;

/// Product, revision, recording.
const PRODUCTS: &[(&str, &str, &str)] = &[
    ("openssh-8.2-ubuntu20.04", "ubuntu0.13", "openssh-8.2p1-ubuntu20.04"),
    ("openssh-8.4-debian11", "deb11u7", "openssh-8.4p1-debian11"),
    ("openssh-8.9-ubuntu22.04", "ubuntu0.18", "openssh-8.9p1-ubuntu22.04"),
    ("openssh-9.2-debian12", "deb12u10", "openssh-9.2p1-debian12"),
    ("openssh-9.6-ubuntu24.04", "ubuntu13.20", "openssh-9.6p1-ubuntu24.04"),
    ("openssh-10.0-debian13", "deb13u4", "openssh-10.0p2-debian13"),
    ("dropbear-2020.81", "", "dropbear-2020.81-debian11"),
    ("dropbear-2022.83", "", "dropbear-2022.83-debian12"),
    ("dropbear-2025.89", "", "dropbear-2025.89-debian13"),
];

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn product(name: &str, revision: &str) -> ServiceSpec {
    #[derive(serde::Deserialize)]
    struct File {
        kind: ServiceKind,
    }
    let text = fs::read_to_string(root().join(format!("profiles/services/{name}.toml"))).unwrap();
    let file: File = toml::from_str(&text.replace("{revision}", revision)).unwrap();
    ServiceSpec::new(name, file.kind)
}

fn recording(name: &str, file: &str) -> String {
    fs::read_to_string(root().join("recordings/ssh").join(name).join(file)).unwrap()
}

/// What is sent in one probe: pieces, and the end of the client's side.
type Pieces = Vec<Option<Vec<u8>>>;

/// A conversation over a wire that loses nothing and merges nothing, on a clock that jumps.
struct Wire {
    talk: Box<dyn Conversation>,
    shared: Shared,
    now: u64,
    wake: Option<u64>,
    unread: Vec<u8>,
    segments: Vec<Vec<u8>>,
    end: Option<&'static str>,
}

impl Wire {
    fn open(spec: &ServiceSpec) -> Self {
        let accounts: Arc<[Account]> = [].into();
        let identity = Identity {
            hostname: "a",
            ip: "10.0.0.1".parse().unwrap(),
            mac: Mac([2, 0, 0, 0, 0, 1]),
            seed: [5; 16],
            serial: None,
        };
        let talk = open(
            spec,
            &Opening { identity, now: 0, utc: 0, chance: [9; 32], accounts: &accounts, around: Around::default() },
        );
        let mut wire = Self {
            talk,
            shared: Shared::default(),
            now: 0,
            wake: None,
            unread: Vec::new(),
            segments: Vec::new(),
            end: None,
        };
        wire.poll();
        wire
    }

    fn poll(&mut self) {
        loop {
            let mut cx = Context { now: self.now, shared: &mut self.shared };
            match self.talk.poll(&mut cx, 1 << 20) {
                Some(Output::Send(octets)) => self.segments.push(octets),
                Some(Output::Wake(at)) => self.wake = Some(at),
                Some(Output::Observe(..)) => {}
                // As a kernel does for a server that closes before it has read all.
                Some(Output::Finish) => self.end = self.end.or(Some("FIN")),
                Some(Output::Close) if self.unread.is_empty() => self.end = self.end.or(Some("FIN")),
                Some(Output::Close | Output::Reset) => self.end = self.end.or(Some("RST")),
                None => break,
            }
        }
    }

    fn deliver(&mut self) {
        while !self.unread.is_empty() && self.end.is_none() {
            let mut cx = Context { now: self.now, shared: &mut self.shared };
            let taken = self.talk.handle_octets(&mut cx, &self.unread);
            self.unread.drain(..taken);
            self.poll();
            if taken == 0 {
                break;
            }
        }
    }

    /// Lets time pass, with every alarm in between.
    fn wait(&mut self, ms: u64) {
        let until = self.now + ms * MS;
        while let Some(at) = self.wake.filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.wake = None;
            let mut cx = Context { now: self.now, shared: &mut self.shared };
            self.talk.handle_wake(&mut cx);
            self.poll();
            self.deliver();
        }
        self.now = until;
    }

    fn play(&mut self, pieces: &Pieces) {
        self.wait(250);
        for piece in pieces {
            match piece {
                Some(octets) => self.unread.extend_from_slice(octets),
                None if self.end.is_none() => {
                    let mut cx = Context { now: self.now, shared: &mut self.shared };
                    self.talk.handle_end(&mut cx);
                    self.poll();
                }
                None => {}
            }
            self.deliver();
            self.wait(300);
        }
        self.wait(1200);
    }
}

/// As the recorder writes an answer.
fn name_of(data: &[u8]) -> String {
    if data.starts_with(b"SSH-")
        && let Some(end) = data.iter().position(|o| *o == b'\n').filter(|end| end + 1 < data.len())
    {
        return format!("\"{}\" + {}", shortened(&data[..=end]), name_of(&data[end + 1..]));
    }
    if let [a, b, c, d, padding, kind, ..] = *data {
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap();
        let padding = usize::from(padding);
        if length + 4 <= data.len() && padding < data.len() && length > padding {
            let (packet, rest) = data.split_at(4 + length);
            let (payload, pad) = packet[5..].split_at(length - padding - 1);
            let named = match kind {
                20 if payload.len() > 60 => {
                    let chance = if pad.iter().all(|o| *o == 0) { "zeros" } else { "chance" };
                    format!("KEXINIT {} padding {padding} {chance}", length + 4)
                }
                31 | 33 => return format!("MESSAGE {kind}"),
                1 => format!("DISCONNECT {}", escaped(&payload[1..])),
                3 => format!("UNIMPLEMENTED {}", payload[1..].iter().map(|o| format!("{o:02x}")).collect::<String>()),
                _ => return format!("\"{}\"", shortened(data)),
            };
            return if rest.is_empty() { named } else { format!("{named} + {}", name_of(rest)) };
        }
    }
    format!("\"{}\"", shortened(data))
}

fn escaped(octets: &[u8]) -> String {
    let escape = |octet: &u8| match octet {
        b'\n' => "\\n".into(),
        b'\r' => "\\r".into(),
        b'\\' => "\\\\".into(),
        32..127 => char::from(*octet).to_string(),
        _ => format!("\\x{octet:02x}"),
    };
    octets.iter().map(escape).collect()
}

/// As `escaped`, runs of one octet counted.
fn shortened(octets: &[u8]) -> String {
    let runs = octets.chunk_by(|a, b| a == b).map(|run| {
        let one = escaped(&run[..1]);
        if run.len() > 7 { format!("{{{}x{one}}}", run.len()) } else { one.repeat(run.len()) }
    });
    runs.collect()
}

/// The octets that `shortened` wrote.
fn octets_of(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.strip_prefix('{').and_then(|r| r.split_once('}')).and_then(|(run, after)| {
            let (count, what) = run.split_once('x')?;
            Some((count.parse::<usize>().ok()?, what, after))
        });
        let (count, what, after) = run.unwrap_or_else(|| {
            let length = match rest.as_bytes() {
                [b'\\', b'x', ..] => 4,
                [b'\\', ..] => 2,
                _ => 1,
            };
            (1, &rest[..length], &rest[length..])
        });
        let octet = match what.as_bytes() {
            [b'\\', b'n'] => b'\n',
            [b'\\', b'r'] => b'\r',
            [b'\\', b'x', ..] => u8::from_str_radix(&what[2..], 16).unwrap(),
            [b'\\', other] | [other] => *other,
            _ => panic!("{what}"),
        };
        out.extend(std::iter::repeat_n(octet, count));
        rest = after;
    }
    out
}

/// One probe: its name, what is sent, what the real server answered.
fn probes(text: &str) -> Vec<(String, Pieces, Vec<String>)> {
    let probes = text.split("\n\n").filter(|probe| !probe.trim().is_empty()).map(|probe| {
        let (mut pieces, mut answers) = (Pieces::new(), Vec::new());
        let mut lines = probe.trim_start().lines();
        let name = lines.next().unwrap().to_string();
        for line in lines {
            match line.split_at(2) {
                ("> ", "END") => pieces.push(None),
                ("> ", quoted) => pieces.push(Some(octets_of(quoted.trim_matches('"')))),
                ("< ", answer) => answers.push(answer.to_string()),
                other => panic!("{other:?}"),
            }
        }
        (name, pieces, answers)
    });
    probes.collect()
}

/// Version line, name lists in their order, padding: to the octet.
#[test]
fn every_product_opens_as_it_was_recorded() {
    for (name, revision, record) in PRODUCTS {
        let mut wire = Wire::open(&product(name, revision));
        wire.play(&vec![Some(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u5\r\n".to_vec())]);
        let stream = wire.segments.concat();
        let end = stream.iter().position(|o| *o == b'\n').unwrap() + 1;
        let (version, packet) = stream.split_at(end);
        let length = usize::try_from(u32::from_be_bytes(packet[..4].try_into().unwrap())).unwrap();
        let padding = usize::from(packet[4]);
        let mut payload = &packet[22..4 + length - padding];
        let mut text = format!("version {}\n", escaped(version));
        for list in [
            "kex",
            "host-key",
            "cipher-in",
            "cipher-out",
            "mac-in",
            "mac-out",
            "compression-in",
            "compression-out",
            "language-in",
            "language-out",
        ] {
            let (size, rest) = payload.split_at(4);
            let (names, rest) = rest.split_at(usize::try_from(u32::from_be_bytes(size.try_into().unwrap())).unwrap());
            text.push_str(&format!("{list} {}\n", String::from_utf8_lossy(names)));
            payload = rest;
        }
        text.push_str(&format!(
            "tail {}\npadding {padding}\n",
            payload.iter().map(|o| format!("{o:02x}")).collect::<String>()
        ));
        assert_eq!(text, recording(record, "kexinit.txt"), "{name}");
    }
}

/// Answers to malformed openings: octets, segments, FIN or RST.
#[test]
fn every_product_answers_nonsense_as_it_was_recorded() {
    let mut wrong = Vec::new();
    for (name, revision, record) in PRODUCTS {
        let spec = product(name, revision);
        for (probe, pieces, expected) in probes(&recording(record, "malformed.txt")) {
            let mut wire = Wire::open(&spec);
            wire.play(&pieces);
            let mut answers: Vec<String> = wire.segments.iter().map(|segment| name_of(segment)).collect();
            answers.extend(wire.end.map(String::from));
            if answers != expected {
                wrong.push(format!("{name}, {probe}:\n  real {expected:#?}\n  ours {answers:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What the server says of itself after the key exchange, the methods that it offers, and how many passwords it takes.
#[test]
fn every_product_authenticates_as_it_was_recorded() {
    for (name, revision, record) in PRODUCTS {
        let ServiceKind::Ssh(spec) = product(name, revision).kind else { panic!("{name} is no SSH server") };
        let recorded = recording(record, "ext-info.txt");
        // The client of the recording tells no value of an extension that it does not know.
        let told = |(at, (name, value)): (usize, &(String, String))| match recorded.lines().nth(at) {
            Some(line) if line == name => format!("{name}\n"),
            _ => format!("{name}=<{value}>\n"),
        };
        assert_eq!(spec.ext_info.iter().enumerate().map(told).collect::<String>(), recorded, "{name}");
        let auth = recording(record, "auth.txt");
        assert!(auth.starts_with(&format!("after none: {}\n", spec.auth_methods.join(","))), "{name}");
        assert!(auth.contains(&format!("root: {} passwords\n", spec.max_auth_tries)), "{name}");
        let goodbye = &spec.answers.too_many_failures;
        assert_eq!(auth.contains("Received disconnect from HOST port PORT:2: "), !goodbye.is_empty(), "{name}");
        assert!(auth.contains(goodbye.as_str()), "{name}");
    }
}

#[test]
fn octets_come_back_from_their_text() {
    assert_eq!(octets_of(&shortened(b"\n\0\xff\\ab")), b"\n\0\xff\\ab");
    assert_eq!(octets_of(&shortened(&[b'a'; 300])), [b'a'; 300]);
    assert_eq!(shortened(&[0; 9]), "{9x\\x00}");
}
