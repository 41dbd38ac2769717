//! Many devices and many strangers at once: what the floods (`tests/floods.rs`) and the benchmarks
//! (`bench/`) stand on.
//!
//! [`rows`] fills a machine's state with paired devices, [`paired`] is one of them on the network,
//! by the device's own network code, [`keys`] what it knows of its machine's, [`owner`] one that approves, [`joiner`] one that wants to be let in. [`strangers`] are those who have proven nothing, [`flood`] sets
//! them on a machine while paired ones work, [`revocation`] revokes one that never stops talking, [`owner_out`] an owner in the middle of its work.
//! [`bare`] is a server with nothing of ours: a floor to compare with, and the broken twin. [`admin`]
//! asks the daemon without starting a program each time, [`process`] looks at it from
//! outside, [`disk`] counts its waits for the disk, [`trips`] counts round trips, [`spread`] says what was measured.

pub mod admin;
pub mod bare;
pub mod disk;
pub mod flood;
pub mod joiner;
pub mod keys;
pub mod owner;
pub mod owner_out;
pub mod paired;
pub mod process;
pub mod revocation;
pub mod rows;
pub mod spread;
pub mod strangers;
pub mod trips;
