//! `chaff run` on a veth pair in a network namespace of the test's own: start, stop, deaths of children, and what
//! is said when it cannot start.

mod bench;
mod deaths;
#[cfg(debug_assertions)]
mod hole;
mod life;
mod noise;
mod refusals;
