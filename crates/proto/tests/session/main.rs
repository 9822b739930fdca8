//! A client's core against a server's end of its line: how long things leave, and what it makes of what no server says.

mod answers;
mod line;
mod long_operation;
mod saying;
