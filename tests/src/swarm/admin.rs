//! The daemon's admin socket, spoken by hand: a revocation is timed without the start of a program.

use std::io;
use std::path::{Path, PathBuf};

use pairpin_core::identity::DeviceId;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use crate::machine::Machine;

/// The daemon's socket.
#[derive(Debug, Clone)]
pub struct Admin(PathBuf);

impl Admin {
    /// That of a machine.
    pub fn of(machine: &Machine) -> Self {
        Self(machine.file("admin.sock"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Asks one thing.
    ///
    /// # Errors
    /// The daemon is gone, or refuses.
    pub async fn ask(&self, request: &Value) -> io::Result<Value> {
        let mut stream = UnixStream::connect(&self.0).await?;
        stream.write_all(format!("{request}\n").as_bytes()).await?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await?;
        let reply: Value = serde_json::from_str(&line).map_err(io::Error::other)?;
        reply.get("ok").cloned().ok_or_else(|| io::Error::other(format!("the daemon says {reply}")))
    }

    /// Revokes a device; returns when the daemon says that its sockets are cut.
    ///
    /// # Errors
    /// It is not paired.
    pub async fn revoke(&self, device: DeviceId) -> io::Result<Value> {
        self.ask(&json!({ "do": "revoke", "device": device.text(), "reason": null })).await
    }

    /// Gives a device another name: one durable write.
    ///
    /// # Errors
    /// It is not paired, or the name is taken.
    pub async fn rename(&self, device: DeviceId, name: &str) -> io::Result<Value> {
        self.ask(&json!({ "do": "rename", "device": device.text(), "name": name })).await
    }

    /// How many connections are open, by the machine's own count of devices that are online.
    ///
    /// # Errors
    /// The daemon is gone.
    pub async fn online(&self) -> io::Result<u64> {
        let status = self.ask(&json!({ "do": "status" })).await?;
        let online = status.pointer("/daemon/online").or_else(|| status.get("online"));
        online.and_then(Value::as_u64).ok_or_else(|| io::Error::other(format!("no count in {status}")))
    }
}
