//! The caps, by example and over random comings and goings.

use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::*;

fn is_evicted(ticket: &Ticket) -> bool {
    ticket.evicted().now_or_never().is_some()
}

fn v4(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn admit(gate: &Gate, peer: IpAddr, times: usize) -> Vec<Ticket> {
    (0..times).map(|_| gate.admit(peer)).collect()
}

fn evicted(tickets: &[Ticket]) -> Vec<usize> {
    (0..tickets.len()).filter(|at| is_evicted(&tickets[*at])).collect()
}

#[test]
fn the_oldest_silent_stranger_of_the_same_address_goes_first() {
    let gate = Gate::new();
    let others = admit(&gate, v4(2), 8);
    let tickets = admit(&gate, v4(1), 8);
    tickets[0].heard();
    let newcomer = gate.admit(v4(1));
    assert_eq!((evicted(&tickets), evicted(&others)), (vec![1], vec![]));
    tickets.iter().chain([&newcomer]).for_each(Ticket::heard);
    let second = gate.admit(v4(1));
    // Nobody there is silent: then the oldest, for the newcomer gets in.
    assert_eq!(evicted(&tickets), [0, 1]);
    assert!(!is_evicted(&newcomer) && !is_evicted(&second));
}

#[test]
fn strangers_that_speak_do_not_keep_out_who_comes_from_their_address() {
    let gate = Gate::new();
    let crowd = admit(&gate, v4(1), 8);
    crowd.iter().for_each(Ticket::heard);
    let device = gate.admit(v4(1));
    // It is not through TLS yet, and so the only silent one, when the next come.
    let next = admit(&gate, v4(1), 3);
    assert!(!is_evicted(&device), "the only silent one goes first");
    device.heard();
    let more = admit(&gate, v4(1), 50);
    assert!(!is_evicted(&device), "who speaks goes before who is silent");
    assert_eq!((evicted(&next).len(), evicted(&more).len()), (3, 46));
}

#[test]
fn strangers_that_speak_from_everywhere_do_not_either() {
    let gate = Gate::new();
    let crowd: Vec<Ticket> = (0..8).flat_map(|last| admit(&gate, v4(last), 8)).collect();
    crowd.iter().for_each(Ticket::heard);
    let device = gate.admit(v4(100));
    let next: Vec<Ticket> = (101..132).map(|last| gate.admit(v4(last))).collect();
    assert!(!is_evicted(&device) && evicted(&next).is_empty(), "the only silent one goes first");
    assert_eq!(evicted(&crowd).len(), 32);
    device.heard();
    let more: Vec<Ticket> = (132..255).map(|last| gate.admit(v4(last))).collect();
    assert!(!is_evicted(&device), "who speaks goes before who is silent");
    drop(more);
}

#[test]
fn strangers_from_everywhere_do_not_keep_a_newcomer_out() {
    let gate = Gate::new();
    let busy = admit(&gate, v4(1), 8);
    let rest: Vec<Ticket> = (2..58).map(|last| gate.admit(v4(last))).collect();
    assert_eq!(gate.strangers(), limits::STRANGERS);
    busy[0].heard();
    let newcomer = gate.admit(v4(200));
    assert_eq!((evicted(&busy), evicted(&rest)), (vec![1], vec![]), "the busiest address gives way");
    assert!(!is_evicted(&newcomer));
    // An address that has a silent stranger itself takes no place of another one.
    let again = gate.admit(v4(57));
    assert_eq!((evicted(&busy), evicted(&rest)), (vec![1], vec![55]));
    assert!(!is_evicted(&again));
}

#[test]
fn a_promoted_one_frees_its_place_and_is_never_evicted() {
    let gate = Gate::new();
    let mut tickets = admit(&gate, v4(1), 8);
    tickets.remove(0).promote();
    drop(tickets.remove(0));
    assert_eq!(gate.strangers(), 6);
    let more = admit(&gate, v4(1), 2);
    assert_eq!((evicted(&tickets).len(), evicted(&more).len()), (0, 0));
    let _one_more = gate.admit(v4(1));
    assert_eq!(evicted(&tickets), [0]);
}

#[test]
fn an_ipv6_subscriber_is_one_address_and_mapped_ipv4_is_ipv4() {
    let source = |text: &str| Source::of(text.parse().unwrap());
    assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
    assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    assert_ne!(source("::ffff:192.0.2.1"), source("::ffff:192.0.2.2"));
}

#[tokio::test]
async fn an_eviction_wakes_who_waits_for_it() {
    let gate = Gate::new();
    let first = gate.admit(v4(1));
    let waiting = tokio::spawn(async move { first.evicted().await });
    tokio::task::yield_now().await;
    let _others = admit(&gate, v4(1), 8);
    tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await.unwrap().unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Admit(u8),
    Heard(usize),
    Leave(usize),
    Promote(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..12_u8).prop_map(Step::Admit),
        3 => (0..70_usize).prop_map(Step::Heard),
        1 => (0..70_usize).prop_map(Step::Leave),
        1 => (0..70_usize).prop_map(Step::Promote),
    ]
}

proptest! {
    #[test]
    fn the_caps_hold_and_the_newcomer_always_gets_in(steps in prop::collection::vec(step(), 1..400)) {
        let gate = Gate::new();
        let mut inside: Vec<(u8, bool, Ticket)> = Vec::new();
        for step in steps {
            match step {
                Step::Admit(source) => {
                    let before = inside.len();
                    let silent_here = inside.iter().any(|(s, silent, _)| *s == source && *silent);
                    let speaking_here = inside.iter().filter(|(s, silent, _)| *s == source && !*silent).count();
                    let speaking = inside.iter().filter(|(_, silent, _)| !*silent).count();
                    let count = inside.iter().filter(|(s, ..)| *s == source).count();
                    let newcomer = gate.admit(v4(source));
                    prop_assert!(!is_evicted(&newcomer));
                    let gone: Vec<usize> = (0..before).filter(|at| is_evicted(&inside[*at].2)).collect();
                    let full = count == limits::STRANGERS_PER_SOURCE || before == limits::STRANGERS;
                    prop_assert_eq!(gone.len(), usize::from(full), "one goes at a cap, nobody before");
                    for at in gone {
                        let (victim, silent, _) = &inside[at];
                        let of_source = count == limits::STRANGERS_PER_SOURCE;
                        let too_many_speak = if of_source {
                            speaking_here > limits::STRANGERS_PER_SOURCE / 2
                        } else {
                            speaking > limits::STRANGERS / 2
                        };
                        prop_assert_eq!(*silent, !too_many_speak);
                        prop_assert!(!of_source && (too_many_speak || !silent_here) || *victim == source);
                        let older = inside[..at].iter().any(|(s, quiet, _)| s == victim && quiet == silent);
                        prop_assert!(!older, "not the oldest that may go");
                        inside.remove(at);
                    }
                    inside.push((source, true, newcomer));
                }
                Step::Heard(at) if at < inside.len() => {
                    inside[at].2.heard();
                    inside[at].1 = false;
                }
                Step::Leave(at) if at < inside.len() => drop(inside.remove(at)),
                Step::Promote(at) if at < inside.len() => inside.remove(at).2.promote(),
                _ => {}
            }
            prop_assert!(inside.iter().all(|(.., ticket)| !is_evicted(ticket)));
            prop_assert_eq!(gate.strangers(), inside.len());
            prop_assert!(inside.len() <= limits::STRANGERS);
            for source in 0..12 {
                let count = inside.iter().filter(|(s, ..)| *s == source).count();
                prop_assert!(count <= limits::STRANGERS_PER_SOURCE);
            }
        }
    }
}
