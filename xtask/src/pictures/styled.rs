//! Text with SGR sequences, as `tmux capture-pane -e` gives it, read into runs of cells that look alike.
//! The sequences are those of ECMA-48, section 8.3.117, with the colours of xterm.

use unicode_width::UnicodeWidthChar as _;

/// A colour as a program asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// One of the 256 of xterm's palette. The first 16 are the terminal's own.
    Indexed(u8),
    /// Red, green and blue.
    Rgb(u8, u8, u8),
}

/// How a cell looks. `None`: the terminal's own colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) foreground: Option<Colour>,
    pub(crate) background: Option<Colour>,
    pub(crate) bold: bool,
    pub(crate) dim: bool,
    pub(crate) italic: bool,
    pub(crate) underlined: bool,
    pub(crate) reversed: bool,
    pub(crate) struck: bool,
}

/// Cells of a line that look alike. A character of two cells stands in a run of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) column: usize,
    pub(crate) cells: usize,
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// Reads a screen line by line. A style lasts until another sequence, over the ends of lines too.
pub(crate) fn read(screen: &str) -> Vec<Vec<Run>> {
    let mut style = Style::default();
    screen.lines().map(|line| read_line(line, &mut style)).collect()
}

fn read_line(line: &str, style: &mut Style) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut column = 0;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\u{1b}[") {
            let end = after.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(after.len());
            if after[end..].starts_with('m') {
                style.apply(&after[..end]);
            }
            rest = after.get(end + 1..).unwrap_or("");
            continue;
        }
        rest = &rest[c.len_utf8()..];
        let Some(width) = c.width() else { continue };
        match runs.last_mut() {
            // What combines belongs to the character before it.
            Some(run) if width == 0 => run.text.push(c),
            Some(run) if width == 1 && run.cells == run.text.chars().count() && run.style == *style => {
                run.text.push(c);
                run.cells += 1;
            }
            _ => runs.push(Run { column, cells: width, text: c.to_string(), style: *style }),
        }
        column += width;
    }
    runs
}

impl Style {
    /// Applies the parameters of one sequence.
    fn apply(&mut self, parameters: &str) {
        let mut numbers = parameters.split([';', ':']).map(|number| number.parse::<u16>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underlined = true,
                7 => self.reversed = true,
                9 => self.struck = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underlined = false,
                27 => self.reversed = false,
                29 => self.struck = false,
                30..=37 => self.foreground = Some(Colour::indexed(number - 30)),
                38 => self.foreground = Colour::read(&mut numbers).or(self.foreground),
                39 => self.foreground = None,
                40..=47 => self.background = Some(Colour::indexed(number - 40)),
                48 => self.background = Colour::read(&mut numbers).or(self.background),
                49 => self.background = None,
                90..=97 => self.foreground = Some(Colour::indexed(number - 90 + 8)),
                100..=107 => self.background = Some(Colour::indexed(number - 100 + 8)),
                // Blinking and what else a picture can't show.
                _ => {}
            }
        }
    }
}

impl Colour {
    fn indexed(number: u16) -> Self {
        Self::Indexed(u8::try_from(number).unwrap_or(u8::MAX))
    }

    /// What comes after 38 or 48: `5;INDEX` or `2;RED;GREEN;BLUE`.
    fn read(numbers: &mut impl Iterator<Item = u16>) -> Option<Self> {
        let kind = numbers.next()?;
        let mut byte = || numbers.next().and_then(|number| u8::try_from(number).ok());
        match kind {
            5 => Some(Self::Indexed(byte()?)),
            2 => Some(Self::Rgb(byte()?, byte()?, byte()?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(runs: &[Run]) -> Vec<(usize, usize, &str)> {
        runs.iter().map(|run| (run.column, run.cells, run.text.as_str())).collect()
    }

    #[test]
    fn a_style_lasts_until_the_next_sequence_over_the_end_of_a_line() {
        let lines = read("a\u{1b}[1;34mb\nc\u{1b}[0md");
        assert_eq!(shown(&lines[0]), [(0, 1, "a"), (1, 1, "b")]);
        assert_eq!(shown(&lines[1]), [(0, 1, "c"), (1, 1, "d")]);
        let blue = Style { foreground: Some(Colour::Indexed(4)), bold: true, ..Style::default() };
        assert_eq!([lines[0][1].style, lines[1][0].style, lines[1][1].style], [blue, blue, Style::default()]);
    }

    #[test]
    fn wide_and_combining_characters_take_the_cells_that_a_terminal_gives_them() {
        let lines = read("日本 ok e\u{301}x");
        assert_eq!(shown(&lines[0]), [(0, 2, "日"), (2, 2, "本"), (4, 5, " ok e\u{301}"), (9, 1, "x")]);
    }

    #[test]
    fn every_way_to_name_a_colour_is_read_and_what_is_unknown_is_passed_over() {
        let lines = read("\u{1b}[38;5;202;48;2;1;2;3mx\u{1b}[97;103;5my\u{1b}[39;49mz\u{1b}[2Kw\u{1b}[");
        let of = |at: usize| (lines[0][at].style.foreground, lines[0][at].style.background);
        assert_eq!(of(0), (Some(Colour::Indexed(202)), Some(Colour::Rgb(1, 2, 3))));
        assert_eq!(of(1), (Some(Colour::Indexed(15)), Some(Colour::Indexed(11))));
        assert_eq!((of(2), lines[0][2].text.as_str()), ((None, None), "zw"));
    }
}
