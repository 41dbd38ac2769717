//! A program at a terminal of 80×24, as a person sees it.
//!
//! `setsid --ctty` (util-linux) makes the terminal the program's own, so that Ctrl-C and the
//! window size work as they do by hand.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::process::DEADLINE;
use crate::screen::Screen;

/// A program and its terminal. Killed, by its own id, when dropped.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keys: File,
    output: Receiver<Vec<u8>>,
    /// What is on the screen.
    pub screen: Screen,
    /// Everything that was written, escape sequences and all.
    pub written: Vec<u8>,
}

impl Terminal {
    /// Starts a program at a terminal of 80×24.
    ///
    /// # Panics
    /// There are no terminals to be had, or the program does not start.
    #[track_caller]
    pub fn start(command: &Command) -> Self {
        Self::sized(command, 80, 24)
    }

    /// Starts a program at a terminal of another size.
    ///
    /// # Panics
    /// There are no terminals to be had, or the program does not start.
    #[track_caller]
    pub fn sized(command: &Command, columns: u16, rows: u16) -> Self {
        let (master, terminal) = open_pair(columns, rows).unwrap_or_else(|error| panic!("no terminal: {error}"));
        let mut wrapped = Command::new("setsid");
        wrapped.arg("--ctty").arg(command.get_program()).args(command.get_args());
        wrapped.env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                wrapped.env(name, value);
            }
        }
        let handle = || terminal.try_clone().map_or_else(|_| Stdio::null(), Stdio::from);
        wrapped.stdin(handle()).stdout(handle()).stderr(handle());
        let child = wrapped.spawn().unwrap_or_else(|error| panic!("{wrapped:?} did not start: {error}"));
        let keys = File::from(master);
        let mut screen = keys.try_clone().unwrap_or_else(|error| panic!("no terminal: {error}"));
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // At the end of the last program the terminal gives an error, not an end of file.
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                let _ = sender.send(bytes[..read].to_vec());
            }
        });
        Self { child, keys, output, screen: Screen::new(columns.into(), rows.into()), written: Vec::new() }
    }

    /// Waits until the screen is as `wanted` says.
    ///
    /// # Panics
    /// The deadline passes, or the program ends, before.
    #[track_caller]
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Screen) -> bool) -> &Screen {
        let deadline = Instant::now() + DEADLINE;
        while !wanted(&self.screen) {
            if !self.take(deadline) {
                panic!("no {what} on the screen:\n{}", self.screen.text());
            }
        }
        &self.screen
    }

    /// Waits for a text on the screen.
    ///
    /// # Panics
    /// The deadline passes, or the program ends, before.
    #[track_caller]
    pub fn wait_text(&mut self, text: &str) -> &Screen {
        self.wait(text, |screen| screen.text().contains(text))
    }

    /// Types.
    ///
    /// # Panics
    /// The terminal is gone.
    #[track_caller]
    pub fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap_or_else(|error| panic!("nobody at the terminal: {error}"));
    }

    /// Waits for the program's end; gives its exit code.
    ///
    /// # Panics
    /// It does not end before the deadline.
    #[track_caller]
    pub fn end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + DEADLINE;
        while self.take(deadline) {}
        assert!(Instant::now() < deadline, "no end; the screen:\n{}", self.screen.text());
        self.child.wait().ok().and_then(|status| status.code())
    }

    fn take(&mut self, deadline: Instant) -> bool {
        match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => {
                self.screen.feed(&bytes);
                self.written.extend(bytes);
                true
            }
            Err(_) => false,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open_pair(columns: u16, rows: u16) -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let terminal = open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    tcsetwinsize(&terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
    Ok((master, terminal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_sees_a_terminal_of_its_own() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "stty size </dev/tty; read word; echo \"got $word\"; exit 7"]);
        let mut terminal = Terminal::start(&command);
        terminal.wait_text("24 80");
        terminal.type_keys("it\n");
        terminal.wait_text("got it");
        assert_eq!(terminal.end(), Some(7));
    }

    #[test]
    fn control_c_reaches_the_program() {
        // A shell cannot trap what it was started to ignore, as what runs in the background is.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT", "/bin/sh", "-c", "trap 'exit 9' INT; echo ready; read word"]);
        let mut terminal = Terminal::start(&command);
        terminal.wait_text("ready");
        terminal.type_keys("\u{3}");
        assert_eq!(terminal.end(), Some(9));
    }
}
