//! An owner's yes with a fault, as the fault matrix has it for handshake messages: each is refused with a cause of its
//! own, nobody is let in, the join's one attempt is not spent, and the same yes without the fault is taken.

use pairpin_core::host::SHELL;
use pairpin_core::identity::Signature;
use pairpin_core::net::socket::Socket;
use pairpin_core::wire::*;
use serde_json::json;

use crate::attacks::{waits, yes};
use crate::common::{Machine, pair_of_both};
use crate::owner::{Owner, Yes};
use crate::peer;
use crate::shown;

async fn scene() -> (Machine, Owner, Socket, Yes) {
    let (machine, _) = pair_of_both().await;
    let owner = Owner::new(machine.host()).await;
    let (socket, waiting) = waits(&[machine.address()], &peer::Device::new("laptop")).await;
    let listed = shown(machine.host(), 1).await.remove(0);
    let wanted = yes(&listed, JoinHow::Number(waiting.number().unwrap()));
    (machine, owner, socket, wanted)
}

#[tokio::test]
async fn every_fault_of_an_approval_is_refused_and_spends_no_attempt() {
    let (machine, mut owner, _socket, wanted) = scene().await;
    let mut other = Owner::without_key(machine.host()).await;
    // Malformed: what is said cannot be read, and a signature of nothing.
    for params in [json!(null), json!({}), json!({ "join": "x" }), json!([1])] {
        assert_eq!(owner.ask("approve-join", params).await, Err(RequestError::Params.code()));
    }
    let signed = owner.signed_yes(&wanted).await;
    let mut bytes = *signed.signature.as_bytes();
    bytes[63] ^= 1;
    let flipped = Signed { signature: Signature::from_bytes(bytes), ..signed };
    assert_eq!(owner.say(&wanted, flipped).await, Err(RequestError::Statement));
    // Its nonce was spent by that: right or not, it is good once.
    assert_eq!(owner.say(&wanted, signed).await, Err(RequestError::Nonce), "after burn");
    // Another session's nonce, and one that nobody gave.
    let given = other.nonce().await;
    let signed = owner.signed_with(given, &wanted);
    assert_eq!(owner.say(&wanted, signed).await, Err(RequestError::Nonce), "another session's");
    let made_up = NonceGiven { nonce: Nonce::from_bytes([7; 16]), ..given };
    let signed = owner.signed_with(made_up, &wanted);
    assert_eq!(owner.say(&wanted, signed).await, Err(RequestError::Nonce));
    // Another expiry than the machine gave: longer would be better for a thief.
    let given = owner.nonce().await;
    let longer = NonceGiven { expires_at: given.expires_at + 60_000, ..given };
    let signed = owner.signed_with(longer, &wanted);
    assert!(owner.say(&wanted, signed).await.is_err());
    // Late.
    let signed = owner.signed_yes(&wanted).await;
    machine.clock.advance(limits::NONCE_TIME);
    assert_eq!(owner.say(&wanted, signed).await, Err(RequestError::Nonce), "late");
    assert_eq!(machine.host().joins().len(), 1, "it waits on");
    owner.approve(&wanted).await.expect("the control");
    assert_eq!(owner.approve(&wanted).await, Err(RequestError::Gone), "decided");
}

#[tokio::test]
async fn a_device_that_is_revoked_or_no_owner_any_more_when_it_says_yes_lets_nobody_in() {
    for revoked in [true, false] {
        let (machine, mut owner, _socket, wanted) = scene().await;
        let signed = owner.signed_yes(&wanted).await;
        if revoked {
            machine.host().revoke(owner.device, SHELL, None).await.unwrap();
            assert_eq!(machine.host().joins().len(), 1, "its connection is cut, and the join waits on");
        } else {
            owner.say(&wanted, signed).await.expect("the control");
            assert!(machine.host().joins().is_empty());
        }
    }
}
