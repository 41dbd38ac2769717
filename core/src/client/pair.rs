//! Flow (a), after the person said yes: Proof, Grant, acknowledgement, over a fresh connection.
//!
//! What is durable happens in `ledger`, each step in one piece: the key before Proof leaves, the
//! Grant before the acknowledgement, and "active" only by its answer. So a future that is dropped
//! anywhere in between is taken up by doing the same again. [`Client::accept`] serves flow (b) too.

use super::Client;
use super::error::{ClientError, Told};
use super::ledger::Pairing;
use super::line::{self, DialFailed, FirstAnswer};
use super::machines::MachineView;
use super::preview::{PairPreview, PairQuestion, ends_pairing, stranger};
use super::refused::of_pairing_refusal;
use crate::handshake::{DeviceDetails, GrantReceived, ScanDraft};
use crate::identity::PublicKey;
use crate::net::socket::Socket;
use crate::net::tls::PinCheck;
use crate::role::Role;
use crate::secrets::KeyKind;
use crate::store::device::machines::{MachineRow, MachineState as RowState};
use crate::wire::{Acknowledged, Address, Flow, OfferId, Refusal, RefusalCode};

/// A finished pairing: the machine has answered the acknowledgement.
#[derive(Debug, Clone, PartialEq)]
pub struct Paired {
    /// The machine.
    pub machine: MachineView,
    /// The four check digits; the same must stand on the machine. `None` only where an earlier run
    /// has shown them already.
    pub digits: Option<String>,
    /// The role this device has.
    pub role: Role,
    /// The machine had revoked this device's former key: by whom, when, why. That key is erased,
    /// and a new one is paired.
    pub revoked_before: Option<Told>,
}

impl Client {
    /// Pairs as previewed. The person has said yes to [`PairPreview::question`].
    ///
    /// # Errors
    /// As [`ClientError`] says. After one that can be tried again, the same link goes on where this
    /// left off.
    pub async fn pair(&self, preview: PairPreview) -> Result<Paired, ClientError> {
        if let PairQuestion::AlreadyPaired(paired) = preview.question {
            return Ok(*paired);
        }
        match self.pair_once(&preview).await {
            // Our old key is out for ever; with this fresh offer a new one may come in.
            Err(ClientError::Revoked { told, .. }) => {
                let paired = self.pair_once(&PairPreview { replaces: None, ..preview }).await?;
                Ok(Paired { revoked_before: Some(told), ..paired })
            }
            other => other,
        }
    }

    async fn pair_once(&self, preview: &PairPreview) -> Result<Paired, ClientError> {
        let pairing = Pairing {
            pin: preview.pin,
            offer: Some(preview.offer.offer_id()),
            machine: preview.machine,
            name: preview.name.clone(),
            platform: preview.platform.clone(),
            role: preview.role,
            address: preview.address.clone(),
            addresses: preview.addresses.clone(),
            replaces: preview.replaces,
        };
        // A machine that is to be told of a former farewell is not told while it is paired anew.
        let (pin, replaces) = (pairing.pin, pairing.replaces);
        let known = self.durable(move |ledger| ledger.live_by_pin(&pin)).await?.map(|row| row.row);
        let _turn = self.inner.farewells.turn_of(replaces.or(known)).await;
        let prepare = pairing.clone();
        let prepared = self.durable(move |ledger| ledger.prepare(&prepare)).await?;
        let name = prepared.row.name.clone();

        // The address that answered is dialled first, but another may have come up since.
        let mut addresses = vec![preview.address.clone()];
        addresses.extend(preview.addresses.iter().filter(|other| **other != preview.address).cloned());
        let check = PinCheck::Exact(vec![preview.pin]);
        let dialled = line::dial(&name, &addresses, check).await.map_err(|failed| match failed {
            DialFailed::WrongKey { address, seen, .. } => ClientError::OtherKey { address, seen },
            DialFailed::Other(error) => error,
        })?;
        let address = dialled.address.clone();
        let draft =
            ScanDraft::new(&dialled.channel, preview.offer.clone(), &self.details(prepared.key, prepared.key_kind))?;
        let (row, message) = (prepared.row.clone(), draft.to_sign());
        let signature = self.durable(move |ledger| ledger.sign(&row, &message)).await?;
        let (envelope, wait) = draft.signed(signature);
        match line::ask(&name, dialled, Flow::Scan, &envelope).await? {
            FirstAnswer::Opened(socket, grant) => {
                let received = wait.receive(&grant)?;
                crate::fault_point!("device-grant", received, grant, preview.offer);
                self.accept(*socket, received, pairing, prepared.row, address).await
            }
            FirstAnswer::Refused(refused) => {
                self.pairing_refused(prepared.row, pairing.offer, &address, &wait.refused(&refused)?).await
            }
            FirstAnswer::Stranger { versions } => {
                // A stored Grant may have been acknowledged: a machine that was restarted since has
                // forgotten the offer, not the device.
                if prepared.row.state == RowState::Unfinished {
                    self.durable(move |ledger| ledger.drop_unfinished(&prepared.row)).await?;
                }
                Err(stranger(versions))
            }
            FirstAnswer::Answered(_) => Err(ClientError::Protocol),
        }
    }

    /// What this device says of itself with a row's key.
    pub(super) fn details(&self, key: PublicKey, key_kind: KeyKind) -> DeviceDetails {
        DeviceDetails { key, key_kind, name: self.device_name(), platform: self.inner.platform.clone() }
    }

    /// A refusal that proved itself: brings the row up to date.
    pub(super) async fn pairing_refused(
        &self,
        row: MachineRow,
        offer: Option<OfferId>,
        address: &Address,
        refusal: &Refusal,
    ) -> Result<Paired, ClientError> {
        let error = of_pairing_refusal(refusal, &row.name);
        if refusal.code == RefusalCode::Revoked {
            if row.state != RowState::Unfinished {
                return Err(self.told_under_r(&row, address).await);
            }
            let told = Told::from(refusal);
            self.durable(move |ledger| ledger.revoked(&row, &told)).await?;
            return Err(error);
        }
        // Used: perhaps by this very device, whose acknowledgement the machine was still writing
        // when we asked before.
        if refusal.code == RefusalCode::OfferUsed && self.has_grant_of(&row, offer).await {
            match self.take_up(&row).await {
                Err(ClientError::UnknownDevice { .. }) => {}
                // Whatever else went wrong: the machine may know this key, so it is kept.
                other => return other,
            }
        }
        if ends_pairing(refusal) {
            self.durable(move |ledger| ledger.drop_unfinished(&row)).await?;
        }
        Err(error)
    }

    /// An offer's secret or a code proves nothing about a machine that is known: who has stolen its TLS
    /// key can make an offer too, and "revoked" would erase the R that gives him away. A reconnect is
    /// told under R, and erases where it holds.
    async fn told_under_r(&self, row: &MachineRow, address: &Address) -> ClientError {
        match self.resume_any(row.row, Some(address)).await {
            Err(error) => error,
            Ok(session) => {
                session.close().await;
                ClientError::Protocol
            }
        }
    }

    /// Whether the row's Grant came by this offer.
    async fn has_grant_of(&self, row: &MachineRow, offer: Option<OfferId>) -> bool {
        if row.state == RowState::Unfinished || offer.is_none() {
            return false;
        }
        let row = row.clone();
        self.durable(move |ledger| Ok(ledger.record(&row)?.offer == offer)).await.unwrap_or(false)
    }

    /// From the Grant on: store it, acknowledge it, and only by the answer is the device paired.
    pub(super) async fn accept(
        &self,
        mut socket: Socket,
        received: GrantReceived,
        pairing: Pairing,
        row: MachineRow,
        address: Address,
    ) -> Result<Paired, ClientError> {
        let (acknowledge, digits) = (received.acknowledge(), received.digits.to_string());
        let row = self.durable(move |ledger| ledger.granted(&row, &pairing, received)).await?;
        let params = serde_json::to_value(&acknowledge).map_err(|_| ClientError::Protocol)?;
        let answer = match line::request(&row.name, &mut socket, 1, "acknowledge", params).await {
            Ok(answer) => answer,
            // The answer got lost, or the acknowledgement: the first reconnect under the granted
            // token is one too. Where there was a row before, it says nothing: run it again.
            Err(lost) if row.state == RowState::Granted => {
                return self.take_up(&row).await.map_err(|error| match error {
                    // That is why the answer did not come.
                    ClientError::MachineFailed => error,
                    _ => lost,
                });
            }
            Err(lost) => return Err(lost),
        };
        let result = match answer {
            Ok(result) => result,
            Err(_) => {
                self.durable(move |ledger| ledger.drop_unfinished(&row)).await?;
                return Err(ClientError::OfferExpired);
            }
        };
        let acknowledged: Acknowledged = serde_json::from_value(result).map_err(|_| ClientError::Protocol)?;
        let role = acknowledged.role;
        let (token, at) = (acknowledge.token, address.clone());
        let row = self.durable(move |ledger| ledger.activated(&row, &token, &acknowledged, &at)).await?;
        Ok(Paired { machine: MachineView::online(&row, &address), digits: Some(digits), role, revoked_before: None })
    }

    /// Takes up a pairing whose Grant is stored: a welcome finishes it.
    pub(super) async fn take_up(&self, row: &MachineRow) -> Result<Paired, ClientError> {
        let session = self.resume_row(row.row).await?;
        let (role, address) = (session.welcome.role, session.address.clone());
        session.close().await;
        let id = row.row;
        let (row, digits) = self
            .durable(move |ledger| {
                let row = ledger.row(id)?;
                let digits = ledger.record(&row)?.digits.clone();
                Ok((row, digits))
            })
            .await?;
        Ok(Paired { machine: MachineView::online(&row, &address), digits, role, revoked_before: None })
    }
}
