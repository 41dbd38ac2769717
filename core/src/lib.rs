//! # pairpin-core
//!
//! Pairs a device with a headless machine and gives the pair one encrypted, pinned, revocable
//! connection. Everything that is true on every platform is here; the command line, the daemon and
//! the phones' shells translate and never decide.
//!
//! Start reading at [`handshake`] (the pairing exchange, without I/O) and `docs/protocol.md`; then
//! [`host`] (the machine's engine) or [`client`] (the device's engine). The floors, from the top:
//! `host` and `client`, `net`, `store`, `handshake`, `wire`, and below them [`link`], [`qr`],
//! [`join_qr`], [`recovery_sheet`], [`identity`], [`token`], [`role`], [`secrets`], [`clock`] and [`error`]. [`fault`] is for tests.

#[cfg(all(feature = "echo", not(debug_assertions)))]
compile_error!("the feature `echo` lets anybody in: it is for tests alone, a release build does not have it");

pub mod client;
pub mod clock;
pub mod error;
pub mod fault;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod handshake;
pub mod host;
pub mod identity;
pub mod join_qr;
pub mod link;
pub mod names;
pub mod net;
pub mod qr;
pub mod recovery_sheet;
pub mod role;
pub mod secrets;
pub mod store;
pub mod token;
pub mod wire;
