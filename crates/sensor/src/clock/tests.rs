use super::*;

#[test]
fn a_stamp_of_now_comes_out_as_now() {
    let mut clock = Clock::start();
    let now = clock.now() + 1_000_000;
    let stamp = clock.utc(now - 1_000).0;
    assert_eq!(clock.receive_time(stamp, now), now - 1_000);
}

#[test]
fn frames_of_one_batch_keep_their_own_times() {
    let mut clock = Clock::start();
    let begun = clock.now();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let now = clock.reading();
    let times = [15_000_000, 10_000_000, 12_000_000, 5_000_000].map(|before| {
        let stamp = clock.utc(now - before).0;
        clock.receive_time(stamp, now)
    });
    assert_eq!(times.map(|at| now - at), [15_000_000, 10_000_000, 10_000_000, 5_000_000], "and time never runs back");
    assert!(times[0] > begun && clock.now() >= now);
}

#[test]
fn a_stepped_wall_clock_moves_no_receive_time() {
    for step in [-3_600i64, -1, 1, 3_600] {
        let mut clock = Clock::start();
        let now = clock.now();
        let seconds = step.unsigned_abs() * SECOND;
        // The offset was measured before the step; the stamp comes after it.
        clock.offset = if step > 0 { clock.offset - seconds } else { clock.offset + seconds };
        let stamp = nanos(clock_gettime(ClockId::Realtime));
        let now = now.max(monotonic());
        let at = clock.receive_time(stamp, now);
        assert!(now - at < DOUBT, "step {step}: {} ns", now - at);
    }
}

#[test]
fn a_senseless_stamp_becomes_now_and_time_never_runs_back() {
    let mut clock = Clock::start();
    let now = clock.now() + 10;
    assert_eq!(clock.receive_time(0, now), now);
    assert_eq!(clock.receive_time(u64::MAX, now), now);
    let earlier = clock.utc(now - 9).0;
    assert_eq!(clock.receive_time(earlier, now), now);
}
