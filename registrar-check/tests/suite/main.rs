//! Checks in an internet of the tests' own.

mod chance;
mod checker;
mod ds;
mod internet;
mod peers;
mod walk;
