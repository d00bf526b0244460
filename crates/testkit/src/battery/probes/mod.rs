//! The questions, by subject.

mod close;
mod data;
mod icmp;
mod ip;
mod link;
mod odd;
mod send;
mod syn;
mod window;

use super::Probe;

/// All of them.
pub(super) fn all() -> Vec<Probe> {
    [
        syn::PROBES,
        odd::PROBES,
        data::PROBES,
        window::PROBES,
        send::PROBES,
        close::PROBES,
        icmp::PROBES,
        ip::PROBES,
        link::PROBES,
    ]
    .concat()
}

/// Makes a list of probes from functions, each named by what it asks.
macro_rules! probes {
    ($($name:literal => $run:path),+ $(,)?) => {
        pub(super) const PROBES: &[crate::battery::Probe] = &[$(crate::battery::Probe { name: $name, run: $run }),+];
    };
}
use probes;
