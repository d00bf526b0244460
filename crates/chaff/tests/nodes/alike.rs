//! One profile as decoys of a worker and as machines, on one network: whatever is asked, both answer the same. What is
//! each one's own has a name in place of its value.

use std::{
    net::{Ipv4Addr, TcpStream},
    thread,
    time::Instant,
};

use chaff_lab::Namespace;
use chaff_testkit::{
    battery::{self, Probe},
    network::{Network, run},
};

use crate::table::{self, Answer, Step, rows, show, steps};

/// Ports of the battery, and services of which each decoy has the same: no revision is drawn, and no kind of certificate.
pub(crate) fn ports() -> String {
    format!(
        "{{ {}, \"22/tcp\" = \"openssh-9.2-debian12@deb12u10\", \"80/tcp\" = \"nginx-1.22.1-debian12\", \
         \"443/tcp\" = \"nginx-1.22.1-debian12-http2\", \"default/tcp\" = \"closed\", \"default/udp\" = \"closed\" }}",
        battery::servers::PORTS
    )
}

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What takes a few seconds.
    Sample,
    /// All of it.
    Whole,
}

/// Probes of the battery that are soon over and go through every layer.
const SAMPLE: [&str; 3] = ["ICMP: echo, sizes", "data: requests and answers", "data: out of order"];
/// Requests of the table in the sample: every so many.
const EVERY: usize = 24;
/// Probes at a time.
const PORTION: usize = 16;
/// How often what differs is asked again: a busy machine is late, a wrong one is wrong every time.
const TRIES: u8 = 5;
/// Silence after which nothing more is awaited, first and when something differed.
const SILENCES_MS: [u64; 4] = [300, 900, 2_500, 5_000];
/// Conversations at the same time: most of their time they wait for silence.
const AT_ONCE: usize = 16;

/// Asks both; `anew` starts the machine again.
pub(crate) fn compare(network: &Network, shared: Ipv4Addr, own: Ipv4Addr, extent: Extent, anew: impl Fn()) {
    let begun = Instant::now();
    speak(&network.atk, [shared, own], extent);
    let spoken = begun.elapsed();
    probe(network, shared, own, extent, anew);
    println!("services: {spoken:?}; battery: {:?}", begun.elapsed() - spoken);
    if extent == Extent::Whole {
        for (words, lines) in [
            (
                &["-O", "-p", "22,80,81"][..],
                &["Device type", "No exact OS matches", "Running", "OS CPE", "OS details", "Network Distance"][..],
            ),
            (&["-sV", "-p", "22,80,443"], &["22/tcp", "80/tcp", "443/tcp", "Service Info"]),
        ] {
            let told = |ip: Ipv4Addr| nmap(&network.atk, ip, words, lines);
            let mut last = Vec::new();
            let same = (0..TRIES).any(|_| {
                last = vec![told(shared), told(own)];
                last[0] == last[1] && !last[0].is_empty()
            });
            println!("nmap {words:?}: {}", last[0]);
            assert!(same, "nmap {words:?}: {last:#?}");
        }
    }
}

/// What nmap says, of these lines.
fn nmap(from: &Namespace, ip: Ipv4Addr, words: &[&str], lines: &[&str]) -> String {
    let ip = ip.to_string();
    let all = [&["-n", "-Pn"][..], words, &[ip.as_str()]].concat();
    let said = run(from, 300, "nmap", &all);
    let kept = said.lines().filter(|line| lines.iter().any(|start| line.starts_with(start)));
    kept.map(|line| format!("{line}\n")).collect()
}

/// The battery, side by side, in portions: what one machine may hold of all connections together is less than all probes
/// at once leave unread in it. For the same reason it begins anew before each.
fn probe(network: &Network, shared: Ipv4Addr, own: Ipv4Addr, extent: Extent, anew: impl Fn()) {
    let mut probes = battery::all();
    if extent == Extent::Sample {
        probes.retain(|probe| SAMPLE.contains(&probe.name));
        assert_eq!(probes.len(), SAMPLE.len(), "the sample names probes that there are");
    }
    if let Ok(part) = std::env::var("CHAFF_PROBES") {
        probes.retain(|probe| probe.name.contains(&part));
    }
    let mut round = 0;
    let mut text = String::new();
    for portion in probes.chunks(PORTION) {
        let (mut portion, mut heard, mut differing) = (portion.to_vec(), Vec::new(), Vec::new());
        for _ in 0..TRIES {
            if round > 0 {
                anew();
            }
            heard.push(both(network, shared, own, round, &portion));
            round += 1;
            differing = portion.iter().filter_map(|probe| battery::lasting_difference(&heard, probe.name)).collect();
            portion.retain(|probe| differing.iter().any(|difference| difference.probe == probe.name));
            if portion.is_empty() {
                break;
            }
        }
        text.extend(differing.iter().map(|difference| format!("{}\n{}\n", difference.probe, difference.text)));
    }
    assert!(text.is_empty(), "a decoy of a worker (-), and a machine (+):\n{text}");
}

type Answers = Vec<battery::Answer>;

fn both(network: &Network, shared: Ipv4Addr, own: Ipv4Addr, round: u8, probes: &[Probe]) -> (Answers, Answers) {
    thread::scope(|scope| {
        let of = |ip, side| battery::record(&network.atk, "atk0", ip, (side, round), probes).unwrap();
        // Sixteen rounds have stations of their own; later ones are of other sides.
        let sides = if round < 16 { [1, 2] } else { [3, 0] };
        let shared = scope.spawn(move || of(shared, sides[0]));
        let own = of(own, sides[1]);
        (shared.join().unwrap(), own)
    })
}

/// The table of requests to the web server, and openings to the SSH server.
fn speak(from: &Namespace, hosts: [Ipv4Addr; 2], extent: Extent) {
    let every = if extent == Extent::Sample { EVERY } else { 1 };
    let rows: Vec<_> = rows().into_iter().step_by(every).collect();
    let openings: Vec<(String, Vec<u8>)> =
        OPENINGS.iter().map(|octets| (format!("SSH {:?}", String::from_utf8_lossy(octets)), octets.to_vec())).collect();
    let differing = from.enter(|| {
        let validators = hosts.map(|ip| {
            let head = ask(ip, 80, &[Step::Say(b"HEAD / HTTP/1.0\r\n\r\n".to_vec())], 5_000);
            let head = String::from_utf8_lossy(&head.octets).into_owned();
            ["ETag: ", "Last-Modified: "].map(|field| {
                let line = head.lines().find_map(|line| line.strip_prefix(field));
                line.unwrap_or_else(|| panic!("no {field}in {head}")).to_owned()
            })
        });
        let http = |(row, text): &(String, String), silence| {
            let of = |(ip, [etag, modified]): (Ipv4Addr, &[String; 2])| {
                let answer = ask(ip, 80, &steps(text, etag, modified), silence);
                show(&answer, b"")
                    .replace(etag, "{etag}")
                    .replace(modified, "{modified}")
                    .replace(&ip.to_string(), "{ip}")
            };
            let [shared, own] = [of((hosts[0], &validators[0])), of((hosts[1], &validators[1]))];
            (shared != own).then(|| format!("{row}\n- {shared}+ {own}"))
        };
        let ssh = |(name, octets): &(String, Vec<u8>), silence| {
            let said = [Step::Say(octets.clone())];
            let [shared, own] = hosts.map(|ip| without_cookie(&ask(ip, 22, &said, silence)));
            (shared != own).then(|| format!("{name}\n- {shared}\n+ {own}"))
        };
        [again(&rows, http), again(&openings, ssh)].concat()
    });
    let differing = differing.unwrap();
    assert!(differing.is_empty(), "a decoy of a worker (-), and a machine (+):\n{}", differing.join("\n"));
}

/// What a client may begin with that is no client: what is answered needs no keys.
const OPENINGS: [&[u8]; 6] = [
    b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u5\r\n",
    b"SSH-1.5-old\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"SSH-2.0-Go\r\n\0\0\0\x0c\x0a\x14",
    b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
];

/// Asks about each, side by side; those that differ, again and more patiently. What differs every time.
fn again<T: Clone + Send + Sync>(all: &[T], differs: impl Fn(&T, u64) -> Option<String> + Sync) -> Vec<String> {
    let mut left = all.to_vec();
    let mut told = Vec::new();
    for silence in SILENCES_MS {
        let share = left.len().div_ceil(AT_ONCE).max(1);
        let found: Vec<(T, String)> = thread::scope(|scope| {
            let ask = |share: &[T]| {
                let found = share.iter().filter_map(|one| Some((one.clone(), differs(one, silence)?)));
                found.collect::<Vec<_>>()
            };
            let asking: Vec<_> = left.chunks(share).map(|share| scope.spawn(move || ask(share))).collect();
            asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect()
        });
        (left, told) = found.into_iter().unzip();
        if left.is_empty() {
            break;
        }
    }
    told
}

/// What a server makes of a client.
fn ask(ip: Ipv4Addr, port: u16, steps: &[Step], silence: u64) -> Answer {
    let mut stream = TcpStream::connect((ip, port)).unwrap_or_else(|error| panic!("{ip}:{port}: {error}"));
    table::converse(&mut stream, steps, silence)
}

/// The cookie of a server's KEXINIT, which is chance, and its padding, left out (RFC 4253 §7.1).
fn without_cookie(answer: &Answer) -> String {
    let mut octets = answer.octets.clone();
    let line = octets.iter().position(|&octet| octet == b'\n').map_or(0, |at| at + 1);
    if octets.get(line + 5) == Some(&20) {
        let padding = usize::from(octets[line + 4]);
        octets[line + 6..].iter_mut().take(16).for_each(|octet| *octet = 0);
        octets.iter_mut().rev().take(padding).for_each(|octet| *octet = 0);
    }
    show(&Answer { octets, end: answer.end }, b"")
}
