use std::vec::Vec;

use super::*;

const MS: u64 = 1_000_000;

fn numbers(rule: IdRule, count: usize, start: u64) -> Vec<u16> {
    let (mut host, mut own, mut chance) = (Counters::default(), PeerIds::default(), Chance::new([3; 32]));
    (0..count as u64).map(|n| next(rule, &mut host, &mut own, start + n * 100 * MS, &mut chance)).collect()
}

#[test]
fn rules_that_name_one_counter_share_it() {
    let (mut host, mut own, mut chance) = (Counters::default(), PeerIds::default(), Chance::new([4; 32]));
    let shared = IdRule::Counter { number: 0, step: IdStep::One, seat: IdSeat::Any };
    let other = IdRule::Counter { number: 1, step: IdStep::One, seat: IdSeat::Any };
    let mut of = |rule| next(rule, &mut host, &mut own, 50 * MS, &mut chance);
    let first = of(IdRule::Host);
    let alone = of(other);
    assert_eq!(of(shared), first + 1);
    assert_eq!(of(IdRule::Host), first + 2);
    assert_eq!(of(IdRule::SecondHost), alone.wrapping_add(1));
}

#[test]
fn a_swapped_counter_does_not_wrap_within_a_scan() {
    for seed in 0..=255 {
        let (mut host, mut own, mut chance) = (Counters::default(), PeerIds::default(), Chance::new([seed; 32]));
        for round in 1..20u64 {
            let at = |n: u64| round * 4_000 * MS + n * 100 * MS;
            let ids: Vec<u16> =
                (0..20).map(|n| next(IdRule::HostSwapped, &mut host, &mut own, at(n), &mut chance)).collect();
            assert!(ids.windows(2).all(|w| w[1].wrapping_sub(w[0]) == 256 && w[1] > w[0]), "{ids:x?}");
        }
    }
}

#[test]
fn three_random_numbers_are_enough_to_tell() {
    let ids = numbers(IdRule::Random, 10_000, MS);
    let small = |w: &[u16]| w[1] >= w[0] && w[1] - w[0] <= SMALL_STEP;
    assert!(ids.windows(3).all(|w| !(small(&w[..2]) && small(&w[1..]))));
    // A third of the steps of uniform numbers are small; a quarter is what is left.
    let share = ids.windows(2).filter(|w| small(w)).count();
    assert!((2_000..3_000).contains(&share), "{share}");
}

#[test]
fn seats_hold_over_many_rounds() {
    for step in [IdStep::One, IdStep::Random, IdStep::Swapped] {
        let (mut host, mut own, mut chance) = (Counters::default(), PeerIds::default(), Chance::new([9; 32]));
        let low = IdRule::Counter { number: 0, step, seat: IdSeat::Low };
        let high = IdRule::Counter { number: 1, step, seat: IdSeat::High };
        for round in 1..200u64 {
            let mut of = |rule, n: u64| {
                let now = round * 3_000 * MS + n * 100 * MS;
                next(rule, &mut host, &mut own, now, &mut chance)
            };
            let tcp: Vec<u16> = (0..6).map(|n| of(low, n)).collect();
            let icmp = of(high, 6);
            let step = u32::from(tcp[5] - tcp[0]) / 5;
            assert!(tcp.is_sorted() && u32::from(icmp) >= u32::from(tcp[5]) + 3 * step, "{tcp:x?} {icmp:x}");
        }
    }
}
