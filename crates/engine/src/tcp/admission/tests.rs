use core::net::{IpAddr, Ipv4Addr};

use super::{MAX_CONNECTIONS, MAX_CONNECTIONS_PER_PAIR, MAX_CONNECTIONS_PER_SOURCE, Sources};
use crate::chance::Chance;

const INTRUDER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 6));

/// Opens connections until there are no more, and says how many.
fn fill(sources: &mut Sources, decoy: u32, chance: &Chance) -> usize {
    let mut opened = 0;
    while sources.admit(INTRUDER, decoy, chance) {
        sources.enter(INTRUDER, decoy, chance);
        opened += 1;
    }
    opened
}

#[test]
fn one_source_has_no_more_than_its_part_of_a_decoy_and_of_the_fleet() {
    let (chance, mut sources) = (Chance::new([7; 32]), Sources::new(MAX_CONNECTIONS));
    let each = usize::from(MAX_CONNECTIONS_PER_PAIR);
    let decoys = u32::try_from(MAX_CONNECTIONS_PER_SOURCE / each).unwrap();
    for decoy in 0..decoys {
        assert!(sources.admit(INTRUDER, decoy, &chance));
        assert_eq!(fill(&mut sources, decoy, &chance), each);
    }
    assert_eq!(fill(&mut sources, decoys, &chance), 0, "half of the fleet's");
    assert!(sources.admit(OTHER, 0, &chance) && sources.admit(OTHER, decoys, &chance), "others are let in");
}

#[test]
fn what_is_closed_is_given_back_and_nothing_is_kept_of_it() {
    let (chance, mut sources) = (Chance::new([7; 32]), Sources::new(MAX_CONNECTIONS));
    let opened = fill(&mut sources, 0, &chance);
    sources.leave(INTRUDER, 0, &chance);
    assert_eq!(fill(&mut sources, 0, &chance), 1);
    for _ in 0..opened {
        sources.leave(INTRUDER, 0, &chance);
    }
    assert!(sources.held.is_empty());
    sources.leave(INTRUDER, 0, &chance);
    assert!(sources.held.is_empty(), "nothing to give back");
}

#[test]
fn a_machine_of_one_decoy_is_not_narrower_for_one_source_than_its_decoy() {
    let (chance, mut sources) = (Chance::new([7; 32]), Sources::new(128));
    assert_eq!(fill(&mut sources, 0, &chance), usize::from(MAX_CONNECTIONS_PER_PAIR));
}
