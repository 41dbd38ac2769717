//! Writes the first inputs of the corpus from real messages: `cargo run -p pairpin-fuzz --example seeds`.
//! What is kept beside them was found by the fuzzer.

#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use pairpin_core::link::Link;
use pairpin_core::net::upgrade;
use pairpin_core::qr::QrCode;
use pairpin_core::wire::{Envelope, Flow, Frame};
use pairpin_fuzz::handshake::scene;
use pairpin_fuzz::script::{Script, now};
use serde_json::Value;

fn main() {
    let scene = scene();
    let links: Value = read("links.json");
    let texts: Vec<&str> =
        links["cases"].as_array().unwrap().iter().map(|case| case["text"].as_str().unwrap()).collect();
    for (index, text) in texts.iter().enumerate() {
        keep("link", &format!("vector-{index}"), text.as_bytes());
        let link = Link::parse(text).unwrap();
        let body = data_encoding::BASE32_NOPAD.decode(&text.as_bytes()["pairpin:".len()..]).unwrap();
        let unchecked = [&[0], &body[..body.len() - 2]].concat();
        keep("link", &format!("body-{index}"), &unchecked);
        keep("qr", &format!("body-{index}"), &unchecked);
        keep("qr", &format!("text-{index}"), &[&[5], text.as_bytes()].concat());
        let code = QrCode::of_link(&link).unwrap();
        if index < 2 {
            keep("image", &format!("png-{index}"), &code.render_png(1));
        }
    }
    keep("image", "jpeg", &jpeg());
    for (index, head) in
        [[0_u8, 40, 0, 40, 0, 40, 0], [0, 90, 0, 40, 0, 93, 2], [255, 255, 0, 1, 255, 255, 0]].iter().enumerate()
    {
        keep("luma", &format!("sizes-{index}"), &[&head[..], &[0, 255, 255, 0, 9, 128]].concat());
    }

    let json = |envelope: &Envelope| serde_json::to_vec(envelope).unwrap();
    for (index, envelope) in scene.asked.iter().enumerate() {
        keep("handshake", &format!("asked-{index}"), &[&[index as u8], &json(envelope)[..]].concat());
        keep("messages", &format!("envelope-{index}"), &[&[1], &json(envelope)[..]].concat());
        let flow = [Flow::Preview, Flow::Scan, Flow::Resume][index];
        let mut device = Script::default();
        let _ = now(upgrade::request(&mut device, flow, envelope));
        keep("request", flow.as_str(), &[&[7], &device.written[..]].concat());
    }
    for (index, envelope) in scene.answered.iter().enumerate() {
        keep("handshake", &format!("answered-{index}"), &[&[3 + index as u8], &json(envelope)[..]].concat());
        let status = if index < 3 { "200 OK" } else { "403 Forbidden" };
        let body = String::from_utf8(json(envelope)).unwrap();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        keep("answer", &format!("envelope-{index}"), answer.as_bytes());
        let frame = if index < 3 { Frame::Handshake(envelope.clone()) } else { Frame::Refused(envelope.clone()) };
        keep("messages", &format!("frame-{index}"), &[&[0], frame.encode().unwrap().as_bytes()].concat());
    }
    // The contents of each message, under the number that `messages` and `handshake` read them by.
    for (number, step, envelope) in [
        (2, 9, &scene.asked[0]),
        (4, 12, &scene.asked[1]),
        (13, 13, &scene.asked[2]),
        (3, 9, &scene.answered[0]),
        (5, 10, &scene.answered[1]),
        (14, 11, &scene.answered[2]),
        (15, 11, &scene.answered[3]),
    ] {
        let contents = serde_json::to_vec(&envelope.read_any::<Value>().unwrap()).unwrap();
        keep("messages", &format!("contents-{number}"), &[&[number], &contents[..]].concat());
        keep("handshake", &format!("contents-{number}"), &[&[step], &contents[..]].concat());
    }
    // A Grant to a key that has a row says which token is current.
    let mut again: Value = scene.answered[1].read_any().unwrap();
    again["current"] = "IiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiI".into();
    for (target, step) in [("messages", 5), ("handshake", 10)] {
        keep(target, "grant-again", &[&[step], &serde_json::to_vec(&again).unwrap()[..]].concat());
    }
    keep("messages", "sent", &[&[16], scene.answered[1].message.as_bytes()].concat());
    let share = r#"{"versions":[1],"version":1,"share":"QeB2SbOtZ1ClMzDEhYVX8ok1YzM8iVw4bUAu8f8kR1gJ"}"#;
    for step in [12, 13] {
        keep("handshake", &format!("share-{step}"), &[&[step], share.as_bytes()].concat());
    }
    for (number, text) in [
        (6, r#"{"token":"IiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiI"}"#),
        (7, r#"{"device_name":"laptop","role":"owner"}"#),
        (8, share),
        (9, share),
        (12, r#"{"name":"laptop","platform":"Linux"}"#),
    ] {
        keep("messages", &format!("contents-{number}"), &[&[number], text.as_bytes()].concat());
    }
    for (name, text) in [
        ("closing", r#"{"jsonrpc":"2.0","method":"closing","params":{"code":"revoked","by":"Ana","at":5}}"#),
        ("addresses", r#"{"jsonrpc":"2.0","method":"addresses","params":["homebox:1","[::1]:2"]}"#),
        ("request", r#"{"jsonrpc":"2.0","id":1,"method":"acknowledge","params":{"token":"x"}}"#),
        ("error", r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#),
    ] {
        keep("messages", name, &[&[0], text.as_bytes()].concat());
    }
    let switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: @ACCEPT@\r\nSec-WebSocket-Protocol: pairpin.v1\r\n\r\nframe";
    keep("answer", "switched", switching.as_bytes());
    keep("answer", "stranger", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nPairpin-Versions: 1\r\n\r\n");
    stored();
    rows();
    asks();
}

fn asks() {
    let shown = r#"{"id":"k7pq2abc","asked_at":1000,"expires_at":61000,"known":{"uid":0,"user":"root","process":7},"observed":{"executable":"/bin/pairpin","arguments":["pairpin","ask"],"arguments_left_out":0,"directory":"/"},"claimed":{"text":"Deploy?","detail":"one\ntwo"},"fresh":"AQEBAQEBAQEBAQEBAQEBAQ"}"#;
    use base64::Engine as _;
    let message = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(shown);
    let (pin, key, machine) = ("A".repeat(43), "B".repeat(86) + "A", "AgICAgICAgICAgICAgICAg");
    let signed = format!(r#"{{"nonce":"{machine}","expires_at":9,"signature":"{}"}}"#, "A".repeat(86));
    let proof = format!(
        r#"{{"message":"{message}","pin":"{pin}","machine":"{machine}","epoch":0,"key":"{key}","signed":{signed}}}"#
    );
    let caller =
        r#"{"do":"ask","text":"Deploy?","detail":"one","timeout_seconds":60,"fresh":"AQEBAQEBAQEBAQEBAQEBAQ"}"#;
    let inbox = format!(r#"{{"asks":[{{"message":"{message}","left_ms":5}}]}}"#);
    for (name, kind, text) in [
        ("caller", 0, format!("{caller}\n")),
        ("caller-notify", 0, "{\"do\":\"notify\",\"text\":\"done\"}\n".to_owned()),
        ("caller-else", 0, "{\"do\":\"status\"}\n".to_owned()),
        ("device-sent", 1, message.clone()),
        ("device", 2, shown.to_owned()),
        ("device-hostile", 2, shown.replace("Deploy?", "De\u{202E}ploy\\u001b[2J").replace("one", "a\u{200B}")),
        ("yes-sent", 3, message),
        ("yes", 4, shown.to_owned()),
        ("proof", 5, proof),
        ("inbox", 6, inbox),
        (
            "waiting",
            7,
            r#"[{"kind":"ask","id":"k7pq2abc"},{"kind":"join","id":"aaaaaaaa"},{"kind":"x","id":""}]"#.into(),
        ),
    ] {
        keep("asks", name, &[&[kind], text.as_bytes()].concat());
    }
    let line = format!("pairpin-approver-1 {machine} {key} Ana's phone");
    for (name, text) in [
        ("one", line.clone()),
        ("two", format!("# whom root believes\n\n{line}\r\n  {line} 2\n")),
        ("unnamed", line.replace(" Ana's phone", "")),
        ("newer", line.replace("-1 ", "-2 ")),
        ("cut", line[..60].to_owned()),
    ] {
        keep("approvers", name, text.as_bytes());
    }
}

fn stored() {
    use base64::Engine as _;
    let key = include_str!("../src/session-key.txt").trim();
    keep("stored", "key", &[&[0], &base64::engine::general_purpose::STANDARD.decode(key).unwrap()[..]].concat());
    for (name, text) in
        [("code", "1234 5678"), ("address", "[fd7a::7]:7747"), ("role", "owner"), ("name", "  My \t phone\r\n")]
    {
        keep("stored", name, &[&[1], text.as_bytes()].concat());
    }
    let secret = "IiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiI";
    let short = format!(r#"{{"v":1,"tokens":["{secret}"],"recognition_key":"{secret}"}}"#);
    let long = format!(
        r#"{{"v":1,"tokens":["{secret}","{secret}"],"recognition_key":"{secret}","digits":"1234","offer":"smcUd9Qk-h4","acknowledged":true,"repin":{{"offer":"smcUd9Qk-h4","pin":"{secret}"}}}}"#
    );
    keep("stored", "record", &[&[2], short.as_bytes()].concat());
    keep("stored", "record-of-all", &[&[3], long.as_bytes()].concat());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
    keep("stored", "pem", &[&[4], pem.as_bytes()].concat());
    keep("stored", "pem-cut", &[&[5], &pem.as_bytes()[..80]].concat());
}

fn rows() {
    // A device, its token, a tombstone, then the machine's and the device's other tables.
    let plain: Vec<u8> = [0, 1, 2, 3, 4, 5].iter().flat_map(|table| [*table, 1, 0]).collect();
    keep("rows", "plain", &plain);
    // The same key under another id, as a row and as a tombstone.
    let other_id = [0, 2, 1, 0, 7, 1, 9];
    keep("rows", "another-id", &other_id);
    keep("rows", "another-tombstone", &[2, 2, 1, 0, 7, 1, 9]);
    keep("rows", "another-role", &[0, 1, 1, 5, 6, 3, 0, 1, 1, 5, 6, 4]);
    keep(
        "rows",
        "far-times",
        &[
            0, 1, 2, 15, 1, 127, 255, 255, 255, 255, 255, 255, 255, 13, 1, 127, 255, 255, 255, 255, 255, 255, 255, 1,
            1, 0,
        ],
    );
    // Device 3 was revoked: its row comes back, under its id and under another.
    keep("database", "revoked-row", &[0, 0, 3, 0]);
    keep("database", "revoked-row-of-another-id", &[0, 0, 3, 1, 0, 7, 1, 9]);
    keep("database", "raised-role", &[0, 0, 2, 1, 5, 6, 0]);
    keep("database", "nothing", &[0]);
    keep("database", "a-byte-of-the-header", &[1, 0, 20, 1]);
    keep("database", "a-byte-of-a-page", &[1, 16, 5, 1, 32, 7, 255]);
}

fn jpeg() -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture =
        image::GrayImage::from_fn(24, 24, |x, y| image::Luma([if (x / 3 + y / 3) % 2 == 0 { 0 } else { 255 }]));
    image::codecs::jpeg::JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
    bytes
}

fn read(vector: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(vector);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn keep(target: &str, name: &str, input: &[u8]) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), input).unwrap();
}
