//! Another wall clock for a daemon, by libfaketime. The clocks that measure time are left alone.

use std::fs;
use std::path::{Path, PathBuf};

/// Variables that move a daemon's wall clock, as by "+400d" or "-2h".
///
/// # Panics
/// The library is not installed.
#[track_caller]
pub fn wall_clock(offset: &str) -> Vec<(String, String)> {
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let library = library();
    vec![
        variable("LD_PRELOAD", library.to_str().unwrap_or_default()),
        variable("FAKETIME", offset),
        variable("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]
}

#[track_caller]
fn library() -> PathBuf {
    // Debian has it in the directory of the architecture, others in /usr/lib or /usr/lib64.
    let roots = ["/usr/lib", "/usr/lib64"].map(PathBuf::from);
    let below = fs::read_dir("/usr/lib").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut places = roots.into_iter().chain(below).map(|place| place.join("faketime/libfaketime.so.1"));
    places
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("libfaketime is not installed: install what Debian calls faketime"))
}

/// Variables by which a daemon's wall clock follows a file with an offset in it, while it runs.
///
/// # Panics
/// The library is not installed.
#[track_caller]
pub fn running_clock(file: &Path) -> Vec<(String, String)> {
    let mut variables = wall_clock("");
    variables.retain(|(name, _)| name != "FAKETIME");
    variables.push(("FAKETIME_TIMESTAMP_FILE".to_owned(), file.to_str().unwrap_or_default().to_owned()));
    // Looked at for each question.
    variables.push(("FAKETIME_NO_CACHE".to_owned(), "1".to_owned()));
    variables
}
