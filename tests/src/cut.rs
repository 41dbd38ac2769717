//! A wire between a device and a machine that holds everything from one TLS record on, so that
//! either side can be killed exactly there. It reads no more than the records' lengths.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use pairpin_core::wire::DEFAULT_PORT;

use crate::link;
use crate::scratch;

/// Whose records are counted and held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The device's: the machine does not learn of it.
    Device,
    /// The machine's: the device does not learn of it.
    Machine,
}

/// The wire. Once it is dropped nobody gets through any more.
#[derive(Debug)]
pub struct Cut {
    address: Ipv4Addr,
    reached: Receiver<()>,
    over: Arc<AtomicBool>,
}

impl Cut {
    /// A wire to `machine` that lets `records` of one side pass, over all connections.
    ///
    /// # Panics
    /// No address is free.
    #[track_caller]
    pub fn after(records: usize, from: From, machine: SocketAddr) -> Self {
        let address = scratch::loopback();
        let listener = TcpListener::bind((address, DEFAULT_PORT)).unwrap_or_else(|error| panic!("{address}: {error}"));
        let (held, reached) = channel();
        let left = Arc::new(AtomicUsize::new(records));
        let over = Arc::new(AtomicBool::new(false));
        let ended = over.clone();
        thread::spawn(move || {
            for device in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (left, held) = (left.clone(), held.clone());
                // Either end may be killed at any time: that is what this is for.
                let _ = device.and_then(|device| connect(device, machine, from, left, held));
            }
        });
        Self { address, reached, over }
    }

    /// The same offer by way of this wire.
    #[track_caller]
    pub fn through(&self, text: &str) -> String {
        link::changed(text, |bytes| {
            // Version and flags, pin, secret; then the hints: the default port has no bytes.
            assert_eq!(bytes.first().map(|first| first & 1), Some(0), "the link names a port");
            bytes.truncate(33);
            bytes.push(4);
            bytes.extend(self.address.octets());
        })
    }

    /// Waits until the record is there; false if it does not come in time.
    pub fn reached(&self, time: Duration) -> bool {
        self.reached.recv_timeout(time).is_ok()
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it ends.
        let _ = TcpStream::connect((self.address, DEFAULT_PORT));
    }
}

fn connect(
    device: TcpStream,
    machine: SocketAddr,
    from: From,
    left: Arc<AtomicUsize>,
    held: Sender<()>,
) -> io::Result<()> {
    let machine = TcpStream::connect(machine)?;
    let (up, down) = ((device.try_clone()?, machine.try_clone()?), (machine, device));
    let (counted, free) = if from == From::Device { (up, down) } else { (down, up) };
    thread::spawn(move || pass(free, || true));
    thread::spawn(move || {
        pass(counted, || {
            let passes = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            if !passes {
                let _ = held.send(());
            }
            passes
        })
    });
    Ok(())
}

/// Passes whole records on while they may pass. What is held keeps its connection open.
fn pass((mut from, mut to): (TcpStream, TcpStream), may_pass: impl Fn() -> bool) -> io::Result<()> {
    let ended = loop {
        // RFC 8446 section 5.1: type, version, length.
        let mut record = vec![0; 5];
        if let Err(error) = from.read_exact(&mut record) {
            break Err(error);
        }
        let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
        record.resize(5 + length, 0);
        if let Err(error) = from.read_exact(&mut record[5..]) {
            break Err(error);
        }
        if !may_pass() {
            // Until the other end is gone.
            break io::copy(&mut from, &mut io::sink()).map(drop);
        }
        if let Err(error) = to.write_all(&record) {
            break Err(error);
        }
    };
    let _ = to.shutdown(Shutdown::Write);
    ended
}
