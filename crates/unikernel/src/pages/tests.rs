use super::*;

const WRITABLE: u64 = WRITE;

fn layout(ram_end: u64) -> Layout {
    Layout {
        image: Range { start: 0x10_0000, end: 0x30_0000 },
        text: Range { start: 0x14_0000, end: 0x1c_0000 },
        guards: [0x28_0000, 0x29_0000, 0x2a_0000],
        ram_end,
    }
}

#[test]
fn nothing_is_both_written_and_executed() {
    let layout = layout(8 << 20);
    let small = (0..FINE).step_by(SMALL as usize).map(|at| layout.small(at));
    let large = (FINE..4 << 30).step_by(LARGE as usize).map(|at| layout.large(at));
    for entry in small.chain(large).filter(|&entry| entry != 0) {
        assert!(entry & WRITABLE == 0 || entry & NO_EXECUTE != 0, "{entry:#x}");
    }
    let executable = (0..FINE).step_by(SMALL as usize).filter(|&at| {
        let entry = layout.small(at);
        entry != 0 && entry & NO_EXECUTE == 0
    });
    assert!(executable.eq((0x14_0000..0x1c_0000).step_by(SMALL as usize)), "code and nothing else");
}

#[test]
fn each_part_has_its_rights() {
    let layout = layout(8 << 20);
    let read = |at| (layout.small(at) & (PRESENT | WRITE | NO_EXECUTE)) ^ NO_EXECUTE;
    assert_eq!(layout.small(0), 0, "null");
    assert_eq!(read(0x1000), PRESENT | WRITE, "what the loader left");
    assert_eq!(read(0x10_0000), PRESENT, "constants");
    assert_eq!(read(0x1c_0000), PRESENT | WRITE, "data");
    assert_eq!(read(0x7f_f000), PRESENT | WRITE, "heap");
    assert_eq!([0x28_0000, 0x29_0000, 0x2a_0000].map(|at| layout.small(at)), [0; 3], "below stacks");
    assert_eq!(layout.small(8 << 20), 0, "behind memory");
    assert_eq!(layout.small(0x14_5000), 0x14_5000 | PRESENT, "to itself");
}

#[test]
fn devices_are_mapped_and_what_is_not_there_is_not() {
    let layout = layout(64 << 20);
    assert_eq!(layout.large(0xfee0_0000), 0xfee0_0000 | PRESENT | WRITE | NO_EXECUTE | NO_CACHE | IS_LARGE);
    assert_eq!(layout.large(62 << 20), 62 << 20 | PRESENT | WRITE | NO_EXECUTE | IS_LARGE);
    for nowhere in [64 << 20, 1 << 30, (3 << 30) - LARGE, 4 << 30] {
        assert_eq!(layout.large(nowhere), 0, "{nowhere:#x}");
    }
}

#[test]
fn memory_ends_where_its_pages_do() {
    assert_eq!(layout(0x7f_fe00).usable_end(), 0x7f_f000);
    assert_eq!(layout((33 << 20) - 1).usable_end(), 32 << 20);
    assert_eq!(layout(8 << 30).usable_end(), MOST);
}
