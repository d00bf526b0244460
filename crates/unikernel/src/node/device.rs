//! The card and the console, of whichever kind the hypervisor has.

use crate::{clock::Clock, virtio, xen};

/// A device of virtio's, or one that is `X` under Xen.
#[expect(clippy::large_enum_variant, reason = "a machine has two of them, for as long as it runs")]
pub(crate) enum Device<X> {
    Virtio(virtio::Device),
    Xen(X),
}

/// The card.
pub(crate) type Card = Device<xen::Card>;

/// The console.
pub(crate) type Console = Device<xen::Console>;

/// What a device of Xen's does, as one of virtio's does it.
pub(crate) trait Carries {
    /// Hands the next frame, or octets, that came to `take`; whether there were any.
    fn receive(&mut self, take: impl FnOnce(&[u8])) -> bool;

    /// Gives a frame, or octets, to the device, all or none; whether there was room.
    fn send(&mut self, content: &[u8]) -> bool;
}

/// What was found.
pub(crate) struct Devices {
    pub(crate) card: Option<Card>,
    pub(crate) console: Option<Console>,
}

impl Devices {
    pub(crate) fn find(command_line: &str, clock: &Clock) -> Self {
        if let Some((card, console)) = xen::devices(clock) {
            return Self { card: Some(Device::Xen(card)), console: console.map(Device::Xen) };
        }
        let virtio::Devices { card, console } = virtio::Devices::find(command_line);
        Self { card: card.map(Device::Virtio), console: console.map(Device::Virtio) }
    }
}

impl<X: Carries> Device<X> {
    /// Tells the device that its interrupt was heard.
    pub(crate) fn acknowledge(&mut self) {
        match self {
            Self::Virtio(device) => device.acknowledge(),
            Self::Xen(_) => xen::acknowledge(),
        }
    }

    /// See [`Carries::receive`].
    pub(crate) fn receive(&mut self, take: impl FnOnce(&[u8])) -> bool {
        match self {
            Self::Virtio(device) => device.receive(take),
            Self::Xen(device) => device.receive(take),
        }
    }

    /// See [`Carries::send`].
    pub(crate) fn send(&mut self, content: &[u8]) -> bool {
        match self {
            Self::Virtio(device) => device.send(content),
            Self::Xen(device) => device.send(content),
        }
    }
}

impl Card {
    /// Tells the device to read what is no memory.
    #[cfg(feature = "hole")]
    pub(crate) fn offer_nonsense(&mut self, nowhere: &[u8]) {
        if let Self::Virtio(device) = self {
            device.offer_nonsense(nowhere);
        }
    }
}

impl Console {
    /// Octets that are taken in one go.
    pub(crate) fn longest(&self) -> usize {
        match self {
            Self::Virtio(device) => device.longest(),
            Self::Xen(_) => xen::Console::LONGEST,
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
