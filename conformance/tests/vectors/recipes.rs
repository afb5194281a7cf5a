//! The containers: one for each feature of `format/SPEC.md`, and how it came about.
//!
//! Their packets are those of `zstd` and `raw0`, whose bitstreams are settled, except where the feature is another codec.

use std::sync::Arc;

use telecine::{
    Basis, Chain, CodecId, CodedChunk, DType, Encoding, Importance, Target, TensorBuf, Transform,
    TransformChoice,
};

use crate::signal::{bits, normal};

/// A container and how it came about.
pub(crate) struct Recipe {
    /// The feature; `.arrow` for a file, `.arrows` for a stream.
    pub(crate) file: &'static str,
    pub(crate) tensors: Vec<Made>,
    /// Whether the chunks of all tensors have the feature.
    pub(crate) exercises: fn(&[CodedChunk<'_>]) -> bool,
}

/// One tensor.
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) tensor: TensorBuf,
    pub(crate) encoding: Encoding,
}

fn made(name: &str, tensor: TensorBuf, encoding: Encoding) -> Made {
    Made { name: name.to_owned(), tensor, encoding }
}

/// Coded by `zstd` to this target, untransformed.
fn to(target: Target) -> Encoding {
    let mut encoding = Encoding::new(target);
    encoding.codec = Some(CodecId::ZSTD);
    encoding.keep_small = false;
    encoding.transform = TransformChoice::Chain(Chain::default());
    encoding
}

/// The same behind a chain of transforms.
fn through(chain: &str) -> Encoding {
    let mut encoding = to(Target::Step(0.05));
    encoding.transform = TransformChoice::Chain(Chain::parse(chain, &|_| None).unwrap());
    encoding
}

fn by(codec: CodecId, target: Target) -> Encoding {
    let mut encoding = to(target);
    encoding.codec = Some(codec);
    encoding
}

/// A matrix with trends along rows and columns, which every transform finds something in.
fn trends() -> TensorBuf {
    normal(&[32, 24], 7, |row, col, value| {
        let size = (1 + row % 5) as f32 * (1 + col % 3) as f32;
        0.1 * size * value + 0.25 * (col % 7) as f32 - 0.02 * row as f32
    })
}

/// A rotation of each pair of columns by the angle of a 3-4-5 triangle.
fn basis(cols: usize) -> Arc<Basis> {
    let mut values = vec![0.0; cols * cols];
    for pair in (0..cols).step_by(2) {
        values[pair * cols + pair] = 0.6;
        values[pair * cols + pair + 1] = -0.8;
        values[(pair + 1) * cols + pair] = 0.8;
        values[(pair + 1) * cols + pair + 1] = 0.6;
    }
    Arc::new(Basis::new(cols, values).unwrap())
}

// Flags of side information.
const FOLDED: u8 = 1;
const CLASSES: u8 = 2;
const AFFINE: u8 = 4;
const GRID: u8 = 8;
const LEVELS: u8 = 16;
const BOUNDS: u8 = 32;

/// A chunk's flags, but for that of bounds.
fn flags(chunk: &CodedChunk<'_>) -> u8 {
    chunk.side[0] & !BOUNDS
}

fn transform(file: &'static str, encoding: Encoding, exercises: fn(&[CodedChunk<'_>]) -> bool) -> Recipe {
    Recipe { file, tensors: vec![made("weight", trends(), encoding)], exercises }
}

/// All containers; more may follow, none may change.
pub(crate) fn recipes() -> Vec<Recipe> {
    let mut recipes = version_1_0();
    recipes.extend(transforms_1_0());
    recipes.extend(numbers_1_0());
    recipes
}

/// What stands between samples and values beside a grid and a list.
fn numbers_1_0() -> Vec<Recipe> {
    let every = |share: usize, value: f32| {
        move |row: usize, col: usize, normal: f32| {
            if (5 * row + 3 * col).is_multiple_of(share) { value } else { normal }
        }
    };
    let few = normal(&[20, 24], 11, every(31, f32::NAN));
    let many = normal(&[20, 24], 12, every(3, 0.0));
    let scattered = normal(&[20, 24], 17, every(11, 0.0));
    let constant = normal(&[20, 24], 13, |_, _, _| -2.5);
    let step = || to(Target::Step(0.05));
    let mut kept = step();
    kept.keep_zeros = true;
    let tiny = normal(&[20, 24], 14, |_, _, value| value);
    let bytes =
        tiny.to_f32().iter().flat_map(|value| (f64::from(*value) * 1e-100 + 1e-98).to_le_bytes()).collect();
    let tiny = TensorBuf { dtype: DType::F64, bytes, ..tiny };
    let matrix = |seed| normal(&[20, 24], seed, |_, _, value| value);
    let positive = normal(&[20, 24], 16, |_, _, value| value.abs());
    vec![
        Recipe {
            file: "v1.0-classes.arrow",
            tensors: vec![
                made("few-padded", few.clone(), step()),
                made("rows-left-out", many.clone(), kept.clone()),
                made("scattered-left-out", scattered, kept),
                made("all", constant, step()),
                made("exactly", many, to(Target::Lossless)),
            ],
            exercises: |chunks| {
                let flags: Vec<u8> = chunks.iter().map(flags).collect();
                flags[..3] == [CLASSES | GRID, CLASSES | GRID, CLASSES | GRID | FOLDED]
                    && flags[3..].iter().all(|flags| flags & CLASSES != 0)
            },
        },
        Recipe {
            file: "v1.0-levels.arrow",
            tensors: vec![made("weight", matrix(15), to(Target::Step(1e-5)))],
            exercises: |chunks| flags(&chunks[0]) == LEVELS,
        },
        Recipe {
            file: "v1.0-affine.arrow",
            tensors: vec![made("tiny", tiny, to(Target::Step(1e-101)))],
            exercises: |chunks| flags(&chunks[0]) == AFFINE | GRID,
        },
        Recipe {
            file: "v1.0-bounds.arrow",
            tensors: vec![made("positive", positive, to(Target::Step(0.5)))],
            exercises: |chunks| chunks[0].side[0] & BOUNDS != 0,
        },
    ]
}

fn version_1_0() -> Vec<Recipe> {
    let lossless = || to(Target::Lossless);
    let step = || to(Target::Step(0.05));
    let matrix = |seed| normal(&[20, 24], seed, |_, _, value| value);
    let dtypes: Vec<Made> = DType::ALL
        .iter()
        .zip(1..)
        .map(|(dtype, seed)| made(dtype.name(), bits(*dtype, &[3, 17], seed), lossless()))
        .collect();
    let shapes: [(&str, &[u64]); 6] = [
        ("scalar", &[]),
        ("nothing", &[3, 0, 2]),
        ("vector", &[37]),
        ("one", &[1, 1, 1]),
        ("short-rows-joined", &[3, 5, 4, 2]),
        ("rows", &[4, 18]),
    ];
    let shapes = shapes
        .iter()
        .zip(1..)
        .map(|((name, shape), seed)| made(name, bits(DType::F32, shape, seed), lossless()));
    let names = ["", "a/b.c", "ü 名前", "../up", "telecine"];
    let names = names.iter().zip(1..).map(|(name, seed)| made(name, bits(DType::U8, &[5], seed), lossless()));
    let mut chunked = lossless();
    chunked.chunk_values = 100;
    let mut chunked_lossy = step();
    chunked_lossy.chunk_values = 100;
    let chunks = || {
        vec![made("lossless", matrix(3), chunked.clone()), made("lossy", matrix(4), chunked_lossy.clone())]
    };
    let special = |value: f32| {
        move |row: usize, col: usize, normal: f32| if (row + 3 * col) % 79 == 7 { value } else { normal }
    };
    let outliers = [("nan", f32::NAN), ("infinity", f32::NEG_INFINITY), ("large", 3.0e9)];
    let exact = outliers
        .iter()
        .zip(1..)
        .map(|((name, value), seed)| made(name, normal(&[20, 24], seed, special(*value)), step()));
    let targets = [
        ("bits", Target::Bits(9.0)),
        ("nmse", Target::Nmse(0.001)),
        ("max-abs", Target::MaxAbs(0.02)),
        ("step", Target::Step(0.1)),
        ("lossless", Target::Lossless),
    ];
    let targets = targets.iter().zip(1..).map(|((name, target), seed)| made(name, matrix(seed), to(*target)));
    let vector = normal(&[1000], 9, |_, _, value| value);
    vec![
        Recipe { file: "v1.0-dtypes.arrow", tensors: dtypes, exercises: |chunks| chunks.len() == 15 },
        Recipe {
            file: "v1.0-shapes.arrow",
            tensors: shapes.collect(),
            exercises: |chunks| chunks[1].values == 0,
        },
        Recipe { file: "v1.0-names.arrow", tensors: names.collect(), exercises: |chunks| chunks.len() == 5 },
        Recipe { file: "v1.0-chunks.arrow", tensors: chunks(), exercises: |chunks| chunks.len() > 8 },
        Recipe { file: "v1.0-stream.arrows", tensors: chunks(), exercises: |chunks| chunks.len() > 8 },
        Recipe {
            file: "v1.0-bit-cast-rows.arrow",
            tensors: vec![made("weight", matrix(5), lossless())],
            exercises: |chunks| flags(&chunks[0]) == 0,
        },
        Recipe {
            file: "v1.0-bit-cast-folded.arrow",
            tensors: vec![made("vector", vector.clone(), lossless())],
            exercises: |chunks| flags(&chunks[0]) == FOLDED,
        },
        Recipe {
            file: "v1.0-grid-rows.arrow",
            tensors: vec![made("weight", matrix(5), step())],
            exercises: |chunks| flags(&chunks[0]) == GRID,
        },
        Recipe {
            file: "v1.0-grid-folded.arrow",
            tensors: vec![made("vector", vector, step())],
            exercises: |chunks| flags(&chunks[0]) == GRID | FOLDED,
        },
        Recipe {
            file: "v1.0-exact-values.arrow",
            tensors: exact.collect(),
            exercises: |chunks| {
                chunks.iter().all(|chunk| flags(chunk) == GRID && chunk.side.len() > 9 + 5 * 4)
            },
        },
        Recipe {
            file: "v1.0-targets.arrow",
            tensors: targets.collect(),
            exercises: |chunks| chunks.len() == 5,
        },
        Recipe {
            file: "v1.0-codec-raw0.arrow",
            tensors: vec![made("weight", matrix(6), by(CodecId::RAW, Target::Lossless))],
            exercises: |chunks| chunks[0].codec == CodecId::RAW,
        },
        Recipe {
            file: "v1.0-codec-zstd.arrow",
            tensors: vec![made("weight", matrix(6), by(CodecId::ZSTD, Target::Lossless))],
            exercises: |chunks| chunks[0].codec == CodecId::ZSTD,
        },
        Recipe {
            file: "v1.0-codec-tns1.arrow",
            tensors: vec![made("weight", matrix(6), by(CodecId::NATIVE, Target::Step(0.2)))],
            exercises: |chunks| chunks[0].codec == CodecId::NATIVE,
        },
    ]
}

fn transforms_1_0() -> Vec<Recipe> {
    let mut klt = through("centre");
    let basis = basis(24);
    klt.bases = vec![basis.clone()];
    klt.transform = TransformChoice::Chain(Chain::new(vec![Transform::klt(basis)]).unwrap());
    let mut weighed = through("none");
    let weights: Vec<f32> = (0..24).map(|col| [0.1, 1.0, 4.0, 0.0][col % 4]).collect();
    weighed.importance = Some(Arc::new(Importance::new(&weights).unwrap()));
    vec![
        transform("v1.0-centre.arrow", through("centre"), |chunks| chunks[0].transform == "centre@1"),
        transform("v1.0-row-scale.arrow", through("row-scale"), |chunks| {
            chunks[0].transform == "row-scale@1"
        }),
        transform("v1.0-column-scale.arrow", weighed, |chunks| chunks[0].transform == "column-scale@1"),
        transform("v1.0-hadamard.arrow", through("hadamard(16,5)"), |chunks| {
            chunks[0].transform == "hadamard@1(16,5)"
        }),
        transform("v1.0-dct.arrow", through("dct(16)"), |chunks| chunks[0].transform == "dct@1(16)"),
        transform("v1.0-klt.arrow", klt, |chunks| {
            chunks.iter().any(|chunk| chunk.transform.starts_with("klt@1("))
        }),
        transform("v1.0-chain.arrow", through("centre+dct(8)+hadamard(8,1)"), |chunks| {
            chunks[0].transform == "centre@1+dct@1(8)+hadamard@1(8,1)"
        }),
    ]
}
