//! Questions on a terminal. They go to stderr, so that stdout stays for results; reading happens off
//! the async threads, since a machine's pings want an answer while a person thinks.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::platform;

/// The longest line or text that is read (bytes): a link has some hundred.
const LONGEST: u64 = 64 * 1024;

/// Whether a person can be asked.
pub fn possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// One line, after a prompt where stdin is a terminal.
pub async fn line(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    if possible() {
        let mut stderr = io::stderr().lock();
        // A prompt that cannot be shown leaves a question without words, and the answer still counts.
        let _ = write!(stderr, "{prompt}");
        let _ = stderr.flush();
    }
    blocking(|| {
        let mut text = Zeroizing::new(String::new());
        io::stdin().lock().take(LONGEST).read_line(&mut text)?;
        Ok(text)
    })
    .await
}

/// One line that is not shown while it is typed. The terminal is as it was afterwards, after Ctrl-C too.
///
/// # Errors
/// There is no terminal; Ctrl-C.
pub async fn hidden(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let prompt = prompt.to_owned();
    let typed = tokio::task::spawn_blocking(move || platform::hidden_line(&prompt)).await;
    let typed = typed.map_err(|_| Failure::failed("reading the answer failed, try again"))?;
    typed.map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => Failure::failed("nothing was changed"),
        _ => Failure::failed(format!("cannot read from the terminal: {error}")),
    })
}

/// All of stdin.
pub async fn all_of_stdin() -> Result<Zeroizing<String>, Failure> {
    blocking(|| {
        let mut text = Zeroizing::new(String::new());
        io::stdin().lock().take(LONGEST).read_to_string(&mut text)?;
        Ok(text)
    })
    .await
}

/// Yes or no; the default is no.
pub async fn yes(question: &str) -> Result<bool, Failure> {
    let answer = line(&format!("{question} [y/N] ")).await?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

async fn blocking(
    read: impl FnOnce() -> io::Result<Zeroizing<String>> + Send + 'static,
) -> Result<Zeroizing<String>, Failure> {
    // A thread that nobody waits for: where the question has become idle, the command ends all the same.
    let (said, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = said.send(read());
    });
    let text = answer.await.map_err(|_| Failure::failed("reading the answer failed, try again"))?;
    text.map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))
}
