//! The decoder against a naive one: whatever the bytes, and however they are cut, it gives the same frames and ends
//! with the same error, holds no more than its bound, and what it accepted means the same once it is encoded again.

use prost::Message as _;
use steadfast_proto::codec::{self, CodecError, Decoder, Lane, Received, lane_of, name_of};
use steadfast_proto::wire::{Frame, frame::Kind};

use crate::script::Script;
use crate::speech::{self, Standing, bytes_of, sealed};

/// What a part has on the wire at most: length, header, body, checksum.
const PART_BYTES_MAX: usize = 3 + 1 + codec::PART_BODY_BYTES_MAX + 4;

/// Plays an input.
pub fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let assembled_bytes_max = script.one_of(&[1 << 20, 16_384, 131_072, 67_584]);
    let mut cuts = Cuts { state: script.byte().into(), most: script.one_of(&[1, 7, 300, 16_389, 1 << 20]) };
    let bytes = stream(&mut script);
    let expected = naive(&bytes, assembled_bytes_max);

    let mut decoder = Decoder::default();
    decoder.set_assembled_bytes_max(assembled_bytes_max as u32);
    let (mut rest, mut pushed) = (&bytes[..], 0);
    let mut found = Vec::new();
    let error = 'link: loop {
        loop {
            match decoder.next_frame() {
                Ok(Some(received)) => found.push(received),
                Ok(None) => break,
                Err(error) => break 'link Some(error),
            }
        }
        let held = pushed - decoder.bytes() as usize;
        assert!(held < PART_BYTES_MAX, "{held} bytes are held that are no whole part");
        if rest.is_empty() {
            break None;
        }
        let (piece, later) = rest.split_at(cuts.next().min(rest.len()));
        decoder.push(piece);
        pushed += piece.len();
        rest = later;
    };
    assert_eq!((&found, &error), (&expected.frames, &expected.error));
    if error.is_none() {
        assert_eq!(decoder.is_within_part(), expected.is_within_part);
    }
    for received in found {
        means_the_same(received.kind, received.wire_bytes);
    }
}

/// A frame that was accepted, said again.
fn means_the_same(kind: Kind, wire_bytes: u64) {
    let mut decoder = Decoder::default();
    let bytes = bytes_of(kind.clone());
    assert_eq!(codec::wire_bytes(&kind), bytes.len() as u64);
    // A negative number of an enum may come in five bytes and is said in ten.
    assert!(bytes.len() as u64 <= 2 * wire_bytes, "it is longer than it came");
    decoder.set_assembled_bytes_max(2 << 20);
    decoder.push(&bytes);
    let again = decoder.next_frame().expect("our own frames are good").expect("a whole frame");
    assert_eq!((again.kind, again.wire_bytes), (kind, bytes.len() as u64));
    assert!(!decoder.is_within_part());
}

/// Where a stream of bytes is cut.
struct Cuts {
    state: u64,
    most: usize,
}

impl Cuts {
    fn next(&mut self) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1 + (self.state >> 33) as usize % self.most
    }
}

/// Bytes that are parts, frames, or neither.
fn stream(script: &mut Script<'_>) -> Vec<u8> {
    const STREAM_BYTES_MAX: usize = 3 << 20;
    let mut bytes = Vec::new();
    while !script.is_over() && bytes.len() < STREAM_BYTES_MAX {
        match script.below(8) {
            0 => bytes.extend_from_slice(script.bytes(64)),
            1 | 2 => bytes.extend_from_slice(&sealed(script.below(8) as u8, script.bytes(200))),
            3 => {
                // Long ones, of which one body is made.
                let header = script.below(16) as u8;
                let part = sealed(header, &vec![script.byte(); script.one_of(&[0, 1, 16_383, 16_384, 16_385])]);
                (0..script.below(70)).for_each(|_| bytes.extend_from_slice(&part));
            }
            4 => {
                // A good body on any lane, in parts of any length.
                let body = Frame { kind: Some(speech::any(script, &Nowhere, true)) }.encode_to_vec();
                let (lane, length) = (script.below(4) as u8, 1 + script.below(codec::PART_BODY_BYTES_MAX));
                let parts = body.len().div_ceil(length);
                for (i, part) in body.chunks(length).enumerate() {
                    bytes.extend_from_slice(&sealed(lane | if i + 1 < parts { 4 } else { 0 }, part));
                }
            }
            5 => bytes.extend_from_slice(script.rest()),
            _ => {
                let server = script.once_in(2);
                bytes.extend_from_slice(&bytes_of(speech::any(script, &Nowhere, server)));
            }
        }
    }
    bytes
}

/// Who speaks of nothing in particular.
struct Nowhere;

impl Standing for Nowhere {
    fn position(&self) -> u64 {
        9
    }
    fn room_sequence(&self, _: u64) -> u64 {
        4
    }
    fn operation(&self) -> u64 {
        3
    }
    fn ids(&self) -> &[u64] {
        &[]
    }
}

struct Naive {
    frames: Vec<Received>,
    error: Option<CodecError>,
    is_within_part: bool,
}

/// PROTOCOL.md, "Frames", read aloud.
fn naive(bytes: &[u8], assembled_bytes_max: usize) -> Naive {
    let mut bodies: [(Vec<u8>, u64); 4] = Default::default();
    let (mut at, mut parts) = (0, 0);
    let mut frames = Vec::new();
    let ended = loop {
        match part(&bytes[at..]) {
            Ok(None) => break None,
            Ok(Some((length, header, body))) => {
                let lane = Lane::ALL[usize::from(header & 3)];
                match take(&mut bodies, lane, header, length, body, assembled_bytes_max) {
                    Ok(None) => {}
                    Ok(Some((kind, wire_bytes))) => {
                        frames.push(Received { kind, frames_before: parts, bytes_before: at as u64, wire_bytes });
                    }
                    Err(error) => break Some(error),
                }
                at += length;
                parts += 1;
            }
            Err(error) => break Some(error),
        }
    };
    let half = bodies.iter().any(|(body, _)| !body.is_empty());
    Naive { frames, error: ended, is_within_part: half || at < bytes.len() }
}

/// How long a part is, its header and its body.
type Part<'b> = (usize, u8, &'b [u8]);

/// The part that these bytes begin with; `None` if it is not whole.
fn part(bytes: &[u8]) -> Result<Option<Part<'_>>, CodecError> {
    let (mut length, mut prefix) = (0, 0);
    loop {
        let Some(&byte) = bytes.get(prefix) else { return Ok(None) };
        length |= usize::from(byte & 0x7f) << (7 * prefix);
        prefix += 1;
        if byte < 0x80 {
            if byte == 0 && prefix > 1 || !(5..=16_389).contains(&length) {
                return Err(CodecError::BadLength);
            }
            break;
        }
        if prefix == 3 {
            return Err(CodecError::BadLength);
        }
    }
    let Some(whole) = bytes.get(..prefix + length) else { return Ok(None) };
    let (checked, crc) = whole.split_at(whole.len() - 4);
    if crc32c::crc32c(checked).to_le_bytes() != crc {
        return Err(CodecError::BadChecksum);
    }
    let header = checked[prefix];
    if header > 7 {
        return Err(CodecError::BadHeader(header));
    }
    Ok(Some((whole.len(), header, &checked[prefix + 1..])))
}

fn take(
    bodies: &mut [(Vec<u8>, u64); 4],
    lane: Lane,
    header: u8,
    length: usize,
    body: &[u8],
    assembled_bytes_max: usize,
) -> Result<Option<(Kind, u64)>, CodecError> {
    let (more, held) = (header & 4 != 0, bodies.iter().map(|(body, _)| body.len()).sum::<usize>());
    // A frame of one part is bounded by that while no other is half there.
    if (more || held > 0) && held + body.len() > assembled_bytes_max {
        return Err(CodecError::TooLarge);
    }
    if more && body.is_empty() {
        return Err(CodecError::BadBody);
    }
    let (whole, wire_bytes) = &mut bodies[lane as usize];
    whole.extend_from_slice(body);
    *wire_bytes += length as u64;
    if more {
        return Ok(None);
    }
    let (whole, wire_bytes) = std::mem::take(&mut bodies[lane as usize]);
    let frame = Frame::decode(&whole[..]).map_err(|_| CodecError::BadBody)?;
    let Some(kind) = frame.kind else { return Err(CodecError::UnknownKind(first_number(&whole))) };
    if lane_of(&kind) != lane {
        return Err(CodecError::WrongLane { kind: name_of(&kind), lane });
    }
    Ok(Some((kind, wire_bytes)))
}

/// The number of a body's first field; 0 if there is none.
fn first_number(mut body: &[u8]) -> u32 {
    let key = prost::encoding::decode_varint(&mut body);
    key.map_or(0, |key| u32::try_from(key >> 3).unwrap_or(u32::MAX))
}
