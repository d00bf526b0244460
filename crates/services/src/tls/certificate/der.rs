//! Writes DER (X.690), as much of it as certificates need.

use alloc::vec::Vec;

/// One element.
pub(crate) fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = alloc::vec![tag];
    match u8::try_from(contents.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let length = contents.len().to_be_bytes();
            let zeros = length.iter().take_while(|&&octet| octet == 0).count();
            let significant = length.get(zeros..).unwrap_or(&[]);
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or(0));
            out.extend_from_slice(significant);
        }
    }
    out.extend_from_slice(contents);
    out
}

/// A SEQUENCE (0x30) or SET (0x31).
pub(crate) fn constructed(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(tag, &parts.concat())
}

/// `[number] EXPLICIT`.
pub(crate) fn explicit(number: u8, inside: &[u8]) -> Vec<u8> {
    tlv(0xa0 | number, inside)
}

/// A number that is not negative.
pub(crate) fn integer(magnitude: &[u8]) -> Vec<u8> {
    let zeros = magnitude.iter().take_while(|&&octet| octet == 0).count();
    let mut contents = magnitude.get(zeros..).unwrap_or(&[]).to_vec();
    if contents.first().is_none_or(|&first| first >= 0x80) {
        contents.insert(0, 0);
    }
    tlv(0x02, &contents)
}

/// An object identifier, by its contents.
pub(crate) fn oid(contents: &[u8]) -> Vec<u8> {
    tlv(0x06, contents)
}

pub(crate) fn octets(contents: &[u8]) -> Vec<u8> {
    tlv(0x04, contents)
}

/// A BIT STRING of whole octets.
pub(crate) fn bits(contents: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], contents].concat())
}

/// What is inside of an element that was written here.
pub(crate) fn contents(element: &[u8]) -> Option<&[u8]> {
    split(element).map(|(contents, _)| contents)
}

/// What comes after the first element.
pub(crate) fn after(elements: &[u8]) -> Option<&[u8]> {
    split(elements).map(|(_, after)| after)
}

fn split(elements: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[_, first], rest) = elements.split_first_chunk::<2>()?;
    if first < 0x80 {
        return rest.split_at_checked(usize::from(first));
    }
    let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    rest.split_at_checked(length.iter().fold(0, |length, &octet| length << 8 | usize::from(octet)))
}
