//! Where this device's keys are kept: the desktop's keyring where there is one, else 0600 files.
//!
//! Called by `device` to open the engine. Which store a machine's keys are in is recorded in its
//! row; one that cannot be opened is an error with a next step, never an empty store.

mod file;
mod keyring_store;

use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use pairpin_core::secrets::SecretStore;

pub use file::FileStore;
pub use keyring_store::KeyringStore;

use crate::exit::Failure;

/// The directory of the files, in the state directory.
const DIRECTORY: &str = "secrets";

/// Which store to use for machines that are paired from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// The keyring if one answers, else files
    Auto,
    /// The desktop's keyring
    Keyring,
    /// Files in the state directory, readable by you alone
    File,
}

/// The open stores.
pub struct Stores {
    /// For new machines.
    pub new: Arc<dyn SecretStore>,
    /// Others that rows of earlier days may be in.
    pub others: Vec<Arc<dyn SecretStore>>,
    /// What to say once when a machine is paired: there is no keyring.
    pub notice: Option<String>,
}

/// Opens what was chosen.
///
/// # Errors
/// The chosen store cannot be used; the text says what to do.
pub fn open(choice: Choice, state_dir: &Path) -> Result<Stores, Failure> {
    let files = || -> Result<Arc<dyn SecretStore>, Failure> {
        let store = FileStore::open(&state_dir.join(DIRECTORY)).map_err(|error| Failure::failed(error.to_string()))?;
        Ok(Arc::new(store))
    };
    match choice {
        Choice::File => Ok(Stores { new: files()?, others: Vec::new(), notice: None }),
        Choice::Keyring => {
            let keyring = KeyringStore::open().map_err(|error| Failure::failed(error.to_string()))?;
            Ok(Stores { new: Arc::new(keyring), others: vec![files()?], notice: None })
        }
        Choice::Auto => match KeyringStore::open() {
            Ok(keyring) => Ok(Stores { new: Arc::new(keyring), others: vec![files()?], notice: None }),
            Err(_) => {
                let place = state_dir.join(DIRECTORY);
                let notice = format!("no keyring here: keys are kept in {}, readable by you alone", place.display());
                Ok(Stores { new: files()?, others: Vec::new(), notice: Some(notice) })
            }
        },
    }
}
