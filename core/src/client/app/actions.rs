//! What a person may do with a machine from here, and why not: one rule for every shell.

use crate::client::machines::{MachineState, MachineView};
use crate::role::Role;

/// Something that a screen of a machine offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Give it another name here.
    Rename,
    /// Forget it here, and be taken off its list.
    Forget,
    /// Scan its offer: to finish a pairing, to pair again, or to take on its new key.
    ScanAgain,
    /// Answer what is asked there.
    Answer,
    /// See its devices.
    Devices,
    /// Let a device in or out: approve, revoke, invite.
    Decide,
}

/// Why an action is not to be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNot {
    /// The machine is not connected.
    NotConnected,
    /// This device's role there is not enough; this one is.
    Role(Role),
    /// This device is not paired with it any more, or not yet.
    NotPaired,
    /// The machine is a stranger until its key was looked at.
    HardStop,
    /// Nothing is wrong that it would mend.
    NotNeeded,
    /// This device's keys for it are gone, and none is made anew beside an old row.
    ForgetFirst,
}

impl Action {
    /// All of them, in the order of a screen.
    pub const ALL: &[Self] = &[Self::Answer, Self::Devices, Self::Decide, Self::ScanAgain, Self::Rename, Self::Forget];

    /// Whether a person may do it with this machine now.
    ///
    /// # Errors
    /// Why not.
    pub fn allowed(self, machine: &MachineView) -> Result<(), WhyNot> {
        match self {
            // What concerns this device alone can always be done.
            Self::Rename | Self::Forget => Ok(()),
            Self::ScanAgain => match machine.state {
                MachineState::Online { .. } | MachineState::Connecting | MachineState::Paused => Err(WhyNot::NotNeeded),
                MachineState::KeysGone { .. } => Err(WhyNot::ForgetFirst),
                _ => Ok(()),
            },
            Self::Answer => on_session(machine, Role::Operator),
            Self::Devices | Self::Decide => on_session(machine, Role::Owner),
        }
    }
}

fn on_session(machine: &MachineView, least: Role) -> Result<(), WhyNot> {
    match machine.state {
        MachineState::Unfinished | MachineState::Revoked(_) | MachineState::Lost { .. } => Err(WhyNot::NotPaired),
        MachineState::KeyChanged { .. } | MachineState::KeyCopied => Err(WhyNot::HardStop),
        MachineState::KeysGone { .. } => Err(WhyNot::ForgetFirst),
        _ if machine.role < least => Err(WhyNot::Role(least)),
        MachineState::Online { .. } => Ok(()),
        _ => Err(WhyNot::NotConnected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::error::Told;
    use crate::identity::Pin;

    fn machine(state: MachineState, role: Role) -> MachineView {
        MachineView { state, role, ..crate::client::fakes::machine_view() }
    }

    fn online(role: Role) -> MachineView {
        machine(MachineState::Online { address: "10.0.0.1".parse().unwrap() }, role)
    }

    #[test]
    fn a_connected_owner_may_all_and_the_others_what_their_role_allows() {
        for action in Action::ALL.iter().filter(|action| **action != Action::ScanAgain) {
            assert_eq!(action.allowed(&online(Role::Owner)), Ok(()), "{action:?}");
        }
        assert_eq!(Action::Answer.allowed(&online(Role::Operator)), Ok(()));
        assert_eq!(Action::Decide.allowed(&online(Role::Operator)), Err(WhyNot::Role(Role::Owner)));
        assert_eq!(Action::Answer.allowed(&online(Role::Viewer)), Err(WhyNot::Role(Role::Operator)));
    }

    #[test]
    fn nothing_is_decided_on_a_machine_that_may_be_another() {
        let seen = Pin::from_bytes([2; 32]);
        for state in [MachineState::KeyCopied, MachineState::KeyChanged { seen }] {
            let machine = machine(state, Role::Owner);
            for action in [Action::Answer, Action::Devices, Action::Decide] {
                assert_eq!(action.allowed(&machine), Err(WhyNot::HardStop), "{action:?}");
            }
            assert_eq!(Action::ScanAgain.allowed(&machine), Ok(()), "the way back");
        }
    }

    #[test]
    fn where_the_keys_are_gone_nothing_is_offered_but_to_forget() {
        let machine = machine(MachineState::KeysGone { why: String::new() }, Role::Owner);
        for action in Action::ALL {
            let wanted =
                if matches!(action, Action::Rename | Action::Forget) { Ok(()) } else { Err(WhyNot::ForgetFirst) };
            assert_eq!(action.allowed(&machine), wanted, "{action:?}");
        }
    }

    #[test]
    fn a_way_on_is_offered_wherever_nothing_else_is() {
        for state in [
            MachineState::Unfinished,
            MachineState::Revoked(Told::default()),
            MachineState::Expired { why: String::new() },
            MachineState::Lost { why: String::new() },
            MachineState::Offline { since: None, why: None },
        ] {
            let machine = machine(state, Role::Owner);
            assert_eq!(Action::ScanAgain.allowed(&machine), Ok(()), "{machine:?}");
            assert!(Action::Decide.allowed(&machine).is_err());
        }
        assert_eq!(Action::ScanAgain.allowed(&online(Role::Owner)), Err(WhyNot::NotNeeded));
    }
}
