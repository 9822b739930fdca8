//! A profile, whatever its files hold: opened, read to its end, and written on.

use std::fmt::Debug;
use std::path::Path;

use steadfast_proto::ids::{AccountId, LogId, OperationId, RoomId, Term};
use steadfast_proto::session::Change;
use steadfast_proto::wire::{self, Entry, RoomKind, entry::What};
use steadfast_store::DatabaseErrorKind;
use steadfast_store::profile::{
    AppendError, ApplyError, NewBody, NewOp, PendingIn, Profile, ProfileError, ProfileStore, Search, SearchFrom, Target,
};

use super::base::{LOBBY, fresh};
use crate::speech::{ACCOUNTS, LOGS, TERMS};

/// Rows that one call is asked for.
const ROWS_MAX: usize = 1_000;

/// Opens it and does all that a client does with it.
pub(super) fn open(directory: &Path) {
    let mut profile = match Profile::open(directory, "ann", Some(&fresh())) {
        Ok(profile) => profile,
        Err(error) => return names_damage(&error),
    };
    settles(profile.resume());
    read(&profile);
    append(&mut profile);
    apply(&mut profile);
    settles(profile.resume());
    let live = profile.live();
    settles(live.status());
    settles(live.people());
    settles(live.flights(ROWS_MAX));
    settles(live.take_wants(0));
    settles(live.watched(0));
    settles(live.set_status("{}"));
    settles(profile.version());
}

/// It has a value, or an error that a person can act on; gives the value.
fn settles<T: Debug>(result: Result<T, ProfileError>) -> Option<T> {
    result.map_err(|error| names_damage(&error)).ok()
}

/// What whoever owns the profile reads: that something is wrong with the file, or whose file it is.
fn names_damage(error: &ProfileError) {
    match error {
        ProfileError::Broken { .. }
        | ProfileError::Damaged { .. }
        | ProfileError::Newer { .. }
        | ProfileError::Foreign { .. }
        | ProfileError::OtherName { .. }
        | ProfileError::DiskFailed { .. } => {}
        // A database can say of itself that it is not to be written.
        ProfileError::NotWritable { .. } => {}
        ProfileError::Database { kind: DatabaseErrorKind::Corrupt | DatabaseErrorKind::Other, text } => {
            assert!(!text.is_empty());
        }
        ProfileError::Database { .. }
        | ProfileError::Io { .. }
        | ProfileError::NotThere { .. }
        | ProfileError::DiskFull { .. }
        | ProfileError::NotADirectory { .. }
        | ProfileError::NameInvalid { .. } => panic!("a damaged file is told as {error:?}: {error}"),
    }
}

fn read(profile: &Profile) {
    settles(profile.identity());
    settles(ProfileStore::place(profile));
    settles(profile.outbox_size());
    let rows = settles(profile.outbox_from(0, usize::MAX, ROWS_MAX)).unwrap_or_default();
    for op in rows {
        settles(profile.is_waiting(OperationId(op.id)));
        settles(profile.refused(OperationId(op.id)));
        settles(profile.outcomes(&[OperationId(op.id)]));
    }
    settles(profile.notices_after(0));
    settles(profile.aside(ROWS_MAX));
    let rooms = settles(profile.rooms()).unwrap_or_default();
    let ids = rooms.iter().map(|room| room.room).chain([RoomId(LOBBY), RoomId(ACCOUNTS[0])]);
    for room in ids.take(16) {
        settles(profile.room(room));
        settles(profile.messages(room, 0, ROWS_MAX));
        settles(profile.last_messages(room, ROWS_MAX));
        settles(profile.missing(room, 1, 100));
        settles(profile.pending(&PendingIn::Room(room), u64::MAX, ROWS_MAX));
        settles(profile.read_up_to(room));
        settles(profile.unread(room, "ann"));
        settles(profile.printed(room));
        settles(profile.stays(room));
    }
    settles(profile.room_by_name("lobby"));
    settles(profile.room_of_kind(RoomKind::Public, "lobby"));
    settles(profile.pending(&PendingIn::Public("lobby".to_owned()), u64::MAX, ROWS_MAX));
    settles(profile.pending(&PendingIn::Direct("bob".to_owned()), u64::MAX, ROWS_MAX));
    settles(profile.consumer("one"));
    settles(profile.search(&Search::new("m"), SearchFrom::default(), ROWS_MAX));
}

fn append(profile: &mut Profile) {
    let body = || vec![b'y'; 10].into();
    let bodies = [
        NewBody::Send { to: Target::Public("lobby".to_owned()), body: body(), content_type: String::new() },
        NewBody::Send { to: Target::Direct("bob".to_owned()), body: body(), content_type: String::new() },
    ];
    for (number, body) in (0x4_0000..).step_by(2).zip(bodies) {
        let (id, enter_id) = (OperationId(number), OperationId(number + 1));
        match profile.append(&[NewOp { id, enter_id, composed_at_ms: 1, body, key: None }]) {
            Ok(_) | Err(AppendError::Full { .. }) => {}
            Err(AppendError::Profile(error)) => names_damage(&error),
            Err(error) => panic!("a damaged file is told as the caller's fault: {error:?}"),
        }
    }
}

fn apply(profile: &mut Profile) {
    let welcomed = Change::Welcomed {
        log_id: LogId(LOGS[0]),
        term: Term(TERMS[2]),
        account: AccountId(ACCOUNTS[0]),
        name: "ann".to_owned(),
    };
    let message = What::Message(wire::Message { body: vec![b'n'; 9].into(), content_type: String::new() });
    let entry = Entry {
        position: 50,
        room: LOBBY,
        room_sequence: 16,
        account: ACCOUNTS[1],
        id: 0x5_0000,
        what: Some(message),
        ..Entry::default()
    };
    let diverged = Change::Diverged { common: 9, last_sequence: 1 };
    let renumbered = |set_back| Change::Renumbered { kept_through: 1, set_back };
    let parted = vec![diverged, welcomed.clone(), renumbered(false)];
    for changes in [vec![welcomed, Change::Entry(entry)], parted, vec![renumbered(true)]] {
        let mut drawn = 0x6_0000;
        let mut fresh_ids = || {
            drawn += 1;
            OperationId(drawn)
        };
        match profile.apply(&changes, 1, &mut fresh_ids) {
            Ok(_) => {}
            Err(ApplyError::Profile(error)) => names_damage(&error),
            // What was stored has become something else, which the server's words contradict.
            Err(
                ApplyError::AnotherLog { .. }
                | ApplyError::NotWelcomed
                | ApplyError::OutOfOrder { .. }
                | ApplyError::Backwards { .. }
                | ApplyError::StrangePage { .. }
                | ApplyError::NotAPosition { .. },
            ) => {}
        }
    }
}
