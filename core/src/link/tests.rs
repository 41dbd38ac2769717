//! What a link promises: one text, nothing damaged read, nothing too large for a version 4 QR.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;
use crate::qr::QrCode;

/// Two check bytes let one random mistake in 65,536 through: a fixed seed keeps the tests steady.
fn config() -> Config {
    Config { rng_seed: RngSeed::Fixed(7747), failure_persistence: None, ..Config::default() }
}

fn ipv4() -> impl Strategy<Value = String> {
    any::<Ipv4Addr>().prop_map(|ip| ip.to_string())
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        ipv4(),
        any::<Ipv6Addr>().prop_map(|ip| ip.to_canonical().to_string()),
        "[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\\.[a-z]{2,8}){0,3}",
    ]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![Just(DEFAULT_PORT), 1..=u16::MAX]
}

fn link_with(
    hosts: impl Strategy<Value = Vec<String>>,
    port: impl Strategy<Value = u16>,
) -> impl Strategy<Value = Link> {
    (any::<[u8; 16]>(), any::<[u8; 16]>(), hosts, port).prop_map(|(pin, secret, hosts, port)| Link {
        pin: PinPrefix::from_bytes(pin),
        secret: OfferSecret::from_bytes(secret),
        addresses: hosts.into_iter().map(|host| Address { host, port }).collect(),
    })
}

fn any_link() -> impl Strategy<Value = Link> {
    link_with(proptest::collection::vec(host(), 0..6), port())
}

fn example() -> Link {
    Link {
        pin: PinPrefix::from_bytes([0x11; 16]),
        secret: OfferSecret::from_bytes([0x22; 16]),
        addresses: ["192.168.1.20", "100.64.0.7"].map(|host| host.parse().unwrap()).to_vec(),
    }
}

/// A body with a right check, whatever is in it.
fn text_of(bytes: &[u8]) -> String {
    format!("{SCHEME}{}", BASE32_NOPAD.encode(&[bytes, &check(bytes)].concat()))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_link_survives_its_text(link in any_link()) {
        prop_assert_eq!(Link::parse(&link.to_text()), Ok(link));
    }

    #[test]
    fn case_and_line_breaks_do_not_matter(link in any_link(), width in 1usize..40, lower: bool) {
        let text = link.to_text();
        let text = if lower { text.to_lowercase() } else { text.to_uppercase() };
        let wrapped: Vec<String> =
            text.as_bytes().chunks(width).map(|c| String::from_utf8(c.to_vec()).unwrap()).collect();
        prop_assert_eq!(Link::parse(&format!(" {} \r\n", wrapped.join("\r\n  "))), Ok(link));
    }

    #[test]
    fn a_mistyped_link_is_an_error(link in any_link(), at: prop::sample::Index, letter in "[A-Z2-7]") {
        let mut text = link.to_text().to_string();
        let at = SCHEME.len() + at.index(text.len() - SCHEME.len());
        prop_assume!(text[at..=at] != letter);
        text.replace_range(at..=at, &letter);
        prop_assert_eq!(Link::parse(&text), Err(LinkError::Damaged));
    }

    #[test]
    fn a_cut_link_is_an_error(link in any_link(), at: prop::sample::Index) {
        let text = link.to_text();
        prop_assert!(Link::parse(&text[..at.index(text.len())]).is_err());
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}", body in "[A-Z2-7 ]{0,200}") {
        let _ = Link::parse(&text);
        let _ = Link::parse(&format!("{SCHEME}{body}"));
    }

    #[test]
    fn no_body_with_a_right_check_panics_and_each_that_is_read_has_one_text(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..120), likely: bool,
    ) {
        if likely && !bytes.is_empty() {
            bytes[0] = VERSION << 4 | bytes[0] & HAS_PORT;
        }
        let text = text_of(&bytes);
        if let Ok(link) = Link::parse(&text) {
            prop_assert_eq!(&*link.to_text(), &text);
        }
    }

    #[test]
    fn two_ipv4_addresses_are_always_a_version_4_qr_at_level_m(
        link in link_with(proptest::collection::vec(ipv4(), 2), port())
    ) {
        prop_assert!(link.to_text().len() - SCHEME.len() <= BODY_4M);
        prop_assert_eq!(QrCode::of_link(&link).unwrap().version(), 4);
    }

    #[test]
    fn a_fitting_link_is_always_a_version_4_qr(link in link_with(proptest::collection::vec(host(), 0..12), port())) {
        let port = link.addresses.first().map_or(DEFAULT_PORT, |address| address.port);
        let fitting = Link::fitting(link.pin, link.secret.clone(), port, &link.addresses);
        prop_assert_eq!(QrCode::of_link(&fitting).unwrap().version(), 4);
        prop_assert_eq!(Link::parse(&fitting.to_text()), Ok(fitting));
    }

    #[test]
    fn no_link_is_a_qr_above_version_5(link in link_with(proptest::collection::vec(host(), 0..40), port())) {
        if let Ok(code) = QrCode::of_link(&link) {
            prop_assert!(code.version() <= 5);
        }
        prop_assert!(link.to_text().len() <= TEXT_MAX);
    }
}

#[test]
fn every_single_wrong_letter_and_every_cut_is_caught() {
    let text = example().to_text();
    for at in SCHEME.len()..text.len() {
        for letter in b'2'..=b'Z' {
            let mut wrong = text.as_bytes().to_vec();
            if wrong[at] != letter {
                wrong[at] = letter;
                let wrong = String::from_utf8(wrong).unwrap();
                assert_eq!(Link::parse(&wrong), Err(LinkError::Damaged), "{at} {letter}");
            }
        }
        assert_eq!(Link::parse(&text[..at]), Err(LinkError::Damaged), "{at}");
    }
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    // Made by another program (Python's base64 and hashlib) from the table in docs/protocol.md.
    let text = "pairpin:CAIRCEIRCEIRCEIRCEIRCEIRCEISEIRCEIRCEIRCEIRCEIRCEIRCEBGAVAARIBDEIAAAO22F";
    assert_eq!(*example().to_text(), text);
    assert_eq!(Link::parse(text), Ok(example()));
}

#[test]
fn a_port_other_than_ours_is_written_once() {
    let mut link = example();
    link.addresses.iter_mut().for_each(|address| address.port = 8443);
    assert_eq!(link.to_text().len(), SCHEME.len() + BODY_4M);
    assert_eq!(Link::parse(&link.to_text()), Ok(link));
}

#[test]
fn an_address_on_another_port_is_left_out_and_never_dialled_on_the_wrong_one() {
    let mut link = example();
    link.addresses[1].port = 8443;
    assert_eq!(Link::parse(&link.to_text()).unwrap().addresses, link.addresses[..1]);
    let fitting = Link::fitting(link.pin, link.secret.clone(), 8443, &link.addresses);
    assert_eq!(fitting.addresses, link.addresses[1..]);
}

#[test]
fn an_address_too_long_for_the_qr_gives_way_to_a_shorter_one() {
    let long: Address = "a-rather-long-name.homes.example.com".parse().unwrap();
    let short: Address = "10.0.0.2".parse().unwrap();
    let link = example();
    let fitting = Link::fitting(link.pin, link.secret, DEFAULT_PORT, &[long, short.clone(), short.clone()]);
    assert_eq!(fitting.addresses, [short]);
}

#[test]
fn a_newer_link_asks_for_an_update_and_only_a_whole_one_does() {
    for first in [0x00, 0x20, 0xF0, 0x12, 0x18] {
        let mut bytes = [0x33; 43];
        bytes[0] = first;
        let text = text_of(&bytes);
        assert_eq!(Link::parse(&text), Err(LinkError::Newer), "{first:#x}");
        assert_eq!(Link::parse(&text[..text.len() - 1]), Err(LinkError::Damaged));
    }
}

#[test]
fn what_this_build_would_not_write_is_not_read() {
    let head = |first: u8| [&[first][..], &[0x11; 32]].concat();
    let refused = |bytes: Vec<u8>| assert_eq!(Link::parse(&text_of(&bytes)), Err(LinkError::Damaged), "{bytes:?}");
    let v4 = [0x04, 10, 0, 0, 1];
    refused([&head(0x11)[..], &DEFAULT_PORT.to_be_bytes(), &v4].concat()); // the default port spelled out
    refused([&head(0x11)[..], &[0, 0], &v4].concat()); // port 0
    refused([&head(0x11)[..], &[1, 2]].concat()); // a port of nothing
    refused([&head(0x10)[..], &[0x01, 0]].concat()); // an empty name
    refused([&head(0x10)[..], &[0x01, 3, b'A', b'b', b'c']].concat()); // upper case
    refused([&head(0x10)[..], b"\x01\x0810.0.0.1"].concat()); // an address as a name
    refused([&head(0x10)[..], &[0x06], &[0; 10], &[0xFF, 0xFF, 10, 0, 0, 1]].concat()); // IPv4 as IPv6
    refused([&head(0x10)[..], &v4[..3]].concat()); // a cut address
    refused([&head(0x10)[..], &v4.repeat(limits::ADDRESSES + 1)].concat());
    refused(head(0x10)[..20].to_vec());
    // The control: the same head with a proper address is read.
    assert!(Link::parse(&text_of(&[&head(0x10)[..], &v4].concat())).is_ok());
}

#[test]
fn other_texts_are_not_links() {
    for text in ["", "pair", "https://example.com", "WIFI:S:home;;", "pairpin", "otherpin:AAAA"] {
        assert_eq!(Link::parse(text), Err(LinkError::NotALink), "{text}");
    }
    assert_eq!(Link::parse("pairpin:"), Err(LinkError::Damaged));
    assert_eq!(Link::parse(&format!("pairpin:{}", "A".repeat(100_000))), Err(LinkError::Damaged));
}

#[test]
fn each_error_names_the_next_step() {
    assert_eq!(LinkError::Damaged.to_string(), "this link is incomplete or mistyped, copy it whole");
    assert_eq!(
        LinkError::NotALink.to_string(),
        "this is not a pairpin link, scan the QR or copy the line that begins with \"pairpin:\""
    );
    assert_eq!(LinkError::Newer.to_string(), "this link was made by a newer pairpin, update pairpin on this device");
}

#[test]
fn a_printed_link_hides_its_secret() {
    let shown = format!("{:?}", example());
    assert!(shown.contains("[secret]") && !shown.contains("34, 34") && !shown.contains("IiIi"), "{shown}");
}
