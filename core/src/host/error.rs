//! What can go wrong for the person at the machine, each with its next step.

use std::path::PathBuf;

use super::offers::MintError;
use crate::error::{KeyError, RandomError};
use crate::handshake::HandshakeError;
use crate::net::listen::BindError;
use crate::store::StoreError;

/// An engine call failed. The text is for the person at the machine's shell.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Another daemon has this state directory.
    #[error("pairpin serve is already running on {}, use it, or stop it first", .0.display())]
    AlreadyRunning(PathBuf),
    /// The database is there but the identity key is not.
    #[error(
        "the identity key {} is missing beside an existing database, restore the file from a backup, or run \
         `pairpin serve --new-key` and scan a fresh QR on every paired device", .0.display()
    )]
    KeyMissing(PathBuf),
    /// The database is there but the next key is not.
    #[error(
        "the key for the next planned change {} is missing beside an existing database, restore the file from a backup, \
         or run `pairpin serve --new-key`: nobody has to scan for that now, but a device that does not connect before \
         the change will have to after it", .0.display()
    )]
    NextKeyMissing(PathBuf),
    /// A key's file has another key than the database knows.
    #[error(
        "{} has another key than this database was served with, restore the right file from a backup; or go on with \
         this one: `pairpin serve --new-key`, after which devices that do not know it have to scan once more", .0.display()
    )]
    KeyIsOther(PathBuf),
    /// The next key is kept outside the state directory.
    #[error("the next key is kept in {0}: `pairpin key rotate --next-key {0}`, or name the file where it is now")]
    NextKeyElsewhere(String),
    /// The named file is not the announced next key.
    #[error(
        "{} has another key than the announced next one and is not overwritten: nothing was changed, name another file",
        .0.display()
    )]
    NotTheNextKey(PathBuf),
    /// The named file should have the next key, and there is none.
    #[error("there is no next key at {}, it was last kept in {kept}: nothing was changed", path.display())]
    NoNextKey {
        /// The file.
        path: PathBuf,
        /// Where it was written.
        kept: String,
    },
    /// A file's place cannot be kept in the database.
    #[error("{} cannot be used for a key: name a file by a path of plain text", .0.display())]
    BadKeyPath(PathBuf),
    /// The keys changed while they were being changed.
    #[error("the machine's keys have been changed by somebody else just now, look at `pairpin key show`")]
    KeysChanged,
    /// The identity key cannot be read.
    #[error("{}: {cause}", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// What is wrong with it.
        cause: KeyError,
    },
    /// `--new-key` where nothing is lost.
    #[error("{} is there, so --new-key would lock every device out: leave it out", .0.display())]
    KeyNotMissing(PathBuf),
    /// The state belongs to another system.
    #[error(
        "the state in {} belongs to another machine (another /etc/machine-id), and one machine must not be in two \
         places: if it was moved here for good and the old place never serves again, run `pairpin serve --moved`; if it \
         is a copy and this is to be a machine of its own, run `pairpin serve --new-identity`", .0.display()
    )]
    OtherSystem(PathBuf),
    /// `--moved` where nothing was moved.
    #[error("the state in {} was not moved here from another machine: leave --moved out", .0.display())]
    NotMoved(PathBuf),
    /// `--new-identity` where there is no copy.
    #[error(
        "in {} is no copy of another machine's state: leave --new-identity out; to begin anew, stop pairpin and move \
         that directory away", .0.display()
    )]
    NotACopy(PathBuf),
    /// A file could not be moved aside.
    #[error("{} could not be set aside: {cause}, then try again", path.display())]
    NotSetAside {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The certificate could not be made.
    #[error("the certificate could not be made from the identity key: {0}")]
    Certificate(String),
    /// The port could not be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The state could not be read or written.
    #[error(transparent)]
    Store(StoreError),
    /// The offer could not be made.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The offer could not be written as a link.
    #[error("the offer does not fit a link: {0}")]
    Link(String),
    /// No such offer.
    #[error("there is no offer {0}, see `pairpin offers`")]
    NoOffer(u32),
    /// A device is using the offer at this moment.
    #[error(
        "a device is using offer {0} right now, too late to withdraw it: if `pairpin devices` shows one that is not \
         yours, revoke it with `pairpin devices revoke`; if it could not be stored, the offer is withdrawn"
    )]
    OfferInUse(u32),
    /// No such device.
    #[error("no device is called {0:?}, see `pairpin devices`")]
    NoDevice(String),
    /// A revoke could not be stored.
    #[error(
        "{name:?} is NOT revoked: {cause}; it is cut and kept out meanwhile, but a restart of pairpin serve would let it \
         in again"
    )]
    NotRevoked {
        /// The device.
        name: String,
        /// Why it could not be stored.
        cause: StoreError,
    },
    /// Who asked for it is no owner any more.
    #[error("the device that asked for this is no owner any more")]
    NotAnOwner,
    /// The beginning of an id fits several devices.
    #[error("{0:?} fits several devices, type more of the id or the whole name")]
    Ambiguous(String),
    /// The name is taken.
    #[error("another device is called {0:?}, choose another name")]
    NameTaken(String),
    /// The name is empty after cleaning.
    #[error("a name needs at least one visible character")]
    NameEmpty,
    /// A lifetime makes no sense.
    #[error("a session's lifetimes go from 1 minute to 10 years, and it cannot stay unused for longer than it lives")]
    Lifetime,
    /// The last owner may not be demoted.
    #[error("{0:?} is the last owner: pair another owner first with `pairpin pair --role owner`")]
    LastOwner(String),
    /// No such join.
    #[error("no device asks to be let in as {0:?} (any more), see `pairpin devices`")]
    NoJoin(String),
    /// Another number than the joiner shows, or another QR.
    #[error(
        "that is not what this machine sees of it: the join is denied; if the number was read from the device's own \
         screen, somebody may stand between, so pair it by an offer: `pairpin pair`"
    )]
    NotThatJoin,
    /// It may be let in by a scan alone.
    #[error(
        "too many have asked lately, this device has no number: scan its QR with an owner's device, or pair it by an \
         offer: `pairpin pair`"
    )]
    JoinWithoutNumber,
    /// It asked before the machine restarted.
    #[error("that device asked before pairpin serve restarted: let it ask again, with `pairpin join` there")]
    JoinBeforeRestart,
    /// The joiner's key has a tombstone.
    #[error("the device that asks was revoked by {0} and its key stays out: pair it by an offer, `pairpin pair`")]
    JoinRevoked(String),
    /// A device could not be answered.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

impl From<StoreError> for HostError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NameTaken(name) => Self::NameTaken(name),
            StoreError::NameEmpty => Self::NameEmpty,
            other => Self::Store(other),
        }
    }
}
