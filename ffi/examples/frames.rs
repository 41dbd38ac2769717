//! Reads one camera frame again and again, as a shell would and without one: the floor of what the binding
//! costs. `frames FILE WIDTH HEIGHT STRIDE`; for each number on stdin it reads so often, and prints the
//! nanoseconds of each reading in a line.

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, width, height, stride] = arguments.as_slice() else {
        return Err("frames FILE WIDTH HEIGHT STRIDE".into());
    };
    let plane = std::fs::read(file)?;
    let (width, height, stride) = (width.parse()?, height.parse()?, stride.parse()?);
    let read = || pairpin_ffi::scan_luma(plane.as_ptr() as u64, plane.len() as u64, width, height, stride);
    if read().is_none() {
        return Err("there is nothing to be read in that frame".into());
    }
    let mut out = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let times: Vec<String> = (0..line?.trim().parse::<u32>()?)
            .map(|_| {
                let begun = Instant::now();
                let found = read();
                let taken = begun.elapsed().as_nanos();
                drop(found);
                taken.to_string()
            })
            .collect();
        writeln!(out, "{}", times.join(" "))?;
        out.flush()?;
    }
    Ok(())
}
