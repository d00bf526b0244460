//! virtio devices with one queue each way: the card and the console. Over MMIO, as the command line names them, or
//! over PCI with MSI-X, as the bus does.

use alloc::{
    alloc::{alloc_zeroed, dealloc},
    boxed::Box,
    vec,
    vec::Vec,
};
use core::{alloc::Layout, array, ptr::NonNull};

use chaff_unikernel::start::virtio_devices;
use virtio_drivers::{
    BufferDirection, Error, Hal, PhysAddr,
    queue::VirtQueue,
    transport::{
        DeviceStatus, DeviceType, Transport,
        mmio::{MmioTransport, VirtIOHeader},
        pci::{
            PciTransport,
            bus::{Command, ConfigurationAccess, DeviceFunction, PciRoot},
            virtio_device_type,
        },
    },
};

use crate::{
    interrupts,
    machine::{in32, out32},
};

/// Buffers of a queue.
const QUEUE: usize = 16;
const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;
/// The device speaks by the standard, not as before it (virtio 1.1 §6).
const VERSION_1: u64 = 1 << 32;
/// Length of an MMIO device's registers, as QEMU and Firecracker have them.
const REGISTERS: usize = 0x200;

/// One address space: what is told to a device is what we use.
pub(crate) struct Identity;

// SAFETY: memory of the heap is at the same physical address, is not moved, and is ours until it is given back.
unsafe impl Hal for Identity {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let layout = pages_layout(pages);
        // SAFETY: `pages` is not zero: drivers ask for whole queues.
        let at = NonNull::new(unsafe { alloc_zeroed(layout) });
        let at = at.unwrap_or_else(|| alloc::alloc::handle_alloc_error(layout));
        (at.as_ptr() as PhysAddr, at)
    }

    unsafe fn dma_dealloc(_: PhysAddr, at: NonNull<u8>, pages: usize) -> i32 {
        // SAFETY: it was allocated above, with this layout.
        unsafe { dealloc(at.as_ptr(), pages_layout(pages)) };
        0
    }

    unsafe fn mmio_phys_to_virt(at: PhysAddr, octets: usize) -> NonNull<u8> {
        assert!(at.saturating_add(octets as u64) <= 1 << 32, "a device's registers are above 4 GiB");
        NonNull::new(at as *mut u8).expect("no device is at 0")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.as_ptr().cast::<u8>() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

fn pages_layout(pages: usize) -> Layout {
    Layout::from_size_align(pages * 4_096, 4_096).expect("a queue is some pages")
}

/// How a device is reached.
enum Bus {
    Mmio(MmioTransport<'static>),
    /// With its common configuration, where the vector of each queue is told (virtio 1.1 §4.1.4.3).
    Pci(PciTransport, *mut u8),
}

macro_rules! of {
    ($bus:expr, $transport:ident => $what:expr) => {
        match $bus {
            Bus::Mmio($transport) => $what,
            Bus::Pci($transport, _) => $what,
        }
    };
}

/// The driver of queues asks this much of a transport; the rest is never called.
struct QueueSetup<'a>(&'a mut Bus);

impl QueueSetup<'_> {
    fn queue(&mut self, queue: u16) -> Result<VirtQueue<Identity, QUEUE>, Error> {
        if let Bus::Pci(_, common) = self.0 {
            // SAFETY: the device's registers, as it told.
            unsafe {
                common.add(22).cast::<u16>().write_volatile(queue);
                common.add(26).cast::<u16>().write_volatile(0);
            }
        }
        of!(self.0, transport => VirtQueue::new(transport, queue, false, false))
    }
}

/// A device at work.
pub(crate) struct Device {
    bus: Bus,
    receive: VirtQueue<Identity, QUEUE>,
    transmit: VirtQueue<Identity, QUEUE>,
    /// What the device may write to, by token.
    receiving: [Option<Box<[u8]>>; QUEUE],
    /// What the device may read, by token, and how much of it.
    sending: [Option<(Box<[u8]>, usize)>; QUEUE],
    idle: Vec<Box<[u8]>>,
    /// Octets before the content.
    header: usize,
    longest: usize,
}

/// What was found.
pub(crate) struct Devices {
    pub(crate) card: Option<Device>,
    pub(crate) console: Option<Device>,
}

/// Octets of a buffer of the card: a frame with two tags, and the header before it.
const FRAME: usize = 1_536;
/// Octets of a buffer of the console.
const PIECE: usize = 1_024;

impl Devices {
    pub(crate) fn find(command_line: &str) -> Self {
        let mut found = Self { card: None, console: None };
        for (address, line) in virtio_devices(command_line) {
            let Some(registers) = NonNull::new(address as *mut VirtIOHeader) else { continue };
            if address < 3 << 30 || address > (4 << 30) - REGISTERS as u64 {
                continue;
            }
            // SAFETY: the hypervisor says that a device is there; it is inside what is mapped as devices.
            if let Ok(transport) = unsafe { MmioTransport::new(registers, REGISTERS) } {
                interrupts::route(line);
                found.take(Bus::Mmio(transport));
            }
        }
        out32(ADDRESS, 1 << 31);
        if in32(DATA) != u32::MAX {
            found.find_on_pci();
        }
        found
    }

    fn find_on_pci(&mut self) {
        let mut root = PciRoot::new(Ports);
        let functions: Vec<_> = root.enumerate_bus(0).collect();
        for (function, info) in functions {
            if virtio_device_type(&info).is_none() {
                continue;
            }
            root.set_command(function, Command::MEMORY_SPACE | Command::BUS_MASTER | Command::INTERRUPT_DISABLE);
            let Some(common) = prepare(&mut root, function) else { continue };
            if let Ok(transport) = PciTransport::new::<Identity, _>(&mut root, function) {
                self.take(Bus::Pci(transport, common));
            }
        }
    }

    fn take(&mut self, bus: Bus) {
        match of!(&bus, transport => transport.device_type()) {
            // The header lacks a field where the device is older than the standard (virtio 1.1 §5.1.6.1).
            DeviceType::Network if self.card.is_none() => {
                self.card = Device::start(bus, FRAME, |v1| if v1 { 12 } else { 10 })
            }
            DeviceType::Console if self.console.is_none() => self.console = Device::start(bus, PIECE, |_| 0),
            _ => {}
        }
    }
}

impl Device {
    /// Negotiates (virtio 1.1 §3.1.1) and hands out all buffers.
    fn start(mut bus: Bus, buffer: usize, header: impl Fn(bool) -> usize) -> Option<Self> {
        let known = DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER;
        let version_1 = of!(&mut bus, transport => {
            transport.set_status(DeviceStatus::empty());
            transport.set_status(known);
            let features = transport.read_device_features() & VERSION_1;
            transport.write_driver_features(features);
            transport.set_status(known | DeviceStatus::FEATURES_OK);
            transport.set_guest_page_size(4_096);
            features != 0
        });
        let header = header(version_1);
        let receive = QueueSetup(&mut bus).queue(RECEIVE).ok()?;
        let transmit = QueueSetup(&mut bus).queue(TRANSMIT).ok()?;
        of!(&mut bus, transport => transport.set_status(known | DeviceStatus::FEATURES_OK | DeviceStatus::DRIVER_OK));
        let mut device = Self {
            bus,
            receive,
            transmit,
            receiving: array::from_fn(|_| None),
            sending: array::from_fn(|_| None),
            idle: (0..QUEUE).map(|_| vec![0; buffer].into_boxed_slice()).collect(),
            header,
            longest: buffer - header,
        };
        for _ in 0..QUEUE {
            device.offer(vec![0; buffer].into_boxed_slice());
        }
        device.notify(RECEIVE);
        Some(device)
    }

    /// Tells the device that its interrupt was heard.
    pub(crate) fn acknowledge(&mut self) {
        // With MSI-X there is nothing to acknowledge.
        if let Bus::Mmio(transport) = &mut self.bus {
            transport.ack_interrupt();
        }
    }

    /// Hands the next content that came to `take`; whether there was any.
    pub(crate) fn receive(&mut self, take: impl FnOnce(&[u8])) -> bool {
        let Some(token) = self.receive.peek_used() else { return false };
        let Some(mut buffer) = self.receiving.get_mut(usize::from(token)).and_then(Option::take) else {
            panic!("a device gave back a buffer that it did not have");
        };
        // SAFETY: this is the buffer that was offered under this token.
        let length = unsafe { self.receive.pop_used(token, &[], &mut [&mut buffer]) };
        let length = length.map_or(0, |length| length as usize);
        take(buffer.get(self.header..length).unwrap_or_default());
        self.offer(buffer);
        self.notify(RECEIVE);
        true
    }

    fn offer(&mut self, mut buffer: Box<[u8]>) {
        // SAFETY: the buffer stays in `receiving`, where nobody touches it, until the device has given it back.
        match unsafe { self.receive.add(&[], &mut [&mut buffer]) } {
            Ok(token) => self.receiving[usize::from(token)] = Some(buffer),
            Err(error) => panic!("no room to receive: {error}"),
        }
    }

    /// Octets that one buffer takes.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Gives `content` to the device; whether there was room.
    pub(crate) fn send(&mut self, content: &[u8]) -> bool {
        self.reap();
        let end = self.header + content.len();
        let Some(mut buffer) = self.idle.pop() else { return false };
        if end > buffer.len() {
            self.idle.push(buffer);
            return false;
        }
        // No checksum to be made, no segments to be cut (virtio 1.1 §5.1.6).
        buffer[..self.header].fill(0);
        buffer[self.header..end].copy_from_slice(content);
        // SAFETY: the buffer stays in `sending`, where nobody touches it, until the device has given it back.
        match unsafe { self.transmit.add(&[&buffer[..end]], &mut []) } {
            Ok(token) => {
                self.sending[usize::from(token)] = Some((buffer, end));
                self.notify(TRANSMIT);
                true
            }
            Err(_) => {
                self.idle.push(buffer);
                false
            }
        }
    }

    /// Tells the device to read what is no memory.
    #[cfg(feature = "hole")]
    pub(crate) fn offer_nonsense(&mut self, nowhere: &[u8]) {
        // SAFETY: none: that is what is tried.
        let _ = unsafe { self.transmit.add(&[nowhere], &mut []) };
        self.notify(TRANSMIT);
    }

    /// Takes back what the device has sent.
    fn reap(&mut self) {
        while let Some(token) = self.transmit.peek_used() {
            let Some((buffer, end)) = self.sending.get_mut(usize::from(token)).and_then(Option::take) else {
                panic!("a device gave back a buffer that it did not have");
            };
            // SAFETY: this is the buffer that was added under this token.
            let _ = unsafe { self.transmit.pop_used(token, &[&buffer[..end]], &mut []) };
            self.idle.push(buffer);
        }
    }

    /// Whether the device has sent all that it was given.
    pub(crate) fn is_drained(&mut self) -> bool {
        self.reap();
        self.idle.len() == QUEUE
    }

    fn notify(&mut self, queue: u16) {
        of!(&mut self.bus, transport => transport.notify(queue));
    }
}

/// The ports through which the PCI bus is configured.
const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
/// Kinds of capabilities of a PCI device.
const MSI_X: u8 = 0x11;
const VENDOR: u8 = 0x09;
/// The kind of virtio's capability that tells of the common configuration (virtio 1.1 §4.1.4).
const COMMON: u8 = 1;

struct Ports;

impl ConfigurationAccess for Ports {
    fn read_word(&self, function: DeviceFunction, register: u8) -> u32 {
        out32(ADDRESS, place(function, register));
        in32(DATA)
    }

    fn write_word(&mut self, function: DeviceFunction, register: u8, value: u32) {
        out32(ADDRESS, place(function, register));
        out32(DATA, value);
    }

    unsafe fn unsafe_clone(&self) -> Self {
        Self
    }
}

fn place(function: DeviceFunction, register: u8) -> u32 {
    let DeviceFunction { bus, device, function } = function;
    let [bus, device, function, register] = [bus, device, function, register & 0xfc].map(u32::from);
    1 << 31 | bus << 16 | device << 11 | function << 8 | register
}

/// Points entry 0 of the device's MSI-X table at this processor; where its common configuration is.
fn prepare(root: &mut PciRoot<Ports>, function: DeviceFunction) -> Option<*mut u8> {
    let mut ports = Ports;
    let capabilities: Vec<_> = root.capabilities(function).collect();
    let mut common = None;
    for capability in capabilities {
        let word = ports.read_word(function, capability.offset + 4);
        if capability.id == MSI_X {
            let table = bar(root, function, (word & 7) as u8)? + u64::from(word & !7);
            let (address, content) = interrupts::message();
            for (n, value) in [address, 0, content, 0].into_iter().enumerate() {
                // SAFETY: the device says that its table is there; `bar` has seen that it is mapped.
                unsafe { (table as *mut u32).add(n).write_volatile(value) };
            }
            let control = ports.read_word(function, capability.offset);
            ports.write_word(function, capability.offset, control & !(1 << 30) | 1 << 31);
        }
        if capability.id == VENDOR && (capability.private_header >> 8) as u8 == COMMON && common.is_none() {
            let offset = ports.read_word(function, capability.offset + 8);
            common = Some((bar(root, function, word as u8)? + u64::from(offset)) as *mut u8);
        }
    }
    common
}

/// Where a window of the device is, if that is inside what is mapped.
fn bar(root: &mut PciRoot<Ports>, function: DeviceFunction, index: u8) -> Option<u64> {
    let (address, octets) = root.bar_info(function, index).ok()??.memory_address_size()?;
    (address >= 3 << 30 && address.checked_add(octets)? <= 4 << 30).then_some(address)
}
