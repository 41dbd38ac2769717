//! What can go wrong on a device, as a short list a person can act on.
//!
//! Rich errors of the rooms below (dialling, handshake, store) end here, in one place each; the
//! command line and the phones show the text as it is and choose by [`ClientError::kind`].

use std::fmt;

use super::text::{self, networks_text, next_step, skew_text, tried_text, tries_text, versions_text};
use crate::clock::UnixMillis;
use crate::handshake::HandshakeError;
use crate::identity::Pin;
use crate::names;
use crate::role::Role;
use crate::secrets::SecretStoreError;
use crate::wire::{Address, Method, Refusal, limits};

/// What to do about an error: chooses the exit code of the command line and the phones' screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Denied, or failed in another way.
    Failed,
    /// Something expired, or nobody answered in time.
    Expired,
    /// The machine could not be reached.
    NotReachable,
    /// The machine proved another identity than the one it is known by. Nothing is retried.
    IdentityChanged,
}

/// One address that was dialled, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The address.
    pub address: Address,
    /// Why it did not work.
    pub cause: String,
}

/// Who took a device's access away, when and why, as the machine told it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The name of a device, or "the machine's shell".
    pub by: Option<String>,
    /// When, by the machine's clock.
    pub at: Option<UnixMillis>,
    /// The reason that was given.
    pub reason: Option<String>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(by) = &self.by {
            write!(f, " by {by}")?;
        }
        if let Some(at) = self.at {
            write!(f, " on {}", text::day(at))?;
        }
        if let Some(reason) = &self.reason {
            write!(f, " ({reason})")?;
        }
        Ok(())
    }
}

impl From<&Refusal> for Told {
    fn from(refusal: &Refusal) -> Self {
        Self::of(&refusal.by, refusal.at, &refusal.reason)
    }
}

impl Told {
    /// What a machine said, made safe to show.
    pub(super) fn of(by: &Option<String>, at: Option<UnixMillis>, reason: &Option<String>) -> Self {
        // A name, and the quotation marks by which a device is told from the shell.
        let by = by.as_deref().and_then(|by| names::clean(by, limits::NAME + 8));
        Self { by, at, reason: reason.as_deref().and_then(names::clean_sentence) }
    }
}

/// An error of the device's engine. Each text names the cause and the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The offer's time is over.
    #[error("the offer has expired, ask for a new one: pairpin pair on the machine")]
    OfferExpired,
    /// Another device has used the offer.
    #[error(
        "the offer has been used already, ask for a new one: pairpin pair on the machine; if nobody \
         you know used it, look at pairpin devices there"
    )]
    OfferUsed,
    /// The offer was withdrawn at the machine.
    #[error("the offer was withdrawn at the machine, ask for a new one: pairpin pair")]
    OfferWithdrawn,
    /// The machine does not know the offer.
    #[error(
        "the machine does not know this offer: it is too old, or the machine was restarted since; ask \
         for a new one: pairpin pair on the machine"
    )]
    OfferUnknown,
    /// A link without addresses, or a machine without any.
    #[error("no address of the machine is known, scan a new offer from it")]
    NoAddress,
    /// Nobody answered at any address.
    #[error("{} did not answer{}{}; {}", .name, tried_text(.tried), networks_text(.networks), next_step(*.refused))]
    Unreachable {
        /// The machine, or "the machine" while its name is not known.
        name: String,
        /// What was dialled.
        tried: Vec<Tried>,
        /// Whether something answered there, on another port.
        refused: bool,
        /// The networks this device is in, as "10.0.0.7 (LAN wlan0)".
        networks: Vec<String>,
    },
    /// The machine answered and then fell silent or hung up.
    #[error("the connection to {name} broke before it was done, try again")]
    Interrupted {
        /// The machine.
        name: String,
    },
    /// What answers is not a machine of ours.
    #[error("what answers at {address} is not pairpin, check the address and the port")]
    NotPairpin {
        /// Where.
        address: String,
    },
    /// The machine at the link's address has not the key that the link names.
    #[error(
        "the machine at {address} has another key than the link says ({}): it is another machine, or \
         somebody is in between; scan the QR on the machine's own screen", .seen.fingerprint()
    )]
    OtherKey {
        /// Where.
        address: Address,
        /// The key it has.
        seen: Pin,
    },
    /// A paired machine has another key.
    #[error(
        "{name} has changed its key (it proves {}), nothing was sent to it: if its key was replaced, \
         or changed more than once while this device was away, scan a new offer from its own screen, if not, somebody is \
         in between", .seen.fingerprint()
    )]
    KeyChanged {
        /// The machine.
        name: String,
        /// The key that answered.
        seen: Pin,
    },
    /// What answers has the key that a paired machine had announced, without a change to it that both keys signed.
    #[error(
        "what answers as {name} proves the key that {name} had announced as its next one ({}), but not that it was \
         changed to it, so nothing of what it said was believed: if the key before was replaced because others may know \
         it, scan a new offer from its own screen, if not, somebody is in between", .seen.fingerprint()
    )]
    NotRotated {
        /// The machine.
        name: String,
        /// The key that answered.
        seen: Pin,
    },
    /// The machine's key was replaced while this device was connected.
    #[error(
        "{name} has replaced its key because others may know it, and ended every session: scan a new offer from its own \
         screen, this device keeps its place there"
    )]
    KeyReplaced {
        /// The machine.
        name: String,
    },
    /// A paired machine has its key but not the recognition key.
    #[error(
        "what answers as {name} has its key but not what it gave this device when they paired: the key \
         was copied, or the machine was reset; if you know that it was reset: pairpin machines forget \
         {name}, and scan a fresh offer from its own screen"
    )]
    KeyCopied {
        /// The machine.
        name: String,
    },
    /// This device was revoked.
    #[error("this device was revoked on {name}{told}, its key is erased: pair again with a fresh offer from there")]
    Revoked {
        /// The machine.
        name: String,
        /// By whom, when, why.
        told: Told,
    },
    /// This device was suspended.
    #[error(
        "this device is suspended on {name}{told}: a token that it had replaced was used again, so its keys may \
         have been copied; if you know why (a restored backup), let an owner lift it (pairpin devices set NAME --lift) or \
         pair again with a fresh offer from there, if not, revoke it there: pairpin devices revoke"
    )]
    Suspended {
        /// The machine.
        name: String,
        /// When.
        told: Told,
    },
    /// The session has expired.
    #[error("the session with {name} has expired{}, pair again with a fresh offer from there", skew_text(.skew_seconds))]
    Expired {
        /// The machine.
        name: String,
        /// The machine's clock minus ours, where that is more than five minutes.
        skew_seconds: Option<i64>,
    },
    /// Neither of the tokens is the machine's.
    #[error(
        "{name} or this device was restored from a backup, the session is lost{}: pair again with a fresh offer from there",
        text::handed_text(*.taken)
    )]
    Restored {
        /// The machine.
        name: String,
        /// Revocations that it had lost, and that this device has handed back to it.
        taken: u64,
    },
    /// The pairing was begun and not finished.
    #[error("the pairing with {name} was not finished, scan its offer again")]
    Unfinished {
        /// The machine.
        name: String,
    },
    /// The machine has no record of this device.
    #[error(
        "{name} has no record of this device, it may have been reset or restored from an older backup: if you know \
         that, pairpin machines forget {name}, and scan a fresh offer from its own screen"
    )]
    UnknownDevice {
        /// The machine.
        name: String,
    },
    /// No version in common.
    #[error("this device and the machine speak different protocol versions{}, update the older one", versions_text(.machine))]
    Version {
        /// What the machine says it speaks.
        machine: Option<String>,
    },
    /// The code did not match.
    #[error("the code is wrong, {}", tries_text(*.tries_left))]
    CodeWrong {
        /// How often this device lets it be tried again.
        tries_left: u32,
    },
    /// No more tries.
    #[error("too many wrong codes, run pairpin pair --code on the machine for a new one")]
    CodeClosed,
    /// The machine takes no code now.
    #[error(
        "the machine takes no code now (it has expired, was used, or was closed by wrong tries), for a \
         new one run pairpin pair --code there"
    )]
    NoCode,
    /// The person took too long to say yes.
    #[error("the question waited too long, start again with a new code: pairpin pair --code on the machine")]
    AnswerTooLate,
    /// The machine lets nobody ask from here.
    #[error(
        "what answers there lets no device ask from this network (only from its own or its tailnet, unless it was told \
         otherwise, and not while somebody has closed it), ask for an offer: pairpin pair on the machine"
    )]
    NoJoins,
    /// A join by a device that is paired.
    #[error("this device is paired with {name} already, see pairpin machines; to pair anew, scan an offer from there")]
    AlreadyPaired {
        /// The machine.
        name: String,
    },
    /// Somebody said no.
    #[error(
        "nobody let this device in: somebody said no, or typed a number that is not its own; ask again, or for an offer"
    )]
    JoinDenied,
    /// Nobody said yes in time, or the digits were not typed in time.
    #[error(
        "nobody has let this device in in time (or may do so any more) and nothing was paired: ask again, or for an offer with pairpin pair on the machine"
    )]
    JoinExpired,
    /// Too many have asked.
    #[error(
        "too many have asked there lately, so nobody was shown this device: ask for an offer, pairpin pair on the machine"
    )]
    JoinNotShown,
    /// What answers is not the machine that an approver let this device into.
    #[error(
        "these are not the digits: what answers is not the machine that let this device in, somebody may stand between; \
         nothing was stored; ask for an offer instead: pairpin pair on the machine"
    )]
    JoinDigitsWrong,
    /// The join has no slot for a number.
    #[error("too many have asked there lately, this device has no number: scan its QR instead, or pair it by an offer")]
    JoinWithoutNumber,
    /// Another number, or another QR.
    #[error(
        "that is not what the machine sees of it, the join is denied: if number or QR are that device's own, somebody may \
         stand between; pair it by an offer instead"
    )]
    NotThatJoin,
    /// The joiner's key was revoked there.
    #[error("the device that asks was revoked on {name} and its key stays out, pair it there by an offer")]
    JoinerRevoked {
        /// The machine.
        name: String,
    },
    /// A scanned joiner asks a machine that is not ours.
    #[error(
        "that device asks a machine which this device is not paired with, or one that only pretends to be ours: do not let it in"
    )]
    NotOurMachine,
    /// The machine holds as many devices as it can.
    #[error("the machine cannot hold more devices, revoke one there first: pairpin devices revoke")]
    Full,
    /// The machine could not write its state.
    #[error("the machine could not store this, look at its log (disk full?) and try again")]
    MachineFailed,
    /// This device's role there does not allow it.
    #[error("{}", text::not_allowed(.name, *.role, *.method))]
    NotAllowed {
        /// The machine.
        name: String,
        /// The role it has.
        role: Role,
        /// What was asked for.
        method: Method,
    },
    /// A device cannot do that to itself.
    #[error(
        "this device cannot do that to itself on {name}: another owner can, or the shell there; to leave, pairpin machines \
         forget {name}"
    )]
    Itself {
        /// The machine.
        name: String,
    },
    /// The approval key is under a passphrase that nobody has typed yet.
    #[error(
        "this device's approval key for {name} is guarded by a passphrase, which is asked for on a terminal: run this in one"
    )]
    ApprovalLocked {
        /// The machine.
        name: String,
    },
    /// The approval key is under another passphrase.
    #[error(
        "that is not the passphrase of this device's approval key for {name}, nothing was changed: type it again; if it is \
         lost: pairpin machines passphrase {name} --forgotten"
    )]
    PassphraseWrong {
        /// The machine.
        name: String,
    },
    /// The machine still has the approval key that is to be replaced.
    #[error(
        "{name} still takes the approval key whose passphrase is lost: first let another owner (pairpin devices set {device} \
         --forget-approval-key --on {name}) or its shell take that key away, or pair again with a fresh offer from there"
    )]
    ApprovalKeyStands {
        /// The machine.
        name: String,
        /// What the machine calls this device.
        device: String,
    },
    /// Who let this device in may not any more.
    #[error(
        "the owner who let this device in was revoked there, or may let nobody in any more, so nothing was paired: ask again, \
         or for an offer with pairpin pair on the machine"
    )]
    JoinWithdrawn,
    /// The machine has no approval key of this device.
    #[error(
        "{name} has no approval key of this device, so nothing can be decided with it there: it is brought by the next try"
    )]
    NoApprovalKey {
        /// The machine.
        name: String,
    },
    /// The machine has another approval key of this device.
    #[error(
        "{name} has another approval key of this device, which is lost here: pair again with a fresh offer from there to \
         bring a new one"
    )]
    OtherApprovalKey {
        /// The machine.
        name: String,
    },
    /// The machine does not take the statement.
    #[error(
        "{name} did not take the signature: it has another approval key of this device, or none any more; try once more, and if \
         that fails, pair again with a fresh offer from there"
    )]
    StatementRefused {
        /// The machine.
        name: String,
    },
    /// The statement's nonce is over or was used.
    #[error("that took too long and was not done on {name}, do it again")]
    StatementTooLate {
        /// The machine.
        name: String,
    },
    /// What it is about is not there any more.
    #[error("what this is about is not there any more on {name}: it was answered, withdrawn or has expired")]
    NotThere {
        /// The machine.
        name: String,
    },
    /// The last owner is guarded.
    #[error(
        "this device is the last owner of {name}, which would be left without one: make another device owner first, pairpin \
         devices set NAME --role owner --on {name}; or leave, pairpin machines forget {name}"
    )]
    LastOwner {
        /// The machine.
        name: String,
    },
    /// There are too many of what was asked for.
    #[error("{name} has as many of these open as it can hold, wait until some are over or withdraw some there")]
    TooMany {
        /// The machine.
        name: String,
    },
    /// The machine was forgotten here while it was away.
    #[error(
        "{name} is forgotten here and was not told yet, so nothing can be done with it ({why}): pair again with a fresh \
         offer from there"
    )]
    Leaving {
        /// The machine.
        name: String,
        /// Why it was not told.
        why: String,
    },
    /// The machine was forgotten here while it was away, and has been told just now.
    #[error("{name} was forgotten here and has now been told, pair again with a fresh offer from there")]
    Forgotten {
        /// The machine.
        name: String,
        /// This device was the last owner there.
        last_owner: bool,
    },
    /// The machine at the sheet's address has neither of the sheet's keys.
    #[error(
        "the machine at {address} has another key than the sheet says ({}): it is another machine, its key was replaced \
         since the sheet was printed, or somebody is in between; use the machine's own shell: pairpin lost NAME", .seen.fingerprint()
    )]
    SheetOtherKey {
        /// Where.
        address: Address,
        /// The key it has.
        seen: Pin,
    },
    /// The machine does not know the recovery sheet.
    #[error(
        "the machine does not know this sheet: another one was printed long since, or its state was made anew; use its \
         own shell: pairpin lost NAME"
    )]
    SheetUnknown,
    /// The recovery sheet is over.
    #[error("this sheet {}{}: use another owner device, or the machine's own shell: pairpin lost NAME", text::sheet_end(*.used), text::on_day(*.at))]
    SheetSpent {
        /// It was used; otherwise a newer one was printed.
        used: bool,
        /// When, by the machine's clock.
        at: Option<UnixMillis>,
    },
    /// What answers has the machine's TLS key and not what the sheet's answers are proven by.
    #[error(
        "what answers has the machine's key but cannot prove that it knows this sheet: the key was copied, or the machine \
         was reset; nothing can be said of what was done, use the machine's own shell: pairpin lost NAME"
    )]
    SheetUnproven,
    /// The other side broke the protocol.
    #[error("the machine answered something that this version cannot read, update the older one")]
    Protocol,
    /// No such machine.
    #[error("no paired machine is called {0:?}, see pairpin machines")]
    NoSuchMachine(String),
    /// More than one machine fits.
    #[error("more than one paired machine fits {0:?}, use the whole name")]
    Ambiguous(String),
    /// The name cannot be used.
    #[error("{0:?} cannot be the name of a machine, use 1 to 40 visible characters that no other machine has")]
    BadName(String),
    /// The row's secrets are not where they should be.
    #[error(
        "the keys for {name} are missing from the {store} of this device, restore them, or: pairpin \
         machines forget {name}, and scan a fresh offer"
    )]
    SecretsMissing {
        /// The machine.
        name: String,
        /// "keyring", "file" or "hardware".
        store: &'static str,
    },
    /// The row's secrets are in a store that is not open.
    #[error(
        "the keys for {name} are in the {store} store, which is not available now: unlock it, or choose \
         it with --secret-store {store}"
    )]
    SecretsElsewhere {
        /// The machine.
        name: String,
        /// "keyring", "file" or "hardware".
        store: String,
    },
    /// The secret store failed.
    #[error("{0}")]
    Secrets(String),
    /// The device's own database is damaged, and was left as it is: [`start_anew`](super::start_anew) moves it aside.
    #[error("{0}")]
    Damaged(String),
    /// The device's own database or directory failed.
    #[error("{0}")]
    State(String),
}

impl ClientError {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::OfferExpired
            | Self::OfferUnknown
            | Self::Expired { .. }
            | Self::AnswerTooLate
            | Self::CodeClosed
            | Self::JoinExpired
            | Self::NoCode
            | Self::Restored { .. } => ErrorKind::Expired,
            Self::NoAddress | Self::Unreachable { .. } | Self::Interrupted { .. } | Self::NotPairpin { .. } => {
                ErrorKind::NotReachable
            }
            Self::SheetSpent { .. } => ErrorKind::Expired,
            Self::SheetOtherKey { .. } | Self::SheetUnproven => ErrorKind::IdentityChanged,
            Self::OtherKey { .. }
            | Self::KeyChanged { .. }
            | Self::NotRotated { .. }
            | Self::KeyReplaced { .. }
            | Self::KeyCopied { .. } => ErrorKind::IdentityChanged,
            _ => ErrorKind::Failed,
        }
    }
}

impl From<SecretStoreError> for ClientError {
    fn from(error: SecretStoreError) -> Self {
        Self::Secrets(error.0)
    }
}

impl From<HandshakeError> for ClientError {
    /// For steps in which a proof that does not hold has no meaning of its own.
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Version => Self::Version { machine: None },
            HandshakeError::Message | HandshakeError::Proof => Self::Protocol,
        }
    }
}
