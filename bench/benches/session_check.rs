//! The check of a session, on the real judge in memory: reading the request, the session key's
//! signature, the device in the book, its token and its state. `apart` leaves the signature out, which
//! is `signature` (a difference of two large figures would be noise); `judge` is the pure judgement, with as many tokens as a device
//! can have.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use pairpin_core::clock::SystemClock;
use pairpin_core::handshake::{Channel, ResumeDraft, ResumeOpened};
use pairpin_core::host::sessions::{self, Verdict};
use pairpin_core::host::{DATABASE_FILE, Host, HostConfig};
use pairpin_core::identity::Pin;
use pairpin_core::secrets::Secret;
use pairpin_core::store::host::devices;
use pairpin_core::store::host::tokens::{self, TokenRow, TokenState};
use pairpin_core::store::{Database, Kind};
use pairpin_core::token::TokenHash;
use pairpin_core::wire::limits;
use pairpin_tests::scratch;
use pairpin_tests::swarm::paired::Paired;
use pairpin_tests::swarm::rows;
use tokio::runtime::Runtime;

fn start(state: &std::path::Path) -> Host {
    let config = HostConfig {
        state_dir: state.to_owned(),
        bind: Some(Ipv4Addr::LOCALHOST.into()),
        port: 0,
        name: None,
        platform: "a benchmark".to_owned(),
        advertise: Vec::new(),
        new_key: false,
        place: pairpin_core::host::Place::default(),
        join_from: Default::default(),
        clock: Arc::new(SystemClock),
    };
    pollster(Host::start(config)).unwrap_or_else(|error| panic!("{error}"))
}

fn pollster<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Handle::current().block_on(future)
}

fn session_check(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap_or_else(|error| panic!("{error}"));
    let _inside = runtime.enter();
    let home = scratch::directory();
    let state = home.path().join("state");
    pollster(start(&state).stop());
    let paired = rows::fill(&state.join(DATABASE_FILE), 1_000);
    let device: &Paired = &paired[500];
    let row = {
        let db = Database::open(&state.join(DATABASE_FILE), Kind::Host).unwrap_or_else(|error| panic!("{error}"));
        let id = device.device;
        let read = db
            .read_blocking(move |connection| Ok((devices::get(connection, &id)?, tokens::of_device(connection, &id)?)));
        read.unwrap_or_else(|error| panic!("{error}"))
    };
    let (Some(row), current) = row else { panic!("the device has no row") };
    let host = start(&state);

    let channel = Channel { exporter: Secret::from_bytes([7; 32]), pin: Pin::from_bytes([8; 32]) };
    let draft = ResumeDraft::new(&channel, device.device, &device.token).unwrap_or_else(|error| panic!("{error}"));
    let message = draft.to_sign();
    let signature = device.key.sign(&message).unwrap_or_else(|error| panic!("{error}"));
    let (envelope, _) = draft.signed(signature, &device.recognition);
    let whole = || {
        let opened = ResumeOpened::open(&channel, black_box(&envelope)).unwrap_or_else(|error| panic!("{error}"));
        let proven = opened.verify(&row.session_key).unwrap_or_else(|error| panic!("{error}"));
        host.verdict(proven.device(), &proven.token())
    };
    assert_eq!(whole(), Some(Verdict::Welcome { rotate: false }));
    // The control: another token is not welcome.
    assert_ne!(host.verdict(device.device, &TokenHash::of(&Secret::from_bytes([9; 32]))), whole());

    let mut many: Vec<TokenRow> = (0..limits::OLD_TOKENS + limits::PENDING_TOKENS)
        .map(|number| TokenRow {
            hash: TokenHash::of(&Secret::from_bytes([number as u8; 32])),
            state: if number < limits::OLD_TOKENS { TokenState::Superseded } else { TokenState::Pending },
            ..current[0]
        })
        .collect();
    many.extend(current);
    let presented = TokenHash::of(&device.token);
    let now = row.session_started_at;

    let mut group = criterion.benchmark_group("session_check");
    group.bench_function("whole", |bencher| bencher.iter(whole));
    group.bench_function("apart", |bencher| {
        bencher.iter(|| {
            let opened = ResumeOpened::open(&channel, black_box(&envelope)).unwrap_or_else(|error| panic!("{error}"));
            host.verdict(opened.device(), &TokenHash::of(black_box(&device.token)))
        })
    });
    group.bench_function("signature", |bencher| {
        bencher.iter(|| row.session_key.verify(black_box(&message), black_box(&signature)))
    });
    group.bench_function("judge", |bencher| bencher.iter(|| sessions::judge(&row, black_box(&many), &presented, now)));
    group.finish();
    pollster(host.stop());
}

criterion_group!(benches, session_check);
criterion_main!(benches);
