//! Reading PROTOCOL.md: its sections, tables and vectors.

use steadfast_proto::codec::{self, CodecError, Decoder};
use steadfast_proto::wire::frame::Kind;

pub(crate) const DOCUMENT: &str = include_str!("../../../../PROTOCOL.md");

pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) meaning: String,
    pub(crate) bytes: Vec<u8>,
}

/// The text below a heading, to the next one.
pub(crate) fn section(heading: &str) -> impl Iterator<Item = &'static str> {
    let is_heading = |line: &&str| line.starts_with("## ") || line.starts_with("### ");
    let mut lines = DOCUMENT.lines();
    let found = lines.find(|line| is_heading(line) && line.trim_start_matches('#').trim() == heading);
    assert!(found.is_some(), "the document has no section {heading:?}");
    lines.take_while(move |line| !is_heading(line))
}

/// The rows of the tables of a section, without their heads.
pub(crate) fn table(heading: &str) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in section(heading).filter(|line| line.starts_with('|')) {
        if line.starts_with("|---") {
            rows.pop();
            continue;
        }
        let cells = line.trim_matches('|').split(" | ");
        rows.push(cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect());
    }
    rows
}

/// The last fenced block of a section.
pub(crate) fn block(heading: &str) -> String {
    let lines: Vec<&str> = section(heading).collect();
    let fences: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].starts_with("```")).collect();
    let [.., open, close] = fences[..] else { panic!("{heading:?} has no block") };
    lines[open + 1..close].join("\n")
}

/// `name = meaning`, with more meaning and then the bytes on lines of their own; those of the bytes are indented.
pub(crate) fn vectors(heading: &str) -> Vec<Vector> {
    let mut vectors: Vec<Vector> = Vec::new();
    for line in block(heading).lines() {
        match (line.strip_prefix("    "), line.split_once(" = "), vectors.last_mut()) {
            (Some(hex), _, Some(vector)) => vector.bytes.extend(from_hex(hex)),
            (None, Some((name, meaning)), _) => {
                vectors.push(Vector { name: name.to_owned(), meaning: meaning.to_owned(), bytes: Vec::new() });
            }
            (None, None, Some(vector)) => vector.meaning.push_str(line),
            (Some(_), _, None) | (None, None, None) => panic!("bytes without a name: {line}"),
        }
    }
    vectors
}

pub(crate) fn number(text: &str) -> u64 {
    text.replace([',', '_'], "").parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

/// With a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", grouped(number / 1_000), number % 1_000) }
}

pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let byte = |byte| u8::from_str_radix(byte, 16).unwrap_or_else(|_| panic!("{byte:?} is no byte"));
    text.split_whitespace().map(byte).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

pub(crate) fn error_named(meaning: &str) -> &str {
    meaning.split_once(':').expect("a malformed vector names its error").0
}

pub(crate) fn name_of_error(error: &CodecError) -> &'static str {
    match error {
        CodecError::BadLength => "BadLength",
        CodecError::BadHeader(_) => "BadHeader",
        CodecError::BadChecksum => "BadChecksum",
        CodecError::TooLarge => "TooLarge",
        CodecError::BadBody => "BadBody",
        CodecError::UnknownKind(_) => "UnknownKind",
        CodecError::WrongLane { .. } => "WrongLane",
    }
}

pub(crate) fn encode(kind: Kind) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode_kind(kind, &mut bytes);
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Kind>, CodecError> {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    let kind = decoder.next_frame()?.map(|received| received.kind);
    assert!(!decoder.is_within_part(), "the vector is whole");
    Ok(kind)
}
