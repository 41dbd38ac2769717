//! The admin socket with a real host behind it: what a waiting `pair` holds ends with it, secrets
//! cross for it alone, and strangers to the protocol cost little.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pairpin_core::clock::SystemClock;
use pairpin_core::host::{Host, HostConfig};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use super::client::{AdminClient, Line, parse};
use super::protocol::{PairRequest, REQUEST, Request};
use super::socket::{AdminListener, connect};
use super::views::{AuditRecord, MachineRecord, OfferRecord, PairEvent};

const DEADLINE: Duration = Duration::from_secs(20);

struct Daemon {
    host: Host,
    client: AdminClient,
    admin: JoinHandle<()>,
    dir: tempfile::TempDir,
}

impl Daemon {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = dir.path().join("state");
        let host = Host::start(HostConfig {
            state_dir: state_dir.clone(),
            bind: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            port: 0,
            name: Some("homebox".into()),
            platform: "test".into(),
            advertise: Vec::new(),
            new_key: false,
            place: pairpin_core::host::Place::default(),
            join_from: Default::default(),
            clock: Arc::new(SystemClock),
        })
        .await
        .unwrap();
        let listener = AdminListener::bind(&state_dir).unwrap();
        let admin = tokio::spawn(super::server::run(listener, host.clone()));
        let client = AdminClient::find(&state_dir).await.unwrap().unwrap();
        Self { host, client, admin, dir }
    }

    fn state_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    async fn offers(&self) -> Vec<OfferRecord> {
        parse(self.client.ask(&Request::Offers).await.unwrap()).unwrap()
    }

    async fn stop(self) {
        self.admin.abort();
        let _ = self.admin.await;
        self.host.stop().await;
    }
}

fn pair(wait: bool) -> Request {
    Request::Pair(PairRequest { link: true, role: None, name: None, ttl_seconds: None, wait })
}

/// Waits for something that follows from an event without one of its own.
async fn until<F: AsyncFnMut() -> bool>(mut condition: F) {
    let waiting = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap();
}

async fn raw(state_dir: &Path, bytes: &[u8]) -> String {
    let mut stream = connect(state_dir).await.unwrap().unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = String::new();
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn an_offer_ends_with_the_connection_that_waits_for_it() {
    let daemon = Daemon::start().await;
    let mut replies = daemon.client.send(&pair(true)).await.unwrap();
    let first = replies.next::<PairEvent, Value>().await.unwrap();
    assert!(matches!(first, Line::Event(PairEvent::Offer(offer)) if offer.link.is_some() && offer.code.is_some()));
    assert_eq!(daemon.offers().await.len(), 1);
    drop(replies);
    until(async || daemon.offers().await.is_empty()).await;
    // The control: one that nobody waits for stays.
    daemon.client.ask(&pair(false)).await.unwrap();
    assert_eq!(daemon.offers().await.len(), 1);
    daemon.stop().await;
}

#[tokio::test]
async fn a_waiting_pair_hears_of_its_withdrawal() {
    let daemon = Daemon::start().await;
    let mut replies = daemon.client.send(&pair(true)).await.unwrap();
    let Line::Event(PairEvent::Offer(offer)) = replies.next::<PairEvent, PairEvent>().await.unwrap() else {
        panic!("no offer");
    };
    daemon.client.ask(&Request::CancelOffer { number: offer.number }).await.unwrap();
    let last = tokio::time::timeout(DEADLINE, replies.next::<PairEvent, PairEvent>()).await.unwrap().unwrap();
    assert!(matches!(last, Line::Last(PairEvent::Withdrawn)), "{last:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn secrets_cross_only_for_the_pair_that_minted_them() {
    let daemon = Daemon::start().await;
    let minted = daemon.client.ask(&pair(false)).await.unwrap();
    let (link, code) = (minted["link"].as_str().unwrap(), minted["code"].as_str().unwrap());
    for request in [Request::Status, Request::Offers, Request::Devices, Request::Audit { lines: 100 }] {
        let answer = daemon.client.ask(&request).await.unwrap().to_string();
        assert!(!answer.contains(link) && !answer.contains(code), "{request:?}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_not_a_request_is_told_so_and_ends_there() {
    let daemon = Daemon::start().await;
    let state_dir = daemon.state_dir();
    assert!(raw(&state_dir, b"hello\n").await.contains("error"));
    assert!(raw(&state_dir, &vec![b'x'; 3 * REQUEST]).await.len() < 400);
    let two = b"{\"do\":\"cancel-offers\"}\n{\"do\":\"status\"}\n";
    assert_eq!(raw(&state_dir, two).await.lines().count(), 1, "one request a connection");
    let status: MachineRecord = parse(daemon.client.ask(&Request::Status).await.unwrap()).unwrap();
    assert!(status.daemon.is_some_and(|daemon| daemon.name == "homebox" && daemon.loopback_only));
    daemon.stop().await;
}

#[tokio::test]
async fn the_log_is_followed_from_where_it_was_read() {
    let daemon = Daemon::start().await;
    daemon.client.ask(&Request::ResetClock).await.unwrap();
    let mut replies = daemon.client.send(&Request::FollowAudit { after: 0 }).await.unwrap();
    let mut next = async || match tokio::time::timeout(DEADLINE, replies.next::<AuditRecord, ()>()).await.unwrap() {
        Ok(Line::Event(line)) => line.seq,
        other => panic!("{other:?}"),
    };
    let first = next().await;
    daemon.client.ask(&Request::ResetClock).await.unwrap();
    assert_eq!(next().await, first + 1);
    daemon.stop().await;
}

#[tokio::test]
async fn clients_beyond_the_cap_are_turned_away_and_cost_nobody_else() {
    let daemon = Daemon::start().await;
    let mut waiting = Vec::new();
    for _ in 0..super::server::CLIENTS {
        let mut replies = daemon.client.send(&Request::FollowAudit { after: i64::MAX }).await.unwrap();
        // Alive: nothing comes, and it is not closed.
        assert!(tokio::time::timeout(Duration::from_millis(1), replies.next::<Value, Value>()).await.is_err());
        waiting.push(replies);
    }
    assert!(daemon.client.ask(&Request::Status).await.is_err());
    waiting.clear();
    until(async || daemon.client.ask(&Request::Status).await.is_ok()).await;
    daemon.stop().await;
}
