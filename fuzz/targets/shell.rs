#![no_main]

use std::sync::LazyLock;

use chaff_fuzz::ssh;
use libfuzzer_sys::fuzz_target;

static INSIDES: LazyLock<Vec<chaff_services::ServiceSpec>> = LazyLock::new(ssh::insides);

fuzz_target!(|octets: &[u8]| ssh::run_session(&INSIDES, octets));
