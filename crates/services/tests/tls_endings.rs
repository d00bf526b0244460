//! How connections with TLS end, beside the real nginx, Apache and lighttpd: what is said to alerts and records where none
//! belong, FIN or RST where more has come than is read, and how long who is silent or slow is waited for. The clients are
//! in `endings/clients.py`.

mod daemon;
mod hellos;
mod real;
mod secure;
mod server;
mod table;

use std::{collections::BTreeMap, process::Command, thread};

use daemon::Daemon;
use server::Server;
use table::{kind, set_up};

/// Seconds apart that are the same: servers that look at their clocks once a second, and a machine that has more to do.
const NEAR_S: f64 = 3.0;
/// How often a difference of the quick run is looked at again.
const TRIES: usize = 3;

/// What a client was told: each time with the second since its first word.
type Told = Vec<(f64, String)>;

struct Pair {
    name: &'static str,
    ours: Server,
    real: Daemon,
}

impl Pair {
    fn new(name: &'static str, tls: &str, real: impl FnOnce(&str) -> Daemon) -> Self {
        let real = real(&set_up(name, 443).pages[0].body);
        let ours = secure::behind(name, toml::from_str(tls).unwrap(), kind(set_up(name, real.port)));
        Self { name, ours, real }
    }

    /// The clients that are told something else, and what.
    fn differences(&self, mode: &str) -> BTreeMap<String, [Told; 2]> {
        let [ours, real] = thread::scope(|scope| {
            [self.ours.port, self.real.port]
                .map(|port| scope.spawn(move || told(port, mode)))
                .map(|clients| clients.join().unwrap())
        });
        assert!(ours.len() > 20 && ours.keys().eq(real.keys()), "{ours:?} {real:?}");
        let both = ours.into_iter().zip(real.into_values()).map(|((name, ours), real)| (name, [ours, real]));
        both.filter(|(_, [ours, real])| !alike(ours, real)).collect()
    }

    fn compare(&self, mode: &str, tries: usize) {
        let mut left = self.differences(mode);
        for _ in 1..tries {
            if left.is_empty() {
                break;
            }
            let again = self.differences(mode);
            left.retain(|name, _| again.contains_key(name));
        }
        let shown: String =
            left.iter().map(|(name, [ours, real])| format!("{name}\n  ours {ours:?}\n  real {real:?}\n")).collect();
        assert!(left.is_empty(), "{}:\n{shown}", self.name);
    }
}

/// Whether the same was said in the same seconds.
fn alike(ours: &Told, real: &Told) -> bool {
    ours.len() == real.len()
        && ours.iter().zip(real).all(|(ours, real)| ours.1 == real.1 && (ours.0 - real.0).abs() <= NEAR_S)
}

fn told(port: u16, mode: &str) -> BTreeMap<String, Told> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/endings/clients.py");
    let said = Command::new("/usr/bin/python3").args([script, &port.to_string(), mode]).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let line = |line: &str| {
        let (name, told) = line.split_once('\t').unwrap_or((line, ""));
        let each = told.split('\t').filter(|each| !each.is_empty());
        let told = each.map(|each| {
            let (second, what) = each.split_once(' ').unwrap();
            (second.parse().unwrap(), what.to_owned())
        });
        let mut told: Told = told.collect();
        // An answer may come in many records, and many words of a client may be refused.
        told.dedup_by(|next, first| next.1 == first.1);
        (name.to_owned(), told)
    };
    String::from_utf8(said.stdout).unwrap().lines().map(line).collect()
}

fn nginx() -> Pair {
    Pair::new("nginx-1.22.1-debian12", secure::NGINX, |_| secure::nginx())
}

fn apache() -> Pair {
    Pair::new("apache-2.4.71-debian12", secure::APACHE, real::apache_http2)
}

fn lighttpd() -> Pair {
    Pair::new("lighttpd-1.4.69-debian12", secure::LIGHTTPD, real::lighttpd_tls)
}

fn all(mode: &str, tries: usize) {
    thread::scope(|scope| {
        for pair in [nginx(), apache(), lighttpd()] {
            scope.spawn(move || pair.compare(mode, tries));
        }
    });
}

#[test]
fn what_does_not_belong_is_answered_as_by_the_real_ones() {
    all("quick", TRIES);
}

#[test]
#[ignore = "soak: seven minutes of silence"]
fn soak_silence_ends_as_at_the_real_ones_with_tls() {
    all("slow", 1);
}
