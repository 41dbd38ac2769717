//! Places where a test makes a process panic with secrets in its hands: `tests/tests/secrets.rs`.
//!
//! Only the feature `fault-points` has them; a build without debug assertions, and so every release,
//! refuses to have it. Without it the macro [`fault_point!`](crate::fault_point) leaves nothing behind.

#[cfg(all(feature = "fault-points", not(debug_assertions)))]
compile_error!("fault-points is for tests: a release build must not have it");

/// Panics here, once in a process, if `PAIRPIN_FAULT_POINTS` (names with commas between) has the name;
/// the message shows all that is given as `{:?}` would in a careless `expect`.
#[doc(hidden)]
#[cfg(feature = "fault-points")]
#[macro_export]
macro_rules! fault_point {
    ($name:literal, $($held:expr),+) => {
        $crate::fault::reach($name, &[$(&$held as &dyn std::fmt::Debug),+])
    };
}

/// Nothing.
#[doc(hidden)]
#[cfg(not(feature = "fault-points"))]
#[macro_export]
macro_rules! fault_point {
    ($name:literal, $($held:expr),+) => {};
}

/// See [`fault_point!`](crate::fault_point).
///
/// # Panics
/// Where it is asked to.
#[cfg(feature = "fault-points")]
pub fn reach(name: &'static str, held: &[&dyn std::fmt::Debug]) {
    use std::sync::{Mutex, PoisonError};
    static REACHED: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let wanted = std::env::var("PAIRPIN_FAULT_POINTS").unwrap_or_default();
    if wanted.split(',').all(|wanted| wanted != name) {
        return;
    }
    {
        let mut reached = REACHED.lock().unwrap_or_else(PoisonError::into_inner);
        if reached.contains(&name) {
            return;
        }
        reached.push(name);
    }
    #[expect(clippy::panic, reason = "this is what it is for")]
    {
        panic!("fault point {name} reached with {held:#?} and {held:?}");
    }
}
