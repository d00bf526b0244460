//! `[[network]]` and `[[network.decoys]]`.

use std::{net::Ipv4Addr, ops::Range};

use chaff_events::Mac;
use toml::de::DeValue;

use crate::{
    Account, AddressRange, Cidr, Decoys, Located, Network, Reader, Runtime, Table,
    address::{BadCidr, BadRange, Entry},
    document::{at_most, too_long},
    port_changes,
};

/// Highest VLAN that carries hosts: 0 means untagged, 4095 is reserved (IEEE 802.1Q §9.6).
const MAX_VLAN: u64 = 4094;
/// Characters of an interface's name at most (`IFNAMSIZ` less its zero).
const MAX_INTERFACE: usize = 15;
/// Planted accounts of a group at most; each is compared with every login.
const MAX_ACCOUNTS: usize = 16;
/// Characters of a planted name or password at most: what login forms take.
const MAX_ACCOUNT_WORD: usize = 64;
/// Characters of a serial number at most (`entPhysicalSerialNum`, RFC 6933 §3).
const MAX_SERIAL: usize = 32;

/// What a network is, whose groups of decoys are being read.
struct Surroundings {
    subnet: Option<Located<Cidr>>,
    gateway: Option<Located<Ipv4Addr>>,
    runtime: Runtime,
}

/// `runtime` is that of groups that name none.
pub(crate) fn networks(reader: &mut Reader, root: &Table<'_>, runtime: Runtime) -> Vec<Network> {
    let tables = reader.tables(root, "network", "a [[network]]");
    tables.iter().map(|table| network(reader, table, runtime)).collect()
}

fn network(reader: &mut Reader, table: &Table<'_>, runtime: Runtime) -> Network {
    reader.keys(table, &["name", "interface", "subnet", "gateway", "vlan", "subnet6", "decoys"]);
    reader.missing(table, "name", "give it a name, such as \"office\"");
    reader.missing(table, "interface", "name the interface that faces this network, such as \"eth1\"");
    reader.missing(table, "subnet", "name its addresses, such as \"10.20.0.0/22\"");
    reader.not_in_this_version(table, "subnet6", "leave it out; decoys have IPv4 addresses for now");
    let name = reader.name(table, "name").unwrap_or_else(|| nowhere(table));
    if too_long(&name) {
        reader.wrong(name.span.clone(), "the name of the network is too long", "here", at_most());
    }
    let around = Surroundings { subnet: subnet(reader, table), gateway: gateway(reader, table), runtime };
    check_gateway(reader, &around);
    let decoys = reader.tables(table, "decoys", "a [[network.decoys]]");
    let decoys = decoys.iter().map(|group| group_of_decoys(reader, group, &around)).collect();
    let everything = Cidr { network: Ipv4Addr::UNSPECIFIED, prefix: 0 };
    Network {
        name,
        interface: interface(reader, table).unwrap_or_else(|| nowhere(table)),
        subnet: around.subnet.unwrap_or_else(|| Located { value: everything, span: table.span() }),
        gateway: around.gateway,
        vlan: vlan(reader, table),
        decoys,
    }
}

/// Stands for a name that lacks; it was noted, so the configuration is never used.
fn nowhere(table: &Table<'_>) -> Located<String> {
    Located { value: String::new(), span: table.span() }
}

fn interface(reader: &mut Reader, table: &Table<'_>) -> Option<Located<String>> {
    let name = reader.name(table, "interface")?;
    let odd = |c: char| c.is_whitespace() || c == '/';
    if name.len() > MAX_INTERFACE || name.contains(odd) {
        let help = format!("interfaces have at most {MAX_INTERFACE} characters, no blanks and no `/`; see `ip link`");
        reader.wrong(name.span.clone(), format!("`{}` can be no interface", name.value), "here", help);
    }
    Some(name)
}

fn vlan(reader: &mut Reader, table: &Table<'_>) -> Option<Located<u16>> {
    let number = reader.number(table, "vlan", 1..=MAX_VLAN)?;
    u16::try_from(number.value).ok().map(|value| Located { value, span: number.span })
}

fn subnet(reader: &mut Reader, table: &Table<'_>) -> Option<Located<Cidr>> {
    let text = reader.text(table, "subnet")?;
    match Cidr::parse(&text) {
        Ok(value) => Some(Located { value, span: text.span }),
        Err(why) => {
            bad_network(reader, &text, &why);
            None
        }
    }
}

fn gateway(reader: &mut Reader, table: &Table<'_>) -> Option<Located<Ipv4Addr>> {
    let text = reader.text(table, "gateway")?;
    match text.parse() {
        Ok(value) => Some(Located { value, span: text.span }),
        Err(_) => {
            bad_address(reader, &text.span, &text.value);
            None
        }
    }
}

fn check_gateway(reader: &mut Reader, around: &Surroundings) {
    let (Some(subnet), Some(gateway)) = (&around.subnet, &around.gateway) else { return };
    if !subnet.contains(gateway.value) {
        let message = format!("the gateway {} is outside of the subnet {}", gateway.value, subnet.value);
        let help = "name the router's address inside the subnet, or leave `gateway` out";
        reader.wrong(gateway.span.clone(), message, "outside", help);
    } else if let Some(what) = no_host(subnet, gateway.value) {
        let message = format!("the gateway {} is the {what} of {}", gateway.value, subnet.value);
        reader.wrong(gateway.span.clone(), message, "no host can have it", "name the router's own address");
    }
}

/// What an address is called that no host of `subnet` can have.
fn no_host(subnet: &Cidr, address: Ipv4Addr) -> Option<&'static str> {
    if subnet.network_address() == Some(address) {
        return Some("network address");
    }
    (subnet.broadcast() == Some(address)).then_some("broadcast address")
}

fn group_of_decoys(reader: &mut Reader, table: &Table<'_>, around: &Surroundings) -> Decoys {
    const KEYS: [&str; 12] = [
        "profile",
        "personality",
        "addresses",
        "hostname",
        "ports",
        "mac",
        "identity",
        "serial",
        "runtime",
        "coherent",
        "accounts",
        "count",
    ];
    reader.keys(table, &KEYS);
    reader.missing(table, "profile", "say what the decoys are: `chaff profiles list` prints the names");
    reader.missing(table, "addresses", "say where they live: addresses = [\"10.20.1.10-10.20.1.29\"]");
    reader.not_in_this_version(table, "count", "it goes with `addresses = \"dhcp\"`; write the addresses instead");
    let ports = reader.table(table, "ports", "`ports`");
    let addresses = addresses(reader, table, around);
    let group = Decoys {
        span: table.span(),
        profile: reader.name(table, "profile").unwrap_or_else(|| nowhere(table)),
        personality: reader.name(table, "personality"),
        hostname: reader.name(table, "hostname"),
        ports: ports.map_or_else(Vec::new, |p| port_changes(reader, &p)),
        mac: mac(reader, table),
        identity: identity(reader, table),
        serial: serial(reader, table),
        coherent: reader.flag(table, "coherent").is_none_or(|f| f.value),
        accounts: accounts(reader, table),
        runtime: runtime(reader, table).unwrap_or(around.runtime),
        addresses,
    };
    let given = [
        ("mac", group.mac.as_ref().map(|m| &m.span)),
        ("identity", group.identity.as_ref().map(|i| &i.span)),
        ("serial", group.serial.as_ref().map(|s| &s.span)),
    ];
    for (key, span) in given {
        if let Some(span) = span.filter(|_| group.count() > 1) {
            one_for_many(reader, key, span, group.count());
        }
    }
    group
}

/// Planted logins, in order.
fn accounts(reader: &mut Reader, table: &Table<'_>) -> Vec<Account> {
    let entries = reader.tables(table, "accounts", "an account");
    if let Some(first_too_many) = entries.get(MAX_ACCOUNTS) {
        let message = format!("{} planted accounts are too many", entries.len());
        let help = format!("keep it to {MAX_ACCOUNTS}: one or two are found more easily");
        reader.wrong(first_too_many.span(), message, "from here", help);
    }
    let mut accounts: Vec<Account> = Vec::new();
    for entry in &entries {
        reader.keys(entry, &["user", "password"]);
        reader.missing(entry, "user", "name the account: user = \"backup\"");
        reader.missing(entry, "password", "give the password that lets in: password = \"Winter2019\"");
        let [user, password] = ["user", "password"].map(|key| account_word(reader, entry, key));
        let (Some(user), Some(password)) = (user, password) else { continue };
        if accounts.iter().any(|other| other.user == user.value) {
            let message = format!("two planted accounts have the name `{}`", user.value);
            reader.wrong(user.span.clone(), message, "here again", "keep one of them");
        }
        accounts.push(Account { user: user.value, password: password.value });
    }
    accounts
}

/// A name or a password that a person can type.
fn account_word(reader: &mut Reader, entry: &Table<'_>, key: &str) -> Option<Located<String>> {
    let word = reader.name(entry, key)?;
    if word.chars().count() > MAX_ACCOUNT_WORD || word.chars().any(char::is_control) {
        let help = format!("take at most {MAX_ACCOUNT_WORD} characters that can be typed");
        reader.wrong(word.span.clone(), format!("nobody could type this `{key}`"), "here", help);
        return None;
    }
    Some(word)
}

/// What decoys run in, where it is said.
pub(crate) fn runtime(reader: &mut Reader, table: &Table<'_>) -> Option<Runtime> {
    let runtime = reader.text(table, "runtime")?;
    match runtime.as_str() {
        "shared" => Some(Runtime::Shared),
        "node" => Some(Runtime::Node),
        other => {
            let message = format!("unknown runtime `{other}`");
            let help = "write \"shared\", or \"node\" for a virtual machine each";
            reader.wrong(runtime.span.clone(), message, "here", help);
            None
        }
    }
}

fn mac(reader: &mut Reader, table: &Table<'_>) -> Option<Located<Mac>> {
    let text = reader.text(table, "mac")?;
    let Ok(value) = text.parse::<Mac>() else {
        let message = format!("`{}` is no hardware address", text.value);
        reader.wrong(text.span, message, "here", "write six pairs of hexadecimal digits: \"00:50:56:9a:10:07\"");
        return None;
    };
    if value.is_group() || value == Mac::ZERO {
        let message = format!("`{value}` is not the address of one card");
        let help = "the lowest bit of the first pair must be 0, and not all of it zero";
        reader.wrong(text.span, message, "here", help);
        return None;
    }
    Some(Located { value, span: text.span })
}

/// 32 hexadecimal digits.
fn identity(reader: &mut Reader, table: &Table<'_>) -> Option<Located<[u8; 16]>> {
    let text = reader.text(table, "identity")?;
    let digits = text.len() == 32 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    let number = u128::from_str_radix(&text, 16).ok().filter(|_| digits);
    if number.is_none() {
        let message = format!("`{}` is no identity", text.value);
        let help = "write 32 hexadecimal digits: those that `openssl rand -hex 16` draws, or those that \
                    `chaff check --identities` prints for a decoy that is to stay as it is";
        reader.wrong(text.span.clone(), message, "here", help);
    }
    number.map(|number| Located { value: number.to_be_bytes(), span: text.span })
}

/// Letters, digits and what vendors put between them: nothing that a page, a script, PJL or a certificate would have to
/// escape.
fn serial(reader: &mut Reader, table: &Table<'_>) -> Option<Located<String>> {
    let serial = reader.name(table, "serial")?;
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-./".contains(letter);
    if let Some(odd) = serial.chars().find(|&letter| !allowed(letter)) {
        let message = format!("`{}` in a serial number", odd.escape_debug());
        let help = "write letters (A to Z, a to z), digits, `-`, `.` and `/`: \"CNB7K3X02Q\"";
        reader.wrong(serial.span.clone(), message, "here", help);
        return None;
    }
    if serial.len() > MAX_SERIAL {
        let message = format!("a serial number of {} characters", serial.len());
        let help = format!("write at most {MAX_SERIAL}: management tools know no longer ones");
        reader.wrong(serial.span.clone(), message, "here", help);
        return None;
    }
    Some(serial)
}

fn one_for_many(reader: &mut Reader, key: &str, span: &Range<usize>, count: u64) {
    let message = format!("one `{key}` for {count} decoys");
    let help = format!("give the group one address, or leave `{key}` out: each decoy then gets its own");
    reader.wrong(span.clone(), message, "here", help);
}

fn addresses(reader: &mut Reader, table: &Table<'_>, around: &Surroundings) -> Vec<Located<AddressRange>> {
    if let Some(DeValue::String(text)) = table.raw("addresses").map(|v| v.get_ref())
        && text == "dhcp"
    {
        let span = table.raw("addresses").map_or_else(|| table.span(), |v| v.span());
        let message = "`addresses = \"dhcp\"` is not in this version";
        reader.wrong(span, message, "not in this version", "write the addresses: [\"10.20.1.10-10.20.1.29\"]");
        return Vec::new();
    }
    let Some(texts) = reader.texts(table, "addresses") else { return Vec::new() };
    let empty = table.raw("addresses").and_then(|v| v.get_ref().as_array()).is_some_and(|a| a.is_empty());
    if empty {
        let help = "write at least one address, range or network, or remove the group";
        reader.wrong(texts.span.clone(), "this group of decoys is empty", "no addresses", help);
    }
    texts.value.iter().flat_map(|text| entry(reader, text, around)).collect()
}

fn entry(reader: &mut Reader, text: &Located<String>, around: &Surroundings) -> Vec<Located<AddressRange>> {
    let ranges = match Entry::parse(text) {
        Ok(Entry::Addresses(range)) => {
            check_range(reader, range, &text.span, around);
            vec![range]
        }
        Ok(Entry::Network(network)) => hosts_of(reader, network, &text.span, around),
        Err(BadRange::Address(part)) => {
            bad_address(reader, &text.span, &part);
            Vec::new()
        }
        Err(BadRange::Reversed(first, last)) => {
            let message = format!("the range `{}` is reversed", text.value);
            reader.wrong(text.span.clone(), message, "here", format!("write `{last}-{first}`"));
            Vec::new()
        }
        Err(BadRange::Network(why)) => {
            bad_network(reader, text, &why);
            Vec::new()
        }
    };
    ranges.into_iter().map(|value| Located { value, span: text.span.clone() }).collect()
}

/// The addresses of a network that hosts can have: a network in `addresses` means all of its hosts, so that the
/// subnet's network and broadcast address and the gateway are left out.
fn hosts_of(reader: &mut Reader, network: Cidr, span: &Range<usize>, around: &Surroundings) -> Vec<AddressRange> {
    let range = network.range();
    let Some(subnet) = &around.subnet else { return vec![range] };
    if !inside(reader, range, span, subnet) {
        return Vec::new();
    }
    let gateway = around.gateway.as_ref().map(|g| g.value);
    let left_out = [subnet.network_address(), subnet.broadcast(), gateway];
    let hosts = left_out
        .into_iter()
        .flatten()
        .fold(vec![range], |ranges, address| ranges.into_iter().flat_map(|r| r.without(address)).collect());
    if hosts.is_empty() {
        let message = format!("no address of {network} is left for a decoy");
        reader.wrong(span.clone(), message, "here", "choose a network with free addresses");
    }
    hosts
}

fn check_range(reader: &mut Reader, range: AddressRange, span: &Range<usize>, around: &Surroundings) {
    let Some(subnet) = &around.subnet else { return };
    if !inside(reader, range, span, subnet) {
        return;
    }
    for address in [subnet.network_address(), subnet.broadcast()].into_iter().flatten() {
        if range.contains(address) {
            let what = no_host(subnet, address).unwrap_or("address");
            let message = format!("{address} is the {what} of {}", subnet.value);
            reader.wrong(span.clone(), message, "no host can have it", "leave it out of the range");
        }
    }
    if let Some(gateway) = around.gateway.as_ref().filter(|g| range.contains(g.value)) {
        let message = format!("a decoy would take the gateway's address {}", gateway.value);
        let help = "leave the gateway's address out, else the network loses its router";
        reader.wrong_twice(span.clone(), gateway.span.clone(), message, help);
    }
}

fn inside(reader: &mut Reader, range: AddressRange, span: &Range<usize>, subnet: &Located<Cidr>) -> bool {
    if subnet.contains(range.first) && subnet.contains(range.last) {
        return true;
    }
    let message = format!("{range} is outside of the subnet {}", subnet.value);
    reader.wrong_twice(span.clone(), subnet.span.clone(), message, "choose addresses inside, or widen the subnet");
    false
}

fn bad_address(reader: &mut Reader, span: &Range<usize>, text: &str) {
    if text.contains(':') {
        let message = format!("`{text}`: IPv6 is not in this version");
        reader.wrong(span.clone(), message, "not in this version", "write an IPv4 address");
        return;
    }
    let message = format!("`{text}` is no IPv4 address");
    reader.wrong(span.clone(), message, "here", "write four numbers from 0 to 255: \"10.20.1.10\"");
}

fn bad_network(reader: &mut Reader, text: &Located<String>, why: &BadCidr) {
    let (message, help) = match why {
        BadCidr::NoSlash => (
            format!("`{}` is no network: its prefix lacks", text.value),
            format!("write the length of the prefix behind a slash, such as `{}/24`", text.value),
        ),
        BadCidr::Address(address) => return bad_address(reader, &text.span, address),
        BadCidr::Prefix(prefix) => {
            (format!("`/{prefix}` is no prefix of an IPv4 network"), "write a number from 0 to 32".to_owned())
        }
        BadCidr::HostBits(network) => {
            (format!("`{}` has bits set behind its prefix", text.value), format!("write `{network}`"))
        }
    };
    reader.wrong(text.span.clone(), message, "here", help);
}
