//! A recovery sheet on its way to the person who prints it.

use pairpin_core::clock::UnixMillis;
use pairpin_core::recovery_sheet::RecoverySheet;
use serde::{Deserialize, Serialize};

use super::offer::Shown;
use crate::output::time::Moment;

/// A new recovery sheet, with its seed: it crosses the admin socket once and is kept nowhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SheetRecord {
    /// The machine's name.
    pub machine: String,
    /// Now.
    pub printed_at: Moment,
    /// The QR's text.
    pub sheet: Shown,
}

impl SheetRecord {
    /// Of a sheet that was just made.
    pub fn of(sheet: &RecoverySheet, machine: String, now: UnixMillis) -> Self {
        Self { machine, printed_at: Moment(now), sheet: Shown::of(sheet.to_text()) }
    }
}
