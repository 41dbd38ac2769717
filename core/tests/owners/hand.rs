//! Owner devices, and requests that are made by hand.

use std::sync::Arc;

use pairpin_core::client::MachineSession;
use pairpin_core::handshake::{Addressee, Stated, Statement};
use pairpin_core::host::OfferRequest;
use pairpin_core::identity::{DeviceId, KeyPair, PublicKey};
use pairpin_core::role::Role;
use pairpin_core::wire::*;
use serde_json::{Value, json};

use crate::common::{Device, Machine, TestClock};

/// A device of this role, its approval key enrolled, and its session.
pub async fn device(machine: &Machine, role: Role) -> (Device, MachineSession, DeviceId) {
    let device = Device::new(&machine.clock);
    let request = OfferRequest { link: true, role: Some(role), ..OfferRequest::default() };
    let offer = machine.host().create_offer(request).unwrap();
    let preview = device.client.preview(offer.link.as_ref().unwrap()).await.unwrap();
    let paired = device.client.pair(preview).await.unwrap();
    let id = machine.host().find_device(&paired.machine.device_name).unwrap().id;
    let mut session = device.client.open_session(paired.machine.row).await.unwrap();
    session.enrol_here().await.unwrap();
    (device, session, id)
}

pub async fn machine() -> Machine {
    Machine::start(&Arc::new(TestClock::default())).await
}

/// Requests made by hand: whatever this device's own engine would not send, signed by whichever key.
pub struct ByHand<'a> {
    pub session: &'a mut MachineSession,
    pub addressee: Addressee,
}

impl ByHand<'_> {
    pub async fn nonce(&mut self) -> NonceGiven {
        serde_json::from_value(self.session.ask_anything("nonce", Value::Null).await.unwrap().unwrap()).unwrap()
    }

    /// Signs `stated` with `key` and sends `params` with that.
    pub async fn send(
        &mut self,
        method: Method,
        stated: &Stated<'_>,
        params: &Value,
        key: &KeyPair,
    ) -> Option<RequestError> {
        let given = self.nonce().await;
        let statement = Statement::new(&self.addressee, given, stated);
        let signed = statement.signed(key.sign(statement.to_sign()).unwrap());
        self.send_signed(method, params, &signed).await
    }

    pub async fn send_signed(&mut self, method: Method, params: &Value, signed: &Signed) -> Option<RequestError> {
        let mut params = params.clone();
        params["signed"] = serde_json::to_value(signed).unwrap();
        let answer = self.session.ask_anything(method.as_str(), params).await.unwrap();
        answer.err().map(|code| RequestError::of_code(code).unwrap())
    }
}

pub fn addressee(machine: &Machine) -> Addressee {
    let status = machine.host().status();
    Addressee { pin: status.pin, machine: status.machine, epoch: 0 }
}

/// A key of the device, as its store has it.
pub fn kept(device: &Device, what: &str) -> KeyPair {
    let store = device.store.0.lock().unwrap();
    let (_, pkcs8) = store.iter().find(|(name, _)| name.starts_with(what)).unwrap();
    KeyPair::from_pkcs8(pkcs8.clone()).unwrap()
}

/// For each request that needs a statement: what is stated, and the parameters beside it. About `other`, where it is
/// about a device.
pub fn rightly_made(method: Method, own: DeviceId, other: DeviceId, key: PublicKey, ask: &str) -> (Stated<'_>, Value) {
    let join = JoinId::from_bytes([7; 5]);
    let how = JoinHow::Number(JoinNumber::parse("1234567").unwrap());
    match method {
        Method::Enrol => {
            let guard = ApprovalGuard::Nothing;
            (Stated::Enrol { device: own, key, guard }, json!({ "key": key, "guard": guard }))
        }
        Method::Accept => (Stated::Answer { ask, request: RequestHash::from_bytes([5; 32]) }, json!({ "id": ask })),
        Method::ApproveJoin => (
            Stated::ApproveJoin(pairpin_core::handshake::ApprovedJoin {
                join,
                key,
                how,
                role: Role::Viewer,
                name: "",
                absolute_seconds: None,
            }),
            json!({ "join": join, "key": key, "how": how, "role": "viewer" }),
        ),
        Method::Revoke => (Stated::Revoke { device: other, reason: "" }, json!({ "device": other })),
        Method::Mint => {
            (Stated::Mint { role: Role::Viewer, name: "", lifetime_seconds: 0 }, json!({ "role": "viewer" }))
        }
        Method::SetRole => {
            (Stated::SetRole { device: other, role: Role::Viewer }, json!({ "device": other, "role": "viewer" }))
        }
        Method::Lift => (Stated::Lift { device: other }, json!({ "device": other })),
        Method::ForgetKey => (Stated::ForgetKey { device: other }, json!({ "device": other })),
        other => panic!("how is {other:?} made?"),
    }
}

pub fn question() -> pairpin_core::host::Question {
    pairpin_core::host::Question {
        known: AskKnown { uid: 1000, user: None, process: None },
        observed: AskObserved::default(),
        claimed: AskClaimed { text: "Deploy?".into(), detail: None },
        time: None,
        fresh: None,
    }
}
