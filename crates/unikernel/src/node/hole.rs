//! What an intruder would do who has got the node to run something of his: for tests only, in an image that is never
//! shipped. The command line says which; each is to end the machine.

use core::{arch::asm, hint::black_box};

use chaff_unikernel::pages::SMALL;

/// Does what `hole=` says; returns if it says nothing.
pub(crate) fn fall_into(command_line: &str) {
    let hole = command_line.split_ascii_whitespace().find_map(|word| word.strip_prefix("hole="));
    match hole {
        None => return,
        Some("write-code") => write(fall_into as *const () as u64),
        Some("write-constant") => write("constant".as_ptr() as u64),
        Some("run-data") => run(&raw const DATA as u64),
        Some("run-heap") => run(alloc::vec![RETURN; 64].as_ptr() as u64),
        Some("run-stack") => run([RETURN; 64].as_ptr() as u64),
        Some("read-null") => _ = black_box(read(8)),
        Some("read-nowhere") => _ = black_box(read(2 << 30)),
        Some("overrun-stack") => _ = black_box(deeper(1)),
        Some("out-of-memory") => _ = black_box(alloc::vec![1u8; 1 << 30]),
        Some("panic") => panic!("as told"),
        Some(other) => panic!("no such hole: {other}"),
    }
    panic!("it was let through");
}

/// An instruction that returns.
const RETURN: u8 = 0xc3;
static mut DATA: [u8; SMALL as usize] = [RETURN; SMALL as usize];

fn write(at: u64) {
    // SAFETY: none: that is what is tried.
    unsafe { asm!("mov byte ptr [{}], 0", in(reg) at) }
}

fn read(at: u64) -> u64 {
    let value;
    // SAFETY: none: that is what is tried.
    unsafe { asm!("mov {}, [{}]", out(reg) value, in(reg) at) }
    value
}

fn run(at: u64) {
    // SAFETY: none: that is what is tried.
    unsafe { asm!("call {}", in(reg) at, clobber_abi("C")) }
}

#[expect(unconditional_recursion, reason = "that is what is tried")]
fn deeper(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    deeper(depth + 1) + room[(depth % 64) as usize]
}
