//! Pairing by a scanned offer: what it is for, the question to the person, and the yes.

use std::sync::{Arc, Mutex, PoisonError};

use pairpin_core::client::{self, Client, PairPreview};

use crate::error::PairpinError;
use crate::machines::{MachineView, RoleName};

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

/// An offer that was looked at and waits for the person's yes. Free it to say no: nothing was used up.
#[derive(uniffi::Object)]
pub struct Pairing {
    client: Client,
    name: String,
    platform: String,
    fingerprint: String,
    address: String,
    role: RoleName,
    question: PairQuestion,
    preview: Mutex<PairPreview>,
}

impl Pairing {
    pub(crate) fn new(client: Client, preview: PairPreview) -> Self {
        Self {
            client,
            name: preview.name.clone(),
            platform: preview.platform.clone(),
            fingerprint: preview.fingerprint(),
            address: preview.address.to_string(),
            role: preview.role.into(),
            question: question(&preview.question),
            preview: Mutex::new(preview),
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
    /// The machine's name, as it says.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// Its platform, as it says.
    pub fn platform(&self) -> String {
        self.platform.clone()
    }

    /// Its key fingerprint, to be compared with its own screen.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// The address that answered.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// The role that the offer gives.
    pub fn role(&self) -> RoleName {
        self.role
    }

    /// What to ask the person.
    pub fn question(&self) -> PairQuestion {
        self.question.clone()
    }

    /// The person said yes. After an error that can be tried again, the same call goes on where it left off.
    ///
    /// # Errors
    /// As [`PairpinError`] says.
    pub async fn pair(self: Arc<Self>) -> Result<Paired, PairpinError> {
        let preview = self.preview.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(self.client.pair(preview).await?.into())
    }
}
