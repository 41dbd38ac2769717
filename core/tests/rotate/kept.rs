//! See the module of tests in `main`.
