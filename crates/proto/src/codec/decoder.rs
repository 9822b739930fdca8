//! Bytes → frames, whatever the bytes are.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message as _;

use super::{
    CRC_BYTES, CodecError, FRAME_BODY_BYTES_MAX, HEADER_LANE, HEADER_MORE, Lane, PART_LENGTH_MAX, lane_of, name_of,
};
use crate::wire::{Frame, frame::Kind};

/// A whole frame, and where it stood on its link.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// What it says.
    pub kind: Kind,
    /// Parts received on this link before its last one.
    pub frames_before: u64,
    /// Bytes received on this link before its last part.
    pub bytes_before: u64,
    /// Its own bytes on the wire, all parts.
    pub wire_bytes: u64,
}

/// Takes bytes as they come and gives frames as they end. Holds nothing when nothing is half received.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    assembling: Option<Box<[Assembly; 4]>>,
    frames: u64,
    bytes: u64,
    assembled_bytes_max: u32,
}

#[derive(Debug, Default)]
struct Assembly {
    body: Vec<u8>,
    wire_bytes: u64,
}

/// One part, checked.
struct Part {
    lane: Lane,
    more: bool,
    body: Bytes,
    wire_bytes: u64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            buffer: BytesMut::new(),
            assembling: None,
            frames: 0,
            bytes: 0,
            assembled_bytes_max: FRAME_BODY_BYTES_MAX as u32,
        }
    }
}

impl Decoder {
    /// Takes what was read from the transport.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a frame has begun and not ended. Ask after [`next_frame`](Self::next_frame) gave `None`.
    pub fn is_within_part(&self) -> bool {
        !self.buffer.is_empty() || self.assembling.is_some()
    }

    /// Parts received so far.
    pub fn parts(&self) -> u64 {
        self.frames
    }

    /// Bytes received so far, of whole parts.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What all lanes together may hold half received.
    pub fn assembled_bytes_max(&self) -> u32 {
        self.assembled_bytes_max
    }

    /// What all lanes together may hold half received, from now on.
    pub fn set_assembled_bytes_max(&mut self, bytes_max: u32) {
        self.assembled_bytes_max = bytes_max;
    }

    /// The next whole frame. After an error the link is over: the bytes can't be trusted any more.
    pub fn next_frame(&mut self) -> Result<Option<Received>, CodecError> {
        while let Some(part) = self.next_part()? {
            let (frames_before, bytes_before) = (self.frames, self.bytes);
            self.frames += 1;
            self.bytes += part.wire_bytes;
            if let Some((lane, body, wire_bytes)) = self.assemble(part)? {
                let kind = decode_body(lane, body)?;
                return Ok(Some(Received { kind, frames_before, bytes_before, wire_bytes }));
            }
        }
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        Ok(None)
    }

    fn next_part(&mut self) -> Result<Option<Part>, CodecError> {
        let Some((length, prefix)) = read_length(&self.buffer)? else { return Ok(None) };
        let total = prefix + length;
        if self.buffer.len() < total {
            return Ok(None);
        }
        let mut part = self.buffer.split_to(total).freeze();
        let checked = total - CRC_BYTES;
        let crc = u32::from_le_bytes([part[checked], part[checked + 1], part[checked + 2], part[checked + 3]]);
        if crc32c::crc32c(&part[..checked]) != crc {
            return Err(CodecError::BadChecksum);
        }
        let header = part[prefix];
        if header & !(HEADER_LANE | HEADER_MORE) != 0 {
            return Err(CodecError::BadHeader(header));
        }
        part.truncate(checked);
        part.advance(prefix + 1);
        Ok(Some(Part {
            lane: Lane::from_header(header),
            more: header & HEADER_MORE != 0,
            body: part,
            wire_bytes: total as u64,
        }))
    }

    /// Gives the whole body once its last part is here.
    fn assemble(&mut self, part: Part) -> Result<Option<(Lane, Bytes, u64)>, CodecError> {
        if !part.more && self.assembling.is_none() {
            return Ok(Some((part.lane, part.body, part.wire_bytes)));
        }
        let assemblies = self.assembling.get_or_insert_with(Box::default);
        let held: usize = assemblies.iter().map(|assembly| assembly.body.len()).sum();
        if held + part.body.len() > self.assembled_bytes_max as usize {
            return Err(CodecError::TooLarge);
        }
        let assembly = &mut assemblies[part.lane as usize];
        // A part that says "more" and brings nothing would cost the receiver work without end.
        if part.more && part.body.is_empty() {
            return Err(CodecError::BadBody);
        }
        assembly.body.extend_from_slice(&part.body);
        assembly.wire_bytes += part.wire_bytes;
        if part.more {
            return Ok(None);
        }
        let whole = std::mem::take(assembly);
        if assemblies.iter().all(|a| a.body.is_empty()) {
            self.assembling = None;
        }
        Ok(Some((part.lane, whole.body.into(), whole.wire_bytes)))
    }
}

/// The length field and how many bytes it takes; `None` if it is not whole yet.
fn read_length(buffer: &[u8]) -> Result<Option<(usize, usize)>, CodecError> {
    let mut length = 0_usize;
    for i in 0..3 {
        let Some(&byte) = buffer.get(i) else { return Ok(None) };
        length |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            let minimal = byte != 0 || i == 0;
            let in_bounds = (1 + CRC_BYTES..=PART_LENGTH_MAX).contains(&length);
            return if minimal && in_bounds { Ok(Some((length, i + 1))) } else { Err(CodecError::BadLength) };
        }
    }
    Err(CodecError::BadLength)
}

fn decode_body(lane: Lane, body: Bytes) -> Result<Kind, CodecError> {
    let first_key = body.clone();
    let frame = Frame::decode(body).map_err(|_| CodecError::BadBody)?;
    let kind = frame.kind.ok_or_else(|| CodecError::UnknownKind(field_number(first_key)))?;
    if lane_of(&kind) != lane {
        return Err(CodecError::WrongLane { kind: name_of(&kind), lane });
    }
    Ok(kind)
}

/// The number of a body's first field: what a newer version would call the frame's kind. 0 if there is none.
fn field_number(mut body: Bytes) -> u32 {
    prost::encoding::decode_varint(&mut body).map_or(0, |key| u32::try_from(key >> 3).unwrap_or(u32::MAX))
}
