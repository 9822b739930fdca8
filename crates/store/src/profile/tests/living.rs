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
    assert_eq!(asking.live().answered(first), Ok(None));
    driver.live().answer(first, "done").expect("answered");
    assert_eq!(asking.live().answered(first), Ok(Some("done".to_owned())));
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
fn wants_of_long_ago_are_passed_over() {
    let (_dir, profile) = new_profile();
    profile.live().ask(Want::Stop, 100).expect("asked");
    let fresh = profile.live().ask(Want::TryNow, 200).expect("asked");
    assert_eq!(profile.live().take_wants(150), Ok(vec![(fresh, Want::TryNow)]));
    assert_eq!(profile.live().take_wants(0), Ok(vec![]));
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
