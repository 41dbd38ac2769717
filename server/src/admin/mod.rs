//! The admin socket: how the verbs at the machine's shell talk to the running daemon.
//!
//! `socket` opens it and decides who may, `protocol` says what crosses it, `views` the records
//! inside (they are the `--json` shapes too), `server` answers in the daemon, `client` asks,
//! `engine` does what is asked on a running host or a stopped machine. `ask_socket` is the second socket, for
//! callers of other users, and `asks` what both do with an ask.

pub mod ask_socket;
mod asks;
pub mod client;
pub mod engine;
pub mod protocol;
pub mod server;
pub mod socket;
#[cfg(test)]
mod tests;
pub mod views;

/// The socket's name in the state directory.
pub const SOCKET: &str = "admin.sock";
