//! An echo that breaks rules of RFC 6455, for the controls: it answers a ping without its payload
//! (section 5.5.3), passes reserved bits and opcodes (5.2), takes control frames in fragments (5.5), and
//! does not look whether text is UTF-8 (8.1).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Which end it is: a device masks what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Machine,
    Device,
}

const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Echoes until the other side closes.
///
/// # Errors
/// The connection was lost.
pub async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin, end: End) -> io::Result<()> {
    let mut message = Vec::new();
    let mut kind = 0;
    loop {
        let (first, payload) = read(&mut stream).await?;
        match first & 0x0f {
            CLOSE => {
                write(&mut stream, end, CLOSE, &payload).await?;
                return stream.shutdown().await;
            }
            PING => write(&mut stream, end, PONG, b"").await?,
            PONG => {}
            opcode => {
                kind = if opcode == 0 { kind } else { opcode };
                message.extend(payload);
                if first & 0x80 != 0 {
                    write(&mut stream, end, kind, &message).await?;
                    message.clear();
                }
            }
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let (first, second) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = match second & 0x7f {
        126 => u64::from(stream.read_u16().await?),
        127 => stream.read_u64().await?,
        short => u64::from(short),
    };
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        stream.read_exact(&mut mask).await?;
    }
    let mut payload = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    stream.read_exact(&mut payload).await?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok((first, payload))
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), end: End, opcode: u8, payload: &[u8]) -> io::Result<()> {
    let masked = u8::from(end == End::Device) << 7;
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => frame.push(masked | short as u8),
        length => {
            frame.push(masked | 126);
            frame.extend(u16::try_from(length).map_err(io::Error::other)?.to_be_bytes());
        }
    }
    if end == End::Device {
        frame.extend([0; 4]); // a mask that changes nothing
    }
    frame.extend(payload);
    stream.write_all(&frame).await?;
    stream.flush().await
}
