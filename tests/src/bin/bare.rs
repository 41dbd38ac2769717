//! The server with nothing of pairpin's rules, in a process of its own: see
//! `pairpin_tests::swarm::bare`.

use std::process::ExitCode;

use pairpin_tests::swarm::bare;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((mode, address)) = bare::asked_for(&arguments) else {
        eprintln!("usage: bare bare tls|websocket|hoarding|costly ADDRESS:PORT");
        return ExitCode::from(2);
    };
    match bare::serve(mode, address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bare: {error}");
            ExitCode::FAILURE
        }
    }
}
