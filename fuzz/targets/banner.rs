#![no_main]

use std::sync::LazyLock;

use chaff_fuzz::{run_script, services};
use chaff_services::ServiceSpec;
use libfuzzer_sys::fuzz_target;

static SPECS: LazyLock<[ServiceSpec; 4]> =
    LazyLock::new(|| [services::banner(), services::login(), services::binary(), services::script()]);

// The first octet chooses among lines, a login, pieces and a script.
fuzz_target!(|octets: &[u8]| {
    if let Some((which, script)) = octets.split_first() {
        run_script(&SPECS[usize::from(*which) % SPECS.len()], script);
    }
});
