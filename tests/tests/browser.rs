//! Web pages cannot use the machine's socket: a hostile page in Chromium, from another origin and
//! behind a name that was bound to the machine's address, tries all that a page can. The same page
//! opens a server with a library's defaults (the control). Needs the layer `browser`.

use std::collections::BTreeMap;

use pairpin_tests::block_on;
use pairpin_tests::browser::{Browser, NAME, OpenServer, Site};
use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::{Answer, Peer};
use serde_json::json;

#[test]
fn no_page_opens_the_socket_and_the_same_page_opens_a_server_with_defaults() {
    let machine = Machine::started();
    let laptop = Device::new();
    laptop.join(machine.offer(&[]).link_text()).expect(0);
    let (ip, port) = (machine.address.ip(), machine.address.port());
    let mut watching = laptop.start(&["machines", "watch"]);
    watching.line("sign of a connection", |line| line.contains("online"));
    // A live offer and a live code are there to be found.
    let offer = machine.offer(&[]);
    let (audit, status) = (machine.audit_kinds(), machine.status());

    let control = OpenServer::start(ip);
    let targets = json!({
        "the machine": format!("{ip}:{port}"),
        "the machine, by a rebound name": format!("{NAME}:{port}"),
        "the control": control.address.to_string(),
        "the control, by a rebound name": format!("{NAME}:{}", control.address.port()),
    });
    let page = include_str!("browser.html").replace("TARGETS", &targets.to_string());
    let site = Site::serve(ip, page);
    // From another address's origin, and from the name's own.
    for origin in [site.address.to_string(), format!("{NAME}:{}", site.address.port())] {
        let browser = Browser::open(&format!("http://{origin}/"), ip);
        let report: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_value(site.report()).unwrap();
        println!("from {origin}: {report:#?}");
        assert_eq!(report.len(), 4);
        for (target, outcomes) in &report {
            let opened: Vec<&str> =
                outcomes.values().map(String::as_str).filter(|how| how.contains("opened")).collect();
            if target.starts_with("the machine") {
                assert!(opened.is_empty(), "a page at {origin} opened {target}: {outcomes:#?}");
                // Nothing can be read, not even that it is a machine.
                assert_eq!((&*outcomes["get"], &*outcomes["get to be read"]), ("opaque 0 0", "failed"));
                assert_eq!(outcomes["get with our headers"], "failed");
            } else {
                for how in ["socket /rpc", "socket with our protocol /rpc", "many sockets"] {
                    assert!(outcomes[how].contains("opened and answered: you said hello"), "{target}: {outcomes:#?}");
                }
            }
        }
        // While the page is still there: paired devices notice nothing.
        assert!(laptop.is_welcome());
        assert_eq!(machine.only_device()["connected"], 1);
        drop(browser);
    }

    // What the browser sent to the control gets the stranger's answer from the machine, byte for byte.
    let requests = control.requests();
    assert!(requests.iter().any(|request| request.contains(&format!("origin: http://{NAME}"))), "{requests:#?}");
    let shapes: Vec<String> = block_on(async {
        let mut shapes = Vec::new();
        let strange = "GET / HTTP/1.1\r\n\r\n".to_owned();
        for request in [&strange].into_iter().chain(&requests) {
            let peer = Peer::connect(machine.address).await.unwrap();
            match peer.ask_bytes(request.as_bytes()).await.unwrap() {
                Answer::Stranger(head, 0) => shapes.push(head.raw),
                other => panic!("{request:?} was answered with {other:?}"),
            }
        }
        shapes
    });
    assert!(shapes.iter().all(|shape| *shape == shapes[0] && shape.starts_with("HTTP/1.1 404")), "{shapes:#?}");

    // It left no trace, and used nothing up.
    assert_eq!(machine.audit_kinds(), audit);
    assert_eq!(machine.status()["offers"], status["offers"]);
    assert_eq!(machine.devices().len(), 1);
    let watched = watching.terminate().stdout;
    let said = |word| watched.lines().filter(|line| line.contains(word)).count();
    assert_eq!((said("online"), said("offline")), (1, 0), "the connection was cut meanwhile: {watched}");
    Device::new().join(offer.link_text()).expect(0);
}
