//! Flow (c) on the machine: a joiner's connection, from its commitment to an active device.
//!
//! What it may do is decided in [`super::joins`], by whom it is let in is `join_verbs`' business. The
//! connection waits for a person with the heartbeat of a session, and ends with its join.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use super::book::{Entry, Known};
use super::frames::{handshake_message, refuse_in_frames};
use super::granting::acknowledgement;
use super::join_from::JoinFrom;
use super::joins::{Asker, Fate, JoinGrant, Joins, LetInAs, Source};
use super::proven::Proof;
use super::registry::Registration;
use super::shared::{Shared, lock, shown};
use super::visitor::{Gone, Visitor};
use super::{live, rows};
use crate::clock::UnixMillis;
use crate::handshake::{DeviceDetails, JoinMet, JoinOpened};
use crate::identity::DeviceId;
use crate::names::{clean_name, clean_platform, quoted};
use crate::net::origin::{Origin, SystemNetworks, origin};
use crate::net::socket::{Incoming, Socket};
use crate::net::upgrade::UpgradeRequest;
use crate::role::Role;
use crate::secrets::{RecognitionKey, random_bytes};
use crate::store::host::asked_joins::{self, AskedJoin};
use crate::store::host::devices::{self, DeviceRow, LetIn, LetInHow, NewDevice, PairedHow};
use crate::store::host::tokens::TokenState;
use crate::store::host::{audit, tokens, tombstones};
use crate::store::{Database, StoreError};
use crate::token::{SessionToken, TokenHash};
use crate::wire::{
    Acknowledged, DeviceEvent, Frame, Grant, JoinEnd, JoinFresh, JoinHow, JoinId, Refusal, RefusalCode, VERSION, limits,
};

/// How often a waiting joiner's connection looks at the clock. There are few of them.
const TICK: Duration = Duration::from_millis(250);

/// What all joiners' connections share.
pub(super) struct JoinDesk {
    joins: Mutex<Joins>,
    /// Something was decided.
    changed: watch::Sender<()>,
    /// Devices whose acknowledgement is being written.
    making: Mutex<Vec<DeviceId>>,
    from: JoinFrom,
    /// Those that asked before the machine restarted: to be shown, never to be decided on.
    before: Mutex<Vec<AskedJoin>>,
}

/// A device is being made; until this is dropped.
struct Making<'a>(&'a JoinDesk, DeviceId);

impl Drop for Making<'_> {
    fn drop(&mut self) {
        let mut making = lock(&self.0.making);
        if let Some(at) = making.iter().position(|device| *device == self.1) {
            making.swap_remove(at);
        }
    }
}

impl JoinDesk {
    pub(super) fn new(from: JoinFrom, before: Vec<AskedJoin>) -> Self {
        let (joins, making) = (Mutex::default(), Mutex::default());
        Self { joins, changed: watch::Sender::new(()), making, from, before: Mutex::new(before) }
    }

    /// Those that asked before the machine restarted, as long as that is worth showing.
    pub(super) fn before(&self, now: UnixMillis) -> MutexGuard<'_, Vec<AskedJoin>> {
        let mut before = lock(&self.before);
        before.retain(|asked| asked.left(now).is_some());
        before
    }

    pub(super) fn joins(&self) -> MutexGuard<'_, Joins> {
        lock(&self.joins)
    }

    fn make(&self, device: DeviceId) -> Making<'_> {
        lock(&self.making).push(device);
        Making(self, device)
    }

    /// Whether a joiner's acknowledgement is on its way to the disk: it may come back before it is there.
    pub(super) fn is_making(&self, device: DeviceId) -> bool {
        lock(&self.making).contains(&device)
    }

    /// Wakes the joiners' connections.
    pub(super) fn decided(&self) {
        self.changed.send_replace(());
    }
}

/// A joiner's place; dropping it says that the connection is gone.
struct Place {
    shared: Arc<Shared>,
    id: JoinId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let undecided = self.shared.joins.joins().part(self.id, self.shared.clock.elapsed());
        if undecided {
            over(&self.shared, self.id);
        }
    }
}

/// Tells owner devices that a join is not to be decided any more.
pub(super) fn tell_gone(shared: &Shared, join: JoinId, end: JoinEnd, by: Option<String>) {
    shared.tell(DeviceEvent::JoinGone { join, end, by });
}

/// It is over without anybody's word: told, and taken off the list. A stop ends nothing: what waits then is
/// shown after the restart.
fn over(shared: &Shared, join: JoinId) {
    tell_gone(shared, join, JoinEnd::Over, None);
    let db = shared.book.db().clone();
    shared.spawn(async move { unlist(&db, join).await });
}

/// Takes a join off the list that outlives a restart.
pub(super) async fn unlist(db: &Database, join: JoinId) {
    if let Err(error) = db.write(move |connection| asked_joins::remove(connection, join)).await {
        tracing::warn!(%error, "a join that is over could not be taken off the list");
    }
}

/// Flow (c): commitment, nonce, reveal; a person's decision; then as flow (a) from the Grant.
pub(super) async fn join(visitor: Visitor, request: UpgradeRequest) -> Result<(), Gone> {
    let shared = Arc::clone(&visitor.shared);
    let Ok(opened) = JoinOpened::open(visitor.channel(), &request.envelope) else { return visitor.refuse().await };
    let came = visitor.to().map(|to| origin(&SystemNetworks, visitor.from(), to));
    let Some(origin) = came.filter(|origin| shared.joins.from.admits(origin.kind)) else {
        return visitor.refuse().await;
    };
    let id = JoinId::from_bytes(random_bytes().map_err(|_| Gone)?);
    let begun = shared.joins.joins().begin(id, Source::of(visitor.from()), shared.clock.elapsed());
    let Some(begun) = begun else { return visitor.refuse().await };
    let place = Place { shared: Arc::clone(&shared), id };
    if begun.made_room {
        // Who had to go says so on its own connection.
        shared.joins.decided();
    }
    let fresh = JoinFresh::from_bytes(random_bytes().map_err(|_| Gone)?);
    let (nonce, wait) = opened.answer(id, fresh, begun.slot)?;
    let mut socket = visitor.switch(&request).await?;
    socket.send(Frame::Handshake(nonce)).await?;
    // The stranger's 10 seconds go on: nothing is proven yet.
    let met = wait.receive(&handshake_message(&mut socket).await?)?;
    match show(&visitor, &met, id, origin).await {
        Ok(()) => {}
        Err(code) => return refuse(&shared, &mut socket, &met, code).await,
    }
    match decided(&shared, &mut socket, id).await? {
        Ok(what) => let_in(visitor, socket, met, *what, place).await,
        Err(JoinEnd::Denied) => refuse(&shared, &mut socket, &met, RefusalCode::JoinDenied).await,
        Err(JoinEnd::Withdrawn) => refuse(&shared, &mut socket, &met, RefusalCode::JoinWithdrawn).await,
        Err(_) => refuse(&shared, &mut socket, &met, RefusalCode::JoinExpired).await,
    }
}

async fn refuse(shared: &Shared, socket: &mut Socket, met: &JoinMet, code: RefusalCode) -> Result<(), Gone> {
    refuse_in_frames(socket, met.refuse(&Refusal::new(code, shared.now()))?).await
}

/// Puts the joiner before the people who may decide, or says why not.
async fn show(visitor: &Visitor, met: &JoinMet, id: JoinId, origin: Origin) -> Result<(), RefusalCode> {
    let (shared, details, now) = (visitor.shared(), met.details(), visitor.shared().clock.elapsed());
    let device = DeviceId::of(&details.key);
    match shared.book.find(device) {
        // Its revoke was asked for and is not stored yet.
        Some(Known::Device(_)) if shared.book.is_barred(device) => return Err(RefusalCode::Unavailable),
        None if shared.book.counts().0 >= limits::DEVICES => return Err(RefusalCode::Full),
        _ => {}
    }
    let asker = Asker {
        key: details.key,
        name: clean_name(&details.name),
        platform: clean_platform(&details.platform),
        from: visitor.from(),
        network: origin.kind,
        same_network: origin.same_network,
        asked_at: shared.now(),
    };
    let text = format!(
        "{} asks to be let in from {} ({}), join {id}",
        quoted(&asker.name),
        shown(asker.from),
        asker.network.as_str()
    );
    let asked = AskedJoin {
        join: id,
        key: asker.key,
        name: asker.name.clone(),
        platform: asker.platform.clone(),
        from: shown(asker.from),
        network: asker.network,
        same_network: asker.same_network,
        asked_at: asker.asked_at,
    };
    let is_shown = {
        let mut joins = shared.joins.joins();
        if !joins.has_place(id, now) {
            return Err(RefusalCode::JoinExpired);
        }
        joins.show(id, asker, met.facts(), now)
    };
    if !is_shown {
        return Err(RefusalCode::JoinNotShown);
    }
    // From here on it is no stranger, and not before: anybody can make a key and prove it, and would have as many
    // connections as it makes keys. Of those that are shown there are few.
    visitor.promote(Proof::Device(DeviceId::of(&details.key)));
    if let Some(listed) = shared.join_listed(id) {
        shared.tell(DeviceEvent::JoinPending(Box::new(listed)));
    }
    // As many as are shown to people, so no flood of lines.
    if let Err(error) = shared.book.db().write(move |connection| asked_joins::insert(connection, &asked)).await {
        tracing::warn!(%error, "a restart will not show who asks to be let in");
    }
    if let Err(error) = shared.audit("join", None, text).await {
        tracing::warn!(%error, "the audit log could not be written");
    }
    Ok(())
}

/// Waits until somebody has decided, the time is over, or the joiner goes away.
async fn decided(shared: &Shared, socket: &mut Socket, id: JoinId) -> Result<Result<Box<LetInAs>, JoinEnd>, Gone> {
    let mut changed = shared.joins.changed.subscribe();
    let mut tick = tokio::time::interval(TICK);
    loop {
        {
            let mut joins = shared.joins.joins();
            match joins.fate(id, shared.clock.elapsed()) {
                Fate::Accepted(what) => return Ok(Ok(what)),
                Fate::Gone => {
                    let end = joins.end_of(id);
                    drop(joins);
                    if end == JoinEnd::Over {
                        over(shared, id);
                    }
                    return Ok(Err(end));
                }
                Fate::Waits => {}
            }
        }
        tokio::select! {
            _ = changed.changed() => {}
            _ = tick.tick() => {}
            incoming = socket.recv() => match incoming {
                Ok(Some(Incoming::Ping | Incoming::Pong)) => {}
                // It has nothing to say before it is let in.
                _ => return Err(Gone),
            },
        }
    }
}

/// Resolves when the time to acknowledge is over, or who let the device in may not any more.
async fn too_late(shared: &Shared, id: JoinId) -> JoinEnd {
    let mut changed = shared.joins.changed.subscribe();
    let mut tick = tokio::time::interval(TICK);
    loop {
        {
            let mut joins = shared.joins.joins();
            if matches!(joins.fate(id, shared.clock.elapsed()), Fate::Gone) {
                return joins.end_of(id);
            }
        }
        tokio::select! {
            _ = changed.changed() => {}
            _ = tick.tick() => {}
        }
    }
}

/// Sends the Grant and waits for its acknowledgement, which comes when somebody has typed the four digits.
async fn let_in(visitor: Visitor, mut socket: Socket, met: JoinMet, what: LetInAs, place: Place) -> Result<(), Gone> {
    let shared = Arc::clone(&visitor.shared);
    let (id, details) = (place.id, met.details().clone());
    let device = DeviceId::of(&details.key);
    let token = SessionToken::generate().map_err(|_| Gone)?;
    // A key that has a row keeps it, and the R that goes with it.
    let row = match shared.book.find(device) {
        Some(Known::Device(entry)) => Some(entry),
        _ => None,
    };
    let own = row.as_ref().map(|entry| entry.row.recognition_key.clone());
    let recognition_key = own.map_or_else(RecognitionKey::generate, Ok).map_err(|_| Gone)?;
    let hash = TokenHash::of(&token);
    let grant = make_grant(&visitor, device, &details, &what, (token, recognition_key.clone()), row.as_deref());
    let (envelope, granted) = met.grant(&grant)?;
    let kept = JoinGrant { join: id, details: details.clone(), recognition_key, token: hash };
    {
        let mut joins = shared.joins.joins();
        if !joins.granted(id, hash) {
            return Err(Gone);
        }
        joins.keep_grant(kept.clone(), shared.clock.elapsed());
    }
    socket.send(Frame::Handshake(envelope)).await?;
    let (request, message) = tokio::select! {
        biased;
        acknowledged = acknowledgement(&mut socket) => acknowledged?,
        end = too_late(&shared, id) => match end {
            JoinEnd::Withdrawn => return refuse(&shared, &mut socket, &met, RefusalCode::JoinWithdrawn).await,
            _ => return Err(Gone),
        },
    };
    granted.acknowledged(&message)?;
    // In one piece, whatever becomes of the connection meanwhile: a device that is made must be told of.
    let piece = {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { acknowledged(&shared, kept).await })
    };
    let mut registration = match piece.await.map_err(|_| Gone)? {
        Ok(registration) => registration,
        Err(code) => return refuse(&shared, &mut socket, &met, code).await,
    };
    drop(place);
    // Behind the registration, so that it is dropped before it: who waits for that waits for the socket.
    let mut socket = socket;
    let Some(Known::Device(entry)) = shared.book.find(device) else { return Err(Gone) };
    let answer = Acknowledged { device_name: entry.row.name, role: entry.row.role };
    let result = serde_json::to_value(answer).map_err(|_| Gone)?;
    live::first(&mut registration, socket.send(Frame::Answer { id: request, result: Ok(result) })).await??;
    live::begin(visitor, socket, registration, device);
    Ok(())
}

fn make_grant(
    visitor: &Visitor,
    device: DeviceId,
    details: &DeviceDetails,
    what: &LetInAs,
    (token, recognition_key): (SessionToken, RecognitionKey),
    entry: Option<&Entry>,
) -> Grant {
    let shared = visitor.shared();
    let row = entry.map(|entry| &entry.row);
    let usual = row.map_or(limits::ABSOLUTE_LIFETIME.as_secs(), |row| row.absolute_seconds);
    let idle = row.map_or(limits::IDLE_LIFETIME.as_secs(), |row| row.idle_seconds);
    let absolute = what.absolute_seconds.unwrap_or(usual);
    let current = entry.and_then(|entry| entry.tokens.iter().find(|token| token.state == TokenState::Current));
    Grant {
        version: VERSION,
        token,
        current: current.map(|token| token.hash),
        device,
        // A row keeps its name, and its role is never lowered.
        device_name: row
            .map_or_else(|| what.name.clone().unwrap_or_else(|| clean_name(&details.name)), |row| row.name.clone()),
        role: row.map_or(what.role, |row| row.role.max(what.role)),
        machine: shared.machine,
        name: shared.name.clone(),
        platform: shared.platform.clone(),
        recognition_key,
        addresses: shared.addresses_for_devices(),
        next_pin: visitor.identity.state.next_pin,
        epoch: visitor.identity.state.epoch,
        counter: shared.book.counter(),
        idle_seconds: idle.min(absolute),
        expires_at: shared.judged_now().saturating_add_unsigned(absolute.saturating_mul(1000)),
    }
}

/// Makes an acknowledged joiner a device: its join is taken out first, so it is made once or not at all.
///
/// Called for an acknowledgement, and by `reconnect` for a joiner that comes back under the token it was granted.
pub(super) async fn acknowledged(shared: &Shared, grant: JoinGrant) -> Result<Registration, RefusalCode> {
    let _making = shared.joins.make(DeviceId::of(&grant.details.key));
    let taken = {
        let mut joins = shared.joins.joins();
        let until = joins.acknowledged_until(grant.join);
        let taken = joins.acknowledge(grant.join, &grant.token, shared.clock.elapsed()).zip(until);
        taken.ok_or_else(|| joins.end_of(grant.join))
    };
    let ((asker, what), until) = taken.map_err(|end| match end {
        JoinEnd::Withdrawn => RefusalCode::JoinWithdrawn,
        _ => RefusalCode::JoinExpired,
    })?;
    // Its revoke was asked for and is not stored yet: what it decided does not outlive that either.
    if what.by.device().is_some_and(|by| shared.book.is_barred(by)) {
        return Err(RefusalCode::JoinWithdrawn);
    }
    let (device, now) = (DeviceId::of(&grant.details.key), shared.judged_now());
    let from = shown(asker.from);
    let (its_grant, its_asker, its_what) = (grant.clone(), asker.clone(), what.clone());
    let change = move |connection: &Connection| activate(connection, &its_grant, &its_asker, &its_what, now);
    let again = match shared.book.change(device, change).await {
        Ok(LettingIn::Done { again }) => again,
        Ok(LettingIn::Known) => return Err(RefusalCode::JoinKnown),
        Ok(LettingIn::Revoked) => return Err(RefusalCode::Revoked),
        Ok(LettingIn::Overtaken) => return Err(RefusalCode::JoinWithdrawn),
        Err(error) => {
            tracing::error!(%error, "a device that was let in could not be written");
            // The disk's fault: it may acknowledge again, in its time.
            shared.joins.joins().restore(grant, asker, what, until);
            return Err(RefusalCode::Unavailable);
        }
    };
    let registration = shared.book.register(device, shared.now()).ok_or(RefusalCode::Unavailable)?;
    if let Some(Known::Device(entry)) = shared.book.find(device) {
        let (name, role) = (entry.row.name, entry.row.role);
        shared.tell(DeviceEvent::DeviceAdded {
            device,
            name,
            role,
            from,
            again,
            offer: None,
            check_digits: String::new(),
        });
    }
    shared.tell_last_audit().await;
    Ok(registration)
}

/// What the transaction led to.
enum LettingIn {
    /// A new row, or another session in the one it has.
    Done { again: bool },
    /// The key has got a row meanwhile, by an offer.
    Known,
    /// The key was revoked.
    Revoked,
    /// Whoever let it in may not any more.
    Overtaken,
}

/// The transaction. Who let the device in is looked at here, so that nobody's yes outlives the right to say it.
fn activate(
    connection: &Connection,
    grant: &JoinGrant,
    asker: &Asker,
    what: &LetInAs,
    now: UnixMillis,
) -> Result<LettingIn, StoreError> {
    let JoinGrant { details, recognition_key, token, .. } = grant;
    let id = DeviceId::of(&details.key);
    if !what.by.stands(connection)? {
        return Ok(LettingIn::Overtaken);
    }
    if tombstones::get(connection, &id)?.is_some() {
        return Ok(LettingIn::Revoked);
    }
    // Decided here and now, as for an offer: two that were let in as the first device must not both be owners.
    let role = if what.role_by_default { Role::for_new_device(devices::owners(connection)? > 0) } else { what.role };
    let how = match what.how {
        JoinHow::Scan(_) => LetInHow::Scan,
        JoinHow::Number(_) => LetInHow::Number,
    };
    let (from, over) = (shown(asker.from), asker.network.as_str());
    if let Some(row) = devices::get(connection, &id)? {
        if row.recognition_key != *recognition_key {
            return Ok(LettingIn::Known);
        }
        again(connection, &row, what, role, token, now)?;
        devices::touch(connection, &id, now, &from)?;
        let role = row.role.max(role);
        let text = format!(
            "paired {} again as {role} from {from}, let in by {}, by {}, {over}",
            quoted(&row.name),
            what.by.actor(),
            how.as_str()
        );
        audit::append_by(connection, now, "let-in", Some(&id), what.by.device().as_ref(), &text)?;
        return Ok(LettingIn::Done { again: true });
    }
    let absolute_seconds = what.absolute_seconds.unwrap_or(limits::ABSOLUTE_LIFETIME.as_secs());
    let new = NewDevice {
        session_key: details.key,
        name: what.name.clone().unwrap_or_else(|| asker.name.clone()),
        platform: asker.platform.clone(),
        role,
        key_kind: details.key_kind,
        recognition_key: recognition_key.clone(),
        paired_at: now,
        paired_how: PairedHow::Join,
        paired_from: from.clone(),
        idle_seconds: limits::IDLE_LIFETIME.as_secs().min(absolute_seconds),
        absolute_seconds,
        let_in: Some(LetIn { device: what.by.device(), by: what.by.name().to_owned(), how, over: over.to_owned() }),
    };
    let row = devices::insert(connection, &new)?;
    tokens::set_current(connection, &id, token, now)?;
    devices::touch(connection, &id, now, &from)?;
    let text = format!(
        "paired {} as {} from {from}, let in by {}, by {}, {over}",
        quoted(&row.name),
        row.role,
        what.by.actor(),
        how.as_str()
    );
    audit::append_by(connection, now, "let-in", Some(&id), what.by.device().as_ref(), &text)?;
    Ok(LettingIn::Done { again: false })
}

/// Another session in the row that the key has, as by a fresh offer. Its token was in nobody's hands but the
/// joiner's: it becomes a pending one and the current one here, so that without this transaction it is none.
fn again(
    connection: &Connection,
    row: &DeviceRow,
    what: &LetInAs,
    role: Role,
    token: &TokenHash,
    now: UnixMillis,
) -> Result<(), StoreError> {
    tokens::void_pending(connection, &row.id, now)?;
    tokens::insert_pending(connection, &row.id, token, now)?;
    rows::make_current(connection, &row.id, token, now)?;
    if role > row.role {
        devices::set_role(connection, &row.id, role)?;
    }
    if let Some(absolute) = what.absolute_seconds {
        devices::set_lifetimes(connection, &row.id, Some(row.idle_seconds.min(absolute)), Some(absolute))?;
    }
    devices::restart_session(connection, &row.id, now)?;
    devices::unsuspend(connection, &row.id)?;
    // Its chip may have lost the approval key: let in anew it may bring another.
    devices::forget_approval_key(connection, &row.id)
}
