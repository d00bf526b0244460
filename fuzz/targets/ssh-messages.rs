#![no_main]

use std::sync::LazyLock;

use chaff_fuzz::ssh;
use libfuzzer_sys::fuzz_target;

static SPEC: LazyLock<chaff_services::ServiceSpec> = LazyLock::new(ssh::product);

fuzz_target!(|octets: &[u8]| ssh::run_messages(&SPEC, octets));
