//! Frames survive the wire in any cut, and no bytes make the decoder panic or hold more than its bound.

use proptest::prelude::*;
use steadfast_proto::codec::{self, CodecError, Decoder};
use steadfast_proto::wire::{Ack, Entry, Message, Ping, Through, entry::What, frame::Kind};

fn entry(position: u64, body: Vec<u8>) -> Kind {
    let message = Message { body: body.into(), content_type: String::new() };
    Kind::Entry(Entry { position, room: 7, what: Some(What::Message(message)), ..Entry::default() })
}

fn kinds() -> impl Strategy<Value = Vec<Kind>> {
    let kind = prop_oneof![
        (any::<u64>(), proptest::collection::vec(any::<u8>(), 0..200)).prop_map(|(p, b)| entry(p, b)),
        (any::<u64>(), 16_000_usize..70_000).prop_map(|(p, n)| entry(p, vec![0x5a; n])),
        any::<u32>().prop_map(|number| Kind::Ping(Ping { number, ..Ping::default() })),
        any::<u64>().prop_map(|position| Kind::Through(Through { position, number: 0 })),
        any::<u64>().prop_map(|position| Kind::Ack(Ack { position, stream_bytes: position })),
    ];
    proptest::collection::vec(kind, 1..12)
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_however_the_bytes_are_cut(kinds in kinds(), cut in 1_usize..40_000) {
        let mut bytes = Vec::new();
        let mut parts = 0;
        for kind in &kinds {
            parts += codec::encode_kind(kind.clone(), &mut bytes);
        }
        prop_assert_eq!(codec::count_parts(&bytes), parts);
        prop_assert_eq!(kinds.iter().map(codec::wire_bytes).sum::<u64>(), bytes.len() as u64);
        let mut decoder = Decoder::default();
        let mut decoded = Vec::new();
        let mut wire_bytes = 0;
        for piece in bytes.chunks(cut) {
            decoder.push(piece);
            while let Some(received) = decoder.next_frame().expect("our own frames are good") {
                wire_bytes += received.wire_bytes;
                decoded.push(received.kind);
            }
        }
        prop_assert_eq!(decoded, kinds);
        prop_assert_eq!(wire_bytes, bytes.len() as u64);
        prop_assert!(!decoder.is_within_part());
    }

    #[test]
    fn any_bytes_end_in_a_value(bytes in proptest::collection::vec(any::<u8>(), 0..4_000)) {
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        while let Ok(Some(_)) = decoder.next_frame() {}
    }

    #[test]
    fn a_flipped_bit_is_never_taken_for_a_frame(
        body in proptest::collection::vec(any::<u8>(), 1..300),
        at in any::<usize>(),
    ) {
        let mut bytes = Vec::new();
        codec::encode_kind(entry(1, body), &mut bytes);
        let bit = at % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        prop_assert!(!matches!(decoder.next_frame(), Ok(Some(_))));
    }
}

fn decode(bytes: &[u8]) -> Result<Option<Kind>, CodecError> {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    Ok(decoder.next_frame()?.map(|received| received.kind))
}

/// A part with a right checksum around whatever stands in it.
fn sealed(length: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut bytes = [length, rest].concat();
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

#[test]
fn the_test_vector_of_the_protocol_document_holds() {
    let mut bytes = Vec::new();
    codec::encode_kind(Kind::Ack(Ack { position: 300, stream_bytes: 5 }), &mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "0c00220508ac021005e4ed1ee5");
    assert_eq!(decode(&bytes), Ok(Some(Kind::Ack(Ack { position: 300, stream_bytes: 5 }))));
}

#[test]
fn a_length_that_is_not_minimal_or_too_large_is_refused_before_its_body_comes() {
    assert_eq!(decode(&[0x80 | 12, 0x00]), Err(CodecError::BadLength));
    assert_eq!(decode(&[0x04]), Err(CodecError::BadLength));
    assert_eq!(decode(&[0xff, 0xff, 0x7f]), Err(CodecError::BadLength));
    assert_eq!(decode(&[0xff, 0xff, 0xff]), Err(CodecError::BadLength));
}

#[test]
fn an_unknown_kind_is_refused_by_its_number() {
    // Field 57, length-delimited, empty.
    assert_eq!(decode(&sealed(&[8], &[0, 0xca, 0x03, 0x00])), Err(CodecError::UnknownKind(57)));
}

#[test]
fn unknown_header_bits_and_wrong_lanes_are_refused() {
    assert_eq!(decode(&sealed(&[7], &[0b1000, 0x22, 0x00])), Err(CodecError::BadHeader(0b1000)));
    let wrong = decode(&sealed(&[7], &[1, 0x22, 0x00]));
    assert!(matches!(wrong, Err(CodecError::WrongLane { kind: "Ack", .. })), "{wrong:?}");
}

#[test]
fn parts_without_end_are_refused_at_the_frame_limit() {
    let mut decoder = Decoder::default();
    let body = vec![0_u8; codec::PART_BODY_BYTES_MAX];
    // 16,389 = header + body + checksum, as a varint.
    let part = sealed(&[0x85, 0x80, 0x01], &[&[0b101], &body[..]].concat());
    let mut outcome = Ok(None);
    for _ in 0..65 {
        decoder.push(&part);
        outcome = decoder.next_frame();
        if outcome.is_err() {
            break;
        }
    }
    assert_eq!(outcome, Err(CodecError::TooLarge));
}

#[test]
fn a_newer_peer_may_add_fields() {
    // Ack { position: 1 } with an extra field 99.
    let body = [0x22, 5, 0x08, 1, 0x98, 0x06, 7];
    let decoded = decode(&sealed(&[12], &[&[0], &body[..]].concat()));
    assert_eq!(decoded, Ok(Some(Kind::Ack(Ack { position: 1, stream_bytes: 0 }))));
}
