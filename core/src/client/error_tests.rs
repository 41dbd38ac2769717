//! The texts of [`ClientError`](super::ClientError) are a contract: cause, next step, no full stop.

use super::error::*;
use crate::identity::Pin;
use crate::role::Role;
use crate::wire::Method;

#[test]
fn every_text_is_lower_case_without_a_full_stop_and_names_a_next_step() {
    let name = || "homebox".to_owned();
    let pin = Pin::from_bytes([1; 32]);
    let tried = vec![Tried { address: "192.168.1.5".parse().unwrap(), cause: "timed out".into() }];
    let told = Told { by: Some("Ana".into()), at: Some(0), reason: Some("lost".into()) };
    for error in [
        ClientError::OfferExpired,
        ClientError::OfferUsed,
        ClientError::OfferWithdrawn,
        ClientError::OfferUnknown,
        ClientError::NoAddress,
        ClientError::Unreachable { name: name(), tried, refused: false, networks: vec!["10.0.0.7 (wlan0)".into()] },
        ClientError::Interrupted { name: name() },
        ClientError::NotPairpin { address: name() },
        ClientError::OtherKey { address: "a".parse().unwrap(), seen: pin },
        ClientError::KeyChanged { name: name(), seen: pin },
        ClientError::NotRotated { name: name(), seen: pin },
        ClientError::KeyReplaced { name: name() },
        ClientError::KeyCopied { name: name() },
        ClientError::Revoked { name: name(), told: told.clone() },
        ClientError::Suspended { name: name(), told },
        ClientError::Expired { name: name(), skew_seconds: Some(-3600) },
        ClientError::Restored { name: name(), taken: 2 },
        ClientError::UnknownDevice { name: name() },
        ClientError::SheetUnknown,
        ClientError::SheetUnproven,
        ClientError::SheetSpent { used: true, at: Some(0) },
        ClientError::SheetSpent { used: false, at: None },
        ClientError::SheetOtherKey { address: "10.0.0.1".parse().unwrap(), seen: Pin::from_bytes([1; 32]) },
        ClientError::Leaving { name: name(), why: "it did not answer".into() },
        ClientError::Forgotten { name: name(), last_owner: true },
        ClientError::Unfinished { name: name() },
        ClientError::Version { machine: Some("1".into()) },
        ClientError::CodeWrong { tries_left: 2 },
        ClientError::CodeClosed,
        ClientError::NoCode,
        ClientError::AnswerTooLate,
        ClientError::Full,
        ClientError::MachineFailed,
        ClientError::Protocol,
        ClientError::NotAllowed { name: name(), role: Role::Viewer, method: Method::Inbox },
        ClientError::Itself { name: name() },
        ClientError::ApprovalLocked { name: name() },
        ClientError::PassphraseWrong { name: name() },
        ClientError::ApprovalKeyStands { name: name(), device: name() },
        ClientError::JoinWithdrawn,
        ClientError::NoApprovalKey { name: name() },
        ClientError::OtherApprovalKey { name: name() },
        ClientError::StatementRefused { name: name() },
        ClientError::StatementTooLate { name: name() },
        ClientError::NotThere { name: name() },
        ClientError::LastOwner { name: name() },
        ClientError::TooMany { name: name() },
        ClientError::NoJoins,
        ClientError::AlreadyPaired { name: name() },
        ClientError::JoinDenied,
        ClientError::JoinExpired,
        ClientError::JoinNotShown,
        ClientError::JoinDigitsWrong,
        ClientError::JoinWithoutNumber,
        ClientError::NotThatJoin,
        ClientError::JoinerRevoked { name: name() },
        ClientError::NotOurMachine,
        ClientError::NoSuchMachine(name()),
        ClientError::Ambiguous(name()),
        ClientError::BadName(name()),
        ClientError::SecretsMissing { name: name(), store: "file" },
        ClientError::SecretsElsewhere { name: name(), store: "keyring".into() },
    ] {
        let text = error.to_string();
        assert!(!text.ends_with('.') && !text.starts_with(char::is_uppercase), "{text}");
        assert!(text.contains(',') || text.contains(':') || text.contains(';'), "no next step: {text}");
    }
}

#[test]
fn an_unreachable_machine_names_what_was_tried_and_where_we_are() {
    let tried = vec![Tried { address: "192.168.1.5".parse().unwrap(), cause: "timed out".into() }];
    let error = ClientError::Unreachable {
        name: "homebox".into(),
        tried,
        refused: false,
        networks: vec!["10.0.0.7 (wlan0)".into()],
    };
    let text = error.to_string();
    assert!(text.contains("192.168.1.5:7747 (timed out)") && text.contains("10.0.0.7 (wlan0)"), "{text}");
    assert_eq!(error.kind(), ErrorKind::NotReachable);
}

#[test]
fn a_wrong_clock_is_named_beside_an_expiry() {
    let error = ClientError::Expired { name: "homebox".into(), skew_seconds: Some(7200) };
    assert!(error.to_string().contains("120 minutes ahead"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Expired);
}
