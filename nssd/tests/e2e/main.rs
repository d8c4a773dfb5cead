//! The daemon as its users meet it: over UDP, TCP and the control socket, started as `main` starts it.

mod answers;
mod claim;
mod control;
mod cookies;
mod crash;
mod files;
mod harness;
mod pending;
mod rate_limit;
mod tcp;
mod tls;
