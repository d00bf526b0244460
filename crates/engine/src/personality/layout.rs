use alloc::{string::String, vec::Vec};
use core::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One place in a [`Layout`]; the values are filled in when the segment is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutOption {
    /// `mss`
    MaxSegmentSize,
    /// `ws`
    WindowScale,
    /// `sok`
    SackPermitted,
    /// `ts`
    Timestamps,
    /// `nop`
    Nop,
    /// `eol`
    End,
    /// `mss=1460`: a segment size that is always this.
    MaxSegmentSizeOf(u16),
    /// `ws=3`: a window scale that is always this.
    WindowScaleOf(u8),
    /// `ts=00`, `ts=01`, `ts=10`: timestamps of which the value, the echo or both are zero where a 0 stands; `ts=11`:
    /// neither is, even where the client offered none.
    TimestampsOf {
        /// The value is the clock's; else zero.
        value: bool,
        /// The echo is the client's value; else zero.
        echo: bool,
    },
}

/// The options of a segment in order, in p0f's words: `mss,sok,ts,nop,ws`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout(pub Vec<LayoutOption>);

/// Which options a SYN offered: a set of `mss`, `sok`, `ts`, `ws`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offered(u8);

const WORDS: [(LayoutOption, &str); 6] = [
    (LayoutOption::MaxSegmentSize, "mss"),
    (LayoutOption::WindowScale, "ws"),
    (LayoutOption::SackPermitted, "sok"),
    (LayoutOption::Timestamps, "ts"),
    (LayoutOption::Nop, "nop"),
    (LayoutOption::End, "eol"),
];

impl Offered {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Maximum segment size.
    pub const MSS: Self = Self(1);
    /// SACK permitted.
    pub const SACK: Self = Self(2);
    /// Timestamps.
    pub const TIMESTAMPS: Self = Self(4);
    /// Window scale.
    pub const SCALE: Self = Self(8);
    /// All four.
    pub const ALL: Self = Self(15);

    /// This set and `other`.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are in this set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// A number below 16, one for each set.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0 & 15)
    }

    /// The inverse of [`index`](Self::index).
    #[must_use]
    pub fn from_index(index: usize) -> Self {
        Self(u8::try_from(index & 15).unwrap_or(0))
    }

    fn of(option: LayoutOption) -> Option<Self> {
        match option {
            LayoutOption::MaxSegmentSize | LayoutOption::MaxSegmentSizeOf(_) => Some(Self::MSS),
            LayoutOption::SackPermitted => Some(Self::SACK),
            LayoutOption::Timestamps | LayoutOption::TimestampsOf { .. } => Some(Self::TIMESTAMPS),
            LayoutOption::WindowScale | LayoutOption::WindowScaleOf(_) => Some(Self::SCALE),
            LayoutOption::Nop | LayoutOption::End => None,
        }
    }
}

impl Layout {
    /// This layout without the options that are not in `offered`, each left out with the NOPs right before it. The
    /// segment size stays: stacks name theirs whether or not the client did.
    #[must_use]
    pub fn restricted_to(&self, offered: Offered) -> Self {
        let offered = offered.with(Offered::MSS);
        let mut kept: Vec<LayoutOption> = Vec::new();
        for &option in &self.0 {
            match Offered::of(option) {
                Some(one) if !offered.has(one) => {
                    while kept.last() == Some(&LayoutOption::Nop) {
                        kept.pop();
                    }
                }
                _ => kept.push(option),
            }
        }
        Self(kept)
    }

    /// Octets that the options take, not padded.
    #[must_use]
    pub fn length(&self) -> usize {
        let octets = |option: &LayoutOption| match option {
            LayoutOption::MaxSegmentSize | LayoutOption::MaxSegmentSizeOf(_) => 4,
            LayoutOption::WindowScale | LayoutOption::WindowScaleOf(_) => 3,
            LayoutOption::SackPermitted => 2,
            LayoutOption::Timestamps | LayoutOption::TimestampsOf { .. } => 10,
            LayoutOption::Nop | LayoutOption::End => 1,
        };
        self.0.iter().map(octets).sum()
    }

    /// Which of the four options the layout holds.
    #[must_use]
    pub fn set(&self) -> Offered {
        self.0.iter().filter_map(|&o| Offered::of(o)).fold(Offered::NONE, Offered::with)
    }
}

/// A word that is no option's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLayout(pub String);

impl fmt::Display for BadLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = "`mss`, `ws`, `sok`, `ts`, `nop` or `eol`, with a value as in `mss=1460`, `ws=3` or `ts=01`";
        write!(f, "unknown option `{}`, expected {words}", self.0)
    }
}

impl FromStr for Layout {
    type Err = BadLayout;

    fn from_str(text: &str) -> Result<Self, BadLayout> {
        let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
        let option = |word: &str| {
            let found = WORDS.iter().find(|(_, w)| *w == word).map(|(o, _)| *o);
            found.or_else(|| with_value(word)).ok_or_else(|| BadLayout(word.into()))
        };
        words.map(option).collect::<Result<Vec<_>, _>>().map(Self)
    }
}

/// `mss=1460` and its like.
fn with_value(word: &str) -> Option<LayoutOption> {
    match word.split_once('=')? {
        ("mss", size) => size.parse().ok().map(LayoutOption::MaxSegmentSizeOf),
        ("ws", shift) => shift.parse().ok().map(LayoutOption::WindowScaleOf),
        ("ts", "00") => Some(LayoutOption::TimestampsOf { value: false, echo: false }),
        ("ts", "01") => Some(LayoutOption::TimestampsOf { value: false, echo: true }),
        ("ts", "11") => Some(LayoutOption::TimestampsOf { value: true, echo: true }),
        ("ts", "10") => Some(LayoutOption::TimestampsOf { value: true, echo: false }),
        _ => None,
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, option) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match option {
                LayoutOption::MaxSegmentSizeOf(size) => write!(f, "mss={size}")?,
                LayoutOption::WindowScaleOf(shift) => write!(f, "ws={shift}")?,
                LayoutOption::TimestampsOf { value, echo } => write!(f, "ts={}{}", u8::from(*value), u8::from(*echo))?,
                plain => f.write_str(WORDS.iter().find(|(o, _)| o == plain).map_or("", |(_, w)| w))?,
            }
        }
        Ok(())
    }
}

impl FromStr for Offered {
    type Err = BadLayout;

    fn from_str(text: &str) -> Result<Self, BadLayout> {
        let layout: Layout = text.parse()?;
        match layout.0.iter().find(|&&o| Self::of(o).is_none()) {
            Some(_) => Err(BadLayout("nop".into())),
            None => Ok(layout.set()),
        }
    }
}

impl fmt::Display for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(Self::MSS, "mss"), (Self::SACK, "sok"), (Self::TIMESTAMPS, "ts"), (Self::SCALE, "ws")];
        let mut first = true;
        for (_, word) in words.iter().filter(|(one, _)| self.has(*one)) {
            write!(f, "{}{word}", if first { "" } else { "," })?;
            first = false;
        }
        Ok(())
    }
}

macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

as_text!(Layout);
as_text!(Offered);
