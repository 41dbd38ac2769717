//! An established session: what the machine says on it, until it ends. `watch` keeps it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Client;
use super::error::Told;
use super::live::Served;
use super::machines::MachineState;
use super::resume::Session;
use super::standing;
use super::watch::Wish;
use crate::net::socket::Incoming;
use crate::wire::{Address, CloseCode, Closing, DeviceEvent, Frame, Rotate, limits};

/// After the device's network has changed: how long an answer to a ping may take before the
/// connection counts as lost with the old network.
const PROBE_TIME: Duration = Duration::from_secs(3);

/// Addresses that the machine tells are written once in this time, the newest: a write waits for the disk, and
/// how often the machine tells some is the machine's choice. An honest one looks every 30 s.
const HINT_PAUSE: Duration = Duration::from_secs(10);

/// JSON-RPC 2.0 section 5.1.
const METHOD_NOT_FOUND: i64 = -32601;

/// How a session ended.
pub(super) enum End {
    /// The handle wished something else.
    Wished,
    /// It is over, and this is how the machine stands now.
    Over(MachineState),
}

/// Where the machine said last that it can be reached, until that is written.
struct Hint {
    newest: Option<Vec<Address>>,
    due: Instant,
}

impl Client {
    /// Stays on a session until it ends. The socket keeps its own heartbeat.
    pub(super) async fn stay(
        &self,
        row: i64,
        session: Session,
        wish: &mut watch::Receiver<Wish>,
        served: Served,
    ) -> End {
        let mut hint = Hint { newest: None, due: Instant::now() };
        let mut heard = standing::Heard::new();
        let end = self.listen(row, session, wish, (&mut hint, &mut heard), served).await;
        self.store(row, &mut hint).await;
        // Of a machine that has revoked this device nothing is kept.
        if heard.waits() && !matches!(end, End::Over(MachineState::Revoked(_))) {
            self.keep_heard(row, &mut heard).await;
        }
        end
    }

    /// Writes the newest addresses, if they are others than the row's.
    async fn store(&self, row: i64, hint: &mut Hint) {
        let Some(addresses) = hint.newest.take() else { return };
        hint.due = Instant::now() + HINT_PAUSE;
        // A hint that cannot be stored is no reason to end the session.
        let _ = self.durable(move |ledger| ledger.addresses(row, &addresses)).await;
    }

    async fn listen(
        &self,
        row: i64,
        mut session: Session,
        wish: &mut watch::Receiver<Wish>,
        (hint, heard): (&mut Hint, &mut standing::Heard),
        mut served: Served,
    ) -> End {
        let mut probe: Option<Instant> = None;
        loop {
            let deadline = probe.unwrap_or_else(|| Instant::now() + limits::HEARTBEAT * 4);
            let incoming = tokio::select! {
                incoming = session.socket.recv() => incoming,
                () = sleep_until(deadline), if probe.is_some() => {
                    return self.lost(row, "the connection did not survive the change of network").await;
                }
                () = sleep_until(hint.due), if hint.newest.is_some() => {
                    self.store(row, hint).await;
                    continue;
                }
                () = sleep_until(heard.due), if heard.waits() => {
                    self.keep_heard(row, heard).await;
                    continue;
                }
                request = served.next() => {
                    if session.socket.send(request).await.is_err() {
                        return self.lost(row, "the connection was lost").await;
                    }
                    continue;
                }
                changed = wish.changed() => {
                    let wished = *wish.borrow_and_update();
                    if changed.is_err() || wished.cancelled || wished.paused {
                        session.close().await;
                        return End::Wished;
                    }
                    probe.get_or_insert(Instant::now() + PROBE_TIME);
                    if session.socket.ping().await.is_err() {
                        return self.lost(row, "the connection did not survive the change of network").await;
                    }
                    continue;
                }
            };
            probe = None;
            match incoming {
                Ok(Some(Incoming::Frame(Frame::Closing(closing)))) => return self.closing(row, &closing).await,
                Ok(Some(Incoming::Frame(Frame::Addresses(addresses)))) => hint.newest = Some(addresses),
                Ok(Some(Incoming::Frame(Frame::Answer { id, result }))) => {
                    served.answered(id, result.map_err(|(code, _)| code));
                }
                Ok(Some(Incoming::Frame(Frame::Event(event)))) => {
                    if let DeviceEvent::KeyRotated { rotate } = &event {
                        self.follow(row, rotate.clone()).await;
                    }
                    heard.take(&event);
                    served.tell(event);
                }
                Ok(Some(Incoming::Frame(Frame::Request { id, .. }))) => {
                    let result = Err((METHOD_NOT_FOUND, "this device does not know that request".to_owned()));
                    if session.socket.send(Frame::Answer { id, result }).await.is_err() {
                        return self.lost(row, "the connection was lost").await;
                    }
                }
                Ok(Some(Incoming::Closed { .. }) | None) => {
                    return self.lost(row, "the machine closed the connection").await;
                }
                Ok(Some(_)) => {}
                Err(error) => {
                    if error.is_breach() {
                        session.socket.close(CloseCode::Protocol, "").await;
                    }
                    return self.lost(row, &error.to_string()).await;
                }
            }
        }
    }

    /// The machine's key was changed. One that does not hold is nothing that happened: this connection goes on, and
    /// the next one proves whose key it is.
    pub(super) async fn follow(&self, row: i64, rotate: Box<Rotate>) {
        match self.durable(move |ledger| ledger.rotated(row, &rotate)).await {
            Ok(_) => {}
            // What is not stored now comes again with the next welcome.
            Err(error) => tracing::warn!(%error, "a change of a machine's key was not followed"),
        }
    }

    async fn closing(&self, row: i64, closing: &Closing) -> End {
        let told = Told::of(&closing.by, Some(closing.at), &closing.reason);
        match closing.code {
            CloseCode::Revoked => {
                let erased = told.clone();
                let stored = self
                    .durable(move |ledger| {
                        let row = ledger.row(row)?;
                        ledger.revoked(&row, &erased)
                    })
                    .await;
                match stored {
                    Ok(()) => End::Over(MachineState::Revoked(told)),
                    Err(error) => End::Over(MachineState::after(&error, None)),
                }
            }
            CloseCode::Suspended => {
                self.lost(row, "this device was suspended").await;
                End::Over(MachineState::Suspended(told))
            }
            CloseCode::Expired => {
                self.lost(row, "the session has expired").await;
                End::Over(MachineState::Expired { why: "the session has expired, scan a fresh offer".to_owned() })
            }
            // The next dial meets another key, and says so.
            CloseCode::KeyReplaced => {
                self.lost(row, "its key was replaced because others may know it: scan a new offer from its own screen")
                    .await
            }
            CloseCode::Stopping => self.lost(row, "the machine stopped").await,
            CloseCode::Replaced => self.lost(row, "this device has too many connections to the machine").await,
            CloseCode::Protocol | CloseCode::Unknown => self.lost(row, "the machine closed the connection").await,
        }
    }

    /// Records that the machine is offline from now on.
    async fn lost(&self, row: i64, why: &str) -> End {
        let (since, reason) = (self.inner.clock.wall_ms(), why.to_owned());
        // The list is a little less right if this fails; the next dial writes it again.
        let _ = self.durable(move |ledger| ledger.offline(row, since, &reason)).await;
        End::Over(MachineState::Offline { since: Some(since), why: Some(why.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::{SinkExt as _, StreamExt as _};
    use rusqlite::Connection;
    use tokio::io::{DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::Role as Side;

    use super::super::config::ClientConfig;
    use super::super::fakes::MemoryStore;
    use super::super::ledger::Pairing;
    use super::super::live;
    use super::*;
    use crate::handshake::KnownKeys;
    use crate::identity::{MachineId, Pin};
    use crate::net::socket::Socket;
    use crate::role::Role;
    use crate::wire::{VERSION, Welcome};

    fn list(number: u16) -> Vec<Address> {
        let [high, low] = number.to_be_bytes();
        vec![format!("10.0.{high}.{low}").parse().unwrap()]
    }

    /// A device with a row and a session, and the database looked at from beside: it counts writes of addresses.
    struct Scene {
        client: Client,
        row: i64,
        session: Session,
        beside: Connection,
        _dir: tempfile::TempDir,
    }

    async fn scene() -> (Scene, DuplexStream) {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let store = Arc::new(MemoryStore::default());
        let config = ClientConfig::new(state.clone(), store, "laptop".into(), "test".into());
        let client = Client::open(config).unwrap();
        let pairing = Pairing {
            pin: Pin::from_bytes([1; 32]),
            offer: None,
            machine: MachineId::from_bytes([1; 16]),
            name: "homebox".into(),
            platform: "test".into(),
            role: Role::Owner,
            address: "10.0.0.1".parse().unwrap(),
            addresses: list(0),
            replaces: None,
        };
        let prepared = client.durable(move |ledger| ledger.prepare(&pairing)).await.unwrap();
        let beside = Connection::open(state.join("device.db")).unwrap();
        let counted = "CREATE TABLE written (list TEXT);
                       CREATE TRIGGER noted AFTER UPDATE OF addresses ON machines
                       BEGIN INSERT INTO written VALUES (NEW.addresses); END";
        beside.execute_batch(counted).unwrap();
        let welcome = Welcome {
            version: VERSION,
            role: Role::Owner,
            name: "homebox".into(),
            device_name: "laptop".into(),
            addresses: Vec::new(),
            token: None,
            next_pin: Pin::from_bytes([2; 32]),
            epoch: 0,
            counter: 0,
            idle_seconds: 60,
            expires_at: i64::MAX,
            approvals: Vec::new(),
            approval_key: None,
            approval_guard: None,
            unsettled: false,
            standing: None,
            rotated: None,
        };
        let (ours, theirs) = duplex(64 * 1024);
        let socket = Socket::device(Box::new(ours)).await;
        let keys = KnownKeys {
            machine: MachineId::from_bytes([1; 16]),
            pin: Pin::from_bytes([1; 32]),
            next_pin: None,
            epoch: 0,
        };
        let session = Session { socket, welcome, address: "10.0.0.1".parse().unwrap(), keys };
        let scene = Scene { client, row: prepared.row.row, session, beside, _dir: dir };
        (scene, theirs)
    }

    fn written(beside: &Connection) -> Vec<Vec<Address>> {
        let mut statement = beside.prepare("SELECT list FROM written").unwrap();
        let lists = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        lists.map(|list| serde_json::from_str(&list.unwrap()).unwrap()).collect()
    }

    /// The machine says these, and then it goes.
    fn tells(machine: DuplexStream, lists: impl Iterator<Item = u16> + Send + 'static) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut machine = Socket::machine(Box::new(machine)).await;
            for number in lists {
                machine.send(Frame::Addresses(list(number))).await.unwrap();
            }
            machine.close(CloseCode::Stopping, "").await;
        })
    }

    /// Stays to the end; what was written, and what stands in the row.
    async fn to_the_end(scene: Scene) -> (Vec<Vec<Address>>, Vec<Address>) {
        let Scene { client, row, session, beside, _dir } = scene;
        let (_wish, mut wished) = watch::channel(Wish::default());
        let stored = client.durable(move |ledger| ledger.row(row)).await.unwrap();
        let served = live::silent(stored.device_id, &session);
        let end = client.stay(row, session, &mut wished, served).await;
        assert!(matches!(end, End::Over(MachineState::Offline { .. })));
        (written(&beside), client.durable(move |ledger| ledger.row(row)).await.unwrap().addresses)
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_tells_its_addresses_thousands_of_times_costs_a_write_or_two_and_the_newest_stands() {
        let (scene, machine) = scene().await;
        let telling = tells(machine, 1..=5000);
        let (written, row) = to_the_end(scene).await;
        telling.await.unwrap();
        assert!(written.len() <= 2, "{} writes", written.len());
        assert_eq!(row, list(5000));
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_that_are_known_are_not_written_again() {
        let (scene, machine) = scene().await;
        let telling = tells(machine, std::iter::repeat_n(0, 100));
        assert_eq!(to_the_end(scene).await, (Vec::new(), list(0)));
        telling.await.unwrap();
    }

    /// The control: what changes at its own pace is written while the connection lives, each time.
    #[tokio::test(start_paused = true)]
    async fn a_machine_that_moves_now_and_then_is_followed_while_it_is_connected() {
        let (scene, machine) = scene().await;
        let mut machine = Socket::machine(Box::new(machine)).await;
        let beside = Connection::open(scene.beside.path().unwrap()).unwrap();
        let moving = tokio::spawn(async move {
            for (told, pause) in [(&[1][..], HINT_PAUSE / 2), (&[2, 3], 2 * HINT_PAUSE), (&[4], 2 * HINT_PAUSE)] {
                for number in told {
                    machine.send(Frame::Addresses(list(*number))).await.unwrap();
                }
                // Pings are answered meanwhile.
                let _ = tokio::time::timeout(pause, async { while machine.recv().await.is_ok() {} }).await;
            }
            let written = written(&beside);
            machine.close(CloseCode::Stopping, "").await;
            written
        });
        let (_, row) = to_the_end(scene).await;
        assert_eq!((moving.await.unwrap(), row), (vec![list(1), list(3), list(4)], list(4)));
    }

    #[tokio::test]
    async fn a_machine_that_says_what_nobody_can_read_is_told_so_with_the_close() {
        for message in [Message::text("hello"), Message::binary(vec![1]), Message::text("x".repeat(limits::FRAME + 1))]
        {
            let (scene, machine) = scene().await;
            let mut machine = WebSocketStream::from_raw_socket(machine, Side::Server, None).await;
            let said = tokio::spawn(async move {
                machine.send(message).await.unwrap();
                match machine.next().await {
                    Some(Ok(Message::Close(Some(close)))) => u16::from(close.code),
                    other => panic!("{other:?}"),
                }
            });
            to_the_end(scene).await;
            assert_eq!(said.await.unwrap(), CloseCode::Protocol.number());
        }
    }
}
