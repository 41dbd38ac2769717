//! The control: a parser with a bug, which the driver must find within its time.
//!
//! Three bytes of magic, a length that must match, and then a read beyond the end. By chance one input in
//! some thirty billion reaches it; one that is guided by coverage gets there byte by byte.

/// Reads it, and panics where the bug is.
pub fn run(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    if *first != b'P' {
        return;
    }
    let Some((second, rest)) = rest.split_first() else { return };
    if *second != 0xA7 {
        return;
    }
    let Some((third, rest)) = rest.split_first() else { return };
    if *third != b'!' {
        return;
    }
    if let Some((length, body)) = rest.split_first()
        && usize::from(*length) == body.len()
        && body.len() > 4
    {
        // The bug: the last byte is taken for an offset.
        let at = usize::from(body[body.len() - 1]);
        assert!(at < body.len(), "the planted bug");
    }
}
