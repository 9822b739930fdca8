//! The faults that are put into the product, one at a time. Each breaks a rule that the design states.

use super::Mutant;

/// Within so many seeds: about three times as many as it took, and 20 at least.
const fn within(
    seeds_max: u32,
    name: &'static str,
    file: &'static str,
    search: &'static str,
    replace: &'static str,
) -> Mutant {
    Mutant { name, file, search, replace, seeds_max }
}

const APPLY: &str = "crates/proto/src/hub/apply.rs";
const LIVENESS: &str = "crates/proto/src/link/liveness.rs";
const OUTBOX: &str = "crates/proto/src/session/outbox.rs";
const TURN: &str = "crates/server/src/turn.rs";

pub(super) const MUTANTS: [Mutant; 28] = [
    // ---- what is answered, and when
    within(
        20,
        "the server answers before it has stored",
        TURN,
        "Err(error @ CommitError::Full) => Err(self.held(error, HoldCause::DiskFull)),",
        "Err(CommitError::Full) => Ok(Durable(self)),",
    ),
    within(
        20,
        "a failed sync passes for a good one",
        TURN,
        "Err(CommitError::SyncFailed) => Err(NotStored::Failed(ServeError::SyncFailed)),",
        "Err(CommitError::SyncFailed) => Ok(Durable(self)),",
    ),
    within(
        20,
        "a commit returns before its sync",
        "crates/store/src/sqlite.rs",
        r#"connection.pragma_update(None, "synchronous", "full")?;"#,
        r#"connection.pragma_update(None, "synchronous", "normal")?;"#,
    ),
    within(
        20,
        "what an earlier run could not sync is believed",
        "crates/store/src/server/open.rs",
        "    log_again::write_again(path).map_err(|error| OpenError::io(path, &error))?;\n    \
         let mut connection = sqlite::open(path).map_err(failed)?;\n    \
         sqlite::checkpoint(&connection).map_err(failed)?;\n",
        "    let mut connection = sqlite::open(path).map_err(failed)?;\n",
    ),
    within(
        20,
        "a client acknowledges before it has stored",
        "crates/proto/src/session/up.rs",
        "        intake.handle_stream(self.number, self.stream_bytes);\n",
        "        intake.handle_stream(self.number, self.stream_bytes);\n        \
         self.acknowledge(known.place.map_or(0, |place| place.position), self.stream_bytes);\n",
    ),
    within(
        70,
        "outcomes are confirmed when they arrive",
        OUTBOX,
        "op.confirmed_through = self.confirmed_through;",
        "op.confirmed_through = self.confirmed_through.max(self.answered_through);",
    ),
    // ---- an operation takes effect once, in its order
    within(
        20,
        "what was done is known in memory only",
        "crates/proto/src/hub/rows.rs",
        "let devices = self.devices.iter().map(",
        "let devices = self.devices.iter().filter(|(_, device)| device.last_sequence == 0).map(",
    ),
    within(
        20,
        "a higher sequence than the next is taken",
        APPLY,
        "if op.sequence > last_sequence + 1 {",
        "if op.sequence > last_sequence + 2 {",
    ),
    within(30, "ids are not compared", APPLY, "Some(kept) if kept.id.0 == op.id =>", "Some(kept) =>"),
    within(20, "what is refused is answered as done", APPLY, "refusal: Some(refusal) }", "refusal: None }"),
    within(
        30,
        "a link that was answered Settled is taken from again",
        APPLY,
        "                self.changes.settled.insert(origin.link);\n",
        "                self.changes.settled.clear();\n",
    ),
    within(
        30,
        "a hold passes for an outcome",
        OUTBOX,
        "self.gone_back_to = None;\n            self.next_sequence = from;",
        "self.gone_back_to = None;\n            self.next_sequence = from + 1;",
    ),
    // ---- who sees what, and that all of it is seen
    within(
        20,
        "today's membership counts instead of the position's",
        "crates/proto/src/hub/state.rs",
        "is_some_and(|membership| membership.holds(position))",
        "is_some_and(|membership| membership.is_open() && position > 0)",
    ),
    within(
        20,
        "history is for everybody",
        "crates/proto/src/hub/state.rs",
        "self.rooms.get(&room).is_some_and(|room| room.kind == RoomKind::Public) || self.sees(account, room, position)",
        "self.rooms.contains_key(&room) || self.sees(account, room, position)",
    ),
    within(
        20,
        "a ring that let go passes for whole",
        "crates/proto/src/hub/rings.rs",
        "self.rooms.get(&room).filter(|ring| ring.gone_through <= place)?",
        "self.rooms.get(&room)?",
    ),
    within(
        20,
        "a list that overflowed is not noticed",
        "crates/proto/src/hub/readers.rs",
        "        reader.pending.clear();\n        reader.behind = true;\n    } else {",
        "        reader.pending.remove(0);\n    } else {",
    ),
    within(
        20,
        "a catch-up counts beyond where it asked",
        "crates/proto/src/hub/connection/catchup.rs",
        "self.covered_through = Some(covered_through.min(self.asked_at));",
        "self.covered_through = Some(covered_through.max(self.asked_at));",
    ),
    within(
        20,
        "the place moves and the message is not stored",
        "crates/store/src/profile/entry.rs",
        "self.tables.store_entry(entry, Overlap::Replace)?;",
        "if entry.position % 16 != 0 { self.tables.store_entry(entry, Overlap::Replace)? }",
    ),
    within(
        30,
        "a copy of a message that comes back is a second one to send",
        "crates/store/src/profile/settle.rs",
        "    tables.remove_waiting(row.sequence)?;\n",
        "    if outcome.position % 8 != 0 { tables.remove_waiting(row.sequence)? }\n",
    ),
    // ---- histories
    within(
        200,
        "the term is not checked",
        "crates/proto/src/session/divergence.rs",
        "    place.position <= end\n",
        "    place.position <= end.max(head)\n",
    ),
    within(
        90,
        "any place is taken for one of this history",
        "crates/proto/src/session/divergence.rs",
        "else { return false };\n    let end = server",
        "else { return place.position <= head };\n    let end = server",
    ),
    within(
        20,
        "histories part later than they do",
        "crates/proto/src/session/divergence.rs",
        "Some(highest.min(end_of(index)))",
        "Some(highest.max(end_of(index)))",
    ),
    // ---- the line
    within(
        20,
        "own writes count as life",
        LIVENESS,
        "        self.last_outbound = now;\n",
        "        self.last_outbound = now;\n        self.last_inbound = now;\n",
    ),
    within(
        20,
        "an unanswered send kills without a ping",
        LIVENESS,
        "asked_aloud.then(|| self.alive_from().max(asked) + self.active_bound())",
        "Some(self.woke_at.map_or(asked, |woke| woke.max(asked)) + self.active_bound())",
    ),
    within(
        20,
        "a deadline that fires late kills",
        LIVENESS,
        "        if self.is_overdue(now) {\n            return self.wake(now);\n        }\n        match beat {",
        "        match beat {",
    ),
    within(
        30,
        "damaged bytes are believed",
        "crates/proto/src/codec/decoder.rs",
        "if crc32c::crc32c(&part[..checked]) != crc {",
        "if crc32c::crc32c(&part[..checked]) != crc && part.is_empty() {",
    ),
    within(
        30,
        "an old link's bytes count for the new one",
        "crates/proto/src/session/storing.rs",
        "            && up.number == mark.link\n            && mark.stream_bytes > 0",
        "            && mark.stream_bytes > 0",
    ),
    within(
        20,
        "backoff begins anew with each connect",
        "crates/proto/src/session/reconnect.rs",
        "if was_online.is_some_and(|since| now.since(since) >= STABLE) {",
        "if was_online.is_some() {",
    ),
];
