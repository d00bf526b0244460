//! What an intruder would do who has got the node to run something of his: for tests only, in an image that is never
//! shipped. The command line says which; each is to end the machine.

use alloc::vec::Vec;
use core::{arch::asm, hint::black_box, slice};

use chaff_unikernel::pages::SMALL;

use crate::device::{Card, Console};

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

/// What an intruder would do to the host and to the network, by the name of the decoy: on and on, since he has the machine.
pub(crate) fn turn_on_others(name: &str, own: [u8; 6], card: &mut Card, console: Option<&mut Console>) {
    match name {
        "hole-card" => _ = card.send(&arp(SOMEBODY, SOMEBODY, [10, 20, 0, 99])),
        "hole-address" => _ = card.send(&arp(own, own, [10, 20, 0, 99])),
        "hole-protocol" => {
            // Spanning tree: a bridge that wants to be the root.
            let mut frame = [0x01, 0x80, 0xc2, 0, 0, 0].to_vec();
            frame.extend(SOMEBODY);
            frame.extend([0, 7, 0x42, 0x42, 3, 0, 0, 0, 0, 0]);
            _ = card.send(&frame);
        }
        "hole-console" => {
            if let Some(console) = console {
                let nonsense: Vec<u8> = (0..console.longest()).map(|n| (n * 7 % 256) as u8).collect();
                while console.send(&nonsense) {}
            }
        }
        // SAFETY: none: that is what is tried.
        "hole-queue" => card.offer_nonsense(unsafe { slice::from_raw_parts((1_u64 << 46) as *const u8, 4_096) }),
        _ => {}
    }
}

/// Nobody's card on this network.
const SOMEBODY: [u8; 6] = [0x52, 0x54, 0, 0xba, 0xd0, 0x01];

fn arp(source: [u8; 6], sender: [u8; 6], ip: [u8; 4]) -> Vec<u8> {
    let mut frame = [0xff; 6].to_vec();
    frame.extend(source);
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(sender);
    frame.extend(ip);
    frame.extend([0; 6]);
    frame.extend(ip);
    frame
}
