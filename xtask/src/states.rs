//! `cargo xtask states`: the explorations of `core/src/host/states` with wide bounds. With narrow ones they are
//! tests of the layer `core`.

use crate::test;

/// Runs them; says whether all held and every broken twin was found.
///
/// # Errors
/// Cargo does not start.
pub fn run() -> Result<bool, String> {
    let status = test::cargo(&crate::root())
        .args(["test", "--package", "pairpin-core", "--lib", "host::states::", "--", "--nocapture"])
        .env("PAIRPIN_STATES", "long")
        // Many more states an hour, for one more build.
        .env("CARGO_PROFILE_TEST_OPT_LEVEL", "2")
        .status()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    Ok(status.success())
}
