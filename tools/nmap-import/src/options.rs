//! Option strings: `M5B4ST11NW7`.

use chaff_engine::personality::{Layout, LayoutOption, Offered};

/// Values that a layout takes from its stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub(crate) mss: u16,
    pub(crate) scale: u8,
}

/// Reads an option string: the octets that nmap would print so. `None` for one that says what cannot be sent.
pub(crate) fn read(text: &str) -> Option<Vec<LayoutOption>> {
    let mut options = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        options.push(match letter {
            'N' => LayoutOption::Nop,
            'L' => LayoutOption::End,
            'S' => LayoutOption::SackPermitted,
            'M' => LayoutOption::MaxSegmentSizeOf(number(&mut rest)?),
            'W' => LayoutOption::WindowScaleOf(u8::try_from(number(&mut rest)?).ok()?),
            'T' => {
                let (bits, after) = rest.split_at_checked(2)?;
                rest = after;
                LayoutOption::TimestampsOf { value: bits.starts_with('1'), echo: bits.ends_with('1') }
            }
            _ => return None,
        });
    }
    Some(trimmed(options))
}

/// The list without the zeros at its end that padding makes anyway.
fn trimmed(mut options: Vec<LayoutOption>) -> Vec<LayoutOption> {
    loop {
        let length = Layout(options.clone()).length();
        let shorter = length.saturating_sub(1);
        if options.last() == Some(&LayoutOption::End) && shorter.next_multiple_of(4) == length.next_multiple_of(4) {
            options.pop();
        } else {
            return options;
        }
    }
}

/// The list with words for what is the stack's own.
pub(crate) fn layout(options: &[LayoutOption], own: Own) -> Layout {
    let word = |option: &LayoutOption| match option {
        LayoutOption::MaxSegmentSizeOf(mss) if *mss == own.mss => LayoutOption::MaxSegmentSize,
        LayoutOption::WindowScaleOf(scale) if *scale == own.scale => LayoutOption::WindowScale,
        LayoutOption::TimestampsOf { value: true, echo: true } => LayoutOption::Timestamps,
        other => *other,
    };
    Layout(options.iter().map(word).collect())
}

pub(crate) fn mss(options: &[LayoutOption]) -> Option<u16> {
    options.iter().find_map(|option| match option {
        LayoutOption::MaxSegmentSizeOf(mss) => Some(*mss),
        _ => None,
    })
}

pub(crate) fn scale(options: &[LayoutOption]) -> Option<u8> {
    options.iter().find_map(|option| match option {
        LayoutOption::WindowScaleOf(scale) => Some(*scale),
        _ => None,
    })
}

/// Whether there is a timestamp, and whether its value is zero.
pub(crate) fn stamp(options: &[LayoutOption]) -> Option<bool> {
    options.iter().find_map(|option| match option {
        LayoutOption::TimestampsOf { value, .. } => Some(!value),
        _ => None,
    })
}

/// What a probe's options offer.
pub(crate) fn offered(hex: &str) -> Offered {
    let octets: Vec<u8> =
        (0..hex.len() / 2).filter_map(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()).collect();
    let mut rest = &octets[..];
    let mut set = Offered::NONE;
    while let [kind, after @ ..] = rest {
        let one = match kind {
            2 => Offered::MSS,
            3 => Offered::SCALE,
            4 => Offered::SACK,
            8 => Offered::TIMESTAMPS,
            0 | 1 => {
                rest = after;
                continue;
            }
            _ => Offered::NONE,
        };
        set = set.with(one);
        let length = after.first().map_or(2, |length| usize::from(*length));
        rest = rest.get(length..).unwrap_or(&[]);
    }
    set
}

/// A hexadecimal number at the start of `rest`, which is moved behind it. An `A` to `F` is always a digit.
fn number(rest: &mut &str) -> Option<u16> {
    let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    u16::from_str_radix(digits, 16).ok()
}
