//! The sequencer's turns, with the time that a disk takes between their steps.

use std::collections::BTreeMap;

use steadfast_proto::hub::{Answer, Hub};
use steadfast_proto::time::Duration;
use steadfast_proto::wire::ByeReason;
use steadfast_server::turn::{Decided, Durable, NotStored, Submission, Submitted, Told};

use super::server::{Conn, RESTART};
use super::{Task, World};

/// A turn of the sequencer, as far as it has come.
#[derive(Debug)]
pub(super) enum Batch {
    Decided(Decided<u64>),
    Durable(Durable<u64>),
    Held(Vec<(u64, Told)>),
}

fn holds_beside_the_next(told: &[(u64, Told)], conns: &BTreeMap<u64, Conn>, hub: &Hub) -> usize {
    let beside = told.iter().filter(|(line, told)| {
        let Told::Answers(answers) = told else { return false };
        let device = conns.get(line).and_then(|conn| hub.state().device(conn.core.device().1));
        let next = device.map_or(0, |device| device.last_sequence) + 1;
        answers.iter().any(|answer| matches!(answer, Answer::Hold(hold) if hold.from_sequence != next))
    });
    beside.count()
}

impl World {
    pub(super) fn submit(&mut self, line: u64, what: Submitted) {
        if let Some(running) = &mut self.server.running {
            running.queue.push_back(Submission { from: line, what });
            self.take_turn();
        }
    }

    /// Decides what has gathered, if nothing is being stored.
    fn take_turn(&mut self) {
        let (now, usual, run) = (self.now, self.weather.server_sync_max, self.server.run);
        let Some(running) = &mut self.server.running else { return };
        if running.batch.is_some() || running.queue.is_empty() {
            return;
        }
        let count = self.server.machine.random.between(1, running.queue.len());
        let gathered: Vec<Submission<u64>> = running.queue.drain(..count).collect();
        let decided = Decided::decide(&running.hub, gathered, self.server.machine.wall_ms(now));
        running.batch = Some(Batch::Decided(decided));
        let after = self.server.machine.sync_takes(now, usual);
        self.later(after, Task::Store { run });
    }

    pub(crate) fn server_stores(&mut self, run: u64) {
        if self.server.run != run {
            return;
        }
        let Some(running) = &mut self.server.running else { return };
        let Some(Batch::Decided(decided)) = running.batch.take() else { return };
        let (process, store) = (running.process, &mut running.store);
        let folds = self.server.machine.random.percent(20);
        let stored = self.server.machine.run(process, || {
            let stored = decided.store(store);
            // What the index does not take it takes later.
            if folds && stored.is_ok() {
                store.fold(usize::MAX).ok();
            }
            stored
        });
        running.batch = match stored {
            Err(death) => return self.server_died(death, RESTART),
            Ok(Ok(durable)) => Some(Batch::Durable(durable)),
            Ok(Err(NotStored::Held { told, .. })) => {
                self.server.refused_batches += 1;
                self.server.holds_beside_the_next += holds_beside_the_next(&told, &self.server.conns, &running.hub);
                Some(Batch::Held(told))
            }
            Ok(Err(NotStored::Failed(_))) => {
                // It ends, and acknowledges nothing more.
                self.drain_server(RESTART);
                return;
            }
        };
        let after = self.server.machine.random.ms(0, 2);
        self.later(after, Task::Publish { run });
    }

    pub(crate) fn server_publishes(&mut self, run: u64) {
        if self.server.run != run {
            return;
        }
        let Some(running) = &mut self.server.running else { return };
        let (woken, told) = match running.batch.take() {
            Some(Batch::Durable(durable)) => {
                let published = durable.publish(&mut running.hub);
                (published.woken, published.told)
            }
            Some(Batch::Held(told)) => (Vec::new(), told),
            Some(Batch::Decided(_)) | None => return,
        };
        // Entries and answers may overtake each other.
        if self.server.machine.random.percent(50) {
            self.hear_all(told);
            self.wake_all(&woken);
        } else {
            self.wake_all(&woken);
            self.hear_all(told);
        }
        self.take_turn();
    }

    fn hear_all(&mut self, told: Vec<(u64, Told)>) {
        for (line, told) in told {
            match told {
                Told::SignedUp(Ok(account)) => {
                    if let Some(conn) = self.server.conns.get_mut(&line) {
                        conn.admitted = Some(account);
                        self.later(Duration::ZERO, Task::Admit { line });
                    }
                }
                Told::SignedUp(Err(_)) => self.refuse(line, ByeReason::CredentialsRefused, "refused", 0),
                Told::SignUpHeld => self.refuse(line, ByeReason::Overloaded, "no room for a new device now", 1_000),
                Told::Answers(answers) => {
                    if let Some(conn) = self.server.conns.get_mut(&line) {
                        conn.core.handle_answers(answers);
                        self.drive_conn(line);
                    }
                }
            }
        }
    }
}
