//! Reads a built library: writes its Kotlin or Swift side (`cargo xtask bindings` calls it), or, as
//! `uniffi-bindgen api LIBRARY`, lists its surface (`cargo xtask api`). What it writes for Kotlin is mended
//! where it loses things, see [`given_up`].

mod api;
mod given_up;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [verb, library] if verb == "api" => api::of_library(library).map(|listing| print!("{listing}")),
        _ => {
            uniffi::uniffi_bindgen_main();
            given_up::mend(&arguments)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("uniffi-bindgen: {why}");
            ExitCode::FAILURE
        }
    }
}
