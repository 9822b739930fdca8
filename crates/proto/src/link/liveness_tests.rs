use proptest::prelude::*;

use super::*;

const START: Instant = Instant::from_nanos(1_000_000_000_000);

fn at(ms: u64) -> Instant {
    START + Duration::from_millis(ms)
}

fn client() -> Liveness {
    client_that_opened(START)
}

fn client_that_opened(now: Instant) -> Liveness {
    let pinging = Pinging::Here { jitter_permille: 1_000 };
    Liveness::new(Bounds { active_bound: ACTIVE_BOUND, idle_bound: IDLE_BOUND, pinging }, now)
}

fn server() -> Liveness {
    let bounds = Bounds { active_bound: ACTIVE_BOUND, idle_bound: IDLE_BOUND, pinging: Pinging::There };
    Liveness::new(bounds, START)
}

/// Runs the deadlines of a link whose peer is silent; gives when each ping left and when the link died.
fn run_silent(mut liveness: Liveness) -> (Vec<u64>, u64) {
    let mut pings = Vec::new();
    loop {
        let (deadline, _) = liveness.poll_timeout();
        let ms = deadline.since(START).as_millis() as u64;
        match liveness.handle_timeout(deadline) {
            Verdict::Ping => {
                pings.push(ms);
                liveness.handle_ping_sent(pings.len() as u32, deadline);
                liveness.handle_outbound(deadline);
            }
            Verdict::Dead { woke: false, .. } => return (pings, ms),
            other => panic!("{other:?} at {ms} ms"),
        }
    }
}

#[test]
fn a_silent_peer_is_dead_three_seconds_after_the_first_unanswered_send() {
    let mut liveness = client();
    liveness.handle_sent_awaiting(at(2_000));
    assert_eq!(run_silent(liveness), (vec![2_250, 3_250, 4_250], 5_000));
}

/// What is queued becomes less while a peer says nothing: its system takes it, and its program stands still, or has the
/// ping still before it, which left behind all that was queued then.
#[test]
fn a_queue_that_shrinks_shortens_no_bound_before_the_peer_has_spoken_and_is_no_sleep() {
    for left_bytes in [0, 8_000, 24_000] {
        let mut liveness = client();
        liveness.handle_sent_awaiting(at(0));
        liveness.handle_line(40_000, Some(8_000));
        while let (deadline, Beat::Ping) = liveness.poll_timeout() {
            liveness.handle_timeout(deadline);
            liveness.handle_ping_sent(1, deadline);
        }
        liveness.handle_line(left_bytes, Some(8_000));
        let (deadline, _) = liveness.poll_timeout();
        assert_eq!(deadline, at(6_000), "a second, and five for what was queued when it was asked");
        assert_eq!(liveness.bound_in_force(), Duration::from_secs(6));
        let verdict = liveness.handle_timeout(deadline);
        assert!(matches!(verdict, Verdict::Dead { woke: false, .. }), "{left_bytes} bytes are left: {verdict:?}");
        liveness.handle_inbound(deadline);
        let left = Duration::from_secs(1) + Duration::from_millis(left_bytes / 8);
        assert_eq!(liveness.active_bound(), left.max(ACTIVE_BOUND));
    }
}

/// An own message that came back is stored, late, and so it is known that it was taken; its answer never came.
#[test]
fn what_is_answered_by_what_came_before_moves_no_deadline_of_a_peer_that_was_asked() {
    let mut liveness = client();
    liveness.handle_sent_awaiting(at(0));
    assert_eq!(liveness.handle_timeout(at(250)), Verdict::Ping);
    liveness.handle_ping_sent(1, at(250));
    liveness.handle_all_answered();
    assert_eq!(liveness.poll_timeout(), (at(1_250), Beat::Ping));
    assert_eq!(liveness.handle_timeout(at(1_250)), Verdict::Ping);
    liveness.handle_ping_sent(2, at(1_250));
    liveness.handle_ping_sent(3, at(2_250));
    assert_eq!(liveness.poll_timeout(), (at(3_000), Beat::DeadActive));
    liveness.handle_inbound(at(2_900));
    assert!(liveness.handle_pong(3, at(2_900)));
    liveness.handle_all_answered();
    assert_eq!(liveness.bound_in_force(), IDLE_BOUND);
}

#[test]
fn a_rate_that_is_measured_late_moves_the_bound_at_once_and_is_no_sleep() {
    let mut liveness = client();
    liveness.handle_sent_awaiting(at(0));
    liveness.handle_line(40_000, None);
    while let (deadline, Beat::Ping) = liveness.poll_timeout() {
        liveness.handle_timeout(deadline);
        liveness.handle_ping_sent(1, deadline);
    }
    assert_eq!(liveness.poll_timeout().0, at(6_000), "at 8 kB/s, as long as nothing is known");
    liveness.handle_line(40_000, Some(1_000_000));
    assert_eq!(liveness.poll_timeout().0, at(3_000));
    let verdict = liveness.handle_timeout(at(5_000));
    assert!(matches!(verdict, Verdict::Dead { woke: false, .. }), "{verdict:?}");
}

#[test]
fn a_busy_sender_notices_as_fast_as_an_idle_one() {
    let mut liveness = client();
    liveness.handle_sent_awaiting(at(0));
    for ms in (0..=240).step_by(10) {
        liveness.handle_outbound(at(ms));
        liveness.handle_sent_awaiting(at(ms));
    }
    assert_eq!(run_silent(liveness).1, 3_000);
}

#[test]
fn an_idle_client_pings_at_11_seconds_and_gives_up_before_15() {
    assert_eq!(run_silent(client()), (vec![11_000, 12_000, 13_000], 14_000));
}

#[test]
fn an_idle_server_lets_go_at_14_seconds_without_a_ping_of_its_own() {
    assert_eq!(run_silent(server()), (vec![], 14_000));
}

#[test]
fn an_unanswered_send_alone_never_kills_a_link_whose_pings_are_answered() {
    let mut liveness = server();
    liveness.handle_sent_awaiting(at(0));
    let mut number = 0;
    let mut now = START;
    while now < at(120_000) {
        let (deadline, _) = liveness.poll_timeout();
        now = deadline;
        match liveness.handle_timeout(now) {
            Verdict::Ping => {
                number += 1;
                liveness.handle_ping_sent(number, now);
                liveness.handle_inbound(now + Duration::from_millis(40));
                liveness.handle_pong(number, now + Duration::from_millis(40));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((115..=121).contains(&number), "about one ping a second, not {number} in 120 s");
}

#[test]
fn a_ping_unanswered_for_the_idle_bound_kills_whatever_else_arrives() {
    let mut liveness = server();
    liveness.want_ping();
    liveness.handle_ping_sent(1, at(0));
    let mut now = 0;
    loop {
        now += 100;
        liveness.handle_inbound(at(now));
        match liveness.handle_timeout(at(now)) {
            Verdict::Wait => {}
            Verdict::Ping => liveness.handle_ping_sent(99, at(now)),
            Verdict::Dead { .. } => break,
            Verdict::Woke => panic!("nobody slept"),
        }
    }
    assert_eq!(now, 15_000);
}

#[test]
fn a_deadline_that_was_slept_through_asks_again_instead_of_killing() {
    let mut liveness = client();
    liveness.handle_sent_awaiting(at(0));
    liveness.handle_ping_sent(1, at(250));
    assert_eq!(liveness.handle_timeout(at(60_000)), Verdict::Woke);
    assert!(liveness.is_ping_pending());
    liveness.handle_ping_sent(2, at(60_000));
    for (number, ms) in [(3, 61_000), (4, 62_000)] {
        assert_eq!(liveness.handle_timeout(at(ms)), Verdict::Ping);
        liveness.handle_ping_sent(number, at(ms));
    }
    let dead = liveness.handle_timeout(at(63_000));
    assert!(matches!(dead, Verdict::Dead { woke: true, .. }), "{dead:?}");
}

#[test]
fn a_loss_that_is_read_before_the_deadline_that_was_slept_through_belongs_to_the_sleep() {
    // The connection is closed, without a word or behind a farewell.
    let mut liveness = client();
    assert!(!liveness.is_waking(at(11_500)), "the ping of 11 s is not late by then");
    assert!(liveness.is_waking(at(11_501)));
    liveness.handle_inbound(at(20_000));
    assert!(liveness.is_waking(at(20_000)));
    assert!(liveness.is_ping_pending(), "what was read may be older than the sleep");
    liveness.handle_ping_sent(1, at(20_000));
    liveness.handle_inbound(at(20_040));
    assert!(!liveness.is_waking(at(20_041)), "the line outlived it");
}

#[test]
fn a_peer_that_answers_after_the_sleep_keeps_the_link() {
    let mut liveness = client();
    liveness.handle_sent_awaiting(at(0));
    assert_eq!(liveness.handle_timeout(at(60_000)), Verdict::Woke);
    liveness.handle_ping_sent(1, at(60_000));
    liveness.handle_inbound(at(60_040));
    liveness.handle_pong(1, at(60_040));
    liveness.handle_all_answered();
    assert_eq!(liveness.poll_timeout().1, Beat::Ping);
    assert!(!liveness.is_waking(at(60_050)));
}

#[test]
fn a_slow_line_stretches_the_active_bound_up_to_the_idle_one() {
    let mut liveness = client();
    assert_eq!(liveness.active_bound(), ACTIVE_BOUND);
    liveness.handle_line(40_000, None);
    assert_eq!(liveness.active_bound(), Duration::from_secs(6));
    liveness.handle_line(2_000_000, None);
    assert_eq!(liveness.active_bound(), IDLE_BOUND);
    liveness.handle_line(2_000_000, Some(10_000_000));
    assert_eq!(liveness.active_bound(), ACTIVE_BOUND);
}

#[test]
fn a_latency_of_350_ms_is_never_taken_for_death() {
    for sent in [0, 1_000, 30_000] {
        let mut liveness = client_that_opened(at(sent));
        liveness.handle_outbound(at(sent));
        liveness.handle_sent_awaiting(at(sent));
        liveness.handle_inbound(at(sent + 350));
        liveness.handle_all_answered();
        assert_eq!(liveness.poll_timeout(), (at(sent + 11_000), Beat::Ping));
    }
}

proptest! {
    /// Whatever happened before: after the last inbound byte a link with something to ask dies within its bound
    /// of the later of that byte and the asking, and never before.
    #[test]
    fn silence_is_noticed_exactly_at_the_bound(
        inbound in proptest::collection::vec(1_u64..2_000, 0..20),
        asked_after in 0_u64..5_000,
    ) {
        let mut liveness = client();
        let mut now = 0;
        for step in inbound {
            now += step;
            liveness.handle_inbound(at(now));
            liveness.handle_outbound(at(now));
        }
        let asked = now + asked_after;
        liveness.handle_sent_awaiting(at(asked));
        let (_, died) = run_silent(liveness);
        prop_assert_eq!(died, asked + 3_000);
    }
}

#[test]
fn one_outage_does_not_widen_the_bound_for_long() {
    let mut liveness = server();
    let answer = |liveness: &mut Liveness, number: u32, ms: u64, round_trip_ms: u64| {
        liveness.handle_ping_sent(number, at(ms));
        liveness.handle_inbound(at(ms + round_trip_ms));
        liveness.handle_pong(number, at(ms + round_trip_ms));
    };
    answer(&mut liveness, 1, 0, 1);
    liveness.handle_ping_sent(2, at(1_000));
    for (number, ms) in [(3, 2_000), (4, 3_000)] {
        assert_eq!(liveness.handle_timeout(at(ms)), Verdict::Ping);
        liveness.handle_ping_sent(number, at(ms));
    }
    liveness.handle_inbound(at(3_500));
    for number in [2, 3, 4] {
        liveness.handle_pong(number, at(3_500));
    }
    assert!(liveness.active_bound() > ACTIVE_BOUND);
    let mut number = 4;
    while let (deadline, Beat::Ping) = liveness.poll_timeout() {
        assert_eq!(liveness.handle_timeout(deadline), Verdict::Ping);
        number += 1;
        answer(&mut liveness, number, deadline.since(START).as_millis() as u64, 1);
    }
    assert_eq!(number, 12, "measured again eight times");
    assert_eq!(liveness.active_bound(), ACTIVE_BOUND);
}

#[test]
fn a_sender_whose_full_socket_takes_no_ping_notices_as_fast() {
    let mut liveness = client();
    liveness.handle_sent_awaiting(at(0));
    liveness.handle_line(200_000, Some(100_000_000));
    assert_eq!(liveness.handle_timeout(at(250)), Verdict::Ping);
    assert_eq!(liveness.poll_timeout(), (at(3_000), Beat::DeadActive));
    assert!(matches!(liveness.handle_timeout(at(3_000)), Verdict::Dead { woke: false, .. }));
}

#[test]
fn the_suspicion_begins_with_the_first_ping_that_not_even_another_byte_followed() {
    let mut liveness = server();
    assert_eq!((liveness.suspected_since(), liveness.pings_unanswered()), (None, 0));
    liveness.handle_ping_sent(1, at(1_000));
    liveness.handle_inbound(at(1_500));
    assert_eq!((liveness.suspected_since(), liveness.pings_unanswered()), (None, 1), "the line carried a byte since");
    liveness.handle_ping_sent(2, at(2_000));
    liveness.handle_ping_sent(3, at(3_000));
    assert_eq!((liveness.suspected_since(), liveness.pings_unanswered()), (Some(at(2_000)), 3));
    liveness.handle_inbound(at(3_100));
    liveness.handle_pong(3, at(3_100));
    assert_eq!((liveness.suspected_since(), liveness.pings_unanswered()), (None, 0));
}
