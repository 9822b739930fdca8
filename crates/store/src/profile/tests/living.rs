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
    let first = asking.live().ask(history, 100).expect("asked");
    let second = asking.live().ask(Want::TryNow, 101).expect("asked");
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
    let (first, second) = (live.ask(Want::Sync, 100).expect("asked"), live.ask(Want::Resume, 100).expect("asked"));
    live.take_wants(0).expect("taken");
    live.answer(first, "done").expect("answered");
    live.release_wants().expect("released");
    assert_eq!(live.take_wants(0), Ok(vec![(second, Want::Resume)]));
}

#[test]
fn orders_of_long_ago_are_passed_over_and_removed() {
    let (_dir, profile) = new_profile();
    let old = [Want::TryNow, Want::Stop, Want::Resume].map(|want| profile.live().ask(want, 100).expect("asked"));
    let fresh = profile.live().ask(Want::TryNow, 200).expect("asked");
    assert_eq!(profile.live().take_wants(150), Ok(vec![(fresh, Want::TryNow)]));
    assert!(old.iter().all(|&number| profile.live().answered(number) == Ok(Answer::Gone)));
    assert_eq!(profile.live().take_wants(0), Ok(vec![]));
}

#[test]
fn a_question_is_taken_however_long_ago_it_was_asked() {
    let (_dir, profile) = new_profile();
    let live = profile.live();
    let questions = [Want::Sync, Want::Answer, Want::History { room: LOBBY, from: 1, to: 2 }];
    let asked = questions.map(|want| (live.ask(want, 100).expect("asked"), want));
    assert_eq!(live.take_wants(1_000_000), Ok(asked.to_vec()));
}

#[test]
fn a_question_outlasts_a_thousand_that_came_after_it_and_were_answered() {
    let (_dir, profile) = new_profile();
    let live = profile.live();
    let waiting = live.ask(Want::Sync, 100).expect("asked");
    let answered = live.ask(Want::Answer, 100).expect("asked");
    live.answer(answered, "here").expect("answered");
    for _ in 0..1_100 {
        live.ask(Want::TryNow, 100).expect("asked");
    }
    assert_eq!(live.answered(waiting), Ok(Answer::Waiting));
    assert_eq!(live.answered(answered), Ok(Answer::Gone));
    assert_eq!(live.take_wants(0).expect("wants").len(), 1_000);
}

#[test]
fn of_too_many_questions_the_oldest_are_gone_and_the_newest_want_never_is() {
    let (_dir, profile) = new_profile();
    let live = profile.live();
    let asked: Vec<u64> = (0..1_001).map(|_| live.ask(Want::Sync, 100).expect("asked")).collect();
    assert_eq!(live.answered(asked[0]), Ok(Answer::Gone));
    assert_eq!(live.answered(asked[1]), Ok(Answer::Waiting));
    let order = live.ask(Want::Stop, 100).expect("asked");
    assert_eq!(live.answered(order), Ok(Answer::Waiting));
    assert_eq!(live.answered(asked[1]), Ok(Answer::Gone));
}

#[test]
fn drops_that_an_ended_process_left_open_are_closed_and_the_others_stay() {
    let (_dir, profile) = new_profile();
    let live = profile.live();
    let open = |at_ms| LineDrop { at_ms, cause: "silent".to_owned(), lasted_ms: None, resumed: false };
    let closed = LineDrop { lasted_ms: Some(5), resumed: false, ..open(100) };
    for drop in [&closed, &open(200), &open(900)] {
        live.add_drop(drop).expect("added");
    }
    live.close_drops(700).expect("closed");
    let ended = |at_ms, ms| LineDrop { lasted_ms: Some(ms), resumed: true, ..open(at_ms) };
    // The wall clock went back.
    assert_eq!(live.drops(9), Ok(vec![closed, ended(200, 500), ended(900, 0)]));
}

#[test]
fn the_last_hundred_drops_are_kept_and_one_is_completed_when_the_line_is_back() {
    let (_dir, profile) = new_profile();
    let live = profile.live();
    let drop = |at_ms| LineDrop { at_ms, cause: "silent".to_owned(), lasted_ms: None, resumed: false };
    for at_ms in 1..=120 {
        live.add_drop(&drop(at_ms)).expect("added");
    }
    let completed = LineDrop { lasted_ms: Some(1_500), resumed: true, ..drop(120) };
    live.add_drop(&completed).expect("added");
    let drops = live.drops(usize::MAX).expect("drops");
    assert_eq!((drops.len(), drops[0].at_ms), (100, 21));
    assert_eq!(live.drops(2), Ok(vec![drop(119), completed]));
}

#[test]
fn a_damaged_live_database_begins_anew_and_the_profile_is_untouched() {
    let (dir, profile) = profile_in_lobby();
    profile.live().set_status("{}").expect("set");
    let before = profile.resume();
    drop(profile);
    std::fs::write(dir.path().join("live.sqlite3"), [b'x'; 8_192]).expect("damaged");
    let again = open_in(dir.path());
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
