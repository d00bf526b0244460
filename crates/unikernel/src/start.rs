//! What a hypervisor says at the entry (PVH's `hvm_start_info`, Xen's `arch-x86/hvm/start_info.h`), and where the heap
//! goes. Pure: memory is read through a function, since its structures have no alignment.

use alloc::vec::Vec;

/// Memory, by physical address; `None` where there is none.
pub trait Memory {
    /// `N` octets at `at`.
    fn read<const N: usize>(&self, at: u64) -> Option<[u8; N]>;
}

/// A range of addresses, its end left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// The first.
    pub start: u64,
    /// The one after the last.
    pub end: u64,
}

impl Range {
    /// Whether `at` is inside.
    #[must_use]
    pub fn holds(&self, at: u64) -> bool {
        (self.start..self.end).contains(&at)
    }
}

/// What is told at the entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartInfo {
    /// The first module.
    pub module: Option<Range>,
    /// The command line, without its zero.
    pub command_line: Option<Range>,
    /// Memory that can be used.
    pub ram: [Range; MAX_REGIONS],
    /// What the loader put somewhere and must not be written over.
    pub taken: [Range; 5],
}

/// Regions of memory that are looked at: a machine has three or four.
pub const MAX_REGIONS: usize = 8;
/// Octets of a command line that are read: QEMU's devices take 40 each.
pub const MAX_COMMAND_LINE: u64 = 4_096;

const MAGIC: u32 = 0x336e_c578;
const PAGE: u64 = 4_096;

impl StartInfo {
    /// Reads it at `at`; `None` if it is not there. Does not allocate: there is no heap yet.
    pub fn read(memory: &impl Memory, at: u64) -> Option<Self> {
        let word = |offset: u64| memory.read(at.checked_add(offset)?).map(u32::from_le_bytes);
        let long = |offset: u64| memory.read(at.checked_add(offset)?).map(u64::from_le_bytes);
        if word(0)? != MAGIC {
            return None;
        }
        let (version, modules, list, command_line) = (word(4)?, word(12)?, long(16)?, long(24)?);
        let mut info = Self::default();
        info.taken[0] = range(at, 56);
        if modules > 0 {
            let start = memory.read(list).map(u64::from_le_bytes)?;
            let length = memory.read(list.checked_add(8)?).map(u64::from_le_bytes)?;
            info.module = Some(range(start, length));
            info.taken[1] = range(start, length);
            info.taken[2] = range(list, u64::from(modules).saturating_mul(32));
        }
        if command_line != 0 {
            let mut end = command_line;
            while end - command_line < MAX_COMMAND_LINE && memory.read::<1>(end)? != [0] {
                end = end.checked_add(1)?;
            }
            info.command_line = Some(Range { start: command_line, end });
            info.taken[3] = Range { start: command_line, end: end.checked_add(1)? };
        }
        if version >= 1 {
            let (map, entries) = (long(40)?, word(48)?);
            info.taken[4] = range(map, u64::from(entries).saturating_mul(24));
            let usable = (0..u64::from(entries)).filter_map(|n| {
                let entry = map.checked_add(n.checked_mul(24)?)?;
                let start = memory.read(entry).map(u64::from_le_bytes)?;
                let length = memory.read(entry.checked_add(8)?).map(u64::from_le_bytes)?;
                let kind = memory.read(entry.checked_add(16)?).map(u32::from_le_bytes)?;
                (kind == 1).then(|| range(start, length))
            });
            for (to, from) in info.ram.iter_mut().zip(usable) {
                *to = from;
            }
        }
        Some(info)
    }

    /// The end of the memory that holds the image.
    #[must_use]
    pub fn ram_end(&self, image: Range) -> Option<u64> {
        self.ram.iter().find(|ram| ram.start <= image.start && ram.end >= image.end).map(|ram| ram.end)
    }

    /// The largest gap behind `from` and below `end` in which nothing was put, in whole pages. Loaders put things
    /// anywhere: QEMU below 1 MiB and at the top, Xen right behind the image.
    #[must_use]
    pub fn heap(&self, from: u64, end: u64) -> Range {
        let mut taken = self.taken;
        taken.sort_unstable();
        let (mut best, mut at) = (Range { start: from, end: from }, from);
        for next in taken.into_iter().chain([Range { start: end, end }]) {
            let until = (next.start.min(end)) & !(PAGE - 1);
            if until > at && until - at > best.end - best.start {
                best = Range { start: at, end: until };
            }
            at = at.max(next.end.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX));
        }
        best
    }
}

/// The virtio devices that a command line names, as address and interrupt: `virtio_mmio.device=512@0xfeb00e00:12`, as
/// QEMU's microvm and Firecracker write it for Linux.
#[must_use]
pub fn virtio_devices(command_line: &str) -> Vec<(u64, u32)> {
    let words = command_line.split_ascii_whitespace().filter_map(|word| word.strip_prefix("virtio_mmio.device="));
    let device = |word: &str| {
        let (_, place) = word.split_once('@')?;
        let mut parts = place.split(':');
        let address = parts.next()?;
        let address = match address.strip_prefix("0x") {
            Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).ok()?,
            None => address.parse().ok()?,
        };
        Some((address, parts.next()?.parse().ok()?))
    };
    words.filter_map(device).take(MAX_DEVICES).collect()
}

/// A node has two; microvm can have 32.
const MAX_DEVICES: usize = 32;

fn range(start: u64, length: u64) -> Range {
    Range { start, end: start.saturating_add(length) }
}

#[cfg(test)]
mod tests;
