//! What an owner may do with each device of a machine from here, and why not: one rule for every shell. The machine
//! has the last word; this only keeps a screen from offering what it would refuse.

use crate::identity::DeviceId;
use crate::role::Role;
use crate::wire::DeviceListed;

/// Something that a screen of a device offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// Why that is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNotDevice {
    /// It is this very device: it forgets the machine instead, or another owner does it.
    OnItself,
    /// The machine would be left without an owner.
    LastOwner,
    /// Nothing is wrong that it would mend.
    NotNeeded,
}

impl DeviceAction {
    /// All of them, in the order of a screen.
    pub const ALL: &[Self] = &[Self::SetRole, Self::Lift, Self::ForgetKey, Self::Revoke];

    /// Whether the owner device `own` may do it to `device`, one of `all`.
    ///
    /// # Errors
    /// Why not.
    pub fn allowed(self, device: &DeviceListed, own: DeviceId, all: &[DeviceListed]) -> Result<(), WhyNotDevice> {
        let itself = device.id == own;
        match self {
            Self::Revoke if itself => Err(WhyNotDevice::OnItself),
            Self::Revoke => Ok(()),
            Self::SetRole if device.role == Role::Owner && !another_owner(device, all) => Err(WhyNotDevice::LastOwner),
            Self::SetRole => Ok(()),
            Self::Lift if device.suspended.is_none() => Err(WhyNotDevice::NotNeeded),
            Self::Lift => Ok(()),
            Self::ForgetKey if itself => Err(WhyNotDevice::OnItself),
            Self::ForgetKey if device.approval.is_none() => Err(WhyNotDevice::NotNeeded),
            Self::ForgetKey => Ok(()),
        }
    }
}

/// As the machine counts them: one that is suspended is no owner to rely on.
fn another_owner(device: &DeviceListed, all: &[DeviceListed]) -> bool {
    all.iter().any(|other| other.id != device.id && other.role == Role::Owner && other.suspended.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ApprovalGuard;

    fn device(id: u8, role: Role, suspended: bool) -> DeviceListed {
        DeviceListed {
            id: DeviceId::from_bytes([id; 16]),
            name: "x".into(),
            platform: "x".into(),
            role,
            connected: 0,
            paired_at: 0,
            last_seen: None,
            suspended: suspended.then(|| "x".into()),
            expired: false,
            ends_at: None,
            approval: Some(ApprovalGuard::Lock),
        }
    }

    #[test]
    fn a_screen_offers_what_the_machine_would_do() {
        let own = DeviceId::from_bytes([1; 16]);
        let all = [device(1, Role::Owner, false), device(2, Role::Owner, true), device(3, Role::Viewer, false)];
        let of = |action: DeviceAction, index: usize| action.allowed(&all[index], own, &all);
        assert_eq!(of(DeviceAction::Revoke, 0), Err(WhyNotDevice::OnItself));
        assert_eq!(of(DeviceAction::ForgetKey, 0), Err(WhyNotDevice::OnItself));
        assert_eq!(of(DeviceAction::SetRole, 0), Err(WhyNotDevice::LastOwner), "the other owner is suspended");
        assert_eq!((of(DeviceAction::SetRole, 1), of(DeviceAction::Lift, 1)), (Ok(()), Ok(())));
        assert_eq!(of(DeviceAction::Lift, 2), Err(WhyNotDevice::NotNeeded));
        assert_eq!((of(DeviceAction::Revoke, 2), of(DeviceAction::ForgetKey, 2)), (Ok(()), Ok(())));
        let two = [device(1, Role::Owner, false), device(2, Role::Owner, false)];
        assert_eq!(DeviceAction::SetRole.allowed(&two[0], own, &two), Ok(()));
        let keyless = DeviceListed { approval: None, ..device(3, Role::Viewer, false) };
        assert_eq!(DeviceAction::ForgetKey.allowed(&keyless, own, &all), Err(WhyNotDevice::NotNeeded));
    }
}
