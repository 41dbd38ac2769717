//! Flow (d) on the machine: a paired device comes back.
//!
//! The order of checks is the protocol's: the id is known, the signature holds, then the token, then
//! the state. Without a valid signature the answer is that of an unknown id, and nothing changes.

use std::sync::Arc;
use std::time::Duration;

use super::book::{Entry, Known};
use super::decoys::Decoys;
use super::granting::{self, revoked};
use super::joining;
use super::joins::JoinGrant;
use super::offers::OfferNumber;
use super::proven::Proof;
use super::registry::Registration;
use super::sessions::{self, Verdict};
use super::visitor::{Gone, Visitor};
use super::{live, rows, standing};
use crate::handshake::{ResumeOpened, ResumeProven};
use crate::identity::DeviceId;
use crate::names::quoted;
use crate::net::upgrade::{Answer, UpgradeRequest};
use crate::role::Role;
use crate::secrets::RecognitionKey;
use crate::store::StoreError;
use crate::store::host::{audit, devices, tokens};
use crate::token::{SessionToken, TokenHash};
use crate::wire::{
    CloseCode, Closing, Frame, Method, Refusal, RefusalCode, VERSION, WaitingApproval, WaitingKind, Welcome, limits,
};

/// How often, and how far apart, to look whether an acknowledgement has reached the book.
const CATCH_UP: usize = 10;
const CATCH_UP_PAUSE: Duration = Duration::from_millis(20);

/// Flow (d): id, token, proof; then the welcome, and the connection lives on.
pub(super) async fn resume(visitor: Visitor, request: UpgradeRequest) -> Result<(), Gone> {
    let shared = visitor.shared();
    let Ok(opened) = ResumeOpened::open(visitor.channel(), &request.envelope) else {
        return visitor.refuse().await;
    };
    let device = opened.device();
    match known(&visitor, device).await {
        Some(Known::Tombstone(tombstone)) => {
            let Ok(proven) = opened.verify(&tombstone.session_key) else { return visitor.refuse().await };
            visitor.promote(Proof::Device(device));
            let refusal = revoked(&tombstone, shared.now());
            refuse(&visitor, proven, &tombstone.recognition_key, refusal).await
        }
        Some(Known::Device(entry)) => {
            let Ok(proven) = opened.verify(&entry.row.session_key) else { return visitor.refuse().await };
            visitor.promote(Proof::Device(device));
            let key = entry.row.recognition_key.clone();
            if shared.book.is_barred(device) {
                let refusal = Refusal::new(RefusalCode::Unavailable, shared.now());
                return refuse(&visitor, proven, &key, refusal).await;
            }
            crate::fault_point!("machine-resume", proven, entry);
            // A Grant to a key that has a row is acknowledged so too, before the row's state is judged:
            // the fresh offer behind it lifts a suspension and starts another session.
            if let Some(number) = granted(&visitor, &proven) {
                if let Ok(registration) = granting::acknowledge(&visitor, number, device, &proven.token()).await {
                    return welcome(visitor, request, proven, key, registration, Tokens::default()).await;
                }
                // The claim was put back: it is the disk's fault, and the device must not take it for done.
                if granted(&visitor, &proven).is_some() || join_granted(&visitor, &proven).is_some() {
                    let refusal = Refusal::new(RefusalCode::Unavailable, shared.now());
                    return refuse(&visitor, proven, &key, refusal).await;
                }
            }
            // So is the Grant of a join, by somebody who may have let it in.
            if let Some(grant) = join_granted(&visitor, &proven) {
                match joined(&visitor, grant).await {
                    Ok(registration) => {
                        return welcome(visitor, request, proven, key, registration, Tokens::default()).await;
                    }
                    Err(RefusalCode::Unavailable) => {
                        let refusal = Refusal::new(RefusalCode::Unavailable, shared.now());
                        return visitor.tell(Answer::Refusal, &proven.refuse(&key, &refusal)?).await;
                    }
                    // It is no pairing; what the row's own tokens say still holds.
                    Err(_) => {}
                }
            }
            match admit(&visitor, &entry, &proven).await? {
                Ok((registration, tokens)) => welcome(visitor, request, proven, key, registration, tokens).await,
                Err(refusal) => refuse(&visitor, proven, &key, refusal).await,
            }
        }
        None => finish_pairing(visitor, request, opened, device).await,
    }
}

/// Refuses under R. A device that slept through a change of the key believes it only beside that change.
async fn refuse(visitor: &Visitor, proven: ResumeProven, key: &RecognitionKey, refusal: Refusal) -> Result<(), Gone> {
    let refusal = Refusal { rotated: visitor.identity.state.rotated.clone(), ..refusal };
    visitor.tell(Answer::Refusal, &proven.refuse(key, &refusal)?).await
}

/// What the book says about an id, once it has caught up: the acknowledgement of a device that comes
/// back at once may still be on its way to the disk.
async fn known(visitor: &Visitor, device: DeviceId) -> Option<Known> {
    let shared = visitor.shared();
    for _ in 0..CATCH_UP {
        let known = shared.book.find(device);
        if known.is_some() || !(shared.offers().is_spent_by(device) || shared.joins.is_making(device)) {
            return known;
        }
        tokio::time::sleep(CATCH_UP_PAUSE).await;
        shared.book.settled().await;
    }
    shared.book.find(device)
}

/// The offer whose last Grant gave the device the token it presents, if that is not acknowledged yet.
fn granted(visitor: &Visitor, proven: &ResumeProven) -> Option<OfferNumber> {
    let shared = visitor.shared();
    proven.version().ok()?;
    let (number, claim) = shared.offers().claim_of(proven.device(), &proven.token(), shared.clock.elapsed())?;
    claim.granted.filter(|grant| grant.token.ct_eq(&proven.token())).map(|_| number)
}

/// The Grant of a join under whose token a device comes back.
fn join_granted(visitor: &Visitor, proven: &ResumeProven) -> Option<JoinGrant> {
    let shared = visitor.shared();
    proven.version().ok()?;
    let token = proven.token();
    let grant = shared.joins.joins().grant_of(proven.device(), Some(&token), shared.clock.elapsed());
    grant.filter(|grant| grant.token.ct_eq(&token))
}

/// Acknowledges a join, in one piece whatever becomes of this connection.
async fn joined(visitor: &Visitor, grant: JoinGrant) -> Result<Registration, RefusalCode> {
    let shared = Arc::clone(&visitor.shared);
    let piece = tokio::spawn(async move { joining::acknowledged(&shared, grant).await });
    piece.await.unwrap_or(Err(RefusalCode::Unavailable))
}

/// A device comes back under a token that it was granted but never acknowledged: that acknowledges.
async fn finish_pairing(
    visitor: Visitor,
    request: UpgradeRequest,
    opened: ResumeOpened,
    device: DeviceId,
) -> Result<(), Gone> {
    let shared = visitor.shared();
    let claimed = shared.offers().claimed_by(device, shared.clock.elapsed());
    let joiner = shared.joins.joins().grant_of(device, None, shared.clock.elapsed());
    let claimed = claimed.or(joiner.map(|grant| grant.details.key));
    if claimed.is_none() && Decoys::are_skipped() {
        return visitor.refuse().await;
    }
    // The same work for a device that nobody knows: how long it takes must not tell.
    let verified = opened.verify(claimed.as_ref().unwrap_or(&shared.decoys.device));
    let (Some(_), Ok(proven)) = (claimed, verified) else { return visitor.refuse().await };
    let found = shared.offers().claim_of(device, &proven.token(), shared.clock.elapsed());
    let is_joins = join_granted(&visitor, &proven).is_some();
    let Some((number, claim)) = found.filter(|_| !is_joins) else {
        return finish_joining(visitor, request, proven).await;
    };
    visitor.promote(Proof::Device(device));
    let code = match proven.version() {
        Err(_) => RefusalCode::Version,
        Ok(_) => match granting::acknowledge(&visitor, number, device, &proven.token()).await {
            Ok(registration) => {
                return welcome(visitor, request, proven, claim.recognition_key, registration, Tokens::default()).await;
            }
            // The claim was put back: it is the disk's fault, and the device should keep what it has.
            Err(Gone) if granted(&visitor, &proven).is_some() => RefusalCode::Unavailable,
            Err(Gone) => RefusalCode::TokenUnknown,
        },
    };
    let refusal = Refusal::new(code, shared.now());
    refuse(&visitor, proven, &claim.recognition_key, refusal).await
}

/// The same for a joiner that was let in: by whom is looked at again in the transaction.
async fn finish_joining(visitor: Visitor, request: UpgradeRequest, proven: ResumeProven) -> Result<(), Gone> {
    let shared = visitor.shared();
    let (device, token) = (proven.device(), proven.token());
    let grant = shared.joins.joins().grant_of(device, Some(&token), shared.clock.elapsed());
    let Some(grant) = grant else { return visitor.refuse().await };
    visitor.promote(Proof::Device(device));
    let key = grant.recognition_key.clone();
    let code = match proven.version() {
        Err(_) => RefusalCode::Version,
        Ok(_) if !grant.token.ct_eq(&token) => RefusalCode::TokenUnknown,
        Ok(_) => match joined(&visitor, grant).await {
            Ok(registration) => return welcome(visitor, request, proven, key, registration, Tokens::default()).await,
            Err(RefusalCode::Unavailable) => RefusalCode::Unavailable,
            Err(_) => RefusalCode::TokenUnknown,
        },
    };
    let refusal = Refusal::new(code, shared.now());
    visitor.tell(Answer::Refusal, &proven.refuse(&key, &refusal)?).await
}

type Admitted = (Registration, Tokens);

/// What a welcome says of tokens.
#[derive(Debug, Default)]
struct Tokens {
    /// A new one.
    new: Option<SessionToken>,
    /// The use of the presented one could not be stored.
    unsettled: bool,
}

/// Judges the token and does what follows: nothing new is sent before it is on the disk. A disk that
/// fails keeps nobody out.
async fn admit(visitor: &Visitor, entry: &Entry, proven: &ResumeProven) -> Result<Result<Admitted, Refusal>, Gone> {
    let shared = visitor.shared();
    let refuse = |code| Ok(Err(Refusal::new(code, shared.now())));
    if proven.version().is_err() {
        return refuse(RefusalCode::Version);
    }
    let device = proven.device();
    let (presented, now) = (proven.token(), shared.judged_now());
    let mut unsettled = false;
    let rotate = match shared.judge(entry, &presented) {
        Verdict::Refuse(code) => {
            if code == RefusalCode::Expired && !sessions::is_expired(&entry.row, shared.now()) {
                tracing::warn!(
                    device = entry.row.name,
                    "refused as expired only because a device was welcomed at a later time than the clock says now: if \
                     the clock was wrong then, run `pairpin doctor --reset-clock`"
                );
            }
            if code == RefusalCode::TokenUnknown {
                standing::say_never_seen(shared, &entry.row, visitor.from()).await;
            }
            return refuse(code);
        }
        Verdict::Theft => {
            suspend(visitor, device, &entry.row.name, now).await;
            return refuse(RefusalCode::Suspended);
        }
        Verdict::Welcome { rotate } => rotate,
        Verdict::Promote => {
            let promote =
                move |connection: &rusqlite::Connection| rows::make_current(connection, &device, &presented, now);
            match shared.book.change(device, promote).await {
                Ok(true) => false,
                Ok(false) => return Ok(Err(overtaken(visitor, device, RefusalCode::TokenReplaced))),
                // It stays pending, and the one before it current. The device is told, so that it forgets
                // neither: this one may be void before the disk writes again.
                Err(error) => {
                    tracing::warn!(%error, "the use of a new token could not be written, the one before it serves on");
                    unsettled = true;
                    false
                }
            }
        }
    };
    let Some(registration) = shared.book.register(device, shared.now()) else {
        return Ok(Err(overtaken(visitor, device, RefusalCode::Suspended)));
    };
    let token = if rotate { new_token(visitor, device).await } else { None };
    Ok(Ok((registration, Tokens { new: token, unsettled })))
}

/// Something happened to the device since it was judged: it was revoked, or else what `code` says.
fn overtaken(visitor: &Visitor, device: DeviceId, code: RefusalCode) -> Refusal {
    let shared = visitor.shared();
    match shared.book.find(device) {
        Some(Known::Tombstone(tombstone)) => revoked(&tombstone, shared.now()),
        _ if shared.book.is_barred(device) => Refusal::new(RefusalCode::Unavailable, shared.now()),
        _ => Refusal::new(code, shared.now()),
    }
}

/// A pending token, durable before the device sees it. Where the disk fails, the old one serves on.
async fn new_token(visitor: &Visitor, device: DeviceId) -> Option<SessionToken> {
    let shared = visitor.shared();
    let token = SessionToken::generate().ok()?;
    crate::fault_point!("machine-token", token);
    let (hash, now) = (TokenHash::of(&token), shared.judged_now());
    let insert = move |connection: &rusqlite::Connection| store_new(connection, &device, &hash, now);
    match shared.book.change(device, insert).await {
        Ok(()) => Some(token),
        Err(error) => {
            tracing::warn!(%error, "a new token could not be written, the old one serves on");
            None
        }
    }
}

/// The transaction of [`new_token`].
pub(super) fn store_new(
    connection: &rusqlite::Connection,
    device: &DeviceId,
    token: &TokenHash,
    now: i64,
) -> Result<(), StoreError> {
    tokens::insert_pending(connection, device, token, now)?;
    // A device that never takes its new token gets one at each welcome.
    tokens::prune(connection, device)?;
    Ok(())
}

/// A superseded token came with a valid signature: somebody has a copy of the device's keys.
///
/// In one piece, whatever becomes of this connection: who has the copy can push it out, and must not
/// keep a session by that.
async fn suspend(visitor: &Visitor, device: DeviceId, name: &str, now: i64) {
    let shared = Arc::clone(&visitor.shared);
    let why = "its replaced token was used again: its keys may have been copied";
    let text = format!("suspended {} from {}: {why}", quoted(name), super::shared::shown(visitor.from()));
    let piece = tokio::spawn(async move {
        let suspend = move |connection: &rusqlite::Connection| {
            // Told once: who has a copy of the keys could else fill the log.
            let first = devices::suspend(connection, &device, now, why)?;
            if first {
                audit::append(connection, now, "suspended", Some(&device), &text)?;
            }
            Ok(first)
        };
        match shared.book.change(device, suspend).await {
            Ok(true) => {
                let host = super::Host { shared: Arc::clone(&shared) };
                host.standing_changed(device);
                shared.tell_changed(device, why.to_owned());
                shared.tell_last_audit().await;
            }
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "a suspension could not be written"),
        }
        let closing = Closing { code: CloseCode::Suspended, by: None, at: now, reason: None };
        shared.book.registry.cut(device, &closing).await;
    });
    let _ = piece.await;
}

/// Sends the welcome and lives on.
async fn welcome(
    visitor: Visitor,
    request: UpgradeRequest,
    proven: ResumeProven,
    key: RecognitionKey,
    mut registration: Registration,
    tokens: Tokens,
) -> Result<(), Gone> {
    let shared = visitor.shared();
    let device = proven.device();
    shared.book.saw(device, visitor.from(), shared.now(), true);
    let row = match shared.book.find(device) {
        Some(Known::Device(entry)) => entry.row,
        _ => return Err(Gone),
    };
    let message = Welcome {
        version: VERSION,
        role: row.role,
        name: shared.name.clone(),
        device_name: row.name.clone(),
        addresses: shared.recent_addresses(),
        token: tokens.new,
        next_pin: visitor.identity.state.next_pin,
        epoch: visitor.identity.state.epoch,
        counter: shared.book.counter(),
        idle_seconds: row.idle_seconds,
        expires_at: sessions::ends_at(&row),
        approvals: waiting(shared, row.role),
        approval_key: row.approval.as_ref().map(|approval| approval.key),
        approval_guard: row.approval.as_ref().map(|approval| approval.guard),
        unsettled: tokens.unsettled,
        standing: (row.role == Role::Owner).then(|| standing::standing(shared)),
        rotated: visitor.identity.state.rotated.clone(),
    };
    let envelope = proven.welcome(&key, &message)?;
    let mut socket = live::first(&mut registration, visitor.switch(&request)).await??;
    live::first(&mut registration, socket.send(Frame::Handshake(envelope))).await??;
    live::begin(visitor, socket, registration, device);
    Ok(())
}

/// What waits for the device's answer, as far as its role may know: so that it knows at once.
fn waiting(shared: &super::shared::Shared, role: Role) -> Vec<WaitingApproval> {
    let mut all = Vec::new();
    if Method::Inbox.is_allowed(role) {
        let asks = super::answering::inbox_ids(shared);
        all.extend(asks.into_iter().map(|id| WaitingApproval { kind: WaitingKind::Ask, id }));
    }
    if Method::Joins.is_allowed(role) {
        let joins = shared.joins.joins().pending(shared.clock.elapsed());
        all.extend(joins.into_iter().map(|join| WaitingApproval { kind: WaitingKind::Join, id: join.id.text() }));
    }
    all.truncate(limits::WELCOME_APPROVALS);
    all
}
