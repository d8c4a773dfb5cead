//! Checks in an internet of the tests' own.

mod checker;
mod internet;
mod peers;
mod walk;
