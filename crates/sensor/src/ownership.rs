//! Several workers: every decoy has one owner, by the low bits of its address.
//!
//! Each worker's socket has a classic BPF filter that lets its own decoys' frames through: IPv4 by destination, ARP
//! by the address asked for, everything else (broadcast, multicast, other protocols) to worker 0. So each frame comes
//! to one worker; which of the others it concerns, the engine says, and the relay passes it on to them. A fanout group
//! would run one program instead of one for each worker, but it renumbers its members whenever one of them gets a new
//! ring, so that the death of one worker would move the decoys of another.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use crate::sys;

/// Workers at most: each frame costs a run of every worker's filter, some ten nanoseconds each, and each worker a ring
/// of 16 MiB for each interface. More cores than this are not short of packets but of a second sensor.
pub const MAX_WORKERS: usize = 16;

/// Lets only frames for decoys of `worker` into `socket`.
///
/// # Errors
/// When the kernel refuses the filter.
pub fn restrict(socket: &OwnedFd, worker: usize, workers: usize) -> io::Result<()> {
    if workers == 1 {
        return Ok(());
    }
    if workers > MAX_WORKERS || worker >= workers {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sys::attach_filter(socket.as_fd(), &program(worker as u32, workers as u32))
}

/// The same rule as [`chaff_engine::owner`]. Offsets are from the Ethernet header; the kernel has taken a tag out by then. A frame that is too short for a load
/// is not let in: it is addressed to nobody.
fn program(worker: u32, workers: u32) -> [libc::sock_filter; 13] {
    let others = if worker == 0 { ALL } else { NOTHING };
    [
        load(HALF, 12),
        jump(EQUAL, 0x0806, 6, 0), // → 8, ARP
        jump(EQUAL, 0x0800, 0, 4), // → 7, neither
        load(OCTET, 0),
        jump(ANY_BIT, 1, 2, 0), // → 7, a group address
        load(WORD, 30),
        jump(ALWAYS, 2, 0, 0), // → 9
        statement(RETURN, others),
        load(WORD, 38),
        statement(MODULO, workers),
        jump(EQUAL, worker, 0, 1), // → 12, not ours
        statement(RETURN, ALL),
        statement(RETURN, NOTHING),
    ]
}

/// Frames are let in whole.
const ALL: u32 = 0x4_0000;
const NOTHING: u32 = 0;

const WORD: u32 = libc::BPF_W;
const HALF: u32 = libc::BPF_H;
const OCTET: u32 = libc::BPF_B;
const EQUAL: u32 = libc::BPF_JEQ;
const ANY_BIT: u32 = libc::BPF_JSET;
const ALWAYS: u32 = libc::BPF_JA;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
/// Since Linux 3.7.
const MODULO: u32 = libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K;

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn load(size: u32, offset: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | size | libc::BPF_ABS, offset)
}

fn jump(condition: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_JMP | condition | libc::BPF_K) as u16, jt, jf, k }
}

#[cfg(test)]
mod tests;
