//! Many devices, one offer: exactly one of them gets it, whatever the order of their packets.

use std::net::Ipv4Addr;
use std::sync::Arc;

use pairpin_core::secrets::OfferSecret;
use pairpin_core::wire::RefusalCode;
use pairpin_tests::block_on;
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::{Identity, Peer, Refused};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const ROUNDS: usize = 100;
const DEVICES: usize = 64;

/// How one racer ended.
enum Ended {
    Won(String),
    ToldUsed,
    /// Sent away unheard: with so many strangers at once the machine may do that.
    Evicted,
}

async fn race(
    number: usize,
    phone: Arc<Identity>,
    secret: OfferSecret,
    machine: std::net::SocketAddr,
    start: Arc<Barrier>,
) -> Ended {
    // Each from an address of its own, so that the cap of one source plays no part.
    let source = Ipv4Addr::new(127, 0, 20, number as u8 + 1);
    let peer = Peer::connect_from(source, machine).await;
    start.wait().await;
    let Ok(peer) = peer else { return Ended::Evicted };
    match phone.pair(peer, &secret).await {
        Ok((grant, session)) => {
            drop(session);
            Ended::Won(grant.device_name)
        }
        Err(Refused::Told(refusal)) => {
            assert_eq!(refusal.code, RefusalCode::OfferUsed);
            Ended::ToldUsed
        }
        Err(Refused::Closed(_)) => Ended::Evicted,
        Err(Refused::Stranger) => panic!("a device with the right secret was called a stranger"),
    }
}

#[test]
fn of_64_devices_that_race_for_one_offer_exactly_one_wins_in_each_of_100_rounds() {
    let machine = Machine::started();
    let (mut told, mut evicted) = (0, 0);
    for round in 0..ROUNDS {
        // New devices each time: a known key would only renew its row.
        let phones = (0..DEVICES).map(|number| Arc::new(Identity::new(&format!("r{round} d{number}"))));
        let secret = machine.offer(&[]).link().secret;
        let winners = block_on(async {
            let start = Arc::new(Barrier::new(DEVICES));
            let mut racers = JoinSet::new();
            for (number, phone) in phones.enumerate() {
                racers.spawn(race(number, phone, secret.clone(), machine.address, start.clone()));
            }
            let mut winners = Vec::new();
            for ended in racers.join_all().await {
                match ended {
                    Ended::Won(name) => winners.push(name),
                    Ended::ToldUsed => told += 1,
                    Ended::Evicted => evicted += 1,
                }
            }
            winners
        });
        assert_eq!(winners.len(), 1, "round {round}: {winners:?}");
    }
    assert_eq!(machine.devices().len(), ROUNDS, "a device that did not win is listed, or one that won is not");
    // Else it was no race.
    assert!(told > ROUNDS * DEVICES / 2, "{told} were told that the offer is used, {evicted} were sent away");
}
