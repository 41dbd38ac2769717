//! What a machine's refusals mean for the person: of a request on a session, and of a pairing.

use super::error::ClientError;
use crate::role::Role;
use crate::wire::{Method, Refusal, RefusalCode, RequestError};

/// What a machine's refusal of a request means for the person.
pub(super) fn of_request_refusal(method: Method, code: i64, name: &str, role: Role) -> ClientError {
    let name = name.to_owned();
    match RequestError::of_code(code) {
        Some(RequestError::Role) => ClientError::NotAllowed { name, role, method },
        Some(RequestError::Statement) => ClientError::StatementRefused { name },
        Some(RequestError::Nonce) => ClientError::StatementTooLate { name },
        Some(RequestError::Gone) => ClientError::NotThere { name },
        Some(RequestError::Exists) => ClientError::OtherApprovalKey { name },
        Some(RequestError::Itself) => ClientError::Itself { name },
        Some(RequestError::NotThatJoin) => ClientError::NotThatJoin,
        Some(RequestError::KeyRevoked) => ClientError::JoinerRevoked { name },
        Some(RequestError::LastOwner) => ClientError::LastOwner { name },
        Some(RequestError::Full) => ClientError::TooMany { name },
        Some(RequestError::Failed) => ClientError::MachineFailed,
        Some(RequestError::Unknown | RequestError::Params | RequestError::NotOurs) | None => ClientError::Protocol,
    }
}

/// What a refusal of a pairing means for the person.
pub(super) fn of_pairing_refusal(refusal: &Refusal, name: &str) -> ClientError {
    match refusal.code {
        RefusalCode::OfferExpired => ClientError::OfferExpired,
        RefusalCode::OfferUsed => ClientError::OfferUsed,
        RefusalCode::OfferWithdrawn => ClientError::OfferWithdrawn,
        RefusalCode::Version => ClientError::Version { machine: None },
        RefusalCode::CodeClosed => ClientError::CodeClosed,
        RefusalCode::CodeWrong => ClientError::CodeWrong { tries_left: 0 },
        RefusalCode::Revoked => ClientError::Revoked { name: name.to_owned(), told: refusal.into() },
        RefusalCode::Suspended => ClientError::Suspended { name: name.to_owned(), told: refusal.into() },
        RefusalCode::Expired => ClientError::Expired { name: name.to_owned(), skew_seconds: None },
        RefusalCode::Full => ClientError::Full,
        RefusalCode::Unavailable => ClientError::MachineFailed,
        RefusalCode::JoinDenied => ClientError::JoinDenied,
        RefusalCode::JoinExpired => ClientError::JoinExpired,
        RefusalCode::JoinWithdrawn => ClientError::JoinWithdrawn,
        RefusalCode::JoinNotShown => ClientError::JoinNotShown,
        RefusalCode::JoinKnown => ClientError::AlreadyPaired { name: name.to_owned() },
        RefusalCode::TokenReplaced | RefusalCode::TokenUnknown | RefusalCode::RecoverySpent | RefusalCode::Unknown => {
            ClientError::Protocol
        }
    }
}
