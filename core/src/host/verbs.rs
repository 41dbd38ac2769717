//! What the person at the machine's shell can do with a running host: offers, devices, the log.

use rusqlite::Connection;

use super::approvers::{self, Approver};
use super::authority::Authority;
use super::book::Known;
use super::changing::TakenBack;
use super::events::{OfferEvent, OfferWatch};
use super::offers::{OfferNumber, OfferRequest, Withdrawal};
use super::sessions::Verdict;
use super::views::{AuditView, DeviceChange, DeviceView, HostStatus, NewOffer, OfferView, RevokedView, TombstoneView};
use super::{Host, HostError, rows, standing};
use crate::clock::UnixMillis;
use crate::identity::DeviceId;
use crate::link::Link;
use crate::names::{clean_name, clean_sentence};
use crate::role::Role;
use crate::store::StoreError;
use crate::store::host::audit;
use crate::token::TokenHash;
use crate::wire::{CloseCode, Closing, DEFAULT_PORT, DeviceEvent};

impl Host {
    /// The machine and what goes on.
    pub fn status(&self) -> HostStatus {
        let shared = &self.shared;
        let (devices, owners) = shared.book.counts();
        HostStatus {
            name: shared.name.clone(),
            machine: shared.machine,
            pin: self.keys().pin,
            keys: self.keys(),
            platform: shared.platform.clone(),
            addresses: shared.reachable(),
            listening: shared.listening.clone(),
            loopback_only: shared.loopback_only(),
            devices,
            owners,
            online: shared.book.registry.online(),
            offers: shared.offers().live().count(),
            started_at: shared.started_at,
            latest_welcome: shared.book.latest_welcome(),
        }
    }

    /// Makes an offer. Its link and code are in the answer and nowhere else.
    ///
    /// # Errors
    /// [`HostError::Mint`]; [`HostError::Link`] where no address fits.
    pub fn create_offer(&self, request: OfferRequest) -> Result<NewOffer, HostError> {
        let shared = &self.shared;
        let request = OfferRequest { name: request.name.as_deref().map(clean_name), ..request };
        let minted = shared.offers().mint(&request, shared.clock.elapsed())?;
        crate::fault_point!("machine-offer", minted);
        // Made now, so that a watcher of this number finds it.
        let log = shared.offer_log(minted.number);
        if request.code && minted.code.is_none() {
            log.publish(OfferEvent::CodeBurnt { closed: true });
        }
        if let Some(older) = minted.code_replaced {
            shared.offer_log(older).publish(OfferEvent::CodeReplaced { by: minted.number });
        }
        shared.offers_changed();
        let port = shared.listening.first().map_or(DEFAULT_PORT, std::net::SocketAddr::port);
        let link = minted
            .secret
            .map(|secret| Link::fitting(self.keys().pin.prefix(), secret, port, &shared.addresses_for_devices()));
        let lifetime_ms = i64::try_from(minted.lifetime.as_millis()).unwrap_or(i64::MAX);
        Ok(NewOffer {
            number: minted.number,
            link,
            code: minted.code,
            role: self.role_of(request.role),
            lifetime: minted.lifetime,
            expires_at: shared.now().saturating_add(lifetime_ms),
        })
    }

    /// The outstanding offers, without their secrets.
    pub fn offers(&self) -> Vec<OfferView> {
        let now = self.shared.clock.elapsed();
        let offers = self.shared.offers();
        let view = |offer: &super::offers::Offer| OfferView {
            number: offer.number,
            link: offer.link,
            code: offer.code.is_some(),
            role: self.role_of(offer.role),
            name: offer.name.clone(),
            minted_by: offer.minted_by.as_ref().map(|by| by.name.clone()),
            expires_in: offer.ends.saturating_sub(now),
            claimed_by: offer
                .claim
                .as_ref()
                .map(|claim| claim.granted.as_ref().map(|granted| granted.details.name.clone()).unwrap_or_default()),
        };
        offers.live().filter(|offer| offer.ends > now).map(view).collect()
    }

    /// Withdraws an offer.
    ///
    /// # Errors
    /// [`HostError::NoOffer`]; [`HostError::OfferInUse`]: a device's acknowledgement is being written. If that
    /// fails, the offer is withdrawn, and its watchers are told.
    pub fn cancel_offer(&self, number: OfferNumber) -> Result<(), HostError> {
        match self.shared.offers().withdraw(number, self.shared.clock.elapsed()) {
            Withdrawal::Done => {}
            Withdrawal::InUse => return Err(HostError::OfferInUse(number)),
            Withdrawal::NoOffer => return Err(HostError::NoOffer(number)),
        }
        self.shared.offer_log(number).publish(OfferEvent::Withdrawn);
        Ok(())
    }

    /// Withdraws every offer; gives how many. One that is being used right now is not counted.
    pub fn cancel_all_offers(&self) -> usize {
        let numbers = self.shared.offers().outstanding();
        numbers.into_iter().filter(|number| self.cancel_offer(*number).is_ok()).count()
    }

    /// Watches an offer from its making on; `None` if there was none of that number lately.
    pub fn watch_offer(&self, number: OfferNumber) -> Option<OfferWatch> {
        self.shared.find_offer_log(number).map(OfferWatch::new)
    }

    /// The devices that may answer an ask, for a list of those whom somebody believes without this daemon.
    pub fn approvers(&self) -> Vec<(DeviceId, Approver)> {
        let shared = &self.shared;
        approvers::of(&shared.book.rows(), shared.machine, shared.judged_now())
    }

    /// Every paired device, by name.
    pub fn devices(&self) -> Vec<DeviceView> {
        let shared = &self.shared;
        let now = shared.judged_now();
        let view = |row| rows::view(&row, shared.book.registry.count(row.id), now);
        let mut views: Vec<_> = shared.book.rows().into_iter().map(view).collect();
        views.sort_by_key(|view| view.name.to_lowercase());
        views
    }

    /// Every device that was revoked, newest first.
    pub fn tombstones(&self) -> Vec<TombstoneView> {
        let mut all = self.shared.book.tombstones();
        all.sort_by_key(|tombstone| std::cmp::Reverse(tombstone.revoked_at));
        all.iter().map(rows::tombstone_view).collect()
    }

    /// Finds one device: by its exact name, its id, or an unambiguous beginning of its id.
    ///
    /// # Errors
    /// [`HostError::NoDevice`], [`HostError::Ambiguous`].
    pub fn find_device(&self, selector: &str) -> Result<DeviceView, HostError> {
        let row = rows::select(&self.shared.book.rows(), selector)?;
        Ok(rows::view(&row, self.shared.book.registry.count(row.id), self.shared.judged_now()))
    }

    /// What a reconnect of this device under this token would meet, its signature taken as proven.
    /// Changes nothing. `None`: it is not paired, or revoked.
    pub fn verdict(&self, device: DeviceId, presented: &TokenHash) -> Option<Verdict> {
        match self.shared.book.find(device)? {
            Known::Device(entry) => Some(self.shared.judge(&entry, presented)),
            Known::Tombstone(_) => None,
        }
    }

    /// Gives a device another name.
    ///
    /// # Errors
    /// [`HostError::NameTaken`], [`HostError::NameEmpty`], [`HostError::NoDevice`].
    pub async fn rename_device(&self, device: DeviceId, name: &str) -> Result<DeviceView, HostError> {
        let (name, now) = (name.to_owned(), self.shared.now());
        self.change(device, move |connection| rows::rename(connection, device, &name, now)).await?;
        self.find_device(&device.text())
    }

    /// Changes a device: role, lifetimes, suspension, approval key. Its open connections feel it at once.
    ///
    /// # Errors
    /// [`HostError::LastOwner`], [`HostError::Lifetime`], [`HostError::NoDevice`].
    pub async fn set_device(&self, device: DeviceId, change: DeviceChange) -> Result<DeviceView, HostError> {
        self.set_device_by(device, change, Authority::Console(rows::SHELL.to_owned())).await?;
        self.find_device(&device.text())
    }

    /// Revokes a device: for ever, durably, and felt at once. Returns when its sockets are cut.
    ///
    /// Where it cannot be stored it is no revoke, and the device is not told of one. Who asked for it wants
    /// the device out all the same: it is cut, and kept out until the revoke succeeds or the host ends.
    ///
    /// # Errors
    /// [`HostError::NoDevice`]: it is not paired (any more). [`HostError::NotRevoked`].
    pub async fn revoke(&self, device: DeviceId, by: &str, reason: Option<String>) -> Result<RevokedView, HostError> {
        self.revoke_by(device, Authority::Console(clean_name(by)), reason).await
    }

    /// The same, by whoever has the right to. An owner's standing is looked at again in the transaction.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke), and [`HostError::NotAnOwner`].
    pub(super) async fn revoke_by(
        &self,
        device: DeviceId,
        authority: Authority,
        reason: Option<String>,
    ) -> Result<RevokedView, HostError> {
        let (host, by, now) = (self.clone(), authority.actor(), self.shared.now());
        // A reason from outside is shown to people later.
        let reason = reason.as_deref().and_then(clean_sentence);
        // In one piece: a caller that goes away must not leave the sockets of a revoked device open.
        let task = tokio::spawn(async move {
            let closing = Closing { code: CloseCode::Revoked, by: Some(by.clone()), at: now, reason: reason.clone() };
            let book = &host.shared.book;
            let told = (by.clone(), reason.clone());
            let revoke = move |connection: &Connection| {
                if !authority.stands(connection)? {
                    return Ok(Err(HostError::NotAnOwner));
                }
                let by = (by.as_str(), authority.device());
                Ok(Ok(rows::revoke_as(connection, device, by, reason.as_deref(), now)?))
            };
            let (row, last_owner) = match book.change(device, revoke).await {
                Ok(found) => found?.ok_or_else(|| HostError::NoDevice(device.text()))?,
                Err(cause) => return Err(host.keep_out(device, cause, now).await),
            };
            let connections_cut = book.registry.cut(device, &closing).await;
            let (by, reason) = told;
            let event = DeviceEvent::DeviceRevoked { device, name: row.name.clone(), by, at: now, reason };
            let TakenBack { offers_withdrawn, joins_taken_back } = host.revoked(event);
            host.tell_last_audit().await;
            let device = rows::view(&row, 0, now);
            Ok(RevokedView { device, connections_cut, last_owner, offers_withdrawn, joins_taken_back })
        });
        task.await.map_err(|_| HostError::Store(StoreError::Closed))?
    }

    /// What follows from a revoke for everybody else: whom the device has invited does not come in behind it,
    /// and the other devices are told.
    pub(super) fn revoked(&self, event: DeviceEvent) -> TakenBack {
        let taken = match &event {
            DeviceEvent::DeviceRevoked { device, .. } => {
                standing::tell(&self.shared, *device);
                self.standing_changed(*device)
            }
            _ => TakenBack::default(),
        };
        self.shared.tell(event);
        taken
    }

    /// Withdraws what a device offered; how many offers that were.
    pub(super) fn withdraw_invitations(&self, device: DeviceId) -> usize {
        let invited = self.shared.offers().minted_by(device);
        // Used or over meanwhile: there is nothing to withdraw then.
        invited.into_iter().filter(|number| self.cancel_offer(*number).is_ok()).count()
    }

    /// Cuts a device whose revoke could not be stored.
    pub(super) async fn keep_out(&self, device: DeviceId, cause: StoreError, now: UnixMillis) -> HostError {
        let book = &self.shared.book;
        let Some(Known::Device(entry)) = book.find(device) else { return cause.into() };
        tracing::error!(device = entry.row.name, %cause, "a revoke could not be stored");
        // In this order: what registers after the bar is refused, what registered before is cut.
        book.bar(device);
        self.standing_changed(device);
        let closing = Closing { code: CloseCode::Stopping, by: None, at: now, reason: None };
        book.registry.cut(device, &closing).await;
        HostError::NotRevoked { name: entry.row.name, cause }
    }

    /// Lines of the audit log after number `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`HostError::Store`].
    pub async fn audit(&self, after: i64, limit: usize) -> Result<Vec<AuditView>, HostError> {
        let lines = self.shared.book.db().read(move |connection| audit::after(connection, after, limit)).await?;
        Ok(lines.into_iter().map(rows::audit_view).collect())
    }

    /// The last lines of the audit log, oldest first.
    ///
    /// # Errors
    /// [`HostError::Store`].
    pub async fn audit_tail(&self, limit: usize) -> Result<Vec<AuditView>, HostError> {
        let lines = self.shared.book.db().read(move |connection| audit::last(connection, limit)).await?;
        Ok(lines.into_iter().map(rows::audit_view).collect())
    }

    /// Forgets the latest time at which a device was welcomed: the clock was wrong and is set right.
    ///
    /// # Errors
    /// [`HostError::Store`].
    pub async fn reset_clock(&self) -> Result<(), HostError> {
        self.shared.book.reset_latest_welcome(self.shared.now()).await?;
        self.shared.audit("clock", None, "the clock's floor was reset at the machine's shell".into()).await
    }

    /// What a device at `from` would be shown for an offer that names no role.
    pub(super) fn role_of(&self, named: Option<Role>) -> Role {
        self.shared.role_of(named)
    }

    async fn change<F>(&self, device: DeviceId, change: F) -> Result<(), HostError>
    where
        F: FnOnce(&rusqlite::Connection) -> Result<(), HostError> + Send + 'static,
    {
        let outcome = self.shared.book.change(device, move |connection| match change(connection) {
            Err(HostError::Store(error)) => Err(error),
            other => Ok(other),
        });
        outcome.await??;
        self.tell_last_audit().await;
        Ok(())
    }

    async fn tell_last_audit(&self) {
        self.shared.tell_last_audit().await;
    }
}
