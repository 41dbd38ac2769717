//! Writes the Kotlin or Swift side of a built library: `cargo xtask bindings` calls it.

fn main() {
    uniffi::uniffi_bindgen_main();
}
