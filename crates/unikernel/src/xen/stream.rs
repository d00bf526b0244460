//! A ring of octets, one direction of the store's or the console's (Xen's `io/xs_wire.h`, `io/console.h`). Indices run
//! freely and are taken modulo the length, which is a power of two.

use core::sync::atomic::{AtomicU8, AtomicU32, Ordering, fence};

use super::Fault;

/// The page of the store (`struct xenstore_domain_interface`).
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct StorePage {
    requests: [AtomicU8; 1_024],
    responses: [AtomicU8; 1_024],
    requests_consumed: AtomicU32,
    requests_produced: AtomicU32,
    responses_consumed: AtomicU32,
    responses_produced: AtomicU32,
}

/// The page of the console (`struct xencons_interface`): `input` is what this machine reads.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct ConsolePage {
    input: [AtomicU8; 1_024],
    output: [AtomicU8; 2_048],
    input_consumed: AtomicU32,
    input_produced: AtomicU32,
    output_consumed: AtomicU32,
    output_produced: AtomicU32,
}

impl StorePage {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            requests: [const { AtomicU8::new(0) }; 1_024],
            responses: [const { AtomicU8::new(0) }; 1_024],
            requests_consumed: AtomicU32::new(0),
            requests_produced: AtomicU32::new(0),
            responses_consumed: AtomicU32::new(0),
            responses_produced: AtomicU32::new(0),
        }
    }

    /// This end of it: what is asked, what is answered.
    #[must_use]
    pub fn ends(&self) -> (Output<'_>, Input<'_>) {
        (
            Output::new(&self.requests, &self.requests_produced, &self.requests_consumed),
            Input::new(&self.responses, &self.responses_produced, &self.responses_consumed),
        )
    }
}

impl ConsolePage {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            input: [const { AtomicU8::new(0) }; 1_024],
            output: [const { AtomicU8::new(0) }; 2_048],
            input_consumed: AtomicU32::new(0),
            input_produced: AtomicU32::new(0),
            output_consumed: AtomicU32::new(0),
            output_produced: AtomicU32::new(0),
        }
    }

    /// This end of it: what is said, what is heard.
    #[must_use]
    pub fn ends(&self) -> (Output<'_>, Input<'_>) {
        (
            Output::new(&self.output, &self.output_produced, &self.output_consumed),
            Input::new(&self.input, &self.input_produced, &self.input_consumed),
        )
    }
}

impl Default for StorePage {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for ConsolePage {
    fn default() -> Self {
        Self::new()
    }
}

/// What this end writes.
#[derive(Debug)]
pub struct Output<'p> {
    octets: &'p [AtomicU8],
    shared: &'p AtomicU32,
    theirs: &'p AtomicU32,
    /// As in `shared`, which the other end can change.
    produced: u32,
}

impl<'p> Output<'p> {
    fn new(octets: &'p [AtomicU8], shared: &'p AtomicU32, theirs: &'p AtomicU32) -> Self {
        Self { octets, shared, theirs, produced: shared.load(Ordering::Relaxed) }
    }

    /// Octets for which there is room.
    ///
    /// # Errors
    /// When the other end has read what was never written.
    pub fn room(&self) -> Result<usize, Fault> {
        let waiting = difference(self.produced, self.theirs.load(Ordering::Acquire));
        self.octets.len().checked_sub(waiting).ok_or(Fault::Index)
    }

    /// Writes as much of `content` as there is room for; how much. If it is anything, the other end is to be notified.
    ///
    /// # Errors
    /// As above.
    pub fn write(&mut self, content: &[u8]) -> Result<usize, Fault> {
        let count = content.len().min(self.room()?);
        for (place, octet) in places(self.octets, self.produced).zip(content.iter().take(count)) {
            place.store(*octet, Ordering::Relaxed);
        }
        self.produced = self.produced.wrapping_add(u32::try_from(count).map_err(|_| Fault::Index)?);
        self.shared.store(self.produced, Ordering::Release);
        fence(Ordering::SeqCst);
        Ok(count)
    }

    /// Whether the other end has read all.
    ///
    /// # Errors
    /// As above.
    pub fn is_drained(&self) -> Result<bool, Fault> {
        Ok(self.room()? == self.octets.len())
    }
}

/// What this end reads.
#[derive(Debug)]
pub struct Input<'p> {
    octets: &'p [AtomicU8],
    theirs: &'p AtomicU32,
    shared: &'p AtomicU32,
    consumed: u32,
}

impl<'p> Input<'p> {
    fn new(octets: &'p [AtomicU8], theirs: &'p AtomicU32, shared: &'p AtomicU32) -> Self {
        Self { octets, theirs, shared, consumed: shared.load(Ordering::Relaxed) }
    }

    /// Reads as much as there is into `content`; how much. If it is anything, the other end is to be notified.
    ///
    /// # Errors
    /// When the other end says to have written more than the ring holds.
    pub fn read(&mut self, content: &mut [u8]) -> Result<usize, Fault> {
        let waiting = difference(self.theirs.load(Ordering::Acquire), self.consumed);
        if waiting > self.octets.len() {
            return Err(Fault::Index);
        }
        let count = waiting.min(content.len());
        for (place, octet) in places(self.octets, self.consumed).zip(content.iter_mut().take(count)) {
            *octet = place.load(Ordering::Relaxed);
        }
        self.consumed = self.consumed.wrapping_add(u32::try_from(count).map_err(|_| Fault::Index)?);
        self.shared.store(self.consumed, Ordering::Release);
        fence(Ordering::SeqCst);
        Ok(count)
    }
}

fn difference(ahead: u32, behind: u32) -> usize {
    usize::try_from(ahead.wrapping_sub(behind)).unwrap_or(usize::MAX)
}

/// The places of a ring from `index` on, once around.
fn places(octets: &[AtomicU8], index: u32) -> impl Iterator<Item = &AtomicU8> {
    let at = usize::try_from(index).unwrap_or(0) % octets.len().max(1);
    octets.iter().cycle().skip(at).take(octets.len())
}

/// Xen's end, for tests: the same rings, the other way round.
#[cfg(test)]
impl StorePage {
    pub(super) fn far_ends(&self) -> (Output<'_>, Input<'_>) {
        (
            Output::new(&self.responses, &self.responses_produced, &self.responses_consumed),
            Input::new(&self.requests, &self.requests_produced, &self.requests_consumed),
        )
    }
}

#[cfg(test)]
mod tests;
