//! Deciding on joins: at the machine's shell, and for owner devices behind `join_requests`. One way for both,
//! and in both by the scan or the number.

use super::authority::Authority;
use super::book::Known;
use super::joining::{tell_gone, unlist};
use super::joins::{LetInAs, NotLetIn, Pending};
use super::shared::{Shared, shown};
use super::{Host, HostError, SHELL};
use crate::clock::UnixMillis;
use crate::identity::DeviceId;
use crate::names::{clean_name, quoted};
use crate::role::Role;
use crate::store::host::asked_joins::AskedJoin;
use crate::store::host::devices::DeviceRow;
use crate::wire::{DenyThen, JoinAccepted, JoinEnd, JoinHow, JoinId, JoinListed, JoinNumber, limits};

impl Host {
    /// The devices that ask to be let in, oldest first. All but the address is what they say of themselves.
    pub fn joins(&self) -> Vec<JoinListed> {
        self.shared.joins_listed()
    }

    /// The one of this name, or of an unambiguous beginning of at least four letters.
    ///
    /// # Errors
    /// [`HostError::NoJoin`].
    pub fn find_join(&self, selector: &str) -> Result<JoinListed, HostError> {
        let wanted = selector.trim().to_lowercase();
        let mut fits = self.joins().into_iter().filter(|listed| {
            let text = listed.join.text();
            text == wanted || (wanted.len() >= 4 && text.starts_with(&wanted))
        });
        match (fits.next(), fits.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(HostError::NoJoin(wanted.chars().take(limits::NAME).collect())),
        }
    }

    /// Lets a device in at the machine's shell, by the number on its screen. Gives the four digits to type
    /// there.
    ///
    /// # Errors
    /// [`HostError::NotThatJoin`]: it was another number, and the join is denied. [`HostError::NoJoin`],
    /// [`HostError::JoinWithoutNumber`], [`HostError::JoinRevoked`].
    pub async fn approve_join(
        &self,
        join: JoinId,
        number: JoinNumber,
        role: Option<Role>,
        name: Option<&str>,
    ) -> Result<JoinAccepted, HostError> {
        let what = LetInAs {
            by: Authority::Console(SHELL.to_owned()),
            how: JoinHow::Number(number),
            role: self.shared.role_of(role),
            role_by_default: role.is_none(),
            name: name.map(clean_name),
            absolute_seconds: None,
        };
        self.let_in(join, what).await
    }

    /// Says no at the machine's shell.
    ///
    /// # Errors
    /// [`HostError::NoJoin`].
    pub async fn deny_join(&self, join: JoinId, then: Option<DenyThen>) -> Result<(), HostError> {
        self.deny_join_by(join, then, &Authority::Console(SHELL.to_owned())).await
    }

    pub(super) async fn let_in(&self, join: JoinId, what: LetInAs) -> Result<JoinAccepted, HostError> {
        let shared = &self.shared;
        let pending = shared.joins.joins().find(join, shared.clock.elapsed());
        let pending = pending.ok_or_else(|| not_there(shared, join))?;
        // Neither spends the attempt: nothing was compared.
        if matches!(what.how, JoinHow::Number(_)) && !pending.slot {
            return Err(HostError::JoinWithoutNumber);
        }
        if let Some(by) = revoked_by(shared, &pending) {
            return Err(HostError::JoinRevoked(by));
        }
        // A row's role is never lowered.
        let (by, role) = (what.by.clone(), known(shared, &pending).map_or(what.role, |row| row.role.max(what.role)));
        let named = what.name.clone().unwrap_or_else(|| pending.asker.name.clone());
        let name = known(shared, &pending).map_or(named, |row| row.name);
        let by_number = matches!(what.how, JoinHow::Number(_));
        let outcome = shared.joins.joins().accept(join, what, shared.clock.elapsed());
        shared.joins.decided();
        let (end, result) = match outcome {
            Ok(facts) => (JoinEnd::Accepted, Ok(JoinAccepted { digits: facts.digits().to_string(), name, role })),
            Err(NotLetIn::Gone) => return Err(HostError::NoJoin(join.text())),
            Err(NotLetIn::Wrong) => (JoinEnd::Denied, Err(HostError::NotThatJoin)),
        };
        tell_gone(shared, join, end, Some(by.actor()));
        // Whoever lost the right in the same moment was looked for before this join was there to be found.
        shared.withdraw_approvals();
        unlist(shared.book.db(), join).await;
        if result.is_err() {
            let what = if by_number { "a wrong number was typed" } else { "another QR was scanned" };
            let text = format!("{what} by {}, join {join} is denied: {}", by.actor(), asked(&pending));
            record(shared, by.device(), text).await;
        }
        result
    }

    pub(super) async fn deny_join_by(
        &self,
        join: JoinId,
        then: Option<DenyThen>,
        by: &Authority,
    ) -> Result<(), HostError> {
        let shared = &self.shared;
        let (pending, gone) = {
            let (mut joins, now) = (shared.joins.joins(), shared.clock.elapsed());
            (joins.find(join, now), joins.deny(join, then, now))
        };
        shared.joins.decided();
        let Some(pending) = pending else { return forget(shared, join).await };
        for denied in gone {
            tell_gone(shared, denied, JoinEnd::Denied, Some(by.actor()));
            unlist(shared.book.db(), denied).await;
        }
        let besides = match then {
            None => "",
            Some(DenyThen::BlockSource) => ", and nobody from there may ask for an hour",
            Some(DenyThen::Close) => ", and nobody may ask for an hour",
        };
        let text = format!("join {join} is denied by {}{besides}: {}", by.actor(), asked(&pending));
        record(shared, by.device(), text).await;
        Ok(())
    }
}

/// A decision stands, whether or not the disk takes the line about it.
async fn record(shared: &Shared, by: Option<DeviceId>, text: String) {
    if let Err(error) = shared.audit_by("join-denied", None, by, text).await {
        tracing::warn!(%error, "the audit log could not be written");
    }
}

fn asked(pending: &Pending) -> String {
    format!("{} from {}", quoted(&pending.asker.name), shown(pending.asker.from))
}

/// What to say of a join that nobody can decide on.
fn not_there(shared: &Shared, join: JoinId) -> HostError {
    let before = shared.joins.before(shared.now()).iter().any(|asked| asked.join == join);
    if before { HostError::JoinBeforeRestart } else { HostError::NoJoin(join.text()) }
}

/// One that asked before the restart waits for nothing: a no takes it off the list.
async fn forget(shared: &Shared, join: JoinId) -> Result<(), HostError> {
    let error = not_there(shared, join);
    if !matches!(error, HostError::JoinBeforeRestart) {
        return Err(error);
    }
    shared.joins.before(shared.now()).retain(|asked| asked.join != join);
    tell_gone(shared, join, JoinEnd::Denied, None);
    unlist(shared.book.db(), join).await;
    Ok(())
}

/// The row that the joiner's key has here.
fn known(shared: &Shared, pending: &Pending) -> Option<DeviceRow> {
    match shared.book.find(DeviceId::of(&pending.asker.key)) {
        Some(Known::Device(entry)) => Some(entry.row),
        _ => None,
    }
}

/// Who revoked the joiner's key here, where somebody did.
fn revoked_by(shared: &Shared, pending: &Pending) -> Option<String> {
    match shared.book.find(DeviceId::of(&pending.asker.key)) {
        Some(Known::Tombstone(tombstone)) => Some(tombstone.revoked_by),
        _ => None,
    }
}

impl Shared {
    pub(super) fn joins_listed(&self) -> Vec<JoinListed> {
        let pending = self.joins.joins().pending(self.clock.elapsed());
        let now = self.now();
        let before: Vec<JoinListed> = self.joins.before(now).iter().map(|asked| listed_before(asked, now)).collect();
        before.into_iter().chain(pending.into_iter().map(|pending| listed(self, pending))).collect()
    }

    pub(super) fn join_listed(&self, id: JoinId) -> Option<JoinListed> {
        let pending = self.joins.joins().find(id, self.clock.elapsed())?;
        Some(listed(self, pending))
    }
}

fn listed(shared: &Shared, pending: Pending) -> JoinListed {
    let revoked_by = revoked_by(shared, &pending);
    let known_as = known(shared, &pending).map(|row| row.name);
    let Pending { id, asker, slot, left } = pending;
    JoinListed {
        join: id,
        key: asker.key,
        name: asker.name,
        platform: asker.platform,
        from: shown(asker.from),
        network: asker.network,
        same_network: asker.same_network,
        asked_at: asker.asked_at,
        seconds_left: left.as_secs(),
        number: slot,
        revoked_by,
        known_as,
        before_restart: false,
    }
}

/// One that asked before the restart; what its key is here does not matter any more.
fn listed_before(asked: &AskedJoin, now: UnixMillis) -> JoinListed {
    let asked = asked.clone();
    let left = asked.left(now).unwrap_or_default();
    JoinListed {
        join: asked.join,
        key: asked.key,
        name: asked.name,
        platform: asked.platform,
        from: asked.from,
        network: asked.network,
        same_network: asked.same_network,
        asked_at: asked.asked_at,
        seconds_left: u64::try_from(left / 1000).unwrap_or_default(),
        number: false,
        revoked_by: None,
        known_as: None,
        before_restart: true,
    }
}
