//! What an owner device changes about another: role, suspension, approval key; and what follows for whom somebody
//! has invited or let in once he may not any more.
//!
//! One verb for the machine's shell and for devices: [`Host::set_device_by`]. Called by `verbs` and `requests`.

use serde_json::Value;

use super::authority::Authority;
use super::book::Known;
use super::joining::tell_gone;
use super::live::Live;
use super::requests::{check, value};
use super::shared::Shared;
use super::views::DeviceChange;
use super::{Host, HostError, rows};
use crate::handshake::Stated;
use crate::identity::DeviceId;
use crate::role::Role;
use crate::store::host::devices::DeviceRow;
use crate::wire::{DeviceEvent, DeviceSet, ForgetKeyRequest, JoinEnd, LiftRequest, RequestError, SetRoleRequest};

/// What a device's fall takes back besides itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TakenBack {
    /// Offers.
    pub(super) offers_withdrawn: usize,
    /// Joins that had been let in and were not acknowledged.
    pub(super) joins_taken_back: usize,
}

impl Host {
    /// Changes a device, in one transaction that looks at the standing of who says so. It is felt at once: the next
    /// request of the device's connections is looked at as it is now. Says whether anything was another before.
    ///
    /// # Errors
    /// [`HostError::LastOwner`], [`HostError::Lifetime`], [`HostError::NoDevice`], [`HostError::NotAnOwner`].
    pub(super) async fn set_device_by(
        &self,
        device: DeviceId,
        change: DeviceChange,
        by: Authority,
    ) -> Result<bool, HostError> {
        let (host, actor) = (self.clone(), by.actor());
        // In one piece: what follows must follow, whether or not who asked is still there.
        let piece = tokio::spawn(async move {
            let shared = &host.shared;
            let now = shared.now();
            let set = move |connection: &rusqlite::Connection| match rows::set_by(connection, device, &change, &by, now)
            {
                Err(HostError::Store(error)) => Err(error),
                other => Ok(other),
            };
            let changed = shared.book.change(device, set).await??;
            if changed {
                host.standing_changed(device);
                shared.tell_changed(device, actor);
                shared.tell_last_audit().await;
            }
            Ok(changed)
        });
        piece.await.map_err(|_| HostError::Store(crate::store::StoreError::Closed))?
    }

    /// Something happened to a device: if it may not invite or let in any more, whom it has let in and who has not
    /// acknowledged yet does not come in, at this moment and not only when he tries.
    pub(super) fn standing_changed(&self, device: DeviceId) -> TakenBack {
        let shared = &self.shared;
        let stands = match shared.book.find(device) {
            Some(Known::Device(entry)) => {
                let row = entry.row;
                let owner = row.role == Role::Owner && row.suspended.is_none() && row.approval.is_some();
                owner && !shared.book.is_barred(device)
            }
            _ => false,
        };
        let offers_withdrawn = if stands { 0 } else { self.withdraw_invitations(device) };
        TakenBack { offers_withdrawn, joins_taken_back: shared.withdraw_approvals() }
    }
}

impl Shared {
    /// Ends the joins that were let in by somebody who may not any more; their own connections are told. Says how
    /// many they were.
    pub(super) fn withdraw_approvals(&self) -> usize {
        let fallen: Vec<_> = {
            let mut joins = self.joins.joins();
            joins.withdraw(|by| !by.stands_now(self))
        };
        if fallen.is_empty() {
            return 0;
        }
        self.joins.decided();
        let count = fallen.len();
        for (join, by) in fallen {
            tell_gone(self, join, JoinEnd::Withdrawn, Some(by));
        }
        count
    }

    /// Tells the device itself and the owners what it may do now.
    pub(super) fn tell_changed(&self, device: DeviceId, by: String) {
        let Some(Known::Device(entry)) = self.book.find(device) else { return };
        let row = entry.row;
        self.tell(DeviceEvent::DeviceChanged {
            device,
            name: row.name,
            role: row.role,
            suspended: row.suspended.is_some(),
            approval: row.approval.map(|approval| approval.guard),
            by,
            at: self.now(),
        });
    }
}

/// The approval key says what a device may do.
pub(super) async fn set_role(live: &mut Live, row: &DeviceRow, asked: SetRoleRequest) -> Result<Value, RequestError> {
    let stated = Stated::SetRole { device: asked.device, role: asked.role };
    check(live, row.approval.as_ref().map(|approval| approval.key), &asked.signed, &stated)?;
    // At most its own: an owner's is the highest, and the table lets nobody else here.
    if asked.role > row.role {
        return Err(RequestError::Role);
    }
    let change = DeviceChange { role: Some(asked.role), ..DeviceChange::default() };
    changed(live, row, asked.device, change).await
}

/// The approval key lets a suspended device connect again.
pub(super) async fn lift(live: &mut Live, row: &DeviceRow, asked: LiftRequest) -> Result<Value, RequestError> {
    let stated = Stated::Lift { device: asked.device };
    check(live, row.approval.as_ref().map(|approval| approval.key), &asked.signed, &stated)?;
    changed(live, row, asked.device, DeviceChange { lift: true, ..DeviceChange::default() }).await
}

/// The approval key of one owner lets another device bring a new one. None for itself: a second key of a device
/// takes somebody else's yes.
pub(super) async fn forget_key(
    live: &mut Live,
    row: &DeviceRow,
    asked: ForgetKeyRequest,
) -> Result<Value, RequestError> {
    let stated = Stated::ForgetKey { device: asked.device };
    check(live, row.approval.as_ref().map(|approval| approval.key), &asked.signed, &stated)?;
    if asked.device == live.device {
        return Err(RequestError::Itself);
    }
    let change = DeviceChange { forget_approval_key: true, ..DeviceChange::default() };
    changed(live, row, asked.device, change).await
}

async fn changed(live: &Live, row: &DeviceRow, device: DeviceId, change: DeviceChange) -> Result<Value, RequestError> {
    let host = Host { shared: live.shared.clone() };
    let changed = host.set_device_by(device, change, Authority::of(live, row)).await.map_err(|error| match error {
        HostError::NoDevice(_) => RequestError::Gone,
        HostError::LastOwner(_) => RequestError::LastOwner,
        HostError::NotAnOwner => RequestError::Role,
        _ => RequestError::Failed,
    })?;
    match live.shared.book.find(device) {
        Some(Known::Device(entry)) => value(DeviceSet { name: entry.row.name, role: entry.row.role, changed }),
        // Revoked in the same moment: there is nothing to tell of it any more.
        _ => Err(RequestError::Gone),
    }
}
