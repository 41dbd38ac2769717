//! What needs a person's yes: prepared here, signed by the approval key, and only then sent.
//!
//! In two steps, so that a fingerprint is never asked for inside the engine: [`MachineSession::prepare`]
//! fetches a nonce and gives the exact bytes to sign, [`MachineSession::submit`] takes the signature. A device
//! without a chip lets [`MachineSession::sign_here`] do the signing, with a key in its secret store.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::error::ClientError;
use super::joins::JoinApproval;
use super::session::MachineSession;
use crate::handshake::{Addressee, ApprovedJoin, Stated, Statement};
use crate::identity::{DeviceId, PublicKey, Signature};
use crate::role::Role;
use crate::wire::{
    AcceptAsk, ApprovalGuard, DeviceSet, Enrol, ForgetKeyRequest, LiftRequest, Method, MintRequest, MintedOffer,
    NonceGiven, RequestHash, RevokeRequest, SetRoleRequest, Signed, StatementKind,
};

/// What a person may decide on a machine from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// This device answers with this key from now on.
    Enrol {
        /// The approval key.
        key: PublicKey,
        /// What guards it.
        guard: ApprovalGuard,
    },
    /// Yes to an ask.
    Answer {
        /// Its id.
        ask: String,
        /// What was shown.
        request: RequestHash,
    },
    /// A device loses its access.
    Revoke {
        /// The device.
        device: DeviceId,
        /// Why; the device is told.
        reason: Option<String>,
    },
    /// An offer is made there, for this device to show.
    Invite {
        /// The role it gives.
        role: Role,
        /// The name for the new device; its own where it is left out.
        name: Option<String>,
        /// Its life; the machine's own where it is left out.
        lifetime: Option<Duration>,
    },
    /// A device that asks is let in: made by [`MachineSession::approve_scanned`] or
    /// [`MachineSession::approve_number`].
    ApproveJoin(Box<JoinApproval>),
    /// A device may do this from now on.
    SetRole {
        /// The device.
        device: DeviceId,
        /// Its new role.
        role: Role,
    },
    /// A device is suspended no more.
    Lift {
        /// The device.
        device: DeviceId,
    },
    /// Another device may bring another approval key.
    ForgetKey {
        /// The device; not this one.
        device: DeviceId,
    },
}

/// How an approval key of this device stands to what the machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalStanding {
    /// The machine has this very key: it may sign.
    Ready,
    /// The machine has none of this device: bring one first.
    ToBring,
    /// The machine has another one, or this device has lost its own. It takes no second by itself: a fresh offer,
    /// another owner, or the machine's shell lets this device bring another.
    Gone,
}

/// An act that waits for its signature. The nonce in it is good for two minutes, on this connection.
#[derive(Debug)]
pub struct Prepared {
    act: Act,
    statement: Statement,
}

impl Prepared {
    /// The bytes that the approval key signs with ES256.
    pub fn to_sign(&self) -> &[u8] {
        self.statement.to_sign()
    }

    /// What it is.
    pub fn act(&self) -> &Act {
        &self.act
    }
}

impl Act {
    fn stated<'a>(&'a self, device: &DeviceId) -> Stated<'a> {
        match self {
            Self::Enrol { key, guard } => Stated::Enrol { device: *device, key: *key, guard: *guard },
            Self::Answer { ask, request } => Stated::Answer { ask, request: *request },
            Self::Revoke { device, reason } => {
                Stated::Revoke { device: *device, reason: reason.as_deref().unwrap_or_default() }
            }
            Self::Invite { role, name, lifetime } => Stated::Mint {
                role: *role,
                name: name.as_deref().unwrap_or_default(),
                lifetime_seconds: lifetime.unwrap_or_default().as_secs(),
            },
            Self::ApproveJoin(join) => Stated::ApproveJoin(ApprovedJoin {
                join: join.listed.join,
                key: join.listed.key,
                how: join.how,
                role: join.role,
                name: join.name.as_deref().unwrap_or_default(),
                absolute_seconds: join.absolute_seconds,
            }),
            Self::SetRole { device, role } => Stated::SetRole { device: *device, role: *role },
            Self::Lift { device } => Stated::Lift { device: *device },
            Self::ForgetKey { device } => Stated::ForgetKey { device: *device },
        }
    }

    fn method(&self) -> Method {
        match self {
            Self::Enrol { .. } => Method::Enrol,
            Self::Answer { .. } => Method::Accept,
            Self::Revoke { .. } => Method::Revoke,
            Self::Invite { .. } => Method::Mint,
            Self::ApproveJoin(_) => Method::ApproveJoin,
            Self::SetRole { .. } => Method::SetRole,
            Self::Lift { .. } => Method::Lift,
            Self::ForgetKey { .. } => Method::ForgetKey,
        }
    }

    fn params(self, signed: Signed) -> Result<Value, ClientError> {
        fn value<T: Serialize>(params: T) -> Result<Value, ClientError> {
            serde_json::to_value(params).map_err(|_| ClientError::Protocol)
        }
        match self {
            Self::Enrol { key, guard } => value(Enrol { key, guard, signed }),
            Self::Answer { ask, .. } => value(AcceptAsk { id: ask, signed }),
            Self::Revoke { device, reason } => value(RevokeRequest { device, reason, signed }),
            Self::Invite { role, name, lifetime } => {
                value(MintRequest { role, name, lifetime_seconds: lifetime.map(|life| life.as_secs()), signed })
            }
            Self::ApproveJoin(join) => value(join.params(signed)),
            Self::SetRole { device, role } => value(SetRoleRequest { device, role, signed }),
            Self::Lift { device } => value(LiftRequest { device, signed }),
            Self::ForgetKey { device } => value(ForgetKeyRequest { device, signed }),
        }
    }
}

impl MachineSession {
    /// How this device's approval key, where it holds one, stands to what the machine has.
    pub fn approval_standing(&self, own: Option<PublicKey>) -> ApprovalStanding {
        match self.enrolled() {
            None => ApprovalStanding::ToBring,
            known if known == own => ApprovalStanding::Ready,
            Some(_) => ApprovalStanding::Gone,
        }
    }

    /// Fetches a nonce and builds what is to be signed.
    ///
    /// # Errors
    /// [`ClientError::NotAllowed`] by this device's role; [`ClientError::NoApprovalKey`] where the machine has
    /// none of this device; the connection was lost.
    pub async fn prepare(&mut self, act: Act) -> Result<Prepared, ClientError> {
        let method = act.method();
        if !method.is_allowed(self.role()) {
            return Err(self.not_allowed(method));
        }
        if method.statement() != Some(StatementKind::Enrol) && self.enrolled().is_none() {
            return Err(ClientError::NoApprovalKey { name: self.row.name.clone() });
        }
        let given: NonceGiven = self.ask(Method::Nonce, &Value::Null).await?;
        let (row, addressee) = (&self.row, self.addressee());
        let statement = Statement::new(&addressee, given, &act.stated(&row.device_id));
        Ok(Prepared { act, statement })
    }

    /// Sends what was prepared, with the approval key's signature. Gives the machine's answer.
    ///
    /// # Errors
    /// [`ClientError::StatementRefused`], [`ClientError::StatementTooLate`], [`ClientError::NotThere`], and as
    /// [`prepare`](Self::prepare).
    pub async fn submit(&mut self, prepared: Prepared, signature: Signature) -> Result<Value, ClientError> {
        let method = prepared.act.method();
        let brought = match prepared.act {
            Act::Enrol { key, guard } => Some((key, guard)),
            _ => None,
        };
        let params = prepared.act.params(prepared.statement.signed(signature))?;
        let answer = self.ask(method, &params).await?;
        if let Some((key, guard)) = brought {
            self.now_enrolled(key, guard);
        }
        Ok(answer)
    }

    /// Submits the same statement twice, as whoever has recorded it would.
    #[doc(hidden)]
    pub async fn submit_twice(
        &mut self,
        prepared: Prepared,
        signature: Signature,
    ) -> (Result<Value, ClientError>, Result<Value, ClientError>) {
        let again = Prepared { act: prepared.act.clone(), statement: prepared.statement.clone() };
        (self.submit(prepared, signature).await, self.submit(again, signature).await)
    }

    /// The machine as this device knows it: by the pin that TLS proved, which is the row's.
    fn addressee(&self) -> Addressee {
        Addressee { pin: self.row.pin, machine: self.row.machine_id, epoch: self.row.epoch }
    }

    /// Signs with the approval key that this device holds in software.
    ///
    /// # Errors
    /// [`ClientError::ApprovalLocked`]: [`unlock`](Self::unlock) comes first. The secret store cannot be opened, or
    /// there is no such key.
    pub fn sign_here(
        &self,
        prepared: &Prepared,
    ) -> impl Future<Output = Result<Signature, ClientError>> + Send + use<> {
        let (client, row, message) = (self.client.clone(), self.row.clone(), prepared.to_sign().to_vec());
        let opened = self.opened.clone();
        async move { client.durable(move |ledger| ledger.sign_approval(&row, opened.as_deref(), &message)).await }
    }

    /// Sees to it that the machine has the software approval key of this device, making one at the first time:
    /// what the command line does by itself. Also that it says rightly what guards it. Says whether it was brought
    /// just now.
    ///
    /// # Errors
    /// [`ClientError::ApprovalLocked`]: it has a passphrase, [`unlock`](Self::unlock) comes first.
    /// [`ClientError::OtherApprovalKey`]: the machine has another key of this device, whose secret is lost
    /// here. Otherwise as [`submit`](Self::submit).
    pub async fn enrol_here(&mut self) -> Result<bool, ClientError> {
        let row = self.row.clone();
        let (key, guard) = self.client.durable(move |ledger| ledger.approval_key(&row)).await?;
        let brought = match self.approval_standing(Some(key)) {
            ApprovalStanding::Ready if self.enrolled_guard() == Some(guard) => return Ok(false),
            ApprovalStanding::Ready => false,
            ApprovalStanding::ToBring => true,
            ApprovalStanding::Gone => return Err(ClientError::OtherApprovalKey { name: self.row.name.clone() }),
        };
        let prepared = self.prepare(Act::Enrol { key, guard }).await?;
        let signature = self.sign_here(&prepared).await?;
        self.submit(prepared, signature).await?;
        Ok(brought)
    }

    /// Makes an offer there, signed with the software key. Gives its secrets, for this device to show.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub async fn invite_here(
        &mut self,
        role: Role,
        name: Option<String>,
        lifetime: Option<Duration>,
    ) -> Result<MintedOffer, ClientError> {
        minted(self.act_here(Act::Invite { role, name, lifetime }).await?)
    }

    /// Changes what a device may do there, signed with the software key: by [`Act::SetRole`], [`Act::Lift`] or
    /// [`Act::ForgetKey`].
    ///
    /// # Errors
    /// [`ClientError::LastOwner`]; [`ClientError::Itself`]; as [`submit`](Self::submit).
    pub async fn change_here(&mut self, act: Act) -> Result<DeviceSet, ClientError> {
        serde_json::from_value(self.act_here(act).await?).map_err(|_| ClientError::Protocol)
    }

    /// Prepares, signs with the software key and submits: the command line's way.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub async fn act_here(&mut self, act: Act) -> Result<Value, ClientError> {
        let prepared = self.prepare(act).await?;
        let signature = self.sign_here(&prepared).await?;
        self.submit(prepared, signature).await
    }
}

/// Reads the machine's answer to a [`Act::Invite`], made safe to show: one line each, and no longer than an offer may
/// live.
///
/// # Errors
/// [`ClientError::Protocol`].
pub fn minted(answer: Value) -> Result<MintedOffer, ClientError> {
    let mut minted: MintedOffer = serde_json::from_value(answer).map_err(|_| ClientError::Protocol)?;
    for text in [&mut minted.link, &mut minted.code] {
        let shown = text.as_deref().and_then(|text| crate::names::clean(text, crate::wire::limits::FRAME));
        // Wiped, not only dropped: it is a secret.
        zeroize::Zeroize::zeroize(text);
        *text = shown;
    }
    minted.expires_in_seconds = minted.expires_in_seconds.min(crate::wire::limits::OFFER_TIME_MAX.as_secs());
    Ok(minted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_of_a_hostile_machine_steers_no_screen_and_does_not_live_for_ever() {
        let code = "1234\x1b[2J\r5678";
        let answer = serde_json::json!({ "number": 1, "link": null, "code": code, "expires_in_seconds": u64::MAX });
        let minted = minted(answer).unwrap();
        assert_eq!(minted.code.as_deref(), Some("1234[2J 5678"));
        // What is added to it must not be too much for a clock.
        assert_eq!(minted.expires_in_seconds, crate::wire::limits::OFFER_TIME_MAX.as_secs());
    }
}
