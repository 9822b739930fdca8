//! The server's data is put back from a copy while others go on; our client comes last.

use crate::rig::{World, assert_stored, copy_directory, lines_of};

#[test]
fn a_server_put_back_from_a_copy_keeps_what_both_share_and_tells_what_it_lost() {
    let world = World::new();
    let mut server = world.serve();
    let (ann, bob, cleo) = (world.member("ann", &server), world.member("bob", &server), world.member("cleo", &server));
    let line = lines_of;
    ann.send_lines(&line("ann", 0, 10), &[]).expect_code(0);
    cleo.send_lines(&line("cleo", 0, 10), &[]).expect_code(0);
    bob.send_lines(&line("bob", 0, 1), &[]).expect_code(0);
    server.stop();
    let copy = world.path("copy-of-server");
    copy_directory(server.data(), &copy);

    server.restart();
    ann.send_lines(&line("ann", 100, 10), &[]).expect_code(0);
    cleo.send_lines(&line("cleo", 100, 5), &[]).expect_code(0);
    assert_eq!(cleo.history().entries.len(), 36, "cleo has all that the server will lose");
    server.stop();
    copy_directory(&copy, server.data());
    cleo.send_lines(&line("cleo", 10, 15), &["--queue"]).expect_code(0);

    server.restart();
    // More than was lost: the positions that cleo knows are given again, to other messages.
    bob.send_lines(&line("bob", 1, 30), &[]).expect_code(0);
    let ann_told = ann.send_lines(&line("ann", 10, 5), &[]).expect_code(0);
    let cleo_told = cleo.send_lines(&line("cleo", 25, 5), &[]).expect_code(0);
    eprintln!("ann was told {:#?}\ncleo was told {:#?}", ann_told.err, cleo_told.err);
    for (told, own) in [(&ann_told, "10 of them yours"), (&cleo_told, "5 of them yours")] {
        let is_told = told.said("the server went back to an earlier state") && told.said(own);
        assert!(is_told, "what the server lost is told: {:#?}", told.err);
    }
    let sent = [("ann", line("ann", 0, 15)), ("bob", line("bob", 0, 31)), ("cleo", line("cleo", 0, 30))];
    assert_stored(&world.member("witness", &server), &[ann, bob, cleo], &sent);
}
