//! The printed recovery sheet on the machine: printing one, and who comes with one (flow `recovery`).
//!
//! The proof is checked in [`crate::handshake`]; here the sheet is used up and the devices revoked in one
//! transaction, then cut and everybody told, as after any revoke (`verbs`). Strangers are answered from memory.

use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use super::events::HostEvent;
use super::proven::Proof;
use super::shared::{Shared, lock, shown};
use super::visitor::{Gone, Visitor};
use super::{Host, HostError, OfflineHost, rows};
use crate::clock::{Clock as _, SystemClock, UnixMillis};
use crate::handshake::{RecoveryOpened, SheetHalf, SheetKeys};
use crate::names::quoted;
use crate::net::upgrade::{Answer, UpgradeRequest};
use crate::recovery_sheet::RecoverySheet;
use crate::secrets::{RecoverySeed, Secret};
use crate::store::StoreError;
use crate::store::host::audit;
use crate::store::host::devices::{self, DeviceRow};
use crate::store::host::recovery::{self, LiveSheet, SheetEnd};
use crate::wire::{
    Address, CloseCode, Closing, DeviceEvent, Envelope, RecoveryAct, RecoveryAnswer, RecoveryDevice, RecoveryRevoked,
    Refusal, RefusalCode, SheetId, SheetKey, VERSION, limits,
};

/// Who acts when the sheet is used.
pub const SHEET: &str = "the recovery sheet";

/// A sheet as the machine knows it.
#[derive(Debug, Clone)]
struct Known {
    half: SheetHalf,
    id: SheetId,
    /// How and when it ended; none while it is live.
    ended: Option<(SheetEnd, UnixMillis)>,
    printed_at: UnixMillis,
}

impl Known {
    fn live(sheet: LiveSheet) -> Self {
        let LiveSheet { key, answers, printed_at } = sheet;
        let half = SheetHalf { key, answers };
        Self { id: half.id(), half, ended: None, printed_at }
    }

    fn as_live(&self) -> LiveSheet {
        LiveSheet { key: self.half.key, answers: self.half.answers.clone(), printed_at: self.printed_at }
    }
}

/// The sheets in memory, in step with the disk: strangers cost it nothing.
#[derive(Debug)]
pub(super) struct Sheets {
    known: Mutex<Vec<Known>>,
    /// Checked where no sheet is named that is known: how long an answer takes must not tell.
    decoy: SheetHalf,
}

impl Sheets {
    /// Reads them.
    pub(super) fn open(connection: &Connection) -> Result<Self, StoreError> {
        let decoy = RecoverySeed::generate()?;
        let decoy = SheetKeys::of(&decoy).and_then(|keys| keys.half());
        let decoy = decoy.map_err(|error| StoreError::Internal(error.to_string()))?;
        Ok(Self { known: Mutex::new(read(connection)?), decoy })
    }

    fn find(&self, id: SheetId) -> Option<Known> {
        lock(&self.known).iter().find(|sheet| sheet.id == id).cloned()
    }

    fn live(&self) -> Option<Known> {
        lock(&self.known).iter().find(|sheet| sheet.ended.is_none()).cloned()
    }
}

fn read(connection: &Connection) -> Result<Vec<Known>, StoreError> {
    let live = recovery::live(connection)?.map(Known::live);
    let spent = recovery::spent(connection)?.into_iter().map(|spent| {
        let half = SheetHalf { key: spent.key, answers: spent.answers };
        Known { id: half.id(), half, ended: Some((spent.end, spent.at)), printed_at: 0 }
    });
    Ok(live.into_iter().chain(spent).collect())
}

/// A fresh seed, with what the machine keeps of it.
fn make() -> Result<(RecoverySeed, SheetKey, Secret<32>), HostError> {
    let seed = RecoverySeed::generate()?;
    let SheetHalf { key, answers } = SheetKeys::of(&seed)?.half()?;
    Ok((seed, key, answers))
}

/// The transaction of a print.
fn print(connection: &Connection, key: &SheetKey, answers: &Secret<32>, now: UnixMillis) -> Result<(), StoreError> {
    let before = recovery::live(connection)?.is_some();
    recovery::print(connection, key, answers, now)?;
    let void = if before { ", the one before it is void" } else { "" };
    let text = format!("a recovery sheet was printed at {}{void}", rows::SHELL);
    audit::append(connection, now, "recovery-printed", None, &text)?;
    Ok(())
}

impl Host {
    /// When the live recovery sheet was printed; none where there is none.
    pub fn recovery_printed_at(&self) -> Option<UnixMillis> {
        self.shared.sheets.live().map(|sheet| sheet.printed_at)
    }

    /// Makes a recovery sheet; the one before is void from here on. Its seed is in the answer and nowhere else. `hosts`
    /// are put before the addresses that the machine knows of itself.
    ///
    /// # Errors
    /// [`HostError::Store`]: nothing has changed.
    pub async fn print_recovery(&self, hosts: &[Address]) -> Result<RecoverySheet, HostError> {
        let (shared, (seed, key, answers)) = (&self.shared, make()?);
        let now = shared.now();
        let known = shared
            .book
            .db()
            .write(move |connection| {
                print(connection, &key, &answers, now)?;
                read(connection)
            })
            .await?;
        *lock(&shared.sheets.known) = known;
        shared.tell_last_audit().await;
        let mut addresses = hosts.to_vec();
        addresses.extend(shared.addresses_for_devices());
        let identity = shared.identity();
        Ok(RecoverySheet::fitting(identity.state.pin, identity.state.next_pin, seed, &addresses))
    }

    /// Does what the holder of a sheet asks, in one piece whatever becomes of the connection.
    async fn recover(&self, sheet: LiveSheet, act: RecoveryAct, from: String) -> Result<RecoveryAnswer, Refusal> {
        let host = self.clone();
        let task = tokio::spawn(async move { host.recover_in_one_piece(sheet, act, from).await });
        task.await.unwrap_or_else(|_| Err(Refusal::new(RefusalCode::Unavailable, self.shared.now())))
    }

    async fn recover_in_one_piece(
        &self,
        sheet: LiveSheet,
        act: RecoveryAct,
        from: String,
    ) -> Result<RecoveryAnswer, Refusal> {
        let (shared, now) = (&self.shared, self.shared.now());
        let (used, wanted, source) = (sheet.clone(), act.clone(), from.clone());
        let change = move |connection: &Connection| {
            let outcome = revoke(connection, &used, &wanted, &source, now)?;
            Ok((outcome, read(connection)?))
        };
        let (outcome, known) = match shared.book.change_any(change).await {
            Ok(changed) => changed,
            Err(cause) => {
                tracing::error!(%cause, "the recovery sheet could not be used");
                // Whoever holds it wants them out, whether this disk takes it or not.
                for row in chosen(shared.book.rows(), &act) {
                    let _ = self.keep_out(row.id, cause.clone(), now).await;
                }
                return Err(Refusal::new(RefusalCode::Unavailable, now));
            }
        };
        *lock(&shared.sheets.known) = known;
        let rows = match outcome {
            Outcome::Done(rows) => rows,
            Outcome::Nobody => return Ok(self.recovery_answer(Vec::new())),
            Outcome::Spent => return Err(spent(shared, &sheet)),
        };
        let closing = Closing { code: CloseCode::Revoked, by: Some(SHEET.into()), at: now, reason: None };
        let cuts: Vec<_> = rows.iter().map(|row| (row.id, closing.clone())).collect();
        let counts = shared.book.registry.cut_each(&cuts).await;
        let mut revoked = Vec::new();
        for (row, connections_cut) in rows.iter().zip(counts) {
            let (device, name, by) = (row.id, row.name.clone(), SHEET.to_owned());
            self.revoked(DeviceEvent::DeviceRevoked { device, name, by, at: now, reason: None });
            revoked.push(RecoveryRevoked { device, name: row.name.clone(), role: row.role, connections_cut });
        }
        shared.tell(DeviceEvent::RecoveryUsed { from: from.clone(), at: now, revoked: revoked.len() });
        shared.events.publish(HostEvent::RecoveryUsed { from, revoked: revoked.len() });
        shared.tell_last_audit().await;
        Ok(self.recovery_answer(revoked))
    }

    fn recovery_answer(&self, revoked: Vec<RecoveryRevoked>) -> RecoveryAnswer {
        let shared = &self.shared;
        let mut rows = shared.book.rows();
        rows.sort_by_key(|row| std::cmp::Reverse(row.last_seen));
        let devices = rows.into_iter().map(|row| RecoveryDevice {
            device: row.id,
            name: row.name,
            platform: row.platform,
            role: row.role,
            last_seen: row.last_seen,
        });
        let mut answer = RecoveryAnswer {
            version: VERSION,
            name: shared.name.clone(),
            spent: !revoked.is_empty(),
            revoked,
            devices: devices.collect(),
            more_revoked: 0,
            more_devices: 0,
        };
        shorten(&mut answer, limits::RECOVERY_LISTED);
        answer
    }
}

/// Lists at most `most` of each, and fewer until it fits a message.
fn shorten(answer: &mut RecoveryAnswer, most: usize) {
    for most in (0..=most).rev() {
        let over = |length: usize| length.saturating_sub(most);
        answer.more_revoked += over(answer.revoked.len());
        answer.more_devices += over(answer.devices.len());
        answer.revoked.truncate(most);
        answer.devices.truncate(most);
        if Envelope::of(answer).is_ok() {
            return;
        }
    }
}

impl OfflineHost {
    /// As [`Host::recovery_printed_at`].
    ///
    /// # Errors
    /// [`HostError::Store`].
    pub fn recovery_printed_at(&self) -> Result<Option<UnixMillis>, HostError> {
        self.read(recovery::printed_at)
    }

    /// As [`Host::print_recovery`]. `addresses` are where the machine is reached when it runs, as far as that is known.
    ///
    /// # Errors
    /// As there, and as [`OfflineHost::keys`]; [`HostError::OtherSystem`].
    pub fn print_recovery(&self, addresses: &[Address]) -> Result<RecoverySheet, HostError> {
        self.is_here()?;
        let (keys, (seed, key, answers)) = (self.keys()?, make()?);
        let now = SystemClock.wall_ms();
        self.write(move |connection| print(connection, &key, &answers, now))?;
        Ok(RecoverySheet::fitting(keys.pin, keys.next_pin, seed, addresses))
    }
}

/// What the transaction led to.
enum Outcome {
    /// These are revoked, and the sheet is used up.
    Done(Vec<DeviceRow>),
    /// There is no such device, or only a list was asked for: the sheet is as good as new.
    Nobody,
    /// The sheet was used up meanwhile.
    Spent,
}

/// Whom an act means.
fn chosen(all: Vec<DeviceRow>, act: &RecoveryAct) -> Vec<DeviceRow> {
    match act {
        RecoveryAct::List => Vec::new(),
        RecoveryAct::All => all,
        RecoveryAct::Revoke(selector) => rows::select(&all, selector).into_iter().collect(),
    }
}

/// The transaction of a use. The sheet is used up by one conditional statement, and only where somebody is revoked.
fn revoke(
    connection: &Connection,
    sheet: &LiveSheet,
    act: &RecoveryAct,
    from: &str,
    now: UnixMillis,
) -> Result<Outcome, StoreError> {
    let chosen = chosen(devices::list(connection)?, act);
    if chosen.is_empty() {
        let live = recovery::live(connection)?.is_some_and(|live| live.key == sheet.key);
        return Ok(if live { Outcome::Nobody } else { Outcome::Spent });
    }
    if !recovery::consume(connection, sheet, now)? {
        return Ok(Outcome::Spent);
    }
    for row in &chosen {
        rows::revoke(connection, row.id, SHEET, None, now)?;
    }
    let names: Vec<String> = chosen.iter().take(8).map(|row| quoted(&row.name)).collect();
    let more = chosen.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!("the recovery sheet was used from {from}, and is void now: revoked {}{more}", names.join(", "));
    audit::append(connection, now, "recovery-used", None, &text)?;
    Ok(Outcome::Done(chosen))
}

/// Says how the sheet ended, to who holds it.
fn spent(shared: &Shared, sheet: &LiveSheet) -> Refusal {
    let id = SheetHalf { key: sheet.key, answers: sheet.answers.clone() }.id();
    let ended = shared.sheets.find(id).and_then(|known| known.ended);
    let mut refusal = Refusal::new(RefusalCode::RecoverySpent, shared.now());
    if let Some((end, at)) = ended {
        (refusal.at, refusal.reason) = (Some(at), Some(end.as_str().to_owned()));
    }
    refusal
}

/// Flow `recovery`: the proof of a sheet, and what it asks for.
pub(super) async fn recover(visitor: Visitor, request: UpgradeRequest) -> Result<(), Gone> {
    let shared = Arc::clone(&visitor.shared);
    let Ok(opened) = RecoveryOpened::open(visitor.channel(), &request.envelope) else { return visitor.refuse().await };
    let known = shared.sheets.find(opened.sheet());
    // The same work for a sheet that nobody printed: how long it takes must not tell.
    let verified = opened.verify(known.as_ref().map_or(&shared.sheets.decoy, |known| &known.half));
    let (Some(known), Ok(proven)) = (known, verified) else { return visitor.refuse().await };
    visitor.promote(Proof::Sheet);
    let refused = if proven.version().is_err() {
        Some(Refusal::new(RefusalCode::Version, shared.now()))
    } else {
        known.ended.map(|_| spent(&shared, &known.as_live()))
    };
    if let Some(refusal) = refused {
        return visitor.tell(Answer::Refusal, &proven.refuse(&refusal)?).await;
    }
    let host = Host { shared: Arc::clone(&shared) };
    match host.recover(known.as_live(), proven.act().clone(), shown(visitor.from())).await {
        Ok(answer) => visitor.tell(Answer::Done, &proven.answer(&answer)?).await,
        Err(refusal) => visitor.tell(Answer::Refusal, &proven.refuse(&refusal)?).await,
    }
}
