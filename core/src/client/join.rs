//! Flow (c) on the device: asking to be let in without an offer, and waiting for somebody's yes.
//!
//! The channel is provisional: whatever answers may be another machine, or stand between. So nothing of it is
//! stored until a person has typed the four digits which the approver's screen shows, and only the machine
//! that was asked can make them. From then on it is flow (a), in `pair`. What approvers do is in `joins`.

use std::time::Duration;

use super::Client;
use super::code::Waiting;
use super::error::ClientError;
use super::ledger::{KeyDraft, Pairing};
use super::line::{self, DialFailed};
use super::pair::Paired;
use super::preview::speaks_ours;
use super::refused::of_pairing_refusal;
use crate::handshake::{JoinDraft, JoinHeld, JoinWaiting};
use crate::identity::Pin;
use crate::join_qr::JoinQr;
use crate::names;
use crate::net::dial::Dialled;
use crate::net::socket::{Incoming, Socket};
use crate::net::tls::PinCheck;
use crate::role::Role;
use crate::secrets::random_bytes;
use crate::store::device::machines::MachineState as RowState;
use crate::wire::{Address, Envelope, Flow, Frame, JoinFresh, JoinNumber, limits};

/// A join that waits for a person. Drop it to take it back.
pub struct JoinAsked {
    /// What its QR holds, for an owner's device to scan.
    pub qr: JoinQr,
    /// What an owner, or the person at the machine's shell, types; none where too many have asked.
    pub number: Option<JoinNumber>,
    /// The key that answers, as long as nobody has vouched for it.
    pub pin: Pin,
    /// Where.
    pub address: Address,
    /// How long it waits, from the moment when it was asked.
    pub time: Duration,
    client: Client,
    socket: Socket,
    waiting: JoinWaiting,
    draft: KeyDraft,
}

/// What answers says that somebody has let this device in. Believe it only by the four digits.
pub struct JoinGranted {
    /// The machine's name, as it says.
    pub name: String,
    /// Its platform, as it says.
    pub platform: String,
    /// The role, as it says.
    pub role: Role,
    /// The key that answers.
    pub pin: Pin,
    /// Where.
    pub address: Address,
    /// How long there is to type.
    pub time: Duration,
    client: Client,
    socket: Waiting,
    waiting: JoinWaiting,
    held: JoinHeld,
    draft: KeyDraft,
    grant: Pairing,
}

impl Client {
    /// Asks the machine at `address` to be let in.
    ///
    /// # Errors
    /// [`ClientError::NoJoins`]: it takes nobody from here. [`ClientError::AlreadyPaired`].
    pub async fn ask_to_join(&self, address: Address) -> Result<JoinAsked, ClientError> {
        let name = address.to_string();
        let dialled = self.dial_provisional(&address).await?;
        let pin = dialled.channel.pin;
        let dialled =
            if self.finish_begun(&pin, &address).await? { self.dial_provisional(&address).await? } else { dialled };
        if dialled.channel.pin != pin {
            return Err(line::interrupted(&name));
        }
        let draft = self.durable(move |ledger| ledger.join_draft_key(&pin)).await?;
        let fresh = random_bytes().map_err(|error| ClientError::State(error.to_string()))?;
        let details = self.details(draft.key, draft.key_kind);
        let (commit, wait) = JoinDraft::new(&dialled.channel, &details, JoinFresh::from_bytes(fresh))?;
        let (mut socket, nonce) = match line::ask(&name, dialled, Flow::Join, &commit).await {
            Ok(line::FirstAnswer::Opened(socket, nonce)) => (*socket, nonce),
            Ok(line::FirstAnswer::Stranger { versions }) => {
                self.let_go(draft).await?;
                return Err(match versions {
                    Some(versions) if !speaks_ours(&versions) => ClientError::Version { machine: Some(versions) },
                    _ => ClientError::NoJoins,
                });
            }
            Ok(_) => {
                self.let_go(draft).await?;
                return Err(ClientError::Protocol);
            }
            Err(error) => {
                self.let_go(draft).await?;
                return Err(error);
            }
        };
        let asked = async {
            let signing = wait.receive(&nonce)?;
            let (key, message) = (draft.clone(), signing.to_sign());
            let signature = self.durable(move |ledger| ledger.sign_draft(&key, &message)).await?;
            let (reveal, waiting) = signing.signed(signature);
            socket.send(Frame::Handshake(reveal)).await.map_err(|_| line::interrupted(&name))?;
            Ok(waiting)
        };
        let waiting: JoinWaiting = match asked.await {
            Ok(waiting) => waiting,
            Err(error) => {
                self.let_go(draft).await?;
                return Err(error);
            }
        };
        let (qr, number) = (waiting.qr(), waiting.number());
        let (client, time) = (self.clone(), limits::JOIN_TIME);
        Ok(JoinAsked { qr, number, pin, address, time, client, socket, waiting, draft })
    }

    async fn dial_provisional(&self, address: &Address) -> Result<Dialled, ClientError> {
        let name = address.to_string();
        let dialled = line::dial(&name, std::slice::from_ref(address), PinCheck::Provisional).await;
        dialled.map_err(|failed| match failed {
            DialFailed::WrongKey { address, seen, .. } => ClientError::OtherKey { address, seen },
            DialFailed::Other(error) => error,
        })
    }

    /// What is known already of the key that answers. A pairing whose Grant is stored may be finished by a
    /// welcome; where the machine knows nothing of it, it gives way. Says whether it dialled for that.
    async fn finish_begun(&self, pin: &Pin, address: &Address) -> Result<bool, ClientError> {
        let pin = *pin;
        let Some(row) = self.durable(move |ledger| ledger.live_by_pin(&pin)).await? else { return Ok(false) };
        match row.state {
            // Where the machine will not have it as it is, somebody there may let it in anew, in its row.
            RowState::Active => match self.resume_at(row.row, Some(address)).await {
                Ok(session) => {
                    session.close().await;
                    Err(ClientError::AlreadyPaired { name: row.name })
                }
                Err(
                    ClientError::Suspended { .. }
                    | ClientError::Expired { .. }
                    | ClientError::Restored { .. }
                    // The last owner is told what that means, and asks again.
                    | ClientError::Forgotten { last_owner: false, .. }
                    | ClientError::Revoked { .. },
                ) => Ok(true),
                Err(ClientError::Unreachable { .. } | ClientError::Interrupted { .. }) => {
                    Err(ClientError::AlreadyPaired { name: row.name })
                }
                Err(error) => Err(error),
            },
            RowState::Granted => match self.take_up(&row).await {
                Ok(paired) => Err(ClientError::AlreadyPaired { name: paired.machine.name }),
                Err(
                    ClientError::UnknownDevice { .. } | ClientError::Unfinished { .. } | ClientError::Restored { .. },
                ) => {
                    self.durable(move |ledger| ledger.drop_unfinished(&row)).await?;
                    Ok(true)
                }
                Err(error) => Err(error),
            },
            RowState::Unfinished | RowState::Revoked => Ok(false),
        }
    }

    /// An acknowledgement came to no good end. A reconnect under the granted token is one too; where the machine
    /// knows nothing of this device (too late, or whoever let it in may not any more), nothing of the machine
    /// stays here; and where it cannot be asked now, the next join asks.
    async fn look_again(&self, pin: Pin, outcome: Result<Paired, ClientError>) -> Result<Paired, ClientError> {
        let row = self.durable(move |ledger| ledger.live_by_pin(&pin)).await?;
        let Some(row) = row.filter(|row| row.state == RowState::Granted) else { return outcome };
        match self.take_up(&row).await {
            Ok(paired) => Ok(paired),
            Err(ClientError::UnknownDevice { .. } | ClientError::Unfinished { .. } | ClientError::Restored { .. }) => {
                self.durable(move |ledger| ledger.drop_unfinished(&row)).await?;
                Err(ClientError::JoinExpired)
            }
            Err(_) => outcome,
        }
    }

    async fn let_go(&self, draft: KeyDraft) -> Result<(), ClientError> {
        self.durable(move |ledger| ledger.discard(draft)).await
    }
}

impl JoinAsked {
    /// The key fingerprint, to be compared with the machine's screen.
    pub fn fingerprint(&self) -> String {
        self.pin.fingerprint()
    }

    /// Waits until somebody decides, or nobody has.
    ///
    /// # Errors
    /// [`ClientError::JoinDenied`], [`ClientError::JoinExpired`], [`ClientError::JoinNotShown`].
    pub async fn wait(mut self) -> Result<JoinGranted, ClientError> {
        // The machine ends it by its own clock; a false one must not keep a person for ever.
        let patience = self.time + Duration::from_secs(30);
        let answer = tokio::time::timeout(patience, self.answer()).await;
        let held = match answer.unwrap_or(Err(ClientError::JoinExpired)) {
            Ok(grant) => self.held(&grant),
            Err(error) => Err(error),
        };
        let (client, draft) = (self.client, self.draft);
        let (held, grant, name, platform) = match held {
            Ok(held) => held,
            Err(error) => {
                client.let_go(draft).await?;
                return Err(error);
            }
        };
        Ok(JoinGranted {
            name,
            platform,
            role: grant.role,
            pin: self.pin,
            address: self.address,
            time: limits::JOIN_ACKNOWLEDGE_TIME,
            socket: Waiting::start(self.socket),
            waiting: self.waiting,
            client,
            held,
            draft,
            grant,
        })
    }

    async fn answer(&mut self) -> Result<Envelope, ClientError> {
        let name = self.address.to_string();
        loop {
            match self.socket.recv().await {
                Ok(Some(Incoming::Frame(Frame::Handshake(grant)))) => return Ok(grant),
                Ok(Some(Incoming::Frame(Frame::Refused(refused)))) => {
                    let refusal = self.waiting.refused(&refused)?;
                    return Err(of_pairing_refusal(&refusal, &name));
                }
                Ok(Some(Incoming::Ping | Incoming::Pong)) => {}
                Ok(Some(Incoming::Frame(_))) => return Err(ClientError::Protocol),
                Ok(Some(Incoming::Closed { .. }) | None) | Err(_) => return Err(line::interrupted(&name)),
            }
        }
    }

    /// What was granted, and how it is to be stored if somebody vouches for it.
    fn held(&mut self, envelope: &Envelope) -> Result<(JoinHeld, Pairing, String, String), ClientError> {
        let held = self.waiting.receive(envelope)?;
        let grant = held.grant();
        let name = names::clean_machine_name(&grant.name);
        let platform = names::clean(&grant.platform, limits::NAME).unwrap_or_default();
        let pairing = Pairing {
            pin: self.pin,
            offer: None,
            machine: grant.machine,
            name: name.clone(),
            platform: platform.clone(),
            role: grant.role,
            address: self.address.clone(),
            addresses: vec![self.address.clone()],
            replaces: None,
        };
        Ok((held, pairing, name, platform))
    }
}

impl JoinGranted {
    /// The key fingerprint, to be compared with the machine's screen.
    pub fn fingerprint(&self) -> String {
        self.pin.fingerprint()
    }

    /// Resolves when the machine ends it before anything was typed: who let this device in may not any more, or the
    /// time is over. Nothing is stored, and the key that was made is erased. Once only, and
    /// [`typed`](Self::typed) is of no use after it.
    pub async fn ended(&mut self) -> ClientError {
        let told = match self.socket.over().await {
            Some(refused) => self.waiting.refused(&refused).map(|refusal| of_pairing_refusal(&refusal, &self.name)),
            None => Ok(ClientError::JoinExpired),
        };
        match self.client.let_go(self.draft.clone()).await {
            Ok(()) => told.unwrap_or(ClientError::JoinExpired),
            Err(error) => error,
        }
    }

    /// The person has typed what the approver's screen shows. One attempt; only if it holds is anything
    /// stored.
    ///
    /// # Errors
    /// [`ClientError::JoinDigitsWrong`]: what answers is not the machine that somebody let this device into.
    /// [`ClientError::JoinExpired`]: it took too long.
    pub async fn typed(self, digits: &str) -> Result<Paired, ClientError> {
        let (client, draft, pairing) = (self.client, self.draft, self.grant);
        let Ok(received) = self.held.typed(digits) else {
            client.let_go(draft).await?;
            return Err(ClientError::JoinDigitsWrong);
        };
        let Ok(socket) = self.socket.end(&self.name).await else {
            client.let_go(draft).await?;
            return Err(ClientError::JoinExpired);
        };
        let _turn = client.inner.farewells.turn_of(draft.row.as_ref().map(|row| row.row)).await;
        let adopt = pairing.clone();
        let prepared = client.durable(move |ledger| ledger.adopt(draft, &adopt)).await?;
        let outcome = client.accept(socket, received, pairing, prepared.row, self.address).await;
        if outcome.is_err() {
            return client.look_again(self.pin, outcome).await;
        }
        outcome
    }

    /// The person says no after all.
    ///
    /// # Errors
    /// The key that was made for it could not be erased.
    pub async fn decline(self) -> Result<(), ClientError> {
        self.client.let_go(self.draft).await
    }
}
