//! `cargo xtask bindings`: builds the face for phones and writes its Kotlin and Swift sides beside the build,
//! never into the checkout. The layers `android` and `ios` of [`crate::layers`] call it too.

use std::path::{Path, PathBuf};

use crate::test;

/// The built library, and where what was generated from it is.
pub struct Bindings {
    /// The library, with its symbols.
    pub library: PathBuf,
    /// The program that reads it.
    pub generator: PathBuf,
    /// The directory of the library, for JNA and the linker.
    pub library_dir: PathBuf,
    /// The root of the Kotlin sources.
    pub kotlin: PathBuf,
    /// The directory of the Swift source and of the C header under it.
    pub swift: PathBuf,
}

/// Builds and generates, and says where.
///
/// # Errors
/// It does not build, or cannot be generated.
pub fn run() -> Result<bool, String> {
    let made = make(&crate::root())?;
    println!(
        "library: {}\nKotlin:  {}\nSwift:   {}",
        made.library_dir.display(),
        made.kotlin.display(),
        made.swift.display()
    );
    Ok(true)
}

/// Builds the library and writes the sources.
///
/// # Errors
/// As [`run`].
pub fn make(root: &Path) -> Result<Bindings, String> {
    // Together: apart, the core would be compiled for each.
    let (built, generator) = test::build_library(root, "pairpin-ffi", "bindgen")?;
    let library_dir = built.parent().map(Path::to_path_buf).ok_or("the library has no directory")?;
    let generate = |language: &str| {
        let out = library_dir.join("bindings").join(language);
        // What an earlier surface had is not to stay behind.
        let _ = std::fs::remove_dir_all(&out);
        let mut command = std::process::Command::new(&generator);
        command.args(["generate", "--no-format", "--language", language, "--out-dir"]).arg(&out).arg(&built);
        let status = command.current_dir(root).status().map_err(|error| format!("uniffi-bindgen: {error}"))?;
        if status.success() { Ok(out) } else { Err(format!("uniffi-bindgen failed for {language}")) }
    };
    let (kotlin, swift) = (generate("kotlin")?, generate("swift")?);
    Ok(Bindings { library: built, generator, library_dir, kotlin, swift })
}
