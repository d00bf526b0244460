//! CRC-32 (IEEE 802.3), by which nmap tells apart what a reset carries.

/// Texts that stacks are known to explain a reset with.
const TEXTS: [&str; 4] = ["No TCP", "No listener", "No TCP/No listener", "no tcp, reset"];

/// Data with this checksum: a known text, or four octets that have it. Text and hexadecimal digits.
pub(crate) fn data(sum: u32) -> (String, String) {
    if let Some(text) = TEXTS.iter().find(|text| of(text.as_bytes()) == sum) {
        return ((*text).into(), String::new());
    }
    let hex = forged(sum).iter().map(|octet| format!("{octet:02x}")).collect();
    (String::new(), hex)
}

pub(crate) fn of(octets: &[u8]) -> u32 {
    !octets.iter().fold(!0, |sum, &octet| step(sum, octet))
}

fn step(sum: u32, octet: u8) -> u32 {
    let low = (sum & 0xff) ^ u32::from(octet);
    (sum >> 8) ^ entry(low)
}

fn entry(index: u32) -> u32 {
    (0..8).fold(index, |value, _| if value & 1 == 1 { (value >> 1) ^ 0xedb8_8320 } else { value >> 1 })
}

/// The four octets whose checksum is `sum`. Each step of the checksum can be taken back, since the high octets of the
/// table's entries are all different: from the end this gives the table's places, from the start then the octets.
fn forged(sum: u32) -> [u8; 4] {
    let mut places = [0u32; 4];
    let mut back = !sum;
    for place in places.iter_mut().rev() {
        let high = back >> 24;
        *place = (0..256).find(|&index| entry(index) >> 24 == high).unwrap_or(0);
        back = (back ^ entry(*place)) << 8;
    }
    let mut octets = [0; 4];
    let mut forward = !0u32;
    for (octet, place) in octets.iter_mut().zip(places) {
        *octet = u8::try_from((forward ^ place) & 0xff).unwrap_or(0);
        forward = (forward >> 8) ^ entry(place);
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_algorithm() {
        assert_eq!(of(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn forged_octets_have_the_sum() {
        for sum in [1, 0xdead_beef, 0x0102_0304, u32::MAX] {
            assert_eq!(of(&forged(sum)), sum);
        }
        assert_eq!(data(of(b"No TCP")), ("No TCP".into(), String::new()));
    }
}
