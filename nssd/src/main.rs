//! The name server daemon.
fn main() {}
