//! Reads one camera frame again and again, as a shell does, and without a shell: the floor of what the binding
//! costs (`cargo xtask bench phones`). `frames FILE WIDTH HEIGHT STRIDE`; for each number on stdin it reads so
//! often, and prints the nanoseconds of each reading in one line.

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use pairpin_core::link::Link;
use pairpin_core::qr::{LumaFrame, decode_luma};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, width, height, stride] = arguments.as_slice() else {
        return Err("frames FILE WIDTH HEIGHT STRIDE".into());
    };
    let plane = std::fs::read(file)?;
    let frame = LumaFrame { width: width.parse()?, height: height.parse()?, stride: stride.parse()?, bytes: &plane };
    let read = || decode_luma(&frame).is_some_and(|text| Link::parse(&text).is_ok());
    if !read() {
        return Err("there is no link to be read in that frame".into());
    }
    let mut out = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let times: Vec<String> = (0..line?.trim().parse::<u32>()?)
            .map(|_| {
                let begun = Instant::now();
                std::hint::black_box(read());
                begun.elapsed().as_nanos().to_string()
            })
            .collect();
        writeln!(out, "{}", times.join(" "))?;
        out.flush()?;
    }
    Ok(())
}
