//! The binary packet protocol (RFC 4253 §6): octets to payloads and back, under whatever keys are in force.

use alloc::vec::Vec;

use rand_core::Rng;
use subtle::ConstantTimeEq;

use super::{
    cipher::{Keyed, TAG},
    compression::{Packer, Unpacker},
    mac::MacKey,
};

/// A packet's length field at most, as OpenSSH has it (PACKET_MAX_SIZE); RFC 4253 §6.1 asks for 35,000 and advises to
/// take more. It is also the bound of what is kept of a client's half a packet.
pub(crate) const MAX_PACKET: usize = 256 * 1024;
/// Octets taken from the stack while no packet is complete. OpenSSH reads so much at once, and what it has not read when
/// it gives up is what makes its system send RST instead of FIN.
pub(crate) const READ: usize = 8192;
/// The least padding (RFC 4253 §6).
const MIN_PADDING: usize = 4;
/// Packets are padded to a multiple of this before there are keys (RFC 4253 §6).
const PLAIN_BLOCK: usize = 8;
const LENGTH: usize = 4;

/// Keys of one direction.
pub(crate) struct Keys {
    pub(crate) cipher: Keyed,
    pub(crate) block: usize,
    pub(crate) is_cbc: bool,
    pub(crate) mac: Option<MacKey>,
    /// Payloads are compressed, once the client has logged in.
    pub(crate) compresses: bool,
}

impl Keys {
    /// Whether the length stands outside of the encrypted blocks.
    fn length_is_apart(&self) -> bool {
        !matches!(self.cipher, Keyed::Blocks(_)) || self.mac.as_ref().is_some_and(MacKey::encrypt_first)
    }

    fn tag_length(&self) -> usize {
        match (&self.cipher, &self.mac) {
            (Keyed::Blocks(_), Some(mac)) => mac.length(),
            (Keyed::Blocks(_), None) => 0,
            _ => TAG,
        }
    }
}

/// What is wrong with a packet. After this nothing more can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Corrupt {
    /// Too short, too long, or no whole number of blocks.
    Length,
    /// The authentication code does not fit.
    Mac,
    /// Less padding than there must be.
    Padding(u8),
    /// What was compressed cannot be read.
    Compression,
}

/// A packet from the client.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) sequence: u32,
    pub(crate) payload: Vec<u8>,
}

/// The client's direction.
pub(crate) struct Receiver {
    longest: usize,
    by_blocks: bool,
    buffer: Vec<u8>,
    keys: Option<Keys>,
    sequence: u32,
    /// The length of the packet that is coming in, and how many of its octets are decrypted already.
    coming: Option<(usize, usize)>,
    /// A packet under CBC was bad: this is told only when so many more octets came, so that the answer's time does not
    /// say where it was bad (CVE-2008-5161).
    discard: Option<(usize, Corrupt)>,
    admitted: bool,
    unpacker: Option<Unpacker>,
    /// Packets and octets under these keys.
    pub(crate) used: Used,
}

/// How much keys were used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) packets: u64,
    pub(crate) octets: u64,
}

impl Used {
    fn count(&mut self, octets: usize) {
        self.packets = self.packets.saturating_add(1);
        self.octets = self.octets.saturating_add(u64::try_from(octets).unwrap_or(u64::MAX));
    }
}

impl Receiver {
    /// Takes packets of `longest` octets at most; reads them block by block, or as much as there is.
    pub(crate) fn new(longest: usize, by_blocks: bool) -> Self {
        Self {
            longest,
            by_blocks,
            buffer: Vec::new(),
            keys: None,
            sequence: 0,
            coming: None,
            discard: None,
            admitted: false,
            unpacker: None,
            used: Used::default(),
        }
    }

    /// Takes some of what the stack offers. To be called only when `next` had nothing.
    pub(crate) fn take(&mut self, octets: &[u8]) -> usize {
        let taken = octets.len().min(if self.by_blocks { self.missing() } else { READ });
        self.buffer.extend_from_slice(octets.get(..taken).unwrap_or(&[]));
        taken
    }

    /// Octets until something can be done: the first block of a packet, then its rest.
    fn missing(&self) -> usize {
        let (tag, block) = self.keys.as_ref().map_or((0, PLAIN_BLOCK), |keys| (keys.tag_length(), keys.block));
        let wanted = self.coming.map_or(block, |(length, _)| LENGTH.saturating_add(length).saturating_add(tag));
        wanted.saturating_sub(self.buffer.len()).clamp(1, READ)
    }

    pub(crate) fn rekey(&mut self, keys: Keys, resets_sequence: bool) {
        self.keys = Some(keys);
        self.used = Used::default();
        if resets_sequence {
            self.sequence = 0;
        }
        self.start_stream();
    }

    /// The client has logged in: what it sends from now on is compressed, if that was agreed on.
    pub(crate) fn admit(&mut self) {
        self.admitted = true;
        self.start_stream();
    }

    /// With new keys begins a new stream (RFC 4253 §6.2).
    fn start_stream(&mut self) {
        let compresses = self.admitted && self.keys.as_ref().is_some_and(|keys| keys.compresses);
        self.unpacker = compresses.then(Unpacker::new);
    }

    /// Whether there are no keys yet.
    pub(crate) fn is_plain(&self) -> bool {
        self.keys.is_none()
    }

    /// The next whole packet, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Packet>, Corrupt> {
        if let Some((left, why)) = self.discard {
            let held = core::mem::take(&mut self.buffer).len();
            let left = left.saturating_sub(held);
            self.discard = Some((left, why));
            return if left == 0 { Err(why) } else { Ok(None) };
        }
        match self.open() {
            // What was compressed was authentic.
            Err(why) if why != Corrupt::Compression && self.hides_faults() => {
                self.discard = Some((MAX_PACKET, why));
                self.next()
            }
            other => other,
        }
    }

    fn hides_faults(&self) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.is_cbc && !keys.length_is_apart())
    }

    fn open(&mut self) -> Result<Option<Packet>, Corrupt> {
        let Some((length, decrypted)) = self.length()? else { return Ok(None) };
        let tag = self.keys.as_ref().map_or(0, Keys::tag_length);
        let end = LENGTH.saturating_add(length);
        let Some(whole) = self.buffer.get_mut(..end.saturating_add(tag)) else { return Ok(None) };
        let Some((head, rest)) = whole.split_first_chunk_mut::<LENGTH>() else { return Ok(None) };
        let Some((text, code)) = rest.split_at_mut_checked(length) else { return Ok(None) };
        let fits = match &mut self.keys {
            None => true,
            Some(keys) => unseal(keys, self.sequence, head, text, code, decrypted),
        };
        if !fits {
            return Err(Corrupt::Mac);
        }
        let (&padding, text) = text.split_first().ok_or(Corrupt::Length)?;
        if usize::from(padding) < MIN_PADDING {
            return Err(Corrupt::Padding(padding));
        }
        let kept = text.len().checked_sub(usize::from(padding)).ok_or(Corrupt::Length)?;
        let payload = text.get(..kept).unwrap_or(&[]);
        let payload = match &mut self.unpacker {
            Some(unpacker) => unpacker.unpack(payload, MAX_PACKET).ok_or(Corrupt::Compression)?,
            None => payload.to_vec(),
        };
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        self.used.count(length);
        self.coming = None;
        self.buffer.drain(..end.saturating_add(tag));
        if self.buffer.is_empty() {
            // A large packet must not cost its room for the rest of the connection.
            self.buffer = Vec::new();
        }
        Ok(Some(Packet { sequence, payload }))
    }

    /// The length of the packet that is coming in, once it can be read, and the count of octets decrypted for it.
    fn length(&mut self) -> Result<Option<(usize, usize)>, Corrupt> {
        if self.coming.is_some() {
            return Ok(self.coming);
        }
        let apart = self.keys.as_ref().is_some_and(Keys::length_is_apart);
        let block = self.keys.as_ref().map_or(PLAIN_BLOCK, |keys| keys.block);
        let needed = if apart { LENGTH } else { block };
        let Some(first) = self.buffer.get_mut(..needed) else { return Ok(None) };
        let mut decrypted = 0;
        if let Some(keys) = &mut self.keys
            && !apart
            && let Keyed::Blocks(blocks) = &mut keys.cipher
        {
            blocks.turn(first);
            decrypted = needed;
        }
        let Some(head) = first.first_chunk::<LENGTH>() else { return Ok(None) };
        let mut head = *head;
        if let Some(keys) = &mut self.keys {
            keys.cipher.turn_length(self.sequence, &mut head);
        }
        let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
        // The least packet has an octet for the length of its padding and the least padding.
        if !(1 + MIN_PADDING..=self.longest).contains(&length) {
            return Err(Corrupt::Length);
        }
        let outside = if apart { 0 } else { LENGTH };
        if length.saturating_add(outside) % block != 0 {
            return Err(Corrupt::Length);
        }
        self.coming = Some((length, decrypted));
        Ok(self.coming)
    }
}

fn unseal(keys: &mut Keys, sequence: u32, head: &[u8; LENGTH], text: &mut [u8], code: &[u8], decrypted: usize) -> bool {
    let Some(mac) = &keys.mac else {
        return keys.cipher.unseal(sequence, head, text, code);
    };
    if mac.encrypt_first() {
        return bool::from(mac.tag(sequence, &[head, text]).as_slice().ct_eq(code))
            && keys.cipher.unseal(sequence, head, text, &[]);
    }
    // The first block was decrypted for the length in it.
    let rest = text.get_mut(decrypted.saturating_sub(LENGTH)..).unwrap_or(&mut []);
    keys.cipher.unseal(sequence, head, rest, &[]);
    bool::from(mac.tag(sequence, &[head, text]).as_slice().ct_eq(code))
}

/// The server's direction.
pub(crate) struct Sender {
    keys: Option<Keys>,
    sequence: u32,
    /// Packets and octets under these keys.
    pub(crate) used: Used,
    /// Padding is random even before there are keys; else it is zeros.
    random_padding: bool,
    admitted: bool,
    packer: Option<Packer>,
}

impl Sender {
    pub(crate) fn new(random_padding: bool) -> Self {
        Self { keys: None, sequence: 0, used: Used::default(), random_padding, admitted: false, packer: None }
    }

    pub(crate) fn rekey(&mut self, keys: Keys, resets_sequence: bool) {
        self.keys = Some(keys);
        self.used = Used::default();
        if resets_sequence {
            self.sequence = 0;
        }
        self.start_stream();
    }

    /// The client was told that it has logged in: what follows is compressed, if that was agreed on.
    pub(crate) fn admit(&mut self) {
        self.admitted = true;
        self.start_stream();
    }

    fn start_stream(&mut self) {
        let compresses = self.admitted && self.keys.as_ref().is_some_and(|keys| keys.compresses);
        self.packer = compresses.then(Packer::new);
    }

    /// The packet that carries `payload`.
    pub(crate) fn seal(&mut self, payload: &[u8], chance: &mut impl Rng) -> Vec<u8> {
        let packed = self.packer.as_mut().map(|packer| packer.pack(payload));
        let payload = packed.as_deref().unwrap_or(payload);
        let apart = self.keys.as_ref().is_some_and(Keys::length_is_apart);
        let block = self.keys.as_ref().map_or(PLAIN_BLOCK, |keys| keys.block);
        let inside = payload.len().saturating_add(if apart { 1 } else { 1 + LENGTH });
        let mut padding = block.saturating_sub(inside % block);
        if padding < MIN_PADDING {
            padding = padding.saturating_add(block);
        }
        let length = payload.len().saturating_add(1).saturating_add(padding);
        let mut packet = Vec::with_capacity(length.saturating_add(LENGTH + 64));
        packet.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        packet.push(u8::try_from(padding).unwrap_or(u8::MAX));
        packet.extend_from_slice(payload);
        let end = packet.len();
        packet.resize(end.saturating_add(padding), 0);
        if (self.keys.is_some() || self.random_padding)
            && let Some(padding) = packet.get_mut(end..)
        {
            chance.fill_bytes(padding);
        }
        if let Some(keys) = &mut self.keys {
            seal(keys, self.sequence, &mut packet);
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.used.count(length);
        packet
    }
}

fn seal(keys: &mut Keys, sequence: u32, packet: &mut Vec<u8>) {
    let plain_tag =
        keys.mac.as_ref().filter(|mac| !mac.encrypt_first()).map(|mac| mac.tag(sequence, &[packet.as_slice()]));
    let apart = keys.length_is_apart();
    let Some((head, text)) = packet.split_first_chunk_mut::<LENGTH>() else { return };
    let tag = if apart {
        keys.cipher.turn_length(sequence, head);
        keys.cipher.seal(sequence, head, text)
    } else {
        let head = *head;
        keys.cipher.seal(sequence, &head, packet)
    };
    if let Some(tag) = tag {
        packet.extend_from_slice(&tag);
    } else if let Some(tag) = plain_tag {
        packet.extend_from_slice(&tag);
    } else if let Some(mac) = &keys.mac {
        let tag = mac.tag(sequence, &[packet.as_slice()]);
        packet.extend_from_slice(&tag);
    }
}
