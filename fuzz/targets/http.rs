#![no_main]

use std::sync::LazyLock;

use chaff_fuzz::{requests, run_script, services};
use libfuzzer_sys::fuzz_target;

static SPECS: LazyLock<[chaff_services::ServiceSpec; 2]> = LazyLock::new(services::http);

// The first octet says which server, and whether what follows are octets or the pieces that requests are made of.
fuzz_target!(|octets: &[u8]| {
    let Some((&choice, rest)) = octets.split_first() else { return };
    let [reads_octets, reads_lines] = &*SPECS;
    let spec = if choice & 1 == 0 { reads_octets } else { reads_lines };
    if choice & 2 == 0 { run_script(spec, rest) } else { run_script(spec, &requests::script(rest)) }
});
