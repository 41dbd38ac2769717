//! Those who have proven nothing, each kind taking what it can for as long as it is let.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use pairpin_core::wire::{Envelope, Flow};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout_at};
use tokio_rustls::TlsConnector;

use crate::http::{GOOD_FIRST_LINE, Head, good_headers, request};
use crate::peer::tcp_from;
use crate::tls;

/// How a stranger wastes the machine's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Connects and says nothing.
    Silent,
    /// Begins a TLS hello and stops half way.
    HalfHello,
    /// Says what is no TLS.
    Garbage,
    /// A byte of a TLS hello each second.
    DripHello,
    /// Does TLS and says nothing.
    SilentAfterTls,
    /// Does TLS, then a byte of a request each second.
    DripRequest,
    /// Does TLS, asks for an upgrade without a proof, and if it gets one begins a message of 4 MiB.
    Swollen,
}

/// The slow kinds; those who only connect come in their own number.
pub const SLOW: [Kind; 7] = [
    Kind::Silent,
    Kind::HalfHello,
    Kind::Garbage,
    Kind::DripHello,
    Kind::SilentAfterTls,
    Kind::DripRequest,
    Kind::Swollen,
];

/// What a swollen message announces, in bytes; the last one is never sent.
const SWOLLEN: usize = 4 * 1024 * 1024;

/// How a stranger's stay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// It was sent away after this long.
    Gone(Duration),
    /// It was still there at the end.
    Stayed,
    /// It did not even get a connection.
    NotLetIn,
}

/// Comes, and stays until it is sent away or `until`.
pub async fn come(kind: Kind, source: Ipv4Addr, address: SocketAddr, until: Instant) -> Stay {
    let connected = timeout_at(until.into(), tcp_from(source, address)).await;
    let Ok(Ok(tcp)) = connected else { return Stay::NotLetIn };
    let since = Instant::now();
    // However it ends on this side: only that it ends counts.
    match timeout_at(until.into(), stay(kind, tcp)).await {
        Ok(_) => Stay::Gone(since.elapsed()),
        Err(_) => Stay::Stayed,
    }
}

async fn stay(kind: Kind, mut tcp: TcpStream) -> io::Result<()> {
    // RFC 8446 section 5.1: a handshake record of 512 bytes, then a client hello's first bytes.
    const HELLO: [u8; 11] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    match kind {
        Kind::Silent => end_of(tcp).await,
        Kind::HalfHello => {
            tcp.write_all(&HELLO).await?;
            tcp.write_all(&[7; 200]).await?;
            end_of(tcp).await
        }
        Kind::Garbage => {
            tcp.write_all(&[0xa5; 600]).await?;
            end_of(tcp).await
        }
        Kind::DripHello => drip(tcp, &[&HELLO[..], &[7; 100]].concat()).await,
        Kind::SilentAfterTls => end_of(encrypted(tcp).await?).await,
        Kind::DripRequest => {
            let head = format!("{GOOD_FIRST_LINE}\r\nHost: pairpin\r\nX: {}", "x".repeat(200));
            drip(encrypted(tcp).await?, head.as_bytes()).await
        }
        Kind::Swollen => swell(encrypted(tcp).await?).await,
    }
}

async fn encrypted(tcp: TcpStream) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    static CONFIG: LazyLock<Arc<ClientConfig>> = LazyLock::new(tls::credulous);
    let name = ServerName::try_from("pairpin").map_err(io::Error::other)?;
    TlsConnector::from(CONFIG.clone()).connect(name, tcp).await
}

async fn end_of(mut stream: impl AsyncRead + Unpin) -> io::Result<()> {
    let mut bytes = [0; 256];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

async fn drip(stream: impl AsyncRead + AsyncWrite, bytes: &[u8]) -> io::Result<()> {
    let (reading, mut writing) = tokio::io::split(stream);
    let dripping = async {
        for byte in bytes {
            writing.write_all(&[*byte]).await?;
            writing.flush().await?;
            sleep(Duration::from_secs(1)).await;
        }
        std::future::pending::<io::Result<()>>().await
    };
    tokio::select! {
        ended = end_of(reading) => ended,
        ended = dripping => ended,
    }
}

async fn swell(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let nonsense = Envelope::of_any(&"nonsense").map_err(io::Error::other)?;
    stream.write_all(&request(GOOD_FIRST_LINE, &good_headers(Flow::Resume, &nonsense))).await?;
    let head = Head::read(&mut stream).await?;
    if head.status() == 101 {
        // RFC 6455 section 5.2: a binary frame, masked with zeros, of a length in eight bytes.
        let mut frame = vec![0x82, 0xff];
        frame.extend((SWOLLEN as u64).to_be_bytes());
        frame.extend([0; 4]);
        stream.write_all(&frame).await?;
        stream.write_all(&vec![0; SWOLLEN - 1]).await?;
        stream.flush().await?;
    }
    end_of(stream).await
}
