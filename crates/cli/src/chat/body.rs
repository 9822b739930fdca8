//! A text that is shown in rows, and cut into them once for a width: a message may have a thousand.

use std::cell::{Ref, RefCell};
use std::fmt;

use super::text::wrapped;

/// A text and its rows for the width that was asked for last.
#[derive(Default)]
pub(crate) struct Body {
    text: String,
    rows: RefCell<(usize, Vec<String>)>,
}

impl Body {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), rows: RefCell::default() }
    }

    /// Rows of at most so many cells; one at least.
    pub(crate) fn rows(&self, columns: usize) -> Ref<'_, [String]> {
        let is_cut = {
            let rows = self.rows.borrow();
            rows.0 == columns && !rows.1.is_empty()
        };
        if !is_cut {
            self.rows.replace((columns, wrapped(&self.text, columns)));
        }
        Ref::map(self.rows.borrow(), |rows| rows.1.as_slice())
    }
}

impl Clone for Body {
    fn clone(&self) -> Self {
        Self::new(self.text.clone())
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Body {}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_the_width_that_is_asked_for() {
        let body = Body::new("one two three");
        assert_eq!(*body.rows(7), ["one two", "three"]);
        assert_eq!(*body.rows(5), ["one", "two", "three"]);
        assert_eq!(*body.rows(7), ["one two", "three"]);
        assert_eq!(*Body::new("").rows(7), [""]);
    }
}
