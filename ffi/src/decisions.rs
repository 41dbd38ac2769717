//! What needs a person's yes, in two steps: prepared here with what the person must see, signed by the phone's
//! approval key outside of any call, and handed back.

use std::sync::Arc;
use std::time::Duration;

use pairpin_core::client::{Act, InboxItem, JoinTerms, MachineSession, Prepared, accepted, answered, minted};
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
            Ok(Done::Invited { link: offer.link.take(), code: offer.code.take(), seconds: offer.expires_in_seconds })
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

    /// The approval key that the machine has of this phone: 65 bytes, or none.
    ///
    /// # Errors
    /// The machine is not connected now.
    pub async fn enrolled_key(&self, row: i64) -> Result<Option<Vec<u8>>, PairpinError> {
        let enrolled = self.app().session(row).await?.enrolled();
        Ok(enrolled.map(|key| key.as_bytes().to_vec()))
    }

    /// Brings this phone's approval key, 65 bytes, guarded by the phone's lock.
    ///
    /// # Errors
    /// As every decision; the key cannot be read.
    pub async fn prepare_enrol(&self, row: i64, key: Vec<u8>) -> Result<Arc<Decision>, PairpinError> {
        let key = PublicKey::from_slice(&key)
            .ok_or_else(|| PairpinError::Keys { why: "the approval key cannot be read: make it anew".to_owned() })?;
        Decision::prepare(self.app().session(row).await?, Act::Enrol { key, guard: ApprovalGuard::Lock }).await
    }

    /// Yes to the ask of that id, as it is shown.
    ///
    /// # Errors
    /// [`PairpinError::Gone`]: it is not there any more.
    pub async fn prepare_yes(&self, row: i64, id: String) -> Result<Arc<Decision>, PairpinError> {
        match self.app().waiting(row, &id)?.item {
            InboxItem::Ask(ask) => Decision::prepare(self.app().session(row).await?, ask.accept()).await,
            InboxItem::Join(_) => Err(PairpinError::NotThatJoin),
        }
    }

    /// The machine that a scanned joiner asks: its row.
    ///
    /// # Errors
    /// [`PairpinError::NotOurMachine`].
    pub async fn machine_of_join(&self, text: String) -> Result<i64, PairpinError> {
        let qr = JoinQr::parse(&text).map_err(|_| PairpinError::NotOurs)?;
        Ok(self.app().client().machine_of_join(&qr).await?.row)
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
