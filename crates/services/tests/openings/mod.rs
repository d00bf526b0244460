//! What a client may begin a connection with: the pieces of SSH, and openings that chance has spoiled.
// Each test program uses a part of this.
#![allow(dead_code)]

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// What a client sends before it listens.
pub(crate) struct Opening {
    /// Pieces, with a pause between two.
    pub(crate) pieces: Vec<Vec<u8>>,
    /// The client says that no more will come.
    pub(crate) fin: bool,
}

impl Opening {
    pub(crate) fn whole(octets: Vec<u8>) -> Self {
        Self { pieces: vec![octets], fin: false }
    }
}

/// A packet before there are keys, with the least padding.
pub(crate) fn packet(payload: &[u8]) -> Vec<u8> {
    let mut padding = 8 - (payload.len() + 5) % 8;
    if padding < 4 {
        padding += 8;
    }
    let mut packet = u32::try_from(payload.len() + 1 + padding).unwrap().to_be_bytes().to_vec();
    packet.push(u8::try_from(padding).unwrap());
    packet.extend_from_slice(payload);
    packet.resize(packet.len() + padding, 0);
    packet
}

pub(crate) fn string(to: &mut Vec<u8>, octets: &[u8]) {
    to.extend_from_slice(&u32::try_from(octets.len()).unwrap().to_be_bytes());
    to.extend_from_slice(octets);
}

/// A client's KEXINIT that offers these exchanges and this cipher to the server.
pub(crate) fn init(kex: &str, cipher: &str) -> Vec<u8> {
    let mut init = vec![20];
    init.extend_from_slice(&[0; 16]);
    for list in [kex, "ssh-ed25519", cipher, "aes128-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", ""] {
        string(&mut init, list.as_bytes());
    }
    init.extend_from_slice(&[0; 5]);
    init
}

/// A client's half of a secret.
pub(crate) fn half(octets: &[u8]) -> Vec<u8> {
    let mut payload = vec![30];
    string(&mut payload, octets);
    payload
}

/// The client's version lines that are spoiled.
const LINES: [&[u8]; 7] = [
    b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u5\r\n",
    b"SSH-2.0-libssh2_1.10.0\n",
    b"SSH-1.99-x\r\n",
    b"SSH-2.0-Go\r\n",
    b"SSH-1.5-old\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
];
/// Octets and numbers at which parsers go wrong.
const OCTETS: [u8; 8] = [0, 1, b'\n', b'\r', b' ', 0x7f, 0x80, 0xff];
const NUMBERS: [u32; 12] = [0, 1, 4, 5, 8, 12, 35_000, 35_001, 0x0004_0000, 0x0004_0001, 0x7fff_ffff, u32::MAX];
/// Pieces of a spoiled opening at most.
const MAX_PIECES: usize = 4;

/// An opening that is spoiled in one to three places: in its line, in a message, in the order of messages, in the octets
/// of the packets; cut into pieces where chance has it. The same for the same seed.
pub(crate) fn spoiled(seed: u64) -> Opening {
    let mut chance = Chance(ChaCha8Rng::seed_from_u64(seed));
    let mut line = LINES[if chance.one_in(4) { chance.below(LINES.len()) } else { 0 }].to_vec();
    let mut messages = chance.messages();
    let mut padded = None;
    for _ in 0..=chance.below(3) {
        match chance.below(if messages.is_empty() { 2 } else { 8 }) {
            0 | 1 => chance.spoil(&mut line),
            2..=4 => {
                let place = chance.below(messages.len());
                chance.spoil(&mut messages[place]);
            }
            5 => {
                let place = chance.below(messages.len());
                if let Some(kind) = messages[place].first_mut() {
                    *kind = u8::try_from(chance.below(256)).unwrap();
                }
            }
            6 => chance.shuffle(&mut messages),
            _ => padded = Some(chance.below(messages.len())),
        }
    }
    let mut octets = line;
    for (place, message) in messages.iter().enumerate() {
        let mut packet = packet(message);
        if padded == Some(place) {
            // The front: the packet's length and that of its padding.
            let mut front = packet[..5].to_vec();
            chance.spoil(&mut front);
            packet.splice(..5, front);
        }
        octets.extend(packet);
    }
    Opening { pieces: chance.cut(&octets), fin: chance.one_in(3) }
}

struct Chance(ChaCha8Rng);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.next_u64() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn octets(&mut self, count: usize) -> Vec<u8> {
        let mut octets = vec![0; count];
        self.0.fill_bytes(&mut octets);
        octets
    }

    /// What a client says as far as its half of the secret, or less.
    fn messages(&mut self) -> Vec<Vec<u8>> {
        let strict = if self.one_in(2) { ",kex-strict-c-v00@openssh.com" } else { "" };
        let (kex, half) = match self.below(5) {
            0 => ("diffie-hellman-group14-sha256", half(&[&[1][..], &self.octets(200)].concat())),
            1 => {
                let sizes: [u32; 3] = [2048, 3072, 8192];
                ("diffie-hellman-group-exchange-sha256", [&[34][..], &sizes.map(u32::to_be_bytes).concat()].concat())
            }
            _ => ("curve25519-sha256", half(&self.octets(32))),
        };
        let mut all = vec![init(&format!("{kex}{strict}"), "aes128-ctr"), half, vec![21]];
        all.truncate(self.below(4));
        all
    }

    fn spoil(&mut self, octets: &mut Vec<u8>) {
        let place = self.below(octets.len());
        let end = (place + 1 + self.below(16)).min(octets.len());
        match self.below(8) {
            0 if !octets.is_empty() => octets[place] ^= 1 << self.below(8),
            1 if !octets.is_empty() => octets[place] = OCTETS[self.below(OCTETS.len())],
            2 => {
                let count = 1 + self.below(8);
                octets.splice(place..place, self.octets(count));
            }
            3 => drop(octets.drain(place..end)),
            4 => {
                let again = octets[place..end].to_vec();
                octets.splice(place..place, again);
            }
            5 => octets.truncate(place),
            6 if octets.len() >= 4 => {
                let place = self.below(octets.len() - 3);
                octets.splice(place..place + 4, NUMBERS[self.below(NUMBERS.len())].to_be_bytes());
            }
            _ => {
                let (octet, count) = (OCTETS[self.below(OCTETS.len())], 1 << self.below(10));
                octets.splice(place..place, vec![octet; count]);
            }
        }
    }

    fn shuffle(&mut self, messages: &mut Vec<Vec<u8>>) {
        let (one, other) = (self.below(messages.len()), self.below(messages.len()));
        match self.below(3) {
            0 => messages.swap(one, other),
            1 => drop(messages.remove(one)),
            _ => messages.insert(other, messages[one].clone()),
        }
    }

    fn cut(&mut self, octets: &[u8]) -> Vec<Vec<u8>> {
        let mut cuts: Vec<usize> = (0..self.below(MAX_PIECES)).map(|_| self.below(octets.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([octets.len()]).filter(|cut| *cut > 0) {
            pieces.push(octets[from..cut].to_vec());
            from = cut;
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}
