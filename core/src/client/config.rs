//! What the device's engine needs from whoever embeds it.

use std::path::PathBuf;
use std::sync::Arc;

use super::signer::{SessionSigner, SoftwareSigner};
use crate::clock::{Clock, SystemClock};
use crate::secrets::SecretStore;

/// How to open a [`Client`](super::Client).
#[derive(Clone)]
pub struct ClientConfig {
    /// Where `device.db` is; made 0700 if it is not there.
    pub state_dir: PathBuf,
    /// Where tokens and recognition keys of machines paired from now on are kept.
    pub secret_store: Arc<dyn SecretStore>,
    /// What holds the session keys of machines paired from now on.
    pub signer: Arc<dyn SessionSigner>,
    /// Other stores that hold the keys of machines paired earlier (the files of a device that has
    /// a keyring by now). Their session keys are software keys.
    pub other_stores: Vec<Arc<dyn SecretStore>>,
    /// The name this device gives itself when it pairs.
    pub device_name: String,
    /// This device's platform, as "Debian 12, x86_64".
    pub platform: String,
    /// Where to read the time.
    pub clock: Arc<dyn Clock>,
}

impl ClientConfig {
    /// Software keys in `secret_store`, the system's clock, no other stores.
    pub fn new(state_dir: PathBuf, secret_store: Arc<dyn SecretStore>, device_name: String, platform: String) -> Self {
        Self {
            state_dir,
            signer: Arc::new(SoftwareSigner::new(secret_store.clone())),
            secret_store,
            other_stores: Vec::new(),
            device_name,
            platform,
            clock: Arc::new(SystemClock),
        }
    }
}
