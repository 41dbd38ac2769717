//! Who has proven nothing gets one answer, little room and little time, and keeps nobody out.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use pairpin_core::handshake::{AwaitPreview, HandBackDraft, MacKey, ResumeDraft, ScanDraft};
use pairpin_core::identity::DeviceId;
use pairpin_core::secrets::{OfferSecret, RecognitionKey, Secret};
use pairpin_core::wire::{Envelope, Flow};
use pairpin_tests::block_on;
use pairpin_tests::http::{GOOD_FIRST_LINE, good_headers, request};
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::{Answer, Identity, Peer, tcp_from, within};
use pairpin_tests::phone::Phone;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a stranger's request is answered with: the head, byte for byte, and the body's length.
async fn answer(address: SocketAddr, bytes: &[u8]) -> (String, usize) {
    match Peer::connect(address).await.unwrap().ask_bytes(bytes).await {
        Ok(Answer::Stranger(head, body)) => (head.raw, body),
        other => panic!("{:?} was answered with {other:?}", String::from_utf8_lossy(bytes)),
    }
}

type Headers = Vec<(String, String)>;

fn without(headers: &Headers, name: &str) -> Headers {
    headers.iter().filter(|(known, _)| known != name).cloned().collect()
}

fn with(headers: &Headers, name: &str, value: &str) -> Headers {
    let mut changed = without(headers, name);
    changed.push((name.to_owned(), value.to_owned()));
    changed
}

fn added(headers: &Headers, name: &str, value: &str) -> Headers {
    let mut changed = headers.clone();
    changed.push((name.to_owned(), value.to_owned()));
    changed
}

#[test]
fn every_refusal_of_a_stranger_is_the_same_to_the_byte() {
    let machine = Machine::started();
    let offer = machine.offer(&[]);
    let live = offer.link().secret;
    block_on(async {
        let peer = Peer::connect(machine.address).await.unwrap();
        let guess = OfferSecret::generate().unwrap();
        let (preview, _) = AwaitPreview::request(&peer.channel, MacKey::of_offer(&guess), None).unwrap();
        let good = good_headers(Flow::Preview, &preview);
        let shape = answer(machine.address, &request("GET /unknown HTTP/1.1", &good)).await;
        assert!(shape.0.starts_with("HTTP/1.1 404 Not Found\r\n"), "{}", shape.0);
        assert_eq!(shape.1, 0, "a stranger's answer has no body");

        let mut requests: Vec<Vec<u8>> = Vec::new();
        // Unknown offers, devices and codes, and proofs that do not hold.
        requests.push(request(GOOD_FIRST_LINE, &good));
        let phone = Identity::new("phone");
        for secret in [&guess, &live] {
            // A proof made for another connection: a replay.
            let (replayed, _) = AwaitPreview::request(&peer.channel, MacKey::of_offer(secret), None).unwrap();
            requests.push(request(GOOD_FIRST_LINE, &good_headers(Flow::Preview, &replayed)));
            let draft = ScanDraft::new(&peer.channel, MacKey::of_offer(secret), &phone.details).unwrap();
            let signature = phone.sign(&draft.to_sign());
            let (proof, _) = draft.signed(signature);
            requests.push(request(GOOD_FIRST_LINE, &good_headers(Flow::Scan, &proof)));
        }
        let unknown = DeviceId::of(&phone.details.key);
        let draft = ResumeDraft::new(&peer.channel, unknown, &Secret::generate().unwrap()).unwrap();
        let signature = phone.sign(&draft.to_sign());
        let (resume, _) = draft.signed(signature, &RecognitionKey::generate().unwrap());
        requests.push(request(GOOD_FIRST_LINE, &good_headers(Flow::Resume, &resume)));
        let draft = HandBackDraft::new(&peer.channel, unknown).unwrap();
        let signature = phone.sign(&draft.to_sign());
        let (hand_back, _) = draft.signed(signature, &RecognitionKey::generate().unwrap());
        requests.push(request(GOOD_FIRST_LINE, &good_headers(Flow::HandBack, &hand_back)));
        for flow in [Flow::Preview, Flow::Scan, Flow::Code, Flow::Join, Flow::Resume, Flow::HandBack] {
            let nonsense = Envelope::of_any(&"nonsense").unwrap();
            requests.push(request(GOOD_FIRST_LINE, &good_headers(flow, &nonsense)));
        }
        // What a web page or a rebound name would send, and what no device sends.
        for first in ["GET / HTTP/1.1", "GET /rpc?x HTTP/1.1", "POST /rpc HTTP/1.1", "GET http://pairpin/rpc HTTP/1.1"]
        {
            requests.push(request(first, &good));
        }
        for (name, value) in [
            ("Host", "homebox:7747"),
            ("Host", "127.0.0.1:7747"),
            ("Sec-WebSocket-Protocol", "chat"),
            ("Sec-WebSocket-Version", "8"),
            ("Upgrade", "h2c"),
            ("Pairpin-Flow", "unknown"),
            ("Pairpin-Message", "!!!"),
        ] {
            requests.push(request(GOOD_FIRST_LINE, &with(&good, name, value)));
            requests.push(request(GOOD_FIRST_LINE, &without(&good, name)));
        }
        for (name, value) in [
            ("Origin", "https://pairpin"),
            ("Origin", "null"),
            ("Host", "pairpin"),
            ("Pairpin-Flow", "preview"),
            ("Pairpin-Message", "AAAA"),
            ("Content-Length", "5"),
            ("Transfer-Encoding", "chunked"),
        ] {
            requests.push(request(GOOD_FIRST_LINE, &added(&good, name, value)));
        }
        requests.push(b"\r\n\r\n".to_vec());
        for bytes in &requests {
            let answered = answer(machine.address, bytes).await;
            assert_eq!(answered, shape, "another answer for {:?}", String::from_utf8_lossy(bytes));
        }
    });
    assert_eq!(machine.devices().len(), 0);
    // The control: none of this burnt the offer.
    Phone::pair(&machine, "phone", &offer).unwrap();
}

#[test]
fn a_preview_with_the_secret_is_answered_and_burns_nothing() {
    let machine = Machine::started();
    let offer = machine.offer(&[]);
    block_on(async {
        for _ in 0..3 {
            let peer = Peer::connect(machine.address).await.unwrap();
            let key = MacKey::of_offer(&offer.link().secret);
            let (request, wait) = AwaitPreview::request(&peer.channel, key, None).unwrap();
            match peer.ask(Flow::Preview, &request).await.unwrap() {
                Answer::Told(200, envelope) => assert_eq!(wait.receive(&envelope).unwrap().preview.name, "homebox"),
                other => panic!("{other:?}"),
            }
        }
    });
    Phone::pair(&machine, "phone", &offer).unwrap();
}

#[test]
fn tls_gives_no_ticket_to_resume_with() {
    let machine = Machine::started();
    block_on(async {
        let mut peer = Peer::connect(machine.address).await.unwrap();
        peer.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = within(peer.stream.read_to_end(&mut answer)).await.unwrap();
        assert!(!answer.is_empty());
        assert_eq!(peer.stream.get_ref().1.tls13_tickets_received(), 0);
    });
}

#[test]
fn what_is_not_tls_is_closed_and_hurts_nobody() {
    let machine = Machine::started();
    block_on(async {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"SSH-2.0-x\r\n", &[0; 4000], &[0xff; 20_000]] {
            let mut stream = TcpStream::connect(machine.address).await.unwrap();
            let _ = stream.write_all(bytes).await;
            let mut answer = Vec::new();
            let _ = within(stream.read_to_end(&mut answer)).await.unwrap();
            assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "an answer in the clear: {answer:?}");
        }
    });
    Phone::paired(&machine, "phone");
}

#[test]
fn a_stranger_may_send_sixteen_kilobytes_and_no_more() {
    let machine = Machine::started();
    block_on(async {
        let mut peer = Peer::connect(machine.address).await.unwrap();
        let sent = async {
            let mut sent = 0_usize;
            peer.stream.write_all(b"GET /rpc HTTP/1.1\r\nX: ").await?;
            loop {
                peer.stream.write_all(&[b'x'; 1024]).await?;
                peer.stream.flush().await?;
                sent += 1024;
                // Far more than the limit and every buffer in between: it is not going to stop us.
                if sent > 64 * 1024 * 1024 {
                    return Ok::<_, io::Error>(sent);
                }
            }
        };
        let ended = within(sent).await.unwrap();
        assert!(ended.is_err(), "{ended:?} bytes were taken from a stranger");
    });
}

#[test]
fn a_silent_stranger_is_sent_away_after_ten_seconds() {
    let machine = Machine::started();
    block_on(async {
        let began = Instant::now();
        let mut tcp = TcpStream::connect(machine.address).await.unwrap();
        let mut peer = Peer::connect(machine.address).await.unwrap();
        let mut byte = [0];
        let _ = within(tcp.read(&mut byte)).await.unwrap();
        let _ = within(peer.stream.read(&mut byte)).await.unwrap();
        let took = began.elapsed();
        assert!(took > Duration::from_secs(5), "sent away after {took:?}: too early for a slow network");
        assert!(took < Duration::from_secs(20), "a silent stranger stayed for {took:?}");
    });
}

#[test]
fn a_crowd_of_silent_strangers_keeps_no_device_out() {
    let machine = Machine::started();
    let mut phone = Phone::paired(&machine, "phone");
    let crowd = block_on(async {
        let mut crowd = Vec::new();
        // More than the cap of all, from many sources, and more than the cap of one, from the
        // device's own address.
        for number in 0..96_u8 {
            crowd.push(tcp_from(Ipv4Addr::new(127, 0, 9, number + 1), machine.address).await.unwrap());
        }
        for _ in 0..16 {
            crowd.push(TcpStream::connect(machine.address).await.unwrap());
        }
        crowd.into_iter().map(|stream| stream.into_std().unwrap()).collect::<Vec<_>>()
    });
    let began = Instant::now();
    assert!(phone.is_welcome(&machine));
    Phone::paired(&machine, "another");
    assert!(began.elapsed() < Duration::from_secs(8), "it waited for the strangers to be sent away");
    drop(crowd);
}

#[test]
fn who_has_begun_to_speak_is_not_sent_away_for_the_silent() {
    let machine = Machine::started();
    let offer = machine.offer(&[]);
    block_on(async {
        // It has done TLS and is thinking; then silent ones come from its own address and others.
        let peer = Peer::connect(machine.address).await.unwrap();
        // The end of its handshake was on the way: the machine has read it when it has answered another
        // that came later.
        let later = Peer::connect_from(Ipv4Addr::new(127, 0, 12, 2), machine.address).await.unwrap();
        assert!(later.ask_bytes(b"GET / HTTP/1.1\r\n\r\n").await.is_ok());
        let mut crowd = Vec::new();
        for number in 0..96_u8 {
            crowd.push(tcp_from(Ipv4Addr::new(127, 0, 11, number + 1), machine.address).await.unwrap());
            crowd.push(TcpStream::connect(machine.address).await.unwrap());
        }
        // All of them have arrived at the machine: it answers one that came after them.
        let last = Peer::connect_from(Ipv4Addr::new(127, 0, 12, 1), machine.address).await.unwrap();
        assert!(last.ask_bytes(b"GET / HTTP/1.1\r\n\r\n").await.is_ok());
        let key = MacKey::of_offer(&offer.link().secret);
        let (request, _) = AwaitPreview::request(&peer.channel, key, None).unwrap();
        let answered = peer.ask(Flow::Preview, &request).await;
        assert!(matches!(answered, Ok(Answer::Told(200, _))), "{answered:?}");
    });
}

#[test]
fn a_crowd_of_strangers_does_not_cut_a_paired_device() {
    let machine = Machine::started();
    let phone = Identity::new("phone");
    let secret = machine.offer(&[]).link().secret;
    block_on(async {
        let peer = Peer::connect(machine.address).await.unwrap();
        let (_, mut session) = phone.pair(peer, &secret).await.unwrap();
        for number in 0..200_u8 {
            // Held to the end of its turn only: each is new to the machine.
            let _ = tcp_from(Ipv4Addr::new(127, 0, 10, number + 1), machine.address).await.unwrap();
        }
        // An answer of any kind shows that the connection lives.
        session.call("unknown", serde_json::Value::Null).await.unwrap().unwrap_err();
        assert_eq!(machine.only_device()["connected"], 1);
    });
}
