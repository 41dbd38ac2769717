//! Hand-back, in flow (f): a device whose token a restored machine has never seen gives it back what it has lost.
//!
//! As in `resume`, the device proves its session key and the machine R (`paired`); but there is no token in it and
//! no session comes of it (docs/protocol.md, section 16).

use super::paired::{AwaitPaired, PairedDraft, PairedFlow, PairedOpened, PairedProven};
use super::{Channel, HandshakeError, Purpose};
use crate::identity::DeviceId;
use crate::secrets::RecognitionKey;
use crate::wire::{Envelope, Flow, HandBackReady, HandBackRequest, VERSION};

/// The flow.
#[derive(Debug)]
pub struct GivenBack;

impl PairedFlow for GivenBack {
    type Request = HandBackRequest;
    type Answer = HandBackReady;
    const FLOW: Flow = Flow::HandBack;
    const PROOF: Purpose = Purpose::SessionKeyHandBack;
    const ANSWER: Purpose = Purpose::HandBackReady;
    const REFUSAL: Purpose = Purpose::HandBackRefusal;

    fn versions(request: &HandBackRequest) -> &[u16] {
        &request.versions
    }

    fn device(request: &HandBackRequest) -> DeviceId {
        request.device
    }

    fn version(ready: &HandBackReady) -> u16 {
        ready.version
    }
}

/// Device: the request, before the session key signed it.
pub type HandBackDraft = PairedDraft<GivenBack>;
/// Device: the request is sent.
pub type AwaitHandBackReady = AwaitPaired<GivenBack>;
/// Machine: a request that can be read.
pub type HandBackOpened = PairedOpened<GivenBack>;
/// Machine: the device holds its session key.
pub type HandBackProven = PairedProven<GivenBack>;

impl HandBackDraft {
    /// Builds the request over a channel whose pin has been checked.
    ///
    /// # Errors
    /// Never in practice: the message is short.
    pub fn new(channel: &Channel, device: DeviceId) -> Result<Self, HandshakeError> {
        Self::of(channel, &HandBackRequest { versions: vec![VERSION], device })
    }
}

impl HandBackProven {
    /// Says what the machine has.
    ///
    /// # Errors
    /// Never in practice: the message is short.
    pub fn ready(self, key: &RecognitionKey, ready: &HandBackReady) -> Result<Envelope, HandshakeError> {
        self.answer(key, ready)
    }
}
