//! Properties that hold for every input, many of them checked against an independent implementation.

mod generator;
mod messages;
mod names;
mod rdata;
