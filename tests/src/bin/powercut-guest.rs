//! What runs in the virtual machine of `cargo xtask powercut`: the real `pairpin serve`, real devices
//! that pair with it, and revokes. Each promise is a line on the console once it was given; the power
//! may go at any time. At the start it says what is there after the last cut.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use pairpin_core::wire::DEFAULT_PORT;
use pairpin_tests::block_on;
use pairpin_tests::link::ReadLink;
use pairpin_tests::machine::command;
use pairpin_tests::peer::{Identity, Peer};
use pairpin_tests::process::{Background, run};
use pairpin_tests::sqlite;
use serde_json::Value;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (home, boot) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let home = Path::new(&home);
    let had_database = home.join("state/machine.db").exists();
    let ip = Ipv4Addr::LOCALHOST.to_string();
    let arguments = ["serve", "--name", "homebox", "--bind", &ip, "--advertise", &ip];
    let mut daemon = Background::start(&mut command(home, &arguments), None);
    daemon.either("line that names its address", |line| line.contains(&ip));
    if had_database {
        tell_what_is_there(home);
    }
    say("READY");
    for number in 0.. {
        let name = format!("d{boot}-{number}");
        pair(home, &name);
        say(&format!("ACK paired {name}"));
        // Every third of them leaves again.
        if number % 3 == 2 {
            run(&mut command(home, &["devices", "revoke", &name, "--yes"]), "").expect(0);
            say(&format!("ACK revoked {name}"));
        }
    }
}

fn tell_what_is_there(home: &Path) {
    let database = home.join("state/machine.db");
    for line in sqlite::promises(&database).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        say(&format!("HAS {} {}", words[0], words[1]));
    }
    match sqlite::sound_in_use(&database) {
        Ok(()) => say("SOUND"),
        Err(wrong) => say(&format!("BROKEN {wrong}")),
    }
}

/// Pairs by a fresh offer; returns once the acknowledgement is answered.
fn pair(home: &Path, name: &str) {
    let made = run(&mut command(home, &["pair", "--json", "--no-wait", "--name", name]), "").expect(0);
    let offer: Value = serde_json::from_str(made.stdout.lines().next().unwrap_or_default()).unwrap_or_default();
    let secret = ReadLink::of(offer["link"].as_str().unwrap_or_default()).secret;
    let phone = Identity::new(name);
    let paired = block_on(async {
        phone.pair(Peer::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT))).await?, &secret).await
    });
    paired.unwrap_or_else(|refused| panic!("{name} is not paired: {refused:?}"));
}

fn say(line: &str) {
    let mut console = std::io::stdout().lock();
    // A console that is gone ends with the machine.
    let _ = writeln!(console, "PP {line}").and_then(|()| console.flush());
}
