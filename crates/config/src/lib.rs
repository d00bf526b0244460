//! `chaff.toml`: its types, and diagnostics with file, line, column, an excerpt and the nearest right word.
//!
//! This crate reads the one file that a user writes and judges all that can be judged without the catalogue of
//! profiles: keys, types, addresses and how they lie to one another. Names of profiles, personalities and services
//! are kept with their places; the `profiles` crate resolves them and complains at the same places.
//!
//! Reading never stops at the first mistake: [`read`] gives what could be understood together with every
//! [`Problem`] found, so that a user mends a file in one go.
#![forbid(unsafe_code)]

mod address;
mod document;
mod fleet;
mod model;
mod nearest;
mod network;
mod node;
mod notify;
mod ports;
mod problem;
mod reader;

pub use address::{AddressRange, Cidr};
pub use chaff_events::{Facility, Mac, Severity};
pub use document::{MAX_FILE_OCTETS, MAX_WORKERS, host_name, load, parse, read};
pub use fleet::{MAX_DECOYS, MAX_NODES};
pub use model::{
    Accel, Account, Allow, Chaff, Config, Decoys, Hypervisor, Layer, Located, Network, NodeSettings, Notify,
    NotifyKind, PortChange, PortKey, PortValue, Ports, Rfc5424, Runtime, Stdout, SyslogTransport, Transport, Webhook,
};
pub use nearest::nearest;
pub use ports::{port_changes, port_key, port_value};
pub use problem::{Diagnostics, Problem, SourceFile};
pub use reader::{Reader, Table};
