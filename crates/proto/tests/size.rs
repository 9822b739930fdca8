//! What an idle connection costs.

use std::mem::size_of;

use steadfast_proto::codec::Decoder;
use steadfast_proto::hub::Connection;
use steadfast_proto::link::{Link, Liveness};

/// A server holds one of these for every connection, and nothing else while it is idle.
const CONNECTION_BYTES_MAX: usize = 400;

#[test]
fn the_own_state_of_an_idle_connection_stays_small() {
    let (connection, link) = (size_of::<Connection>(), size_of::<Link>());
    let (liveness, decoder) = (size_of::<Liveness>(), size_of::<Decoder>());
    println!("connection {connection} B, of it link {link} B, of that liveness {liveness} B, decoder {decoder} B");
    assert!(connection <= CONNECTION_BYTES_MAX, "a connection's own state has grown to {connection} bytes");
}
