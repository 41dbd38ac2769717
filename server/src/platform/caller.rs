//! Who is at the other end of a Unix socket: what the kernel vouches for, and what the process looks like.
//!
//! The looks are taken twice, when it connects and when it has said what it wants: a number of a process may
//! be given to another one meanwhile, and a process may turn into another program.

use std::io;

use pairpin_core::wire::{AskKnown, AskObserved};
use tokio::net::UnixStream;

use super::{system, user_name};

/// What a process looks like. It can choose all of it but when it was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessLooks {
    /// When it was started, in the system's own count: another process of the same number has another.
    pub started: u64,
    /// The file it runs, where this process may look.
    pub executable: Option<String>,
    /// Its arguments, its own name first.
    pub arguments: Vec<String>,
    /// There are more, or the last one goes on: a command line is looked at as far as it is read.
    pub cut: bool,
    /// The directory it works in, where this process may look.
    pub directory: Option<String>,
}

/// Somebody at a socket.
#[derive(Debug)]
pub struct Caller {
    known: AskKnown,
    looks: Option<ProcessLooks>,
}

/// The process is not the same as when it connected.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the process that asks has changed since it connected (its program, arguments or directory): nobody was asked, ask again"
)]
pub struct Changed;

impl Caller {
    /// Who has connected, and the first look.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        let peer = stream.peer_cred()?;
        // 0 is a process of which this one's namespace knows nothing.
        let process = peer.pid().and_then(|process| u32::try_from(process).ok()).filter(|process| *process != 0);
        let known = AskKnown { uid: peer.uid(), user: user_name(peer.uid()), process };
        Ok(Self { known, looks: process.and_then(system::looks) })
    }

    /// Its user's id.
    pub fn uid(&self) -> u32 {
        self.known.uid
    }

    /// What the kernel vouches for.
    pub fn known(&self) -> &AskKnown {
        &self.known
    }

    /// The second look.
    ///
    /// # Errors
    /// It differs from the first.
    pub fn observed(&self) -> Result<AskObserved, Changed> {
        let again = self.known.process.and_then(system::looks);
        same(self.looks.as_ref(), again)
    }
}

/// What the machine sees of this process, as far as this process can say itself.
pub fn own_looks() -> AskObserved {
    let looks = system::looks(std::process::id());
    same(looks.as_ref(), looks.clone()).unwrap_or_default()
}

fn same(first: Option<&ProcessLooks>, again: Option<ProcessLooks>) -> Result<AskObserved, Changed> {
    if first != again.as_ref() {
        return Err(Changed);
    }
    let Some(looks) = again else { return Ok(AskObserved::default()) };
    let ProcessLooks { executable, arguments, cut, directory, .. } = looks;
    // How many more there are nobody has counted: one at least.
    Ok(AskObserved { executable, arguments, arguments_left_out: cut.into(), directory })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks() -> ProcessLooks {
        ProcessLooks {
            started: 1,
            executable: Some("/bin/sh".into()),
            arguments: vec!["sh".into()],
            cut: false,
            directory: Some("/".into()),
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn arguments_behind_those_that_are_read_do_not_go_unsaid() {
        let looks_of = |arguments: &[&str]| {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", "echo; read line", "sh"]).args(arguments);
            let mut child =
                shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
            // A process that was just started has no arguments yet: this one says that it runs.
            let mut said = [0];
            std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
            let looks = super::system::looks(child.id()).unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            same(Some(&looks), Some(looks.clone())).unwrap()
        };
        // Cut to a few letters before it is shown: without the count it would end the command line.
        let long = "x".repeat(100_000);
        assert_eq!(looks_of(&[&long, "--then", "this"]).arguments_left_out, 1);
        assert_eq!(looks_of(&["--then", "this"]).arguments_left_out, 0, "the control");
    }

    #[test]
    fn a_process_that_looks_otherwise_the_second_time_is_refused() {
        assert_eq!(same(Some(&looks()), Some(looks())).unwrap().arguments, ["sh"], "the control");
        for other in [
            ProcessLooks { started: 2, ..looks() },
            ProcessLooks { executable: Some("/bin/true".into()), ..looks() },
            ProcessLooks { arguments: vec!["sh".into(), "x".into()], ..looks() },
            ProcessLooks { directory: None, ..looks() },
        ] {
            assert_eq!(same(Some(&looks()), Some(other)), Err(Changed));
        }
        assert_eq!(same(Some(&looks()), None), Err(Changed), "it has gone");
        assert_eq!(same(None, Some(looks())), Err(Changed));
        assert_eq!(same(None, None), Ok(AskObserved::default()), "never to be seen");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_kernel_names_the_caller_and_the_system_shows_its_looks() {
        let (near, _far) = UnixStream::pair().unwrap();
        let caller = Caller::of(&near).unwrap();
        assert_eq!(caller.uid(), super::super::effective_uid());
        assert_eq!(caller.known().process, Some(std::process::id()));
        let own = std::env::args().next().unwrap();
        assert_eq!(caller.observed().unwrap().arguments.first(), Some(&own));
    }
}
