//! Frame → bytes.

use prost::Message as _;

use super::{CRC_BYTES, HEADER_MORE, PART_BODY_BYTES_MAX, lane_of};
use crate::wire::{Frame, frame::Kind};

/// Appends a frame of this kind, in as many parts as it needs; returns how many.
pub fn encode_kind(kind: Kind, out: &mut Vec<u8>) -> u64 {
    encode(&Frame { kind: Some(kind) }, out)
}

/// Appends the frame, in as many parts as it needs; returns how many. A frame without a kind is nothing.
pub fn encode(frame: &Frame, out: &mut Vec<u8>) -> u64 {
    let Some(kind) = &frame.kind else { return 0 };
    let lane = lane_of(kind) as u8;
    let length = frame.encoded_len();
    if length <= PART_BODY_BYTES_MAX {
        append_part(lane, length, out, |out| append_message(frame, out));
        return 1;
    }
    let body = frame.encode_to_vec();
    let parts = body.len().div_ceil(PART_BODY_BYTES_MAX);
    for (i, part) in body.chunks(PART_BODY_BYTES_MAX).enumerate() {
        let header = if i + 1 < parts { lane | HEADER_MORE } else { lane };
        append_part(header, part.len(), out, |out| out.extend_from_slice(part));
    }
    parts as u64
}

/// How many bytes a frame of this kind has on the wire.
pub fn wire_bytes(kind: &Kind) -> u64 {
    let length = kind.encoded_len();
    let of_part = |length: usize| {
        let counted = 1 + length + CRC_BYTES;
        (prost::length_delimiter_len(counted) + counted) as u64
    };
    let (full, rest) = (length / PART_BODY_BYTES_MAX, length % PART_BODY_BYTES_MAX);
    let last = if rest > 0 || full == 0 { of_part(rest) } else { 0 };
    full as u64 * of_part(PART_BODY_BYTES_MAX) + last
}

/// The first part of some encoded frames, and what follows it. The bytes are our own, so they are well formed.
pub fn first_part(encoded: &[u8]) -> (&[u8], &[u8]) {
    let (length, prefix) = read_length(encoded);
    encoded.split_at((prefix + length).min(encoded.len()))
}

/// How many parts stand in some encoded frames of our own.
pub fn count_parts(mut encoded: &[u8]) -> u64 {
    let mut parts = 0;
    while !encoded.is_empty() {
        encoded = first_part(encoded).1;
        parts += 1;
    }
    parts
}

fn append_part(header: u8, body_length: usize, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    append_length(1 + body_length + CRC_BYTES, out);
    out.push(header);
    body(out);
    let crc = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
}

fn append_message(frame: &Frame, out: &mut Vec<u8>) {
    // A Vec grows as needed, so encoding into it can't run out of room.
    if let Err(error) = frame.encode(out) {
        debug_assert!(false, "a Vec refused to grow: {error}");
    }
}

fn append_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn read_length(encoded: &[u8]) -> (usize, usize) {
    let mut length = 0;
    for (i, &byte) in encoded.iter().enumerate().take(3) {
        length |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return (length, i + 1);
        }
    }
    (length, encoded.len())
}
