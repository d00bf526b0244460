//! TCP options of a packet, in their order.

use chaff_wire::tcp::{OptionList, TcpOption};

/// One TCP option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Option {
    /// Maximum segment size.
    MaxSegmentSize(u16),
    /// Window scale.
    WindowScale(u8),
    /// SACK permitted.
    SackPermitted,
    /// SACK blocks: left and right edge.
    Sack(Vec<(u32, u32)>),
    /// Timestamps: value and echo; `None` is not compared, and sent as 1.
    Timestamps(std::option::Option<u32>, std::option::Option<u32>),
    /// No operation.
    Nop,
    /// End of list.
    End,
    /// Anything else: kind and body.
    Raw(u8, Vec<u8>),
}

/// Maximum segment size.
#[must_use]
pub fn mss(size: u16) -> Option {
    Option::MaxSegmentSize(size)
}

/// Window scale.
#[must_use]
pub fn window_scale(shift: u8) -> Option {
    Option::WindowScale(shift)
}

/// SACK permitted.
#[must_use]
pub fn sack_permitted() -> Option {
    Option::SackPermitted
}

/// SACK blocks.
#[must_use]
pub fn sack(blocks: &[(u32, u32)]) -> Option {
    Option::Sack(blocks.to_vec())
}

/// Timestamps with these values.
#[must_use]
pub fn timestamps(value: u32, echo: u32) -> Option {
    Option::Timestamps(Some(value), Some(echo))
}

/// Timestamps of any value that echo this one.
#[must_use]
pub fn timestamps_any(echo: u32) -> Option {
    Option::Timestamps(None, Some(echo))
}

/// No operation.
#[must_use]
pub fn nop() -> Option {
    Option::Nop
}

/// End of list.
#[must_use]
pub fn eol() -> Option {
    Option::End
}

/// A kind that has no name here.
#[must_use]
pub fn raw(kind: u8, body: &[u8]) -> Option {
    Option::Raw(kind, body.to_vec())
}

impl Option {
    pub(crate) fn matches(&self, seen: &Self) -> bool {
        let same = |wanted: std::option::Option<u32>, seen| wanted.is_none_or(|value| Some(value) == seen);
        match (self, seen) {
            (Self::Timestamps(value, echo), Self::Timestamps(seen_value, seen_echo)) => {
                same(*value, *seen_value) && same(*echo, *seen_echo)
            }
            _ => self == seen,
        }
    }

    pub(super) fn push(&self, list: &mut OptionList) {
        match self {
            Self::MaxSegmentSize(size) => list.push(TcpOption::MaxSegmentSize(*size)),
            Self::WindowScale(shift) => list.push(TcpOption::WindowScale(*shift)),
            Self::SackPermitted => list.push(TcpOption::SackPermitted),
            Self::Sack(blocks) => {
                let edges: Vec<u8> = blocks
                    .iter()
                    .flat_map(|(left, right)| [left.to_be_bytes(), right.to_be_bytes()].concat())
                    .collect();
                list.push(TcpOption::Sack(&edges));
            }
            Self::Timestamps(value, echo) => {
                list.push(TcpOption::Timestamps(value.unwrap_or(1), echo.unwrap_or(0)));
            }
            Self::Nop => list.push(TcpOption::Nop),
            Self::End => list.push(TcpOption::End),
            Self::Raw(kind, body) => list.push(TcpOption::Unknown(*kind, body)),
        }
    }
}
