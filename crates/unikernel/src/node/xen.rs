//! Xen: its calls, the pages that are shared with it, and the two devices of a PVH domain. What is read from these pages is
//! judged in the library (`chaff_unikernel::xen`); a fault there ends the machine here.

use alloc::{boxed::Box, vec::Vec};
use core::{
    arch::{asm, global_asm, x86_64::__cpuid},
    sync::atomic::{AtomicBool, Ordering},
};

use chaff_unikernel::xen::{
    Fault,
    card::{self, Buffer, Granted, ReceivePage, TransmitPage},
    events::SharedInfo,
    grant::{GrantPage, Grants},
    join::{self, Asks, Offer, PAUSE_NS},
    store::{Answer, Store},
    stream::{ConsolePage, Input, Output, StorePage},
};

use crate::{clock::Clock, device::Carries, interrupts, machine::write_msr, paging};

// Xen fills it with a way into each of its calls, 32 octets for each. It is code, and so nothing of ours writes to it.
global_asm!(
    r#"
    .section .text.hypercalls, "ax", @progbits
    .balign 4096
    .globl __hypercalls
__hypercalls: .skip 4096
"#
);

unsafe extern "C" {
    static __hypercalls: u8;
}

/// Xen's page of events, which takes the place of this one. Its first octet is what the handler of interrupts clears.
pub(crate) static SHARED: SharedInfo = SharedInfo::new();
/// Xen's table of grants, likewise.
static GRANTS: GrantPage = GrantPage::new();
/// Whether this is Xen.
static HERE: AtomicBool = AtomicBool::new(false);

/// Numbers of calls (`xen.h`).
const MEMORY: usize = 12;
const SCHEDULE: usize = 29;
const EVENTS: usize = 32;
const HVM: usize = 34;
/// Their operations.
const ADD_TO_PHYSMAP: u64 = 7;
const SHUTDOWN: u64 = 2;
const SEND: u64 = 4;
const ALLOCATE: u64 = 6;
const SET_PARAMETER: u64 = 0;
const GET_PARAMETER: u64 = 1;
/// What may be put in the place of a page.
const SHARED_INFO: u32 = 0;
const GRANT_TABLE: u32 = 1;
/// Parameters of a domain (`hvm/params.h`).
const CALLBACK: u32 = 0;
const STORE_FRAME: u32 = 1;
const STORE_PORT: u32 = 2;
const CONSOLE_FRAME: u32 = 17;
const CONSOLE_PORT: u32 = 18;
/// An event interrupts by a vector, and needs no acknowledgement at the local controller.
const BY_VECTOR: u64 = 2 << 56;
/// This domain.
const SELF: u16 = 0x7ff0;

/// How often an answer of the store is looked for, with a pause between.
const LOOKS: u32 = 10_000;

/// Why a domain ends (`sched.h`).
const IN_ORDER: u32 = 0;
const CRASHED: u32 = 3;

/// The card, once its other end is connected, and the console; `None`: this is not Xen.
pub(crate) fn devices(clock: &Clock) -> Option<(Card, Option<Console>)> {
    start()?;
    let console = Console::open();
    let card = Card::connect(clock).unwrap_or_else(|error| panic!("{error}"));
    Some((card, console))
}

/// Finds Xen, and has it set up what all devices share.
fn start() -> Option<()> {
    // Where Xen pretends to be another hypervisor as well, its own leaves come after the other's.
    let leaf = [0x4000_0000, 0x4000_0100].into_iter().find(|&leaf| {
        let name = __cpuid(leaf);
        [name.ebx, name.ecx, name.edx].map(u32::to_le_bytes).as_flattened() == b"XenVMMXenVMM"
    })?;
    write_msr(__cpuid(leaf + 2).ebx, (&raw const __hypercalls) as u64);
    HERE.store(true, Ordering::Relaxed);
    replace(&SHARED, SHARED_INFO);
    replace(&GRANTS, GRANT_TABLE);
    SHARED.unmask_all();
    let callback = BY_VECTOR | u64::from(interrupts::EVENT);
    let mut parameter = Parameter { domain: SELF, index: CALLBACK, value: callback };
    checked("a vector for events", call(HVM, SET_PARAMETER, &mut parameter));
    Some(())
}

/// Ends the domain, if this is Xen.
pub(crate) fn end(code: u8) {
    if HERE.load(Ordering::Relaxed) {
        let mut reason = if code == 0 { IN_ORDER } else { CRASHED };
        call(SCHEDULE, SHUTDOWN, &mut reason);
    }
}

/// Tells Xen that its events were heard.
pub(crate) fn acknowledge() {
    SHARED.take();
}

/// A call with a structure, which Xen may change.
fn call<T>(number: usize, operation: u64, argument: &mut T) -> i64 {
    let entry = (&raw const __hypercalls) as usize + number * 32;
    let result: i64;
    // SAFETY: Xen has filled the page, for `HERE` is set before the first call; it reads and writes what `argument` is,
    // which has the layout that its interface says, and keeps all other registers.
    unsafe {
        asm!("call {}", in(reg) entry, inout("rdi") operation => _, inout("rsi") &raw mut *argument => _,
             lateout("rax") result, clobber_abi("C"));
    }
    result
}

fn checked(what: &str, result: i64) {
    assert!(result >= 0, "Xen refuses {what}: error {}", -result);
}

/// `struct xen_hvm_param`.
#[repr(C)]
struct Parameter {
    domain: u16,
    index: u32,
    value: u64,
}

fn parameter(index: u32) -> u64 {
    let mut parameter = Parameter { domain: SELF, index, value: 0 };
    checked("a parameter", call(HVM, GET_PARAMETER, &mut parameter));
    parameter.value
}

/// Has Xen put a page of its own in the place of `page` (`struct xen_add_to_physmap`).
fn replace<T>(page: &'static T, space: u32) {
    #[repr(C)]
    struct Place {
        domain: u16,
        size: u16,
        space: u32,
        index: u64,
        frame: u64,
    }
    let mut place = Place { domain: SELF, size: 0, space, index: 0, frame: frame(page).into() };
    checked("a shared page", call(MEMORY, ADD_TO_PHYSMAP, &mut place));
}

/// The number of a page; addresses are the machine's own, and all of its memory is below 4 GiB.
fn frame<T>(page: &'static T) -> u32 {
    ((&raw const *page) as u64 >> 12) as u32
}

/// A page that Xen's toolstack has set up for this machine; `None` if it has not.
fn shared<T>(index: u32) -> Option<&'static T> {
    let at = parameter(index).checked_mul(4_096).filter(|&at| at != 0)?;
    paging::share(at);
    // SAFETY: mapped just now, as memory; `T` is atomics and as long as a page.
    Some(unsafe { &*(at as *const T) })
}

fn port(index: u32) -> u32 {
    u32::try_from(parameter(index)).expect("a port of Xen's has 32 bits")
}

fn notify(port: u32) {
    let mut port = port;
    call(EVENTS, SEND, &mut port);
}

fn sound<T>(result: Result<T, Fault>) -> T {
    result.unwrap_or_else(|fault| panic!("{fault}"))
}

/// The console of the domain.
pub(crate) struct Console {
    output: Output<'static>,
    input: Input<'static>,
    port: u32,
}

impl Console {
    /// Octets that are taken in one go: half of the ring.
    pub(crate) const LONGEST: usize = 1_024;

    fn open() -> Option<Self> {
        let (output, input) = shared::<ConsolePage>(CONSOLE_FRAME)?.ends();
        Some(Self { output, input, port: port(CONSOLE_PORT) })
    }

    pub(crate) fn is_drained(&self) -> bool {
        sound(self.output.is_drained())
    }
}

impl Carries for Console {
    fn receive(&mut self, take: impl FnOnce(&[u8])) -> bool {
        let mut octets = [0; Self::LONGEST];
        let length = sound(self.input.read(&mut octets));
        if length > 0 {
            notify(self.port);
            take(&octets[..length]);
        }
        length > 0
    }

    fn send(&mut self, octets: &[u8]) -> bool {
        if sound(self.output.room()) < octets.len() {
            return false;
        }
        sound(self.output.write(octets));
        notify(self.port);
        true
    }
}

/// The card.
pub(crate) struct Card {
    card: card::Card<'static>,
    port: u32,
}

impl Card {
    fn connect(clock: &Clock) -> Result<Self, join::JoinError> {
        let page = shared::<StorePage>(STORE_FRAME).expect("no store of Xen's");
        let mut store = Waiting { store: Store::new(page), port: port(STORE_PORT), clock };
        let backend = join::find(&mut store)?;
        let mut grants = Grants::new(&GRANTS, backend.domain);
        let mut grant = |frame, read_only| grants.grant(frame, read_only).expect("a table has 500 entries");
        let (transmit, receive): (&TransmitPage, &ReceivePage) = (Box::leak(Box::default()), Box::leak(Box::default()));
        let mut buffers = |count, read_only| -> Vec<Granted<'static>> {
            let buffers = (0..count).map(|_| &*Box::leak(Box::<Buffer>::default()));
            buffers.map(|buffer| (buffer, grant(frame(buffer), read_only))).collect()
        };
        let (sent, received) = (buffers(card::SENDING, true), buffers(card::RECEIVING, false));
        let card = card::Card::new(transmit, sent, receive, received);
        let port = allocate(backend.domain);
        let offer = Offer { transmit: grant(frame(transmit), false), receive: grant(frame(receive), false), port };
        join::connect(&mut store, &backend, offer)?;
        Ok(Self { card, port })
    }

    fn notify(&mut self) {
        if self.card.poll_notify() {
            notify(self.port);
        }
    }
}

impl Carries for Card {
    fn receive(&mut self, take: impl FnOnce(&[u8])) -> bool {
        let frame = sound(self.card.receive());
        let any = frame.is_some();
        if let Some(frame) = frame {
            take(frame);
        }
        self.notify();
        any
    }

    fn send(&mut self, frame: &[u8]) -> bool {
        let sent = sound(self.card.send(frame));
        self.notify();
        sent
    }
}

/// A channel on which `domain` can be notified, and can notify (`struct evtchn_alloc_unbound`).
fn allocate(domain: u16) -> u32 {
    #[repr(C)]
    struct Unbound {
        domain: u16,
        remote: u16,
        port: u32,
    }
    let mut unbound = Unbound { domain: SELF, remote: domain, port: 0 };
    checked("a channel for events", call(EVENTS, ALLOCATE, &mut unbound));
    unbound.port
}

/// The store, waited for.
struct Waiting<'c> {
    store: Store<'static>,
    port: u32,
    clock: &'c Clock,
}

impl Waiting<'_> {
    fn answer(&mut self) -> Result<Answer, Fault> {
        for _ in 0..LOOKS {
            acknowledge();
            let answer = self.store.poll()?;
            notify(self.port);
            match answer {
                Some(answer) => return Ok(answer),
                None => self.pause(),
            }
        }
        panic!("Xen's store does not answer")
    }
}

impl Asks for Waiting<'_> {
    fn read(&mut self, path: &str) -> Result<Answer, Fault> {
        self.store.read(path);
        self.answer()
    }

    fn write(&mut self, path: &str, value: &str) -> Result<Answer, Fault> {
        self.store.write(path, value);
        self.answer()
    }

    fn pause(&mut self) {
        self.clock.sleep(PAUSE_NS);
    }
}
