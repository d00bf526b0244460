//! The page in which Xen says that something came (Xen's `struct shared_info`, x86-64; the two-level bits). Which device
//! it was is not looked at: all of them are, at each turn.

use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// See the module. The first octet says that any bit is set, and an interrupt comes as long as it does.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct SharedInfo {
    /// Of processor 0: whether anything is pending.
    upcall: AtomicU8,
    _masked: AtomicU8,
    _unused: [AtomicU8; 6],
    /// Of processor 0: which words have a bit.
    selected: AtomicU64,
    _others: [AtomicU64; 254],
    pending: [AtomicU64; 64],
    masked: [AtomicU64; 64],
}

impl SharedInfo {
    /// As it is before Xen has put its own in its place.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            upcall: AtomicU8::new(0),
            _masked: AtomicU8::new(0),
            _unused: [const { AtomicU8::new(0) }; 6],
            selected: AtomicU64::new(0),
            _others: [const { AtomicU64::new(0) }; 254],
            pending: [const { AtomicU64::new(0) }; 64],
            masked: [const { AtomicU64::new(0) }; 64],
        }
    }

    /// Lets every event through. Those that Xen has noted so far may have raised nothing; look at every device after.
    pub fn unmask_all(&self) {
        for word in &self.masked {
            word.store(0, Ordering::SeqCst);
        }
    }

    /// Takes note of all events, so that the next of each raises an interrupt again. In the order in which none is lost:
    /// one that comes behind `selected` being read leaves `upcall` set, which wakes once for nothing.
    pub fn take(&self) {
        self.upcall.store(0, Ordering::SeqCst);
        self.selected.swap(0, Ordering::SeqCst);
        for word in &self.pending {
            if word.load(Ordering::SeqCst) != 0 {
                word.swap(0, Ordering::SeqCst);
            }
        }
    }
}

impl Default for SharedInfo {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use core::mem::offset_of;

    use super::*;

    #[test]
    fn it_is_laid_out_as_xen_has_it() {
        // 32 processors of 64 octets come before the bits.
        assert_eq!((offset_of!(SharedInfo, upcall), offset_of!(SharedInfo, selected)), (0, 8));
        assert_eq!((offset_of!(SharedInfo, pending), offset_of!(SharedInfo, masked)), (2_048, 2_560));
        assert_eq!(size_of::<SharedInfo>(), super::super::PAGE);
    }

    #[test]
    fn what_is_taken_is_gone_and_can_come_again() {
        let page = SharedInfo::new();
        page.masked.iter().for_each(|word| word.store(u64::MAX, Ordering::Relaxed));
        page.unmask_all();
        assert!(page.masked.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        for word in [0, 5, 63] {
            page.pending[word].store(1 << word, Ordering::Relaxed);
        }
        page.upcall.store(1, Ordering::Relaxed);
        page.selected.store(1 << 5, Ordering::Relaxed);
        page.take();
        assert_eq!((page.upcall.load(Ordering::Relaxed), page.selected.load(Ordering::Relaxed)), (0, 0));
        assert!(page.pending.iter().all(|word| word.load(Ordering::Relaxed) == 0));
    }
}
