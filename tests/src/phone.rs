//! A device of our own making, paired by hand: for tests that are about the machine alone, so that
//! they do not depend on `pairpin join`.

use pairpin_core::token::SessionToken;
use pairpin_core::wire::Grant;

use crate::block_on;
use crate::machine::{Machine, Offer};
use crate::peer::{Identity, Peer, Refused, Session};

/// A paired phone that is not connected.
#[derive(Debug)]
pub struct Phone {
    identity: Identity,
    grant: Grant,
    token: SessionToken,
}

impl Phone {
    /// Pairs a new phone.
    ///
    /// # Panics
    /// The machine does not let it in.
    #[track_caller]
    pub fn paired(machine: &Machine, name: &str) -> Self {
        Self::pair(machine, name, &machine.offer(&[])).unwrap_or_else(|refused| panic!("not paired: {refused:?}"))
    }

    /// Tries to pair a new phone by an offer.
    ///
    /// # Errors
    /// The machine does not let it in.
    pub fn pair(machine: &Machine, name: &str, offer: &Offer) -> Result<Self, Refused> {
        let identity = Identity::new(name);
        let (grant, _) = block_on(async {
            let peer = Peer::connect(machine.address).await?;
            identity.pair(peer, &offer.link().secret).await
        })?;
        let token = grant.token.clone();
        Ok(Self { identity, grant, token })
    }

    /// Reconnects, and keeps the connection.
    ///
    /// # Errors
    /// The machine does not let it in.
    pub async fn connect(&mut self, machine: &Machine) -> Result<Session, Refused> {
        let peer = Peer::connect(machine.address).await?;
        let (welcome, session) =
            self.identity.resume(peer, &self.grant, &self.token, &self.grant.recognition_key).await?;
        self.token = welcome.token.unwrap_or_else(|| self.token.clone());
        Ok(session)
    }

    /// Whether the machine welcomes it.
    pub fn is_welcome(&mut self, machine: &Machine) -> bool {
        match block_on(self.connect(machine)) {
            Ok(_) => true,
            Err(refused) => {
                eprintln!("the phone is not welcome: {refused:?}");
                false
            }
        }
    }
}
