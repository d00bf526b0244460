use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sntrup761::{Ciphertext, generate_key};

use super::*;

/// What is encapsulated here is decapsulated to the same secret by another implementation.
#[test]
fn agrees_with_another_implementation() {
    for seed in 0..100 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (public, private) = generate_key(ChaCha20Rng::from_rng(&mut rng));
        let public: &[u8; PUBLIC_KEY_LENGTH] = public.as_ref().try_into().unwrap();
        let (ciphertext, secret) = encapsulate(public, &mut rng).unwrap();
        let theirs = private.decapsulate(&Ciphertext::from(ciphertext));
        assert_eq!(theirs.as_ref(), secret, "seed {seed}");
    }
}

/// A ciphertext with one octet changed does not: the agreement above is not by default.
#[test]
fn the_other_implementation_rejects() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (public, private) = generate_key(ChaCha20Rng::from_rng(&mut rng));
    let (mut ciphertext, secret) = encapsulate(public.as_ref().try_into().unwrap(), &mut rng).unwrap();
    ciphertext[500] ^= 1;
    assert_ne!(private.decapsulate(&Ciphertext::from(ciphertext)).as_ref(), secret);
}

#[test]
fn any_octets_are_a_public_key() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let mut key = [0; PUBLIC_KEY_LENGTH];
    for fill in [0, 0xff] {
        key.fill(fill);
        assert!(encapsulate(&key, &mut rng).is_some());
    }
    for _ in 0..20 {
        rng.fill_bytes(&mut key);
        assert!(encapsulate(&key, &mut rng).is_some());
    }
}

#[test]
fn short_polynomials_have_their_weight() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let mut ones = 0;
    for _ in 0..50 {
        let short = random_short(&mut rng);
        assert!(short.iter().all(|c| c.abs() <= 1));
        assert_eq!(short.iter().filter(|c| **c != 0).count(), W);
        ones += short.iter().filter(|c| **c == 1).count();
    }
    // Half of 14,300, within five standard deviations (60).
    assert!((6850..7450).contains(&ones), "{ones}");
}

#[test]
fn numbers_come_back_from_their_encoding() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    for modulus in [FULL, ROUNDED, 3, 1] {
        for count in [1, 2, 3, 7, P] {
            let moduli = vec![modulus; count];
            let numbers: Vec<u32> = moduli.iter().map(|m| rng.next_u32() % m).collect();
            let octets = encode(numbers.clone(), moduli.clone());
            assert_eq!(decode(&mut octets.iter().copied(), &moduli), numbers, "{count} below {modulus}");
        }
    }
}
