//! Whatever happens to the bytes of a container, it gives a typed error or what was written.

use proptest::prelude::*;
use telecine_core::{Error as CoreError, Limits};
use telecine_format::{Container, Error, Result, StreamRow};

use crate::rows::{file_bytes, read_file_bytes, read_stream_bytes, small, stream_bytes};

/// Whether the rows were read, which must then be those that were written.
#[track_caller]
fn unharmed(read: Result<Vec<StreamRow>>, what: impl std::fmt::Display) -> bool {
    match read {
        Ok(rows) => {
            assert_eq!(rows, small(), "{what}");
            true
        }
        Err(Error::Core(CoreError::Corrupt(_) | CoreError::Limit { .. }))
        | Err(Error::NotThisFormat { .. } | Error::NewerVersion { .. }) => false,
        Err(other) => panic!("{what}: {other:?}"),
    }
}

#[test]
fn every_truncated_file_is_refused() {
    let bytes = file_bytes(&small());
    for length in 0..bytes.len() {
        assert!(
            !unharmed(read_file_bytes(&bytes[..length]), length),
            "cut to {length} of {} bytes",
            bytes.len()
        );
    }
}

#[test]
fn every_truncated_stream_is_refused() {
    let bytes = stream_bytes(&small());
    for length in 0..bytes.len() {
        assert!(
            !unharmed(read_stream_bytes(&bytes[..length]), length),
            "cut to {length} of {} bytes",
            bytes.len()
        );
    }
}

#[test]
fn every_flipped_bit_of_a_file_gives_an_error_or_the_right_rows() {
    let bytes = file_bytes(&small());
    let harmless = flip_all(&bytes, read_file_bytes);
    // Padding, the leading copy of the schema and unused parts of flatbuffers may change; the rest must not.
    assert!(harmless * 2 < bytes.len() * 8, "{harmless} of {} flipped bits changed nothing", bytes.len() * 8);
}

#[test]
fn every_flipped_bit_of_a_stream_gives_an_error_or_the_right_rows() {
    let bytes = stream_bytes(&small());
    let harmless = flip_all(&bytes, read_stream_bytes);
    assert!(harmless * 2 < bytes.len() * 8, "{harmless} of {} flipped bits changed nothing", bytes.len() * 8);
}

/// Number of bits that can be flipped without effect.
fn flip_all(bytes: &[u8], read: impl Fn(&[u8]) -> Result<Vec<StreamRow>>) -> usize {
    let mut changed = bytes.to_vec();
    let mut harmless = 0;
    for bit in 0..bytes.len() * 8 {
        changed[bit / 8] ^= 1 << (bit % 8);
        harmless +=
            usize::from(unharmed(read(&changed), format_args!("bit {} of byte {}", bit % 8, bit / 8)));
        changed[bit / 8] ^= 1 << (bit % 8);
    }
    harmless
}

/// One piece of damage: a place, how many bytes, and what becomes of them.
type Damage = (prop::sample::Index, usize, Change);

#[derive(Debug, Clone)]
enum Change {
    Fill(u8),
    Add(u8),
    Number(u64),
    CopyFrom(prop::sample::Index),
}

fn any_damage() -> impl Strategy<Value = Damage> {
    let change = prop_oneof![
        prop::sample::select(vec![0, 0xff, 0x7f]).prop_map(Change::Fill),
        any::<u8>().prop_map(Change::Add),
        (0u64..4096).prop_map(Change::Number),
        any::<prop::sample::Index>().prop_map(Change::CopyFrom),
    ];
    (any::<prop::sample::Index>(), prop::sample::select(vec![1, 2, 4, 8, 24, 64]), change)
}

fn damage(bytes: &mut [u8], (place, length, change): Damage) {
    let before = bytes.to_vec();
    // Numbers of a flatbuffer lie at multiples of their size.
    let start = place.index(bytes.len()) / length * length;
    let end = (start + length).min(bytes.len());
    let part = &mut bytes[start..end];
    match change {
        Change::Fill(byte) => part.fill(byte),
        Change::Add(step) => part.iter_mut().for_each(|byte| *byte = byte.wrapping_add(step)),
        Change::Number(number) => {
            part.iter_mut().zip(number.to_le_bytes()).for_each(|(byte, new)| *byte = new)
        }
        Change::CopyFrom(from) => {
            let from = from.index(before.len() - part.len());
            part.copy_from_slice(&before[from..from + part.len()]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn damage_of_any_kind_to_a_file_gives_an_error_or_the_right_rows(
        damages in prop::collection::vec(any_damage(), 1..5),
    ) {
        let mut bytes = file_bytes(&small());
        damages.into_iter().for_each(|one| damage(&mut bytes, one));
        unharmed(read_file_bytes(&bytes), "damaged");
    }

    #[test]
    fn damage_of_any_kind_to_a_stream_gives_an_error_or_rows_from_its_beginning(
        damages in prop::collection::vec(any_damage(), 1..5),
    ) {
        let mut bytes = stream_bytes(&small());
        damages.into_iter().for_each(|one| damage(&mut bytes, one));
        match read_stream_bytes(&bytes) {
            // Arrow ends a stream by a message of length 0, and so does zeroing the length of one.
            Ok(rows) => prop_assert!(small().starts_with(&rows), "{rows:?}"),
            error => prop_assert!(!unharmed(error, "damaged")),
        }
    }
}

#[test]
fn a_damaged_packet_harms_its_own_chunk_only_and_is_named() {
    let mut bytes = file_bytes(&small());
    let container = Container::from_bytes(bytes.clone(), &Limits::default()).unwrap();
    let packet = container.chunk(1).unwrap().packet.to_vec();
    let at = bytes.windows(packet.len()).position(|window| window == packet).unwrap();
    bytes[at] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("harmed.arrow");
    std::fs::write(&path, &bytes).unwrap();
    let container = Container::open(&path, &Limits::default()).unwrap();
    for row in [0, 2, 3, 4, 5] {
        container.chunk(row).unwrap();
    }
    let message = container.chunk(1).unwrap_err().to_string();
    for part in ["harmed.arrow", "row 1", "layers.0/weight", "chunk 1", "checksum"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_row_that_is_not_there_is_the_callers_mistake() {
    let container = Container::from_bytes(file_bytes(&small()), &Limits::default()).unwrap();
    for row in [6, u64::MAX] {
        assert!(matches!(container.chunk(row), Err(Error::Core(CoreError::Invalid(_)))), "{row}");
    }
}
