//! What a console's texts say of the decoy, beside what every text may say.

use alloc::{
    format,
    string::{String, ToString},
};
use core::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use chaff_wire::Mac;

use crate::{
    calendar::Moment,
    limits::console::MAX_LETTERS,
    shell::Surroundings,
    text::{Who, fill_with, mix, scramble},
};

const NANOS: u64 = 1_000_000_000;
const DAY: u64 = 86_400;
/// What is drawn by name begins here, so that no other purpose has its number.
const DRAWN: u64 = 0xc025_0000;
/// When a system that does not know was started.
const BOOT: u64 = 0xc025_0001;
/// Letters of crypt(3).
const CRYPT: &[u8] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HEX: &[u8] = b"0123456789abcdef";

/// The decoy and who has logged in.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(super) who: Who,
    pub(super) user: String,
    around: Surroundings,
    /// Nanoseconds since 1970.
    booted: u64,
    logged_in: u64,
}

impl Facts {
    pub(crate) fn new(who: &Who, user: &str, utc: u64, around: &Surroundings) -> Self {
        let seed = who.seed();
        let period = (9 + mix(seed, BOOT) % 181) * DAY * NANOS;
        let uptime = around.uptime.unwrap_or_else(|| (utc % period + scramble(mix(seed, BOOT)) % period) % period);
        Self {
            who: who.clone(),
            user: user.into(),
            around: around.clone(),
            booted: utc.saturating_sub(uptime),
            logged_in: utc,
        }
    }

    pub(super) fn logged_in(&self) -> u64 {
        self.logged_in
    }

    /// Puts the placeholders in, first those within others.
    pub(crate) fn fill(&self, text: &str, utc: u64) -> String {
        let once = |text: &str| {
            fill_with(text, |name, out| {
                let (name, width) = width_of(name);
                self.value(name, utc).is_some_and(|value| write_wide(out, &value, width))
            })
            .into_owned()
        };
        once(&once(text))
    }

    fn value(&self, whole: &str, utc: u64) -> Option<String> {
        if whole.contains('{') {
            return None;
        }
        let (name, rest) = whole.split_once(':').unwrap_or((whole, ""));
        Some(match name {
            "hostname" => self.short_name().into(),
            "ip" => format!("{}", self.who.identity().ip),
            "HOSTNAME" => self.short_name().to_uppercase(),
            "hostname-lower" => self.short_name().to_lowercase(),
            "user" => self.user.clone(),
            "mac" if !rest.is_empty() => hardware(self.who.identity().mac, rest)?,
            "text" => rest.into(),
            "mask" => Ipv4Addr::from(self.mask()).to_string(),
            "prefix" => format!("{}", self.prefix()),
            "network" => self.network()?.to_string(),
            "cidr" => format!("{}/{}", self.who.identity().ip, self.prefix()),
            "netcidr" => format!("{}/{}", self.network()?, self.prefix()),
            "broadcast" => Ipv4Addr::from(self.network()?.to_bits() | !self.mask()).to_string(),
            "hexmask" => format!("{:08x}", self.mask()),
            "link-local" => link_local(self.who.identity().mac),
            "peer-mac" => peer_mac(self.around.peer.map(|(ip, _)| ip)),
            "peer-port" => format!("{}", self.around.peer?.1),
            "peer" => format!("{}", self.around.peer?.0),
            "usual-peer" => self.usual_peer().to_string(),
            "now" => Moment::at(utc).format(rest),
            "booted" => Moment::at(self.booted).format(rest),
            "logged-in" => Moment::at(self.logged_in).format(rest),
            "uptime" => uptime(utc.saturating_sub(self.booted) / NANOS, rest)?,
            "pick" => self.pick(rest)?,
            "number" => self.number(rest)?,
            "counter" => self.counter(rest, utc)?,
            "hex" => self.letters(rest, HEX)?,
            "HEX" => self.letters(rest, HEX)?.to_uppercase(),
            "crypt" => self.letters(rest, CRYPT)?,
            _ => {
                let braced = format!("{{{whole}}}");
                let filled = self.who.fill(&braced);
                return (filled != braced).then(|| filled.into_owned());
            }
        })
    }

    fn short_name(&self) -> &str {
        self.who.hostname().split('.').next().unwrap_or("")
    }

    fn prefix(&self) -> u32 {
        u32::from(self.around.prefix.unwrap_or(24).min(32))
    }

    fn mask(&self) -> u32 {
        u32::MAX.checked_shl(32 - self.prefix()).unwrap_or(0)
    }

    fn network(&self) -> Option<Ipv4Addr> {
        match self.who.identity().ip {
            IpAddr::V4(ip) => Some(Ipv4Addr::from(ip.to_bits() & self.mask())),
            IpAddr::V6(_) => None,
        }
    }

    /// Where its people log in from: a host near it, the same for ever, and never the visitor, who knows where he was.
    pub(crate) fn usual_peer(&self) -> IpAddr {
        let own = self.who.identity().ip;
        let IpAddr::V4(ip) = own else { return own };
        // Of a large subnet, the 256 addresses around the decoy.
        let mask = self.mask() | 0xffff_ff00;
        let (network, hosts) = (ip.to_bits() & mask, (!mask).saturating_sub(1));
        let drawn = u32::try_from(self.drawn("usual-peer") >> 32).unwrap_or_default();
        let Some(first) = drawn.checked_rem(hosts) else { return own };
        let visitor = self.around.peer.map(|(ip, _)| ip);
        let hosts = (0..3).map(|more| IpAddr::V4(Ipv4Addr::from(network + 1 + (first + more) % hosts)));
        hosts.into_iter().find(|host| *host != own && Some(*host) != visitor).unwrap_or(own)
    }

    /// Chance that belongs to the decoy and a name.
    fn drawn(&self, name: &str) -> u64 {
        mix(self.who.seed(), name.bytes().fold(DRAWN, |hash, octet| scramble(hash ^ u64::from(octet))))
    }

    /// `name:this|that`: one of them, the same wherever the name stands with as many to choose from.
    fn pick(&self, rest: &str) -> Option<String> {
        let (name, choices) = rest.split_once(':')?;
        let count = choices.split('|').count();
        let place = self.drawn(name) % u64::try_from(count).ok()?;
        choices.split('|').nth(usize::try_from(place).ok()?).map(String::from)
    }

    /// `name:least-most`.
    fn number(&self, rest: &str) -> Option<String> {
        let (name, range) = rest.split_once(':')?;
        let (least, most) = range.split_once('-')?;
        let (least, most): (u64, u64) = (least.parse().ok()?, most.parse().ok()?);
        let width = most.checked_sub(least)?.checked_add(1)?;
        Some(format!("{}", least + self.drawn(name) % width))
    }

    /// `name:most`: what has grown since the start by up to so much in an hour.
    fn counter(&self, rest: &str, utc: u64) -> Option<String> {
        let (name, most) = rest.split_once(':')?;
        let rate = 1 + self.drawn(name) % most.parse::<u64>().ok().filter(|most| *most > 0)?;
        let seconds = u128::from(utc.saturating_sub(self.booted) / NANOS);
        Some(format!("{}", seconds * u128::from(rate) / 3600))
    }

    /// `name:count`.
    fn letters(&self, rest: &str, alphabet: &[u8]) -> Option<String> {
        let (name, count) = rest.split_once(':')?;
        let count = count.parse::<usize>().ok()?.min(MAX_LETTERS);
        let size = u64::try_from(alphabet.len()).ok()?;
        let mut chance = self.drawn(name);
        let mut letters = String::with_capacity(count);
        for _ in 0..count {
            chance = scramble(chance);
            letters.push(char::from(*alphabet.get(usize::try_from(chance % size).ok()?)?));
        }
        Some(letters)
    }
}

/// fe80:: and the modified EUI-64 (RFC 4291, appendix A).
pub(crate) fn link_local(mac: Mac) -> String {
    let [a, b, c, d, e, f] = mac.0;
    let pair = |high: u8, low: u8| u16::from(high) << 8 | u16::from(low);
    Ipv6Addr::new(0xfe80, 0, 0, 0, pair(a ^ 2, b), pair(c, 0xff), pair(0xfe, d), pair(e, f)).to_string()
}

/// What answers for the visitor's address: unknown here, so some card of a common virtual machine.
pub(crate) fn peer_mac(peer: Option<IpAddr>) -> String {
    let peer = peer.map_or(0, |ip| match ip {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        IpAddr::V6(ip) => u64::try_from(ip.to_bits() & u128::from(u64::MAX)).unwrap_or(0),
    });
    let [_, _, _, _, _, a, b, c] = scramble(peer).to_be_bytes();
    format!("52:54:00:{a:02x}:{b:02x}:{c:02x}")
}

/// A name and how wide its value is: `name<16` to the left, `name>7` to the right.
pub(crate) fn width_of(whole: &str) -> (&str, i16) {
    let Some(place) = whole.rfind(['<', '>']) else { return (whole, 0) };
    let (name, width) = whole.split_at(place);
    let columns = width.get(1..).and_then(|width| width.parse::<u8>().ok()).map_or(0, i16::from);
    (name, if width.starts_with('<') { columns } else { -columns })
}

/// A value as wide as [`width_of`] says.
pub(crate) fn write_wide(out: &mut String, value: &str, width: i16) -> bool {
    let columns = usize::from(width.unsigned_abs()).min(MAX_LETTERS);
    if width < 0 { write!(out, "{value:>columns$}") } else { write!(out, "{value:<columns$}") }.is_ok()
}

/// `dotted`: `0011.2233.4455`; `dashed`: `00-11-22-33-44-55`; `capitals`: `00:1B:…`; with `+n`, that of the n-th card
/// after it.
fn hardware(mac: Mac, form: &str) -> Option<String> {
    let (form, more) = form.split_once('+').unwrap_or((form, "0"));
    let [a, b, c, d, e, f] = mac.0;
    let [_, x, y, z] = u32::from_be_bytes([0, d, e, f]).wrapping_add(more.parse().ok()?).to_be_bytes();
    let [d, e, f] = [x, y, z];
    Some(match form {
        "dotted" => format!("{a:02x}{b:02x}.{c:02x}{d:02x}.{e:02x}{f:02x}"),
        "dashed" => format!("{a:02X}-{b:02X}-{c:02X}-{d:02X}-{e:02X}-{f:02X}"),
        "capitals" => format!("{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}"),
        "colons" => format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"),
        _ => return None,
    })
}

/// A time as devices print it: `words`: `5 weeks, 6 days, 11 hours, 3 minutes`; `letters`: `5w6d11h3m20s`; `days`:
/// `41 days, 11:03`; `clock`: `41 days 11 hours`.
fn uptime(seconds: u64, form: &str) -> Option<String> {
    let (weeks, days, hours) = (seconds / (7 * DAY), seconds / DAY, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let words = |parts: &[(u64, &str)], gap: &str| {
        let mut text = String::new();
        for (place, (count, unit)) in parts.iter().enumerate() {
            if *count == 0 && !(text.is_empty() && place + 1 == parts.len()) {
                continue;
            }
            let plural = if *count == 1 { "" } else { "s" };
            let _ = write!(text, "{}{count} {unit}{plural}", if text.is_empty() { "" } else { gap });
        }
        text
    };
    Some(match form {
        "words" => {
            let (years, weeks) = (weeks / 52, weeks % 52);
            words(&[(years, "year"), (weeks, "week"), (days % 7, "day"), (hours, "hour"), (minutes, "minute")], ", ")
        }
        "clock" => words(&[(days, "day"), (hours, "hour")], " "),
        "days" => format!("{days} days, {hours:02}:{minutes:02}"),
        "letters" => format!("{weeks}w{}d{hours}h{minutes}m{rest}s", days % 7),
        _ => return None,
    })
}
