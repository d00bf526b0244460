//! The card and the console, of whichever kind the hypervisor has.

use crate::{clock::Clock, virtio, xen};

/// The card.
pub(crate) enum Card {
    Virtio(virtio::Device),
    Xen(xen::Card),
}

/// The console.
pub(crate) enum Console {
    Virtio(virtio::Device),
    Xen(xen::Console),
}

/// What was found.
pub(crate) struct Devices {
    pub(crate) card: Option<Card>,
    pub(crate) console: Option<Console>,
}

impl Devices {
    pub(crate) fn find(command_line: &str, clock: &Clock) -> Self {
        if let Some((card, console)) = xen::devices(clock) {
            return Self { card: Some(Card::Xen(card)), console: console.map(Console::Xen) };
        }
        let virtio::Devices { card, console } = virtio::Devices::find(command_line);
        Self { card: card.map(Card::Virtio), console: console.map(Console::Virtio) }
    }
}

impl Card {
    /// Tells the device that its interrupt was heard.
    pub(crate) fn acknowledge(&mut self) {
        match self {
            Self::Virtio(device) => device.acknowledge(),
            Self::Xen(_) => xen::acknowledge(),
        }
    }

    /// Hands the next frame that came to `take`; whether there was any.
    pub(crate) fn receive(&mut self, take: impl FnOnce(&[u8])) -> bool {
        match self {
            Self::Virtio(device) => device.receive(take),
            Self::Xen(card) => card.receive(take),
        }
    }

    /// Gives a frame to the device; whether there was room.
    pub(crate) fn send(&mut self, frame: &[u8]) -> bool {
        match self {
            Self::Virtio(device) => device.send(frame),
            Self::Xen(card) => card.send(frame),
        }
    }

    /// Tells the device to read what is no memory.
    #[cfg(feature = "hole")]
    pub(crate) fn offer_nonsense(&mut self, nowhere: &[u8]) {
        if let Self::Virtio(device) = self {
            device.offer_nonsense(nowhere);
        }
    }
}

impl Console {
    /// As a card does.
    pub(crate) fn acknowledge(&mut self) {
        match self {
            Self::Virtio(device) => device.acknowledge(),
            Self::Xen(_) => xen::acknowledge(),
        }
    }

    /// Hands the next octets that came to `take`; whether there were any.
    pub(crate) fn receive(&mut self, take: impl FnOnce(&[u8])) -> bool {
        match self {
            Self::Virtio(device) => device.receive(take),
            Self::Xen(console) => console.receive(take),
        }
    }

    /// Octets that are taken in one go.
    pub(crate) fn longest(&self) -> usize {
        match self {
            Self::Virtio(device) => device.longest(),
            Self::Xen(_) => xen::Console::LONGEST,
        }
    }

    /// Gives octets to the device, all or none; whether there was room.
    pub(crate) fn send(&mut self, octets: &[u8]) -> bool {
        match self {
            Self::Virtio(device) => device.send(octets),
            Self::Xen(console) => console.send(octets),
        }
    }

    /// Whether the host has read all.
    pub(crate) fn is_drained(&mut self) -> bool {
        match self {
            Self::Virtio(device) => device.is_drained(),
            Self::Xen(console) => console.is_drained(),
        }
    }
}
