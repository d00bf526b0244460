//! The civil calendar, as far as servers print it.

use alloc::{format, string::String};
use core::fmt::Write;

const SECONDS_OF_DAY: u64 = 86_400;
const NANOS: u64 = 1_000_000_000;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const LONG_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) year: u64,
    /// 1 to 12.
    pub(crate) month: u64,
    /// 1 to 31.
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
    pub(crate) hundredth: u64,
    /// What is beyond the second.
    nanos: u64,
    /// Days since 1970-01-01, a Thursday.
    days: u64,
}

impl Moment {
    /// The moment `nanos` after the start of 1970.
    pub(crate) fn at(nanos: u64) -> Self {
        let seconds = nanos / NANOS;
        let (days, of_day) = (seconds / SECONDS_OF_DAY, seconds % SECONDS_OF_DAY);
        let (year, month, day) = date(days);
        Self {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            hundredth: nanos % NANOS / (NANOS / 100),
            nanos: nanos % NANOS,
            days,
        }
    }

    /// As in a `Date` header: IMF-fixdate (RFC 9110 §5.6.7).
    pub(crate) fn imf(&self) -> String {
        format!(
            "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
            self.weekday(),
            self.day,
            self.month_name(),
            self.year,
            self.hour,
            self.minute,
            self.second
        )
    }

    /// As `2023-06-12` (ISO 8601).
    pub(crate) fn iso_day(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// As `date +FORM` prints it, with the letters of strftime(3) that are known here; `%L` are milliseconds.
    pub(crate) fn format(&self, form: &str) -> String {
        let mut text = String::new();
        let mut letters = form.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                text.push(letter);
                continue;
            }
            let _ = match letters.next() {
                Some('Y') => write!(text, "{:04}", self.year),
                Some('y') => write!(text, "{:02}", self.year % 100),
                Some('m') => write!(text, "{:02}", self.month),
                Some('d') => write!(text, "{:02}", self.day),
                Some('e') => write!(text, "{:>2}", self.day),
                Some('-') if letters.as_str().starts_with('d') => {
                    letters.next();
                    write!(text, "{}", self.day)
                }
                Some('H') => write!(text, "{:02}", self.hour),
                Some('I') => write!(text, "{:02}", (self.hour + 11) % 12 + 1),
                Some('l') => write!(text, "{:>2}", (self.hour + 11) % 12 + 1),
                Some('p') => write!(text, "{}", if self.hour < 12 { "AM" } else { "PM" }),
                Some('P') => write!(text, "{}", if self.hour < 12 { "am" } else { "pm" }),
                Some('M') => write!(text, "{:02}", self.minute),
                Some('S') => write!(text, "{:02}", self.second),
                Some('F') => write!(text, "{}", self.iso_day()),
                Some('T') => write!(text, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second),
                Some('s') => {
                    write!(text, "{}", self.days * SECONDS_OF_DAY + self.hour * 3600 + self.minute * 60 + self.second)
                }
                Some('N') => write!(text, "{:09}", self.nanos),
                Some('L') => write!(text, "{:03}", self.nanos / 1_000_000),
                Some('Z') => write!(text, "UTC"),
                Some('a') => write!(text, "{}", self.weekday()),
                Some('A') => write!(text, "{}", name(&DAYS, self.days % 7)),
                Some('B') => write!(text, "{}", name(&LONG_MONTHS, self.month.saturating_sub(1))),
                Some('b') => write!(text, "{}", self.month_name()),
                Some('%') | None => write!(text, "%"),
                Some(other) => write!(text, "%{other}"),
            };
        }
        text
    }

    /// `Mon`.
    pub(crate) fn weekday(&self) -> &'static str {
        name(&WEEKDAYS, self.days % 7)
    }

    /// `Jan`.
    pub(crate) fn month_name(&self) -> &'static str {
        name(&MONTHS, self.month.saturating_sub(1))
    }
}

/// The day that is written as `2023-06-12`, counted from 1970-01-01; `None` for what is no day from then on.
pub(crate) fn day(text: &str) -> Option<u64> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, of_month) = (parts.next()??, parts.next()??, parts.next()??);
    let wanted = (year, month, of_month);
    // No year has more than 366 days, and none fewer than 365.
    let first = year.checked_sub(1970)?.checked_mul(365)?;
    (first..=first.checked_add(366 + year / 4)?).find(|&days| date(days) == wanted)
}

fn name(names: &[&'static str], place: u64) -> &'static str {
    usize::try_from(place).ok().and_then(|place| names.get(place).copied()).unwrap_or("")
}

/// Year, month and day of a day counted from 1970-01-01. Years are counted from March, so that the leap day is the
/// last of its year and a month's first day is a linear function of its number.
fn date(days: u64) -> (u64, u64, u64) {
    // Days from 0000-03-01 to 1970-01-01; 146,097 days are 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
