//! Rust source as the scanners see it: code and comments told apart, literals blanked, lines and offsets kept. Not a
//! parser: it knows enough of the language to match brackets, which is all that the scanners ask.

use std::ops::Range;

/// A source file, split into two texts of the original's shape.
pub(crate) struct RustSource {
    /// The code; comments and literals are spaces.
    pub(crate) code: String,
    /// The comments; all else is spaces.
    pub(crate) comments: String,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// Where its `fn` stands in the code.
    pub(crate) start: usize,
    /// From its `fn` to its closing brace.
    pub(crate) lines: usize,
}

impl RustSource {
    /// Splits a file. Text that is not Rust gives a split that means nothing, but never a panic.
    pub(crate) fn parse(text: &str) -> Self {
        let mut split = Self { code: String::with_capacity(text.len()), comments: String::with_capacity(text.len()) };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (kind, length) = next_piece(rest, first);
            let (piece, after) = rest.split_at(length);
            let (code, comments) = match kind {
                Piece::Code => (piece.to_owned(), blank(piece)),
                Piece::Comment => (blank(piece), piece.to_owned()),
                Piece::Literal => (blank(piece), blank(piece)),
            };
            split.code += &code;
            split.comments += &comments;
            rest = after;
        }
        split
    }

    /// The line, from 1, of an offset into the code or the comments.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        1 + self.code.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count()
    }

    /// Every function with a body, nested ones too, in order.
    pub(crate) fn functions(&self) -> Vec<Function> {
        words(&self.code).filter(|(_, word)| *word == "fn").filter_map(|(start, _)| self.function_at(start)).collect()
    }

    /// The bodies of the modules that exist under `cfg(test)` alone, attribute included.
    pub(crate) fn test_modules(&self) -> Vec<Range<usize>> {
        let attributes = attributes(&self.code);
        let tests = attributes.iter().filter(|attribute| {
            let text: String = self.code[(*attribute).clone()].split_whitespace().collect();
            text == "#[cfg(test)]" || text.starts_with("#[cfg(all(test,")
        });
        tests.filter_map(|attribute| Some(attribute.start..self.module_body(attribute.end)?.end)).collect()
    }

    /// The body of the inline module that starts at `offset`, attributes and visibility skipped; `None` if another item
    /// does.
    pub(crate) fn module_body(&self, offset: usize) -> Option<Range<usize>> {
        let mut item = self.code[offset..].trim_start();
        while item.starts_with("#[") {
            item = item[closing(item, 1)? + 1..].trim_start();
        }
        if let Some(visible) = item.strip_prefix("pub") {
            item = visible.trim_start();
            if item.starts_with('(') {
                item = item[closing(item, 0)? + 1..].trim_start();
            }
        }
        let named = item.strip_prefix("mod ")?.trim_start().trim_start_matches(is_word);
        let body = named.trim_start();
        if !body.starts_with('{') {
            return None;
        }
        let start = self.code.len() - body.len();
        Some(start..start + closing(body, 0)? + 1)
    }

    fn function_at(&self, start: usize) -> Option<Function> {
        let signature = self.code[start + "fn".len()..].trim_start();
        let name: String = signature.chars().take_while(|c| is_word(*c) || *c == '$').collect();
        if name.is_empty() {
            return None;
        }
        let offset = self.code.len() - signature.len();
        let mut depth = 0_usize;
        for (at, byte) in signature.bytes().enumerate() {
            match byte {
                b'(' | b'[' => depth += 1,
                b')' | b']' => depth = depth.saturating_sub(1),
                b';' if depth == 0 => return None,
                b'{' if depth == 0 => {
                    let end = offset + closing(signature, at)?;
                    return Some(Function { name, start, lines: self.line_of(end) - self.line_of(start) + 1 });
                }
                _ => {}
            }
        }
        None
    }
}

/// The attributes in masked code, inner ones too, from `#` to behind `]`.
pub(crate) fn attributes(code: &str) -> Vec<Range<usize>> {
    code.match_indices('#')
        .filter_map(|(start, _)| {
            let rest = &code[start..];
            let open = ["#[", "#!["].iter().find(|opening| rest.starts_with(**opening))?.len() - 1;
            Some(start..start + closing(rest, open)? + 1)
        })
        .collect()
}

/// The words (identifiers, keywords, numbers) of masked code with their offsets.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += code[at..].find(is_word)?;
        let start = at;
        at += code[start..].find(|c| !is_word(c)).unwrap_or(code.len() - start);
        Some((start, &code[start..at]))
    })
}

/// The offset of the bracket that closes the one at `open` in masked code.
pub(crate) fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

pub(crate) fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

enum Piece {
    Code,
    Comment,
    Literal,
}

/// The kind and length of what `rest`, not empty, starts with.
fn next_piece(rest: &str, first: char) -> (Piece, usize) {
    if rest.starts_with("//") {
        return (Piece::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Piece::Comment, block_comment(rest));
    }
    if let Some(length) = raw_string(rest) {
        return (Piece::Literal, length);
    }
    match first {
        '"' => (Piece::Literal, quoted(rest, b'"')),
        '\'' if is_char_literal(rest) => (Piece::Literal, quoted(rest, b'\'')),
        c if is_word(c) => (Piece::Code, rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
        c => (Piece::Code, c.len_utf8()),
    }
}

/// The length of a block comment; they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of a raw string of any kind, or `None` if `rest` does not start with one.
fn raw_string(rest: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"]
        .into_iter()
        .find(|prefix| rest.strip_prefix(prefix).is_some_and(|after| after.trim_start_matches('#').starts_with('"')))?;
    let open = rest.find('"')?;
    let end = format!("\"{}", "#".repeat(open - prefix.len()));
    Some(rest[open + 1..].find(&end).map_or(rest.len(), |found| open + 1 + found + end.len()))
}

/// The length of a literal between two `quote`s, in which a backslash takes the next byte along.
fn quoted(rest: &str, quote: u8) -> usize {
    let mut escaped = true; // the opening quote does not close
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            byte if byte == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Whether the apostrophe that `rest` starts with opens a character, not a lifetime.
fn is_char_literal(rest: &str) -> bool {
    let mut following = rest.chars().skip(1);
    match following.next() {
        Some('\\') => true,
        Some(_) => following.next() == Some('\''),
        None => false,
    }
}

/// As many bytes of spaces, line ends kept.
fn blank(piece: &str) -> String {
    piece.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        RustSource::parse(text).code
    }

    fn lengths(text: &str) -> Vec<(String, usize)> {
        RustSource::parse(text).functions().into_iter().map(|function| (function.name, function.lines)).collect()
    }

    #[test]
    fn comments_and_literals_leave_no_trace_in_the_code_and_offsets_stay() {
        for (text, expected) in [
            ("a // fn b\nc", "a        \nc"),
            ("a /* x /* y */ z */ b", "a                   b"),
            (r#"a("\" {", b)"#, "a(      , b)"),
            (r##"r#"a " b"# c"##, "           c"),
            ("br\"\\\" d", "      d"),
            (r"'{' '\'' x", "         x"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("\"ä\" b", "     b"),
            ("r#type", "r#type"),
        ] {
            assert_eq!(code(text), expected, "{text}");
            assert_eq!(code(text).len(), text.len(), "{text}");
        }
    }

    #[test]
    fn comments_are_kept_apart() {
        let split = RustSource::parse("let a = \"// no\"; // yes\n/* also */");
        assert_eq!(split.comments.split_whitespace().collect::<Vec<_>>(), ["//", "yes", "/*", "also", "*/"]);
    }

    #[test]
    fn text_that_ends_in_the_middle_of_something_is_no_panic() {
        for text in
            ["\"abc", "/* a /* b */", "r##\"a\"#", "'", "'\\", "fn", "fn a(", "fn a() {", "#[", "#[cfg(test)] mod", "}"]
        {
            let split = RustSource::parse(text);
            assert_eq!(split.functions(), [], "{text}");
            assert!(split.test_modules().is_empty(), "{text}");
        }
    }

    #[test]
    fn a_function_reaches_from_its_keyword_to_its_closing_brace() {
        let text = "fn one() {}\npub async fn two(\n    a: [u8; 4],\n) -> &'static str {\n    \"}\"\n}\n";
        assert_eq!(lengths(text), [("one".to_owned(), 1), ("two".to_owned(), 5)]);
    }

    #[test]
    fn only_functions_with_bodies_count() {
        assert_eq!(lengths("trait T { fn a(&self); fn b() {\n} }\ntype F = fn(u8) -> u8;"), [("b".to_owned(), 2)]);
    }

    #[test]
    fn a_nested_function_counts_for_itself_and_for_the_outer_one() {
        assert_eq!(lengths("fn a() {\n fn b() {\n }\n}"), [("a".to_owned(), 4), ("b".to_owned(), 2)]);
    }

    #[test]
    fn test_modules_are_those_with_a_body() {
        let module = |text: &str| RustSource::parse(text).test_modules();
        assert_eq!(module("x\n#[cfg(test)]\nmod tests { }\ny"), vec![Range { start: 2, end: 28 }]);
        assert_eq!(module("#[cfg(all(test, unix))]\n#[path = \"a\"]\npub(crate) mod a {}").len(), 1);
        assert!(module("#[cfg(test)]\nmod tests;").is_empty());
        assert!(module("#[cfg(test)]\nuse a::b;").is_empty());
        assert!(module("#[cfg(not(test))]\nmod a {}").is_empty());
    }
}
