//! The benchmarks' driver: the real binary under load, each figure beside a floor that is measured in
//! the same run. `cargo xtask bench` builds everything and runs it; `docs/benchmarks.md` has the
//! figures and says how to read them.
//!
//! One file for each subject. Each gives rows for the table ([`figure`]); what they share with the
//! floods is `pairpin_tests::swarm`.

mod approvals;
mod check;
mod connects;
mod figure;
mod memory;
mod network;
mod relay;
mod revoke;
mod start;

use std::process::ExitCode;
use std::time::Instant;

use figure::Figure;
use pairpin_tests::swarm::bare;

/// What measures a subject.
type Measure = fn(Form) -> Vec<Figure>;

/// A subject's name on the command line, and what measures it.
const SUBJECTS: &[(&str, Measure)] = &[
    ("network", network::measure),
    ("connects", connects::measure),
    ("memory", memory::measure),
    ("check", check::measure),
    ("revoke", revoke::measure),
    ("approvals", approvals::measure),
    ("start", start::measure),
];

/// How much time may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Enough for a figure to be kept.
    Full,
    /// Enough to see that everything runs.
    Quick,
}

impl Form {
    fn of<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((mode, address)) = bare::asked_for(&arguments) {
        return bare::serve(mode, address).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let named: Vec<&String> = arguments.iter().filter(|argument| *argument != "--quick").collect();
    if let Some(unknown) = named.iter().find(|name| SUBJECTS.iter().all(|(subject, _)| subject != &name.as_str())) {
        let known: Vec<&str> = SUBJECTS.iter().map(|(name, _)| *name).collect();
        eprintln!("bench: unknown subject {unknown:?}, known are: {}", known.join(", "));
        return ExitCode::from(2);
    }
    let form = if quick { Form::Quick } else { Form::Full };
    let mut figures = Vec::new();
    for (name, measure) in SUBJECTS {
        if named.is_empty() || named.iter().any(|wanted| wanted.as_str() == *name) {
            let began = Instant::now();
            eprintln!("bench: {name}");
            figures.extend(measure(form));
            eprintln!("bench: {name} took {:.0} s", began.elapsed().as_secs_f32());
        }
    }
    print!("{}", figure::table(&figures));
    let missed = figures.iter().filter(|figure| figure.met() == Some(false)).count();
    println!("\n{} figures, {missed} miss their bar", figures.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// This program, to be started again as a bare server.
fn this_program() -> std::path::PathBuf {
    std::env::current_exe().unwrap_or_else(|error| panic!("{error}"))
}
