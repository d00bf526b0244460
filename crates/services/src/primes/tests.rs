use sha2::{Digest, Sha256};

use super::*;

/// The first octets of SHA-256 of each prime as its RFC prints it.
#[test]
fn the_primes_are_those_of_the_rfcs() {
    let printed = [
        (&GROUP1, 0x3f35_a3f5_f6c4_376a),
        (&GROUP14, 0xd664_36f7_9bbd_6b2e),
        (&GROUP15, 0x48cf_8b09_2fbc_e435),
        (&GROUP16, 0x4ee9_5187_682b_cb23),
        (&GROUP17, 0xd1bf_e6d0_925c_e7e4),
        (&GROUP18, 0x39ab_4fea_b950_a312),
        (&FFDHE_2048, 0x9cd3_b7f3_3687_2f46),
        (&FFDHE_3072, 0x0eaf_67db_3a83_9156),
        (&FFDHE_4096, 0x4648_4142_24ac_881b),
        (&FFDHE_6144, 0x227a_c906_6b3d_dd9e),
        (&FFDHE_8192, 0x770b_14ef_af6f_0499),
    ];
    for (prime, digest) in printed {
        let octets = prime.octets();
        assert_eq!(octets.len() * 8, usize::try_from(prime.bits).unwrap());
        let first = *Sha256::digest(&octets).first_chunk().unwrap();
        assert_eq!(u64::from_be_bytes(first), digest, "{} bits", prime.bits);
    }
}

#[test]
fn both_sides_come_to_the_same_and_what_is_no_half_is_refused() {
    let modulus = GROUP1.modulus().unwrap();
    let (ours, theirs) = ([3; 29], [5; 64]);
    let (our_half, their_half) = (modulus.public(&ours).unwrap(), modulus.public(&theirs).unwrap());
    let shared = modulus.shared(&their_half, &ours).unwrap();
    assert_eq!(shared, modulus.shared(&our_half, &theirs).unwrap());
    assert_eq!((our_half.len(), shared.len()), (128, 128), "with zeros before them");
    let prime = GROUP1.octets();
    let mut last = prime.clone();
    *last.last_mut().unwrap() -= 1;
    for none in [&[][..], &[0], &[1], &last, &prime, &[0xff; 129]] {
        assert_eq!(modulus.shared(none, &ours), None, "{none:?}");
    }
}
