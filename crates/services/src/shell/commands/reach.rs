//! Programs that take time: `sleep`, and `ping`, which sends nothing.

use alloc::{format, string::String, vec::Vec};
use core::net::IpAddr;

use super::{Call, lossy};
use crate::{
    shell::{NANOS, Pinging},
    text::mix,
};

const MS: u64 = NANOS / 1000;
/// Echoes of a `ping` that is not told how many: it is interrupted before, or left.
const MAX_ECHOES: u64 = 600;
/// How long a neighbour is asked for before it is given up (Linux: three requests, a second apart).
const NEIGHBOUR: u64 = 3 * NANOS + 60 * MS;
/// What the times of echoes are drawn from.
const TIMES: u64 = 0x5e11_3001;

impl Call<'_> {
    pub(super) fn sleep(&mut self) -> u8 {
        if self.args.is_empty() {
            self.fail("missing operand");
            if self.is_gnu() {
                self.written.errors(b"Try 'sleep --help' for more information.\n");
            }
            return 1;
        }
        let mut nanos = 0u64;
        for arg in self.args {
            let text = lossy(arg);
            let (digits, unit) = match text.as_bytes().last() {
                Some(b's') => (text.get(..text.len() - 1).unwrap_or(""), 1),
                Some(b'm') => (text.get(..text.len() - 1).unwrap_or(""), 60),
                Some(b'h') => (text.get(..text.len() - 1).unwrap_or(""), 3600),
                Some(b'd') => (text.get(..text.len() - 1).unwrap_or(""), 86_400),
                _ => (text.as_ref(), 1),
            };
            if matches!(digits, "inf" | "infinity") {
                self.written.endless = true;
                return 0;
            }
            let Some(time) = decimal(digits) else {
                if self.is_gnu() {
                    self.fail(&format!("invalid time interval ‘{text}’"));
                    self.written.errors(b"Try 'sleep --help' for more information.\n");
                } else {
                    self.fail(&format!("invalid number '{text}'"));
                }
                return 1;
            };
            nanos = nanos.saturating_add(time.saturating_mul(unit));
        }
        self.written.wait(nanos);
        0
    }

    pub(super) fn ping(&mut self) -> u8 {
        let (mut count, mut interval, mut target) = (None, NANOS, None);
        let mut words = self.args.iter().map(|arg| lossy(arg));
        while let Some(word) = words.next() {
            match word.as_ref() {
                "-c" => count = words.next().and_then(|word| word.parse::<u64>().ok()),
                "-i" => interval = words.next().and_then(|word| decimal(&word)).unwrap_or(NANOS),
                "-W" | "-w" | "-s" | "-I" | "-t" | "-p" | "-l" | "-m" => drop(words.next()),
                other => match other.strip_prefix('-') {
                    Some(rest) => count = rest.strip_prefix('c').and_then(|rest| rest.parse().ok()).or(count),
                    None => target = Some(String::from(other)),
                },
            }
        }
        let Some(target) = target else {
            self.written.errors(b"ping: usage error: Destination address required\n");
            return 1;
        };
        let host = &self.shell.host;
        let own = [host.short_name(), host.hostname.as_str()].contains(&target.as_str());
        let ip = if target == "localhost" {
            Ok(IpAddr::from([127, 0, 0, 1]))
        } else if own {
            Ok(host.ip)
        } else {
            target.parse::<IpAddr>()
        };
        let Ok(ip) = ip else {
            self.fail(&format!("{target}: Temporary failure in name resolution"));
            return 2;
        };
        let itself = ip.is_loopback() || ip == host.ip;
        let peer = host.peer.is_some_and(|(peer, _)| peer == ip);
        if !itself && !self.is_near(ip) {
            self.fail("connect: Network is unreachable");
            return 2;
        }
        let mut pinging = Pinging {
            target: target.clone(),
            from: self.written.at,
            interval,
            seed: self.shell.drawn,
            answers: itself || peer,
            itself,
        };
        self.shell.drawn += 1;
        let source = self.shell.host.ip;
        self.say(&format!("PING {target} ({ip}) 56(84) bytes of data.\n"));
        let most = count.unwrap_or(MAX_ECHOES).min(MAX_ECHOES);
        let begun = self.written.at;
        pinging.from = begun;
        for place in 1..=most {
            if pinging.answers {
                let micros = pinging.micros(self.shell.host.seed, place);
                self.written.at = begun + (place - 1) * interval + micros * 1000;
                let line = format!("64 bytes from {ip}: icmp_seq={place} ttl=64 time={} ms\n", millis(micros));
                self.say(&line);
            } else {
                // Three at a time wait for the same neighbour.
                let sent = (place - 1) / 3 * 3;
                self.written.at = begun + sent * interval + NEIGHBOUR;
                self.say(&format!("From {source} icmp_seq={place} Destination Host Unreachable\n"));
            }
            if self.written.is_full() {
                break;
            }
        }
        if count.is_none() {
            self.written.endless = true;
            self.shell.pinging = Some(pinging);
            return 0;
        }
        let text = pinging.statistics(self.shell.host.seed, most, (most.saturating_sub(1)) * interval);
        self.say(&text);
        u8::from(!pinging.answers)
    }

    /// Whether an address is in the network of the host.
    fn is_near(&self, ip: IpAddr) -> bool {
        let (IpAddr::V4(ip), IpAddr::V4(own)) = (ip, self.shell.host.ip) else { return false };
        let mask = self.shell.host.mask();
        ip.to_bits() & mask == own.to_bits() & mask
    }
}

impl Pinging {
    /// How long an echo took, in microseconds.
    fn micros(&self, seed: [u8; 16], place: u64) -> u64 {
        let drawn = mix(&seed, TIMES ^ (self.seed << 32) ^ place);
        if self.itself { 18 + drawn % 40 } else { 240 + drawn % 310 }
    }

    /// What `ping` says at its end, of so many echoes in so many nanoseconds.
    pub(in crate::shell) fn statistics(&self, seed: [u8; 16], sent: u64, nanos: u64) -> String {
        let (time, target) = (nanos / MS, &self.target);
        let head = format!("\n--- {target} ping statistics ---\n{sent} packets transmitted, ");
        if !self.answers {
            return format!(
                "{head}0 received, +{sent} errors, 100% packet loss, time {time}ms\npipe {}\n",
                sent.min(4)
            );
        }
        let times: Vec<u64> = (1..=sent.min(MAX_ECHOES)).map(|place| self.micros(seed, place)).collect();
        let count = u64::try_from(times.len()).unwrap_or(1).max(1);
        let mean = times.iter().sum::<u64>() / count;
        let spread = (times.iter().map(|time| time.abs_diff(mean).pow(2)).sum::<u64>() / count).isqrt();
        let [least, most] = [times.iter().min(), times.iter().max()].map(|time| time.copied().unwrap_or(0));
        let [least, mean, most, spread] =
            [least, mean, most, spread].map(|micros| format!("{}.{:03}", micros / 1000, micros % 1000));
        format!(
            "{head}{sent} received, 0% packet loss, time {time}ms\nrtt min/avg/max/mdev = {least}/{mean}/{most}/{spread} ms\n"
        )
    }
}

/// Milliseconds with three significant digits, as iputils has them.
fn millis(micros: u64) -> String {
    let (whole, part) = (micros / 1000, micros % 1000);
    match whole {
        0 => format!("0.{part:03}"),
        1..10 => format!("{whole}.{:02}", part / 10),
        10..100 => format!("{whole}.{}", part / 100),
        _ => format!("{whole}"),
    }
}

/// Nanoseconds of `1`, `0.5` or `.5`.
fn decimal(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && part.is_empty() || !whole.bytes().chain(part.bytes()).all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: String = part.chars().chain("000000000".chars()).take(9).collect();
    whole.checked_mul(NANOS)?.checked_add(part.parse().ok()?)
}
