use super::*;

#[test]
fn the_status_is_the_last_one_that_was_set() {
    let (dir, profile) = new_profile();
    assert_eq!(profile.live().status(), Ok(None));
    profile.live().set_status("{\"state\":\"connecting\"}").expect("set");
    profile.live().set_status("{\"state\":\"online\"}").expect("set");
    assert_eq!(open_in(dir.path()).live().status(), Ok(Some("{\"state\":\"online\"}".to_owned())));
}

#[test]
fn what_one_process_asks_another_takes_once_and_answers() {
    let (dir, driver) = new_profile();
    let asking = open_in(dir.path());
    let history = Want::History { room: LOBBY, from: 3, to: 9 };
    let first = asking.live().ask(&history, 100).expect("asked");
    let second = asking.live().ask(&Want::TryNow, 101).expect("asked");
    assert_eq!(driver.live().take_wants(0), Ok(vec![(first, history), (second, Want::TryNow)]));
    assert_eq!(driver.live().take_wants(0), Ok(vec![]));
    assert_eq!(asking.live().answered(first), Ok(Answer::Waiting));
    driver.live().answer(first, "done").expect("answered");
    assert_eq!(asking.live().answered(first), Ok(Answer::Is("done".to_owned())));
    asking.live().forget(first).expect("forgotten");
    assert_eq!(asking.live().answered(first), Ok(Answer::Gone));
}

#[test]
fn a_new_driver_takes_what_the_one_before_it_left_unanswered() {
    let (_dir, profile) = new_profile();
    let live = profile.live();
    let (first, second) = (live.ask(&Want::Sync, 100).expect("asked"), live.ask(&Want::Answer, 100).expect("asked"));
    live.take_wants(0).expect("taken");
    live.answer(first, "done").expect("answered");
    live.release_wants().expect("released");
    assert_eq!(live.take_wants(0), Ok(vec![(second, Want::Answer)]));
}

#[test]
fn an_order_that_was_taken_is_not_carried_out_again_by_the_next_driver() {
    let (_dir, profile) = new_profile();
    let live = profile.live();
    let stop = live.ask(&Want::Stop, 100).expect("asked");
    assert_eq!(live.take_wants(0), Ok(vec![(stop, Want::Stop)]));
    live.release_wants().expect("released");
    assert_eq!(live.take_wants(0), Ok(vec![]));
}

#[test]
fn a_want_of_a_kind_that_only_a_newer_program_knows_hides_no_other() {
    let (_dir, profile) = new_profile();
    let live = profile.live();
    let strange = "INSERT INTO wants (kind, asked_at_ms) VALUES (99, 100)";
    live.connection.execute(strange, []).expect("asked");
    let sync = live.ask(&Want::Sync, 100).expect("asked");
    assert_eq!(live.take_wants(0), Ok(vec![(sync, Want::Sync)]));
}

#[test]
fn orders_of_long_ago_are_passed_over_and_removed() {
    let (_dir, profile) = new_profile();
    let switches = [Want::LogIn, Want::Reconnect(false), Want::AutoLogin(true), Want::TypeIn(LOBBY)];
    let orders = [&[Want::TryNow, Want::Stop, Want::Resume][..], &switches].concat();
    let live = profile.live();
    let old: Vec<u64> = orders.iter().map(|want| live.ask(want, 100).expect("asked")).collect();
    let fresh = orders.iter().map(|want| (live.ask(want, 200).expect("asked"), want.clone())).collect();
    assert_eq!(live.take_wants(150), Ok(fresh));
    assert!(old.iter().all(|&number| profile.live().answered(number) == Ok(Answer::Gone)));
    assert_eq!(profile.live().take_wants(0), Ok(vec![]));
}

#[test]
fn a_question_is_taken_however_long_ago_it_was_asked() {
    let (_dir, profile) = new_profile();
    let live = profile.live();
    let pages = [Want::History { room: LOBBY, from: 1, to: 2 }, Want::Members { room: LOBBY, after: AccountId(7) }];
    let rooms = Want::Rooms { after: "attic".to_owned() };
    let questions = [&[Want::Sync, Want::Answer, rooms][..], &pages].concat();
    let asked = questions.iter().map(|want| (live.ask(want, 100).expect("asked"), want.clone())).collect();
    assert_eq!(live.take_wants(1_000_000), Ok(asked));
}

#[test]
fn a_question_outlasts_a_thousand_that_came_after_it_and_were_answered() {
    let (_dir, profile) = new_profile();
    let live = profile.live();
    let waiting = live.ask(&Want::Sync, 100).expect("asked");
    let answered = live.ask(&Want::Answer, 100).expect("asked");
    live.answer(answered, "here").expect("answered");
    for _ in 0..1_100 {
        live.ask(&Want::TryNow, 100).expect("asked");
    }
    assert_eq!(live.answered(waiting), Ok(Answer::Waiting));
    assert_eq!(live.answered(answered), Ok(Answer::Gone));
    assert_eq!(live.take_wants(0).expect("wants").len(), 1_000);
}

#[test]
fn of_too_many_questions_the_oldest_are_gone_and_the_newest_want_never_is() {
    let (_dir, profile) = new_profile();
    let live = profile.live();
    let asked: Vec<u64> = (0..1_001).map(|_| live.ask(&Want::Sync, 100).expect("asked")).collect();
    assert_eq!(live.answered(asked[0]), Ok(Answer::Gone));
    assert_eq!(live.answered(asked[1]), Ok(Answer::Waiting));
    let order = live.ask(&Want::Stop, 100).expect("asked");
    assert_eq!(live.answered(order), Ok(Answer::Waiting));
    assert_eq!(live.answered(asked[1]), Ok(Answer::Gone));
}

#[test]
fn what_processes_watch_counts_as_long_as_they_say_it_again() {
    let (dir, profile) = new_profile();
    let other = open_in(dir.path());
    let (attic, zoo) = (RoomId(7), RoomId(u64::MAX));
    other.live().set_watched(1, &[LOBBY, attic], 100).expect("said");
    other.live().set_watched(2, &[zoo], 150).expect("said");
    assert_eq!(profile.live().watched(100), Ok(vec![LOBBY, attic, zoo]));
    assert_eq!(profile.live().watched(101), Ok(vec![zoo]));
    other.live().set_watched(1, &[attic], 200).expect("said");
    other.live().set_watched(2, &[], 200).expect("said");
    assert_eq!(profile.live().watched(101), Ok(vec![attic]));
}

#[test]
fn a_live_database_of_a_program_that_knew_of_no_people_is_gone_on_with() {
    let (dir, profile) = new_profile();
    let as_it_was = "DROP TABLE people; DROP TABLE watches; ALTER TABLE wants DROP COLUMN text";
    profile.live().connection.execute_batch(as_it_was).expect("as it was then");
    profile.live().set_status("{}").expect("set");
    drop(profile);
    let again = open_in(dir.path());
    let rooms = Want::Rooms { after: "attic".to_owned() };
    let number = again.live().ask(&rooms, 100).expect("asked");
    assert_eq!(again.live().take_wants(0), Ok(vec![(number, rooms)]));
    again.live().set_people("[]").expect("said");
    assert_eq!((again.live().people(), again.live().status()), (Ok(Some("[]".to_owned())), Ok(Some("{}".to_owned()))));
}

#[test]
fn a_live_database_of_a_program_that_kept_no_flights_is_gone_on_with() {
    let (dir, profile) = new_profile();
    profile.live().set_status("{}").expect("set");
    profile.live().connection.execute_batch("DROP TABLE flights").expect("as it was then");
    drop(profile);
    let again = open_in(dir.path());
    assert_eq!(again.live().status(), Ok(Some("{}".to_owned())));
    again.live().set_flight(&FlightRow { process: 1, link: 1, json: String::new() }).expect("kept");
}

#[test]
fn a_damaged_live_database_begins_anew_and_the_profile_is_untouched() {
    let (dir, mut profile) = profile_in_lobby();
    profile.live().set_status("{}").expect("set");
    let before = profile.resume();
    drop(profile);
    std::fs::write(dir.path().join("live.sqlite3"), [b'x'; 8_192]).expect("damaged");
    let mut again = open_in(dir.path());
    assert_eq!((again.live().status(), again.resume()), (Ok(None), before));
    again.live().set_status("{}").expect("set");
    drop(again);
    let path = dir.path().join("live.sqlite3");
    let mut bytes = std::fs::read(&path).expect("a file");
    let from = 4_096;
    bytes[from..from + 4_096].fill(0xff);
    std::fs::write(&path, bytes).expect("damaged");
    open_in(dir.path()).live().set_status("{}").expect("begun anew");
}

#[test]
fn the_version_moves_when_another_process_writes_and_only_then() {
    let (dir, reader) = profile_in_lobby();
    let mut writer = open_in(dir.path());
    let version = || reader.version().expect("a version");
    let before = version();
    assert_eq!(version(), before);
    writer.append(&[say(1, lobby())]).expect("queued");
    let appended = version();
    assert_ne!(appended, before);
    writer.live().set_status("{}").expect("set");
    let told = version();
    assert_ne!(told, appended);
    reader.live().set_status("{}").expect("set");
    assert_eq!(version(), told, "one's own writing is no news");
}

#[test]
fn what_is_live_is_not_synced_and_what_is_durable_is() {
    let (_dir, profile) = new_profile();
    let synchronous = |connection: &Connection| {
        connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0)).expect("a number")
    };
    assert_eq!((synchronous(&profile.connection), synchronous(&profile.live.connection)), (2, 0));
}

#[test]
fn the_read_mark_is_kept_and_only_grows_and_other_processes_hear_of_it() {
    let (dir, profile) = profile_in_lobby();
    let other = open_in(dir.path());
    let before = other.version().expect("a version");
    profile.set_read_up_to(LOBBY, 3).expect("set");
    let after = other.version().expect("a version");
    assert_ne!(before, after);
    profile.set_read_up_to(LOBBY, 2).expect("set");
    profile.set_read_up_to(LOBBY, 3).expect("set");
    assert_eq!(other.version(), Ok(after), "nothing new, nothing told");
    assert_eq!(other.read_up_to(LOBBY), Ok(Some(3)));
}

#[test]
fn a_mark_of_which_a_loss_of_power_took_the_file_begins_where_this_device_did() {
    let (dir, mut profile) = profile_in_lobby();
    apply(&mut profile, &[Change::Entry(message(11, LOBBY, 4, BOB))]);
    profile.set_read_up_to(LOBBY, 4).expect("set");
    drop(profile);
    std::fs::write(dir.path().join("live.sqlite3"), [b'x'; 8_192]).expect("damaged");
    let profile = open_in(dir.path());
    assert_eq!(profile.read_up_to(LOBBY), Ok(None));
    assert_eq!(profile.unread(LOBBY, "ann").expect("a count").messages, 1);
}
