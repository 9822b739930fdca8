//! An input as a little script: whoever plays it reads one choice after the other, until it is over. What is read
//! behind the end is 0.

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Script<'i> {
    rest: &'i [u8],
}

/// Numbers at which something may overflow, or be taken for something else.
const BORDERS: [u64; 16] = [
    0,
    1,
    u64::MAX,
    u64::MAX - 1,
    1 << 63,
    i64::MAX as u64,
    i64::MAX as u64 - 1,
    i64::MAX as u64 - 2,
    1 << 53,
    1 << 32,
    u32::MAX as u64,
    i32::MAX as u64,
    1_024,
    1_025,
    65_536,
    16_384,
];

impl<'i> Script<'i> {
    pub(crate) fn new(input: &'i [u8]) -> Self {
        Self { rest: input }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((&byte, rest)) => {
                self.rest = rest;
                byte
            }
            None => 0,
        }
    }

    /// Something in `0 .. end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let choice =
            if end > 256 { usize::from(self.byte()) << 8 | usize::from(self.byte()) } else { self.byte().into() };
        choice % end.max(1)
    }

    pub(crate) fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// Once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// A small number mostly, or one at a border, or any one.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..=219 => small.into(),
            border @ 220..=250 => BORDERS[usize::from(border - 220) % BORDERS.len()],
            251..=255 => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    pub(crate) fn number_u32(&mut self) -> u32 {
        // Which of its bits are taken does not matter.
        self.number() as u32
    }

    /// Mostly the number that would be right, else one beside it, or any.
    pub(crate) fn near(&mut self, right: u64) -> u64 {
        match self.byte() {
            0..=199 => right,
            beside @ 200..=239 => right.wrapping_add_signed(i64::from(beside) - 220),
            240..=255 => self.number(),
        }
    }

    /// The next bytes of the input, at most so many.
    pub(crate) fn bytes(&mut self, bytes_max: usize) -> &'i [u8] {
        let length = self.below(bytes_max + 1).min(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'i [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Some text: a short name, a strange one, or a long one.
    pub(crate) fn text(&mut self) -> String {
        match self.below(8) {
            0..=4 => self.one_of(&["ann", "bob", "cid", "Ann", "lobby", "den", "LOBBY", "b\u{f6}b"]).to_owned(),
            5 => String::from_utf8_lossy(self.bytes(32)).into_owned(),
            6 => self.one_of(&["", "-", "a b", "\u{0}", "e\u{301}", "\u{1f980}", "../x", "\u{202e}"]).to_owned(),
            _ => "n".repeat(self.one_of(&[64, 65, 128, 129, 300, 70_000])),
        }
    }

    /// The content of a message.
    pub(crate) fn body(&mut self) -> Vec<u8> {
        match self.below(6) {
            0..=3 => self.bytes(24).to_vec(),
            4 => vec![0x5a; self.one_of(&[0, 1, 16_300, 16_384, 20_000, 65_535])],
            _ => vec![0x5a; self.one_of(&[65_536, 65_537, 66_000, 131_072])],
        }
    }
}
