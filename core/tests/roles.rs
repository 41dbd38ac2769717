//! The table of requests and roles: every cell against a real machine, and the page that is written from it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fmt::Write as _;

use common::pair_of_both;
use pairpin_core::client::MachineSession;
use pairpin_core::host::DeviceChange;
use pairpin_core::role::Role;
use pairpin_core::wire::{Method, RequestError};
use serde_json::Value;

const ROLES: [Role; 3] = [Role::Viewer, Role::Operator, Role::Owner];

/// What the machine says to a request whose parameters are nothing.
async fn answered(session: &mut MachineSession, method: &str) -> Option<RequestError> {
    let answer = session.ask_anything(method, Value::Null).await.unwrap();
    answer.err().map(|code| RequestError::of_code(code).unwrap_or_else(|| panic!("{method}: error {code}")))
}

#[tokio::test]
async fn every_request_is_refused_to_every_role_below_its_own() {
    for role in ROLES {
        let (machine, owner) = pair_of_both().await;
        owner.pair(&machine).await;
        let device = common::Device::new(&machine.clock);
        device.pair(&machine).await;
        let id = machine.host().find_device("laptop 2").unwrap().id;
        let change = DeviceChange { role: Some(role), ..DeviceChange::default() };
        machine.host().set_device(id, change).await.unwrap();
        let row = device.client.machines().await.unwrap()[0].row;
        let mut session = device.client.open_session(row).await.unwrap();
        // Unpairing comes last: it takes the device away.
        let rest = Method::ALL.iter().filter(|method| **method != Method::Unpair);
        for method in rest.chain([&Method::Unpair]) {
            let refused = answered(&mut session, method.as_str()).await == Some(RequestError::Role);
            assert_eq!(refused, role < method.least_role(), "{} by {role}", method.as_str());
        }
    }
}

#[tokio::test]
async fn what_is_not_in_the_table_is_refused_to_an_owner_too() {
    let (machine, owner) = pair_of_both().await;
    owner.pair(&machine).await;
    let row = owner.client.machines().await.unwrap()[0].row;
    let mut session = owner.client.open_session(row).await.unwrap();
    for method in ["", "Revoke", "revoke ", "acknowledge", "shutdown", "devices\0"] {
        assert_eq!(answered(&mut session, method).await, Some(RequestError::Unknown), "{method:?}");
    }
    assert_eq!(answered(&mut session, "nonce").await, None, "the control");
    drop(machine);
}

/// The table as it stands in the page.
fn table() -> String {
    let mut text = String::from(
        "| request | viewer | operator | owner | statement of the approval key |\n|---|---|---|---|---|\n",
    );
    for method in Method::ALL {
        let _ = write!(text, "| `{}` |", method.as_str());
        for role in ROLES {
            text.push_str(if method.is_allowed(role) { " yes |" } else { " – |" });
        }
        let statement = method.statement().map(|kind| format!(" `{}` |", kind.as_str()));
        text.push_str(statement.as_deref().unwrap_or(" – |"));
        text.push('\n');
    }
    text
}

#[test]
fn the_page_says_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/roles.md");
    let page = std::fs::read_to_string(path).expect("docs/roles.md");
    let (before, rest) = page.split_once("<!-- the table: core/tests/roles.rs -->\n").expect("where the table begins");
    let (_, after) = rest.split_once("<!-- end of the table -->").expect("where it ends");
    let right = format!("{before}<!-- the table: core/tests/roles.rs -->\n{}<!-- end of the table -->{after}", table());
    if page != right && std::env::var_os("PAIRPIN_WRITE_PAGES").is_some() {
        std::fs::write(path, &right).expect("written");
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), right, "run this test with PAIRPIN_WRITE_PAGES=1");
}
