//! The fleet, its stacks and its conversations: packets in, packets and observations out. Sans-io: no socket, clock,
//! thread, log, file or random source; `now`, the seeds and the entropy are arguments.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::cast_lossless
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod personality;
pub mod spec;

mod arena;
mod arp;
mod chaff;
mod chance;
mod clock;
mod counters;
mod engine;
mod fleet;
mod icmp;
mod ip_id;
mod ip_options;
mod ipv4;
mod isn;
mod neighbour;
mod observe;
mod outbox;
mod overheard;
mod part;
mod peer;
mod reassembly;
mod stack;
mod tcp;
mod timer;
mod udp;
mod visitor;
mod waiting;

pub use counters::{Counters, DropReason, Usage, Verdict};
pub use engine::{Engine, Output};
pub use part::{Audience, owner};
pub use stack::Flaw;
