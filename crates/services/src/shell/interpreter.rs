//! What a session needs of the program that reads its lines.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::{Disk, Written};

/// Whether the session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Another line is awaited, after the prompt.
    More,
    /// The shell has ended with this status.
    Exit(u8),
}

/// What is around a decoy, as far as it is known; the rest is made up from its seed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// Nanoseconds since it was booted.
    pub(crate) uptime: Option<u64>,
    /// TCP ports on which it listens; 22 if none is named.
    pub(crate) ports: Vec<u16>,
    /// Who has logged in, from which port.
    pub(crate) peer: Option<(IpAddr, u16)>,
    /// Bits of its network; 24 if left out.
    pub(crate) prefix: Option<u8>,
}

/// A program that reads lines: the shell of a system, or the command line of a device.
pub(crate) trait Interpreter: core::fmt::Debug + Send {
    /// What is said after a login at a terminal.
    fn greeting(&self) -> Vec<u8>;

    /// What is shown before the next line.
    fn prompt(&self) -> Vec<u8>;

    /// Whether what is typed next is a secret, and not echoed.
    fn hides_input(&self) -> bool;

    /// One line typed at the prompt, without its end, no longer than a terminal passes on.
    fn handle_line(&mut self, utc: u64, line: &[u8], said: &mut Written) -> Flow;

    /// One command line without a prompt, as `ssh host command` sends it and as long as a line, and what comes behind
    /// it, if that has come: what it writes, and its status. `None`: it reads what has not come, so it is to be run when
    /// that is there, and what it did by now is not so.
    fn exec(&mut self, utc: u64, line: &[u8], input: Option<Vec<u8>>, said: &mut Written) -> Option<u8>;

    /// Puts a disk in the place of the one that is mounted: files are there only while it is.
    fn mount(&mut self, _disk: &mut Disk) {}

    /// What was begun or is awaited is given up (control-C), so many nanoseconds after the last line.
    fn interrupt(&mut self, _after: u64, _said: &mut Written) {}

    /// Whether the next key says how to go on with an output.
    fn awaits_key(&self) -> bool {
        false
    }

    /// That key.
    fn handle_key(&mut self, _key: u8, _out: &mut Vec<u8>) {}

    /// What a question mark shows behind what was typed; `None`: it is a character like any other.
    fn help(&self, _typed: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// What is said to control-D on an empty line, which ends the session; `None`: it does nothing.
    fn farewell(&self) -> Option<&[u8]>;
}
