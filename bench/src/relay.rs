//! A network of its own with a delay: a namespace, two TUN devices, and this process in between, which
//! holds every packet for half a round trip and counts who speaks. (There is no netem everywhere; a
//! TUN device needs root and `ip`.)

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use pairpin_tests::swarm::trips::{Side, Trips};
use tun_rs::{DeviceBuilder, SyncDevice};

/// The machine's address in its namespace; ours is on the same net.
pub const MACHINE: Ipv4Addr = Ipv4Addr::new(10, 77, 47, 2);
const OURS: &str = "10.77.47.1/24";
const ITS: &str = "10.77.47.2/24";

/// The network; gone when dropped.
pub struct Relay {
    namespace: String,
    half: Arc<AtomicU64>,
    /// What passed.
    pub trips: Trips,
}

impl Relay {
    /// Makes it, without a delay at first.
    ///
    /// # Errors
    /// Not root, no TUN devices, no `ip`: the text says which.
    pub fn new() -> Result<Self, String> {
        let namespace = format!("pairpin-bench-{}", std::process::id());
        let (near, far) = ("pairpin-near", "pairpin-far");
        let open = |name: &str| {
            let device = DeviceBuilder::new().name(name).inherit_enable_state().build_sync();
            device.map(Arc::new).map_err(|error| format!("no TUN device: {error}"))
        };
        ip(&["netns", "add", &namespace])?;
        // From here on dropping it takes the namespace away again.
        let relay = Self { namespace, half: Arc::default(), trips: Trips::default() };
        let (to_us, to_it) = (open(near)?, open(far)?);
        ip(&["link", "set", far, "netns", &relay.namespace])?;
        ip(&["address", "add", OURS, "dev", near])?;
        ip(&["link", "set", near, "up"])?;
        for words in
            [&["address", "add", ITS, "dev", far][..], &["link", "set", far, "up"], &["link", "set", "lo", "up"]]
        {
            ip(&[&["-n", &relay.namespace], words].concat())?;
        }
        relay.carry(&to_us, &to_it, Side::Device);
        relay.carry(&to_it, &to_us, Side::Machine);
        Ok(relay)
    }

    /// What starts a program in the machine's namespace.
    pub fn starter(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.namespace].map(str::to_owned).to_vec()
    }

    /// From now on a round trip takes this long.
    pub fn delay(&self, round_trip: Duration) {
        let half = u64::try_from(round_trip.as_micros() / 2).unwrap_or(u64::MAX);
        self.half.store(half, Ordering::SeqCst);
    }

    /// How long a round trip takes now.
    pub fn round_trip(&self) -> Duration {
        Duration::from_micros(2 * self.half.load(Ordering::SeqCst))
    }

    fn carry(&self, from: &Arc<SyncDevice>, to: &Arc<SyncDevice>, side: Side) {
        let (from, to) = (Arc::clone(from), Arc::clone(to));
        let (half, trips) = (Arc::clone(&self.half), self.trips.clone());
        let (sender, waiting) = channel::<(Instant, Vec<u8>)>();
        thread::spawn(move || {
            for (due, packet) in waiting {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let _ = to.send(&packet);
            }
        });
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(length) = from.recv(&mut buffer) {
                let packet = &buffer[..length];
                if speaks(packet) {
                    trips.spoke(side);
                }
                let due = Instant::now() + Duration::from_micros(half.load(Ordering::SeqCst));
                if sender.send((due, packet.to_vec())).is_err() {
                    return;
                }
            }
        });
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = ip(&["netns", "delete", &self.namespace]);
    }
}

/// Whether a packet opens a TCP connection or carries data: an acknowledgement alone says nothing.
fn speaks(packet: &[u8]) -> bool {
    let byte = |at: usize| packet.get(at).copied().map_or(0, usize::from);
    // RFC 791 section 3.1, RFC 9293 section 3.1.
    let header = (byte(0) & 15) * 4;
    if byte(0) >> 4 != 4 || byte(9) != 6 {
        return false;
    }
    let total = byte(2) * 256 + byte(3);
    let opens = byte(header + 13) & 2 != 0;
    opens || total > header + (byte(header + 12) >> 4) * 4
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("ip {}: {}", arguments.join(" "), said.lines().next().unwrap_or_default()))
        }
        Err(error) => Err(format!("no ip program ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IPv4 and TCP heads of twenty bytes each.
    fn packet(flags: u8, data: u8) -> Vec<u8> {
        let mut packet = vec![0; 40 + usize::from(data)];
        (packet[0], packet[3], packet[9]) = (0x45, 40 + data, 6);
        (packet[32], packet[33]) = (0x50, flags);
        packet
    }

    #[test]
    fn who_opens_or_says_something_speaks_and_who_acknowledges_does_not() {
        assert!(speaks(&packet(2, 0)) && speaks(&packet(0x12, 0)) && speaks(&packet(0x18, 1)));
        assert!(!speaks(&packet(0x10, 0)) && !speaks(&packet(0x11, 0)) && !speaks(&[]));
    }
}
