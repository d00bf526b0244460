//! The real page tables, and the symbols of the linker that say where things are.

use core::arch::asm;

use chaff_unikernel::{
    pages::{DEVICES, FINE, LARGE, Layout, SMALL},
    start::Range,
};

unsafe extern "C" {
    static __image_start: u8;
    static __text_start: u8;
    static __text_end: u8;
    static __image_end: u8;
    static __interrupt_guard: u8;
    static __exception_guard: u8;
    static __stack_guard: u8;
    static mut __tables: [[u64; 512]; TABLES];
}

/// Tables as `boot.rs` has room for.
const TABLES: usize = 13;

/// Where the image is, stacks and tables included.
pub(crate) fn image() -> Range {
    Range { start: (&raw const __image_start) as u64, end: (&raw const __image_end) as u64 }
}

pub(crate) fn layout(ram_end: u64) -> Layout {
    Layout {
        image: image(),
        text: Range { start: (&raw const __text_start) as u64, end: (&raw const __text_end) as u64 },
        guards: [
            (&raw const __interrupt_guard) as u64,
            (&raw const __exception_guard) as u64,
            (&raw const __stack_guard) as u64,
        ],
        ram_end,
    }
}

/// Makes the tables and takes them into use.
pub(crate) fn protect(layout: &Layout) {
    assert!(layout.image.end <= FINE, "the image is larger than its page tables reach");
    let tables = &raw mut __tables;
    // SAFETY: the tables are ours alone, and this runs once.
    let tables = unsafe { &mut *tables };
    *tables = [[0; 512]; TABLES];
    let address = |table: &[u64; 512]| table.as_ptr() as u64;
    let [top, gigabytes, first, fourth, _, fine @ ..] = tables;
    top[0] = Layout::table(address(gigabytes));
    gigabytes[0] = Layout::table(address(first));
    gigabytes[3] = Layout::table(address(fourth));
    for (n, entry) in first.iter_mut().enumerate() {
        *entry = match fine.get_mut(n) {
            Some(table) => {
                for (m, entry) in table.iter_mut().enumerate() {
                    *entry = layout.small(n as u64 * LARGE + m as u64 * SMALL);
                }
                Layout::table(address(table))
            }
            None => layout.large(n as u64 * LARGE),
        };
    }
    for (n, entry) in fourth.iter_mut().enumerate() {
        *entry = layout.large(DEVICES.start + n as u64 * LARGE);
    }
    // SAFETY: code, stack and all data that are used from here on are mapped at the same addresses as before.
    unsafe { asm!("mov cr3, {}", in(reg) top.as_ptr(), options(nostack, preserves_flags)) };
}

/// Makes the page at `at`, which lies among devices, ordinary memory that can be read and written: a hypervisor put it there
/// to be shared, and caches it. All pages that are shared lie in the same 2 MiB.
pub(crate) fn share(at: u64) {
    assert!(DEVICES.holds(at) && at.is_multiple_of(SMALL), "a shared page at {at:#x}, which is not among devices");
    let tables = &raw mut __tables;
    // SAFETY: the tables are ours alone, and no other reference to them is held.
    let [_, _, _, fourth, spare, ..] = unsafe { &mut *tables };
    let (large, address) = (at & !(LARGE - 1), spare.as_ptr() as u64);
    let place = &mut fourth[((at - DEVICES.start) / LARGE) as usize];
    // The processor notes in an entry that it was used; the address alone says whether it is this table's.
    if *place & !(SMALL - 1) != address {
        assert!(spare.iter().all(|&entry| entry == 0), "shared pages lie apart");
        for (n, entry) in spare.iter_mut().enumerate() {
            *entry = Layout::device(large + n as u64 * SMALL);
        }
        *place = Layout::table(address);
    }
    spare[((at - large) / SMALL) as usize] = Layout::shared(at);
    // SAFETY: what was mapped still is, at the same addresses; the processor forgets what it has kept of the tables.
    unsafe { asm!("mov {0}, cr3", "mov cr3, {0}", out(reg) _, options(nostack, preserves_flags)) };
}
