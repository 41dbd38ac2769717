//! Letting go of a machine: it is told where that is possible, and this device erases its keys.

use super::Client;
use super::error::ClientError;
use super::line;
use super::machines::MachineView;
use crate::store::device::machines::MachineState as RowState;

/// A machine that was forgotten here.
#[derive(Debug, Clone, PartialEq)]
pub struct Forgotten {
    /// What it was.
    pub machine: MachineView,
    /// Why the machine could not be told, and so still lists this device; `None` where it has
    /// taken the device off its list or had done so before.
    pub still_listed: Option<String>,
    /// This device was the last owner: the next one paired at the machine's shell will be owner.
    pub last_owner: bool,
}

impl Client {
    /// Takes this device off the machine's list where the machine answers, then erases the row with
    /// its key, tokens and recognition key.
    ///
    /// # Errors
    /// No such row, or this device's state cannot be written: then nothing is erased.
    pub async fn forget(&self, id: i64) -> Result<Forgotten, ClientError> {
        let row = self.durable(move |ledger| ledger.row(id)).await?;
        let unpaired = match row.state {
            RowState::Granted | RowState::Active => self.unpair(id, &row.name).await,
            RowState::Unfinished | RowState::Revoked => Ok(false),
        };
        let (last_owner, still_listed) = match unpaired {
            Ok(last_owner) => (last_owner, None),
            Err(ClientError::Revoked { .. } | ClientError::UnknownDevice { .. }) => (false, None),
            Err(error) => (false, Some(error.to_string())),
        };
        // Read again: a failed dial may have brought news into the row.
        let machine = self
            .durable(move |ledger| {
                let row = ledger.row(id)?;
                ledger.delete(&row)?;
                Ok(MachineView::of(&row))
            })
            .await?;
        self.inner.changed();
        Ok(Forgotten { machine, still_listed, last_owner })
    }

    /// Asks the machine to take this device off its list; whether it was the last owner.
    async fn unpair(&self, id: i64, name: &str) -> Result<bool, ClientError> {
        let mut session = self.resume_row(id).await?;
        match line::request(name, &mut session.socket, 1, "unpair", serde_json::Value::Null).await? {
            Ok(answer) => Ok(answer.get("last_owner").and_then(serde_json::Value::as_bool).unwrap_or(false)),
            Err(_) => Err(ClientError::MachineFailed),
        }
    }
}
