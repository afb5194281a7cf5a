//! Packets of the codecs.

use telecine::{Backend, Effort, EncodeOptions, GroupSpec, Limits, Pick, Quality, Role, default_registry};

use crate::index::{Index, hash};
use crate::signal::samples;

/// A packet, and how it came about.
struct Packet {
    /// The feature of the bitstream; its extension is the codec.
    file: &'static str,
    spec: GroupSpec,
    samples: Vec<u16>,
    effort: Effort,
    /// Whether the bytes of the packet have the feature.
    exercises: fn(&[u8]) -> bool,
}

/// All packets; more may follow, none may change.
fn packets() -> Vec<Packet> {
    let packet = |file, (spec, samples), effort, exercises| Packet { file, spec, samples, effort, exercises };
    let is_zstd: fn(&[u8]) -> bool = |bytes| bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let fast = Effort::Fast;
    // A constant group is one block of one byte and its count.
    let constant = |depth| {
        let (spec, mut group) = samples(1, 24, 32, depth);
        group.fill(spec.mid_sample() + 3);
        (spec, group)
    };
    vec![
        packet("one-byte-samples.raw0", samples(1, 8, 12, 8), fast, |bytes| bytes.len() == 96),
        packet("two-byte-samples.raw0", samples(1, 8, 12, 10), fast, |bytes| bytes.len() == 192),
        packet("depth-16.raw0", samples(1, 5, 7, 16), fast, |bytes| bytes.len() == 70),
        packet("frames.raw0", samples(3, 4, 5, 12), fast, |bytes| bytes.len() == 120),
        packet("one-byte-samples.zstd", samples(1, 24, 32, 8), fast, is_zstd),
        packet("two-byte-planes.zstd", samples(1, 24, 32, 12), Effort::Balanced, is_zstd),
        packet("depth-16.zstd", samples(1, 24, 32, 16), Effort::Best, is_zstd),
        packet("frames.zstd", samples(3, 12, 16, 10), Effort::Balanced, is_zstd),
        packet("constant.zstd", constant(8), Effort::Balanced, |bytes| bytes.len() < 24),
    ]
}

/// The backend of a file's codec.
fn backend(file: &str, role: Role) -> std::sync::Arc<dyn Backend> {
    let codec = file.rsplit('.').next().unwrap();
    let codec = telecine::CodecId::parse(codec).unwrap();
    default_registry().find(codec, role, Pick::Auto).unwrap().backend
}

fn decode(file: &str, spec: GroupSpec, packet: &[u8]) -> Vec<u16> {
    let mut samples = vec![0x5aa5; spec.samples()];
    backend(file, Role::Decode).decoder(spec).unwrap().decode(packet, &mut samples).unwrap();
    samples
}

fn hash_of(samples: &[u16]) -> String {
    hash(&samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<_>>())
}

fn largest_error(a: &[u16], b: &[u16]) -> u16 {
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

/// Columns: file, its checksum, frames, height, width, depth, checksum of the little-endian samples, tolerance in sample
/// units.
const COLUMNS: usize = 8;

#[test]
fn every_packet_decodes_as_it_always_did() {
    let index = Index::read("packets", COLUMNS);
    index.check_files();
    let packets = packets();
    assert_eq!(index.lines().len(), packets.len(), "packets without a file: `add` writes them");
    for line in index.lines() {
        let file = &*line[0];
        let packet = packets.iter().find(|packet| packet.file == file).unwrap();
        let [frames, height, width, depth] = [2, 3, 4, 5].map(|at| line[at].parse::<u32>().unwrap());
        let spec = GroupSpec::new(frames, height, width, depth as u8, &Limits::default()).unwrap();
        assert_eq!(packet.spec, spec, "{file}");
        let bytes = index.bytes(line);
        assert!((packet.exercises)(&bytes), "{file} does not exercise its feature");
        let samples = decode(file, spec, &bytes);
        assert_eq!(hash_of(&samples), line[6], "{file}");
        assert!(largest_error(&samples, &packet.samples) <= line[7].parse().unwrap(), "{file}");
    }
}

/// Writes the packets that are missing.
pub(crate) fn add() {
    let mut index = Index::read("packets", COLUMNS);
    for Packet { file, spec, samples, effort, exercises } in packets() {
        let path = index.path(file);
        assert_eq!(index.lists(file), path.exists(), "{file} has only one of file and line in the index");
        if path.exists() {
            continue;
        }
        let mut bytes = Vec::new();
        let mut encoder =
            backend(file, Role::Encode).encoder(spec, &EncodeOptions::with_effort(effort)).unwrap();
        encoder.encode(&samples, Quality::Lossless, &mut bytes).unwrap();
        assert!(exercises(&bytes), "{file} does not exercise its feature");
        let decoded = decode(file, spec, &bytes);
        let GroupSpec { frames, height, width, depth, .. } = spec;
        let numbers = [frames, height, width, u32::from(depth)].map(|number| number.to_string());
        let tail = [hash_of(&decoded), largest_error(&decoded, &samples).to_string()];
        std::fs::write(&path, &bytes).unwrap();
        index.add(vec![[&[file.to_owned(), hash(&bytes)][..], &numbers, &tail].concat()]);
        println!("{}: {} bytes", path.display(), bytes.len());
    }
}
