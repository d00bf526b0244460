//! What crosses the border between the side that faces the attacker and the side that faces the operator:
//! observations and the roster, and the messages that carry them. Plain data, serde, no logic.
//!
//! On the wire between processes these types are postcard; as JSON they are printed by the hub, in the shape that
//! design and documentation fix.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod facility;
mod incident;
pub mod message;
mod observation;
mod roster;

pub use chaff_wire::Mac;
pub use facility::Facility;
pub use incident::{Incident, IncidentState, Severity};
pub use observation::{DecoyId, Detail, EventId, Kind, Observation, Source, Tool, Transport, UtcNanos};
pub use roster::{Roster, RosterDecoy, RosterNetwork};

/// Version of the encoding between sensor and hub; a hub refuses a sensor that speaks another.
pub const VERSION: u16 = 3;
