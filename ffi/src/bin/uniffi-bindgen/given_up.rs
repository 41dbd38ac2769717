//! A call that is given up in Kotlin just when its result is there loses that result: UniFFI 0.32 has made a bare
//! handle of it by then, which nobody frees. An app would go on with its connections, a join would keep waiting.
//! So the generated code is given the lines that take such a result and let it go. The proof is in
//! `android/proofs`, `CancelProofs`; the reasons are in `docs/decisions/a-call-that-is-given-up.md`.

use std::fs;
use std::path::{Path, PathBuf};

/// The end of the generated function through which every waiting call goes.
const GENERATED: &str = "
            uniffiRustCallWithError(errorHandler, { status -> completeFunc(rustFuture, status) })
        )
    } finally {
        freeFunc(rustFuture)
    }
";

const MENDED: &str = "
            uniffiRustCallWithError(errorHandler, { status -> completeFunc(rustFuture, status) })
        )
    } catch (givenUp: kotlin.coroutines.cancellation.CancellationException) {
        // The result may be there already, and be a thing to be freed: it is taken, and let go.
        try {
            Disposable.destroy(
                liftFunc(uniffiRustCallWithError(errorHandler, { status -> completeFunc(rustFuture, status) }))
            )
        } catch (_: kotlin.Exception) {
            // There was none.
        }
        throw givenUp
    } finally {
        freeFunc(rustFuture)
    }
";

/// Mends what these arguments had the generator write for Kotlin; nothing else is touched.
pub fn mend(arguments: &[String]) -> Result<(), String> {
    let after = |flag: &str| arguments.iter().position(|one| one == flag).and_then(|at| arguments.get(at + 1));
    if after("--language").is_none_or(|language| language != "kotlin") {
        return Ok(());
    }
    let Some(out) = after("--out-dir") else {
        return Err("say --out-dir: the Kotlin side is mended where it is written".to_owned());
    };
    let mut files = Vec::new();
    below(Path::new(out), &mut files)?;
    let mut mended = 0;
    for file in files {
        let told = |error: std::io::Error| format!("{}: {error}", file.display());
        let text = fs::read_to_string(&file).map_err(told)?;
        if text.contains(MENDED) {
            mended += 1;
        } else if let Some(text) = in_text(&text) {
            fs::write(&file, text).map_err(told)?;
            mended += 1;
        }
    }
    // Another version of the generator writes other lines: then somebody has to look.
    if mended == 1 { Ok(()) } else { Err(format!("{mended} files have the lines that are to be mended, not one")) }
}

fn in_text(text: &str) -> Option<String> {
    (text.matches(GENERATED).count() == 1).then(|| text.replace(GENERATED, MENDED))
}

fn below(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", directory.display()))?.path();
        if path.is_dir() {
            below(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "kt") {
            files.push(path);
        }
    }
    Ok(())
}
