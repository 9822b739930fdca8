//! A newer version of the protocol, as far as one of today can meet it: a higher version, features that nobody knows,
//! and new fields in its frames.

use prost::Message as _;
use prost::encoding::{decode_varint, encode_varint};
use steadfast_proto::codec::{Decoder, Lane, PART_BODY_BYTES_MAX, encode_kind, lane_of};
use steadfast_proto::wire::{Frame, frame::Kind};

/// Field 1000, a number: 5.
const NEW_FIELD: [u8; 3] = [0xc0, 0x3e, 5];
const CRC_BYTES: usize = 4;

/// Rewrites what one end of a line sends.
#[derive(Debug, Default)]
pub(super) struct Newer {
    decoder: Decoder,
    /// What it sent so far, as it stands on the line.
    frames: u64,
    bytes: u64,
}

impl Newer {
    /// What a newer end would have sent in place of this.
    pub(super) fn rewrite(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.decoder.push(bytes);
        while let Some(received) = self.decoder.next_frame().expect("our own frames can be decoded") {
            let mut kind = received.kind;
            match &mut kind {
                Kind::Hello(hello) => {
                    hello.version_max += 1;
                    hello.features |= 1 << 63;
                }
                Kind::Welcome(welcome) => welcome.features |= 1 << 63,
                Kind::Ping(ping) => (ping.frames_before, ping.bytes_before) = (self.frames, self.bytes),
                Kind::Pong(pong) => (pong.frames_before, pong.bytes_before) = (self.frames, self.bytes),
                _ => {}
            }
            let before = out.len();
            self.frames += encode_newer(kind, &mut out);
            self.bytes += (out.len() - before) as u64;
        }
        out
    }
}

/// The frame with a field that nobody knows yet in its message, and one beside it. Those of the entries lane stay as
/// they are: an `Ack` names bytes of it as both ends count them, and only one of them could be told of others.
fn encode_newer(kind: Kind, out: &mut Vec<u8>) -> u64 {
    if lane_of(&kind) == Lane::Entries {
        return encode_kind(kind, out);
    }
    let body = Frame { kind: Some(kind.clone()) }.encode_to_vec();
    let Some(body) = with_new_fields(&body).filter(|body| body.len() <= PART_BODY_BYTES_MAX) else {
        return encode_kind(kind, out);
    };
    let start = out.len();
    append_varint(1 + body.len() + CRC_BYTES, out);
    out.push(lane_of(&kind) as u8);
    out.extend_from_slice(&body);
    let crc = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
    1
}

/// <https://protobuf.dev/programming-guides/encoding/>: a key, a length, and the message.
fn with_new_fields(body: &[u8]) -> Option<Vec<u8>> {
    let mut rest = body;
    let key = decode_varint(&mut rest).ok()?;
    let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
    let message = rest.get(..length).filter(|_| rest.len() == length)?;
    let mut new = Vec::with_capacity(body.len() + 2 * NEW_FIELD.len() + 2);
    encode_varint(key, &mut new);
    append_varint(length + NEW_FIELD.len(), &mut new);
    new.extend_from_slice(message);
    new.extend_from_slice(&NEW_FIELD);
    new.extend_from_slice(&NEW_FIELD);
    Some(new)
}

fn append_varint(number: usize, out: &mut Vec<u8>) {
    encode_varint(number as u64, out);
}

#[cfg(test)]
mod tests {
    use steadfast_proto::wire::Ping;

    use super::*;

    #[test]
    fn a_newer_frame_is_longer_and_means_the_same_to_one_of_today() {
        let ping = Kind::Ping(Ping { number: 7, frames_before: 0, bytes_before: 0 });
        let mut ours = Vec::new();
        encode_kind(ping.clone(), &mut ours);
        let newer = Newer::default().rewrite(&ours);
        assert!(newer.len() > ours.len() + NEW_FIELD.len());
        let mut decoder = Decoder::default();
        decoder.push(&newer);
        assert_eq!(decoder.next_frame().expect("it can be decoded").map(|frame| frame.kind), Some(ping));
    }
}
