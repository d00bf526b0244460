//! The functions that compiled Rust expects of every platform, and the heap.

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::asm,
    cell::UnsafeCell,
    ptr::{NonNull, null_mut},
};

use linked_list_allocator::Heap;

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    // SAFETY: the caller's word that both are `n` octets long. Instructions, since a loop would be compiled into a call of
    // this function; eight octets at a time, since software emulation takes as long for each turn, however much it moves.
    unsafe {
        asm!("rep movsq", "mov rcx, {rest}", "rep movsb", rest = in(reg) n % 8, inout("rcx") n / 8 => _,
             inout("rdi") to => _, inout("rsi") from => _, options(nostack, preserves_flags));
    }
    to
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= n {
        // SAFETY: the destination does not begin inside the source, so copying upwards reads before it writes.
        return unsafe { memcpy(to, from, n) };
    }
    // SAFETY: as above, downwards; the direction is put back.
    unsafe {
        asm!("std", "rep movsb", "cld", inout("rcx") n => _, inout("rdi") to.wrapping_add(n).wrapping_sub(1) => _,
             inout("rsi") from.wrapping_add(n).wrapping_sub(1) => _, options(nostack));
    }
    to
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn memset(to: *mut u8, octet: i32, n: usize) -> *mut u8 {
    let eight = u64::from(octet as u8) * 0x0101_0101_0101_0101;
    // SAFETY: the caller's word that it is `n` octets long; as above.
    unsafe {
        asm!("rep stosq", "mov rcx, {rest}", "rep stosb", rest = in(reg) n % 8, inout("rcx") n / 8 => _,
             inout("rdi") to => _, in("rax") eight, options(nostack, preserves_flags));
    }
    to
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    let mut at = 0;
    while at + 8 <= n {
        // SAFETY: below `n`, which the caller vouches for.
        let (x, y) = unsafe { (a.add(at).cast::<u64>().read_unaligned(), b.add(at).cast::<u64>().read_unaligned()) };
        if x != y {
            return if x.swap_bytes() < y.swap_bytes() { -1 } else { 1 };
        }
        at += 8;
    }
    while at < n {
        // SAFETY: below `n`, which the caller vouches for. Volatile, so that the loop stays a loop.
        let (x, y) = unsafe { (a.add(at).read_volatile(), b.add(at).read_volatile()) };
        if x != y {
            return i32::from(x) - i32::from(y);
        }
        at += 1;
    }
    0
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    // SAFETY: the same conditions.
    unsafe { memcmp(a, b, n) }
}

/// The heap. One processor, and interrupts never allocate, so nothing locks it.
pub(crate) struct OneProcessor(UnsafeCell<Heap>);

// SAFETY: there is one thread.
unsafe impl Sync for OneProcessor {}

// SAFETY: the list allocator keeps the contract; nobody enters it twice, see above.
unsafe impl GlobalAlloc for OneProcessor {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: no other reference exists while this one does.
        let heap = unsafe { &mut *self.0.get() };
        heap.allocate_first_fit(layout).map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if let Some(at) = NonNull::new(at) {
            // SAFETY: as above; the caller vouches for pointer and layout.
            unsafe { (*self.0.get()).deallocate(at, layout) }
        }
    }
}

#[global_allocator]
static HEAP: OneProcessor = OneProcessor(UnsafeCell::new(Heap::empty()));

/// Gives the heap its memory.
///
/// # Safety
/// Once, with memory that is mapped for writing and used by nobody.
pub(crate) unsafe fn give(start: usize, octets: usize) {
    // SAFETY: the caller's word.
    unsafe { (*HEAP.0.get()).init(start as *mut u8, octets) }
}

/// Octets in use, and octets in all.
pub(crate) fn used() -> (usize, usize) {
    // SAFETY: reading two numbers while nobody allocates.
    let heap = unsafe { &*HEAP.0.get() };
    (heap.used(), heap.size())
}
