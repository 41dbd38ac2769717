//! A device made of the handshake's parts and real sockets, step by step, so that a test can leave
//! out, repeat or falsify any of them; and a host with clocks that a test sets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use pairpin_core::clock::{Clock, SystemClock};
use pairpin_core::handshake::*;
use pairpin_core::host::*;
use pairpin_core::identity::{DeviceId, KeyPair};
use pairpin_core::link::Link;
use pairpin_core::net::dial::{Dialled, Timeouts, dial};
use pairpin_core::net::socket::{Incoming, Socket};
use pairpin_core::net::tls::PinCheck;
use pairpin_core::net::upgrade::{Response, request};
use pairpin_core::secrets::{KeyKind, RecognitionKey, Secret, TypedCode};
use pairpin_core::token::SessionToken;
use pairpin_core::wire::*;

/// The system's clocks, with what a test adds.
#[derive(Default)]
pub struct TestClock {
    elapsed_ms: AtomicU64,
    wall_ms: AtomicI64,
}

impl TestClock {
    /// Both clocks go on by so much.
    pub fn pass(&self, time: Duration) {
        self.elapsed_ms.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
        self.leap(time.as_millis() as i64);
    }

    /// The wall clock alone jumps.
    pub fn leap(&self, ms: i64) {
        self.wall_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn elapsed(&self) -> Duration {
        SystemClock.elapsed() + Duration::from_millis(self.elapsed_ms.load(Ordering::Relaxed))
    }

    fn wall_ms(&self) -> i64 {
        SystemClock.wall_ms() + self.wall_ms.load(Ordering::Relaxed)
    }
}

pub async fn start(dir: &Path, clock: &Arc<TestClock>) -> Host {
    try_start(dir, clock).await.unwrap()
}

pub async fn try_start(dir: &Path, clock: &Arc<TestClock>) -> Result<Host, HostError> {
    start_with(dir, clock, false).await
}

/// A key is lost: what is missing is made anew.
pub async fn start_anew(dir: &Path, clock: &Arc<TestClock>) -> Result<Host, HostError> {
    start_with(dir, clock, true).await
}

async fn start_with(dir: &Path, clock: &Arc<TestClock>, new_key: bool) -> Result<Host, HostError> {
    let clock: Arc<dyn Clock> = clock.clone();
    Host::start(HostConfig {
        state_dir: dir.to_owned(),
        bind: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        port: 0,
        name: Some("homebox".into()),
        platform: "test".into(),
        advertise: vec![],
        new_key,
        place: pairpin_core::host::Place::default(),
        join_from: "loopback".parse().unwrap(),
        clock,
    })
    .await
}

pub fn offer(host: &Host) -> NewOffer {
    host.create_offer(OfferRequest { link: true, code: true, ..OfferRequest::default() }).unwrap()
}

/// A host with a state directory and clocks of its own.
pub struct Machine {
    pub dir: tempfile::TempDir,
    pub clock: Arc<TestClock>,
    pub host: Host,
}

impl Machine {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock::default());
        let host = start(&dir.path().join("state"), &clock).await;
        Self { dir, clock, host }
    }

    pub async fn restart(&mut self) {
        self.host.stop().await;
        self.host = start(&self.dir.path().join("state"), &self.clock).await;
    }

    /// Asks the database beside the running host.
    pub fn count(&self, sql: &str) -> i64 {
        let conn = rusqlite::Connection::open(self.dir.path().join("state").join(DATABASE_FILE)).unwrap();
        conn.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// What a device has after pairing.
pub struct Device {
    pub key: KeyPair,
    pub name: String,
}

/// What a paired device keeps.
#[derive(Clone)]
pub struct Session {
    pub device: DeviceId,
    pub token: SessionToken,
    pub r: RecognitionKey,
}

/// How a step ended without success.
#[derive(Debug, PartialEq)]
pub enum Refused {
    Stranger,
    Told(RefusalCode),
}

impl Device {
    pub fn new(name: &str) -> Self {
        Self { key: KeyPair::generate().unwrap(), name: name.into() }
    }

    pub fn id(&self) -> DeviceId {
        DeviceId::of(&self.key.public_key().unwrap())
    }

    pub fn details(&self) -> DeviceDetails {
        DeviceDetails {
            key: self.key.public_key().unwrap(),
            key_kind: KeyKind::File,
            name: self.name.clone(),
            platform: "test".into(),
        }
    }

    /// Sends Proof; the machine's answer is not read yet.
    pub async fn prove(&self, link: &Link) -> (Dialled, Response, AwaitGrant) {
        let mut dialled = connect(&link.addresses, PinCheck::Prefix(link.pin)).await;
        let draft = ScanDraft::new(&dialled.channel, MacKey::of_offer(&link.secret), &self.details()).unwrap();
        let signature = self.key.sign(&draft.to_sign()).unwrap();
        let (envelope, wait) = draft.signed(signature);
        let response = request(&mut dialled.stream, Flow::Scan, &envelope).await.unwrap();
        (dialled, response, wait)
    }

    /// Goes as far as the Grant, without acknowledging.
    pub async fn get_grant(&self, link: &Link) -> Result<(Socket, GrantReceived), Refused> {
        let (dialled, response, wait) = self.prove(link).await;
        match response {
            Response::Switched => {}
            Response::Refused(envelope) => return Err(Refused::Told(wait.refused(&envelope).unwrap().code)),
            _ => return Err(Refused::Stranger),
        }
        let mut socket = Socket::device(dialled.stream).await;
        let Frame::Handshake(envelope) = next_frame(&mut socket).await.unwrap() else { panic!("no Grant") };
        Ok((socket, wait.receive(&envelope).unwrap()))
    }

    /// Pairs, to the acknowledgement's answer.
    pub async fn pair(&self, link: &Link) -> Result<(Socket, Session, CheckDigits), Refused> {
        let (mut socket, received) = self.get_grant(link).await?;
        let session = session(&received);
        acknowledge(&mut socket, &received).await.unwrap();
        Ok((socket, session, received.digits))
    }

    /// Reconnects.
    pub async fn resume(&self, host: &Host, session: &Session) -> Result<(Socket, Welcome), Refused> {
        let mut dialled = connect(&addresses(host), PinCheck::Exact(vec![host.status().pin])).await;
        let draft = ResumeDraft::new(&dialled.channel, session.device, &session.token).unwrap();
        let signature = self.key.sign(&draft.to_sign()).unwrap();
        let (envelope, wait) = draft.signed(signature, &session.r);
        match request(&mut dialled.stream, Flow::Resume, &envelope).await.unwrap() {
            Response::Switched => {}
            Response::Refused(envelope) => return Err(Refused::Told(wait.refused(&envelope).unwrap().code)),
            _ => return Err(Refused::Stranger),
        }
        let mut socket = Socket::device(dialled.stream).await;
        let Frame::Handshake(envelope) = next_frame(&mut socket).await.unwrap() else { panic!("no welcome") };
        Ok((socket, wait.receive(&envelope).unwrap()))
    }

    /// Types a code; `None` where the machine closed without a word.
    pub async fn type_code(&self, host: &Host, code: &TypedCode) -> Option<(Socket, Session)> {
        let mut dialled = connect(&addresses(host), PinCheck::Provisional).await;
        let (envelope, wait) = CodeAwaitShare::start(&dialled.channel, code, &Secret::generate().unwrap()).unwrap();
        let Response::Switched = request(&mut dialled.stream, Flow::Code, &envelope).await.unwrap() else {
            return None;
        };
        let mut socket = Socket::device(dialled.stream).await;
        let Frame::Handshake(share) = next_frame(&mut socket).await? else { panic!("no share") };
        let draft = wait.receive(&share, &self.details()).unwrap();
        let signature = self.key.sign(&draft.to_sign()).unwrap();
        let (confirm, wait) = draft.signed(signature);
        socket.send(Frame::Handshake(confirm)).await.ok()?;
        let Frame::Handshake(machine) = next_frame(&mut socket).await? else { panic!("no confirmation") };
        let met = wait.receive(&machine).unwrap();
        let (proceed, wait) = met.proceed(&self.details()).unwrap();
        socket.send(Frame::Handshake(proceed)).await.unwrap();
        let Frame::Handshake(grant) = next_frame(&mut socket).await? else { panic!("no Grant") };
        let received = wait.receive(&grant).unwrap();
        acknowledge(&mut socket, &received).await.unwrap();
        Some((socket, session(&received)))
    }
}

pub fn session(received: &GrantReceived) -> Session {
    let grant = &received.grant;
    Session { device: grant.device, token: grant.token.clone(), r: grant.recognition_key.clone() }
}

pub async fn acknowledge(socket: &mut Socket, received: &GrantReceived) -> Option<Acknowledged> {
    let params = serde_json::to_value(received.acknowledge()).unwrap();
    socket.send(Frame::Request { id: 1, method: "acknowledge".into(), params }).await.ok()?;
    match next_frame(socket).await? {
        Frame::Answer { result: Ok(value), .. } => serde_json::from_value(value).ok(),
        _ => None,
    }
}

pub async fn connect(addresses: &[Address], check: PinCheck) -> Dialled {
    dial(addresses, check, Timeouts::default()).await.unwrap()
}

pub fn addresses(host: &Host) -> Vec<Address> {
    host.status().listening.into_iter().map(Address::from).collect()
}

/// The next frame, or `None` at the end of the connection. Five seconds are for ever here.
pub async fn next_frame(socket: &mut Socket) -> Option<Frame> {
    let next = async {
        loop {
            match socket.recv().await {
                Ok(Some(Incoming::Frame(frame))) => return Some(frame),
                Ok(Some(Incoming::Ping | Incoming::Pong)) => {}
                _ => return None,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), next).await.expect("no frame within 5 s")
}

/// The next event that `wanted` accepts.
pub async fn event<T>(watch: &mut OfferWatch, wanted: impl Fn(OfferEvent) -> Option<T>) -> T {
    let next = async {
        loop {
            if let Some(found) = wanted(watch.next().await) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), next).await.expect("no such event within 5 s")
}

/// Every event that is there already.
pub async fn events_so_far(host: &Host, offer: OfferNumber) -> Vec<OfferEvent> {
    let mut watch = host.watch_offer(offer).unwrap();
    let mut events = Vec::new();
    while let Ok(event) = tokio::time::timeout(Duration::from_millis(1), watch.next()).await {
        events.push(event);
    }
    events
}

/// Waits until the host has noticed that every connection is gone: one that lives counts as use.
pub async fn disconnected(host: &Host) {
    let mut events = host.events();
    let gone = async {
        while host.status().online > 0 {
            events.next().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("still connected after 5 s");
}
