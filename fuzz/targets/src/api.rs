//! Whatever the public constructors accept is coded, read back and decoded, or refused with a reason: chains, bases, specs,
//! targets and limits of any numbers, on small tensors of unusual values.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use telecine::{
    Backend, Basis, Chain, Codec, CodecId, CoreError, DType, Distortion, EncodeOptions, Encoding, Error,
    GroupSpec, Importance, Limits, MatrixShape, Quality, StreamReader, StreamWriter, Target, Tensor,
    Transform, TransformChoice,
};
use telecine_native::Native;
use telecine_raw::Raw;
use telecine_zstd::Zstd;

use crate::input::{Noise, effort};

/// Values of a tensor, at most.
const MOST: u64 = 1 << 11;

pub(crate) fn api(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let _ = group(&mut input).and_then(|()| tensor(&mut input));
}

/// A number of any size; half of them small.
fn number(input: &mut Unstructured<'_>) -> Result<u32> {
    let number: u32 = input.arbitrary()?;
    Ok(if number & 1 == 0 { number } else { number >> 1 & 0x7f })
}

/// Groups whose spec was accepted are coded by every backend that takes them; changed ones are refused or coded.
fn group(input: &mut Unstructured<'_>) -> Result<()> {
    let (frames, height, width) = (number(input)? % 9, number(input)?, number(input)?);
    let mut limits = Limits::DEFAULT;
    limits.chunk_values = u64::from(input.arbitrary::<u16>()?);
    let Ok(mut spec) = GroupSpec::new(frames, height, width, input.arbitrary()?, &limits) else {
        return Ok(());
    };
    if input.arbitrary()? {
        (spec.depth, spec.frames) = (input.arbitrary()?, number(input)? % 9);
        if spec.samples() > 1 << 20 {
            return Ok(());
        }
    }
    let quality = if input.arbitrary()? { Quality::Lossless } else { Quality::Step(input.arbitrary()?) };
    let samples = vec![spec.mid_sample(); spec.samples()];
    for backend in [&Raw as &dyn Backend, &Zstd, &Native::default()] {
        let Ok(mut encoder) = backend.encoder(spec, &EncodeOptions::default()) else { continue };
        let mut packet = Vec::new();
        if encoder.encode(&samples, quality, &mut packet).is_ok() {
            let mut back = vec![0; samples.len()];
            backend.decoder(spec).unwrap().decode(&packet, &mut back).unwrap();
            assert!(quality != Quality::Lossless || back == samples, "not lossless");
        }
    }
    Ok(())
}

fn shape(input: &mut Unstructured<'_>) -> Result<Vec<u64>> {
    let (kind, a, b): (u8, u16, u16) = input.arbitrary()?;
    let (a, b) = (u64::from(a), u64::from(b));
    Ok(match kind % 8 {
        0 => vec![],
        1 => vec![a % MOST],
        2 => vec![1, a % MOST],
        3 => vec![a % MOST, 1],
        4 => vec![a % 9, 0, b],
        5 => vec![1 + a % 4, 1 + b % 16, 1 + (a + b) % 32],
        _ => vec![1 + a % 64, 1 + b % 32],
    })
}

/// Values of a kind that ordinary tensors do not have.
fn values(input: &mut Unstructured<'_>, dtype: DType, count: usize, scale: f32) -> Result<Vec<u8>> {
    let (kind, seed, rare): (u8, u64, u8) = input.arbitrary()?;
    let size = dtype.size();
    let mut noise = Noise(seed | 1);
    // Largest and least bytes, NaN, infinities, subnormals, zeros of both signs: whatever they are of this dtype.
    let extremes: [fn(usize, usize) -> u8; 8] = [
        |_, _| 0,
        |_, _| 0xff,
        |at, size| if at + 1 == size { 0x7f } else { 0xff },
        |at, size| if at + 1 == size { 0x80 } else { 0 },
        |at, _| u8::from(at == 0),
        |at, size| {
            if at + 1 == size {
                0x7f
            } else if at + 2 == size {
                0x80
            } else {
                0
            }
        },
        |at, size| {
            if at + 1 == size {
                0xff
            } else if at + 2 == size {
                0x80
            } else {
                0
            }
        },
        |at, size| {
            if at + 2 >= size { 0x7f } else { 0xff }
        },
    ];
    let constant: [u8; 8] = noise.next().to_le_bytes();
    let mut bytes = Vec::with_capacity(count * size);
    for _ in 0..count {
        let bits = noise.next();
        let plain = bits.to_le_bytes().iter().map(|&byte| f32::from(byte.cast_signed())).sum::<f32>() * scale;
        let one = bytes.len();
        bytes.resize(one + size, 0);
        let out = &mut bytes[one..];
        let is_rare = noise.next() as u8 <= rare;
        match kind % 6 {
            0 => out.copy_from_slice(&constant[..size]),
            1 if !is_rare => {}
            2 if is_rare => {
                let extreme = extremes[noise.next() as usize % extremes.len()];
                out.iter_mut().enumerate().for_each(|(at, byte)| *byte = extreme(at, size));
            }
            3 => out.copy_from_slice(&bits.to_le_bytes()[..size]),
            4 => dtype.write_f32(&[plain.abs() + 1e6], out),
            _ => dtype.write_f32(&[plain], out),
        }
        if dtype == DType::Bool {
            out[0] &= 1;
        }
    }
    Ok(bytes)
}

fn importance(input: &mut Unstructured<'_>, cols: usize) -> Result<Option<Arc<Importance>>> {
    let weights: [u8; 3] = input.arbitrary()?;
    let weights: Vec<f32> = (0..cols).map(|col| f32::from(weights[col % 3]) / 16.0).collect();
    Ok(Importance::new(&weights).ok().map(Arc::new))
}

/// A basis of directions, or of values that are rarely one.
fn basis(input: &mut Unstructured<'_>, cols: usize) -> Result<Option<Arc<Basis>>> {
    let (count, seed): (u8, u64) = input.arbitrary()?;
    let mut noise = Noise(seed | 1);
    let made = if count & 1 == 0 {
        let count = usize::from(count / 2) % (cols + 2);
        Basis::of_directions(cols, (0..count * cols).map(|_| noise.next() as i8).collect())
    } else {
        let shift = usize::from(count / 2);
        let one = |at: usize| f32::from(u8::from((at / cols + shift) % cols == at % cols));
        Basis::new(cols, (0..cols * cols).map(one).collect())
    };
    Ok(made.ok().map(Arc::new))
}

/// Any steps; those that no constructor makes are left out.
fn chain(input: &mut Unstructured<'_>, cols: usize, bases: &mut Vec<Arc<Basis>>) -> Result<Option<Chain>> {
    let mut steps = Vec::new();
    for _ in 0..input.int_in_range(0..=9)? {
        let made = match input.arbitrary::<u8>()? % 7 {
            0 => Some(Transform::centre()),
            1 => Some(Transform::row_scale()),
            2 => importance(input, cols)?.map(Transform::column_scale),
            3 => Transform::hadamard(1 << (input.arbitrary::<u8>()? % 32), input.arbitrary()?).ok(),
            4 => Transform::dct(8 << (input.arbitrary::<u8>()? % 5)).ok(),
            5 => Transform::hadamard(number(input)?, 0).or(Transform::dct(number(input)?)).ok(),
            _ => {
                let columns = if input.arbitrary::<u8>()? == 0 { cols + 1 } else { cols };
                let basis = basis(input, columns)?;
                bases.extend(basis.clone());
                basis.map(Transform::klt)
            }
        };
        steps.extend(made);
    }
    let Ok(chain) = Chain::new(steps) else { return Ok(None) };
    let find = |id: u64| bases.iter().find(|basis| basis.id() == id).cloned();
    let text = chain.to_string();
    assert_eq!(Chain::parse(&text, &find).unwrap().to_string(), text);
    assert!(Chain::basis_ids(&text).into_iter().all(|id| find(id).is_some()), "{text}");
    Ok(Some(chain))
}

/// A target in reach of values of this scale, mostly.
fn target(input: &mut Unstructured<'_>, scale: f32) -> Result<Target> {
    let (kind, number): (u8, u8) = input.arbitrary()?;
    let (number, scale) = if kind < 0xe0 {
        ((f64::from(number) / 16.0 - 12.0).exp2(), f64::from(scale))
    } else {
        (input.arbitrary()?, 1.0)
    };
    let target = match kind % 5 {
        0 => Target::Bits(number),
        1 => Target::Nmse(number),
        2 => Target::MaxAbs(number * scale),
        3 => Target::Step(number * scale),
        _ => Target::Lossless,
    };
    if target.check().is_ok() {
        assert_eq!(Target::parse(&target.to_string()).unwrap(), target);
    }
    Ok(target)
}

fn tensor(input: &mut Unstructured<'_>) -> Result<()> {
    let dtype = *input.choose(DType::ALL)?;
    let shape = shape(input)?;
    let cols = MatrixShape::of(&shape).cols as usize;
    // Sums of bytes are about 200: scales of 1 are as frequent as all others together.
    let octave: u8 = input.arbitrary()?;
    let scale = if octave & 1 == 0 { 1.0 } else { (f32::from(octave) - 128.0).exp2() };
    let bytes = values(input, dtype, shape.iter().product::<u64>() as usize, scale)?;
    let mut encoding = Encoding::new(target(input, scale)?);
    if input.arbitrary::<u8>()? < 0xc0
        && let Some(chain) = chain(input, cols, &mut encoding.bases)?
    {
        encoding.transform = TransformChoice::Chain(chain);
    }
    if input.arbitrary()? {
        encoding.importance = importance(input, cols)?;
    }
    encoding.effort = effort(input)?;
    encoding.codec =
        *input.choose(&[None, Some(CodecId::NATIVE), Some(CodecId::ZSTD), Some(CodecId::RAW)])?;
    encoding.keep_small = input.arbitrary::<u8>()? < 0x20;
    encoding.chunk_values = u64::from(input.arbitrary::<u16>()?) >> (input.arbitrary::<u8>()? % 16);
    if input.arbitrary()? {
        encoding.limits.chunk_values = u64::from(input.arbitrary::<u16>()?);
        encoding.limits.packet_bytes = u64::from(input.arbitrary::<u16>()?);
    }

    let codec = Codec::new().with_limits(encoding.limits);
    let tensor = Tensor::new(dtype, &shape, &bytes).unwrap();
    let encoded = match codec.encode(&tensor, &encoding) {
        Ok(encoded) => encoded,
        Err(Error::Core(
            CoreError::Invalid(_)
            | CoreError::Unsupported(_)
            | CoreError::OutOfReach { .. }
            | CoreError::Limit { .. },
        )) => return Ok(()),
        Err(error) => panic!("neither coded nor refused: {error:?}"),
    };
    let back = codec.decode(&encoded).unwrap();
    assert_eq!((back.dtype, &back.shape), (dtype, &shape));
    let (report, measured) = (&encoded.report, Distortion::measure(dtype, &bytes, &back.bytes));
    let near =
        |a: f64, b: f64| a == b || (a - b).abs() <= 1e-6 * a.abs().max(b.abs()) || a.is_nan() && b.is_nan();
    assert!(near(measured.nmse(), report.nmse), "measured {}, {report:?}", measured.nmse());
    assert!(near(measured.max_abs_error, report.max_abs_error), "{measured:?}, {report:?}");
    match encoding.target {
        Target::Lossless => assert!(back.bytes == bytes, "not lossless"),
        Target::MaxAbs(bound) => assert!(report.max_abs_error <= bound, "{report:?}"),
        Target::Nmse(nmse) => assert!(report.weighted_nmse.unwrap_or(report.nmse) <= nmse, "{report:?}"),
        _ => (),
    }
    // What was coded goes through a stream within its own limits.
    let mut stream = StreamWriter::new(Vec::new()).unwrap();
    for chunk in &encoded.chunks {
        stream.write(&encoded.meta, &encoding.target.to_string(), chunk).unwrap();
    }
    let stream = stream.finish().unwrap();
    let rows = StreamReader::new(&*stream, &encoding.limits).unwrap().map(|row| row.unwrap().chunk);
    assert!(rows.eq(encoded.chunks.iter().cloned()), "a stream gave other chunks");
    Ok(())
}
