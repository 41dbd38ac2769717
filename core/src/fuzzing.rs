//! What the fuzz targets of `fuzz/` see of the core's inside. It is there under `cfg(fuzzing)` alone,
//! which no feature sets, and in the core's own tests, which replay the kept inputs.

pub use crate::client::fuzzing::record;
pub use crate::host::fuzzing::{admitted, key_file};

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_kept_inputs_of_stored_records_and_keys_hold() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/stored");
        let mut replayed = 0;
        for entry in fs::read_dir(corpus).unwrap() {
            let input = fs::read(entry.unwrap().path()).unwrap();
            match input.split_first() {
                Some((kind, rest)) if matches!(kind % 6, 2 | 3) => super::record(rest),
                Some((kind, rest)) if matches!(kind % 6, 4 | 5) => super::key_file(rest),
                _ => continue,
            }
            replayed += 1;
        }
        assert!(replayed >= 4, "only {replayed} inputs");
    }
}
