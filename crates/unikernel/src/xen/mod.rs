//! What a machine and Xen share: rings in pages that both write ([`stream`], [`card`]), leave to read and write pages
//! ([`grant`]), bits that say that something came ([`events`]), and the store in which both ends of a device find each
//! other ([`store`], [`join`]).
//!
//! Pages are atomics, so all of it is safe code and is tried without a machine. The other end is not believed: it may
//! write anything into a page at any time. What is counted here is counted in variables of our own; an index, a length or
//! a number of its that cannot be is a [`Fault`], which ends the machine, and nothing is read twice that was judged once.

use core::fmt;

pub mod card;
pub mod events;
pub mod grant;
pub mod join;
pub mod store;
pub mod stream;

/// Octets of a page.
pub const PAGE: usize = 4_096;

/// What the other end did that it never may. The machine ends: what this end believes about the device is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It says to have put more into a ring, or to have taken more out, than there is.
    Index,
    /// It gives back a buffer that it did not have.
    Buffer,
    /// What it says to have written does not fit where it was to write.
    Length,
    /// A message of the store is longer than any may be.
    Message,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Index => "Xen's end of a ring has an index that cannot be",
            Self::Buffer => "Xen's end of the card gave back a buffer that it did not have",
            Self::Length => "Xen's end of the card wrote more than a buffer holds",
            Self::Message => "Xen's store sent a message that is too long",
        })
    }
}

impl core::error::Error for Fault {}
