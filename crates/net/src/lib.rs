//! What Steadfast needs of an operating system: sockets and their options, I/O errors as causes, and a clock that
//! counts suspend. Nothing here decides what a link does; that is the core's ([`steadfast_proto`]).

pub mod cause;
pub mod clock;
pub mod descriptors;
pub mod driver;
pub mod network;
#[allow(unsafe_code, reason = "system calls; the only place, and each use says why it is sound")]
mod sys;
pub mod tcp;
#[cfg(unix)]
pub mod terminal;
