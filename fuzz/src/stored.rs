//! What is read back from a disk or typed by a person: keys, records, codes, addresses, names. Damage is
//! an error; what is read is written as the same again.

use std::str::FromStr as _;

use pairpin_core::identity::{DeviceId, KeyPair};
use pairpin_core::names;
use pairpin_core::role::Role;
use pairpin_core::secrets::{SecretBytes, TypedCode};
use pairpin_core::wire::Address;

/// The first byte says what the rest is.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 6 {
        0 => key(rest),
        1 => text(&String::from_utf8_lossy(rest)),
        #[cfg(fuzzing)]
        2 | 3 => pairpin_core::fuzzing::record(rest),
        #[cfg(fuzzing)]
        4 | 5 => pairpin_core::fuzzing::key_file(rest),
        // Replayed by the core's own tests, which see its inside.
        _ => {}
    }
}

fn key(pkcs8: &[u8]) {
    let Ok(key) = KeyPair::from_pkcs8(SecretBytes::new(pkcs8.to_vec())) else { return };
    assert_eq!(key.pkcs8().expose(), pkcs8);
    let public = key.public_key().expect("a key that was read has a public half");
    let signature = key.sign(b"message").expect("and signs");
    assert!(public.verify(b"message", &signature), "a key that is two keys");
}

fn text(text: &str) {
    if let Some(code) = TypedCode::parse(text) {
        assert_eq!(TypedCode::parse(&code.expose_groups()), Some(code));
    }
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string().parse().as_ref(), Ok(&address), "an address that is two addresses");
        assert!(!address.host.contains(char::is_whitespace) && address.port != 0);
    }
    if let Some(id) = DeviceId::parse(text) {
        assert_eq!(DeviceId::parse(&id.text()), Some(id));
    }
    if let Ok(role) = Role::from_str(text) {
        assert_eq!(role.as_str(), text);
    }
    for clean in [names::clean_name, names::clean_machine_name, names::clean_platform] {
        let once = clean(text);
        assert!(!once.chars().any(char::is_control));
        assert_eq!(clean(&once), once, "cleaning twice is not cleaning once");
    }
}
