//! Instructions of the processor that Rust has no words for, and the end of the machine.

use core::{
    arch::{
        asm,
        x86_64::{__cpuid, _rdtsc},
    },
    fmt::{self, Write},
};

pub(crate) fn out8(port: u16, value: u8) {
    // SAFETY: the ports that this program writes reach no memory.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags)) }
}

pub(crate) fn out32(port: u16, value: u32) {
    // SAFETY: as above.
    unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nomem, nostack, preserves_flags)) }
}

pub(crate) fn in32(port: u16) -> u32 {
    let value;
    // SAFETY: as above.
    unsafe { asm!("in eax, dx", in("dx") port, out("eax") value, options(nomem, nostack, preserves_flags)) }
    value
}

pub(crate) fn write_msr(register: u32, value: u64) {
    // SAFETY: the registers that this program writes are the timer's and the clock's.
    unsafe {
        asm!("wrmsr", in("ecx") register, in("eax") value as u32, in("edx") (value >> 32) as u32, options(nostack));
    }
}

pub(crate) fn read_msr(register: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads only, of registers that every processor in long mode has.
    unsafe { asm!("rdmsr", in("ecx") register, out("eax") low, out("edx") high, options(nomem, nostack)) }
    u64::from(high) << 32 | u64::from(low)
}

/// The time-stamp counter.
pub(crate) fn counter() -> u64 {
    // SAFETY: every processor in long mode has one.
    unsafe { _rdtsc() }
}

/// What the processor draws; `None` if it has no such instruction, or nothing just now.
pub(crate) fn draw() -> Option<u64> {
    if __cpuid(1).ecx & 1 << 30 == 0 {
        return None;
    }
    (0..10).find_map(|_| {
        let (value, good): (u64, u8);
        // SAFETY: the processor has the instruction.
        unsafe { asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) good, options(nomem, nostack)) }
        (good == 1).then_some(value)
    })
}

/// The serial port and the hypervisor's own port for messages; whichever is not there swallows them.
pub(crate) struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for octet in text.bytes() {
            out8(0x3f8, octet);
            out8(0xe9, octet);
        }
        Ok(())
    }
}

/// Ends the machine: Xen's call, QEMU's device for it, or a fault that nobody handles, which a hypervisor that may not restart it
/// takes for the end.
pub(crate) fn end(code: u8) -> ! {
    crate::xen::end(code);
    out8(0xf4, code);
    let no_handlers = [0u16; 5];
    // SAFETY: nothing is to go on after this.
    unsafe { asm!("lidt [{}]", "ud2", in(reg) &raw const no_handlers, options(noreturn)) }
}
