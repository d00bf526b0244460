//! Groups of a group exchange (RFC 4419): of the sizes that a client names, each product of OpenSSH answers with that
//! which the real one beside it answers with, and with a group that is in the file of its package. The ordinary run holds
//! that of the machine's own suite so.

mod daemon;
mod openings;
mod products;
mod server;
mod sshd;
mod suites;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use chaff_services::SshSpec;
use daemon::{Daemon, packaged};
use openings::{init, packet};
use suites::{PAIRS, Pair, patient, start};

/// The product whose real one is the machine's own.
const OF_THE_MACHINE: &str = "openssh-9.2-debian12";
const EXCHANGE: &str = "diffie-hellman-group-exchange-sha256";
/// Groups of each size that a product names.
const OF_EACH_SIZE: usize = 4;
/// Longest wait for an answer of a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// What clients ask for: least, wanted and greatest bits.
const ASKED: [[u32; 3]; 24] = [
    [2048, 2048, 8192],
    [2048, 3072, 8192],
    [2048, 2049, 8192],
    [2048, 4096, 8192],
    [2048, 7000, 8192],
    [2048, 7680, 8192],
    [2048, 7681, 8192],
    [2048, 8192, 8192],
    [1024, 1024, 8192],
    [1024, 1024, 1024],
    [1024, 2048, 2048],
    [1, 1, 65_536],
    [2048, 9000, 16_384],
    [9000, 9000, 16_384],
    [3072, 3072, 3072],
    [2048, 3500, 4000],
    [3000, 6144, 7000],
    [2049, 2100, 3000],
    [3073, 3100, 4000],
    [4097, 4100, 6000],
    [6145, 6200, 7000],
    [4096, 2048, 8192],
    [2048, 8192, 4096],
    [0, 0, 0],
];

/// Prime in capital digits, and generator.
type Group = (String, u8);

#[test]
fn sizes_are_chosen_as_the_real_one_chooses_and_groups_are_of_its_file() {
    let file = packaged("etc/ssh/moduli");
    let real = sshd::openssh_with(&format!("MaxStartups 1000\nModuliFile {}\n", file.display()));
    assert_equal(&[compare(OF_THE_MACHINE, &real, &in_the_package(&file))]);
}

#[test]
fn every_group_is_one_of_the_package() {
    look_at_groups(OF_THE_MACHINE, &in_the_package(&packaged("etc/ssh/moduli")));
}

#[test]
#[ignore = "soak: servers of other suites"]
fn soak_sizes_and_groups_of_every_product_are_those_of_the_real_one() {
    let compared: Vec<_> = exchanging()
        .map(|pair| {
            let file = in_the_package(&pair.file("etc/ssh/moduli"));
            look_at_groups(pair.product, &file);
            compare(pair.product, &pair.patient(), &file)
        })
        .collect();
    assert!(compared.len() > 3, "{}", compared.len());
    assert_equal(&compared);
}

/// The products that exchange groups: OpenSSH until 9.9 does, as it is delivered.
fn exchanging() -> impl Iterator<Item = &'static Pair> {
    PAIRS.iter().filter(|pair| pair.is_openssh() && pair.spec().kex.iter().any(|name| name == EXCHANGE))
}

fn assert_equal(compared: &[Vec<String>]) {
    assert!(compared.iter().all(Vec::is_empty), "{}", compared.concat().join("\n"));
}

/// The sizes that a product and the real one choose otherwise; `file` is the real one's.
fn compare(product: &str, real: &Daemon, file: &BTreeSet<Group>) -> Vec<String> {
    let ours = start(SshSpec { version_delay_ms: 0, ..patient(products::product(product)) });
    let (mut different, mut seen) = (Vec::new(), BTreeSet::new());
    for asked in ASKED {
        let [of_ours, of_real] = [ours.port, real.port].map(|port| group(port, asked));
        let [bits_of_ours, bits_of_real] = [&of_ours, &of_real].map(|group| group.as_ref().map(bits));
        if bits_of_ours != bits_of_real {
            different.push(format!("{product} {asked:?}: {bits_of_ours:?}, real {bits_of_real:?}"));
        }
        let Some(group) = of_ours else { continue };
        // Where the file has no group of a size that is taken, both name one and the same of RFC 3526.
        let standard = of_real.filter(|real| !file.contains(real));
        let right = standard.map_or_else(|| file.contains(&group), |real| real == group);
        assert!(right, "{product} {asked:?}: {group:?}");
        seen.insert(group);
    }
    assert!(seen.len() > 8, "{product}: some are drawn: {}", seen.len());
    different
}

/// A product names groups of its package alone, and equally many of each size.
fn look_at_groups(product: &str, file: &BTreeSet<Group>) {
    let mut sizes: BTreeMap<usize, BTreeSet<Group>> = BTreeMap::new();
    for group in products::product(product).moduli {
        let group = (group.digits().to_owned(), group.generator());
        assert!(file.contains(&group), "{product}: {group:?}");
        sizes.entry(bits(&group)).or_default().insert(group);
    }
    let there: BTreeSet<usize> = file.iter().map(bits).collect();
    assert!(sizes.keys().eq(&there), "{product}: {:?}", sizes.keys());
    assert!(sizes.values().all(|groups| groups.len() == OF_EACH_SIZE), "{product}");
}

/// The secret is the client's too, whatever generates the group.
#[test]
fn a_client_comes_to_the_same_secret_in_groups_of_either_generator() {
    for wanted in [2, 5] {
        let mut spec = patient(products::product(OF_THE_MACHINE));
        spec.moduli.retain(|group| group.generator() == wanted);
        let server = start(spec);
        let options = ["-v", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"];
        let mut command = Command::new("timeout");
        command.args(["90", "ssh"]).args(options).args(["-o", "UserKnownHostsFile=/dev/null"]);
        command.args(["-o", &format!("KexAlgorithms={EXCHANGE}"), "-p", &server.port.to_string(), "root@127.0.0.1"]);
        let said = String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned();
        assert!(said.contains("SSH2_MSG_KEX_DH_GEX_GROUP") && said.contains("Permission denied"), "{said}");
    }
}

/// The group that a server names to a client that asks for these sizes; `None` if it ends the connection.
fn group(port: u16, asked: [u32; 3]) -> Option<Group> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = [&[34][..], &asked.map(u32::to_be_bytes).concat()].concat();
    let opening = [b"SSH-2.0-x\r\n".to_vec(), packet(&init(EXCHANGE, "aes128-ctr")), packet(&request)].concat();
    stream.write_all(&opening).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).unwrap();
    assert!(line.starts_with(b"SSH-2.0-"), "{}", line.escape_ascii());
    loop {
        let mut length = [0; 4];
        reader.read_exact(&mut length).ok()?;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        reader.read_exact(&mut body).ok()?;
        match body[1] {
            20 => {}
            31 => {
                let (prime, rest) = number(&body[2..]);
                let (generator, _) = number(rest);
                let digits = prime.iter().map(|octet| format!("{octet:02X}")).collect();
                return Some((digits, *generator.first().unwrap()));
            }
            // DISCONNECT.
            1 => return None,
            other => panic!("message {other}"),
        }
    }
}

/// An mpint without its sign, and what follows.
fn number(octets: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = octets.split_first_chunk::<4>().unwrap();
    let (number, rest) = rest.split_at(usize::try_from(u32::from_be_bytes(*length)).unwrap());
    (number.strip_prefix(&[0]).unwrap_or(number), rest)
}

/// moduli(5).
fn in_the_package(file: &Path) -> BTreeSet<Group> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            (fields[6].to_owned(), fields[5].parse().unwrap())
        })
        .collect()
}

fn bits(group: &Group) -> usize {
    group.0.len() * 4
}
