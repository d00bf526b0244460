//! Options of a received IPv4 header, as a host that minds them does (RFC 791 §3.1, RFC 1122 §3.2.1.8): what is wrong
//! is found, recorded routes and times are filled in on the way in, and the same options go back in the answer with
//! what belongs to the way out (in the manner of Linux, net/ipv4/ip_options.c).

use alloc::vec::Vec;
use core::net::Ipv4Addr;

const END: u8 = 0;
const NOP: u8 = 1;
const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;
/// Commercial security (draft-ietf-cipso-ipsecurity): checked, though no label is known.
const CIPSO: u8 = 134;
/// Loose and strict source route.
const SOURCE_ROUTES: [u8; 2] = [131, 137];
/// Shortest CIPSO option that can be one.
const LEAST_CIPSO: usize = 8;
/// What a timestamp option asks for: times alone, or an address with each.
const TIMES: u8 = 0;
const ADDRESSES: u8 = 1;
/// Addresses that the sender chose.
const CHOSEN: u8 = 3;

/// What a host has made of the options.
#[derive(Debug)]
pub(crate) struct Reflected {
    /// The header's options after its own address and time were filled in.
    pub(crate) received: Vec<u8>,
    /// What an answer carries; `None`: options that no answer can be made for.
    pub(crate) answer: Option<Vec<u8>>,
    /// There is a source route.
    pub(crate) routed: bool,
}

/// Options that are wrong at this octet, counted from the start of the header, and what the complaint carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongAt(pub(crate) u8, pub(crate) Vec<u8>);

/// Reads the options of a header for a host at `own` whose clock reads `time` (milliseconds of the day).
pub(crate) fn reflect(options: &[u8], own: Ipv4Addr, time: u32) -> Result<Reflected, WrongAt> {
    let mut octets = options.to_vec();
    let mut found = Found::default();
    let mut routed = false;
    let mut at = 0;
    while let Some(&kind) = octets.get(at) {
        if kind == END {
            if let Some(rest) = octets.get_mut(at..) {
                rest.fill(END);
            }
            break;
        }
        if kind == NOP {
            at += 1;
            continue;
        }
        let length = octets.get(at + 1).map_or(0, |&length| usize::from(length));
        let twice = match kind {
            RECORD_ROUTE => found.route.is_some(),
            TIMESTAMP => found.times.is_some(),
            CIPSO => found.security.replace(at).is_some(),
            _ if SOURCE_ROUTES.contains(&kind) => core::mem::replace(&mut routed, true),
            _ => false,
        };
        let option = octets.get_mut(at..at + length).filter(|option| option.len() >= 2 && !twice);
        let Some(option) = option else { return Err(found.wrong(&octets, at, own, time)) };
        let checked = match kind {
            RECORD_ROUTE => record(option, own),
            TIMESTAMP => stamp(option, own, time),
            CIPSO if length < LEAST_CIPSO => Err(1),
            _ if SOURCE_ROUTES.contains(&kind) => match option.get(2) {
                None => Err(1),
                Some(0..4) => Err(2),
                Some(_) => Ok(()),
            },
            _ => Ok(()),
        };
        checked.map_err(|inside| found.wrong(&octets, at + inside, own, time))?;
        match kind {
            RECORD_ROUTE => found.route = Some(at),
            TIMESTAMP => found.times = Some(at),
            _ => {}
        }
        at += length;
    }
    let answer = found.answer(&octets, own, time);
    Ok(Reflected { received: octets, answer, routed })
}

/// Where the options are that go back.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    route: Option<usize>,
    times: Option<usize>,
    security: Option<usize>,
}

/// A recorded route gets the host's address, if there is room. The error is the place inside of the option.
fn record(option: &mut [u8], own: Ipv4Addr) -> Result<(), usize> {
    let Some(pointer) = option.get(2).map(|&pointer| usize::from(pointer)) else { return Err(1) };
    if pointer < 4 {
        return Err(2);
    }
    if pointer <= option.len() {
        let place = option.get_mut(pointer - 1..pointer + 3).ok_or(2_usize)?;
        place.copy_from_slice(&own.octets());
        advance(option, 4);
    }
    Ok(())
}

/// A timestamp option gets the time, and the address where that is asked for.
fn stamp(option: &mut [u8], own: Ipv4Addr, time: u32) -> Result<(), usize> {
    let Some(&[pointer, flags]) = option.get(2..4) else { return Err(1) };
    let at = usize::from(pointer);
    if at < 5 {
        return Err(2);
    }
    if at > option.len() {
        // Full: hosts that had no room are counted, as far as four bits go.
        if flags & 15 != CHOSEN {
            if flags >> 4 == 15 {
                return Err(3);
            }
            if let Some(place) = option.get_mut(3) {
                *place = flags.wrapping_add(16);
            }
        }
        return Ok(());
    }
    if at + 3 > option.len() {
        return Err(2);
    }
    match flags & 15 {
        TIMES => {
            put(option, at - 1, &time.to_be_bytes());
            advance(option, 4);
        }
        ADDRESSES => {
            if at + 7 > option.len() {
                return Err(2);
            }
            put(option, at - 1, &own.octets());
            put(option, at + 3, &time.to_be_bytes());
            advance(option, 8);
        }
        _ => {}
    }
    Ok(())
}

impl Found {
    fn wrong(self, octets: &[u8], at: usize, own: Ipv4Addr, time: u32) -> WrongAt {
        WrongAt(u8::try_from(at + 20).unwrap_or(u8::MAX), self.answer(octets, own, time).unwrap_or_default())
    }

    /// The options of an answer: route and times with what the way out adds, then security.
    fn answer(self, octets: &[u8], own: Ipv4Addr, time: u32) -> Option<Vec<u8>> {
        let option = |at: usize| {
            let length = usize::from(*octets.get(at + 1)?);
            octets.get(at..at + length).map(<[u8]>::to_vec)
        };
        let mut out = Vec::new();
        if let Some(mut option) = self.route.and_then(option) {
            let pointer = option.get(2).map_or(0, |&pointer| usize::from(pointer));
            if pointer <= option.len() {
                if pointer + 3 > option.len() {
                    return None;
                }
                put(&mut option, pointer - 1, &own.octets());
                advance(&mut option, 4);
            }
            out.append(&mut option);
        }
        if let Some(mut option) = self.times.and_then(option) {
            let pointer = option.get(2).map_or(0, |&pointer| usize::from(pointer));
            let wants = option.get(3).map_or(u8::MAX, |flags| flags & 15);
            if pointer <= option.len() && wants <= ADDRESSES {
                let length: u8 = if wants == ADDRESSES { 8 } else { 4 };
                let end = pointer - 1 + usize::from(length);
                if end > option.len() {
                    return None;
                }
                if wants == ADDRESSES {
                    put(&mut option, pointer - 1, &own.octets());
                }
                put(&mut option, end - 4, &time.to_be_bytes());
                advance(&mut option, length);
            }
            out.append(&mut option);
        }
        if let Some(mut option) = self.security.and_then(option) {
            out.append(&mut option);
        }
        out.resize(out.len().next_multiple_of(4), END);
        Some(out)
    }
}

fn put(option: &mut [u8], at: usize, value: &[u8; 4]) {
    if let Some(place) = option.get_mut(at..at + 4) {
        place.copy_from_slice(value);
    }
}

fn advance(option: &mut [u8], octets: u8) {
    if let Some(pointer) = option.get_mut(2) {
        *pointer = pointer.saturating_add(octets);
    }
}

#[cfg(test)]
mod tests;
