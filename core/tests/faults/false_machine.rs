//! A machine made of the handshake's parts over real TLS, so that any of its messages can be shown with a fault.
//! Without one it pairs and welcomes the real device engine: that is its control, and each cell runs it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pairpin_core::handshake::*;
use pairpin_core::identity::{DeviceId, KeyPair, MachineId, Pin, PublicKey};
use pairpin_core::link::Link;
use pairpin_core::net::socket::{Incoming, Socket};
use pairpin_core::net::tls;
use pairpin_core::net::upgrade::{self, Answer, UpgradeRequest};
use pairpin_core::role::Role;
use pairpin_core::secrets::{OfferSecret, RecognitionKey, Secret, TypedCode};
use pairpin_core::token::SessionToken;
use pairpin_core::wire::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Fault, spoilt};

/// Longer than a device waits for one answer.
const TOO_LATE: Duration = Duration::from_secs(12);

/// What it does, beside pairing everybody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// This message is shown with this fault.
    pub fault: Option<(MessageKind, Fault)>,
    /// Proofs are refused: "used".
    pub refuses: bool,
    /// It believes any Proof and any request: the control's.
    pub careless: bool,
    /// Its welcome gives a counter to keep.
    pub counter: Option<u64>,
    /// It has never seen anybody's token.
    pub never_seen: bool,
    /// It does something odd with what it is asked.
    pub odd: Option<Odd>,
}

/// What no machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// It gives each first message back as its own.
    Echo,
    /// It speaks another version, under proofs that hold.
    Version,
    /// After the upgrade it sends these bytes, and then listens.
    Raw(&'static [u8]),
    /// Once, to the person's yes to a code, it says that the device is revoked; and has another key from then on,
    /// or not.
    Revokes { and_changes: bool },
}

/// A false machine; it ends with its runtime.
#[derive(Clone)]
pub struct FalseMachine {
    pub link: Link,
    pub code: TypedCode,
    pub address: Address,
    state: Arc<State>,
}

struct State {
    tls: Mutex<(Pin, Arc<rustls::ServerConfig>)>,
    /// How many requests it has read.
    asked: AtomicUsize,
    /// How much it was handed back.
    handed: AtomicUsize,
    offer: MacKey,
    code: TypedCode,
    machine: MachineId,
    manner: Mutex<Manner>,
    /// What it said last time, when it was good.
    said: Mutex<HashMap<MessageKind, Envelope>>,
    devices: Mutex<HashMap<DeviceId, (PublicKey, RecognitionKey)>>,
    /// Of the last join: what the approver's screen would show.
    digits: Mutex<Option<String>>,
    /// It lets no join in.
    no_grants: AtomicBool,
}

impl FalseMachine {
    pub async fn start() -> Self {
        let (pin, config) = another_key();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: Address = listener.local_addr().unwrap().into();
        let secret = OfferSecret::generate().unwrap();
        let (offer, code) = (MacKey::of_offer(&secret), TypedCode::generate().unwrap());
        let link = Link { pin: pin.prefix(), secret, addresses: vec![address.clone()] };
        let state = Arc::new(State {
            tls: Mutex::new((pin, config)),
            asked: AtomicUsize::new(0),
            handed: AtomicUsize::new(0),
            offer,
            code: code.clone(),
            machine: MachineId::from_bytes([4; 16]),
            manner: Mutex::default(),
            said: Mutex::default(),
            devices: Mutex::default(),
            digits: Mutex::default(),
            no_grants: AtomicBool::default(),
        });
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let state = serving.clone();
                // What it cannot read it does not answer.
                tokio::spawn(async move { state.serve(socket).await });
            }
        });
        Self { link, code, address, state }
    }

    /// It has paired this key.
    pub fn know(&self, device: DeviceId, key: PublicKey) {
        self.state.devices.lock().unwrap().insert(device, (key, RecognitionKey::generate().unwrap()));
    }

    /// The four digits of the last join that it has let in.
    pub fn join_digits(&self) -> Option<String> {
        self.state.digits.lock().unwrap().clone()
    }

    /// It leaves joins waiting.
    pub fn grants_nothing(&self) {
        self.state.no_grants.store(true, Ordering::Relaxed);
    }

    pub fn set(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    /// It has another key from now on, and all that it knew; gives its pin.
    pub fn change_key(&self) -> Pin {
        self.state.change_key()
    }

    /// How often it was handed something back.
    pub fn handed(&self) -> usize {
        self.state.handed.load(Ordering::SeqCst)
    }

    /// How many requests it has read.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }
}

fn another_key() -> (Pin, Arc<rustls::ServerConfig>) {
    let key = KeyPair::generate().unwrap();
    (tls::spki_pin(&key).unwrap(), tls::machine_config(&key, 1_800_000_000_000).unwrap())
}

impl State {
    fn manner(&self) -> Manner {
        *self.manner.lock().unwrap()
    }

    fn change_key(&self) -> Pin {
        let mut tls = self.tls.lock().unwrap();
        *tls = another_key();
        tls.0
    }

    fn version(&self) -> u16 {
        if self.manner().odd == Some(Odd::Version) { VERSION + 1 } else { VERSION }
    }

    /// The message as it is to be shown.
    async fn show(&self, message: MessageKind, good: Envelope) -> Envelope {
        match self.manner().fault {
            Some((of, fault)) if of == message => {
                if fault == Fault::Late {
                    tokio::time::sleep(TOO_LATE).await;
                }
                let other = self.said.lock().unwrap().get(&message).cloned().expect("it was said before");
                spoilt(fault, good, &other)
            }
            _ => {
                self.said.lock().unwrap().insert(message, good.clone());
                good
            }
        }
    }

    async fn serve(&self, socket: TcpStream) -> Option<()> {
        let (pin, config) = self.tls.lock().unwrap().clone();
        let accepted = tls::accept(socket, config, pin, Duration::from_secs(10)).await.ok()?;
        let (mut stream, channel) = (accepted.stream, accepted.channel);
        let request = upgrade::read_request(&mut stream).await.ok()?;
        self.asked.fetch_add(1, Ordering::SeqCst);
        match (self.manner().odd, request.flow) {
            (Some(Odd::Echo), Flow::Preview) => {
                return upgrade::answer(&mut stream, Answer::Preview, &request.envelope).await.ok();
            }
            (Some(Odd::Echo), _) => {
                let mut socket = switch(stream, &request).await?;
                socket.send(Frame::Handshake(request.envelope.clone())).await.ok()?;
                while let Ok(Some(Incoming::Frame(Frame::Handshake(envelope)))) = socket.recv().await {
                    socket.send(Frame::Handshake(envelope)).await.ok()?;
                }
                return Some(());
            }
            (Some(Odd::Raw(bytes)), Flow::Scan | Flow::Code | Flow::Resume) => {
                upgrade::accept(&mut stream, &request).await.ok()?;
                stream.write_all(bytes).await.ok()?;
                stream.flush().await.ok()?;
                let mut chunk = [0; 1024];
                while stream.read(&mut chunk).await.ok()? > 0 {}
                return Some(());
            }
            _ => {}
        }
        match request.flow {
            Flow::Preview => {
                let opened = PreviewOpened::open(&channel, &request.envelope).ok()?;
                let preview = Preview {
                    version: self.version(),
                    machine: self.machine,
                    name: "homebox".into(),
                    platform: "test".into(),
                    role: Role::Owner,
                };
                let answer = opened.verify(&self.offer).ok()?.answer(&preview, None).ok()?;
                let answer = self.show(MessageKind::Preview, answer).await;
                upgrade::answer(&mut stream, Answer::Preview, &answer).await.ok()
            }
            Flow::Scan if self.manner().careless => {
                request.envelope.read::<ScanRequest>().ok()?;
                upgrade::accept(&mut stream, &request).await.ok()
            }
            Flow::Scan => {
                let opened = ScanOpened::open(&channel, request.envelope.clone()).ok()?;
                let proven = opened.verify(&self.offer).ok()?;
                if self.manner().refuses {
                    let refusal = proven.refuse(&Refusal::new(RefusalCode::OfferUsed, 1)).ok()?;
                    let refusal = self.show(MessageKind::Refusal, refusal).await;
                    return upgrade::answer(&mut stream, Answer::Refusal, &refusal).await.ok();
                }
                let (grant, key) = (self.grant(proven.request().key), proven.request().key);
                let (envelope, granted) = proven.grant(&grant, None).ok()?;
                let socket = switch(stream, &request).await?;
                self.pair(socket, key, &grant, envelope, granted).await
            }
            Flow::Code => self.code(stream, &channel, &request).await,
            Flow::Join => self.join(stream, &channel, &request).await,
            Flow::Recovery => {
                let seed = pairpin_core::secrets::RecoverySeed::from_bytes(super::recovery::SEED);
                let half = SheetKeys::of(&seed).ok()?.half().ok()?;
                let proven = RecoveryOpened::open(&channel, &request.envelope).ok()?.verify(&half).ok()?;
                let answer = RecoveryAnswer {
                    version: self.version(),
                    name: "homebox".into(),
                    spent: true,
                    revoked: Vec::new(),
                    devices: Vec::new(),
                    more_revoked: 0,
                    more_devices: 0,
                };
                let answer = self.show(MessageKind::RecoveryAnswer, proven.answer(&answer).ok()?).await;
                upgrade::answer(&mut stream, Answer::Done, &answer).await.ok()
            }
            Flow::Resume => {
                let opened = ResumeOpened::open(&channel, &request.envelope).ok()?;
                let known = self.devices.lock().unwrap().get(&opened.device()).cloned();
                let (key, r) = known?;
                if self.manner().never_seen {
                    let refusal = Refusal::new(RefusalCode::TokenUnknown, 1);
                    let refusal = opened.verify(&key).ok()?.refuse(&r, &refusal).ok()?;
                    return upgrade::answer(&mut stream, Answer::Refusal, &refusal).await.ok();
                }
                let welcome = self.welcome();
                let envelope = opened.verify(&key).ok()?.welcome(&r, &welcome).ok()?;
                let mut socket = switch(stream, &request).await?;
                let envelope = self.show(MessageKind::Welcome, envelope).await;
                socket.send(Frame::Handshake(envelope)).await.ok()?;
                while let Ok(Some(_)) = socket.recv().await {}
                Some(())
            }
            Flow::HandBack => {
                let opened = HandBackOpened::open(&channel, &request.envelope).ok()?;
                let known = self.devices.lock().unwrap().get(&opened.device()).cloned();
                let (key, r) = known?;
                let ready = HandBackReady { version: VERSION, counter: 0, tombstones: tombstones_hash(Vec::new()) };
                let envelope = opened.verify(&key).ok()?.ready(&r, &ready).ok()?;
                let mut socket = switch(stream, &request).await?;
                let envelope = self.show(MessageKind::HandBackReady, envelope).await;
                socket.send(Frame::Handshake(envelope)).await.ok()?;
                while let Ok(Some(incoming)) = socket.recv().await {
                    if let Incoming::Frame(Frame::Request { id, .. }) = incoming {
                        self.handed.fetch_add(1, Ordering::SeqCst);
                        let result = Ok(serde_json::to_value(HandedBack::default()).ok()?);
                        socket.send(Frame::Answer { id, result }).await.ok()?;
                    }
                }
                Some(())
            }
        }
    }

    async fn code(
        &self,
        stream: pairpin_core::net::BoxedStream,
        channel: &Channel,
        request: &UpgradeRequest,
    ) -> Option<()> {
        let opened = CodeOpened::open(channel, &request.envelope).ok()?;
        let (answer, wait) = opened.answer(&self.code, &Secret::generate().ok()?).ok()?;
        let mut socket = switch(stream, request).await?;
        socket.send(Frame::Handshake(self.show(MessageKind::CodeShareAnswer, answer).await)).await.ok()?;
        let proven = wait.receive(handshake(&mut socket).await?).ok()?.check().ok()?;
        let key = proven.confirm().key;
        let welcome =
            CodeWelcome { machine: self.machine, name: "homebox".into(), platform: "test".into(), role: Role::Owner };
        let (envelope, wait) = proven.welcome(&welcome).ok()?;
        socket.send(Frame::Handshake(self.show(MessageKind::CodeWelcome, envelope).await)).await.ok()?;
        let answered = wait.receive(&handshake(&mut socket).await?).ok()?;
        if let Some(Odd::Revokes { and_changes }) = self.manner().odd {
            *self.manner.lock().unwrap() = Manner::default();
            if and_changes {
                self.change_key();
            }
            let refusal = answered.refuse(&Refusal::new(RefusalCode::Revoked, 1)).ok()?;
            socket.send(Frame::Refused(refusal)).await.ok()?;
            socket.close(CloseCode::Protocol, "").await;
            return Some(());
        }
        let grant = self.grant(key);
        let (envelope, granted) = answered.grant(&grant, None).ok()?;
        self.pair(socket, key, &grant, envelope, granted).await
    }

    /// It lets everybody in by itself. The digits are those of the nonce that it meant to send: what an approver
    /// would see.
    async fn join(
        &self,
        stream: pairpin_core::net::BoxedStream,
        channel: &Channel,
        request: &UpgradeRequest,
    ) -> Option<()> {
        let opened = JoinOpened::open(channel, &request.envelope).ok()?;
        let fresh = JoinFresh::from_bytes(*Secret::<32>::generate().ok()?.expose());
        let (nonce, wait) = opened.answer(JoinId::from_bytes([3; 5]), fresh, true).ok()?;
        let mut socket = switch(stream, request).await?;
        socket.send(Frame::Handshake(self.show(MessageKind::JoinNonce, nonce).await)).await.ok()?;
        let reveal = handshake(&mut socket).await?;
        let faulty = self.manner().fault.is_some_and(|(message, _)| message == MessageKind::JoinNonce);
        let met = match wait.receive(&reveal) {
            Ok(met) => met,
            // The joiner signed another T, for it was shown another nonce: it is granted all the same.
            Err(_) if faulty => return self.grant_blindly(socket, request).await,
            Err(_) => return None,
        };
        *self.digits.lock().unwrap() = Some(met.facts().digits().to_string());
        if self.no_grants.load(Ordering::Relaxed) {
            while let Ok(Some(_)) = socket.recv().await {}
            return None;
        }
        let key = met.details().key;
        let grant = self.grant(key);
        let (envelope, granted) = met.grant(&grant).ok()?;
        self.pair(socket, key, &grant, envelope, granted).await
    }

    async fn grant_blindly(&self, mut socket: Socket, request: &UpgradeRequest) -> Option<()> {
        let key = request.envelope.read::<JoinCommit>().ok()?.key;
        *self.digits.lock().unwrap() = Some("0000".into());
        socket.send(Frame::Handshake(Envelope::of(&self.grant(key)).ok()?)).await.ok()?;
        while let Ok(Some(_)) = socket.recv().await {}
        Some(())
    }

    fn grant(&self, key: PublicKey) -> Grant {
        let known = self.devices.lock().unwrap().get(&DeviceId::of(&key)).map(|(_, r)| r.clone());
        Grant {
            version: self.version(),
            token: SessionToken::generate().unwrap(),
            current: None,
            device: DeviceId::of(&key),
            device_name: "laptop".into(),
            role: Role::Owner,
            machine: self.machine,
            name: "homebox".into(),
            platform: "test".into(),
            recognition_key: known.unwrap_or_else(|| RecognitionKey::generate().unwrap()),
            addresses: Vec::new(),
            next_pin: Pin::from_bytes([7; 32]),
            epoch: 0,
            counter: 0,
            idle_seconds: 60,
            expires_at: i64::MAX,
        }
    }

    fn welcome(&self) -> Welcome {
        Welcome {
            version: self.version(),
            role: Role::Owner,
            name: "homebox".into(),
            device_name: "laptop".into(),
            addresses: Vec::new(),
            // One that a device must not take from a welcome that it does not believe.
            token: Some(SessionToken::generate().unwrap()),
            next_pin: Pin::from_bytes([7; 32]),
            epoch: 0,
            counter: 0,
            idle_seconds: 60,
            expires_at: i64::MAX,
            approvals: Vec::new(),
            approval_key: None,
            approval_guard: None,
            unsettled: false,
            standing: self.manner().counter.map(|counter| Standing {
                counter: CounterProof { counter, mac: Mac::from_bytes([1; 32]) },
                tombstones: tombstones_hash(Vec::new()),
            }),
            rotated: None,
        }
    }

    async fn pair(
        &self,
        mut socket: Socket,
        key: PublicKey,
        grant: &Grant,
        envelope: Envelope,
        granted: Granted,
    ) -> Option<()> {
        socket.send(Frame::Handshake(self.show(MessageKind::Grant, envelope).await)).await.ok()?;
        let (id, acknowledged) = loop {
            match socket.recv().await.ok()?? {
                Incoming::Frame(Frame::Request { id, params, .. }) => break (id, params),
                Incoming::Ping | Incoming::Pong => {}
                _ => return None,
            }
        };
        granted.acknowledged(&serde_json::from_value(acknowledged).ok()?).ok()?;
        let mut result = serde_json::to_value(Acknowledged { device_name: "laptop".into(), role: Role::Owner }).ok()?;
        match self.manner().fault.filter(|(message, _)| *message == MessageKind::Acknowledged) {
            Some((_, Fault::Malformed)) => result = serde_json::json!("nonsense"),
            Some((_, Fault::Truncated)) => result = serde_json::json!({ "device_name": "laptop" }),
            Some((_, Fault::Late)) => tokio::time::sleep(TOO_LATE).await,
            _ => {}
        }
        if self.manner().fault.is_none_or(|(message, _)| message != MessageKind::Acknowledged) {
            let kept = (key, grant.recognition_key.clone());
            self.devices.lock().unwrap().insert(grant.device, kept);
        }
        socket.send(Frame::Answer { id, result: Ok(result) }).await.ok()?;
        while let Ok(Some(_)) = socket.recv().await {}
        Some(())
    }
}

async fn switch(mut stream: pairpin_core::net::BoxedStream, request: &UpgradeRequest) -> Option<Socket> {
    upgrade::accept(&mut stream, request).await.ok()?;
    Some(Socket::machine(stream).await)
}

async fn handshake(socket: &mut Socket) -> Option<Envelope> {
    loop {
        match socket.recv().await.ok()?? {
            Incoming::Frame(Frame::Handshake(envelope)) => return Some(envelope),
            Incoming::Ping | Incoming::Pong => {}
            _ => return None,
        }
    }
}
