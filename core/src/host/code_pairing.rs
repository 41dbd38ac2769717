//! Flow (b) on the machine: the PAKE of a typed code, and the question to the person; from the Grant on
//! it is flow (a), in `granting`.

use super::codes::{CodeTry, WrongTry};
use super::events::OfferEvent;
use super::frames::{handshake_message, refuse_in_frames};
use super::granting::{Proven, claim, grant};
use super::offers::OfferNumber;
use super::proven::Proof;
use super::shared::shown;
use super::visitor::{Gone, Visitor};
use crate::handshake::{CodeAnswered, CodeOpened, CodeProven};
use crate::net::socket::Socket;
use crate::net::upgrade::UpgradeRequest;
use crate::secrets::Secret;
use crate::wire::{CloseCode, CodeWelcome, Frame, Refusal, RefusalCode, limits};

/// Flow (b): the PAKE, then as flow (a) from the Grant.
pub(super) async fn code(visitor: Visitor, request: UpgradeRequest) -> Result<(), Gone> {
    let shared = visitor.shared();
    let Ok(opened) = CodeOpened::open(visitor.channel(), &request.envelope) else { return visitor.refuse().await };
    let Some((number, code)) = shared.offers().code(shared.clock.elapsed()) else { return visitor.refuse().await };
    let entropy = Secret::generate().map_err(|_| Gone)?;
    let Ok((answer, wait)) = opened.answer(&code, &entropy) else { return visitor.refuse().await };
    let mut socket = visitor.switch(&request).await?;
    socket.send(Frame::Handshake(answer)).await?;
    // The stranger's 10 seconds go on: nothing is proven yet.
    let confirm = handshake_message(&mut socket).await?;
    let received = wait.receive(confirm)?;
    // Spent before anything is compared, so that parallel guesses cannot share a try.
    let spent = shared.offers().spend_try(number, shared.clock.elapsed());
    let Some(spent) = spent else {
        socket.close(CloseCode::Protocol, "").await;
        return Err(Gone);
    };
    let Ok(proven) = received.check() else {
        wrong_code(&visitor, spent).await;
        socket.close(CloseCode::Protocol, "").await;
        return Err(Gone);
    };
    shared.offers().try_held(spent);
    crate::fault_point!("machine-code", proven, code);
    visitor.promote(Proof::Code);
    let answered = code_confirmed(&visitor, &mut socket, proven, number).await?;
    let details = answered.details().clone();
    let key = details.key;
    let claimed = claim(&visitor, key, |offers, fresh, now| offers.claim_number(number, key, fresh, now)).await;
    match claimed {
        Err(refusal) => refuse_in_frames(&mut socket, answered.refuse(&refusal)?).await,
        Ok(claimed) => grant(visitor, socket, Proven::Code(Box::new(answered)), details, claimed).await,
    }
}

/// The machine confirms in turn; the person at the device is asked.
async fn code_confirmed(
    visitor: &Visitor,
    socket: &mut Socket,
    proven: CodeProven,
    number: OfferNumber,
) -> Result<CodeAnswered, Gone> {
    let shared = visitor.shared();
    let offer = shared.offers().get(number).map(|offer| offer.role);
    let Some(role) = offer else {
        let refusal = Refusal::new(RefusalCode::OfferExpired, shared.now());
        refuse_in_frames(socket, proven.refuse(&refusal)?).await?;
        return Err(Gone);
    };
    let machine = CodeWelcome {
        machine: shared.machine,
        name: shared.name.clone(),
        platform: shared.platform.clone(),
        role: shared.role_of(role),
    };
    shared.offers().extend_for_answer(number, shared.clock.elapsed());
    shared.offer_log(number).publish(OfferEvent::Previewed { from: shown(visitor.from()) });
    let (envelope, wait) = proven.welcome(&machine)?;
    socket.send(Frame::Handshake(envelope)).await?;
    let proceed =
        tokio::time::timeout(limits::CODE_ANSWER_TIME, handshake_message(socket)).await.map_err(|_| Gone)??;
    Ok(wait.receive(&proceed)?)
}

/// A wrong code was typed: the try stays spent.
async fn wrong_code(visitor: &Visitor, failed: CodeTry) {
    let shared = visitor.shared();
    let from = shown(visitor.from());
    let number = failed.offer;
    let outcome = shared.offers().try_failed(failed, shared.clock.elapsed());
    let log = shared.offer_log(number);
    match outcome {
        WrongTry::TriesLeft(tries_left) => log.publish(OfferEvent::WrongCode { tries_left, from: from.clone() }),
        WrongTry::Burnt | WrongTry::Closed => {
            log.publish(OfferEvent::WrongCode { tries_left: 0, from: from.clone() });
            log.publish(OfferEvent::CodeBurnt { closed: outcome == WrongTry::Closed });
            if shared.offers().get(number).is_none() {
                log.publish(OfferEvent::Withdrawn);
            }
        }
    }
    visitor.audit_failure("wrong-code", format!("a wrong code was typed at {from}")).await;
}
