//! Flow (b): pairing by a typed code, over a channel that is provisional until the code holds.
//!
//! One typing is one run of the PAKE, so a false machine gets one guess for it; after three wrong
//! codes at one address this device stops. From the Grant on it is flow (a), in `pair`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Client;
use super::error::ClientError;
use super::ledger::{KeyDraft, Pairing};
use super::line::{self, DialFailed};
use super::pair::Paired;
use super::preview::{PairQuestion, speaks_ours};
use super::refused::of_pairing_refusal;
use crate::handshake::{CodeAwaitShare, CodeMet, HandshakeError};
use crate::identity::Pin;
use crate::names;
use crate::net::socket::{Incoming, Socket};
use crate::net::tls::PinCheck;
use crate::role::Role;
use crate::secrets::{Secret, TypedCode};
use crate::store::device::machines::{MachineRow, MachineState as RowState};
use crate::wire::{Address, Envelope, Flow, Frame, limits};

/// A machine that knows the code, before the person says yes. Drop it to say no.
pub struct CodePreview {
    /// The machine's name, as it says.
    pub name: String,
    /// Its platform, as it says.
    pub platform: String,
    /// Its key, which knows the code.
    pub pin: Pin,
    /// The address.
    pub address: Address,
    /// The role that the offer gives.
    pub role: Role,
    /// What to ask the person.
    pub question: PairQuestion,
    client: Client,
    code: TypedCode,
    waiting: Waiting,
    met: CodeMet,
    draft: KeyDraft,
    confirmed_at: Duration,
}

impl CodePreview {
    /// The key fingerprint, to be compared with the machine's screen.
    pub fn fingerprint(&self) -> String {
        self.pin.fingerprint()
    }

    /// The person said yes.
    ///
    /// # Errors
    /// As [`ClientError`] says; [`ClientError::AnswerTooLate`] after a minute of silence.
    pub async fn confirm(self) -> Result<Paired, ClientError> {
        let (client, pin, address, code) = (self.client.clone(), self.pin, self.address.clone(), self.code.clone());
        let waited = client.inner.clock.elapsed().saturating_sub(self.confirmed_at);
        if waited >= limits::CODE_ANSWER_TIME {
            return Err(ClientError::AnswerTooLate);
        }
        match self.proceed().await {
            // Our old key is out for ever; the code holds until it is used, so a new one may come in.
            Err(ClientError::Revoked { told, .. }) => {
                let again = client.run_code(&address, &code).await?;
                if again.pin != pin {
                    let seen = again.pin;
                    again.decline().await;
                    return Err(ClientError::OtherKey { address, seen });
                }
                let paired = again.proceed().await?;
                Ok(Paired { revoked_before: Some(told), ..paired })
            }
            other => other,
        }
    }

    /// The person said no: nothing of it stays on this device.
    pub async fn decline(self) {
        let Self { client, draft, .. } = self;
        // What could not be erased now is erased before the next typing.
        let _ = client.durable(move |ledger| ledger.discard(draft)).await;
    }

    async fn proceed(self) -> Result<Paired, ClientError> {
        let Self { client, waiting, met, draft, .. } = self;
        let mut socket = waiting.end(&self.name).await?;
        let pairing = Pairing {
            pin: self.pin,
            offer: None,
            machine: met.machine.machine,
            name: self.name,
            platform: self.platform,
            role: self.role,
            address: self.address.clone(),
            addresses: vec![self.address.clone()],
            replaces: None,
        };
        let _turn = client.inner.farewells.turn_of(draft.row.as_ref().map(|row| row.row)).await;
        let adopt = pairing.clone();
        let prepared = client.durable(move |ledger| ledger.adopt(draft, &adopt)).await?;
        let (envelope, wait) = met.proceed(&client.details(prepared.key, prepared.key_kind))?;
        let name = prepared.row.name.clone();
        let sent = socket.send(Frame::Handshake(envelope)).await;
        sent.map_err(|_| line::interrupted(&name))?;
        match line::next_handshake(&name, &mut socket).await? {
            Ok(grant) => {
                let received = wait.receive(&grant)?;
                client.accept(socket, received, pairing, prepared.row, self.address).await
            }
            Err(refused) => client.pairing_refused(prepared.row, None, &self.address, &wait.refused(&refused)?).await,
        }
    }
}

impl Client {
    /// Runs the PAKE with the machine at `address`. What comes back knows the code.
    ///
    /// # Errors
    /// [`ClientError::CodeWrong`] says how many more tries this device allows;
    /// [`ClientError::CodeClosed`] when there are none.
    pub async fn begin_code(&self, address: Address, code: TypedCode) -> Result<CodePreview, ClientError> {
        if self.inner.code_failures.left(&address, self.inner.clock.elapsed()) == 0 {
            return Err(ClientError::CodeClosed);
        }
        self.run_code(&address, &code).await
    }

    async fn run_code(&self, address: &Address, code: &TypedCode) -> Result<CodePreview, ClientError> {
        let name = address.to_string();
        let dialled = line::dial(&name, std::slice::from_ref(address), PinCheck::Provisional).await;
        let dialled = dialled.map_err(|failed| match failed {
            DialFailed::WrongKey { address, seen, .. } => ClientError::OtherKey { address, seen },
            DialFailed::Other(error) => error,
        })?;
        let pin = dialled.channel.pin;
        let entropy = Secret::generate().map_err(|error| ClientError::State(error.to_string()))?;
        let (share, wait) = CodeAwaitShare::start(&dialled.channel, code, &entropy)?;
        let (mut socket, answer) = match line::ask(&name, dialled, Flow::Code, &share).await? {
            line::FirstAnswer::Opened(socket, answer) => (*socket, answer),
            line::FirstAnswer::Stranger { versions } => return Err(no_code(versions)),
            // A stranger is not told more.
            _ => return Err(ClientError::NoCode),
        };
        crate::fault_point!("device-code", code, entropy);
        let draft = self.durable(move |ledger| ledger.draft_key(&pin)).await?;
        let confirm = wait.receive(&answer, &self.details(draft.key, draft.key_kind))?;
        let (signing, message) = (draft.clone(), confirm.to_sign());
        let signature = self.durable(move |ledger| ledger.sign_draft(&signing, &message)).await?;
        let (envelope, wait) = confirm.signed(signature);
        socket.send(Frame::Handshake(envelope)).await.map_err(|_| line::interrupted(&name))?;

        // Silence after a confirmation counts as a wrong code: a false machine would give silence.
        let met = match line::next_handshake(&name, &mut socket).await {
            Ok(Ok(answer)) => wait.receive(&answer).map_err(|error| self.code_failed(address, error)),
            Ok(Err(refused)) => match wait.refused(&refused) {
                Ok(refusal) => Err(of_pairing_refusal(&refusal, &name)),
                Err(error) => Err(self.code_failed(address, error)),
            },
            Err(_) => Err(self.code_failed(address, HandshakeError::Proof)),
        };
        let met = match met {
            Ok(met) => met,
            Err(error) => {
                self.durable(move |ledger| ledger.discard(draft)).await?;
                return Err(error);
            }
        };
        self.inner.code_failures.forget(address);
        let question = self.code_question(&draft, pin, &met).await?;
        Ok(CodePreview {
            name: names::clean_machine_name(&met.machine.name),
            platform: names::clean(&met.machine.platform, limits::NAME).unwrap_or_default(),
            pin,
            address: address.clone(),
            role: met.machine.role,
            question,
            client: self.clone(),
            code: code.clone(),
            waiting: Waiting::start(socket),
            met,
            draft,
            confirmed_at: self.inner.clock.elapsed(),
        })
    }

    fn code_failed(&self, address: &Address, error: HandshakeError) -> ClientError {
        match error {
            HandshakeError::Proof => {
                let tries_left = self.inner.code_failures.failed(address, self.inner.clock.elapsed());
                ClientError::CodeWrong { tries_left }
            }
            other => other.into(),
        }
    }

    async fn code_question(&self, draft: &KeyDraft, pin: Pin, met: &CodeMet) -> Result<PairQuestion, ClientError> {
        if let Some(row) = draft.row.as_ref().filter(|row| row.state == RowState::Active) {
            return Ok(PairQuestion::Again { known_as: row.name.clone() });
        }
        let machine = met.machine.machine;
        // A code proves no R: a machine that claims a known id under another key is another machine.
        let same_id: Vec<MachineRow> = self.durable(move |ledger| ledger.live_by_machine(&machine, &pin)).await?;
        let known_as = same_id.into_iter().next().map(|row| row.name);
        Ok(known_as.map_or(PairQuestion::New, |known_as| PairQuestion::NewSameId { known_as }))
    }
}

/// The refusal to strangers, given to a device that wants to pair by code.
fn no_code(versions: Option<String>) -> ClientError {
    match versions {
        Some(versions) if !speaks_ours(&versions) => ClientError::Version { machine: Some(versions) },
        _ => ClientError::NoCode,
    }
}

/// Keeps a socket alive while the person is asked: the machine's pings want an answer. Dropping it
/// closes the connection.
pub(super) struct Waiting {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<Socket, Option<Envelope>>>,
}

impl Waiting {
    pub(super) fn start(mut socket: Socket) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = &mut stopped => return Ok(socket),
                    incoming = socket.recv() => match incoming {
                        Ok(Some(Incoming::Ping | Incoming::Pong)) => {}
                        // The one thing that there is to say before the person has answered: that it is over.
                        Ok(Some(Incoming::Frame(Frame::Refused(refused)))) => return Err(Some(refused)),
                        _ => return Err(None),
                    },
                }
            }
        });
        Self { stop: Some(stop), task }
    }

    /// Gives the socket back, if the machine is still there.
    pub(super) async fn end(mut self, name: &str) -> Result<Socket, ClientError> {
        drop(self.stop.take());
        (&mut self.task).await.ok().and_then(Result::ok).ok_or_else(|| line::interrupted(name))
    }

    /// Resolves when the machine ends it meanwhile; with its refusal, where it says why.
    pub(super) async fn over(&mut self) -> Option<Envelope> {
        match (&mut self.task).await {
            Ok(Err(refused)) => refused,
            Ok(Ok(_)) | Err(_) => None,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Wrong codes by address, in memory: this device's own three tries.
#[derive(Default)]
pub(super) struct CodeFailures(Mutex<BTreeMap<Address, (u32, Duration)>>);

impl CodeFailures {
    /// Tries left at `now`; a code's whole life after the last failure they are all back.
    fn left(&self, address: &Address, now: Duration) -> u32 {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, (_, last)| now.saturating_sub(*last) < limits::CODE_TIME);
        limits::CODE_TRIES.saturating_sub(failures.get(address).map_or(0, |(count, _)| *count))
    }

    /// One more; gives how many tries are left.
    fn failed(&self, address: &Address, now: Duration) -> u32 {
        let left = self.left(address, now).saturating_sub(1);
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.insert(address.clone(), (limits::CODE_TRIES - left, now));
        left
    }

    fn forget(&self, address: &Address) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_stops_after_three_wrong_codes_and_starts_anew_with_the_next_code() {
        let (failures, address) = (CodeFailures::default(), "homebox".parse::<Address>().unwrap());
        let now = Duration::from_secs(100);
        assert_eq!(failures.failed(&address, now), 2);
        assert_eq!(failures.failed(&address, now), 1);
        assert_eq!(failures.failed(&address, now), 0);
        assert_eq!(failures.left(&address, now), 0);
        assert_eq!(failures.left(&"other".parse().unwrap(), now), 3);
        assert_eq!(failures.left(&address, now + limits::CODE_TIME), 3);
        failures.forget(&address);
        assert_eq!(failures.left(&address, now), 3, "the right code gives them back");
    }

    #[test]
    fn a_machine_of_another_version_is_told_from_one_that_waits_for_no_code() {
        let told = |versions: Option<&str>| no_code(versions.map(str::to_owned));
        assert!(matches!(told(Some("2")), ClientError::Version { machine: Some(_) }));
        assert!(matches!(told(Some("1")), ClientError::NoCode));
        assert!(matches!(told(None), ClientError::NoCode));
    }
}
