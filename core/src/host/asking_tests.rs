//! Whether a device may answer is looked at again when its answer is written: what was right when it was
//! signed may have been overtaken. The statement's own check is tested over real connections (tests/asks.rs).

use std::sync::Arc;

use rusqlite::Connection;

use super::answering::decide;
use super::asking::AskWaiting;
use super::questions::Question;
use super::{Host, HostConfig};
use crate::clock::SystemClock;
use crate::identity::{DeviceId, PublicKey};
use crate::role::Role;
use crate::secrets::{KeyKind, RecognitionKey};
use crate::store::StoreError;
use crate::store::host::devices::{self, NewDevice, PairedHow};
use crate::store::host::tombstones;
use crate::wire::{ApprovalGuard, AskAnswered, AskClaimed, AskEnd, RequestError};

const KEY: PublicKey = PublicKey::from_bytes([9; 65]);

struct Scene {
    host: Host,
    device: DeviceId,
    _dir: tempfile::TempDir,
}

impl Scene {
    /// A machine with one operator that may answer.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = HostConfig {
            state_dir: dir.path().join("state"),
            bind: Some([127, 0, 0, 1].into()),
            port: 0,
            name: None,
            platform: "test".into(),
            advertise: Vec::new(),
            new_key: false,
            place: crate::host::Place::default(),
            join_from: Default::default(),
            clock: Arc::new(SystemClock),
        };
        let host = Host::start(config).await.unwrap();
        let new = NewDevice {
            session_key: PublicKey::from_bytes([1; 65]),
            name: "phone".into(),
            platform: "test".into(),
            role: Role::Operator,
            key_kind: KeyKind::File,
            recognition_key: RecognitionKey::from_bytes([1; 32]),
            paired_at: host.shared.now(),
            paired_how: PairedHow::Scan,
            paired_from: "127.0.0.1".into(),
            idle_seconds: 600,
            absolute_seconds: 6_000,
            let_in: None,
        };
        let device = DeviceId::of(&new.session_key);
        let scene = Self { host, device, _dir: dir };
        scene
            .change(move |connection| {
                devices::insert(connection, &new)?;
                devices::enrol(connection, &device, &KEY, ApprovalGuard::Nothing, 5).map(drop)
            })
            .await;
        scene
    }

    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) {
        self.host.shared.book.change(self.device, change).await.unwrap();
    }

    async fn ask(&self) -> AskWaiting {
        let claimed = AskClaimed { text: "Deploy?".into(), detail: None };
        self.host.ask(Question { claimed, ..Question::default() }).await.unwrap()
    }

    async fn answer(&self, ask: &AskWaiting, yes_by: Option<PublicKey>) -> Result<AskAnswered, RequestError> {
        decide(&self.host.shared, self.device, &ask.shown().id, yes_by, None).await
    }

    fn answers_written(&self) -> usize {
        let count = |connection: &Connection| {
            let sql = "SELECT count(*) FROM audit WHERE kind = 'answered'";
            Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?)
        };
        usize::try_from(self.host.shared.book.db().read_blocking(count).unwrap()).unwrap()
    }
}

#[tokio::test]
async fn a_device_that_lost_its_standing_meanwhile_has_said_nothing() {
    type Loss = fn(&Connection, DeviceId) -> Result<(), StoreError>;
    let losses: [(&str, Loss); 4] = [
        ("viewer", |connection, device| devices::set_role(connection, &device, Role::Viewer)),
        ("suspended", |connection, device| devices::suspend(connection, &device, 5, "theft").map(drop)),
        ("revoked", |connection, device| tombstones::bury(connection, &device, 5, "owner", None).map(drop)),
        ("another approval key", |connection, device| {
            devices::forget_approval_key(connection, &device)?;
            devices::enrol(connection, &device, &PublicKey::from_bytes([8; 65]), ApprovalGuard::Nothing, 6).map(drop)
        }),
    ];
    for (what, loss) in losses {
        let scene = Scene::new().await;
        let mut control = scene.ask().await;
        assert!(scene.answer(&control, Some(KEY)).await.unwrap().taken, "the control of {what}");
        assert_eq!(control.end().await, AskEnd::Yes { by: "phone".into() });
        let ask = scene.ask().await;
        let device = scene.device;
        scene.change(move |connection| loss(connection, device)).await;
        assert_eq!(scene.answer(&ask, Some(KEY)).await, Err(RequestError::Role), "{what}");
        assert_eq!(scene.host.asks().len(), 1, "it waits on: {what}");
        assert_eq!(scene.answers_written(), 1, "nothing was written: {what}");
        scene.host.stop().await;
    }
}

#[tokio::test]
async fn a_device_whose_revoke_could_not_be_stored_answers_nothing() {
    let scene = Scene::new().await;
    let ask = scene.ask().await;
    scene.host.shared.book.bar(scene.device);
    assert_eq!(scene.answer(&ask, Some(KEY)).await, Err(RequestError::Role));
    assert_eq!(scene.answer(&ask, None).await, Err(RequestError::Role));
    assert_eq!((scene.host.asks().len(), scene.host.answerers().paired), (1, 0));
    scene.host.stop().await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_is_none_and_the_ask_waits_on() {
    let scene = Scene::new().await;
    let mut ask = scene.ask().await;
    scene.change(|connection| Ok(connection.execute_batch("ALTER TABLE audit RENAME TO away")?)).await;
    assert_eq!(scene.answer(&ask, Some(KEY)).await, Err(RequestError::Failed));
    scene.change(|connection| Ok(connection.execute_batch("ALTER TABLE away RENAME TO audit")?)).await;
    assert!(scene.answer(&ask, Some(KEY)).await.unwrap().taken, "the control");
    assert!(matches!(ask.end().await, AskEnd::Yes { .. }));
    scene.host.stop().await;
}
