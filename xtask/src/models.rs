//! `cargo xtask models`: runs Verifpal on every model in `docs/models` and compares its answer with
//! what the model's header expects, by [`crate::verdicts`]. The layer `models` of
//! [`crate::layers`] runs it too.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::layers::Unready;
use crate::limited;
use crate::summary::Counts;
use crate::tools::Tool;
use crate::verdicts;

/// The version that the models are written for: an older one has another language.
const VERIFPAL: Tool = Tool {
    name: "verifpal",
    version: "1.3",
    arguments: &["--ignore-rust-version"],
    environment: &[],
    takes: "builds for some minutes",
};

/// For one model; each takes seconds.
const TIME: Duration = Duration::from_secs(5 * 60);

/// Runs every model and prints the totals. Says whether all did what their headers say.
///
/// # Errors
/// The models cannot be read, or there is no Verifpal and it could not be installed.
pub fn run() -> Result<bool, String> {
    let counts = check_all(&crate::root()).map_err(|unready| match unready {
        Unready::Missing(why) | Unready::Broken(why) => why,
    })?;
    println!("{} passed, {} failed", counts.passed, counts.failed);
    Ok(counts.failed == 0)
}

/// Runs every model; prints a line for each.
///
/// # Errors
/// The models cannot be read, or there is no Verifpal and it could not be installed.
pub fn check_all(root: &Path) -> Result<Counts, Unready> {
    let models = list(&root.join("docs/models")).map_err(Unready::Broken)?;
    let verifpal = VERIFPAL.ensure().map_err(Unready::Missing)?;
    let mut counts = Counts::default();
    for model in &models {
        let name = model.file_stem().unwrap_or_default().to_string_lossy();
        let began = Instant::now();
        let complaints = check(&verifpal, &name, model).unwrap_or_else(|why| vec![why]);
        let took = began.elapsed().as_secs_f32();
        if complaints.is_empty() {
            counts.passed += 1;
            println!("{name:<32} as expected, {took:.1} s");
        } else {
            counts.failed += 1;
            println!("{name:<32} FAILED, {took:.1} s: {}", complaints.join("; "));
        }
    }
    Ok(counts)
}

fn check(verifpal: &Path, name: &str, model: &Path) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(model).map_err(|error| format!("{}: {error}", model.display()))?;
    let expected = verdicts::expected(name, &text)?;
    let mut command = Command::new(verifpal);
    command.args(["verify", "--result-code"]).arg(model).env("NO_COLOR", "1");
    let output = limited::output(&mut command, TIME)
        .map_err(|error| format!("{} did not start: {error}", verifpal.display()))?
        .ok_or_else(|| {
            format!("{name} was not decided in {} minutes, and Verifpal was stopped", TIME.as_secs() / 60)
        })?;
    // It exits with 0 where it finds an attack: anything else is a model that it cannot read.
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let found = verdicts::found(&String::from_utf8_lossy(&output.stdout))?;
    Ok(verdicts::differences(&expected, &found))
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let at = |error| format!("{}: {error}", directory.display());
    let entries: Result<Vec<_>, _> = fs::read_dir(directory).map_err(at)?.collect();
    let paths = entries.map_err(at)?.into_iter().map(|entry| entry.path());
    let mut models: Vec<PathBuf> = paths.filter(|path| path.extension() == Some(OsStr::new("vp"))).collect();
    models.sort();
    Ok(models)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_says_what_it_expects_and_has_a_broken_twin() {
        let models = list(&crate::root().join("docs/models")).unwrap();
        let names: Vec<String> =
            models.iter().map(|model| model.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        let mut headers = String::new();
        for (model, name) in models.iter().zip(&names) {
            let text = fs::read_to_string(model).unwrap();
            verdicts::expected(name, &text).unwrap_or_else(|why| panic!("{name}: {why}"));
            if name.starts_with("neg_") {
                headers.extend(text.lines().take_while(|line| line.starts_with("//")));
            }
        }
        for name in names.iter().filter(|name| !name.starts_with("neg_")) {
            assert!(headers.contains(&format!("{name}.vp")), "no negative control names {name}.vp");
        }
    }
}
