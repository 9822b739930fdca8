//! Rows in memory that can be put back as they were when the transaction began.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::RangeBounds;

/// Rows by key. What the transaction changed is noted until it is [kept](Table::commit) or [undone](Table::roll_back).
#[derive(Debug)]
pub(super) struct Table<K, V> {
    rows: BTreeMap<K, V>,
    /// What was there before each change, oldest first.
    undo: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), undo: Vec::new() }
    }
}

impl<K: Ord + Clone, V> Table<K, V> {
    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.rows.get(key)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    pub(super) fn range(&self, range: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.range(range)
    }

    pub(super) fn first(&self) -> Option<(&K, &V)> {
        self.rows.first_key_value()
    }

    pub(super) fn last(&self) -> Option<(&K, &V)> {
        self.rows.last_key_value()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Puts a row in, in place of the one with its key.
    pub(super) fn insert(&mut self, key: K, value: V) {
        let before = self.rows.insert(key.clone(), value);
        self.undo.push((key, before));
    }

    pub(super) fn commit(&mut self) {
        // Not `clear`: one large transaction must not hold its memory for ever.
        self.undo = Vec::new();
    }

    pub(super) fn roll_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(value) => drop(self.rows.insert(key, value)),
                None => drop(self.rows.remove(&key)),
            }
        }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    /// Takes a row out.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let value = self.rows.remove(key)?;
        self.undo.push((key.clone(), Some(value.clone())));
        Some(value)
    }
}

impl<V: Clone> Table<u64, V> {
    /// Puts a row behind the others, under the next number.
    pub(super) fn push(&mut self, value: V) -> u64 {
        let number = self.last().map_or(1, |(last, _)| last + 1);
        self.insert(number, value);
        number
    }

    /// Takes the oldest rows out, so that the numbers of those that are left span at most `max`.
    pub(super) fn keep_newest(&mut self, max: u64) -> Vec<(u64, V)> {
        let Some(newest) = self.last().map(|(&number, _)| number) else { return Vec::new() };
        let gone: Vec<u64> = self.range(..=newest.saturating_sub(max)).map(|(&number, _)| number).collect();
        gone.into_iter().filter_map(|number| Some((number, self.remove(&number)?))).collect()
    }
}

/// One value that can be put back.
#[derive(Debug, Default)]
pub(super) struct Value<T> {
    now: T,
    before: Option<T>,
}

impl<T: Clone> Value<T> {
    pub(super) fn new(now: T) -> Self {
        Self { now, before: None }
    }

    pub(super) fn get(&self) -> &T {
        &self.now
    }

    pub(super) fn change(&mut self) -> &mut T {
        if self.before.is_none() {
            self.before = Some(self.now.clone());
        }
        &mut self.now
    }

    pub(super) fn commit(&mut self) {
        self.before = None;
    }

    pub(super) fn roll_back(&mut self) {
        if let Some(before) = self.before.take() {
            self.now = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_transaction_changed_is_as_it_was_after_a_rollback() {
        let mut table: Table<u64, &str> = Table::default();
        table.insert(1, "one");
        table.push("two");
        table.commit();
        table.insert(1, "other");
        table.insert(1, "another");
        assert_eq!(table.remove(&2), Some("two"));
        table.push("new");
        table.remove(&1);
        table.roll_back();
        assert_eq!(table.iter().collect::<Vec<_>>(), [(&1, &"one"), (&2, &"two")]);
        table.remove(&1);
        table.commit();
        table.roll_back();
        assert_eq!(table.iter().collect::<Vec<_>>(), [(&2, &"two")], "what was kept is not undone");
    }

    #[test]
    fn the_oldest_rows_beyond_a_limit_go_and_come_back_with_a_rollback() {
        let mut table: Table<u64, u64> = Table::default();
        for number in 1..=5 {
            table.push(number * 10);
        }
        table.commit();
        assert_eq!(table.keep_newest(3), [(1, 10), (2, 20)]);
        assert_eq!(table.push(60), 6, "a number is not given twice");
        table.roll_back();
        assert_eq!(table.len(), 5);
    }
}
