//! The network between devices and the machine, which the test owns: it delays, holds what is sent while there is a
//! partition, and cuts. Where the machine is may change under it, as it does when it starts again.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pairpin_tests::chance::Chance;
use pairpin_tests::peer::tcp_from;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// See the module. It ends when dropped.
pub struct Relay {
    /// Where devices dial.
    pub address: SocketAddr,
    weather: Arc<Weather>,
    task: AbortHandle,
}

struct Weather {
    machine: Mutex<Option<SocketAddr>>,
    chance: Mutex<Chance>,
    /// Whether anything passes.
    open: watch::Sender<bool>,
    /// Counts cuts.
    cuts: watch::Sender<u64>,
}

impl Relay {
    pub async fn start(chance: Chance) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (machine, chance) = (Mutex::default(), Mutex::new(chance));
        let weather =
            Arc::new(Weather { machine, chance, open: watch::Sender::new(true), cuts: watch::Sender::new(0) });
        let outside = Arc::clone(&weather);
        let task = tokio::spawn(async move {
            while let Ok((device, peer)) = listener.accept().await {
                tokio::spawn(connect(device, peer, Arc::clone(&outside)));
            }
        });
        Self { address, weather, task: task.abort_handle() }
    }

    /// Where the machine is now, if it runs.
    pub fn leads_to(&self, machine: Option<SocketAddr>) {
        *self.weather.machine.lock().unwrap_or_else(PoisonError::into_inner) = machine;
    }

    /// Begins or ends a partition: what is sent meanwhile is held, as TCP would send it again.
    pub fn pass(&self, open: bool) {
        self.weather.open.send_replace(open);
    }

    /// Cuts every connection that there is.
    pub fn cut(&self) {
        self.weather.cuts.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn connect(device: TcpStream, peer: SocketAddr, weather: Arc<Weather>) {
    let mut cuts = weather.cuts.subscribe();
    cuts.mark_unchanged();
    let passing = async {
        weather.opened().await;
        let machine = *weather.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let SocketAddr::V4(from) = peer else { return };
        // From the address that the device came from: the machine counts by it.
        let Some(machine) = machine else { return };
        let Ok(machine) = tcp_from(*from.ip(), machine).await else { return };
        let _ = (device.set_nodelay(true), machine.set_nodelay(true));
        let ((from_device, to_device), (from_machine, to_machine)) = (device.into_split(), machine.into_split());
        // Either end that goes takes the other with it: half of a TLS connection is none.
        tokio::select! {
            () = pass(from_device, to_machine, &weather) => {}
            () = pass(from_machine, to_device, &weather) => {}
        }
    };
    tokio::select! {
        () = passing => {}
        _ = cuts.changed() => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, weather: &Weather) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        weather.opened().await;
        weather.delay().await;
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

impl Weather {
    async fn opened(&self) {
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }

    /// Every fifth piece is late.
    async fn delay(&self) {
        let late = {
            let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
            (chance.below(5) == 0).then(|| chance.time(Duration::from_millis(4)))
        };
        if let Some(late) = late {
            tokio::time::sleep(late).await;
        }
    }
}
