//! A kept connection that is also asked: what passes between the task that holds it and whoever asks.
//!
//! `watch` opens a [`Line`] for each connection it makes and `connection` serves it; a
//! [`MachineSession`](super::MachineSession) over it asks as over a connection of its own, so a phone needs one
//! connection for all. When the connection ends, so does its line: what was asked on it is told so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::error::ClientError;
use super::line;
use super::resume::Session;
use super::session::Standing;
use crate::handshake::KnownKeys;
use crate::identity::DeviceId;
use crate::wire::{DeviceEvent, Frame, WaitingApproval};

/// Requests that wait for their answer, at most; and those that wait to be sent.
const PENDING: usize = 32;
/// Events that a listener may be behind; more are told as missed.
const EVENTS: usize = 256;

/// What a request comes to: the machine's result or its error's number, or that the connection was lost.
type Answer = Result<Value, i64>;

/// A request on its way to the task that holds the connection.
struct Asked {
    method: String,
    params: Value,
    answer: oneshot::Sender<Answer>,
}

/// The asking end, for as long as its connection lives. Clones share it.
#[derive(Clone)]
pub(super) struct Line {
    /// The key that the machine has proven on it.
    pub(super) keys: KnownKeys,
    /// What waited when it connected.
    pub(super) waiting: Arc<[WaitingApproval]>,
    standing: Arc<Mutex<Standing>>,
    asked: mpsc::Sender<Asked>,
    told: broadcast::Sender<DeviceEvent>,
}

/// The serving end, beside the socket.
pub(super) struct Served {
    device: DeviceId,
    standing: Arc<Mutex<Standing>>,
    asked: mpsc::Receiver<Asked>,
    told: broadcast::Sender<DeviceEvent>,
    pending: BTreeMap<u64, oneshot::Sender<Answer>>,
    next: u64,
}

/// A line for the connection of `session`.
pub(super) fn open(device: DeviceId, session: &Session, told: broadcast::Sender<DeviceEvent>) -> (Line, Served) {
    let (line, served) = with(device, session.keys, Standing::of(&session.welcome), told);
    (Line { waiting: session.welcome.approvals.clone().into(), ..line }, served)
}

fn with(device: DeviceId, keys: KnownKeys, standing: Standing, told: broadcast::Sender<DeviceEvent>) -> (Line, Served) {
    let (sender, asked) = mpsc::channel(PENDING);
    let standing = Arc::new(Mutex::new(standing));
    let line = Line { keys, waiting: Arc::new([]), standing: Arc::clone(&standing), asked: sender, told: told.clone() };
    (line, Served { device, standing, asked, told, pending: BTreeMap::new(), next: 0 })
}

/// Where events go, for the life of a watch.
pub(super) fn events() -> broadcast::Sender<DeviceEvent> {
    broadcast::channel(EVENTS).0
}

/// The next event; what was lost because nobody read is told as missed. `None` once nobody tells any more.
pub(super) async fn next_event(told: &mut broadcast::Receiver<DeviceEvent>) -> Option<DeviceEvent> {
    match told.recv().await {
        Ok(event) => Some(event),
        Err(broadcast::error::RecvError::Lagged(_)) => Some(DeviceEvent::Missed),
        Err(broadcast::error::RecvError::Closed) => None,
    }
}

impl Line {
    /// Asks, and waits for the answer; `name` is for the error's text.
    pub(super) async fn ask(&self, name: &str, method: &str, params: Value) -> Result<Answer, ClientError> {
        let (answer, answered) = oneshot::channel();
        let asked = Asked { method: method.to_owned(), params, answer };
        let lost = || line::interrupted(name);
        line::in_time(name, async {
            self.asked.send(asked).await.map_err(|_| lost())?;
            answered.await.map_err(|_| lost())
        })
        .await?
    }

    /// What the machine says of this device.
    pub(super) fn standing(&self) -> Standing {
        *lock(&self.standing)
    }

    /// Something of it is another now.
    pub(super) fn change(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut lock(&self.standing));
    }

    /// Listens to what the machine tells from now on.
    pub(super) fn listen(&self) -> broadcast::Receiver<DeviceEvent> {
        self.told.subscribe()
    }
}

impl Served {
    /// The next request to be sent. Never ends: whoever asks may come later.
    pub(super) async fn next(&mut self) -> Frame {
        loop {
            // Whoever has stopped waiting needs no place.
            self.pending.retain(|_, answer| !answer.is_closed());
            if self.pending.len() >= PENDING {
                return std::future::pending().await;
            }
            match self.asked.recv().await {
                Some(asked) if asked.answer.is_closed() => {}
                Some(asked) => {
                    self.next += 1;
                    self.pending.insert(self.next, asked.answer);
                    return Frame::Request { id: self.next, method: asked.method, params: asked.params };
                }
                None => return std::future::pending().await,
            }
        }
    }

    /// Takes in an answer; one that nobody waits for is no matter.
    pub(super) fn answered(&mut self, id: u64, answer: Answer) {
        if let Some(waiting) = self.pending.remove(&id) {
            let _ = waiting.send(answer);
        }
    }

    /// Passes on what the machine tells; nobody has to listen.
    pub(super) fn tell(&self, event: DeviceEvent) {
        lock(&self.standing).took(self.device, &event);
        let _ = self.told.send(event);
    }
}

fn lock(standing: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(super) fn silent(device: DeviceId, session: &Session) -> Served {
    open(device, session, events()).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{MachineId, Pin};
    use crate::role::Role;

    fn line() -> (Line, Served) {
        let pin = Pin::from_bytes([1; 32]);
        let keys = KnownKeys { machine: MachineId::from_bytes([1; 16]), pin, next_pin: None, epoch: 0 };
        let standing = Standing { role: Role::Owner, enrolled: None, guard: None };
        with(device(), keys, standing, events())
    }

    fn device() -> DeviceId {
        DeviceId::from_bytes([2; 16])
    }

    #[tokio::test]
    async fn what_is_told_of_this_device_holds_for_the_line_from_then_on() {
        let (line, served) = line();
        let changed = |device| DeviceEvent::DeviceChanged {
            device,
            name: "phone".into(),
            role: Role::Viewer,
            suspended: false,
            approval: None,
            by: "x".into(),
            at: 0,
        };
        served.tell(changed(DeviceId::from_bytes([3; 16])));
        assert_eq!(line.standing().role, Role::Owner, "another device's");
        served.tell(changed(device()));
        assert_eq!(line.standing().role, Role::Viewer);
    }

    #[tokio::test]
    async fn an_answer_reaches_whoever_asked_in_whatever_order_they_come() {
        let (line, mut served) = line();
        let machine = tokio::spawn(async move {
            let (first, second) = (served.next().await, served.next().await);
            for frame in [second, first] {
                let Frame::Request { id, method, .. } = frame else { panic!("{frame:?}") };
                served.answered(id, Ok(Value::String(method)));
            }
            served.answered(99, Err(1));
        });
        let asked = |method: &'static str| {
            let line = line.clone();
            async move { line.ask("homebox", method, Value::Null).await.unwrap().unwrap() }
        };
        let (one, two) = tokio::join!(asked("one"), asked("two"));
        assert_eq!((one.as_str(), two.as_str()), (Some("one"), Some("two")));
        machine.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_ends_or_never_answers_is_told_to_whoever_waits() {
        let (one, served) = line();
        drop(served);
        assert!(matches!(one.ask("homebox", "x", Value::Null).await, Err(ClientError::Interrupted { .. })));
        let (silent, mut served) = line();
        let (answer, _) = tokio::join!(silent.ask("homebox", "x", Value::Null), served.next());
        assert!(matches!(answer, Err(ClientError::Interrupted { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_answers_nothing_is_not_sent_more_and_nothing_grows() {
        let (line, mut served) = line();
        let asking: Vec<_> = (0..3 * PENDING)
            .map(|_| {
                let line = line.clone();
                tokio::spawn(async move { line.ask("homebox", "x", Value::Null).await })
            })
            .collect();
        let mut sent = 0;
        while tokio::time::timeout(std::time::Duration::from_secs(1), served.next()).await.is_ok() {
            sent += 1;
        }
        assert_eq!(sent, PENDING);
        for asked in asking {
            assert!(asked.await.unwrap().is_err());
        }
        // Those who waited have gone: there is room again.
        let again = tokio::spawn(async move { line.ask("homebox", "again", Value::Null).await });
        let frame = served.next().await;
        assert!(matches!(&frame, Frame::Request { method, .. } if method == "again"), "{frame:?}");
        again.abort();
    }

    #[tokio::test]
    async fn a_listener_that_is_far_behind_is_told_that_it_missed_something() {
        let (line, served) = line();
        let (mut slow, mut quick) = (line.listen(), line.listen());
        for _ in 0..EVENTS + 5 {
            served.tell(DeviceEvent::Unknown);
            assert_eq!(next_event(&mut quick).await, Some(DeviceEvent::Unknown));
        }
        assert_eq!(next_event(&mut slow).await, Some(DeviceEvent::Missed));
        assert_eq!(next_event(&mut slow).await, Some(DeviceEvent::Unknown));
        drop((line, served));
    }
}
