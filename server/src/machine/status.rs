//! `pairpin status`: whether the daemon runs, under which key, where it can be reached.

use std::path::Path;

use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::wire::AddressKind;

use super::Machine;
use crate::admin::protocol::Request;
use crate::admin::views::{AddressRecord, DaemonRecord, MachineRecord};
use crate::exit::Failure;
use crate::output::style::printable;
use crate::output::{json, say, say_lines, table};

/// What is said where nobody else can connect.
pub const LOOPBACK_ONLY: &str = "only this machine can reach it, because it is bound to loopback";
/// What is said where there is no network to be reached by.
pub const NO_NETWORK: &str = "no network address was found, so no device can reach this machine: connect it to a \
                              network, or name an address with `pairpin serve --advertise HOST`";

/// Why no other machine can reach this one, if none can.
pub fn out_of_reach(daemon: &DaemonRecord) -> Option<&'static str> {
    if daemon.loopback_only {
        return Some(LOOPBACK_ONLY);
    }
    let near = |address: &AddressRecord| matches!(address.kind, AddressKind::Loopback | AddressKind::Container);
    daemon.addresses.iter().all(near).then_some(NO_NETWORK)
}

/// Runs it.
///
/// # Errors
/// There is no machine here, or it cannot be asked.
pub async fn run(state_dir: &Path, as_json: bool) -> Result<(), Failure> {
    let machine: MachineRecord = Machine::find(state_dir).await?.ask(Request::Status).await?;
    if as_json {
        return say(json::line(&machine)?);
    }
    say_lines(&lines(&machine))
}

/// Whether an offer made now has an address in it. One without is scanned or typed for nothing.
pub fn offers_have_address(daemon: &DaemonRecord) -> bool {
    daemon.loopback_only || daemon.addresses.iter().any(|address| address.kind != AddressKind::Loopback)
}

fn lines(machine: &MachineRecord) -> Vec<String> {
    let devices = match (machine.devices, machine.owners) {
        (0, _) => "none, pair one with `pairpin pair`".to_owned(),
        (devices, 0) => format!("{devices}, no owner among them"),
        (devices, owners) => format!("{devices}, {owners} of them owner"),
    };
    let Some(daemon) = &machine.daemon else {
        return table::fields(&[
            ("daemon", "not running, start it with `pairpin serve`".into()),
            ("key fingerprint", machine.key.fingerprint.clone()),
            ("devices", devices),
        ]);
    };
    let since = daemon.started_at.ago(SystemClock.wall_ms());
    let mut fields = vec![
        ("machine", printable(&daemon.name)),
        ("daemon", format!("running, started {since}")),
        ("key fingerprint", machine.key.fingerprint.clone()),
        ("devices", if machine.devices == 0 { devices } else { format!("{devices}, {} online", daemon.online) }),
        ("offers", daemon.offers.to_string()),
    ];
    let addresses = address_lines(&daemon.addresses);
    fields.extend(
        addresses.into_iter().enumerate().map(|(index, line)| (if index == 0 { "reachable at" } else { "" }, line)),
    );
    if let Some(why) = out_of_reach(daemon) {
        fields.push(("", why.into()));
    }
    table::fields(&fields)
}

/// Address, kind and interface, aligned.
pub fn address_lines(addresses: &[AddressRecord]) -> Vec<String> {
    let width = addresses.iter().map(|address| address.address.to_string().len()).max().unwrap_or(0);
    let line = |address: &AddressRecord| {
        let interface = match address.interface.as_str() {
            "" => String::new(),
            name => format!(" ({})", printable(name)),
        };
        format!("{:<width$}  {}{interface}", address.address.to_string(), address.kind.as_str())
    };
    addresses.iter().map(line).collect()
}
