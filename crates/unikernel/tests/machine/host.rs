//! A host on the other end of the card: questions by hand, and smoltcp for TCP.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use smoltcp::{
    iface::{Config, Interface, SocketSet},
    phy::{self, Device, DeviceCapabilities, Medium},
    socket::tcp,
    time::Instant as SmolInstant,
    wire::{EthernetAddress, IpCidr},
};

use super::vm::{DECOY, OURS, Vm};

/// Who has the decoy's address?
pub(crate) fn arp_request() -> Vec<u8> {
    let mut frame = [&[0xff; 6][..], &OURS.1, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]].concat();
    frame.extend([&OURS.1[..], &OURS.0.octets(), &[0; 6], &DECOY.0.octets()].concat());
    frame
}

/// The card that an ARP reply for the decoy's address names.
pub(crate) fn arp_reply(frame: &[u8]) -> Option<[u8; 6]> {
    let reply = frame.get(12..22)? == [8, 6, 0, 1, 8, 0, 6, 4, 0, 2] && frame.get(28..32)? == DECOY.0.octets();
    if reply { frame.get(22..28)?.try_into().ok() } else { None }
}

/// An echo request with `payload`.
pub(crate) fn echo_request(payload: &[u8]) -> Vec<u8> {
    let mut icmp = [&[8, 0, 0, 0, 0, 77, 0, 1][..], payload].concat();
    let sum = checksum(&icmp);
    icmp[2..4].copy_from_slice(&sum);
    let length = u16::try_from(20 + icmp.len()).expect("short").to_be_bytes();
    let mut ip = [&[0x45, 0][..], &length, &[0, 1, 0, 0, 64, 1, 0, 0], &OURS.0.octets(), &DECOY.0.octets()].concat();
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum);
    [&DECOY.1[..], &OURS.1, &[8, 0], &ip, &icmp].concat()
}

/// The payload of an echo reply.
pub(crate) fn echo_reply(frame: &[u8]) -> Option<Vec<u8>> {
    let reply = frame.get(12..14)? == [8, 0] && frame.get(23)? == &1 && frame.get(34)? == &0;
    if reply { Some(frame.get(42..)?.to_vec()) } else { None }
}

fn checksum(octets: &[u8]) -> [u8; 2] {
    let words = octets.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    (!u16::try_from((sum & 0xffff) + (sum >> 16)).expect("few words")).to_be_bytes()
}

/// Connects to `port`, says `request`, and hears until `enough`.
pub(crate) fn talk(vm: &Vm, port: u16, request: &[u8], enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut card = Card(vm);
    let begun = Instant::now();
    let now = || SmolInstant::from_micros(i64::try_from(begun.elapsed().as_micros()).expect("short"));
    let mut interface = Interface::new(Config::new(EthernetAddress(OURS.1).into()), &mut card, now());
    interface.update_ip_addrs(|all| all.push(IpCidr::new(OURS.0.into(), 16)).expect("room"));
    let buffer = || tcp::SocketBuffer::new(vec![0; 16_384]);
    let mut sockets = SocketSet::new(vec![]);
    let socket = sockets.add(tcp::Socket::new(buffer(), buffer()));
    let local = 40_000 + u16::try_from(vm.started.elapsed().as_micros() % 20_000).expect("small");
    let remote: (Ipv4Addr, u16) = (DECOY.0, port);
    sockets.get_mut::<tcp::Socket<'_>>(socket).connect(interface.context(), remote, local).expect("connects");
    let (mut heard, mut said) = (Vec::new(), false);
    while !enough(&heard) {
        interface.poll(now(), &mut card, &mut sockets);
        let tcp = sockets.get_mut::<tcp::Socket<'_>>(socket);
        if tcp.can_send() && !said {
            tcp.send_slice(request).expect("room");
            said = true;
        }
        while tcp.can_recv() {
            tcp.recv(|octets| (octets.len(), heard.extend_from_slice(octets))).expect("open");
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "heard only {heard:?}; {}", vm.serial());
    }
    heard
}

struct Card<'a>(&'a Vm);

impl Device for Card<'_> {
    type RxToken<'b>
        = Received
    where
        Self: 'b;
    type TxToken<'b>
        = ToSend<'b>
    where
        Self: 'b;

    fn receive(&mut self, _: SmolInstant) -> Option<(Received, ToSend<'_>)> {
        Some((Received(self.0.receive()?), ToSend(self.0)))
    }

    fn transmit(&mut self, _: SmolInstant) -> Option<ToSend<'_>> {
        Some(ToSend(self.0))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1_514;
        capabilities
    }
}

struct Received(Vec<u8>);

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(&self.0)
    }
}

struct ToSend<'a>(&'a Vm);

impl phy::TxToken for ToSend<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut frame = vec![0; length];
        let filled = fill(&mut frame);
        self.0.send(&frame);
        filled
    }
}
