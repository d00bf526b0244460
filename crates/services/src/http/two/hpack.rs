//! HPACK (RFC 7541): header lists of HTTP/2, read and written.

use alloc::{collections::VecDeque, vec::Vec};

use super::{huffman::Huffman, spec::Indexing};
use crate::limits::two::{MAX_FIELDS, MAX_LIST};

/// Octets of a table, as RFC 7541 §4.1 counts them and RFC 9113 §6.5.2 begins with; no server here changes it.
const TABLE: usize = 4096;
/// What an entry counts beside its octets (RFC 7541 §4.1).
const ENTRY: usize = 32;

/// A field: name and value.
pub(super) type Field = (Vec<u8>, Vec<u8>);

/// A list that was read.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) fields: Vec<Field>,
    /// How each of them was written.
    pub(super) marks: Vec<Mark>,
    /// Fields in all, kept or not, and octets of their names and values.
    pub(super) count: usize,
    pub(super) octets: usize,
    /// The longest string of it, as it was written.
    pub(super) longest: usize,
}

/// How a field was written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    /// Its name is spelled out.
    pub(super) spelled: bool,
    /// The last string of the connection up to here, this field's or one before it, is empty.
    pub(super) blank: bool,
}

/// Why a block cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It ends in the middle.
    Short,
    /// Anything else.
    Malformed,
}

/// Entries that were named before, the newest first.
#[derive(Debug)]
struct Table {
    entries: VecDeque<Field>,
    size: usize,
    limit: usize,
}

impl Table {
    fn new() -> Self {
        Self { entries: VecDeque::new(), size: 0, limit: TABLE }
    }

    fn insert(&mut self, field: Field) {
        let size = room(&field.0, &field.1);
        self.shrink(self.limit.saturating_sub(size));
        if size <= self.limit {
            self.size += size;
            self.entries.push_front(field);
        }
    }

    fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.shrink(limit);
    }

    fn shrink(&mut self, to: usize) {
        while self.size > to {
            let Some((name, value)) = self.entries.pop_back() else { break };
            self.size = self.size.saturating_sub(room(&name, &value));
        }
    }

    fn entry(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let index = index.checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(index) {
            return Some((name.as_bytes(), value.as_bytes()));
        }
        self.entries.get(index - STATIC.len()).map(|(name, value)| (name.as_slice(), value.as_slice()))
    }
}

fn room(name: &[u8], value: &[u8]) -> usize {
    name.len() + value.len() + ENTRY
}

/// Reads a client's lists.
#[derive(Debug)]
pub(super) struct Decoder {
    table: Table,
    /// A change of the table's size may come late in a list (nginx), not at its beginning alone (RFC 7541 §4.2).
    lenient: bool,
    /// The last string that came is empty, or none has come.
    blank: bool,
}

impl Decoder {
    pub(super) fn new(lenient: bool) -> Self {
        Self { table: Table::new(), lenient, blank: true }
    }

    pub(super) fn decode(&mut self, block: &[u8], huffman: &Huffman) -> Result<List, Wrong> {
        let mut list = List::default();
        let mut rest = block;
        while let Some(&octet) = rest.first() {
            match octet {
                0x80.. => {
                    let index = integer(&mut rest, 7)?;
                    let (name, value) = self.table.entry(index).ok_or(Wrong::Malformed)?;
                    keep(&mut list, name, value, Mark { spelled: false, blank: self.blank });
                }
                0x20..=0x3f => {
                    let limit = integer(&mut rest, 5)?;
                    if limit > TABLE || list.count > 0 && !self.lenient {
                        return Err(Wrong::Malformed);
                    }
                    self.table.set_limit(limit);
                }
                _ => {
                    let indexed = octet & 0x40 != 0;
                    let index = integer(&mut rest, if indexed { 6 } else { 4 })?;
                    let name = match index {
                        0 => string(&mut rest, huffman, &mut list.longest)?,
                        index => self.table.entry(index).ok_or(Wrong::Malformed)?.0.to_vec(),
                    };
                    let value = string(&mut rest, huffman, &mut list.longest)?;
                    self.blank = value.is_empty();
                    keep(&mut list, &name, &value, Mark { spelled: index == 0, blank: self.blank });
                    if indexed {
                        self.table.insert((name, value));
                    }
                }
            }
        }
        Ok(list)
    }
}

/// Whether the first field of a block has come.
pub(super) fn begins(mut block: &[u8]) -> bool {
    let skip = |rest: &mut &[u8]| {
        let length = integer(rest, 7)?;
        *rest = rest.get(length..).ok_or(Wrong::Short)?;
        Ok(())
    };
    while let Some(&octet) = block.first() {
        match octet {
            0x80.. => return integer(&mut block, 7).is_ok(),
            // A change of the table's size is no field.
            0x20..=0x3f if integer(&mut block, 5).is_ok() => {}
            0x20..=0x3f => return false,
            _ => {
                let index = integer(&mut block, if octet & 0x40 != 0 { 6 } else { 4 });
                let name = index.and_then(|index| if index == 0 { skip(&mut block) } else { Ok(()) });
                return name.and_then(|()| skip(&mut block)).is_ok();
            }
        }
    }
    false
}

fn keep(list: &mut List, name: &[u8], value: &[u8], mark: Mark) {
    list.count += 1;
    list.octets = list.octets.saturating_add(name.len() + value.len());
    if list.octets <= MAX_LIST && list.fields.len() < MAX_FIELDS {
        list.fields.push((name.to_vec(), value.to_vec()));
        list.marks.push(mark);
    }
}

/// RFC 7541 §5.1; numbers beyond 2^21 are nobody's.
fn integer(octets: &mut &[u8], bits: u32) -> Result<usize, Wrong> {
    let (&first, mut rest) = octets.split_first().ok_or(Wrong::Short)?;
    let most = (1usize << bits) - 1;
    let mut value = usize::from(first) & most;
    if value == most {
        let mut shift = 0;
        loop {
            let (&octet, after) = rest.split_first().ok_or(Wrong::Short)?;
            rest = after;
            if shift > 14 {
                return Err(Wrong::Malformed);
            }
            value += usize::from(octet & 0x7f) << shift;
            shift += 7;
            if octet & 0x80 == 0 {
                break;
            }
        }
    }
    *octets = rest;
    Ok(value)
}

/// RFC 7541 §5.2.
fn string(octets: &mut &[u8], huffman: &Huffman, longest: &mut usize) -> Result<Vec<u8>, Wrong> {
    let coded = octets.first().ok_or(Wrong::Short)? & 0x80 != 0;
    let length = integer(octets, 7)?;
    let (text, rest) = octets.split_at_checked(length).ok_or(Wrong::Short)?;
    *octets = rest;
    *longest = (*longest).max(length);
    if coded { huffman.decode(text).ok_or(Wrong::Malformed) } else { Ok(text.to_vec()) }
}

/// Writes a server's lists.
#[derive(Debug)]
pub(super) struct Encoder {
    table: Table,
    indexing: Indexing,
    /// The client has named a size for the table, and is to be told which one it has.
    renamed: bool,
}

impl Encoder {
    pub(super) fn new(indexing: Indexing) -> Self {
        Self { table: Table::new(), indexing, renamed: false }
    }

    /// The client's `SETTINGS_HEADER_TABLE_SIZE`.
    pub(super) fn set_size(&mut self, size: u32) {
        let size = usize::try_from(size).unwrap_or(TABLE).min(TABLE);
        self.table.set_limit(size);
        self.renamed = true;
    }

    pub(super) fn encode(&mut self, status: u16, fields: &[(&str, &str)], huffman: &Huffman) -> Vec<u8> {
        let mut out = Vec::new();
        if core::mem::take(&mut self.renamed) && self.indexing != Indexing::All {
            // Who refers to nothing needs no table.
            let size = if self.indexing == Indexing::Named { 0 } else { self.table.limit };
            put_integer(&mut out, 0x20, 5, size);
        }
        let status = alloc::format!("{status:03}");
        for &(name, value) in [(":status", status.as_str())].iter().chain(fields) {
            match self.indexing {
                Indexing::Named => named(&mut out, name, value, huffman),
                Indexing::Table | Indexing::All => self.tabled(&mut out, name, value, huffman),
            }
        }
        out
    }

    fn tabled(&mut self, out: &mut Vec<u8>, name: &str, value: &str, huffman: &Huffman) {
        let is = |(n, v): &(Vec<u8>, Vec<u8>)| n == name.as_bytes() && v == value.as_bytes();
        if let Some(at) = self.table.entries.iter().position(is) {
            put_integer(out, 0x80, 7, at + STATIC.len() + 1);
            return;
        }
        if let Some(at) = STATIC.iter().position(|entry| *entry == (name, value)) {
            put_integer(out, 0x80, 7, at + 1);
            return;
        }
        let unindexed = ["content-length", "etag", "location", "set-cookie", "age"];
        let large = room(name.as_bytes(), value.as_bytes()) > self.table.limit * 3 / 4;
        let keeps = self.indexing == Indexing::All || !unindexed.contains(&name) && !large;
        let place = static_name(name).or_else(|| {
            let at = self.table.entries.iter().position(|(other, _)| other == name.as_bytes())?;
            Some(at + STATIC.len() + 1)
        });
        put_integer(out, if keeps { 0x40 } else { 0 }, if keeps { 6 } else { 4 }, place.unwrap_or(0));
        let or_equal = self.indexing == Indexing::All;
        if place.is_none() {
            put_string(out, name, huffman, or_equal);
        }
        put_string(out, value, huffman, or_equal);
        if keeps {
            self.table.insert((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
    }
}

/// Names that every answer has are sent by number, all others in full, and nothing is referred to again.
fn named(out: &mut Vec<u8>, name: &str, value: &str, huffman: &Huffman) {
    let known = ["server", "date", "content-type", "content-length", "last-modified", "location", "vary"];
    if name == ":status"
        && let Some(at) = STATIC.iter().position(|entry| *entry == (name, value))
    {
        put_integer(out, 0x80, 7, at + 1);
        return;
    }
    match static_name(name).filter(|_| name == ":status" || known.contains(&name)) {
        Some(place) => put_integer(out, 0x40, 6, place),
        None => {
            out.push(0);
            put_string(out, name, huffman, false);
        }
    }
    if name == ":status" || name == "content-length" {
        put_integer(out, 0, 7, value.len());
        out.extend_from_slice(value.as_bytes());
    } else {
        put_string(out, value, huffman, false);
    }
}

fn static_name(name: &str) -> Option<usize> {
    STATIC.iter().position(|(other, _)| *other == name).map(|at| at + 1)
}

fn put_integer(out: &mut Vec<u8>, first: u8, bits: u32, value: usize) {
    let most = (1usize << bits) - 1;
    if value < most {
        out.push(first | u8::try_from(value).unwrap_or(0));
        return;
    }
    out.push(first | u8::try_from(most).unwrap_or(0));
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).unwrap_or(0));
}

/// In the shorter form; where both are as long, in full, unless `or_equal`.
fn put_string(out: &mut Vec<u8>, text: &str, huffman: &Huffman, or_equal: bool) {
    let coded = huffman.length(text.as_bytes());
    if coded < text.len() || or_equal && coded == text.len() && coded > 0 {
        put_integer(out, 0x80, 7, coded);
        huffman.encode(text.as_bytes(), out);
    } else {
        put_integer(out, 0, 7, text.len());
        out.extend_from_slice(text.as_bytes());
    }
}

/// RFC 7541, appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests;
