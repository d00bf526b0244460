//! The receive ring: TPACKET_V2, frames read where the kernel put them.
//!
//! V2 rather than V3, because a lone packet is seen at once and not when a block's timer runs out.
#![allow(unsafe_code)]

mod area;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU32, Ordering},
};

use area::Area;

use crate::{clock::SECOND, offload, sys};

/// Octets of a slot: the kernel's header and address (66 with a 14-octet Ethernet header) and a frame of 1,514 octets,
/// rounded up to the ring's alignment of 16. A tag that the kernel took out goes back into the header's padding.
const SLOT: usize = 1_600;

/// Octets of a block, which the kernel allocates in one piece: 81 slots with 1,472 octets to spare.
const BLOCK: usize = 128 * 1024;

/// Slots of a block.
const SLOTS_PER_BLOCK: usize = BLOCK / SLOT;

/// Blocks of the ring: 16 MiB, 10,368 slots. At 500,000 frames a second that is 20 ms: a worker that shares its core
/// with busy processes is kept from it for a few scheduling slices of 3 to 4 ms each.
const BLOCKS: usize = 128;

/// Slots of the ring.
const SLOTS: usize = BLOCKS * SLOTS_PER_BLOCK;

/// The longest frame that is taken from the socket's queue beside the ring: 64 KiB of IP, an Ethernet header, a tag.
const LARGEST: usize = 65_535 + 14 + 4;

const _: () = assert!(SLOT.is_multiple_of(16) && BLOCK.is_multiple_of(4096));
const _: () = assert!(SLOT >= 66 + 1_514);

/// A packet socket with its receive ring.
#[derive(Debug)]
pub(crate) struct RxRing {
    socket: OwnedFd,
    area: Area,
    next: usize,
    large: Vec<u8>,
    /// Frames that were longer than a slot and could not be had whole.
    pub(crate) oversize: u64,
}

/// A frame in its slot. Dropping it gives the slot back to the kernel.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    status: &'a AtomicU32,
    octets: &'a [u8],
    /// When it was received, in nanoseconds of the time of day.
    pub(crate) stamp: u64,
}

impl RxRing {
    /// Gives `socket` a ring (a new one, if a worker before had one) and starts to receive.
    pub(crate) fn attach(socket: OwnedFd) -> io::Result<Self> {
        let index = sys::bound_index(&socket)?.ok_or(io::ErrorKind::NotFound)?;
        // Nothing is received while the ring changes.
        sys::bind_packet(&socket, index, 0)?;
        sys::set_option(&socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request(0))?;
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        sys::set_option(&socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        sys::set_option(&socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request(BLOCKS))?;
        // Frames go out by `write`, which has no flag of its own for it.
        rustix::io::ioctl_fionbio(&socket, true)?;
        let area = Area::map(&socket, BLOCKS * BLOCK)?;
        sys::bind_packet(&socket, index, libc::ETH_P_ALL as u16)?;
        Ok(Self { socket, area, next: 0, large: Vec::new(), oversize: 0 })
    }

    /// The next frame, if one is ready: with the tag and the checksum that it would have on the wire.
    pub(crate) fn take(&mut self) -> Option<Frame<'_>> {
        loop {
            let slot = self.area.at(slot_offset(self.next), SLOT)?;
            // SAFETY: the slot is aligned to 16 octets, inside of the mapping, and begins with the status word, which
            // both sides access as one word; the mapping outlives `self`.
            let status = unsafe { AtomicU32::from_ptr(slot.as_ptr().cast()) };
            let flags = status.load(Ordering::Acquire);
            if flags & libc::TP_STATUS_USER == 0 {
                return None;
            }
            self.next = (self.next + 1) % SLOTS;
            // SAFETY: the status says that the kernel has filled the slot and leaves it alone until the status is
            // cleared; the header is a struct of integers at its beginning.
            let header = unsafe { slot.as_ptr().cast::<libc::tpacket2_hdr>().read() };
            let stamp = u64::from(header.tp_sec) * SECOND + u64::from(header.tp_nsec);
            let whole = header.tp_snaplen == header.tp_len;
            let range = if whole {
                // SAFETY: as above: until the status is cleared, nobody else touches these octets.
                let octets = unsafe { std::slice::from_raw_parts_mut(slot.as_ptr().cast::<u8>(), SLOT) };
                offload::restore(octets, &placement(&header, flags))
            } else {
                None
            };
            if let Some(range) = range {
                // SAFETY: as above; the exclusive borrow has ended, and `restore` gave a range inside of the slot.
                let octets =
                    unsafe { std::slice::from_raw_parts(slot.as_ptr().cast::<u8>().add(range.start), range.len()) };
                return Some(Frame { status, octets, stamp });
            }
            let large = !whole && flags & libc::TP_STATUS_COPY != 0;
            let place = placement(&header, flags);
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
            if large && let Some(range) = self.take_large(&place) {
                let octets = self.large.get(range)?;
                return Some(Frame { status: &RELEASED, octets, stamp });
            }
            self.oversize += 1;
        }
    }

    /// Reads a frame that did not fit into its slot from the queue beside the ring.
    fn take_large(&mut self, place: &offload::Placement) -> Option<std::ops::Range<usize>> {
        self.large.resize(offload::ROOM + LARGEST, 0);
        let target = self.large.get_mut(offload::ROOM..)?;
        let (_, length) = rustix::net::recv(&self.socket, target, rustix::net::RecvFlags::TRUNC).ok()?;
        let place = offload::Placement { start: offload::ROOM, length, ..*place };
        offload::restore(&mut self.large, &place)
    }

    /// How many frames were lost for lack of a free slot since the last call.
    pub(crate) fn lost(&self) -> u64 {
        sys::lost_frames(&self.socket).unwrap_or(0)
    }

    /// Takes the socket's pending error, so that it is reported once.
    pub(crate) fn take_error(&self) -> io::Result<()> {
        rustix::net::sockopt::socket_error(&self.socket)?.map_err(io::Error::from)
    }

    /// Whether the interface is gone for good.
    pub(crate) fn is_orphan(&self) -> bool {
        crate::socket::is_orphan(&self.socket)
    }
}

impl AsFd for RxRing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Frame<'_> {
    pub(crate) fn octets(&self) -> &[u8] {
        self.octets
    }
}

impl std::ops::Drop for Frame<'_> {
    fn drop(&mut self) {
        self.status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
    }
}

/// The status word of frames that are in no slot any more.
static RELEASED: AtomicU32 = AtomicU32::new(libc::TP_STATUS_KERNEL);

fn placement(header: &libc::tpacket2_hdr, flags: u32) -> offload::Placement {
    let tagged = flags & libc::TP_STATUS_VLAN_VALID != 0;
    let tpid = if flags & libc::TP_STATUS_VLAN_TPID_VALID != 0 { header.tp_vlan_tpid } else { offload::TPID_8021Q };
    offload::Placement {
        start: usize::from(header.tp_mac),
        length: usize::try_from(header.tp_snaplen).unwrap_or(usize::MAX),
        tag: tagged.then_some((tpid, header.tp_vlan_tci)),
        checksum_missing: flags & libc::TP_STATUS_CSUMNOTREADY != 0,
    }
}

/// Where slot `index` begins: slots do not cross blocks.
fn slot_offset(index: usize) -> usize {
    index / SLOTS_PER_BLOCK * BLOCK + index % SLOTS_PER_BLOCK * SLOT
}

fn request(blocks: usize) -> libc::tpacket_req {
    if blocks == 0 {
        return libc::tpacket_req { tp_block_size: 0, tp_block_nr: 0, tp_frame_size: 0, tp_frame_nr: 0 };
    }
    libc::tpacket_req {
        tp_block_size: BLOCK as u32,
        tp_block_nr: blocks as u32,
        tp_frame_size: SLOT as u32,
        tp_frame_nr: (blocks * SLOTS_PER_BLOCK) as u32,
    }
}

#[cfg(test)]
mod tests;
