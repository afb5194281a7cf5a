//! Bases of KLT transforms in files: stored where a chunk names them, read where a chunk that is wanted does.

#![allow(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use telecine::{
    Backend, BackendInfo, Basis, Chain, Codec, CodecId, CoreError, DType, Decoder, Distortion, EncodeOptions,
    Encoder, Encoding, Error, FileWriter, GroupSpec, Limits, Reader, Registry, Target, TensorBuf, TensorMeta,
    Transform, TransformChoice, Unavailable, Writer, default_registry,
};
use telecine_native::Native;

/// A Householder reflection.
fn basis(cols: usize) -> Arc<Basis> {
    let v: Vec<f32> = (0..cols).map(|i| 1.0 + (i % 3) as f32).collect();
    let norm: f32 = v.iter().map(|x| x * x).sum();
    let entry =
        |at: usize| f32::from(u8::from(at / cols == at % cols)) - 2.0 * v[at / cols] * v[at % cols] / norm;
    Arc::new(Basis::new(cols, (0..cols * cols).map(entry).collect()).unwrap())
}

fn rotated(basis: &Arc<Basis>, target: Target) -> Encoding {
    let mut encoding = Encoding::new(target);
    encoding.transform = TransformChoice::Chain(Chain::new(vec![Transform::klt(basis.clone())]).unwrap());
    encoding.chunk_values = 1024;
    encoding.keep_small = false;
    encoding
}

fn noise(rows: u64, cols: u64) -> TensorBuf {
    let mut state = 1u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / 16_777_216.0 - 0.5
    };
    let values: Vec<f32> = (0..rows * cols).map(|_| uniform() + uniform() + uniform()).collect();
    TensorBuf::from_f32(&[rows, cols], &values).unwrap()
}

/// The native codec, which counts what it decodes.
#[derive(Debug)]
struct Watched {
    sound: Native,
    decoded: Arc<AtomicUsize>,
}

struct WatchedDecoder(Box<dyn Decoder>, Arc<AtomicUsize>);

impl Decoder for WatchedDecoder {
    fn decode(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<(), CoreError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.decode(packet, samples)
    }
}

impl Backend for Watched {
    fn info(&self) -> &BackendInfo {
        self.sound.info()
    }

    fn probe(&self) -> Result<(), Unavailable> {
        self.sound.probe()
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>, CoreError> {
        self.sound.encoder(spec, options)
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>, CoreError> {
        Ok(Box::new(WatchedDecoder(self.sound.decoder(spec)?, self.decoded.clone())))
    }
}

fn watched() -> (Registry, Arc<AtomicUsize>) {
    let decoded = Arc::new(AtomicUsize::new(0));
    let mut registry = Registry::new();
    registry.register(Arc::new(Watched { sound: Native::default(), decoded: decoded.clone() })).unwrap();
    (registry, decoded)
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("klt.arrow");
    (folder, path)
}

#[test]
fn a_basis_that_the_first_chunks_do_without_is_stored_all_the_same() {
    let (_folder, path) = file();
    let (registry, _) = watched();
    let basis = basis(16);
    let mut tensor = noise(64 * 130, 16);
    // The first of 130 chunks is zeros, which need no basis.
    tensor.bytes[..64 * 16 * 4].fill(0);
    let mut writer = Writer::create(&path, false, &registry).unwrap();
    let report = writer.add("late", &tensor.view().unwrap(), &rotated(&basis, Target::Nmse(1e-3))).unwrap();
    assert!(report.nmse <= 1e-3, "{report:?}");
    writer.add("bias", &noise(1, 16).view().unwrap(), &Encoding::new(Target::Lossless)).unwrap();
    writer.finish().unwrap();
    let reader = Reader::open(&path, &registry, &Limits::default()).unwrap();
    let entry = reader.entry("late").unwrap();
    let klt = format!("klt@1({:016x})", basis.id());
    assert_eq!(entry.transforms, ["none", &*klt], "this tests nothing");
    let back = reader.read("late").unwrap();
    assert!(Distortion::measure(DType::F32, &tensor.bytes, &back.bytes).nmse() <= 1e-3);
}

#[test]
fn a_basis_that_no_chunk_names_is_not_stored() {
    let (_folder, path) = file();
    let registry = default_registry();
    let mut encoding = Encoding::new(Target::Lossless);
    encoding.bases = vec![basis(16)];
    let mut writer = Writer::create(&path, false, &registry).unwrap();
    writer.add("exact", &noise(64, 16).view().unwrap(), &encoding).unwrap();
    writer.finish().unwrap();
    let reader = Reader::open(&path, &registry, &Limits::default()).unwrap();
    assert_eq!(reader.container().tensors().len(), 1);
}

/// A file with a tensor behind a basis, and one without; the basis is what `stored` makes of it.
fn with_basis(path: &std::path::Path, stored: &TensorBuf) {
    let codec = Codec::new();
    let basis = basis(16);
    let mut file = FileWriter::create(path, false).unwrap();
    let mut put = |name: String, tensor: &TensorBuf, encoding: &Encoding| {
        let mut encoding = encoding.clone();
        encoding.codec = Some(CodecId::NATIVE);
        let encoded = codec.encode(&tensor.view().unwrap(), &encoding).unwrap();
        let meta = TensorMeta::new(name, tensor.dtype, tensor.shape.clone());
        for chunk in &encoded.chunks {
            file.write(&meta, "any", chunk).unwrap();
        }
    };
    put("rotated".into(), &noise(640, 16), &rotated(&basis, Target::Step(0.01)));
    put("bias".into(), &noise(1, 16), &Encoding::new(Target::Lossless));
    put(format!("telecine:klt/{:016x}", basis.id()), stored, &Encoding::new(Target::Lossless));
    file.finish().unwrap();
}

#[test]
fn what_is_wrong_with_a_basis_concerns_only_what_names_it() {
    let other = basis(17).stored().unwrap();
    let zeros = TensorBuf { dtype: DType::I8, shape: vec![2, 16], bytes: vec![0; 32] };
    let vector = TensorBuf { dtype: DType::F32, shape: vec![256], bytes: vec![0; 1024] };
    for stored in [&other, &zeros, &vector] {
        let (_folder, path) = file();
        with_basis(&path, stored);
        let registry = default_registry();
        let reader = Reader::open(&path, &registry, &Limits::default()).unwrap();
        assert_eq!(reader.read("bias").unwrap(), noise(1, 16));
        reader.verify("bias").unwrap();
        for error in [
            reader.read("rotated").unwrap_err(),
            reader.verify("rotated").unwrap_err(),
            reader.encoded("rotated").unwrap_err(),
        ] {
            assert!(matches!(&error, Error::Core(CoreError::Corrupt(_))), "{error:?}");
            assert!(error.to_string().contains("telecine:klt/"), "{error}");
        }
    }
}

#[test]
fn a_basis_is_read_once_and_kept_within_the_limits() {
    let (_folder, path) = file();
    with_basis(&path, &basis(16).stored().unwrap());
    let (registry, decoded) = watched();
    let reads = |limits: &Limits| {
        let reader = Reader::open(&path, &registry, limits).unwrap();
        let count = || {
            decoded.store(0, Ordering::SeqCst);
            reader.read("rotated").unwrap();
            decoded.load(Ordering::SeqCst)
        };
        (count(), count())
    };
    let (first, second) = reads(&Limits::DEFAULT);
    assert_eq!((first, second), (second + 1, 10));
    let mut few = Limits::DEFAULT;
    few.basis_values = 256;
    assert_eq!(reads(&few), (first, second));
    few.basis_values = 255;
    let reader = Reader::open(&path, &registry, &few).unwrap();
    let error = reader.read("rotated").unwrap_err();
    assert!(matches!(error, Error::Core(CoreError::Limit { .. })), "{error:?}");
    assert!(reader.read("bias").is_ok());
}

#[test]
fn a_codec_decodes_within_its_own_limits() {
    let mut few = Limits::DEFAULT;
    few.chunk_values = 1023;
    let tensor = noise(640, 16);
    let codec = Codec::new();
    let encoded = codec.encode(&tensor.view().unwrap(), &rotated(&basis(16), Target::Step(0.01))).unwrap();
    assert!(codec.decode(&encoded).is_ok());
    let codec = codec.with_limits(few);
    let error = codec.decode(&encoded).unwrap_err();
    assert!(matches!(error, Error::Core(CoreError::Limit { .. })), "{error:?}");
    few.chunk_values = 1024;
    assert!(codec.with_limits(few).decode(&encoded).is_ok());
    assert_eq!(encoded.chunks[0].codec, CodecId::NATIVE);
}

/// Found by fuzzing: the grid's scale was infinite, and what was written could not be read.
#[test]
fn what_a_transform_leads_out_of_range_is_refused_or_comes_back() {
    let codec = Codec::new();
    let tensor = TensorBuf::from_f32(&[64, 128], &[3e38; 64 * 128]).unwrap();
    for target in [Target::Step(1e36), Target::Nmse(0.01), Target::Bits(3.0)] {
        let mut encoding = Encoding::new(target);
        let spread = Transform::hadamard(128, 0).unwrap();
        encoding.transform = TransformChoice::Chain(Chain::new(vec![spread]).unwrap());
        match codec.encode(&tensor.view().unwrap(), &encoding) {
            Ok(encoded) => assert_eq!(codec.decode(&encoded).unwrap().shape, tensor.shape),
            Err(error) => assert!(matches!(error, Error::Core(CoreError::Unsupported(_))), "{error:?}"),
        }
    }
}
