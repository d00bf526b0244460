//! A card of Xen's (`io/netif.h`): two rings of 256 places, one for frames that are sent and one for frames that come.
//! A place holds a request of ours, and later an answer to any of them. Buffers are pages that are granted once; content is
//! copied in and out, so what the other end writes later changes nothing that was looked at.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use super::{Fault, PAGE};

/// Frames that may wait to be taken by this machine: a burst of what comes between two turns of its loop.
pub const RECEIVING: usize = 32;
/// Frames that may wait to be taken by the other end, as a virtio card has.
pub const SENDING: usize = 16;
/// The longest frame that is sent: 1,500 octets, an Ethernet header and a tag, as the switch behind lets through.
pub const LONGEST: usize = 1_518;

/// Places of a ring: as many as fit a page behind its head, down to a power of two, for either kind of request.
const PLACES: usize = 256;

/// What an answer says of a frame that came: there is more of it, in the next place; the next place is not a frame.
const MORE: u32 = 1 << 2 | 1 << 3;

/// A ring as both ends see it; `W` words of 32 bits are a place.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct RingPage<const W: usize> {
    requests: AtomicU32,
    request_event: AtomicU32,
    answers: AtomicU32,
    answer_event: AtomicU32,
    _unused: [AtomicU32; 12],
    places: [[AtomicU32; W]; PLACES],
}

/// The ring of frames that are sent: requests of 12 octets.
pub type TransmitPage = RingPage<3>;
/// The ring of frames that come: requests of 8 octets.
pub type ReceivePage = RingPage<2>;

impl<const W: usize> RingPage<W> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            requests: AtomicU32::new(0),
            request_event: AtomicU32::new(1),
            answers: AtomicU32::new(0),
            answer_event: AtomicU32::new(1),
            _unused: [const { AtomicU32::new(0) }; 12],
            places: [const { [const { AtomicU32::new(0) }; W] }; PLACES],
        }
    }
}

impl<const W: usize> Default for RingPage<W> {
    fn default() -> Self {
        Self::new()
    }
}

/// A page that holds a frame.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Buffer([AtomicU64; PAGE / 8]);

impl Buffer {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; PAGE / 8])
    }

    fn write(&self, content: &[u8]) {
        for (word, octets) in self.0.iter().zip(content.chunks(8)) {
            let mut value = [0; 8];
            value.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
            word.store(u64::from_le_bytes(value), Ordering::Relaxed);
        }
    }

    /// The octets from `from` on, into `content`, as many as it holds.
    fn read(&self, from: usize, content: &mut Vec<u8>, length: usize) {
        content.clear();
        let (first, skipped) = (from / 8, from % 8);
        for word in self.0.iter().skip(first).take((skipped + length).div_ceil(8)) {
            content.extend(word.load(Ordering::Relaxed).to_le_bytes());
        }
        content.drain(..skipped.min(content.len()));
        content.truncate(length);
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}

/// A buffer, and the entry by which the other end may use it.
pub type Granted<'p> = (&'p Buffer, u32);

/// This end of one ring.
#[derive(Debug)]
struct Ring<'p, const W: usize> {
    page: &'p RingPage<W>,
    /// What is told, and what was read; the page's own can be changed by the other end.
    requests: u32,
    answers: u32,
    buffers: Vec<Granted<'p>>,
    /// By buffer: whether the other end has it.
    lent: Vec<bool>,
}

impl<'p, const W: usize> Ring<'p, W> {
    fn new(page: &'p RingPage<W>, buffers: Vec<Granted<'p>>) -> Self {
        let lent = buffers.iter().map(|_| false).collect();
        Self { page, requests: 0, answers: 0, buffers, lent }
    }

    fn place(&self, index: u32) -> Option<&'p [AtomicU32; W]> {
        self.page.places.get(usize::try_from(index).ok()? % PLACES)
    }

    /// Puts a request about `buffer` into the next place. There is always one: buffers are fewer than places.
    fn lend(&mut self, buffer: usize, request: [u32; W]) {
        let Some(place) = self.place(self.requests) else { return };
        for (to, from) in place.iter().zip(request) {
            to.store(from, Ordering::Relaxed);
        }
        if let Some(lent) = self.lent.get_mut(buffer) {
            *lent = true;
        }
        self.requests = self.requests.wrapping_add(1);
    }

    /// Shows the other end all requests since `before`; whether it wants to be notified of them.
    fn show(&self, before: u32) -> bool {
        self.page.requests.store(self.requests, Ordering::Release);
        fence(Ordering::SeqCst);
        let event = self.page.request_event.load(Ordering::Relaxed);
        self.requests.wrapping_sub(event) < self.requests.wrapping_sub(before)
    }

    /// The next answer, and the buffer that it gives back.
    fn next(&mut self) -> Result<Option<(usize, [u32; W])>, Fault> {
        if self.waiting()? == 0 {
            // The next one is to be told; one that came before that was said is seen here.
            self.page.answer_event.store(self.answers.wrapping_add(1), Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if self.waiting()? == 0 {
                return Ok(None);
            }
        }
        let place = self.place(self.answers).ok_or(Fault::Index)?;
        let mut answer = [0; W];
        for (to, from) in answer.iter_mut().zip(place) {
            *to = from.load(Ordering::Relaxed);
        }
        self.answers = self.answers.wrapping_add(1);
        let buffer = answer.first().map(|word| word & 0xffff).and_then(|id| usize::try_from(id).ok());
        let buffer = buffer.ok_or(Fault::Buffer)?;
        let lent = self.lent.get_mut(buffer).ok_or(Fault::Buffer)?;
        if core::mem::take(lent) { Ok(Some((buffer, answer))) } else { Err(Fault::Buffer) }
    }

    /// Answers that were not read.
    fn waiting(&self) -> Result<u32, Fault> {
        let waiting = self.page.answers.load(Ordering::Acquire).wrapping_sub(self.answers);
        if waiting > self.requests.wrapping_sub(self.answers) { Err(Fault::Index) } else { Ok(waiting) }
    }
}

/// The card.
#[derive(Debug)]
pub struct Card<'p> {
    transmit: Ring<'p, 3>,
    receive: Ring<'p, 2>,
    /// The frame that came last.
    frame: Vec<u8>,
    /// The rest of a frame in pieces comes.
    passing_over: bool,
    notify: bool,
}

impl<'p> Card<'p> {
    /// A card that has lent its buffers for what comes: `received` for these, `sent` for frames of its own. More than
    /// [`RECEIVING`] and [`SENDING`] are not used.
    #[must_use]
    pub fn new(
        transmit: &'p TransmitPage,
        sent: Vec<Granted<'p>>,
        receive: &'p ReceivePage,
        received: Vec<Granted<'p>>,
    ) -> Self {
        let few = |buffers: Vec<Granted<'p>>, most| buffers.into_iter().take(most).collect();
        let mut card = Self {
            transmit: Ring::new(transmit, few(sent, SENDING)),
            receive: Ring::new(receive, few(received, RECEIVING)),
            frame: Vec::with_capacity(PAGE),
            passing_over: false,
            notify: false,
        };
        for buffer in 0..card.receive.buffers.len() {
            card.offer(buffer);
        }
        card.notify |= card.receive.show(0);
        card
    }

    /// Lends a buffer for a frame to come (`struct netif_rx_request`).
    fn offer(&mut self, buffer: usize) {
        if let (Some((_, reference)), Ok(id)) = (self.receive.buffers.get(buffer), u16::try_from(buffer)) {
            self.receive.lend(buffer, [id.into(), *reference]);
        }
    }

    /// The next frame that came; `None` when there is none.
    ///
    /// # Errors
    /// When the other end does what it never may.
    pub fn receive(&mut self) -> Result<Option<&[u8]>, Fault> {
        loop {
            // id and offset; flags and, as what may be negative, length (`struct netif_rx_response`).
            let Some((buffer, [head, tail])) = self.receive.next()? else { return Ok(None) };
            let (offset, status) = (usize::try_from(head >> 16), usize::try_from(tail >> 16));
            let (Ok(offset), Ok(length)) = (offset, status) else { return Err(Fault::Length) };
            let good = length <= usize::from(i16::MAX.unsigned_abs());
            if good && offset + length > PAGE {
                return Err(Fault::Length);
            }
            let piece = core::mem::replace(&mut self.passing_over, tail & MORE != 0) || self.passing_over;
            let whole = good && !piece;
            if whole && let Some((page, _)) = self.receive.buffers.get(buffer) {
                page.read(offset, &mut self.frame, length);
            }
            let before = self.receive.requests;
            self.offer(buffer);
            self.notify |= self.receive.show(before);
            if whole {
                return Ok(Some(&self.frame));
            }
        }
    }

    /// Sends `frame`; `false`: it is too long, or there is no room.
    ///
    /// # Errors
    /// As above.
    pub fn send(&mut self, frame: &[u8]) -> Result<bool, Fault> {
        self.reap()?;
        let Ok(length) = u16::try_from(frame.len()) else { return Ok(false) };
        let Some(buffer) = self.transmit.lent.iter().position(|lent| !lent) else { return Ok(false) };
        let Some((page, reference)) = self.transmit.buffers.get(buffer).copied() else { return Ok(false) };
        let Ok(id) = u16::try_from(buffer) else { return Ok(false) };
        if frame.len() > LONGEST {
            return Ok(false);
        }
        page.write(frame);
        // grant; offset 0 and no flag, as the sums of the frame are made; id and length (`struct netif_tx_request`).
        let before = self.transmit.requests;
        self.transmit.lend(buffer, [reference, 0, u32::from(id) | u32::from(length) << 16]);
        self.notify |= self.transmit.show(before);
        Ok(true)
    }

    /// Takes back what was sent, whatever became of it: a frame that a network lost.
    fn reap(&mut self) -> Result<(), Fault> {
        while self.transmit.next()?.is_some() {}
        Ok(())
    }

    /// Whether the other end is to be notified, once.
    pub fn poll_notify(&mut self) -> bool {
        core::mem::take(&mut self.notify)
    }
}

#[cfg(test)]
mod tests;
