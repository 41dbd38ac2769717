//! A recovery sheet whose use the machine's disk does not take.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Device, pair_of_both, until};
use pairpin_core::client::{ClientError, MachineState, use_sheet};
use pairpin_core::host::DATABASE_FILE;
use pairpin_core::wire::RecoveryAct;

#[tokio::test]
async fn whom_a_sheet_means_is_out_also_where_that_cannot_be_stored() {
    let (machine, phone) = pair_of_both().await;
    let row = phone.pair(&machine).await.machine.row;
    let other = Device::new(&machine.clock);
    let others = other.pair(&machine).await.machine.row;
    let sheet = machine.host().print_recovery(&[machine.address()]).await.unwrap();
    let watch = phone.client.watch(row).await.unwrap();
    let online = |state: &MachineState| matches!(state, MachineState::Online { .. });
    until(&watch, online).await;

    let disk = rusqlite::Connection::open(machine.state().join(DATABASE_FILE)).unwrap();
    let fail = "CREATE TRIGGER fail BEFORE INSERT ON tombstones BEGIN SELECT RAISE(ABORT, 'no tombstone'); END";
    disk.execute_batch(fail).unwrap();
    use_sheet(&sheet, &[], RecoveryAct::List).await.expect("the control: a list writes nothing");
    assert!(online(&phone.client.check(row).await.unwrap().state));
    let act = || RecoveryAct::Revoke("laptop".into());
    assert_eq!(use_sheet(&sheet, &[], act()).await.unwrap_err(), ClientError::MachineFailed);
    until(&watch, |state| !online(state)).await;
    let state = phone.client.check(row).await.unwrap().state;
    assert!(!online(&state) && !matches!(state, MachineState::Revoked(_)), "{state:?}");
    assert!(online(&other.client.check(others).await.unwrap().state), "who is not meant stays");

    disk.execute_batch("DROP TRIGGER fail").unwrap();
    let done = use_sheet(&sheet, &[], act()).await.expect("it is not used up");
    assert_eq!(done.revoked.len(), 1);
    assert!(matches!(phone.client.check(row).await.unwrap().state, MachineState::Revoked(_)));
}
