//! An owner's device made of parts: its session's frames and its approval key by hand, so that a test can sign
//! one thing and say another.

use pairpin_core::handshake::{Addressee, ApprovedJoin, Stated, Statement};
use pairpin_core::host::Host;
use pairpin_core::identity::{DeviceId, KeyPair};
use pairpin_core::net::socket::Socket;
use pairpin_core::role::Role;
use pairpin_core::wire::*;
use serde_json::{Value, json};

use crate::peer::{self, next_frame, offer};

pub struct Owner {
    pub approval: KeyPair,
    pub device: DeviceId,
    socket: Socket,
    addressee: Addressee,
    next: u64,
}

/// What is signed, and what is said.
pub struct Yes {
    pub join: JoinId,
    pub key: pairpin_core::identity::PublicKey,
    pub how: JoinHow,
    pub role: Role,
}

impl Owner {
    /// Paired by an offer, of the role that gives, and enrolled.
    pub async fn new(host: &Host) -> Self {
        let mut owner = Self::without_key(host).await;
        owner.enrol().await;
        owner
    }

    pub async fn enrol(&mut self) {
        let key = self.approval.public_key().unwrap();
        let stated = Stated::Enrol { device: self.device, key, guard: ApprovalGuard::Nothing };
        let signed = self.sign(&stated).await;
        let enrol = Enrol { key, guard: ApprovalGuard::Nothing, signed };
        self.ask("enrol", serde_json::to_value(enrol).unwrap()).await.unwrap();
    }

    /// The same without its approval key enrolled.
    pub async fn without_key(host: &Host) -> Self {
        let device = peer::Device::new("phone");
        let (socket, session, _) = device.pair(&offer(host).link.unwrap()).await.unwrap();
        let status = host.status();
        let addressee = Addressee { pin: status.pin, machine: status.machine, epoch: 0 };
        Self { approval: KeyPair::generate().unwrap(), device: session.device, socket, addressee, next: 10 }
    }

    pub async fn ask(&mut self, method: &str, params: Value) -> Result<Value, i64> {
        self.next += 1;
        let (id, method) = (self.next, method.to_owned());
        self.socket.send(Frame::Request { id, method, params }).await.unwrap();
        loop {
            match next_frame(&mut self.socket).await.expect("an answer") {
                Frame::Answer { id: of, result } if of == id => return result.map_err(|(code, _)| code),
                _ => {}
            }
        }
    }

    pub async fn nonce(&mut self) -> NonceGiven {
        serde_json::from_value(self.ask("nonce", Value::Null).await.unwrap()).unwrap()
    }

    pub async fn sign(&mut self, stated: &Stated<'_>) -> Signed {
        let given = self.nonce().await;
        let statement = Statement::new(&self.addressee, given, stated);
        statement.signed(self.approval.sign(statement.to_sign()).unwrap())
    }

    pub async fn signed_yes(&mut self, yes: &Yes) -> Signed {
        let given = self.nonce().await;
        self.signed_with(given, yes)
    }

    /// With a nonce from wherever.
    pub fn signed_with(&self, given: NonceGiven, yes: &Yes) -> Signed {
        let stated = Stated::ApproveJoin(ApprovedJoin {
            join: yes.join,
            key: yes.key,
            how: yes.how,
            role: yes.role,
            name: "",
            absolute_seconds: None,
        });
        let statement = Statement::new(&self.addressee, given, &stated);
        statement.signed(self.approval.sign(statement.to_sign()).unwrap())
    }

    pub async fn say(&mut self, yes: &Yes, signed: Signed) -> Result<JoinAccepted, RequestError> {
        let asked = ApproveJoin {
            join: yes.join,
            key: yes.key,
            how: yes.how,
            role: yes.role,
            name: None,
            absolute_seconds: None,
            signed,
        };
        let answer = self.ask("approve-join", serde_json::to_value(asked).unwrap()).await;
        match answer {
            Ok(value) => Ok(serde_json::from_value(value).unwrap()),
            Err(code) => Err(RequestError::of_code(code).unwrap()),
        }
    }

    pub async fn approve(&mut self, yes: &Yes) -> Result<JoinAccepted, RequestError> {
        let signed = self.signed_yes(yes).await;
        self.say(yes, signed).await
    }

    pub async fn joins(&mut self) -> Result<Vec<JoinListed>, i64> {
        Ok(serde_json::from_value(self.ask("joins", json!(null)).await?).unwrap())
    }
}
