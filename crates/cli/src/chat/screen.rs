//! Which part of the terminal shows what.

use ratatui::layout::Rect;

/// The parts of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) title: Rect,
    /// Rooms; left out where messages would have too little room.
    pub(crate) side: Option<Rect>,
    pub(crate) messages: Rect,
    pub(crate) status: Rect,
    pub(crate) input: Rect,
}

impl Screen {
    pub(crate) const COLUMNS_MIN: u16 = 30;
    pub(crate) const ROWS_MIN: u16 = 6;
    const SIDE_COLUMNS: u16 = 19;
    /// Narrower than this there is no side.
    const WITH_SIDE_MIN: u16 = 70;
    const PROMPT: u16 = 2;

    /// The parts of a terminal of this size, for so many rows that are being written; `None`: it is too small.
    pub(crate) fn of((columns, rows): (u16, u16), written: usize) -> Option<Self> {
        if columns < Self::COLUMNS_MIN || rows < Self::ROWS_MIN {
            return None;
        }
        let written = u16::try_from(written).unwrap_or(u16::MAX).clamp(1, (rows / 3).max(1));
        let side_columns = if columns < Self::WITH_SIDE_MIN { 0 } else { Self::SIDE_COLUMNS };
        let middle = rows - 2 - written;
        let row = |y, height| Rect { x: 0, y, width: columns, height };
        Some(Self {
            title: row(0, 1),
            side: (side_columns > 0).then_some(Rect { x: 0, y: 1, width: side_columns, height: middle }),
            messages: Rect { x: side_columns, y: 1, width: columns - side_columns, height: middle },
            status: row(1 + middle, 1),
            input: row(2 + middle, written),
        })
    }

    /// The side and the messages together.
    pub(crate) fn middle(&self) -> Rect {
        self.side.map_or(self.messages, |side| side.union(self.messages))
    }

    /// Columns for what is being written.
    pub(crate) fn input_columns(columns: u16) -> u16 {
        columns.saturating_sub(Self::PROMPT)
    }
}
