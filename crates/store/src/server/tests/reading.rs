//! Reading: whatever is folded and whatever is not, a reader sees what a list of all chunks would show.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::sqlite;

#[test]
fn a_reader_can_move_to_another_thread_and_a_folder_can_be_shared() {
    fn movable<T: Send + 'static>() {}
    fn shareable<T: Send + Sync + Clone + 'static>() {}
    movable::<Store>();
    movable::<Reader>();
    shareable::<Folder>();
}

#[test]
fn the_chunk_that_holds_the_place_in_its_middle_is_read_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_in(directory.path());
    store.commit(&commit_of(vec![chunk(1, 10, &[(1, 1, 10)]), chunk(11, 10, &[(1, 11, 20)])])).expect("a commit");
    let reader = store.reader().expect("a reader");
    for folded in [false, true] {
        let read = |after| positions(&reader.chunks_for(&[RoomId(1)], after, usize::MAX).expect("a span").chunks);
        assert_eq!((read(0), read(9), read(10)), (vec![1, 11], vec![1, 11], vec![11]), "folded: {folded}");
        assert_eq!((read(19), read(20), read(u64::MAX)), (vec![11], vec![], vec![]), "folded: {folded}");
        store.fold(100).expect("a fold");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_opens_no_file_after_it_was_made() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_in(directory.path());
    commit_singles(&mut store, 9);
    store.fold(4).expect("a fold");
    let open_files = || {
        let descriptors = std::fs::read_dir("/proc/self/fd").expect("there is /proc");
        let targets = descriptors.filter_map(|descriptor| std::fs::read_link(descriptor.ok()?.path()).ok());
        targets.filter(|target| target.starts_with(directory.path())).count()
    };
    let without = open_files();
    let reader = store.reader().expect("a reader");
    let made = open_files();
    assert!(made > without, "{made} files are open, and {without} were before");
    assert_eq!(reader.chunks_for(&[RoomId(1)], 0, usize::MAX).expect("a span").chunks.len(), 9);
    assert_eq!(reader.history(RoomId(1), 1, 9, usize::MAX).expect("a page").len(), 9);
    assert_eq!(open_files(), made);
}

#[test]
fn an_answer_is_cut_at_its_size_but_never_empty() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_in(directory.path());
    commit_singles(&mut store, 5);
    store.fold(2).expect("a fold");
    let reader = store.reader().expect("a reader");
    let read = |after, bytes_max| {
        let span = reader.chunks_for(&[RoomId(1)], after, bytes_max).expect("a span");
        (positions(&span.chunks), span.covered_through)
    };
    assert_eq!(read(0, 0), (vec![1], 1));
    assert_eq!(read(0, 399), (vec![1, 2, 3], 3));
    assert_eq!(read(3, 199), (vec![4], 4));
    assert_eq!(read(3, 200), (vec![4, 5], 5));
    assert_eq!(positions(&reader.history(RoomId(1), 2, 5, 250).expect("chunks")), [2, 3]);
}

#[test]
fn a_damaged_chunk_is_told_by_its_position() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_in(directory.path());
    commit_singles(&mut store, 3);
    let other = sqlite::open(&super::super::open::log_path(directory.path())).expect("a database");
    let reader = store.reader().expect("a reader");
    let read = || reader.chunks_for(&[RoomId(1)], 0, usize::MAX);
    other.execute_batch("UPDATE chunks SET count = 0 WHERE first_position = 2").expect("a change");
    assert_eq!(read(), Err(ReadError::Damaged { position: 2 }));
    other.execute_batch("DELETE FROM chunks WHERE first_position = 2").expect("a change");
    assert_eq!(read(), Err(ReadError::Damaged { position: 2 }));
    assert_eq!(reader.history(RoomId(1), 2, 3, 1), Err(ReadError::Damaged { position: 2 }));
}

#[test]
fn a_reader_misses_nothing_while_others_commit_and_fold() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_in(directory.path());
    let reader = store.reader().expect("a reader");
    let folder = store.folder();
    let rooms = [RoomId(1)];
    std::thread::scope(|scope| {
        scope.spawn(|| commit_singles(&mut store, 400));
        scope.spawn(move || {
            let mut folded = 0;
            while folded < 400 {
                folded += folder.fold(3).expect("a fold");
            }
        });
        let mut place = 0;
        while place < 400 {
            let all = reader.chunks_for(&rooms, 0, usize::MAX).expect("a span");
            assert_eq!(positions(&all.chunks), (1..=all.covered_through).collect::<Vec<u64>>());
            let more = reader.chunks_for(&rooms, place, 1_000).expect("a span");
            assert_eq!(positions(&more.chunks), (place + 1..=more.covered_through).collect::<Vec<u64>>());
            place = more.covered_through;
        }
    });
}

const ROOMS: [u64; 4] = [1, 2, 1 << 63, u64::MAX];

#[derive(Clone, Debug)]
enum Step {
    /// Chunks, each by how many entries it has of each of the rooms and of none.
    Commit(Vec<[u32; ROOMS.len() + 1]>),
    Fold(usize),
    Reopen,
}

#[derive(Clone, Debug)]
struct Question {
    rooms: Vec<RoomId>,
    after: u64,
    sequences: (u64, u64),
    bytes_max: usize,
}

fn a_step() -> impl Strategy<Value = Step> {
    let chunk = [0..3u32, 0..2u32, 0..2u32, 0..9u32, 0..2u32]
        .prop_filter("a chunk has an entry", |counts| counts.iter().sum::<u32>() > 0);
    prop_oneof![
        5 => prop::collection::vec(chunk, 0..5).prop_map(Step::Commit),
        3 => (0usize..8).prop_map(Step::Fold),
        1 => Just(Step::Reopen),
    ]
}

fn a_question() -> impl Strategy<Value = Question> {
    let rooms = prop::collection::vec(prop::sample::select(&ROOMS[..]).prop_map(RoomId), 0..5);
    (rooms, 0u64..120, (0u64..60, 0u64..60), 0usize..5_000).prop_map(|(rooms, after, sequences, bytes_max)| Question {
        rooms,
        after,
        sequences,
        bytes_max,
    })
}

/// All chunks, in a list.
#[derive(Default)]
struct Model {
    chunks: Vec<Chunk>,
    sequences: BTreeMap<u64, u64>,
}

impl Model {
    fn head(&self) -> u64 {
        self.chunks.last().map_or(0, Chunk::last_position)
    }

    fn chunk_of(&mut self, counts: &[u32]) -> Chunk {
        let mut spans = Vec::new();
        for (&room, &count) in ROOMS.iter().zip(counts).filter(|&(_, &count)| count > 0) {
            let last = self.sequences.entry(room).or_default();
            spans.push((room, *last + 1, *last + u64::from(count)));
            *last += u64::from(count);
        }
        let chunk = chunk(self.head() + 1, counts.iter().sum(), &spans);
        self.chunks.push(chunk.clone());
        chunk
    }

    fn select(&self, bytes_max: usize, wanted: impl Fn(&Chunk) -> bool) -> (Vec<StoredChunk>, u64) {
        let mut taken: Vec<StoredChunk> = Vec::new();
        let mut bytes = 0;
        for chunk in self.chunks.iter().filter(|chunk| wanted(chunk)) {
            bytes += chunk.frames.len();
            if let Some(last) = taken.last().filter(|_| bytes > bytes_max) {
                let covered_through = last.last_position();
                return (taken, covered_through);
            }
            let Chunk { first_position, count, frames, .. } = chunk.clone();
            taken.push(StoredChunk { first_position, count, frames });
        }
        (taken, self.head())
    }

    fn chunks_for(&self, question: &Question) -> Span {
        let (chunks, covered_through) = self.select(question.bytes_max, |chunk| {
            let asked = chunk.rooms.iter().any(|span| question.rooms.contains(&span.room));
            asked && chunk.last_position() > question.after
        });
        Span { chunks, covered_through }
    }

    fn history(&self, room: RoomId, (from, to): (u64, u64), bytes_max: usize) -> Vec<StoredChunk> {
        let asked = |span: &RoomSpan| span.room == room && from.max(span.first_sequence) <= to.min(span.last_sequence);
        self.select(bytes_max, |chunk| chunk.rooms.iter().any(asked)).0
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_reader_sees_what_a_list_of_all_chunks_would_show(
        steps in prop::collection::vec((a_step(), prop::collection::vec(a_question(), 4)), 1..16),
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut store = open_in(directory.path()).0;
        let mut reader = store.reader().expect("a reader");
        let mut model = Model::default();
        for (step, questions) in steps {
            match step {
                Step::Commit(chunks) => {
                    let chunks = chunks.iter().map(|counts| model.chunk_of(counts)).collect();
                    store.commit(&commit_of(chunks)).expect("a commit");
                }
                Step::Fold(entries_max) => {
                    let before = store.unfolded_entries();
                    let folded = store.fold(entries_max).expect("a fold");
                    prop_assert_eq!(store.unfolded_entries(), before - folded);
                    prop_assert_eq!(folded == 0, before == 0);
                }
                Step::Reopen => {
                    drop((store, reader));
                    store = open_in(directory.path()).0;
                    reader = store.reader().expect("a reader");
                }
            }
            prop_assert_eq!(reader.head(), model.head());
            for question in questions {
                let span = reader.chunks_for(&question.rooms, question.after, question.bytes_max).expect("a span");
                prop_assert_eq!(span, model.chunks_for(&question), "{:?}", question);
                let Question { sequences, bytes_max, .. } = question;
                for room in ROOMS.map(RoomId) {
                    let chunks = reader.history(room, sequences.0, sequences.1, bytes_max).expect("chunks");
                    prop_assert_eq!(chunks, model.history(room, sequences, bytes_max));
                }
            }
        }
    }
}
