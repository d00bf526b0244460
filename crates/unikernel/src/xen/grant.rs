//! The table by which another domain may use pages of this one (Xen's `grant_table.h`, version 1): a page of 512 entries.
//! A machine grants what its card needs when it starts, and takes nothing back, since it lives as long as its card.

use core::sync::atomic::{AtomicU32, Ordering};

/// The table.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct GrantPage([[AtomicU32; 2]; 512]);

/// Entries below are the toolstack's: it grants itself the pages of store and console there.
const FIRST: u32 = 8;
/// Flags of an entry: it grants; to read alone.
const PERMIT: u32 = 1;
const READ_ONLY: u32 = 1 << 2;

impl GrantPage {
    /// As it is before Xen has put its own in its place.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { [AtomicU32::new(0), AtomicU32::new(0)] }; 512])
    }
}

impl Default for GrantPage {
    fn default() -> Self {
        Self::new()
    }
}

/// Gives out entries of a table.
#[derive(Debug)]
pub struct Grants<'p> {
    page: &'p GrantPage,
    next: u32,
    /// To whom.
    domain: u16,
}

impl<'p> Grants<'p> {
    /// Entries for `domain`.
    #[must_use]
    pub fn new(page: &'p GrantPage, domain: u16) -> Self {
        Self { page, next: FIRST, domain }
    }

    /// Lets the domain use the page at frame `frame`; the number of the entry. `None` when the table is full.
    pub fn grant(&mut self, frame: u32, to_read_only: bool) -> Option<u32> {
        let reference = self.next;
        let [flags, place] = self.page.0.get(usize::try_from(reference).ok()?)?;
        place.store(frame, Ordering::Relaxed);
        let rights = PERMIT | if to_read_only { READ_ONLY } else { 0 };
        // What makes the entry valid comes last.
        flags.store(rights | u32::from(self.domain) << 16, Ordering::Release);
        self.next += 1;
        Some(reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_to_whom_what_and_how_and_the_toolstacks_are_left_alone() {
        let page = GrantPage::new();
        let mut grants = Grants::new(&page, 3);
        assert_eq!((grants.grant(0x1234, false), grants.grant(0x1235, true)), (Some(8), Some(9)));
        let entry = |n: usize| (page.0[n][0].load(Ordering::Relaxed), page.0[n][1].load(Ordering::Relaxed));
        assert_eq!((entry(7), entry(8), entry(9)), ((0, 0), (0x0003_0001, 0x1234), (0x0003_0005, 0x1235)));
    }

    #[test]
    fn a_full_table_gives_nothing_more() {
        let page = GrantPage::new();
        let mut grants = Grants::new(&page, 0);
        let given = (0..600).filter(|&frame| grants.grant(frame, false).is_some()).count();
        assert_eq!(given, 512 - 8);
    }
}
