//! Exceptions end the machine; interrupts only wake it. They are open nowhere but in [`wait`], so nothing is ever
//! interrupted that has state.

use core::{
    arch::{asm, global_asm},
    fmt::Write,
};

use crate::machine::{Serial, end, read_msr, write_msr};

/// The vector of devices.
pub(crate) const DEVICE: u8 = 0x30;
/// The vector of the timer.
pub(crate) const TIMER: u8 = 0x31;
/// The vector of Xen's events.
pub(crate) const EVENT: u8 = 0x32;
const SPURIOUS: u8 = 0x3f;

const LOCAL: usize = 0xfee0_0000;
/// Registers of the local controller (Intel SDM 3A §10.4.1).
const ID: usize = 0x20;
const PRIORITY: usize = 0x80;
const ENABLE: usize = 0xf0;
const LINT0: usize = 0x350;
const LINT1: usize = 0x360;
pub(crate) const TIMER_ENTRY: usize = 0x320;
pub(crate) const TIMER_START: usize = 0x380;
pub(crate) const TIMER_LEFT: usize = 0x390;
const TIMER_DIVIDE: usize = 0x3e0;
const MASKED: u32 = 1 << 16;

global_asm!(
    r#"
    .section .text.interrupts, "ax", @progbits
    .globl __on_interrupt, __on_event, __on_spurious
__on_interrupt:                  /* has a stack of its own; touches rax alone */
    push rax
    mov eax, 0xfee000b0
    mov dword ptr [rax], 0
    pop rax
    iretq
__on_event:                      /* is called as long as the first octet of Xen's page is set */
    mov byte ptr [rip + {shared}], 0
    iretq
__on_spurious:
    iretq
    .altmacro
    .macro EXCEPTION n
__exception\n:
    .if (\n == 8) || (\n >= 10 && \n <= 14) || (\n == 17) || (\n == 21) || (\n == 29) || (\n == 30)
    .else
    push 0
    .endif
    push \n
    jmp __on_exception
    .endm
    .set i, 0
    .rept 32
    EXCEPTION %i
    .set i, i+1
    .endr
__on_exception:
    mov rdi, rsp
    and rsp, -16
    call {exception}
    .section .rodata.exceptions, "a", @progbits
    .globl __exceptions
    .align 8
__exceptions:
    .macro ENTRY n
    .quad __exception\n
    .endm
    .set i, 0
    .rept 32
    ENTRY %i
    .set i, i+1
    .endr
    .noaltmacro
"#,
    exception = sym exception,
    shared = sym crate::xen::SHARED,
);

unsafe extern "C" {
    static __exceptions: [u64; 32];
    static mut __gdt: [u64; 5];
    static __interrupt_stack_top: u8;
    static __exception_stack_top: u8;
    fn __on_interrupt();
    fn __on_event();
    fn __on_spurious();
}

/// Vector, error code, then what the processor pushed.
extern "C" fn exception(frame: *const [u64; 7]) -> ! {
    // SAFETY: the stub above pushed it.
    let [vector, error, rip, _, _, rsp, _] = unsafe { *frame };
    let address: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack)) };
    let _ = writeln!(
        Serial,
        "chaff-node: exception {vector}, error {error:#x}, at {rip:#x}, stack {rsp:#x}, address {address:#x}"
    );
    end(3)
}

#[repr(C, align(16))]
struct Gates([[u64; 2]; 64]);
static mut GATES: Gates = Gates([[0; 2]; 64]);

/// The task state, which tells of the stacks alone: 104 octets.
#[repr(C, align(16))]
struct TaskState([u32; 26]);
static mut TASK_STATE: TaskState = TaskState([0; 26]);

/// An interrupt gate to code segment 8, on stack `stack` of the task state.
fn gate(handler: u64, stack: u64) -> [u64; 2] {
    let low = (handler & 0xffff) | 0x08 << 16 | stack << 32 | 0x8e << 40 | (handler >> 16 & 0xffff) << 48;
    [low, handler >> 32]
}

/// Sets up handlers and the local controller.
pub(crate) fn start() {
    let interrupt = __on_interrupt as *const () as u64;
    // SAFETY: runs once, before any interrupt; the tables are ours alone.
    unsafe {
        let state = &raw mut TASK_STATE;
        let words = &mut (*state).0;
        let mut set = |at: usize, value: u64| (words[at], words[at + 1]) = (value as u32, (value >> 32) as u32);
        set(9, (&raw const __interrupt_stack_top) as u64);
        set(11, (&raw const __exception_stack_top) as u64);
        // No map of ports.
        words[25] = 104 << 16;
        let base = state as u64;
        __gdt[3] = 103 | (base & 0xff_ffff) << 16 | 0x89 << 40 | (base >> 24 & 0xff) << 56;
        __gdt[4] = base >> 32;
        asm!("ltr {0:x}", in(reg) 0x18u16, options(nostack));
        let gates = &raw mut GATES;
        let gates = &mut (*gates).0;
        for (gate_of, handler) in gates.iter_mut().zip(__exceptions) {
            *gate_of = gate(handler, 2);
        }
        gates[usize::from(DEVICE)] = gate(interrupt, 1);
        gates[usize::from(TIMER)] = gate(interrupt, 1);
        gates[usize::from(EVENT)] = gate(__on_event as *const () as u64, 1);
        gates[usize::from(SPURIOUS)] = gate(__on_spurious as *const () as u64, 1);
        let base = gates.as_ptr() as u64;
        let table: [u16; 5] = [64 * 16 - 1, base as u16, (base >> 16) as u16, (base >> 32) as u16, (base >> 48) as u16];
        asm!("lidt [{}]", in(reg) &raw const table, options(nostack));
    }
    // The old controllers, where there are any, say nothing.
    crate::machine::out8(0x21, 0xff);
    crate::machine::out8(0xa1, 0xff);
    let base = read_msr(0x1b);
    write_msr(0x1b, (base & 0xfff) & !(1 << 10) | LOCAL as u64 | 1 << 11);
    write(ENABLE, 0x100 | u32::from(SPURIOUS));
    write(PRIORITY, 0);
    write(LINT0, MASKED);
    write(LINT1, MASKED);
    write(TIMER_DIVIDE, 0b1011);
    write(TIMER_ENTRY, MASKED);
}

/// Writes a register of the local controller.
pub(crate) fn write(register: usize, value: u32) {
    // SAFETY: the controller is mapped there, see `pages::DEVICES`.
    unsafe { ((LOCAL + register) as *mut u32).write_volatile(value) }
}

/// Reads a register of the local controller.
pub(crate) fn read(register: usize) -> u32 {
    // SAFETY: as above.
    unsafe { ((LOCAL + register) as *const u32).read_volatile() }
}

/// Address and content of a message that interrupts this processor (Intel SDM 3A §10.11).
pub(crate) fn message() -> (u32, u32) {
    (LOCAL as u32 | (read(ID) >> 24) << 12, u32::from(DEVICE))
}

/// Has line `line` of the controllers for lines interrupt this processor at each edge.
pub(crate) fn route(line: u32) {
    let (base, pin) = if line < 24 { (0xfec0_0000_usize, line) } else { (0xfec1_0000, line - 24) };
    let write = |register: u32, value: u32| {
        // SAFETY: microvm has its controllers at these two addresses; both are mapped as devices.
        unsafe {
            (base as *mut u32).write_volatile(register);
            ((base + 0x10) as *mut u32).write_volatile(value);
        }
    };
    if pin < 24 {
        write(0x10 + 2 * pin + 1, read(ID) & 0xff00_0000);
        write(0x10 + 2 * pin, u32::from(DEVICE));
    }
}

/// Sleeps until an interrupt. One that came since the last time is taken at once: `sti` works after the next
/// instruction, so none is lost before `hlt`.
pub(crate) fn wait() {
    // SAFETY: the handlers keep all registers and have a stack of their own.
    unsafe { asm!("sti", "hlt", "cli") }
}
