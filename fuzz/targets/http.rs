#![no_main]

use std::sync::LazyLock;

use chaff_fuzz::{requests, run_script, services};
use libfuzzer_sys::fuzz_target;

static SPECS: LazyLock<[chaff_services::ServiceSpec; 3]> = LazyLock::new(services::http);

// The first octet says which server, and whether what follows are octets or the pieces that requests are made of.
fuzz_target!(|octets: &[u8]| {
    let Some((&choice, rest)) = octets.split_first() else { return };
    let [reads_octets, reads_lines, reads_heads] = &*SPECS;
    let spec = match choice & 5 {
        0 => reads_octets,
        1 => reads_lines,
        _ => reads_heads,
    };
    if choice & 2 == 0 { run_script(spec, rest) } else { run_script(spec, &requests::script(rest)) }
});
