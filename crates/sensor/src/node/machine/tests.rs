//! What a start takes, by the very calls and words with which the node host starts a machine.

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chaff_events::UtcNanos;
use chaff_testkit::{image, neighbour};
use chaff_unikernel::module::BootModule;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;
use crate::{
    clock::monotonic,
    node::{Accel, counter::Counter},
};

/// Starts of which the middle one is the figure.
const STARTS: usize = 21;
/// A start on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);
/// Who asks.
const OURS: neighbour::Station = (Mac([0x52, 0x54, 0, 0, 0, 2]), Ipv4Addr::new(10, 0, 0, 2));

/// A Linux server with SSH and nginx: its card, its address, what it is told.
fn decoy(counter: Counter) -> (Mac, Ipv4Addr, Vec<u8>) {
    let text = "[[network]]\nname = \"net\"\ninterface = \"eth0\"\nsubnet = \"10.0.0.0/16\"\ngateway = \"10.0.0.1\"\n\
                [[network.decoys]]\nprofile = \"linux-server\"\naddresses = [\"10.0.1.7\"]\n";
    let source = chaff_config::SourceFile::new("chaff.toml", text.to_owned());
    let config = chaff_config::parse(&source, Path::new("")).expect("the configuration is good");
    let fleet = chaff_profiles::compile(&config, &[7; 32]).expect("the fleet compiles").alone(0).expect("a decoy");
    let (mac, IpAddr::V4(ip)) = (fleet.decoys[0].mac, fleet.decoys[0].ip) else { panic!("an address of IPv4") };
    let utc = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let utc = UtcNanos(u64::try_from(utc).expect("before 2554"));
    let module = BootModule { entropy: [3; 32], now: monotonic(), utc, counter_khz: counter.khz(), fleet };
    (mac, ip, module.encode().expect("a module"))
}

/// The answer to an ARP question that is put every millisecond: what a start takes is not to be rounded up to the patience
/// of a client.
fn first_answer(frames: &OwnedFd, ip: Ipv4Addr) {
    let begun = Instant::now();
    let question = neighbour::question(OURS, ip);
    let mut buffer = [0; 2_048];
    while begun.elapsed() < PATIENCE {
        // Until the emulator reads, they wait in the socket, and then there is no room.
        let _ = rustix::io::write(frames, &question);
        let patience = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        poll(&mut [PollFd::new(frames, PollFlags::IN)], Some(&patience)).expect("waited");
        while let Ok(length) = rustix::io::read(frames, &mut buffer) {
            if neighbour::answered(&buffer[..length], OURS.0).is_some_and(|who| who.1 == ip) {
                return;
            }
        }
    }
    panic!("no answer within {PATIENCE:?}");
}

#[test]
#[ignore = "soak: twenty starts, for the figure"]
fn soak_time_to_the_first_answer() {
    let counter = Counter::read().expect("a processor with a counter");
    std::thread::sleep(Duration::from_millis(100));
    let (mac, ip, module) = decoy(counter);
    let image = OwnedFd::from(File::open(image::with_holes()).expect("the image"));
    let qemu = Qemu { program: "qemu-system-x86_64".into(), accel: Accel::Tcg };
    let machine = Machine { hypervisor: Hypervisor::Qemu(qemu), memory_mib: 8, starts_at_once: 1 };
    let mut took: Vec<u128> = (0..STARTS)
        .map(|_| {
            let begun = Instant::now();
            let mut started = machine.start(0, false, &image, &module, mac).expect("it starts");
            first_answer(&started.frames, ip);
            let took = begun.elapsed().as_millis();
            started.running.kill();
            started.running.wait();
            took
        })
        .collect();
    took.sort_unstable();
    println!("exec of QEMU to the first ARP answer, software emulation: median {} ms of {took:?}", took[STARTS / 2]);
}
