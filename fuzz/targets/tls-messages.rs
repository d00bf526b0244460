#![no_main]

use std::sync::LazyLock;

use chaff_fuzz::{services, tls};
use libfuzzer_sys::fuzz_target;

static SPEC: LazyLock<chaff_services::ServiceSpec> = LazyLock::new(services::tls);

fuzz_target!(|octets: &[u8]| tls::run_messages(&SPEC, octets));
