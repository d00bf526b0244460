//! Group exchange (RFC 4419): the client names sizes, and the server answers with a group of its own.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::exchange::{Agreed, numbers, power};
use crate::{
    primes::{GROUP1, GROUP14, GROUP15, GROUP16, GROUP17, GROUP18, Modulus, Prime},
    ssh::{
        spec::{SshGroup, SshSpec},
        wire::{Put, Reader, message},
    },
    text::octets_of_hex,
};

/// An exchange whose group was named, and whose client's half is awaited (RFC 4419 §3).
#[derive(Clone, Debug)]
pub(crate) struct GroupExchange {
    group: Group,
    hashed: Vec<u8>,
}

/// A safe prime, most significant octet first, and what generates its group.
#[derive(Clone, Debug, PartialEq)]
struct Group {
    prime: Vec<u8>,
    generator: u8,
}

/// Sizes in bits that a client takes.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    min: u32,
    wanted: u32,
    max: u32,
}

/// The groups of a product that names none of its own.
const GROUPS: [&Prime; 6] = [&GROUP1, &GROUP14, &GROUP15, &GROUP16, &GROUP17, &GROUP18];

impl GroupExchange {
    /// Reads the client's request; the payload that names the group.
    pub(crate) fn begin(spec: &SshSpec, payload: &[u8], chance: &mut impl CryptoRng) -> Option<(Self, Vec<u8>)> {
        let mut reader = Reader::new(payload);
        if reader.byte()? != message::KEX_GEX_REQUEST {
            return None;
        }
        let asked = Sizes { min: reader.u32()?, wanted: reader.u32()?, max: reader.u32()? };
        if !reader.is_empty() || !asked.are_in_order() {
            return None;
        }
        let group = Group::chosen(&spec.moduli, asked.within(spec.group_bits()), chance)?;
        let mut reply = alloc::vec![message::KEX_REPLY];
        reply.put_mpint(&group.prime);
        reply.put_mpint(&[group.generator]);
        // The sizes as the client asked for them, then the group.
        let mut hashed = payload.get(1..).unwrap_or(&[]).to_vec();
        hashed.extend_from_slice(reply.get(1..).unwrap_or(&[]));
        Some((Self { group, hashed }, reply))
    }

    pub(crate) fn agree(&self, payload: &[u8], chance: &mut impl CryptoRng) -> Option<Agreed> {
        let mut reader = Reader::new(payload);
        if reader.byte()? != message::KEX_GEX_INIT {
            return None;
        }
        let theirs = reader.mpint()?;
        reader.is_empty().then_some(())?;
        let modulus = Modulus::of(&self.group.prime, self.group.generator)?;
        let (half, secret) = power(&modulus, theirs, chance)?;
        Some(numbers(&self.hashed, message::KEX_GEX_REPLY, theirs, &half, &secret))
    }
}

impl Sizes {
    fn are_in_order(self) -> bool {
        self.min <= self.wanted && self.wanted <= self.max
    }

    /// What is left of them in a server's own bounds (`kexgexs.c` of OpenSSH).
    fn within(self, (least, most): (u32, u32)) -> Self {
        Self { min: self.min.max(least), wanted: self.wanted.max(least).min(most), max: self.max.min(most) }
    }

    /// Of the sizes that there are the least that is not below the wanted one, else the largest (`choose_dh` of OpenSSH).
    fn best(self, of: impl Iterator<Item = u32> + Clone) -> Option<u32> {
        let fitting = || of.clone().filter(|bits| (self.min..=self.max).contains(bits));
        fitting().filter(|bits| *bits >= self.wanted).min().or_else(|| fitting().max())
    }
}

impl Group {
    /// One of the product's own that are of the best size, by chance; where it has none of a size that is taken, one of
    /// RFC 3526, as OpenSSH does.
    fn chosen(moduli: &[SshGroup], sizes: Sizes, chance: &mut impl CryptoRng) -> Option<Self> {
        if !sizes.are_in_order() {
            return None;
        }
        if moduli.is_empty() {
            let bits = sizes.best(GROUPS.iter().map(|group| group.bits))?;
            return GROUPS.iter().find(|group| group.bits == bits).map(|group| Self::standard(group));
        }
        let Some(bits) = sizes.best(moduli.iter().map(SshGroup::bits)) else {
            return Some(Self::fallback(sizes.max));
        };
        let fitting: Vec<&SshGroup> = moduli.iter().filter(|group| group.bits() == bits).collect();
        let place = u64::from(chance.next_u32()) % u64::try_from(fitting.len()).ok()?.max(1);
        let group = fitting.get(usize::try_from(place).ok()?)?;
        Some(Self { prime: octets_of_hex(group.digits().as_bytes()), generator: group.generator() })
    }

    fn standard(prime: &Prime) -> Self {
        Self { prime: prime.octets(), generator: Prime::GENERATOR }
    }

    /// `dh_new_group_fallback` of OpenSSH.
    fn fallback(max: u32) -> Self {
        Self::standard(match max {
            ..3072 => &GROUP14,
            3072..6144 => &GROUP16,
            _ => &GROUP18,
        })
    }
}
