//! Strangers who guess: typed codes by the thousand from many addresses, each with the real PAKE; and
//! a stopwatch for what a machine answers them. Used by `tests/guessing.rs` and its controls in
//! `tests/panics.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use pairpin_core::handshake::{Channel, CodeAwaitShare};
use pairpin_core::secrets::{Secret, TypedCode, random_bytes};
use pairpin_core::wire::{Envelope, Flow, Frame};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::block_on;
use crate::machine::Machine;
use crate::peer::{Answer, Event, Identity, Peer};

/// At once: fewer than the machine has places for strangers, so that none is sent away for another.
const AT_ONCE: usize = 32;

/// What the guessers were answered.
#[derive(Debug, Default)]
pub struct Answers {
    /// The stranger's answer, byte for byte: one, if all are the same.
    pub refusals: BTreeSet<String>,
    /// How many got it.
    pub refused: usize,
    /// How those ended whose confirmation was taken: close codes, and how often each.
    pub closed: BTreeMap<Option<u16>, usize>,
    /// Whatever else happened.
    pub others: Vec<String>,
}

enum Ended {
    Refused(String),
    Closed(Option<u16>),
}

/// Guesses `count` times at once, from as many addresses as there are.
///
/// # Panics
/// A guesser has panicked.
pub fn crowd(address: SocketAddr, right: Option<&TypedCode>, count: usize) -> Answers {
    let right = right.cloned();
    block_on(async move {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let identity = Arc::new(Identity::new("a guesser"));
        let mut guessers = JoinSet::new();
        for number in 0..count {
            let (places, identity, right) = (places.clone(), identity.clone(), right.clone());
            // 127.0.0.1 to .255 are left to others.
            let [_, _, third, fourth] = ((number % 50_000 + 0x0100) as u32).to_be_bytes();
            let source = Ipv4Addr::new(127, 0, third, fourth);
            guessers.spawn(async move {
                let _place = places.acquire_owned().await;
                let code = wrong_code(right.as_ref());
                guess(source, address, &code, &identity).await
            });
        }
        let mut answers = Answers::default();
        while let Some(guesser) = guessers.join_next().await {
            match guesser.unwrap_or_else(|error| panic!("{error}")) {
                Ok(Ended::Refused(head)) => {
                    answers.refused += 1;
                    answers.refusals.insert(head);
                }
                Ok(Ended::Closed(code)) => *answers.closed.entry(code).or_default() += 1,
                Err(error) => answers.others.push(error.to_string()),
            }
        }
        answers
    })
}

fn wrong_code(right: Option<&TypedCode>) -> TypedCode {
    loop {
        let guess = TypedCode::generate().unwrap_or_else(|error| panic!("{error}"));
        if Some(&guess) != right {
            return guess;
        }
    }
}

/// One guess: the whole exchange, as far as the machine goes along.
async fn guess(source: Ipv4Addr, address: SocketAddr, code: &TypedCode, identity: &Identity) -> io::Result<Ended> {
    let peer = Peer::connect_from(source, address).await?;
    let entropy = Secret::generate().map_err(io::Error::other)?;
    let (share, wait) = CodeAwaitShare::start(&peer.channel, code, &entropy).map_err(io::Error::other)?;
    let mut session = match peer.ask(Flow::Code, &share).await? {
        Answer::Stranger(head, 0) => return Ok(Ended::Refused(head.raw)),
        Answer::Switched(session) => session,
        other => return Err(io::Error::other(format!("{other:?}"))),
    };
    let Event::Frame(Frame::Handshake(answer)) = session.next().await? else {
        return Err(io::Error::other("no share of the machine's"));
    };
    let draft = wait.receive(&answer, &identity.details).map_err(io::Error::other)?;
    let signature = identity.sign(&draft.to_sign());
    let (confirm, _) = draft.signed(signature);
    session.send(&Frame::Handshake(confirm)).await?;
    match session.next().await? {
        Event::Closed(code) => Ok(Ended::Closed(code)),
        Event::Frame(frame) => Err(io::Error::other(format!("told {frame:?}"))),
    }
}

/// How many wrong codes the machine says it has compared.
#[track_caller]
pub fn evaluated(machine: &Machine) -> usize {
    machine.audit_kinds().iter().filter(|kind| *kind == "wrong-code").count()
}

/// The first message of a flow over a channel.
pub type Ask<'a> = &'a dyn Fn(&Channel) -> (Flow, Envelope);

/// How the times of two answers differ.
#[derive(Debug, Clone, Copy)]
pub struct Difference {
    /// Welch's t.
    pub t: f64,
    /// The means' difference in microseconds, the second less the first.
    pub micros: f64,
}

impl Difference {
    /// Whether it is more than noise, and more than `micros`: what is less is not judged here.
    pub fn is_told(&self, micros: f64) -> bool {
        self.t.abs() > 4.5 && self.micros.abs() > micros
    }
}

/// Measures the time from request to answer, `pairs` of both kinds in random order, each over a
/// connection of its own. The slower half of each is left out.
///
/// # Panics
/// An answer is not the stranger's.
pub fn difference(address: SocketAddr, pairs: usize, kinds: [Ask<'_>; 2]) -> Difference {
    let mut samples = [Vec::with_capacity(pairs), Vec::with_capacity(pairs)];
    block_on(async {
        for _ in 0..pairs {
            let [coin] = random_bytes::<1>().unwrap_or_else(|error| panic!("{error}"));
            for kind in [usize::from(coin & 1), usize::from(coin & 1 ^ 1)] {
                let peer = Peer::connect(address).await.unwrap_or_else(|error| panic!("{error}"));
                let (flow, envelope) = kinds[kind](&peer.channel);
                let began = Instant::now();
                let answer = peer.ask(flow, &envelope).await;
                let took = began.elapsed();
                assert!(matches!(&answer, Ok(Answer::Stranger(_, 0))), "{answer:?}");
                samples[kind].push(took.as_nanos() as f64 / 1000.0);
            }
        }
    });
    // What was disturbed took longer: the faster half of each kind is compared.
    let [first, second] = samples.map(|mut sample| {
        sample.sort_by(f64::total_cmp);
        sample.truncate(sample.len() / 2);
        sample
    });
    let mean = |sample: &[f64]| sample.iter().sum::<f64>() / sample.len() as f64;
    let variance = |sample: &[f64]| {
        let mean = mean(sample);
        sample.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (sample.len() - 1) as f64
    };
    let error = variance(&first) / first.len() as f64 + variance(&second) / second.len() as f64;
    let micros = mean(&second) - mean(&first);
    Difference { t: micros / error.sqrt(), micros }
}

/// What strangers may ask about a machine that has a device and a live offer: each question once about
/// what there is and once about what there is not.
#[derive(Debug)]
pub struct Questions {
    known: Identity,
    device: pairpin_core::identity::DeviceId,
    token: pairpin_core::token::SessionToken,
    offer: pairpin_core::secrets::OfferSecret,
    stranger: Identity,
}

impl Questions {
    /// Pairs a device, and leaves an offer live for the ten minutes that it may.
    #[track_caller]
    pub fn of(machine: &Machine) -> Self {
        let known = Identity::new("known");
        let secret = machine.offer(&[]).link().secret;
        let paired = block_on(async {
            let peer = Peer::connect(machine.address).await?;
            known.pair(peer, &secret).await
        });
        let (grant, _) = paired.unwrap_or_else(|error| panic!("{error:?}"));
        let offer = machine.offer(&["--ttl", "10m"]).link().secret;
        Self { known, device: grant.device, token: grant.token, offer, stranger: Identity::new("stranger") }
    }

    /// The names of the first `questions` (there are three), and how the times of their two answers differ.
    pub fn differences(&self, address: SocketAddr, pairs: usize, questions: usize) -> Vec<(&'static str, Difference)> {
        use pairpin_core::handshake::{AwaitPreview, MacKey, ResumeDraft};
        use pairpin_core::identity::DeviceId;
        use pairpin_core::secrets::OfferSecret;
        use pairpin_core::token::SessionToken;
        let nobody = DeviceId::of(&self.stranger.details.key);
        assert_ne!(DeviceId::of(&self.known.details.key), nobody);
        let wrong = SessionToken::from_bytes([7; 32]);
        let resume = |device, token: &SessionToken, channel: &Channel| {
            let draft = ResumeDraft::new(channel, device, token).unwrap_or_else(|error| panic!("{error}"));
            // A whole signature, by a key that is not the device's.
            let signature = self.stranger.sign(&draft.to_sign());
            let recognition = pairpin_core::secrets::RecognitionKey::from_bytes([0; 32]);
            (Flow::Resume, draft.signed(signature, &recognition).0)
        };
        let preview = |secret: &OfferSecret, channel: &Channel| {
            let request = AwaitPreview::request(channel, MacKey::of_offer(secret), None);
            let mut envelope = request.unwrap_or_else(|error| panic!("{error}")).0;
            envelope.mac = Some(pairpin_core::wire::Mac::from_bytes([3; 32]));
            (Flow::Preview, envelope)
        };
        let unknown = OfferSecret::from_bytes([9; 16]);
        let asked: [(&str, [Ask<'_>; 2]); 3] = [
            (
                "a device that is unknown or known",
                [&|channel| resume(nobody, &wrong, channel), &|channel| resume(self.device, &wrong, channel)],
            ),
            (
                "a known device's token, wrong or right",
                [&|channel| resume(self.device, &wrong, channel), &|channel| resume(self.device, &self.token, channel)],
            ),
            (
                "an offer that is unknown or live",
                [&|channel| preview(&unknown, channel), &|channel| preview(&self.offer, channel)],
            ),
        ];
        asked.into_iter().take(questions).map(|(what, kinds)| (what, difference(address, pairs, kinds))).collect()
    }
}
