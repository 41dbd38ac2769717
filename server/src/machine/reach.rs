//! Finds the machine that a verb is about: the running daemon, or the state of a stopped one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pairpin_core::host::{HostError, OfflineHost};
use serde::de::DeserializeOwned;

use crate::admin::client::{AdminClient, Place, parse};
use crate::admin::engine::Engine;
use crate::admin::protocol::{AdminError, Request};
use crate::exit::{Exit, Failure};
use crate::platform::{OtherServer, effective_uid, other_servers, system_id};

/// How often, and how many times, to look again at a machine that is just starting or stopping.
const AGAIN: (Duration, u32) = (Duration::from_millis(50), 60);

/// How many other daemons are named to who finds none.
const NAMED: usize = 2;

/// The machine a verb talks to.
pub enum Machine {
    /// Its daemon runs.
    Running(AdminClient),
    /// It is stopped, and stays so while this is held.
    Stopped(Box<Engine>),
}

impl Machine {
    /// Finds the running daemon, or opens the state of a stopped machine.
    ///
    /// # Errors
    /// There is no machine here, or it may not be asked.
    pub async fn find(state_dir: &Path) -> Result<Self, Failure> {
        for _ in 0..AGAIN.1 {
            if let Some(client) = AdminClient::find(state_dir).await? {
                return Ok(Self::Running(client));
            }
            match OfflineHost::open(state_dir) {
                Ok(Some(host)) => {
                    let host = host.on(system_id());
                    return Ok(Self::Stopped(Box::new(Engine::Stopped(host))));
                }
                Ok(None) => {
                    let start = format!("no machine has served from {} yet", state_dir.display());
                    return Err(absent(&start, state_dir));
                }
                // The lock is held and nobody listens: a daemon is on its way up or down, or
                // another verb works on the stopped machine.
                Err(HostError::AlreadyRunning(_)) => tokio::time::sleep(AGAIN.0).await,
                Err(error) => return Err(AdminError::from(error).into()),
            }
        }
        Err(Failure::failed(format!(
            "{} is in use by a pairpin that does not answer, look for it with `ps -C pairpin`",
            state_dir.display()
        )))
    }

    /// Asks something that does not wait.
    ///
    /// # Errors
    /// What the machine says.
    pub async fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T, Failure> {
        let answer = match self {
            Self::Running(client) => client.ask(&request).await?,
            Self::Stopped(engine) => engine.answer(request).await?,
        };
        parse(answer)
    }
}

/// The running daemon, for verbs that need one.
///
/// # Errors
/// Exit code 5 where it does not run, with who runs one instead.
pub async fn daemon(state_dir: &Path) -> Result<AdminClient, Failure> {
    AdminClient::find(state_dir).await?.ok_or_else(|| absent("pairpin serve is not running", state_dir))
}

/// The running daemon, by its second socket where one is named.
///
/// # Errors
/// Exit code 5 where none listens there.
pub async fn daemon_at(state_dir: &Path, socket: Option<&Path>) -> Result<AdminClient, Failure> {
    let Some(socket) = socket else {
        if state_dir.as_os_str().is_empty() {
            crate::platform::default_state_dir()?;
        }
        return daemon(state_dir).await;
    };
    let found = AdminClient::find_at(Place::Socket(socket.to_owned())).await?;
    found.ok_or_else(|| {
        let place = socket.display();
        let cause = format!("no pairpin serve listens at {place}, start it with `pairpin serve --ask-group GROUP`");
        Failure::new(Exit::NotRunning, cause)
    })
}

fn absent(cause: &str, state_dir: &Path) -> Failure {
    let found = other_servers();
    Failure::new(Exit::NotRunning, absent_text(cause, &found, effective_uid(), &own_command(state_dir)))
}

/// The daemon's command line for this state directory.
fn own_command(state_dir: &Path) -> String {
    let is_default = crate::platform::default_state_dir().is_ok_and(|default: PathBuf| default == state_dir);
    let place = if is_default { String::new() } else { format!("--state-dir {} ", state_dir.display()) };
    format!("pairpin {place}serve")
}

fn absent_text(cause: &str, found: &[OtherServer], uid: u32, start: &str) -> String {
    let mut text = format!("{cause}, start it with `{start}`");
    for server in found.iter().take(NAMED) {
        let process = server.process;
        let user = server.user.clone().unwrap_or_else(|| format!("#{}", server.uid));
        text.push_str(&if server.uid == uid {
            format!("\n(one of yours runs with another state directory, as process {process}: give its --state-dir)")
        } else {
            format!("\n(one runs as user {user}, process {process}: for that one run `sudo -H -u {user} pairpin …`)")
        });
    }
    if found.len() > NAMED {
        text.push_str(&format!("\n(and {} more run here)", found.len() - NAMED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_daemon_is_told_whose_runs() {
        let other = OtherServer { process: 12, uid: 1000, user: Some("ana".into()) };
        let text = absent_text("pairpin serve is not running", std::slice::from_ref(&other), 0, "pairpin serve");
        assert!(text.starts_with("pairpin serve is not running, start it with `pairpin serve`\n"));
        assert!(text.contains("user ana") && text.contains("sudo -H -u ana pairpin"));
        assert!(absent_text("x", &[other], 1000, "pairpin serve").contains("--state-dir"));
        assert_eq!(absent_text("x", &[], 0, "pairpin serve"), "x, start it with `pairpin serve`");
    }

    #[tokio::test]
    async fn a_machine_that_never_was_is_exit_code_5() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(daemon(dir.path()).await.unwrap_err().exit, Exit::NotRunning);
    }
}
