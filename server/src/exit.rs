//! The one place that decides exit codes, and how a failure is said.
//!
//! Every command returns `Result<(), Failure>`; `main` hands that to [`finish`]. The numbers are a
//! contract with scripts (docs/json.md lists them).

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

/// Why the process ends, as a number that scripts may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or approved.
    Ok = 0,
    /// Failed, or denied.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Timed out, or the offer expired.
    Expired = 3,
    /// Nobody there: no device that may answer, or the machine is not reachable.
    Nobody = 4,
    /// The daemon is not running.
    NotRunning = 5,
    /// The machine proves another identity than the pinned one.
    IdentityChanged = 6,
}

/// A command's failure: the exit code, and what to tell the person (cause and next step).
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// One line or more; empty where everything has been said.
    pub message: String,
}

impl Failure {
    /// A failure with its own exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A reader that has gone away is no success of what was to be decided: for verbs that say something before they
    /// are done.
    #[must_use]
    pub fn of_unfinished(self) -> Self {
        if self.exit == Exit::Ok { Self::failed("nobody reads the output, so it ends here") } else { self }
    }

    /// Ends with this code and says nothing more.
    pub fn quiet(exit: Exit) -> Self {
        Self::new(exit, "")
    }
}

impl From<io::Error> for Failure {
    /// Output errors. A reader that has gone away (`| head`) has what it wanted.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::quiet(Exit::Ok),
            _ => Self::failed(format!("cannot write the output: {error}")),
        }
    }
}

/// Says the failure on stderr and turns it into the process's exit code.
pub fn finish(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::from(Exit::Ok as u8) };
    if !failure.message.is_empty() {
        // Nothing is left to do if stderr is gone too.
        let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("pairpin: {}\n", steady(&failure.message)));
    }
    ExitCode::from(failure.exit as u8)
}

/// Says what is wrong with a command line, or the help or version that it asks for.
///
/// Help is a success, but not of `ask`, where 0 is a yes and nothing else is: `pairpin ask "$TITLE" && …` must
/// not go on because somebody's title is `--help`.
pub fn unparsed(error: &clap::Error, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Nothing is left to do if there is nobody to tell.
    let _ = error.print();
    let mut arguments = arguments.into_iter().peekable();
    let asks = arguments.peek().is_some_and(|first| first != "help") && arguments.any(|argument| argument == "ask");
    match error.exit_code() {
        0 if !asks => ExitCode::from(Exit::Ok as u8),
        _ => ExitCode::from(Exit::Usage as u8),
    }
}

/// A message has words of others in it (a file's name, what a daemon said that may be another user's):
/// nothing of it may steer the terminal. Line ends stay.
fn steady(message: &str) -> String {
    message.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_numbers() {
        let numbers = [
            (Exit::Ok, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::Expired, 3),
            (Exit::Nobody, 4),
            (Exit::NotRunning, 5),
            (Exit::IdentityChanged, 6),
        ];
        assert!(numbers.iter().all(|(exit, number)| *exit as u8 == *number));
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).exit, Exit::Ok);
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)).exit, Exit::Failed);
    }

    #[test]
    fn no_message_steers_the_terminal() {
        assert_eq!(steady("no such file: a\x1b[2Jb\r\u{9b}31m\nsecond line"), "no such file: a[2Jb31m\nsecond line");
    }
}
