//! The front as clients meet it: the real server in this process, spoken to over its sockets.

mod abuse;
mod ds;
mod http;
mod life;
mod ownership;
mod pending;
mod registry;
mod relay;
mod setup;
mod signed;
mod signer;
mod support;
mod tree;
mod upload;
