//! The flight recorder: remembers the links that ended last, and writes them down.
//!
//! Writing is the business of one thread; nobody waits for it. Nothing is synced, and a line that can't be written is
//! lost: a recorder may cost nothing that the server promises.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::error::ServeError;
use crate::flight::{FILE, Flight, OLD_FILE, flights};
use crate::throttle::Throttle;

/// Flights that are remembered in memory.
const RECENT_MAX: usize = 1_000;
/// Flights that may wait to be written: a server that stops ends all its links at once.
const WAITING_MAX: usize = 4_096;
/// What a file may have before it becomes the old one.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Recorder {
    recent: Mutex<VecDeque<Arc<Flight>>>,
    waiting: Mutex<Option<SyncSender<Arc<Flight>>>>,
    lost: Throttle,
}

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Writing(JoinHandle<()>);

impl Recorder {
    /// Reads back what an earlier server wrote, and starts the thread.
    pub(crate) fn start(data: &Path) -> Result<(Self, Writing), ServeError> {
        let earlier = flights(data).unwrap_or_else(|error| {
            tracing::warn!(%error, "what happened to earlier links can't be read");
            Vec::new()
        });
        let skipped = earlier.len().saturating_sub(RECENT_MAX);
        let recent = earlier.into_iter().skip(skipped).map(Arc::new).collect();
        let (waiting, received) = sync_channel(WAITING_MAX);
        let writer = Writer { data: data.to_owned(), file: None, failing: false };
        let builder = std::thread::Builder::new().name("flights".to_owned());
        let thread = builder.spawn(move || writer.run(&received));
        let thread = thread.map_err(|error| ServeError::System(error.to_string()))?;
        let recorder =
            Self { recent: Mutex::new(recent), waiting: Mutex::new(Some(waiting)), lost: Throttle::default() };
        Ok((recorder, Writing(thread)))
    }

    /// A link ended.
    pub(crate) fn record(&self, flight: Flight) {
        let flight = Arc::new(flight);
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sent = waiting.map_or(Ok(()), |waiting| waiting.try_send(Arc::clone(&flight)));
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = sent
            && let Some(times) = self.lost.count()
        {
            tracing::warn!(times, "links ended faster than it could be written down");
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back(flight);
    }

    /// When the device's last link ended, Unix milliseconds; `None` if that is not remembered.
    pub(crate) fn left_at_ms(&self, device: &str) -> Option<u64> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let last = recent.iter().rev().find(|flight| flight.who.as_ref().is_some_and(|who| who.device == device));
        last.map(|flight| flight.ended_at_ms)
    }

    /// Takes no more, and lets the thread end.
    pub(crate) fn stop(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Writing {
    /// Waits for the thread, on a thread. After [`Recorder::stop`].
    pub(crate) fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("the flight recorder's thread panicked");
        }
    }
}

/// What the thread owns.
struct Writer {
    data: PathBuf,
    /// The file and how many bytes it has; `None` before the first line, and after a failure.
    file: Option<(File, u64)>,
    /// The last line could not be written, and that was said.
    failing: bool,
}

impl Writer {
    fn run(mut self, received: &Receiver<Arc<Flight>>) {
        while let Ok(flight) = received.recv() {
            match self.write(&flight) {
                Ok(()) => self.failing = false,
                Err(error) => {
                    if !self.failing {
                        tracing::warn!(%error, "what happened to a link can't be written down");
                    }
                    self.failing = true;
                    self.file = None;
                }
            }
        }
    }

    fn write(&mut self, flight: &Flight) -> io::Result<()> {
        // The break comes first: whatever part of an earlier line a full disk took stays a line of its own.
        let mut line = b"\n".to_vec();
        serde_json::to_writer(&mut line, flight)?;
        let (mut file, mut bytes) = match self.file.take() {
            Some(open) => open,
            None => self.open()?,
        };
        if bytes >= FILE_BYTES_MAX {
            // Before the line is written: a file that can't be moved away does not grow.
            std::fs::rename(self.data.join(FILE), self.data.join(OLD_FILE))?;
            (file, bytes) = self.open()?;
        }
        file.write_all(&line)?;
        self.file = Some((file, bytes + line.len() as u64));
        Ok(())
    }

    fn open(&self) -> io::Result<(File, u64)> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        // It names addresses and accounts.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.data.join(FILE))?;
        let bytes = file.metadata()?.len();
        Ok((file, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flight::{End, EndedBy, Stream, Traffic, Who};

    fn flight(number: u64) -> Flight {
        let end = End { ended_by: EndedBy::Server, cause: "silent".to_owned(), words: "no byte for 3.0 s".to_owned() };
        let traffic =
            Traffic { frames_in: 1, bytes_in: 2, frames_out: 3, bytes_out: 4, pings_out: 5, pings_unanswered: 2 };
        Flight {
            peer: ([10, 0, 0, 1], 4_711).into(),
            who: Some(Who { account: "a1".to_owned(), device: format!("device {number}") }),
            opened_at_ms: 1,
            admitted_at_ms: Some(2),
            away_ms: None,
            last_in_at_ms: 3,
            suspected_at_ms: Some(4),
            ended_at_ms: number,
            end,
            stream: Some(Stream { resumed_from: Some(17), entries_out: 38 }),
            traffic,
            kernel: "keepalive 20s + 5s × 3".to_owned(),
        }
    }

    fn written(data: &Path, numbers: std::ops::Range<u64>) {
        let (recorder, writing) = Recorder::start(data).expect("the thread starts");
        for number in numbers {
            recorder.record(flight(number));
            // Faster than any disk: what would be lost is what the test counts.
            while recorder.waiting_is_full() {
                std::thread::yield_now();
            }
        }
        recorder.stop();
        writing.join();
    }

    impl Recorder {
        fn waiting_is_full(&self) -> bool {
            let recent = self.recent.lock().expect("nobody panicked");
            recent.iter().filter(|flight| Arc::strong_count(flight) > 1).count() > RECENT_MAX / 2
        }
    }

    fn numbers(data: &Path) -> Vec<u64> {
        flights(data).expect("the files can be read").iter().map(|flight| flight.ended_at_ms).collect()
    }

    #[test]
    fn a_flight_is_read_back_as_it_was_written() {
        let data = tempfile::tempdir().expect("a directory");
        assert_eq!(numbers(data.path()), [0; 0], "a server that has not run has none");
        written(data.path(), 7..9);
        assert_eq!(flights(data.path()).expect("it can be read"), [flight(7), flight(8)]);
        let stranger = Flight { who: None, admitted_at_ms: None, suspected_at_ms: None, stream: None, ..flight(1) };
        let new_device = Flight { stream: Some(Stream { resumed_from: None, entries_out: 0 }), ..flight(1) };
        for flight in [stranger, new_device] {
            let line = serde_json::to_string(&flight).expect("it is plain");
            assert_eq!(serde_json::from_str::<Flight>(&line).expect("it is a flight"), flight);
        }
    }

    #[test]
    fn a_flight_that_an_older_server_wrote_is_read() {
        let data = tempfile::tempdir().expect("a directory");
        let line = r#"{"peer":"10.0.0.1:4711","account":"a1","device":"device 7","opened_at_ms":1,"admitted_at_ms":2,
            "last_in_at_ms":3,"suspected_at_ms":4,"ended_at_ms":7,"ended_by":"server","cause":"silent",
            "words":"no byte for 3.0 s","frames_in":1,"bytes_in":2,"frames_out":3,"bytes_out":4,"pings_out":5,
            "pings_unanswered":2,"kernel":"keepalive 20s + 5s × 3"}"#;
        std::fs::write(data.path().join(FILE), line.replace('\n', "")).expect("it can be written");
        let older = Flight { stream: None, ..flight(7) };
        assert_eq!(flights(data.path()).expect("it can be read"), [older]);
    }

    #[test]
    fn the_file_is_bounded_and_the_newest_flights_stay() {
        let data = tempfile::tempdir().expect("a directory");
        written(data.path(), 0..9_000);
        for name in [FILE, OLD_FILE] {
            let bytes = std::fs::metadata(data.path().join(name)).expect("there are two files").len();
            assert!(bytes < FILE_BYTES_MAX + 1_024, "{name} has {bytes} bytes");
        }
        let kept = numbers(data.path());
        assert_eq!(kept, (9_000 - kept.len() as u64..9_000).collect::<Vec<_>>());
        assert!(kept.len() > 2_000, "only {} are left", kept.len());
    }

    #[test]
    fn a_file_that_cant_be_moved_away_does_not_grow() {
        let data = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(data.path().join(OLD_FILE).join("in the way")).expect("it can be made");
        written(data.path(), 0..9_000);
        let bytes = std::fs::metadata(data.path().join(FILE)).expect("it is there").len();
        assert!((FILE_BYTES_MAX..FILE_BYTES_MAX + 4_096).contains(&bytes), "{bytes} bytes");
        std::fs::remove_dir_all(data.path().join(OLD_FILE)).expect("it can be removed");
        written(data.path(), 9_000..9_001);
        assert_eq!(numbers(data.path()).last(), Some(&9_000), "it goes on once it can be moved");
    }

    #[test]
    fn the_next_server_remembers_the_last_thousand() {
        let data = tempfile::tempdir().expect("a directory");
        written(data.path(), 0..1_001);
        let (recorder, writing) = Recorder::start(data.path()).expect("the thread starts");
        assert_eq!(recorder.left_at_ms("device 0"), None, "a thousand are remembered");
        assert_eq!(recorder.left_at_ms("device 1000"), Some(1_000));
        recorder.record(Flight { ended_at_ms: 5_000, ..flight(1_000) });
        assert_eq!(recorder.left_at_ms("device 1000"), Some(5_000), "its last one counts");
        assert_eq!(recorder.left_at_ms("device 1"), None, "there is room for a thousand");
        recorder.stop();
        writing.join();
    }

    #[test]
    fn half_a_line_that_a_full_disk_left_costs_that_line_alone() {
        let data = tempfile::tempdir().expect("a directory");
        written(data.path(), 1..2);
        let path = data.path().join(FILE);
        let mut file = OpenOptions::new().append(true).open(&path).expect("it is there");
        file.write_all(b"\n{\"peer\":\"10.0.0.1:1\",\"opened").expect("there is room");
        written(data.path(), 2..3);
        assert_eq!(numbers(data.path()), [1, 2]);
    }

    #[test]
    fn a_directory_that_takes_nothing_costs_the_lines_and_nothing_else() {
        let data = tempfile::tempdir().expect("a directory");
        let missing = data.path().join("missing");
        let (recorder, writing) = Recorder::start(&missing).expect("the thread starts");
        recorder.record(flight(1));
        assert_eq!(recorder.left_at_ms("device 1"), Some(1));
        recorder.stop();
        writing.join();
        assert_eq!(numbers(&missing), [0; 0]);
    }
}
