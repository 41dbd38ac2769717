//! A few lines about an app for whoever helps its person: no secret, no name, no address, no key.

use std::fmt::Write as _;

use super::AppState;
use crate::client::machines::MachineState;

/// One line for the build, and one for each machine.
pub(super) fn of(state: &AppState, platform: &str) -> String {
    let mut text = format!("pairpin {}, protocol {}\n", env!("CARGO_PKG_VERSION"), crate::wire::VERSION);
    let _ = writeln!(text, "platform: {platform}");
    let _ = writeln!(text, "machines: {}", state.machines.len());
    for (number, machine) in state.machines.iter().enumerate() {
        let _ = write!(text, "{}: {}, {}", number + 1, machine.state.word(), machine.role);
        if let MachineState::Online { address } = &machine.state {
            let _ = write!(text, ", {}", address.kind().as_str());
        }
        let _ = writeln!(text, ", keys: {}", machine.secret_store.as_str());
    }
    let _ = write!(text, "waiting: {}", state.waiting.len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fakes::machine_view;
    use crate::client::machines::MachineView;

    #[test]
    fn who_helps_sees_states_and_nothing_that_names_anybody() {
        let online = MachineState::Online { address: "192.168.7.9:7747".parse().unwrap() };
        let machines = vec![machine_view(), MachineView { state: online, ..machine_view() }];
        let text = of(&AppState { machines, ..AppState::default() }, "Android 16");
        assert!(text.contains("machines: 2") && text.contains("2: online, owner, LAN, keys: hardware"), "{text}");
        let fingerprint = machine_view().fingerprint();
        for private in ["homebox", "phone", "192.168", fingerprint.as_str()] {
            assert!(!text.contains(private), "{private} in {text}");
        }
    }
}
