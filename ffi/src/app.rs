//! The app: opened once, listened to, told of what the phone does, and asked for what a person does.

use std::path::PathBuf;
use std::sync::Arc;

use pairpin_core::client::app::App;
use pairpin_core::client::{Client, ClientConfig};
use pairpin_core::clock::SystemClock;
use pairpin_core::link::Link;
use pairpin_core::secrets::TypedCode;
use pairpin_core::wire::Address;

use crate::error::PairpinError;
use crate::joining::Joining;
use crate::keys::{SecretStore, SessionSigner, Signer, Store};
use crate::listener::{ScreenState, StateListener, tell};
use crate::log::{self, Log};
use crate::machines::MachineView;
use crate::pairing::{Forgotten, Pairing};

/// What the app is opened with.
#[derive(Debug, Clone, uniffi::Record)]
pub struct AppSettings {
    /// A directory of the app's own, out of backups; made where it is missing.
    pub state_dir: String,
    /// The name this phone gives itself when it pairs.
    pub device_name: String,
    /// This phone's platform, as "Android 16".
    pub platform: String,
}

/// The app. Free it, or [`cancel`](Self::cancel) it, to end its connections.
#[derive(uniffi::Object)]
pub struct PairpinApp {
    app: App,
}

impl PairpinApp {
    /// The core's app.
    pub(crate) fn app(&self) -> &App {
        &self.app
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl PairpinApp {
    /// Opens the app's state and begins to connect to the paired machines.
    ///
    /// # Errors
    /// The directory or the key store cannot be used: [`PairpinError::State`], [`PairpinError::Keys`];
    /// [`PairpinError::StateDamaged`].
    #[uniffi::constructor]
    pub async fn open(
        settings: AppSettings,
        store: Arc<dyn SecretStore>,
        signer: Arc<dyn SessionSigner>,
        log: Option<Arc<dyn Log>>,
    ) -> Result<Arc<Self>, PairpinError> {
        log::send_to(log);
        let config = ClientConfig {
            state_dir: PathBuf::from(settings.state_dir),
            secret_store: Arc::new(Store(store)),
            signer: Arc::new(Signer(signer)),
            other_stores: Vec::new(),
            device_name: settings.device_name,
            platform: settings.platform,
            clock: Arc::new(SystemClock),
        };
        let opened = tokio::task::spawn_blocking(move || Client::open(config)).await;
        let client = opened.map_err(|_| PairpinError::internal())??;
        Ok(Arc::new(Self { app: App::start(client).await? }))
    }

    /// The present state.
    pub fn state(&self) -> ScreenState {
        self.app.state().as_ref().into()
    }

    /// Tells `listener` of the present state, and from now on of each change, until the app is over. Returns
    /// only then: run it where it can be dropped.
    pub async fn listen(&self, listener: Arc<dyn StateListener>) {
        tell(self.app.changes(), listener).await;
    }

    /// Nobody looks at the app any more: its connections end.
    pub fn background(&self) {
        self.app.background();
    }

    /// The app is looked at: it connects at once.
    pub fn foreground(&self) {
        self.app.foreground();
    }

    /// The phone's network has changed.
    pub fn network_changed(&self) {
        self.app.network_changed();
    }

    /// Ends every connection and every listening.
    pub fn cancel(&self) {
        self.app.cancel();
    }

    /// Asks the machine of a scanned or pasted link what its offer is for. Nothing is used up.
    ///
    /// # Errors
    /// The link is none, or the machine cannot be reached, has another key, or does not know the offer.
    pub async fn preview(&self, link: String) -> Result<Arc<Pairing>, PairpinError> {
        let link = Link::parse(&link).map_err(PairpinError::of_link)?;
        let client = self.app.client().clone();
        let preview = client.preview(&link).await?;
        Ok(Arc::new(Pairing::of_offer(client, preview)))
    }

    /// Shows the machine at an address that this phone knows the eight digits on its screen. What comes back knows
    /// them too.
    ///
    /// # Errors
    /// [`PairpinError::Address`]; [`PairpinError::CodeWrong`] says how many tries are left;
    /// [`PairpinError::CodeClosed`]; the machine cannot be reached.
    pub async fn begin_code(&self, address: String, code: String) -> Result<Arc<Pairing>, PairpinError> {
        let address = read_address(&address)?;
        // Not eight digits: nothing is sent, and no try is spent.
        let code = TypedCode::parse(&code).ok_or(PairpinError::NotACode)?;
        let client = self.app.client().clone();
        let preview = client.begin_code(address, code).await?;
        Ok(Arc::new(Pairing::of_code(client, preview)))
    }

    /// Asks the machine at an address to be let in, without an offer.
    ///
    /// # Errors
    /// [`PairpinError::Address`]; [`PairpinError::JoinRefused`]: it takes nobody from here; it cannot be reached.
    pub async fn ask_to_join(&self, address: String) -> Result<Arc<Joining>, PairpinError> {
        let asked = self.app.client().ask_to_join(read_address(&address)?).await?;
        Ok(Arc::new(Joining::new(asked)))
    }

    /// The name that this phone gives itself when it pairs from now on; machines that are paired keep theirs.
    pub fn set_device_name(&self, name: String) {
        self.app.client().set_device_name(&name);
    }

    /// A few lines for whoever helps this phone's person: no secret, no name, no address, no key.
    pub fn diagnostics(&self) -> String {
        self.app.diagnostics()
    }

    /// Gives a machine another name on this phone.
    ///
    /// # Errors
    /// [`PairpinError::Name`]: empty, too long or taken.
    pub async fn rename(&self, row: i64, name: String) -> Result<MachineView, PairpinError> {
        Ok((&self.app.client().rename(row, &name).await?).into())
    }

    /// Takes this phone off the machine's list where it answers, and erases its keys here.
    ///
    /// # Errors
    /// No such machine, or this phone's state cannot be written: then nothing is erased.
    pub async fn forget(&self, row: i64) -> Result<Forgotten, PairpinError> {
        Ok(self.app.client().forget(row).await?.into())
    }
}

fn read_address(text: &str) -> Result<Address, PairpinError> {
    text.trim().parse().map_err(|_| PairpinError::Address)
}

/// Moves a damaged list aside, after the person said so: [`PairpinApp::open`] then begins with an empty one.
///
/// # Errors
/// [`PairpinError::State`]: it is not damaged, and stays; or it cannot be moved.
#[uniffi::export]
pub fn start_anew(state_dir: String) -> Result<(), PairpinError> {
    Ok(pairpin_core::client::start_anew(std::path::Path::new(&state_dir))?)
}
