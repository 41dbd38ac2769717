//! The upgrade request as a machine reads it from a stranger: the same verdict however the bytes
//! arrive, bounded, and what is accepted says nothing that a device's own request does not say.

use pairpin_core::net::upgrade;
use pairpin_core::wire::limits;

use crate::script::{Script, now};

/// A request's head, at most (`docs/protocol.md`, section 2).
const HEAD: usize = 16 * 1024;

/// The first byte is the size of the pieces in which the rest arrives.
pub fn run(data: &[u8]) {
    let Some((piece, head)) = data.split_first() else { return };
    let mut whole = Script::of(head, 0);
    let mut pieces = Script::of(head, usize::from(*piece).max(1));
    let (verdict, in_pieces) = (now(upgrade::read_request(&mut whole)), now(upgrade::read_request(&mut pieces)));
    assert!(whole.read <= HEAD && pieces.read <= HEAD, "read beyond the limit");
    let Ok(request) = verdict else {
        // Bytes after the head arrive with it or not at all.
        assert!(in_pieces.is_err() || ends_early(head), "refused whole and accepted in pieces");
        return;
    };
    let again = in_pieces.expect("accepted whole and refused in pieces");
    assert_eq!((request.flow, &request.envelope), (again.flow, &again.envelope));
    assert!(request.envelope.message.len() <= limits::MESSAGE);
    let text = std::str::from_utf8(head).expect("an accepted head is ASCII").to_ascii_lowercase();
    for (header, count) in [("\r\nhost: pairpin\r\n", 1), ("\r\norigin:", 0), ("\r\ncontent-length:", 0)] {
        // White space around a value may differ; a second one may not be there.
        assert!(text.matches(header).count() <= count, "{header:?}");
    }
    assert_eq!(text.matches("\r\nhost:").count(), 1);
    // A device that says the same is understood in the same way.
    let mut device = Script::default();
    let _ = now(upgrade::request(&mut device, request.flow, &request.envelope));
    let same = now(upgrade::read_request(&mut Script::of(&device.written, 0))).expect("a device's own request");
    assert_eq!((same.flow, &same.envelope), (request.flow, &request.envelope));
}

/// Whether something follows the head's end.
fn ends_early(head: &[u8]) -> bool {
    head.windows(4).position(|window| window == b"\r\n\r\n").is_some_and(|at| at + 4 < head.len())
}
