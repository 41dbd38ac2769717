//! `cargo xtask bench phones` and `cargo xtask leaks`: the Kotlin module `android/proofs` against the core as an app
//! carries it, or for as long as the documentation claims. The layer `android` runs the short form.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bench::with_figures;
use crate::scratch::Scratch;
use crate::test::{build_binary, build_mobile, cargo, executable_of, stream};
use crate::{android, bindings, install, size};

const BEGIN: &str = "<!-- figures: `cargo xtask bench phones --write` -->";
const END: &str = "<!-- end of the phones' figures -->";
const RESET: &str = "\u{1b}[0m";
const HEAD: &str =
    "| subject | figure | spread | floor in the same run | ratio | bar | met |\n|---|---|---|---|---|---|---|\n";

/// Measures, prints the rows, and with `--write` puts them into the page; says whether every bar is met.
///
/// # Errors
/// The argument is unknown, or something does not build.
pub fn bench(arguments: &[String]) -> Result<bool, String> {
    let write = match arguments {
        [] => false,
        [one] if one == "--write" => true,
        _ => return Err("bench phones takes --write, or nothing".to_owned()),
    };
    let root = crate::root();
    let library = build_mobile(&root)?;
    let mut frames = cargo(&root);
    frames.args(["build", "--locked", "--profile", "mobile", "--package", "pairpin-core", "--example", "frames"]);
    let frames = executable_of(frames.args(["--message-format", "json-render-diagnostics"]))?;
    let mut rows = format!("{}\n", size::row(&library)?);
    print!("{HEAD}{rows}");
    let out = Scratch::new("proofs")?;
    let mut command = proofs(&root, library.parent().unwrap_or(Path::new(".")), out.path())?;
    command.args(["-Dproofs.only=figures", "-Dproofs.without="]).env("PAIRPIN_FRAMES", frames);
    let well = stream(&mut command, |line| {
        // Maven sets colours back before the first line, though it was told to use none.
        let line = line.trim_start_matches(RESET);
        println!("{line}");
        if line.starts_with("| ") {
            rows.push_str(line);
            rows.push('\n');
        }
    })?;
    // The size alone: nothing of Kotlin was run.
    if rows.lines().count() < 2 {
        return Err("no figure was taken".to_owned());
    }
    if write {
        let page = root.join("docs/benchmarks.md");
        let told = |error: std::io::Error| format!("{}: {error}", page.display());
        let text = fs::read_to_string(&page).map_err(told)?;
        let text = with_figures(&text, (BEGIN, END), &format!("{HEAD}{rows}"));
        fs::write(&page, text.ok_or(format!("{}: no place for the figures", page.display()))?).map_err(told)?;
    }
    Ok(well && !rows.contains("**no**"))
}

/// Makes and closes ten thousand of each, and gives each call up a thousand times.
///
/// # Errors
/// Something does not build.
pub fn leaks() -> Result<bool, String> {
    let root = crate::root();
    let library = build_mobile(&root)?;
    let out = Scratch::new("proofs")?;
    let mut command = proofs(&root, library.parent().unwrap_or(Path::new(".")), out.path())?;
    command.env("PAIRPIN_PROOFS", "long");
    stream(&mut command, |line| println!("{line}"))
}

/// Maven for that module alone, with the library of `library_dir`; what it makes is in `out`.
fn proofs(root: &Path, library_dir: &Path, out: &Path) -> Result<Command, String> {
    install::ensure(android::TOOLS)?;
    let made = bindings::make(root)?;
    let binary = build_binary(root, &[])?;
    let mut command = android::maven(root, out, &made, library_dir, &binary)?;
    command.args(["--projects", "proofs", "--also-make"]);
    Ok(command)
}
