//! Does what a verb asks: on the running host inside the daemon, or on a stopped machine inside
//! the verb itself. The same requests and answers either way; `server` adds the waiting verbs.

use std::time::Duration;

use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::host::offers::MintError;
use pairpin_core::host::{AskError, DeviceChange, Host, HostError, KeyChange, OfferRequest, OfflineHost, SHELL};
use pairpin_core::identity::DeviceId;
use pairpin_core::role::Role;
use pairpin_core::wire::JoinNumber;
use serde::Serialize;
use serde_json::Value;

use crate::output::time::Moment;

use super::protocol::{AdminError, Change, ChangeKeys, ErrorKind, PairRequest, Request};
use super::views::{
    AcceptedRecord, ApproverRecord, AskRecord, AuditRecord, DeviceRecord, JoinRecord, KeysChangedRecord, LossRecord,
    MachineRecord, OfferRecord, RevokedRecord, SheetRecord, TombstoneRecord,
};

/// The engine behind a verb.
pub enum Engine {
    /// Inside the daemon.
    Running(Host),
    /// No daemon: this process holds the serve lock.
    Stopped(OfflineHost),
}

impl From<HostError> for AdminError {
    fn from(error: HostError) -> Self {
        let kind = match error {
            HostError::NameEmpty | HostError::Lifetime | HostError::Mint(MintError::Lifetime) => ErrorKind::Usage,
            _ => ErrorKind::Failed,
        };
        Self { kind, message: error.to_string() }
    }
}

impl From<AskError> for AdminError {
    fn from(error: AskError) -> Self {
        let kind = match error {
            AskError::Nobody => ErrorKind::Nobody,
            AskError::Empty | AskError::Text | AskError::Detail | AskError::Message | AskError::Time => {
                ErrorKind::Usage
            }
            AskError::Host(error) => return error.into(),
            AskError::TooMany(_) | AskError::Often | AskError::NoAsk(_) => ErrorKind::Failed,
        };
        Self { kind, message: error.to_string() }
    }
}

/// The core's form of a request for an offer.
pub fn offer_request(request: &PairRequest) -> OfferRequest {
    OfferRequest {
        link: request.link,
        code: true,
        role: request.role,
        name: request.name.clone(),
        lifetime: request.ttl_seconds.map(Duration::from_secs),
        minted_by: None,
    }
}

fn value<T: Serialize>(answer: T) -> Result<Value, AdminError> {
    serde_json::to_value(answer).map_err(|error| AdminError::failed(format!("cannot write the answer: {error}")))
}

fn records<T, R: From<T> + Serialize>(views: Vec<T>) -> Result<Value, AdminError> {
    value(views.into_iter().map(R::from).collect::<Vec<R>>())
}

impl Engine {
    /// Answers one request that does not wait.
    ///
    /// # Errors
    /// What the host says, for the person at the shell.
    pub async fn answer(&self, request: Request) -> Result<Value, AdminError> {
        match self {
            Self::Running(host) => running(host, request).await,
            Self::Stopped(host) => stopped(host, request),
        }
    }
}

async fn running(host: &Host, request: Request) -> Result<Value, AdminError> {
    match request {
        Request::Status => value(MachineRecord::from(host.status())),
        Request::Offers => records::<_, OfferRecord>(host.offers()),
        Request::CancelOffer { number } => value(host.cancel_offer(number)?),
        Request::CancelOffers => value(host.cancel_all_offers()),
        Request::Devices => records::<_, DeviceRecord>(host.devices()),
        Request::Tombstones => records::<_, TombstoneRecord>(host.tombstones()),
        Request::Approvers => records::<_, ApproverRecord>(host.approvers()),
        Request::Device { device } => value(DeviceRecord::from(host.find_device(&device)?)),
        Request::Rename { device, name } => {
            let id = host.find_device(&device)?.id;
            value(DeviceRecord::from(host.rename_device(id, &name).await?))
        }
        Request::Set { device, change } => {
            let id = host.find_device(&device)?.id;
            value(DeviceRecord::from(host.set_device(id, change.into()).await?))
        }
        Request::Revoke { device, reason } => {
            value(RevokedRecord::from(host.revoke(whole_id(&device)?, SHELL, reason).await?))
        }
        Request::Loss { device, since } => value(LossRecord::from(host.loss(&device, since).await?)),
        Request::RecoveryPrinted => value(host.recovery_printed_at().map(Moment)),
        Request::RecoveryPrint { hosts } => {
            let name = host.status().name;
            value(SheetRecord::of(&host.print_recovery(&hosts).await?, name, SystemClock.wall_ms()))
        }
        Request::Joins => records::<_, JoinRecord>(host.joins()),
        Request::ApproveJoin { join, number, role, name } => {
            let number = JoinNumber::parse(&number).ok_or_else(|| AdminError::failed("a number has seven digits"))?;
            let join = host.find_join(&join)?.join;
            value(AcceptedRecord::from(host.approve_join(join, number, role, name.as_deref()).await?))
        }
        Request::DenyJoin { join, then } => {
            let listed = host.find_join(&join)?;
            host.deny_join(listed.join, then).await?;
            value(JoinRecord::from(listed))
        }
        Request::Audit { lines } => records::<_, AuditRecord>(host.audit_tail(lines).await?),
        Request::ResetClock => value(host.reset_clock().await?),
        Request::ChangeKeys(change) => value(KeysChangedRecord::from(host.change_keys(key_change(change)).await?)),
        Request::Asks => records::<_, AskRecord>(host.asks()),
        Request::ShowAsk { id } => {
            let ask = host.asks().into_iter().find(|ask| ask.shown.id == id);
            value(AskRecord::from(ask.ok_or(AskError::NoAsk(id))?))
        }
        Request::CancelAsk { id } => value(host.cancel_ask(&id)?),
        Request::Pair(_) | Request::FollowAudit { .. } | Request::Ask(_) | Request::Notify { .. } => {
            Err(AdminError::failed("this verb waits"))
        }
    }
}

fn stopped(host: &OfflineHost, request: Request) -> Result<Value, AdminError> {
    match request {
        Request::Status => {
            let (keys, devices) = (host.keys()?, host.devices()?);
            let owners = devices.iter().filter(|device| device.role == Role::Owner).count();
            value(MachineRecord { devices: devices.len(), owners, ..MachineRecord::of_keys(keys) })
        }
        Request::Loss { device, since } => value(LossRecord::from(host.loss(&device, since)?)),
        Request::RecoveryPrinted => value(host.recovery_printed_at()?.map(Moment)),
        Request::RecoveryPrint { hosts } => {
            let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
            value(SheetRecord::of(&host.print_recovery(&hosts)?, name, SystemClock.wall_ms()))
        }
        // Nobody waits at a machine that is stopped.
        Request::Joins => value(Vec::<JoinRecord>::new()),
        Request::Devices => records::<_, DeviceRecord>(host.devices()?),
        Request::Tombstones => records::<_, TombstoneRecord>(host.tombstones()?),
        Request::Approvers => records::<_, ApproverRecord>(host.approvers()?),
        Request::Device { device } => value(DeviceRecord::from(host.find_device(&device)?)),
        Request::Rename { device, name } => {
            let id = host.find_device(&device)?.id;
            value(DeviceRecord::from(host.rename_device(id, &name)?))
        }
        Request::Set { device, change } => {
            let id = host.find_device(&device)?.id;
            value(DeviceRecord::from(host.set_device(id, change.into())?))
        }
        Request::Revoke { device, reason } => {
            value(RevokedRecord::from(host.revoke(whole_id(&device)?, SHELL, reason)?))
        }
        Request::Audit { lines } => records::<_, AuditRecord>(host.audit_tail(lines)?),
        Request::ResetClock => value(host.reset_clock()?),
        Request::ChangeKeys(change) => value(KeysChangedRecord::from(host.change_keys(&key_change(change))?)),
        Request::Offers
        | Request::CancelOffer { .. }
        | Request::CancelOffers
        | Request::ApproveJoin { .. }
        | Request::DenyJoin { .. }
        | Request::Pair(_)
        | Request::FollowAudit { .. }
        | Request::Ask(_)
        | Request::Asks
        | Request::ShowAsk { .. }
        | Request::CancelAsk { .. }
        | Request::Notify { .. } => {
            Err(AdminError { kind: ErrorKind::NotRunning, message: "pairpin serve is not running".into() })
        }
    }
}

fn key_change(change: ChangeKeys) -> KeyChange {
    KeyChange { kind: change.kind.into(), next_key: change.next_key.map(Into::into) }
}

fn whole_id(text: &str) -> Result<DeviceId, AdminError> {
    DeviceId::parse(text).ok_or_else(|| AdminError::failed("that is not a whole device id"))
}

impl From<Change> for DeviceChange {
    fn from(change: Change) -> Self {
        Self {
            role: change.role,
            idle: change.idle_seconds.map(Duration::from_secs),
            absolute: change.absolute_seconds.map(Duration::from_secs),
            lift: change.lift,
            forget_approval_key: change.forget_approval_key,
        }
    }
}
