#![no_main]

use std::sync::LazyLock;

use chaff_fuzz::{http2, run_script, services};
use libfuzzer_sys::fuzz_target;

static SPECS: LazyLock<[chaff_services::ServiceSpec; 2]> = LazyLock::new(services::http2);

// The first octet says which server, and whether what follows are octets or the frames that conversations are made of.
fuzz_target!(|octets: &[u8]| {
    let Some((&choice, rest)) = octets.split_first() else { return };
    let [direct, library] = &*SPECS;
    let spec = if choice & 1 == 0 { direct } else { library };
    if choice & 2 == 0 { run_script(spec, rest) } else { run_script(spec, &http2::script(rest)) }
});
