//! The shapes of `--json`, as docs/json.md promises them to scripts: members may be added, none may
//! go or change its type.

use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::phone::Phone;
use serde_json::Value;

/// Checks that an object has these members, each of the type that the letter says: s(tring),
/// n(umber), b(oolean), a(rray), o(bject); `?` before it allows null.
#[track_caller]
fn check(value: &Value, shape: &[(&str, &str)]) {
    for (name, kind) in shape {
        let Some(member) = value.get(name) else { panic!("no {name} in {value:#}") };
        let (optional, kind) = kind.strip_prefix('?').map_or((false, *kind), |kind| (true, kind));
        let fits = match kind {
            "s" => member.is_string(),
            "n" => member.is_number(),
            "b" => member.is_boolean(),
            "a" => member.is_array(),
            _ => member.is_object(),
        };
        assert!(fits || (optional && member.is_null()), "{name} is {member}, not {kind}, in {value:#}");
    }
}

/// RFC 3339 in UTC.
#[track_caller]
fn check_time(value: &Value) {
    let text = value.as_str().unwrap_or_default();
    assert!(text.len() >= 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T', "{value} is not a time");
}

const DEVICE: &[(&str, &str)] = &[
    ("id", "s"),
    ("name", "s"),
    ("platform", "s"),
    ("role", "s"),
    ("key_kind", "s"),
    ("paired_at", "s"),
    ("paired_how", "s"),
    ("paired_from", "s"),
    ("last_seen", "s"),
    ("last_address", "?s"),
    ("connected", "n"),
    ("connection", "?s"),
    ("idle_seconds", "n"),
    ("absolute_seconds", "n"),
    ("expires_at", "s"),
    ("suspended", "?s"),
];

#[test]
fn status_has_its_shape_running_and_stopped() {
    let mut machine = Machine::started();
    let running = machine.status();
    let key = &[("pin", "s"), ("fingerprint", "s")];
    check(&running, &[("running", "b"), ("key", "o"), ("next_key", "o"), ("devices", "n"), ("owners", "n")]);
    check(&running["key"], key);
    check(&running, &[("name", "s"), ("machine", "s"), ("platform", "s"), ("addresses", "a"), ("listening", "a")]);
    check(&running, &[("online", "n"), ("offers", "n"), ("latest_welcome", "?s"), ("started_at", "s")]);
    check(&running["addresses"][0], &[("address", "s"), ("kind", "s"), ("interface", "s")]);
    check_time(&running["started_at"]);
    machine.stop().expect(0);
    let stopped = machine.run(&["status", "--json"]).json();
    assert_eq!(stopped["running"], false);
    check(&stopped["key"], key);
}

#[test]
fn offers_and_their_events_have_their_shape_and_the_list_no_secret() {
    let machine = Machine::started();
    let mut offer = machine.offer_and_wait(&[]);
    check(&offer.record, &[("number", "n"), ("link", "s"), ("code", "s"), ("role", "s")]);
    check(&offer.record, &[("expires_in_seconds", "n"), ("expires_at", "s")]);
    check_time(&offer.record["expires_at"]);
    let list = machine.json(&["offers", "list", "--json"]);
    check(&list["offers"][0], &[("number", "n"), ("link", "b"), ("code", "b"), ("role", "s"), ("name", "?s")]);
    check(&list["offers"][0], &[("expires_in_seconds", "n"), ("claimed_by", "?s")]);
    let text = list.to_string();
    assert!(!text.contains(offer.code()) && !text.contains("pairpin:"), "a secret is in {text}");
    Phone::pair(&machine, "phone", &offer).unwrap();
    check(&offer.event("claimed"), &[("from", "s"), ("name", "s")]);
    let paired = offer.event("paired");
    check(&paired, &[("device", "o"), ("check_digits", "s"), ("from", "s"), ("again", "b")]);
    check(&paired["device"], DEVICE);
}

#[test]
fn devices_tombstones_and_audit_have_their_shape() {
    let machine = Machine::started();
    assert_eq!(machine.devices().len(), 0);
    Phone::pair(&machine, "phone", &machine.offer(&["--name", "laptop"])).unwrap();
    let device = machine.only_device();
    check(&device, DEVICE);
    for time in ["paired_at", "last_seen", "expires_at"] {
        check_time(&device[time]);
    }
    let shown = machine.json(&["devices", "show", "laptop", "--json"]);
    check(&shown["device"], DEVICE);
    machine.run(&["devices", "revoke", "laptop", "--yes", "--reason", "sold"]).expect(0);
    let revoked = machine.json(&["devices", "list", "--revoked", "--json"]);
    check(
        &revoked["revoked"][0],
        &[("id", "s"), ("name", "s"), ("role", "s"), ("revoked_at", "s"), ("revoked_by", "s")],
    );
    for entry in machine.audit() {
        check(&entry, &[("seq", "n"), ("at", "s"), ("kind", "s"), ("device", "?s"), ("text", "s")]);
        check_time(&entry["at"]);
    }
}

#[test]
fn a_device_lists_its_machines_in_their_shape() {
    let machine = Machine::started();
    let device = Device::new();
    assert_eq!(device.machines(), Vec::<Value>::new());
    device.join(machine.offer(&[]).link_text()).expect(0);
    let known = device.only_machine();
    check(
        &known,
        &[("name", "s"), ("role", "s"), ("state", "s"), ("fingerprint", "s"), ("addresses", "a"), ("paired_at", "s")],
    );
    check_time(&known["paired_at"]);
    let text = known.to_string();
    assert!(text.contains(&machine.pin().fingerprint()), "the key fingerprint is not in {text}");
}

/// What a waiting ask has, on the machine and in a device's inbox.
#[track_caller]
fn check_ask(ask: &Value) {
    check(ask, &[("id", "s"), ("asked_at", "s"), ("expires_at", "s"), ("expires_in_seconds", "n")]);
    check(ask, &[("known", "o"), ("observed", "o"), ("claimed", "o")]);
    check(&ask["known"], &[("uid", "n"), ("user", "?s"), ("process", "?n")]);
    let observed = &[("executable", "?s"), ("arguments", "a"), ("arguments_left_out", "n"), ("directory", "?s")];
    check(&ask["observed"], observed);
    check(&ask["claimed"], &[("text", "s"), ("detail", "?s")]);
    check_time(&ask["expires_at"]);
}

#[test]
fn an_ask_and_its_answer_have_their_shape_on_both_sides() {
    let (machine, device) = (Machine::started(), Device::new());
    device.join(machine.offer(&[]).link_text()).expect(0);
    let mut ask = pairpin_tests::process::Background::start(&mut machine.command(&["ask", "Deploy?", "--json"]), None);
    let asked = ask.event("asked");
    check(&asked, &[("ask", "o"), ("may_answer", "n"), ("online", "n")]);
    check_ask(&asked["ask"]);
    let id = asked["ask"]["id"].as_str().unwrap();
    check_ask(&machine.json(&["asks", "--json"])["asks"][0]);
    check_ask(&machine.json(&["asks", "show", id, "--json"])["ask"]);
    let inbox = device.run(&["inbox", "--json"]).expect(0).json();
    check(&inbox, &[("items", "a"), ("unasked", "a")]);
    check(&inbox["items"][0], &[("kind", "s"), ("machine", "s")]);
    check_ask(&inbox["items"][0]);
    let answered = device.run(&["approve", id, "--json"]).expect(0).json();
    check(&answered, &[("item", "o"), ("taken", "b"), ("how", "s"), ("by", "s")]);
    check(&ask.event("answered"), &[("answer", "s"), ("by", "s")]);
}

#[test]
fn json_is_the_only_thing_on_stdout() {
    let machine = Machine::started();
    Phone::paired(&machine, "phone");
    for arguments in [
        &["status", "--json"][..],
        &["devices", "--json"],
        &["devices", "list", "--json"],
        &["offers", "--json"],
        &["key", "show", "--json"],
    ] {
        let output = machine.run(arguments).expect(0);
        output.json();
        assert_eq!(output.stdout.lines().count(), 1, "{arguments:?}: {output:?}");
    }
}
