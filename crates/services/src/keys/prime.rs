//! A search for a prime that can be left and taken up again.

use core::num::NonZeroU32;

use crypto_bigint::{BoxedUint, Odd};
use crypto_primes::hazmat::{MillerRabin, SetBits, SmallFactorsSieve, random_odd_integer};
use rand_chacha::ChaCha20Rng;

/// Rounds of Miller and Rabin with random bases after base 2: FIPS 186-5, table B.1, asks for 4 at 1,024 bits and fewer
/// above. A decoy's key need not be good, only look so; a composite would still fail its first signature.
const ROUNDS: u32 = 4;

#[derive(Debug)]
pub(super) struct PrimeSearch {
    stream: ChaCha20Rng,
    bits: NonZeroU32,
    sieve: Option<SmallFactorsSieve<BoxedUint>>,
    /// A candidate that passed so many rounds.
    candidate: Option<(Odd<BoxedUint>, u32)>,
}

impl PrimeSearch {
    pub(super) fn new(stream: ChaCha20Rng, bits: u32) -> Self {
        let bits = NonZeroU32::new(bits).unwrap_or(NonZeroU32::MIN);
        Self { stream, bits, sieve: None, candidate: None }
    }

    /// One primality test; the prime, if that was the last test that it had to pass. Goes on with the next one after
    /// that.
    pub(super) fn step(&mut self) -> Option<BoxedUint> {
        if let Some((candidate, passed)) = self.candidate.take() {
            let test = MillerRabin::new(candidate.clone());
            if !test.test_random_base(&mut self.stream).is_probably_prime() {
                return None;
            }
            if passed + 1 >= ROUNDS {
                // From here on another stretch of numbers: two primes of one key are not neighbours.
                self.sieve = None;
                return Some(candidate.get());
            }
            self.candidate = Some((candidate, passed + 1));
            return None;
        }
        let number = self.next_candidate()?;
        let odd = Odd::new(number).into_option()?;
        if MillerRabin::new(odd.clone()).test_base_two().is_probably_prime() {
            self.candidate = Some((odd, 0));
        }
        None
    }

    /// The next number without small factors.
    fn next_candidate(&mut self) -> Option<BoxedUint> {
        if let Some(number) = self.sieve.as_mut().and_then(Iterator::next) {
            return Some(number);
        }
        // The two highest bits are set, so that the product has twice as many bits, always.
        let start = random_odd_integer::<BoxedUint, _>(&mut self.stream, self.bits, SetBits::TwoMsb).ok()?;
        self.sieve = SmallFactorsSieve::new(start.get(), self.bits, false).ok();
        None
    }
}
