//! Round trips, counted and not believed: a wire between a device and a machine looks at who speaks.
//!
//! [`Trips`] counts how often the machine answers the device: TCP's own handshake is one, then one for
//! each flight. [`Wire`] is a TCP relay that needs no privileges; the benchmarks' relay of packets
//! counts with the same [`Trips`].

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The device.
    Device,
    /// The machine.
    Machine,
}

/// Round trips so far; clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Trips(Arc<Mutex<Count>>);

#[derive(Debug, Default)]
struct Count {
    asked: bool,
    trips: usize,
}

impl Trips {
    /// Somebody spoke. What the machine says in several pieces, or unasked, is one answer at most.
    pub fn spoke(&self, side: Side) {
        let mut count = self.lock();
        match side {
            Side::Device => count.asked = true,
            Side::Machine if count.asked => {
                count.asked = false;
                count.trips += 1;
            }
            Side::Machine => {}
        }
    }

    /// How many there were since the last time this was asked.
    pub fn take(&self) -> usize {
        std::mem::take(&mut *self.lock()).trips
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A relay to a machine; it ends when dropped.
#[derive(Debug)]
pub struct Wire {
    /// Where it is dialled.
    pub address: SocketAddr,
    /// What passed.
    pub trips: Trips,
    task: AbortHandle,
}

impl Wire {
    /// A wire to `machine`, listening at `address`.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn to(machine: SocketAddr, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let trips = Trips::default();
        let passing = trips.clone();
        let task = tokio::spawn(async move {
            while let Ok((device, _)) = listener.accept().await {
                // RFC 9293 section 3.5: SYN, and SYN with ACK. The kernel has done it already.
                passing.spoke(Side::Device);
                passing.spoke(Side::Machine);
                let Ok(machine) = TcpStream::connect(machine).await else { continue };
                let ((from_device, to_device), (from_machine, to_machine)) =
                    (device.into_split(), machine.into_split());
                tokio::spawn(pass(from_device, to_machine, Side::Device, passing.clone()));
                tokio::spawn(pass(from_machine, to_device, Side::Machine, passing.clone()));
            }
        });
        Ok(Self { address, trips, task: task.abort_handle() })
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, side: Side, trips: Trips) -> io::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        trips.spoke(side);
        to.write_all(&bytes[..read]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_is_a_question_and_its_answer_in_however_many_pieces() {
        let trips = Trips::default();
        for side in [Side::Machine, Side::Device, Side::Device, Side::Machine, Side::Machine, Side::Device] {
            trips.spoke(side);
        }
        assert_eq!(trips.take(), 1);
        assert_eq!(trips.take(), 0);
    }
}
