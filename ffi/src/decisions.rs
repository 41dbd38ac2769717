//! What needs a person's yes, in two steps: prepared here with what the person must see, signed by the phone's
//! approval key outside of any call, and handed back.

use std::sync::Arc;
use std::time::Duration;

use pairpin_core::client::{self, Act, InboxItem, JoinTerms, MachineSession, Prepared, accepted, answered, minted};
use pairpin_core::identity::{PublicKey, Signature};
use pairpin_core::join_qr::JoinQr;
use pairpin_core::role::Role;
use pairpin_core::wire::{ApprovalGuard, DenyThen, JoinNumber};
use tokio::sync::Mutex;

use crate::app::PairpinApp;
use crate::error::PairpinError;
use crate::inbox::Ending;
use crate::machines::RoleName;

/// What the approver chooses for a device that is let in.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Terms {
    /// Its role, the approver's own at most.
    pub role: RoleName,
    /// What the machine is to call it; its own name where it is left out.
    pub name: Option<String>,
    /// Hours that its session may live in all; as every session's where it is left out.
    pub hours: Option<u32>,
}

impl From<Terms> for JoinTerms {
    fn from(terms: Terms) -> Self {
        Self {
            role: Some(terms.role.into()),
            name: terms.name,
            absolute_seconds: terms.hours.map(|hours| u64::from(hours) * 3600),
        }
    }
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Viewer => Self::Viewer,
            RoleName::Operator => Self::Operator,
            RoleName::Owner => Self::Owner,
        }
    }
}

/// What a person may add to a no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum And {
    /// Nobody at that address may ask for an hour.
    BlockSource,
    /// Nobody at all may ask for an hour.
    CloseJoining,
}

/// Where the request of a scanned joiner is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ScannedJoin {
    /// The machine's row.
    pub row: i64,
    /// Its name here.
    pub machine: String,
    /// The id of its item in the inbox, where the machine still lists it.
    pub id: String,
}

/// How an approval key of this phone stands to what a machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ApprovalStanding {
    /// It may sign.
    Ready,
    /// The machine has none of this phone: bring one first.
    ToBring,
    /// The machine has another one: a fresh offer, another owner, or its shell lets this phone bring another.
    Gone,
}

impl From<client::ApprovalStanding> for ApprovalStanding {
    fn from(standing: client::ApprovalStanding) -> Self {
        match standing {
            client::ApprovalStanding::Ready => Self::Ready,
            client::ApprovalStanding::ToBring => Self::ToBring,
            client::ApprovalStanding::Gone => Self::Gone,
        }
    }
}

fn approval_key(key: &[u8]) -> Result<PublicKey, PairpinError> {
    let why = || "the approval key cannot be read: make it anew".to_owned();
    PublicKey::from_slice(key).ok_or_else(|| PairpinError::Keys { why: why() })
}

/// What a decision came to.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Done {
    /// The machine has this phone's approval key now.
    Enrolled,
    /// The ask ended; by this answer, or another was first.
    Answered {
        /// Whether this answer is the one that counts.
        taken: bool,
        /// How it ended.
        how: Ending,
    },
    /// The joiner is let in as soon as somebody has typed these digits into it.
    LetIn {
        /// Four digits of what the machine sees.
        digits: String,
        /// The name it gets.
        name: String,
    },
    /// The device is out.
    Revoked,
    /// The device has another role, is suspended no more, or may bring another approval key.
    Changed,
    /// An offer to show; its texts are secrets until it is used.
    Invited {
        /// The offer's number: the news of the device that comes by it says the same.
        number: u32,
        /// What the QR holds.
        link: Option<String>,
        /// What is typed instead.
        code: Option<String>,
        /// Its life in seconds.
        seconds: u64,
    },
}

/// A decision that waits for its signature, for two minutes at most and on this connection alone.
#[derive(uniffi::Object)]
pub struct Decision {
    to_sign: Vec<u8>,
    label: String,
    // Taken by the one submit.
    prepared: Mutex<Option<(MachineSession, Prepared)>>,
}

impl Decision {
    pub(crate) async fn prepare(mut session: MachineSession, act: Act) -> Result<Arc<Self>, PairpinError> {
        let prepared = session.prepare(act).await?;
        let (to_sign, label) = (prepared.to_sign().to_vec(), session.approval_label());
        Ok(Arc::new(Self { to_sign, label, prepared: Mutex::new(Some((session, prepared))) }))
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl Decision {
    /// Exactly the bytes that the approval key signs (ECDSA with SHA-256).
    pub fn to_sign(&self) -> Vec<u8> {
        self.to_sign.clone()
    }

    /// The label of the approval key.
    pub fn key_label(&self) -> String {
        self.label.clone()
    }

    /// Hands in the signature, in DER form. Once: a decision that failed is prepared anew.
    ///
    /// # Errors
    /// [`PairpinError::TooLate`], [`PairpinError::NoApprovalKey`], [`PairpinError::Gone`], and the others that
    /// a lost connection has.
    pub async fn submit(&self, signature: Vec<u8>) -> Result<Done, PairpinError> {
        let signature = Signature::from_der(&signature)
            .ok_or_else(|| PairpinError::Keys { why: "the approval key gave no signature: try again".to_owned() })?;
        let (mut session, prepared) = self.prepared.lock().await.take().ok_or(PairpinError::TooLate)?;
        let act = prepared.act().clone();
        let answer = session.submit(prepared, signature).await?;
        done(&act, answer)
    }
}

fn done(act: &Act, answer: serde_json::Value) -> Result<Done, PairpinError> {
    match act {
        Act::Enrol { .. } => Ok(Done::Enrolled),
        Act::Answer { .. } => {
            let answered = answered(answer)?;
            Ok(Done::Answered { taken: answered.taken, how: (&answered.end).into() })
        }
        Act::ApproveJoin(_) => {
            let accepted = accepted(answer)?;
            Ok(Done::LetIn { digits: accepted.digits, name: accepted.name })
        }
        Act::Revoke { .. } => Ok(Done::Revoked),
        Act::SetRole { .. } | Act::Lift { .. } | Act::ForgetKey { .. } => Ok(Done::Changed),
        Act::Invite { .. } => {
            let mut offer = minted(answer)?;
            Ok(Done::Invited {
                number: offer.number,
                link: offer.link.take(),
                code: offer.code.take(),
                seconds: offer.expires_in_seconds,
            })
        }
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl PairpinApp {
    /// The label under which the phone's chip holds, or is to hold, the approval key for a machine.
    ///
    /// # Errors
    /// The machine is not connected now.
    pub async fn approval_label(&self, row: i64) -> Result<String, PairpinError> {
        Ok(self.app().session(row).await?.approval_label())
    }

    /// How the approval key that this phone holds for a machine, 65 bytes or none, stands to what the machine has.
    ///
    /// # Errors
    /// The machine is not connected now.
    pub async fn approval_standing(&self, row: i64, own: Option<Vec<u8>>) -> Result<ApprovalStanding, PairpinError> {
        let own = own.as_deref().map(approval_key).transpose()?;
        Ok(self.app().session(row).await?.approval_standing(own).into())
    }

    /// Brings this phone's approval key, 65 bytes, guarded by the phone's lock.
    ///
    /// # Errors
    /// As every decision; the key cannot be read.
    pub async fn prepare_enrol(&self, row: i64, key: Vec<u8>) -> Result<Arc<Decision>, PairpinError> {
        let key = approval_key(&key)?;
        Decision::prepare(self.app().session(row).await?, Act::Enrol { key, guard: ApprovalGuard::Lock }).await
    }

    /// Yes to the ask of that id, if it is still the very one that was shown: `shown` is what the item had that the
    /// person saw.
    ///
    /// # Errors
    /// [`PairpinError::Gone`]: it is not there any more, or is another question now.
    pub async fn prepare_yes(&self, row: i64, id: String, shown: String) -> Result<Arc<Decision>, PairpinError> {
        let ask = self.app().ask_as_shown(row, &id, &shown)?;
        Decision::prepare(self.app().session(row).await?, ask.accept()).await
    }

    /// The request of a scanned joiner: the machine that it asks, and its item there.
    ///
    /// # Errors
    /// [`PairpinError::NotOurMachine`].
    pub async fn join_of_scan(&self, text: String) -> Result<ScannedJoin, PairpinError> {
        let qr = JoinQr::parse(&text).map_err(|_| PairpinError::NotOurs)?;
        let machine = self.app().client().machine_of_join(&qr).await?;
        Ok(ScannedJoin { row: machine.row, machine: machine.name, id: qr.join.text() })
    }

    /// Lets a scanned joiner in.
    ///
    /// # Errors
    /// [`PairpinError::NotOurMachine`], [`PairpinError::Gone`].
    pub async fn prepare_join_scanned(&self, text: String, terms: Terms) -> Result<Arc<Decision>, PairpinError> {
        let qr = JoinQr::parse(&text).map_err(|_| PairpinError::NotOurs)?;
        let machine = self.app().client().machine_of_join(&qr).await?;
        let mut session = self.app().session(machine.row).await?;
        let act = session.approve_scanned(&qr, terms.into()).await?;
        Decision::prepare(session, act).await
    }

    /// Lets a joiner in by the seven digits on its screen. One attempt: a wrong number is a no.
    ///
    /// # Errors
    /// [`PairpinError::Gone`]; [`PairpinError::JoinRefused`]: it has no number. Not seven digits:
    /// [`PairpinError::NotThatJoin`], and nothing was sent.
    pub async fn prepare_join_number(
        &self,
        row: i64,
        id: String,
        number: String,
        terms: Terms,
    ) -> Result<Arc<Decision>, PairpinError> {
        let number = JoinNumber::parse(&number).ok_or(PairpinError::NotThatJoin)?;
        let InboxItem::Join(join) = self.app().waiting(row, &id)?.item else { return Err(PairpinError::NotThatJoin) };
        let mut session = self.app().session(row).await?;
        let act = session.approve_number(join.listed.join, number, terms.into()).await?;
        Decision::prepare(session, act).await
    }

    /// An offer on that machine, for this phone to show to the next device.
    ///
    /// # Errors
    /// As every decision.
    pub async fn prepare_invite(
        &self,
        row: i64,
        role: RoleName,
        name: Option<String>,
        seconds: Option<u64>,
    ) -> Result<Arc<Decision>, PairpinError> {
        let act = Act::Invite { role: role.into(), name, lifetime: seconds.map(Duration::from_secs) };
        Decision::prepare(self.app().session(row).await?, act).await
    }

    /// Says no, to an ask or a join; nobody has to be present for that.
    ///
    /// # Errors
    /// [`PairpinError::Gone`]: it is not there any more.
    pub async fn deny(&self, row: i64, id: String, and: Option<And>) -> Result<(), PairpinError> {
        let mut session = self.app().session(row).await?;
        match self.app().waiting(row, &id)?.item {
            InboxItem::Ask(ask) => session.deny(&ask).await.map(|_| ())?,
            InboxItem::Join(join) => {
                let then = and.map(|and| match and {
                    And::BlockSource => DenyThen::BlockSource,
                    And::CloseJoining => DenyThen::Close,
                });
                session.deny_join(join.listed.join, then).await?;
            }
        }
        Ok(())
    }
}
