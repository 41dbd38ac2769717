//! Faults of disk, files, databases and clock, made on purpose under the real binary: each is named
//! with its next step, paired devices go on, nothing is lost, and when it passes all goes on without a
//! restart. Run by `cargo xtask test --layer faults`, as root: it mounts, and injects by libfiu and
//! libfaketime.

mod clocks;
mod databases;
mod disks;
mod files;
mod scene;
