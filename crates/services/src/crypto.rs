//! Primitives of the SSH transport that no crate provides without the standard library: written from their published
//! specifications, with no state and no source of chance of their own.
//!
//! They need not resist a careful observer of time: all that they keep secret is a session in which nobody tells a
//! decoy anything that is worth keeping.

pub(crate) mod sntrup761;
pub(crate) mod umac;
