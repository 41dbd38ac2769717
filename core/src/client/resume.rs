//! Flow (d): one reconnect of a paired device, up to the welcome that proves R.
//!
//! `watch` calls it for a live connection, `check` for a look, `pair` to take up a pairing that was
//! cut short. Every refusal is brought into the row before the error is given.

use super::Client;
use super::error::{ClientError, Tried};
use super::forget::is_leaving;
use super::line::{self, DialFailed, FirstAnswer};
use super::preview::speaks_ours;
use crate::clock::UnixMillis;
use crate::handshake::{AwaitWelcome, HandshakeError, KnownKeys, ResumeDraft};
use crate::identity::Pin;
use crate::net::socket::Socket;
use crate::net::tls::PinCheck;
use crate::store::device::machines::{MachineRow, MachineState as RowState};
use crate::token::TokenHash;
use crate::wire::{Address, CloseCode, Envelope, Flow, HandedBack, Refusal, RefusalCode, Rotate, Welcome};

/// The clocks may differ by this much before it is worth a word.
const SKEW_SHOWN_MS: i64 = 300_000;

/// Dials in one attempt, at most: three tokens of ours, and two that another process stored meanwhile.
const DIALS: usize = 5;

/// An established session.
pub(super) struct Session {
    pub(super) socket: Socket,
    pub(super) welcome: Welcome,
    pub(super) address: Address,
    /// The key of this connection, which statements on it are for.
    pub(super) keys: KnownKeys,
}

impl Session {
    /// Says goodbye; a machine that does not listen any more is no matter.
    pub(super) async fn close(mut self) {
        let goodbye = self.socket.close(CloseCode::Stopping, "");
        let _ = line::in_time("", goodbye).await;
    }
}

/// How one dial under one token ended.
enum Attempt {
    Welcomed(Box<Session>),
    /// This token is not the machine's current one: another may be.
    OtherToken(TokenHash, RefusalCode),
    /// The key that was proven is none of the row's any more: another of this device's processes has followed
    /// a change meanwhile.
    OtherKey,
    /// There is no token left to try.
    NoToken,
}

/// What a dial came to before anything was said.
enum Asking {
    /// The request, what waits for its answer, the token in it, and the keys that the row has.
    Ready(Box<(Envelope, AwaitWelcome, TokenHash, KnownKeys)>),
    /// See [`Attempt::OtherKey`].
    OtherKey,
    /// See [`Attempt::NoToken`].
    NoToken,
}

impl Client {
    /// Reconnects to the machine of a row.
    pub(super) async fn resume_row(&self, id: i64) -> Result<Session, ClientError> {
        self.resume_at(id, None).await
    }

    /// The same, at an address that is tried before those of the row. A machine that was forgotten here while it was
    /// away is told so instead, and there is no session.
    pub(super) async fn resume_at(&self, id: i64, first: Option<&Address>) -> Result<Session, ClientError> {
        let row = self.durable(move |ledger| ledger.row(id)).await?;
        if is_leaving(&row)
            && let Some(told) = self.tell_leaving(&row).await
        {
            return Err(told);
        }
        self.resume_any(id, first).await
    }

    /// The same for any row: one that is leaving gets a session to say so.
    pub(super) async fn resume_any(&self, id: i64, first: Option<&Address>) -> Result<Session, ClientError> {
        let mut refused: Vec<TokenHash> = Vec::new();
        let mut never_seen = false;
        for _ in 0..DIALS {
            let known_refused = refused.clone();
            let (row, token) = self.durable(move |ledger| ledger.token_to_try(id, &known_refused)).await?;
            if token.is_none() {
                return Err(self.lost_session(&row, never_seen).await);
            }
            match self.dial_row(&row, &refused, first).await {
                Ok(Attempt::Welcomed(session)) => return Ok(*session),
                Ok(Attempt::OtherToken(token, code)) => {
                    never_seen |= code == RefusalCode::TokenUnknown;
                    refused.push(token);
                }
                Ok(Attempt::OtherKey) => {}
                Ok(Attempt::NoToken) => break,
                Err(error) => return Err(self.failed(&row, error).await),
            }
        }
        let row = self.durable(move |ledger| ledger.row(id)).await?;
        Err(self.lost_session(&row, never_seen).await)
    }

    /// No token of ours is the machine's. Where it has never seen one it may be the one that was restored: then it
    /// gets back what is kept for it, though it gives this device no session.
    async fn lost_session(&self, row: &MachineRow, never_seen: bool) -> ClientError {
        let taken = match if never_seen { self.hand_back(row).await } else { Ok(HandedBack::default()) } {
            Ok(back) => back.taken,
            Err(error @ (ClientError::Revoked { .. } | ClientError::KeyCopied { .. })) => {
                return self.failed(row, error).await;
            }
            Err(error) => {
                tracing::warn!(%error, machine = row.name, "what it has lost could not be handed back");
                0
            }
        };
        self.failed(row, ClientError::Restored { name: row.name.clone(), taken }).await
    }

    /// Dials, and only then takes the token: a connection on which nothing is said lives for seconds, but
    /// dialling may be held up for as long as this device sleeps. Another of its processes may have
    /// moved on meanwhile, and a token that was replaced for long would look like a copied device's.
    async fn dial_row(
        &self,
        row: &MachineRow,
        refused: &[TokenHash],
        first: Option<&Address>,
    ) -> Result<Attempt, ClientError> {
        let name = &row.name;
        // The announced key too: this device may have slept through the change to it. Then nothing is believed
        // without that change.
        let check = PinCheck::Exact(std::iter::once(row.pin).chain(row.next_pin).collect());
        let dialled = match line::dial(name, &in_order(row, first), check).await {
            Ok(dialled) => dialled,
            Err(DialFailed::Other(error)) => return Err(error),
            Err(DialFailed::WrongKey { address, all, .. }) => return Err(self.wrong_key(row, address, all).await?),
        };
        let address = dialled.address.clone();
        let (id, channel, known_refused) = (row.row, dialled.channel.clone(), refused.to_vec());
        let asking = self.durable(move |ledger| {
            let (row, token) = ledger.token_to_try(id, &known_refused)?;
            let Some(token) = token else { return Ok(Asking::NoToken) };
            let known = known_keys(&row);
            if channel.pin != known.pin && Some(channel.pin) != known.next_pin {
                return Ok(Asking::OtherKey);
            }
            crate::fault_point!("device-token", token, row);
            let draft = ResumeDraft::new(&channel, row.device_id, &token)?;
            let signature = ledger.sign(&row, &draft.to_sign())?;
            let (envelope, wait) = draft.signed(signature, &ledger.record(&row)?.recognition_key);
            Ok(Asking::Ready(Box::new((envelope, wait, TokenHash::of(&token), known))))
        });
        let pin = dialled.channel.pin;
        let (envelope, wait, token, known) = match asking.await? {
            Asking::Ready(ready) => *ready,
            Asking::OtherKey => return Ok(Attempt::OtherKey),
            Asking::NoToken => return Ok(Attempt::NoToken),
        };
        let followed = |rotate: &Option<Box<Rotate>>| following(name, pin, known, rotate.as_deref());
        match line::ask(name, dialled, Flow::Resume, &envelope).await? {
            FirstAnswer::Opened(socket, answer) => {
                let welcome = wait.receive(&answer).map_err(|error| unproven(error, name))?;
                let mut keys = followed(&welcome.rotated)?;
                // By its own count: a machine that was put back, keys and all, and paired again, has a lower one.
                keys.epoch = welcome.epoch;
                let (stored, at, refused) = (welcome.clone(), address.clone(), refused.to_vec());
                // A new token is durable before anything is done with this session. If this disk fails, the
                // machine never sees the new one used, and the old one serves on; what a pairing still
                // has to store is another matter.
                let slept = pin != known.pin;
                let store = self.durable(move |ledger| {
                    if let Some(rotate) = stored.rotated.as_ref().filter(|_| slept) {
                        ledger.rotated(id, rotate)?;
                    }
                    ledger.welcomed(id, &token, &refused, &stored, &at)
                });
                match store.await {
                    Err(error @ (ClientError::State(_) | ClientError::Secrets(_))) if row.state == RowState::Active => {
                        tracing::warn!(%error, machine = row.name, "a welcome could not be stored");
                    }
                    stored => stored?,
                }
                let mut session = Session { socket: *socket, welcome, address, keys };
                self.compare(row, &mut session).await;
                Ok(Attempt::Welcomed(Box::new(session)))
            }
            FirstAnswer::Refused(answer) => {
                let refusal = wait.refused(&answer).map_err(|error| unproven(error, name))?;
                followed(&refusal.rotated)?;
                let attempt = refused_under_r(name, token, &refusal, self.inner.clock.wall_ms())?;
                // It is the machine, and it goes on under that key: what is handed back to it next is dialled anew.
                if let Some(rotate) = refusal.rotated.filter(|_| pin != known.pin) {
                    self.follow(id, rotate).await;
                }
                Ok(attempt)
            }
            FirstAnswer::Stranger { versions } => {
                followed(&None)?;
                Err(stranger(versions, name))
            }
            FirstAnswer::Answered(_) => Err(ClientError::Protocol),
        }
    }

    /// What other keys at a machine's addresses mean: a hard stop, unless each is the key of another
    /// machine of ours, which has that address now.
    async fn wrong_key(&self, row: &MachineRow, address: Address, all: Vec<Pin>) -> Result<ClientError, ClientError> {
        let name = row.name.clone();
        let mut other = None;
        for seen in all {
            match self.durable(move |ledger| ledger.live_by_pin(&seen)).await? {
                Some(ours) if is_paired(&ours) => other = Some(ours.name),
                _ => return Ok(ClientError::KeyChanged { name, seen }),
            }
        }
        let cause = format!("that address is {}'s now", other.unwrap_or_default());
        let tried = vec![Tried { address, cause }];
        Ok(ClientError::Unreachable { name, tried, refused: false, networks: line::own_networks() })
    }

    /// Brings a failed reconnect into the row, and gives the error on.
    pub(super) async fn failed(&self, row: &MachineRow, error: ClientError) -> ClientError {
        let (row, recorded) = (row.clone(), error.clone());
        let stored = self.durable(move |ledger| ledger.failed(&row, &recorded)).await;
        stored.err().unwrap_or(error)
    }
}

/// What a row knows of its machine's keys.
pub(super) fn known_keys(row: &MachineRow) -> KnownKeys {
    KnownKeys { machine: row.machine_id, pin: row.pin, next_pin: row.next_pin, epoch: row.epoch }
}

/// The keys of a connection that proved `pin`: those known, or those after the change that the machine showed.
fn following(name: &str, pin: Pin, known: KnownKeys, rotate: Option<&Rotate>) -> Result<KnownKeys, ClientError> {
    if pin == known.pin {
        return Ok(known);
    }
    let after = rotate.and_then(|rotate| known.after(rotate).ok()).filter(|after| after.pin == pin);
    after.ok_or_else(|| ClientError::NotRotated { name: name.to_owned(), seen: pin })
}

/// What a refusal under R means, at `now` by this device's clock.
fn refused_under_r(name: &str, token: TokenHash, refusal: &Refusal, now: UnixMillis) -> Result<Attempt, ClientError> {
    match refusal.code {
        code @ (RefusalCode::TokenReplaced | RefusalCode::TokenUnknown) => Ok(Attempt::OtherToken(token, code)),
        RefusalCode::Expired => {
            let skew = refusal.clock.saturating_sub(now);
            let skew_seconds = (skew.saturating_abs() > SKEW_SHOWN_MS).then_some(skew / 1000);
            Err(ClientError::Expired { name: name.to_owned(), skew_seconds })
        }
        _ => Err(super::refused::of_pairing_refusal(refusal, name)),
    }
}

/// The refusal to strangers, given to a device that has a row.
fn stranger(versions: Option<String>, name: &str) -> ClientError {
    match versions {
        Some(versions) if !speaks_ours(&versions) => ClientError::Version { machine: Some(versions) },
        _ => ClientError::UnknownDevice { name: name.to_owned() },
    }
}

/// Whether a row's key is one that the person has agreed to and the machine has granted under: only
/// such a key may stand where another was expected.
pub(super) fn is_paired(row: &MachineRow) -> bool {
    row.state == RowState::Active
}

/// A proof under R that does not hold: the key was copied. An unreadable message is another matter.
pub(super) fn unproven(error: HandshakeError, name: &str) -> ClientError {
    match error {
        HandshakeError::Proof => ClientError::KeyCopied { name: name.to_owned() },
        other => other.into(),
    }
}

/// The addresses of a row, the one that worked last first, and before it the one that is `first`.
pub(super) fn in_order(row: &MachineRow, first: Option<&Address>) -> Vec<Address> {
    let mut list: Vec<Address> = Vec::new();
    for address in first.into_iter().chain(&row.last_address).chain(&row.addresses) {
        if !list.contains(address) {
            list.push(address.clone());
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_not_current_leaves_another_to_try_and_every_other_refusal_ends_the_attempt() {
        let refused =
            |code| refused_under_r("homebox", TokenHash::from_bytes([1; 32]), &Refusal::new(code, 0), 0).map(|_| ());
        for code in [RefusalCode::TokenReplaced, RefusalCode::TokenUnknown] {
            assert_eq!(refused(code), Ok(()), "{code:?}");
        }
        assert!(matches!(refused(RefusalCode::Revoked), Err(ClientError::Revoked { .. })));
        assert!(matches!(refused(RefusalCode::Suspended), Err(ClientError::Suspended { .. })));
        assert!(matches!(refused(RefusalCode::Expired), Err(ClientError::Expired { .. })));
        for code in [RefusalCode::Full, RefusalCode::Unavailable, RefusalCode::Version, RefusalCode::Unknown] {
            assert!(refused(code).is_err(), "{code:?}");
        }
    }

    #[test]
    fn a_skew_of_the_clocks_is_told_from_five_minutes_on() {
        let skew = |clock| match refused_under_r(
            "homebox",
            TokenHash::from_bytes([1; 32]),
            &Refusal::new(RefusalCode::Expired, clock),
            1_000_000,
        ) {
            Err(ClientError::Expired { skew_seconds, .. }) => skew_seconds,
            _ => panic!("not expired"),
        };
        assert_eq!(skew(1_000_000), None);
        assert_eq!(skew(1_300_000), None);
        assert_eq!(skew(1_301_000), Some(301));
        assert_eq!(skew(600_000), Some(-400));
    }

    #[test]
    fn a_machine_of_another_version_is_told_from_one_that_does_not_know_us() {
        let told = |versions: Option<&str>| stranger(versions.map(str::to_owned), "homebox");
        assert!(matches!(told(Some("2")), ClientError::Version { machine: Some(_) }));
        assert!(matches!(told(Some("2, 1")), ClientError::UnknownDevice { .. }));
        assert!(matches!(told(None), ClientError::UnknownDevice { .. }));
    }

    #[test]
    fn a_proof_under_r_that_does_not_hold_is_a_copied_key_and_an_unreadable_message_is_none() {
        assert!(matches!(unproven(HandshakeError::Proof, "homebox"), ClientError::KeyCopied { .. }));
        assert!(matches!(unproven(HandshakeError::Message, "homebox"), ClientError::Protocol));
    }
}
