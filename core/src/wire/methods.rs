//! What a paired device may ask for on its session, and who may: the one table of requests and roles.
//!
//! The machine looks here before it looks at a request's parameters (`host::requests`), the device before
//! it sends one (`client`), and `docs/roles.md` is written from it. What is not in the table is refused.

use super::statements::StatementKind;
use crate::role::Role;

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $least:ident, $statement:expr;)*) => {
        /// A request of an established session (JSON-RPC 2.0 `method`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method {
            $($(#[$doc])* $name,)*
        }

        impl Method {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in a request.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The least role that may ask for it.
            pub fn least_role(self) -> Role {
                match self { $(Self::$name => Role::$least,)* }
            }

            /// The statement of the approval key that it needs, where it needs one. A role alone is the
            /// session key's, which nobody has to be present for.
            pub fn statement(self) -> Option<StatementKind> {
                match self { $(Self::$name => $statement,)* }
            }
        }
    };
}

methods! {
    /// The device takes itself off the machine's list.
    Unpair = "unpair", Viewer, None;
    /// A number for one statement.
    Nonce = "nonce", Viewer, None;
    /// The device brings its approval key.
    Enrol = "enrol", Viewer, Some(StatementKind::Enrol);
    /// What waits for an answer.
    Inbox = "inbox", Operator, None;
    /// Yes to an ask.
    Accept = "accept", Operator, Some(StatementKind::Answer);
    /// No to an ask.
    Refuse = "refuse", Operator, None;
    /// Devices that ask to be let in.
    Joins = "joins", Owner, None;
    /// Lets one in.
    ApproveJoin = "approve-join", Owner, Some(StatementKind::ApproveJoin);
    /// Says no to one.
    DenyJoin = "deny-join", Owner, None;
    /// The machine's devices.
    Devices = "devices", Owner, None;
    /// Takes a device's access away.
    Revoke = "revoke", Owner, Some(StatementKind::Revoke);
    /// Changes what a device may do.
    SetRole = "set-role", Owner, Some(StatementKind::SetRole);
    /// Lifts a suspension.
    Lift = "lift", Owner, Some(StatementKind::Lift);
    /// Lets a device bring another approval key.
    ForgetKey = "forget-key", Owner, Some(StatementKind::ForgetKey);
    /// Makes an offer.
    Mint = "mint", Owner, Some(StatementKind::Mint);
    /// What was revoked here, to be kept.
    Tombstones = "tombstones", Owner, None;
    /// Gives a restored machine back what it has lost. What is given bears the machine's own MAC, so that neither
    /// a role nor a person is needed.
    HandBack = "hand-back", Viewer, None;
}

impl Method {
    /// Reads a request's method.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.as_str() == text)
    }

    /// Whether a device of this role may ask for it.
    pub fn is_allowed(self, role: Role) -> bool {
        role >= self.least_role()
    }
}

/// Why a machine does not do what a session asks for. The numbers are those of the answer's `error.code`.
/// The text is what the machine says in the answer, for whoever reads the frames; a person's is in `client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RequestError {
    /// The machine does not know that request (JSON-RPC 2.0 section 5.1).
    #[error("this machine does not know that request")]
    Unknown,
    /// Its parameters cannot be read (the same).
    #[error("the request's parameters cannot be read")]
    Params,
    /// The machine could not write its state.
    #[error("the machine could not write its state")]
    Failed,
    /// The device's role does not allow it.
    #[error("the device's role does not allow it")]
    Role,
    /// It needs a statement of the approval key, and none holds: wrong key, wrong words, or none enrolled.
    #[error("it needs a statement of the device's approval key, and none holds")]
    Statement,
    /// The statement's nonce was not given to this connection, was used, or is over.
    #[error("the statement's nonce was used, is over, or was not given to this connection")]
    Nonce,
    /// What it is about is not there any more: answered, withdrawn, expired.
    #[error("what it is about is not there any more")]
    Gone,
    /// There is one already, and it is another.
    #[error("there is one already")]
    Exists,
    /// The last owner is guarded.
    #[error("it is the last owner")]
    LastOwner,
    /// There are as many as the machine can hold.
    #[error("there are as many as this machine can hold")]
    Full,
    /// A device cannot do that to itself.
    #[error("a device cannot do that to itself")]
    Itself,
    /// What was typed or scanned is not what this machine sees of the join: that was a no.
    #[error("what was typed or scanned is not this join's, it is denied")]
    NotThatJoin,
    /// The joiner's key was revoked here, and stays out.
    #[error("the joiner's key was revoked here")]
    KeyRevoked,
    /// What was handed back does not bear this machine's own MAC.
    #[error("that does not come from this machine")]
    NotOurs,
}

impl RequestError {
    const ALL: [(Self, i64); 14] = [
        (Self::Unknown, -32601),
        (Self::Params, -32602),
        (Self::Failed, -32603),
        (Self::Role, 1),
        (Self::Statement, 2),
        (Self::Nonce, 3),
        (Self::Gone, 4),
        (Self::Exists, 5),
        (Self::LastOwner, 6),
        (Self::Full, 7),
        (Self::Itself, 8),
        (Self::NotThatJoin, 20),
        (Self::KeyRevoked, 21),
        (Self::NotOurs, 30),
    ];

    /// The number in the answer.
    pub fn code(self) -> i64 {
        Self::ALL.iter().find(|(error, _)| *error == self).map_or(-32603, |(_, code)| *code)
    }

    /// Reads the number; an unknown one is `None`.
    pub fn of_code(code: i64) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == code).map(|(error, _)| *error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read_back_and_no_two_are_the_same() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.as_str()), Some(*method));
        }
        assert_eq!(Method::parse("acknowledge"), None, "it belongs to the handshake");
        for (error, code) in RequestError::ALL {
            assert_eq!((error.code(), RequestError::of_code(code)), (code, Some(error)));
        }
    }

    #[test]
    fn what_lets_somebody_in_or_out_needs_a_statement() {
        for method in [Method::Accept, Method::Revoke, Method::Enrol, Method::Mint, Method::ApproveJoin] {
            assert!(method.statement().is_some(), "{method:?}");
        }
        for method in [Method::SetRole, Method::Lift, Method::ForgetKey] {
            assert!(method.statement().is_some(), "{method:?}");
        }
    }
}
