use std::{net::IpAddr, os::fd::AsRawFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{
        BridgeStpState, InfoBridge, InfoData, InfoKind, InfoMacVlan, InfoVeth, LinkAttribute, LinkFlags, LinkInfo,
        LinkMessage, MacVlanMode,
    },
    neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState},
    route::{RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};

use crate::{Cidr, Error, Namespace, netlink, netlink::Answer, offload};

/// Address ageing of a bridge, in hundredths of a second: five minutes, the kernel's own default.
const BRIDGE_AGEING_CENTISECONDS: u32 = 30_000;
const IFLA_ADDRESS: u16 = 1;
/// IFNAMSIZ without the closing NUL.
const MAX_NAME_LEN: usize = 15;

/// A cable: one end in namespace `a`, the other in `b`, both up, with checksum and segmentation offload off, so that
/// whoever reads raw packets from it sees complete ones.
///
/// # Errors
///
/// When a name is taken or wrong, or the kernel has no veth.
pub fn veth(a: &Namespace, a_name: &str, b: &Namespace, b_name: &str) -> Result<(), Error> {
    check_name(a_name)?;
    check_name(b_name)?;
    let mut peer = LinkMessage::default();
    peer.attributes.push(LinkAttribute::IfName(b_name.to_owned()));
    peer.attributes.push(LinkAttribute::NetNsFd(std::os::fd::AsFd::as_fd(b).as_raw_fd()));
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(a_name.to_owned()));
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    a.netlink().change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL, || {
        format!("make the link {a_name} – {b_name}")
    })?;
    for (namespace, name) in [(a, a_name), (b, b_name)] {
        namespace.link(name).offload_off()?;
        namespace.link(name).up()?;
    }
    Ok(())
}

impl Namespace {
    /// A switch that forwards at once: no spanning tree, no forward delay, no multicast snooping. It is up.
    ///
    /// # Errors
    ///
    /// When the name is taken or wrong, or the kernel has no bridges.
    pub fn bridge(&self, name: &str) -> Result<Link<'_>, Error> {
        check_name(name)?;
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Bridge),
            LinkInfo::Data(InfoData::Bridge(vec![
                InfoBridge::StpState(BridgeStpState::Disabled),
                InfoBridge::ForwardDelay(0),
                InfoBridge::AgeingTime(BRIDGE_AGEING_CENTISECONDS),
                InfoBridge::MulticastSnooping(false),
            ])),
        ]));
        let create = NLM_F_CREATE | NLM_F_EXCL;
        self.netlink().change(RouteNetlinkMessage::NewLink(message), create, || format!("make the bridge {name}"))?;
        let link = Link { namespace: self, name: name.to_owned() };
        link.up()?;
        Ok(link)
    }

    /// A card over the interface `lower`, with a MAC of its own. As a real one, and unlike a veth, it lets in what is
    /// sent to it, to everybody and to the groups that it joined, and nothing else unless it is promiscuous. It is up.
    ///
    /// # Errors
    ///
    /// When the name is taken or wrong, there is no `lower`, or the kernel has no macvlan.
    pub fn macvlan(&self, name: &str, lower: &str) -> Result<Link<'_>, Error> {
        check_name(name)?;
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        message.attributes.push(LinkAttribute::Link(self.link(lower).index()?));
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::MacVlan),
            LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Private)])),
        ]));
        let create = NLM_F_CREATE | NLM_F_EXCL;
        let what = || format!("make the card {name} over {lower}");
        self.netlink().change(RouteNetlinkMessage::NewLink(message), create, what)?;
        let link = Link { namespace: self, name: name.to_owned() };
        link.up()?;
        Ok(link)
    }

    /// A route by a gateway: `route("0.0.0.0/0", "10.20.0.1")`.
    ///
    /// # Errors
    ///
    /// When the gateway is on no link of this namespace.
    pub fn route(&self, destination: &str, gateway: &str) -> Result<(), Error> {
        let destination: Cidr = destination.parse()?;
        let gateway: IpAddr = gateway.parse().map_err(|_| Error::Cidr(gateway.to_owned()))?;
        if destination.ip.is_ipv4() != gateway.is_ipv4() {
            return Err(Error::Family(destination.to_string(), gateway.to_string()));
        }
        let mut message = route_message(destination, RouteScope::Universe);
        message.attributes.push(RouteAttribute::Gateway(gateway.into()));
        self.add_route(message, || format!("add the route to {destination} by {gateway}"))
    }

    fn add_route(&self, message: RouteMessage, what: impl FnOnce() -> String) -> Result<(), Error> {
        self.netlink().change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE, what)
    }
}

/// One interface of a namespace, by its name.
#[derive(Clone, Debug)]
pub struct Link<'a> {
    namespace: &'a Namespace,
    name: String,
}

impl<'a> Link<'a> {
    pub(crate) fn new(namespace: &'a Namespace, name: &str) -> Self {
        Self { namespace, name: name.to_owned() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Brings it up.
    ///
    /// # Errors
    ///
    /// When there is no such interface.
    pub fn up(&self) -> Result<(), Error> {
        self.set_flag(LinkFlags::Up, true, || format!("bring {} up", self.name))
    }

    /// Takes it down.
    ///
    /// # Errors
    ///
    /// When there is no such interface.
    pub fn down(&self) -> Result<(), Error> {
        self.set_flag(LinkFlags::Up, false, || format!("bring {} down", self.name))
    }

    /// Lets in whatever passes by, as a sniffer has it.
    ///
    /// # Errors
    ///
    /// When there is no such interface.
    pub fn promiscuous(&self) -> Result<(), Error> {
        self.set_flag(LinkFlags::Promisc, true, || format!("make {} promiscuous", self.name))
    }

    /// Makes it a port of the bridge.
    ///
    /// # Errors
    ///
    /// When either does not exist in this namespace.
    pub fn enslave(&self, bridge: &str) -> Result<(), Error> {
        let index = self.namespace.link(bridge).index()?;
        self.set(LinkAttribute::Controller(index), || format!("plug {} into {bridge}", self.name))
    }

    /// Gives it an address: `address("10.20.0.5/24")`.
    ///
    /// # Errors
    ///
    /// When it has it already, or there is no such interface.
    pub fn address(&self, address: &str) -> Result<(), Error> {
        let cidr: Cidr = address.parse()?;
        let mut message = AddressMessage::default();
        message.header.family = family(cidr.ip);
        message.header.prefix_len = cidr.prefix;
        message.header.index = self.index()?;
        message.attributes.push(AddressAttribute::Local(cidr.ip));
        message.attributes.push(AddressAttribute::Address(cidr.ip));
        if let Some(broadcast) = broadcast(cidr) {
            message.attributes.push(AddressAttribute::Broadcast(broadcast));
        }
        let create = NLM_F_CREATE | NLM_F_EXCL;
        self.namespace
            .netlink()
            .change(RouteNetlinkMessage::NewAddress(message), create, || format!("add address {cidr} to {}", self.name))
    }

    /// A route on this link, without a gateway: `route("10.30.0.0/16")`.
    ///
    /// # Errors
    ///
    /// When the link is down or host bits are set.
    pub fn route(&self, destination: &str) -> Result<(), Error> {
        let destination: Cidr = destination.parse()?;
        let mut message = route_message(destination, RouteScope::Link);
        message.attributes.push(RouteAttribute::Oif(self.index()?));
        self.namespace.add_route(message, || format!("add the route to {destination} on {}", self.name))
    }

    /// Fixes at which cards addresses are, so that no ARP is needed. Such entries count against no limit of the kernel's
    /// neighbour table.
    ///
    /// # Errors
    ///
    /// When there is no such interface.
    pub fn neighbours(&self, known: impl IntoIterator<Item = (IpAddr, [u8; 6])>) -> Result<(), Error> {
        let index = self.index()?;
        for (ip, mac) in known {
            let mut message = NeighbourMessage::default();
            message.header.family = family(ip);
            message.header.ifindex = index;
            message.header.state = NeighbourState::Permanent;
            message.attributes.push(NeighbourAttribute::Destination(ip.into()));
            message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
            let flags = NLM_F_CREATE | NLM_F_REPLACE;
            self.namespace.netlink().change(RouteNetlinkMessage::NewNeighbour(message), flags, || {
                format!("add the neighbour {ip} to {}", self.name)
            })?;
        }
        Ok(())
    }

    /// Sets the hardware address.
    ///
    /// # Errors
    ///
    /// When it is a multicast address, or there is no such interface.
    pub fn set_mac(&self, mac: [u8; 6]) -> Result<(), Error> {
        self.set(LinkAttribute::Address(mac.to_vec()), || format!("set the hardware address of {}", self.name))
    }

    /// The hardware address.
    ///
    /// # Errors
    ///
    /// When there is no such interface.
    pub fn mac(&self) -> Result<[u8; 6], Error> {
        let (_, attributes) = self.look_up()?;
        let found = netlink::attribute(&attributes, IFLA_ADDRESS).and_then(|octets| octets.try_into().ok());
        found.ok_or_else(|| Error::InterfaceName(self.name.clone()))
    }

    /// Sets the largest packet it carries.
    ///
    /// # Errors
    ///
    /// When the kernel finds it too small or too large.
    pub fn set_mtu(&self, mtu: u32) -> Result<(), Error> {
        self.set(LinkAttribute::Mtu(mtu), || format!("set the MTU of {} to {mtu}", self.name))
    }

    /// Turns checksum and segmentation offload off: packets leave it complete and no longer than its MTU.
    ///
    /// # Errors
    ///
    /// When the driver refuses.
    pub fn offload_off(&self) -> Result<(), Error> {
        self.namespace.enter(|| offload::turn_off(&self.name))?
    }

    /// Removes the interface; the other end of a veth goes with it.
    ///
    /// # Errors
    ///
    /// When there is no such interface.
    pub fn delete(&self) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.header.index = self.index()?;
        let what = || format!("remove {}", self.name);
        self.namespace.netlink().change(RouteNetlinkMessage::DelLink(message), 0, what)
    }

    /// The kernel's number of it.
    ///
    /// # Errors
    ///
    /// When there is no such interface.
    pub fn index(&self) -> Result<u32, Error> {
        self.look_up().map(|(index, _)| index)
    }

    fn look_up(&self) -> Result<(u32, Vec<u8>), Error> {
        check_name(&self.name)?;
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(self.name.clone()));
        let what = || format!("find the interface {}", self.name);
        match self.namespace.netlink().exchange(RouteNetlinkMessage::GetLink(message), 0, what)? {
            Answer::Link { index, attributes } => Ok((index, attributes)),
            Answer::Done => Err(Error::InterfaceName(self.name.clone())),
        }
    }

    fn set_flag(&self, flag: LinkFlags, on: bool, what: impl FnOnce() -> String) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.header.index = self.index()?;
        message.header.flags = if on { flag } else { LinkFlags::empty() };
        message.header.change_mask = flag;
        self.namespace.netlink().change(RouteNetlinkMessage::SetLink(message), 0, what)
    }

    fn set(&self, attribute: LinkAttribute, what: impl FnOnce() -> String) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.header.index = self.index()?;
        message.attributes.push(attribute);
        self.namespace.netlink().change(RouteNetlinkMessage::SetLink(message), 0, what)
    }
}

fn route_message(destination: Cidr, scope: RouteScope) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(destination.ip),
        destination_prefix_length: destination.prefix,
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Static,
        scope,
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    if destination.prefix > 0 {
        message.attributes.push(RouteAttribute::Destination(destination.ip.into()));
    }
    message
}

fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// The broadcast address of an IPv4 subnet that has one: nmap and DHCP clients look for it on the interface.
fn broadcast(cidr: Cidr) -> Option<std::net::Ipv4Addr> {
    let IpAddr::V4(ip) = cidr.ip else { return None };
    let host_bits = u32::MAX.checked_shr(u32::from(cidr.prefix)).unwrap_or(0);
    (cidr.prefix < 31).then(|| std::net::Ipv4Addr::from_bits(ip.to_bits() | host_bits))
}

fn check_name(name: &str) -> Result<(), Error> {
    let bad = name.is_empty()
        || name.len() > MAX_NAME_LEN
        || name == "."
        || name == ".."
        || name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c == '\0');
    if bad { Err(Error::InterfaceName(name.to_owned())) } else { Ok(()) }
}
