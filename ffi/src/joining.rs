//! This phone asks to be let in, without an offer: its QR and number, the wait, and the digits that the person types.

use std::sync::Arc;

use pairpin_core::client;
use tokio::sync::Mutex;

use crate::cancel::Cancel;
use crate::error::PairpinError;
use crate::machines::RoleName;
use crate::pairing::Paired;

/// What this phone shows while it waits.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct JoinAsked {
    /// What its QR holds.
    pub text: String,
    /// Seven digits for an owner to type; none where too many ask.
    pub number: Option<String>,
    /// The key fingerprint that answers, which nobody has vouched for yet.
    pub fingerprint: String,
    /// The address.
    pub address: String,
    /// How long it waits, in seconds.
    pub seconds: u64,
}

/// Somebody has let this phone in, or what answers says so: believed by the four digits alone.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct JoinGrant {
    /// The machine's name, as it says.
    pub name: String,
    /// Its platform, as it says.
    pub platform: String,
    /// The role, as it says.
    pub role: RoleName,
    /// The key fingerprint that answers.
    pub fingerprint: String,
    /// The address.
    pub address: String,
    /// How long there is to type, in seconds.
    pub seconds: u64,
}

/// A join that runs. Free it, or [`cancel`](Self::cancel) it, to take it back.
#[derive(uniffi::Object)]
pub struct Joining {
    asked: JoinAsked,
    stage: Mutex<Stage>,
    cancel: Cancel,
}

/// How far it is. Each step takes the one before with it: dropped in the middle, the join is taken back.
enum Stage {
    Asked(Box<client::JoinAsked>),
    Granted(Box<client::JoinGranted>),
    Over,
}

impl Joining {
    pub(crate) fn new(join: client::JoinAsked) -> Self {
        let asked = JoinAsked {
            text: join.qr.to_text().to_string(),
            number: join.number.as_ref().map(ToString::to_string),
            fingerprint: join.fingerprint(),
            address: join.address.to_string(),
            seconds: join.time.as_secs(),
        };
        Self { asked, stage: Mutex::new(Stage::Asked(Box::new(join))), cancel: Cancel::default() }
    }

    async fn decided(&self) -> Result<JoinGrant, PairpinError> {
        let mut stage = self.stage.lock().await;
        let Stage::Asked(asked) = std::mem::replace(&mut *stage, Stage::Over) else {
            return Err(PairpinError::TooLate);
        };
        let granted = asked.wait().await?;
        let grant = JoinGrant {
            name: granted.name.clone(),
            platform: granted.platform.clone(),
            role: granted.role.into(),
            fingerprint: granted.fingerprint(),
            address: granted.address.to_string(),
            seconds: granted.time.as_secs(),
        };
        *stage = Stage::Granted(Box::new(granted));
        Ok(grant)
    }

    async fn vouched(&self, digits: &str) -> Result<Paired, PairpinError> {
        let mut stage = self.stage.lock().await;
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Granted(granted) => Ok(granted.typed(digits).await?.into()),
            other => {
                *stage = other;
                Err(PairpinError::TooLate)
            }
        }
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl Joining {
    /// What to show.
    pub fn asked(&self) -> JoinAsked {
        self.asked.clone()
    }

    /// Waits until somebody decides. Once: a wait that was given up has taken the join back.
    ///
    /// # Errors
    /// [`PairpinError::JoinRefused`]; the connection broke; [`PairpinError::Cancelled`].
    pub async fn wait(self: Arc<Self>) -> Result<JoinGrant, PairpinError> {
        self.cancel.or(self.decided()).await
    }

    /// The person has typed the four digits on the approver's screen. One attempt.
    ///
    /// # Errors
    /// [`PairpinError::JoinRefused`]: not those digits, so what answers is not what somebody let this phone into;
    /// or it took too long.
    pub async fn typed(self: Arc<Self>, digits: String) -> Result<Paired, PairpinError> {
        self.cancel.or(self.vouched(&digits)).await
    }

    /// The person says no: the join is taken back.
    pub fn cancel(&self) {
        self.cancel.now();
        if let Ok(mut stage) = self.stage.try_lock() {
            *stage = Stage::Over;
        }
    }
}
