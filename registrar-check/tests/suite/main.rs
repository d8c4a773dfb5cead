//! Checks in an internet of the tests' own.

mod chain;
mod chance;
mod checker;
mod ds;
mod evidence;
mod flood;
mod forged_chain;
mod forgery;
mod internet;
mod known;
mod lookups;
mod pacing;
mod peers;
mod rounds;
mod signer;
mod walk;
mod way;
