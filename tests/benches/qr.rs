//! How many camera frames our QR reader reads, and how quickly, beside zxing-cpp in the same run.
//!
//! `cargo xtask bench-qr` runs it in release, and sets `PAIRPIN_QR_PYTHON` to a Python that has
//! zxing-cpp. Arguments: the number of frames and the seed. It fails below the bars, and where one of
//! its controls does not fail.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use pairpin_tests::frames::frame;
use pairpin_tests::frames::judge::{Judge, table};
use pairpin_tests::frames::readers::{blind, examine, floor, liar, ours};

/// Percent of the frames that must be read.
const RATE: f64 = 90.0;
/// The median time of a frame, at most.
const MEDIAN: Duration = Duration::from_millis(3);

/// zxing-cpp in a process of its own.
struct Peer {
    process: Child,
    frames: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start() -> Self {
        let python = std::env::var_os("PAIRPIN_QR_PYTHON").expect("run this by `cargo xtask bench-qr`");
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/qr_peer.py");
        let mut process = Command::new(python)
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer's Python starts");
        let frames = process.stdin.take().expect("it has a stdin");
        let answers = BufReader::new(process.stdout.take().expect("it has a stdout"));
        Self { process, frames, answers }
    }

    fn read(&mut self, pixels: &[u8]) -> (Option<String>, Duration) {
        self.frames.write_all(pixels).expect("the peer takes a frame");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the peer answers");
        let (spent, text) = line.trim_end().split_once(' ').expect("a time and a text");
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok();
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (text, Duration::from_nanos(spent.parse().expect("a number of nanoseconds")))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (frames, seed) = (numbers.next().unwrap_or(1000) as usize, numbers.next().unwrap_or(2));
    let mut peer = Peer::start();
    let mut judges = ["pairpin", "zxing-cpp", "rxing alone", "control: blind", "control: liar"].map(Judge::of);
    for number in 0..frames {
        let frame = frame(seed, number);
        let [us, them, least, none, lies] = &mut judges;
        examine(us, ours, &frame);
        let (answer, time) = peer.read(&frame.pixels);
        them.take(frame.class, &frame.text, answer.as_deref(), time);
        examine(least, floor, &frame);
        examine(none, blind, &frame);
        examine(lies, liar, &frame);
    }
    drop(peer);
    let [us, them, least, none, lies] = &judges;
    println!("{frames} frames of 1280x720 from seed {seed}; times are of the processor, one thread");
    println!("{}", table(&[us, them, least]));
    judges.iter().for_each(|judge| println!("{judge}"));
    let times = us.time(50).as_secs_f64() / them.time(50).as_secs_f64().max(1e-9);
    println!("pairpin to zxing-cpp: {:+.1} points read, {times:.2} times the median time", us.rate() - them.rate());

    let mut complaints = Vec::new();
    complaints.extend(us.verdict(RATE).err());
    if us.time(50) > MEDIAN {
        complaints.push(format!("pairpin: a median of {:?}, the bar is {MEDIAN:?}", us.time(50)));
    }
    for control in [none, lies] {
        if control.verdict(RATE).is_ok() {
            complaints.push(format!("{}: it passed, so this check cannot fail", control.name));
        }
    }
    complaints.iter().for_each(|complaint| println!("FAILED {complaint}"));
    if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
