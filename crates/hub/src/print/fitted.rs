//! A table whose columns are as wide as what stands in them, within limits, and whose cells never leave their column.
//!
//! Rows are given twice: first to be measured, then to be written. So nothing is kept, however many there are.

use std::io::{self, Write};

use unicode_width::UnicodeWidthChar;

use super::plain;

/// Between two columns.
const GAP: usize = 2;
/// Stands where a cell was cut off.
const CUT: char = '…';

/// One column. Widths are those of a terminal, whose characters may be two wide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fitted {
    pub(super) head: &'static str,
    /// What a narrow terminal leaves of it.
    pub(super) least: usize,
    /// What it takes, however much there is to say.
    pub(super) most: usize,
    /// Numbers stand at the right.
    pub(super) is_number: bool,
    /// Columns that a terminal has no room for go in this order, from 1; 0: it stays.
    pub(super) goes: u8,
}

/// How wide each column is; of those that have no room, nothing is left.
#[derive(Debug)]
pub(super) struct Layout<const N: usize> {
    columns: &'static [Fitted; N],
    widths: [Option<usize>; N],
}

impl<const N: usize> Layout<N> {
    /// Every column as wide as its head; cells are measured next.
    pub(super) fn new(columns: &'static [Fitted; N]) -> Self {
        Self { columns, widths: columns.map(|column| Some(column.head.len())) }
    }

    /// Makes room for a row's cells, up to what their columns may take.
    pub(super) fn measure(&mut self, cells: &[String; N]) {
        for ((width, column), cell) in self.widths.iter_mut().zip(self.columns).zip(cells) {
            *width = width.map(|width| width.max(fit(cell, column.most).1));
        }
    }

    /// Takes room away until a row fits into a terminal: whole columns if it must be, then, a character at a time, from
    /// the column that has most to spare.
    pub(super) fn shrink_to(&mut self, terminal: usize) {
        while self.width(|column, width| width.min(column.least)) > terminal && self.give_up() {}
        while self.width(|_, width| width) > terminal {
            let spare = |at: &usize| match (self.columns.get(*at), self.widths.get(*at)) {
                (Some(column), Some(Some(width))) => width.saturating_sub(column.least),
                _ => 0,
            };
            let Some(widest) = (0..N).max_by_key(spare).filter(|at| spare(at) > 0) else { return };
            if let Some(Some(width)) = self.widths.get_mut(widest) {
                *width -= 1;
            }
        }
    }

    /// Leaves out the column that is to go next.
    fn give_up(&mut self) -> bool {
        let there = self.columns.iter().zip(&self.widths).filter(|(column, width)| column.goes > 0 && width.is_some());
        let Some(next) = there.map(|(column, _)| column.goes).min() else { return false };
        for (column, width) in self.columns.iter().zip(&mut self.widths) {
            if column.goes == next {
                *width = None;
            }
        }
        true
    }

    /// Of a row, if each column that is there were as wide as `each` says.
    fn width(&self, each: impl Fn(&Fitted, usize) -> usize) -> usize {
        let there =
            self.columns.iter().zip(self.widths).filter_map(|(column, width)| width.map(|width| each(column, width)));
        there.map(|width| width + GAP).sum::<usize>().saturating_sub(GAP)
    }

    /// Heads of the columns that have no room.
    pub(super) fn left_out(&self) -> Vec<&'static str> {
        let gone = self.columns.iter().zip(&self.widths).filter(|(_, width)| width.is_none());
        gone.map(|(column, _)| column.head).collect()
    }

    pub(super) fn head(&self, out: &mut impl Write) -> io::Result<()> {
        self.row(&self.columns.map(|column| column.head.to_owned()), out)
    }

    pub(super) fn row(&self, cells: &[String; N], out: &mut impl Write) -> io::Result<()> {
        let mut row = String::new();
        for ((column, cell), width) in self.columns.iter().zip(cells).zip(self.widths) {
            let Some(width) = width else { continue };
            let (cell, taken) = fit(cell, width);
            let space = " ".repeat(width - taken);
            row += &if column.is_number { format!("{space}{cell}") } else { format!("{cell}{space}") };
            row += &" ".repeat(GAP);
        }
        writeln!(out, "{}", row.trim_end())
    }
}

/// A cell's text as it is shown in so much room, at most, and the room that it takes. What does not fit is cut off
/// between two characters, or two escapes of them.
fn fit(cell: &str, room: usize) -> (String, usize) {
    let (mut fitted, mut width, mut before_cut) = (String::new(), 0, (0, 0));
    for char in cell.chars() {
        let (shown, wide) = shown(char);
        if width + wide > room {
            fitted.truncate(before_cut.0);
            fitted.push(CUT);
            return (fitted, before_cut.1 + 1);
        }
        fitted.push_str(&shown);
        width += wide;
        if width < room {
            before_cut = (fitted.len(), width);
        }
    }
    (fitted, width)
}

/// A character and its width. One that is not seen is written out: a secret is to be read, and a row to be as wide as
/// it seems.
fn shown(char: char) -> (String, usize) {
    let shown = match char.width() {
        Some(0) => char.escape_unicode().to_string(),
        _ => plain(char.encode_utf8(&mut [0; 4])),
    };
    let width = shown.chars().map(|char| char.width().unwrap_or_default()).sum();
    (shown, width)
}

#[cfg(test)]
mod tests;
