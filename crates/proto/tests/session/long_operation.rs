//! A long operation leaves the client part by part: what the server asks meanwhile is answered between two parts. What
//! leaves before Welcome is short.

use steadfast_proto::time::Duration;
use steadfast_proto::wire::frame::Kind;

use crate::line::{Line, op};

const BODY_BYTES: usize = 60_000;
/// One part of 16 KiB with what is around it, and what stands before it on the control lane.
const TURN_BYTES_MAX: usize = 16 * 1024 + 200;

#[test]
fn a_ping_is_answered_between_two_parts_of_a_long_operation() {
    let mut line = Line::with_outbox(vec![op(1, BODY_BYTES), op(2, 10)]);
    let (mut turns, mut kinds) = (0, Vec::new());
    while kinds.len() < 2 {
        line.server.liveness_mut().want_ping();
        let mut ping = Vec::new();
        line.server.begin_transmit(line.now, &mut ping);
        line.session.handle_bytes(line.now, &ping);
        line.now = line.now + Duration::from_millis(100);
        let (bytes, new) = line.carry();
        assert!(0 < bytes && bytes <= TURN_BYTES_MAX, "{bytes} bytes in one turn");
        // Measured by the pong that came in this turn, whatever else did.
        assert_eq!(line.server.liveness().rtt().smoothed(), Some(Duration::from_millis(100)));
        kinds.extend(new);
        turns += 1;
    }
    assert_eq!(turns, BODY_BYTES.div_ceil(16 * 1024));
    let arrived = [op(1, BODY_BYTES), op(2, 10)].map(Kind::Op);
    assert_eq!(kinds, arrived, "whole and in order");
}

#[test]
fn what_leaves_before_welcome_has_at_most_64_kib_on_the_wire() {
    const FIRST_FLIGHT_BYTES_MAX: usize = 64 * 1024;
    let mut fits = 0;
    for body_bytes in 16_300..16_500 {
        let mut line = Line::greeting();
        let load = line.load.take().expect("it asks for its outbox");
        line.session.handle_loaded(line.now, load.generation, vec![op(1, 49_000), op(2, body_bytes)], false);
        let (mut bytes, mut ops) = (0, 0);
        loop {
            let (more, kinds) = line.carry();
            if more == 0 {
                break;
            }
            (bytes, ops) = (bytes + more, ops + kinds.len());
        }
        assert!(bytes <= FIRST_FLIGHT_BYTES_MAX, "{bytes} bytes");
        fits += usize::from(ops == 2);
    }
    // Around each of the operations: 45 bytes of its own, its length, and what five parts have around them.
    assert!((100..200).contains(&fits), "{fits} of those that fit went along");
}
