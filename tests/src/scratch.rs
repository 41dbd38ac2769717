//! Directories and addresses that no other test uses.

use std::net::Ipv4Addr;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// A directory of its own, gone when dropped.
///
/// # Panics
/// The temporary directory cannot be written.
#[track_caller]
pub fn directory() -> TempDir {
    tempfile::Builder::new()
        .prefix("pairpin")
        .tempdir()
        .unwrap_or_else(|error| panic!("no temporary directory: {error}"))
}

/// A loopback address of its own: 127.0.0.0/8 is big enough that every machine of every test can
/// have the default port to itself.
pub fn loopback() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = process::id().wrapping_mul(256).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    // 127.0 is left to the tests that want many sources.
    let [_, second, third, fourth] = (number % 0x7f_0000 + 0x01_0000).to_be_bytes();
    Ipv4Addr::new(127, second, third, fourth)
}
