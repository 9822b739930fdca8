//! The looks. Only the sixteen colours of the terminal and attributes, so that the person's own theme rules, light or
//! dark; and nothing is told by colour alone.

use ratatui::style::{Color, Modifier, Style};

/// Colours for names: those that can be read on both light and dark ground.
const NAMES: [Color; 5] = [Color::Red, Color::Green, Color::Blue, Color::Magenta, Color::Cyan];

/// Styles by what they are for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    colour: bool,
}

impl Palette {
    pub(crate) fn new(colour: bool) -> Self {
        Self { colour }
    }

    fn with(self, colour: Color, modifier: Modifier) -> Style {
        let style = Style::new().add_modifier(modifier);
        if self.colour { style.fg(colour) } else { style }
    }

    /// A name, always in the same colour.
    pub(crate) fn name(self, name: &str, own: bool) -> Style {
        let colour = NAMES[usize::from(hash(name)) % NAMES.len()];
        if own { Style::new().add_modifier(Modifier::BOLD) } else { self.with(colour, Modifier::empty()) }
    }

    /// What stands behind the words: times, rules, comings and goings.
    pub(crate) fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(crate) fn mention(self) -> Style {
        self.with(Color::Yellow, Modifier::BOLD | Modifier::REVERSED)
    }

    pub(crate) fn new_line(self) -> Style {
        self.with(Color::Red, Modifier::BOLD)
    }

    pub(crate) fn error(self) -> Style {
        self.with(Color::Red, Modifier::BOLD)
    }

    pub(crate) fn answer(self) -> Style {
        self.with(Color::Cyan, Modifier::empty())
    }

    pub(crate) fn waiting(self) -> Style {
        self.with(Color::Magenta, Modifier::empty())
    }

    pub(crate) fn stored(self) -> Style {
        self.with(Color::Green, Modifier::empty())
    }

    /// The bars above and below the messages.
    pub(crate) fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(crate) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    pub(crate) fn unread(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }
}

/// FNV-1a over the folded name, so that a name has its colour on every machine.
fn hash(name: &str) -> u8 {
    let folded = steadfast_proto::names::folded(name).unwrap_or_else(|_| name.to_lowercase());
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = folded.bytes().fold(0x811c_9dc5, step);
    let folded = hash ^ (hash >> 16);
    (folded ^ (folded >> 8)).to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_colour_in_every_spelling() {
        let palette = Palette::new(true);
        assert_eq!(palette.name("Zoë", false), palette.name("zoe\u{308}", false));
        let colours: std::collections::BTreeSet<u8> =
            ["ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal"].iter().map(|name| hash(name) % 6).collect();
        assert!(colours.len() >= 3, "{colours:?}");
    }

    #[test]
    fn without_colours_there_are_none() {
        let palette = Palette::new(false);
        let styles = [palette.name("ann", false), palette.mention(), palette.error(), palette.answer()];
        assert!(styles.iter().all(|style| style.fg.is_none() && style.bg.is_none()));
    }
}
