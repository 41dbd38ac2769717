//! Keys that check the proofs of those who name an offer or a device that does not exist: they are
//! answered after the same work, so that the time of a refusal does not tell what there is.
//!
//! Made anew at each start and known to nobody. Used by `pairing` and `reconnect`, which refuse
//! whatever a decoy says.

use crate::error::RandomError;
use crate::handshake::MacKey;
use crate::identity::{KeyPair, PublicKey};
use crate::secrets::OfferSecret;

/// See the module.
#[derive(Debug)]
pub(super) struct Decoys {
    /// In the place of an offer's key.
    pub(super) offer: MacKey,
    /// In the place of a device's session key.
    pub(super) device: PublicKey,
}

impl Decoys {
    /// New ones. The private half of the device's is forgotten at once.
    pub(super) fn generate() -> Result<Self, RandomError> {
        let device = KeyPair::generate().and_then(|key| key.public_key()).map_err(|_| RandomError)?;
        Ok(Self { offer: MacKey::of_offer(&OfferSecret::generate()?), device })
    }

    /// Whether a test wants to see what it would be like without them: the control.
    #[cfg(feature = "fault-points")]
    pub(super) fn are_skipped() -> bool {
        std::env::var_os("PAIRPIN_FAULT_DECOYS").is_some()
    }

    /// Never.
    #[cfg(not(feature = "fault-points"))]
    pub(super) const fn are_skipped() -> bool {
        false
    }
}
