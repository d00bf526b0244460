//! The image in a real QEMU, under software emulation, which every machine has.

#[path = "machine/host.rs"]
mod host;
#[path = "machine/vm.rs"]
mod vm;

use std::{fs, process::Command, thread, time::Duration};

use chaff_events::{Detail, Kind};
use chaff_testkit::image::with_holes;
use chaff_unikernel::console::{FromHost, ToHost};

use linux_loader::loader::{Elf, KernelLoader, elf::PvhBootCapability};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use host::{arp_reply, arp_request, echo_reply, echo_request, talk};
use vm::{Board, Console, DECOY, OURS, Vm, module};

/// What a node may have.
const MEMORY_MIB: u32 = 8;
/// The image at most.
const IMAGE_OCTETS: u64 = 2 << 20;

fn start(board: Board) -> Vm {
    Vm::start(board, MEMORY_MIB, &module().encode().expect("a module"), "")
}

/// Hears until `kind` was observed; the number of the run, that of the observation, and it.
fn observed(console: &mut Console, kind: Kind) -> (u64, chaff_events::Observation) {
    console.hear(|message| {
        let ToHost::Observations { first, observations } = message else { return None };
        let at = observations.iter().position(|observation| observation.kind == kind)?;
        Some((first + at as u64, observations[at].clone()))
    })
}

#[test]
fn it_answers_speaks_and_tells_on_mmio() {
    answers_speaks_and_tells(Board::Microvm);
}

#[test]
fn it_answers_speaks_and_tells_on_pci() {
    answers_speaks_and_tells(Board::Q35);
}

fn answers_speaks_and_tells(board: Board) {
    let mut vm = start(board);
    let mut console = vm.console();
    // Said to whoever has greeted, and so the time of day is known by now.
    let up = console.hear(|message| match message {
        ToHost::Log { text } => Some(text),
        _ => None,
    });
    println!("{board:?}: {up}");
    assert_eq!(vm.ask(&arp_request(), arp_reply), DECOY.1);
    assert_eq!(vm.ask(&echo_request(b"0123456789abcdef"), echo_reply), b"0123456789abcdef");
    let (_, arp) = observed(&mut console, Kind::ArpRequest);
    assert_eq!((arp.source.ip, arp.source.mac.0), (OURS.0.into(), OURS.1));
    // The time of day is the host's word, not the module's.
    assert!((1_800_000_000..1_800_000_060).contains(&(arp.time.0 / 1_000_000_000)), "{:?}", arp.time);

    let banner = talk(&vm, 22, b"", |heard| heard.ends_with(b"\r\n"));
    assert!(banner.starts_with(b"SSH-2.0-OpenSSH_9.2p1 Debian"), "{}", String::from_utf8_lossy(&banner));
    let request = b"GET /secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let page = talk(&vm, 80, request, |heard| heard.ends_with(b"</html>\r\n"));
    assert!(page.starts_with(b"HTTP/1.1 404 Not Found\r\nServer: nginx"), "{}", String::from_utf8_lossy(&page));
    let (number, request) = observed(&mut console, Kind::ServiceRequest);
    assert!(matches!(request.detail, Detail::Request { ref target, .. } if target == b"/secret"), "{request:?}");

    // Nothing is acknowledged yet: who says hello again hears all of it again, under the same numbers.
    console.say(&FromHost::Hello { version: chaff_unikernel::module::VERSION, utc: arp.time });
    let run = console.hear(|message| match message {
        ToHost::Up { run, lost: 0, .. } => Some(run),
        _ => None,
    });
    let again = observed(&mut console, Kind::ArpRequest);
    assert_eq!(again.1, arp);
    console.say(&FromHost::Acknowledge { run, up_to: number });
    assert_eq!(console.reader.skipped(), 0);
    console.say(&FromHost::End);
    vm.ended();
    assert_eq!(vm.serial(), "", "it ended in order");
}

#[test]
fn the_image_is_small() {
    let octets = fs::metadata(with_holes()).expect("the image").len();
    assert!(octets <= IMAGE_OCTETS, "{octets} octets");
}

#[test]
fn the_loader_of_firecracker_and_cloud_hypervisor_takes_it() {
    let memory = GuestMemoryMmap::<()>::from_ranges(&[(GuestAddress(0), 8 << 20)]).expect("memory");
    let mut file = fs::File::open(with_holes()).expect("the image");
    let loaded = Elf::load(&memory, None, &mut file, Some(GuestAddress(1 << 20))).expect("the loader takes it");
    let PvhBootCapability::PvhEntryPresent(entry) = loaded.pvh_boot_cap else {
        panic!("no PVH entry: {:?}", loaded.pvh_boot_cap);
    };
    assert_eq!(loaded.kernel_load, entry, "the entry of the ELF header is that of the note");
    assert!((1 << 20..loaded.kernel_end).contains(&entry.0));
    // `cli; cld` is what begins there.
    assert_eq!(memory.read_obj::<[u8; 2]>(entry).expect("loaded"), [0xfa, 0xfc]);
}

/// There is nobody to ask for a file, a program or a process: no other program is loaded beside the image, and no
/// instruction in it enters an operating system.
#[test]
fn the_image_has_no_system_behind_it() {
    let said = |words: &[&str]| {
        let output = Command::new("objdump").args(words).arg(with_holes()).output().expect("objdump, of binutils");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let headers = said(&["--private-headers"]);
    assert!(headers.contains("LOAD") && !headers.contains("INTERP") && !headers.contains("DYNAMIC"), "{headers}");
    let code = said(&["--disassemble", "--no-show-raw-insn"]);
    assert!(code.contains("\thlt"), "this is its code");
    for entry in ["\tsyscall", "\tsysenter", "\tint "] {
        assert!(!code.contains(entry), "{entry:?}");
    }
}

#[test]
fn idle_it_uses_no_processor_time() {
    let vm = start(Board::Microvm);
    vm.ask(&arp_request(), arp_reply);
    thread::sleep(Duration::from_millis(500));
    let before = vm.processor_ticks();
    thread::sleep(Duration::from_secs(3));
    let used = vm.processor_ticks() - before;
    assert!(used <= 3, "{used} ticks of 10 ms in 3 s");
}

#[test]
fn a_panic_is_told_and_ends_the_machine() {
    let mut nothing = Vm::start(Board::Microvm, MEMORY_MIB, b"nonsense", "");
    nothing.ended();
    assert!(nothing.serial().contains("the boot module does not begin as one"), "{}", nothing.serial());

    let mut vm = start(Board::Microvm);
    let mut console = vm.console();
    console.hear(|message| matches!(message, ToHost::Up { .. }).then_some(()));
    // A host of another version is nobody to work for.
    console.say(&FromHost::Hello { version: 999, utc: chaff_events::UtcNanos(0) });
    let text = console.hear(|message| match message {
        ToHost::Panic { text } => Some(text),
        _ => None,
    });
    assert!(text.contains("version 999"), "{text}");
    vm.ended();
}

#[test]
fn what_an_intruder_inside_would_do_ends_the_machine() {
    // Exception 14 is a page fault; 8 is one for which there was no stack left.
    let holes = [
        ("write-code", "exception 14, error 0x3"),
        ("write-constant", "exception 14, error 0x3"),
        ("run-data", "exception 14, error 0x11"),
        ("run-heap", "exception 14, error 0x11"),
        ("run-stack", "exception 14, error 0x11"),
        ("read-null", "exception 14, error 0x0"),
        ("read-nowhere", "exception 14, error 0x0"),
        ("overrun-stack", "exception 14, error 0x2"),
        ("out-of-memory", "memory allocation of 1073741824 bytes failed"),
        ("panic", "as told"),
    ];
    let module = module().encode().expect("a module");
    for (hole, end) in holes {
        let mut vm = Vm::start(Board::Microvm, MEMORY_MIB, &module, &format!("hole={hole}"));
        vm.ended();
        assert!(vm.serial().contains(end), "{hole}: {}", vm.serial());
    }
}
