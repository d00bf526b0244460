//! A panic tells why, on the serial port and the console, and ends the machine. Whoever started it starts it again.

use alloc::format;
use core::{
    fmt::Write,
    panic::PanicInfo,
    sync::atomic::{AtomicBool, AtomicPtr, Ordering},
};

use chaff_unikernel::console::{ToHost, cut, encode};

use crate::{
    device::Console,
    machine::{Serial, counter, end},
};

static PANICKING: AtomicBool = AtomicBool::new(false);
static CONSOLE: AtomicPtr<Console> = AtomicPtr::new(core::ptr::null_mut());

/// About how long the host may take to read the last word: 100 ms at 3 GHz.
const PATIENCE: u64 = 300_000_000;

/// Where the last word goes.
pub(crate) fn tell_on(console: &mut Console) {
    CONSOLE.store(console, Ordering::Relaxed);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if PANICKING.swap(true, Ordering::Relaxed) {
        end(1);
    }
    let _ = writeln!(Serial, "chaff-node: {info}");
    // SAFETY: `work::run` never returns, so the device is still there, and whoever used it will not go on. A panic
    // inside the device itself may find it half changed; then another panic ends the machine, above.
    if let Some(console) = unsafe { CONSOLE.load(Ordering::Relaxed).as_mut() } {
        let text = cut(&format!("{info}"));
        for piece in encode(&ToHost::Panic { text }).unwrap_or_default().chunks(console.longest().max(1)) {
            let _ = console.send(piece);
        }
        let begin = counter();
        while !console.is_drained() && counter() - begin < PATIENCE {
            core::hint::spin_loop();
        }
    }
    end(1)
}
