//! Checks in an internet of the tests' own.

mod chain;
mod chance;
mod checker;
mod ds;
mod flood;
mod internet;
mod known;
mod peers;
mod rounds;
mod signer;
mod walk;
