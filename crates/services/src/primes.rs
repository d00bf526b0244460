//! Safe primes for Diffie-Hellman in a finite field, the generator of each being 2: those of RFC 2409 §6.2 and RFC 3526,
//! 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + k), and those of RFC 7919, where e stands for pi. So all of a kind
//! begin with the same digits, and each has an end of its own.

use alloc::{string::String, vec::Vec};

use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};

use crate::text::octets_of_hex;

/// Digits behind those of pi or e: eight into which k was added, and 64 ones.
const END: usize = 8 + 16;

/// One of them.
#[derive(Debug)]
pub(crate) struct Prime {
    pub(crate) bits: u32,
    /// In hexadecimal, of the longest of its kind.
    digits: &'static str,
    /// The eight digits that differ.
    end: &'static str,
}

/// A prime that is computed with.
pub(crate) struct Modulus {
    prime: BoxedUint,
    generator: u8,
    params: BoxedMontyParams,
}

impl Prime {
    /// Of all of them.
    pub(crate) const GENERATOR: u8 = 2;

    /// Most significant octet first.
    pub(crate) fn octets(&self) -> Vec<u8> {
        let length = usize::try_from(self.bits / 4).unwrap_or(0).saturating_sub(END);
        let digits: String = [self.digits.get(..length).unwrap_or(""), self.end, "ffffffffffffffff"].concat();
        octets_of_hex(digits.as_bytes())
    }

    /// `None` for no prime of this file.
    pub(crate) fn modulus(&self) -> Option<Modulus> {
        Modulus::of(&self.octets(), Self::GENERATOR)
    }
}

impl Modulus {
    /// A prime, most significant octet first, and what generates its group; `None` for an even number.
    pub(crate) fn of(prime: &[u8], generator: u8) -> Option<Self> {
        let prime = BoxedUint::from_be_slice(prime, u32::try_from(prime.len()).ok()?.checked_mul(8)?).ok()?;
        let params = BoxedMontyParams::new_vartime(Odd::new(prime.clone()).into_option()?);
        Some(Self { prime, generator, params })
    }

    /// Our half for a secret exponent, as long as the prime.
    pub(crate) fn public(&self, exponent: &[u8]) -> Option<Vec<u8>> {
        self.power(BoxedUint::from_be_slice(&[self.generator], self.prime.bits_precision()).ok()?, exponent)
    }

    /// What both sides have in common, as long as the prime; `None` if the other half is none (RFC 4253 §8, RFC 7919
    /// §5.1).
    pub(crate) fn shared(&self, theirs: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
        let theirs = BoxedUint::from_be_slice(theirs, self.prime.bits_precision()).ok()?;
        let one = BoxedUint::one_with_precision(self.prime.bits_precision());
        (theirs > one && theirs < self.prime.wrapping_sub(&one)).then_some(())?;
        self.power(theirs, exponent)
    }

    fn power(&self, base: BoxedUint, exponent: &[u8]) -> Option<Vec<u8>> {
        let bits = u32::try_from(exponent.len().next_multiple_of(8) * 8).ok()?;
        let exponent = BoxedUint::from_be_slice(exponent, bits).ok()?;
        Some(BoxedMontyForm::new(base, &self.params).pow_bounded_exp(&exponent, bits).retrieve().to_be_bytes().to_vec())
    }
}

/// n = 1024, k = 129,093 (RFC 2409 §6.2).
pub(crate) const GROUP1: Prime = Prime { bits: 1024, digits: PI, end: "ece65381" };
/// n = 2048, k = 124,476 (RFC 3526 §3).
pub(crate) const GROUP14: Prime = Prime { bits: 2048, digits: PI, end: "8aacaa68" };
/// n = 3072, k = 1,690,314.
pub(crate) const GROUP15: Prime = Prime { bits: 3072, digits: PI, end: "a93ad2ca" };
/// n = 4096, k = 240,904.
pub(crate) const GROUP16: Prime = Prime { bits: 4096, digits: PI, end: "34063199" };
/// n = 6144, k = 929,484.
pub(crate) const GROUP17: Prime = Prime { bits: 6144, digits: PI, end: "6dcc4024" };
/// n = 8192, k = 4,743,158.
pub(crate) const GROUP18: Prime = Prime { bits: 8192, digits: PI, end: "98edd3df" };
/// RFC 7919, appendix A.1.
pub(crate) const FFDHE_2048: Prime = Prime { bits: 2048, digits: E, end: "61285c97" };
/// Appendix A.2.
pub(crate) const FFDHE_3072: Prime = Prime { bits: 3072, digits: E, end: "66c62e37" };
/// Appendix A.3.
pub(crate) const FFDHE_4096: Prime = Prime { bits: 4096, digits: E, end: "5e655f6a" };
/// Appendix A.4.
pub(crate) const FFDHE_6144: Prime = Prime { bits: 6144, digits: E, end: "d0e40e65" };
/// Appendix A.5.
pub(crate) const FFDHE_8192: Prime = Prime { bits: 8192, digits: E, end: "c5c6424c" };

/// 64 ones, and the digits of pi.
const PI: &str = "\
    ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef95\
    19b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb\
    5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3\
    ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3be39e772c180e8603\
    9b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa051015728e5a8aaac42dad33\
    170d04507a33a85521abdf1cba64ecfb850458dbef0a8aea71575d060c7db3970f85a6e1e4c7abf5ae8cdb0933d71e8c94e0\
    4a25619dcee3d2261ad2ee6bf12ffa06d98a0864d87602733ec86a64521f2b18177b200cbbe117577a615d6c770988c0bad9\
    46e208e24fa074e5ab3143db5bfce0fd108e4b82d120a92108011a723c12a787e6d788719a10bdba5b2699c327186af4e23c\
    1a946834b6150bda2583e9ca2ad44ce8dbbbc2db04de8ef92e8efc141fbecaa6287c59474e6bc05d99b2964fa090c3a2233b\
    a186515be7ed1f612970cee2d7afb81bdd762170481cd0069127d5b05aa993b4ea988d8fddc186ffb7dc90a6c08f4df435c9\
    3402849236c3fab4d27c7026c1d4dcb2602646dec9751e763dba37bdf8ff9406ad9e530ee5db382f413001aeb06a53ed9027\
    d831179727b0865a8918da3edbebcf9b14ed44ce6cbaced4bb1bdb7f1447e6cc254b332051512bd7af426fb8f401378cd2bf\
    5983ca01c64b92ecf032ea15d1721d03f482d7ce6e74fef6d55e702f46980c82b5a84031900b1c9e59e7c97fbec7e8f323a9\
    7a7e36cc88be0f1d45b7ff585ac54bd407b22b4154aacc8f6d7ebf48e1d814cc5ed20f8037e0a79715eef29be32806a1d58b\
    b7c5da76f550aa3d8a1fbff0eb19ccb1a313d55cda56c9ec2ef29632387fe8d76e3c0468043e8f663f4860ee12bf2d5b0b74\
    74d6e694f91e6dbe115974a3926f12fee5e438777cb6a932df8cd8bec4d073b931ba3bc832b68d9dd300741fa7bf8afc47ed\
    2576f6936ba424663aab639c5ae4f5683423b4742bf1c978238f16cbe39d652de3fdb8befc848ad922222e04a4037c0713eb\
    57a81a23f0c73473fc646cea306b4bcbc8862f8385ddfa9d4b7fa2c087e879683303ed5bdd3a062b3cf5b3a278a66d2a13f8\
    3f44f82ddf310ee074ab6a364597e899a0255dc164f31cc50846851df9ab48195ded7ea1b1d510bd7ee74d73faf36bc31ecf\
    a268359046f4eb879f924009438b481c6cd7889a002ed5ee382bc9190da6fc026e479558e4475677e9aa9e3050e2765694df\
    c81f56e880b96e7160c980dd";

/// 64 ones, and the digits of e.
const E: &str = "\
    ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef97d2f\
    e363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935984f0c70\
    e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fbb96adab760d7\
    f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f619172fe9ce98583ff\
    8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa886b4238611fcfdcde35\
    5b3b6519035bbc34f4def99c023861b46fc9d6e6c9077ad91d2691f7f7ee598cb0fac186d91caefe130985139270b4130c93\
    bc437944f4fd4452e2d74dd364f2e21e71f54bff5cae82ab9c9df69ee86d2bc522363a0dabc521979b0deada1dbf9a42d5c4\
    484e0abcd06bfa53ddef3c1b20ee3fd59d7c25e41d2b669e1ef16e6f52c3164df4fb7930e9e4e58857b6ac7d5f42d69f6d18\
    7763cf1d5503400487f55ba57e31cc7a7135c886efb4318aed6a1e012d9e6832a907600a918130c46dc778f971ad00380929\
    99a333cb8b7a1a1db93d7140003c2a4ecea9f98d0acc0a8291cdcec97dcf8ec9b55a7f88a46b4db5a851f44182e1c68a007e\
    5e0dd9020bfd64b645036c7a4e677d2c38532a3a23ba4442caf53ea63bb454329b7624c8917bdd64b1c0fd4cb38e8c334c70\
    1c3acdad0657fccfec719b1f5c3e4e46041f388147fb4cfdb477a52471f7a9a96910b855322edb6340d8a00ef092350511e3\
    0abec1fff9e3a26e7fb29f8c183023c3587e38da0077d9b4763e4e4b94b2bbc194c6651e77caf992eeaac0232a281bf6b3a7\
    39c1226116820ae8db5847a67cbef9c9091b462d538cd72b03746ae77f5e62292c311562a846505dc82db854338ae49f5235\
    c95b91178ccf2dd5cacef403ec9d1810c6272b045b3b71f9dc6b80d63fdd4a8e9adb1e6962a69526d43161c1a41d570d7938\
    dad4a40e329ccff46aaa36ad004cf600c8381e425a31d951ae64fdb23fcec9509d43687feb69edd1cc5e0b8cc3bdf64b10ef\
    86b63142a3ab8829555b2f747c932665cb2c0f1cc01bd70229388839d2af05e454504ac78b7582822846c0ba35c35f5c5916\
    0cc046fd8251541fc68c9c86b022bb7099876a460e7451a8a93109703fee1c217e6c3826e52c51aa691e0e423cfc99e9e316\
    50c1217b624816cdad9a95f9d5b8019488d9c0a0a1fe3075a577e23183f81d4a3f2fa4571efc8ce0ba8a4fe8b6855dfe72b0\
    a66eded2fbabfbe58a30fafabe1c5d71a87e2f741ef8c1fe86fea6bbfde530677f0d97d11d49f7a8443d0822e506a9f4614e\
    011e2a94838ff88cd68c8bb7";

#[cfg(test)]
mod tests;
