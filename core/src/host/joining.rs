//! Flow (c) on the machine: a joiner's connection, from its commitment to an active device.
//!
//! What it may do is decided in [`super::joins`], by whom it is let in is `join_verbs`' business. The
//! connection waits for a person with the heartbeat of a session, and ends with its join.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use super::book::Known;
use super::frames::{handshake_message, refuse_in_frames};
use super::granting::acknowledgement;
use super::join_from::JoinFrom;
use super::joins::{Asker, Fate, Joins, LetInAs, Source};
use super::live;
use super::proven::Proof;
use super::registry::Registration;
use super::shared::{Shared, lock, shown};
use super::visitor::{Gone, Visitor};
use crate::clock::UnixMillis;
use crate::handshake::{DeviceDetails, JoinMet, JoinOpened};
use crate::identity::DeviceId;
use crate::names::{clean_name, clean_platform, quoted};
use crate::net::origin::{Origin, SystemNetworks, origin};
use crate::net::socket::{Incoming, Socket};
use crate::net::upgrade::UpgradeRequest;
use crate::secrets::{RecognitionKey, random_bytes};
use crate::store::StoreError;
use crate::store::host::devices::{self, LetIn, LetInHow, NewDevice, PairedHow};
use crate::store::host::{audit, tokens, tombstones};
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
    from: JoinFrom,
}

impl JoinDesk {
    pub(super) fn new(from: JoinFrom) -> Self {
        Self { joins: Mutex::default(), changed: watch::Sender::new(()), from }
    }

    pub(super) fn joins(&self) -> MutexGuard<'_, Joins> {
        lock(&self.joins)
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
        let undecided = self.shared.joins.joins().leave(self.id);
        if undecided {
            tell_gone(&self.shared, self.id, JoinEnd::Over, None);
        }
    }
}

/// Tells owner devices that a join is not to be decided any more.
pub(super) fn tell_gone(shared: &Shared, join: JoinId, end: JoinEnd, by: Option<String>) {
    shared.tell(DeviceEvent::JoinGone { join, end, by });
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
    visitor.promote(Proof::Device(DeviceId::of(&met.details().key)));
    match show(&visitor, &met, id, origin).await {
        Ok(()) => {}
        Err(code) => return refuse(&shared, &mut socket, &met, code).await,
    }
    match decided(&shared, &mut socket, id).await? {
        Ok(what) => let_in(visitor, socket, met, *what, place).await,
        Err(JoinEnd::Denied) => refuse(&shared, &mut socket, &met, RefusalCode::JoinDenied).await,
        Err(_) => refuse(&shared, &mut socket, &met, RefusalCode::JoinExpired).await,
    }
}

async fn refuse(shared: &Shared, socket: &mut Socket, met: &JoinMet, code: RefusalCode) -> Result<(), Gone> {
    refuse_in_frames(socket, met.refuse(&Refusal::new(code, shared.now()))?).await
}

/// Puts the joiner before the people who may decide, or says why not.
async fn show(visitor: &Visitor, met: &JoinMet, id: JoinId, origin: Origin) -> Result<(), RefusalCode> {
    let (shared, details, now) = (visitor.shared(), met.details(), visitor.shared().clock.elapsed());
    if let Some(Known::Device(_)) = shared.book.find(DeviceId::of(&details.key)) {
        return Err(RefusalCode::JoinKnown);
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
    if let Some(listed) = shared.join_listed(id) {
        shared.tell(DeviceEvent::JoinPending(listed));
    }
    // As many as are shown to people, so no flood of lines.
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
                        tell_gone(shared, id, end, None);
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

/// Resolves when the time to acknowledge is over.
async fn too_late(shared: &Shared, id: JoinId) {
    let mut tick = tokio::time::interval(TICK);
    while !matches!(shared.joins.joins().fate(id, shared.clock.elapsed()), Fate::Gone) {
        tick.tick().await;
    }
}

/// Sends the Grant and waits for its acknowledgement, which comes when somebody has typed the four digits.
async fn let_in(visitor: Visitor, mut socket: Socket, met: JoinMet, what: LetInAs, place: Place) -> Result<(), Gone> {
    let shared = Arc::clone(&visitor.shared);
    let (id, details) = (place.id, met.details().clone());
    let device = DeviceId::of(&details.key);
    let token = SessionToken::generate().map_err(|_| Gone)?;
    let recognition_key = RecognitionKey::generate().map_err(|_| Gone)?;
    let hash = TokenHash::of(&token);
    let grant = make_grant(&visitor, device, &details, &what, token, recognition_key.clone());
    let (envelope, granted) = met.grant(&grant)?;
    if !shared.joins.joins().granted(id, hash) {
        return Err(Gone);
    }
    socket.send(Frame::Handshake(envelope)).await?;
    let (request, message) = tokio::select! {
        biased;
        acknowledged = acknowledgement(&mut socket) => acknowledged?,
        () = too_late(&shared, id) => return Err(Gone),
    };
    granted.acknowledged(&message)?;
    // In one piece, whatever becomes of the connection meanwhile: a device that is made must be told of.
    let piece = {
        let (shared, details) = (Arc::clone(&shared), details.clone());
        tokio::spawn(async move { acknowledged(&shared, id, details, recognition_key, hash).await })
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
    token: SessionToken,
    recognition_key: RecognitionKey,
) -> Grant {
    let shared = visitor.shared();
    let absolute = what.absolute_seconds.unwrap_or(limits::ABSOLUTE_LIFETIME.as_secs());
    Grant {
        version: VERSION,
        token,
        current: None,
        device,
        device_name: what.name.clone().unwrap_or_else(|| clean_name(&details.name)),
        role: what.role,
        machine: shared.machine,
        name: shared.name.clone(),
        platform: shared.platform.clone(),
        recognition_key,
        addresses: shared.addresses_for_devices(),
        next_pin: visitor.identity.state.next_pin,
        epoch: visitor.identity.state.epoch,
        counter: shared.book.counter(),
        idle_seconds: limits::IDLE_LIFETIME.as_secs().min(absolute),
        expires_at: shared.judged_now().saturating_add_unsigned(absolute.saturating_mul(1000)),
    }
}

/// Makes an acknowledged joiner a device: its join is taken out first, so it is made once or not at all.
async fn acknowledged(
    shared: &Shared,
    id: JoinId,
    details: DeviceDetails,
    recognition_key: RecognitionKey,
    token: TokenHash,
) -> Result<Registration, RefusalCode> {
    let taken = shared.joins.joins().acknowledge(id, &token, shared.clock.elapsed());
    let (asker, what) = taken.ok_or(RefusalCode::JoinExpired)?;
    // Its revoke was asked for and is not stored yet: what it decided does not outlive that either.
    if what.by.device().is_some_and(|by| shared.book.is_barred(by)) {
        return Err(RefusalCode::JoinDenied);
    }
    let (device, now) = (DeviceId::of(&details.key), shared.judged_now());
    let from = shown(asker.from);
    let change =
        move |connection: &Connection| activate(connection, &details, &asker, &what, recognition_key, &token, now);
    match shared.book.change(device, change).await {
        Ok(LettingIn::Done) => {}
        Ok(LettingIn::Known) => return Err(RefusalCode::JoinKnown),
        Ok(LettingIn::Revoked) => return Err(RefusalCode::Revoked),
        Ok(LettingIn::Overtaken) => return Err(RefusalCode::JoinDenied),
        Err(error) => {
            tracing::error!(%error, "a device that was let in could not be written");
            return Err(RefusalCode::Unavailable);
        }
    }
    let registration = shared.book.register(device, shared.now()).ok_or(RefusalCode::Unavailable)?;
    if let Some(Known::Device(entry)) = shared.book.find(device) {
        let (name, role) = (entry.row.name, entry.row.role);
        shared.tell(DeviceEvent::DeviceAdded {
            device,
            name,
            role,
            from,
            again: false,
            offer: None,
            check_digits: String::new(),
        });
    }
    shared.tell_last_audit().await;
    Ok(registration)
}

/// What the transaction led to.
enum LettingIn {
    /// A new row.
    Done,
    /// The key has a row already.
    Known,
    /// The key was revoked.
    Revoked,
    /// Whoever let it in may not any more.
    Overtaken,
}

/// The transaction. Who let the device in is looked at here, so that nobody's yes outlives the right to say it.
fn activate(
    connection: &Connection,
    details: &DeviceDetails,
    asker: &Asker,
    what: &LetInAs,
    recognition_key: RecognitionKey,
    token: &TokenHash,
    now: UnixMillis,
) -> Result<LettingIn, StoreError> {
    let id = DeviceId::of(&details.key);
    if !what.by.stands(connection)? {
        return Ok(LettingIn::Overtaken);
    }
    if tombstones::get(connection, &id)?.is_some() {
        return Ok(LettingIn::Revoked);
    }
    if devices::get(connection, &id)?.is_some() {
        return Ok(LettingIn::Known);
    }
    let how = match what.how {
        JoinHow::Scan(_) => LetInHow::Scan,
        JoinHow::Number(_) => LetInHow::Number,
    };
    let (from, over) = (shown(asker.from), asker.network.as_str());
    let absolute_seconds = what.absolute_seconds.unwrap_or(limits::ABSOLUTE_LIFETIME.as_secs());
    let new = NewDevice {
        session_key: details.key,
        name: what.name.clone().unwrap_or_else(|| asker.name.clone()),
        platform: asker.platform.clone(),
        role: what.role,
        key_kind: details.key_kind,
        recognition_key,
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
    audit::append(connection, now, "let-in", Some(&id), &text)?;
    Ok(LettingIn::Done)
}
