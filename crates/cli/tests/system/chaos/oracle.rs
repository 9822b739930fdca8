//! What was given, printed and stored, and whether it fits together. Pure: everything is put in, a verdict comes out.
//!
//! The log of a room is what a fresh device reads of it after all. Every other account of that room is held against it.

use std::collections::{BTreeMap, HashMap};

use crate::rig::{Entry, Printed};

/// Lines that a killed `tail` may have printed and not marked: it marks each page.
const PRINTED_AGAIN_MAX: usize = 500;
/// Words kept; the numbers go on.
const WORDS_MAX: usize = 40;

/// How one run of a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By SIGKILL.
    Killed,
    /// By itself, all done.
    Done,
    /// By itself, and it said why not all was done.
    Failed,
}

/// One run of a `send`: its lines are `STREAM RUN NUMBER`, numbered from 0 in each run.
#[derive(Debug)]
pub(super) struct SendRun {
    pub(super) end: End,
    /// Lines that it was given.
    pub(super) given: usize,
    pub(super) printed: Vec<Printed>,
}

/// The runs of one `send` after another. It has its room for itself, as far as its account goes.
#[derive(Debug)]
pub(super) struct Stream {
    /// `ACCOUNT ROOM`: what its lines begin with.
    pub(super) name: String,
    /// Streams of one device are in one order.
    pub(super) device: String,
    pub(super) runs: Vec<SendRun>,
}

/// One run of a `tail`.
#[derive(Debug)]
pub(super) struct TailRun {
    pub(super) end: End,
    /// It said that it could not note what it had printed.
    pub(super) unmarked: bool,
    pub(super) printed: Vec<Entry>,
}

/// The runs of one `tail` after another.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) who: String,
    pub(super) room: String,
    pub(super) runs: Vec<TailRun>,
}

/// What a device has stored of a room.
#[derive(Debug)]
pub(super) struct History {
    pub(super) who: String,
    pub(super) room: String,
    pub(super) entries: Vec<Entry>,
}

/// All there is to judge.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) logs: BTreeMap<String, Vec<Entry>>,
    pub(super) streams: Vec<Stream>,
    pub(super) tails: Vec<Tail>,
    pub(super) histories: Vec<History>,
}

/// What broke, in numbers and words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Lines printed as stored, or delivered later from an outbox.
    pub(super) accepted: usize,
    pub(super) lost: usize,
    pub(super) doubled: usize,
    pub(super) reordered: usize,
    /// Shown and never said, or not as it was said, or not where it was said to be.
    pub(super) phantom: usize,
    /// Lines printed again around a SIGKILL of their `tail`, as it may.
    pub(super) printed_again: usize,
    pub(super) words: Vec<String>,
}

#[derive(Clone, Copy)]
enum Broke {
    Lost,
    Doubled,
    Reordered,
    Phantom,
}

/// See the module's documentation.
pub(super) fn judge(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    for (room, log) in &evidence.logs {
        verdict.order(room, log);
    }
    let mut said = Said::new(evidence);
    for (room, log) in &evidence.logs {
        log.iter().for_each(|entry| said.take(room, entry, &mut verdict));
    }
    said.judge(&mut verdict);
    for tail in &evidence.tails {
        verdict.tail(tail, &evidence.logs[&tail.room]);
    }
    for history in &evidence.histories {
        let whole = TailRun { end: End::Done, unmarked: false, printed: history.entries.clone() };
        let tail = Tail { who: history.who.clone(), room: history.room.clone(), runs: vec![whole] };
        verdict.tail(&tail, &evidence.logs[&tail.room]);
    }
    verdict
}

impl Verdict {
    pub(super) fn is_good(&self) -> bool {
        self.lost + self.doubled + self.reordered + self.phantom == 0
    }

    fn broke(&mut self, how: Broke, times: usize, words: String) {
        match how {
            Broke::Lost => self.lost += times,
            Broke::Doubled => self.doubled += times,
            Broke::Reordered => self.reordered += times,
            Broke::Phantom => self.phantom += times,
        }
        if self.words.len() < WORDS_MAX {
            self.words.push(words);
        }
    }

    /// Positions and room sequences grow.
    fn order(&mut self, room: &str, log: &[Entry]) {
        for pair in log.windows(2) {
            if pair[0].position >= pair[1].position || pair[0].room_sequence >= pair[1].room_sequence {
                self.broke(Broke::Reordered, 1, format!("{room}: the log goes back: {pair:?}"));
            }
        }
    }

    /// Every line of the log once and in order, over all runs.
    fn tail(&mut self, tail: &Tail, log: &[Entry]) {
        let places: HashMap<u64, usize> =
            log.iter().enumerate().map(|(place, entry)| (entry.position, place)).collect();
        let who = &tail.who;
        let room = &tail.room;
        // The first line that it has not shown, and whether it may not know of its last ones.
        let (mut next, mut unsure) = (0, false);
        for (number, run) in tail.runs.iter().enumerate() {
            let mut before = None;
            for entry in &run.printed {
                let Some(&place) = places.get(&entry.position).filter(|&&place| log[place] == *entry) else {
                    self.broke(Broke::Phantom, 1, format!("{who} shows what is not in the log of {room}: {entry:?}"));
                    continue;
                };
                let starts_again = before.is_none() && unsure && next - next.min(place) <= PRINTED_AGAIN_MAX;
                match (before, place) {
                    (Some(before), place) if place <= before => {
                        self.broke(Broke::Reordered, 1, format!("{who}, run {number}: goes back to {entry:?}"));
                    }
                    (Some(before), place) if place == before + 1 && place < next => self.printed_again += 1,
                    (None, place) if place < next && starts_again => self.printed_again += 1,
                    (_, place) if place < next => {
                        self.broke(Broke::Doubled, 1, format!("{who}, run {number}: {entry:?} for the second time"));
                    }
                    (_, place) if place > next => {
                        let words = format!("{who}, run {number}: {} lines missing before {entry:?}", place - next);
                        self.broke(Broke::Lost, place - next, words);
                    }
                    _ => {}
                }
                before = Some(before.map_or(place, |before: usize| before.max(place)));
                next = next.max(place + 1);
                unsure = false;
            }
            unsure |= run.end == End::Killed || run.unmarked;
        }
        if next < log.len() {
            self.broke(Broke::Lost, log.len() - next, format!("{who}: {room} ends at {next} of {}", log.len()));
        }
    }
}

/// The streams, with what the log has of each run.
struct Said<'e> {
    streams: HashMap<&'e str, (usize, &'e Stream)>,
    /// By stream and run: the entries by their number.
    found: BTreeMap<(usize, usize), BTreeMap<usize, &'e Entry>>,
    /// By stream: the last line in the log.
    last: HashMap<usize, (usize, usize)>,
    /// By device: sequences by position.
    devices: BTreeMap<&'e str, BTreeMap<u64, u64>>,
}

impl<'e> Said<'e> {
    fn new(evidence: &'e Evidence) -> Self {
        let streams =
            evidence.streams.iter().enumerate().map(|(at, stream)| (stream.name.as_str(), (at, stream))).collect();
        Self { streams, found: BTreeMap::new(), last: HashMap::new(), devices: BTreeMap::new() }
    }

    fn take(&mut self, room: &str, entry: &'e Entry, verdict: &mut Verdict) {
        let Some((at, run, number)) = self.source(room, entry) else {
            return verdict.broke(Broke::Phantom, 1, format!("{room}: nobody said {entry:?}"));
        };
        if self.found.entry((at, run)).or_default().insert(number, entry).is_some() {
            return verdict.broke(Broke::Doubled, 1, format!("{room}: for the second time {entry:?}"));
        }
        if self.last.get(&at).is_some_and(|&last| last > (run, number)) {
            verdict.broke(Broke::Reordered, 1, format!("{room}: after what was said later {entry:?}"));
        }
        self.last.insert(at, (run, number));
    }

    /// The stream, run and number of a line, if it was ever given to a `send`.
    fn source(&mut self, room: &str, entry: &Entry) -> Option<(usize, usize, usize)> {
        let mut words = entry.text.rsplitn(3, ' ');
        let number: usize = words.next()?.parse().ok()?;
        let run: usize = words.next()?.parse().ok()?;
        let name = words.next()?;
        let &(at, stream) = self.streams.get(name)?;
        let (account, said_in) = name.split_once(' ')?;
        let given = stream.runs.get(run)?.given;
        if entry.from != account || room != said_in || number >= given {
            return None;
        }
        self.devices.entry(&stream.device).or_default().insert(entry.position, entry.sequence);
        Some((at, run, number))
    }

    fn judge(&self, verdict: &mut Verdict) {
        for &(at, stream) in self.streams.values() {
            for (number, run) in stream.runs.iter().enumerate() {
                let none = BTreeMap::new();
                judge_run(&stream.name, number, run, self.found.get(&(at, number)).unwrap_or(&none), verdict);
            }
        }
        for (device, sequences) in &self.devices {
            let sequences: Vec<u64> = sequences.values().copied().collect();
            for pair in sequences.windows(2).filter(|pair| pair[0] >= pair[1]) {
                verdict.broke(Broke::Reordered, 1, format!("{device}: its operations take effect as {pair:?}"));
            }
        }
    }
}

/// What is stored is a beginning of what the run was given, has all that it printed, and stands where it said.
fn judge_run(name: &str, number: usize, run: &SendRun, found: &BTreeMap<usize, &Entry>, verdict: &mut Verdict) {
    let last = found.keys().next_back().map_or(0, |last| last + 1);
    let due = match run.end {
        End::Done => run.given,
        End::Killed | End::Failed => last.max(run.printed.len()),
    };
    verdict.accepted += due;
    let missing = (0..due).filter(|line| !found.contains_key(line));
    let missing: Vec<usize> = missing.collect();
    if let Some(first) = missing.first() {
        let words = format!("{name}, run {number}: {} of {due} lines missing, the first {first}", missing.len());
        verdict.broke(Broke::Lost, missing.len(), words);
    }
    if run.end == End::Done && run.printed.len() != run.given {
        let words = format!("{name}, run {number}: told of {} of {} lines", run.printed.len(), run.given);
        verdict.broke(Broke::Lost, run.given.abs_diff(run.printed.len()), words);
    }
    for (line, printed) in run.printed.iter().enumerate() {
        let Some(entry) = found.get(&line) else { continue };
        if (entry.position, entry.sequence) != (printed.position, printed.sequence) {
            verdict.broke(Broke::Phantom, 1, format!("{name}, run {number}: told {printed:?}, stored {entry:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(position: u64, number: usize) -> Entry {
        let text = format!("ann lobby 0 {number}");
        Entry { position, room_sequence: position - 9, from: "ann".to_owned(), sequence: position - 9, text }
    }

    fn printed(entry: &Entry) -> Printed {
        Printed { sequence: entry.sequence, position: entry.position }
    }

    /// Five lines, sent in one run that was killed after it had printed three, and shown by one tail.
    fn good() -> Evidence {
        let log: Vec<Entry> = (0..5).map(|number| entry(10 + number as u64, number)).collect();
        let run = SendRun { end: End::Killed, given: 7, printed: log[..3].iter().map(printed).collect() };
        let stream = Stream { name: "ann lobby".to_owned(), device: "ann 1".to_owned(), runs: vec![run] };
        let history = History { who: "bob 2".to_owned(), room: "lobby".to_owned(), entries: log.clone() };
        let mut evidence =
            Evidence { streams: vec![stream], histories: vec![history], tails: Vec::new(), ..Evidence::default() };
        evidence.tails.push(tail(vec![run_of(&log, End::Done)]));
        evidence.logs.insert("lobby".to_owned(), log);
        evidence
    }

    fn run_of(printed: &[Entry], end: End) -> TailRun {
        TailRun { end, unmarked: false, printed: printed.to_vec() }
    }

    fn tail(runs: Vec<TailRun>) -> Tail {
        Tail { who: "bob 1".to_owned(), room: "lobby".to_owned(), runs }
    }

    fn log(evidence: &mut Evidence) -> &mut Vec<Entry> {
        evidence.logs.get_mut("lobby").expect("it is there")
    }

    /// Accepted, lost, doubled, reordered, phantom.
    fn numbers(evidence: &Evidence) -> [usize; 5] {
        let verdict = judge(evidence);
        assert_eq!(verdict.is_good(), verdict.words.is_empty(), "{verdict:?}");
        [verdict.accepted, verdict.lost, verdict.doubled, verdict.reordered, verdict.phantom]
    }

    /// What a tail of these runs is found to have done.
    fn numbers_of_tail(runs: Vec<TailRun>) -> [usize; 5] {
        let mut evidence = good();
        evidence.tails = vec![tail(runs)];
        numbers(&evidence)
    }

    #[test]
    fn what_a_killed_send_printed_and_what_its_outbox_delivered_later_is_accepted_and_its_end_need_not_be_there() {
        assert_eq!(numbers(&good()), [5, 0, 0, 0, 0]);
    }

    #[test]
    fn a_line_that_was_printed_as_stored_and_is_nowhere_is_lost() {
        let mut evidence = good();
        evidence.tails.clear();
        evidence.histories.clear();
        log(&mut evidence).truncate(2);
        assert_eq!(numbers(&evidence), [3, 1, 0, 0, 0]);
    }

    #[test]
    fn a_hole_in_what_an_outbox_delivered_is_a_loss() {
        let mut evidence = good();
        evidence.tails.clear();
        evidence.histories.clear();
        log(&mut evidence).remove(3);
        assert_eq!(numbers(&evidence), [5, 1, 0, 0, 0]);
    }

    #[test]
    fn a_send_that_said_that_all_is_stored_has_all_stored() {
        let mut evidence = good();
        evidence.streams[0].runs[0].end = End::Done;
        let [accepted, lost, ..] = numbers(&evidence);
        assert_eq!((accepted, lost), (7, 2 + 4), "two not stored, and of four nothing was printed");
    }

    #[test]
    fn a_line_that_stands_in_the_log_twice_is_doubled() {
        let mut evidence = good();
        evidence.tails.clear();
        evidence.histories.clear();
        log(&mut evidence).push(entry(15, 4));
        assert_eq!(numbers(&evidence), [5, 0, 1, 0, 0]);
    }

    #[test]
    fn lines_that_stand_in_another_order_than_they_were_said_are_reordered() {
        let mut evidence = good();
        evidence.tails.clear();
        evidence.histories.clear();
        let lines = log(&mut evidence);
        (lines[3].text, lines[4].text) = (lines[4].text.clone(), lines[3].text.clone());
        assert_eq!(numbers(&evidence), [5, 0, 0, 1, 0]);
        lines_of_device(&mut evidence);
    }

    /// The same where only the device's own count shows it.
    fn lines_of_device(evidence: &mut Evidence) {
        let lines = log(evidence);
        (lines[3].text, lines[4].text) = (lines[4].text.clone(), lines[3].text.clone());
        (lines[3].sequence, lines[4].sequence) = (lines[4].sequence, lines[3].sequence);
        assert_eq!(numbers(evidence), [5, 0, 0, 1, 0]);
    }

    #[test]
    fn a_line_that_nobody_said_or_somebody_else_or_elsewhere_is_a_phantom() {
        for change in [
            |entry: &mut Entry| entry.text = "ann lobby 0 7".to_owned(),
            |entry: &mut Entry| entry.text = "ann lobby 1 4".to_owned(),
            |entry: &mut Entry| entry.text = "ann harbour 0 4".to_owned(),
            |entry: &mut Entry| entry.from = "bob".to_owned(),
            |entry: &mut Entry| entry.text.clear(),
        ] {
            let mut evidence = good();
            evidence.tails.clear();
            evidence.histories.clear();
            change(&mut log(&mut evidence)[4]);
            assert_eq!(numbers(&evidence), [4, 0, 0, 0, 1]);
        }
    }

    #[test]
    fn a_line_that_is_stored_elsewhere_than_its_send_said_contradicts_it() {
        let mut evidence = good();
        evidence.streams[0].runs[0].printed[2].position = 99;
        assert_eq!(numbers(&evidence), [5, 0, 0, 0, 1]);
    }

    #[test]
    fn a_tail_that_was_killed_may_begin_again_with_its_last_lines_and_no_other_may() {
        let lines = good().logs["lobby"].clone();
        let again = |end| vec![run_of(&lines[..3], end), run_of(&lines[1..], End::Done)];
        assert_eq!(numbers_of_tail(again(End::Killed)), [5, 0, 0, 0, 0]);
        let [_, lost, doubled, ..] = numbers_of_tail(again(End::Failed));
        assert_eq!((lost, doubled), (0, 1));
        let mut unmarked = again(End::Failed);
        unmarked[0].unmarked = true;
        assert_eq!(numbers_of_tail(unmarked), [5, 0, 0, 0, 0]);
    }

    #[test]
    fn a_tail_that_shows_nothing_between_two_kills_may_still_begin_again() {
        let lines = good().logs["lobby"].clone();
        let between = vec![run_of(&lines[..3], End::Killed), run_of(&[], End::Done), run_of(&lines[2..], End::Done)];
        assert_eq!(numbers_of_tail(between), [5, 0, 0, 0, 0]);
    }

    #[test]
    fn a_tail_that_leaves_lines_out_or_ends_early_has_lost_them() {
        let lines = good().logs["lobby"].clone();
        let gap = vec![run_of(&lines[..2], End::Killed), run_of(&lines[3..], End::Done)];
        assert_eq!(numbers_of_tail(gap), [5, 1, 0, 0, 0]);
        assert_eq!(numbers_of_tail(vec![run_of(&lines[..3], End::Done)]), [5, 2, 0, 0, 0]);
    }

    #[test]
    fn a_tail_that_shows_a_line_twice_in_one_run_or_in_another_order_breaks_the_order() {
        let mut lines = good().logs["lobby"].clone();
        lines.swap(1, 2);
        let [_, lost, _, reordered, _] = numbers_of_tail(vec![run_of(&lines, End::Done)]);
        assert_eq!((lost, reordered), (1, 1));
        let twice = good().logs["lobby"].iter().flat_map(|line| [line.clone(), line.clone()]).collect::<Vec<_>>();
        assert_eq!(numbers_of_tail(vec![run_of(&twice, End::Done)]), [5, 0, 0, 5, 0]);
    }

    #[test]
    fn what_a_tail_or_a_history_shows_differently_from_the_log_is_a_phantom_and_the_line_is_missing() {
        let mut lines = good().logs["lobby"].clone();
        lines[4].text = "ann lobby 0 5".to_owned();
        assert_eq!(numbers_of_tail(vec![run_of(&lines, End::Done)]), [5, 1, 0, 0, 1]);
        let mut evidence = good();
        evidence.histories[0].entries = lines;
        assert_eq!(numbers(&evidence), [5, 1, 0, 0, 1]);
    }
}
