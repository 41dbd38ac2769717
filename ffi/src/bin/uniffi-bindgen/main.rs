//! Reads a built library: writes its Kotlin or Swift side (`cargo xtask bindings` calls it), or, as
//! `uniffi-bindgen api LIBRARY`, lists its surface (`cargo xtask api`).

mod api;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [verb, library] = arguments.as_slice() else {
        uniffi::uniffi_bindgen_main();
        return ExitCode::SUCCESS;
    };
    if verb != "api" {
        uniffi::uniffi_bindgen_main();
        return ExitCode::SUCCESS;
    }
    match api::of_library(library) {
        Ok(listing) => {
            print!("{listing}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("uniffi-bindgen api: {why}");
            ExitCode::FAILURE
        }
    }
}
