//! A line typed on the terminal that is not shown: a passphrase.
//!
//! POSIX only, so it serves every system we know. Nothing buffers what was typed but the one place that is wiped.

use std::io::{self, Write as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// What Ctrl-C types where it is no signal.
const CTRL_C: u8 = 3;
/// The longest line that a terminal gives (bytes).
const LONGEST: usize = 4096;

/// Puts the terminal back as it was.
struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing any more.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        let _ = io::stderr().lock().write_all(b"\n");
    }
}

/// Shows `prompt` on stderr and reads a line from the terminal on stdin, its end left out. Blocks.
///
/// # Errors
/// Stdin is no terminal; [`io::ErrorKind::Interrupted`] by Ctrl-C; what was typed is no UTF-8.
pub fn hidden_line(prompt: &str) -> io::Result<Zeroizing<String>> {
    let before = tcgetattr(io::stdin())?;
    let mut quiet = before.clone();
    // No signals either: one would end this process and leave a terminal that shows nothing. Ctrl-C ends the line.
    quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG | LocalModes::IEXTEN);
    quiet.local_modes.insert(LocalModes::ICANON);
    quiet.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
    let restore = Restore(before);
    tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
    {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{prompt}");
        let _ = stderr.flush();
    }
    let line = read_line();
    drop(restore);
    let line = line?;
    if line.contains(&CTRL_C) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    let text = std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(&line));
    let text = text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "what was typed is no UTF-8 text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// One line of the terminal, as it gives it.
fn read_line() -> io::Result<Zeroizing<Vec<u8>>> {
    // Of its full size from the beginning: one that grew would leave copies behind.
    let mut line = Zeroizing::new(vec![0; LONGEST]);
    loop {
        match rustix::io::read(io::stdin(), &mut line[..]) {
            Ok(read) => {
                line.truncate(read);
                return Ok(line);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
