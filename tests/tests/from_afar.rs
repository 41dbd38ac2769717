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

    let told = lost.only_machine();
    let why = &told["revoked"];
    assert_eq!((why["by"].as_str(), why["reason"].as_str()), (Some("“phone”"), Some("left in a taxi")), "{told}");
    assert_eq!(machine.only_device()["name"], "phone");
    assert_eq!(machine.only_device()["approval_guard"], "nothing");
    let audit = machine.audit_kinds();
    assert!(audit.ends_with(&["revoked".to_owned()]) && audit.contains(&"approval-key".to_owned()), "{audit:?}");

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

#[test]
fn an_owner_invites_a_device_whose_offer_names_who_made_it() {
    let (machine, owner, _second) = with_two("operator");
    let on = name(&owner);
    let mut inviting = owner.start(&["invite", &on, "--name", "tablet", "--role", "viewer", "--json"]);
    let offer = inviting.event("offer");
    let listed = machine.json(&["offers", "--json"])["offers"][0].clone();
    assert_eq!((listed["minted_by"].as_str(), listed["role"].as_str()), (Some("phone"), Some("viewer")), "{listed}");
    let tablet = Device::new();
    let joined = tablet.join(offer["link"].as_str().unwrap()).expect(0);
    let paired = inviting.event("paired");
    assert_eq!(paired["device"], "tablet");
    assert!(joined.stdout.contains(paired["check_digits"].as_str().unwrap()), "other digits: {}", joined.stdout);
    inviting.end().expect(0);
    assert_eq!(machine.devices().len(), 3);
}

#[test]
fn what_a_revoked_owner_has_offered_lets_nobody_in() {
    let (machine, owner, second) = with_two("owner");
    let on = name(&owner);
    let mut inviting = owner.start(&["invite", &on, "--json"]);
    let offer = inviting.event("offer");
    second.run(&["devices", "revoke", "phone", "--on", &name(&second), "--yes"]).expect(0);
    inviting.end().expect(1);
    assert_eq!(machine.json(&["offers", "--json"])["offers"].as_array().map(Vec::len), Some(0));
    let refused = Device::new().join(offer["link"].as_str().unwrap());
    assert!(refused.code != Some(0) && refused.stderr.contains("withdrawn"), "{}", refused.stderr);
    assert_eq!(machine.devices().len(), 1);
}
