//! Why a dial failed, so that a person can be told what to do about it.

use std::io;

use crate::identity::Pin;
use crate::net::tls::TlsError;
use crate::wire::Address;

/// Why one address did not lead to the machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The name is not known here.
    #[error("the name is not known on this network")]
    UnknownName,
    /// There is no way to it from here: another network, or none.
    #[error("no route from this network")]
    NoRoute,
    /// The computer answers, and nothing listens on the port.
    #[error("connection refused, nothing listens on this port")]
    Refused,
    /// No answer: switched off, a firewall, another network.
    #[error("no answer in time")]
    TimedOut,
    /// It was reached and hung up during TLS.
    #[error("the connection was closed before it was set up")]
    Closed,
    /// Something else answers there.
    #[error("what answered is not pairpin ({0})")]
    NotPairpin(String),
    /// A machine answers there, with another key.
    #[error("answered with another key, fingerprint {}", .0.fingerprint())]
    WrongKey(Pin),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// No address led to the machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// There was no address to try.
    #[error("no address of the machine is known, scan its link again or give one")]
    NoAddress,
    /// None of them answered.
    #[error("the machine cannot be reached{}", causes_text(causes))]
    Unreachable {
        /// What happened at each address.
        causes: Vec<(Address, Cause)>,
    },
    /// One answered, and not as a machine does; the others did not answer.
    #[error("what answers at {address} is not pairpin, check the address and the port")]
    NotPairpin {
        /// Where.
        address: Address,
        /// What happened at each address.
        causes: Vec<(Address, Cause)>,
    },
    /// A machine answered and proved another key; no address had the right one.
    #[error("{address} answered with another key, fingerprint {}", seen.fingerprint())]
    WrongKey {
        /// Where.
        address: Address,
        /// The pin of the key it proved.
        seen: Pin,
        /// What happened at each address.
        causes: Vec<(Address, Cause)>,
    },
}

fn causes_text(causes: &[(Address, Cause)]) -> String {
    causes.iter().map(|(address, cause)| format!("; {address}: {cause}")).collect()
}

impl From<TlsError> for Cause {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::WrongKey { seen } => Self::WrongKey(seen),
            TlsError::NotPairpin(text) => Self::NotPairpin(text),
            TlsError::Closed => Self::Closed,
            TlsError::TimedOut => Self::TimedOut,
            TlsError::Io(error) => Self::from(error),
            TlsError::Key(text) => Self::Other(text),
        }
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as K;
        match error.kind() {
            K::ConnectionRefused => Self::Refused,
            K::TimedOut => Self::TimedOut,
            K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown | K::AddrNotAvailable => Self::NoRoute,
            K::ConnectionReset | K::UnexpectedEof | K::BrokenPipe => Self::Closed,
            _ => Self::Other(error.to_string()),
        }
    }
}
