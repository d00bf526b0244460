//! Alerts (RFC 8446 §6).

pub(super) const WARNING: u8 = 1;
pub(super) const FATAL: u8 = 2;
/// Of a client's alerts, those that are not like all the others.
pub(super) const CLOSE_NOTIFY: u8 = 0;
pub(super) const USER_CANCELED: u8 = 90;
pub(super) const NO_RENEGOTIATION: u8 = 100;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The server says why, fatally.
    Alert(Alert),
    /// The server says nothing.
    Silent,
    /// The client speaks HTTP, and is told so.
    Http,
}

impl From<Alert> for Fault {
    fn from(alert: Alert) -> Self {
        Self::Alert(alert)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alert {
    CloseNotify,
    UnexpectedMessage,
    BadRecordMac,
    RecordOverflow,
    HandshakeFailure,
    IllegalParameter,
    DecodeError,
    DecryptError,
    ProtocolVersion,
    InternalError,
    InappropriateFallback,
    NoRenegotiation,
    MissingExtension,
    UnrecognizedName,
    NoApplicationProtocol,
}

impl Alert {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::CloseNotify => CLOSE_NOTIFY,
            Self::UnexpectedMessage => 10,
            Self::BadRecordMac => 20,
            Self::RecordOverflow => 22,
            Self::HandshakeFailure => 40,
            Self::IllegalParameter => 47,
            Self::DecodeError => 50,
            Self::DecryptError => 51,
            Self::ProtocolVersion => 70,
            Self::InternalError => 80,
            Self::InappropriateFallback => 86,
            Self::NoRenegotiation => NO_RENEGOTIATION,
            Self::MissingExtension => 109,
            Self::UnrecognizedName => 112,
            Self::NoApplicationProtocol => 120,
        }
    }
}
