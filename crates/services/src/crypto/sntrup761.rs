//! Streamlined NTRU Prime with p = 761, q = 4591, w = 286: the half of the key exchange that a server does.
//!
//! After "NTRU Prime: round 3" (Bernstein, Brumley, Chen, Chuengsatiansup, Lange, Marotzke, Peng, Tuveri, van
//! Vredendaal, Yang; 2020), §2 and §3, as `sntrup761x25519-sha512` of OpenSSH uses it
//! (draft-ietf-sshm-ntruprime-ssh). Key generation and decapsulation are not here: a server needs neither.

use alloc::{vec, vec::Vec};
use core::iter::Copied;

use rand_core::CryptoRng;
use sha2::{Digest, Sha512};

/// Octets of a public key: p numbers below q.
pub(crate) const PUBLIC_KEY_LENGTH: usize = 1158;
/// Octets of a ciphertext: p numbers below (q + 2) / 3, and a confirmation.
pub(crate) const CIPHERTEXT_LENGTH: usize = 1039;
/// Octets of the secret that both sides have in the end.
pub(crate) const SECRET_LENGTH: usize = 32;

/// Degree of the polynomial x^p - x - 1, modulo which everything is computed.
const P: usize = 761;
/// Modulus of the coefficients.
const Q: i32 = 4591;
/// Coefficients of a short polynomial that are not zero.
const W: usize = 286;
/// Coefficients are kept from -HALF_Q to HALF_Q.
const HALF_Q: i32 = (Q - 1) / 2;
/// Values of a rounded coefficient.
const ROUNDED: u32 = 1531;
/// Values of a coefficient.
const FULL: u32 = 4591;
/// Numbers are merged in pairs as long as their product is below this, and shed octets from there on (§3.1 "limit").
const LIMIT: u32 = 16_384;

/// Makes a secret for whoever has the private key to `public_key`, and the ciphertext that tells it to them.
///
/// Any octets are taken for a public key: numbers that are too large are reduced, as the reference does. `None` would
/// mean that an encoding has another length than the specification says; none has.
pub(crate) fn encapsulate(
    public_key: &[u8; PUBLIC_KEY_LENGTH],
    rng: &mut impl CryptoRng,
) -> Option<([u8; CIPHERTEXT_LENGTH], [u8; SECRET_LENGTH])> {
    let short = random_short(rng);
    let rounded = multiply(&decode_public_key(public_key), &short).map(round);
    let digest = prefixed_hash(3, &[&encode_short(&short)]);
    let confirmation = prefixed_hash(2, &[&digest, &prefixed_hash(4, &[public_key])]);

    let mut ciphertext = encode_rounded(&rounded);
    ciphertext.extend_from_slice(&confirmation);
    let secret = prefixed_hash(1, &[&digest, &ciphertext]);
    Some((ciphertext.try_into().ok()?, secret))
}

/// A polynomial: coefficient of x^0 first.
type Polynomial = [i32; P];

/// A polynomial with W coefficients of -1 or 1 and zeros elsewhere, each as likely as any other (§2.1 "Short"): signs
/// in random order, by sorting random numbers whose two lowest bits are the coefficients.
fn random_short(rng: &mut impl CryptoRng) -> Polynomial {
    let mut draws = [0u32; P];
    for (place, draw) in draws.iter_mut().enumerate() {
        let chance = rng.next_u32();
        *draw = if place < W { chance & !1 } else { chance & !3 | 1 };
    }
    draws.sort_unstable();
    draws.map(|draw| match draw & 3 {
        0 => -1,
        1 => 0,
        _ => 1,
    })
}

/// The product modulo x^p - x - 1 and q.
fn multiply(left: &Polynomial, short: &Polynomial) -> Polynomial {
    // No sum leaves an i32: each is of at most P products of at most HALF_Q, and the reduction adds up three of them.
    let mut product = [0i32; 2 * P];
    for (place, factor) in short.iter().enumerate() {
        for (sum, coefficient) in product.iter_mut().skip(place).zip(left) {
            *sum += factor * coefficient;
        }
    }
    // x^(p + i) = x^(i + 1) + x^i. The highest power is 2p - 2, so no carry comes back above p - 1.
    let (low, high) = product.split_at(P);
    let mut reduced = [0; P];
    for (place, sum) in reduced.iter_mut().enumerate() {
        let carried = place.checked_sub(1).and_then(|below| high.get(below)).copied().unwrap_or(0);
        *sum = centred(low.get(place).copied().unwrap_or(0) + high.get(place).copied().unwrap_or(0) + carried);
    }
    reduced
}

/// The remainder modulo q that is nearest to zero.
fn centred(number: i32) -> i32 {
    (number + HALF_Q).rem_euclid(Q) - HALF_Q
}

/// The nearest multiple of 3 (§2.1 "Round").
fn round(coefficient: i32) -> i32 {
    coefficient - ((coefficient + 1).rem_euclid(3) - 1)
}

/// The first half of SHA-512 over a number for the purpose and the parts (§3.2 "Hash").
fn prefixed_hash(purpose: u8, parts: &[&[u8]]) -> [u8; SECRET_LENGTH] {
    let mut hash = Sha512::new_with_prefix([purpose]);
    for part in parts {
        hash.update(part);
    }
    let digest: [u8; 64] = hash.finalize().into();
    let mut half = [0; SECRET_LENGTH];
    for (to, from) in half.iter_mut().zip(digest) {
        *to = from;
    }
    half
}

/// Four coefficients an octet, each plus one, the first in the lowest bits.
fn encode_short(short: &Polynomial) -> Vec<u8> {
    let encoded = short.chunks(4).map(|four| {
        let bits = four.iter().rev().fold(0i32, |octet, coefficient| octet << 2 | (coefficient + 1));
        u8::try_from(bits).unwrap_or(0)
    });
    encoded.collect()
}

fn encode_rounded(rounded: &Polynomial) -> Vec<u8> {
    let numbers = rounded.iter().map(|c| u32::try_from((c + HALF_Q) / 3).unwrap_or(0)).collect();
    encode(numbers, vec![ROUNDED; P])
}

fn decode_public_key(octets: &[u8]) -> Polynomial {
    let mut polynomial = [0; P];
    for (to, number) in polynomial.iter_mut().zip(decode(&mut octets.iter().copied(), &[FULL; P])) {
        *to = i32::try_from(number).unwrap_or(0) - HALF_Q;
    }
    polynomial
}

/// Numbers as octets (§3.1 "Encode"): each is below its modulus. Neighbours are merged to one number, which sheds its
/// low octets until it is below [`LIMIT`]; what remains is encoded likewise.
fn encode(mut numbers: Vec<u32>, mut moduli: Vec<u32>) -> Vec<u8> {
    let mut out = Vec::new();
    while moduli.len() > 1 {
        let mut merged = (Vec::new(), Vec::new());
        for (pair, of) in numbers.chunks(2).zip(moduli.chunks(2)) {
            let (number, modulus) = match (pair, of) {
                (&[low, high], &[below, above]) => shed(&mut out, low + below * high, below * above, LIMIT),
                (&[last], &[modulus]) => (last, modulus),
                _ => continue,
            };
            merged.0.push(number);
            merged.1.push(modulus);
        }
        (numbers, moduli) = merged;
    }
    if let (&[number], &[modulus]) = (numbers.as_slice(), moduli.as_slice()) {
        shed(&mut out, number, modulus, 2);
    }
    out
}

/// Writes low octets until the modulus is below `limit`; the rest of the number, and its modulus.
fn shed(out: &mut Vec<u8>, mut number: u32, mut modulus: u32, limit: u32) -> (u32, u32) {
    while modulus >= limit {
        let [low, ..] = number.to_le_bytes();
        out.push(low);
        number >>= 8;
        modulus = modulus.div_ceil(256);
    }
    (number, modulus)
}

/// The numbers below `moduli` that the octets stand for (§3.1 "Decode"). Octets that are missing count as zero.
fn decode(octets: &mut Octets<'_>, moduli: &[u32]) -> Vec<u32> {
    if let &[modulus] = moduli {
        return vec![gather(octets, modulus, 2).low % modulus];
    }
    let shed: Vec<Shed> = moduli
        .chunks(2)
        .map(|of| match *of {
            [below, above] => gather(octets, below * above, LIMIT),
            _ => Shed { low: 0, weight: 1, modulus: of.iter().product() },
        })
        .collect();
    let merged: Vec<u32> = shed.iter().map(|shed| shed.modulus).collect();
    let rest = decode(octets, &merged);
    let mut numbers = Vec::with_capacity(moduli.len());
    for ((of, shed), high) in moduli.chunks(2).zip(shed).zip(rest) {
        let number = shed.low + shed.weight * high;
        match *of {
            [below, above] => numbers.extend([number % below, number / below % above]),
            _ => numbers.push(number),
        }
    }
    numbers
}

type Octets<'o> = Copied<core::slice::Iter<'o, u8>>;

/// What a number had shed: its low part, how much one of the rest is worth, and what the rest is below.
struct Shed {
    low: u32,
    weight: u32,
    modulus: u32,
}

/// Reads what [`shed`] wrote.
fn gather(octets: &mut Octets<'_>, mut modulus: u32, limit: u32) -> Shed {
    let (mut low, mut weight) = (0, 1);
    while modulus >= limit {
        low += weight * u32::from(octets.next().unwrap_or(0));
        weight <<= 8;
        modulus = modulus.div_ceil(256);
    }
    Shed { low, weight, modulus }
}

#[cfg(test)]
mod tests;
