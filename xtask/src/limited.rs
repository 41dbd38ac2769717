//! A program that is run to its end, or to the end of its time. Used by [`crate::models`]: a model that sends
//! Verifpal round in circles must fail by its name, not stop everything after it.

use std::io::{self, Read};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often to look whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs a command and gathers its output; `None` where it was killed because its time was over.
///
/// # Errors
/// It cannot be started, or is lost.
pub fn output(command: &mut Command, limit: Duration) -> io::Result<Option<Output>> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // Read while it runs, so that it never waits for a full pipe.
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PAUSE);
    };
    let gather = |reader: thread::JoinHandle<Vec<u8>>| reader.join().unwrap_or_default();
    Ok(Some(Output { status, stdout: gather(stdout), stderr: gather(stderr) }))
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_ends_gives_all_its_output() {
        let mut long = shell("head -c 300000 /dev/zero; echo no >&2; exit 3");
        let ended = output(&mut long, Duration::from_secs(60)).unwrap().unwrap();
        assert_eq!(
            (ended.stdout.len(), ended.stderr.as_slice(), ended.status.code()),
            (300_000, &b"no\n"[..], Some(3))
        );
    }

    #[test]
    fn control_a_program_that_does_not_end_is_killed() {
        let began = Instant::now();
        assert!(output(&mut shell("exec sleep 60"), Duration::from_millis(200)).unwrap().is_none());
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
