//! A process seen from outside: its memory, by `/proc`.

use std::fs;
use std::io;

/// Memory of a process, in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// Of that, what is no file: heap and stacks.
    pub anonymous: u64,
    /// Most that was ever resident, or since [`forget_peak`].
    pub peak: u64,
}

/// Reads it.
///
/// # Panics
/// There is no such process.
#[track_caller]
pub fn memory(pid: u32) -> Memory {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_else(|error| panic!("{pid}: {error}"));
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| panic!("no {name}: {text}"))
    };
    Memory { resident: field("VmRSS"), anonymous: field("RssAnon"), peak: field("VmHWM") }
}

/// Lets the peak begin anew from what is resident now.
///
/// # Errors
/// The process is another user's.
pub fn forget_peak(pid: u32) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}
