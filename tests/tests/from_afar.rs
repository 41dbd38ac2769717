//! An owner device looks at a machine's devices and takes access away from where it is, with the real binary
//! on both sides.

use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;

/// A machine with an owner, and a second device of this role.
fn with_two(role: &str) -> (Machine, Device, Device) {
    let machine = Machine::started();
    let (owner, second) = (Device::new(), Device::new());
    owner.join(machine.offer(&["--name", "phone"]).link_text()).expect(0);
    second.join(machine.offer(&["--name", "laptop", "--role", role]).link_text()).expect(0);
    (machine, owner, second)
}

fn name(device: &Device) -> String {
    device.only_machine()["name"].as_str().unwrap().to_owned()
}

#[test]
fn an_owner_revokes_a_lost_device_from_afar_and_it_is_told_by_whom() {
    let (machine, owner, lost) = with_two("operator");
    let on = name(&owner);
    let list = owner.run(&["devices", "--on", &on, "--json"]).expect(0).json();
    assert_eq!(list["devices"].as_array().map(Vec::len), Some(2), "{list}");
    assert!(owner.run(&["devices", "--on", &on]).expect(0).stdout.contains("laptop"));

    let revoked = owner.run(&["devices", "revoke", "laptop", "--on", &on, "--yes", "--reason", "left in a taxi"]);
    let revoked = revoked.expect(0);
    assert!(revoked.stdout.contains(r#"revoked "laptop" on"#), "{}", revoked.stdout);
    assert!(revoked.stderr.contains("whoever uses it can make them"), "not said: {}", revoked.stderr);

    let told = lost.only_machine();
    let why = &told["revoked"];
    assert_eq!((why["by"].as_str(), why["reason"].as_str()), (Some("phone"), Some("left in a taxi")), "{told}");
    assert_eq!(machine.only_device()["name"], "phone");
    assert_eq!(machine.only_device()["approval_guard"], "nothing");
    let audit = machine.audit_kinds();
    assert!(audit.ends_with(&["approval-key".to_owned(), "revoked".to_owned()]), "{audit:?}");

    let again = owner.run(&["devices", "revoke", "laptop", "--on", &on, "--yes"]).expect(1);
    assert!(again.stderr.contains("no device is called"), "{}", again.stderr);
}

#[test]
fn who_is_no_owner_sees_nothing_and_takes_nothing_away() {
    for role in ["operator", "viewer"] {
        let (machine, _owner, second) = with_two(role);
        let on = name(&second);
        for verb in [&["devices", "--on", &on][..], &["devices", "revoke", "phone", "--on", &on, "--yes"]] {
            let refused = second.run(verb).expect(1);
            assert!(refused.stderr.contains(role) && refused.stdout.is_empty(), "{verb:?}: {}", refused.stderr);
        }
        assert_eq!(machine.devices().len(), 2);
    }
}

#[test]
fn a_machine_that_is_away_is_said_to_be() {
    let (mut machine, owner, _second) = with_two("operator");
    let on = name(&owner);
    machine.stop().expect(0);
    owner.run(&["devices", "--on", &on]).expect(4);
    owner.run(&["devices", "revoke", "laptop", "--on", &on, "--yes"]).expect(4);
    owner.run(&["devices", "--on", "nowhere"]).expect(1);
    machine.start();
    owner.run(&["devices", "--on", &on]).expect(0);
}
