//! Handshake messages after the upgrade, as frames. Used by `code_pairing` and `granting`.

use super::visitor::Gone;
use crate::net::socket::{Incoming, Socket};
use crate::wire::{CloseCode, Envelope, Frame};

pub(super) async fn handshake_message(socket: &mut Socket) -> Result<Envelope, Gone> {
    match frame(socket).await? {
        Frame::Handshake(envelope) => Ok(envelope),
        _ => Err(Gone),
    }
}

pub(super) async fn frame(socket: &mut Socket) -> Result<Frame, Gone> {
    loop {
        match socket.recv().await {
            Ok(Some(Incoming::Frame(frame))) => return Ok(frame),
            Ok(Some(Incoming::Ping | Incoming::Pong)) => {}
            _ => return Err(Gone),
        }
    }
}

pub(super) async fn refuse_in_frames(socket: &mut Socket, envelope: Envelope) -> Result<(), Gone> {
    socket.send(Frame::Refused(envelope)).await?;
    socket.close(CloseCode::Protocol, "").await;
    Ok(())
}
