//! Errors that more than one room shares. Each room has its own rich errors beside its code; the
//! engines turn those into the short lists that a person can act on (`host::HostError`,
//! `client::ClientError`).

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random source failed, restart the machine and try again")]
pub struct RandomError;

/// A key could not be made, read or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No random bytes.
    #[error("the system's random source failed, restart the machine and try again")]
    Random,
    /// Not a P-256 key.
    #[error("the key is damaged or is not a P-256 key, restore it from a backup")]
    Malformed,
}
