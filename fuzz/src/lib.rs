//! What the fuzz targets have in common: the laws that hold for every input, and the fleet that they are tried on.

pub mod fleet;
pub mod http2;
pub mod requests;
pub mod services;
pub mod ssh;
pub mod tls;

mod frames;
mod hub;
mod node;
mod parsers;
mod script;
mod talk;

pub use frames::run_frames;
pub use hub::check_hub;
pub use node::{check_console, check_module};
pub use parsers::{check_arp, check_frame, check_icmp, check_ipv4, check_ipv6, check_tcp, check_udp};
pub use script::run_script;
