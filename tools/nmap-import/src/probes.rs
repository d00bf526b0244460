//! The probes of `nmap -O`, as they are seen on the wire (and documented in "Remote OS detection").

/// One of the SYNs to an open port.
pub(crate) struct Syn {
    pub(crate) window: u16,
    /// Options, hexadecimal.
    pub(crate) options: &'static str,
}

/// The six SYNs that are sent a tenth of a second apart.
pub(crate) const SEQUENCE: [Syn; 6] = [
    Syn { window: 1, options: "03030a01020405b4080affffffff000000000402" },
    Syn { window: 63, options: "020405780303000402080affffffff0000000000" },
    Syn { window: 4, options: "080affffffff0000000001010303050102040280" },
    Syn { window: 4, options: "0402080affffffff0000000003030a00" },
    Syn { window: 16, options: "020402180402080affffffff0000000003030a00" },
    Syn { window: 512, options: "020401090402080affffffff00000000" },
];
/// The SYN that offers explicit congestion notification.
pub(crate) const ECN: Syn = Syn { window: 3, options: "03030a01020405b404020101" };
/// What T2 to T6 carry, and what T7 does.
pub(crate) const ODD: &str = "03030a0102040109080affffffff000000000402";
pub(crate) const ODD_T7: &str = "03030f0102040109080affffffff000000000402";
/// Window of T3, the one odd segment that may be taken for a SYN.
pub(crate) const T3_WINDOW: u16 = 256;

/// Octets of the datagram to a closed port.
pub(crate) const UDP_LENGTH: u16 = 328;
/// Its identification.
pub(crate) const UDP_ID: u16 = 0x1042;
