//! A screen of a terminal as SVG: text in a monospaced font, each run stretched to the cells that it takes, so that
//! columns stand under each other whatever font a reader has.

use super::styled::{Colour, Run, Style, read};

/// Units of the picture for a cell.
const CELL: (f64, f64) = (8.43, 18.0);
/// Between the window's edge and its text.
const MARGIN: f64 = 14.0;
/// The strip above with the title.
const STRIP: f64 = 30.0;
const FONT_SIZE: f64 = 14.0;
/// From the top of a line to where its letters stand.
const BASELINE: f64 = 13.5;
const FONTS: &str = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

/// The colours of a terminal, as `#rrggbb`.
#[derive(Debug)]
pub(crate) struct Theme {
    /// The end of the file's name.
    pub(crate) name: &'static str,
    background: &'static str,
    foreground: &'static str,
    strip: &'static str,
    /// Black, red, green, yellow, blue, magenta, cyan, white, then the bright ones.
    palette: [&'static str; 16],
}

/// For readers on a dark page, and on a light one.
pub(crate) const THEMES: [Theme; 2] = [
    Theme {
        name: "dark",
        background: "#16191f",
        foreground: "#d5d9e0",
        strip: "#22262e",
        palette: [
            "#2a2f38", "#f07178", "#98c379", "#e5c07b", "#61afef", "#c792ea", "#56b6c2", "#c8ccd4", "#7f8794",
            "#ff8f96", "#b5e08f", "#ffd68a", "#82c4ff", "#dcaeff", "#7fd6e0", "#ffffff",
        ],
    },
    Theme {
        name: "light",
        background: "#fdfdfb",
        foreground: "#2b2f36",
        strip: "#ececea",
        palette: [
            "#24292f", "#c4313b", "#2f7d32", "#9a6700", "#1f62c5", "#8a3fb0", "#0f7585", "#d8d8d4", "#6b727c",
            "#e04550", "#3c9a40", "#b98100", "#3a7de0", "#a45bcb", "#1d92a3", "#ffffff",
        ],
    },
];

/// What is drawn.
#[derive(Debug)]
pub(crate) struct Picture<'a> {
    /// In the strip above, and for those who hear a page instead of seeing it.
    pub(crate) title: &'a str,
    /// As `tmux capture-pane -e -N` gives it.
    pub(crate) screen: &'a str,
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// Column and row, if it shows.
    pub(crate) cursor: Option<(usize, usize)>,
}

impl Picture<'_> {
    /// The file.
    pub(crate) fn draw(&self, theme: &Theme) -> String {
        let (width, height) = (cells_wide(self.columns) + 2.0 * MARGIN, self.height());
        let mut svg = String::new();
        let title = escaped(self.title);
        svg += &format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" font-family=\"{FONTS}\" font-size=\"{FONT_SIZE}\" role=\"img\">\n\
             <title>{title}</title>\n\
             <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n\
             <path d=\"M0 {STRIP}V8a8 8 0 0 1 8-8H{:.1}a8 8 0 0 1 8 8V{STRIP}z\" fill=\"{}\"/>\n\
             <text x=\"50%\" y=\"20\" text-anchor=\"middle\" font-size=\"13\" fill=\"{}\" opacity=\"0.75\">{title}\
             </text>\n",
            theme.background,
            width - 8.0,
            theme.strip,
            theme.foreground,
        );
        let lines = read(self.screen);
        for (row, runs) in lines.iter().enumerate().take(self.rows) {
            for run in runs {
                draw_run(&mut svg, theme, row, run);
            }
        }
        if let Some((column, row)) = self.cursor {
            let (x, y) = at(column, row);
            let colour = theme.foreground;
            svg += &rect(x, y, cells_wide(1), colour, " opacity=\"0.55\"");
        }
        svg + "</svg>\n"
    }

    fn height(&self) -> f64 {
        at(0, self.rows).1 + MARGIN
    }
}

fn draw_run(svg: &mut String, theme: &Theme, row: usize, run: &Run) {
    let (x, y) = at(run.column, row);
    let width = cells_wide(run.cells);
    let (foreground, background) = theme.colours(&run.style);
    if background != theme.background {
        *svg += &rect(x, y, width, &background, "");
    }
    if run.text.trim().is_empty() && !run.style.underlined {
        return;
    }
    let mut looks = String::new();
    if run.style.bold {
        looks += " font-weight=\"bold\"";
    }
    if run.style.dim {
        looks += " opacity=\"0.65\"";
    }
    if run.style.italic {
        looks += " font-style=\"italic\"";
    }
    match (run.style.underlined, run.style.struck) {
        (false, false) => {}
        (true, false) => looks += " text-decoration=\"underline\"",
        (false, true) => looks += " text-decoration=\"line-through\"",
        (true, true) => looks += " text-decoration=\"underline line-through\"",
    }
    let text = escaped(&run.text);
    *svg += &format!(
        "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{foreground}\" textLength=\"{width:.1}\" \
         lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\"{looks}>{text}</text>\n",
        y + BASELINE,
    );
}

fn rect(x: f64, y: f64, width: f64, colour: &str, more: &str) -> String {
    let height = CELL.1;
    format!("<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"{more}/>\n")
}

/// The upper left corner of a cell.
fn at(column: usize, row: usize) -> (f64, f64) {
    (MARGIN + cells_wide(column), STRIP + MARGIN + row as f64 * CELL.1)
}

fn cells_wide(cells: usize) -> f64 {
    cells as f64 * CELL.0
}

impl Theme {
    fn colours(&self, style: &Style) -> (String, String) {
        let foreground = style.foreground.map_or_else(|| self.foreground.to_owned(), |colour| self.hex(colour));
        let background = style.background.map_or_else(|| self.background.to_owned(), |colour| self.hex(colour));
        if style.reversed { (background, foreground) } else { (foreground, background) }
    }

    fn hex(&self, colour: Colour) -> String {
        let (red, green, blue) = match colour {
            Colour::Indexed(index @ 0..16) => return self.palette[usize::from(index)].to_owned(),
            Colour::Indexed(index @ 16..232) => {
                let cube = index - 16;
                let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
                (level(cube / 36), level(cube / 6 % 6), level(cube % 6))
            }
            Colour::Indexed(index) => {
                let grey = 8 + 10 * (index - 232);
                (grey, grey, grey)
            }
            Colour::Rgb(red, green, blue) => (red, green, blue),
        };
        format!("#{red:02x}{green:02x}{blue:02x}")
    }
}

/// What XML wants, without the characters that it has no way to write.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(screen: &str) -> String {
        Picture { title: "a <b>", screen, columns: 10, rows: 2, cursor: Some((1, 1)) }.draw(&THEMES[0])
    }

    #[test]
    fn each_run_stands_in_its_cells() {
        let svg = drawn("ab\u{1b}[31mc日\n x");
        for part in [
            "<text x=\"14.0\" y=\"57.5\" fill=\"#d5d9e0\" textLength=\"16.9\" lengthAdjust=\"spacingAndGlyphs\" \
             xml:space=\"preserve\">ab</text>",
            "<text x=\"30.9\" y=\"57.5\" fill=\"#f07178\" textLength=\"8.4\"",
            "<text x=\"39.3\" y=\"57.5\" fill=\"#f07178\" textLength=\"16.9\"",
            "<rect x=\"22.4\" y=\"62.0\" width=\"8.4\" height=\"18.0\" fill=\"#d5d9e0\" opacity=\"0.55\"/>",
            "<title>a &lt;b&gt;</title>",
        ] {
            assert!(svg.contains(part), "{part} is missing in {svg}");
        }
    }

    #[test]
    fn reversed_cells_are_filled_and_text_can_not_leave_its_element() {
        let svg = drawn("\u{1b}[7m<&\"\u{7}");
        assert!(svg.contains("height=\"18.0\" fill=\"#d5d9e0\"/>"), "{svg}");
        assert!(svg.contains("fill=\"#16191f\"") && svg.contains(">&lt;&amp;&quot;</text>"), "{svg}");
    }

    #[test]
    fn the_colours_of_the_palette_are_those_of_xterm() {
        let hex = |index| THEMES[1].hex(Colour::Indexed(index));
        assert_eq!(
            [hex(16), hex(231), hex(202), hex(232), hex(255)],
            ["#000000", "#ffffff", "#ff5f00", "#080808", "#eeeeee"]
        );
        assert_eq!(THEMES[1].hex(Colour::Rgb(1, 2, 255)), "#0102ff");
    }
}
