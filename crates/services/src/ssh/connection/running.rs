//! A command that was run at once and is told of in its own time.

use alloc::vec::Vec;

use crate::shell::Written;

pub(super) struct Running {
    /// The wall clock at its begin, nanoseconds.
    begun: u64,
    said: Written,
    /// It may be ended.
    yields: bool,
}

impl Running {
    pub(super) fn new(begun: u64, said: Written) -> Self {
        Self { begun, yields: said.least() == 0, said }
    }

    /// Nanoseconds that it runs by now.
    pub(super) fn elapsed(&self, utc: u64) -> u64 {
        utc.saturating_sub(self.begun)
    }

    /// What it has written by now, each with whether it is for the channel of errors.
    pub(super) fn take(&mut self, utc: u64) -> Vec<(bool, Vec<u8>)> {
        let elapsed = self.elapsed(utc);
        self.yields |= elapsed >= self.said.least();
        self.said.take(elapsed).map(|piece| (piece.errors, piece.octets)).collect()
    }

    /// Whether control-C ends it by now.
    pub(super) fn yields(&self) -> bool {
        self.yields
    }

    /// Whether it is over and all is taken.
    pub(super) fn is_over(&self, utc: u64) -> bool {
        self.said.is_over(self.elapsed(utc))
    }

    /// When something is next to be done for it; `None`: never.
    pub(super) fn due(&self) -> Option<u64> {
        let least = (!self.yields).then(|| self.said.least());
        let due = [self.said.due(), least].into_iter().flatten().min()?;
        Some(self.begun.saturating_add(due))
    }
}
