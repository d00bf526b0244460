//! `chaff-node`: one decoy, and nothing else in the machine. Boots by PVH under QEMU (microvm, q35) and Xen, takes its
//! decoy from the boot module, answers on its card, tells what it sees on its console.
//!
//! No file, no shell, no other program, no second thread: between interrupts it sleeps. What can be tried without a
//! machine is in the library beside it.
#![no_std]
#![no_main]

extern crate alloc;

mod boot;
mod clock;
mod device;
#[cfg(feature = "hole")]
mod hole;
mod interrupts;
mod machine;
mod memory;
mod paging;
mod panic;
mod virtio;
mod work;
mod xen;

use core::slice;

use chaff_unikernel::{
    build,
    module::BootModule,
    start::{Memory, Range, StartInfo},
};

/// By this a host knows before it starts anything whether the image understands it.
// SAFETY: octets that nobody writes, among other constants; the linker's script keeps them.
#[used]
#[unsafe(link_section = ".rodata.build")]
static MARK: [u8; build::MARK.len()] = build::MARK;

/// The first Rust that runs. `at`: where the hypervisor says what there is.
extern "C" fn main(at: u64) -> ! {
    let begun = machine::counter();
    let info = StartInfo::read(&Physical, at).expect("no start_info");
    let image = paging::image();
    let layout = paging::layout(info.ram_end(image).expect("no memory holds the image"));
    paging::protect(&layout);
    interrupts::start();
    let heap = info.heap(image.end, layout.usable_end());
    // SAFETY: once; `heap` is memory behind the image in which the loader put nothing.
    unsafe { memory::give(heap.start as usize, (heap.end - heap.start) as usize) };
    let command_line = info.command_line.map_or("", |range| core::str::from_utf8(octets(range)).unwrap_or_default());
    #[cfg(feature = "hole")]
    hole::fall_into(command_line);
    let module = info.module.map_or(&[][..], octets);
    let module = BootModule::decode(module).unwrap_or_else(|error| panic!("{error}"));
    let clock = clock::Clock::start(module.now, module.counter_khz);
    let devices = device::Devices::find(command_line, &clock);
    work::run(begun, module, clock, devices)
}

/// What the loader left in memory.
fn octets(range: Range) -> &'static [u8] {
    assert!(range.start >= 4_096 && range.end <= chaff_unikernel::pages::MOST && range.start <= range.end);
    // SAFETY: inside memory, and the heap leaves out what the loader put there, so nobody writes to it.
    unsafe { slice::from_raw_parts(range.start as *const u8, (range.end - range.start) as usize) }
}

/// Memory as the hypervisor handed it over.
struct Physical;

impl Memory for Physical {
    fn read<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let end = at.checked_add(N as u64)?;
        if at == 0 || end > chaff_unikernel::pages::MOST {
            return None;
        }
        // SAFETY: mapped, since it is below a gigabyte; octets have no alignment.
        Some(unsafe { (at as *const [u8; N]).read() })
    }
}
