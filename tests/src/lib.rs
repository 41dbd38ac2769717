//! End-to-end tests of pairpin: what the tests in `tests/` stand on.
//!
//! [`machine::Machine`] and [`device::Device`] run the real binary, each with a home of its own.
//! [`peer`] and [`false_machine`] are hostile: they speak the protocol from the bytes up and share
//! only the handshake's arithmetic with it. [`pty`], [`screen`] and [`picture`] look at a terminal
//! as a person with a phone does, [`frames`] makes what a camera sees of a QR, [`swarm`] is many
//! devices and strangers at once. Run them with `cargo xtask test --layer e2e`.

pub mod browser;
pub mod chance;
pub mod cut;
pub mod device;
pub mod faketime;
pub mod false_machine;
pub mod fault;
pub mod frames;
pub mod guess;
pub mod http;
pub mod leaks;
pub mod link;
pub mod machine;
pub mod peer;
pub mod phone;
pub mod picture;
pub mod process;
pub mod pty;
pub mod scratch;
pub mod screen;
pub mod sqlite;
pub mod swarm;
pub mod tls;
pub mod told;

/// Runs hostile peers on a runtime of the test's own.
///
/// # Panics
/// No runtime can be made.
#[track_caller]
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap_or_else(|error| panic!("no runtime: {error}")).block_on(future)
}
