//! Pairing by a scanned offer or a typed code: what it is for, the question to the person, and the yes.

use std::sync::{Arc, Mutex, PoisonError};

use pairpin_core::client::{self, Client, CodePreview};

use crate::cancel::Cancel;
use crate::error::PairpinError;
use crate::machines::{AddressWord, MachineView, RoleName};

/// What to ask the person before pairing.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum PairQuestion {
    /// Pair with a machine that is not known yet.
    New,
    /// It is paired already; its session is made new.
    Again {
        /// Its name here.
        known_as: String,
    },
    /// It is paired, and has another key now: only a deliberate yes may answer this.
    ReplaceKey {
        /// Its name here.
        known_as: String,
        /// The key it was known by.
        old_fingerprint: String,
    },
    /// Pair with another machine, which claims to be one that is paired and could not prove it: warn.
    OtherMachine {
        /// The name of the paired one here.
        known_as: String,
    },
    /// Nothing: this very offer has paired this phone already.
    AlreadyPaired,
}

/// A finished pairing.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Paired {
    /// The machine.
    pub machine: MachineView,
    /// The four check digits, which the machine shows too; none where they were shown before.
    pub digits: Option<String>,
    /// This phone's former key had been revoked there, by this one.
    pub revoked_before_by: Option<String>,
}

impl From<client::Paired> for Paired {
    fn from(paired: client::Paired) -> Self {
        Self {
            machine: (&paired.machine).into(),
            digits: paired.digits,
            revoked_before_by: paired.revoked_before.and_then(|told| told.by),
        }
    }
}

/// A machine that was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Forgotten {
    /// What it was called here.
    pub name: String,
    /// Why the machine could not be told, and so still lists this phone; none where it knows.
    pub still_listed: Option<String>,
    /// This phone was its last owner: the next device paired at its shell will be owner.
    pub last_owner: bool,
}

impl From<client::Forgotten> for Forgotten {
    fn from(forgotten: client::Forgotten) -> Self {
        Self { name: forgotten.machine.name, still_listed: forgotten.still_listed, last_owner: forgotten.last_owner }
    }
}

/// What is known of a machine before anything is agreed with it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PairPreview {
    /// Its name, as it says.
    pub name: String,
    /// Its platform, as it says.
    pub platform: String,
    /// Its key fingerprint, to be compared with its own screen.
    pub fingerprint: String,
    /// The address that answered.
    pub address: String,
    /// Of this kind.
    pub kind: AddressWord,
    /// The role that the offer gives.
    pub role: RoleName,
    /// What to ask the person.
    pub question: PairQuestion,
}

/// An offer or a typed code that was looked at and waits for the person's yes. Free it, or
/// [`cancel`](Self::cancel) it, to say no: nothing was used up.
#[derive(uniffi::Object)]
pub struct Pairing {
    client: Client,
    preview: PairPreview,
    begun: Mutex<Begun>,
    cancel: Cancel,
}

/// What the yes goes on with.
enum Begun {
    /// May be said again after an error.
    Offer(Box<client::PairPreview>),
    /// One yes.
    Code(Option<Box<CodePreview>>),
}

impl Pairing {
    pub(crate) fn of_offer(client: Client, offer: client::PairPreview) -> Self {
        let preview = PairPreview {
            name: offer.name.clone(),
            platform: offer.platform.clone(),
            fingerprint: offer.fingerprint(),
            address: offer.address.to_string(),
            kind: offer.address.kind().into(),
            role: offer.role.into(),
            question: question(&offer.question),
        };
        Self { client, preview, begun: Mutex::new(Begun::Offer(Box::new(offer))), cancel: Cancel::default() }
    }

    pub(crate) fn of_code(client: Client, code: CodePreview) -> Self {
        let preview = PairPreview {
            name: code.name.clone(),
            platform: code.platform.clone(),
            fingerprint: code.fingerprint(),
            address: code.address.to_string(),
            kind: code.address.kind().into(),
            role: code.role.into(),
            question: question(&code.question),
        };
        Self { client, preview, begun: Mutex::new(Begun::Code(Some(Box::new(code)))), cancel: Cancel::default() }
    }

    async fn go_on(&self) -> Result<client::Paired, PairpinError> {
        let code = match &mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner) {
            Begun::Offer(offer) => Err(client::PairPreview::clone(offer)),
            // Said once already: the code has to be typed again.
            Begun::Code(code) => Ok(code.take().ok_or(PairpinError::TooLate)?),
        };
        match code {
            Ok(code) => Ok(code.confirm().await?),
            Err(offer) => Ok(self.client.pair(offer).await?),
        }
    }
}

fn question(question: &client::PairQuestion) -> PairQuestion {
    match question {
        client::PairQuestion::New => PairQuestion::New,
        client::PairQuestion::NewSameId { known_as } => PairQuestion::OtherMachine { known_as: known_as.clone() },
        client::PairQuestion::Again { known_as } => PairQuestion::Again { known_as: known_as.clone() },
        client::PairQuestion::ReplaceKey { known_as, old_fingerprint } => {
            PairQuestion::ReplaceKey { known_as: known_as.clone(), old_fingerprint: old_fingerprint.clone() }
        }
        client::PairQuestion::AlreadyPaired(_) => PairQuestion::AlreadyPaired,
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl Pairing {
    /// What to show the person.
    pub fn preview(&self) -> PairPreview {
        self.preview.clone()
    }

    /// The person said yes. After an error that can be tried again, the same call goes on where it left off; after a
    /// typed code, the code is typed again.
    ///
    /// # Errors
    /// As [`PairpinError`] says; [`PairpinError::Cancelled`].
    pub async fn pair(self: Arc<Self>) -> Result<Paired, PairpinError> {
        Ok(self.cancel.or(self.go_on()).await?.into())
    }

    /// The person says no, or leaves: a [`pair`](Self::pair) that runs ends, and nothing goes on.
    pub fn cancel(&self) {
        self.cancel.now();
    }
}
