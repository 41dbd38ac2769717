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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpStream;

    use super::*;

    async fn reaches(listener: &TcpListener, target: SocketAddr) -> IpAddr {
        let dialling = tokio::spawn(TcpStream::connect(target));
        let (_, peer) = tokio::time::timeout(Duration::from_secs(10), listener.accept()).await.unwrap().unwrap();
        dialling.await.unwrap().unwrap();
        peer.ip().to_canonical()
    }

    #[tokio::test]
    async fn one_socket_takes_ipv6_and_ipv4() {
        let listeners = bind(None, 0).unwrap();
        let at = listeners[0].local_addr().unwrap();
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, at.port()));
        assert_eq!(reaches(&listeners[0], target).await, Ipv4Addr::LOCALHOST);
        // Where the system has no IPv6, bind has fallen back to IPv4.
        if at.is_ipv6() {
            let target = SocketAddr::from((Ipv6Addr::LOCALHOST, at.port()));
            assert_eq!(reaches(&listeners[0], target).await, Ipv6Addr::LOCALHOST);
        }
    }

    #[tokio::test]
    async fn a_port_that_is_in_use_is_named() {
        let first = bind(Some(Ipv4Addr::LOCALHOST.into()), 0).unwrap();
        let port = first[0].local_addr().unwrap().port();
        for address in [Some(Ipv4Addr::LOCALHOST.into()), None] {
            let error = bind(address, port).unwrap_err();
            assert!(matches!(error, BindError::PortInUse(p) if p == port), "{error}");
            let text = format!("port {port} is already in use, stop what uses it or choose another port");
            assert_eq!(error.to_string(), text);
        }
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_named() {
        for other in ["203.0.113.1", "2001:db8::1"] {
            let error = bind(Some(other.parse().unwrap()), 0).unwrap_err();
            assert!(matches!(error, BindError::NotLocal(ip) if ip.to_string() == other), "{error}");
            assert!(error.to_string().starts_with(&format!("{other} is not an address of this machine")), "{error}");
        }
    }

    #[tokio::test]
    async fn a_port_is_free_again_at_once() {
        let first = bind(None, 0).unwrap();
        let at = first[0].local_addr().unwrap();
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, at.port()));
        let dialling = tokio::spawn(TcpStream::connect(target));
        let accepted = first[0].accept().await.unwrap();
        drop(first);
        // The side that closes first keeps the port in TIME_WAIT.
        drop(accepted);
        drop(dialling.await.unwrap().unwrap());
        bind(None, at.port()).unwrap();
    }
}
