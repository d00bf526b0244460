use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;

/// Memory in which only some ranges hold anything but zeros.
struct Written(Vec<(u64, Vec<u8>)>);

const SIZE: u64 = 8 << 20;

impl Memory for Written {
    fn read<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        if at.checked_add(N as u64)? > SIZE {
            return None;
        }
        let octet = |at: u64| {
            let place = self.0.iter().find(|(start, octets)| at >= *start && at - start < octets.len() as u64);
            place.map_or(0, |(start, octets)| octets[(at - start) as usize])
        };
        let mut read = [0; N];
        read.iter_mut().zip(at..).for_each(|(to, at)| *to = octet(at));
        Some(read)
    }
}

/// As QEMU leaves it: structures below 1 MiB without alignment, the module at the top.
fn written(version: u32) -> Written {
    let mut info = Vec::new();
    [MAGIC, version, 0, 1].iter().for_each(|word| info.extend(word.to_le_bytes()));
    [0x9_0101_u64, 0x9_0201, 0, 0x9_0301].iter().for_each(|long| info.extend(long.to_le_bytes()));
    info.extend(3u32.to_le_bytes());
    info.extend([0; 4]);
    let module: Vec<u8> = [0x7f_0000_u64, 0x8_001, 0, 0].iter().flat_map(|long| long.to_le_bytes()).collect();
    let map = [(0u64, 0x9_fc00_u64, 1u32), (0xf_0000, 0x1_0000, 2), (0x10_0000, 0x70_0000, 1)];
    let mut entries = Vec::new();
    for (start, length, kind) in map {
        entries.extend(start.to_le_bytes());
        entries.extend(length.to_le_bytes());
        entries.extend(kind.to_le_bytes());
        entries.extend([0; 4]);
    }
    Written(vec![(0x9_0001, info), (0x9_0101, module), (0x9_0201, b"a=b c\0".to_vec()), (0x9_0301, entries)])
}

#[test]
fn what_qemu_leaves_is_read() {
    let info = StartInfo::read(&written(1), 0x9_0001).expect("it is there");
    assert_eq!(info.module, Some(Range { start: 0x7f_0000, end: 0x7f_8001 }));
    assert_eq!(info.command_line, Some(Range { start: 0x9_0201, end: 0x9_0206 }));
    let image = Range { start: 0x10_0000, end: 0x20_0000 };
    assert_eq!(info.ram_end(image), Some(0x80_0000));
    assert_eq!(info.ram_end(Range { start: 0x10_0000, end: 0x80_0001 }), None);
    assert_eq!(info.heap(0x20_0000, 0x80_0000), Range { start: 0x20_0000, end: 0x7f_0000 });
}

#[test]
fn a_module_behind_the_image_is_gone_around() {
    let mut info = StartInfo { taken: [Range::default(); 5], ..StartInfo::default() };
    info.taken[1] = Range { start: 0x20_0000, end: 0x20_1234 };
    info.taken[3] = Range { start: 0x30_0800, end: 0x30_0900 };
    assert_eq!(info.heap(0x20_0000, 0x80_0000), Range { start: 0x30_1000, end: 0x80_0000 });
    assert_eq!(info.heap(0x20_0000, 0x20_0000), Range { start: 0x20_0000, end: 0x20_0000 });
}

#[test]
fn without_a_map_or_a_magic_there_is_nothing() {
    assert_eq!(StartInfo::read(&written(0), 0x9_0001).map(|info| info.ram), Some([Range::default(); MAX_REGIONS]));
    assert_eq!(StartInfo::read(&written(1), 0x9_0002), None);
    assert_eq!(StartInfo::read(&written(1), u64::MAX - 3), None);
}

#[test]
fn devices_are_found_on_the_command_line() {
    let line =
        "x=1 virtio_mmio.device=512@0xfeb00e00:12 virtio_mmio.device=4K@4273997312:5:0 virtio_mmio.device=nonsense";
    assert_eq!(virtio_devices(line), [(0xfeb0_0e00, 12), (4_273_997_312, 5)]);
    let many = "virtio_mmio.device=512@0x1:1 ".repeat(100);
    assert_eq!(virtio_devices(&many).len(), MAX_DEVICES);
}

proptest! {
    #[test]
    fn the_heap_is_where_nothing_else_is(taken in proptest::array::uniform5((0u64..0x90_0000, 0u64..0x10_0000))) {
        let taken = taken.map(|(start, length)| Range { start, end: start + length });
        let info = StartInfo { taken, ..StartInfo::default() };
        let heap = info.heap(0x20_0000, 0x80_0000);
        prop_assert!(heap.start >= 0x20_0000 && heap.end <= 0x80_0000 && heap.start <= heap.end);
        for taken in taken.iter().filter(|taken| taken.start < taken.end && heap.start < heap.end) {
            prop_assert!(taken.end <= heap.start || taken.start >= heap.end, "{taken:?} in {heap:?}");
        }
    }

    #[test]
    fn any_memory_is_survived(octets in proptest::collection::vec(any::<u8>(), 64)) {
        let mut octets = octets;
        octets[..4].copy_from_slice(&MAGIC.to_le_bytes());
        // As many entries as it may say, but not for minutes.
        octets[50..52].fill(0);
        let _ = StartInfo::read(&Written(vec![(0x1000, octets)]), 0x1000);
    }
}
