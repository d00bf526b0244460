//! The door against a crowd.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use super::{Penalty, SshPenalties, SshStartups, drops};
use crate::{
    Around, Context, Conversation, Opening, Output, Shared,
    ssh::{Ssh, spec::SshSpec, tests::product},
    tests::{SECOND, opening},
};

const RULES: SshPenalties = SshPenalties { failed_login_s: 5, no_login_s: 1, too_late_s: 10, least_s: 15, most_s: 600 };

/// Knocks from the address that ends in `peer`, with chance of its own; what is said at once, if the door stays shut.
fn knock(shared: &mut Shared, spec: &Arc<SshSpec>, now: u64, peer: u8, chance: u64) -> Result<Box<Ssh>, Vec<u8>> {
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&chance.to_le_bytes());
    let around = Around { peer: Some(([10, 0, 0, peer].into(), 4000)), ..Around::default() };
    let mut ssh = Box::new(Ssh::new(spec, &Opening { now, chance: octets, around, ..opening() }));
    let mut said = Vec::new();
    while let Some(output) = ssh.poll(&mut Context { now, shared }, 1460) {
        match output {
            Output::Send(octets) => said.extend(octets),
            Output::Close => return Err(said),
            _ => {}
        }
    }
    assert!(said.is_empty(), "the version line has its own time");
    Ok(ssh)
}

#[test]
fn from_the_tenth_client_on_chance_decides_and_at_a_hundred_the_door_is_shut() {
    let (mut shared, spec) = (Shared::default(), Arc::new(product()));
    let mut inside: Vec<_> = (0..10).map(|n| knock(&mut shared, &spec, SECOND, 1, n).unwrap()).collect();
    let mut turned_away = 0;
    for n in 10..3000 {
        match knock(&mut shared, &spec, SECOND, 1, n) {
            Ok(ssh) => inside.push(ssh),
            Err(said) => {
                assert_eq!(said, b"Exceeded MaxStartups\r\n");
                turned_away += 1;
            }
        }
    }
    assert_eq!(inside.len(), 100);
    assert_eq!(turned_away, 2900);
    // Of one that goes, the place is another's; and another decoy has places of its own.
    inside.pop();
    assert!((0..500).any(|n| knock(&mut shared, &spec, SECOND, 2, n).is_ok()));
}

#[test]
fn the_chance_is_that_of_openssh() {
    use rand_core::SeedableRng;
    let rule = SshStartups { begin: 10, rate: 30, full: 100 };
    let mut chance = rand_chacha::ChaCha8Rng::from_seed([5; 32]);
    let mut share = |held| (0..10_000).filter(|_| drops(rule, held, &mut chance)).count();
    assert_eq!((share(9), share(100)), (0, 10_000));
    // 30 %, and 30 % + 70 % · 45/90.
    assert!((2800..3200).contains(&share(10)), "{}", share(10));
    assert!((6300..6700).contains(&share(55)), "{}", share(55));
}

#[test]
fn a_source_has_five_places_at_a_dropbear_and_another_source_has_its_own() {
    let spec = Arc::new(SshSpec { startups: None, startups_per_source: 5, ..product() });
    let mut shared = Shared::default();
    let mut inside: Vec<_> = (0..5).map(|n| knock(&mut shared, &spec, SECOND, 1, n).unwrap()).collect();
    assert!(knock(&mut shared, &spec, SECOND, 1, 6).is_err());
    assert!(knock(&mut shared, &spec, SECOND, 2, 7).is_ok());
    inside.pop();
    assert!(knock(&mut shared, &spec, SECOND, 1, 8).is_ok());
}

#[test]
fn whoever_only_looks_too_often_is_turned_away_for_a_while() {
    let mut spec = SshSpec { penalties: Some(RULES), ..product() };
    spec.answers.turned_away = r"Not allowed at this time\r\n".into();
    let (spec, mut shared) = (Arc::new(spec), Shared::default());
    // Each costs a second; more than fifteen must have come together.
    for n in 0..16 {
        drop(knock(&mut shared, &spec, SECOND, 1, n).expect("not enough yet"));
    }
    let said = knock(&mut shared, &spec, SECOND, 1, 99).map(drop);
    assert_eq!(said, Err(b"Not allowed at this time\r\n".to_vec()));
    assert!(knock(&mut shared, &spec, SECOND, 2, 1).is_ok(), "another source has done nothing");
    assert!(knock(&mut shared, &spec, 16 * SECOND, 1, 1).is_err());
    assert!(knock(&mut shared, &spec, 18 * SECOND, 1, 1).is_ok(), "served");
}

#[test]
fn penalties_add_up_as_far_as_they_may() {
    let penalty = Penalty::default();
    for _ in 0..3 {
        penalty.add(SECOND, 5, &RULES);
    }
    assert!(!penalty.turns_away(SECOND), "fifteen is not more than fifteen");
    penalty.add(SECOND, 5, &RULES);
    assert!(penalty.turns_away(21 * SECOND) && !penalty.turns_away(22 * SECOND));
    for _ in 0..1000 {
        penalty.add(SECOND, 10, &RULES);
    }
    assert!(penalty.turns_away(601 * SECOND) && !penalty.turns_away(602 * SECOND));
    penalty.add(700 * SECOND, 5, &RULES);
    assert!(!penalty.turns_away(701 * SECOND), "what is served is forgotten");
}
