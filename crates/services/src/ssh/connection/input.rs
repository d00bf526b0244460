//! What a client sent to a session that has not read it yet.

use alloc::vec::Vec;
use core::ops::Deref;

/// Octets that come in behind and go out in front, whose cost does not grow with what waits.
#[derive(Debug, Default)]
pub(super) struct Input {
    octets: Vec<u8>,
    from: usize,
}

impl Input {
    pub(super) fn extend(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// Drops so many octets in front.
    pub(super) fn consume(&mut self, count: usize) {
        self.from = self.from.saturating_add(count).min(self.octets.len());
        // What is moved is no more than what was consumed since the last time.
        if self.from >= self.octets.len() / 2 {
            self.octets.drain(..self.from);
            self.from = 0;
        }
    }

    /// Drops what comes behind so many octets.
    pub(super) fn cut(&mut self, most: usize) {
        self.octets.truncate(self.from.saturating_add(most));
    }

    /// Takes so many octets from the front, or as many as there are.
    pub(super) fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.get(..count).unwrap_or(self).to_vec();
        self.consume(count);
        taken
    }
}

impl Deref for Input {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.octets.get(self.from..).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::Input;

    #[test]
    fn octets_go_out_as_they_came_in_and_nothing_is_kept_of_them() {
        let mut input = Input::default();
        let (mut sent, mut read) = (0_u8..=255).cycle().zip(0..10_000).map(|(octet, _)| octet).fold(
            (Vec::new(), Vec::new()),
            |(mut sent, mut read), octet| {
                input.extend(&[octet, octet]);
                sent.extend([octet, octet]);
                read.extend(input.take(1));
                (sent, read)
            },
        );
        assert_eq!((input.len(), sent.len()), (10_000, 20_000));
        input.consume(3);
        read.extend_from_slice(&sent[10_000..10_003]);
        read.extend(input.take(usize::MAX));
        assert_eq!(read, sent);
        sent.clear();
        assert!(input.is_empty() && input.octets.is_empty() && input.take(5).is_empty());
    }
}
