//! The host of the engine on Linux: packet rings, workers, the spool, and the line to the hub.
//!
//! A worker ([`worker::run`]) is one thread in a process of its own. It owns one packet socket per interface, one
//! socket to the hub and one spool file, all opened by the supervisor and inherited. It opens nothing itself, so it
//! needs no capability.
//!
//! What this crate does not do: decide what a decoy answers (the engine), store or correlate (the hub), start
//! processes (the supervisor in `chaff`).
#![deny(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("Chaff's sensor uses AF_PACKET sockets, which only Linux has. Build it on Linux.");

mod clock;

pub mod inherit;
pub mod interface;
pub mod node;
mod offload;
mod outbox;
pub mod ownership;
pub mod relay;
mod report;
mod ring;
pub mod roster;
pub mod socket;
mod spool;
mod sys;
#[cfg(test)]
mod testnet;
mod transmit;
mod uplink;
pub mod worker;

pub use interface::OpenError;
