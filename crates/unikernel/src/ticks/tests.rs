use super::*;

#[test]
fn ticks_become_nanoseconds_and_back() {
    let ticks = Ticks::new(2_500_000, 1_000, 77);
    assert_eq!(ticks.nanoseconds(1_000), 77);
    assert_eq!(ticks.nanoseconds(1_000 + 2_500_000_000), 77 + 1_000_000_000);
    assert_eq!(ticks.after(1_000, 1_000_000_000), 1_000 + 2_500_000_000);
    // Ten years at 5 GHz, which 64 bits of nanoseconds times ticks would not hold.
    let year = 365 * 86_400 * 1_000_000_000;
    let fast = Ticks::new(5_000_000, 0, 0);
    assert_eq!(fast.nanoseconds(fast.after(0, 10 * year)), 10 * year);
}

#[test]
fn a_counter_that_reads_less_than_at_the_start_stands_still() {
    assert_eq!(Ticks::new(1_000, 50, 7).nanoseconds(3), 7);
    assert_eq!(Ticks::new(0, 0, 0), Ticks::new(1, 0, 0), "no division by zero");
}

#[test]
fn speeds_are_measured_and_read() {
    assert_eq!(measured_khz(25_000_000, 10_000_000, 1_000_000), 2_500_000);
    assert_eq!((measured_khz(0, 0, 1), measured_khz(u64::MAX, 1, u64::MAX)), (1, u64::MAX));
    // 2^31 with shift 1 and 2^32 - 1 with shift 0 are both a nanosecond a tick, 2^31 with shift -1 a quarter.
    assert_eq!(scaled_khz(1 << 31, 1), Some(1_000_000));
    assert_eq!(scaled_khz(u32::MAX, 0), Some(1_000_000));
    assert_eq!(scaled_khz(1 << 31, -1), Some(4_000_000));
    for (multiplier, shift) in [(0, 0), (1, 127), (1, i8::MIN)] {
        assert_eq!(scaled_khz(multiplier, shift), None);
    }
}

#[test]
fn what_a_host_says_of_the_counter_is_taken_if_it_can_be() {
    assert!(is_about(2_400_000, 2_400_000) && is_about(2_400_000, 2_300_000) && is_about(2_400_000, 2_500_000));
    assert!(!is_about(2_400_000, 1_000_000) && !is_about(2_400_000, 3_000_000) && !is_about(0, 0));
    assert_eq!(Ticks::new(2_000_000, 5, 0).microseconds(3_000_000), 1_500);
}
