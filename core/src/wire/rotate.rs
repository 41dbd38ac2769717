//! A planned change of a machine's identity key, as its devices are told of it. `handshake::rotate` makes
//! and checks it; the message is public, and good for one step of one machine.

use serde::{Deserialize, Serialize};

use crate::identity::{MachineId, Pin, PublicKey, Signature};

/// The machine's key is changed to the one that it announced: the event `key_rotated` of a session, and the
/// field `rotated` of a Welcome or a Refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotate {
    /// The machine.
    pub machine: MachineId,
    /// How many planned changes there have been, this one counted.
    pub epoch: u64,
    /// The key before.
    pub old_key: PublicKey,
    /// The key from now on: its pin is the one that was announced.
    pub new_key: PublicKey,
    /// The pin of the key that the change after this one would bring.
    pub next_pin: Pin,
    /// ES256 by the old key.
    pub by_old: Signature,
    /// ES256 by the new key, of the same bytes.
    pub by_new: Signature,
}
