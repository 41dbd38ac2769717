//! Running the suite: `tests/python/wstest.py` in the Python 2.7 that the layer `suites` found.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pairpin_core::identity::{KeyPair, Pin};
use pairpin_core::net::BoxedStream;
use pairpin_core::net::tls::{self, PinCheck};
use pairpin_core::net::upgrade::{Response, request};
use pairpin_core::wire::{Envelope, Flow};
use pairpin_tests::scratch;
use pairpin_tests::tls::Identity;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Processes that share the cases: most of the time of a case is waiting.
const PROCESSES: usize = 4;
/// Far beyond what a run takes, on a machine that does other things too.
const DEADLINE: Duration = Duration::from_secs(300);

/// What the suite says of a case: of its frames, and of its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub behavior: String,
    pub close: String,
}

pub type Verdicts = BTreeMap<String, Verdict>;

/// The names of all cases that the suite has.
pub async fn all_cases() -> Vec<String> {
    let mut process = Process::start(&json!({ "mode": "list" })).await;
    let line = process.line().await;
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
}

/// Lets the suite dial a machine on this port; every machine on it must answer `asked` with an echo.
pub async fn dial_machine(port: u16, asked: (Flow, Envelope), cases: &[String]) -> Verdicts {
    let run = |cases: Vec<String>| {
        let asked = asked.clone();
        async move {
            let reports = scratch::directory();
            let spec = json!({
                "mode": "client", "port": port, "flow": asked.0.as_str(), "message": asked.1.message,
                "cases": cases, "outdir": reports.path(),
            });
            Process::start(&spec).await.end().await;
            read(&reports)
        }
    };
    gather(shares(cases).into_iter().map(|share| tokio::spawn(run(share))).collect()).await
}

async fn gather(running: Vec<tokio::task::JoinHandle<Verdicts>>) -> Verdicts {
    let mut found = Verdicts::new();
    for run in running {
        found.extend(timeout(DEADLINE, run).await.expect("the suite came to no end").unwrap());
    }
    found
}

fn shares(cases: &[String]) -> Vec<Vec<String>> {
    let share = |first: usize| cases.iter().skip(first).step_by(PROCESSES).cloned().collect();
    (0..PROCESSES.min(cases.len())).map(share).collect()
}

/// The suite as something that devices dial.
pub struct Suite {
    _process: Process,
    reports: TempDir,
    port: u16,
    pin: Pin,
}

impl Suite {
    /// Dials the suite once for each case, as a device does, and lets `act` do what follows the upgrade.
    pub async fn run<F, T>(cases: &[String], act: F) -> Verdicts
    where
        F: Fn(BoxedStream) -> T + Clone + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let run = |cases: Vec<String>, act: F| async move {
            let suite = Self::start(&cases).await;
            for case in &cases {
                let stream = suite.dial(&json!({ "path": "/runCase", "case": case })).await;
                timeout(DEADLINE, act(stream)).await.unwrap_or_else(|_| panic!("{case} came to no end"));
            }
            let mut told = suite.dial(&json!({ "path": "/updateReports" })).await;
            // It closes when the reports are written.
            told.read_to_end(&mut Vec::new()).await.ok();
            read(&suite.reports)
        };
        gather(shares(cases).into_iter().map(|share| tokio::spawn(run(share, act.clone()))).collect()).await
    }

    async fn start(cases: &[String]) -> Self {
        let (identity, reports) = (KeyPair::generate().unwrap(), scratch::directory());
        let shown = Identity::of(&identity);
        let file = |name: &str, what: &str, der: &[u8]| {
            let path = reports.path().join(name);
            let text = format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", STANDARD.encode(der));
            fs::write(&path, text).unwrap();
            path
        };
        let spec = json!({
            "mode": "server", "cases": cases, "outdir": reports.path(),
            "key": file("key.pem", "PRIVATE KEY", identity.pkcs8().expose()),
            "certificate": file("certificate.pem", "CERTIFICATE", shown.certificate()),
        });
        let mut process = Process::start(&spec).await;
        let port = loop {
            if let Some(port) = process.line().await.strip_prefix("listening ") {
                break port.trim().parse().unwrap();
            }
        };
        Self { _process: process, reports, port, pin: shown.pin() }
    }

    async fn dial(&self, wish: &Value) -> BoxedStream {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.unwrap();
        let (mut stream, _) = tls::connect(socket, PinCheck::Exact(vec![self.pin]), DEADLINE).await.unwrap();
        let asked = Envelope::of_any(wish).unwrap();
        match request(&mut stream, Flow::Resume, &asked).await {
            Ok(Response::Switched) => stream,
            other => panic!("{wish}: {other:?}"),
        }
    }
}

/// One process of the suite, ended with the value.
struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    async fn start(spec: &Value) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/wstest.py");
        let mut child = Command::new(variable("PAIRPIN_PYTHON27"))
            .args(["-W", "ignore"])
            .arg(script)
            .arg(variable("PAIRPIN_AUTOBAHN"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(format!("{spec}\n").as_bytes()).await.unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(DEADLINE, self.output.read_line(&mut line)).await.expect("the suite says nothing");
        assert!(read.unwrap() > 0, "the suite ended early: {:?}", self.child.wait().await);
        line
    }

    async fn end(mut self) {
        self.output.read_to_end(&mut Vec::new()).await.unwrap();
        let ended = self.child.wait().await.unwrap();
        assert!(ended.success(), "the suite ended with {ended}");
    }
}

fn variable(name: &str) -> PathBuf {
    env::var_os(name).unwrap_or_else(|| panic!("{name} is not set, run: cargo xtask test --layer suites")).into()
}

/// The suite's `index.json`: agent, case, and what it says of it.
fn read(reports: &TempDir) -> Verdicts {
    let text = fs::read_to_string(reports.path().join("index.json")).expect("the suite wrote no report");
    let index: Value = serde_json::from_str(&text).unwrap();
    let said = |case: &Value, what: &str| case[what].as_str().unwrap_or_default().to_owned();
    let cases = index["pairpin"].as_object().unwrap_or_else(|| panic!("no results in {text}"));
    let verdict = |case| Verdict { behavior: said(case, "behavior"), close: said(case, "behaviorClose") };
    cases.iter().map(|(name, case)| (name.clone(), verdict(case))).collect()
}
