//! An owner's device that lets in and out: a session, and an approval key that signs statements. By the
//! handshake's own arithmetic, without the device engine's files.

use std::net::Ipv4Addr;
use std::sync::Arc;

use pairpin_core::handshake::{Addressee, ApprovedJoin, Stated, Statement, request_hash};
use pairpin_core::identity::{DeviceId, KeyPair, PublicKey};
use pairpin_core::role::Role;
use pairpin_core::wire::{
    AcceptAsk, ApprovalGuard, ApproveJoin, AskAnswered, AskMessage, DenyJoin, Enrol, Inbox, JoinAccepted, JoinHow,
    JoinId, JoinListed, MintRequest, MintedOffer, NonceGiven, PendingAsk, RefuseAsk, RevokeRequest, Signed,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::paired::{Door, Lost, Paired, Session};

/// An approval key. It outlives the session.
#[derive(Debug, Clone)]
pub struct Approval(Arc<KeyPair>);

impl Approval {
    /// A new one.
    ///
    /// # Panics
    /// No random bytes.
    #[track_caller]
    pub fn generate() -> Self {
        Self(Arc::new(KeyPair::generate().unwrap_or_else(|error| panic!("{error}"))))
    }

    /// Signs for a machine, under a nonce of its own.
    ///
    /// # Panics
    /// No random bytes.
    pub fn sign(&self, addressee: &Addressee, given: NonceGiven, stated: &Stated<'_>) -> Signed {
        let statement = Statement::new(addressee, given, stated);
        statement.signed(self.0.sign(statement.to_sign()).unwrap_or_else(|error| panic!("{error}")))
    }
}

/// Why something was not done.
#[derive(Debug)]
pub enum NotDone {
    /// The machine refused it, with this number.
    Refused(i64),
    /// The connection was lost: it may have been done.
    Lost(Lost),
}

impl From<Lost> for NotDone {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Owner {
    /// Its connection.
    pub session: Session,
    device: DeviceId,
    approval: Approval,
}

impl Owner {
    /// Connects, and enrols the approval key where that has not been done.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn connect(door: Door, device: &Paired, approval: &Approval) -> Result<Self, NotDone> {
        let (session, welcome) = device.dial_for(door, Ipv4Addr::LOCALHOST).await?;
        let mut owner = Self { session, device: device.device, approval: approval.clone() };
        if welcome.is_none_or(|welcome| welcome.approval_key.is_none()) {
            owner.enrol().await?;
        }
        Ok(owner)
    }

    async fn enrol(&mut self) -> Result<(), NotDone> {
        let key = self.approval.0.public_key().unwrap_or_else(|error| panic!("{error}"));
        let guard = ApprovalGuard::Nothing;
        let signed = self.sign(&Stated::Enrol { device: self.device, key, guard }).await?;
        self.ask::<Value>("enrol", Enrol { key, guard, signed }).await.map(drop)
    }

    /// Asks for something on its session.
    ///
    /// # Errors
    /// See [`NotDone`].
    ///
    /// # Panics
    /// The answer is none of its kind.
    pub async fn ask<T: DeserializeOwned>(&mut self, method: &str, params: impl Serialize) -> Result<T, NotDone> {
        let params = serde_json::to_value(params).unwrap_or_else(|error| panic!("{error}"));
        match self.session.call(method, params).await? {
            Ok(answer) => Ok(serde_json::from_value(answer).unwrap_or_else(|error| panic!("{method}: {error}"))),
            Err((code, _)) => Err(NotDone::Refused(code)),
        }
    }

    /// The device that it is.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Fetches a nonce and signs.
    ///
    /// # Errors
    /// See [`NotDone`].
    ///
    /// # Panics
    /// The connection is to a bare machine.
    pub async fn sign(&mut self, stated: &Stated<'_>) -> Result<Signed, NotDone> {
        let given: NonceGiven = self.ask("nonce", Value::Null).await?;
        let keys = self.session.keys().unwrap_or_else(|| panic!("it has no row on this machine"));
        // Those of the connection, which a change of the machine's keys leaves alone.
        let addressee = Addressee { pin: keys.pin, machine: keys.machine, epoch: keys.epoch };
        Ok(self.approval.sign(&addressee, given, stated))
    }

    /// The joins that wait.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn joins(&mut self) -> Result<Vec<JoinListed>, NotDone> {
        self.ask("joins", Value::Null).await
    }

    /// Lets a join in, as operator.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn approve(&mut self, join: JoinId, key: PublicKey, how: JoinHow) -> Result<JoinAccepted, NotDone> {
        let (role, name, absolute_seconds) = (Role::Operator, "", None);
        let approved = ApprovedJoin { join, key, how, role, name, absolute_seconds };
        let signed = self.sign(&Stated::ApproveJoin(approved)).await?;
        let asked = ApproveJoin { join, key, how, role, name: None, absolute_seconds, signed };
        self.ask("approve-join", asked).await
    }

    /// Revokes another device.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn revoke(&mut self, device: DeviceId) -> Result<(), NotDone> {
        let signed = self.sign(&Stated::Revoke { device, reason: "" }).await?;
        self.ask::<Value>("revoke", RevokeRequest { device, reason: None, signed }).await.map(drop)
    }

    /// Makes an offer.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn mint(&mut self) -> Result<MintedOffer, NotDone> {
        let (role, lifetime_seconds) = (Role::Viewer, 0);
        let signed = self.sign(&Stated::Mint { role, name: "", lifetime_seconds }).await?;
        self.ask("mint", MintRequest { role, name: None, lifetime_seconds: None, signed }).await
    }

    /// Says no to a join.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn deny(&mut self, join: JoinId) -> Result<(), NotDone> {
        self.ask::<Value>("deny-join", DenyJoin { join, then: None }).await.map(drop)
    }

    /// The asks that wait.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn inbox(&mut self) -> Result<Vec<PendingAsk>, NotDone> {
        Ok(self.ask::<Inbox>("inbox", Value::Null).await?.asks)
    }

    /// Answers an ask with yes.
    ///
    /// # Errors
    /// See [`NotDone`].
    ///
    /// # Panics
    /// The ask cannot be read.
    pub async fn accept(&mut self, ask: &PendingAsk) -> Result<AskAnswered, NotDone> {
        let id = id_of(ask);
        let signed = self.sign(&Stated::Answer { ask: &id, request: request_hash(&ask.message) }).await?;
        self.ask("accept", AcceptAsk { id, signed }).await
    }

    /// Answers an ask with no.
    ///
    /// # Errors
    /// See [`NotDone`].
    ///
    /// # Panics
    /// The ask cannot be read.
    pub async fn refuse(&mut self, ask: &PendingAsk) -> Result<AskAnswered, NotDone> {
        self.ask("refuse", RefuseAsk { id: id_of(ask) }).await
    }
}

/// An ask's id, from the message as it was sent.
///
/// # Panics
/// It cannot be read.
#[track_caller]
pub fn id_of(ask: &PendingAsk) -> String {
    AskMessage::decode(&ask.message).unwrap_or_else(|error| panic!("{error}")).id
}
