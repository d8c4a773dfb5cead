//! DNS names, record types and messages in wire form, without I/O and without dependencies.
//!
//! A query comes in; its answer goes out into a buffer that the caller owns:
//!
//! ```
//! use nss_wire::message::{Compressor, Flags, Owner, Reader, Section, Writer};
//! use nss_wire::{Class, RType};
//!
//! let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\0\0\x01\0\x01";
//! let mut reader = Reader::new(query)?;
//! let question = reader.question()?.expect("one question");
//! assert_eq!(question.qname.to_string(), "example.");
//!
//! let (mut buffer, mut compressor) = ([0; 512], Compressor::new());
//! let mut writer = Writer::new(&mut buffer, 512, &mut compressor)?;
//! writer.id = reader.header().id;
//! writer.flags = Flags::QR.with(Flags::AA);
//! writer.question(question)?;
//! writer.record(Section::Answer, Owner::Question, RType::A, Class::IN, 300, &[192, 0, 2, 1])?;
//! let size = writer.finish();
//!
//! let record = Reader::new(&buffer[..size])?.record()?.expect("one record");
//! assert_eq!(record.owner.to_string(), "example.");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Name`] and [`NameBuf`] cannot hold anything that is not a name. [`rdata`] has the table of record types, which
//! drives checking, printing, canonical form and decompression. [`message`] reads and writes messages.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod message;
pub mod name;
pub mod nsec3;
pub mod record;
pub mod rtype;

pub mod rdata;
pub mod rule;

pub use name::{Name, NameBuf, NameBuilder, NameError};
pub use record::{Record, RecordBuf};
pub use rtype::{Class, RType};
pub use rule::{Code, Rule, Severity};
