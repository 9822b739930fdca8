//! Frames as bytes: length, header, protobuf body, CRC-32C. See PROTOCOL.md, "Frames".

mod decoder;
mod encoder;
mod lane;

pub use decoder::{Decoder, Received};
pub use encoder::{count_parts, encode, encode_kind, first_part, wire_bytes};
pub use lane::{Lane, lane_of, name_of};

/// The most body bytes one part carries on the wire; a longer body goes in several parts.
pub const PART_BODY_BYTES_MAX: usize = 16 * 1024;

/// The most body bytes a frame may have once its parts are put together.
pub const FRAME_BODY_BYTES_MAX: usize = 1024 * 1024;

/// The bytes of the checksum at the end of each part.
const CRC_BYTES: usize = 4;

/// The largest value of a part's length field: header, body and checksum.
const PART_LENGTH_MAX: usize = 1 + PART_BODY_BYTES_MAX + CRC_BYTES;

/// Header bits: the lane, and whether another part of the same body follows on that lane.
const HEADER_LANE: u8 = 0b0000_0011;
const HEADER_MORE: u8 = 0b0000_0100;

/// What is wrong with the bytes of a peer. Each of these ends the link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The length field is not a minimal varint, or says more than a part may have.
    #[error("a frame's length is out of bounds or not minimal")]
    BadLength,
    /// A header bit is set that version 1 does not know.
    #[error("a frame's header has unknown bits: {0:#010b}")]
    BadHeader(u8),
    /// The checksum does not match.
    #[error("a frame's checksum is wrong")]
    BadChecksum,
    /// The parts of a body add up to more than [`FRAME_BODY_BYTES_MAX`].
    #[error("a frame is larger than {FRAME_BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// The body is not the protobuf that it should be.
    #[error("a frame's body can't be decoded")]
    BadBody,
    /// The body holds a kind of frame that this version does not know.
    #[error("frame kind {0} is unknown")]
    UnknownKind(u32),
    /// The kind belongs on another lane.
    #[error("a {kind} frame came on lane {lane:?}")]
    WrongLane {
        /// The frame's name.
        kind: &'static str,
        /// Where it came.
        lane: Lane,
    },
}
