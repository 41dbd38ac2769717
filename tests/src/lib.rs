//! End-to-end tests of pairpin: what the tests in `tests/` stand on.
//!
//! [`machine::Machine`] and [`device::Device`] run the real binary, each with a home of its own.
//! [`peer`] and [`false_machine`] are hostile: they speak the protocol from the bytes up and share
//! only the handshake's arithmetic with it. [`pty`], [`screen`] and [`picture`] look at a terminal
//! as a person with a phone does. Run them with `cargo xtask test --layer e2e`.

// A test helper's way to report is to fail the test.
#![allow(clippy::panic)]

pub mod device;
pub mod false_machine;
pub mod http;
pub mod link;
pub mod machine;
pub mod peer;
pub mod picture;
pub mod process;
pub mod pty;
pub mod scratch;
pub mod screen;
pub mod tls;
