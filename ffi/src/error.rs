//! What can go wrong, as a short list that a person can act on; each shell has a text for each, with the next
//! step. Where the engine tells apart more than a person needs, the cases meet here.

use pairpin_core::client::ClientError;
use pairpin_core::link::LinkError;

use crate::machines::RoleName;

/// An error that a screen shows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum PairpinError {
    /// What was scanned or pasted is not a pairpin link.
    #[error("not a pairpin link")]
    NotOurs,
    /// It is a link of ours, and incomplete or mistyped.
    #[error("a damaged link")]
    DamagedLink,
    /// It is the QR of a device that asks to be let in.
    #[error("a device that asks to be let in")]
    IsJoin,
    /// It is a recovery sheet: it is used on a computer, with pairpin recovery use.
    #[error("a recovery sheet")]
    IsSheet,
    /// The app is older than the machine or the link: update it. Or the other way round.
    #[error("another protocol version")]
    Version,
    /// The offer's or the code's time is over.
    #[error("the offer has expired")]
    OfferExpired,
    /// Another device has used the offer.
    #[error("the offer was used")]
    OfferUsed,
    /// The offer was withdrawn at the machine.
    #[error("the offer was withdrawn")]
    OfferWithdrawn,
    /// The machine does not know the offer.
    #[error("the offer is not known")]
    OfferUnknown,
    /// Nobody answered.
    #[error("{name} did not answer")]
    NotReachable {
        /// The machine.
        name: String,
        /// What was dialled, each with why it did not work.
        tried: Vec<String>,
        /// The networks that this phone is in.
        networks: Vec<String>,
    },
    /// The machine answered and then fell silent.
    #[error("the connection to {name} broke")]
    Interrupted {
        /// The machine.
        name: String,
    },
    /// What answers is not pairpin.
    #[error("not pairpin at {address}")]
    NotPairpin {
        /// Where.
        address: String,
    },
    /// Hard stop: what answers has another key than the link or the row says.
    #[error("another key")]
    KeyChanged {
        /// The machine, where it is paired.
        name: Option<String>,
        /// The key that answered.
        seen: String,
    },
    /// Hard stop: the machine replaced its key, and nothing that this phone holds proves the new one: scan its
    /// offer from its own screen.
    #[error("the key of {name} was replaced")]
    KeyReplaced {
        /// The machine.
        name: String,
    },
    /// Hard stop: the key without what it gave this phone.
    #[error("the key of {name} was copied")]
    KeyCopied {
        /// The machine.
        name: String,
    },
    /// This phone was revoked.
    #[error("revoked on {name}")]
    Revoked {
        /// The machine.
        name: String,
        /// By whom.
        by: Option<String>,
        /// When, in milliseconds since 1970 UTC.
        at: Option<i64>,
        /// Why.
        reason: Option<String>,
    },
    /// This phone is suspended.
    #[error("suspended on {name}")]
    Suspended {
        /// The machine.
        name: String,
    },
    /// The session has ended; where the clocks differ, by so many seconds.
    #[error("the session with {name} has ended")]
    SessionEnded {
        /// The machine.
        name: String,
        /// The machine's clock minus this phone's, where that is the likely cause.
        skew_seconds: Option<i64>,
    },
    /// Pair again: one of the two was restored, reset, or the pairing was never finished.
    #[error("pair with {name} again")]
    PairAgain {
        /// The machine.
        name: String,
    },
    /// The code is wrong.
    #[error("a wrong code")]
    CodeWrong {
        /// How often it may be tried again.
        tries_left: u32,
    },
    /// What was typed is not eight digits; no try was spent.
    #[error("not a code")]
    NotACode,
    /// No more tries, or no code is open.
    #[error("no code is open")]
    CodeClosed,
    /// The person took too long; do it again.
    #[error("too late")]
    TooLate,
    /// Nobody let this device in.
    #[error("not let in")]
    JoinRefused,
    /// Not what the machine sees of the join: it is denied, and somebody may stand between.
    #[error("another join")]
    NotThatJoin,
    /// That joiner asks no machine of ours.
    #[error("a joiner of another machine")]
    NotOurMachine,
    /// The joiner's key was revoked there.
    #[error("the joiner was revoked on {name}")]
    JoinerRevoked {
        /// The machine.
        name: String,
    },
    /// This phone's role there is not enough.
    #[error("not allowed on {name}")]
    NotAllowed {
        /// The machine.
        name: String,
        /// The role it has.
        role: RoleName,
    },
    /// The machine has no approval key of this phone, or another: pair again to bring one.
    #[error("no approval key on {name}")]
    NoApprovalKey {
        /// The machine.
        name: String,
    },
    /// It was answered, withdrawn or has expired.
    #[error("not there any more on {name}")]
    Gone {
        /// The machine.
        name: String,
    },
    /// The machine would be left without an owner.
    #[error("the last owner of {name}")]
    LastOwner {
        /// The machine.
        name: String,
    },
    /// A device cannot do that to itself.
    #[error("not on itself")]
    OnItself,
    /// The machine holds as many as it can.
    #[error("the machine is full")]
    Full,
    /// The machine could not store it.
    #[error("the machine could not store it")]
    MachineFailed,
    /// The person said no, or left.
    #[error("cancelled")]
    Cancelled,
    /// What was typed is no address: a host, a host and a port, or a bracketed IPv6 address and a port.
    #[error("not an address")]
    Address,
    /// The name is empty, too long or taken.
    #[error("not a name")]
    Name,
    /// No such machine, or not any more.
    #[error("no such machine")]
    NoSuchMachine,
    /// The keys of this phone for a machine are gone.
    #[error("the keys for {name} are gone")]
    KeysGone {
        /// The machine.
        name: String,
    },
    /// The phone's key store failed.
    #[error("{why}")]
    Keys {
        /// The cause and the next step.
        why: String,
    },
    /// The app's own list is damaged, and was left as it is: `start_anew` moves it aside, if the person says so.
    #[error("{why}")]
    StateDamaged {
        /// The cause and the next step.
        why: String,
    },
    /// The app's own state failed.
    #[error("{why}")]
    State {
        /// The cause and the next step.
        why: String,
    },
}

impl PairpinError {
    /// A defect of ours that is no reason to end the app.
    pub(crate) fn internal() -> Self {
        Self::State { why: "a step of the app failed, start it again".to_owned() }
    }

    pub(crate) fn of_link(error: LinkError) -> Self {
        match error {
            LinkError::AJoin => Self::IsJoin,
            LinkError::ASheet => Self::IsSheet,
            LinkError::NotALink => Self::NotOurs,
            LinkError::Damaged => Self::DamagedLink,
            LinkError::Newer => Self::Version,
        }
    }
}

/// Whether the same step may simply be tried again: it was the connection, or the machine, that failed. After every
/// other error something has to be another first.
#[uniffi::export]
pub fn again_helps(error: PairpinError) -> bool {
    matches!(error, PairpinError::NotReachable { .. } | PairpinError::Interrupted { .. } | PairpinError::MachineFailed)
}

impl From<ClientError> for PairpinError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::OfferExpired => Self::OfferExpired,
            ClientError::OfferUsed => Self::OfferUsed,
            ClientError::OfferWithdrawn => Self::OfferWithdrawn,
            ClientError::OfferUnknown => Self::OfferUnknown,
            ClientError::NoAddress => {
                Self::NotReachable { name: String::new(), tried: Vec::new(), networks: Vec::new() }
            }
            ClientError::Unreachable { name, tried, networks, .. } => Self::NotReachable {
                name,
                tried: tried.into_iter().map(|tried| format!("{}: {}", tried.address, tried.cause)).collect(),
                networks,
            },
            ClientError::Interrupted { name } => Self::Interrupted { name },
            ClientError::NotPairpin { address } => Self::NotPairpin { address },
            ClientError::OtherKey { seen, .. } => Self::KeyChanged { name: None, seen: seen.fingerprint() },
            ClientError::KeyChanged { name, seen } => Self::KeyChanged { name: Some(name), seen: seen.fingerprint() },
            ClientError::NotRotated { name, .. } | ClientError::KeyReplaced { name, .. } => Self::KeyReplaced { name },
            ClientError::KeyCopied { name } => Self::KeyCopied { name },
            ClientError::Revoked { name, told } => {
                Self::Revoked { name, by: told.by, at: told.at, reason: told.reason }
            }
            ClientError::Suspended { name, .. } => Self::Suspended { name },
            ClientError::Expired { name, skew_seconds } => Self::SessionEnded { name, skew_seconds },
            ClientError::Restored { name, .. }
            | ClientError::Unfinished { name }
            | ClientError::UnknownDevice { name } => Self::PairAgain { name },
            ClientError::Version { .. } | ClientError::Protocol => Self::Version,
            ClientError::CodeWrong { tries_left } => Self::CodeWrong { tries_left },
            ClientError::CodeClosed | ClientError::NoCode => Self::CodeClosed,
            ClientError::AnswerTooLate | ClientError::StatementTooLate { .. } => Self::TooLate,
            ClientError::NoJoins
            | ClientError::AlreadyPaired { .. }
            | ClientError::JoinDenied
            | ClientError::JoinExpired
            | ClientError::JoinNotShown
            | ClientError::JoinDigitsWrong
            | ClientError::JoinWithoutNumber
            | ClientError::JoinWithdrawn => Self::JoinRefused,
            ClientError::NotThatJoin => Self::NotThatJoin,
            ClientError::NotOurMachine => Self::NotOurMachine,
            ClientError::JoinerRevoked { name } => Self::JoinerRevoked { name },
            ClientError::NotAllowed { name, role, .. } => Self::NotAllowed { name, role: role.into() },
            ClientError::NoApprovalKey { name }
            | ClientError::OtherApprovalKey { name }
            | ClientError::StatementRefused { name }
            | ClientError::ApprovalLocked { name, .. }
            | ClientError::PassphraseWrong { name, .. }
            | ClientError::ApprovalKeyStands { name, .. } => Self::NoApprovalKey { name },
            ClientError::NotThere { name } => Self::Gone { name },
            ClientError::Itself { .. } => Self::OnItself,
            ClientError::LastOwner { name } => Self::LastOwner { name },
            ClientError::Full | ClientError::TooMany { .. } => Self::Full,
            ClientError::MachineFailed => Self::MachineFailed,
            ClientError::BadName(_) => Self::Name,
            ClientError::NoSuchMachine(_) | ClientError::Ambiguous(_) => Self::NoSuchMachine,
            ClientError::SecretsMissing { name, .. } | ClientError::SecretsElsewhere { name, .. } => {
                Self::KeysGone { name }
            }
            ClientError::Leaving { .. } | ClientError::Forgotten { .. } => Self::NoSuchMachine,
            // Sheets are used on a computer.
            error @ (ClientError::SheetOtherKey { .. }
            | ClientError::SheetUnknown
            | ClientError::SheetSpent { .. }
            | ClientError::SheetUnproven) => Self::State { why: error.to_string() },
            ClientError::Secrets(why) => Self::Keys { why },
            ClientError::Damaged(why) => Self::StateDamaged { why },
            ClientError::State(why) => Self::State { why },
        }
    }
}
