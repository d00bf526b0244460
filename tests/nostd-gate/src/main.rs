//! Links the engine, and all that it stands on, into a program that has neither std nor a C library. If one of them
//! creeps in, this does not build: a second panic handler is an error of the compiler, a missing symbol one of the
//! linker. It is built, never run.
#![no_std]
#![no_main]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

use core::{
    alloc::{GlobalAlloc, Layout},
    hint::black_box,
    panic::PanicInfo,
};

use chaff_engine::{Engine, Output, spec::FleetSpec};
use chaff_events::UtcNanos;

/// Everything that a host calls, on values that the compiler can't foresee.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    let octets: &[u8] = black_box(&[]);
    if let Ok(fleet) = postcard::from_bytes::<FleetSpec>(octets) {
        let mut engine = Engine::new(fleet, black_box([0; 32]), black_box(0), UtcNanos(black_box(0)));
        engine.handle_frame(black_box(1), 0, octets);
        engine.handle_clock(black_box(2), UtcNanos(black_box(3)));
        engine.handle_wake(black_box(4));
        while let Some(output) = engine.poll() {
            if let Output::Observe(observation) = output {
                black_box(postcard::to_allocvec(&observation).is_ok());
            }
        }
    }
    #[cfg(feature = "libc")]
    need_c();
    loop {
        core::hint::spin_loop();
    }
}

/// What a dependency does that calls C behind the compiler's back.
#[cfg(feature = "libc")]
fn need_c() {
    unsafe extern "C" {
        fn getpid() -> i32;
    }
    // SAFETY: never runs; getpid has no conditions.
    black_box(unsafe { getpid() });
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Has nothing to give.
struct Empty;

// SAFETY: null is the answer of an allocator that is out of memory.
unsafe impl GlobalAlloc for Empty {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static EMPTY: Empty = Empty;

/// The five symbols that compiled Rust expects of every platform.
mod memory {
    use core::arch::global_asm;

    global_asm!(
        ".globl memcpy, memmove, memset, memcmp, bcmp",
        "memcpy:",
        "memmove:",
        "memset:",
        "memcmp:",
        "bcmp:",
        "ud2",
    );
}
