use std::vec::Vec;

use super::*;

fn frames(waiting: &mut Waiting, line: u64) -> Vec<u8> {
    waiting.close(line).iter().map(|waiter| waiter.frame[0]).collect()
}

#[test]
fn of_more_than_may_wait_the_latest_are_kept() {
    let mut waiting = Waiting::new(Share::WHOLE);
    let line = waiting.open(3);
    for octet in 0..5 {
        waiting.join(line, 0, &[octet; 60]);
    }
    assert_eq!(waiting.octets(), 3 * 60);
    assert_eq!(frames(&mut waiting, line), [2, 3, 4]);
    assert_eq!(waiting.octets(), 0);
    assert_eq!(frames(&mut waiting, line), [], "closed once");
}

#[test]
fn at_least_one_and_at_most_the_limit_may_wait() {
    let mut waiting = Waiting::new(Share::WHOLE);
    let (one, many) = (waiting.open(0), waiting.open(u16::MAX));
    for octet in 0..200 {
        waiting.join(one, 0, &[octet]);
        waiting.join(many, 0, &[octet]);
    }
    assert_eq!(frames(&mut waiting, one), [199]);
    assert_eq!(waiting.octets(), MAX_IN_LINE);
}

#[test]
fn the_oldest_line_gives_way_to_a_new_one_and_to_octets() {
    let mut waiting = Waiting::new(Share::WHOLE);
    let first = waiting.open(1);
    waiting.join(first, 0, &[1]);
    for _ in 0..MAX_LINES {
        let _ = waiting.open(1);
    }
    assert_eq!(frames(&mut waiting, first), []);
    assert_eq!(waiting.octets(), 0);
    let mut waiting = Waiting::new(Share::WHOLE);
    let lines: Vec<u64> = (0..4096).map(|_| waiting.open(1)).collect();
    for line in &lines {
        waiting.join(*line, 0, &[7; 1514]);
    }
    assert!(waiting.octets() <= MAX_WAITING, "{}", waiting.octets());
    assert_eq!(frames(&mut waiting, lines[0]), []);
    assert_eq!(frames(&mut waiting, lines[4095]), [7]);
    let before = waiting.octets();
    waiting.join(lines[0], 0, &[7; 60]);
    assert_eq!(waiting.octets(), before, "a line that is gone takes nothing");
}
