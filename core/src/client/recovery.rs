//! Using a printed recovery sheet: from any computer, without a pairing and without state.

use super::error::ClientError;
use super::line::{self, DialFailed, FirstAnswer};
use super::preview::speaks_ours;
use crate::handshake::{AwaitRecovery, HandshakeError, SheetKeys};
use crate::names;
use crate::net::tls::PinCheck;
use crate::recovery_sheet::RecoverySheet;
use crate::wire::{Address, Flow, RecoveryAct, RecoveryAnswer, Refusal, RefusalCode};

/// What the machine is called while its name is not known.
const NAME: &str = "the machine";

/// Asks the sheet's machine to do `act`, at `addresses` or else where the sheet says. TLS must prove the sheet's pin,
/// or its next pin.
///
/// # Errors
/// The machine cannot be reached or has another key; [`ClientError::SheetUnknown`], [`ClientError::SheetSpent`];
/// [`ClientError::SheetUnproven`]: what answered has its TLS key and nothing else.
pub async fn use_sheet(
    sheet: &RecoverySheet,
    addresses: &[Address],
    act: RecoveryAct,
) -> Result<RecoveryAnswer, ClientError> {
    let addresses = if addresses.is_empty() { &sheet.addresses } else { addresses };
    let keys = SheetKeys::of(&sheet.seed)?;
    let check = PinCheck::Exact(vec![sheet.pin, sheet.next_pin]);
    let dialled = line::dial(NAME, addresses, check).await.map_err(|failed| match failed {
        DialFailed::WrongKey { address, seen, .. } => ClientError::SheetOtherKey { address, seen },
        DialFailed::Other(error) => error,
    })?;
    let (envelope, wait) = AwaitRecovery::request(&dialled.channel, &keys, act)?;
    match line::ask(NAME, dialled, Flow::Recovery, &envelope).await? {
        FirstAnswer::Answered(answer) => Ok(cleaned(wait.receive(&answer).map_err(unproven)?)),
        FirstAnswer::Refused(refused) => Err(refusal(&wait.refused(&refused).map_err(unproven)?)),
        FirstAnswer::Stranger { versions: Some(versions) } if !speaks_ours(&versions) => {
            Err(ClientError::Version { machine: Some(versions) })
        }
        FirstAnswer::Stranger { .. } => Err(ClientError::SheetUnknown),
        FirstAnswer::Opened(..) => Err(ClientError::Protocol),
    }
}

fn unproven(error: HandshakeError) -> ClientError {
    match error {
        HandshakeError::Proof => ClientError::SheetUnproven,
        other => other.into(),
    }
}

fn refusal(refusal: &Refusal) -> ClientError {
    match refusal.code {
        RefusalCode::RecoverySpent => {
            ClientError::SheetSpent { used: refusal.reason.as_deref() != Some("voided"), at: refusal.at }
        }
        RefusalCode::Version => ClientError::Version { machine: None },
        RefusalCode::Unavailable => ClientError::MachineFailed,
        _ => ClientError::Protocol,
    }
}

/// What is shown to people is made safe to show.
fn cleaned(mut answer: RecoveryAnswer) -> RecoveryAnswer {
    answer.name = names::clean_machine_name(&answer.name);
    for revoked in &mut answer.revoked {
        revoked.name = names::clean_name(&revoked.name);
    }
    for device in &mut answer.devices {
        device.name = names::clean_name(&device.name);
        device.platform = names::clean_platform(&device.platform);
    }
    answer
}
