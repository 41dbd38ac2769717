//! `cargo xtask`: the project's own commands, written in Rust so that they need nothing else.
//!
//! People and `.ci/run` call it. [`test`] runs the layers that [`layers`] lists; [`files`] checks
//! what no compiler does; [`models`] runs the protocol's symbolic models. What a layer needs from outside is found or installed by [`install`] and
//! [`venv`]; [`summary`] counts.

mod files;
mod fuzz;
mod install;
mod layers;
mod models;
mod mutants;
mod summary;
mod test;
mod threats;
mod venv;
mod verdicts;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
the commands of the pairpin workspace

USAGE
    cargo xtask test [--layer NAME]... [--list]
        Runs the tests of every layer, or of the named ones. What a layer needs is found, or
        installed: on Debian and Ubuntu as root by apt-get (it says what, and how large), elsewhere
        it prints what to install. A layer that could not run is named in the summary; with CI=true
        it is a failure. The last line is `N passed, N failed`; the exit code is 0 if none failed.
          --layer NAME   only this layer; may be repeated
          --list         the layers, what each tests and what it needs

    cargo xtask files
        Checks every file of the repository: length of Rust files, paths of somebody's machine,
        line ends, and that each test that docs/threat-model.md names exists.

    cargo xtask models
        Runs Verifpal on every model in docs/models and compares its answer, query by query, with
        what the model's header expects. Verifpal is found on the PATH, or installed by cargo into
        the cache directory, which takes some minutes. The last line is `N passed, N failed`.

    cargo xtask fuzz [TARGET] [--seconds N]
        Runs the fuzz targets, or one, each for so many seconds (30), two at a time on two cores, and
        first the one with a planted bug. An input that breaks a property is kept in fuzz/artifacts and
        named, with the command that runs it again. The last line is `N passed, N failed`.

    cargo xtask fuzz-again TARGET FILE
        Runs one input again, with everything that it prints.

    cargo xtask mutants [--file PATH]...
        Changes the code that decides whom to trust, one small change at a time, and looks whether a
        test of pairpin-core notices. The changes are those of cargo-mutants (found on the PATH, or
        installed by cargo into the cache directory, which takes some minutes), but all are built at
        once. docs/evidence/mutants.md explains those that no test can notice. Half an hour on two
        cores; the last line is `N passed, N failed`. Not part of CI.
          --file PATH    only the mutants of this file; may be repeated; the default is .cargo/mutants.toml

    cargo xtask help
        This text.

ENVIRONMENT
    CI=true            a layer that did not run is a failure
    XDG_CACHE_HOME     what is downloaded goes to its directory pairpin/ (default ~/.cache)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("test") => test::run(&arguments[1..]),
        Some("files") if arguments.len() == 1 => files::run(),
        Some("models") if arguments.len() == 1 => models::run(),
        Some("fuzz") => fuzz::run(&arguments[1..]),
        Some("fuzz-again") => fuzz::again(&arguments[1..]),
        Some("mutants") => mutants::run(&arguments[1..]),
        Some("help" | "--help" | "-h") | None => {
            print!("{HELP}");
            Ok(true)
        }
        Some(other) => Err(format!("unknown command {other:?}, see `cargo xtask help`")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::from(2)
        }
    }
}

/// The workspace's root directory.
fn root() -> PathBuf {
    // Set by `cargo run`; the compile-time value serves when the program is started by hand.
    let here =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}
