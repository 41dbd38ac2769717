//! Flow (d), reconnect: device id, token and the session key's proof; then the welcome under R.
//!
//! The machine checks in this order: the id is known, the signature holds, then token and state
//! (`host::sessions`). Without a valid signature nothing changes state and nothing is told. The steps are those of
//! every flow of a paired device (`paired`).

use super::paired::{AwaitPaired, PairedDraft, PairedFlow, PairedOpened, PairedProven};
use super::{Channel, HandshakeError, Purpose};
use crate::identity::DeviceId;
use crate::secrets::RecognitionKey;
use crate::token::{SessionToken, TokenHash};
use crate::wire::{Envelope, Flow, ResumeRequest, VERSION, Welcome};

/// The flow.
#[derive(Debug)]
pub struct Resume;

impl PairedFlow for Resume {
    type Request = ResumeRequest;
    type Answer = Welcome;
    const FLOW: Flow = Flow::Resume;
    const PROOF: Purpose = Purpose::SessionKeyResume;
    const ANSWER: Purpose = Purpose::ResumeWelcome;
    const REFUSAL: Purpose = Purpose::ResumeRefusal;

    fn versions(request: &ResumeRequest) -> &[u16] {
        &request.versions
    }

    fn device(request: &ResumeRequest) -> DeviceId {
        request.device
    }

    fn version(welcome: &Welcome) -> u16 {
        welcome.version
    }
}

/// Device: the request, before the session key signed it.
pub type ResumeDraft = PairedDraft<Resume>;
/// Device: the request is sent.
pub type AwaitWelcome = AwaitPaired<Resume>;
/// Machine: a request that can be read.
pub type ResumeOpened = PairedOpened<Resume>;
/// Machine: the device holds its session key. Its token is still to be judged.
pub type ResumeProven = PairedProven<Resume>;

impl ResumeDraft {
    /// Builds the request over a channel whose pin has been checked.
    ///
    /// # Errors
    /// Never in practice: the message is short.
    pub fn new(channel: &Channel, device: DeviceId, token: &SessionToken) -> Result<Self, HandshakeError> {
        Self::of(channel, &ResumeRequest { versions: vec![VERSION], device, token: token.clone() })
    }
}

impl ResumeProven {
    /// The hash of the token it presents.
    pub fn token(&self) -> TokenHash {
        TokenHash::of(&self.request.token)
    }

    /// Welcomes the device.
    ///
    /// # Errors
    /// The welcome is too long to send.
    pub fn welcome(self, key: &RecognitionKey, welcome: &Welcome) -> Result<Envelope, HandshakeError> {
        self.answer(key, welcome)
    }
}
