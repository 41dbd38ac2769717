//! Files that run out (EMFILE): the daemon waits without spinning, goes on by itself, and strangers
//! cannot bring it there.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pairpin_tests::block_on;
use pairpin_tests::device::Device;
use pairpin_tests::fault::{limit_files, open_files, ticks};
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::tcp_from;
use pairpin_tests::phone::Phone;
use serde_json::json;

/// Strangers who connect and are not answered, for about this long.
const CROWDED: Duration = Duration::from_secs(2);

/// Keeps connecting and waits each time for an answer that does not come; the processor time that the
/// daemon took for it, as a part of the whole.
fn load_of(machine: &mut Machine) -> f64 {
    let (begun, before) = (Instant::now(), ticks(machine.daemon()));
    let mut waiting = Vec::new();
    while begun.elapsed() < CROWDED {
        let mut stranger = TcpStream::connect(machine.address).unwrap();
        stranger.set_read_timeout(Some(CROWDED / 10)).unwrap();
        assert!(stranger.read(&mut [0]).is_err(), "it was answered: files have not run out");
        waiting.push(stranger);
    }
    (ticks(machine.daemon()) - before) as f64 / 100.0 / begun.elapsed().as_secs_f64()
}

#[test]
fn a_daemon_out_of_files_says_so_waits_and_goes_on_when_there_are_some() {
    let mut machine = Machine::started();
    let laptop = Device::new();
    laptop.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    let mut phone = Phone::paired(&machine, "phone");
    let offer = machine.offer(&[]);
    block_on(async {
        let mut connected = phone.connect(&machine).await.unwrap();
        let files = open_files(machine.daemon());
        limit_files(machine.daemon(), files);
        let load = load_of(&mut machine);
        eprintln!("out of files, the daemon took {load:.3} of a processor");
        assert!(load < 0.3, "the daemon spins: {load} of a processor");
        let said = machine.daemon().note("word of the files", |line| line.contains("could not be accepted"));
        for word in ["Too many open files", "raise the limit (ulimit -n)"] {
            assert!(said.contains(word), "{said}");
        }
        // Who is connected goes on.
        assert!(connected.call("x", json!({})).await.unwrap().is_err());
        limit_files(machine.daemon(), 1024);
        assert!(connected.call("x", json!({})).await.unwrap().is_err());
    });
    // The same daemon, without a restart.
    assert!(laptop.is_welcome() && phone.is_welcome(&machine));
    Device::new().join(offer.link_text()).expect(0);
    machine.run(&["devices", "revoke", "phone", "--yes"]).expect(0);
    assert_eq!(machine.devices().len(), 2);
    assert!(machine.daemon().is_running());
}

/// The control of the load: with files to spare the same crowd is answered.
#[test]
#[should_panic(expected = "files have not run out")]
fn the_check_reports_a_daemon_that_has_files() {
    let mut machine = Machine::started();
    limit_files(machine.daemon(), 1024);
    // Garbage is answered at once: the connection is closed.
    let mut stranger = TcpStream::connect(machine.address).unwrap();
    std::io::Write::write_all(&mut stranger, &[0; 64]).unwrap();
    stranger.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert!(stranger.read(&mut [0]).is_err(), "it was answered: files have not run out");
}

#[test]
fn strangers_cannot_use_the_daemons_files_up() {
    let mut machine = Machine::started();
    let laptop = Device::new();
    laptop.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    // Hundreds of silent strangers from everywhere, and a quarter of the files a process usually has.
    limit_files(machine.daemon(), 128);
    block_on(async {
        let mut crowd = Vec::new();
        for number in 0..400_u16 {
            let [high, low] = number.to_be_bytes();
            let from = std::net::Ipv4Addr::new(127, 0, 40 + high, low.max(1));
            crowd.push(tcp_from(from, machine.address).await.unwrap());
        }
        assert!(laptop.is_welcome(), "strangers keep a paired device out");
        machine.run(&["devices", "list"]).expect(0);
        let files = open_files(machine.daemon());
        assert!(files < 128, "{files} files are open");
        drop(crowd);
    });
    assert!(machine.daemon().is_running());
    let said = machine.stop().stderr;
    assert!(!said.contains("Too many open files"), "{said}");
}
