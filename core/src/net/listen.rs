//! Opening the port that devices dial. Called once by the machine's engine at its start.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections the kernel may hold before they are accepted.
const BACKLOG: i32 = 256;

/// The port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program has it.
    #[error("port {0} is already in use, stop what uses it or choose another port")]
    PortInUse(u16),
    /// The system keeps it for itself.
    #[error("this user may not listen on port {0}, choose a port from 1024 up")]
    NotPermitted(u16),
    /// The address is another machine's, or the interface is down.
    #[error("{0} is not an address of this machine, choose one that is or leave it out to listen on all")]
    NotLocal(IpAddr),
    /// Anything else.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, io::Error),
}

/// Opens `port` on `address`, or on every address of the machine: over IPv6 and IPv4 with one
/// socket, or over IPv4 alone where IPv6 is switched off. Port 0 lets the system choose.
///
/// Must be called inside a tokio runtime.
///
/// # Errors
/// See [`BindError`].
pub fn bind(address: Option<IpAddr>, port: u16) -> Result<Vec<TcpListener>, BindError> {
    let listener = match address {
        Some(ip) => open(SocketAddr::new(ip, port)),
        None => match open(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
            Err(BindError::NotLocal(_) | BindError::Other(..)) => {
                open(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
            }
            opened => opened,
        },
    };
    listener.map(|listener| vec![listener])
}

fn open(address: SocketAddr) -> Result<TcpListener, BindError> {
    try_open(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::PortInUse(address.port()),
        io::ErrorKind::PermissionDenied => BindError::NotPermitted(address.port()),
        io::ErrorKind::AddrNotAvailable => BindError::NotLocal(address.ip()),
        _ => BindError::Other(address, error),
    })
}

fn try_open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    // Restarting must not wait for old connections to time out. On Windows the option means that
    // another program may take the port over.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
