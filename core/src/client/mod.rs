//! The device's engine.

mod config;
mod error;
#[cfg(test)]
mod fakes;
mod record;
mod signer;
mod text;

pub use config::ClientConfig;
pub use error::{ClientError, ErrorKind, Told, Tried};
pub use signer::{SessionSigner, SoftwareSigner};
