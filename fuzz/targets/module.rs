#![no_main]

use chaff_fuzz::check_module;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| check_module(octets));
