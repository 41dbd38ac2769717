//! The readers that are judged: ours, the library it stands on without our rungs, and two that must
//! fail. The bench and the short test in CI use them; the peer in Python is the bench's alone.

use std::time::Duration;

use pairpin_core::qr::{LumaFrame, decode_luma};
use rustix::time::{ClockId, clock_gettime};
use rxing::common::HybridBinarizer;
use rxing::qrcode::QRCodeReader;
use rxing::{BinaryBitmap, Luma8LuminanceSource, Reader as _};

use super::camera::{HEIGHT, WIDTH};
use super::judge::Judge;
use super::{Frame, frame};

/// A reader: from greys to a text.
pub type Reader = fn(&[u8]) -> Option<String>;

/// Ours, as the phones call it.
pub fn ours(pixels: &[u8]) -> Option<String> {
    decode_luma(&LumaFrame { width: WIDTH, height: HEIGHT, stride: WIDTH, bytes: pixels }).map(|text| text.to_string())
}

/// The library alone: one threshold, one try. The floor.
pub fn floor(pixels: &[u8]) -> Option<String> {
    let source = Luma8LuminanceSource::new(pixels.to_vec(), WIDTH as u32, HEIGHT as u32).ok()?;
    let mut bitmap = BinaryBitmap::new(HybridBinarizer::new(source));
    QRCodeReader::new().decode(&mut bitmap).ok().map(|read| read.getText().to_owned())
}

/// A control: reads nothing.
pub fn blind(_: &[u8]) -> Option<String> {
    None
}

/// A control: reads a link in every frame, and never the one that is there.
pub fn liar(_: &[u8]) -> Option<String> {
    Some("pairpin:CAAQCAIB".to_owned())
}

/// Lets a reader read a frame, and judges it. The time is that of the processor in this thread: on
/// an idle machine it is the time that passes.
pub fn examine(judge: &mut Judge, reader: Reader, frame: &Frame) {
    let start = spent();
    let answer = reader(&frame.pixels);
    judge.take(frame.class, &frame.text, answer.as_deref(), spent().saturating_sub(start));
}

/// Judges readers on the same frames, made one by one.
pub fn examine_all(readers: &[(&'static str, Reader)], seed: u64, frames: usize) -> Vec<Judge> {
    let mut judges: Vec<Judge> = readers.iter().map(|(name, _)| Judge::of(name)).collect();
    for number in 0..frames {
        let frame = frame(seed, number);
        judges.iter_mut().zip(readers).for_each(|(judge, (_, reader))| examine(judge, *reader, &frame));
    }
    judges
}

fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
