//! DNS names, record types and messages in wire form, without I/O and without dependencies.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod message;
pub mod name;
pub mod record;
pub mod rtype;

pub mod rdata;

pub use name::{Name, NameBuf, NameBuilder, NameError};
pub use record::{Record, RecordBuf};
pub use rtype::{Class, RType};
