use super::*;

#[test]
fn the_speed_is_that_of_both_readings_and_known_only_after_a_while() {
    let begin = Counter { ticks: 1_000, at: 5 };
    let later = |ns: u64, ticks: u64| begin.khz_at(Counter { ticks: 1_000 + ticks, at: 5 + ns });
    assert_eq!(later(LONG_ENOUGH - 1, 1_000_000), None);
    assert_eq!(later(SECOND, 2_400_000_000), Some(2_400_000));
    assert_eq!(later(10 * SECOND, 24_000_001_000), Some(2_400_000));
    assert_eq!(later(SECOND, 0), None, "a counter that stands");
    assert_eq!(Counter { ticks: 9, at: 9 }.khz_at(Counter { ticks: 5, at: 5 + SECOND }), None, "or goes back");
}

#[test]
fn this_processor_has_a_counter_that_runs() {
    let begin = Counter::read();
    if cfg!(target_arch = "x86_64") {
        let begin = begin.expect("a counter");
        std::thread::sleep(std::time::Duration::from_nanos(LONG_ENOUGH));
        assert!(begin.khz().expect("a speed") > 100_000);
    }
}
