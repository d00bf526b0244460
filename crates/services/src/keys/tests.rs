use rsa::traits::{PrivateKeyParts, PublicKeyParts};

use super::*;

fn found(keys: &mut RsaKeys, seed: u8, bits: u16) -> Arc<RsaPrivateKey> {
    (0..100_000).find_map(|_| keys.find(&[seed; 16], RsaPurpose::Tls, bits)).expect("a key after so many steps")
}

#[test]
fn a_key_is_the_decoys_own_and_the_same_on_every_run() {
    let mut keys = RsaKeys::default();
    let first = found(&mut keys, 1, 1024);
    assert_eq!(first.n().bit_width(), 1024);
    assert!(first.validate().is_ok());
    assert!(Arc::ptr_eq(&first, &keys.find(&[1; 16], RsaPurpose::Tls, 1024).unwrap()), "it is kept");
    let again = found(&mut RsaKeys::default(), 1, 1024);
    assert_eq!(first.n(), again.n());
    let other = found(&mut keys, 2, 1024);
    assert_ne!(first.n(), other.n());
    assert!(first.primes().iter().all(|prime| !other.primes().contains(prime)));
}

#[test]
fn what_is_searched_for_and_kept_is_bounded() {
    let mut keys = RsaKeys::default();
    for seed in 0..300u16 {
        let mut name = [0; 16];
        name[..2].copy_from_slice(&seed.to_le_bytes());
        assert!(keys.find(&name, RsaPurpose::Ssh, 3072).is_none());
    }
    assert_eq!(keys.searches.len(), MAX_SEARCHES);
}

#[test]
fn secrets_of_a_decoy_do_not_resemble_each_other() {
    use rand_core::Rng;
    let first = |seed: u8, label: &str| secret_stream(&[seed; 16], label).next_u64();
    assert_eq!(first(1, "a"), first(1, "a"));
    assert_ne!(first(1, "a"), first(1, "b"));
    assert_ne!(first(1, "a"), first(2, "a"));
}
