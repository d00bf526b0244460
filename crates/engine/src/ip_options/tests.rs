use alloc::{vec, vec::Vec};
use core::net::Ipv4Addr;

use super::reflect;

const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
const TIME: u32 = 0x0102_0304;

fn answer(options: &[u8]) -> Option<Vec<u8>> {
    reflect(options, OWN, TIME).unwrap().answer
}

#[test]
fn a_route_is_recorded_on_the_way_in_and_on_the_way_out() {
    let mut asked = vec![7, 15, 4];
    asked.resize(16, 0);
    let mut wanted = vec![7, 15, 12, 10, 0, 0, 7, 10, 0, 0, 7];
    wanted.resize(16, 0);
    assert_eq!(answer(&asked), Some(wanted));
    // With room for one, the way in takes it.
    assert_eq!(answer(&[7, 7, 4, 0, 0, 0, 0, 0]), Some(vec![7, 7, 8, 10, 0, 0, 7, 0]));
    // A full one goes back as it came.
    assert_eq!(answer(&[7, 7, 8, 1, 2, 3, 4, 0]), Some(vec![7, 7, 8, 1, 2, 3, 4, 0]));
}

#[test]
fn times_are_told_twice() {
    assert_eq!(answer(&[68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Some(vec![68, 12, 13, 0, 1, 2, 3, 4, 1, 2, 3, 4]));
    assert_eq!(answer(&[68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0]), Some(vec![68, 12, 13, 1, 10, 0, 0, 7, 1, 2, 3, 4]));
    // No room: one more host that had none.
    assert_eq!(answer(&[68, 8, 9, 0, 9, 9, 9, 9]), Some(vec![68, 8, 9, 16, 9, 9, 9, 9]));
}

#[test]
fn what_is_wrong_is_named_by_its_place() {
    let wrong = |options: &[u8]| reflect(options, OWN, TIME).unwrap_err().0;
    assert_eq!(wrong(&[7, 7, 3, 0, 0, 0, 0, 0]), 22);
    assert_eq!(wrong(&[7, 2, 4, 0]), 21);
    assert_eq!(wrong(&[1, 7, 39, 4]), 21);
    assert_eq!(wrong(&[68, 8, 9, 0xf0, 0, 0, 0, 0]), 23);
    assert_eq!(wrong(&[134, 6, 0, 0, 0, 0, 0, 0]), 21);
    // The complaint carries the label.
    assert_eq!(reflect(&[134, 6, 0, 0, 0, 0, 0, 0], OWN, TIME).unwrap_err().1, [134, 6, 0, 0, 0, 0, 0, 0]);
    assert_eq!(wrong(&[131, 7, 3, 10, 0, 0, 6, 0]), 22);
    // Twice the same.
    assert_eq!(wrong(&[7, 7, 4, 0, 0, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0, 0]), 27);
}

#[test]
fn a_pointer_between_two_places_gets_no_answer() {
    assert_eq!(answer(&[7, 11, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
}

#[test]
fn others_are_overlooked() {
    assert_eq!(answer(&[148, 4, 0, 0]), Some(Vec::new()));
    assert_eq!(answer(&[1, 1, 1, 1]), Some(Vec::new()));
    assert!(reflect(&[131, 7, 4, 10, 0, 0, 6, 0], OWN, TIME).unwrap().routed);
}
