//! The catalogue of devices, systems and services, the user's own files, and the compiler that makes a
//! [`FleetSpec`](chaff_engine::spec::FleetSpec) of a [`Config`](chaff_config::Config).
//!
//! The catalogue is part of the binary. A name in `chaff.toml` is looked up in it; `file:PATH` reads a file beside
//! `chaff.toml` instead. A profile or a personality may name one `base` and then says only what differs.
//!
//! Everything that is a decoy's own (seed, hardware address, drawn names) derives from the install's secret and the
//! decoy's identity, which is its network's name and its address. So the same file and secret always give the same
//! fleet, and a decoy that is added changes no other.
#![forbid(unsafe_code)]

mod catalogue;
mod coherence;
mod compile;
mod device;
mod example;
mod hostname;
mod identity;
mod loader;
mod port_table;
mod roster;
mod script;
mod service;
mod show;
mod system;
mod vendors;

pub use catalogue::{Folder, names};
pub use compile::{compile, load};
pub use roster::{print_fleet, print_identities, roster, roster_json};
pub use show::{ShowError, check_file, list, show};
