//! How things are said: results on stdout, chatter on stderr, never a panic on a closed pipe.
//!
//! Used by every command. `table`, `time`, `width`, `json` and `style` shape the text; the texts themselves
//! are in the commands.

pub mod facts;
pub mod json;
mod letters;
pub mod page;
pub mod qr_out;
pub mod style;
pub mod table;
pub mod time;
pub mod width;

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::exit::Failure;
use crate::platform;

/// Prints one line of result on stdout.
pub fn say(line: impl AsRef<str>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", line.as_ref())?;
    stdout.flush()?;
    Ok(())
}

/// Prints several lines of result on stdout.
pub fn say_lines(lines: &[String]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    for line in lines {
        writeln!(stdout, "{line}")?;
    }
    stdout.flush()?;
    Ok(())
}

/// Prints a table on stdout, on a terminal within its width. What matters least is in the last column.
pub fn say_table(table: &table::Table) -> Result<(), Failure> {
    say_lines(&match platform::terminal_size(io::stdout()) {
        Some((columns, _)) => table.lines_within(columns),
        None => table.lines(),
    })
}

/// Prints one line of chatter on stderr. Chatter that cannot be printed is lost on purpose.
pub fn note(line: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "{}", line.as_ref());
}

/// Asks before something is taken away. `yes` answers; without a terminal it is needed.
///
/// # Errors
/// Usage where nobody can be asked, failed where the answer is no.
pub fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::usage("this takes something away and nobody can be asked here, repeat it with --yes"));
    }
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{question} [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Failure::failed(format!("cannot read the answer: {error}")))?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::failed("nothing was changed"))
    }
}
