//! The host's clock, carried on by the time-stamp counter, and the timer that ends a sleep.

use core::arch::x86_64::{__cpuid, __cpuid_count};

use chaff_unikernel::ticks::{LONGEST_WAIT_NS, Ticks, is_about, measured_khz, scaled_khz};

use crate::{
    interrupts::{self, TIMER, TIMER_ENTRY, TIMER_LEFT, TIMER_START},
    machine::{counter, write_msr},
};

/// The timer counts at this speed where it measures: QEMU's and KVM's bus.
const BUS_KHZ: u64 = 1_000_000;
/// How long it is measured: 10 ms, off by the time of reading a register, some 20 parts in a million.
const MEASURED_US: u32 = 10_000;
/// How long what the host says is looked at: half a millisecond, enough to see that another counter is meant.
const LOOKED_AT_US: u32 = 500;
/// The register of a deadline in ticks (Intel SDM 3A §10.5.4.1).
const DEADLINE: u32 = 0x6e0;

pub(crate) struct Clock {
    ticks: Ticks,
    deadline: bool,
    timer: Ticks,
}

/// KVM's clock, as it writes it (its MSR 0x4b564d01).
#[repr(C, align(64))]
struct KvmClock([u32; 8]);
static mut KVM_CLOCK: KvmClock = KvmClock([0; 8]);

impl Clock {
    /// `now` is what the host's clock reads about now, `host_khz` what it says of the counter's speed.
    pub(crate) fn start(now: u64, host_khz: Option<u64>) -> Self {
        let deadline = __cpuid(1).ecx & 1 << 24 != 0;
        let begin = counter();
        let told = told_khz();
        let (khz, timer_khz) = match told {
            Some(khz) if deadline => (khz, BUS_KHZ),
            Some(khz) => (khz, measure(khz, true, MEASURED_US)),
            None => {
                let seen = |khz: &u64| is_about(*khz, measure(BUS_KHZ, false, LOOKED_AT_US));
                (host_khz.filter(seen).unwrap_or_else(|| measure(BUS_KHZ, false, MEASURED_US)), BUS_KHZ)
            }
        };
        interrupts::write(TIMER_ENTRY, if deadline { 0b10 << 17 } else { 0 } | u32::from(TIMER));
        Self { ticks: Ticks::new(khz, begin, now), deadline, timer: Ticks::new(timer_khz, 0, 0) }
    }

    /// What the host's clock reads.
    pub(crate) fn now(&self) -> u64 {
        self.ticks.nanoseconds(counter())
    }

    /// How long so many ticks are.
    pub(crate) fn microseconds(&self, ticks: u64) -> u64 {
        self.ticks.microseconds(ticks)
    }

    /// Sleeps until an interrupt, for `ns` at most.
    pub(crate) fn sleep(&self, ns: u64) {
        let ns = ns.clamp(1_000, LONGEST_WAIT_NS);
        if self.deadline {
            write_msr(DEADLINE, self.ticks.after(counter(), ns));
        } else {
            interrupts::write(TIMER_START, u32::try_from(self.timer.after(0, ns)).unwrap_or(u32::MAX));
        }
        interrupts::wait();
    }
}

/// The counter's speed as the hypervisor tells it.
fn told_khz() -> Option<u64> {
    let hypervisor = __cpuid(0x4000_0000);
    match [hypervisor.ebx, hypervisor.ecx, hypervisor.edx].map(u32::to_le_bytes).as_flattened() {
        b"KVMKVMKVM\0\0\0" if __cpuid(0x4000_0001).eax & 1 << 3 != 0 => {
            let clock = &raw mut KVM_CLOCK;
            write_msr(0x4b56_4d01, clock as u64 | 1);
            // SAFETY: KVM has written it, and does again at any time, hence volatile.
            let [multiplier, shift] = unsafe { [6, 7].map(|at| (&raw const (*clock).0[at]).read_volatile()) };
            scaled_khz(multiplier, shift as u8 as i8)
        }
        b"XenVMMXenVMM" => {
            let time = __cpuid_count(0x4000_0003, 1);
            scaled_khz(time.ecx, time.edx as u8 as i8)
        }
        _ => None,
    }
}

/// Lets the timer and the counter run beside each other, for `us`. The speed of the one that is not known.
fn measure(known_khz: u64, timer_is_unknown: bool, us: u32) -> u64 {
    interrupts::write(TIMER_START, u32::MAX);
    let (begin, left) = (counter(), interrupts::read(TIMER_LEFT));
    let ended = || match timer_is_unknown {
        true => counter() - begin >= known_khz * u64::from(us) / 1_000,
        false => left.wrapping_sub(interrupts::read(TIMER_LEFT)) >= us * 1_000,
    };
    while !ended() {
        core::hint::spin_loop();
    }
    let (passed, ran) = (counter() - begin, u64::from(left.wrapping_sub(interrupts::read(TIMER_LEFT))));
    interrupts::write(TIMER_START, 0);
    if timer_is_unknown { measured_khz(ran, passed, known_khz) } else { measured_khz(passed, ran, known_khz) }
}
