//! The devices of a machine, as an owner's phone sees them, and revoking one.

use std::sync::Arc;

use pairpin_core::client::Act;
use pairpin_core::client::app::{DeviceAction as CoreAction, WhyNotDevice};
use pairpin_core::identity::DeviceId;
use pairpin_core::wire::DeviceListed;

use crate::app::PairpinApp;
use crate::decisions::Decision;
use crate::error::PairpinError;
use crate::machines::RoleName;

/// A device in a machine's list. Times are milliseconds since 1970 UTC, by the machine's clock.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DeviceView {
    /// Names it in calls.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it says it runs on.
    pub platform: String,
    /// Its role.
    pub role: RoleName,
    /// Connections it has now.
    pub connected: u32,
    /// When it was paired.
    pub paired_at: i64,
    /// When it was last connected.
    pub last_seen: Option<i64>,
    /// Why it is suspended, where it is.
    pub suspended: Option<String>,
    /// Whether its session has ended.
    pub expired: bool,
    /// When its session ends, where that is soon.
    pub ends_soon: Option<i64>,
    /// It is this phone.
    pub this_phone: bool,
    /// What may be done with it, in the order of a screen.
    pub actions: Vec<DevicePossible>,
}

/// Something that the screen of a device offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum DeviceAction {
    /// Take its access away.
    Revoke,
    /// Give it another role.
    SetRole,
    /// Let it connect again after a suspension.
    Lift,
    /// Let it bring another approval key.
    ForgetKey,
}

/// An action, and whether it is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct DevicePossible {
    /// The action.
    pub action: DeviceAction,
    /// Why not; none where it is.
    pub why_not: Option<DeviceHindrance>,
}

/// Why an action on a device is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum DeviceHindrance {
    /// It is this phone: forget the machine instead, or another owner does it.
    OnItself,
    /// The machine would be left without an owner.
    LastOwner,
    /// Nothing is wrong that it would mend.
    NotNeeded,
}

fn possible(action: CoreAction, listed: &DeviceListed, own: DeviceId, all: &[DeviceListed]) -> DevicePossible {
    let why_not = action.allowed(listed, own, all).err().map(|why| match why {
        WhyNotDevice::OnItself => DeviceHindrance::OnItself,
        WhyNotDevice::LastOwner => DeviceHindrance::LastOwner,
        WhyNotDevice::NotNeeded => DeviceHindrance::NotNeeded,
    });
    let action = match action {
        CoreAction::Revoke => DeviceAction::Revoke,
        CoreAction::SetRole => DeviceAction::SetRole,
        CoreAction::Lift => DeviceAction::Lift,
        CoreAction::ForgetKey => DeviceAction::ForgetKey,
    };
    DevicePossible { action, why_not }
}

impl DeviceView {
    /// One of `all`, as the phone `own` sees it.
    fn of(device: &DeviceListed, own: DeviceId, all: &[DeviceListed]) -> Self {
        Self {
            id: device.id.text(),
            name: device.name.clone(),
            platform: device.platform.clone(),
            role: device.role.into(),
            connected: u32::try_from(device.connected).unwrap_or(u32::MAX),
            paired_at: device.paired_at,
            last_seen: device.last_seen,
            suspended: device.suspended.clone(),
            expired: device.expired,
            ends_soon: device.ends_at,
            this_phone: device.id == own,
            actions: CoreAction::ALL.iter().map(|action| possible(*action, device, own, all)).collect(),
        }
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl PairpinApp {
    /// The machine's devices.
    ///
    /// # Errors
    /// [`PairpinError::NotAllowed`] unless this phone is an owner there; it is not connected now.
    pub async fn devices(&self, row: i64) -> Result<Vec<DeviceView>, PairpinError> {
        let mut session = self.app().session(row).await?;
        let all = session.devices().await?;
        Ok(all.iter().map(|device| DeviceView::of(device, session.device(), &all)).collect())
    }

    /// Takes a device's access away; it is told why.
    ///
    /// # Errors
    /// As every decision; [`PairpinError::Gone`]: there is no such device.
    pub async fn prepare_revoke(
        &self,
        row: i64,
        device: String,
        reason: Option<String>,
    ) -> Result<Arc<Decision>, PairpinError> {
        self.decide(row, Act::Revoke { device: named(&device)?, reason }).await
    }

    /// Gives a device another role.
    ///
    /// # Errors
    /// As every decision; [`PairpinError::LastOwner`] at the submit.
    pub async fn prepare_role(&self, row: i64, device: String, role: RoleName) -> Result<Arc<Decision>, PairpinError> {
        self.decide(row, Act::SetRole { device: named(&device)?, role: role.into() }).await
    }

    /// Lifts a device's suspension.
    ///
    /// # Errors
    /// As every decision.
    pub async fn prepare_lift(&self, row: i64, device: String) -> Result<Arc<Decision>, PairpinError> {
        self.decide(row, Act::Lift { device: named(&device)? }).await
    }

    /// Lets another device bring another approval key, in place of one that it has lost.
    ///
    /// # Errors
    /// As every decision; [`PairpinError::OnItself`] at the submit.
    pub async fn prepare_forget_key(&self, row: i64, device: String) -> Result<Arc<Decision>, PairpinError> {
        self.decide(row, Act::ForgetKey { device: named(&device)? }).await
    }
}

impl PairpinApp {
    async fn decide(&self, row: i64, act: Act) -> Result<Arc<Decision>, PairpinError> {
        Decision::prepare(self.app().session(row).await?, act).await
    }
}

/// The device of an id that the list gave.
fn named(device: &str) -> Result<DeviceId, PairpinError> {
    DeviceId::parse(device).ok_or_else(|| PairpinError::Gone { name: String::new() })
}
