//! Flow (a), when the offer turns out to be used: this device still proves that it holds it.
//!
//! A preview carries no key, so from it the machine cannot tell this device from the one that used
//! the offer. The Proof can: the same key is told so, another rings the alarm at the machine. Without
//! it an owner beaten by a photographer of his QR would be the only one to know.

use super::Client;
use super::error::ClientError;
use super::line;
use crate::handshake::{MacKey, ScanDraft};
use crate::link::Link;
use crate::net::tls::PinCheck;
use crate::wire::Flow;

impl Client {
    /// Shows the machine that somebody else holds a used offer. Nothing comes of it for this device,
    /// so how it ends is of no interest.
    pub(super) async fn show_used(&self, link: &Link, offer: &MacKey) {
        if let Err(error) = self.try_show_used(link, offer).await {
            tracing::debug!(%error, "the machine could not be told of a second device");
        }
    }

    async fn try_show_used(&self, link: &Link, offer: &MacKey) -> Result<(), ClientError> {
        const NAME: &str = "the machine";
        let dialled =
            line::dial(NAME, &link.addresses, PinCheck::Prefix(link.pin)).await.map_err(|_| ClientError::Protocol)?;
        let pin = dialled.channel.pin;
        // A paired device shows its own key: it may be the one that used the offer. Another makes a
        // key for this once, of which nothing is kept.
        let key = self.durable(move |ledger| ledger.draft_key(&pin)).await?;
        let draft = ScanDraft::new(&dialled.channel, offer.clone(), &self.details(key.key, key.key_kind))?;
        let message = draft.to_sign();
        let signature = self
            .durable(move |ledger| {
                let signature = ledger.sign_draft(&key, &message);
                ledger.discard(key)?;
                signature
            })
            .await?;
        let (envelope, _) = draft.signed(signature);
        line::ask(NAME, dialled, Flow::Scan, &envelope).await.map(|_| ())
    }
}
