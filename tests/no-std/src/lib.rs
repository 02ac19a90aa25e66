//! Builds only if neither the engine nor anything that it depends on links `std`.
//!
//! `std` has a panic handler, and there can be only one. So where something links `std`, the one below is
//! an error, "found duplicate lang item `panic_impl`", which says what has linked it. `#![no_std]` in the
//! engine keeps it from `std` by itself, but not from a crate that has `std`.

#![no_std]

use core::panic::PanicInfo;

use knock_engine as _;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
