#![no_main]

use chaff_fuzz::check_hub;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| check_hub(octets));
