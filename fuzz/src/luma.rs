//! A camera's frame with whatever sizes the camera says: read or passed over, and what lies between
//! the rows changes nothing.

use pairpin_core::qr::{LumaFrame, decode_luma};

use crate::bytes::Bytes;

/// Width, height and stride from the first bytes, then how the pixels are made of the rest.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let (width, height, stride) = (size(&mut bytes), size(&mut bytes), size(&mut bytes));
    let kind = bytes.byte();
    let seed = bytes.0;
    if kind % 4 == 0 {
        // The sizes as they come, with the bytes as they come.
        let _ = decode_luma(&LumaFrame { width, height, stride, bytes: seed });
        return;
    }
    // A frame whose sizes fit, its pixels the input over and over, each byte one or more wide.
    let (width, height) = (1 + width % 96, 1 + height % 96);
    let wide = 1 + usize::from(kind / 4 % 4);
    let pixel = |x: usize, y: usize| match seed {
        [] => 0,
        seed => seed[(y / wide * width.div_ceil(wide) + x / wide) % seed.len()],
    };
    let picture = |stride: usize, gap: u8| -> Vec<u8> {
        let row = |y: usize| (0..stride).map(move |x| if x < width { pixel(x, y) } else { gap });
        (0..height).flat_map(row).collect()
    };
    let tight = picture(width, 0);
    let read = decode_luma(&LumaFrame { width, height, stride: width, bytes: &tight });
    if kind.is_multiple_of(2) {
        let stride = width + stride % 9;
        let loose = picture(stride, kind);
        let again = decode_luma(&LumaFrame { width, height, stride, bytes: &loose });
        assert_eq!(again, read, "what lies between the rows is seen");
        // A byte too few is no frame.
        let cut = &loose[..stride * (height - 1) + width - 1];
        assert_eq!(decode_luma(&LumaFrame { width, height, stride, bytes: cut }), None);
    }
}

fn size(bytes: &mut Bytes<'_>) -> usize {
    match bytes.short() {
        0xFFFF => usize::MAX,
        0xFFFE => usize::MAX / 2,
        0xFFFD => 1 << 32,
        0xFFFC => 16_385,
        other => usize::from(other),
    }
}
