//! What the server reads back from its log for its connections.

use steadfast_proto::ids::RoomId;
use steadfast_proto::wire::{ByeReason, History};

use super::World;
use super::server::RESTART;

/// As the server reads.
const CATCHUP_BYTES: usize = 256 * 1024;
const PAGE_SOURCE_BYTES: usize = 256 * 1024;

impl World {
    pub(crate) fn server_chunks(&mut self, line: u64, rooms: &[RoomId], after: u64) {
        self.server.reads += 1;
        let Some(running) = &self.server.running else { return };
        let (process, reader) = (running.process, &running.reader);
        let bytes_max = CATCHUP_BYTES >> self.server.machine.random.below(12);
        let span = self.server.machine.run(process, || reader.chunks_for(rooms, after, bytes_max));
        match span {
            Err(death) => self.server_died(death, RESTART),
            Ok(Ok(span)) => {
                if let (Some(conn), Some(running)) = (self.server.conns.get_mut(&line), &mut self.server.running) {
                    conn.core.handle_chunks(&span.chunks, span.covered_through, &mut running.hub);
                    self.drive_conn(line);
                }
            }
            Ok(Err(_)) => self.refuse(line, ByeReason::Overloaded, "the log can't be read now", 5_000),
        }
    }

    pub(crate) fn server_page(&mut self, line: u64, asked: &History) {
        let Some(running) = &self.server.running else { return };
        let (process, reader) = (running.process, &running.reader);
        let (from, to) = (asked.from_sequence, asked.to_sequence);
        let chunks =
            self.server.machine.run(process, || reader.history(RoomId(asked.room), from, to, PAGE_SOURCE_BYTES));
        let chunks = match chunks {
            Err(death) => return self.server_died(death, RESTART),
            Ok(chunks) => chunks,
        };
        if let (Some(conn), Some(running)) = (self.server.conns.get_mut(&line), &mut self.server.running) {
            match chunks {
                Ok(chunks) => conn.core.handle_history(asked, &chunks, &running.hub),
                Err(_) => conn.core.handle_history_failed(asked.number),
            }
            self.drive_conn(line);
        }
    }
}
