//! A profile is put back from a copy, after messages that the copy knows nothing of were sent with the original.

use crate::rig::{World, assert_stored, copy_directory, lines_of};

#[test]
fn a_profile_put_back_from_a_copy_doubles_nothing_loses_nothing_and_says_so() {
    let world = World::new();
    let mut server = world.serve();
    let ann = world.member("ann", &server);
    let line = |first, count| lines_of("ann", first, count);
    ann.send_lines(&line(0, 10), &[]).expect_code(0);

    server.stop();
    ann.send_lines(&line(10, 20), &["--queue"]).expect_code(0);
    let copy = world.path("copy-of-ann");
    copy_directory(ann.profile(), &copy);
    ann.send_lines(&line(30, 10), &["--queue"]).expect_code(0);
    server.restart();
    // The original sends all that waits, and ten more.
    ann.send_lines(&line(40, 10), &[]).expect_code(0);

    server.stop();
    copy_directory(&copy, ann.profile());
    ann.send_lines(&line(50, 20), &["--queue"]).expect_code(0);
    server.restart();
    let last = ann.send_lines(&line(70, 1), &["--json"]).expect_code(0);

    eprintln!("told: {:#?}", last.err);
    assert!(last.said("set back to an earlier state"), "the user is told: {:#?}", last.err);
    assert_eq!(last.out.len(), 1, "one line was sent by this run: {:#?}", last.out);
    assert_stored(&world.member("witness", &server), std::slice::from_ref(&ann), &[("ann", line(0, 71))]);

    // The line was given up for the new identity: nobody lost it, and nothing was killed.
    assert_eq!(ann.why(), Vec::<serde_json::Value>::new());
    assert_eq!(ann.status().drops(), []);

    // The new identity lasts.
    let after = ann.send_lines(&line(71, 5), &[]).expect_code(0);
    assert!(after.err.is_empty(), "told once: {:#?}", after.err);
    assert_eq!(ann.status().number("outbox"), Some(0));
    assert_eq!(ann.status().drops(), [], "the new device lost no line");
    assert_stored(&world.member("later-witness", &server), &[ann], &[("ann", line(0, 76))]);
}
