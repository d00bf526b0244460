//! A decoy as its own virtual machine: what its host and it say to each other ([`module`] and [`console`]). The
//! program itself, `chaff-node`, is made by `cargo xtask image` and stands on this library; the launcher too.
//!
//! All that can be tried without a machine is here, and needs no `unsafe`.
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

pub mod build;
pub mod console;
pub mod module;
pub mod pages;
pub mod report;
pub mod start;
pub mod ticks;
pub mod xen;
